/**
 * Digitzs's server as far as it is documented and has been observed: app keys, app tokens, merchants
 * and payments, as one `HttpApp`. Use it in memory, where a `TestClock` governs it, or serve it on
 * loopback with any `HttpServer`.
 *
 * It counts what counts: how many payments were applied. What a test wants to go wrong is told to it
 * through the controls, never over HTTP.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import { InMemoryHttp } from "effect-credentials/testing"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as DigitzsApp from "../DigitzsApp.js"
import * as Auth from "../internal/simulator/auth.js"
import { Fault } from "../internal/simulator/behaviour.js"
import * as Server from "../internal/simulator/server.js"
import * as State from "../internal/simulator/state.js"
import type { AppliedPayment, SimulatedMerchant } from "../internal/simulator/state.js"
import { empty as emptyStats, type Stats } from "../internal/simulator/stats.js"

export {
  /**
   * @since 0.1.0
   * @category models
   */
  Fault
}

export type {
  /**
   * @since 0.1.0
   * @category models
   */
  AppliedPayment,
  /**
   * @since 0.1.0
   * @category models
   */
  SimulatedMerchant,
  /**
   * @since 0.1.0
   * @category models
   */
  Stats
}

// -----------------------------------------------------------------------------
// Model
// -----------------------------------------------------------------------------

/**
 * What the server accepts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Accepted {
  readonly apiKey: Redacted.Redacted
  readonly appKey: Redacted.Redacted
  readonly appId: string
}

/**
 * The claims of an app token that is issued at `now` (seconds since the Unix epoch).
 *
 * @since 0.1.0
 * @category models
 */
export type Claims = (now: number) => Readonly<Record<string, unknown>>

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default `"simulator-api-key"`. */
  readonly apiKey?: Redacted.Redacted | undefined
  /** Default `"simulator-app-key"`. */
  readonly appKey?: Redacted.Redacted | undefined
  /** Default `"simulator-app"`. */
  readonly appId?: string | undefined
  /** How long a token is accepted, whatever its claims say. Default: an hour. */
  readonly tokenLifetime?: Duration.DurationInput | undefined
  /** Default: `iat` and `exp`, an hour apart. */
  readonly claims?: Claims | undefined
  /** Default `defaultMerchants`. */
  readonly merchants?: ReadonlyArray<SimulatedMerchant> | undefined
}

/**
 * A simulated Digitzs server and its controls.
 *
 * @since 0.1.0
 * @category models
 */
export interface DigitzsSimulator {
  /** The whole server. For an `HttpServer` to serve. */
  readonly app: HttpApp.Default
  /** The server in memory, as `https://api.digitzs.com`. */
  readonly httpClient: HttpClient.HttpClient

  /** What is accepted now. */
  readonly accepted: Effect.Effect<Accepted>
  /** Accepts these instead. Tokens stay good. */
  readonly accept: (accepted: Partial<Accepted>) => Effect.Effect<void>
  /** What `/auth/key` does: makes up a new app key, and refuses the old one from now on. Tokens stay good. */
  readonly rotateAppKey: Effect.Effect<Redacted.Redacted>
  /** Refuses every app token that was issued so far (401). */
  readonly revokeTokens: Effect.Effect<void>
  readonly setClaims: (claims: Claims) => Effect.Effect<void>

  /**
   * The next `times` (default 1) calls at or below `path` (default: all) that come with good credentials
   * meet `fault`.
   */
  readonly failNext: (
    fault: Fault,
    options?: { readonly times?: number; readonly path?: string }
  ) => Effect.Effect<void>
  /** Every such call meets `fault`, until `clearFaults`. */
  readonly failAlways: (fault: Fault, options?: { readonly path?: string }) => Effect.Effect<void>
  readonly clearFaults: Effect.Effect<void>
  /** How long a reply takes. The call takes effect when it arrives; only its reply is late. */
  readonly setLatency: (latency: {
    /** Of `/auth/token` and `/auth/key`. */
    readonly auth?: Duration.DurationInput
    readonly api?: Duration.DurationInput
  }) => Effect.Effect<void>

  /** Every payment that was applied, in order, whether or not its answer arrived. */
  readonly payments: Effect.Effect<ReadonlyArray<AppliedPayment>>
  readonly merchants: Effect.Effect<ReadonlyArray<SimulatedMerchant>>
  readonly stats: Effect.Effect<Stats>
  readonly resetStats: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category tags
 */
export const DigitzsSimulator: Context.Tag<DigitzsSimulator, DigitzsSimulator> = Context.GenericTag<DigitzsSimulator>(
  "@effect-credentials/digitzs/DigitzsSimulator"
)

/**
 * @since 0.1.0
 * @category fixtures
 */
export const defaultMerchants: ReadonlyArray<SimulatedMerchant> = [
  { id: "merchant-1", accountName: "Harbour Bakery", accountType: "business", created: "2024-02-11T09:00:00Z" },
  { id: "merchant-2", accountName: "Quayside Cycles", accountType: "business", created: "2024-06-03T14:20:00Z" },
  { id: "merchant-3", accountName: "Ada's Piano Lessons", accountType: "personal", created: "2025-01-27T11:45:00Z" }
]

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * @example
 * ```ts
 * import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
 * import { Effect } from "effect"
 *
 * // The next payment is applied, and its answer gets lost.
 * const program = Effect.gen(function*() {
 *   const simulator = yield* DigitzsSimulator.make()
 *   yield* simulator.failNext(DigitzsSimulator.Fault.Drop({ applied: true }), { path: "/payments" })
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<DigitzsSimulator> =>
  Effect.gen(function*() {
    const state = yield* State.make({
      apiKey: options.apiKey ?? Redacted.make("simulator-api-key"),
      appKey: options.appKey ?? Redacted.make("simulator-app-key"),
      appId: options.appId ?? "simulator-app",
      claims: options.claims ?? ((now) => ({ iat: now, exp: now + 3600 })),
      tokenLifetime: Duration.toMillis(options.tokenLifetime ?? "1 hour"),
      authLatency: 0,
      apiLatency: 0
    }, options.merchants ?? defaultMerchants)
    const app = Server.make(state)
    return {
      // `HttpServer.serve` runs an app uninterruptibly: without this a call that hangs would outlive its connection
      app: Effect.interruptible(app),
      httpClient: yield* InMemoryHttp.makeByOrigin({ "https://api.digitzs.com": app }),
      ...controls(state)
    }
  })

const controls = (state: State.State): Omit<DigitzsSimulator, "app" | "httpClient"> => {
  const set = (change: (settings: State.Settings) => Partial<State.Settings>) =>
    Ref.update(state.settings, (settings) => ({ ...settings, ...change(settings) }))
  const arm = (fault: Fault, path: string, remaining: number) =>
    Ref.update(state.faults, (faults) => [...faults, { fault, path, remaining }])
  return {
    accepted: Effect.map(Ref.get(state.settings), ({ apiKey, appId, appKey }) => ({ apiKey, appId, appKey })),
    accept: (accepted) => set(() => accepted),
    rotateAppKey: Auth.rotate(state),
    revokeTokens: Ref.set(state.tokens, new Map()),
    setClaims: (claims) => set(() => ({ claims })),
    failNext: (fault, { path = "/", times = 1 } = {}) => arm(fault, path, times),
    failAlways: (fault, { path = "/" } = {}) => arm(fault, path, Number.POSITIVE_INFINITY),
    clearFaults: Ref.set(state.faults, []),
    setLatency: ({ api, auth }) =>
      set((settings) => ({
        authLatency: auth === undefined ? settings.authLatency : Duration.toMillis(auth),
        apiLatency: api === undefined ? settings.apiLatency : Duration.toMillis(api)
      })),
    payments: Ref.get(state.payments),
    merchants: Ref.get(state.merchants),
    stats: Ref.get(state.stats),
    resetStats: Ref.set(state.stats, emptyStats)
  }
}

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * A simulator, for programs that serve its `app` themselves.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerApp = (options?: Options): Layer.Layer<DigitzsSimulator> =>
  Layer.effect(DigitzsSimulator, make(options))

/**
 * A simulator and the `HttpClient` that reaches it in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHttpClient = (options?: Options): Layer.Layer<DigitzsSimulator | HttpClient.HttpClient> =>
  Layer.provideMerge(
    Layer.effect(HttpClient.HttpClient, Effect.map(DigitzsSimulator, (simulator) => simulator.httpClient)),
    layerApp(options)
  )

/**
 * The simulator in memory, with the credentials of `DigitzsApp` that it accepts
 * and the `HttpClient` that reaches it: all that a program needs, in one line.
 *
 * @example
 * ```ts
 * import { Merchants } from "@effect-credentials/digitzs"
 * import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
 * import { Effect } from "effect"
 *
 * export const program = Merchants.list().pipe(
 *   Effect.provide(DigitzsSimulator.layer())
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options?: Options
): Layer.Layer<DigitzsSimulator | DigitzsApp.DigitzsApp | HttpClient.HttpClient> =>
  Layer.provideMerge(
    Layer.unwrapEffect(Effect.gen(function*() {
      const accepted = yield* (yield* DigitzsSimulator).accepted
      // What the simulator accepts is good: a failure here is a defect.
      return Layer.orDie(DigitzsApp.layer(accepted))
    })),
    layerHttpClient(options)
  )
