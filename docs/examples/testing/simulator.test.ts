import { ProductInformation } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"

const search = ProductInformation.keywordSearch({ Keywords: "NE555" })

it.effect("a hundred searches share one token for half an hour", () =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    yield* Effect.replicateEffect(search, 100, { concurrency: "unbounded" })
    assert.strictEqual((yield* simulator.stats).tokenCalls, 1)

    yield* TestClock.adjust("31 minutes")
    yield* search
    assert.strictEqual((yield* simulator.stats).tokenCalls, 2)
  }).pipe(Effect.provide(DigiKeySimulator.layer())))

it.effect("a search survives a revoked token", () =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    yield* search
    yield* simulator.revokeTokens
    assert.isAbove((yield* search).ProductsCount, 0)
    assert.strictEqual((yield* simulator.stats).byStatus[401], 1)
  }).pipe(Effect.provide(DigiKeySimulator.layer())))

it.effect("a search fails at once when the server says to come back in an hour", () =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    yield* simulator.failNext(DigiKeySimulator.Fault.Respond({ status: 429, headers: { "Retry-After": "3600" } }))
    const error = yield* Effect.flip(search)
    assert.strictEqual(error._tag, "RateLimited")
  }).pipe(Effect.provide(DigiKeySimulator.layer())))
