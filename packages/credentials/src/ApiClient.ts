/**
 * The request pipeline of one API product: token, target, 401, repetition,
 * errors.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { OutcomeUnknown, Problem, RequestFailed, UnexpectedResponse } from "./ApiError.js"
import type { ApiClientError } from "./ApiError.js"
import type { Credentials } from "./Credentials.js"
import * as Failure from "./internal/apiFailure.js"
import type { ErrorBody, Options, Repetition } from "./internal/apiModel.js"
import * as Pipeline from "./internal/apiPipeline.js"
import * as Body from "./internal/body.js"
import * as Expected from "./internal/expected.js"
import * as Response from "./internal/response.js"
import * as Send from "./internal/send.js"

export type {
  /**
   * @since 0.1.0
   * @category models
   */
  ErrorBody,
  /**
   * @since 0.1.0
   * @category models
   */
  Options,
  /**
   * @since 0.1.0
   * @category models
   */
  Repetition
}

/**
 * An `HttpClient` that authorises what it sends with the credentials of `tag`.
 * It is a value: make it once, at module level. What it remembers belongs to
 * the Layer that provides the tag.
 *
 * - A 401 gets a new token and one replay, by the rule of this product: a token
 *   that this product accepted before is renewed at once; any other at most once
 *   in `unauthorizedCoolDown`. A 403 never renews.
 * - 429, 5xx and transport failures are tried again as `retry` says, if the
 *   request may be repeated.
 * - Where the replies say that a rate limit is used up, requests wait for their
 *   turn, as long as the patience of `retry` allows; see `RateLimits`.
 * - No transport follows a redirect; GET and HEAD are followed here, inside the
 *   allowed origins, at most 5 times.
 * - A 2xx is a success, and what `isAnswer` names. All else is in `ApiClientError`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ApiClient, Credentials } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 *
 * const parts = ApiClient.make(Acme, { product: "Parts", path: "/v1" })
 *
 * // Effect<unknown, ..., Acme | HttpClient>
 * export const list = Effect.flatMap(parts.get("/parts"), (response) => response.json)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I, R = never>(
  tag: Context.Tag<I, Credentials>,
  options: Options<R>
): HttpClient.HttpClient.With<ApiClientError, I | HttpClient.HttpClient | R> => {
  const run = Pipeline.make(options)
  return HttpClient.makeWith(
    (request: Effect.Effect<HttpClientRequest.HttpClientRequest>) =>
      Effect.flatMap(request, (request) =>
        Effect.withFiberRuntime((fiber) => {
          // The type of the effect says what the context of its fiber has.
          const context = fiber.currentContext as Context.Context<I | HttpClient.HttpClient>
          const clock = Context.get(fiber.currentDefaultServices, Clock.Clock)
          return run(
            request,
            Context.get(context, tag),
            Context.get(context, HttpClient.HttpClient),
            clock.unsafeCurrentTimeMillis()
          )
        })),
    Effect.succeed
  )
}

/**
 * The repetition that a method promises (RFC 9110 §9.2.2): GET, HEAD, PUT,
 * DELETE and OPTIONS `always`, all others `never`.
 *
 * @since 0.1.0
 * @category requests
 */
export const repetitionByMethod: (request: HttpClientRequest.HttpClientRequest) => Repetition = Failure.byMethod

/**
 * Whether a request certainly was not applied, because it failed before anything
 * was sent: it could not be written, or there was nobody to connect to.
 *
 * @since 0.1.0
 * @category requests
 */
export const wasNeverSent: (error: HttpClientError.HttpClientError) => boolean = Send.wasNeverSent

/**
 * A path with its parameters encoded, so that a part number with a `/` stays one
 * segment. A parameter that is empty, `.` or `..` makes a path that the client
 * refuses with `RequestFailed` reason `InvalidRequest`.
 *
 * @example
 * ```ts
 * import { ApiClient } from "effect-credentials"
 *
 * console.log(ApiClient.path`/search/${"LM317/NOPB"}/productdetails`) // /search/LM317%2FNOPB/productdetails
 * ```
 *
 * @since 0.1.0
 * @category requests
 */
export const path = (texts: TemplateStringsArray, ...parameters: ReadonlyArray<string | number>): string =>
  texts.reduce((path, text, index) => {
    const parameter = String(parameters[index - 1])
    // An empty segment would reach another resource: let it be refused like a dot.
    return path + (parameter === "" ? "." : encodePart(parameter)) + text
  })

/**
 * A lone surrogate, which cannot be encoded, cannot be a parameter either; nor
 * can a path of its own with dots, for some gateways decode `%2F` before they
 * look.
 */
const encodePart = (parameter: string): string =>
  /[\ud800-\udfff]/u.test(parameter) || /(?:^|[/\\])\.{1,2}(?:[/\\]|$)/.test(parameter)
    ? "."
    : encodeURIComponent(parameter)

/**
 * Decodes the JSON body of a success. What does not fit fails with
 * `UnexpectedResponse`, which says where and what was expected, never the value.
 * A connection that breaks while the body is read fails with `RequestFailed`, or
 * with `OutcomeUnknown` where the request must not be repeated: it was probably
 * applied. It is not tried again.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeJson = <A, I>(
  product: string,
  schema: Schema.Schema<A, I>
): (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<A, UnexpectedResponse | RequestFailed | OutcomeUnknown> => {
  const decode = Schema.decodeUnknownEither(schema)
  return (response) => {
    const where = () => Failure.where(product, response.request)
    return Effect.matchEffect(response.text, {
      onFailure: () =>
        Effect.fail(
          (Response.repetition(response) ?? Failure.byMethod(response.request)) === "always"
            ? new RequestFailed({ ...where(), reason: "Transport" })
            : new OutcomeUnknown({ ...where(), status: response.status, problem: Problem.empty })
        ),
      onSuccess: (text) => {
        const json = Body.parseJson(text)
        if (Option.isNone(json)) {
          return Effect.fail(
            new UnexpectedResponse({ ...where(), status: response.status, at: "", expected: "JSON" })
          )
        }
        const decoded = attempt(() => decode(json.value))
        if (Option.isNone(decoded)) {
          return Effect.fail(
            new UnexpectedResponse({ ...where(), status: response.status, at: "", expected: "nested less deeply" })
          )
        }
        if (Either.isRight(decoded.value)) return Effect.succeed(decoded.value.right)
        const { expected, path } = Expected.first(decoded.value.left)
        return Effect.fail(new UnexpectedResponse({ ...where(), status: response.status, at: path, expected }))
      }
    })
  }
}

/** A recursive Schema over a body that is nested without end overflows the stack. */
const attempt = Option.liftThrowable(<A>(run: () => A): A => run())

/**
 * For a success without a body (204), or one whose body does not matter.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeVoid: (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<void> = Body.drain
