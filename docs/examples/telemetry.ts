import { DigiKeyUser, Quotes } from "@effect-credentials/digikey"
import { NodeSdk } from "@effect/opentelemetry"
import { FetchHttpClient } from "@effect/platform"
import type { SpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer } from "effect"
import type { TokenStore } from "effect-credentials"

// #region layer
/** In production: `new BatchSpanProcessor(new OTLPTraceExporter())`. */
const telemetry = (spanProcessor: SpanProcessor) =>
  NodeSdk.layer(() => ({ resource: { serviceName: "purchasing" }, spanProcessor }))

const appLayer = (store: Layer.Layer<TokenStore.TokenStore>, spanProcessor: SpanProcessor) =>
  DigiKeyUser.layerConfig().pipe(
    Layer.provideMerge(Layer.merge(store, FetchHttpClient.layer)),
    // Below the credentials: a renewal runs in their Layer, and is traced where that was built.
    Layer.provideMerge(telemetry(spanProcessor))
  )
// #endregion

// #region program
const listQuotes = Quotes.listQuotes().pipe(Effect.withSpan("list quotes"))
// #endregion

export const program = (...layers: Parameters<typeof appLayer>) => Effect.provide(listQuotes, appLayer(...layers))
