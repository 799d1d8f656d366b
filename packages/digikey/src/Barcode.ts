/**
 * Barcode v3: what is in a bag or on a reel, by the barcode on its label.
 *
 * Takes the credentials of a person (`DigiKeyUser`).
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
import { DigiKeyUser } from "./DigiKeyUser.js"
import { nullish } from "./internal/schemas.js"
import * as Product from "./Product.js"

/**
 * @since 0.1.0
 * @category schemas
 */
export const LabelledProduct = Schema.Struct({
  DigiKeyPartNumber: Schema.String,
  ManufacturerPartNumber: nullish(Schema.String),
  ManufacturerName: nullish(Schema.String),
  ProductDescription: nullish(Schema.String),
  /** How many pieces were packed under this label. */
  Quantity: nullish(Schema.Number)
})

/**
 * @since 0.1.0
 * @category models
 */
export type LabelledProduct = typeof LabelledProduct.Type

/**
 * Every operation fails with `RequestFailed` reason `InvalidRequest`, and sends
 * nothing, where a barcode is empty. One that DigiKey cannot read or does not
 * know is an `ApiError` with reason `BadRequest` or `NotFound`; a reply that does
 * not fit is `UnexpectedResponse`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Barcode<I> {
  /** By the digits of a one-dimensional barcode, found on older labels. */
  readonly productBarcode: (
    barcode: string
  ) => Effect.Effect<LabelledProduct, ApiClientError, I | HttpClient.HttpClient>
  /** By a two-dimensional barcode as the scanner read it, with its control characters (ISO/IEC 15434). */
  readonly product2DBarcode: (
    barcode: string
  ) => Effect.Effect<LabelledProduct, ApiClientError, I | HttpClient.HttpClient>
  /** Any other request of this product, through the same pipeline: its path starts after `/Barcoding/v3`. */
  readonly execute: (
    request: HttpClientRequest.HttpClientRequest
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, ApiClientError, I | HttpClient.HttpClient>
}

/**
 * "Please ensure the Record Separator character is encoded as \u241E and the Group
 * Separator character is encoded as \u241D"
 * (https://developer.digikey.com/products/barcode/barcoding/product2dbarcode).
 * These are their Control Pictures, at a distance of U+2400; End of Transmission,
 * which the page forgets, has one too.
 */
const printable = (barcode: string): string =>
  barcode.replace(/[\x04\x1d\x1e]/g, (control) => String.fromCharCode(0x2400 + control.charCodeAt(0)))

/**
 * The product for other credentials than `DigiKeyUser`, for example those of a
 * second account.
 *
 * @example
 * ```ts
 * import { Barcode } from "@effect-credentials/digikey"
 * import { Credentials } from "effect-credentials"
 *
 * class Second extends Credentials.Tag("SecondAccount")<Second>() {}
 *
 * export const second = Barcode.make(Second)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I>(tag: Context.Tag<I, Credentials>): Barcode<I> => {
  const client = Product.client(Product.Barcode, { tag })
  const decode = ApiClient.decodeJson(Product.Barcode.name, LabelledProduct)
  return {
    productBarcode: (barcode) => Effect.flatMap(client.get(ApiClient.path`/ProductBarcodes/${barcode}`), decode),
    product2DBarcode: (barcode) =>
      Effect.flatMap(client.get(ApiClient.path`/Product2DBarcodes/${printable(barcode)}`), decode),
    execute: client.execute
  }
}

/**
 * @since 0.1.0
 * @category operations
 */
export const { execute, product2DBarcode, productBarcode }: Barcode<DigiKeyUser> = make(DigiKeyUser)
