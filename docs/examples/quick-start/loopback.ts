import { DigiKeyApp } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import type { RefreshPolicy } from "effect-credentials"
import { createServer } from "node:http"

/** The simulator behind a real socket, on any free port of loopback. */
export const layer = (options?: DigiKeySimulator.Options) =>
  Layer.unwrapEffect(Effect.map(DigiKeySimulator.DigiKeySimulator, ({ app }) => HttpServer.serve(app))).pipe(
    Layer.provideMerge(NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(DigiKeySimulator.layerApp(options))
  )

export const url = HttpServer.addressFormattedWith(Effect.succeed)

/** The credentials that the simulator accepts, sent to where it listens. */
export const credentials = (refreshPolicy?: RefreshPolicy.RefreshPolicy) =>
  Layer.unwrapEffect(Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    const { clientId, clientSecret } = yield* simulator.credentials
    return DigiKeyApp.layer({ clientId, clientSecret, environment: "sandbox", baseUrl: yield* url, refreshPolicy })
  }))
