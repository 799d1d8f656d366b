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
  left: number
  updatedAt: number
}

export const emptyBudget = (): BudgetState => ({ left: Number.NaN, updatedAt: 0 })

/** Takes one retry from the budget, if there is one. */
const take = (state: BudgetState, budget: RetryPolicy.Budget, now: number): boolean => {
  const every = Duration.toMillis(budget.refill)
  if (Number.isNaN(state.left)) {
    state.left = budget.capacity
    state.updatedAt = now
  } else if (every > 0) {
    const elapsed = Math.max(0, now - state.updatedAt)
    const gained = Math.floor(elapsed / every)
    state.left = Math.min(budget.capacity, state.left + gained)
    state.updatedAt = state.left === budget.capacity ? now : state.updatedAt + gained * every
  }
  if (state.left < 1) return false
  state.left -= 1
  return true
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
      return yield* Effect.sleep(wait).pipe(
        Effect.zipRight(options.attempt),
        Effect.catchAll((again) => loop(again, next))
      )
    })
  return loop(options.first, policy.schedule.initial)
}
