import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { ErrorDialect } from "../../testing/ErrorDialect.js"
import type { ArmedFault, ArmedTokenEndpoint, TokenEndpoint } from "./behaviour.js"
import * as Consents from "./consents.js"
import * as Grants from "./grants.js"
import type { Lists } from "./myLists.js"
import type { Quote } from "./quotes.js"
import type { RateLimits, Subscription } from "./rateLimiter.js"
import type { Registered } from "./redirectUris.js"
import * as Snapshot from "./snapshot.js"
import * as Stats from "./stats.js"

/** What the controls of a simulator change. Durations are milliseconds. */
export interface Settings {
  /** The secret of each client id that is accepted now. */
  readonly clients: ReadonlyMap<string, Redacted.Redacted>
  /** The account that `credentials` answers with. */
  readonly clientId: string
  readonly redirectUris: Registered
  readonly tokenEndpoint: TokenEndpoint
  /** Laid over the documented token reply. */
  readonly tokenReply: Readonly<Record<string, unknown>>
  readonly tokenLatency: number
  readonly apiLatency: number
  readonly unsubscribed: ReadonlyArray<string>
  readonly forbidden: ReadonlyArray<string>
  readonly rateLimits: RateLimits | "off"
}

/** What is decided when a simulator is made. */
export interface Constants {
  readonly allowBasic: boolean
  readonly accountRequired: boolean
  readonly tokenErrorDialect: ErrorDialect
  /** `undefined`: each product speaks its own. */
  readonly apiErrorDialect: ErrorDialect | undefined
  /** `expires_in` of the token reply; `undefined`: as documented. */
  readonly expiresIn: unknown
  /** `refresh_token_expires_in` of a user's token reply; `undefined`: none, as documented. */
  readonly refreshTokenExpiresIn: unknown
  /** Milliseconds. */
  readonly codeLifetime: number
}

export interface State {
  readonly constants: Constants
  readonly settings: Ref.Ref<Settings>
  readonly grants: Ref.Ref<Grants.Grants>
  /** The pages of the authorization endpoint that wait for an answer. */
  readonly consents: Ref.Ref<Consents.Consents>
  /** Of all accounts, as the lists. */
  readonly quotes: Ref.Ref<ReadonlyArray<Quote>>
  readonly lists: Ref.Ref<Lists>
  /** By client id and product base: limits are counted per subscription. */
  readonly subscriptions: Ref.Ref<ReadonlyMap<string, Subscription>>
  readonly faults: Ref.Ref<ReadonlyArray<ArmedFault>>
  /** What the next token calls meet instead of `Settings.tokenEndpoint`. */
  readonly tokenEndpoints: Ref.Ref<ReadonlyArray<ArmedTokenEndpoint>>
  readonly stats: Ref.Ref<Stats.Counters>
  readonly nextRequestId: Effect.Effect<string>
  readonly nextSecret: Effect.Effect<string>
}

export const make = (
  constants: Constants,
  settings: Settings,
  before: Snapshot.Snapshot | undefined
): Effect.Effect<State> =>
  Effect.gen(function*() {
    // two simulators never make up the same secret
    const salt = (yield* Random.nextIntBetween(0x1000_0000, 0x7fff_ffff)).toString(16)
    const counter = Effect.map(Ref.make(0), (ref) => Ref.updateAndGet(ref, (n) => n + 1))
    const grants = yield* Grants.empty
    const [requests, secrets] = yield* Effect.all([counter, counter])
    return {
      constants,
      settings: yield* Ref.make(settings),
      grants: yield* Ref.make(before === undefined ? grants : Snapshot.restoreGrants(grants, before)),
      consents: yield* Ref.make(Consents.empty),
      quotes: yield* Ref.make(before?.quotes ?? []),
      lists: yield* Ref.make<Lists>(before?.lists ?? { made: 0, all: [] }),
      subscriptions: yield* Ref.make<ReadonlyMap<string, Subscription>>(new Map()),
      faults: yield* Ref.make<ReadonlyArray<ArmedFault>>([]),
      tokenEndpoints: yield* Ref.make<ReadonlyArray<ArmedTokenEndpoint>>([]),
      stats: yield* Ref.make(Stats.empty),
      nextRequestId: Effect.map(requests, requestId),
      nextSecret: Effect.map(secrets, (n) => `simulated-client-secret-${salt}-${n}`)
    }
  })

const requestId = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`
