/**
 * Everything goes wrong once at every place of a renewal. Afterwards a token can
 * be had, and no refresh token is lost or sent twice.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, DateTime, Deferred, Duration, Effect, Exit, Fiber, Option, Redacted, TestClock } from "effect"
import { AuthFlow, CredentialsError, Token } from "effect-credentials"
import type { TokenStore } from "effect-credentials"
import { exchange } from "../src/internal/exchange.js"
import { lockWithin } from "../src/internal/storeLock.js"
import { reply } from "./utils/fakeFlow.js"
import {
  assertUnmarked,
  entryOf,
  makeLogin,
  memoryStore,
  refreshTokenOf,
  serverPoints,
  start,
  text,
  unavailable,
  within
} from "./utils/fakeLogin.js"
import { makeFaulty, storePoints } from "./utils/faultyStore.js"

type Point = typeof storePoints[number] | typeof serverPoints[number]

const kinds = [
  "fails once",
  "fails until healed",
  "dies once",
  "dies until healed",
  "hangs until healed",
  "hangs until healed and cannot be interrupted",
  "takes so long that all callers are interrupted",
  "takes so long that the Layer is closed",
  "takes longer than the Layer may take to close"
] as const
type Kind = typeof kinds[number]

const isServerPoint = (point: Point): point is typeof serverPoints[number] =>
  serverPoints.some((known) => known === point)

/** Nobody can undo this: the server has replaced the refresh token, and its answer is gone. */
const losesTheAnswer = (point: Point, kind: Kind): boolean =>
  (point === "rotated" || point === "answered") && kind !== "takes so long that all callers are interrupted" &&
  kind !== "takes so long that the Layer is closed"

const closes = (kind: Kind): boolean =>
  kind === "takes so long that the Layer is closed" || kind === "takes longer than the Layer may take to close"

/** What the time limits of a renewal come to: load, lock, mark, exchange and save, each as slow as it may be. */
const patience = "5 minutes"

const scenes = {
  "an expired token": { age: "31 minutes", isGood: false },
  "a token that is almost expired": { age: "1795 seconds", isGood: true }
} as const

const scene = (name: keyof typeof scenes, point: Point, kind: Kind) =>
  Effect.gen(function*() {
    const { age, isGood } = scenes[name]
    const memory = yield* memoryStore
    const { faults, store } = makeFaulty(memory)
    const server = makeLogin()
    const flow = server.flow()
    yield* server.login(memory)
    const first = yield* start(flow, store)
    if (isGood) assert.strictEqual(text(yield* first.acme.token), "access-a-1")
    yield* TestClock.adjust(age)

    const reached = yield* Deferred.make<void>()
    const acted = yield* Deferred.make<void>()
    const inject = <P extends string, E>(
      { always, hang, once }: {
        readonly always: (point: P, fault: Effect.Effect<void, E>) => void
        readonly once: (point: P, fault: Effect.Effect<void, E>) => void
        readonly hang: Effect.Effect<void>
      },
      point: P,
      error: E
    ): void => {
      const waiting = Effect.zipRight(Deferred.succeed(reached, undefined), Deferred.await(acted))
      switch (kind) {
        case "fails once":
          return once(point, Effect.fail(error))
        case "fails until healed":
          return always(point, Effect.fail(error))
        case "dies once":
          return once(point, Effect.die(new Error("a bug")))
        case "dies until healed":
          return always(point, Effect.die(new Error("a bug")))
        case "hangs until healed":
          return always(point, hang)
        case "hangs until healed and cannot be interrupted":
          return always(point, Effect.uninterruptible(hang))
        default:
          return once(point, waiting)
      }
    }
    if (isServerPoint(point)) inject(server.faults, point, unavailable())
    else inject(faults, point, new CredentialsError.TokenStoreError({ operation: "save", description: "out of order" }))

    const callers = yield* Effect.forEach(Array.from({ length: 5 }), () => Effect.fork(first.acme.token))
    const ended = Effect.forEach(callers, Fiber.await)
    let exits: ReadonlyArray<Exit.Exit<Token.Token, CredentialsError.CredentialsError>>
    switch (kind) {
      case "takes so long that all callers are interrupted":
        yield* within("1 minute", Deferred.await(reached))
        yield* Fiber.interruptAll(callers)
        exits = yield* ended
        yield* Deferred.succeed(acted, undefined)
        break
      case "takes so long that the Layer is closed":
      case "takes longer than the Layer may take to close": {
        yield* within("1 minute", Deferred.await(reached))
        const closing = yield* Effect.fork(first.close)
        yield* TestClock.adjust("1 second")
        if (kind === "takes so long that the Layer is closed") yield* Deferred.succeed(acted, undefined)
        yield* within("15 seconds", Fiber.await(closing))
        exits = yield* within("1 second", ended)
        yield* TestClock.adjust("1 minute")
        yield* Deferred.succeed(acted, undefined)
        break
      }
      default:
        exits = yield* within(patience, ended)
    }
    yield* faults.heal
    yield* server.faults.heal
    return { callers: exits, first, flow, isGood, memory, server, store }
  })

const reasonOf = (error: CredentialsError.CredentialsError) =>
  error._tag === "ReauthorizationRequired" ? error.reason : error._tag

for (const name of ["an expired token", "a token that is almost expired"] as const) {
  for (const point of [...storePoints, ...serverPoints]) {
    describe.concurrent(`the renewal of ${name}, where "${point}"`, () => {
      for (const kind of kinds) {
        const isLost = losesTheAnswer(point, kind)
        it.effect(`${kind}, ${isLost ? "says that it was interrupted, until somebody logs in" : "loses nothing"}`, () =>
          Effect.gen(function*() {
            const { callers, first, flow, isGood, memory, server, store } = yield* scene(name, point, kind)

            if (kind.startsWith("takes so long that all")) assert.isTrue(callers.every(Exit.isInterrupted))
            // Nothing has taken time, so the old token is still good: a failure is nobody's business.
            const isTriedAgain = kind === "fails until healed" && (point === "before new saved" || point === "after new saved")
            if (isGood && /^(fails|dies)/.test(kind) && !isTriedAgain) assert.isTrue(callers.every(Exit.isSuccess))
            for (const exit of callers) {
              if (Exit.isFailure(exit)) {
                const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
                assert.notStrictEqual(error?._tag, "ReauthorizationRequired")
              }
            }

            // No old token is good any more, and no back-off lasts that long.
            yield* TestClock.adjust("2 minutes")
            if (isLost) {
              if (!closes(kind)) {
                assert.strictEqual(reasonOf(yield* within(patience, Effect.flip(first.acme.token))), "Interrupted")
                yield* within("15 seconds", first.close)
              }
              const second = yield* start(flow, store)
              assert.strictEqual(reasonOf(yield* within(patience, Effect.flip(second.acme.token))), "Interrupted")
              const presented = server.presented.length
              yield* Effect.repeatN(Effect.flip(second.acme.token), 9)
              assert.lengthOf(server.presented, presented)
              yield* server.login(memory)
              assert.strictEqual(text(yield* within(patience, second.acme.token)), "access-b-1")
              return
            }
            if (!closes(kind)) {
              assert.strictEqual(text(yield* within(patience, first.acme.token)), "access-a-2")
              yield* within("15 seconds", first.close)
            }
            const second = yield* start(flow, store)
            assert.strictEqual(text(yield* within(patience, second.acme.token)), "access-a-2")
            yield* TestClock.adjust("31 minutes")
            assert.strictEqual(text(yield* within(patience, second.acme.token)), "access-a-3")
            yield* TestClock.adjust("1 minute")

            assert.deepStrictEqual(server.reused, [])
            assert.isTrue(server.family().alive)
            assert.deepStrictEqual([...server.redemptions], [["refresh-a-1", 1], ["refresh-a-2", 1]])
            const entry = yield* entryOf(memory, flow)
            assert.strictEqual(refreshTokenOf(entry), "refresh-a-3")
            assertUnmarked(Option.getOrThrow(entry), 3)
          }))
      }
    })
  }
}

describe("what must not be interrupted", () => {
  it.effect("is the holder of a lock: whoever waits for it is held back until it has ended", () =>
    Effect.gen(function*() {
      const store = yield* memoryStore
      const held = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const steps: Array<string> = []
      const caller = yield* Effect.fork(
        lockWithin(store, "key", Duration.minutes(1), () =>
          Deferred.succeed(held, undefined).pipe(
            Effect.zipRight(Deferred.await(goOn)),
            Effect.zipRight(Effect.yieldNow()),
            Effect.zipRight(Effect.sync(() => steps.push("the holder has ended")))
          ))
      )
      yield* Deferred.await(held)
      const interrupting = yield* Effect.fork(Fiber.interrupt(caller))
      yield* TestClock.adjust("10 minutes")
      assert.isNull(interrupting.unsafePoll())
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(steps, ["the holder has ended"])
      // And the lock is free.
      yield* lockWithin(store, "key", Duration.minutes(1), () => Effect.void)
    }))

  it.effect("is an answer that is there: it counts, however late in its way the interruption comes", () =>
    Effect.gen(function*() {
      const counts = { answered: 0, kept: 0 }
      for (let turns = 0; turns < 60; turns++) {
        let answered = false
        const asked = yield* Deferred.make<void>()
        const flow = yield* Effect.orDie(AuthFlow.make({
          identity: { provider: "acme", clientId: "client", grant: "authorization_code", account: "alice" },
          baseUrl: "https://api.acme.test",
          lifetimeWhenAbsent: "1 hour",
          renew: () =>
            Deferred.succeed(asked, undefined).pipe(
              Effect.zipRight(Effect.repeatN(Effect.yieldNow(), turns)),
              Effect.zipRight(Effect.sync(() => {
                answered = true
                return reply("new", "1 hour")
              }))
            )
        }))
        const previous = yield* Effect.map(Effect.clock, (clock) => {
          const now = DateTime.unsafeMake(clock.unsafeCurrentTimeMillis())
          return Token.make({ accessToken: "old", issuedAt: now, expiresAt: now, refreshToken: Redacted.make("r") })
        })
        let isKept = false
        const fiber = yield* exchange(flow, previous, Duration.minutes(1)).pipe(
          Effect.tap(() => Effect.sync(() => isKept = true)),
          Effect.uninterruptible,
          Effect.fork
        )
        yield* Deferred.await(asked)
        yield* Effect.repeatN(Effect.yieldNow(), 20)
        const wasAnswered = answered
        yield* Fiber.interrupt(fiber)
        if (wasAnswered) assert.isTrue(isKept, `after ${turns} turns`)
        counts.answered += wasAnswered ? 1 : 0
        counts.kept += isKept ? 1 : 0
      }
      // Both happened: some came before the interruption, some did not.
      assert.isTrue(counts.answered > 0 && counts.answered < 60)
      assert.isAtLeast(counts.kept, counts.answered)
    }))

  it.effect("is nothing that begins after everybody has given up: a lock that comes too late is given back unused", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      const steps: Array<string> = []
      const store: TokenStore.TokenStore = {
        ...memory,
        withLock: (key, body) =>
          memory.withLock(key, body).pipe(
            Effect.delay("2 minutes"),
            Effect.onExit((exit) => Effect.sync(() => steps.push(exit._tag))),
            Effect.uninterruptible
          )
      }
      const late = lockWithin(store, "key", Duration.minutes(1), () => Effect.sync(() => steps.push("used")))
      assert.strictEqual((yield* within("61 seconds", Effect.flip(late))).operation, "lock")
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(steps, ["Failure"])
    }))
})
