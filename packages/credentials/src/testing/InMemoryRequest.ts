import * as Cookies from "@effect/platform/Cookies"
import type * as Headers from "@effect/platform/Headers"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as UrlParams from "@effect/platform/UrlParams"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"

const decoder = new TextDecoder()

/**
 * A client's request as the server receives it. Its body is at hand, so reading it needs no promise.
 *
 * @internal
 */
export class InMemoryRequest extends Inspectable.Class implements HttpServerRequest.HttpServerRequest {
  readonly [HttpServerRequest.TypeId]: HttpServerRequest.TypeId = HttpServerRequest.TypeId
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly source: HttpClientRequest.HttpClientRequest
  readonly originalUrl: string
  readonly url: string
  readonly headers: Headers.Headers
  readonly remoteAddress: Option.Option<string>
  readonly #bytes: Uint8Array

  constructor(
    source: HttpClientRequest.HttpClientRequest,
    originalUrl: string,
    url: string,
    headers: Headers.Headers,
    bytes: Uint8Array,
    remoteAddress: Option.Option<string> = Option.none()
  ) {
    super()
    this.source = source
    this.originalUrl = originalUrl
    this.url = url
    this.headers = headers
    this.#bytes = bytes
    this.remoteAddress = remoteAddress
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "@effect/platform/HttpServerRequest",
      method: this.method,
      url: this.originalUrl
    })
  }

  modify(options: {
    readonly url?: string
    readonly headers?: Headers.Headers
    readonly remoteAddress?: string
  }): InMemoryRequest {
    return new InMemoryRequest(
      this.source,
      this.originalUrl,
      options.url ?? this.url,
      options.headers ?? this.headers,
      this.#bytes,
      options.remoteAddress === undefined ? this.remoteAddress : Option.some(options.remoteAddress)
    )
  }

  get method() {
    return this.source.method
  }
  get cookies() {
    return Cookies.parseHeader(this.headers.cookie ?? "")
  }
  get text(): Effect.Effect<string, HttpServerError.RequestError> {
    return Effect.sync(() => decoder.decode(this.#bytes))
  }
  get json(): Effect.Effect<unknown, HttpServerError.RequestError> {
    return Effect.try({
      try: (): unknown => JSON.parse(decoder.decode(this.#bytes)),
      catch: (cause) => new HttpServerError.RequestError({ request: this, reason: "Decode", cause })
    })
  }
  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, HttpServerError.RequestError> {
    return Effect.map(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text)))
  }
  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpServerError.RequestError> {
    return Effect.sync(() => new Uint8Array(this.#bytes).buffer)
  }
  get stream() {
    return this.#web.stream
  }
  get multipart() {
    return this.#web.multipart
  }
  get multipartStream() {
    return this.#web.multipartStream
  }
  get upgrade() {
    return this.#web.upgrade
  }

  // what few apps read is left to the platform's own request
  get #web(): HttpServerRequest.HttpServerRequest {
    const hasBody = this.method !== "GET" && this.method !== "HEAD" && this.#bytes.length > 0
    return HttpServerRequest.fromWeb(
      new Request(this.originalUrl, {
        method: this.method,
        headers: this.headers,
        body: hasBody ? new Uint8Array(this.#bytes) : null
      })
    )
  }
}
