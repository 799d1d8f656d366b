import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import { hasProperty, isFunction } from "effect/Predicate"
import * as Stream from "effect/Stream"

export const json = (status: number, body: unknown): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(JSON.stringify(body), { status, contentType: "application/json" })

/** The gateway before Digitzs: an API key that it does not know, too many requests. */
export const gateway = (status: number, message: string): HttpServerResponse.HttpServerResponse =>
  json(status, { message })

export interface Refusal {
  readonly status: number
  readonly detail: string
  readonly title?: string | undefined
  readonly code?: string | undefined
  readonly pointer?: string | undefined
}

const error = ({ code, detail, pointer, status, title }: Refusal) => ({
  status: String(status),
  ...(pointer === undefined ? {} : { source: { pointer } }),
  title: title ?? titles[status] ?? "Error",
  detail,
  ...(code === undefined ? {} : { code })
})

/** As documented. */
export const refuse = (refusal: Refusal): HttpServerResponse.HttpServerResponse =>
  json(refusal.status, { errors: [error(refusal)] })

/** As observed of `/payments`: with what the server was given, in places where no client should look. */
export const refusePayment = (
  refusal: Refusal,
  debug: unknown,
  more: Readonly<Record<string, unknown>> = {}
): HttpServerResponse.HttpServerResponse =>
  json(refusal.status, { meta: { debug }, errors: [{ ...error(refusal), meta: { debug } }], ...more })

/**
 * The beginning of a reply, whose connection then breaks. Node's server would end a body that dies as
 * if it were complete: there the socket is closed, when it has sent what there is.
 */
export const broken = (
  { source }: HttpServerRequest.HttpServerRequest,
  { status }: HttpServerResponse.HttpServerResponse
): HttpServerResponse.HttpServerResponse => {
  const breaks = Effect.suspend(() => {
    if (
      hasProperty(source, "socket") && hasProperty(source.socket, "destroySoon") && isFunction(source.socket.destroySoon)
    ) {
      source.socket.destroySoon()
    }
    return Effect.dieMessage("the connection broke")
  })
  return HttpServerResponse.stream(
    Stream.concat(Stream.make(new TextEncoder().encode("{\"data\":{\"type\":")), Stream.fromEffect(breaks)),
    { status, contentType: "application/json" }
  )
}

/** What came of a call that a fault of this status hides. */
export const fault = (
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | undefined
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeaders(
    body !== undefined
      ? HttpServerResponse.text(body, { status, contentType: "application/json" })
      : status === 429
      ? gateway(429, "Too Many Requests")
      : refuse({ status, detail: "The request could not be served" }),
    headers
  )

const titles: Readonly<Record<number, string | undefined>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  422: "Unprocessable Entity",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout"
}

export type Reply<R = never> = Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>
