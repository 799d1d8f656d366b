import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { FetchHttpClient } from "@effect/platform"
import { Console, Effect, Layer } from "effect"

// Effect<KeywordResponse, ApiClientError, DigiKeyApp | HttpClient>
const search = ProductInformation.keywordSearch({ Keywords: "NE555", Limit: 5 })

// Reads DIGIKEY_CLIENT_ID, DIGIKEY_CLIENT_SECRET and DIGIKEY_ENVIRONMENT.
const AppLayer = Layer.provideMerge(DigiKeyApp.layerConfig(), FetchHttpClient.layer)

const columns = ["ManufacturerProductNumber", "UnitPrice", "QuantityAvailable"]

export const program = search.pipe(
  Effect.flatMap(({ Products }) => Console.table(Products, columns)),
  Effect.provide(AppLayer)
)

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
