import { type HttpApp, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { DigiKeyUser } from "@effect-credentials/digikey"
import { Effect, Layer, Ref } from "effect"
import { InMemoryHttp } from "effect-credentials/testing"

/** What a server got. */
interface Received {
  /** Method, and path and query as they were on the wire. */
  readonly line: string
  /** `undefined` for a request without a body. */
  readonly body: unknown
  readonly headers: Readonly<Record<string, string | undefined>>
}

/** A person's credentials, and a server that keeps what it gets and answers with one answer after the other, then the last again. */
export const serving = (first: HttpApp.Default, ...rest: ReadonlyArray<HttpApp.Default>) =>
  Effect.map(Ref.make<ReadonlyArray<Received>>([]), (received) => {
    const answers = [first, ...rest]
    const app = Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const text = yield* Effect.orDie(request.text)
      const body: unknown = text === "" ? undefined : JSON.parse(text)
      const count = yield* Ref.modify(received, (all) => [
        all.length,
        [...all, { line: `${request.method} ${request.url}`, body, headers: request.headers }]
      ])
      return yield* answers[count] ?? answers.at(-1) ?? first
    })
    return {
      received: Ref.get(received),
      lines: Effect.map(Ref.get(received), (all) => all.map(({ line }) => line)),
      layer: Layer.merge(DigiKeyUser.layerTest(), InMemoryHttp.layer(app))
    }
  })

export const json = (body: unknown, status = 200): HttpApp.Default =>
  Effect.succeed(HttpServerResponse.unsafeJson(body, { status }))

export const empty = (status: number): HttpApp.Default => Effect.succeed(HttpServerResponse.empty({ status }))
