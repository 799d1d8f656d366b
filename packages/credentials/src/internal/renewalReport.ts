/**
 * What the world learns of a renewal: an event, metrics, a line in the log.
 * Loggers, metrics and readers are the user's: what they do must not reach the
 * renewal.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type { CredentialsError } from "../CredentialsError.js"
import * as CredentialsEvent from "../CredentialsEvent.js"
import type { CredentialsIdentity } from "../CredentialsIdentity.js"
import type * as Token from "../Token.js"
import * as Metrics from "./metrics.js"

export interface RenewalReport {
  readonly rejected: (generation: number) => Effect.Effect<void>
  /** `startedAt`: milliseconds since the epoch. `adopted`: somebody else has renewed it. */
  readonly succeeded: (
    held: { readonly token: Token.Token; readonly generation: number },
    startedAt: number,
    how: { readonly adopted: boolean; readonly first: boolean }
  ) => Effect.Effect<void>
  readonly failed: (
    error: CredentialsError,
    cause: Cause.Cause<CredentialsError>,
    generation: number,
    startedAt: number,
    retryAt: DateTime.Utc,
    /** Whether this has been said before. */
    known: boolean
  ) => Effect.Effect<void>
}

const guarded = (effect: Effect.Effect<void>): Effect.Effect<void> => Effect.catchAllCause(effect, () => Effect.void)

export const make = (
  identity: CredentialsIdentity,
  publish: (event: CredentialsEvent.CredentialsEvent) => Effect.Effect<void>
): RenewalReport => {
  const { grant, hash, provider } = identity

  const labels = <Type, In, Out>(metric: Metric.Metric<Type, In, Out>): Metric.Metric<Type, In, Out> =>
    metric.pipe(Metric.tagged("provider", provider), Metric.tagged("grant", grant))

  const measure = (outcome: string, startedAt: number): Effect.Effect<void> =>
    Effect.gen(function*() {
      yield* Metric.update(labels(Metric.tagged(Metrics.renewals, "outcome", outcome)), 1)
      const now = yield* Clock.currentTimeMillis
      yield* Metric.update(labels(Metrics.renewalDuration), (now - startedAt) / 1000)
    })

  return {
    rejected: (generation) => guarded(publish(CredentialsEvent.Rejected({ identity: hash, generation }))),

    succeeded: ({ generation, token: { expiresAt } }, startedAt, { adopted, first }) =>
      guarded(Effect.gen(function*() {
        const event = { identity: hash, generation, expiresAt }
        yield* publish(first ? CredentialsEvent.Acquired(event) : CredentialsEvent.Renewed(event))
        yield* measure(adopted ? "adopted" : "success", startedAt)
        yield* Metric.update(labels(Metrics.expiresAt), expiresAt.epochMillis / 1000)
        const line = adopted ? Effect.logDebug("Took over a token from the store") : Effect.logInfo("Got a token")
        yield* line.pipe(
          Effect.annotateLogs({ provider, grant, expiresAt: DateTime.formatIso(expiresAt) })
        )
      })),

    failed: (error, cause, generation, startedAt, retryAt, known) =>
      guarded(Effect.gen(function*() {
        yield* measure(error._tag, startedAt)
        if (known) return
        const event = { identity: hash, generation }
        yield* publish(
          error._tag === "ReauthorizationRequired"
            ? CredentialsEvent.ReauthorizationRequired(event)
            : CredentialsEvent.RenewalFailed({ ...event, error: error._tag, retryAt })
        )
        // By its name only: a defect may hold anything.
        const defect = Option.map(Cause.dieOption(cause), (it) => it instanceof Error ? it.name : typeof it)
        yield* Effect.logWarning(error.message).pipe(
          Effect.annotateLogs({ provider, grant, ...(Option.isSome(defect) ? { defect: defect.value } : {}) })
        )
      }))
  }
}
