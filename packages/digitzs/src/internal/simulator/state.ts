import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { ArmedFault } from "./behaviour.js"
import * as Stats from "./stats.js"

/**
 * A merchant to begin with.
 *
 * @since 0.1.0
 * @category models
 */
export interface SimulatedMerchant {
  readonly id: string
  readonly accountName: string
  readonly accountType: "personal" | "business"
  /** ISO 8601 */
  readonly created: string
}

/**
 * A payment that was applied: money has moved.
 *
 * @since 0.1.0
 * @category models
 */
export interface AppliedPayment {
  readonly id: string
  /** `undefined` for a payment that came without one. */
  readonly requestId: string | undefined
  readonly paymentType: string
  readonly merchantId: string
  readonly amount: string
  readonly currency: string
  readonly invoice: string
}

/** What the controls of a simulator change. Durations are milliseconds. */
export interface Settings {
  readonly apiKey: Redacted.Redacted
  readonly appKey: Redacted.Redacted
  readonly appId: string
  /** The claims of a token that is issued at this time, in seconds. */
  readonly claims: (now: number) => Readonly<Record<string, unknown>>
  /** How long a token is accepted, whatever its claims say. */
  readonly tokenLifetime: number
  readonly authLatency: number
  readonly apiLatency: number
}

export interface State {
  readonly settings: Ref.Ref<Settings>
  /** When each app token expires: milliseconds since the Unix epoch. */
  readonly tokens: Ref.Ref<ReadonlyMap<string, number>>
  readonly merchants: Ref.Ref<ReadonlyArray<SimulatedMerchant>>
  readonly payments: Ref.Ref<ReadonlyArray<AppliedPayment>>
  readonly faults: Ref.Ref<ReadonlyArray<ArmedFault>>
  readonly stats: Ref.Ref<Stats.Stats>
  /** A new one at each use. */
  readonly nextId: (kind: string) => Effect.Effect<string>
}

export const make = (
  settings: Settings,
  merchants: ReadonlyArray<SimulatedMerchant>
): Effect.Effect<State> =>
  Effect.gen(function*() {
    // Two simulators never issue the same token.
    const salt = (yield* Random.nextIntBetween(0x1000_0000, 0x7fff_ffff)).toString(16)
    const counter = yield* Ref.make(0)
    return {
      settings: yield* Ref.make(settings),
      tokens: yield* Ref.make<ReadonlyMap<string, number>>(new Map()),
      merchants: yield* Ref.make(merchants),
      payments: yield* Ref.make<ReadonlyArray<AppliedPayment>>([]),
      faults: yield* Ref.make<ReadonlyArray<ArmedFault>>([]),
      stats: yield* Ref.make(Stats.empty),
      nextId: (kind) => Effect.map(Ref.updateAndGet(counter, (n) => n + 1), (n) => `${kind}-${salt}-${n}`)
    }
  })
