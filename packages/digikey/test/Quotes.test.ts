import { type HttpClient, HttpClientRequest } from "@effect/platform"
import { DigiKeyUser, Quotes } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { type ApiError, Credentials } from "effect-credentials"
import { InMemoryHttp } from "effect-credentials/testing"
import { signedIn } from "./utils/signedIn.js"
import { empty, json, serving } from "./utils/userServer.js"

const detail = { ProductNumber: "296-1411-5-ND", Quantities: [1, 100] }

describe("Quotes against the simulator", () => {
  it.effect("creates a quote, adds products and finds it again", () =>
    Effect.gen(function*() {
      const { Quote } = yield* Quotes.createQuote({ QuoteName: "Spring" })
      assert.deepInclude({ ...Quote }, { QuoteName: "Spring", TotalProducts: 0, Currency: "USD" })
      const added = yield* Quotes.addDetails(Quote.QuoteId, [detail, { ...detail, CustomerReference: "Q1" }])
      assert.deepStrictEqual(added, { QuoteId: Quote.QuoteId, Errors: [], Comments: [] })
      const found = yield* Quotes.quote(Quote.QuoteId)
      assert.deepStrictEqual(found, { Quote: { ...Quote, TotalProducts: 2 } })
    }).pipe(Effect.provide(signedIn())))

  it.effect("lists quotes page by page", () =>
    Effect.gen(function*() {
      for (const QuoteName of ["a", "b", "c"]) yield* Quotes.createQuote({ QuoteName })
      const first = yield* Quotes.listQuotes({ limit: 2 })
      const second = yield* Quotes.listQuotes({ offset: 2, limit: 2 })
      assert.deepStrictEqual([first.TotalQuotes, second.TotalQuotes], [3, 3])
      assert.deepStrictEqual([...first.Quotes, ...second.Quotes].map((it) => it.QuoteName), ["a", "b", "c"])
    }).pipe(Effect.provide(signedIn())))

  it.effect("says that a quote is not there", () =>
    Effect.gen(function*() {
      for (const operation of [Effect.asVoid(Quotes.quote(1)), Effect.asVoid(Quotes.addDetails(1, [detail]))]) {
        const error = yield* Effect.flip(operation)
        assert.deepInclude({ ...error }, { _tag: "ApiError", reason: "NotFound", product: "Quotes" })
      }
    }).pipe(Effect.provide(signedIn())))

  it.effect("does not create a second quote where the answer to the first is lost", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* simulator.failNext(DigiKeySimulator.Fault.Drop({ applied: true }), { path: "/quoting/v4" })
      const error = yield* Effect.flip(Quotes.createQuote({ QuoteName: "Spring" }))
      assert.deepInclude({ ...error }, { _tag: "OutcomeUnknown", product: "Quotes" })
      const { TotalQuotes } = yield* Quotes.listQuotes()
      assert.strictEqual(TotalQuotes, 1)
    }).pipe(Effect.provide(signedIn())))
})

describe("Quotes", () => {
  it.effect("sends each operation to its path, with the person's token", () =>
    Effect.gen(function*() {
      const { layer, received } = yield* serving(
        json({ Quote: { QuoteId: 7 }, TotalQuotes: 0 })
      )
      yield* Effect.gen(function*() {
        yield* Quotes.createQuote({ QuoteName: "Spring" })
        yield* Quotes.listQuotes()
        yield* Quotes.listQuotes({ offset: 0, limit: 50 })
        yield* Quotes.quote(7)
        yield* Quotes.addDetails(7, [{ ...detail, CustomerReference: "Q1" }, detail])
      }).pipe(Effect.provide(layer))
      const all = yield* received
      assert.deepStrictEqual(all.map(({ body, line }) => [line, body]), [
        ["POST /quoting/v4/quotes", { QuoteName: "Spring" }],
        ["GET /quoting/v4/quotes", undefined],
        ["GET /quoting/v4/quotes?offset=0&limit=50", undefined],
        ["GET /quoting/v4/quotes/7", undefined],
        ["POST /quoting/v4/quotes/7/details", [{ ...detail, CustomerReference: "Q1" }, detail]]
      ])
      for (const { headers } of all) assert.strictEqual(headers["authorization"], "Bearer test-token")
    }))

  it.effect("reads a quote, and does not mind fields that are null, absent or unknown", () =>
    Effect.gen(function*() {
      const Quote = { QuoteId: 7, QuoteName: "Spring", TotalProducts: 0, ExpirationStatus: "Active", Currency: "EUR" }
      const { layer } = yield* serving(
        json({ Quote: { ...Quote, CustomerId: 1, DateCreated: null } }, 201),
        json({ TotalQuotes: 12, Quotes: [{ QuoteId: 8, QuoteName: null }] }),
        json({ TotalQuotes: 0, Quotes: null }),
        json({ QuoteId: 7, Errors: ["296-0-ND: not found"], Comments: null }),
        json({})
      )
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* Quotes.createQuote({ QuoteName: "Spring" }), { Quote })
        assert.deepStrictEqual(yield* Quotes.listQuotes(), { TotalQuotes: 12, Quotes: [{ QuoteId: 8 }] })
        assert.deepStrictEqual(yield* Quotes.listQuotes(), { TotalQuotes: 0, Quotes: [] })
        assert.deepStrictEqual(yield* Quotes.addDetails(7, [detail]), {
          QuoteId: 7,
          Errors: ["296-0-ND: not found"],
          Comments: []
        })
        assert.deepStrictEqual(yield* Quotes.addDetails(7, [detail]), { Errors: [], Comments: [] })
      }).pipe(Effect.provide(layer))
    }))

  it.effect("says where a reply does not fit, but not what it was", () =>
    Effect.gen(function*() {
      const { layer } = yield* serving(json({ Quote: { QuoteId: "canary" } }), json({ Quotes: [] }))
      const wrong = yield* Effect.flip(Quotes.quote(7)).pipe(Effect.provide(layer))
      assert.deepInclude({ ...wrong }, {
        _tag: "UnexpectedResponse",
        product: "Quotes",
        at: "Quote.QuoteId",
        expected: "a number"
      })
      assert.notInclude(wrong.message, "canary")
      const missing = yield* Effect.flip(Quotes.listQuotes()).pipe(Effect.provide(layer))
      assert.deepInclude({ ...missing }, { _tag: "UnexpectedResponse", at: "TotalQuotes" })
    }))

  const bad: ReadonlyArray<
    readonly [string, Effect.Effect<unknown, ApiError.ApiClientError, DigiKeyUser.DigiKeyUser | HttpClient.HttpClient>, string]
  > = [
    ["an empty name", Quotes.createQuote({ QuoteName: "" }), "POST /quotes"],
    ["a blank name", Quotes.createQuote({ QuoteName: " \t" }), "POST /quotes"],
    ["a negative offset", Quotes.listQuotes({ offset: -1 }), "GET /quotes"],
    ["half an offset", Quotes.listQuotes({ offset: 0.5 }), "GET /quotes"],
    ["a limit of 0", Quotes.listQuotes({ limit: 0 }), "GET /quotes"],
    ["a limit of 51", Quotes.listQuotes({ limit: 51 }), "GET /quotes"],
    ["0 as the id of a quote", Quotes.quote(0), "GET /quotes/0"],
    ["half an id", Quotes.quote(1.5), "GET /quotes/1.5"],
    ["no number as the id of a quote", Quotes.addDetails(Number.NaN, [detail]), "POST /quotes/NaN/details"],
    ["a negative id", Quotes.addDetails(-1, [detail]), "POST /quotes/-1/details"],
    ["no products", Quotes.addDetails(7, []), "POST /quotes/7/details"],
    ["301 products", Quotes.addDetails(7, Array.from({ length: 301 }, () => detail)), "POST /quotes/7/details"],
    ["a blank product number", Quotes.addDetails(7, [{ ...detail, ProductNumber: " " }]), "POST /quotes/7/details"],
    ["no quantities", Quotes.addDetails(7, [{ ...detail, Quantities: [] }]), "POST /quotes/7/details"],
    ["a quantity of 0", Quotes.addDetails(7, [detail, { ...detail, Quantities: [1, 0] }]), "POST /quotes/7/details"],
    ["half a quantity", Quotes.addDetails(7, [{ ...detail, Quantities: [0.5] }]), "POST /quotes/7/details"]
  ]
  for (const [what, operation, line] of bad) {
    it.effect(`refuses ${what}, and sends nothing`, () =>
      Effect.gen(function*() {
        const { layer, received } = yield* serving(json({}))
        const [method = "", path = ""] = line.split(" ")
        const error = yield* Effect.flip(operation).pipe(Effect.provide(layer))
        assert.deepInclude({ ...error }, {
          _tag: "RequestFailed",
          reason: "InvalidRequest",
          product: "Quotes",
          method,
          path
        })
        assert.deepStrictEqual(yield* received, [])
      }))
  }

  it.effect("adds 300 products in one call", () =>
    Effect.gen(function*() {
      const { layer, received } = yield* serving(json({ QuoteId: 7 }))
      yield* Effect.provide(Quotes.addDetails(7, Array.from({ length: 300 }, () => detail)), layer)
      assert.lengthOf(yield* received, 1)
    }))

  const failures = [
    ["a 500", empty(500), { _tag: "OutcomeUnknown", status: 500 }],
    ["a 503", empty(503), { _tag: "OutcomeUnknown", status: 503 }],
    ["a connection that breaks", InMemoryHttp.dropConnection, { _tag: "OutcomeUnknown", code: "ECONNRESET" }],
    ["a 429", empty(429), { _tag: "RateLimited" }],
    ["a 401", empty(401), { _tag: "ApiError", reason: "Unauthorized" }],
    ["a 400", empty(400), { _tag: "ApiError", reason: "BadRequest" }]
  ] as const
  for (const [what, answer, error] of failures) {
    it.effect(`sends what creates once, also after ${what}`, () =>
      Effect.gen(function*() {
        const { layer, lines } = yield* serving(answer)
        const create = yield* Effect.flip(Quotes.createQuote({ QuoteName: "Spring" })).pipe(Effect.provide(layer))
        const add = yield* Effect.flip(Quotes.addDetails(7, [detail])).pipe(Effect.provide(layer))
        assert.deepInclude({ ...create }, { ...error, product: "Quotes", path: "/quoting/v4/quotes" })
        assert.deepInclude({ ...add }, { ...error, path: "/quoting/v4/quotes/7/details" })
        assert.deepStrictEqual(yield* lines, ["POST /quoting/v4/quotes", "POST /quoting/v4/quotes/7/details"])
      }))
  }

  it.effect("says that an empty 401 may be the wrong kind of token", () =>
    Effect.gen(function*() {
      const { layer } = yield* serving(empty(401))
      const error = yield* Effect.flip(Quotes.quote(7)).pipe(Effect.provide(layer))
      assert.include(error.message, "does the product take this kind of token?")
    }))

  it.effect("sends any other request of the product through the same pipeline", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* serving(json({ TotalProducts: 0 }))
      const response = yield* Quotes.execute(HttpClientRequest.get("/quotes/7/details?limit=5")).pipe(
        Effect.provide(layer)
      )
      assert.deepStrictEqual(yield* response.json, { TotalProducts: 0 })
      assert.deepStrictEqual(yield* lines, ["GET /quoting/v4/quotes/7/details?limit=5"])
    }))

  it.effect("serves a second person with a second tag", () =>
    Effect.gen(function*() {
      class Second extends Credentials.Tag("SecondPerson")<Second>() {}
      const { layer, received } = yield* serving(json({ Quote: { QuoteId: 7 } }))
      yield* Quotes.make(Second).quote(7).pipe(
        Effect.provide(Layer.merge(layer, Credentials.layerTest(Second, { token: "second-token" })))
      )
      yield* Quotes.make(DigiKeyUser.DigiKeyUser).quote(7).pipe(Effect.provide(layer))
      const tokens = (yield* received).map(({ headers }) => headers["authorization"])
      assert.deepStrictEqual(tokens, ["Bearer second-token", "Bearer test-token"])
    }))
})
