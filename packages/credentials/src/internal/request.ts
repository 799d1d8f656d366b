/**
 * Copies of a request, made in one step: platform's setters copy it once a
 * header, and read the names of headers that are known to be lower-case.
 */
import * as Headers from "@effect/platform/Headers"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"

/** The given headers win over the request's own. */
export const withHeaders = (
  request: HttpClientRequest.HttpClientRequest,
  headers: Headers.Headers
): HttpClientRequest.HttpClientRequest =>
  Object.assign(Object.create(Object.getPrototypeOf(request)), request, {
    headers: Headers.merge(request.headers, headers)
  })
