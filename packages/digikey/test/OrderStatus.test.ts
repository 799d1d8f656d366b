import { HttpClientRequest } from "@effect/platform"
import { DigiKeyApp, OrderStatus } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Layer } from "effect"
import { Credentials } from "effect-credentials"
import { recording } from "./utils/recording.js"

const day = (text: string) => DateTime.unsafeMake(`${text}T00:00:00Z`)

describe("OrderStatus against the simulator", () => {
  it.effect("lists orders page by page", () =>
    Effect.gen(function*() {
      const first = yield* OrderStatus.listOrders({ PageNumber: 1, PageSize: 3 })
      const second = yield* OrderStatus.listOrders({ PageNumber: 2, PageSize: 3 })
      assert.strictEqual(first.TotalOrders, 4)
      assert.deepStrictEqual([first.Orders.length, second.Orders.length], [3, 1])
      const [order] = first.Orders
      assert.deepInclude({ ...order }, { OrderNumber: 88000001, Currency: "USD", DateEntered: "2025-01-14T09:12:00Z" })
      assert.strictEqual(order?.SalesOrders[0]?.Status?.SalesOrderStatus, "Shipped")
      assert.deepInclude({ ...order?.SalesOrders[0]?.LineItems[0] }, {
        ManufacturerProductNumber: "NE555P",
        QuantityOrdered: 100
      })
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("lists the orders of a time", () =>
    Effect.gen(function*() {
      const { Orders } = yield* OrderStatus.listOrders({ StartDate: day("2025-02-01"), EndDate: day("2025-04-01") })
      assert.deepStrictEqual(Orders.map((it) => it.OrderNumber), [88000002, 88000003])
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("finds a sales order by its id", () =>
    Effect.gen(function*() {
      const { Orders } = yield* OrderStatus.listOrders()
      const id = Orders[1]?.SalesOrders[0]?.SalesOrderId ?? 0
      const sales = yield* OrderStatus.salesOrder(id)
      assert.strictEqual(sales.SalesOrderId, id)
      assert.strictEqual(sales.LineItems[0]?.ManufacturerProductNumber, "ATMEGA328P-PU")
      const error = yield* Effect.flip(OrderStatus.salesOrder(1))
      assert.deepInclude({ ...error }, { _tag: "ApiError", reason: "NotFound", product: "Order Status" })
    }).pipe(Effect.provide(DigiKeySimulator.layer())))

  it.effect("names the account that is missing, and works with it", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      const error = yield* Effect.flip(OrderStatus.listOrders())
      assert.include(error.message, "DIGIKEY_ACCOUNT_ID")
      const { clientId, clientSecret } = yield* simulator.credentials
      yield* OrderStatus.listOrders().pipe(
        Effect.provide(DigiKeyApp.layer({ clientId, clientSecret, environment: "sandbox", accountId: "42" }))
      )
    }).pipe(Effect.provide(DigiKeySimulator.layer({ accountRequired: true }))))

  it.effect("sends any other request of the product through the same pipeline", () =>
    Effect.gen(function*() {
      const response = yield* OrderStatus.execute(HttpClientRequest.get("/orders?PageSize=1"))
      assert.propertyVal(yield* response.json, "TotalOrders", 4)
    }).pipe(Effect.provide(DigiKeySimulator.layer())))
})

describe("OrderStatus", () => {
  it.effect("sends dates as days in UTC, and leaves out what was not given", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording({ TotalOrders: 0, Orders: null })
      yield* Effect.gen(function*() {
        yield* OrderStatus.listOrders()
        yield* OrderStatus.listOrders({
          StartDate: DateTime.unsafeMake("2025-01-31T23:59:59.999Z"),
          EndDate: DateTime.unsafeMake("2025-03-01T01:00:00+02:00"),
          PageNumber: 2,
          PageSize: 25
        })
        yield* OrderStatus.listOrders({ StartDate: undefined, PageSize: 1 })
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(yield* sent, [
        "GET /orderstatus/v4/orders",
        "GET /orderstatus/v4/orders?StartDate=2025-01-31&EndDate=2025-02-28&PageNumber=2&PageSize=25",
        "GET /orderstatus/v4/orders?PageSize=1"
      ])
    }))

  const bad: ReadonlyArray<readonly [string, OrderStatus.ListOrdersRequest]> = [
    ["a page 0", { PageNumber: 0 }],
    ["half a page", { PageNumber: 1.5 }],
    ["a page of 26", { PageSize: 26 }],
    ["a page of 0", { PageSize: 0 }],
    ["a year of five digits", { StartDate: DateTime.unsafeMake(Date.UTC(10000, 0, 1)) }],
    ["a year before the first", { EndDate: DateTime.unsafeMake(Date.UTC(-1, 0, 1)) }]
  ]
  for (const [what, request] of bad) {
    it.effect(`refuses ${what}, and sends nothing`, () =>
      Effect.gen(function*() {
        const { layer, sent } = yield* recording({})
        const error = yield* Effect.flip(OrderStatus.listOrders(request)).pipe(Effect.provide(layer))
        assert.deepInclude({ ...error }, { _tag: "RequestFailed", reason: "InvalidRequest", path: "/orders" })
        assert.deepStrictEqual(yield* sent, [])
      }))
  }

  for (const id of [0, -1, 1.5, Number.NaN]) {
    it.effect(`refuses ${id} as the id of a sales order, and sends nothing`, () =>
      Effect.gen(function*() {
        const { layer, sent } = yield* recording({})
        const error = yield* Effect.flip(OrderStatus.salesOrder(id)).pipe(Effect.provide(layer))
        assert.deepInclude({ ...error }, { _tag: "RequestFailed", reason: "InvalidRequest" })
        assert.deepStrictEqual(yield* sent, [])
      }))
  }

  it.effect("does not mind fields that are null, absent or unknown", () =>
    Effect.gen(function*() {
      const { layer } = yield* recording({
        TotalOrders: 1,
        Orders: [{ OrderNumber: 1, DateEntered: null, Currency: null, SalesOrders: [{ SalesOrderId: 2, LineItems: null }] }],
        Unknown: 1
      })
      assert.deepStrictEqual(yield* Effect.provide(OrderStatus.listOrders(), layer), {
        TotalOrders: 1,
        Orders: [{ OrderNumber: 1, SalesOrders: [{ SalesOrderId: 2, LineItems: [] }] }]
      })
    }))

  it.effect("says where a reply does not fit", () =>
    Effect.gen(function*() {
      const { layer } = yield* recording({ TotalOrders: 1, Orders: [{ OrderNumber: "canary" }] })
      const error = yield* Effect.flip(OrderStatus.listOrders()).pipe(Effect.provide(layer))
      assert.deepInclude({ ...error }, { _tag: "UnexpectedResponse", at: "Orders[0].OrderNumber", expected: "a number" })
      assert.notInclude(error.message, "canary")
    }))

  it.effect("serves a second account with a second tag", () =>
    Effect.gen(function*() {
      class Second extends Credentials.Tag("Second")<Second>() {}
      const { layer, sent } = yield* recording({ SalesOrderId: 7 })
      const second = OrderStatus.make(Second)
      yield* second.salesOrder(7).pipe(Effect.provide(Layer.merge(layer, Credentials.layerTest(Second))))
      assert.deepStrictEqual(yield* sent, ["GET /orderstatus/v4/salesorder/7"])
    }))
})
