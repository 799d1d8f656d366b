import { Clock, Duration, Effect } from "effect"

/**
 * A clock that moves by itself, to the next sleeper, whenever nothing else can run. `TestClock` waits
 * a while for that at every step, which is too slow for a thousand runs.
 */
const makeIdleClock = (start = Date.UTC(2026, 0, 1)): Clock.Clock => {
  let now = start
  let scheduled = false
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>()

  /** In-memory calls take promises and streams, and so a few turns of the event loop. */
  const whenIdle = (turns: number): void => {
    if (turns > 0) return void setImmediate(() => whenIdle(turns - 1))
    scheduled = false
    const [next] = Array.from(sleepers).toSorted((a, b) => a.at - b.at)
    if (next === undefined) return
    now = Math.max(now, Math.ceil(next.at))
    sleepers.delete(next)
    next.wake()
    schedule()
  }
  const schedule = (): void => {
    if (scheduled || sleepers.size === 0) return
    scheduled = true
    whenIdle(6)
  }

  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    currentTimeMillis: Effect.sync(() => now),
    unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const sleeper = { at: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        sleepers.add(sleeper)
        schedule()
        return Effect.sync(() => void sleepers.delete(sleeper))
      })
  }
}

/** Runs an effect, and everything that it forks, on a clock of its own. */
export const onIdleClock = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.withClock(effect, makeIdleClock()))
