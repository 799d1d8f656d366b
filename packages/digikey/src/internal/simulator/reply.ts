import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as ErrorDialect from "../../testing/ErrorDialect.js"

export type Headers = Readonly<Record<string, string>>

export const ok = (body: unknown, headers: Headers = {}): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(JSON.stringify(body), { headers, contentType: "application/json" })

/** A 204 has no body (RFC 9110 §15.3.5). */
export const success = (
  status: 200 | 201 | 204,
  body: unknown,
  headers: Headers
): HttpServerResponse.HttpServerResponse =>
  status === 204
    ? HttpServerResponse.empty({ status, headers })
    : HttpServerResponse.setStatus(ok(body, headers), status)

export interface Refusal {
  readonly status: number
  readonly detail: string
  readonly requestId: string
  readonly title?: string | undefined
  readonly fields?: ErrorDialect.ErrorDescription["fields"]
  readonly code?: string | undefined
  readonly headers?: Headers | undefined
}

export const refuse = (
  dialect: ErrorDialect.ErrorDialect,
  refusal: Refusal
): HttpServerResponse.HttpServerResponse => {
  const { body, contentType } = ErrorDialect.render(dialect, {
    ...refusal,
    title: refusal.title ?? titles[refusal.status] ?? "Error"
  })
  return exactly(refusal.status, {
    ...refusal.headers,
    ...(contentType === undefined ? {} : { "content-type": contentType })
  }, body)
}

const encoder = new TextEncoder()

/** This status, these headers, this body, and no content type that was not asked for. */
export const exactly = (
  status: number,
  headers: Headers,
  body: string | Uint8Array
): HttpServerResponse.HttpServerResponse => {
  const bytes = typeof body === "string" ? encoder.encode(body) : body
  return bytes.length === 0
    ? HttpServerResponse.empty({ status, headers })
    : HttpServerResponse.raw(bytes, { status, headers })
}

const titles: Readonly<Record<number, string | undefined>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout"
}
