import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { FetchHttpClient } from "@effect/platform"
import { Effect, Layer } from "effect"
import { partsTable } from "./parts.js"
import type { Terminal } from "./terminal.js"

/** One search on DigiKey's own server: as many requests as it takes to get one token and one answer, and no more. */
export const program = (terminal: Terminal) =>
  ProductInformation.keywordSearch({ Keywords: "NE555", Limit: 10 }).pipe(
    Effect.flatMap((found) => partsTable(terminal, found)),
    Effect.provide(Layer.provideMerge(DigiKeyApp.layerConfig(), FetchHttpClient.layer))
  )
