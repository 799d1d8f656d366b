/** Runs an answer of a server through the pipeline that a program uses: credentials, token call, API client. */
import { HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { Effect, Fiber, Layer, Option, Redacted, Ref, TestClock } from "effect"
import type { ApiError } from "effect-credentials"
import { RetryPolicy } from "effect-credentials"
import { clientSecret, token } from "../fixtures/errorCorpus.js"

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: BodyInit | Uint8Array
}

/** `undefined` is a connection that breaks. */
type Server = (calls: number) => Answer | undefined

const goodToken: Server = (calls) => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ access_token: calls === 1 ? token : `${token}-${calls}`, token_type: "Bearer", expires_in: 1800 })
})

const respond = (request: HttpClientRequest.HttpClientRequest, answer: Answer | undefined) =>
  answer === undefined
    ? Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport" }))
    : Effect.sync(() =>
      HttpClientResponse.fromWeb(
        request,
        new Response(answer.body === "" ? null : answer.body as BodyInit, {
          status: answer.status,
          headers: { ...answer.headers }
        })
      )
    )

export const httpClient = (servers: { readonly token?: Server; readonly api?: Server }) =>
  Effect.map(Ref.make({ token: 0, api: 0 }), (calls) => ({
    calls: Ref.get(calls),
    layer: Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make((request, url) => {
        const which = url.pathname === "/v1/oauth2/token" ? "token" : "api"
        const server = servers[which] ?? goodToken
        return Effect.flatMap(
          Ref.updateAndGet(calls, (calls) => ({ ...calls, [which]: calls[which] + 1 })),
          (calls) => respond(request, server(calls[which]))
        )
      })
    )
  }))

export const app = (options: Partial<DigiKeyApp.Options> = {}) =>
  DigiKeyApp.layer({
    clientId: "corpus-client-id",
    clientSecret: Redacted.make(clientSecret),
    environment: "sandbox",
    ...options
  })

const request = {
  GET: HttpClientRequest.get("/search/categories"),
  POST: HttpClientRequest.post("/orders")
}

/** The error of one request, and how many requests and token calls were sent. The clock runs as long as needed. */
export const failing = (
  servers: { readonly token?: Server; readonly api?: Server },
  method: "GET" | "POST" = "GET"
) =>
  Effect.gen(function*() {
    const { calls, layer } = yield* httpClient(servers)
    const fiber = yield* Effect.fork(
      Effect.flip(ProductInformation.execute(request[method])).pipe(Effect.provide(Layer.provideMerge(Layer.orDie(app()), layer)))
    )
    // In steps, because bodies are read by promises that the clock does not know of.
    while (Option.isNone(yield* Fiber.poll(fiber))) {
      yield* TestClock.adjust("500 millis")
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    }
    const error: ApiError.ApiClientError = yield* Fiber.join(fiber)
    return { error, calls: yield* calls }
  })

/** The same, sent once. */
export const failingOnce = (answer: Answer, method: "GET" | "POST" = "GET", options?: Partial<DigiKeyApp.Options>) =>
  Effect.gen(function*() {
    const { layer } = yield* httpClient({ api: () => answer })
    const error: ApiError.ApiClientError = yield* Effect.flip(ProductInformation.execute(request[method])).pipe(
      RetryPolicy.withPolicy(RetryPolicy.make({ schedule: RetryPolicy.none })),
      Effect.provide(Layer.provideMerge(Layer.orDie(app(options)), layer))
    )
    return error
  })

const defined = (fields: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

const shown = ["_tag", "reason", "limit", "error", "description", "hint", "requestId"]

/** What a caller gets, in the words of the corpus: what is `undefined` is left out. */
export const summary = (error: ApiError.ApiClientError): Record<string, unknown> => ({
  ...defined(Object.fromEntries(Object.entries(error).filter(([name]) => shown.includes(name)))),
  ...("problem" in error ? { problem: defined(error.problem) } : {})
})
