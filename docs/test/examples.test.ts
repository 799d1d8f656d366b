import { DigiKeyApp, DigiKeyUser, type ProductInformation } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import type { HttpApp } from "@effect/platform"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, it, layer } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Logger, LogLevel, Redacted } from "effect"
import { Keyring } from "effect-credentials"
import { InMemoryHttp } from "effect-credentials/testing"
import * as Fs from "node:fs"
import { createServer } from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Accounts from "../examples/accounts.js"
import * as DigitzsPayment from "../examples/digitzs-payment.js"
import * as Errors from "../examples/errors.js"
import * as Events from "../examples/events.js"
import * as Execute from "../examples/execute.js"
import * as ManagedRuntime from "../examples/managed-runtime.js"
import * as Options from "../examples/options.js"
import * as WriteAProvider from "../examples/write-a-provider.js"
import * as Loopback from "../examples/quick-start/loopback.js"
import * as Search from "../examples/search.js"
import * as OtherProducts from "../examples/other-products.js"
import * as SecondAccount from "../examples/second-account.js"
import * as TokensAtRest from "../examples/tokens-at-rest.js"
import * as Markdown from "./utils/markdown.js"
import { recorded, text } from "./utils/recording.js"

const purchasing = { clientId: "purchasing-client", clientSecret: "purchasing-secret" }

const environment = Effect.gen(function*() {
  const { credentials } = yield* DigiKeySimulator.DigiKeySimulator
  const { clientId, clientSecret } = yield* credentials
  const url = yield* Loopback.url
  return ConfigProvider.fromMap(
    new Map([
      ["DIGIKEY_CLIENT_ID", clientId],
      ["DIGIKEY_CLIENT_SECRET", Redacted.value(clientSecret)],
      ["DIGIKEY_ENVIRONMENT", "sandbox"],
      ["DIGIKEY_BASE_URL", url],
      ["PURCHASING_CLIENT_ID", purchasing.clientId],
      ["PURCHASING_CLIENT_SECRET", purchasing.clientSecret],
      ["PURCHASING_BASE_URL", url]
    ])
  )
})

/** What an example prints, and how many token calls it makes, with its variables set and the simulator at the other end. */
const run = <A, E>(program: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    yield* simulator.resetStats
    const [, printed] = yield* recorded(Effect.withConfigProvider(program, yield* environment))
    return { ...printed, tokenCalls: (yield* simulator.stats).tokenCalls }
  })

const Simulated = Layer.tap(Loopback.layer({ rateLimits: "off" }), (context) =>
  Effect.provide(Effect.flatMap(DigiKeySimulator.DigiKeySimulator, ({ addAccount }) => addAccount(purchasing)), context))

layer(Layer.merge(Simulated, Logger.minimumLogLevel(LogLevel.None)), { excludeTestServices: true })("an example", (it) => {
  it.effect("search.ts prints a table of parts", () =>
    Effect.gen(function*() {
      const { out, tokenCalls } = yield* run(Search.program)
      assert.strictEqual(tokenCalls, 1)
      const [parts] = out as [ProductInformation.KeywordResponse["Products"]]
      assert.strictEqual(parts.length, 5)
      assert.strictEqual(parts[0]?.ManufacturerProductNumber, "NE555P")
    }))

  it.effect("options.ts prints the stock of a part", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* run(Options.program)).out, ["48210 in stock"])
    }))

  it.effect("second-account.ts gets one token for each account", () =>
    Effect.gen(function*() {
      const { out, tokenCalls } = yield* run(SecondAccount.program)
      assert.strictEqual(tokenCalls, 2)
      assert.deepStrictEqual(out, ["48210 and 87120 in stock"])
    }))

  it.effect("accounts.ts gets one token for each customer", () =>
    Effect.gen(function*() {
      const { out, tokenCalls } = yield* run(Accounts.program)
      assert.strictEqual(tokenCalls, 2)
      assert.deepStrictEqual(out, [
        "DIGIKEY: 48210 in stock",
        "PURCHASING: 48210 in stock",
        "DIGIKEY: 48210 in stock",
        "2 accounts, 0 in use"
      ])
    }))

  it.scoped("tokens-at-rest.ts takes a login over, lists its quotes, and forgets it", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tokens-at-rest-"))),
        (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true }))
      )
      const { refreshToken } = yield* simulator.signIn()
      const key = yield* Keyring.generate
      const configured = yield* environment
      const variables = ConfigProvider.fromMap(
        new Map([
          ["CREDENTIALS_FOLDER", Path.join(folder, "credentials")],
          ["CREDENTIALS_KEYRING", `2026-11:${Redacted.value(key)}`],
          ["OLD_REFRESH_TOKEN", Redacted.value(refreshToken)]
        ])
      )
      const { out, tokenCalls } = yield* run(Effect.withConfigProvider(
        TokensAtRest.program,
        ConfigProvider.orElse(variables, () => configured)
      ))
      assert.deepStrictEqual(out, ["A person has to log in to digikey as default: no login is stored.", "0 quotes"])
      assert.strictEqual(tokenCalls, 1)
    }))

  it.effect("execute.ts reads what no function of the product reads", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* run(Execute.program)).out, ["Comes in: Tube"])
    }))

  it.effect("managed-runtime.ts builds the layer once, at the edge or in a runtime", () =>
    Effect.gen(function*() {
      const { out, tokenCalls } = yield* run(ManagedRuntime.program)
      assert.strictEqual(tokenCalls, 1)
      assert.deepStrictEqual(out, ["In stock: 48210, 87120, 310220"])

      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      const variables = Layer.merge(Layer.setConfigProvider(yield* environment), Logger.minimumLogLevel(LogLevel.None))
      const service = ManagedRuntime.makeService(Layer.provide(ManagedRuntime.AppLayer, variables))
      const stock = yield* Effect.promise(() => Promise.all([service.stockOf("NE555P"), service.stockOf("LM358P")]))
      yield* Effect.promise(service.close)
      assert.deepStrictEqual(stock, [48210, 87120])
      assert.strictEqual((yield* simulator.stats).tokenCalls, 2)
    }))

  it.effect("errors.ts says which part is unknown", () =>
    Effect.gen(function*() {
      const { err, out } = yield* run(Errors.program)
      assert.deepStrictEqual(out, ["NE555P: 48210", "NO-SUCH-PART: unknown"])
      assert.deepStrictEqual(err, [])
    }))

  it.effect("errors.ts says when to come back after a rate limit", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* simulator.failNext(DigiKeySimulator.Fault.Respond({ status: 429, headers: { "Retry-After": "3600" } }))
      const { err, out } = yield* run(Errors.program)
      assert.match(text(err), /^Come back at /)
      assert.deepStrictEqual(out, ["NE555P: unknown", "NO-SUCH-PART: unknown"])
    }))

  it.effect("events.ts tells of the first token and of the second", () =>
    Effect.gen(function*() {
      const { out } = yield* run(Events.program)
      assert.match(text(out), /^first token, good until .+\ntoken 2, good until .+$/)
    }))
})

it.effect("other-products.ts calls products that have no operations here, each with its own credentials", () =>
  Effect.gen(function*() {
    const sent: Array<string> = []
    const server = Effect.map(HttpServerRequest.HttpServerRequest, ({ headers, url }) => {
      sent.push(`${url} ${headers["authorization"]}`)
      return HttpServerResponse.unsafeJson({ Orders: [{ OrderNumber: 1 }] })
    })
    const [, { out }] = yield* recorded(Effect.provide(OtherProducts.program, [
      DigiKeyApp.layerTest({ token: "of-the-application" }),
      DigiKeyUser.layerTest({ token: "of-the-person" }),
      InMemoryHttp.layer(server)
    ]))
    assert.deepStrictEqual(out, ["1 orders; reference data: 200"])
    assert.deepStrictEqual(sent, [
      "/OrderManagement/v1/orders Bearer of-the-person",
      "/reference/v1/incoterms Bearer of-the-application"
    ])
  }))

/** A provider of its own: HTTP Basic at the token endpoint, no `expires_in`. */
const Acme: HttpApp.Default = HttpRouter.empty.pipe(
  HttpRouter.post("/oauth/token", Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) =>
    headers["authorization"] === `Basic ${btoa("acme-client:acme-secret")}`
      ? HttpServerResponse.unsafeJson({ access_token: "acme-token", token_type: "bearer" })
      : HttpServerResponse.empty({ status: 401 }))),
  HttpRouter.get("/v1/parts", Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) =>
    headers["authorization"] === "Bearer acme-token"
      ? HttpServerResponse.unsafeJson([{ name: "anvil", stock: 3 }])
      : HttpServerResponse.empty({ status: 401 }))),
  Effect.orDie
)

it.live("write-a-provider.ts gets what a provider of its own has", () =>
  Effect.gen(function*() {
    yield* HttpServer.serveEffect(Acme)
    const variables = ConfigProvider.fromMap(
      new Map([
        ["ACME_URL", yield* Loopback.url],
        ["ACME_CLIENT_ID", "acme-client"],
        ["ACME_CLIENT_SECRET", "acme-secret"]
      ])
    )
    const [, { out }] = yield* recorded(Effect.withConfigProvider(WriteAProvider.program, variables))
    assert.deepStrictEqual(out, [[{ name: "anvil", stock: 3 }]])
  }).pipe(
    Effect.scoped,
    Effect.provide(NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1" })),
    Logger.withMinimumLogLevel(LogLevel.None)
  ))

it.live("digitzs-payment.ts finds out what came of a payment whose answer was lost", () =>
  Effect.gen(function*() {
    const simulator = yield* DigitzsSimulator.make()
    yield* HttpServer.serveEffect(simulator.app)
    const { apiKey, appId, appKey } = yield* simulator.accepted
    const variables = ConfigProvider.fromMap(
      new Map([
        ["DIGITZS_API_KEY", Redacted.value(apiKey)],
        ["DIGITZS_APP_KEY", Redacted.value(appKey)],
        ["DIGITZS_APP_ID", appId],
        ["DIGITZS_BASE_URL", yield* Loopback.url]
      ])
    )
    yield* simulator.failNext(DigitzsSimulator.Fault.Drop({ applied: true }), { path: "/payments" })
    const [, { out }] = yield* recorded(Effect.withConfigProvider(DigitzsPayment.program, variables))
    const [payment, ...others] = yield* simulator.payments
    assert.deepStrictEqual(others, [])
    assert.deepStrictEqual(out[0], DigitzsSimulator.defaultMerchants)
    assert.include(String(out[1]), "may or may not have been applied")
    assert.include(String(out[1]), payment?.requestId ?? "no payment")
    assert.strictEqual(out[2], `was made already: ${payment?.id}`)
  }).pipe(
    Effect.scoped,
    Effect.provide(NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1" })),
    Logger.withMinimumLogLevel(LogLevel.None)
  ))

it("every example is run by a test", () => {
  const folder = Path.join(Markdown.repository, "docs/examples")
  const examples = Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !/^(quick-start|chaos)[\\/]/.test(file))
  const tests = Fs.readdirSync(Path.join(Markdown.repository, "docs/test")).filter((file) => file.endsWith(".test.ts"))
    .map((file) => Markdown.read(`docs/test/${file}`)).join("\n")
  for (const example of examples) {
    assert.include(tests, `"../examples/${example.replace(/\.ts$/, ".js")}"`)
  }
})
