import { HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Layer, Redacted, Ref, TestClock } from "effect"
import { Credentials } from "effect-credentials"

const good = {
  DIGIKEY_CLIENT_ID: "simulator-client-id",
  DIGIKEY_CLIENT_SECRET: "simulator-client-secret",
  DIGIKEY_ENVIRONMENT: "sandbox"
}

const configured = (variables: Record<string, string>, config?: DigiKeyApp.Configs) =>
  DigiKeyApp.layerConfig(config).pipe(
    Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))))
  )

const ne555 = ProductInformation.keywordSearch({ Keywords: "NE555" })

/** An `HttpClient` that keeps what was sent and answers with an empty result. */
const recording = Effect.map(Ref.make<ReadonlyArray<HttpClientRequest.HttpClientRequest>>([]), (sent) => ({
  sent: Ref.get(sent),
  layer: Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make((request) =>
      Effect.as(
        Ref.update(sent, (all) => [...all, request]),
        HttpClientResponse.fromWeb(request, Response.json({ Products: [], ProductsCount: 0, ExactMatches: null }))
      )
    )
  )
}))

describe("DigiKeyApp against the simulator", () => {
  it.effect("searches with a token that is fetched once", () =>
    Effect.gen(function*() {
      const found = yield* Effect.all(Array.from({ length: 20 }, () => ne555), { concurrency: "unbounded" })
      assert.isAbove(found[0]?.ProductsCount ?? 0, 0)
      const stats = yield* Effect.flatMap(DigiKeySimulator.DigiKeySimulator, (simulator) => simulator.stats)
      assert.strictEqual(stats.tokenCalls, 1)
      assert.strictEqual(stats.requests, 20)
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("finds details by a part number that contains a slash", () =>
    Effect.gen(function*() {
      const slashed = DigiKeySimulator.defaultParts.find((part) => part.manufacturerProductNumber.includes("/"))
      const number = slashed?.manufacturerProductNumber ?? ""
      const { Product } = yield* ProductInformation.productDetails(number)
      assert.strictEqual(Product.ManufacturerProductNumber, number)
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("sends any other request of the product through the same pipeline", () =>
    Effect.gen(function*() {
      const response = yield* ProductInformation.execute(HttpClientRequest.get("/search/manufacturers"))
      assert.property(yield* response.json, "Manufacturers")
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("recovers from a revoked token, and from a second one ten seconds later", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* ne555
      for (let round = 0; round < 2; round++) {
        yield* simulator.revokeTokens
        yield* Effect.all(Array.from({ length: 50 }, () => ne555), { concurrency: "unbounded" })
        yield* TestClock.adjust("10 seconds")
      }
      assert.strictEqual((yield* simulator.stats).tokenCalls, 3)
    }).pipe(Effect.provide(DigiKeySimulator.layer({ rateLimits: "off" }))))

  it.effect("renews by the expires_in of the reply, not by the documented half hour", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* ne555
      yield* TestClock.adjust("599 seconds")
      yield* ne555
      assert.strictEqual((yield* simulator.stats).tokenCalls, 2)
    }).pipe(Effect.provide(DigiKeySimulator.layer({ expiresIn: 599 }))))

  it.effect("takes a new secret at the next renewal, without a restart", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const secret = yield* Ref.make(Redacted.make("simulator-client-secret"))
      const layer = DigiKeyApp.layer({
        clientId: "simulator-client-id",
        clientSecret: Ref.get(secret),
        environment: "sandbox"
      }).pipe(Layer.provideMerge(Layer.succeed(HttpClient.HttpClient, simulator.httpClient)))
      yield* Effect.gen(function*() {
        yield* ne555
        yield* Ref.set(secret, yield* simulator.rotateSecret)
        yield* simulator.revokeTokens
        yield* ne555
      }).pipe(Effect.provide(layer))
    }))

  it.effect("says which credentials are wrong, and that the environment may be", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* simulator.rotateSecret
      const error = yield* Effect.flip(ne555)
      assert.deepInclude({ ...error }, { _tag: "CredentialsRejected", provider: "digikey", status: 401 })
      assert.include(error.message, "sandbox credentials: those of production do not work here")
      assert.notInclude(error.message, "simulator-client")
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("names the likely cause of a 401 that a new token does not mend", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* simulator.unsubscribe("/products/v4")
      const error = yield* Effect.flip(ne555)
      assert.deepInclude({ ...error }, { _tag: "ApiError", status: 401, reason: "Unauthorized" })
      assert.include(error.message, "subscribed to this product")
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("names the missing account", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(ProductInformation.productDetails("NE555P"))
      assert.include(error.message, "DIGIKEY_ACCOUNT_ID")
    }).pipe(Effect.provide(DigiKeySimulator.layer({ accountRequired: true }))))
})

describe("DigiKeyApp.layerConfig", () => {
  it.effect("reads everything it sends from the configuration", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording
      const test = DigiKeyApp.layerTest({ token: "the-token" })
      yield* ne555.pipe(Effect.provide(Layer.merge(test, layer)))
      const [request] = yield* sent
      assert.strictEqual(request?.url, "https://sandbox-api.digikey.com/products/v4/search/keyword")
      assert.strictEqual(request?.headers["authorization"], "Bearer the-token")
      assert.strictEqual(request?.headers["x-digikey-client-id"], "test-client")
    }))

  it.effect("puts the account and the locale on every request", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ accountRequired: true })
      const seen = yield* Ref.make<Record<string, string>>({})
      const client = HttpClient.tapRequest(simulator.httpClient, (request) => Ref.set(seen, { ...request.headers }))
      const layer = configured({
        ...good,
        DIGIKEY_ACCOUNT_ID: "42",
        DIGIKEY_LOCALE_SITE: "DE",
        DIGIKEY_LOCALE_LANGUAGE: "de",
        DIGIKEY_LOCALE_CURRENCY: ""
      })
      yield* ProductInformation.productDetails("NE555P").pipe(
        Effect.provide(Layer.provideMerge(layer, Layer.succeed(HttpClient.HttpClient, client)))
      )
      assert.deepInclude(yield* Ref.get(seen), {
        "x-digikey-client-id": "simulator-client-id",
        "x-digikey-account-id": "42",
        "x-digikey-locale-site": "DE",
        "x-digikey-locale-language": "de"
      })
      assert.notProperty(yield* Ref.get(seen), "x-digikey-locale-currency")
    }))

  it.effect("gives one tenant's credentials to one and the other's to the other", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* simulator.addAccount({ clientId: "second-id", clientSecret: "second-secret" })
      const http = Layer.succeed(HttpClient.HttpClient, simulator.httpClient)
      const search = (variables: Record<string, string>) =>
        Effect.gen(function*() {
          yield* ne555
          const app = yield* DigiKeyApp.DigiKeyApp
          return { token: Redacted.value((yield* app.token).accessToken), identity: app.identity.hash }
        }).pipe(Effect.provide(Layer.provideMerge(configured(variables), http)))
      const [one, two] = yield* Effect.all([
        search(good),
        search({ ...good, DIGIKEY_CLIENT_ID: "second-id", DIGIKEY_CLIENT_SECRET: "second-secret" })
      ], { concurrency: 2 })
      assert.notStrictEqual(one.token, two.token)
      assert.notStrictEqual(one.identity, two.identity)
    }))

  const bad: ReadonlyArray<readonly [what: string, variables: Record<string, string | undefined>, name: string]> = [
    ["a missing client id", { DIGIKEY_CLIENT_ID: undefined }, "DIGIKEY_CLIENT_ID"],
    ["a missing secret", { DIGIKEY_CLIENT_SECRET: undefined }, "DIGIKEY_CLIENT_SECRET"],
    ["a missing environment", { DIGIKEY_ENVIRONMENT: undefined }, "DIGIKEY_ENVIRONMENT"],
    ["an unknown environment", { DIGIKEY_ENVIRONMENT: "canary-staging" }, "DIGIKEY_ENVIRONMENT"],
    ["an empty secret", { DIGIKEY_CLIENT_SECRET: "" }, "DIGIKEY_CLIENT_SECRET"],
    ["an empty client id", { DIGIKEY_CLIENT_ID: "" }, "DIGIKEY_CLIENT_ID"],
    ["a newline in the client id", { DIGIKEY_CLIENT_ID: "canary\nx" }, "DIGIKEY_CLIENT_ID"],
    ["a newline at the end of the secret", { DIGIKEY_CLIENT_SECRET: "canary\n" }, "DIGIKEY_CLIENT_SECRET"],
    ["a newline in the account", { DIGIKEY_ACCOUNT_ID: "canary\r\nx: y" }, "DIGIKEY_ACCOUNT_ID"],
    ["a newline in the locale", { DIGIKEY_LOCALE_SITE: "canary\n" }, "DIGIKEY_LOCALE_SITE"],
    ["plain http", { DIGIKEY_BASE_URL: "http://canary.example.com" }, "DIGIKEY_BASE_URL"],
    ["a host that only looks like loopback", { DIGIKEY_BASE_URL: "http://127.0.0.1.canary.com" }, "DIGIKEY_BASE_URL"],
    ["a user name in the URL", { DIGIKEY_BASE_URL: "https://canary@example.com" }, "DIGIKEY_BASE_URL"],
    ["no URL at all", { DIGIKEY_BASE_URL: "canary" }, "DIGIKEY_BASE_URL"]
  ]
  for (const [what, variables, name] of bad) {
    it.effect(`refuses ${what} when it is built, names the variable and does not print the value`, () =>
      Effect.gen(function*() {
        const { layer: http, sent } = yield* recording
        const given = Object.entries({ ...good, ...variables }).flatMap(([key, value]) =>
          value === undefined ? [] : [[key, value] as const]
        )
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(Layer.provide(
          configured(Object.fromEntries(given)),
          http
        ))))
        assert.isTrue(Exit.isFailure(exit))
        const printed = Exit.isFailure(exit) ? Cause.pretty(exit.cause) + JSON.stringify(exit) : ""
        assert.include(printed, name)
        assert.notInclude(printed, "canary")
        assert.deepStrictEqual(yield* sent, [])
      }))
  }

  it.effect("takes plain http on loopback, for simulators", () =>
    Effect.gen(function*() {
      for (const url of ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"]) {
        const { layer: http } = yield* recording
        yield* Effect.scoped(Layer.build(Layer.provide(configured({ ...good, DIGIKEY_BASE_URL: url }), http)))
      }
    }))
})

describe("DigiKeyApp.layer", () => {
  const options = { clientId: "id", clientSecret: Redacted.make("secret"), environment: "sandbox" as const }
  const bad: ReadonlyArray<readonly [string, DigiKeyApp.Options, string]> = [
    ["an empty secret", { ...options, clientSecret: Redacted.make("") }, "clientSecret"],
    ["an empty client id", { ...options, clientId: "" }, "clientId"],
    ["a newline in the account", { ...options, accountId: "canary\n" }, "X-DIGIKEY-Account-Id"],
    ["plain http", { ...options, baseUrl: "http://canary.com" }, "Url"]
  ]
  for (const [what, given, name] of bad) {
    it.effect(`refuses ${what} with a ConfigError that names the option`, () =>
      Effect.gen(function*() {
        const { layer: http } = yield* recording
        const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.provide(DigiKeyApp.layer(given), http))))
        assert.include(String(error), name)
        assert.notInclude(String(error), "canary")
      }))
  }
})

describe("a second account", () => {
  it.effect("has its own tag, token and limits", () =>
    Effect.gen(function*() {
      class Second extends Credentials.Tag("Second")<Second>() {}
      const { layer, sent } = yield* recording
      const both = Layer.mergeAll(
        DigiKeyApp.layerTest({ token: "first" }),
        Credentials.layerTest(Second, { token: "second", baseUrl: "https://api.digikey.com" }),
        layer
      )
      const second = ProductInformation.make(Second)
      yield* Effect.zipRight(ne555, second.keywordSearch({ Keywords: "NE555" })).pipe(Effect.provide(both))
      const tokens = (yield* sent).map((request) => request.headers["authorization"])
      assert.deepStrictEqual(tokens, ["Bearer first", "Bearer second"])
    }))
})

describe("ProductInformation", () => {
  it.effect("refuses a search that DigiKey would refuse, and sends nothing", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording
      const search = (request: ProductInformation.KeywordRequest) =>
        Effect.flip(ProductInformation.keywordSearch(request)).pipe(
          Effect.provide(Layer.merge(DigiKeyApp.layerTest(), layer))
        )
      for (const request of [{ Keywords: "" }, { Keywords: "x".repeat(251) }, { Keywords: "x", Limit: 51 }]) {
        assert.deepInclude({ ...(yield* search(request)) }, { _tag: "RequestFailed", reason: "InvalidRequest" })
      }
      assert.deepStrictEqual(yield* sent, [])
    }))

  for (const number of ["", ".", ".."]) {
    it.effect(`refuses ${JSON.stringify(number)} as a part number, and sends nothing`, () =>
      Effect.gen(function*() {
        const { layer, sent } = yield* recording
        const error = yield* Effect.flip(ProductInformation.productDetails(number)).pipe(
          Effect.provide(Layer.merge(DigiKeyApp.layerTest(), layer))
        )
        assert.deepInclude({ ...error }, { _tag: "RequestFailed", reason: "InvalidRequest" })
        assert.deepStrictEqual(yield* sent, [])
      }))
  }
})
