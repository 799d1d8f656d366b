import { DigitzsApp, Merchants } from "@effect-credentials/digitzs"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { newMerchant } from "./utils/merchants.js"
import { bodyOf, recording } from "./utils/recording.js"

const { Fault } = DigitzsSimulator

describe("Merchants against the simulator", () => {
  it.effect("lists merchants page by page", () =>
    Effect.gen(function*() {
      const first = yield* Merchants.list({ limit: 2 })
      const second = yield* Merchants.list({ limit: 2, offset: 2 })
      assert.deepStrictEqual(first.merchants.map((it) => it.accountName), ["Harbour Bakery", "Quayside Cycles"])
      assert.deepStrictEqual([first.limit, first.more, second.more], [2, true, false])
      assert.deepStrictEqual(second.merchants[0], DigitzsSimulator.defaultMerchants[2])
      assert.isUndefined((yield* Merchants.list()).merchants[3])
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("creates a merchant, and answers with its id", () =>
    Effect.gen(function*() {
      const id = yield* Merchants.create(newMerchant)
      const { merchants } = yield* Merchants.list()
      assert.deepInclude(merchants.find((it) => it.id === id), { accountName: "Corner Shop", accountType: "business" })
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  for (const fault of [Fault.Respond({ status: 500, applied: true }), Fault.Drop({ applied: true }), Fault.Break()]) {
    it.effect(`creates a merchant once, where all goes wrong: ${fault._tag}`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigitzsSimulator.DigitzsSimulator
        yield* simulator.failAlways(fault, { path: "/merchants" })
        const error = yield* Effect.flip(Merchants.create(newMerchant))
        assert.strictEqual(error._tag, "OutcomeUnknown")
        assert.strictEqual((yield* simulator.merchants).length, 4)
      }).pipe(Effect.provide(DigitzsSimulator.layer())))
  }

  it.effect("says that the API key is wrong", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* Merchants.list()
      yield* simulator.accept({ apiKey: Redacted.make("another") })
      const error = yield* Effect.flip(Merchants.list())
      assert.deepInclude({ ...error }, { _tag: "ApiError", status: 403, reason: "Forbidden" })
      assert.include(error.message, "check DIGITZS_API_KEY")
      assert.strictEqual((yield* simulator.stats).tokenCalls, 1)
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("sends any other request of the product through the same pipeline", () =>
    Effect.gen(function*() {
      const response = yield* Merchants.execute(HttpClientRequest.get("/merchants?limit=1"))
      assert.property(yield* response.json, "data")
    }).pipe(Effect.provide(DigitzsSimulator.layer())))
})

describe("Merchants", () => {
  const answering = (status: number, body: unknown) =>
    Effect.map(recording(status, body), ({ layer, sent }) => ({ sent, layer: Layer.merge(DigitzsApp.layerTest(), layer) }))

  const shapes: ReadonlyArray<readonly [what: string, body: unknown, page: Merchants.MerchantPage]> = [
    ["a limit that is a number", { link: {}, meta: { limit: 25, items: 0, more: false }, data: [] }, { merchants: [], limit: 25, more: false }],
    ["a limit that is a text", { links: {}, meta: { limit: "25", more: "true" }, data: [] }, { merchants: [], limit: 25, more: true }],
    ["hasMore", { meta: { hasMore: true, total: 3 }, data: [] }, { merchants: [], limit: undefined, more: true }],
    ["no meta", { data: [] }, { merchants: [], limit: undefined, more: undefined }],
    ["a meta of another type", { data: [], meta: "x" }, { merchants: [], limit: undefined, more: undefined }],
    [
      "fields that are null, absent or of another type",
      { data: [{ id: 7, attributes: { accountName: null, accountType: 1, createdAt: "2024-01-15T10:00:00Z", extra: {} } }, { id: "8" }] },
      {
        merchants: [
          { id: "7", accountName: undefined, accountType: undefined, created: "2024-01-15T10:00:00Z" },
          { id: "8", accountName: undefined, accountType: undefined, created: undefined }
        ],
        limit: undefined,
        more: undefined
      }
    ]
  ]
  for (const [what, body, page] of shapes) {
    it.effect(`reads a page with ${what}`, () =>
      Effect.gen(function*() {
        const { layer } = yield* answering(200, body)
        assert.deepStrictEqual(yield* Effect.provide(Merchants.list(), layer), page)
      }))
  }

  it.effect("says where a page does not fit", () =>
    Effect.gen(function*() {
      const { layer } = yield* answering(200, { data: [{ type: "merchants", attributes: { canary: 1 } }] })
      const error = yield* Effect.flip(Merchants.list()).pipe(Effect.provide(layer))
      assert.deepInclude({ ...error }, { _tag: "UnexpectedResponse", at: "data[0].id" })
    }))

  for (const request of [{ limit: 0 }, { limit: 101 }, { limit: 1.5 }, { offset: -1 }]) {
    it.effect(`refuses ${JSON.stringify(request)}, and sends nothing`, () =>
      Effect.gen(function*() {
        const { layer, sent } = yield* answering(200, {})
        const error = yield* Effect.flip(Merchants.list(request)).pipe(Effect.provide(layer))
        assert.deepInclude({ ...error }, { _tag: "RequestFailed", reason: "InvalidRequest", path: "/merchants" })
        assert.deepStrictEqual(yield* sent, [])
      }))
  }

  it.effect("sends secrets as they are, and refuses those that cannot be right", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* answering(201, { data: { type: "merchants", id: "m" } })
      yield* Effect.provide(Merchants.create(newMerchant), layer)
      assert.deepNestedInclude(bodyOf((yield* sent)[0]), {
        "data.type": "merchants",
        "data.attributes.personalInfo.socialSecurity": "123456789",
        "data.attributes.bankInfo.routingNumber": "026009593",
        "data.attributes.businessInfo.ein": "987654321"
      })
      const bankInfo = { ...newMerchant.bankInfo, routingNumber: Redacted.make("canary") }
      const error = yield* Effect.flip(Effect.provide(Merchants.create({ ...newMerchant, bankInfo }), layer))
      assert.deepInclude({ ...error }, { _tag: "RequestFailed", reason: "InvalidRequest" })
      assert.strictEqual((yield* sent).length, 1)
    }))
})
