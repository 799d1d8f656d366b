/** Ten thousand accounts in one process. Nothing here asserts how long something takes. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Logger, LogLevel } from "effect"
import { Accounts } from "effect-credentials"
import { Merchants, settled, tokenOf, world } from "./utils/accounts.js"

const many = 10_000
const accounts = Array.from({ length: many }, (_, index) => `merchant-${index}`)
const snapshot = Accounts.snapshot(Merchants)

/** A clock that the test moves, and that knows who sleeps by it: `TestClock` keeps even those who were interrupted. */
const manual = () => {
  const it = { now: 0, sleeping: new Set<{ readonly at: number; readonly wake: () => void }>(), most: 0 }
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => it.now,
    unsafeCurrentTimeNanos: () => BigInt(it.now) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => it.now),
    currentTimeNanos: Effect.sync(() => BigInt(it.now) * 1_000_000n),
    sleep: (duration) =>
      Effect.async((resume) => {
        const sleeper = { at: it.now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        it.sleeping.add(sleeper)
        it.most = Math.max(it.most, it.sleeping.size)
        return Effect.sync(() => void it.sleeping.delete(sleeper))
      })
  }
  const pass = (duration: Duration.DurationInput) =>
    Effect.gen(function*() {
      const end = it.now + Duration.toMillis(duration)
      for (;;) {
        yield* settled
        const [next] = Array.from(it.sleeping).sort((one, other) => one.at - other.at)
        if (next === undefined || next.at > end) break
        it.now = next.at
        it.sleeping.delete(next)
        next.wake()
      }
      it.now = end
    })
  return { time: it, clock, pass }
}

describe("ten thousand accounts", () => {
  it.live("have a bounded number of timers, and renew a bounded number of tokens at a time", () =>
    Effect.gen(function*() {
      const it = world()
      it.expiresIn = "5 minutes"
      const { clock, pass, time } = manual()
      const all = Effect.forEach(accounts, tokenOf, { concurrency: "unbounded" })
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(new Set(yield* all), new Set(accounts.map((account) => `${account}#1`)))
        assert.strictEqual(it.calls.length, many)
        // One sweeper for them all.
        assert.strictEqual(time.sleeping.size, 1)

        // All tokens have expired at this instant, and everybody asks.
        yield* pass("4 minutes")
        yield* Effect.forEach(accounts, (account) => Accounts.provide(Merchants, account)(Effect.void), { discard: true })
        it.call = () => Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
        it.mostCalling = 0
        it.calls.length = 0
        time.now += 120_000
        assert.strictEqual((yield* snapshot).open, many)
        time.most = 0
        it.expiresIn = "1 hour"
        const renewed = yield* Effect.fork(all)
        while (it.calling < 16) yield* Effect.yieldNow()
        const during = yield* snapshot
        assert.deepInclude(during, { inUse: many, open: many, renewing: 16 })
        assert.isAbove(during.waiting, 0)
        assert.deepStrictEqual(new Set(yield* Fiber.join(renewed)), new Set(accounts.map((account) => `${account}#2`)))
        assert.strictEqual(it.mostCalling, 16)
        assert.strictEqual(it.calls.length, many)
        // A time-out for each renewal under way; one for those who wait, and the sweeper.
        assert.isAtMost(time.most, 16 + 2)

        time.most = 0
        yield* pass("6 minutes")
        assert.deepInclude(yield* snapshot, { accounts: many, open: 0, idle: many })
        assert.strictEqual(time.sleeping.size, 1)
        for (let minute = 0; minute < 60; minute += 5) yield* pass("5 minutes")
        assert.strictEqual((yield* snapshot).accounts, 0)
        assert.isAtMost(time.most, 1)
        assert.strictEqual(time.sleeping.size, 0)
      }).pipe(
        Effect.provide(Accounts.layer(Merchants, it.flow, { renewalPatience: "1 hour" })),
        Effect.withClock(clock),
        Logger.withMinimumLogLevel(LogLevel.None)
      )
    }), 240_000)

  it.effect("cost no step each where one is released", () =>
    Effect.gen(function*() {
      const it = world()
      const layer = Accounts.layer(Merchants, it.flow, { maxAccounts: 100 })
      yield* Effect.gen(function*() {
        for (const account of accounts) yield* Accounts.provide(Merchants, account)(Effect.void)
        assert.strictEqual((yield* snapshot).accounts, 100)
        assert.strictEqual(it.lookups.length, many)
      }).pipe(Effect.provide(layer))
    }), 120_000)

  it("leave one timer to the process, and none when they are gone", { timeout: 120_000 }, async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
    const before = timers()
    const it = world()
    const [open, closed] = await Effect.runPromise(
      Effect.gen(function*() {
        yield* Effect.forEach(accounts, tokenOf, { concurrency: "unbounded", discard: true })
        return timers()
      }).pipe(Effect.provide(Accounts.layer(Merchants, it.flow)), Effect.map((open) => [open, timers()] as const),
        Logger.withMinimumLogLevel(LogLevel.None))
    )
    assert.isAtMost(open - before, 1)
    assert.isAtMost(closed, before)
  })
})
