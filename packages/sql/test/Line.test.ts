/** Waiting and leaving, at every moment: nothing is lost, and nothing is had twice. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option } from "effect"
import { claim } from "../src/internal/claim.js"
import * as Line from "../src/internal/line.js"

const turns = (count: number) => Effect.repeatN(Effect.yieldNow(), count)

describe("a line", () => {
  it.live("gives the place of one who leaves as they are served to the next", () =>
    Effect.gen(function*() {
      for (let count = 0; count < 12; count++) {
        for (const leavesFirst of [true, false]) {
          const line = Line.make(1)
          const take = Effect.uninterruptibleMask((restore) => line.take(restore, 60_000))
          assert.isTrue(yield* take)
          const waiter = yield* Effect.fork(take)
          const next = yield* Effect.fork(take)
          yield* turns(10)
          if (leavesFirst) yield* Fiber.interruptFork(waiter)
          yield* line.give
          if (leavesFirst) yield* Effect.void
          else yield* turns(count).pipe(Effect.zipRight(Fiber.interruptFork(waiter)))
          if (Exit.isSuccess(yield* Fiber.await(waiter))) yield* line.give
          assert.isTrue(yield* Effect.timeout(Fiber.join(next), "1 second"))
          yield* line.give
          assert.isTrue(line.isUnused())
        }
      }
    }))

  it.live("serves those who wait in their order", () =>
    Effect.gen(function*() {
      const line = Line.make(2)
      const take = Effect.uninterruptibleMask((restore) => line.take(restore, 60_000))
      yield* Effect.all([take, take])
      const order: Array<number> = []
      const waiters = yield* Effect.forEach([1, 2, 3], (name) => Effect.fork(Effect.tap(take, () => order.push(name))))
      yield* turns(10)
      for (let given = 0; given < 3; given++) {
        yield* line.give
        yield* turns(10)
      }
      yield* Fiber.joinAll(waiters)
      assert.deepStrictEqual(order, [1, 2, 3])
    }))

  it.live("is none where nobody has one", () =>
    Effect.gen(function*() {
      const lines = Line.makeLines()
      const use = (name: string) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.zipRight(lines.take(name, restore, 60_000), Effect.ensuring(restore(turns(3)), lines.give(name))))
      yield* Effect.all([use("a"), use("a"), use("b")], { concurrency: "unbounded" })
      const waiter = yield* Effect.fork(use("a"))
      yield* Fiber.interrupt(waiter)
      assert.strictEqual(lines.size(), 0)
    }))
})

describe("what is claimed", () => {
  it.live("is had once, by who waits or by who clears up, whenever the one who waits leaves", () =>
    Effect.gen(function*() {
      for (let count = 0; count < 30; count++) {
        for (const comesFirst of [true, false]) {
          const came = yield* Deferred.make<string>()
          const cleared: Array<string> = []
          const waiter = yield* Effect.fork(Effect.uninterruptibleMask((restore) =>
            claim(restore, 60_000, Deferred.await(came), (value) => Effect.sync(() => cleared.push(value)))))
          yield* turns(10)
          const [first, second] = comesFirst
            ? [Deferred.succeed(came, "it"), Fiber.interruptFork(waiter)]
            : [Fiber.interruptFork(waiter), Deferred.succeed(came, "it")]
          yield* first
          yield* turns(count)
          yield* second
          const exit = yield* Fiber.await(waiter)
          yield* turns(20)
          const had = Exit.isSuccess(exit) && Option.isSome(exit.value) ? 1 : 0
          assert.strictEqual(had + cleared.length, 1, `${comesFirst ? "it came" : "they left"} ${count} turns before`)
        }
      }
    }))

  it.live("is cleared up where it comes too late", () =>
    Effect.gen(function*() {
      const came = yield* Deferred.make<string>()
      const cleared = yield* Deferred.make<string>()
      const claimed = yield* Effect.uninterruptibleMask((restore) =>
        claim(restore, 10, Deferred.await(came), (value) => Deferred.succeed(cleared, value)))
      assert.isTrue(Option.isNone(claimed))
      yield* Deferred.succeed(came, "it")
      assert.strictEqual(yield* Deferred.await(cleared), "it")
    }))
})
