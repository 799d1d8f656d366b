/**
 * A line of those who wait for one of a few places, first come, first served.
 * Effect's semaphore has no wait with a time limit, and one that is interrupted
 * as it is served would lose the place.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import { type Restore, waitFor } from "./claim.js"

interface Waiter {
  readonly called: Deferred.Deferred<void>
  isServed: boolean
}

export interface Line {
  /** Whether a place was had within so many milliseconds. Where it was, it must be given back. */
  readonly take: (restore: Restore, limit: number) => Effect.Effect<boolean>
  readonly give: Effect.Effect<void>
  readonly isUnused: () => boolean
}

export const make = (places: number): Line => {
  const waiting = new Set<Waiter>()
  let free = places

  const give = (): void => {
    const [next] = waiting
    if (next === undefined) {
      free++
      return
    }
    waiting.delete(next)
    next.isServed = true
    Deferred.unsafeDone(next.called, Exit.void)
  }

  return {
    take: (restore, limit) =>
      Effect.suspend(() => {
        if (free > 0) {
          free--
          return Effect.succeed(true)
        }
        const waiter: Waiter = { called: Deferred.unsafeMake(FiberId.none), isServed: false }
        waiting.add(waiter)
        return Effect.flatMap(waitFor(restore, limit, waiter.called), (waited) =>
          Effect.suspend(() => {
            waiting.delete(waiter)
            if (Exit.isSuccess(waited)) return Effect.succeed(waiter.isServed)
            if (waiter.isServed) give()
            return Effect.failCause(waited.cause)
          }))
      }).pipe(Effect.uninterruptible),
    give: Effect.sync(give),
    isUnused: () => free === places
  }
}

/** A line with one place for each name, for as long as somebody is in it. */
export const makeLines = () => {
  const lines = new Map<string, Line>()
  return {
    take: (name: string, restore: Restore, limit: number): Effect.Effect<boolean> =>
      Effect.suspend(() => {
        const line = lines.get(name) ?? make(1)
        lines.set(name, line)
        return line.take(restore, limit)
      }),
    give: (name: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const line = lines.get(name)
        if (line === undefined) return Effect.void
        return Effect.zipRight(line.give, Effect.sync(() => {
          if (line.isUnused()) lines.delete(name)
        }))
      }),
    size: (): number => lines.size
  }
}
