import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Fiber, Layer, Predicate, Redacted, TestClock } from "effect"
import { createServer } from "node:http"
import { unkeyedBody } from "../utils/payments.js"

const { Fault } = DigitzsSimulator
type Simulator = DigitzsSimulator.DigitzsSimulator

const host = "https://api.digitzs.com"
const requestId = "a1b2c3d4-e5f6-4890-abcd-ef1234567890"
const keyedBody = { data: { ...unkeyedBody.data, requestId } }

/** What a JSON holds at a path. */
const at = (json: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>((value, key) => Predicate.hasProperty(value, key) ? value[key] : undefined, json)

/** Status and JSON of a call with these headers. */
const call = (
  simulator: Simulator,
  method: "GET" | "POST",
  path: string,
  options: { readonly body?: unknown; readonly headers?: Record<string, string> } = {}
) =>
  Effect.gen(function*() {
    const { apiKey } = yield* simulator.accepted
    const request = HttpClientRequest.make(method)(host + path, {
      headers: { "x-api-key": Redacted.value(apiKey), ...options.headers }
    })
    const response = yield* simulator.httpClient.execute(
      options.body === undefined ? request : HttpClientRequest.bodyUnsafeJson(request, options.body)
    )
    return { status: response.status, json: yield* response.json, headers: response.headers }
  })

const auth = (appKey: string) => ({ data: { type: "auth", attributes: { appKey } } })

const newToken = (simulator: Simulator) =>
  Effect.gen(function*() {
    const { appKey } = yield* simulator.accepted
    const { json } = yield* call(simulator, "POST", "/auth/token", { body: auth(Redacted.value(appKey)) })
    return String(at(json, "data", "attributes", "appToken"))
  })

const authorised = (simulator: Simulator) =>
  Effect.gen(function*() {
    const { appId } = yield* simulator.accepted
    return { authorization: `Bearer ${yield* newToken(simulator)}`, appId }
  })

describe("/auth/token", () => {
  it.effect("answers 201 with a JWT that says when it ends, and with the API key", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_700_000_000_000)
      const simulator = yield* DigitzsSimulator.make()
      const { json, status } = yield* call(simulator, "POST", "/auth/token", { body: auth("simulator-app-key") })
      assert.strictEqual(status, 201)
      assert.strictEqual(at(json, "data", "id"), "simulator-api-key")
      const [, claims = ""] = String(at(json, "data", "attributes", "appToken")).split(".")
      assert.deepStrictEqual(JSON.parse(Buffer.from(claims, "base64url").toString()), { iat: 1_700_000_000, exp: 1_700_003_600 })
    }))

  const refused: ReadonlyArray<readonly [what: string, options: Parameters<typeof call>[3], status: number, words: unknown]> = [
    ["no app key", { body: { data: { type: "auth", attributes: {} } } }, 400, "The appKey field is required"],
    ["no body", {}, 400, "The appKey field is required"],
    ["another app key", { body: auth("x") }, 401, "The appKey is invalid"],
    ["a token", { body: auth("simulator-app-key"), headers: { authorization: "Bearer x" } }, 400, "This call takes no Authorization header"]
  ]
  for (const [what, options, status, detail] of refused) {
    it.effect(`refuses ${what} as documented`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigitzsSimulator.make()
        const answer = yield* call(simulator, "POST", "/auth/token", options)
        assert.strictEqual(answer.status, status)
        assert.strictEqual(at(answer.json, "errors", 0, "detail"), detail)
        assert.strictEqual(at(answer.json, "errors", 0, "status"), String(status))
      }))
  }

  it.effect("is behind a gateway that knows the API key", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const { json, status } = yield* call(simulator, "POST", "/auth/token", { body: auth("x"), headers: { "x-api-key": "x" } })
      assert.deepStrictEqual([status, json], [403, { message: "Forbidden" }])
    }))
})

describe("/auth/key", () => {
  it.effect("ends the previous app key, but not the tokens that were issued with it", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const headers = yield* authorised(simulator)
      const body = { data: { type: "auth", attributes: { appId: "simulator-app" } } }
      const { json, status } = yield* call(simulator, "POST", "/auth/key", { body })
      assert.strictEqual(status, 201)
      const appKey = String(at(json, "data", "attributes", "appKey"))
      assert.strictEqual((yield* call(simulator, "POST", "/auth/token", { body: auth("simulator-app-key") })).status, 401)
      assert.strictEqual((yield* call(simulator, "POST", "/auth/token", { body: auth(appKey) })).status, 201)
      assert.strictEqual((yield* call(simulator, "GET", "/merchants", { headers })).status, 200)
    }))
})

describe("the API", () => {
  it.effect("takes a token for an hour, with the app id, and Bearer with a capital B", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const headers = yield* authorised(simulator)
      const status = (headers: Record<string, string>) =>
        Effect.map(call(simulator, "GET", "/merchants", { headers }), ({ status }) => status)
      assert.strictEqual(yield* status(headers), 200)
      assert.strictEqual(yield* status({ authorization: headers.authorization }), 400)
      assert.strictEqual(yield* status({ ...headers, authorization: headers.authorization.replace("B", "b") }), 401)
      assert.strictEqual(yield* status({ appId: headers.appId }), 401)
      yield* TestClock.adjust(Duration.subtract("1 hour", "1 millis"))
      assert.strictEqual(yield* status(headers), 200)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* status(headers), 401)
    }))

  it.effect("pages through merchants, and says a limit as it was said", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const headers = yield* authorised(simulator)
      const { json } = yield* call(simulator, "GET", "/merchants?limit=2", { headers })
      assert.deepStrictEqual(at(json, "meta"), { limit: "2", items: 2, more: true })
      assert.strictEqual((yield* call(simulator, "GET", "/merchants?limit=101", { headers })).status, 400)
      assert.strictEqual((yield* call(simulator, "GET", "/nothing", { headers })).status, 404)
    }))

  it.effect("applies a payment once under a request id, and at every call without one", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const headers = yield* authorised(simulator)
      const pay = (body: unknown) => call(simulator, "POST", "/payments", { headers, body })
      const first = yield* pay(keyedBody)
      const second = yield* pay(keyedBody)
      assert.deepStrictEqual([first.status, second.status], [201, 409])
      assert.strictEqual(at(second.json, "errors", 0, "source", "pointer"), "/data/requestId")
      assert.strictEqual(at(second.json, "transactionID"), at(first.json, "data", "id"))
      yield* Effect.all([pay(unkeyedBody), pay(unkeyedBody)])
      assert.deepStrictEqual((yield* simulator.payments).map((it) => it.requestId), [requestId, undefined, undefined])
    }))

  it.effect("applies one of two payments that come at the same time with the same request id", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const headers = yield* authorised(simulator)
      const both = yield* Effect.replicateEffect(call(simulator, "POST", "/payments", { headers, body: keyedBody }), 20, {
        concurrency: "unbounded"
      })
      assert.strictEqual(both.filter(({ status }) => status === 201).length, 1)
      assert.strictEqual((yield* simulator.payments).length, 1)
    }))

  it.effect("refuses an amount that is no text of cents, and a request id that is no UUID", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const headers = yield* authorised(simulator)
      const { attributes } = unkeyedBody.data
      for (const amount of [2500, "25.00", "0", ""]) {
        const body = { data: { ...unkeyedBody.data, attributes: { ...attributes, transaction: { ...attributes.transaction, amount } } } }
        const { json, status } = yield* call(simulator, "POST", "/payments", { headers, body })
        assert.deepStrictEqual([status, at(json, "errors", 0, "code")], [400, "58"])
      }
      const body = { data: { ...unkeyedBody.data, requestId: "order-1" } }
      assert.strictEqual((yield* call(simulator, "POST", "/payments", { headers, body })).status, 400)
      assert.deepStrictEqual(yield* simulator.payments, [])
    }))
})

describe("the controls", () => {
  it.effect("fail a call before or after it takes effect", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const headers = yield* authorised(simulator)
      const pay = Effect.either(call(simulator, "POST", "/payments", { headers, body: unkeyedBody }))
      const after = (fault: DigitzsSimulator.Fault) =>
        Effect.gen(function*() {
          const before = (yield* simulator.payments).length
          yield* simulator.failNext(fault, { path: "/payments" })
          const result = yield* pay
          const outcome = result._tag === "Right" ? result.right.status : `${result.left._tag} ${result.left.reason}`
          return [outcome, (yield* simulator.payments).length - before]
        })
      assert.deepStrictEqual(yield* after(Fault.Respond({ status: 503 })), [503, 0])
      assert.deepStrictEqual(yield* after(Fault.Respond({ status: 503, applied: true })), [503, 1])
      assert.deepStrictEqual(yield* after(Fault.Drop({})), ["RequestError Transport", 0])
      assert.deepStrictEqual(yield* after(Fault.Drop({ applied: true })), ["RequestError Transport", 1])
      assert.deepStrictEqual(yield* after(Fault.Break()), ["ResponseError Decode", 1])
      assert.strictEqual((yield* simulator.stats).dropped, 2)
    }))

  it.effect("throttle like the gateway: without Retry-After", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      yield* simulator.failNext(Fault.Respond({ status: 429 }))
      const { headers, json, status } = yield* call(simulator, "POST", "/auth/token", { body: auth("simulator-app-key") })
      assert.deepStrictEqual([status, json], [429, { message: "Too Many Requests" }])
      assert.notProperty(headers, "retry-after")
    }))

  it.effect("fail some paths, some times, and are taken back", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const headers = yield* authorised(simulator)
      const status = (path: string) => Effect.map(call(simulator, "GET", path, { headers }), ({ status }) => status)
      yield* simulator.failNext(Fault.Respond({ status: 500 }), { path: "/merchants", times: 2 })
      assert.strictEqual(yield* status("/payments/1"), 404)
      assert.deepStrictEqual(yield* Effect.all([status("/merchants"), status("/merchants"), status("/merchants")]), [500, 500, 200])
      yield* simulator.failAlways(Fault.Respond({ status: 500 }))
      assert.strictEqual(yield* status("/merchants"), 500)
      yield* simulator.clearFaults
      assert.strictEqual(yield* status("/merchants"), 200)
    }))

  it.effect("make replies late, or never; the call takes effect when it arrives", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const headers = yield* authorised(simulator)
      yield* simulator.setLatency({ api: "5 seconds" })
      const fiber = yield* Effect.fork(call(simulator, "POST", "/payments", { headers, body: unkeyedBody }))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* simulator.payments).length, 1)
      assert.isTrue((yield* Fiber.poll(fiber))._tag === "None")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber)).status, 201)
      yield* simulator.failNext(Fault.Hang({}))
      const hanging = yield* Effect.fork(call(simulator, "GET", "/merchants", { headers }))
      yield* TestClock.adjust("1 day")
      assert.isTrue((yield* Fiber.poll(hanging))._tag === "None")
      yield* Fiber.interrupt(hanging)
    }))

  it.effect("count, and start again", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const headers = yield* authorised(simulator)
      yield* call(simulator, "GET", "/merchants?limit=1", { headers })
      assert.deepStrictEqual(yield* simulator.stats, {
        tokenCalls: 1,
        tokensIssued: 1,
        requests: 1,
        byRoute: { "POST /auth/token": 1, "GET /merchants": 1 },
        byStatus: { 200: 1, 201: 1 },
        dropped: 0
      })
      yield* simulator.resetStats
      assert.strictEqual((yield* simulator.stats).requests, 0)
    }))
})

describe("on loopback", () => {
  it.live("the same server answers, drops connections and breaks bodies", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* HttpServer.serveEffect(simulator.app)
      const url = yield* HttpServer.addressFormattedWith(Effect.succeed)
      const http = yield* HttpClient.HttpClient
      const token = HttpClientRequest.post(`${url}/auth/token`, { headers: { "x-api-key": "simulator-api-key" } }).pipe(
        HttpClientRequest.bodyUnsafeJson(auth("simulator-app-key")),
        http.execute
      )
      assert.strictEqual((yield* token).status, 201)
      yield* simulator.failNext(Fault.Drop({ applied: true }))
      assert.strictEqual((yield* Effect.flip(token))._tag, "RequestError")
      yield* simulator.failNext(Fault.Break())
      // As text: a body that ended as if it were complete would be read.
      const error = yield* Effect.flip(Effect.flatMap(token, (response) => response.text))
      assert.include(["RequestError", "ResponseError"], error._tag)
      assert.strictEqual((yield* simulator.stats).tokensIssued, 3)
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.mergeAll(
        DigitzsSimulator.layerApp(),
        FetchHttpClient.layer,
        NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1" })
      ))
    ))
})

describe("merchants to begin with", () => {
  it("were made at a time", () => {
    for (const { created } of DigitzsSimulator.defaultMerchants) assert.isTrue(DateTime.make(created)._tag === "Some")
  })
})
