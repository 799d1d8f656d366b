import { HttpClient, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Layer, Ref } from "effect"

/** An `HttpClient` that keeps what was sent and always gives the same answer: JSON, or a text as it is. */
export const recording = (status: number, body: unknown) =>
  Effect.map(Ref.make<ReadonlyArray<HttpClientRequest.HttpClientRequest>>([]), (sent) => ({
    sent: Ref.get(sent),
    layer: Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make((request) =>
        Effect.as(
          Ref.update(sent, (all) => [...all, request]),
          HttpClientResponse.fromWeb(request, new Response(typeof body === "string" ? body : JSON.stringify(body), { status }))
        )
      )
    )
  }))

/** What was sent as JSON. */
export const bodyOf = (request: HttpClientRequest.HttpClientRequest | undefined): unknown =>
  request?.body._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(request.body.body)) : undefined
