import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { FetchHttpClient } from "@effect/platform"
import { Console, Effect, Layer } from "effect"
import { CredentialsConfig, RefreshPolicy } from "effect-credentials"

// #region layer
const DigiKeyLayer = Layer.unwrapEffect(Effect.gen(function*() {
  return DigiKeyApp.layer({
    clientId: yield* CredentialsConfig.secret("PURCHASING_CLIENT_ID"),
    clientSecret: yield* CredentialsConfig.secret("PURCHASING_CLIENT_SECRET"),
    environment: "production",
    baseUrl: yield* CredentialsConfig.optionalBaseUrl("PURCHASING_BASE_URL"),
    localeCurrency: "EUR",
    refreshPolicy: RefreshPolicy.make({ softMax: "2 minutes" })
  })
}))
// #endregion

export const program = ProductInformation.productDetails("NE555P").pipe(
  Effect.flatMap(({ Product }) => Console.log(`${Product.QuantityAvailable} in stock`)),
  Effect.provide(Layer.provideMerge(DigiKeyLayer, FetchHttpClient.layer))
)

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
