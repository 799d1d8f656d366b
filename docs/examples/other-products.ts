import { Product } from "@effect-credentials/digikey"
import { Console, Effect, Schema } from "effect"
import { ApiClient } from "effect-credentials"

const Orders = Schema.Struct({ Orders: Schema.Array(Schema.Struct({ OrderNumber: Schema.Number })) })

// #region client
const orderManagement = Product.client(Product.OrderManagement) // needs DigiKeyUser
const reference = Product.client(Product.ReferenceApis, { path: "/reference/v1" }) // no path is known: yours

const history = Effect.flatMap(orderManagement.get("/orders"), ApiClient.decodeJson("Order Management", Orders))
// #endregion

export const program = Effect.gen(function*() {
  const { Orders } = yield* history
  const response = yield* reference.get("/incoterms")
  yield* Console.log(`${Orders.length} orders; reference data: ${response.status}`)
})
