import { ProductInformation } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { recording } from "./utils/recording.js"

/** What an operation makes of a body. */
const given = <A, E, R>(body: unknown, operation: Effect.Effect<A, E, R>) =>
  Effect.flatMap(recording(body), ({ layer }) => Effect.provide(operation, layer))

const substitute = {
  SubstituteType: "Direct",
  ProductUrl: "https://www.digikey.com/…",
  ManufacturerProductNumber: "NE555DR",
  UnitPrice: "0.38000",
  QuantityAvailable: 100
}

const product = {
  Description: { ProductDescription: "IC OSC" },
  ManufacturerProductNumber: "NE555P",
  UnitPrice: 0.47,
  QuantityAvailable: 1
}

describe("ProductInformation against the simulator", () => {
  const slashed = "LMC555CN/NOPB"

  it.effect("finds the substitutes of a part, with prices that are numbers although DigiKey sends texts", () =>
    Effect.gen(function*() {
      const { ProductSubstitutes, ProductSubstitutesCount } = yield* ProductInformation.substitutions(slashed)
      assert.strictEqual(ProductSubstitutes.length, ProductSubstitutesCount)
      const ne555 = ProductSubstitutes.find((it) => it.ManufacturerProductNumber === "NE555P")
      assert.strictEqual(ne555?.UnitPrice, 0.47)
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("finds what a quantity of a part costs", () =>
    Effect.gen(function*() {
      const pricing = yield* ProductInformation.pricingByQuantity(slashed, 100)
      const [option] = pricing.StandardPricingOptions
      assert.strictEqual(pricing.RequestedQuantity, 100)
      assert.strictEqual(option?.TotalQuantityPriced, 100)
      assert.closeTo(option?.Products[0]?.UnitPrice ?? 0, (option?.TotalPrice ?? 0) / 100, 1e-9)
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("lists categories and manufacturers", () =>
    Effect.gen(function*() {
      const { Categories } = yield* ProductInformation.categories
      const { Manufacturers } = yield* ProductInformation.manufacturers
      assert.include(Categories.map((it) => it.Name), "Memory")
      assert.include(Manufacturers.map((it) => it.Name), "Texas Instruments")
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("fails with NotFound for a part that DigiKey does not know", () =>
    Effect.gen(function*() {
      const errors = yield* Effect.all([
        Effect.flip(ProductInformation.substitutions("NO-SUCH-PART")),
        Effect.flip(ProductInformation.pricingByQuantity("NO-SUCH-PART", 1))
      ])
      for (const error of errors) assert.deepInclude({ ...error }, { _tag: "ApiError", reason: "NotFound" })
    }).pipe(Effect.provide(DigiKeySimulator.layer())))
})

describe("ProductInformation", () => {
  it.effect("sends each operation to its path, with the part number encoded", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording({})
      const number = "LM317T/NO PB#?"
      yield* Effect.all([
        ProductInformation.productDetails(number),
        ProductInformation.substitutions(number),
        ProductInformation.pricingByQuantity(number, 10),
        ProductInformation.categories,
        ProductInformation.manufacturers
      ], { mode: "either" }).pipe(Effect.provide(layer))
      const encoded = "GET /products/v4/search/LM317T%2FNO%20PB%23%3F"
      assert.deepStrictEqual(yield* sent, [
        `${encoded}/productdetails`,
        `${encoded}/substitutions`,
        `${encoded}/pricingbyquantity/10`,
        "GET /products/v4/search/categories",
        "GET /products/v4/search/manufacturers"
      ])
    }))

  it.effect("refuses a quantity that is no whole number above 0, and sends nothing", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording({})
      for (const quantity of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        const error = yield* Effect.flip(ProductInformation.pricingByQuantity("NE555P", quantity)).pipe(
          Effect.provide(layer)
        )
        assert.deepInclude({ ...error }, { _tag: "RequestFailed", reason: "InvalidRequest", method: "GET" })
      }
      assert.deepStrictEqual(yield* sent, [])
    }))

  it.effect("refuses an empty part number and a dot, and sends nothing", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording({})
      for (const number of ["", ".", ".."]) {
        const errors = yield* Effect.all([
          Effect.flip(ProductInformation.substitutions(number)),
          Effect.flip(ProductInformation.pricingByQuantity(number, 1))
        ]).pipe(Effect.provide(layer))
        for (const error of errors) {
          assert.deepInclude({ ...error }, { _tag: "RequestFailed", reason: "InvalidRequest" })
        }
      }
      assert.deepStrictEqual(yield* sent, [])
    }))

  const substitutions = (UnitPrice: unknown) =>
    given(
      { ProductSubstitutesCount: 1, ProductSubstitutes: [{ ...substitute, UnitPrice }] },
      ProductInformation.substitutions("NE555P")
    )
  const details = (UnitPrice: unknown) =>
    given({ Product: { ...product, UnitPrice } }, ProductInformation.productDetails("NE555P"))

  for (const [sent, price] of [["0.38000", 0.38], [0.38, 0.38], ["12", 12], [".5", 0.5], ["0", 0]] as const) {
    it.effect(`reads the price ${JSON.stringify(sent)} as ${price}, wherever it comes`, () =>
      Effect.gen(function*() {
        const { ProductSubstitutes } = yield* substitutions(sent)
        assert.strictEqual(ProductSubstitutes[0]?.UnitPrice, price)
        const { Product } = yield* details(sent)
        assert.strictEqual(Product.UnitPrice, price)
      }))
  }

  for (
    const garbage of ["", " ", "call us", "$0.38", "1,234.50", "1.234,50", "0x10", "1e3", "NaN", "Infinity", "9".repeat(400), true, {}, null]
  ) {
    it.effect(`refuses the price ${JSON.stringify(garbage).slice(0, 12)}, and says where but not what`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(substitutions(garbage))
        assert.deepInclude({ ...error }, {
          _tag: "UnexpectedResponse",
          at: "ProductSubstitutes[0].UnitPrice",
          expected: "a number"
        })
        assert.deepInclude({ ...(yield* Effect.flip(details(garbage))) }, {
          _tag: "UnexpectedResponse",
          at: "Product.UnitPrice"
        })
        if (typeof garbage === "string" && garbage.length > 3) assert.notInclude(error.message, garbage)
      }))
  }

  it.effect("does not mind fields that are null, absent or unknown", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* given(
          {
            ProductSubstitutesCount: 1,
            ProductSubstitutes: [{ ...substitute, SubstituteType: null, Manufacturer: null, QuantityAvailable: null }]
          },
          ProductInformation.substitutions("NE555P")
        ),
        {
          ProductSubstitutesCount: 1,
          ProductSubstitutes: [{ ManufacturerProductNumber: "NE555DR", UnitPrice: 0.38 }]
        }
      )
      assert.deepStrictEqual(
        yield* given({ ProductSubstitutesCount: 0, ProductSubstitutes: null }, ProductInformation.substitutions("x")),
        { ProductSubstitutesCount: 0, ProductSubstitutes: [] }
      )
      assert.deepStrictEqual(
        yield* given({ MyPricingOptions: null }, ProductInformation.pricingByQuantity("NE555P", 1)),
        { MyPricingOptions: [], StandardPricingOptions: [] }
      )
      assert.deepStrictEqual(yield* given({ Manufacturers: null, X: 1 }, ProductInformation.manufacturers), {
        Manufacturers: []
      })
    }))

  it.effect("reads the tree of categories to its leaves", () =>
    Effect.gen(function*() {
      const leaf = { CategoryId: 3, ParentId: 2, Name: "Timers", ProductCount: 7, ChildCategories: [] }
      const middle = { CategoryId: 2, ParentId: 1, Name: "Clock/Timing", ChildCategories: [leaf] }
      const sent = {
        ProductCount: 7,
        Categories: [{ CategoryId: 1, ParentId: null, Name: "ICs", SeoDescription: "…", ChildCategories: [middle] }]
      }
      assert.deepStrictEqual(yield* given(sent, ProductInformation.categories), {
        ProductCount: 7,
        Categories: [{ CategoryId: 1, Name: "ICs", ChildCategories: [middle] }]
      })
      const error = yield* Effect.flip(
        given({ Categories: [{ ...middle, ChildCategories: [{ Name: "Timers" }] }] }, ProductInformation.categories)
      )
      assert.deepInclude({ ...error }, {
        _tag: "UnexpectedResponse",
        at: "Categories[0].ChildCategories[0].CategoryId"
      })
    }))
})
