/**
 * Logins that have begun and not come back: what is remembered between the
 * request that sends a person to the provider and the callback.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { TokenStoreError } from "./CredentialsError.js"

/**
 * One login under way. It stays on the server.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PendingAuthorization = Schema.Struct({
  /** The hash of the flow's identity: a callback of one flow completes no other. */
  identity: Schema.String,
  provider: Schema.String,
  environment: Schema.String,
  /** Whose login it is to be, in the application's own words. */
  account: Schema.OptionFromNullOr(Schema.String),
  redirectUri: Schema.String,
  /** The PKCE code verifier (RFC 7636 §4.1); `None` where the provider does not do PKCE. */
  verifier: Schema.OptionFromNullOr(Schema.Redacted(Schema.String)),
  /** The SHA-256 of what the user agent was given to prove that it is the one that began. */
  userAgent: Schema.String,
  startedAt: Schema.DateTimeUtc
})

/**
 * @since 0.1.0
 * @category models
 */
export interface PendingAuthorization {
  readonly identity: string
  readonly provider: string
  readonly environment: string
  readonly account: Option.Option<string>
  readonly redirectUri: string
  readonly verifier: Option.Option<Redacted.Redacted>
  readonly userAgent: string
  readonly startedAt: DateTime.Utc
}

/**
 * Where logins under way are kept. A server of several processes needs one that
 * all of them reach: the callback may come to another process.
 *
 * @since 0.1.0
 * @category models
 */
export interface PendingAuthorizations {
  /** `key` is a hash of the `state` parameter. May forget it after `maxAge`. */
  readonly put: (key: string, pending: PendingAuthorization) => Effect.Effect<void, TokenStoreError>
  /**
   * Gives it out and forgets it in one step, so that of two callbacks with one
   * `state` only one gets it; and only where `userAgent` is the stored one, so
   * that a stranger's callback does not use it up.
   */
  readonly take: (
    key: string,
    userAgent: string
  ) => Effect.Effect<Option.Option<PendingAuthorization>, TokenStoreError>
}

/**
 * @since 0.1.0
 * @category tags
 */
export const PendingAuthorizations: Context.Tag<PendingAuthorizations, PendingAuthorizations> = Context.GenericTag(
  "effect-credentials/PendingAuthorizations"
)

/**
 * How long a person has for a login: 10 minutes, after which a callback is
 * refused.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxAge: Duration.Duration = Duration.minutes(10)

const capacity = 10_000

/** Longer than a person has: who comes late is told so, and not that there is no such login. */
const forgottenAfter = Duration.hours(1)

/**
 * Keeps logins under way in memory for an hour, 10,000 of them at most: beyond
 * that the oldest is forgotten. For a server of one process, and for a command line.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<PendingAuthorizations> = Layer.sync(PendingAuthorizations, () => {
  // In the order in which they began.
  const all = new Map<string, PendingAuthorization>()
  return {
    put: (key, pending) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const forgotten = now - Duration.toMillis(forgottenAfter)
        for (const [old, { startedAt }] of all) {
          if (startedAt.epochMillis >= forgotten && all.size < capacity) break
          all.delete(old)
        }
        all.set(key, pending)
      }),
    take: (key, userAgent) =>
      Effect.sync(() => {
        const pending = all.get(key)
        if (pending === undefined || pending.userAgent !== userAgent) return Option.none()
        all.delete(key)
        return Option.some(pending)
      })
  }
})
