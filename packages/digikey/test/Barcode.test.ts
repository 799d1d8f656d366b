import { HttpClientRequest } from "@effect/platform"
import { Barcode } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Credentials } from "effect-credentials"
import { signedIn } from "./utils/signedIn.js"
import { empty, json, serving } from "./utils/userServer.js"

const label = {
  DigiKeyPartNumber: "P189-ND",
  ManufacturerPartNumber: "CR2032",
  ManufacturerName: "Panasonic - BSG",
  ProductDescription: "BATTERY LITHIUM 3V COIN 20MM",
  Quantity: 5
}

/** As a scanner reads it (ISO/IEC 15434): record and group separators, and the end of the transmission. */
const scanned = "[)>\u{1e}06\u{1d}PC1,C3 50%/R\u{1d}1PCR2032\u{1d}Q5\u{1e}\u{4}"

describe("Barcode against the simulator", () => {
  it.effect("reads either barcode of a bag, whatever is in it", () =>
    Effect.gen(function*() {
      for (const part of DigiKeySimulator.defaultParts) {
        const found = yield* Barcode.productBarcode(DigiKeySimulator.productBarcode(part, 25))
        assert.deepInclude({ ...found }, {
          ManufacturerPartNumber: part.manufacturerProductNumber,
          ManufacturerName: part.manufacturer,
          ProductDescription: part.description,
          Quantity: 25
        })
        assert.deepStrictEqual(yield* Barcode.product2DBarcode(DigiKeySimulator.product2DBarcode(part, 25)), found)
      }
    }).pipe(Effect.provide(signedIn())))

  it.effect("says that a barcode is none of DigiKey's", () =>
    Effect.gen(function*() {
      for (const operation of [Barcode.productBarcode("canary"), Barcode.product2DBarcode("canary")]) {
        const error = yield* Effect.flip(operation)
        assert.deepInclude({ ...error }, { _tag: "ApiError", reason: "BadRequest", product: "Barcode" })
      }
    }).pipe(Effect.provide(signedIn())))
})

describe("Barcode", () => {
  it.effect("sends a barcode as one segment of the path", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* serving(json(label))
      yield* Effect.provide(Barcode.productBarcode("7732660000000000200"), layer)
      yield* Effect.provide(Barcode.productBarcode("1/2?3#4"), layer)
      assert.deepStrictEqual(yield* lines, [
        "GET /Barcoding/v3/ProductBarcodes/7732660000000000200",
        "GET /Barcoding/v3/ProductBarcodes/1%2F2%3F3%234"
      ])
    }))

  it.effect("sends the control characters of a 2D barcode as DigiKey wants them", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* serving(json(label))
      yield* Effect.provide(Barcode.product2DBarcode(scanned), layer)
      const [line = ""] = yield* lines
      const [base, segment = ""] = line.split("/Product2DBarcodes/")
      assert.strictEqual(base, "GET /Barcoding/v3")
      assert.match(segment, /^[\w%()*'!~.-]+$/)
      assert.strictEqual(decodeURIComponent(segment), "[)>\u{241e}06\u{241d}PC1,C3 50%/R\u{241d}1PCR2032\u{241d}Q5\u{241e}\u{2404}")
    }))

  it.effect("takes a 2D barcode that has been made printable already", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* serving(json(label))
      yield* Effect.provide(Barcode.product2DBarcode("[)>\u{241e}06\u{241d}Q5"), layer)
      assert.deepStrictEqual(yield* lines, [
        `GET /Barcoding/v3/Product2DBarcodes/${encodeURIComponent("[)>\u{241e}06\u{241d}Q5")}`
      ])
    }))

  it.effect("reads what is under a label, and does not mind fields that are null, absent or unknown", () =>
    Effect.gen(function*() {
      const { layer } = yield* serving(
        json(label),
        json({ ...label, LotCode: "4LC", ManufacturerName: null, Quantity: null })
      )
      assert.deepStrictEqual(yield* Effect.provide(Barcode.productBarcode("1"), layer), label)
      assert.deepStrictEqual(yield* Effect.provide(Barcode.product2DBarcode(scanned), layer), {
        DigiKeyPartNumber: "P189-ND",
        ManufacturerPartNumber: "CR2032",
        ProductDescription: "BATTERY LITHIUM 3V COIN 20MM"
      })
    }))

  it.effect("says where a reply does not fit", () =>
    Effect.gen(function*() {
      const { layer } = yield* serving(json({ ...label, Quantity: "canary" }))
      const error = yield* Effect.flip(Barcode.productBarcode("1")).pipe(Effect.provide(layer))
      assert.deepInclude({ ...error }, { _tag: "UnexpectedResponse", product: "Barcode", at: "Quantity" })
      assert.notInclude(error.message, "canary")
    }))

  it.effect("says that DigiKey does not know a barcode", () =>
    Effect.gen(function*() {
      const { layer } = yield* serving(empty(404))
      const error = yield* Effect.flip(Barcode.product2DBarcode(scanned)).pipe(Effect.provide(layer))
      assert.deepInclude({ ...error }, { _tag: "ApiError", reason: "NotFound", product: "Barcode" })
    }))

  it.effect("refuses an empty barcode and a dot, and sends nothing", () =>
    Effect.gen(function*() {
      const { layer, received } = yield* serving(json(label))
      for (const barcode of ["", ".", ".."]) {
        for (const operation of [Barcode.productBarcode, Barcode.product2DBarcode]) {
          const error = yield* Effect.flip(operation(barcode)).pipe(Effect.provide(layer))
          assert.deepInclude({ ...error }, { _tag: "RequestFailed", reason: "InvalidRequest", product: "Barcode" })
        }
      }
      assert.deepStrictEqual(yield* received, [])
    }))

  it.effect("sends any other request of the product through the same pipeline", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* serving(json({}))
      yield* Effect.provide(Barcode.execute(HttpClientRequest.get("/PackListBarcodes/1")), layer)
      assert.deepStrictEqual(yield* lines, ["GET /Barcoding/v3/PackListBarcodes/1"])
    }))

  it.effect("serves a second person with a second tag", () =>
    Effect.gen(function*() {
      class Second extends Credentials.Tag("SecondPerson")<Second>() {}
      const { layer, received } = yield* serving(json(label))
      yield* Barcode.make(Second).productBarcode("1").pipe(
        Effect.provide(Layer.merge(layer, Credentials.layerTest(Second, { token: "second-token" })))
      )
      assert.deepStrictEqual((yield* received).map(({ headers }) => headers["authorization"]), ["Bearer second-token"])
    }))
})
