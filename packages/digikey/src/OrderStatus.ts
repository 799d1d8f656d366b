/**
 * Order Status v4: the orders of an account, and how far each has come.
 *
 * Takes the credentials of an application, and needs the account whose orders
 * they are (`accountId`).
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
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DigiKeyApp } from "./DigiKeyApp.js"
import * as ApiProduct from "./internal/product.js"
import { Decimal, list, nullish } from "./internal/schemas.js"
import * as Product from "./Product.js"

/** A day in UTC, `YYYY-MM-DD` on the wire: years that need more digits cannot be said. */
const Day = Schema.transform(Schema.String.pipe(Schema.pattern(/^\d{4}-\d\d-\d\d$/)), Schema.DateTimeUtcFromSelf, {
  strict: true,
  decode: (day) => DateTime.unsafeMake(`${day}T00:00:00Z`),
  encode: DateTime.formatIsoDateUtc
})

/**
 * Dates are sent as days in UTC.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ListOrdersRequest = Schema.Struct({
  StartDate: Schema.optional(Day),
  EndDate: Schema.optional(Day),
  /** From 1. */
  PageNumber: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** 1 to 25. */
  PageSize: Schema.optional(Schema.Int.pipe(Schema.between(1, 25)))
})

/**
 * @since 0.1.0
 * @category models
 */
export type ListOrdersRequest = typeof ListOrdersRequest.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const LineItem = Schema.Struct({
  DigiKeyProductNumber: nullish(Schema.String),
  ManufacturerProductNumber: nullish(Schema.String),
  QuantityOrdered: nullish(Schema.Number),
  QuantityShipped: nullish(Schema.Number),
  UnitPrice: nullish(Decimal),
  TotalPrice: nullish(Decimal)
})

/**
 * @since 0.1.0
 * @category models
 */
export type LineItem = typeof LineItem.Type

/**
 * The part of an order that is handled, and shipped, together.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SalesOrder = Schema.Struct({
  SalesOrderId: Schema.Number,
  Status: nullish(Schema.Struct({
    SalesOrderStatus: Schema.String,
    ShortDescription: nullish(Schema.String),
    LongDescription: nullish(Schema.String)
  })),
  TotalPrice: nullish(Decimal),
  LineItems: list(LineItem)
})

/**
 * @since 0.1.0
 * @category models
 */
export type SalesOrder = typeof SalesOrder.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const Order = Schema.Struct({
  OrderNumber: Schema.Number,
  /** ISO 8601, as DigiKey writes it: it may lack a time zone. */
  DateEntered: nullish(Schema.String),
  /** Of all prices of the order, for example `USD`. */
  Currency: nullish(Schema.String),
  SalesOrders: list(SalesOrder)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Order = typeof Order.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const ListOrdersResponse = Schema.Struct({
  /** On all pages together. */
  TotalOrders: Schema.Number,
  Orders: list(Order)
})

/**
 * @since 0.1.0
 * @category models
 */
export type ListOrdersResponse = typeof ListOrdersResponse.Type

/**
 * Every operation fails with `RequestFailed` reason `InvalidRequest`, and sends
 * nothing, where a page, a page size or an id is out of its range. A missing
 * account is an `ApiError` with reason `BadRequest` and a hint; a sales order
 * that DigiKey does not know is one with reason `NotFound`; a reply that does
 * not fit is `UnexpectedResponse`.
 *
 * @since 0.1.0
 * @category models
 */
export interface OrderStatus<I> {
  /** One page of the account's orders. */
  readonly listOrders: (
    request?: ListOrdersRequest
  ) => Effect.Effect<ListOrdersResponse, ApiClientError, I | HttpClient.HttpClient>
  /** By the id in `SalesOrders`: a whole number above 0. */
  readonly salesOrder: (
    salesOrderId: number
  ) => Effect.Effect<SalesOrder, ApiClientError, I | HttpClient.HttpClient>
  /** Any other request of this product, through the same pipeline: its path starts after `/orderstatus/v4`. */
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
 * import { OrderStatus } from "@effect-credentials/digikey"
 * import { Credentials } from "effect-credentials"
 *
 * class Second extends Credentials.Tag("SecondAccount")<Second>() {}
 *
 * export const second = OrderStatus.make(Second)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I>(tag: Context.Tag<I, Credentials>): OrderStatus<I> => {
  const product = Product.OrderStatus.name
  const client = Product.client(Product.OrderStatus, { tag })
  const getOrders = ApiProduct.getQuery(product, ListOrdersRequest)
  const decodeOrders = ApiClient.decodeJson(product, ListOrdersResponse)
  const decodeSalesOrder = ApiClient.decodeJson(product, SalesOrder)
  return {
    listOrders: (request = {}) =>
      Effect.flatMap(getOrders("/orders", request), (get) => Effect.flatMap(client.execute(get), decodeOrders)),
    salesOrder: (salesOrderId) => {
      const path = ApiClient.path`/salesorder/${salesOrderId}`
      return ApiProduct.isPositiveInteger(salesOrderId)
        ? Effect.flatMap(client.get(path), decodeSalesOrder)
        : Effect.fail(ApiProduct.invalid(product, "GET", path))
    },
    execute: client.execute
  }
}

/**
 * @since 0.1.0
 * @category operations
 */
export const { execute, listOrders, salesOrder }: OrderStatus<DigiKeyApp> = make(DigiKeyApp)
