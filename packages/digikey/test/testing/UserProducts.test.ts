import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, TestClock } from "effect"
import { createServer } from "node:http"
import { api, lists, refresh, statusOf, tokenCall, tokensOf } from "./calls.js"

const { Fault } = DigiKeySimulator

const signedIn = (options?: DigiKeySimulator.Options, account?: string) =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.make(options)
    const { accessToken } = yield* simulator.signIn({ account })
    return { simulator, accessToken }
  })

const partNumbered = (number: string) => {
  const part = DigiKeySimulator.defaultParts.find((part) => part.manufacturerProductNumber === number)
  return part ?? assert.fail(`${number} is not in the catalogue`)
}

describe("the products of a user", () => {
  const calls = [
    ["GET", "/quoting/v4/quotes"],
    ["GET", "/mylists/v1/lists"],
    ["GET", "/Barcoding/v3/ProductBarcodes/1"]
  ] as const

  for (const [method, path] of calls) {
    it.effect(`answer 401 with an empty body to the token of an application: ${path}`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigiKeySimulator.make({ apiErrorDialect: "B" })
        const { accessToken } = yield* tokensOf(yield* tokenCall(simulator, { grant_type: "client_credentials" }))
        const refused = yield* api(simulator, method, path, accessToken)
        assert.strictEqual(refused.status, 401)
        assert.strictEqual(yield* refused.text, "")
        assert.notProperty(refused.headers, "content-type")
        assert.notProperty(refused.headers, "x-ratelimit-remaining")

        const unknown = yield* api(simulator, method, path, "guess")
        assert.strictEqual(unknown.status, 401)
        assert.deepInclude(yield* unknown.json, { detail: "Invalid token" })
        const { accessToken: users } = yield* simulator.signIn()
        assert.notStrictEqual(yield* statusOf(api(simulator, method, path, users)), 401)
      }))
  }

  it.effect("take the token of a user on the products of an application too, without an account", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn({ accountRequired: true })
      const details = "/products/v4/search/NE555P/productdetails"
      assert.strictEqual(yield* statusOf(api(simulator, "GET", details, accessToken)), 200)
      assert.strictEqual(yield* statusOf(api(simulator, "GET", "/orderstatus/v4/orders", accessToken)), 200)
      const application = yield* tokensOf(yield* tokenCall(simulator, { grant_type: "client_credentials" }))
      assert.strictEqual(yield* statusOf(api(simulator, "GET", details, application.accessToken)), 400)
    }))

  it.effect("count limits for each product, and a burst of 10 for Quotes", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn()
      const quotes = api(simulator, "GET", "/quoting/v4/quotes", accessToken)
      const first = yield* quotes
      assert.strictEqual(first.headers["x-burstlimit-limit"], "10")
      assert.strictEqual(first.headers["x-ratelimit-limit"], "1000")
      const others = yield* Effect.replicateEffect(statusOf(quotes), 10)
      assert.deepStrictEqual(others, [...Array.from({ length: 9 }, () => 200), 429])
      const list = yield* api(simulator, "GET", "/mylists/v1/lists", accessToken)
      assert.strictEqual(list.headers["x-burstlimit-remaining"], "119")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* statusOf(quotes), 200)

      yield* simulator.setRateLimits({ burst: { limit: 3 } })
      assert.strictEqual((yield* quotes).headers["x-burstlimit-limit"], "3")
      yield* simulator.setRateLimits("off")
      assert.notProperty((yield* quotes).headers, "x-burstlimit-limit")
    }))

  it.effect("say what they allow, and are unsubscribed and forbidden like any other", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn()
      const wrong = yield* api(simulator, "DELETE", "/mylists/v1/lists", accessToken)
      assert.strictEqual(wrong.status, 405)
      assert.strictEqual(wrong.headers.allow, "GET, POST")
      yield* simulator.unsubscribe("/mylists/v1")
      assert.strictEqual(yield* lists(simulator, accessToken), 401)
      yield* simulator.subscribe("/mylists/v1")
      yield* simulator.forbid("/mylists/v1")
      assert.strictEqual(yield* lists(simulator, accessToken), 403)
    }))
})

describe("Quotes", () => {
  it.effect("are made with 201, listed page by page, read and filled", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2025, 0, 2, 3, 4, 5))
      const { accessToken, simulator } = yield* signedIn({ rateLimits: "off" })
      const call = (method: "GET" | "POST", path: string, body?: unknown) =>
        api(simulator, method, `/quoting/v4/quotes${path}`, accessToken, body)
      const created = yield* call("POST", "", { QuoteName: "first" })
      assert.strictEqual(created.status, 201)
      const { Quote } = (yield* created.json) as { readonly Quote: { readonly QuoteId: number } }
      assert.deepStrictEqual<unknown>(Quote, {
        QuoteId: Quote.QuoteId,
        QuoteName: "first",
        DateCreated: "2025-01-02T03:04:05.000Z",
        Currency: "USD",
        TotalProducts: 0
      })
      yield* call("POST", "", { QuoteName: "second" })
      yield* call("POST", "", { QuoteName: "third" })
      const names = (path: string) =>
        Effect.map(Effect.flatMap(call("GET", path), ({ json }) => json), (json) => {
          const { Quotes, TotalQuotes } = json as {
            readonly TotalQuotes: number
            readonly Quotes: ReadonlyArray<{ readonly QuoteName: string }>
          }
          return [TotalQuotes, ...Quotes.map(({ QuoteName }) => QuoteName)]
        })
      assert.deepStrictEqual(yield* names(""), [3, "first", "second", "third"])
      assert.deepStrictEqual(yield* names("?offset=1&limit=1"), [3, "second"])
      assert.deepStrictEqual(yield* names("?offset=3"), [3])

      const added = yield* call("POST", `/${Quote.QuoteId}/details`, [
        { ProductNumber: "NE555P-ND", CustomerReference: "U1", Quantities: [10, 100] },
        { ProductNumber: "1N4148", Quantities: [1] }
      ])
      assert.strictEqual(added.status, 200)
      assert.deepStrictEqual(yield* added.json, { QuoteId: Quote.QuoteId, Errors: [], Comments: [] })
      const read = yield* call("GET", `/${Quote.QuoteId}`)
      assert.deepStrictEqual(yield* read.json, { Quote: { ...Quote, TotalProducts: 2 } })
      assert.strictEqual(yield* statusOf(call("GET", "/1")), 404)
      assert.strictEqual(yield* statusOf(call("POST", "/1/details", [])), 404)
    }))

  it.effect("name what is missing or out of range", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn({ rateLimits: "off" })
      const call = (method: "GET" | "POST", path: string, body?: unknown) =>
        api(simulator, method, `/quoting/v4/quotes${path}`, accessToken, body)
      const fields = (method: "GET" | "POST", path: string, body?: unknown) =>
        Effect.gen(function*() {
          const response = yield* call(method, path, body)
          assert.strictEqual(response.status, 400)
          const { errors } = (yield* response.json) as { readonly errors: Readonly<Record<string, unknown>> }
          return Object.keys(errors)
        })
      for (const body of [{}, [], null, { QuoteName: " " }, { QuoteName: 1 }]) {
        assert.deepStrictEqual(yield* fields("POST", "", body), ["QuoteName"])
      }
      assert.deepStrictEqual(yield* fields("GET", "?offset=-1&limit=0"), ["offset", "limit"])
      assert.deepStrictEqual(yield* fields("GET", "?limit=ten"), ["limit"])

      const created = yield* call("POST", "", { QuoteName: "only" })
      const { Quote } = (yield* created.json) as { readonly Quote: { readonly QuoteId: number } }
      const details = `/${Quote.QuoteId}/details`
      assert.deepStrictEqual(yield* fields("POST", details, {}), ["$"])
      assert.deepStrictEqual(yield* fields("POST", details, []), ["$"])
      assert.deepStrictEqual(
        yield* fields("POST", details, [{ ProductNumber: "1N4148", Quantities: [1] }, {
          Quantities: []
        }, "1N4148", { ProductNumber: "1N4148", Quantities: [0, 1, 1.5] }]),
        [
          "[1].ProductNumber",
          "[1].Quantities",
          "[2].ProductNumber",
          "[2].Quantities",
          "[3].Quantities[0]",
          "[3].Quantities[2]"
        ]
      )
      assert.deepStrictEqual(yield* (yield* call("GET", `/${Quote.QuoteId}`)).json, { Quote })
    }))
})

describe("MyLists", () => {
  it.effect("answers a new list with its bare id, lists it, fills it and removes it without a body", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn()
      const call = (method: "GET" | "POST" | "DELETE", path: string, body?: unknown) =>
        api(simulator, method, `/mylists/v1/lists${path}`, accessToken, body)
      assert.deepStrictEqual(yield* (yield* call("GET", "")).json, [])
      const created = yield* call("POST", "", { ListName: "board" })
      assert.strictEqual(created.status, 200)
      assert.strictEqual(created.headers["content-type"], "application/json")
      const id = yield* created.json
      assert.isString(id)

      const added = yield* call("POST", `/${id}/parts`, [
        { RequestedPartNumber: "ne555p-nd", Quantities: [{ Quantity: 10 }, { Quantity: 100 }] },
        { RequestedPartNumber: "TYPO", Quantities: [{ Quantity: 1 }] }
      ])
      const more = yield* call("POST", `/${id}/parts`, [{
        RequestedPartNumber: "LM317T/NOPB",
        Quantities: [{ Quantity: 5 }]
      }])
      const ids = [...(yield* added.json) as ReadonlyArray<string>, ...(yield* more.json) as ReadonlyArray<string>]
      assert.strictEqual(new Set(ids).size, 3)
      const parts = yield* call("GET", `/${id}/parts`)
      const { PartsList, TotalParts } = (yield* parts.json) as {
        readonly TotalParts: number
        readonly PartsList: ReadonlyArray<Readonly<Record<string, unknown>>>
      }
      assert.strictEqual(TotalParts, 3)
      assert.deepStrictEqual(PartsList.map(({ UniqueId }) => UniqueId), ids)
      assert.deepInclude(PartsList[0], {
        RequestedPartNumber: "ne555p-nd",
        ManufacturerPartNumber: "NE555P",
        Flags: { IsMatched: true },
        Quantities: [{ QuantityRequested: 10, PackOptions: [] }, { QuantityRequested: 100, PackOptions: [] }]
      })
      assert.deepInclude(PartsList[1], { RequestedPartNumber: "TYPO", Flags: { IsMatched: false } })
      const page = (yield* (yield* call("GET", `/${id}/parts?startIndex=1&limit=1`)).json) as {
        readonly PartsList: ReadonlyArray<unknown>
      }
      assert.deepStrictEqual(page.PartsList, PartsList.slice(1, 2))
      const [listed] = (yield* (yield* call("GET", "")).json) as ReadonlyArray<unknown>
      assert.deepInclude(listed, { Id: id, ListName: "board", TotalParts: 3 })

      const removed = yield* call("DELETE", `/${id}`)
      assert.strictEqual(removed.status, 204)
      assert.strictEqual(yield* removed.text, "")
      assert.property(removed.headers, "x-burstlimit-remaining")
      assert.strictEqual(yield* statusOf(call("DELETE", `/${id}`)), 404)
      assert.strictEqual(yield* statusOf(call("GET", `/${id}/parts`)), 404)
      assert.notStrictEqual(yield* (yield* call("POST", "", { ListName: "board" })).json, id)
    }))

  it.effect("answers a new list with the list when made so", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn({ createdList: "object" })
      const created = yield* api(simulator, "POST", "/mylists/v1/lists", accessToken, { ListName: "board" })
      const listed = yield* (yield* api(simulator, "GET", "/mylists/v1/lists", accessToken)).json
      assert.deepStrictEqual([yield* created.json], listed)
    }))

  it.effect("names what is missing or out of range", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn()
      const fields = (method: "GET" | "POST", path: string, body?: unknown) =>
        Effect.gen(function*() {
          const response = yield* api(simulator, method, `/mylists/v1/lists${path}`, accessToken, body)
          assert.strictEqual(response.status, 400)
          const { errors } = (yield* response.json) as { readonly errors: Readonly<Record<string, unknown>> }
          return Object.keys(errors)
        })
      assert.deepStrictEqual(yield* fields("POST", "", { Name: "board" }), ["ListName"])
      assert.deepStrictEqual(yield* fields("GET", "?startIndex=x&limit=0"), ["startIndex", "limit"])
      const id = yield* (yield* api(simulator, "POST", "/mylists/v1/lists", accessToken, { ListName: "board" })).json
      assert.deepStrictEqual(
        yield* fields("POST", `/${id}/parts`, [{ Quantities: [1, { Quantity: "2" }] }, { RequestedPartNumber: "x" }]),
        ["[0].RequestedPartNumber", "[0].Quantities[0].Quantity", "[0].Quantities[1].Quantity", "[1].Quantities"]
      )
    }))

  it.effect("made a list whose reply was lost", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn()
      yield* simulator.failNext(Fault.Drop({ applied: true }))
      yield* Effect.flip(api(simulator, "POST", "/mylists/v1/lists", accessToken, { ListName: "board" }))
      const listed = yield* (yield* api(simulator, "GET", "/mylists/v1/lists", accessToken)).json
      assert.lengthOf(listed as ReadonlyArray<unknown>, 1)
      assert.strictEqual((yield* simulator.stats).applied["POST /mylists/v1/lists"], 1)
    }))
})

describe("what one person made", () => {
  it.effect("is seen by no other account, and by the same one after another login", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ rateLimits: "off" })
      const ada = yield* simulator.signIn({ account: "ada" })
      const grace = yield* simulator.signIn({ account: "grace" })
      const id = yield* (yield* api(simulator, "POST", "/mylists/v1/lists", ada.accessToken, { ListName: "a" })).json
      const quote = (yield* (yield* api(simulator, "POST", "/quoting/v4/quotes", ada.accessToken, {
        QuoteName: "a"
      })).json) as { readonly Quote: { readonly QuoteId: number } }
      const part = [{ RequestedPartNumber: "x", ProductNumber: "x", Quantities: [{ Quantity: 1 }] }]
      const calls = [
        ["GET", `/mylists/v1/lists/${id}/parts`],
        ["POST", `/mylists/v1/lists/${id}/parts`, part],
        ["GET", `/quoting/v4/quotes/${quote.Quote.QuoteId}`],
        ["POST", `/quoting/v4/quotes/${quote.Quote.QuoteId}/details`, [{ ...part[0], Quantities: [1] }]],
        ["DELETE", `/mylists/v1/lists/${id}`]
      ] as const
      for (const [method, path, body] of calls) {
        assert.strictEqual(yield* statusOf(api(simulator, method, path, grace.accessToken, body)), 404, path)
      }
      const json = (path: string, token: Redacted.Redacted) =>
        Effect.flatMap(api(simulator, "GET", path, token), (response) => response.json)
      assert.deepStrictEqual(yield* json("/mylists/v1/lists", grace.accessToken), [])
      assert.deepStrictEqual(yield* json("/quoting/v4/quotes", grace.accessToken), { TotalQuotes: 0, Quotes: [] })

      yield* simulator.revokeUser("ada")
      const again = yield* simulator.signIn({ account: "ada" })
      const renewed = yield* tokensOf(yield* refresh(simulator, again.refreshToken))
      for (const [method, path, body] of calls) {
        assert.oneOf(yield* statusOf(api(simulator, method, path, renewed.accessToken, body)), [200, 204], path)
      }
    }))
})

describe("Barcode", () => {
  const barcode = (path: string) => `/Barcoding/v3/${path}`

  it.effect("reads both barcodes of every part of the catalogue, whatever is in its number", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn({ rateLimits: "off" })
      for (const [i, part] of DigiKeySimulator.defaultParts.entries()) {
        const expected = {
          DigiKeyPartNumber: `${part.manufacturerProductNumber}-ND`,
          ManufacturerPartNumber: part.manufacturerProductNumber,
          ManufacturerName: part.manufacturer,
          ProductDescription: part.description,
          Quantity: i + 1
        }
        const line = encodeURIComponent(DigiKeySimulator.productBarcode(part, i + 1))
        const matrix = encodeURIComponent(DigiKeySimulator.product2DBarcode(part, i + 1))
        for (const path of [`ProductBarcodes/${line}`, `Product2DBarcodes/${matrix}`]) {
          const response = yield* api(simulator, "GET", barcode(path), accessToken)
          assert.deepStrictEqual(yield* response.json, expected)
        }
      }
    }))

  it.effect("reads the separators of a 2D barcode as control characters and as the symbols for them", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn()
      const scanned = DigiKeySimulator.product2DBarcode(partNumbered("LM317T/NOPB"), 25)
      assert.match(scanned, /^\[\)>\x1e06\x1d.*\x1d1PLM317T\/NOPB\x1dQ25\x1e\x04$/)
      const symbols = scanned.replaceAll("\x1d", "\u241d").replaceAll("\x1e", "\u241e").replaceAll("\x04", "\u2404")
      const answers = [scanned, symbols].map((text) =>
        Effect.flatMap(
          api(simulator, "GET", barcode(`Product2DBarcodes/${encodeURIComponent(text)}`), accessToken),
          (response) => response.json
        )
      )
      for (const answer of yield* Effect.all(answers)) {
        assert.deepInclude(answer, { ManufacturerPartNumber: "LM317T/NOPB", Quantity: 25 })
      }
      const slash = encodeURIComponent(scanned).replace("%2F", "/")
      assert.strictEqual(
        yield* statusOf(api(simulator, "GET", barcode(`Product2DBarcodes/${slash}`), accessToken)),
        404
      )
    }))

  it.effect("answers 400 to what is no barcode of a product, and 404 to one of an unknown part, in dialect A", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn({ parts: [partNumbered("NE555P")] })
      const matrix = (part: DigiKeySimulator.SimulatedPart) =>
        encodeURIComponent(DigiKeySimulator.product2DBarcode(part, 1))
      const expected = [
        ["ProductBarcodes/123", 400],
        [`ProductBarcodes/${DigiKeySimulator.productBarcode(partNumbered("NE555P"), 1)}0`, 400],
        [`ProductBarcodes/${DigiKeySimulator.productBarcode(partNumbered("2N7002"), 1)}`, 404],
        ["Product2DBarcodes/NE555P", 400],
        [`Product2DBarcodes/${matrix(partNumbered("NE555P")).replace("Q1", "Qx")}`, 400],
        [`Product2DBarcodes/${matrix(partNumbered("2N7002"))}`, 404],
        [`Product2DBarcodes/${matrix(partNumbered("NE555P"))}`, 200]
      ] as const
      for (const [path, status] of expected) {
        const response = yield* api(simulator, "GET", barcode(path), accessToken)
        assert.strictEqual(response.status, status, path)
        if (status !== 200) {
          assert.deepInclude(yield* response.json, { ErrorResponseVersion: "3.0.0.0", StatusCode: status })
        }
      }
    }))

  it.effect("answers in the dialect that a simulator was made with", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn({ apiErrorDialect: "B" })
      const response = yield* api(simulator, "GET", barcode("ProductBarcodes/123"), accessToken)
      assert.deepInclude(yield* response.json, { type: null, status: 400 })
    }))
})

describe("served on loopback", () => {
  const Loopback = Layer.merge(
    NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }),
    FetchHttpClient.layer
  )

  it.scopedLive("answers 204 without a body, 401 without a body, and finds what a 2D barcode holds", () =>
    Effect.gen(function*() {
      const { accessToken, simulator } = yield* signedIn()
      yield* HttpServer.serveEffect(simulator.app)
      const { clientId } = yield* simulator.credentials
      const send = (request: HttpClientRequest.HttpClientRequest, token: string) =>
        HttpServer.addressFormattedWith((address) =>
          Effect.flatMap(HttpClient.HttpClient, (client) =>
            client.execute(
              HttpClientRequest.prependUrl(request, address).pipe(
                HttpClientRequest.setHeaders({ Authorization: `Bearer ${token}`, "X-DIGIKEY-Client-Id": clientId })
              )
            ))
        )
      const token = Redacted.value(accessToken)
      const id = yield* (yield* send(
        HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post("/mylists/v1/lists"), { ListName: "board" }),
        token
      )).json
      const removed = yield* send(HttpClientRequest.del(`/mylists/v1/lists/${id}`), token)
      assert.strictEqual(removed.status, 204)
      assert.strictEqual(yield* removed.text, "")
      const application = yield* tokensOf(yield* tokenCall(simulator, { grant_type: "client_credentials" }))
      const refused = yield* send(HttpClientRequest.get("/mylists/v1/lists"), application.accessToken)
      assert.strictEqual(refused.status, 401)
      assert.strictEqual(yield* refused.text, "")
      const matrix = encodeURIComponent(DigiKeySimulator.product2DBarcode(partNumbered("LM317T/NOPB"), 7))
      const found = yield* send(HttpClientRequest.get(`/Barcoding/v3/Product2DBarcodes/${matrix}`), token)
      assert.deepInclude(yield* found.json, { ManufacturerPartNumber: "LM317T/NOPB", Quantity: 7 })
    }).pipe(Effect.provide(Loopback)))
})
