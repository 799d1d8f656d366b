/**
 * A store's lock and its answers, had within a time limit or not at all.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import { TokenStoreError } from "../CredentialsError.js"
import type { Held, StoreKey, TokenStore } from "../TokenStore.js"

/** What a store answers, within its limit, even if it cannot be interrupted. */
export const answerOf = <A>(
  operation: TokenStoreError["operation"],
  timeout: Duration.DurationInput,
  answer: Effect.Effect<A, TokenStoreError>
): Effect.Effect<A, TokenStoreError> =>
  answer.pipe(
    // As a value: whoever gives up waiting does not log it.
    Effect.exit,
    Effect.disconnect,
    Effect.timeoutFail({
      duration: timeout,
      onTimeout: () => new TokenStoreError({ operation, description: "it did not answer in time" })
    }),
    Effect.interruptible,
    Effect.flatten,
    Effect.withSpan(`TokenStore.${operation}`)
  )

type Phase = "Waiting" | "Holding" | "GivenUp"

/** Nobody waits longer than this for a lock to be freed: what the holder did is done. */
const freeing = Duration.seconds(10)

/**
 * Runs `body`, which cannot be interrupted but where it says so, as the holder
 * of the lock. Until then the wait can be interrupted, and ends after `timeout`;
 * a lock that comes later than that is given back unused.
 */
export const lockWithin = <A, E, R>(
  store: TokenStore,
  key: StoreKey,
  timeout: Duration.Duration,
  body: (held: Held) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | TokenStoreError, R> =>
  Effect.gen(function*() {
    const tooLate = new TokenStoreError({ operation: "lock", description: "another holder has kept it for too long" })
    const phase = yield* Ref.make<Phase>("Waiting")
    const had = yield* Deferred.make<void>()
    const done = yield* Deferred.make<Exit.Exit<A, E>>()
    /** Leaves the waiting, unless that has been done before. */
    const leave = (next: Phase) =>
      Ref.modify(phase, (now): readonly [boolean, Phase] => now === "Waiting" ? [true, next] : [false, now])

    const hold = (held: Held): Effect.Effect<A, E | TokenStoreError, R> =>
      leave("Holding").pipe(
        Effect.filterOrFail((isHolder) => isHolder, () => tooLate),
        Effect.zipRight(Deferred.succeed(had, undefined)),
        Effect.zipRight(Effect.onExit(body(held), (exit) => Deferred.succeed(done, exit)))
      )
    const holder = yield* store.withLock(key, (held) => Effect.uninterruptible(hold(held))).pipe(
      Effect.interruptible,
      // As a value: whoever waits gets it, and nobody logs it.
      Effect.exit,
      // Whoever gives up does not wait for it at the end either.
      Effect.forkDaemon
    )
    const stop = Fiber.interrupt(holder)
    const first = yield* Effect.raceFirst(Deferred.await(had), Effect.asVoid(Fiber.await(holder))).pipe(
      Effect.timeoutOption(timeout),
      Effect.withSpan("TokenStore.lock"),
      Effect.interruptible,
      Effect.onInterrupt(() => Effect.zipRight(leave("GivenUp"), stop))
    )
    if (Option.isNone(first) && (yield* leave("GivenUp"))) {
      yield* Fiber.interruptFork(holder)
      return yield* tooLate
    }
    const freed = yield* Effect.raceFirst(Deferred.await(done), Fiber.await(holder)).pipe(
      Effect.zipRight(Effect.timeoutOption(Fiber.join(holder), freeing)),
      Effect.interruptible,
      Effect.onInterrupt(() => stop)
    )
    return yield* Option.getOrElse(freed, () => Effect.flatten(Deferred.await(done)))
  })
