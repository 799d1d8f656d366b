/** How requests share the rate limits of one API product: who goes, who waits, who is refused. */
import { HttpBody } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  Array as Arr,
  Chunk,
  Clock,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Either,
  Exit,
  FastCheck,
  Fiber,
  Layer,
  Metric,
  Option,
  Random,
  Ref,
  Scope,
  Stream,
  TestClock
} from "effect"
import { ApiClient, Credentials, RateLimitEvent, RateLimits, RetryPolicy, Token } from "effect-credentials"
import * as Fake from "./utils/fakeApi.js"
import { Acme, makeFake } from "./utils/fakeFlow.js"
import { makeLimited } from "./utils/limitedApi.js"
import type { LimitedOptions } from "./utils/limitedApi.js"
import { shown } from "./utils/shownClock.js"

const minute = 60_000
const day = 86_400_000

const base = "https://api.acme.test"
const patient = RetryPolicy.make({ patience: "1 hour" })

const parts = (options: Partial<ApiClient.Options> = {}) => ApiClient.make(Acme, { product: "Parts", retry: patient, ...options })

const account = (options: Credentials.TestOptions = {}) => Credentials.layerTest(Acme, { baseUrl: base, ...options })

/** Built first: hashing an identity takes real time, in which a TestClock would run ahead of the request. */
const against = <A, E, R>(effect: Effect.Effect<A, E, R>, api: Fake.FakeApi, options?: Credentials.TestOptions) =>
  Effect.provide(effect, Layer.merge(account(options), api.client))

const limitedBy = (options: LimitedOptions) => {
  const limited = makeLimited(options)
  return { limited, api: Fake.makeFakeApi({ "/parts": limited.answer }) }
}

const perMinute = (requests: number) => ({ burst: { requests, per: "1 minute" } }) as const

const times = <A, E, R>(count: number, effect: (n: number) => Effect.Effect<A, E, R>) =>
  Effect.forEach(Arr.range(0, count - 1), effect, { concurrency: "unbounded" })

/** How an effect ended, and after how many milliseconds. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const result = yield* Effect.either(effect)
    return { result, took: (yield* Clock.currentTimeMillis) - start }
  })

/** Forks them one after the other, each as far as it comes. */
const inOrder = <A, E, R>(count: number, effect: (n: number) => Effect.Effect<A, E, R>) =>
  Effect.forEach(Arr.range(0, count - 1), (n) => Effect.zipLeft(Effect.fork(effect(n)), Effect.yieldNow()))

const settled = TestClock.adjust(0)
const only = Effect.map(RateLimits.snapshot(Acme), (all) => Option.getOrThrow(Arr.head(all)))
const remaining = (limit: "burst" | "daily") =>
  Effect.map(only, ({ windows }) =>
    Option.getOrUndefined(Option.flatMap(Arr.findFirst(windows, (it) => it.limit === limit), (it) => it.remaining)))

const second = (api: Fake.FakeApi) => api.arrived.map(({ at }) => at / 1000)

describe("requests of a product with a declared limit", () => {
  it.effect("go out at once while there is room, and no time passes", () => {
    const { api, limited } = limitedBy(perMinute(10))
    return against(Effect.gen(function*() {
      yield* times(10, () => parts({ limits: perMinute(10) }).get("/parts"))
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
      assert.deepStrictEqual(limited.statuses, Arr.replicate(200, 10))
      assert.deepStrictEqual(yield* TestClock.sleeps(), Chunk.empty())
    }), api)
  })

  it.effect("are no more than that before the first reply, however many callers there are", () => {
    const api = Fake.makeFakeApi({ "/parts": Fake.hanging })
    return against(Effect.gen(function*() {
      yield* inOrder(50, () => parts({ limits: perMinute(10) }).get("/parts"))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(api.arrived.length, 10)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(api.arrived.length, 20)
    }), api)
  })

  it.effect("wait for the window to end where it is used up, in the order in which they came", () => {
    const { api, limited } = limitedBy(perMinute(10))
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(10) })
      const fibers = yield* inOrder(35, (n) => client.get("/parts", { headers: { "x-number": String(n) } }))
      yield* TestClock.adjust("3 minutes")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(api.arrived.map(({ headers }) => Number(headers["x-number"])), Arr.range(0, 34))
      assert.deepStrictEqual(second(api), Arr.range(0, 34).map((n) => 60 * Math.floor(n / 10)))
      assert.deepStrictEqual(limited.statuses, Arr.replicate(200, 35))
    }), api)
  })

  it.effect("let nobody pass those who wait", () => {
    const { api } = limitedBy(perMinute(10))
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(10) })
      const get = (n: number) => client.get("/parts", { headers: { "x-number": String(n) } })
      const late = yield* Ref.make<ReadonlyArray<Fiber.RuntimeFiber<unknown, unknown>>>([])
      const first = yield* inOrder(12, (n) =>
        Effect.tap(get(n), () =>
          // As soon as any is served, more come.
          n < 10 ? Effect.void : Effect.flatMap(Effect.forkDaemon(get(100 + n)), (it) => Ref.update(late, Arr.append(it)))))
      const between = yield* inOrder(10, (n) => get(50 + n))
      yield* TestClock.adjust("3 minutes")
      yield* Effect.forEach([...first, ...between, ...(yield* Ref.get(late))], Fiber.join)
      const order = api.arrived.map(({ headers }) => Number(headers["x-number"]))
      assert.deepStrictEqual(order, [...Arr.range(0, 11), ...Arr.range(50, 59), 110, 111])
    }), api)
  })

  it.effect("wait no more as soon as the server says that there is more", () => {
    const { api } = limitedBy(perMinute(30))
    return against(Effect.gen(function*() {
      yield* times(30, () => parts({ limits: perMinute(10) }).get("/parts"))
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
    }), api)
  })

  it.effect("wait as soon as the server says that there is less", () => {
    const { api, limited } = limitedBy(perMinute(5))
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(100) })
      yield* client.get("/parts")
      const fibers = yield* inOrder(8, () => client.get("/parts"))
      yield* settled
      assert.strictEqual(api.arrived.length, 5)
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(limited.statuses, Arr.replicate(200, 9))
    }), api)
  })

  it.effect("follow a limit that the server changes, within its window: what was used stays used", () => {
    const says = (limit: number, left: number) =>
      Fake.json({}, 200, {
        "x-burstlimit-limit": String(limit),
        "x-burstlimit-remaining": String(left),
        "x-burstlimit-reset": "60"
      })
    const api = Fake.makeFakeApi({ "/parts": [says(10, 9), says(20, 18), says(5, 2), says(10, 6), says(10, 9)] })
    return against(Effect.gen(function*() {
      const seen: Array<number | undefined> = []
      for (let n = 0; n < 5; n++) {
        yield* parts().get("/parts")
        seen.push(yield* remaining("burst"))
      }
      // The last one says what cannot be: nothing that was used comes back.
      assert.deepStrictEqual(seen, [9, 18, 2, 6, 5])
    }), api)
  })

  it.effect("get nothing back from a limit that is lowered and raised again, by replies that overtake each other", () => {
    const says = (limit: number, left: number) =>
      Fake.json({}, 200, {
        "x-burstlimit-limit": String(limit),
        "x-burstlimit-remaining": String(left),
        "x-burstlimit-reset": "60"
      })
    const api = Fake.makeFakeApi({ "/parts": [says(10, 2), says(5, 0), says(10, 6), says(5, 0), says(10, 6)] })
    return against(Effect.gen(function*() {
      const seen: Array<number | undefined> = []
      for (let n = 0; n < 5; n++) {
        yield* parts().get("/parts").pipe(RateLimits.withoutPacing)
        seen.push(yield* remaining("burst"))
      }
      // Eight of ten were used, and then one each time.
      assert.deepStrictEqual(seen, [2, 0, 1, 0, 0])
    }), api)
  })

  it.effect("learn how long a window lasts, and that it takes longer to wait for the one after it", () => {
    const { api } = limitedBy({ burst: { requests: 2, per: "2 minutes" } })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(2), retry: RetryPolicy.make({ patience: "200 seconds" }) })
      yield* times(2, () => client.get("/parts"))
      const fibers = yield* inOrder(4, () => Effect.either(client.get("/parts")))
      yield* settled
      assert.strictEqual((yield* only).waiting, 2)
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual((yield* Effect.forEach(fibers, Fiber.join)).map(Either.isRight), [true, true, false, false])
    }), api)
  })

  it.effect("know that a window is as long as the longest wait for its end", () => {
    const { api } = limitedBy(perMinute(2))
    return against(Effect.gen(function*() {
      const client = parts({ retry: RetryPolicy.make({ patience: "40 seconds" }) })
      yield* client.get("/parts")
      yield* TestClock.adjust("55 seconds")
      yield* client.get("/parts")
      const fibers = yield* inOrder(2, () => client.get("/parts"))
      yield* settled
      const error = yield* Effect.flip(client.get("/parts"))
      assert.strictEqual(error._tag === "RateLimited" && error.retryAt.epochMillis, 2 * minute)
      yield* TestClock.adjust("5 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
    }), api)
  })

  it.effect("go out at once, and together, as soon as a limit is raised", () => {
    const says = (limit: number, left: number) =>
      Fake.json({}, 200, { "x-burstlimit-limit": String(limit), "x-burstlimit-remaining": String(left), "x-burstlimit-reset": "60" })
    const api = Fake.makeFakeApi({ "/parts": [says(2, 1), says(10, 8), Fake.hanging] })
    return against(Effect.gen(function*() {
      const client = parts()
      yield* client.get("/parts")
      yield* client.get("/parts")
      yield* inOrder(9, () => client.get("/parts"))
      yield* settled
      assert.strictEqual(api.arrived.length, 10)
    }), api)
  })

  it.effect("that went out before anything was known are counted once it is", () => {
    const { api } = limitedBy({ ...perMinute(10), latency: (n) => n === 0 ? 10 : 5000 })
    return against(Effect.gen(function*() {
      yield* inOrder(8, () => parts().get("/parts"))
      yield* TestClock.adjust("10 millis")
      assert.strictEqual(yield* remaining("burst"), 2)
    }), api)
  })

  it.effect("wait no more once a success has said nothing of limits", () => {
    const { api } = limitedBy({ headers: false })
    return against(Effect.gen(function*() {
      yield* times(100, () => parts({ limits: { ...perMinute(10), daily: 20 } }).get("/parts"))
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
      assert.deepStrictEqual((yield* only).windows, [])
    }), api)
  })

  it.effect("still wait when it was an error that said nothing of limits", () => {
    const api = Fake.makeFakeApi({ "/parts": Fake.reply(404) })
    return against(Effect.gen(function*() {
      yield* inOrder(20, () => Effect.exit(parts({ limits: perMinute(10) }).get("/parts")))
      yield* settled
      assert.strictEqual(api.arrived.length, 10)
      assert.strictEqual(yield* remaining("burst"), 0)
    }), api)
  })

  it.effect("wait for the end of each window that the server names, and never counts", () => {
    const named = Fake.json({}, 200, { "RateLimit-Policy": `"burst";q=2;w=30` })
    const api = Fake.makeFakeApi({ "/parts": ({ earlier }) => earlier === 0 ? named : Effect.delay(named, "1 second") })
    return against(Effect.gen(function*() {
      const client = parts()
      yield* client.get("/parts")
      const fibers = yield* inOrder(8, () => client.get("/parts"))
      yield* TestClock.adjust("3 minutes")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(second(api), [0, 0, 30, 30, 60, 60, 90, 90, 120])
    }), api)
  })

  it.effect("go out at least once where what is declared is hardly a limit: fractions are rounded down, ages are a year", () => {
    const api = Fake.makeFakeApi({ "/parts": Fake.reply(404) })
    return against(Effect.gen(function*() {
      const client = parts({ limits: { burst: { requests: 2.9, per: Duration.millis(Number.MAX_VALUE) }, daily: 1000.5 } })
      yield* times(2, () => Effect.exit(client.get("/parts")))
      assert.deepStrictEqual((yield* only).windows.map(({ requests }) => requests), [Option.some(2), Option.some(1000)])
      const error = yield* Effect.flip(client.get("/parts"))
      assert.strictEqual(error._tag === "RateLimited" && error.retryAt.epochMillis, 366 * day)
    }), api)
  })

  it.effect("take what the server says alone for the day, where a day is declared", () => {
    const left = { "x-ratelimit-limit": "1000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800" }
    const api = Fake.makeFakeApi({ "/parts": Fake.json({}, 200, left) })
    return against(Effect.gen(function*() {
      const client = parts({ limits: { ...perMinute(10), daily: 1000 } })
      yield* client.get("/parts")
      assert.deepStrictEqual((yield* only).windows.map(({ limit, name }) => [limit, name]), [["daily", "X-RateLimit"]])
      assert.deepInclude({ ...(yield* Effect.flip(client.get("/parts"))) }, { _tag: "RateLimited", limit: "daily" })
    }), api)
  })

  it.effect("know a limit of a day as soon as it resets later than in an hour", () => {
    const says = (left: number, reset: number) =>
      Fake.json({}, 200, { "x-ratelimit-limit": "2", "x-ratelimit-remaining": String(left), "x-ratelimit-reset": String(reset) })
    const api = Fake.makeFakeApi({ "/parts": [says(0, 1800), says(0, 86_400)] })
    return against(Effect.gen(function*() {
      const client = parts()
      yield* client.get("/parts")
      // Half an hour before midnight it may be a limit of any kind.
      yield* Fake.passing(client.get("/parts"), "30 minutes")
      const error = yield* Effect.flip(client.get("/parts").pipe(RetryPolicy.withPolicy(RetryPolicy.make({ patience: "2 days" }))))
      assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "daily" })
      assert.deepStrictEqual(second(api), [0, 1800])
    }), api)
  })

  it.effect("forget a limit of which the server has not spoken for a whole window", () => {
    const says = Fake.json({}, 200, { "x-burstlimit-limit": "2", "x-burstlimit-remaining": "1", "x-burstlimit-reset": "60" })
    const api = Fake.makeFakeApi({ "/parts": [says, Fake.ok] })
    return against(Effect.gen(function*() {
      const client = parts()
      yield* client.get("/parts")
      const fibers = yield* inOrder(8, () => client.get("/parts"))
      yield* TestClock.adjust("2 minutes")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(second(api), [0, 0, 60, 60, ...Arr.replicate(120, 5)])
      assert.deepStrictEqual((yield* only).windows, [])
    }), api)
  })

  it.effect("keep no more than eight limits of a server that names another one at every reply", () => {
    const names = (n: number) => Arr.makeBy(5, (i) => `"limit-${n}-${i}";r=1000;t=60`).join(", ")
    const api = Fake.makeFakeApi({ "/parts": ({ earlier }) => Fake.json({}, 200, { "RateLimit": names(earlier) }) })
    return against(Effect.gen(function*() {
      yield* times(100, () => parts().get("/parts"))
      assert.strictEqual((yield* only).windows.length, 8)
    }), api)
  })

  it.effect("wait for no other limit than the one that is used up", () => {
    const { api } = limitedBy({ ...perMinute(3), daily: 1000 })
    return against(Effect.gen(function*() {
      const client = parts({ limits: { ...perMinute(3), daily: 1000 } })
      yield* client.get("/parts")
      yield* TestClock.adjust("55 seconds")
      const fibers = yield* inOrder(3, () => client.get("/parts"))
      yield* TestClock.adjust("5 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(second(api), [0, 55, 55, 60])
    }), api)
  })

  for (const limits of [{ burst: { requests: 0, per: "1 minute" } }, { burst: { requests: 5, per: 0 } }, { daily: Number.NaN }] as const) {
    it.effect(`go out where what is declared makes no sense (${JSON.stringify(limits)})`, () => {
      const { api } = limitedBy({ headers: false })
      return against(Effect.zipRight(
        times(20, () => parts({ limits }).get("/parts")),
        Effect.map(only, ({ windows }) => assert.deepStrictEqual(windows, []))
      ), api)
    })
  }
})

describe("the order of replies", () => {
  it.effect.prop(
    "does not matter: what remains never rises within a window, and is right in the end",
    [FastCheck.array(FastCheck.integer({ min: 0, max: 20_000 }), { minLength: 50, maxLength: 50 }), FastCheck.boolean()],
    ([latencies, isDeclared]) => {
      const { api } = limitedBy({ ...perMinute(120), daily: 1000, latency: (n) => 10 + (latencies[n] ?? 0) })
      return against(Effect.gen(function*() {
        const client = parts({ limits: isDeclared ? perMinute(120) : undefined })
        // Without a declaration nothing is known before the first reply.
        const before = { burst: isDeclared ? 120 : 121, daily: 1001 }
        const seen = yield* Ref.make<{ readonly burst: number; readonly daily: number }>(before)
        const fibers = yield* inOrder(50, () =>
          Effect.tap(client.get("/parts"), () =>
            Effect.gen(function*() {
              const last = yield* Ref.get(seen)
              const burst = (yield* remaining("burst")) ?? 121
              const daily = (yield* remaining("daily")) ?? 1001
              assert.isTrue(burst <= last.burst && daily <= last.daily, JSON.stringify({ last, burst, daily }))
              yield* Ref.set(seen, { burst, daily })
            })))
        yield* settled
        assert.strictEqual(api.arrived.length, 50)
        // What was sent is counted already.
        if (isDeclared) {
          assert.strictEqual(yield* remaining("burst"), 70)
          yield* Ref.set(seen, { burst: 70, daily: 1001 })
        }
        yield* TestClock.adjust("25 seconds")
        yield* Effect.forEach(fibers, Fiber.join)
        assert.deepStrictEqual(yield* Ref.get(seen), { burst: 70, daily: 950 })
        assert.strictEqual((yield* only).inFlight, 0)
      }), api)
    },
    { fastCheck: { numRuns: 10 }, timeout: 60_000 }
  )

  it.effect("does not matter across windows: a late reply about the last one says nothing of this one", () => {
    const { api } = limitedBy({ ...perMinute(10), latency: (n) => n === 9 ? 70_000 : 0 })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(10) })
      yield* inOrder(10, () => client.get("/parts"))
      yield* TestClock.adjust("61 seconds")
      yield* client.get("/parts")
      assert.strictEqual(yield* remaining("burst"), 9)
      // It said that nothing was left, and comes ten seconds after its window.
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual((yield* only).inFlight, 0)
      assert.strictEqual(yield* remaining("burst"), 9)
      yield* times(9, () => client.get("/parts"))
      assert.strictEqual(yield* Clock.currentTimeMillis, 70_000)
    }), api)
  })

  it.effect("does not matter across windows where replies say nothing of their end", () => {
    const { limited } = limitedBy(perMinute(10))
    const silent = Effect.map(limited.answer({ method: "", url: "", path: "", headers: {}, body: "", at: 0, redirect: undefined, earlier: 0 }), (response) => {
      response.headers.delete("x-burstlimit-reset")
      return response
    })
    const api = Fake.makeFakeApi({ "/parts": silent, "/slow": Effect.tap(silent, () => Effect.sleep("70 seconds")) })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(10) })
      yield* inOrder(9, () => client.get("/parts"))
      yield* Effect.fork(client.get("/slow"))
      yield* TestClock.adjust("61 seconds")
      yield* client.get("/parts")
      yield* TestClock.adjust("9 seconds")
      assert.deepInclude(yield* only, { inFlight: 0 })
      assert.strictEqual(yield* remaining("burst"), 9)
    }), api)
  })

  it.effect("shows when the server has thought anew of the end of a window", () => {
    const says = (reset: number) =>
      Fake.json({}, 200, { "x-burstlimit-limit": "2", "x-burstlimit-remaining": "0", "x-burstlimit-reset": String(reset) })
    const api = Fake.makeFakeApi({ "/parts": [says(600), says(10), Fake.ok] })
    return against(Effect.gen(function*() {
      const client = parts()
      yield* client.get("/parts")
      yield* TestClock.adjust("1 second")
      yield* client.get("/parts").pipe(RateLimits.withoutPacing)
      yield* Fake.passing(client.get("/parts"), "10 seconds")
      assert.deepStrictEqual(second(api), [0, 1, 11])
    }), api)
  })

  it.effect("shows when the server's window began before ours: what it says is about the new one", () => {
    // The first reply is late, so that the window seems to end five seconds after it does.
    const { api, limited } = limitedBy({ ...perMinute(10), aligned: true, latency: (n) => n === 0 ? 5000 : 0 })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(10) })
      yield* Effect.fork(client.get("/parts"))
      yield* TestClock.adjust("62 seconds")
      yield* times(8, () => client.get("/parts"))
      assert.strictEqual(yield* remaining("burst"), 2)
      yield* TestClock.adjust("5 seconds")
      const fibers = yield* inOrder(5, () => client.get("/parts"))
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(limited.statuses, Arr.replicate(200, 14))
      assert.deepStrictEqual(second(api).slice(9), [67, 67, 120, 120, 120])
    }), api)
  })

  it.effect("does not matter either where a late reply is about the window before that", () => {
    const { api, limited } = limitedBy({ ...perMinute(10), aligned: true, latency: (n) => n < 8 ? 5000 : 0 })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(10) })
      yield* Effect.fork(client.get("/parts"))
      yield* TestClock.adjust("58 seconds")
      // They say that few are left for two seconds, and come when three seconds of the next window are over.
      yield* inOrder(7, () => client.get("/parts"))
      yield* TestClock.adjust("4 seconds")
      yield* times(2, () => client.get("/parts"))
      assert.strictEqual(yield* remaining("burst"), 8)
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* only, { inFlight: 0 })
      assert.strictEqual(yield* remaining("burst"), 8)
      yield* TestClock.adjust("5 seconds")
      const fibers = yield* inOrder(10, () => client.get("/parts"))
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(limited.statuses, Arr.replicate(200, 20))
      assert.deepStrictEqual(second(api).slice(10), [...Arr.replicate(68, 8), 120, 120])
    }), api)
  })

  it.effect("does not matter where seconds are rounded: no window seems to be another one", () => {
    const { api } = limitedBy({ ...perMinute(10), latency: (n) => n === 1 ? 1000 : 0 })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(10) })
      yield* client.get("/parts")
      yield* TestClock.adjust("900 millis")
      yield* Effect.fork(client.get("/parts"))
      yield* TestClock.adjust("100 millis")
      yield* client.get("/parts")
      assert.strictEqual(yield* remaining("burst"), 7)
      // It was told 60 seconds, 0.9 after the window began, and the one before it 59.
      yield* TestClock.adjust("900 millis")
      assert.deepInclude(yield* only, { inFlight: 0 })
      assert.strictEqual(yield* remaining("burst"), 7)
    }), api)
  })

  for (const limits of [perMinute(120), undefined]) it.effect(`leaves requests that are on their way to be counted: another process has used what they might take (${limits === undefined ? "nothing" : "a limit"} declared)`, () => {
    const { api, limited } = limitedBy({ ...perMinute(120), latency: (n) => n === 0 ? 1000 : 2000 })
    return against(Effect.gen(function*() {
      yield* limited.use(60)
      const client = parts({ limits })
      const first = yield* inOrder(50, () => client.get("/parts"))
      yield* TestClock.adjust("1500 millis")
      // One reply said that 59 are left, and 49 of ours may not have been counted.
      const second = yield* inOrder(60, () => client.get("/parts"))
      yield* settled
      assert.strictEqual(api.arrived.length, 60)
      yield* TestClock.adjust("65 seconds")
      yield* Effect.forEach([...first, ...second], Fiber.join)
      assert.deepStrictEqual(limited.statuses, Arr.replicate(200, 110))
    }), api)
  })

  it.effect("leaves those that are on their way now to be counted when answers come that were given up", () => {
    const { api, limited } = limitedBy({ ...perMinute(100), latency: (n) => n < 20 ? 15_000 : n < 40 ? 10_000 : 5000 })
    return against(Effect.gen(function*() {
      yield* limited.use(40)
      const client = parts({ limits: perMinute(100) })
      yield* inOrder(20, () => client.get("/parts"))
      yield* TestClock.adjust("12 seconds")
      yield* inOrder(20, () => client.get("/parts"))
      yield* TestClock.adjust("4 seconds")
      // The first twenty have said that 40 are left, and the second twenty take half of that.
      yield* inOrder(30, () => client.get("/parts"))
      yield* settled
      assert.deepStrictEqual(limited.statuses, Arr.replicate(200, 60))
      yield* TestClock.adjust("50 seconds")
      assert.deepStrictEqual(limited.statuses, Arr.replicate(200, 70))
    }), api)
  })

  it.effect("does not let answers that never come hold anybody back for long", () => {
    const { api, limited } = limitedBy({ ...perMinute(100), latency: (n) => n < 49 ? Number.MAX_SAFE_INTEGER : 0 })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(100) })
      yield* inOrder(49, () => client.get("/parts"))
      yield* client.get("/parts")
      // 50 are left, and as the 49 may not have been counted only one is sure.
      const fibers = yield* inOrder(50, () => client.get("/parts"))
      yield* settled
      assert.strictEqual(api.arrived.length, 51)
      yield* TestClock.adjust("10 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(limited.statuses.length, 100)
    }), api)
  })
})

describe("a request that gets no answer", () => {
  it.effect("is counted where it may have arrived", () => {
    const api = Fake.makeFakeApi({ "/parts": Fake.dropped() })
    const retry = RetryPolicy.make({ schedule: RetryPolicy.none })
    return against(Effect.gen(function*() {
      yield* times(3, () => Effect.exit(parts({ retry, limits: perMinute(10) }).get("/parts")))
      assert.strictEqual(yield* remaining("burst"), 7)
      assert.strictEqual((yield* only).inFlight, 0)
    }), api)
  })

  it.effect("is not counted where nobody listened", () => {
    const api = Fake.makeFakeApi({ "/parts": Fake.dropped("ECONNREFUSED") })
    const retry = RetryPolicy.make({ schedule: RetryPolicy.none })
    return against(Effect.gen(function*() {
      yield* times(3, () => Effect.exit(parts({ retry, limits: perMinute(10) }).get("/parts")))
      assert.strictEqual(yield* remaining("burst"), 10)
    }), api)
  })

  it.effect("is not given back to a window that began after it", () => {
    const { limited } = limitedBy(perMinute(10))
    const api = Fake.makeFakeApi({ "/parts": limited.answer, "/down": Effect.delay(Fake.dropped("ECONNREFUSED"), "70 seconds"), "/hangs": Fake.hanging })
    const retry = RetryPolicy.make({ schedule: RetryPolicy.none })
    return against(Effect.gen(function*() {
      const client = parts({ retry, limits: perMinute(10) })
      yield* Effect.fork(Effect.exit(client.get("/down")))
      yield* TestClock.adjust("65 seconds")
      yield* client.get("/parts")
      yield* Effect.fork(client.get("/hangs"))
      yield* TestClock.adjust("5 seconds")
      assert.deepInclude(yield* only, { inFlight: 1 })
      assert.strictEqual(yield* remaining("burst"), 8)
    }), api)
  })

  it.effect("is counted, and no longer on its way, when it is interrupted", () => {
    const api = Fake.makeFakeApi({ "/parts": Fake.hanging })
    return against(Effect.gen(function*() {
      const fibers = yield* inOrder(3, () => parts({ limits: perMinute(10) }).get("/parts"))
      yield* settled
      assert.strictEqual((yield* only).inFlight, 3)
      yield* Fiber.interruptAll(fibers)
      assert.strictEqual((yield* only).inFlight, 0)
      assert.strictEqual(yield* remaining("burst"), 7)
    }), api)
  })

  it.effect("is counted, and no longer on its way, when it takes too long", () => {
    const api = Fake.makeFakeApi({ "/parts": Fake.hanging })
    const retry = RetryPolicy.make({ schedule: RetryPolicy.none })
    return against(Effect.gen(function*() {
      yield* Fake.passing(Effect.exit(parts({ retry, timeout: "1 second", limits: { daily: 10 } }).get("/parts")))
      assert.strictEqual((yield* only).inFlight, 0)
      assert.strictEqual(yield* remaining("daily"), 9)
    }), api)
  })

  it.effect("may have been counted before, and is counted again: nobody waits for the places between", () => {
    const counted = { "x-burstlimit-limit": "10", "x-burstlimit-remaining": "2", "x-burstlimit-reset": "60" }
    const api = Fake.makeFakeApi({
      "/parts": Fake.json({}, 200, counted),
      "/breaks": Effect.delay(Fake.dropped(), "1 second")
    })
    return against(Effect.gen(function*() {
      const retry = RetryPolicy.make({ patience: "30 seconds", schedule: RetryPolicy.none })
      const client = parts({ retry, limits: perMinute(10) })
      yield* inOrder(2, () => Effect.exit(client.get("/breaks")))
      yield* client.get("/parts")
      // Two places are left: for it, or for those that are on their way.
      const waiting = yield* Effect.fork(Effect.flip(client.get("/parts")))
      yield* settled
      assert.strictEqual((yield* only).waiting, 1)
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(waiting)
      assert.strictEqual(error._tag === "RateLimited" && error.retryAt.epochMillis, minute)
    }), api)
  })

  it.effect("that was a 401 before any count is not counted", () => {
    const { limited } = limitedBy(perMinute(10))
    const api = Fake.makeFakeApi({ "/parts": limited.answer, "/closed": Fake.reply(401) })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(10) })
      yield* times(5, () => Effect.exit(client.post("/closed")))
      yield* client.get("/parts")
      assert.strictEqual(yield* remaining("burst"), 9)
      yield* times(5, () => Effect.exit(client.post("/closed")))
      assert.strictEqual(yield* remaining("burst"), 9)
    }), api)
  })
})

describe("a 401 that says how a limit stands", () => {
  it.effect("was counted, under the others too", () => {
    const api = Fake.makeFakeApi({
      "/closed": Fake.reply(401, null, { "x-burstlimit-limit": "10", "x-burstlimit-remaining": "9", "x-burstlimit-reset": "60" })
    })
    return against(Effect.gen(function*() {
      yield* Effect.exit(parts({ limits: { ...perMinute(10), daily: 50 } }).post("/closed"))
      assert.strictEqual(yield* remaining("burst"), 9)
      assert.strictEqual(yield* remaining("daily"), 49)
    }), api)
  })
})

describe("whoever waits", () => {
  it.effect("leaves the queue when interrupted, and the others keep their order", () => {
    const { api } = limitedBy(perMinute(5))
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(5) })
      const fibers = yield* inOrder(20, (n) => client.get("/parts", { headers: { "x-number": String(n) } }))
      yield* settled
      const odd = fibers.filter((_, n) => n >= 5 && n % 2 === 1)
      yield* Fiber.interruptAll(odd)
      assert.strictEqual((yield* only).waiting, 7)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        api.arrived.map(({ headers }) => Number(headers["x-number"])),
        [0, 1, 2, 3, 4, 6, 8, 10, 12, 14]
      )
      yield* Fiber.interruptAll(fibers)
      assert.strictEqual((yield* only).waiting, 0)
    }), api)
  })

  it.effect("shares one timer with all others, and none is left when the last has gone", () => {
    const { api } = limitedBy(perMinute(5))
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(5) })
      const fibers = yield* inOrder(200, () => client.get("/parts"))
      yield* settled
      assert.strictEqual(Chunk.size(yield* TestClock.sleeps()), 1)
      yield* Fiber.interruptAll(fibers)
      assert.strictEqual((yield* only).waiting, 0)
      // A sleep that was interrupted stays in the list until its time has come.
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(Chunk.size(yield* TestClock.sleeps()), 0)
      assert.strictEqual(api.arrived.length, 5)
    }), api)
  })

  it.effect("fails at once where the window ends after its patience, and says when", () => {
    const { api } = limitedBy(perMinute(5))
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(5), retry: RetryPolicy.make({ patience: "30 seconds" }) })
      yield* times(5, () => client.get("/parts"))
      yield* TestClock.adjust("29 seconds")
      const error = yield* Effect.flip(client.get("/parts?secret=1"))
      assert.deepInclude({ ...error }, { _tag: "RateLimited", product: "Parts", method: "GET", path: "/parts", limit: "burst" })
      assert.strictEqual(error._tag === "RateLimited" && error.retryAt.epochMillis, minute)
      assert.strictEqual(api.arrived.length, 5)
      yield* TestClock.adjust("1 second")
      yield* Fake.passing(client.get("/parts"), "30 seconds")
    }), api)
  })

  it.effect("fails at once where those before it take all that its patience allows", () => {
    const { api } = limitedBy(perMinute(5))
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(5), retry: RetryPolicy.make({ patience: "3 minutes" }) })
      const fibers = yield* inOrder(30, () => Effect.either(client.get("/parts")))
      yield* settled
      assert.strictEqual((yield* only).waiting, 15)
      yield* TestClock.adjust("3 minutes")
      const results = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(results.map(Either.isRight), [...Arr.replicate(true, 20), ...Arr.replicate(false, 10)])
      const retryAt = Arr.getLefts(results).map((error) => error._tag === "RateLimited" ? error.retryAt.epochMillis : 0)
      assert.deepStrictEqual(retryAt, Arr.replicate(4 * minute, 10))
    }), api)
  })

  it.effect("has the patience of its own policy", () => {
    const { api } = limitedBy(perMinute(1))
    return against(Effect.gen(function*() {
      const client = parts({ retry: undefined })
      yield* client.get("/parts")
      const fiber = yield* Effect.fork(client.get("/parts"))
      yield* settled
      // The default is a minute, and the minute is taken.
      assert.strictEqual((yield* Effect.flip(client.get("/parts")))._tag, "RateLimited")
      const second = yield* Effect.fork(client.get("/parts").pipe(RetryPolicy.withPolicy(patient)))
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(fiber)
      yield* Fiber.join(second)
      assert.deepStrictEqual(api.arrived.map(({ at }) => at), [0, minute, 2 * minute])
    }), api)
  })

  it.effect("for the answers of others does so no longer than its patience allows: nobody knows when they come", () => {
    const { api } = limitedBy({ ...perMinute(100), latency: (n) => n < 49 ? 9000 : 0 })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(100) })
      yield* inOrder(49, () => client.get("/parts"))
      yield* times(2, () => client.get("/parts"))
      assert.strictEqual(yield* remaining("burst"), 49)
      // 49 are left, or none: it shows when the first 49 are back.
      const get = (patience: Duration.DurationInput) =>
        timed(client.get("/parts").pipe(RetryPolicy.withPolicy(RetryPolicy.make({ patience, schedule: RetryPolicy.none }))))
      const fibers = yield* Effect.forEach([0, "1 second", "5 seconds", "20 seconds"] as const, (patience) => Effect.fork(get(patience)))
      yield* TestClock.adjust("10 seconds")
      const [none, one, five, twenty] = yield* Effect.forEach(fibers, Fiber.join)
      assert.isTrue(none !== undefined && Either.isLeft(none.result))
      assert.strictEqual(none?.took, 0)
      assert.isTrue(one !== undefined && Either.isLeft(one.result))
      assert.isTrue(one !== undefined && one.took >= 1000 && one.took <= 3000, String(one?.took))
      assert.isTrue(five !== undefined && Either.isLeft(five.result))
      assert.isTrue(five !== undefined && five.took >= 5000 && five.took <= 7000, String(five?.took))
      assert.isTrue(twenty !== undefined && Either.isRight(twenty.result))
      assert.strictEqual(twenty?.took, 9000)
    }), api)
  })

  it.effect("learns at once where it will take too long now, and the others go on waiting", () => {
    const { api } = limitedBy({ ...perMinute(2), latency: () => 1000 })
    return against(Effect.gen(function*() {
      const retry = RetryPolicy.make({ patience: "3 minutes", schedule: RetryPolicy.none })
      const client = parts({ limits: perMinute(10), retry })
      const first = yield* inOrder(10, () => Effect.either(client.get("/parts")))
      const fibers = yield* inOrder(20, () => Effect.either(client.get("/parts")))
      yield* settled
      assert.strictEqual((yield* only).waiting, 20)
      // Two a minute, says the first reply: it is not two minutes for the last of them but ten.
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* only).waiting, 6)
      yield* TestClock.adjust("4 minutes")
      const results = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(results.map(Either.isRight), [...Arr.replicate(true, 6), ...Arr.replicate(false, 14)])
      for (const error of Arr.getLefts(results)) assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "burst" })
      assert.strictEqual((yield* Effect.forEach(first, Fiber.join)).filter(Either.isRight).length, 2)
    }), api)
  })

  it.effect("is refused when a 429 says that it will take too long", () =>
    Effect.gen(function*() {
      const answer = yield* Deferred.make<void>()
      const busy = Effect.as(Deferred.await(answer), new Response(null, { status: 429, headers: { "retry-after": "600" } }))
      const api = Fake.makeFakeApi({ "/slow": busy, "/hangs": Fake.hanging, "/parts": Fake.ok })
      yield* against(Effect.gen(function*() {
        const short = RetryPolicy.withPolicy(RetryPolicy.make({ patience: "2 minutes", schedule: RetryPolicy.none }))
        const client = parts({ limits: perMinute(2) })
        yield* Effect.fork(short(client.get("/hangs")))
        yield* Effect.fork(Effect.exit(short(client.get("/slow"))))
        yield* settled
        const impatient = yield* Effect.fork(Effect.flip(short(client.get("/parts"))))
        const other = yield* Effect.fork(client.get("/parts"))
        yield* settled
        assert.strictEqual((yield* only).waiting, 2)
        yield* Deferred.succeed(answer, void 0)
        const error = yield* Fiber.join(impatient)
        assert.strictEqual(yield* Clock.currentTimeMillis, 0)
        assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "unknown" })
        assert.strictEqual(error._tag === "RateLimited" && error.retryAt.epochMillis, 600_000)
        yield* TestClock.adjust("10 minutes")
        yield* Fiber.join(other)
        assert.deepStrictEqual(api.at("/parts").map(({ at }) => at), [600_000])
      }), api)
    }))

  it.effect("takes its token when its turn has come, not one that expires meanwhile", () =>
    Effect.gen(function*() {
      const { flow } = yield* makeFake({ expiresIn: "40 seconds", takes: 0 })
      const { api, limited } = limitedBy(perMinute(2))
      yield* Effect.gen(function*() {
        const client = parts({ limits: perMinute(2) })
        const fibers = yield* inOrder(4, () => client.get("/parts"))
        yield* TestClock.adjust("1 minute")
        yield* Effect.forEach(fibers, Fiber.join)
        assert.deepStrictEqual(api.arrived.map(({ headers }) => headers["authorization"]), [
          "Bearer token-1",
          "Bearer token-1",
          "Bearer token-2",
          "Bearer token-2"
        ])
        assert.deepStrictEqual(limited.statuses, Arr.replicate(200, 4))
      }).pipe(Effect.provide(Layer.merge(Credentials.layer(Acme, flow), api.client)))
    }))

  it.effect("keeps its place while the token is fetched, and gives it to the next when there is none", () => {
    const { api } = limitedBy(perMinute(1))
    const noToken = Effect.fail(Token.make).pipe(Effect.die)
    return Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const waits = yield* Ref.make(false)
      const good = Token.make({
        accessToken: "t",
        issuedAt: DateTime.unsafeMake(0),
        expiresAt: DateTime.unsafeMake("2999-01-01T00:00:00Z")
      })
      const token = Effect.flatMap(Ref.getAndSet(waits, false), (slow) =>
        slow ? Effect.zipRight(Deferred.await(gate), noToken) : Effect.succeed(good))
      yield* against(Effect.gen(function*() {
        const client = parts({ limits: perMinute(1) })
        yield* client.get("/parts")
        const fibers = yield* inOrder(2, () => Effect.exit(client.get("/parts")))
        yield* settled
        yield* Ref.set(waits, true)
        yield* TestClock.adjust("1 minute")
        // The first has the place and no token: the second cannot have it.
        assert.deepInclude(yield* only, { waiting: 1 })
        assert.strictEqual(api.arrived.length, 1)
        yield* Deferred.succeed(gate, void 0)
        yield* settled
        assert.strictEqual(api.arrived.length, 2)
        const [first, second] = yield* Effect.forEach(fibers, Fiber.join)
        assert.isTrue(first !== undefined && Exit.isFailure(first))
        assert.isTrue(second !== undefined && Exit.isSuccess(second))
      }), api, { token })
    })
  })

  it.effect("gives its place to the next when it is interrupted after its turn has come", () => {
    const { api } = limitedBy(perMinute(1))
    return Effect.gen(function*() {
      const hangs = yield* Ref.make(false)
      const good = Token.make({
        accessToken: "t",
        issuedAt: DateTime.unsafeMake(0),
        expiresAt: DateTime.unsafeMake("2999-01-01T00:00:00Z")
      })
      const token = Effect.flatMap(Ref.getAndSet(hangs, false), (hangs) => hangs ? Effect.never : Effect.succeed(good))
      yield* against(Effect.gen(function*() {
        const client = parts({ limits: perMinute(1) })
        yield* client.get("/parts")
        const first = yield* Effect.fork(client.get("/parts"))
        yield* settled
        const next = yield* Effect.fork(client.get("/parts"))
        yield* settled
        yield* Ref.set(hangs, true)
        yield* TestClock.adjust("1 minute")
        assert.deepInclude(yield* only, { waiting: 1, inFlight: 0 })
        yield* Fiber.interrupt(first)
        yield* Fiber.join(next)
        assert.deepInclude(yield* only, { waiting: 0, inFlight: 0 })
        assert.deepStrictEqual(second(api), [0, 60])
      }), api, { token })
    })
  })

  it.effect("stands in line again, before those who came later, when the gate closes while its token is fetched", () => {
    const limited = makeLimited(perMinute(2))
    const api = Fake.makeFakeApi({ "/parts": limited.answer, "/busy": Fake.reply(429, null, { "retry-after": "100" }) })
    return Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const slow = yield* Ref.make(false)
      const good = Token.make({
        accessToken: "t",
        issuedAt: DateTime.unsafeMake(0),
        expiresAt: DateTime.unsafeMake("2999-01-01T00:00:00Z")
      })
      const token = Effect.flatMap(Ref.getAndSet(slow, false), (slow) =>
        slow ? Effect.as(Deferred.await(gate), good) : Effect.succeed(good))
      yield* against(Effect.gen(function*() {
        const client = parts({ limits: perMinute(2) })
        const get = (n: number) => client.get("/parts", { headers: { "x-number": String(n) } })
        yield* times(2, get)
        const fibers = yield* inOrder(3, (n) => get(n + 2))
        yield* settled
        yield* Ref.set(slow, true)
        yield* TestClock.adjust("1 minute")
        // 2 waits for its token, 3 has gone, 4 waits for its turn; now the server wants to be left alone.
        yield* Effect.exit(client.get("/busy").pipe(RateLimits.withoutPacing, RetryPolicy.withPolicy(RetryPolicy.make({ schedule: RetryPolicy.none }))))
        yield* Deferred.succeed(gate, void 0)
        yield* settled
        assert.deepStrictEqual(api.at("/parts").map(({ headers }) => headers["x-number"]), ["0", "1", "3"])
        yield* TestClock.adjust("5 minutes")
        yield* Effect.forEach(fibers, Fiber.join)
        assert.deepStrictEqual(api.at("/parts").map(({ headers }) => headers["x-number"]), ["0", "1", "3", "2", "4"])
        assert.deepStrictEqual(api.at("/parts").slice(3).map(({ at }) => at), [160_000, 160_000])
      }), api, { token })
    })
  })
})

describe("the limit of a day", () => {
  it.effect("is never waited for: requests fail at once and say when to come back", () => {
    const { api, limited } = limitedBy({ daily: 3 })
    return against(Effect.gen(function*() {
      yield* TestClock.setTime(18 * 3_600_000)
      const client = parts({ retry: RetryPolicy.make({ patience: "2 days" }) })
      yield* client.get("/parts")
      yield* times(2, () => client.get("/parts"))
      for (let n = 0; n < 3; n++) {
        const error = yield* Effect.flip(client.get("/parts"))
        assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "daily" })
        assert.strictEqual(error._tag === "RateLimited" && error.retryAt.epochMillis, day)
      }
      assert.deepStrictEqual(limited.statuses, [200, 200, 200])
      yield* TestClock.setTime(day)
      yield* client.get("/parts")
      assert.strictEqual(yield* remaining("daily"), 2)
    }), api)
  })

  it.effect("refuses those in the queue who would come too late for it, and no others", () => {
    const { api, limited } = limitedBy({ ...perMinute(5), daily: 12 })
    return against(Effect.gen(function*() {
      const client = parts({ limits: { ...perMinute(5), daily: 12 } })
      const fibers = yield* inOrder(20, () => Effect.either(client.get("/parts")))
      yield* settled
      assert.strictEqual((yield* only).waiting, 7)
      yield* TestClock.adjust("2 minutes")
      const results = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(results.map(Either.isRight), [...Arr.replicate(true, 12), ...Arr.replicate(false, 8)])
      for (const error of Arr.getLefts(results)) {
        assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "daily" })
      }
      assert.deepStrictEqual(limited.statuses, Arr.replicate(200, 12))
    }), api)
  })

  it.effect("gives the place of whoever leaves the queue to another", () => {
    const { api } = limitedBy({ ...perMinute(5), daily: 8 })
    return against(Effect.gen(function*() {
      const client = parts({ limits: { ...perMinute(5), daily: 8 } })
      const fibers = yield* inOrder(8, () => client.get("/parts"))
      yield* settled
      assert.strictEqual((yield* Effect.flip(client.get("/parts")))._tag, "RateLimited")
      yield* Fiber.interrupt(Option.getOrThrow(Arr.last(fibers)))
      yield* Fake.passing(client.get("/parts"), "1 minute")
      assert.strictEqual(api.arrived.length, 8)
    }), api)
  })

  it.effect("costs no token when it is used up", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ expiresIn: "10 minutes", takes: 0 })
      const { api } = limitedBy({ daily: 1 })
      yield* Effect.gen(function*() {
        const client = parts()
        yield* client.get("/parts")
        yield* TestClock.adjust("1 hour")
        assert.strictEqual((yield* Effect.flip(client.get("/parts")))._tag, "RateLimited")
        assert.strictEqual(yield* fake.calls, 1)
      }).pipe(Effect.provide(Layer.merge(Credentials.layer(Acme, fake.flow), api.client)))
    }))

  it.effect("is learned by those who wait when another process uses it up", () => {
    const { api, limited } = limitedBy({ ...perMinute(5), daily: 100 })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(5) })
      const fibers = yield* inOrder(15, () => Effect.either(client.get("/parts")))
      yield* settled
      yield* TestClock.adjust("30 seconds")
      yield* limited.use(92, "daily")
      yield* TestClock.adjust("30 seconds")
      const results = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(yield* Clock.currentTimeMillis, minute)
      assert.strictEqual(results.filter(Either.isLeft).every((it) => it._op === "Left" && it.left._tag === "RateLimited" && it.left.limit === "daily"), true)
      assert.isAtMost(limited.statuses.filter((it) => it === 429).length, 5)
    }), api)
  })
})

describe("a 429 that comes all the same", () => {
  it.effect("closes the gate for everybody until its Retry-After", () => {
    const api = Fake.makeFakeApi({ "/parts": [Fake.reply(429, null, { "retry-after": "30" }), Fake.ok] })
    return against(Effect.gen(function*() {
      const client = parts()
      const first = yield* Effect.fork(client.get("/parts"))
      yield* settled
      const others = yield* inOrder(5, () => client.get("/parts"))
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(api.arrived.length, 1)
      assert.deepStrictEqual((yield* only).closedUntil, Option.some(DateTime.unsafeMake(30_000)))
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach([first, ...others], Fiber.join)
      assert.deepStrictEqual(second(api), [0, ...Arr.replicate(30, 6)])
      assert.deepStrictEqual((yield* only).closedUntil, Option.none())
    }), api)
  })

  it.effect("is waited for in the queue: who was answered with it goes before those who came later", () => {
    const { api, limited } = limitedBy({ ...perMinute(10), latency: () => 100 })
    return against(Effect.gen(function*() {
      yield* limited.use(10)
      const client = parts({ limits: perMinute(10), retry: RetryPolicy.make({ patience: "3 minutes" }) })
      const get = (n: number) => client.get("/parts", { headers: { "x-number": String(n) } })
      const first = yield* Effect.fork(get(0))
      yield* TestClock.adjust("200 millis")
      const fibers = yield* inOrder(12, (n) => get(n + 1))
      yield* TestClock.adjust("3 minutes")
      yield* Effect.forEach([first, ...fibers], Fiber.join)
      assert.deepStrictEqual(
        api.arrived.map(({ headers }) => Number(headers["x-number"])),
        [0, ...Arr.range(0, 12)]
      )
      assert.deepStrictEqual(second(api).map(Math.floor), [0, ...Arr.replicate(60, 10), ...Arr.replicate(120, 3)])
    }), api)
  })

  it.effect("about the day is waited for by whoever got it alone, where that is a matter of seconds", () => {
    const api = Fake.makeFakeApi({ "/parts": [Fake.reply(429, null, { "retry-after": "30" }), Fake.ok] })
    return against(Effect.gen(function*() {
      const client = parts({ limit: () => "daily" })
      const first = yield* Effect.fork(client.get("/parts"))
      yield* settled
      assert.deepInclude({ ...(yield* Effect.flip(client.get("/parts"))) }, { _tag: "RateLimited", limit: "daily" })
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(first)
      assert.deepStrictEqual(second(api), [0, 30])
    }), api)
  })

  it.effect("is slept for, and no more is sent meanwhile, where pacing is left out", () => {
    const api = Fake.makeFakeApi({ "/parts": [Fake.reply(429, null, { "retry-after": "30" }), Fake.ok] })
    return against(Effect.gen(function*() {
      yield* Fake.passing(parts().get("/parts").pipe(RateLimits.withoutPacing), "30 seconds")
      assert.deepStrictEqual(second(api), [0, 30])
    }), api)
  })

  it.effect("is waited for as its Retry-After says, not as its other headers do", () => {
    const busy = { "retry-after": "10", "x-burstlimit-limit": "5", "x-burstlimit-remaining": "0", "x-burstlimit-reset": "60" }
    const api = Fake.makeFakeApi({ "/parts": [Fake.reply(429, null, busy), Fake.ok] })
    return against(Effect.gen(function*() {
      yield* Fake.passing(parts().get("/parts"), "10 seconds")
      assert.deepStrictEqual(second(api), [0, 10])
    }), api)
  })

  it.effect("about the day makes all others fail at once", () => {
    const busy = {
      "retry-after": "12397",
      "x-ratelimit-limit": "1000",
      "x-ratelimit-remaining": "0",
      "x-burstlimit-limit": "120",
      "x-burstlimit-remaining": "119",
      "x-burstlimit-reset": "60"
    }
    const api = Fake.makeFakeApi({ "/parts": [Fake.reply(429, null, busy), Fake.ok] })
    return against(Effect.gen(function*() {
      for (let n = 0; n < 3; n++) {
        const error = yield* Effect.flip(parts({ retry: undefined }).get("/parts"))
        assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "daily" })
        assert.strictEqual(error._tag === "RateLimited" && error.retryAt.epochMillis, 12_397_000)
      }
      assert.strictEqual(api.arrived.length, 1)
      yield* TestClock.adjust("12397 seconds")
      yield* parts().get("/parts")
    }), api)
  })

  it.effect("comes once for a crowd: late replies of the same crowd do not keep the gate closed", () => {
    const { api } = limitedBy({ ...perMinute(1), headers: false, latency: (n) => n * 1000 })
    return against(Effect.gen(function*() {
      const client = parts({ retry: RetryPolicy.make({ schedule: RetryPolicy.none, patience: "1 hour" }) })
      yield* inOrder(30, () => Effect.exit(client.get("/parts")))
      yield* TestClock.adjust("2 seconds")
      const later = yield* Effect.fork(client.get("/parts"))
      yield* TestClock.adjust("58 seconds")
      assert.strictEqual(api.arrived.length, 30)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(api.arrived.length, 31)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(later)
    }), api)
  })

  it.effect("comes once for a crowd, unless a later reply asks for more", () => {
    const busy = (seconds: number) => Fake.reply(429, null, { "retry-after": String(seconds) })
    const api = Fake.makeFakeApi({ "/soon": busy(10), "/late": Effect.delay(busy(60), "1 second") })
    return against(Effect.gen(function*() {
      const client = parts({ retry: RetryPolicy.make({ schedule: RetryPolicy.none }) })
      yield* Effect.fork(Effect.exit(client.get("/late")))
      yield* settled
      yield* Effect.exit(client.get("/soon"))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* only).closedUntil, Option.some(DateTime.unsafeMake(61_000)))
    }), api)
  })

  it.effect("comes once for a crowd, though its seconds are rounded up", () => {
    const busy = (seconds: number) => Fake.reply(429, null, { "retry-after": String(seconds) })
    const api = Fake.makeFakeApi({ "/slow": Effect.delay(busy(60), "2500 millis"), "/fast": Effect.delay(busy(59), "100 millis") })
    return against(Effect.gen(function*() {
      const client = parts({ retry: RetryPolicy.make({ schedule: RetryPolicy.none }) })
      yield* TestClock.adjust("500 millis")
      yield* Effect.fork(Effect.exit(client.get("/slow")))
      yield* TestClock.adjust("600 millis")
      yield* Effect.fork(Effect.exit(client.get("/fast")))
      yield* TestClock.adjust("2 seconds")
      // Both are about a window that ends at 60 seconds: one was told so at 0.9, the other at 1.1.
      assert.deepStrictEqual((yield* only).closedUntil, Option.some(DateTime.unsafeMake(60_200)))
    }), api)
  })

  it.effect("with both limits used up is about the day", () => {
    const busy = {
      "retry-after": "100",
      "x-burstlimit-limit": "5",
      "x-burstlimit-remaining": "0",
      "x-ratelimit-limit": "100",
      "x-ratelimit-remaining": "0"
    }
    const api = Fake.makeFakeApi({ "/parts": Fake.reply(429, null, busy) })
    return against(Effect.gen(function*() {
      const client = parts({ retry: RetryPolicy.make({ schedule: RetryPolicy.none }) })
      for (let n = 0; n < 2; n++) assert.deepInclude({ ...(yield* Effect.flip(client.get("/parts"))) }, { _tag: "RateLimited", limit: "daily" })
      assert.strictEqual(api.arrived.length, 1)
    }), api)
  })

  it.effect("about one limit says nothing of when another one is reset", () => {
    const busy = {
      "retry-after": "10",
      "x-burstlimit-limit": "5",
      "x-burstlimit-remaining": "0",
      "x-burstlimit-reset": "60",
      "x-ratelimit-limit": "100",
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": "20000"
    }
    const api = Fake.makeFakeApi({ "/parts": Fake.reply(429, null, busy) })
    return against(Effect.gen(function*() {
      yield* Effect.exit(parts({ limit: () => "burst", retry: RetryPolicy.make({ schedule: RetryPolicy.none }) }).get("/parts"))
      assert.deepStrictEqual((yield* only).windows.map(({ limit, resetAt }) => [limit, Option.map(resetAt, DateTime.toEpochMillis)]), [
        ["burst", Option.some(10_000)],
        ["daily", Option.some(20_000_000)]
      ])
    }), api)
  })

  it.effect("about the day is about the day, whatever else is used up", () => {
    const busy = { "retry-after": "30", "x-burstlimit-limit": "5", "x-burstlimit-remaining": "0", "x-burstlimit-reset": "60" }
    const api = Fake.makeFakeApi({ "/parts": Fake.reply(429, null, busy) })
    return against(Effect.gen(function*() {
      const client = parts({ limit: () => "daily", retry: RetryPolicy.make({ schedule: RetryPolicy.none }) })
      yield* Effect.exit(client.get("/parts"))
      const error = yield* Effect.flip(client.get("/parts"))
      assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "daily" })
      assert.strictEqual(api.arrived.length, 1)
    }), api)
  })

  it.effect("that asks for a year is obeyed for a day", () => {
    const api = Fake.makeFakeApi({ "/parts": [Fake.reply(429, null, { "retry-after": "31536000" }), Fake.ok] })
    return against(Effect.gen(function*() {
      const client = parts({ retry: RetryPolicy.make({ patience: "2 days" }) })
      yield* Effect.flip(client.get("/parts"))
      yield* Fake.passing(client.get("/parts"), "1 day")
      assert.deepStrictEqual(api.arrived.map(({ at }) => at), [0, day])
    }), api)
  })

  it.effect("without a Retry-After says when its limit is reset, and closes the gate until then", () => {
    const busy = { "x-burstlimit-limit": "5", "x-burstlimit-remaining": "0", "x-burstlimit-reset": "20" }
    const api = Fake.makeFakeApi({ "/parts": [Fake.reply(429, null, busy), Fake.ok] })
    return against(Effect.gen(function*() {
      const error = yield* Effect.flip(parts({ retry: RetryPolicy.make({ schedule: RetryPolicy.none }) }).get("/parts"))
      assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "burst" })
      assert.strictEqual(error._tag === "RateLimited" && error.retryAt.epochMillis, 20_000)
      yield* Fake.passing(parts().get("/parts"), "20 seconds")
      assert.deepStrictEqual(second(api), [0, 20])
    }), api)
  })

  it.effect("with nothing left and no time to wait is about a window that ends within the second", () => {
    const busy = { "x-burstlimit-limit": "5", "x-burstlimit-remaining": "0", "x-burstlimit-reset": "0" }
    const api = Fake.makeFakeApi({ "/parts": [Fake.reply(429, null, busy), Fake.ok] })
    return against(Effect.gen(function*() {
      yield* Effect.exit(parts({ retry: RetryPolicy.make({ schedule: RetryPolicy.none }) }).get("/parts"))
      yield* Fake.passing(parts().get("/parts"), "1 second")
      assert.deepStrictEqual(second(api), [0, 1])
    }), api)
  })

  it.effect("without any word of time closes nothing", () => {
    const api = Fake.makeFakeApi({ "/parts": [Fake.reply(429), Fake.ok] })
    return against(Effect.gen(function*() {
      yield* Effect.flip(parts({ retry: RetryPolicy.make({ schedule: RetryPolicy.none }) }).get("/parts"))
      yield* parts().get("/parts")
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
    }), api)
  })
})

describe("every request of a request", () => {
  it.effect("that is tried again waits for its turn", () => {
    const { limited } = limitedBy(perMinute(2))
    const api = Fake.makeFakeApi({ "/parts": limited.answer, "/flaky": [Fake.reply(503), Fake.reply(503), Fake.ok] })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(2) })
      yield* client.get("/parts")
      const flaky = yield* Effect.fork(client.get("/flaky"))
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(flaky)
      assert.deepStrictEqual(second(api).map((at) => Math.floor(at / 60)), [0, 0, 1, 1])
    }), api)
  })

  it.effect("that is tried again waits no longer than its patience", () => {
    const { limited } = limitedBy(perMinute(2))
    const api = Fake.makeFakeApi({ "/parts": limited.answer, "/flaky": Fake.reply(503) })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(2), retry: RetryPolicy.make({ patience: "10 seconds" }) })
      yield* client.get("/parts")
      const error = yield* Fake.passing(Effect.flip(client.get("/flaky")), "10 seconds")
      assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "burst" })
      assert.strictEqual(api.arrived.length, 2)
    }), api)
  })

  for (const [how, failing] of [["an answer", Fake.reply(503)], ["no answer", Fake.dropped()]] as const) it.effect(`that is tried again after ${how} waits no longer than the deadline of its policy, which begins with the first attempt`, () => {
    const { limited } = limitedBy(perMinute(1))
    const api = Fake.makeFakeApi({ "/parts": limited.answer, "/flaky": failing })
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(1), retry: RetryPolicy.make({ patience: "3 minutes", deadline: "90 seconds" }) })
      yield* client.get("/parts")
      const flaky = yield* Effect.fork(Effect.flip(client.get("/flaky")))
      yield* TestClock.adjust("10 minutes")
      const error = yield* Fiber.join(flaky)
      assert.deepInclude({ ...error }, { _tag: "RateLimited", limit: "burst" })
      // The first attempt at 60 s, the second at 120 s; the third would have been at 180 s.
      assert.deepStrictEqual(second(api).map(Math.floor), [0, 60, 120])
    }), api)
  })

  it.effect("that is sent again with a new token waits for its turn", () =>
    Effect.gen(function*() {
      const { flow } = yield* makeFake({ takes: 0 })
      const api = Fake.makeFakeApi({
        "/parts": ({ headers }) => headers["authorization"] === "Bearer token-1" ? Fake.reply(401, null, { "x-burstlimit-limit": "1", "x-burstlimit-remaining": "0", "x-burstlimit-reset": "20" }) : Fake.ok
      })
      yield* Fake.passing(parts({ limits: perMinute(1) }).get("/parts"), "20 seconds").pipe(
        Effect.provide(Layer.merge(Credentials.layer(Acme, flow), api.client))
      )
      assert.deepStrictEqual(second(api), [0, 20])
    }))

  it.effect("that follows a redirect waits for its turn", () => {
    const { limited } = limitedBy(perMinute(1))
    const api = Fake.makeFakeApi({ "/old": Fake.redirectTo(307, "/parts"), "/parts": limited.answer })
    return against(Effect.gen(function*() {
      yield* Fake.passing(parts({ limits: perMinute(1) }).get("/old"), "1 minute")
      assert.deepStrictEqual(second(api), [0, 60])
    }), api)
  })

  it.effect("that must not be repeated was not sent, and says so, when it is refused", () => {
    const { api } = limitedBy({ daily: 1 })
    return against(Effect.gen(function*() {
      const post = parts().post("/parts", { body: HttpBody.text("{}", "application/json") })
      yield* post
      assert.strictEqual((yield* Effect.flip(post))._tag, "RateLimited")
      assert.strictEqual(api.arrived.length, 1)
    }), api)
  })
})

describe("a clock", () => {
  it.effect("that is put forward opens what is over by then", () => {
    const { api } = limitedBy(perMinute(2))
    return against(Effect.gen(function*() {
      const client = parts({ limits: perMinute(2) })
      const fibers = yield* inOrder(4, () => client.get("/parts"))
      yield* settled
      yield* TestClock.setTime(7 * day)
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(api.arrived.length, 4)
    }), api)
  })

  for (const jump of [-60_000, -3_600_000, -10 * 365 * day]) {
    it.effect(`that is put back by ${-jump / 1000} seconds makes nobody wait longer than the window`, () => {
      // An error says nothing of limits: what was declared holds.
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(404) })
      return Effect.gen(function*() {
        const { off, show } = yield* shown
        yield* TestClock.setTime(20 * 365 * day)
        yield* against(Effect.gen(function*() {
          const get = Effect.exit(parts({ limits: perMinute(2) }).get("/parts")).pipe(Effect.withClock(show))
          yield* times(2, () => get)
          const fibers = yield* inOrder(2, () => get)
          yield* TestClock.adjust("10 seconds")
          off.millis = jump
          yield* TestClock.adjust("50 seconds")
          yield* Effect.forEach(fibers, Fiber.join)
          assert.strictEqual(api.arrived.length, 4)
        }), api)
      })
    })

    it.effect(`that is put back by ${-jump / 1000} seconds makes nobody who comes then wait longer than the window`, () => {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(404) })
      return against(Effect.gen(function*() {
        yield* TestClock.setTime(20 * 365 * day)
        const get = Effect.exit(parts({ limits: perMinute(2) }).get("/parts"))
        yield* times(2, () => get)
        yield* TestClock.setTime(20 * 365 * day + jump)
        const minute = RetryPolicy.withPolicy(RetryPolicy.make({ patience: "1 minute" }))
        const late = yield* Effect.fork(minute(get))
        yield* TestClock.adjust("59 seconds")
        assert.strictEqual(api.arrived.length, 2)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(late)
        assert.strictEqual(api.arrived.length, 3)
      }), api)
    })
  }

  it.effect("that is put back keeps a gate closed for no longer than was asked for", () => {
    const api = Fake.makeFakeApi({ "/parts": [Fake.reply(429, null, { "retry-after": "60" }), Fake.ok] })
    return Effect.gen(function*() {
      const { off, show } = yield* shown
      yield* against(Effect.gen(function*() {
        const get = parts({ retry: RetryPolicy.make({ patience: "90 seconds", schedule: RetryPolicy.none }) }).get("/parts").pipe(Effect.withClock(show))
        yield* Effect.exit(get)
        const waiting = yield* Effect.fork(get)
        yield* TestClock.adjust("40 seconds")
        // Nobody looks at it before the gate opens: it shows 30 seconds then.
        off.millis = -30_000
        yield* TestClock.adjust("20 seconds")
        yield* Fiber.join(waiting)
        assert.strictEqual(api.arrived.length, 2)
      }), api)
    })
  })

  it.effect("that is put back is the one by which it is said when to come back", () => {
    const api = Fake.makeFakeApi({ "/parts": Fake.reply(404) })
    return against(Effect.gen(function*() {
      yield* TestClock.setTime(20 * 365 * day)
      const get = parts({ limits: perMinute(1), retry: RetryPolicy.make({ patience: 0 }) }).get("/parts")
      yield* Effect.exit(get)
      yield* TestClock.setTime(365 * day)
      const error = yield* Effect.flip(get)
      assert.strictEqual(error._tag === "RateLimited" && error.retryAt.epochMillis, 365 * day + minute)
      const resetAt = (yield* only).windows.map(({ resetAt }) => Option.map(resetAt, DateTime.toEpochMillis))
      assert.deepStrictEqual(resetAt, [Option.some(365 * day + minute)])
    }), api)
  })

  it.effect("that is put back while requests wait wakes them all the same, as soon as another request shows it", () => {
    const api = Fake.makeFakeApi({ "/parts": Fake.reply(404) })
    return against(Effect.gen(function*() {
      yield* TestClock.setTime(20 * 365 * day)
      const get = Effect.exit(parts({ limits: perMinute(2) }).get("/parts"))
      const fibers = yield* inOrder(4, () => get)
      yield* settled
      // A TestClock wakes nobody before it has come to where it was.
      yield* TestClock.setTime(day)
      const late = yield* Effect.fork(get)
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(fibers, Fiber.join)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(late)
      assert.strictEqual(api.arrived.length, 5)
    }), api)
  })
})

describe("separate budgets", () => {
  class Other extends Credentials.Tag("Other")<Other>() {}

  it.effect("are those of two products of one account", () => {
    const { api, limited } = limitedBy({ headers: false })
    return against(Effect.gen(function*() {
      const hang = Fake.makeFakeApi({ "/parts": Fake.hanging })
      const one = parts({ limits: perMinute(3) })
      const other = parts({ product: "Orders", limits: perMinute(5) })
      yield* inOrder(10, () => one.get("/parts")).pipe(Effect.provide(hang.client))
      yield* settled
      assert.strictEqual(hang.arrived.length, 3)
      yield* inOrder(10, () => other.get("/parts")).pipe(Effect.provide(hang.client))
      yield* settled
      assert.strictEqual(hang.arrived.length, 8)
      assert.deepStrictEqual((yield* RateLimits.snapshot(Acme)).map(({ product, waiting }) => [product, waiting]), [
        ["Parts", 7],
        ["Orders", 5]
      ])
      assert.deepStrictEqual(limited.statuses, [])
    }), api)
  })

  it.effect("are those of one product of two accounts", () => {
    const hang = Fake.makeFakeApi({ "/parts": Fake.hanging })
    const others = ApiClient.make(Other, { product: "Parts", retry: patient, limits: perMinute(3) })
    return against(Effect.gen(function*() {
      yield* inOrder(10, () => parts({ limits: perMinute(3) }).get("/parts"))
      yield* settled
      assert.strictEqual(hang.arrived.length, 3)
      yield* inOrder(10, () => others.get("/parts"))
      yield* settled
      assert.strictEqual(hang.arrived.length, 6)
    }), hang).pipe(Effect.provide(Credentials.layerTest(Other, { baseUrl: base })))
  })

  it.effect("are those of two Layers of one identity", () => {
    const hang = Fake.makeFakeApi({ "/parts": Fake.hanging })
    const three = Effect.zipRight(inOrder(10, () => parts({ limits: perMinute(3) }).get("/parts")), settled)
    return Effect.gen(function*() {
      yield* against(three, hang)
      yield* against(three, hang)
      assert.strictEqual(hang.arrived.length, 6)
    })
  })

  it.effect("are not those of two clients of one product and one Layer", () => {
    const hang = Fake.makeFakeApi({ "/parts": Fake.hanging })
    return against(Effect.gen(function*() {
      yield* inOrder(10, () => parts({ limits: perMinute(3) }).get("/parts"))
      yield* inOrder(10, () => parts({ limits: perMinute(3) }).get("/parts"))
      yield* settled
      assert.strictEqual(hang.arrived.length, 3)
    }), hang)
  })

  it.effect("are kept for each client where credentials were made by hand", () => {
    const hang = Fake.makeFakeApi({ "/parts": Fake.hanging })
    return against(Effect.gen(function*() {
      const { rateLimits: _, ...byHand } = yield* Acme
      const made = Layer.succeed(Acme, byHand)
      const client = parts({ limits: perMinute(3) })
      yield* inOrder(10, () => client.get("/parts")).pipe(Effect.provide(made))
      yield* settled
      assert.strictEqual(hang.arrived.length, 3)
      assert.deepStrictEqual(yield* RateLimits.snapshot(Acme).pipe(Effect.provide(made)), [])
      assert.deepStrictEqual(yield* Stream.runCollect(RateLimits.changes(Acme)).pipe(Effect.provide(made)), Chunk.empty())
      assert.deepStrictEqual(yield* Stream.runCollect(RateLimits.events(Acme)).pipe(Effect.provide(made)), Chunk.empty())
    }), hang)
  })
})

describe("pacing", () => {
  it.effect("can be left out for one effect: its requests are counted, and wait for nobody", () => {
    const { api, limited } = limitedBy(perMinute(2))
    return against(Effect.gen(function*() {
      const client = parts({ retry: RetryPolicy.make({ schedule: RetryPolicy.none, patience: "1 hour" }) })
      yield* client.get("/parts")
      const exits = yield* times(3, () => Effect.exit(client.get("/parts"))).pipe(RateLimits.withoutPacing)
      assert.deepStrictEqual(limited.statuses, [200, 200, 429, 429])
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
      assert.strictEqual(yield* remaining("burst"), 0)
      assert.isTrue(yield* RateLimits.isPaced)
    }), api)
  })

  it.effect("can be left out for one client", () => {
    const { api, limited } = limitedBy(perMinute(2))
    return against(Effect.gen(function*() {
      const client = parts({ pacing: false, retry: RetryPolicy.make({ schedule: RetryPolicy.none }) })
      for (let n = 0; n < 4; n++) yield* Effect.exit(client.get("/parts"))
      assert.deepStrictEqual(limited.statuses, [200, 200, 429, 429])
      assert.strictEqual(yield* remaining("burst"), 0)
    }), api)
  })
})

describe("a Layer that ends", () => {
  it.effect("tells those who wait, and leaves nothing running", () =>
    Effect.gen(function*() {
      const { flow } = yield* makeFake({ takes: 0 })
      const { api } = limitedBy(perMinute(2))
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.merge(Credentials.layer(Acme, flow), api.client), scope)
      const get = parts({ limits: perMinute(2) }).get("/parts").pipe(Effect.provide(context))
      yield* get
      yield* get
      const fibers = yield* inOrder(10, () => Effect.flip(get))
      yield* settled
      yield* Scope.close(scope, Exit.void)
      const errors = yield* Effect.forEach(fibers, Fiber.join)
      for (const error of errors) assert.deepInclude({ ...error }, { _tag: "TokenEndpointUnavailable", reason: "Closed" })
      assert.strictEqual(api.arrived.length, 2)
      assert.strictEqual((yield* Effect.flip(get))._tag, "TokenEndpointUnavailable")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* TestClock.sleeps(), Chunk.empty())
    }))

  it.effect("ends the streams of those who watch", () =>
    Effect.gen(function*() {
      const { api } = limitedBy(perMinute(2))
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.merge(account(), api.client), scope)
      yield* parts().get("/parts").pipe(Effect.provide(context))
      const changes = yield* Effect.fork(Stream.runCollect(RateLimits.changes(Acme)).pipe(Effect.provide(context)))
      const events = yield* Effect.fork(Stream.runCollect(RateLimits.events(Acme)).pipe(Effect.provide(context)))
      yield* settled
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(Chunk.size(yield* Fiber.join(changes)), 1)
      assert.strictEqual(Chunk.size(yield* Fiber.join(events)), 0)
      const late = yield* Stream.runCollect(RateLimits.changes(Acme)).pipe(Effect.provide(context))
      assert.strictEqual(Chunk.size(late), 1)
    }))
})

describe("what can be seen", () => {
  it.effect("is how every limit stands", () => {
    const { api } = limitedBy({ ...perMinute(5), daily: 100 })
    return against(Effect.gen(function*() {
      yield* TestClock.setTime(20 * 3_600_000)
      const client = parts({ limits: perMinute(7) })
      assert.deepStrictEqual(yield* RateLimits.snapshot(Acme), [])
      yield* times(6, () => Effect.fork(client.get("/parts")))
      yield* settled
      const identity = (yield* Acme).identity.hash
      assert.deepStrictEqual(yield* RateLimits.snapshot(Acme), [{
        identity,
        provider: "test",
        product: "Parts",
        windows: [
          {
            name: "X-BurstLimit",
            limit: "burst",
            declared: false,
            requests: Option.some(5),
            remaining: Option.some(0),
            resetAt: Option.some(DateTime.unsafeMake(20 * 3_600_000 + minute))
          },
          {
            name: "X-RateLimit",
            limit: "daily",
            declared: false,
            requests: Option.some(100),
            remaining: Option.some(95),
            resetAt: Option.some(DateTime.unsafeMake(day))
          }
        ],
        inFlight: 0,
        waiting: 1,
        closedUntil: Option.none()
      }])
      yield* TestClock.adjust("2 minutes")
      const { waiting, windows } = yield* only
      assert.strictEqual(waiting, 0)
      assert.deepInclude(windows[0], { remaining: Option.some(5), resetAt: Option.none() })
    }), api)
  })

  it.effect("has no secret in it, whatever a server calls its limits", () => {
    const accessToken = `secret-${"0123456789".repeat(12)}`
    const token = Token.make({
      accessToken,
      issuedAt: DateTime.unsafeMake(0),
      expiresAt: DateTime.unsafeMake("2999-01-01T00:00:00Z")
    })
    const named = `"key ${accessToken}";r=5;t=60, "${btoa(accessToken)}";r=5;t=60, "${"long".repeat(50)}";r=5;t=60`
    const api = Fake.makeFakeApi({ "/parts": Fake.json({}, 200, { "RateLimit": named }) })
    return against(Effect.gen(function*() {
      yield* parts({ limits: perMinute(10) }).get("/parts")
      yield* parts().get("/parts")
      assert.deepStrictEqual((yield* only).windows.map(({ name, remaining }) => [name, remaining]), [
        ["key <redacted>", Option.some(4)],
        ["<redacted>", Option.some(4)],
        ["long".repeat(16), Option.some(4)]
      ])
    }), api, { token: Effect.succeed(token) })
  })

  it.effect("is every change: how it stands first, then each product that moved, and the last state always", () => {
    const { api } = limitedBy(perMinute(50))
    return against(Effect.gen(function*() {
      const seen = yield* Ref.make<ReadonlyArray<RateLimits.Snapshot>>([])
      const watching = yield* Effect.fork(
        Stream.runForEach(RateLimits.changes(Acme), (it) => Ref.update(seen, Arr.append(it)))
      )
      yield* settled
      yield* parts().get("/parts")
      yield* settled
      yield* times(40, () => parts().get("/parts"))
      yield* settled
      const states = yield* Ref.get(seen)
      assert.isAbove(states.length, 1)
      const last = Option.getOrThrow(Arr.last(states))
      assert.deepStrictEqual(last.windows.map(({ remaining }) => remaining), [Option.some(9)])
      assert.strictEqual(last.inFlight, 0)
      yield* Fiber.interrupt(watching)
    }), api)
  })

  it.effect("is what happens: held back, let go, refused, exceeded", () => {
    const { api, limited } = limitedBy(perMinute(2))
    return against(Effect.gen(function*() {
      const identity = (yield* Acme).identity.hash
      const watching = yield* Effect.fork(Stream.runCollect(Stream.take(RateLimits.events(Acme), 4)))
      yield* settled
      const client = parts({ limits: perMinute(2), retry: RetryPolicy.make({ patience: "1 minute", schedule: RetryPolicy.none }) })
      const fibers = yield* inOrder(4, () => client.get("/parts"))
      yield* settled
      yield* Effect.flip(client.get("/parts"))
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(fibers, Fiber.join)
      yield* Effect.flip(client.get("/parts").pipe(RateLimits.withoutPacing))
      const until = DateTime.unsafeMake(minute)
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Fiber.join(watching)), [
        RateLimitEvent.Throttled({ identity, product: "Parts", limit: "burst", until }),
        RateLimitEvent.Refused({ identity, product: "Parts", limit: "burst", retryAt: DateTime.unsafeMake(2 * minute) }),
        RateLimitEvent.Resumed({ identity, product: "Parts" }),
        RateLimitEvent.Exceeded({ identity, product: "Parts", limit: "burst", retryAt: Option.some(DateTime.unsafeMake(2 * minute)) })
      ])
      assert.deepStrictEqual(limited.statuses, [200, 200, 200, 200, 429])
    }), api)
  })

  it.effect("skips states for whoever watches slowly, and is not behind when it reads again", () => {
    const { api } = limitedBy(perMinute(1000))
    return against(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const seen = yield* Ref.make<ReadonlyArray<RateLimits.Snapshot>>([])
      yield* Effect.fork(Stream.runForEach(RateLimits.changes(Acme), (it) =>
        Effect.zipRight(Deferred.await(gate), Ref.update(seen, Arr.append(it)))))
      yield* settled
      yield* times(100, () => parts().get("/parts"))
      yield* settled
      yield* Deferred.succeed(gate, void 0)
      yield* settled
      const states = yield* Ref.get(seen)
      assert.isAtMost(states.length, 3)
      assert.deepStrictEqual(Arr.last(states).pipe(Option.map(({ windows }) => windows.map(({ remaining }) => remaining))), Option.some([Option.some(900)]))
    }), api)
  })

  it.effect("loses the oldest events for whoever reads slowly", () => {
    const api = Fake.makeFakeApi({ "/parts": Fake.reply(429, null, { "retry-after": "30" }) })
    return against(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const seen = yield* Ref.make<ReadonlyArray<RateLimitEvent.RateLimitEvent>>([])
      yield* Effect.fork(Stream.runForEach(RateLimits.events(Acme), (it) =>
        Effect.zipRight(Deferred.await(gate), Ref.update(seen, Arr.append(it)))))
      yield* settled
      const client = parts({ pacing: false, retry: RetryPolicy.make({ schedule: RetryPolicy.none }) })
      for (let n = 0; n < 200; n++) {
        yield* Effect.exit(client.get("/parts"))
        yield* TestClock.adjust("1 second")
      }
      yield* Deferred.succeed(gate, void 0)
      yield* settled
      const events = yield* Ref.get(seen)
      assert.isAtMost(events.length, 70)
      const { identity } = yield* Acme
      assert.deepStrictEqual(
        Arr.last(events),
        Option.some(RateLimitEvent.Exceeded({ identity: identity.hash, product: "Parts", limit: "unknown", retryAt: Option.some(DateTime.unsafeMake(229_000)) }))
      )
    }), api)
  })

  it.effect("delays nothing when whoever watches is slow, or never reads", () => {
    const { api } = limitedBy(perMinute(1000))
    return against(Effect.gen(function*() {
      yield* Effect.fork(Stream.runForEach(RateLimits.changes(Acme), () => Effect.never))
      yield* Effect.fork(Stream.runForEach(RateLimits.events(Acme), () => Effect.never))
      yield* settled
      yield* times(500, () => parts().get("/parts"))
      assert.strictEqual(yield* remaining("burst"), 500)
    }), api)
  })

  it.effect("are counts of waits, refusals and 429s, and how long was waited", () => {
    const { api } = limitedBy(perMinute(2))
    /** The state of a metric of this product, as it would be exported. */
    const state = (name: string) =>
      Effect.map(Metric.snapshot, (all) =>
        all.filter(({ metricKey: { name: other, tags } }) =>
          name === other && tags.some(({ key, value }) => key === "product" && value === "Metered")
        ).map(({ metricKey: { tags }, metricState }) => ({
          ...JSON.parse(JSON.stringify(metricState)),
          limit: tags.find(({ key }) => key === "limit")?.value
        })))
    return against(Effect.gen(function*() {
      const product = "Metered"
      const client = parts({ product, limits: perMinute(2), retry: RetryPolicy.make({ patience: "1 minute", schedule: RetryPolicy.none }) })
      const fibers = yield* inOrder(4, () => client.get("/parts"))
      yield* settled
      yield* Effect.flip(client.get("/parts"))
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(fibers, Fiber.join)
      yield* Effect.flip(client.get("/parts").pipe(RateLimits.withoutPacing))
      assert.deepInclude((yield* state("ratelimit_waits_total"))[0], { count: 2 })
      assert.deepInclude((yield* state("ratelimit_refusals_total"))[0], { count: 1, limit: "burst" })
      assert.deepInclude((yield* state("ratelimit_exceeded_total"))[0], { count: 1 })
      assert.deepInclude((yield* state("ratelimit_wait_duration_seconds"))[0], { count: 2, sum: 120 })
    }), api)
  })
})

describe("any headers at all", () => {
  const count = FastCheck.oneof(
    FastCheck.nat({ max: 200 }).map(String),
    FastCheck.nat().map(String),
    FastCheck.constantFrom("0", "1", "-1", "x", "", "999999999999999")
  )
  const reset = FastCheck.oneof(
    FastCheck.nat({ max: 120 }).map(String),
    FastCheck.nat({ max: 4_000_000 }).map(String),
    FastCheck.constantFrom("0", "-1", "x", "1e9", "1748854860", "1748854860000", "99999999", "2025-06-02T09:01:00Z")
  )
  const structured = FastCheck.array(
    FastCheck.tuple(FastCheck.constantFrom("a", "b", "daily", "e"), count, reset, count, reset),
    { maxLength: 3 }
  ).map((members) => ({
    "ratelimit": members.map(([name, r, t]) => `"${name}";r=${r};t=${t}`).join(","),
    "ratelimit-policy": members.map(([name, , , q, w]) => `"${name}";q=${q};w=${w}`).join(",")
  }))
  const flat = FastCheck.record({
    "x-ratelimit-limit": count,
    "x-ratelimit-remaining": count,
    "x-ratelimit-reset": reset,
    "x-burstlimit-limit": count,
    "x-burstlimit-remaining": count,
    "x-burstlimit-reset": reset,
    "ratelimit-limit": count,
    "ratelimit-remaining": count,
    "ratelimit-reset": reset,
    "retry-after": FastCheck.oneof(reset, FastCheck.constant("Mon, 02 Jun 2025 09:01:00 GMT")),
    "date": FastCheck.constantFrom("Mon, 02 Jun 2025 09:00:00 GMT", "x")
  }, { requiredKeys: [] })
  const reply = FastCheck.record({
    headers: FastCheck.oneof(flat, structured, FastCheck.tuple(flat, structured).map(([left, right]) => ({ ...left, ...right }))),
    status: FastCheck.constantFrom(200, 200, 200, 401, 404, 429, 503),
    latency: FastCheck.constantFrom(0, 0, 10, 1000, 45_000, 100_000),
    pause: FastCheck.constantFrom(0, 0, 1, 1000, 30_000, 60_000, 3_600_000, -3_600_000, day)
  })

  it.effect.prop(
    "leave a legal state, in which nobody waits for ever",
    [FastCheck.array(reply, { minLength: 1, maxLength: 25 }), FastCheck.boolean()],
    ([replies, isDeclared]) => {
      const api = Fake.makeFakeApi({
        "/parts": ({ earlier }) => {
          const { headers, latency, status } = Option.getOrElse(Arr.get(replies, earlier), () => ({ headers: {}, latency: 0, status: 200 }))
          return Effect.delay(Effect.sync(() => new Response("{}", { status, headers })), latency)
        }
      })
      return against(Effect.gen(function*() {
        yield* TestClock.setTime(Date.UTC(2025, 5, 2, 9))
        const client = parts({
          limits: isDeclared ? { ...perMinute(10), daily: 50 } : undefined,
          retry: RetryPolicy.make({ schedule: RetryPolicy.none, patience: "40 days" })
        })
        const legal = Effect.gen(function*() {
          const now = yield* Clock.currentTimeMillis
          for (const { closedUntil, inFlight, waiting, windows } of yield* RateLimits.snapshot(Acme)) {
            assert.isTrue(Number.isSafeInteger(inFlight) && inFlight >= 0 && Number.isSafeInteger(waiting) && waiting >= 0)
            assert.isAtMost(windows.length, 8)
            for (const { remaining, requests, resetAt } of windows) {
              const most = Option.getOrElse(requests, () => Number.POSITIVE_INFINITY)
              assert.isTrue(most >= 1)
              if (Option.isSome(remaining)) {
                assert.isTrue(Number.isSafeInteger(remaining.value) && remaining.value >= 0 && remaining.value <= most)
              }
              // What was used up comes back.
              assert.isTrue(Option.isSome(resetAt) || Option.getEquivalence(Object.is)(remaining, requests))
              if (Option.isSome(resetAt)) {
                assert.isTrue(resetAt.value.epochMillis > now && resetAt.value.epochMillis <= now + 31 * day)
              }
            }
            if (Option.isSome(closedUntil)) {
              assert.isTrue(closedUntil.value.epochMillis > now && closedUntil.value.epochMillis <= now + day)
            }
          }
        })
        const fibers: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
        for (const { pause } of replies) {
          fibers.push(yield* Effect.fork(Effect.exit(client.get("/parts"))))
          yield* settled
          yield* legal
          if (pause > 0) yield* TestClock.adjust(pause)
          if (pause < 0) yield* Effect.flatMap(Clock.currentTimeMillis, (now) => TestClock.setTime(now + pause))
          yield* legal
        }
        yield* TestClock.adjust("41 days")
        yield* legal
        const ends = yield* Effect.forEach(fibers, Fiber.poll)
        assert.isTrue(ends.every(Option.isSome), "somebody still waits")
        assert.deepInclude(yield* only, { waiting: 0, inFlight: 0 })
      }), api)
    },
    { fastCheck: { numRuns: 60 }, timeout: 120_000 }
  )
})

describe("against a server of any kind, alone", () => {
  it.effect.prop(
    "no request is refused after the first reply, and all are done in the time that the windows take",
    [FastCheck.record({
      requests: FastCheck.integer({ min: 2, max: 30 }),
      window: FastCheck.constantFrom(10, 60),
      aligned: FastCheck.boolean(),
      callers: FastCheck.integer({ min: 1, max: 60 }),
      calls: FastCheck.integer({ min: 1, max: 120 }),
      latency: FastCheck.constantFrom(0, 5, 300, 900),
      seed: FastCheck.integer(),
      start: FastCheck.integer({ min: 0, max: 60_000 })
    })],
    ([{ aligned, callers, calls, latency, requests, seed, start, window }]) => {
      const random = Random.make(seed)
      const { api, limited } = limitedBy({
        burst: { requests, per: Duration.seconds(window) },
        aligned,
        latency: () => latency === 0 ? 0 : Effect.runSync(random.nextIntBetween(1, latency + 1))
      })
      return against(Effect.gen(function*() {
        yield* TestClock.setTime(Date.UTC(2025, 5, 2, 9) + start)
        const client = parts({ limits: { burst: { requests, per: Duration.seconds(window) } }, retry: RetryPolicy.make({ patience: "10 hours", schedule: RetryPolicy.none }) })
        const from = yield* Clock.currentTimeMillis
        const done = yield* Effect.fork(
          Effect.zipRight(
            Effect.forEach(Arr.range(1, calls), () => client.get("/parts"), { concurrency: callers, discard: true }),
            Clock.currentTimeMillis
          )
        )
        // Every window may be late by a reply and by the rounding of its seconds.
        const windows = Math.ceil(calls / requests)
        const most = windows * (window * 1000 + latency + 1000) + latency * Math.ceil(calls / callers)
        yield* TestClock.adjust(most)
        assert.isTrue(Option.isSome(yield* Fiber.poll(done)), `not done after ${most} ms`)
        assert.isAtMost((yield* Fiber.join(done)) - from, most)
        assert.deepStrictEqual(limited.statuses, Arr.replicate(200, calls))
      }), api)
    },
    { fastCheck: { numRuns: 60 }, timeout: 120_000 }
  )
})
