import { Clock, Duration, Effect } from "effect"

export interface HandClock extends Clock.Clock {
  /** Lets this much time pass at once, and wakes whoever slept until then. */
  readonly move: (duration: Duration.DurationInput) => Effect.Effect<void>
}

/** A clock that stands still until it is moved. */
export const make = (start: number): HandClock => {
  let now = start
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>()
  const millis = () => now
  const nanos = () => BigInt(now) * 1_000_000n
  const wakeDue = () => {
    for (const sleeper of Array.from(sleepers).filter(({ at }) => at <= now)) {
      sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: millis,
    currentTimeMillis: Effect.sync(millis),
    unsafeCurrentTimeNanos: nanos,
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const sleeper = { at: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        sleepers.add(sleeper)
        wakeDue()
        return Effect.sync(() => void sleepers.delete(sleeper))
      }),
    move: (duration) =>
      Effect.sync(() => {
        now += Duration.toMillis(duration)
        wakeDue()
      })
  }
}
