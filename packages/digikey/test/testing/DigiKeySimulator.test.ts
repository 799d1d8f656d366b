import { DigiKeyUser } from "@effect-credentials/digikey"
import { DigiKeySimulator, ErrorDialect } from "@effect-credentials/digikey/testing"
import type { HttpClientResponse } from "@effect/platform"
import { FetchHttpClient, HttpBody, HttpClient, HttpClientRequest, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import {
  Deferred,
  Duration,
  Effect,
  Encoding,
  Exit,
  Fiber,
  Layer,
  Option,
  Predicate,
  Redacted,
  Schedule,
  TestClock
} from "effect"
import { TokenStore } from "effect-credentials"
import { createServer } from "node:http"

const { Fault, TokenEndpoint } = DigiKeySimulator
type Simulator = DigiKeySimulator.DigiKeySimulator

const host = "https://sandbox-api.digikey.com"
const keyword = "/products/v4/search/keyword"

/** What a reply holds at a path: `read(response, "Products", 0, "UnitPrice")`; all of it without a path. */
const read = (response: HttpClientResponse.HttpClientResponse, ...path: ReadonlyArray<string | number>) =>
  Effect.map(response.json, (json) => at(json, ...path))

const at = (json: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>((value, key) => Predicate.hasProperty(value, key) ? value[key] : undefined, json)

const accessTokenOf = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.map(read(response, "access_token"), String)

const tokenCall = (simulator: Simulator, fields: Record<string, string> = {}, headers: Record<string, string> = {}) =>
  Effect.flatMap(simulator.credentials, ({ clientId, clientSecret }) =>
    simulator.httpClient.execute(
      HttpClientRequest.post(`${host}/v1/oauth2/token`, { headers }).pipe(
        HttpClientRequest.bodyUrlParams({
          grant_type: "client_credentials",
          client_id: clientId,
          client_secret: Redacted.value(clientSecret),
          ...fields
        })
      )
    ))

const issueToken = (simulator: Simulator) =>
  Effect.flatMap(tokenCall(simulator), accessTokenOf)

const signed = (simulator: Simulator, request: HttpClientRequest.HttpClientRequest, token: string) =>
  Effect.flatMap(simulator.credentials, ({ clientId }) =>
    simulator.httpClient.execute(HttpClientRequest.setHeaders(request, {
      Authorization: `Bearer ${token}`,
      "X-DIGIKEY-Client-Id": clientId
    })))

const get = (simulator: Simulator, path: string, token: string, headers: Record<string, string> = {}) =>
  signed(simulator, HttpClientRequest.get(host + path, { headers }), token)

const search = (simulator: Simulator, token: string, body: unknown = { Keywords: "NE555" }) =>
  signed(simulator, HttpClientRequest.post(host + keyword, { body: HttpBody.unsafeJson(body) }), token)

const statuses = <E, R>(calls: number, call: Effect.Effect<HttpClientResponse.HttpClientResponse, E, R>) =>
  Effect.map(Effect.replicateEffect(call, calls), (responses) => responses.map((response) => response.status))

describe("token endpoint", () => {
  it.effect("issues a bearer token for 30 minutes that the API refuses once the clock has passed them", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const response = yield* tokenCall(simulator)
      const token = yield* accessTokenOf(response)
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(yield* read(response), { access_token: token, token_type: "Bearer", expires_in: 1800 })

      yield* TestClock.adjust("1799 seconds")
      assert.strictEqual((yield* search(simulator, token)).status, 200)
      yield* TestClock.adjust("1 second")
      const refused = yield* search(simulator, token)
      assert.strictEqual(refused.status, 401)
      assert.deepStrictEqual(yield* refused.json, {
        type: null,
        title: "Unauthorized",
        status: 401,
        detail: "Bearer token expired",
        instance: null,
        correlationId: "00000000-0000-4000-8000-000000000002",
        errors: {}
      })
    }))

  it.effect("refuses a wrong secret with 401 in dialect A, or in RFC 6749's words when made so", () =>
    Effect.gen(function*() {
      const documented = yield* tokenCall(yield* DigiKeySimulator.make(), { client_secret: "wrong" })
      assert.strictEqual(documented.status, 401)
      assert.strictEqual(yield* read(documented, "ErrorResponseVersion"), "3.0.0.0")
      assert.strictEqual(yield* read(documented, "StatusCode"), 401)
      assert.match(String(yield* read(documented, "RequestId")), /^[0-9a-f-]{36}$/)

      const standard = yield* tokenCall(yield* DigiKeySimulator.make({ tokenErrorDialect: "E" }), {
        client_secret: "wrong"
      })
      assert.strictEqual(standard.status, 401)
      assert.strictEqual(yield* read(standard, "error"), "invalid_client")
    }))

  it.effect("answers 400 to a missing field, another grant, JSON and any Authorization header", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ tokenErrorDialect: "E" })
      const code = (call: ReturnType<typeof tokenCall>) =>
        Effect.flatMap(call, (response) =>
          Effect.map(read(response, "error"), (error) => `${response.status} ${String(error)}`))
      assert.strictEqual(yield* code(tokenCall(simulator, { client_id: "" })), "400 invalid_request")
      assert.strictEqual(yield* code(tokenCall(simulator, { client_secret: "" })), "400 invalid_request")
      assert.strictEqual(yield* code(tokenCall(simulator, { grant_type: "" })), "400 invalid_request")
      assert.strictEqual(yield* code(tokenCall(simulator, { grant_type: "password" })), "400 unsupported_grant_type")
      assert.strictEqual(
        yield* code(tokenCall(simulator, {}, { authorization: "Bearer stale" })),
        "400 invalid_request"
      )
      assert.strictEqual(yield* code(tokenCall(simulator, {}, { authorization: "Basic eA==" })), "400 invalid_request")
      const json = yield* simulator.httpClient.post(`${host}/v1/oauth2/token`, {
        body: HttpBody.unsafeJson({ grant_type: "client_credentials" })
      })
      assert.strictEqual(json.status, 400)
      assert.strictEqual((yield* simulator.httpClient.get(`${host}/v1/oauth2/token`)).status, 405)
      assert.strictEqual((yield* simulator.stats).tokensRefused, 8)
    }))

  it.effect("accepts form-encoded HTTP Basic when it is allowed", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ allowBasic: true, clientId: "a:b", clientSecret: "p+q %" })
      const authorization = `Basic ${Encoding.encodeBase64("a%3Ab:p%2Bq+%25")}`
      const response = yield* simulator.httpClient.execute(
        HttpClientRequest.post(`${host}/v1/oauth2/token`, { headers: { authorization } }).pipe(
          HttpClientRequest.bodyUrlParams({ grant_type: "client_credentials" })
        )
      )
      assert.strictEqual(response.status, 200)
    }))

  it.effect("accepts the new secret alone after a rotation, and tokens of the old one go on", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ clientSecret: "old" })
      const token = yield* issueToken(simulator)
      yield* simulator.rotateSecret
      assert.strictEqual((yield* tokenCall(simulator)).status, 200)
      assert.strictEqual((yield* tokenCall(simulator, { client_secret: "old" })).status, 401)
      assert.strictEqual((yield* search(simulator, token)).status, 200)
    }))

  it.effect("is down with Retry-After, or answers exactly what it is told, until it is healthy again", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* simulator.setTokenEndpoint(TokenEndpoint.Down({ status: 503, retryAfter: 7 }))
      const down = yield* tokenCall(simulator)
      assert.strictEqual(down.status, 503)
      assert.strictEqual(down.headers["retry-after"], "7")

      yield* simulator.setTokenEndpoint(TokenEndpoint.Reply({
        status: 201,
        body: (accessToken) => JSON.stringify({ access_token: accessToken })
      }))
      const odd = yield* tokenCall(simulator)
      assert.strictEqual(odd.status, 201)
      assert.strictEqual(odd.headers["content-type"], undefined)
      assert.strictEqual((yield* search(simulator, yield* accessTokenOf(odd))).status, 200)

      yield* simulator.setTokenEndpoint(TokenEndpoint.Reply({ headers: { "content-type": "text/html" }, body: "<p>" }))
      assert.strictEqual(yield* (yield* tokenCall(simulator)).text, "<p>")

      yield* simulator.setTokenEndpoint(TokenEndpoint.Healthy())
      yield* simulator.setTokenReply({ expires_in: "30", token_type: undefined })
      const reply = yield* tokenCall(simulator)
      const token = yield* accessTokenOf(reply)
      assert.deepStrictEqual(yield* read(reply), { access_token: token, expires_in: "30" })
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* search(simulator, token)).status, 401)
    }))

  it.effect("hangs until the caller gives up, and forgets the caller then", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* simulator.setTokenEndpoint(TokenEndpoint.Hanging())
      const fiber = yield* Effect.fork(Effect.timeout(tokenCall(simulator), "10 seconds"))
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual((yield* simulator.stats).inFlight, 1)
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      const stats = yield* simulator.stats
      assert.strictEqual(stats.inFlight, 0)
      assert.strictEqual(stats.tokenCalls, 1)
      assert.strictEqual(stats.tokensIssued, 0)
    }))

  it.effect("drops the connection: the client sees a transport error", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* simulator.setTokenEndpoint(TokenEndpoint.Dropping())
      const error = yield* Effect.flip(tokenCall(simulator))
      assert.strictEqual(error._tag, "RequestError")
      assert.strictEqual(error.reason, "Transport")
    }))
})

describe("authorization of API calls", () => {
  it.effect("refuses no token, an unknown token, a lower-case scheme and a foreign client id", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      const { clientId } = yield* simulator.credentials
      const status = (headers: Record<string, string>) =>
        Effect.map(
          simulator.httpClient.get(`${host}/products/v4/search/manufacturers`, { headers }),
          (response) => response.status
        )
      const id = { "X-DIGIKEY-Client-Id": clientId }
      assert.strictEqual(yield* status({ ...id, authorization: `Bearer ${token}` }), 200)
      assert.strictEqual(yield* status(id), 401)
      assert.strictEqual(yield* status({ ...id, authorization: "Bearer guess" }), 401)
      assert.strictEqual(yield* status({ ...id, authorization: `bearer ${token}` }), 401)
      assert.strictEqual(yield* status({ authorization: `Bearer ${token}` }), 401)
      assert.strictEqual(yield* status({ "X-DIGIKEY-Client-Id": "other", authorization: `Bearer ${token}` }), 401)
    }))

  it.effect("refuses every token issued before a revocation and accepts the next one", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      yield* simulator.revokeTokens
      assert.strictEqual((yield* search(simulator, token)).status, 401)
      assert.strictEqual((yield* search(simulator, yield* issueToken(simulator))).status, 200)
    }))

  it.effect("always answers 401 on an unsubscribed product and 403 on a forbidden one, and serves the others", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      const orders = get(simulator, "/orderstatus/v4/orders", token)
      yield* simulator.unsubscribe("/orderstatus/v4")
      assert.strictEqual((yield* orders).status, 401)
      assert.strictEqual((yield* search(simulator, token)).status, 200)
      yield* simulator.subscribe("/orderstatus/v4")
      assert.strictEqual((yield* orders).status, 200)
      yield* simulator.forbid("/orderstatus/v4/orders")
      assert.strictEqual((yield* orders).status, 403)
      yield* simulator.permit("/orderstatus/v4/orders")
      assert.strictEqual((yield* orders).status, 200)
    }))

  it.effect("asks for an account where DigiKey does, when made so", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ accountRequired: true })
      const token = yield* issueToken(simulator)
      const path = "/products/v4/search/NE555P/productdetails"
      const refused = yield* get(simulator, path, token)
      assert.strictEqual(refused.status, 400)
      assert.strictEqual(yield* read(refused, "detail"), "Account ID must not be 0")
      assert.strictEqual((yield* get(simulator, path, token, { "X-DIGIKEY-Account-Id": "12345" })).status, 200)
    }))
})

describe("products", () => {
  it.effect("finds parts by keyword, page by page, in the order asked for", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      const sorted = { Keywords: "ne555", SortOptions: { Field: "Price", SortOrder: "Ascending" } }
      const products = (response: HttpClientResponse.HttpClientResponse) =>
        Effect.map(read(response, "Products"), (value) => (Array.isArray(value) ? value : []) as ReadonlyArray<unknown>)
      const all = yield* products(yield* search(simulator, token, { ...sorted, Limit: 50 }))
      assert.isAbove(all.length, 5)
      const prices = all.map((product) => Number(at(product, "UnitPrice")))
      assert.deepStrictEqual(prices, [...prices].sort((a, b) => a - b))
      const page = yield* search(simulator, token, { ...sorted, Limit: 2, Offset: 2 })
      assert.deepStrictEqual(yield* products(page), all.slice(2, 4))
      assert.strictEqual(yield* read(page, "ProductsCount"), all.length)
      const exact = yield* search(simulator, token, { Keywords: "ne555p" })
      assert.strictEqual(yield* read(exact, "ExactMatches", 0, "ManufacturerProductNumber"), "NE555P")
    }))

  it.effect("names every field that is out of range", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      const refused = yield* search(simulator, token, { Keywords: "x".repeat(251), Limit: 51, Offset: -1 })
      assert.strictEqual(refused.status, 400)
      assert.hasAllKeys(yield* read(refused, "errors"), ["Keywords", "Limit", "Offset"])
      const text = HttpClientRequest.post(host + keyword, { body: HttpBody.text("{}", "text/plain") })
      assert.strictEqual((yield* signed(simulator, text, token)).status, 400)
      const broken = HttpClientRequest.post(host + keyword, { body: HttpBody.text("{", "application/json") })
      assert.strictEqual((yield* signed(simulator, broken, token)).status, 400)
    }))

  it.effect("knows a part whose number contains a slash, if the slash is encoded", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      const details = (number: string) => get(simulator, `/products/v4/search/${number}/productdetails`, token)
      for (const number of ["LM317T/NOPB", "LT1763CS8-5#PBF", "MAX232CPE+"]) {
        const found = yield* details(encodeURIComponent(number))
        assert.strictEqual(yield* read(found, "Product", "ManufacturerProductNumber"), number)
      }
      assert.strictEqual((yield* details("LM317T/NOPB")).status, 404)
      assert.strictEqual((yield* details("UNKNOWN")).status, 404)
      assert.strictEqual((yield* details("%E0%A4%A")).status, 400)
    }))

  it.effect("serves substitutions, pricing, categories, manufacturers and orders", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      const json = (path: string) => Effect.flatMap(get(simulator, path, token), (response) => response.json)
      const substitutes = yield* json("/products/v4/search/NE555P/substitutions")
      assert.strictEqual(at(substitutes, "ProductSubstitutesCount"), 6)
      assert.isString(at(substitutes, "ProductSubstitutes", 0, "UnitPrice"))
      const pricing = yield* json("/products/v4/search/NE555P/pricingbyquantity/100")
      assert.strictEqual(at(pricing, "StandardPricingOptions", 0, "TotalQuantityPriced"), 100)
      assert.isString(at(yield* json("/products/v4/search/categories"), "Categories", 0, "Name"))
      assert.isString(at(yield* json("/products/v4/search/manufacturers"), "Manufacturers", 0, "Name"))
      const orders = yield* json("/orderstatus/v4/orders?StartDate=2025-02-01&PageSize=1")
      assert.strictEqual(at(orders, "TotalOrders"), 3)
      assert.strictEqual(at(orders, "Orders", "length"), 1)
      const salesOrderId = at(orders, "Orders", 0, "SalesOrders", 0, "SalesOrderId")
      assert.strictEqual(at(yield* json(`/orderstatus/v4/salesorder/${salesOrderId}`), "SalesOrderId"), salesOrderId)
      assert.strictEqual((yield* get(simulator, "/orderstatus/v4/orders?PageSize=26", token)).status, 400)
    }))

  it.effect("answers 404 to an unknown path and 405 to a wrong method, on both hosts, and knows no other host", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      assert.strictEqual((yield* get(simulator, "/products/v4/nothing", token)).status, 404)
      assert.strictEqual((yield* get(simulator, "/nothing", token)).status, 404)
      const wrongMethod = yield* get(simulator, keyword, token)
      assert.strictEqual(wrongMethod.status, 405)
      assert.strictEqual(wrongMethod.headers.allow, "POST")
      assert.strictEqual((yield* simulator.httpClient.get("https://api.digikey.com/nothing")).status, 404)
      const error = yield* Effect.flip(simulator.httpClient.get("https://api.digikey.example/"))
      assert.strictEqual(error.reason, "Transport")
    }))
})

describe("rate limits", () => {
  it.effect("counts a burst of 120 down in the headers, refuses the next, and starts again after the minute", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      const first = yield* search(simulator, token)
      assert.strictEqual(first.headers["x-burstlimit-limit"], "120")
      assert.strictEqual(first.headers["x-burstlimit-remaining"], "119")
      assert.strictEqual(first.headers["x-burstlimit-reset"], "60")
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(new Set(yield* statuses(119, search(simulator, token))), new Set([200]))

      const refused = yield* search(simulator, token)
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers["retry-after"], "40")
      assert.strictEqual(refused.headers["x-burstlimit-remaining"], "0")
      assert.strictEqual(refused.headers["x-ratelimit-remaining"], "880")
      assert.strictEqual((yield* get(simulator, "/orderstatus/v4/orders", token)).status, 200)

      yield* TestClock.adjust("40 seconds")
      const next = yield* search(simulator, token)
      assert.strictEqual(next.status, 200)
      assert.strictEqual(next.headers["x-burstlimit-remaining"], "119")
    }))

  it.effect("refuses for the rest of the day once the day is used up", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2025, 5, 1, 18))
      const midnight = Date.UTC(2025, 5, 2) / 1000
      const simulator = yield* DigiKeySimulator.make({ rateLimits: { daily: { limit: 3 }, resetTimes: true } })
      assert.deepStrictEqual(yield* statuses(3, search(simulator, yield* issueToken(simulator))), [200, 200, 200])
      const refused = yield* search(simulator, yield* issueToken(simulator))
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers["retry-after"], String(6 * 3600))
      assert.strictEqual(refused.headers["x-ratelimit-limit"], "3")
      assert.strictEqual(refused.headers["x-ratelimit-remaining"], "0")
      assert.strictEqual(refused.headers["x-ratelimit-reset"], String(midnight))
      assert.strictEqual(refused.headers["x-ratelimit-resettime"], "2025-06-02T00:00:00.000Z")

      yield* simulator.setRateLimits({ daily: { limit: 3 }, dailyReset: "secondsLeft" })
      const observed = yield* search(simulator, yield* issueToken(simulator))
      assert.strictEqual(observed.headers["x-ratelimit-reset"], String(6 * 3600))
      yield* TestClock.adjust("6 hours")
      assert.strictEqual((yield* search(simulator, yield* issueToken(simulator))).status, 200)
    }))

  it.effect("counts two accounts apart", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ rateLimits: { burst: { limit: 1 } } })
      const first = yield* issueToken(simulator)
      assert.deepStrictEqual(yield* statuses(2, search(simulator, first)), [200, 429])
      yield* simulator.addAccount({ clientId: "second", clientSecret: "s2" })
      const reply = yield* tokenCall(simulator, { client_id: "second", client_secret: "s2" })
      const second = yield* accessTokenOf(reply)
      const response = yield* simulator.httpClient.get(`${host}/products/v4/search/categories`, {
        headers: { Authorization: `Bearer ${second}`, "X-DIGIKEY-Client-Id": "second" }
      })
      assert.strictEqual(response.status, 200)
    }))

  it.effect("sends no limit headers and refuses nothing when they are off", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ rateLimits: "off" })
      const token = yield* issueToken(simulator)
      assert.deepStrictEqual(new Set(yield* statuses(200, search(simulator, token))), new Set([200]))
      assert.notProperty((yield* search(simulator, token)).headers, "x-ratelimit-limit")
    }))
})

describe("faults", () => {
  it.effect("fails the next calls on a path, and only there, in the dialect asked for", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      yield* simulator.failNext(
        Fault.Respond({ status: 503, dialect: "F", headers: { "Retry-After": "2" } }),
        { times: 2, path: "/products/v4" }
      )
      assert.strictEqual((yield* get(simulator, "/orderstatus/v4/orders", token)).status, 200)
      const failed = yield* search(simulator, token)
      assert.strictEqual(failed.headers["retry-after"], "2")
      assert.strictEqual(yield* read(failed, "httpCode"), "503")
      assert.deepStrictEqual(yield* statuses(2, search(simulator, token)), [503, 200])

      yield* simulator.failAlways(Fault.Respond({ status: 500 }))
      assert.deepStrictEqual(yield* statuses(3, search(simulator, token)), [500, 500, 500])
      yield* simulator.clearFaults
      assert.strictEqual((yield* search(simulator, token)).status, 200)
    }))

  it.effect("drops a connection before or after the request took effect", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      const appliedSearches = Effect.map(simulator.stats, ({ applied }) => applied[`POST ${keyword}`] ?? 0)
      yield* simulator.failNext(Fault.Drop({}))
      assert.strictEqual((yield* Effect.flip(search(simulator, token))).reason, "Transport")
      assert.strictEqual(yield* appliedSearches, 0)
      yield* simulator.failNext(Fault.Drop({ applied: true }))
      assert.strictEqual((yield* Effect.flip(search(simulator, token))).reason, "Transport")
      assert.strictEqual(yield* appliedSearches, 1)
      assert.strictEqual((yield* simulator.stats).dropped, 2)
    }))

  it.effect("replies as late as it is told, and lets its callers go", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      yield* simulator.setLatency({ api: "3 seconds" })
      const late = yield* Effect.fork(Effect.timed(search(simulator, token)))
      const interrupted = yield* Effect.fork(search(simulator, token))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(interrupted)
      yield* TestClock.adjust("2 seconds")
      const [elapsed, response] = yield* Fiber.join(late)
      assert.strictEqual(Duration.toSeconds(elapsed), 3)
      assert.strictEqual(response.headers.date, "Thu, 01 Jan 1970 00:00:03 GMT")
      const stats = yield* simulator.stats
      assert.strictEqual(stats.peakInFlight, 2)
      assert.strictEqual(stats.inFlight, 0)
    }))

  it.effect("does not cut short a caller that must not be interrupted", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* simulator.setLatency({ token: "3 seconds" })
      const done = yield* Deferred.make<number>()
      const fiber = yield* tokenCall(simulator).pipe(
        Effect.flatMap(({ status }) => Deferred.succeed(done, status)),
        Effect.uninterruptible,
        Effect.fork
      )
      yield* TestClock.adjust("1 second")
      yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Deferred.await(done), 200)
    }))
})

describe("served on loopback", () => {
  const Loopback = Layer.merge(
    NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }),
    FetchHttpClient.layer
  )

  it.scopedLive("behaves on the wire as it does in memory", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* HttpServer.serveEffect(simulator.app)
      const { clientId, clientSecret } = yield* simulator.credentials
      const call = HttpServer.addressFormattedWith((address) =>
        Effect.flatMap(HttpClient.HttpClient, (client) =>
          client.execute(
            HttpClientRequest.post(`${address}/v1/oauth2/token`).pipe(
              HttpClientRequest.bodyUrlParams({
                grant_type: "client_credentials",
                client_id: clientId,
                client_secret: Redacted.value(clientSecret)
              })
            )
          ))
      )
      assert.match(yield* Effect.flatMap(call, accessTokenOf), /^simulated-access-token-/)

      yield* simulator.setTokenEndpoint(TokenEndpoint.Dropping())
      assert.strictEqual((yield* Effect.flip(call)).reason, "Transport")

      const untilInFlight = (count: number) =>
        Effect.repeat(simulator.stats, {
          until: ({ inFlight }) => inFlight === count,
          schedule: Schedule.spaced("1 millis")
        })
      yield* simulator.setTokenEndpoint(TokenEndpoint.Hanging())
      const fiber = yield* Effect.fork(call)
      yield* untilInFlight(1)
      yield* Fiber.interrupt(fiber)
      yield* untilInFlight(0)
    }).pipe(Effect.provide(Loopback)))
})

describe("stats", () => {
  it.effect("count token calls, requests by route and by status", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const token = yield* issueToken(simulator)
      yield* search(simulator, token)
      yield* search(simulator, "unknown")
      yield* get(simulator, "/products/v4/search/NE555P/productdetails", token)
      assert.deepStrictEqual(yield* simulator.stats, {
        tokenCalls: 1,
        tokenCallsByGrant: { client_credentials: 1 },
        tokensIssued: 1,
        tokensRefused: 0,
        refreshTokensRedeemed: 0,
        refreshTokensReused: 0,
        familiesRevoked: 0,
        familiesAlive: 0,
        requests: 3,
        byRoute: {
          "POST /products/v4/search/keyword": 2,
          "GET /products/v4/search/{productNumber}/productdetails": 1
        },
        byStatus: { 200: 2, 401: 1 },
        applied: {
          "POST /products/v4/search/keyword": 1,
          "GET /products/v4/search/{productNumber}/productdetails": 1
        },
        dropped: 0,
        inFlight: 0,
        peakInFlight: 1
      })
      yield* simulator.resetStats
      assert.strictEqual((yield* simulator.stats).requests, 0)
    }))
})

describe("DigiKeySimulator.layer", () => {
  it.effect("provides the store in which the login of its user is, and another one each time", () =>
    Effect.gen(function*() {
      const stored = Effect.gen(function*() {
        const { identity } = yield* DigiKeyUser.DigiKeyUser
        const store = yield* TokenStore.TokenStore
        const entry = yield* store.load(TokenStore.key(identity))
        yield* store.remove(TokenStore.key(identity))
        return Option.isSome(entry)
      })
      const services = yield* Layer.build(DigiKeySimulator.layer())
      assert.isTrue(yield* Effect.provide(stored, services))
      assert.isTrue(yield* Effect.provide(stored, DigiKeySimulator.layer()))
    }).pipe(Effect.scoped))
})

describe("error dialects", () => {
  const error = {
    status: 400,
    title: "Bad Request",
    detail: "No",
    requestId: "id",
    fields: [{ field: "Keywords", message: "too long" }, { field: "Keywords", message: "too odd" }]
  }
  const parsed = (dialect: ErrorDialect.ErrorDialect) => JSON.parse(ErrorDialect.render(dialect, error).body)

  it("say the same thing in each of DigiKey's shapes", () => {
    assert.deepStrictEqual(parsed("A"), {
      ErrorResponseVersion: "3.0.0.0",
      StatusCode: 400,
      ErrorMessage: "Bad Request",
      ErrorDetails: "No",
      RequestId: "id",
      ValidationErrors: [{ Field: "Keywords", Message: "too long" }, { Field: "Keywords", Message: "too odd" }]
    })
    assert.deepStrictEqual(parsed("B"), {
      type: null,
      title: "Bad Request",
      status: 400,
      detail: "No",
      instance: null,
      correlationId: "id",
      errors: { Keywords: ["too long", "too odd"] }
    })
    assert.deepStrictEqual(parsed("C"), {
      statusCode: 400,
      errorMessage: "Bad Request",
      errorDetails: "No",
      requestId: "id",
      validationErrors: error.fields
    })
    assert.deepStrictEqual(parsed("D"), { ErrorCode: "invalid_request", Error: "No" })
    assert.deepStrictEqual(parsed("E"), { error: "invalid_request", error_description: "No" })
    assert.deepStrictEqual(parsed("F"), { httpCode: "400", httpMessage: "Bad Request", moreInformation: "No" })
    assert.strictEqual(ErrorDialect.render("Empty", error).body, "")
    assert.match(ErrorDialect.render("Html", error).body, /^<html>/)
  })
})
