/**
 * What Product Information v4 tells of products, prices and categories; also
 * exported by `ProductInformation`. Only the fields that are declared here are
 * read, all others are ignored.
 *
 * Prices are in the currency of the locale (`localeCurrency`).
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Decimal, list, nullish } from "./internal/schemas.js"

/**
 * @since 0.1.0
 * @category schemas
 */
export const Manufacturer = Schema.Struct({ Id: Schema.Number, Name: Schema.String })

/**
 * @since 0.1.0
 * @category models
 */
export type Manufacturer = typeof Manufacturer.Type

/**
 * From `BreakQuantity` pieces on, a piece costs `UnitPrice`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PriceBreak = Schema.Struct({
  BreakQuantity: Schema.Number,
  UnitPrice: Decimal,
  TotalPrice: Decimal
})

/**
 * @since 0.1.0
 * @category models
 */
export type PriceBreak = typeof PriceBreak.Type

/**
 * A product in one packaging, which has a number of its own.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ProductVariation = Schema.Struct({
  DigiKeyProductNumber: Schema.String,
  StandardPricing: list(PriceBreak),
  MinimumOrderQuantity: nullish(Schema.Number)
})

/**
 * @since 0.1.0
 * @category models
 */
export type ProductVariation = typeof ProductVariation.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const Product = Schema.Struct({
  Description: Schema.Struct({
    ProductDescription: Schema.String,
    DetailedDescription: nullish(Schema.String)
  }),
  Manufacturer: nullish(Manufacturer),
  ManufacturerProductNumber: Schema.String,
  UnitPrice: Decimal,
  QuantityAvailable: Schema.Number,
  ProductStatus: nullish(Schema.Struct({ Id: Schema.Number, Status: Schema.String })),
  ProductVariations: list(ProductVariation)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Product = typeof Product.Type

/**
 * A product that may replace another one. DigiKey writes its price as a text
 * here; it is decoded to a number like every other price.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Substitute = Schema.Struct({
  SubstituteType: nullish(Schema.String),
  DigiKeyProductNumber: nullish(Schema.String),
  ManufacturerProductNumber: Schema.String,
  Manufacturer: nullish(Manufacturer),
  Description: nullish(Schema.String),
  UnitPrice: Decimal,
  QuantityAvailable: nullish(Decimal)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Substitute = typeof Substitute.Type

/**
 * One way to buy a quantity: one packaging, or several together.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PricingOption = Schema.Struct({
  PricingOption: nullish(Schema.String),
  TotalQuantityPriced: Schema.Number,
  TotalPrice: Decimal,
  QuantityAvailable: nullish(Schema.Number),
  Products: list(Schema.Struct({
    DigiKeyProductNumber: Schema.String,
    QuantityPriced: Schema.Number,
    MinimumOrderQuantity: nullish(Schema.Number),
    UnitPrice: Decimal,
    ExtendedPrice: nullish(Decimal)
  }))
})

/**
 * @since 0.1.0
 * @category models
 */
export type PricingOption = typeof PricingOption.Type

/**
 * @since 0.1.0
 * @category models
 */
export interface Category {
  readonly CategoryId: number
  readonly Name: string
  /** 0 or absent at the top. */
  readonly ParentId?: number | undefined
  readonly ProductCount?: number | undefined
  readonly ChildCategories: ReadonlyArray<Category>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface CategoryEncoded {
  readonly CategoryId: number
  readonly Name: string
  readonly ParentId?: number | null | undefined
  readonly ProductCount?: number | null | undefined
  readonly ChildCategories?: ReadonlyArray<CategoryEncoded> | null | undefined
}

/**
 * @since 0.1.0
 * @category schemas
 */
export const Category: Schema.Schema<Category, CategoryEncoded> = Schema.Struct({
  CategoryId: Schema.Number,
  Name: Schema.String,
  ParentId: nullish(Schema.Number),
  ProductCount: nullish(Schema.Number),
  ChildCategories: list(Schema.suspend((): Schema.Schema<Category, CategoryEncoded> => Category))
})
