import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { FetchHttpClient } from "@effect/platform"
import { Console, Effect, Layer } from "effect"
import { Credentials, CredentialsConfig } from "effect-credentials"

// #region tag
class Purchasing extends Credentials.Tag("Purchasing")<Purchasing>() {}
const PurchasingProducts = ProductInformation.make(Purchasing)
// #endregion

// #region layer
const PurchasingLayer = Credentials.layer(
  Purchasing,
  DigiKeyApp.flowConfig({
    clientId: CredentialsConfig.secret("PURCHASING_CLIENT_ID"),
    clientSecret: CredentialsConfig.secret("PURCHASING_CLIENT_SECRET")
  })
)
// #endregion

// #region program
const AppLayer = Layer.merge(DigiKeyApp.layerConfig(), PurchasingLayer).pipe(Layer.provideMerge(FetchHttpClient.layer))

export const program = Effect.gen(function*() {
  const ours = yield* ProductInformation.productDetails("NE555P")
  const theirs = yield* PurchasingProducts.productDetails("LM358P")
  yield* Console.log(`${ours.Product.QuantityAvailable} and ${theirs.Product.QuantityAvailable} in stock`)
}).pipe(Effect.provide(AppLayer))
// #endregion

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
