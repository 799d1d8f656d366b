/**
 * The response that we hand out. Platform's own prints the bearer token of its
 * request in `JSON.stringify` and `inspect`, and so do the errors of its body.
 */
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Stream from "effect/Stream"
import type { Repetition } from "./apiModel.js"

class SafeResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly #original: HttpClientResponse.HttpClientResponse
  /** As the program made it, before credentials were attached. */
  readonly request: HttpClientRequest.HttpClientRequest
  readonly #repetitionOf: (request: HttpClientRequest.HttpClientRequest) => Repetition

  constructor(
    original: HttpClientResponse.HttpClientResponse,
    request: HttpClientRequest.HttpClientRequest,
    repetitionOf: (request: HttpClientRequest.HttpClientRequest) => Repetition
  ) {
    super()
    this.#original = original
    this.request = request
    this.#repetitionOf = repetitionOf
  }

  /** What the product says of the request; nothing for a response that is not ours. */
  static repetition(response: HttpClientResponse.HttpClientResponse): Repetition | undefined {
    return response instanceof SafeResponse ? response.#repetitionOf(response.request) : undefined
  }

  get status() {
    return this.#original.status
  }
  get headers() {
    return this.#original.headers
  }
  get cookies() {
    return this.#original.cookies
  }
  get remoteAddress() {
    return this.#original.remoteAddress
  }
  get json() {
    return Effect.mapError(this.#original.json, (error) => this.#safe(error))
  }
  get text() {
    return Effect.mapError(this.#original.text, (error) => this.#safe(error))
  }
  get formData() {
    return Effect.mapError(this.#original.formData, (error) => this.#safe(error))
  }
  get urlParamsBody() {
    return Effect.mapError(this.#original.urlParamsBody, (error) => this.#safe(error))
  }
  get arrayBuffer() {
    return Effect.mapError(this.#original.arrayBuffer, (error) => this.#safe(error))
  }
  get stream() {
    return Stream.mapError(this.#original.stream, (error) => this.#safe(error))
  }

  /**
   * The same reason, without the cause, for a JSON parser quotes the body in its
   * message, and without the request's body and headers, which are the program's.
   */
  #safe(error: HttpClientError.ResponseError): HttpClientError.ResponseError {
    const request = HttpClientRequest.make(this.request.method)(this.request.url)
    return new HttpClientError.ResponseError({ request, response: this, reason: error.reason })
  }

  toJSON(): unknown {
    const { method, url } = this.request
    return { _id: "effect-credentials/Response", status: this.status, request: { method, url } }
  }
}

export const make = (
  original: HttpClientResponse.HttpClientResponse,
  request: HttpClientRequest.HttpClientRequest,
  repetitionOf: (request: HttpClientRequest.HttpClientRequest) => Repetition
): HttpClientResponse.HttpClientResponse => new SafeResponse(original, request, repetitionOf)

export const repetition = SafeResponse.repetition
