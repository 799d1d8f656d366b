/**
 * Work that goes on to its end, whoever waits for it.
 *
 * A statement that was sent cannot be taken back, and a connection that was
 * asked for comes: whoever leaves meanwhile must leave nothing behind.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"

/** What `Effect.uninterruptibleMask` gives: as interruptible as the caller is. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Waits for at most `limit` milliseconds. The wait is as interruptible as
 * `restore` makes it, and its limit holds where nothing can be interrupted.
 */
export const waitFor = (
  restore: Restore,
  limit: number,
  done: Deferred.Deferred<void>
): Effect.Effect<Exit.Exit<Option.Option<void>>> =>
  Effect.exit(restore(Effect.timeoutOption(Effect.interruptible(Deferred.await(done)), limit)))

/**
 * Runs `effect` in a fiber of its own, where nobody interrupts it. None where it
 * takes longer than `limit` milliseconds; what comes when nobody waits any more
 * is given to `unclaimed`.
 */
export const claim = <A, E>(
  restore: Restore,
  limit: number,
  effect: Effect.Effect<A, E>,
  unclaimed: (value: A) => Effect.Effect<void>
): Effect.Effect<Option.Option<A>, E> =>
  Effect.gen(function*() {
    const done = yield* Deferred.make<void>()
    let isLeft = false
    let came: Exit.Exit<A, E> | undefined
    yield* Effect.exit(effect).pipe(
      Effect.flatMap((exit) =>
        Effect.suspend(() => {
          came = exit
          Deferred.unsafeDone(done, Exit.void)
          return isLeft && Exit.isSuccess(exit) ? unclaimed(exit.value) : Effect.void
        })
      ),
      Effect.uninterruptible,
      Effect.forkDaemon
    )
    const waited = yield* waitFor(restore, limit, done)
    return yield* Effect.suspend(() => {
      if (Exit.isFailure(waited)) {
        isLeft = true
        const failed = Effect.failCause(waited.cause)
        return came !== undefined && Exit.isSuccess(came) ? Effect.zipRight(unclaimed(came.value), failed) : failed
      }
      if (came !== undefined) return Exit.map(came, Option.some)
      isLeft = true
      return Effect.succeed(Option.none())
    })
  }).pipe(Effect.uninterruptible)
