import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import { digiKeyNumber, type SimulatedPart } from "./catalogue.js"
import { badRequest, type Call, type Failure, notFound, type Outcome, type Product } from "./route.js"

/** Product Information v4 over a fixed catalogue. */
export const productInformation = (parts: ReadonlyArray<SimulatedPart>): Product => {
  const catalogue = index(parts)
  return {
    base: "/products/v4",
    routes: [
      { method: "POST", path: "/search/keyword", handle: keywordSearch(catalogue) },
      { method: "GET", path: "/search/manufacturers", handle: () => manufacturers(catalogue) },
      { method: "GET", path: "/search/categories", handle: () => categories(catalogue) },
      {
        method: "GET",
        path: "/search/{productNumber}/productdetails",
        needsAccount: true,
        handle: (call) =>
          Either.map(findEntry(catalogue, call), ({ product }) => ({ SearchLocaleUsed: locale, Product: product }))
      },
      {
        method: "GET",
        path: "/search/{productNumber}/substitutions",
       
        handle: (call) => Either.map(findEntry(catalogue, call), (entry) => substitutions(catalogue, entry))
      },
      {
        method: "GET",
        path: "/search/{productNumber}/pricingbyquantity/{quantity}",
        needsAccount: true,
        handle: (call) => Either.flatMap(findEntry(catalogue, call), (entry) => pricing(entry, call))
      }
    ]
  }
}

// -----------------------------------------------------------------------------
// The catalogue, as the API shows it
// -----------------------------------------------------------------------------

interface Entry {
  readonly part: SimulatedPart
  readonly product: ReturnType<typeof toProduct>
  /** What a keyword is looked for in. */
  readonly text: string
}

interface Catalogue {
  readonly entries: ReadonlyArray<Entry>
  /** By part number of the manufacturer and of DigiKey, in upper case. */
  readonly byNumber: ReadonlyMap<string, Entry>
  readonly manufacturers: ReadonlyArray<string>
  readonly categories: ReadonlyArray<string>
}

const locale = { Site: "US", Language: "en", Currency: "USD" }

const index = (parts: ReadonlyArray<SimulatedPart>): Catalogue => {
  const manufacturers = [...new Set(parts.map((part) => part.manufacturer))].sort()
  const categories = [...new Set(parts.map((part) => part.category))].sort()
  const entries = parts.map((part): Entry => ({
    part,
    product: toProduct(part, manufacturers.indexOf(part.manufacturer) + 1, categories.indexOf(part.category) + 1),
    text: [part.manufacturerProductNumber, digiKeyNumber(part), part.manufacturer, part.category, part.description]
      .join(" ").toUpperCase()
  }))
  return {
    entries,
    byNumber: new Map(entries.flatMap((entry) => [
      [entry.part.manufacturerProductNumber.toUpperCase(), entry],
      [digiKeyNumber(entry.part).toUpperCase(), entry]
    ])),
    manufacturers,
    categories
  }
}

const statuses = ["Active", "Obsolete", "Last Time Buy", "Not For New Designs"]

const toProduct = (part: SimulatedPart, manufacturerId: number, categoryId: number) => {
  const status = part.status ?? "Active"
  return {
    Description: {
      ProductDescription: part.description,
      DetailedDescription: `${part.category} - ${part.description}`
    },
    Manufacturer: { Id: manufacturerId, Name: part.manufacturer },
    ManufacturerProductNumber: part.manufacturerProductNumber,
    UnitPrice: part.unitPrice,
    QuantityAvailable: part.quantityAvailable,
    ProductStatus: { Id: statuses.indexOf(status), Status: status },
    Category: { CategoryId: categoryId, Name: part.category },
    Discontinued: status === "Obsolete",
    EndOfLife: status === "Last Time Buy",
    ProductVariations: [{
      DigiKeyProductNumber: digiKeyNumber(part),
      PackageType: { Id: 1, Name: part.packageType },
      StandardPricing: priceBreaks(part.unitPrice),
      MyPricing: [],
      QuantityAvailableforPackageType: part.quantityAvailable,
      MinimumOrderQuantity: 1,
      StandardPackage: 50
    }]
  }
}

const round = (price: number): number => Math.round(price * 100000) / 100000

const priceBreaks = (unitPrice: number) =>
  ([[1, 1], [10, 0.82], [100, 0.61], [1000, 0.44]] as const).map(([quantity, factor]) => ({
    BreakQuantity: quantity,
    UnitPrice: round(unitPrice * factor),
    TotalPrice: round(unitPrice * factor * quantity)
  }))

const findEntry = (catalogue: Catalogue, { params }: Call): Either.Either<Entry, Failure> =>
  Either.fromNullable(
    catalogue.byNumber.get((params.productNumber ?? "").toUpperCase()),
    (): Failure => ({ status: 404, detail: "The requested product number was not found" })
  )

// -----------------------------------------------------------------------------
// Operations
// -----------------------------------------------------------------------------

const sortKeys: Readonly<Record<string, ((entry: Entry) => string | number) | undefined>> = {
  DigiKeyProductNumber: (entry) => digiKeyNumber(entry.part),
  ManufacturerProductNumber: (entry) => entry.part.manufacturerProductNumber,
  Manufacturer: (entry) => entry.part.manufacturer,
  Packaging: (entry) => entry.part.packageType,
  Price: (entry) => entry.part.unitPrice,
  ProductStatus: (entry) => entry.product.ProductStatus.Id,
  QuantityAvailable: (entry) => entry.part.quantityAvailable
}

const keywordSearch = (catalogue: Catalogue) => ({ json }: Call): Outcome => {
  if (!isRecord(json)) {
    return badRequest([{ field: "$", message: "The body must be a JSON object" }])
  }
  const { Keywords, Limit = 10, Offset = 0, SortOptions } = json
  const fields: Array<{ field: string; message: string }> = []
  if (typeof Keywords !== "string" || Keywords.trim() === "") {
    fields.push({ field: "Keywords", message: "The Keywords field is required." })
  } else if (Keywords.length > 250) {
    fields.push({ field: "Keywords", message: "The field Keywords must be a string with a maximum length of 250." })
  }
  if (!isInteger(Limit) || Limit < 1 || Limit > 50) {
    fields.push({ field: "Limit", message: "The field Limit must be between 1 and 50." })
  }
  if (!isInteger(Offset) || Offset < 0) {
    fields.push({ field: "Offset", message: "The field Offset must be 0 or more." })
  }
  const order = readSortOptions(SortOptions)
  if (order === undefined) {
    fields.push({ field: "SortOptions", message: "The field SortOptions is invalid." })
  }
  if (fields.length > 0 || order === undefined) {
    return badRequest(fields)
  }
  // checked above; the collected messages hide it from the compiler
  const keywords = (Keywords as string).toUpperCase().split(/\s+/).filter((keyword) => keyword !== "")
  const [limit, offset] = [Limit as number, Offset as number]
  const found = order(catalogue.entries.filter(({ text }) => keywords.every((keyword) => text.includes(keyword))))
  const exact = catalogue.byNumber.get(keywords.join(" "))
  return Either.right({
    Products: found.slice(offset, offset + limit).map((entry) => entry.product),
    ProductsCount: found.length,
    ExactMatches: exact === undefined ? [] : [exact.product],
    SearchLocaleUsed: locale
  })
}

const isInteger = (u: unknown): u is number => typeof u === "number" && Number.isSafeInteger(u)

type Order = (entries: ReadonlyArray<Entry>) => ReadonlyArray<Entry>

const readSortOptions = (u: unknown): Order | undefined => {
  if (u === undefined || u === null) {
    return (entries) => entries
  }
  if (!isRecord(u)) {
    return undefined
  }
  const { Field = "None", SortOrder = "Ascending" } = u
  if (typeof Field !== "string" || (SortOrder !== "Ascending" && SortOrder !== "Descending")) {
    return undefined
  }
  if (Field === "None") {
    return (entries) => entries
  }
  const key = Object.hasOwn(sortKeys, Field) ? sortKeys[Field] : undefined
  if (key === undefined) {
    return undefined
  }
  const sign = SortOrder === "Ascending" ? 1 : -1
  return (entries) =>
    entries.toSorted((a, b) => {
      const [left, right] = [key(a), key(b)]
      return left < right ? -sign : left > right ? sign : 0
    })
}

const manufacturers = (catalogue: Catalogue): Outcome =>
  Either.right({ Manufacturers: catalogue.manufacturers.map((Name, i) => ({ Id: i + 1, Name })) })

const categories = (catalogue: Catalogue): Outcome =>
  Either.right({
    ProductCount: catalogue.entries.length,
    Categories: catalogue.categories.map((Name, i) => ({
      CategoryId: i + 1,
      ParentId: 0,
      Name,
      ProductCount: catalogue.entries.filter(({ part }) => part.category === Name).length,
      ChildCategories: []
    })),
    SearchLocaleUsed: locale
  })

const substitutions = (catalogue: Catalogue, { part }: Entry) => {
  const substitutes = catalogue.entries.filter((other) =>
    part.family !== undefined && other.part.family === part.family && other.part !== part
  )
  return {
    ProductSubstitutesCount: substitutes.length,
    ProductSubstitutes: substitutes.map((other) => ({
      SubstituteType: "Similar",
      DigiKeyProductNumber: digiKeyNumber(other.part),
      ManufacturerProductNumber: other.part.manufacturerProductNumber,
      Manufacturer: other.product.Manufacturer,
      Description: other.part.description,
      // a string here, a number everywhere else
      UnitPrice: other.part.unitPrice.toFixed(2),
      QuantityAvailable: other.part.quantityAvailable
    })),
    SearchLocaleUsed: locale
  }
}

const pricing = ({ part, product }: Entry, { params }: Call): Either.Either<unknown, Failure> => {
  const quantity = /^\d{1,9}$/.test(params.quantity ?? "") ? Number(params.quantity) : 0
  if (quantity < 1) {
    return badRequest([{ field: "requestedQuantity", message: "The quantity must be a whole number above 0." }])
  }
  const [variation] = product.ProductVariations
  if (variation === undefined) {
    return notFound("The requested product number has no pricing")
  }
  const unitPrice = priceBreaks(part.unitPrice).findLast((price) => price.BreakQuantity <= quantity)?.UnitPrice ??
    part.unitPrice
  return Either.right({
    RequestedProduct: params.productNumber,
    RequestedQuantity: quantity,
    ManufacturerPartNumber: part.manufacturerProductNumber,
    MyPricingOptions: [],
    StandardPricingOptions: [{
      PricingOption: "Exact",
      TotalQuantityPriced: quantity,
      TotalPrice: round(unitPrice * quantity),
      QuantityAvailable: part.quantityAvailable,
      Products: [{
        DigiKeyProductNumber: variation.DigiKeyProductNumber,
        QuantityPriced: quantity,
        MinimumOrderQuantity: variation.MinimumOrderQuantity,
        UnitPrice: unitPrice,
        ExtendedPrice: round(unitPrice * quantity),
        PackageType: variation.PackageType
      }]
    }],
    SettingsUsed: { SearchLocale: locale }
  })
}
