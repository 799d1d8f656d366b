import { DigitzsApp, Merchants } from "@effect-credentials/digitzs"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { HttpClient, HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  ConfigProvider,
  Context,
  DateTime,
  Duration,
  Effect,
  Encoding,
  Exit,
  Fiber,
  Layer,
  Redacted,
  Ref,
  TestClock
} from "effect"
import { Credentials, Token } from "effect-credentials"
import { bodyOf, recording } from "./utils/recording.js"

const { Fault } = DigitzsSimulator

const lifetimeOf = Effect.gen(function*() {
  const app = yield* DigitzsApp.DigitzsApp
  return Duration.toSeconds(Token.lifetime(yield* app.token))
})

const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

const good = {
  DIGITZS_API_KEY: "simulator-api-key",
  DIGITZS_APP_KEY: "simulator-app-key",
  DIGITZS_APP_ID: "simulator-app"
}

const configured = (variables: Record<string, string>, config?: DigitzsApp.Configs) =>
  DigitzsApp.layerConfig(config).pipe(
    Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))))
  )

const simulated = configured(good)

describe("an app token", () => {
  it.effect("is exchanged for as documented", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording(201, {
        links: { self: "https://api.digitzs.com/auth/token" },
        data: { type: "auth", id: "the-api-key", attributes: { appToken: "the.app.token" } }
      })
      const app = DigitzsApp.layer({ apiKey: Redacted.make("the-api-key"), appKey: Redacted.make("the-app-key"), appId: "the-app" })
      const token = yield* Effect.flatMap(DigitzsApp.DigitzsApp, (app) => app.token).pipe(Effect.provide(Layer.provide(app, layer)))
      assert.strictEqual(Redacted.value(token.accessToken), "the.app.token")
      const [request] = yield* sent
      assert.strictEqual(`${request?.method} ${request?.url}`, "POST https://api.digitzs.com/auth/token")
      assert.deepInclude({ ...request?.headers }, {
        "x-api-key": "the-api-key",
        "accept": "application/json",
        "content-type": "application/json"
      })
      assert.doesNotHaveAnyKeys(request?.headers, ["authorization", "appid"])
      assert.deepStrictEqual(bodyOf(request), { data: { type: "auth", attributes: { appKey: "the-app-key" } } })
    }))

  it.effect("is fetched once for many callers, and renewed 5 minutes before its hour is over", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      const tokenCalls = Effect.map(simulator.stats, (stats) => stats.tokenCalls)
      yield* Effect.all(Array.from({ length: 20 }, () => Merchants.list()), { concurrency: "unbounded" })
      assert.strictEqual(yield* tokenCalls, 1)
      yield* TestClock.adjust(Duration.subtract("55 minutes", "1 millis"))
      yield* Merchants.list()
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* tokenCalls, 1)
      yield* TestClock.adjust("1 millis")
      yield* Merchants.list()
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* tokenCalls, 2)
      assert.deepStrictEqual((yield* simulator.stats).byStatus, { 200: 22, 201: 2 })
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("that lives 30 seconds is not due at birth", () =>
    Effect.gen(function*() {
      yield* Merchants.list()
      yield* TestClock.adjust("14 seconds")
      yield* Merchants.list()
      yield* TestClock.adjust(0)
      const { stats } = yield* DigitzsSimulator.DigitzsSimulator
      assert.strictEqual((yield* stats).tokenCalls, 1)
    }).pipe(Effect.provide(DigitzsSimulator.layer({ claims: (now) => ({ iat: now, exp: now + 30 }), tokenLifetime: "30 seconds" }))))

  it.effect("that was revoked is replaced, and the request sent again", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* Merchants.list()
      yield* simulator.revokeTokens
      yield* Effect.all(Array.from({ length: 50 }, () => Merchants.list()), { concurrency: "unbounded" })
      assert.strictEqual((yield* simulator.stats).tokenCalls, 2)
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("is had with a new app key at the next renewal, without a restart", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make()
      const { apiKey, appId, appKey } = yield* simulator.accepted
      const current = yield* Ref.make(appKey)
      const layer = DigitzsApp.layer({ apiKey, appId, appKey: Ref.get(current) }).pipe(
        Layer.provideMerge(Layer.succeed(HttpClient.HttpClient, simulator.httpClient))
      )
      yield* Effect.gen(function*() {
        yield* Merchants.list()
        yield* Ref.set(current, yield* simulator.rotateAppKey)
        yield* simulator.revokeTokens
        yield* Merchants.list()
      }).pipe(Effect.provide(layer))
      // Nobody here asked for a new app key.
      assert.isUndefined((yield* simulator.stats).byRoute["POST /auth/key"])
    }))
})

describe("the lifetime of an app token", () => {
  const hour = 3600

  /** The one in Digitzs's documentation: issued in 2018, without an expiry. */
  const sample = { sub: "sample-app", iat: 1516239022 }

  const odd: ReadonlyArray<readonly [what: string, claims: DigitzsSimulator.Claims, seconds: number]> = [
    ["exp - iat", (now) => ({ iat: now, exp: now + 1800 }), 1800],
    ["an hour, for the documented sample token", () => sample, hour],
    ["an hour, for exp \"1\"", () => ({ exp: "1" }), hour],
    ["an hour, for exp \"1\" beside a good iat", (now) => ({ iat: now, exp: "1" }), hour],
    ["an hour, for exp 1e300", (now) => ({ iat: now, exp: 1e300 }), hour],
    ["an hour, for exp -1", (now) => ({ iat: now, exp: -1 }), hour],
    ["an hour, for exp null", () => ({ exp: null }), hour],
    ["an hour, for exp true", () => ({ exp: true }), hour],
    ["an hour, for an exp that is a list", (now) => ({ exp: [now + 60] }), hour],
    ["an hour, for an exp in milliseconds", (now) => ({ exp: (now + 60) * 1000 }), hour],
    ["an hour, for an exp of the past", (now) => ({ exp: now - 60 }), hour],
    ["an hour, for no claims", () => ({}), hour]
  ]
  for (const [what, claims, seconds] of odd) {
    it.effect(`is ${what}`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(Date.UTC(2026, 0, 1))
        assert.strictEqual(yield* lifetimeOf, seconds)
      }).pipe(Effect.provide(DigitzsSimulator.layer({ claims }))))
  }

  const garbage = [
    "x",
    "a.b.c",
    "..",
    ".".repeat(1000),
    `a.${Encoding.encodeBase64Url("{")}.c`,
    `a.${Encoding.encodeBase64Url("null")}.c`,
    `a.${Encoding.encodeBase64Url("[]")}.c`,
    `a.${Encoding.encodeBase64Url("\"exp\"")}.c`,
    `a.${Encoding.encodeBase64Url("{\"exp\":}")}.c`
  ]
  for (const appToken of garbage) {
    it.effect(`is an hour for ${JSON.stringify(appToken.slice(0, 30))}, which is no JWT`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigitzsSimulator.DigitzsSimulator
        const body = JSON.stringify({ data: { attributes: { appToken } } })
        yield* simulator.failNext(Fault.Respond({ status: 201, body }), { path: "/auth/token" })
        assert.strictEqual(yield* lifetimeOf, hour)
      }).pipe(Effect.provide(DigitzsSimulator.layer())))
  }

  for (const minutes of [-10, 10]) {
    it.effect(`is the same where the clocks differ by ${minutes} minutes`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(Date.UTC(2026, 0, 1))
        const simulator = yield* DigitzsSimulator.DigitzsSimulator
        yield* simulator.setClaims((now) => ({ iat: now + minutes * 60, exp: now + minutes * 60 + hour }))
        assert.strictEqual(yield* lifetimeOf, hour)
        yield* simulator.setClaims((now) => ({ ...sample, skewed: now + minutes * 60 }))
        const app = yield* DigitzsApp.DigitzsApp
        assert.strictEqual(Duration.toHours(Token.lifetime(yield* app.refresh)), 1)
      }).pipe(Effect.provide(DigitzsSimulator.layer())))
  }

  it.effect("counts from when the request was sent, however late its answer", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.setLatency({ auth: "8 seconds" })
      const app = yield* DigitzsApp.DigitzsApp
      const fiber = yield* Effect.fork(app.token)
      yield* TestClock.adjust("8 seconds")
      const token = yield* Fiber.join(fiber)
      assert.deepStrictEqual([token.issuedAt, token.expiresAt].map(DateTime.toEpochMillis), [0, 3_600_000])
    }).pipe(Effect.provide(DigitzsSimulator.layer())))
})

describe("no app token", () => {
  const remedy = "create a new one with AppKey.create, which ends the present one at once"

  it.effect("says that the API key is wrong", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.accept({ apiKey: Redacted.make("another") })
      const error = yield* Effect.flip(Merchants.list())
      assert.deepInclude({ ...error }, { _tag: "CredentialsRejected", provider: "digitzs", status: 403, description: "Forbidden" })
      assert.include(error.message, "check DIGITZS_API_KEY")
      assert.strictEqual((yield* simulator.stats).tokenCalls, 1)
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("says that the app key is wrong, and what to do", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.rotateAppKey
      const error = yield* Effect.flip(Merchants.list())
      assert.deepInclude({ ...error }, { _tag: "CredentialsRejected", status: 401, description: "Unauthorized: The appKey is invalid" })
      assert.include(error.message, "check DIGITZS_APP_KEY")
      assert.include(error.message, remedy)
      assert.deepStrictEqual((yield* simulator.stats).byRoute, { "POST /auth/token": 1 })
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("says that the app key is missing, and what to do", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      const body = JSON.stringify({ errors: [{ status: "400", title: "Bad Request", detail: "The appKey field is required" }] })
      yield* simulator.failNext(Fault.Respond({ status: 400, body }))
      const error = yield* Effect.flip(Merchants.list())
      assert.deepInclude({ ...error }, {
        _tag: "CredentialsRejected",
        status: 400,
        description: "Bad Request: The appKey field is required"
      })
      assert.include(error.message, "check DIGITZS_APP_KEY")
      assert.include(error.message, remedy)
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("has a remedy for an app key that is refused without words", () =>
    Effect.gen(function*() {
      const { layer } = yield* recording(401, "")
      const error = yield* Effect.flip(Effect.flatMap(DigitzsApp.DigitzsApp, (app) => app.token)).pipe(
        Effect.provide(Layer.provide(simulated, layer))
      )
      assert.include(error.message, remedy)
    }))

  it.effect("says that the gateway is throttled, and when it may be asked again", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.failAlways(Fault.Respond({ status: 429 }), { path: "/auth/token" })
      const error = yield* passing(Effect.flip(Merchants.list()))
      assert.deepInclude({ ...error }, { _tag: "TokenEndpointUnavailable", reason: "Status", status: 429 })
      assert.include(error.message, "answered 429. Try again")
      assert.strictEqual((yield* simulator.stats).tokenCalls, 6)
      yield* simulator.clearFaults
      yield* TestClock.adjust("2 minutes")
      yield* Merchants.list()
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("is no token where a 201 has errors, or none in it", () =>
    Effect.gen(function*() {
      const tag = (body: unknown) =>
        Effect.gen(function*() {
          const { layer } = yield* recording(201, body)
          const error = yield* Effect.flip(Effect.flatMap(DigitzsApp.DigitzsApp, (app) => app.token)).pipe(
            Effect.provide(Layer.provide(simulated, layer))
          )
          return error._tag
        })
      assert.strictEqual(yield* tag({ errors: [{ status: "401", title: "Unauthorized" }] }), "CredentialsRejected")
      for (const body of [{}, null, [], { data: { attributes: {} } }, { data: { attributes: { appToken: "two lines\n" } } }]) {
        assert.strictEqual(yield* tag(body), "MalformedTokenResponse")
      }
    }))
})

describe("DigitzsApp.layerConfig", () => {
  it.effect("puts the token, the API key and the app id on every request", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording(200, { data: [] })
      yield* Merchants.list().pipe(Effect.provide(Layer.merge(DigitzsApp.layerTest({ token: "the-token" }), layer)))
      const [request] = yield* sent
      assert.strictEqual(request?.url, "https://api.digitzs.com/merchants")
      assert.deepInclude({ ...request?.headers }, {
        "authorization": "Bearer the-token",
        "x-api-key": "test-api-key",
        "appid": "test-app"
      })
    }))

  it.effect("reads its variables, and another base URL", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording(201, { data: { attributes: { appToken: "t" } } })
      yield* Effect.flatMap(DigitzsApp.DigitzsApp, (app) => app.token).pipe(
        Effect.provide(Layer.provide(configured({ ...good, DIGITZS_BASE_URL: "https://other.digitzs.example/v3" }), layer))
      )
      const [request] = yield* sent
      assert.strictEqual(request?.url, "https://other.digitzs.example/v3/auth/token")
    }))

  it.effect("leaves the app id out where it is told to, and only there", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording(201, { data: [], appToken: 1 })
      const { DIGITZS_APP_ID: _, ...withoutAppId } = good
      const built = yield* Effect.exit(Effect.scoped(Layer.build(Layer.provide(configured(withoutAppId), layer))))
      assert.include(String(built), "DIGITZS_APP_ID")
      const app = yield* Layer.build(Layer.provide(configured(withoutAppId, { appId: false }), layer)).pipe(
        Effect.map((context) => Context.get(context, DigitzsApp.DigitzsApp))
      )
      const request = yield* app.attach(
        HttpClientRequest.get("/merchants"),
        Token.make({ accessToken: "t", issuedAt: DateTime.unsafeMake(0), expiresAt: DateTime.unsafeMake(1) })
      )
      assert.deepStrictEqual(Object.keys(request.headers).sort(), ["authorization", "x-api-key"])
      assert.deepStrictEqual(yield* sent, [])
    }).pipe(Effect.scoped))

  const bad: ReadonlyArray<readonly [what: string, variables: Record<string, string | undefined>, name: string]> = [
    ["a missing API key", { DIGITZS_API_KEY: undefined }, "DIGITZS_API_KEY"],
    ["a missing app key", { DIGITZS_APP_KEY: undefined }, "DIGITZS_APP_KEY"],
    ["a missing app id", { DIGITZS_APP_ID: undefined }, "DIGITZS_APP_ID"],
    ["an empty API key", { DIGITZS_API_KEY: "" }, "DIGITZS_API_KEY"],
    ["an empty app id", { DIGITZS_APP_ID: "" }, "DIGITZS_APP_ID"],
    ["a newline at the end of the app key", { DIGITZS_APP_KEY: "canary\n" }, "DIGITZS_APP_KEY"],
    ["a header in the app id", { DIGITZS_APP_ID: "canary\r\nx: y" }, "DIGITZS_APP_ID"],
    ["plain http", { DIGITZS_BASE_URL: "http://canary.example.com" }, "DIGITZS_BASE_URL"],
    ["a user name in the URL", { DIGITZS_BASE_URL: "https://canary@example.com" }, "DIGITZS_BASE_URL"],
    ["no URL at all", { DIGITZS_BASE_URL: "canary" }, "DIGITZS_BASE_URL"]
  ]
  for (const [what, variables, name] of bad) {
    it.effect(`refuses ${what} when it is built, names the variable and does not print the value`, () =>
      Effect.gen(function*() {
        const { layer, sent } = yield* recording(500, "")
        const given = Object.entries({ ...good, ...variables }).flatMap(([key, value]) =>
          value === undefined ? [] : [[key, value] as const]
        )
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(Layer.provide(configured(Object.fromEntries(given)), layer))))
        assert.isTrue(Exit.isFailure(exit))
        const printed = Exit.isFailure(exit) ? Cause.pretty(exit.cause) + JSON.stringify(exit) : ""
        assert.include(printed, name)
        assert.notInclude(printed, "canary")
        assert.deepStrictEqual(yield* sent, [])
      }))
  }
})

describe("the identity", () => {
  it.effect("differs by API key, app key, app id and host, and shows none of the first three", () =>
    Effect.gen(function*() {
      const base = { apiKey: "canary-api", appKey: "canary-app", appId: "canary-id" as string | false, baseUrl: "https://api.digitzs.com" }
      const { layer } = yield* recording(500, "")
      const identity = (change: Partial<typeof base>) => {
        const { apiKey, appKey, ...rest } = { ...base, ...change }
        const app = DigitzsApp.layer({ apiKey: Redacted.make(apiKey), appKey: Redacted.make(appKey), ...rest })
        return Effect.map(DigitzsApp.DigitzsApp, (app) => app.identity).pipe(Effect.provide(Layer.provide(app, layer)))
      }
      const identities = yield* Effect.all([
        {}, { apiKey: "b" }, { appKey: "b" }, { appId: "b" }, { appId: false as const }, { baseUrl: "https://b.example" }
      ].map(identity))
      assert.strictEqual(new Set(identities.map((it) => it.hash)).size, 6)
      assert.notInclude(JSON.stringify(identities[0]), "canary")
    }))

  it.effect("is that of a second account under a second tag", () =>
    Effect.gen(function*() {
      class Second extends Credentials.Tag("Second")<Second>() {}
      const { layer, sent } = yield* recording(200, { data: [] })
      yield* Effect.zipRight(Merchants.list(), Merchants.make(Second).list()).pipe(Effect.provide(Layer.mergeAll(
        DigitzsApp.layerTest({ token: "first" }),
        Credentials.layerTest(Second, { token: "second" }),
        layer
      )))
      assert.deepStrictEqual((yield* sent).map((it) => it.headers["authorization"]), ["Bearer first", "Bearer second"])
    }))
})
