/**
 * MyLists v1: a person's saved lists of parts.
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
export const PageRequest = Schema.Struct({
  /** How many to skip; 0 by default. */
  startIndex: Schema.optional(Schema.NonNegativeInt),
  /** A whole number above 0. DigiKey may return fewer, although there are more. */
  limit: Schema.optional(PositiveInt)
})

/**
 * @since 0.1.0
 * @category models
 */
export type PageRequest = typeof PageRequest.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const CreateListRequest = Schema.Struct({
  /** Not blank. */
  ListName: Name
})

/**
 * @since 0.1.0
 * @category models
 */
export type CreateListRequest = typeof CreateListRequest.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const RequestedPart = Schema.Struct({
  /** DigiKey's or the manufacturer's part number; not blank. */
  RequestedPartNumber: Name,
  /** At least one, each a whole number above 0. */
  Quantities: Schema.Array(Schema.Struct({ Quantity: PositiveInt })).pipe(Schema.minItems(1))
})

/**
 * @since 0.1.0
 * @category models
 */
export type RequestedPart = typeof RequestedPart.Type

const RequestedParts = Schema.Array(RequestedPart).pipe(Schema.minItems(1))

/**
 * @since 0.1.0
 * @category schemas
 */
export const List = Schema.Struct({
  Id: Schema.String,
  ListName: nullish(Schema.String),
  TotalParts: nullish(Schema.Number)
})

/**
 * @since 0.1.0
 * @category models
 */
export type List = typeof List.Type

/**
 * A line of a list.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Part = Schema.Struct({
  /** Of this line, in this list. */
  UniqueId: nullish(Schema.String),
  RequestedPartNumber: nullish(Schema.String),
  /** What DigiKey found for it: the same part on a reel, say. */
  DigiKeyPartNumber: nullish(Schema.String),
  ManufacturerPartNumber: nullish(Schema.String),
  Quantities: list(Schema.Struct({ QuantityRequested: nullish(Schema.Number) }))
})

/**
 * @since 0.1.0
 * @category models
 */
export type Part = typeof Part.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const PartsResponse = Schema.Struct({
  /** On all pages together. */
  TotalParts: Schema.Number,
  PartsList: list(Part)
})

/**
 * @since 0.1.0
 * @category models
 */
export type PartsResponse = typeof PartsResponse.Type

/** A bare id, or the list; both have been seen. */
const CreatedList = Schema.Union(Name, Schema.Struct({ Id: Name }), Schema.Struct({ ListId: Name }))

const idOf = (created: typeof CreatedList.Type): string =>
  typeof created === "string" ? created : "Id" in created ? created.Id : created.ListId

/**
 * Every operation fails with `RequestFailed` reason `InvalidRequest`, and sends
 * nothing, where a name or an id is empty, a list of parts is, or a number is out
 * of its range. A list that DigiKey does not know is an `ApiError` with reason
 * `NotFound`, or `Forbidden`; a reply that does not fit is `UnexpectedResponse`.
 *
 * What creates is sent once: where no usable answer comes, it fails with
 * `OutcomeUnknown`, and may or may not have been applied.
 *
 * @since 0.1.0
 * @category models
 */
export interface MyLists<I> {
  /** One page of the person's lists; the page after the last is empty. */
  readonly lists: (
    request?: PageRequest
  ) => Effect.Effect<ReadonlyArray<List>, ApiClientError, I | HttpClient.HttpClient>
  /** A new, empty list. Answers with its id. */
  readonly createList: (
    request: CreateListRequest
  ) => Effect.Effect<string, ApiClientError, I | HttpClient.HttpClient>
  /** One page of what is in a list; `TotalParts` tells whether there is more. */
  readonly parts: (
    listId: string,
    request?: PageRequest
  ) => Effect.Effect<PartsResponse, ApiClientError, I | HttpClient.HttpClient>
  /** At least one part. */
  readonly addParts: (
    listId: string,
    parts: ReadonlyArray<RequestedPart>
  ) => Effect.Effect<void, ApiClientError, I | HttpClient.HttpClient>
  /**
   * For good. It is tried again like a read: a list that is not there may have
   * been deleted by an attempt whose answer was lost.
   */
  readonly deleteList: (
    listId: string
  ) => Effect.Effect<void, ApiClientError, I | HttpClient.HttpClient>
  /** Any other request of this product, through the same pipeline: its path starts after `/mylists/v1`. */
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
 * import { MyLists } from "@effect-credentials/digikey"
 * import { Credentials } from "effect-credentials"
 *
 * class Second extends Credentials.Tag("SecondAccount")<Second>() {}
 *
 * export const second = MyLists.make(Second)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I>(tag: Context.Tag<I, Credentials>): MyLists<I> => {
  const product = Product.MyLists.name
  const client = Product.client(Product.MyLists, { tag })
  const getPage = ApiProduct.getQuery(product, PageRequest)
  const postList = ApiProduct.postJson(product, CreateListRequest)
  const postParts = ApiProduct.postJson(product, RequestedParts)
  const decodeLists = ApiClient.decodeJson(product, Schema.Array(List))
  const decodeCreated = ApiClient.decodeJson(product, CreatedList)
  const decodeParts = ApiClient.decodeJson(product, PartsResponse)
  return {
    lists: (request = {}) =>
      Effect.flatMap(getPage("/lists", request), (get) => Effect.flatMap(client.execute(get), decodeLists)),
    createList: (request) =>
      Effect.flatMap(
        postList("/lists", request),
        (post) => Effect.map(Effect.flatMap(client.execute(post), decodeCreated), idOf)
      ),
    parts: (listId, request = {}) =>
      Effect.flatMap(
        getPage(ApiClient.path`/lists/${listId}/parts`, request),
        (get) => Effect.flatMap(client.execute(get), decodeParts)
      ),
    addParts: (listId, parts) =>
      Effect.flatMap(
        postParts(ApiClient.path`/lists/${listId}/parts`, parts),
        (post) => Effect.flatMap(client.execute(post), ApiClient.decodeVoid)
      ),
    deleteList: (listId) =>
      Effect.flatMap(client.del(ApiClient.path`/lists/${listId}`), ApiClient.decodeVoid),
    execute: client.execute
  }
}

/**
 * @since 0.1.0
 * @category operations
 */
export const { addParts, createList, deleteList, execute, lists, parts }: MyLists<DigiKeyUser> = make(DigiKeyUser)
