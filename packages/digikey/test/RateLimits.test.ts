/** DigiKey's limits, kept by the pipeline and counted by the simulator. */
import { HttpClient } from "@effect/platform"
import { DigiKeyApp, DigiKeyUser, OrderStatus, Product, ProductInformation } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Clock, DateTime, Duration, Effect, Either, Fiber, Layer, Option, Redacted, TestClock } from "effect"
import { Credentials, RateLimits, RetryPolicy } from "effect-credentials"

/** At a time of day, and of no year in which a Unix time could be taken for a number of seconds. */
const morning = Date.UTC(2025, 5, 2, 9)
const midnight = Date.UTC(2025, 5, 3)

const search = ProductInformation.keywordSearch({ Keywords: "NE555" })
const patient = RetryPolicy.withPolicy(RetryPolicy.make({ patience: "10 minutes" }))

/** How an effect ended, and after how many milliseconds. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const result = yield* Effect.either(effect)
    return { result, took: (yield* Clock.currentTimeMillis) - start }
  })

const searches = (count: number, concurrency: number | "unbounded") =>
  Effect.forEach(Arr.range(1, count), () => timed(search), { concurrency })

const stats = Effect.flatMap(DigiKeySimulator.DigiKeySimulator, (simulator) => simulator.stats)

/** 500 fibers that share 900 searches; how long it took. */
const nineHundred = (limit: Duration.DurationInput) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const run = yield* Effect.fork(Effect.zip(patient(searches(900, 500)), Clock.currentTimeMillis))
    yield* TestClock.adjust(limit)
    assert.isTrue(Option.isSome(yield* Fiber.poll(run)), `not done after ${Duration.format(limit)}`)
    const [all, end] = yield* Fiber.join(run)
    assert.isTrue(all.every(({ result }) => Either.isRight(result)))
    return end - start
  })

describe("120 requests a minute and 1,000 a day", () => {
  it.effect("give 500 fibers 900 searches in seven minutes, and of 200 more the half that the day has left", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(morning)
      // Eight windows of 120: the last search goes out when the eighth begins.
      assert.strictEqual(yield* nineHundred("7 minutes"), 7 * 60_000)
      assert.deepInclude(yield* stats, { byStatus: { 200: 900 }, tokenCalls: 1 })

      const more = yield* Effect.fork(patient(searches(200, "unbounded")))
      yield* TestClock.adjust("1 minute")
      const [refused, served] = Arr.partitionMap(yield* Fiber.join(more), ({ result, took }) =>
        Either.isRight(result) ? Either.right(took) : Either.left({ error: result.left, took }))
      assert.strictEqual(served.length, 100)
      assert.strictEqual(refused.length, 100)
      for (const { error, took } of refused) {
        assert.strictEqual(took, 0)
        assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "daily", product: "Product Information" })
        assert.strictEqual(error._tag === "RateLimited" && error.retryAt.epochMillis, midnight)
        assert.include(error.message, "Come back at 2025-06-03T00:00:00.000Z")
      }
      assert.deepInclude(yield* stats, { byStatus: { 200: 1000 }, tokenCalls: 1 })

      yield* TestClock.setTime(midnight)
      yield* search
    }).pipe(Effect.provide(DigiKeySimulator.layer())), 60_000)

  for (const dailyReset of ["unixTime", "secondsLeft"] as const) {
    it.effect(`are kept within five per cent of the time where replies take up to two seconds, reset as ${dailyReset}`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(morning)
        const simulator = yield* DigiKeySimulator.DigiKeySimulator
        // Each reply takes another time, so that they overtake each other.
        let n = 0
        const http = HttpClient.transform(simulator.httpClient, (reply) => Effect.delay(reply, (n++ * 7919) % 2000))
        const took = yield* nineHundred("8 minutes").pipe(Effect.provideService(HttpClient.HttpClient, http))
        assert.isAtMost(took, 7 * 60_000 * 1.05)
        assert.deepInclude(yield* stats, { byStatus: { 200: 900 } })
        const [product] = yield* RateLimits.snapshot(DigiKeyApp.DigiKeyApp)
        const daily = product?.windows.find(({ limit }) => limit === "daily")
        assert.deepStrictEqual(daily?.remaining, Option.some(100))
        const resetAt = Option.match(daily?.resetAt ?? Option.none(), { onNone: () => 0, onSome: DateTime.toEpochMillis })
        // As late as the fastest reply was, and the rounding of the seconds.
        assert.isTrue(resetAt >= midnight && resetAt <= midnight + 3000, String(resetAt - midnight))
      }).pipe(Effect.provide(DigiKeySimulator.layer({ rateLimits: { dailyReset } }))), 60_000)
  }

  it.effect("are shared with another process: each window is found to be used up by a few, and nobody fails", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(morning)
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      const other = Layer.fresh(
        DigiKeyApp.layer({ ...(yield* simulator.credentials), environment: "sandbox" })
      ).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, simulator.httpClient)))
      const here = yield* Effect.fork(patient(searches(300, 50)))
      const there = yield* Effect.fork(patient(searches(300, 50)).pipe(Effect.provide(other)))
      yield* TestClock.adjust("10 minutes")
      for (const fiber of [here, there]) {
        assert.isTrue((yield* Fiber.join(fiber)).every(({ result }) => Either.isRight(result)))
      }
      const { byStatus } = yield* stats
      assert.strictEqual(byStatus[200], 600)
      assert.isAtMost(byStatus[429] ?? 0, 5 * 5)
    }).pipe(Effect.provide(DigiKeySimulator.layer())), 60_000)
})

describe("budgets are separate", () => {
  const orders = OrderStatus.listOrders()

  it.effect("for two products of one account", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(morning)
      yield* searches(120, "unbounded")
      const late = yield* Effect.fork(search)
      yield* TestClock.adjust(0)
      const { took } = yield* timed(Effect.forEach(Arr.range(1, 120), () => orders, { concurrency: "unbounded" }))
      assert.strictEqual(took, 0)
      assert.deepStrictEqual(
        (yield* RateLimits.snapshot(DigiKeyApp.DigiKeyApp)).map(({ product, waiting }) => ({ product, waiting })),
        [{ product: "Product Information", waiting: 1 }, { product: "Order Status", waiting: 0 }]
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(late)
      assert.deepInclude(yield* stats, { byStatus: { 200: 241 } })
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("for two accounts of one product", () => {
    class Second extends Credentials.Tag("SecondAccount")<Second>() {}
    const second = ProductInformation.make(Second).keywordSearch({ Keywords: "NE555" })
    const clientSecret = Redacted.make("second-secret")
    const account = Credentials.layer(Second, DigiKeyApp.flow({ clientId: "second", clientSecret, environment: "sandbox" }))
    return Effect.gen(function*() {
      yield* TestClock.setTime(morning)
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* simulator.addAccount({ clientId: "second", clientSecret })
      yield* searches(120, "unbounded")
      const late = yield* Effect.fork(search)
      yield* TestClock.adjust(0)
      const { took } = yield* timed(Effect.forEach(Arr.range(1, 120), () => second, { concurrency: "unbounded" }))
      assert.strictEqual(took, 0)
      const [of] = yield* RateLimits.snapshot(Second)
      assert.deepInclude(of, { product: "Product Information", waiting: 0, identity: (yield* Second).identity.hash })
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(late)
      assert.deepInclude(yield* stats, { byStatus: { 200: 241 } })
    }).pipe(Effect.provide(Layer.provideMerge(account, DigiKeySimulator.layer())))
  })
})

describe("before DigiKey has said anything", () => {
  it.effect("no more is sent than DigiKey documents", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* simulator.setLatency({ api: "30 seconds" })
      const run = yield* Effect.fork(patient(searches(200, "unbounded")))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* stats).requests, 120)
      yield* TestClock.adjust("3 minutes")
      yield* Fiber.join(run)
      assert.deepInclude(yield* stats, { byStatus: { 200: 200 } })
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("ten quotes and ten orders a minute are sent, and 120 of others", () =>
    Effect.gen(function*() {
      const paths: Array<string> = []
      const silent = HttpClient.make((_, url) => {
        paths.push(url.pathname)
        return Effect.never
      })
      const sent = (client: ReturnType<typeof Product.client<DigiKeyUser.DigiKeyUser>>) =>
        Effect.gen(function*() {
          paths.length = 0
          yield* Effect.forEach(Arr.range(1, 130), () => Effect.fork(patient(client.get("/any"))))
          yield* TestClock.adjust(0)
          return paths.length
        }).pipe(Effect.provideService(HttpClient.HttpClient, silent))
      assert.strictEqual(yield* sent(Product.client(Product.Quotes)), 10)
      assert.strictEqual(yield* sent(Product.client(Product.Ordering)), 10)
      assert.strictEqual(yield* sent(Product.client(Product.MyLists)), 120)
    }).pipe(Effect.provide(DigiKeyUser.layerTest())))

  it.effect("a subscription with other limits is taken at its word", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(morning)
      yield* search
      const { took } = yield* timed(searches(499, "unbounded"))
      assert.strictEqual(took, 0)
      assert.deepInclude(yield* stats, { byStatus: { 200: 500 } })
    }).pipe(Effect.provide(DigiKeySimulator.layer({ rateLimits: { burst: { limit: 500 }, daily: { limit: 5000 } } }))))
})
