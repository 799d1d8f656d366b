/**
 * From what went wrong with one attempt to the error that a caller gets, and to
 * whether another attempt may help.
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { ApiError, OutcomeUnknown, Problem, RateLimited, reasonOf, RequestFailed } from "../ApiError.js"
import type { ApiClientError } from "../ApiError.js"
import * as RetryPolicy from "../RetryPolicy.js"
import type * as Token from "../Token.js"
import type { ErrorBody, Options, Repetition } from "./apiModel.js"
import * as RateLimitHeaders from "./rateLimitHeaders.js"
import { scrub } from "./scrub.js"
import * as Send from "./send.js"

/** An attempt that did not succeed: how the request fails if it is the last one, and whether another may help. */
export class AttemptFailed extends Data.TaggedClass("AttemptFailed")<{
  readonly error: ApiClientError
  readonly retry: Option.Option<RetryPolicy.RetryableFailure>
}> {}

export const final = (error: ApiClientError): AttemptFailed => new AttemptFailed({ error, retry: Option.none() })

/** The time-out of one attempt. */
export class TimedOut extends Data.TaggedClass("TimedOut") {}

/** Of an error body: who waits for an error does not wait for all of its words. */
export const bodyTimeout = Duration.seconds(5)

const repeatable = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])

export const byMethod = (request: HttpClientRequest.HttpClientRequest): Repetition =>
  repeatable.has(request.method) ? "always" : "never"

/** What a 429 is worth that says no time at all: a guess, said to be one. */
const guess = Duration.minutes(1)

/** Without query and fragment. */
export const pathOf = (url: string): string => {
  const path = url.startsWith("/") ? url : URL.canParse(url) ? new URL(url).pathname : ""
  return path.replace(/[?#].*$/s, "")
}

export const where = (product: string, request: HttpClientRequest.HttpClientRequest) => ({
  product,
  method: request.method,
  path: pathOf(request.url)
})

/** RFC 9457 without its extensions. */
const problemDetails = Schema.decodeUnknownOption(Schema.Struct({
  title: Schema.optional(Schema.NullOr(Schema.String)),
  detail: Schema.optional(Schema.NullOr(Schema.String))
}))

const defaultProblem = (body: ErrorBody): Problem =>
  Option.match(problemDetails(body.json), {
    onNone: () => Problem.empty,
    onSome: ({ detail, title }) =>
      title == null && detail == null
        ? Problem.empty
        : new Problem({
          title: title ?? undefined,
          detail: detail ?? undefined,
          violations: [],
          dialect: "problem-details"
        })
  })

/**
 * The tokens, also one that a replay replaced, and what was put on the request under the name of a secret header.
 * Other header values, a language say, may be words of the server's own text.
 */
export const secretsOf = (
  authorised: HttpClientRequest.HttpClientRequest,
  tokens: ReadonlyArray<Token.Token>,
  secretHeaders: ReadonlyArray<string> = []
): ReadonlyArray<Redacted.Redacted> => {
  const secrets = tokens.flatMap((token) => [token.accessToken, ...Option.toArray(token.refreshToken)])
  for (const name of secretHeaders) {
    const value = authorised.headers[name]
    // The header of the token has the token in it, which is looked for already.
    if (value !== undefined && !secrets.some((secret) => value.endsWith(Redacted.value(secret)))) {
      secrets.push(Redacted.make(value))
    }
  }
  return secrets
}

const clean = (problem: Problem, secrets: ReadonlyArray<Redacted.Redacted>): Problem => {
  const text = (it: string | undefined) => it === undefined ? undefined : scrub(it, secrets) || undefined
  return new Problem({
    title: text(problem.title),
    detail: text(problem.detail),
    requestId: text(problem.requestId),
    violations: problem.violations.slice(0, 50).map(({ field, message }) => ({
      field: scrub(field, secrets),
      message: scrub(message, secrets)
    })),
    dialect: problem.dialect
  })
}

/** What the server said, without our secrets. */
const problemOf = <R>(
  options: Options<R>,
  body: ErrorBody,
  secrets: ReadonlyArray<Redacted.Redacted>
): Problem => clean((options.problem ?? defaultProblem)(body), secrets)

const outcomeUnknown = <R>(
  options: Options<R>,
  request: HttpClientRequest.HttpClientRequest,
  fields: { readonly status?: number | undefined; readonly code?: string | undefined; readonly problem: Problem }
): OutcomeUnknown =>
  new OutcomeUnknown({
    ...where(options.product, request),
    ...fields,
    idempotencyKey: options.idempotencyKey?.(request)
  })

/** No answer came. */
export const notSent = <R>(
  options: Options<R>,
  repetition: Repetition,
  plain: HttpClientRequest.HttpClientRequest,
  authorised: HttpClientRequest.HttpClientRequest,
  error: HttpClientError.HttpClientError | TimedOut
): AttemptFailed => {
  const code = Send.transportCode(error)
  const reason = error._tag === "TimedOut"
    ? "Timeout"
    : error._tag === "RequestError" && error.reason !== "Transport"
    ? "InvalidRequest"
    : "Transport"
  const failed = new RequestFailed({
    ...where(options.product, plain),
    origin: new URL(authorised.url).origin,
    reason,
    code
  })
  if (reason === "InvalidRequest") return final(failed)
  if (repetition !== "always") {
    return final(
      error._tag !== "TimedOut" && Send.wasNeverSent(error)
        ? failed
        : outcomeUnknown(options, plain, { code, problem: Problem.empty })
    )
  }
  return new AttemptFailed({
    error: failed,
    retry: Option.some({ reason, status: Option.none(), retryAfter: Option.none() })
  })
}

/** What an answer that is no success means; `now` in milliseconds since the epoch. */
export const classify = <R>(
  options: Options<R>,
  repetition: Repetition,
  request: HttpClientRequest.HttpClientRequest,
  body: ErrorBody,
  secrets: ReadonlyArray<Redacted.Redacted>,
  now: number
): AttemptFailed => {
  const { headers, status } = body
  const problem = problemOf(options, body, secrets)
  const hint = options.hint?.(body, problem)
  const retryAfter = RetryPolicy.retryAfter(headers, now)
  const retry = Option.some({ reason: "Status" as const, status: Option.some(status), retryAfter })
  const after = (wait: Duration.Duration) => DateTime.unsafeMake(now + Duration.toMillis(wait))
  if (status === 429) {
    const exhausted = RateLimitHeaders.exhausted(RateLimitHeaders.read(headers, now))
    const resetAfter = exhausted?.resetAfter
    return new AttemptFailed({
      error: new RateLimited({
        ...where(options.product, request),
        retryAt: after(
          Option.getOrElse(retryAfter, () => resetAfter === undefined ? guess : Duration.millis(resetAfter))
        ),
        limit: options.limit?.(headers) ?? exhausted?.kind ?? "unknown",
        problem
      }),
      retry: repetition === "never" ? Option.none() : retry
    })
  }
  // 501 and 505 are refusals: nothing was applied.
  if (status >= 500 && RetryPolicy.isTransient(status) && repetition !== "always") return final(outcomeUnknown(options, request, { status, problem }))
  return new AttemptFailed({
    error: new ApiError({
      ...where(options.product, request),
      status,
      reason: reasonOf(status),
      problem,
      hint: hint === undefined ? undefined : scrub(hint, secrets),
      retryAt: Option.getOrUndefined(Option.map(retryAfter, after))
    }),
    retry: repetition === "always" && RetryPolicy.isTransient(status) ? retry : Option.none()
  })
}
