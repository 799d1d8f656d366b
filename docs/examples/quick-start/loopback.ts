import { DigiKeyApp } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { DigitzsApp } from "@effect-credentials/digitzs"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { FetchHttpClient, type HttpApp, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import type { RefreshPolicy } from "effect-credentials"
import { createServer } from "node:http"

/** A simulator behind a real socket, on any free port of loopback. */
const served = <I>(simulator: Layer.Layer<I>, app: Effect.Effect<HttpApp.Default, never, I>) =>
  Layer.unwrapEffect(Effect.map(app, (app) => HttpServer.serve(app))).pipe(
    Layer.provideMerge(NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(simulator)
  )

export const layer = (options?: DigiKeySimulator.Options) =>
  served(DigiKeySimulator.layerApp(options), Effect.map(DigiKeySimulator.DigiKeySimulator, ({ app }) => app))

export const url = HttpServer.addressFormattedWith(Effect.succeed)

/** The credentials that the simulator accepts, sent to where it listens. */
export const credentials = (refreshPolicy?: RefreshPolicy.RefreshPolicy) =>
  Layer.unwrapEffect(Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    const { clientId, clientSecret } = yield* simulator.credentials
    return DigiKeyApp.layer({ clientId, clientSecret, environment: "sandbox", baseUrl: yield* url, refreshPolicy })
  }))

/** The same for Digitzs: server, credentials and client. Each is a new one. */
export const digitzs = () =>
  Layer.unwrapEffect(Effect.gen(function*() {
    const simulator = yield* DigitzsSimulator.DigitzsSimulator
    return DigitzsApp.layer({ ...(yield* simulator.accepted), baseUrl: yield* url })
  })).pipe(
    Layer.provideMerge(
      served(DigitzsSimulator.layerApp(), Effect.map(DigitzsSimulator.DigitzsSimulator, ({ app }) => app))
    ),
    Layer.provideMerge(FetchHttpClient.layer)
  )
