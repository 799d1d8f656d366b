/** However badly things go: one payment. The simulator counts. */
import { type DigitzsApp, Payments } from "@effect-credentials/digitzs"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { HttpClient, HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Array, Effect, Layer, Logger, LogLevel, Random, Schedule } from "effect"
import { onIdleClock } from "./utils/idleClock.js"
import { tokenPayment, unkeyedBody } from "./utils/payments.js"

const { Fault } = DigitzsSimulator

/** What may happen to one call of `/payments`. */
const paymentFaults = [
  ...[500, 502, 503, 504].flatMap((status) => [Fault.Respond({ status }), Fault.Respond({ status, applied: true })]),
  Fault.Respond({ status: 429 }),
  Fault.Respond({ status: 408, applied: true }),
  Fault.Respond({ status: 303, headers: { location: "/payments/1" }, applied: true }),
  Fault.Respond({ status: 500, body: "<html>", applied: true }),
  Fault.Drop({}),
  Fault.Drop({ applied: true }),
  Fault.Drop({ applied: true }),
  Fault.Break()
]

const tokenFaults = [
  Fault.Respond({ status: 500 }),
  Fault.Respond({ status: 503, headers: { "retry-after": "120" } }),
  Fault.Respond({ status: 429 }),
  Fault.Drop({}),
  Fault.Drop({ applied: true }),
  Fault.Break()
]

const chance = (probability: number) => Effect.map(Random.next, (n) => n < probability)

/** Faults that lie ahead of one payment. */
const misfortune = (simulator: DigitzsSimulator.DigitzsSimulator) =>
  Effect.gen(function*() {
    yield* simulator.clearFaults
    for (let n = yield* Random.nextIntBetween(0, 4); n > 0; n--) {
      yield* simulator.failNext(yield* Random.choice(paymentFaults), { path: "/payments" })
    }
    for (let n = yield* Random.nextIntBetween(0, 2); n > 0; n--) {
      yield* simulator.failNext(yield* Random.choice(tokenFaults), { path: "/auth/token" })
    }
  }).pipe(Effect.orDie)

/** Tokens are revoked between any two requests. */
const unlucky = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(DigitzsSimulator.DigitzsSimulator, (simulator) =>
    HttpClient.tapRequest(simulator.httpClient, (request) =>
      Effect.whenEffect(simulator.revokeTokens, request.url.endsWith("/payments") ? chance(0.1) : Effect.succeed(false))))
)

const runsInEach = 40

type World = DigitzsSimulator.DigitzsSimulator | DigitzsApp.DigitzsApp | HttpClient.HttpClient

/** 40 runs of the same program, one after the other, in each of so many worlds with a simulator of its own. */
const inUnluckyWorlds = <E>(worlds: number, run: (simulator: DigitzsSimulator.DigitzsSimulator, label: string) => Effect.Effect<void, E, World>) =>
  Effect.forEach(Array.range(1, worlds), (world) =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      for (let n = 1; n <= runsInEach; n++) {
        yield* misfortune(simulator)
        yield* run(simulator, `world ${world}, run ${n}`)
      }
    }).pipe(
      Effect.provide(Layer.provideMerge(unlucky, DigitzsSimulator.layer({ tokenLifetime: "12 hours" }))),
      onIdleClock,
      Effect.withRandom(Random.make(`world ${world}`)),
      Effect.withTracerEnabled(false),
      Logger.withMinimumLogLevel(LogLevel.None)
    ), { concurrency: 4, discard: true })

const appliedUnder = (simulator: DigitzsSimulator.DigitzsSimulator, requestId: string | undefined) =>
  Effect.map(simulator.payments, (payments) => payments.filter((it) => it.requestId === requestId).length)

describe("a payment under a request id", () => {
  it.effect("is applied exactly once in 1,000 unlucky runs, and every result on the way is true", () =>
    Effect.gen(function*() {
      const seen = { Created: 0, Duplicate: 0, PaymentNotApplied: 0, OutcomeUnknown: 0, repeated: 0, inOneCall: 0 }
      yield* inUnluckyWorlds(25, (simulator, label) =>
        Effect.gen(function*() {
          const requestId = yield* Payments.newRequestId
          const repeat = yield* Random.nextBoolean
          let calls = 0
          let before = 0
          // What a program does that takes each result at its word, and does not give up.
          const call = Effect.gen(function*() {
            const result = yield* Effect.merge(Payments.create(tokenPayment, { requestId, repeat }))
            const applied = yield* appliedUnder(simulator, requestId)
            calls += 1
            seen[result._tag] += 1
            assert.strictEqual(result._tag === "OutcomeUnknown" ? result.idempotencyKey : result.requestId, requestId, label)
            switch (result._tag) {
              case "Created":
                assert.deepStrictEqual([before, applied], [0, 1], label)
                return true
              case "Duplicate":
                assert.strictEqual(applied, 1, label)
                if (before === 0) assert.isTrue(result.repeated, label)
                if (result.repeated) seen.repeated += 1
                return true
              case "PaymentNotApplied":
                assert.strictEqual(applied, before, label)
                return false
              case "OutcomeUnknown":
                assert.isAtMost(applied, 1, label)
                before = applied
                return false
            }
          })
          yield* call.pipe(Effect.repeat({ until: (done) => done, schedule: Schedule.spaced("2 minutes") }))
          assert.strictEqual(yield* appliedUnder(simulator, requestId), 1, label)
          if (repeat && calls === 1) seen.inOneCall += 1
        }))
      for (const [what, times] of Object.entries(seen)) assert.isAbove(times, 20, `${what} in ${JSON.stringify(seen)}`)
    }), 60_000)
})

describe("a payment without one, by execute", () => {
  const post = HttpClientRequest.post("/payments").pipe(HttpClientRequest.bodyUnsafeJson(unkeyedBody))

  it.effect("is sent at most once in 200 unlucky runs", () =>
    inUnluckyWorlds(5, (simulator, label) =>
      Effect.gen(function*() {
        const sent = Effect.map(simulator.stats, ({ byRoute }) => byRoute["POST /payments"] ?? 0)
        const before = { sent: yield* sent, applied: yield* appliedUnder(simulator, undefined) }
        const exit = yield* Effect.exit(Payments.execute(post))
        const applied = (yield* appliedUnder(simulator, undefined)) - before.applied
        assert.isAtMost((yield* sent) - before.sent, 1, label)
        assert.isAtMost(applied, 1, label)
        if (exit._tag === "Success") assert.strictEqual(applied, 1, label)
      })), 60_000)

  it.effect("would be applied twice by a client that simply tries again: the simulator tells", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.failNext(Fault.Drop({ applied: true }), { path: "/payments" })
      yield* Effect.retry(Payments.execute(post), { times: 1 })
      assert.strictEqual(yield* appliedUnder(simulator, undefined), 2)
    }).pipe(Effect.provide(DigitzsSimulator.layer())))
})
