/**
 * Product Information v4: search, details, substitutes, prices, categories and
 * manufacturers.
 *
 * Takes the credentials of an application. Details and prices may need an
 * account (`accountId`).
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as ApiClient from "effect-credentials/ApiClient"
import type { ApiClientError } from "effect-credentials/ApiError"
import type { Credentials } from "effect-credentials/Credentials"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DigiKeyApp } from "./DigiKeyApp.js"
import * as ApiProduct from "./internal/product.js"
import { list, nullish } from "./internal/schemas.js"
import * as Product from "./Product.js"
import * as Schemas from "./ProductSchemas.js"

export * from "./ProductSchemas.js"

/**
 * @since 0.1.0
 * @category schemas
 */
export const KeywordRequest = Schema.Struct({
  /** 1 to 250 characters. */
  Keywords: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(250)),
  /** 1 to 50. */
  Limit: Schema.optional(Schema.Int.pipe(Schema.between(1, 50))),
  Offset: Schema.optional(Schema.NonNegativeInt),
  SortOptions: Schema.optional(Schema.Struct({
    Field: Schema.String,
    SortOrder: Schema.Literal("Ascending", "Descending")
  }))
})

/**
 * @since 0.1.0
 * @category models
 */
export type KeywordRequest = typeof KeywordRequest.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const KeywordResponse = Schema.Struct({
  Products: list(Schemas.Product),
  ProductsCount: Schema.Number,
  ExactMatches: list(Schemas.Product)
})

/**
 * @since 0.1.0
 * @category models
 */
export type KeywordResponse = typeof KeywordResponse.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const ProductDetails = Schema.Struct({ Product: Schemas.Product })

/**
 * @since 0.1.0
 * @category models
 */
export type ProductDetails = typeof ProductDetails.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const Substitutions = Schema.Struct({
  ProductSubstitutesCount: Schema.Number,
  ProductSubstitutes: list(Schemas.Substitute)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Substitutions = typeof Substitutions.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const PricingByQuantity = Schema.Struct({
  RequestedProduct: nullish(Schema.String),
  RequestedQuantity: nullish(Schema.Number),
  ManufacturerPartNumber: nullish(Schema.String),
  /** Prices agreed with the account. */
  MyPricingOptions: list(Schemas.PricingOption),
  StandardPricingOptions: list(Schemas.PricingOption)
})

/**
 * @since 0.1.0
 * @category models
 */
export type PricingByQuantity = typeof PricingByQuantity.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const Categories = Schema.Struct({
  ProductCount: nullish(Schema.Number),
  Categories: list(Schemas.Category)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Categories = typeof Categories.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const Manufacturers = Schema.Struct({ Manufacturers: list(Schemas.Manufacturer) })

/**
 * @since 0.1.0
 * @category models
 */
export type Manufacturers = typeof Manufacturers.Type

/**
 * Every operation fails with `RequestFailed` reason `InvalidRequest`, and sends
 * nothing, where DigiKey is known to refuse what it was given: a part number
 * that is empty, `.` or `..` is one case. A part number that DigiKey does not
 * know is an `ApiError` with reason `NotFound`; a reply that does not fit is
 * `UnexpectedResponse`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProductInformation<I> {
  /** A read, although it is a POST: it is tried again like a GET. */
  readonly keywordSearch: (
    request: KeywordRequest
  ) => Effect.Effect<KeywordResponse, ApiClientError, I | HttpClient.HttpClient>
  /** By DigiKey's or the manufacturer's part number, which may contain `/`. */
  readonly productDetails: (
    productNumber: string
  ) => Effect.Effect<ProductDetails, ApiClientError, I | HttpClient.HttpClient>
  /** What may replace a part. */
  readonly substitutions: (
    productNumber: string
  ) => Effect.Effect<Substitutions, ApiClientError, I | HttpClient.HttpClient>
  /** What `quantity` pieces cost: a whole number above 0. */
  readonly pricingByQuantity: (
    productNumber: string,
    quantity: number
  ) => Effect.Effect<PricingByQuantity, ApiClientError, I | HttpClient.HttpClient>
  /** The whole tree of categories. */
  readonly categories: Effect.Effect<Categories, ApiClientError, I | HttpClient.HttpClient>
  readonly manufacturers: Effect.Effect<Manufacturers, ApiClientError, I | HttpClient.HttpClient>
  /** Any other request of this product, through the same pipeline: its path starts after `/products/v4`. */
  readonly execute: (
    request: HttpClientRequest.HttpClientRequest
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, ApiClientError, I | HttpClient.HttpClient>
}

/**
 * The product for other credentials than `DigiKeyApp`, for example those of a
 * second account.
 *
 * @example
 * ```ts
 * import { ProductInformation } from "@effect-credentials/digikey"
 * import { Credentials } from "effect-credentials"
 *
 * class Second extends Credentials.Tag("SecondAccount")<Second>() {}
 *
 * export const second = ProductInformation.make(Second)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I>(tag: Context.Tag<I, Credentials>): ProductInformation<I> => {
  const product = Product.ProductInformation.name
  const client = Product.client(Product.ProductInformation, { tag })
  const postSearch = ApiProduct.postJson(product, KeywordRequest)
  const decodeSearch = ApiClient.decodeJson(product, KeywordResponse)
  const decodeDetails = ApiClient.decodeJson(product, ProductDetails)
  const decodeSubstitutions = ApiClient.decodeJson(product, Substitutions)
  const decodePricing = ApiClient.decodeJson(product, PricingByQuantity)
  return {
    keywordSearch: (request) =>
      Effect.flatMap(
        postSearch("/search/keyword", request),
        (post) => Effect.flatMap(client.execute(post), decodeSearch)
      ),
    productDetails: (productNumber) =>
      Effect.flatMap(client.get(ApiClient.path`/search/${productNumber}/productdetails`), decodeDetails),
    substitutions: (productNumber) =>
      Effect.flatMap(client.get(ApiClient.path`/search/${productNumber}/substitutions`), decodeSubstitutions),
    pricingByQuantity: (productNumber, quantity) => {
      const path = ApiClient.path`/search/${productNumber}/pricingbyquantity/${quantity}`
      return ApiProduct.isPositiveInteger(quantity)
        ? Effect.flatMap(client.get(path), decodePricing)
        : Effect.fail(ApiProduct.invalid(product, "GET", path))
    },
    categories: Effect.flatMap(client.get("/search/categories"), ApiClient.decodeJson(product, Categories)),
    manufacturers: Effect.flatMap(client.get("/search/manufacturers"), ApiClient.decodeJson(product, Manufacturers)),
    execute: client.execute
  }
}

/**
 * @since 0.1.0
 * @category operations
 */
export const {
  categories,
  execute,
  keywordSearch,
  manufacturers,
  pricingByQuantity,
  productDetails,
  substitutions
}: ProductInformation<DigiKeyApp> = make(DigiKeyApp)
