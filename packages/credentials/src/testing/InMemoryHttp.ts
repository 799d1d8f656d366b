/**
 * An `HttpClient` that calls an `HttpApp` in memory, in the caller's own fiber: no socket, no
 * second runtime, no timer. So the caller's `Clock` (a `TestClock`, say) governs the server too,
 * and interrupting the caller interrupts the server's work.
 *
 * It follows no redirect and records nothing.
 *
 * @since 0.1.0
 */
import * as Headers from "@effect/platform/Headers"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Runtime from "effect/Runtime"
import * as Stream from "effect/Stream"
import { InMemoryRequest } from "./InMemoryRequest.js"

// -----------------------------------------------------------------------------
// Dropped connections
// -----------------------------------------------------------------------------

/**
 * An app that fails or dies with this value closes the connection without an answer: the client
 * fails with a `RequestError` whose reason is `"Transport"`.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConnectionDropped extends Data.TaggedError("ConnectionDropped")<{}> {
  /**
   * The code that a socket would report.
   *
   * @since 0.1.0
   */
  readonly code = "ECONNRESET"

  override get message(): string {
    return "The server closed the connection without an answer"
  }
}

/**
 * Closes the connection of the current request without an answer. Works in memory, and, when the
 * app is served by a server whose request carries its socket (Node's does), on the wire.
 *
 * @since 0.1.0
 * @category combinators
 */
export const dropConnection: Effect.Effect<never, never, HttpServerRequest.HttpServerRequest> = Effect.flatMap(
  HttpServerRequest.HttpServerRequest,
  (request) => {
    const { source } = request
    if (
      Predicate.hasProperty(source, "socket") && Predicate.hasProperty(source.socket, "destroy") &&
      Predicate.isFunction(source.socket.destroy)
    ) {
      source.socket.destroy()
    }
    return Effect.die(new ConnectionDropped())
  }
)

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * A client that sends every request to `app`, whatever its host.
 *
 * An error or a defect of the app becomes the response a server would give (500, or what the error
 * says as an `HttpServerRespondable`); `ConnectionDropped` becomes a `RequestError` with reason
 * `"Transport"`.
 *
 * @example
 * ```ts
 * import { HttpClient, HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { InMemoryHttp } from "effect-credentials/testing"
 *
 * const program = Effect.gen(function*() {
 *   const response = yield* HttpClient.get("https://example.com/hello")
 *   return yield* response.text
 * })
 *
 * program.pipe(
 *   Effect.provide(InMemoryHttp.layer(HttpServerResponse.text("hello"))),
 *   Effect.runPromise
 * ).then((text) => text === "hello")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(app: HttpApp.Default<E, R>): Effect.Effect<
  HttpClient.HttpClient,
  never,
  Exclude<R, HttpServerRequest.HttpServerRequest>
> =>
  Effect.map(
    Effect.context<Exclude<R, HttpServerRequest.HttpServerRequest>>(),
    (context) => HttpClient.make((request, url, _signal, fiber) => send(app, context, request, url, fiber))
  )

/**
 * A client that sends each request to the app of its origin (`"https://api.example.com"`). A request
 * to any other origin fails with a `RequestError` whose reason is `"Transport"`, as an unknown host
 * does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeByOrigin = <E = never, R = never>(
  apps: Readonly<Record<string, HttpApp.Default<E, R>>>
): Effect.Effect<HttpClient.HttpClient, never, Exclude<R, HttpServerRequest.HttpServerRequest>> =>
  Effect.map(
    Effect.context<Exclude<R, HttpServerRequest.HttpServerRequest>>(),
    (context) => {
      const byOrigin = new Map(Object.entries(apps).map(([origin, app]) => [new URL(origin).origin, app]))
      return HttpClient.make((request, url, _signal, fiber) => {
        const app = byOrigin.get(url.origin)
        return app === undefined
          ? Effect.fail(transportError(request, new UnknownHost({ host: url.host })))
          : send(app, context, request, url, fiber)
      })
    }
  )

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * `make` as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(app: HttpApp.Default<E, R>): Layer.Layer<
  HttpClient.HttpClient,
  never,
  Exclude<R, HttpServerRequest.HttpServerRequest>
> => Layer.effect(HttpClient.HttpClient, make(app))

/**
 * `makeByOrigin` as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerByOrigin = <E = never, R = never>(
  apps: Readonly<Record<string, HttpApp.Default<E, R>>>
): Layer.Layer<HttpClient.HttpClient, never, Exclude<R, HttpServerRequest.HttpServerRequest>> =>
  Layer.effect(HttpClient.HttpClient, makeByOrigin(apps))

// -----------------------------------------------------------------------------
// One exchange
// -----------------------------------------------------------------------------

class UnknownHost extends Data.TaggedError("UnknownHost")<{ readonly host: string }> {
  readonly code = "ENOTFOUND"

  override get message(): string {
    return `No app answers for ${this.host}`
  }
}

const transportError = (request: HttpClientRequest.HttpClientRequest, cause: unknown) =>
  new HttpClientError.RequestError({ request, reason: "Transport", cause })

const send = <E, R>(
  app: HttpApp.Default<E, R>,
  serverContext: Context.Context<Exclude<R, HttpServerRequest.HttpServerRequest>>,
  request: HttpClientRequest.HttpClientRequest,
  url: URL,
  fiber: Fiber.RuntimeFiber<unknown, unknown>
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> =>
  Effect.flatMap(receive(request, url), (received) => {
    // The server sees its own services and the request, never the caller's. The type of `context` is
    // R by construction: what `Exclude` took out is what `Context.add` puts back.
    const context = Context.add(
      serverContext,
      HttpServerRequest.HttpServerRequest,
      received
    ) as unknown as Context.Context<R | HttpServerRequest.HttpServerRequest>
    return Effect.matchCauseEffect(Effect.mapInputContext(app, (_: Context.Context<never>) => context), {
      onFailure: (cause) =>
        Option.match(droppedConnection(cause), {
          onNone: () =>
            Effect.flatMap(HttpServerError.causeResponse(cause), ([response]) => reply(request, response, fiber)),
          onSome: (dropped) => Effect.fail(transportError(request, dropped))
        }),
      onSuccess: (response) => reply(request, response, fiber)
    })
  })

const droppedConnection = (cause: Cause.Cause<unknown>): Option.Option<ConnectionDropped> =>
  Cause.find(cause, (part) => {
    const value = part._tag === "Fail" ? part.error : part._tag === "Die" ? part.defect : undefined
    return value instanceof ConnectionDropped ? Option.some(value) : Option.none()
  })

const reply = (
  request: HttpClientRequest.HttpClientRequest,
  response: HttpServerResponse.HttpServerResponse,
  fiber: Fiber.RuntimeFiber<unknown, unknown>
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.RequestError> =>
  Effect.try({
    try: () =>
      HttpClientResponse.fromWeb(
        request,
        HttpServerResponse.toWeb(response, {
          withoutBody: request.method === "HEAD",
          runtime: response.body._tag === "Stream"
            ? Runtime.make({
              context: Context.empty(),
              fiberRefs: fiber.getFiberRefs(),
              runtimeFlags: Runtime.defaultRuntimeFlags
            })
            : undefined
        })
      ),
    // a status or a header that HTTP cannot carry
    catch: (cause) => transportError(request, cause)
  })

const noBytes = new Uint8Array(0)

const concat = (left: Uint8Array, right: Uint8Array): Uint8Array => {
  const out = new Uint8Array(left.length + right.length)
  out.set(left)
  out.set(right, left.length)
  return out
}

const receive = (
  request: HttpClientRequest.HttpClientRequest,
  url: URL
): Effect.Effect<HttpServerRequest.HttpServerRequest, HttpClientError.RequestError> => {
  const { body } = request
  const received = (bytes: Uint8Array, headers: Headers.Headers = request.headers) =>
    new InMemoryRequest(request, url.href, url.pathname + url.search, headers, bytes)
  switch (body._tag) {
    case "Empty":
      return Effect.succeed(received(noBytes))
    case "Uint8Array":
      return Effect.succeed(received(body.body))
    case "Stream":
      return Effect.mapBoth(Stream.runFold(body.stream, noBytes, concat), {
        onFailure: (cause) => transportError(request, cause),
        onSuccess: (bytes) => received(bytes)
      })
    case "FormData":
    case "Raw":
      return Effect.tryPromise({
        try: async () => {
          // fetch accepts exactly what `Response` does; a raw body is whatever the caller gave
          const encoded = new Response(body._tag === "FormData" ? body.formData : body.body as BodyInit)
          const contentType = encoded.headers.get("content-type")
          const headers = contentType === null || "content-type" in request.headers
            ? request.headers
            : Headers.set(request.headers, "content-type", contentType)
          return received(new Uint8Array(await encoded.arrayBuffer()), headers)
        },
        catch: (cause) => transportError(request, cause)
      })
  }
}
