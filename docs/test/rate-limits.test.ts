/** The programs of docs/rate-limits.md, and its plot. */
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { HttpServerResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, ConfigProvider, Effect, Either, Fiber, Layer, Logger, LogLevel, Redacted, TestClock } from "effect"
import { Credentials, RateLimits } from "effect-credentials"
import { InMemoryHttp } from "effect-credentials/testing"
import * as Fs from "node:fs"
import * as Loopback from "../examples/quick-start/loopback.js"
import * as Plot from "../examples/rate-limits-plot.js"
import * as Simulation from "../examples/rate-limits-simulation.js"
import * as RateLimitsExample from "../examples/rate-limits.js"
import { recorded, text } from "./utils/recording.js"

const part = "NE555P"

/** Against the simulator in memory, which TestClock governs. */
const simulated = <A, E, R>(effect: Effect.Effect<A, E, R>, options?: DigiKeySimulator.Options) =>
  Effect.provide(effect, Layer.merge(DigiKeySimulator.layer(options), Logger.minimumLogLevel(LogLevel.None)))

const statuses = Effect.flatMap(DigiKeySimulator.DigiKeySimulator, ({ stats }) => Effect.map(stats, ({ byStatus }) => byStatus))

describe("rate-limits.ts", () => {
  it.effect("sends what may be sent now, and the rest a minute later", () =>
    simulated(Effect.gen(function*() {
      const fiber = yield* Effect.fork(RateLimitsExample.stocks(Arr.replicate(part, 200)))
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* statuses, { 200: 120 })
      yield* TestClock.adjust("31 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), Arr.replicate(48210, 200))
      assert.deepStrictEqual(yield* statuses, { 200: 200 })
    })))

  it.effect("says when to come back, where that is not within its patience", () =>
    simulated(Effect.gen(function*() {
      yield* RateLimitsExample.stocks(Arr.replicate(part, 3))
      const [, { out }] = yield* recorded(RateLimitsExample.report([part]))
      assert.deepStrictEqual(out, ["The daily limit is used up. Come back at 1970-01-02T00:00:00.000Z."])
      assert.deepStrictEqual(yield* statuses, { 200: 3 })
    }), { rateLimits: { daily: { limit: 3 } } }))

  it.effect("has the patience for one minute more, unless told otherwise", () =>
    simulated(Effect.gen(function*() {
      const crowd = yield* Effect.fork(Effect.forEach(
        Arr.replicate(part, 300),
        (part) => Effect.either(RateLimitsExample.stocks([part])),
        { concurrency: "unbounded" }
      ))
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual((yield* Fiber.join(crowd)).map(Either.isRight), Arr.makeBy(300, (n) => n < 240))
    })))

  it.effect("waits longer where nobody looks at the clock", () =>
    simulated(Effect.gen(function*() {
      const parts = Arr.replicate(part, 500)
      assert.isTrue(Either.isLeft(yield* Effect.either(RateLimitsExample.stocks(parts))), "with the usual patience")
      const fiber = yield* Effect.fork(RateLimitsExample.nightly(parts))
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* Fiber.join(fiber)).length, 500)
      assert.deepStrictEqual(Object.keys(yield* statuses), ["200"])
    })))

  it.effect("goes ahead of those who wait where it is urgent", () =>
    simulated(Effect.gen(function*() {
      yield* RateLimitsExample.stocks(Arr.replicate(part, 2))
      yield* Effect.fork(RateLimitsExample.stocks([part]))
      yield* TestClock.adjust(0)
      // Somebody else has given it back meanwhile.
      yield* (yield* DigiKeySimulator.DigiKeySimulator).setRateLimits({ burst: { limit: 3 } })
      assert.strictEqual(yield* RateLimitsExample.urgent(part), 48210)
    }), { rateLimits: { burst: { limit: 2 } } }))

  it.effect("knows what fits into the day", () =>
    simulated(Effect.gen(function*() {
      assert.isTrue(yield* RateLimitsExample.fits(5000), "nothing is known yet")
      yield* RateLimitsExample.stocks([part])
      assert.isTrue(yield* RateLimitsExample.fits(999))
      assert.isFalse(yield* RateLimitsExample.fits(1000))
    })))

  it.scoped("shows how it stands, and what happens", () =>
    simulated(Effect.gen(function*() {
      const [, { err, out }] = yield* recorded(Effect.gen(function*() {
        yield* Layer.build(Layer.merge(RateLimitsExample.Dashboard, RateLimitsExample.Alerts))
        yield* TestClock.adjust(0)
        const fiber = yield* Effect.fork(RateLimitsExample.stocks(Arr.replicate(part, 4)))
        yield* TestClock.adjust("30 seconds")
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
      }))
      assert.include(out, "Product Information, burst 0 of 3, daily 997 of 1000, 0 on their way, 1 waiting")
      assert.strictEqual(out.at(-1), "Product Information, burst 2 of 3, daily 996 of 1000, 0 on their way, 0 waiting")
      assert.deepStrictEqual(err, [
        "Product Information: requests wait for the burst limit, until 1970-01-01T00:01:00.000Z",
        "Product Information: none waits any more"
      ])
    }), { rateLimits: { burst: { limit: 3 } } }))

  it.effect("declares the limits of a provider of its own", () =>
    Effect.gen(function*() {
      let requests = 0
      const Server = InMemoryHttp.layer(Effect.sync(() => {
        requests += 1
        return HttpServerResponse.empty({ status: 404 })
      }))
      const world = yield* Layer.build(Layer.merge(Credentials.layerTest(RateLimitsExample.Acme), Server))
      yield* Effect.fork(Effect.replicateEffect(Effect.exit(RateLimitsExample.parts.get("/parts")), 31, { concurrency: "unbounded" }))
        .pipe(Effect.provide(world))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(requests, 30)
      const [parts] = yield* Effect.provide(RateLimits.snapshot(RateLimitsExample.Acme), world)
      assert.deepStrictEqual(parts?.windows.map(({ declared, limit }) => [limit, declared]), [["burst", true], ["daily", true]])
      assert.strictEqual(parts?.waiting, 1)
    }).pipe(Effect.scoped))

  it.live("is a whole program", () =>
    Effect.gen(function*() {
      const { clientId, clientSecret } = yield* (yield* DigiKeySimulator.DigiKeySimulator).credentials
      const variables = ConfigProvider.fromMap(new Map([
        ["DIGIKEY_CLIENT_ID", clientId],
        ["DIGIKEY_CLIENT_SECRET", Redacted.value(clientSecret)],
        ["DIGIKEY_ENVIRONMENT", "sandbox"],
        ["DIGIKEY_BASE_URL", yield* Loopback.url]
      ]))
      const [, { err, out }] = yield* recorded(Effect.withConfigProvider(RateLimitsExample.program, variables))
      assert.include(out, "In stock: 48210, 87120, 310220")
      assert.match(text(out), /^Product Information, burst \d+ of 120, daily \d+ of 1000, \d on their way, 0 waiting$/m)
      assert.deepStrictEqual(err, [])
    }).pipe(Effect.provide(Layer.merge(Loopback.layer(), Logger.minimumLogLevel(LogLevel.None)))))
})

describe("the plot", () => {
  it.live("is of a run in which pacing saves every 429 and costs no time", () =>
    Effect.gen(function*() {
      const { paced, unpaced } = yield* Simulation.runs
      const total = (run: Simulation.Run, what: keyof Simulation.Second) => run.reduce((sum, it) => sum + it[what], 0)
      assert.deepStrictEqual([total(paced, "answered"), total(unpaced, "answered")], [300, 300])
      assert.strictEqual(total(paced, "refused"), 0)
      assert.isAbove(total(unpaced, "refused"), 300)
      const svg = Plot.draw({ paced, unpaced })
      assert.strictEqual(Fs.readFileSync(Plot.file, "utf8"), svg, "run: npm run plot")
    }), 180_000)

  it("loads nothing, is small, and has words for who cannot see it", () => {
    const svg = Fs.readFileSync(Plot.file, "utf8")
    assert.isBelow(svg.length, 10_000)
    assert.notMatch(svg.replace("http://www.w3.org/2000/svg", ""), /https?:|<script|<image|@import|url\(|\bNaN\b|undefined/)
    assert.match(svg, /role="img" aria-labelledby="title desc"/)
    assert.match(svg, /<title id="title">.+<\/title>\n<desc id="desc">.+<\/desc>/)
    assert.include(svg, "prefers-color-scheme:dark")
  })
})
