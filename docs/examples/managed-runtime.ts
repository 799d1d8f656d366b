import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { FetchHttpClient } from "@effect/platform"
import { Console, Effect, Layer, ManagedRuntime } from "effect"

// #region layer
export const AppLayer = Layer.provideMerge(DigiKeyApp.layerConfig(), FetchHttpClient.layer)

const stockOf = (partNumber: string) =>
  Effect.map(ProductInformation.productDetails(partNumber), ({ Product }) => Product.QuantityAvailable)
// #endregion

// #region edge
export const program = Effect.forEach(["NE555P", "LM358P", "2N7002"], stockOf, { concurrency: "unbounded" }).pipe(
  Effect.flatMap((stock) => Console.log(`In stock: ${stock.join(", ")}`)),
  Effect.provide(AppLayer) // once, around everything
)
// #endregion

// #region runtime
export const makeService = (layer = AppLayer) => {
  const runtime = ManagedRuntime.make(layer) // builds the layer at the first call, and only then
  return {
    stockOf: (partNumber: string) => runtime.runPromise(stockOf(partNumber)),
    close: () => runtime.dispose()
  }
}
// #endregion

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
