import { Clock, Duration, Effect } from "effect"

/** The time that passes, whatever clocks show. It begins at 0 and is in milliseconds. */
export interface Time {
  readonly now: () => number
  readonly sleep: (duration: Duration.Duration) => Effect.Effect<void>
  /** How many fibers sleep now. */
  readonly sleepers: () => number
}

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** A call in memory takes promises and streams, and so a few turns of the event loop. */
const idleTurns = 6

/** Time that moves by itself, to the next sleeper, whenever nothing else can run: it is the same in every run. */
export const simulated = (): Time => {
  let now = 0
  let isWatched = false
  const sleepers = new Set<Sleeper>()
  const whenIdle = (turns: number): void => {
    if (turns > 0) return void setImmediate(() => whenIdle(turns - 1))
    isWatched = false
    let next: Sleeper | undefined
    for (const sleeper of sleepers) {
      if (next === undefined || sleeper.at < next.at) next = sleeper
    }
    if (next === undefined) return
    now = Math.max(now, next.at)
    sleepers.delete(next)
    next.wake()
    watch()
  }
  const watch = (): void => {
    if (isWatched || sleepers.size === 0) return
    isWatched = true
    whenIdle(idleTurns)
  }
  return {
    now: () => now,
    sleepers: () => sleepers.size,
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const sleeper = { at: Math.ceil(now + Duration.toMillis(duration)), wake: () => resume(Effect.void) }
        sleepers.add(sleeper)
        watch()
        return Effect.sync(() => void sleepers.delete(sleeper))
      })
  }
}

/** Real time, so many times as fast: for real sockets. */
export const hurried = (wall: Clock.Clock, speed: number): Time => {
  const start = wall.unsafeCurrentTimeNanos()
  let sleepers = 0
  return {
    now: () => Math.floor(Number(wall.unsafeCurrentTimeNanos() - start) / 1e6 * speed),
    sleepers: () => sleepers,
    sleep: (duration) =>
      Effect.acquireUseRelease(
        Effect.sync(() => sleepers++),
        () => wall.sleep(Duration.millis(Duration.toMillis(duration) / speed)),
        () => Effect.sync(() => sleepers--)
      )
  }
}

/** A clock that can be put forward and back, while time passes as it does. */
export interface JumpingClock extends Clock.Clock {
  /** Lets it be wrong by so many milliseconds. */
  readonly setError: (millis: number) => Effect.Effect<void>
  /** The latest that it has shown between two points of time. */
  readonly latest: (from: number, to: number) => number
}

export const jumping = (time: Time, start: number): JumpingClock => {
  const errors = [{ since: 0, millis: 0 }]
  const errorNow = () => errors[errors.length - 1]?.millis ?? 0
  const millis = () => start + time.now() + errorNow()
  const nanos = () => BigInt(millis()) * 1_000_000n
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: millis,
    currentTimeMillis: Effect.sync(millis),
    unsafeCurrentTimeNanos: nanos,
    currentTimeNanos: Effect.sync(nanos),
    sleep: time.sleep,
    setError: (millis) => Effect.sync(() => void errors.push({ since: time.now(), millis })),
    latest: (from, to) =>
      errors.reduce((latest, { millis, since }, index) => {
        const until = Math.min(to, errors[index + 1]?.since ?? to)
        return until < from || since > to ? latest : Math.max(latest, start + until + millis)
      }, Number.NEGATIVE_INFINITY)
  }
}
