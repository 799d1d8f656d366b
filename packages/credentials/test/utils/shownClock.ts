import { Clock, Effect } from "effect"

/** Time passes as the TestClock says; what the clock shows can be changed beside it. */
export const shown = Effect.map(Effect.clock, (clock) => {
  const off = { millis: 0 }
  const show: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + off.millis,
    currentTimeMillis: Effect.map(clock.currentTimeMillis, (millis) => millis + off.millis),
    unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
    currentTimeNanos: clock.currentTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
  return { show, off }
})
