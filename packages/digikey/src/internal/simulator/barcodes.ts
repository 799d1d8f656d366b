import * as Either from "effect/Either"
import * as Hash from "effect/Hash"
import { digiKeyNumber, partByNumber, type SimulatedPart } from "./catalogue.js"
import { badRequest, notFound, type Outcome, type Product } from "./route.js"

// -----------------------------------------------------------------------------
// What is printed on a bag
// -----------------------------------------------------------------------------

/** ISO/IEC 15434: what separates the fields of a 2D barcode, and what ends it. */
const [GS, RS, EOT] = ["\x1d", "\x1e", "\x04"]

/**
 * The one-dimensional barcode of a bag with `quantity` pieces of `part`: 22 digits.
 *
 * @since 0.1.0
 * @category fixtures
 */
export const productBarcode = (part: SimulatedPart, quantity: number): string =>
  `${partId(part)}${String(quantity).padStart(8, "0")}0000001`

/**
 * The two-dimensional barcode of a bag with `quantity` pieces of `part`, as a scanner reads it. It
 * holds control characters, and a slash where the part number does: encode it.
 *
 * @since 0.1.0
 * @category fixtures
 */
export const product2DBarcode = (part: SimulatedPart, quantity: number): string =>
  `[)>${RS}06${GS}${
    [`P${digiKeyNumber(part)}`, `1P${part.manufacturerProductNumber}`, `Q${quantity}`].join(GS)
  }${RS}${EOT}`

/** Seven digits. */
const partId = (part: SimulatedPart): string =>
  String(1_000_000 + Math.abs(Hash.string(part.manufacturerProductNumber)) % 9_000_000)

// -----------------------------------------------------------------------------
// The product
// -----------------------------------------------------------------------------

/** Barcode v3 for the bags of a catalogue. */
export const barcodes = (parts: ReadonlyArray<SimulatedPart>): Product => {
  const byId = new Map(parts.map((part) => [partId(part), part]))
  const byNumber = partByNumber(parts)
  return {
    base: "/Barcoding/v3",
    userOnly: true,
    dialect: "A",
    routes: [
      {
        method: "GET",
        path: "/ProductBarcodes/{barcode}",
        handle: ({ params }) => answer(read(params.barcode ?? "", (id) => byId.get(id)))
      },
      {
        method: "GET",
        path: "/Product2DBarcodes/{barcode}",
        handle: ({ params }) => answer(read2D(params.barcode ?? "", byNumber))
      }
    ]
  }
}

interface Bag {
  readonly part: SimulatedPart | undefined
  readonly quantity: number
}

type Find = (number: string) => SimulatedPart | undefined

const read = (barcode: string, find: Find): Bag | undefined => {
  const digits = /^(\d{7})(\d{8})\d{7}$/.exec(barcode)
  return digits === null ? undefined : { part: find(digits[1] ?? ""), quantity: Number(digits[2]) }
}

/** Clients of the live API send the separators as the symbols for them, U+241D and so on: both are read. */
const read2D = (barcode: string, find: Find): Bag | undefined => {
  const text = barcode.replace(/\u241d/g, GS).replace(/\u241e/g, RS).replace(/\u2404/g, EOT)
  const envelope = `[)>${RS}06${GS}`
  if (!text.startsWith(envelope)) {
    return undefined
  }
  const [record = ""] = text.slice(envelope.length).split(RS)
  // a data identifier is one letter, after digits perhaps (ANSI MH10.8.2)
  const fields = new Map(record.split(GS).map((field) => {
    const [, identifier = "", value = ""] = /^(\d*[A-Z])(.*)$/s.exec(field) ?? []
    return [identifier, value]
  }))
  const quantity = fields.get("Q") ?? ""
  const number = fields.get("P") ?? fields.get("1P")
  return number === undefined || !/^\d{1,9}$/.test(quantity)
    ? undefined
    : { part: find(number), quantity: Number(quantity) }
}

const answer = (bag: Bag | undefined): Outcome =>
  bag === undefined
    ? badRequest([{ field: "barcode", message: "The barcode is not one of a product" }])
    : bag.part === undefined
    ? notFound("The barcode was not found")
    : Either.right({
      DigiKeyPartNumber: digiKeyNumber(bag.part),
      ManufacturerPartNumber: bag.part.manufacturerProductNumber,
      ManufacturerName: bag.part.manufacturer,
      ProductDescription: bag.part.description,
      Quantity: bag.quantity
    })
