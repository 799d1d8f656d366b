import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { Gate } from "../src/internal/accountsGate.js"
import { Wheel } from "../src/internal/accountsWheel.js"
import * as ShownClock from "./utils/shownClock.js"

const minute = 60_000
const day = 1440 * minute

const shown = Effect.zipRight(TestClock.setTime(1000 * day), ShownClock.shown)

const asked = (gate: Gate, renewal: Effect.Effect<void> = Effect.void) =>
  Effect.fork(Effect.uninterruptible(Effect.either(gate.inTurn(renewal, "acme"))))

describe("the turns of renewals", () => {
  for (const jump of [-10 * minute, -100 * day, 100 * day]) {
    it.effect(`are waited for no longer than the patience, where the clock jumps by ${jump / minute} minutes`, () =>
      Effect.gen(function*() {
        const { off, show } = yield* shown
        const gate = new Gate(1, 5 * minute, show)
        const stop = yield* Deferred.make<void>()
        yield* asked(gate, Effect.interruptible(Deferred.await(stop)))
        yield* TestClock.adjust("1 second")
        const early = yield* asked(gate)
        yield* TestClock.adjust("1 minute")
        const next = yield* asked(gate)
        off.millis = jump
        yield* TestClock.adjust("1 minute")
        const late = yield* asked(gate)
        yield* TestClock.adjust("3 minutes")
        assert.strictEqual(gate.waiting, 2)
        assert.strictEqual((yield* Fiber.join(early))._tag, "Left")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(gate.waiting, 1)
        assert.strictEqual((yield* Fiber.join(next))._tag, "Left")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(gate.waiting, 0)
        assert.strictEqual((yield* Fiber.join(late))._tag, "Left")
        yield* Deferred.succeed(stop, undefined)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([gate.going, gate.waiting], [0, 0])
      }))
  }

  it.effect("are not lost with those who are interrupted as theirs comes", () =>
    Effect.gen(function*() {
      for (let steps = 0; steps < 20; steps += 1) {
        const gate = new Gate(1, 5 * minute, yield* Effect.clock)
        const stop = yield* Deferred.make<void>()
        yield* asked(gate, Effect.interruptible(Deferred.await(stop)))
        yield* Effect.yieldNow()
        const unlucky = yield* asked(gate)
        const last = yield* asked(gate)
        yield* Effect.repeatN(Effect.yieldNow(), 5)
        assert.strictEqual(gate.waiting, 2)
        if (steps % 2 === 0) yield* Fiber.interruptFork(unlucky)
        yield* Deferred.succeed(stop, undefined)
        yield* Effect.repeatN(Effect.yieldNow(), steps)
        yield* Fiber.interruptFork(unlucky)
        yield* Fiber.await(unlucky)
        assert.strictEqual((yield* Fiber.join(last))._tag, "Right")
        assert.deepStrictEqual([gate.going, gate.waiting], [0, 0])
      }
    }))
})

describe("what is due some time", () => {
  for (const jump of [-10 * minute, -100 * day, 100 * day]) {
    it.effect(`is due once and no later than it must be, where the clock jumps by ${jump / minute} minutes`, () =>
      Effect.gen(function*() {
        const { off, show } = yield* shown
        const due: Array<string> = []
        const wheel = new Wheel<string>(minute, show, (some) => void due.push(...some))
        wheel.add("a", 5 * minute)
        wheel.add("never", Infinity)
        yield* TestClock.adjust("30 seconds")
        off.millis = jump
        wheel.add("b", 5 * minute)
        yield* TestClock.adjust("6 minutes")
        wheel.add("c", 0)
        yield* TestClock.adjust("1 minute")
        assert.sameMembers(due, ["a", "b", "c"])
        assert.isFalse(wheel.has("never"))
      }))
  }

  it.effect("is nothing any more, and has no timer, when it was stopped", () =>
    Effect.gen(function*() {
      const due: Array<string> = []
      const wheel = new Wheel<string>(minute, yield* Effect.clock, (some) => void due.push(...some))
      wheel.stop()
      wheel.add("a", 0)
      assert.strictEqual((yield* TestClock.sleeps()).length, 0)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(due, [])
    }))
})
