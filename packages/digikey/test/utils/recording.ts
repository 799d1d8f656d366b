import { HttpClient, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { DigiKeyApp } from "@effect-credentials/digikey"
import { Effect, Layer, Ref } from "effect"

/** Credentials and an `HttpClient` that keeps what was sent and answers with `body`. */
export const recording = (body: unknown) =>
  Effect.map(Ref.make<ReadonlyArray<HttpClientRequest.HttpClientRequest>>([]), (sent) => ({
    /** Path and query of what was sent. */
    sent: Effect.map(Ref.get(sent), (all) =>
      all.map((request) => {
        const url = new URL(request.url)
        for (const [name, value] of request.urlParams) url.searchParams.append(name, value)
        return `${request.method} ${url.pathname}${url.search}`
      })),
    layer: Layer.merge(
      DigiKeyApp.layerTest(),
      Layer.succeed(
        HttpClient.HttpClient,
        HttpClient.make((request) =>
          Effect.as(
            Ref.update(sent, (all) => [...all, request]),
            HttpClientResponse.fromWeb(request, Response.json(body))
          )
        )
      )
    )
  }))
