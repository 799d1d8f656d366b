/**
 * What is tried again, when, and how often: plain Schedules with limits around
 * them.
 *
 * @since 0.1.0
 */
import type * as Headers from "@effect/platform/Headers"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { dual } from "effect/Function"
import { globalValue } from "effect/GlobalValue"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as HttpDate from "./internal/httpDate.js"

/**
 * A failure that another attempt may mend.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryableFailure {
  readonly reason: "Transport" | "Timeout" | "Status"
  /** The status of the answer, where there was one. */
  readonly status: Option.Option<number>
  /** How long the server asked us to wait. It wins over the schedule's delay. */
  readonly retryAfter: Option.Option<Duration.Duration>
}

/**
 * A token bucket for retries: `capacity` at first, one more every `refill`.
 * When it is empty, failures are final. It keeps a thousand failing callers
 * from turning into three thousand requests.
 *
 * What is left of it goes by this object, for each API product and Layer: make a
 * policy once, not at every call. A `refill` of zero is no limit.
 *
 * @since 0.1.0
 * @category models
 */
export interface Budget {
  readonly capacity: number
  readonly refill: Duration.Duration
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RetryPolicy<R = never> {
  readonly schedule: Schedule.Schedule<unknown, RetryableFailure, R>
  /** The longest single wait, for a turn under a rate limit too. A longer one fails at once, with the time to come back at. */
  readonly patience: Duration.Duration
  /** No attempt starts later than this after the first one. */
  readonly deadline: Duration.Duration
  readonly budget: Budget
}

/**
 * Whether a status is worth another attempt: 408, 425, 429 and 5xx, except
 * 501 (not implemented) and 505 (HTTP version), which do not pass.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isTransient = (status: number): boolean =>
  status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505)

const isStatus = (failure: RetryableFailure, status: number): boolean =>
  Option.isSome(failure.status) && failure.status.value === status

/** Exponential, full jitter (between nothing and all of the delay), at most 30 seconds. */
const backoff = Schedule.exponential("250 millis").pipe(
  Schedule.union(Schedule.spaced("30 seconds")),
  Schedule.jitteredWith({ min: 0, max: 1 })
)

const upTo = (times: number) => backoff.pipe(Schedule.intersect(Schedule.recurs(times)), Schedule.asVoid)

/**
 * Steps a schedule for the failures it is about, and leaves its count alone for
 * all others: `Schedule.whileInput` would count those too.
 */
const only = <Out, R>(
  schedule: Schedule.Schedule<Out, RetryableFailure, R>,
  about: (failure: RetryableFailure) => boolean
): Schedule.Schedule<void, RetryableFailure, R> =>
  Schedule.makeWithState<unknown, RetryableFailure, void, R>(
    schedule.initial,
    (now, failure, state) =>
      about(failure)
        ? Effect.map(schedule.step(now, failure, state), ([next, , decision]) => [next, undefined, decision])
        : Effect.succeed([state, undefined, ScheduleDecision.done])
  )

/**
 * 429 only, at most 5 further attempts.
 *
 * @since 0.1.0
 * @category schedules
 */
export const rateLimited: Schedule.Schedule<void, RetryableFailure> = only(
  upTo(5),
  (failure) => isStatus(failure, 429)
)

/**
 * 5xx, time-outs and transport failures, at most 3 further attempts.
 *
 * @since 0.1.0
 * @category schedules
 */
export const serverErrors: Schedule.Schedule<void, RetryableFailure> = only(
  upTo(3),
  (failure) => !isStatus(failure, 429)
)

const default_: Schedule.Schedule<void, RetryableFailure> = Schedule.union(rateLimited, serverErrors).pipe(
  Schedule.asVoid
)

export {
  /**
   * `rateLimited` and `serverErrors`, each with its own count.
   *
   * @since 0.1.0
   * @category schedules
   */
  default_ as default
}

/**
 * Nothing is tried again.
 *
 * @since 0.1.0
 * @category schedules
 */
export const none: Schedule.Schedule<void, RetryableFailure> = Schedule.stop

/**
 * Patience 60 seconds, deadline 2 minutes, a budget of 100 retries of which one
 * comes back every second.
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "effect-credentials"
 *
 * const policy = RetryPolicy.make({ schedule: RetryPolicy.rateLimited, patience: "10 seconds" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R = never>(options: {
  readonly schedule?: Schedule.Schedule<unknown, RetryableFailure, R> | undefined
  readonly patience?: Duration.DurationInput | undefined
  readonly deadline?: Duration.DurationInput | undefined
  readonly budget?: { readonly capacity: number; readonly refill: Duration.DurationInput } | undefined
} = {}): RetryPolicy<R> => ({
  schedule: options.schedule ?? default_,
  patience: Duration.decode(options.patience ?? "60 seconds"),
  deadline: Duration.decode(options.deadline ?? "2 minutes"),
  budget: {
    capacity: options.budget?.capacity ?? 100,
    refill: Duration.decode(options.budget?.refill ?? "1 second")
  }
})

const current: FiberRef.FiberRef<Option.Option<RetryPolicy>> = globalValue(
  Symbol.for("effect-credentials/RetryPolicy/current"),
  () => FiberRef.unsafeMake<Option.Option<RetryPolicy>>(Option.none())
)

/**
 * Uses this policy for the API requests of one effect, instead of the client's
 * own: policies replace each other, they never multiply. The innermost wins.
 * Calls of token endpoints keep their own.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { RetryPolicy } from "effect-credentials"
 *
 * declare const search: Effect.Effect<void>
 *
 * export const once = search.pipe(RetryPolicy.withPolicy(RetryPolicy.make({ schedule: RetryPolicy.none })))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withPolicy: {
  (policy: RetryPolicy): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(effect: Effect.Effect<A, E, R>, policy: RetryPolicy): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(effect: Effect.Effect<A, E, R>, policy: RetryPolicy): Effect.Effect<A, E, R> =>
    Effect.locally(effect, current, Option.some(policy))
)

/**
 * The policy that `withPolicy` set, if it did.
 *
 * @since 0.1.0
 * @category getters
 */
export const currentPolicy: Effect.Effect<Option.Option<RetryPolicy>> = FiberRef.get(current)

/**
 * Reads `Retry-After` (RFC 9110 §10.2.3): seconds, or a date in any of its three
 * forms. A date counts from the reply's own `Date`, so that two clocks that
 * disagree do no harm, else from `now` (milliseconds since the epoch). A date in
 * the past is no wait at all. Anything else is ignored.
 *
 * @since 0.1.0
 * @category parsing
 */
export const retryAfter = (headers: Headers.Headers, now: number): Option.Option<Duration.Duration> => {
  const value = headers["retry-after"]?.trim()
  if (value === undefined || value === "") return Option.none()
  if (/^\d+$/.test(value)) return Option.some(Duration.seconds(Math.min(Number(value), 31_536_000)))
  const date = headers["date"]
  const sentAt = date === undefined ? now : Option.getOrElse(HttpDate.parse(date, now), () => now)
  return Option.map(
    HttpDate.parse(value, now),
    (until) => Duration.millis(Math.min(Math.max(0, until - sentAt), 31_536_000_000))
  )
}
