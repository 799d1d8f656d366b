import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { FetchHttpClient } from "@effect/platform"
import { Console, Effect, Layer } from "effect"
import { Accounts, CredentialsConfig } from "effect-credentials"

// #region tag
class Customers extends Accounts.Tag("Customers", DigiKeyApp.DigiKeyApp)<Customers>() {}
// #endregion

// #region layer
const CustomersLayer = Accounts.layer(Customers, (customer) =>
  DigiKeyApp.flowConfig({
    clientId: CredentialsConfig.secret(`${customer}_CLIENT_ID`),
    clientSecret: CredentialsConfig.secret(`${customer}_CLIENT_SECRET`)
  }), { maxAccounts: 20_000, idleTimeToLive: "10 minutes" })
// #endregion

// #region program
// Requires DigiKeyApp: for some customer.
const inStock = Effect.map(ProductInformation.productDetails("NE555P"), ({ Product }) => Product.QuantityAvailable)

// Requires Customers: for this one.
const report = (customer: string) =>
  inStock.pipe(
    Accounts.provide(Customers, customer),
    Effect.flatMap((quantity) => Console.log(`${customer}: ${quantity} in stock`))
  )

export const program = Effect.gen(function*() {
  yield* Effect.forEach(["DIGIKEY", "PURCHASING", "DIGIKEY"], report)
  const { accounts, inUse } = yield* Accounts.snapshot(Customers)
  yield* Console.log(`${accounts} accounts, ${inUse} in use`)
}).pipe(Effect.provide(Layer.provideMerge(CustomersLayer, FetchHttpClient.layer)))
// #endregion

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
