import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { FetchHttpClient, HttpClientRequest } from "@effect/platform"
import { Console, Effect, Layer, Schema } from "effect"
import { ApiClient } from "effect-credentials"

// #region execute
const Packaging = Schema.Struct({
  Product: Schema.Struct({
    ProductVariations: Schema.Array(Schema.Struct({ PackageType: Schema.Struct({ Name: Schema.String }) }))
  })
})

const packagingOf = (partNumber: string) =>
  ProductInformation.execute(HttpClientRequest.get(ApiClient.path`/search/${partNumber}/productdetails`)).pipe(
    Effect.flatMap(ApiClient.decodeJson("Product Information", Packaging)),
    Effect.map(({ Product }) => Product.ProductVariations.map(({ PackageType }) => PackageType.Name))
  )
// #endregion

export const program = packagingOf("LM317T/NOPB").pipe(
  Effect.flatMap((names) => Console.log(`Comes in: ${names.join(", ")}`)),
  Effect.provide(Layer.provideMerge(DigiKeyApp.layerConfig(), FetchHttpClient.layer))
)

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
