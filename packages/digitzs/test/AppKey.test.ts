import { AppKey, Merchants } from "@effect-credentials/digitzs"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Inspectable, Redacted } from "effect"
import { bodyOf, recording } from "./utils/recording.js"

const { Fault } = DigitzsSimulator

const create = Effect.gen(function*() {
  const simulator = yield* DigitzsSimulator.DigitzsSimulator
  const { apiKey, appId } = yield* simulator.accepted
  return yield* AppKey.create({ apiKey, appId })
})

const calls = Effect.gen(function*() {
  const { byRoute } = yield* (yield* DigitzsSimulator.DigitzsSimulator).stats
  return byRoute["POST /auth/key"] ?? 0
})

describe("AppKey.create", () => {
  it.effect("answers with the new key, and kills the previous one at once", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      const appKey = yield* create
      assert.strictEqual(Redacted.value(appKey), Redacted.value((yield* simulator.accepted).appKey))
      assert.notInclude(Inspectable.toStringUnknown(appKey) + JSON.stringify(appKey), Redacted.value(appKey))
      const error = yield* Effect.flip(Merchants.list())
      assert.deepInclude({ ...error }, { _tag: "CredentialsRejected", status: 401 })
      assert.strictEqual(yield* calls, 1)
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("needs an HttpClient and nothing else, and sends the API key without a token", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording(201, { data: { id: "the-api-key", attributes: { appKey: "new" } } })
      const options = { apiKey: Redacted.make("the-api-key"), appId: "the-app", baseUrl: "https://other.example/v3/" }
      yield* Effect.provide(AppKey.create(options), layer)
      const [request] = yield* sent
      assert.strictEqual(`${request?.method} ${request?.url}`, "POST https://other.example/v3/auth/key")
      assert.propertyVal(request?.headers, "x-api-key", "the-api-key")
      assert.notProperty(request?.headers, "authorization")
      assert.deepStrictEqual(bodyOf(request), { data: { type: "auth", attributes: { appId: "the-app" } } })
    }))

  const faults: ReadonlyArray<readonly [what: string, fault: DigitzsSimulator.Fault]> = [
    ["the answer is lost", Fault.Drop({ applied: true })],
    ["the connection breaks before", Fault.Drop({})],
    ["the connection breaks inside the answer", Fault.Break()],
    ["the server fails", Fault.Respond({ status: 500, applied: true })]
  ]
  for (const [what, fault] of faults) {
    it.effect(`is sent once, and its outcome is unknown, where ${what}`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigitzsSimulator.DigitzsSimulator
        yield* simulator.failNext(fault)
        const error = yield* Effect.flip(create)
        assert.deepInclude({ ...error }, { _tag: "OutcomeUnknown", product: "App Key", path: "/auth/key" })
        assert.strictEqual(yield* calls, 1)
      }).pipe(Effect.provide(DigitzsSimulator.layer())))
  }

  for (const status of [400, 401, 429]) {
    it.effect(`is sent once where it is answered with ${status}`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigitzsSimulator.DigitzsSimulator
        yield* simulator.failNext(Fault.Respond({ status }))
        yield* Effect.flip(create)
        assert.strictEqual(yield* calls, 1)
      }).pipe(Effect.provide(DigitzsSimulator.layer())))
  }

  it.effect("says that the API key is wrong", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      const { appId } = yield* simulator.accepted
      const error = yield* Effect.flip(AppKey.create({ apiKey: Redacted.make("canary-key"), appId }))
      assert.deepInclude({ ...error }, { _tag: "ApiError", reason: "Forbidden" })
      assert.include(String(error), "check DIGITZS_API_KEY")
      assert.notInclude(Inspectable.toStringUnknown(error), "canary")
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("names the option that cannot be what it is for", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording(500, "")
      const good = { apiKey: Redacted.make("key"), appId: "app" }
      const wrong: ReadonlyArray<readonly [string, Partial<AppKey.Options>]> = [
        ["apiKey", { apiKey: Redacted.make("canary\n") }],
        ["appId", { appId: "" }],
        ["baseUrl", { baseUrl: "http://canary.example" }]
      ]
      for (const [name, change] of wrong) {
        const error = yield* Effect.flip(Effect.provide(AppKey.create({ ...good, ...change }), layer))
        assert.include(String(error), name)
        assert.notInclude(String(error), "canary")
      }
      assert.deepStrictEqual(yield* sent, [])
    }))
})
