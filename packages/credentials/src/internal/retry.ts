/**
 * Steps a retry policy by hand, so that a wait is known before it is slept: a
 * Schedule driver sleeps first, and patience could not be kept.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleIntervals from "effect/ScheduleIntervals"
import type * as RetryPolicy from "../RetryPolicy.js"

/** What is left of a retry budget. Lives as long as the Layer instance it belongs to. */
export interface BudgetState {
  /** Unknown until it is first asked for. */
  left: number | undefined
  updatedAt: number
}

export const untouchedBudget = (): BudgetState => ({ left: undefined, updatedAt: 0 })

/** Takes one retry from the budget, if there is one. */
const take = (state: BudgetState, budget: RetryPolicy.Budget, now: number): boolean => {
  const every = Duration.toMillis(budget.refill)
  // Where the clock was put back, what comes back is counted from there on.
  if (now < state.updatedAt) state.updatedAt = now
  const elapsed = now - state.updatedAt
  // A refill that takes no time is always full; one that takes for ever gives nothing back.
  const gained = every === 0 ? budget.capacity : Number.isFinite(every) ? Math.floor(elapsed / every) : 0
  const left = state.left === undefined ? budget.capacity : Math.min(budget.capacity, state.left + gained)
  if (left === budget.capacity) state.updatedAt = now
  else if (gained > 0) state.updatedAt += gained * every
  state.left = left >= 1 ? left - 1 : left
  return left >= 1
}

/**
 * Repeats `attempt` as the policy says. `first` is the failure that has already
 * happened; nothing of this is built for a request that succeeds at once.
 */
export const repeat = <A, E, R, F, R2>(options: {
  readonly policy: RetryPolicy.RetryPolicy<R2>
  readonly budget: BudgetState
  readonly first: F
  /** When the first attempt began, milliseconds since the epoch. */
  readonly startedAt: number
  readonly retryable: (failure: F) => Option.Option<RetryPolicy.RetryableFailure>
  readonly attempt: Effect.Effect<A, F, R>
  /** `now`: milliseconds since the epoch. */
  readonly giveUp: (failure: F, now: number) => Effect.Effect<A, E>
  /** Waits for so many milliseconds, or sees to it that somebody else does; sleeps by default. */
  readonly rest?: ((failure: F, wait: number) => Effect.Effect<void>) | undefined
}): Effect.Effect<A, E, R | R2> => {
  const { budget, policy, startedAt } = options
  const loop = (failure: F, state: unknown): Effect.Effect<A, E, R | R2> =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const retryable = options.retryable(failure)
      if (Option.isNone(retryable)) return yield* options.giveUp(failure, now)
      const [next, , decision] = yield* policy.schedule.step(now, retryable.value, state)
      if (ScheduleDecision.isDone(decision)) return yield* options.giveUp(failure, now)
      const wait = Option.match(retryable.value.retryAfter, {
        onNone: () => Math.max(0, ScheduleIntervals.start(decision.intervals) - now),
        onSome: Duration.toMillis
      })
      const inTime = wait <= Duration.toMillis(policy.patience) &&
        now + wait - startedAt <= Duration.toMillis(policy.deadline)
      if (!inTime || !take(budget, policy.budget, now)) return yield* options.giveUp(failure, now)
      return yield* (options.rest === undefined ? Effect.sleep(wait) : options.rest(failure, wait)).pipe(
        Effect.zipRight(options.attempt),
        Effect.catchAll((again) => loop(again, next))
      )
    })
  return loop(options.first, policy.schedule.initial)
}
