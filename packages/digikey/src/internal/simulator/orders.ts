import * as Either from "effect/Either"
import { badRequest, type Call, notFound, type Outcome, type Product } from "./route.js"

/** Order Status v4 over fixed example orders. */
export const orderStatus: Product = {
  base: "/orderstatus/v4",
  routes: [
    { method: "GET", path: "/orders", needsAccount: true, handle: (call) => listOrders(call) },
    { method: "GET", path: "/salesorder/{salesOrderId}", needsAccount: true, handle: (call) => salesOrder(call) }
  ]
}

const order = (
  number: number,
  dateEntered: string,
  status: "Shipped" | "Processing",
  lines: ReadonlyArray<readonly [productNumber: string, quantity: number, unitPrice: number]>
) => {
  const shipped = status === "Shipped"
  const LineItems = lines.map(([productNumber, quantity, unitPrice], i) => ({
    DetailId: i + 1,
    DigiKeyProductNumber: `${productNumber}-ND`,
    ManufacturerProductNumber: productNumber,
    QuantityOrdered: quantity,
    QuantityShipped: shipped ? quantity : 0,
    UnitPrice: unitPrice,
    TotalPrice: Math.round(unitPrice * quantity * 100) / 100
  }))
  const TotalPrice = Math.round(LineItems.reduce((sum, line) => sum + line.TotalPrice, 0) * 100) / 100
  return {
    OrderNumber: number,
    CustomerId: 10000001,
    DateEntered: dateEntered,
    Currency: "USD",
    TotalPrice,
    SalesOrders: [{
      SalesOrderId: number + 500000,
      OrderNumber: number,
      DateEntered: dateEntered,
      Currency: "USD",
      Status: {
        SalesOrderStatus: status,
        ShortDescription: status,
        LongDescription: shipped ? "Your order has shipped." : "Your order is being processed."
      },
      TotalPrice,
      LineItems
    }]
  }
}

const orders = [
  order(88000001, "2025-01-14T09:12:00Z", "Shipped", [["NE555P", 100, 0.287], ["1N4148", 1000, 0.044]]),
  order(88000002, "2025-02-03T15:40:00Z", "Shipped", [["ATMEGA328P-PU", 25, 2.37]]),
  order(88000003, "2025-03-21T11:05:00Z", "Shipped", [["LM317T/NOPB", 10, 1.632], ["2N3904BU", 100, 0.14]]),
  order(88000004, "2025-04-08T08:30:00Z", "Processing", [["STM32F103C8T6", 50, 4.846]])
]

const listOrders = ({ query }: Call): Outcome => {
  const fields: Array<{ field: string; message: string }> = []
  const whole = (field: string, fallback: number, max: number): number => {
    const text = query.get(field)
    const value = text === null ? fallback : /^\d{1,6}$/.test(text) ? Number(text) : 0
    if (value < 1 || value > max) {
      fields.push({ field, message: `The field ${field} must be between 1 and ${max}.` })
    }
    return value
  }
  const date = (field: string, fallback: number): number => {
    const text = query.get(field)
    const value = text === null ? fallback : Date.parse(text)
    if (Number.isNaN(value)) {
      fields.push({ field, message: `The field ${field} must be a date.` })
    }
    return value
  }
  const page = whole("PageNumber", 1, 999999)
  const size = whole("PageSize", 10, 25)
  const start = date("StartDate", Number.NEGATIVE_INFINITY)
  const end = date("EndDate", Number.POSITIVE_INFINITY)
  if (fields.length > 0) {
    return badRequest(fields)
  }
  const found = orders.filter((order) => {
    const entered = Date.parse(order.DateEntered)
    return entered >= start && entered <= end
  })
  return Either.right({ TotalOrders: found.length, Orders: found.slice((page - 1) * size, page * size) })
}

const salesOrder = ({ params }: Call): Outcome => {
  const found = orders.flatMap((order) => order.SalesOrders).find((sales) =>
    String(sales.SalesOrderId) === params.salesOrderId
  )
  return found === undefined ? notFound("The sales order was not found") : Either.right(found)
}
