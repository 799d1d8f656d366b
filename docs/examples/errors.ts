import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { FetchHttpClient } from "@effect/platform"
import { Console, Effect, Layer, Option } from "effect"

// #region tags
const stockOf = (partNumber: string) =>
  ProductInformation.productDetails(partNumber).pipe(
    Effect.map(({ Product }) => Option.some(Product.QuantityAvailable)),
    Effect.catchTags({
      ApiError: (error) => error.reason === "NotFound" ? Effect.succeedNone : Effect.fail(error),
      RateLimited: (error) => Effect.as(Console.error(`Come back at ${error.retryAt}`), Option.none<number>()),
      TokenEndpointUnavailable: (error) => Effect.as(Console.error(error.message), Option.none<number>()),
      CredentialsRejected: (error) => Effect.dieMessage(error.message) // a person has to fix the configuration
    })
  )
// #endregion

export const program = Effect.gen(function*() {
  for (const partNumber of ["NE555P", "NO-SUCH-PART"]) {
    const stock = yield* stockOf(partNumber)
    yield* Console.log(`${partNumber}: ${Option.getOrElse(stock, () => "unknown")}`)
  }
}).pipe(Effect.provide(Layer.provideMerge(DigiKeyApp.layerConfig(), FetchHttpClient.layer)))

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
