/**
 * DigiKey's server as far as its documentation describes it: the token endpoint and the APIs behind
 * it, as one `HttpApp`. Use it in memory, where a `TestClock` governs it, or serve it on loopback with
 * any `HttpServer`.
 *
 * It does not know who calls it or why. Tokens expire and rate-limit windows turn on Effect's `Clock`;
 * what a test wants to go wrong is told to it through the controls, never over HTTP.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import { InMemoryHttp } from "effect-credentials/testing"
import * as DigiKeyApp from "../DigiKeyApp.js"
import { Fault, TokenEndpoint } from "../internal/simulator/behaviour.js"
import { defaultParts, type SimulatedPart } from "../internal/simulator/catalogue.js"
import { orderStatus } from "../internal/simulator/orders.js"
import { productInformation } from "../internal/simulator/products.js"
import { type RateLimitOptions, resolve as resolveLimits } from "../internal/simulator/rateLimiter.js"
import * as Route from "../internal/simulator/route.js"
import * as Server from "../internal/simulator/server.js"
import * as State from "../internal/simulator/state.js"
import { reset as resetStats, type Stats } from "../internal/simulator/stats.js"
import type { ErrorDialect } from "./ErrorDialect.js"

export {
  /**
   * @since 0.1.0
   * @category fixtures
   */
  defaultParts,
  /**
   * @since 0.1.0
   * @category models
   */
  Fault,
  /**
   * @since 0.1.0
   * @category models
   */
  TokenEndpoint
}

export type {
  /**
   * @since 0.1.0
   * @category models
   */
  RateLimitOptions,
  /**
   * @since 0.1.0
   * @category models
   */
  SimulatedPart,
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
 * A client id with the secret that the token endpoint accepts for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientCredentials {
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default `"simulator-client-id"`. */
  readonly clientId?: string | undefined
  /** Default `"simulator-client-secret"`. */
  readonly clientSecret?: string | Redacted.Redacted | undefined
  /** `expires_in` of the token reply in seconds, as a number or as any odd JSON value. Default 1800. */
  readonly expiresIn?: number | string | null | undefined
  /** Default: 120 requests a minute and 1,000 a day, for each product subscription. */
  readonly rateLimits?: RateLimitOptions | "off" | undefined
  /** Product details, pricing and order calls need `X-DIGIKEY-Account-Id`. Default `false`. */
  readonly accountRequired?: boolean | undefined
  /** Accept HTTP Basic at the token endpoint: observed, not documented. Default `false`. */
  readonly allowBasic?: boolean | undefined
  /** Default `"A"`. */
  readonly tokenErrorDialect?: ErrorDialect | undefined
  /** Default `"B"`. */
  readonly apiErrorDialect?: ErrorDialect | undefined
  /** Default `defaultParts`. */
  readonly parts?: ReadonlyArray<SimulatedPart> | undefined
}

/**
 * A simulated DigiKey server and its controls.
 *
 * A `path` is a product's base or any path below it: `"/products/v4"`, `"/products/v4/search/keyword"`.
 * It matches itself and everything below it.
 *
 * @since 0.1.0
 * @category models
 */
export interface DigiKeySimulator {
  /** The whole server: token endpoint and APIs. For an `HttpServer` to serve. */
  readonly app: HttpApp.Default
  /** The server in memory, as `https://api.digikey.com` and `https://sandbox-api.digikey.com`. */
  readonly httpClient: HttpClient.HttpClient

  /** The credentials that are accepted now. */
  readonly credentials: Effect.Effect<ClientCredentials>
  /** Accepts these credentials instead of the present ones. */
  readonly setCredentials: (options: {
    readonly clientId?: string
    readonly clientSecret: string | Redacted.Redacted
  }) => Effect.Effect<void>
  /** Accepts a second account beside the present one, with limits of its own. */
  readonly addAccount: (options: {
    readonly clientId: string
    readonly clientSecret: string | Redacted.Redacted
  }) => Effect.Effect<void>
  /** Makes up a new secret, refuses the old one from now on, and answers with the new one. Tokens stay good. */
  readonly rotateSecret: Effect.Effect<Redacted.Redacted>
  /** Refuses every token that was issued so far (401). */
  readonly revokeTokens: Effect.Effect<void>

  readonly setTokenEndpoint: (behaviour: TokenEndpoint) => Effect.Effect<void>
  /**
   * Fields laid over the documented token reply; `undefined` leaves a field out. An `expires_in` above
   * 0 is also how many seconds the token is accepted; without one that is 1800.
   */
  readonly setTokenReply: (fields: Readonly<Record<string, unknown>>) => Effect.Effect<void>

  /** The next `times` (default 1) calls at or below `path` (default: all) meet `fault`. */
  readonly failNext: (
    fault: Fault,
    options?: { readonly times?: number; readonly path?: string }
  ) => Effect.Effect<void>
  /** Every call at or below `path` (default: all) meets `fault`, until `clearFaults`. */
  readonly failAlways: (fault: Fault, options?: { readonly path?: string }) => Effect.Effect<void>
  readonly clearFaults: Effect.Effect<void>
  /** How long a reply takes. The call takes effect when it arrives; only its reply is late. */
  readonly setLatency: (latency: {
    readonly token?: Duration.DurationInput
    readonly api?: Duration.DurationInput
  }) => Effect.Effect<void>
  readonly setRateLimits: (limits: RateLimitOptions | "off") => Effect.Effect<void>

  /** Answers 401 at or below `path` although the token is good. */
  readonly unsubscribe: (path: string) => Effect.Effect<void>
  /** Takes `unsubscribe(path)` back. */
  readonly subscribe: (path: string) => Effect.Effect<void>
  /** Answers 403 at or below `path`. */
  readonly forbid: (path: string) => Effect.Effect<void>
  /** Takes `forbid(path)` back. */
  readonly permit: (path: string) => Effect.Effect<void>

  readonly stats: Effect.Effect<Stats>
  readonly resetStats: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category tags
 */
export const DigiKeySimulator: Context.Tag<DigiKeySimulator, DigiKeySimulator> = Context.GenericTag<DigiKeySimulator>(
  "@effect-credentials/digikey/DigiKeySimulator"
)

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * @example
 * ```ts
 * import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const simulator = yield* DigiKeySimulator.make({ rateLimits: "off" })
 *   yield* simulator.setTokenEndpoint(DigiKeySimulator.TokenEndpoint.Down({ status: 503 }))
 *   const response = yield* simulator.httpClient.get("https://sandbox-api.digikey.com/v1/oauth2/token")
 *   return response.status // 503
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<DigiKeySimulator> =>
  Effect.gen(function*() {
    const clientId = options.clientId ?? "simulator-client-id"
    const state = yield* State.make({
      allowBasic: options.allowBasic ?? false,
      accountRequired: options.accountRequired ?? false,
      tokenErrorDialect: options.tokenErrorDialect ?? "A",
      apiErrorDialect: options.apiErrorDialect ?? "B"
    }, {
      clientId,
      clients: new Map([[clientId, redact(options.clientSecret ?? "simulator-client-secret")]]),
      tokenEndpoint: TokenEndpoint.Healthy(),
      tokenReply: options.expiresIn === undefined ? {} : { expires_in: options.expiresIn },
      tokenLatency: 0,
      apiLatency: 0,
      unsubscribed: [],
      forbidden: [],
      rateLimits: resolveLimits(options.rateLimits)
    })
    const app = Server.make(state, [productInformation(options.parts ?? defaultParts), orderStatus].map(Route.compile))
    return {
      // `HttpServer.serve` runs an app uninterruptibly: without this a call that hangs would outlive its connection
      app: Effect.interruptible(app),
      httpClient: yield* InMemoryHttp.makeByOrigin({
        "https://api.digikey.com": app,
        "https://sandbox-api.digikey.com": app
      }),
      ...controls(state)
    }
  })

const controls = (state: State.State): Omit<DigiKeySimulator, "app" | "httpClient"> => {
  const set = (change: (settings: State.Settings) => Partial<State.Settings>) =>
    Ref.update(state.settings, (settings) => ({ ...settings, ...change(settings) }))
  const arm = (fault: Fault, path: string, remaining: number) =>
    Ref.update(state.faults, (faults) => [...faults, { fault, path, remaining }])
  const setCredentials: DigiKeySimulator["setCredentials"] = ({ clientId, clientSecret }) =>
    set((settings) => {
      const clients = new Map(settings.clients)
      clients.delete(settings.clientId)
      const next = clientId ?? settings.clientId
      return { clientId: next, clients: clients.set(next, redact(clientSecret)) }
    })
  return {
    credentials: Effect.map(Ref.get(state.settings), ({ clientId, clients }) => ({
      clientId,
      clientSecret: clients.get(clientId) ?? Redacted.make("")
    })),
    setCredentials,
    addAccount: ({ clientId, clientSecret }) =>
      set(({ clients }) => ({ clients: new Map(clients).set(clientId, redact(clientSecret)) })),
    rotateSecret: Effect.map(state.nextSecret, redact).pipe(
      Effect.tap((clientSecret) => setCredentials({ clientSecret }))
    ),
    revokeTokens: Ref.set(state.tokens, new Map()),
    setTokenEndpoint: (tokenEndpoint) => set(() => ({ tokenEndpoint })),
    setTokenReply: (tokenReply) => set(() => ({ tokenReply })),
    failNext: (fault, { path = "/", times = 1 } = {}) => arm(fault, path, times),
    failAlways: (fault, { path = "/" } = {}) => arm(fault, path, Number.POSITIVE_INFINITY),
    clearFaults: Ref.set(state.faults, []),
    setLatency: ({ api, token }) =>
      set((settings) => ({
        tokenLatency: token === undefined ? settings.tokenLatency : Duration.toMillis(token),
        apiLatency: api === undefined ? settings.apiLatency : Duration.toMillis(api)
      })),
    setRateLimits: (limits) => set(() => ({ rateLimits: resolveLimits(limits) })),
    unsubscribe: (path) => set(({ unsubscribed }) => ({ unsubscribed: [...unsubscribed, path] })),
    subscribe: (path) => set(({ unsubscribed }) => ({ unsubscribed: unsubscribed.filter((other) => other !== path) })),
    forbid: (path) => set(({ forbidden }) => ({ forbidden: [...forbidden, path] })),
    permit: (path) => set(({ forbidden }) => ({ forbidden: forbidden.filter((other) => other !== path) })),
    stats: Ref.get(state.stats),
    resetStats: Ref.update(state.stats, resetStats)
  }
}

const redact = (secret: string | Redacted.Redacted): Redacted.Redacted =>
  typeof secret === "string" ? Redacted.make(secret) : secret

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * A simulator, for programs that serve its `app` themselves.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerApp = (options?: Options): Layer.Layer<DigiKeySimulator> =>
  Layer.effect(DigiKeySimulator, make(options))

/**
 * A simulator and the `HttpClient` that reaches it in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHttpClient = (options?: Options): Layer.Layer<DigiKeySimulator | HttpClient.HttpClient> =>
  Layer.provideMerge(
    Layer.effect(HttpClient.HttpClient, Effect.map(DigiKeySimulator, (simulator) => simulator.httpClient)),
    layerApp(options)
  )

/**
 * The simulator in memory, with the credentials of `DigiKeyApp` that it accepts
 * and the `HttpClient` that reaches it: all that a program needs, in one line.
 *
 * @example
 * ```ts
 * import { ProductInformation } from "@effect-credentials/digikey"
 * import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
 * import { Effect } from "effect"
 *
 * export const program = ProductInformation.keywordSearch({ Keywords: "NE555" }).pipe(
 *   Effect.provide(DigiKeySimulator.layer())
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options?: Options
): Layer.Layer<DigiKeySimulator | DigiKeyApp.DigiKeyApp | HttpClient.HttpClient> =>
  Layer.provideMerge(
    Layer.unwrapEffect(Effect.gen(function*() {
      const { clientId, clientSecret } = yield* (yield* DigiKeySimulator).credentials
      // The simulator's own credentials are good: a failure here is a defect.
      return Layer.orDie(DigiKeyApp.layer({ clientId, clientSecret, environment: "sandbox" }))
    })),
    layerHttpClient(options)
  )
