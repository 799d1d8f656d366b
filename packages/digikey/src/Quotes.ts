/**
 * Quotes v4: prices of a list of products, locked for a while.
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
import * as ApiProduct from "./internal/product.js"
import { list, Name, nullish, PositiveInt } from "./internal/schemas.js"
import * as Product from "./Product.js"

/**
 * @since 0.1.0
 * @category schemas
 */
export const CreateQuoteRequest = Schema.Struct({
  /** Not blank. */
  QuoteName: Name
})

/**
 * @since 0.1.0
 * @category models
 */
export type CreateQuoteRequest = typeof CreateQuoteRequest.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const ListQuotesRequest = Schema.Struct({
  /** How many to skip; 0 by default. */
  offset: Schema.optional(Schema.NonNegativeInt),
  /** 1 to 50; DigiKey takes 10 by default. */
  limit: Schema.optional(Schema.Int.pipe(Schema.between(1, 50)))
})

/**
 * @since 0.1.0
 * @category models
 */
export type ListQuotesRequest = typeof ListQuotesRequest.Type

/**
 * A product to be quoted.
 *
 * @since 0.1.0
 * @category schemas
 */
export const QuoteDetail = Schema.Struct({
  /** Not blank. DigiKey recommends its own number: a manufacturer's may name several products. */
  ProductNumber: Name,
  /** A text of yours. */
  CustomerReference: Schema.optional(Schema.String),
  /** At least one, each a whole number above 0: a price is quoted for every one of them. */
  Quantities: Schema.Array(PositiveInt).pipe(Schema.minItems(1))
})

/**
 * @since 0.1.0
 * @category models
 */
export type QuoteDetail = typeof QuoteDetail.Type

/** The most products that one call may add, as DigiKey documents it. */
const Details = Schema.Array(QuoteDetail).pipe(Schema.minItems(1), Schema.maxItems(300))

/**
 * @since 0.1.0
 * @category schemas
 */
export const Quote = Schema.Struct({
  QuoteId: Schema.Number,
  QuoteName: nullish(Schema.String),
  TotalProducts: nullish(Schema.Number),
  /** ISO 8601, as DigiKey writes it: it may lack a time zone. */
  DateCreated: nullish(Schema.String),
  /** For example `Active`. */
  ExpirationStatus: nullish(Schema.String),
  /** Of all prices of the quote, for example `USD`. */
  Currency: nullish(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Quote = typeof Quote.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const QuoteResponse = Schema.Struct({ Quote })

/**
 * @since 0.1.0
 * @category models
 */
export type QuoteResponse = typeof QuoteResponse.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const ListQuotesResponse = Schema.Struct({
  /** On all pages together. */
  TotalQuotes: Schema.Number,
  Quotes: list(Quote)
})

/**
 * @since 0.1.0
 * @category models
 */
export type ListQuotesResponse = typeof ListQuotesResponse.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const AddDetailsResponse = Schema.Struct({
  QuoteId: nullish(Schema.Number),
  /** What was not added, and why: some of the products may be, while others are not. */
  Errors: list(Schema.String),
  Comments: list(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export type AddDetailsResponse = typeof AddDetailsResponse.Type

/**
 * Every operation fails with `RequestFailed` reason `InvalidRequest`, and sends
 * nothing, where a name is blank, a list is empty, or a number is out of its
 * range. A quote that DigiKey does not know is an `ApiError` with reason
 * `NotFound`; a reply that does not fit is `UnexpectedResponse`.
 *
 * What creates is sent once: where no usable answer comes, it fails with
 * `OutcomeUnknown`, and may or may not have been applied.
 *
 * @since 0.1.0
 * @category models
 */
export interface Quotes<I> {
  /** A new quote, still without products. */
  readonly createQuote: (
    request: CreateQuoteRequest
  ) => Effect.Effect<QuoteResponse, ApiClientError, I | HttpClient.HttpClient>
  /** One page of the account's quotes, without their products. */
  readonly listQuotes: (
    request?: ListQuotesRequest
  ) => Effect.Effect<ListQuotesResponse, ApiClientError, I | HttpClient.HttpClient>
  /** By its id, a whole number above 0; without its products. */
  readonly quote: (
    quoteId: number
  ) => Effect.Effect<QuoteResponse, ApiClientError, I | HttpClient.HttpClient>
  /** Adds 1 to 300 products. A success may still have refused some: see `Errors`. */
  readonly addDetails: (
    quoteId: number,
    details: ReadonlyArray<QuoteDetail>
  ) => Effect.Effect<AddDetailsResponse, ApiClientError, I | HttpClient.HttpClient>
  /** Any other request of this product, through the same pipeline: its path starts after `/quoting/v4`. */
  readonly execute: (
    request: HttpClientRequest.HttpClientRequest
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, ApiClientError, I | HttpClient.HttpClient>
}

/**
 * The product for other credentials than `DigiKeyUser`, for example those of a
 * second account.
 *
 * @example
 * ```ts
 * import { Quotes } from "@effect-credentials/digikey"
 * import { Credentials } from "effect-credentials"
 *
 * class Second extends Credentials.Tag("SecondAccount")<Second>() {}
 *
 * export const second = Quotes.make(Second)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I>(tag: Context.Tag<I, Credentials>): Quotes<I> => {
  const product = Product.Quotes.name
  const client = Product.client(Product.Quotes, { tag })
  const postQuote = ApiProduct.postJson(product, CreateQuoteRequest)
  const getQuotes = ApiProduct.getQuery(product, ListQuotesRequest)
  const postDetails = ApiProduct.postJson(product, Details)
  const decodeQuote = ApiClient.decodeJson(product, QuoteResponse)
  const decodeQuotes = ApiClient.decodeJson(product, ListQuotesResponse)
  const decodeDetails = ApiClient.decodeJson(product, AddDetailsResponse)
  return {
    createQuote: (request) =>
      Effect.flatMap(postQuote("/quotes", request), (post) => Effect.flatMap(client.execute(post), decodeQuote)),
    listQuotes: (request = {}) =>
      Effect.flatMap(getQuotes("/quotes", request), (get) => Effect.flatMap(client.execute(get), decodeQuotes)),
    quote: (quoteId) => {
      const path = ApiClient.path`/quotes/${quoteId}`
      return ApiProduct.isPositiveInteger(quoteId)
        ? Effect.flatMap(client.get(path), decodeQuote)
        : Effect.fail(ApiProduct.invalid(product, "GET", path))
    },
    addDetails: (quoteId, details) => {
      const path = ApiClient.path`/quotes/${quoteId}/details`
      return ApiProduct.isPositiveInteger(quoteId)
        ? Effect.flatMap(postDetails(path, details), (post) => Effect.flatMap(client.execute(post), decodeDetails))
        : Effect.fail(ApiProduct.invalid(product, "POST", path))
    },
    execute: client.execute
  }
}

/**
 * @since 0.1.0
 * @category operations
 */
export const { addDetails, createQuote, execute, listQuotes, quote }: Quotes<DigiKeyUser> = make(DigiKeyUser)
