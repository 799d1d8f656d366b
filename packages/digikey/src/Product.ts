/**
 * DigiKey's API products: what each is called, whose credentials it takes, where
 * it is and how often it may be called. And the pipeline of any of them, for
 * those whose operations are not typed here.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as ApiClient from "effect-credentials/ApiClient"
import type { ApiClientError } from "effect-credentials/ApiError"
import type { Credentials } from "effect-credentials/Credentials"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import { DigiKeyApp } from "./DigiKeyApp.js"
import { DigiKeyUser } from "./DigiKeyUser.js"
import * as ApiProduct from "./internal/product.js"

/**
 * What DigiKey documents for a standard subscription. Yours may differ: what the
 * headers of a response say is what counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  readonly burst: { readonly requests: number; readonly per: Duration.Duration }
  /** Requests in a day; `undefined` where none is documented. */
  readonly daily: number | undefined
}

/**
 * An API product that takes the credentials `I`. An application is subscribed to
 * each product on its own, and its limits are counted for each.
 *
 * @since 0.1.0
 * @category models
 */
export interface Product<I, Path extends string | undefined = string> {
  /** As it appears in errors. */
  readonly name: string
  /** The credentials it takes by default. */
  readonly tag: Context.Tag<I, Credentials>
  /** Put before the path of every request; `undefined` where none is known. */
  readonly path: Path
  /** Whether `path` is known to be right. */
  readonly confirmed: boolean
  /** Paths, after `path`, of POSTs that only read: they are tried again like a GET. */
  readonly reads: ReadonlyArray<string>
  readonly limits: Limits
}

// https://developer.digikey.com/documentation/shared-concepts
const standard: Limits = { burst: { requests: 120, per: Duration.minutes(1) }, daily: 1000 }
const quotesAndOrders: Limits = { burst: { requests: 10, per: Duration.minutes(1) }, daily: undefined }

/**
 * @since 0.1.0
 * @category products
 */
export const ProductInformation: Product<DigiKeyApp> = {
  name: "Product Information",
  tag: DigiKeyApp,
  path: "/products/v4",
  confirmed: true,
  reads: ["/search/keyword"],
  limits: standard
}

/**
 * @since 0.1.0
 * @category products
 */
export const OrderStatus: Product<DigiKeyApp> = {
  name: "Order Status",
  tag: DigiKeyApp,
  path: "/orderstatus/v4",
  confirmed: true,
  reads: [],
  limits: standard
}

/**
 * @since 0.1.0
 * @category products
 */
export const SupplyChain: Product<DigiKeyApp> = {
  name: "Supply Chain",
  tag: DigiKeyApp,
  path: "/SupplyChain/v1",
  confirmed: false,
  reads: [],
  limits: standard
}

/**
 * Its path is not known: `client` asks for it.
 *
 * @since 0.1.0
 * @category products
 */
export const ReferenceApis: Product<DigiKeyApp, undefined> = {
  name: "Reference APIs",
  tag: DigiKeyApp,
  path: undefined,
  confirmed: false,
  reads: [],
  limits: standard
}

/**
 * @since 0.1.0
 * @category products
 */
export const Quotes: Product<DigiKeyUser> = {
  name: "Quotes",
  tag: DigiKeyUser,
  path: "/quoting/v4",
  confirmed: true,
  reads: [],
  limits: quotesAndOrders
}

/**
 * @since 0.1.0
 * @category products
 */
export const Ordering: Product<DigiKeyUser> = {
  name: "Ordering",
  tag: DigiKeyUser,
  path: "/Ordering/v3",
  confirmed: false,
  reads: [],
  limits: quotesAndOrders
}

/**
 * @since 0.1.0
 * @category products
 */
export const OrderManagement: Product<DigiKeyUser> = {
  name: "Order Management",
  tag: DigiKeyUser,
  path: "/OrderManagement/v1",
  confirmed: true,
  reads: [],
  limits: standard
}

/**
 * @since 0.1.0
 * @category products
 */
export const MyLists: Product<DigiKeyUser> = {
  name: "MyLists",
  tag: DigiKeyUser,
  path: "/mylists/v1",
  confirmed: true,
  reads: [],
  limits: standard
}

/**
 * @since 0.1.0
 * @category products
 */
export const Barcode: Product<DigiKeyUser> = {
  name: "Barcode",
  tag: DigiKeyUser,
  path: "/Barcoding/v3",
  confirmed: true,
  reads: [],
  limits: standard
}

/**
 * @since 0.1.0
 * @category products
 */
export const PackingList: Product<DigiKeyUser> = {
  name: "Packing List",
  tag: DigiKeyUser,
  path: "/packinglist/v1",
  confirmed: true,
  reads: [],
  limits: standard
}

/**
 * @since 0.1.0
 * @category products
 */
export const ProductChangeNotifications: Product<DigiKeyUser> = {
  name: "Product Change Notifications",
  tag: DigiKeyUser,
  path: "/ChangeNotifications/v3",
  confirmed: true,
  reads: [],
  limits: standard
}

/**
 * All eleven.
 *
 * @since 0.1.0
 * @category products
 */
export const all: ReadonlyArray<Product<DigiKeyApp, string | undefined> | Product<DigiKeyUser>> = [
  ProductInformation,
  OrderStatus,
  SupplyChain,
  ReferenceApis,
  Quotes,
  Ordering,
  OrderManagement,
  MyLists,
  Barcode,
  PackingList,
  ProductChangeNotifications
]

/** A path is required where the product has none. */
type PathOption<Path> = [Path] extends [string] ? { readonly path?: string | undefined } : { readonly path: string }

type Client<I> = HttpClient.HttpClient.With<ApiClientError, I | HttpClient.HttpClient>

/**
 * An `HttpClient` for one product: DigiKey's headers, errors and limits, and the
 * rules of `ApiClient.make`. Make it once, at module level.
 *
 * - `path`: instead of the product's own, for one that has moved. Required where
 *   none is known.
 * - `tag`: instead of the product's own, for a second account.
 *
 * A POST is sent once, unless the product says that it only reads.
 *
 * @example
 * ```ts
 * import { Product } from "@effect-credentials/digikey"
 * import { Effect } from "effect"
 *
 * const notifications = Product.client(Product.ProductChangeNotifications)
 *
 * // Effect<unknown, ..., DigiKeyUser | HttpClient>
 * export const ofPart = Effect.flatMap(notifications.get("/Products/296-1234-ND"), (response) => response.json)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export function client<I, Path extends string | undefined, T>(
  product: Product<I, Path>,
  options: PathOption<Path> & { readonly tag: Context.Tag<T, Credentials> }
): HttpClient.HttpClient.With<ApiClientError, T | HttpClient.HttpClient>
export function client<I>(
  product: Product<I>,
  options?: { readonly path?: string | undefined; readonly tag?: undefined }
): HttpClient.HttpClient.With<ApiClientError, I | HttpClient.HttpClient>
export function client<I>(
  product: Product<I, string | undefined>,
  options: { readonly path: string; readonly tag?: undefined }
): HttpClient.HttpClient.With<ApiClientError, I | HttpClient.HttpClient>
export function client<I, T>(
  product: Product<I, string | undefined>,
  options: { readonly path?: string | undefined; readonly tag?: Context.Tag<T, Credentials> | undefined } = {}
): Client<I> | Client<T> {
  const { limits, name, reads, tag } = product
  // The signatures above see to it that there is one.
  const path = options.path ?? product.path ?? ""
  const pipeline = ApiProduct.options({ product: name, path, reads, limits })
  return options.tag === undefined ? ApiClient.make(tag, pipeline) : ApiClient.make(options.tag, pipeline)
}
