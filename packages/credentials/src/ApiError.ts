/**
 * Why a request did not succeed, in words that a program and a person can act
 * on. None of these holds a body, a header or a URL with its query.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import type { CredentialsError, ForeignOrigin } from "./CredentialsError.js"

/**
 * What a server said about an error, whatever dialect it said it in (in the
 * manner of problem details, RFC 9457). Texts are free of our secrets and of
 * control characters, and have at most 2 KB.
 *
 * @since 0.1.0
 * @category models
 */
export class Problem extends Schema.Class<Problem>("effect-credentials/Problem")({
  title: Schema.optional(Schema.String),
  detail: Schema.optional(Schema.String),
  /** What the provider's support asks for. */
  requestId: Schema.optional(Schema.String),
  violations: Schema.Array(Schema.Struct({ field: Schema.String, message: Schema.String })),
  /** Which of the known shapes the body had; `none` for an empty or an unknown one. */
  dialect: Schema.String
}) {
  /** A body that said nothing that can be used. */
  static readonly empty: Problem = new Problem({ violations: [], dialect: "none" })
}

/** A message is for a person: the first violations, and no more than a page. */
const words = (problem: Problem): string => {
  const violations = problem.violations.slice(0, 5).map(({ field, message }) =>
    field === "" ? message : `${field}: ${message}`
  )
  const said = [problem.title, problem.detail, ...violations].filter((text) => text !== undefined && text !== "")
  const text = said.join("; ")
  const id = problem.requestId === undefined ? "" : ` (request id ${problem.requestId.slice(0, 200)})`
  return `${text === "" ? "" : `: ${text.length > 2000 ? `${text.slice(0, 2000)}…` : text}`}${id}`
}

const Where = {
  /** The name of the API product, as its client was made with. */
  product: Schema.String,
  method: Schema.String,
  /** Without query and fragment. */
  path: Schema.String
}

/**
 * @since 0.1.0
 * @category models
 */
export const Reason = Schema.Literal(
  "BadRequest",
  "Unauthorized",
  "Forbidden",
  "NotFound",
  "MethodNotAllowed",
  "Conflict",
  "ServerError",
  "Unavailable",
  "Unexpected"
)

/**
 * @since 0.1.0
 * @category models
 */
export type Reason = typeof Reason.Type

/**
 * What a status means for the caller.
 *
 * @since 0.1.0
 * @category constructors
 */
export const reasonOf = (status: number): Reason => {
  switch (status) {
    case 400:
    case 422:
      return "BadRequest"
    case 401:
      return "Unauthorized"
    case 403:
      return "Forbidden"
    case 404:
      return "NotFound"
    case 405:
      return "MethodNotAllowed"
    case 409:
      return "Conflict"
    case 502:
    case 503:
    case 504:
      return "Unavailable"
    default:
      return status >= 500 ? "ServerError" : "Unexpected"
  }
}

/**
 * The API said no.
 *
 * @since 0.1.0
 * @category errors
 */
export class ApiError extends Schema.TaggedError<ApiError>("effect-credentials/ApiError")("ApiError", {
  ...Where,
  status: Schema.Number,
  reason: Reason,
  problem: Problem,
  /** A known cause of this answer, where there is one. */
  hint: Schema.optional(Schema.String),
  /** When to come back, where the server said so (`Retry-After`). */
  retryAt: Schema.optional(Schema.DateTimeUtc)
}) {
  override get message(): string {
    const later = this.retryAt === undefined ? "" : ` Come back at ${DateTime.formatIso(this.retryAt)}.`
    const hint = `${this.hint === undefined ? "" : ` ${this.hint}`}${later}`
    return `${this.product} answered ${this.status} to ${this.method} ${this.path}${words(this.problem)}.${hint}`
  }
}

/**
 * Too many requests: a 429 that the caller's patience does not cover, or a
 * limit known in advance. Come back at `retryAt`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RateLimited extends Schema.TaggedError<RateLimited>("effect-credentials/RateLimited")("RateLimited", {
  ...Where,
  /** When a further request makes sense; an estimate where the server did not say. */
  retryAt: Schema.DateTimeUtc,
  limit: Schema.Literal("burst", "daily", "unknown"),
  problem: Problem
}) {
  override get message(): string {
    const limit = this.limit === "unknown" ? "a" : `the ${this.limit}`
    return `${this.product} has reached ${limit} rate limit (${this.method} ${this.path}). Come back at ${DateTime.formatIso(this.retryAt)}.`
  }
}

/**
 * No answer: the request could not be sent (`InvalidRequest`), the connection
 * failed (`Transport`) or took too long (`Timeout`).
 *
 * @since 0.1.0
 * @category errors
 */
export class RequestFailed extends Schema.TaggedError<RequestFailed>("effect-credentials/RequestFailed")(
  "RequestFailed",
  {
    ...Where,
    /** Where it went, if it got as far as having a target. */
    origin: Schema.optional(Schema.String),
    reason: Schema.Literal("Transport", "Timeout", "InvalidRequest"),
    /** The error code of the transport, for example `ECONNRESET`. */
    code: Schema.optional(Schema.String)
  }
) {
  override get message(): string {
    const target = `${this.method} ${this.path} of ${this.product}`
    switch (this.reason) {
      case "Transport":
        return `${target} got no answer${this.code === undefined ? "" : ` (${this.code})`}. Try again later.`
      case "Timeout":
        return `${target} took too long. Try again later.`
      case "InvalidRequest":
        return `${target} cannot be sent: its path, query or body is invalid.`
    }
  }
}

/**
 * A 2xx whose body is not what the product promises: where, and what was
 * expected there; never the value. Report it to the provider.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedResponse extends Schema.TaggedError<UnexpectedResponse>(
  "effect-credentials/UnexpectedResponse"
)("UnexpectedResponse", {
  ...Where,
  status: Schema.Number,
  /** Where in the body, for example `Products[0].UnitPrice`; empty for the body itself. */
  at: Schema.String,
  expected: Schema.String
}) {
  override get message(): string {
    const at = this.at === "" ? "the body" : this.at
    return `${this.product} answered ${this.status} to ${this.method} ${this.path}, but ${at} is not ${this.expected}.`
  }
}

/**
 * A request that must not be repeated got no usable answer: it may or may not
 * have been applied. Ask the provider, then decide.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>("effect-credentials/OutcomeUnknown")(
  "OutcomeUnknown",
  {
    ...Where,
    /** The status of the answer, where there was one. */
    status: Schema.optional(Schema.Number),
    code: Schema.optional(Schema.String),
    problem: Problem,
    /** The key under which the provider knows the request, where it carries one. */
    idempotencyKey: Schema.optional(Schema.String)
  }
) {
  override get message(): string {
    const answer = this.status === undefined ? "got no answer" : `was answered with ${this.status}`
    const key = this.idempotencyKey === undefined ? "" : ` Its key is ${this.idempotencyKey}.`
    return `${this.method} ${this.path} of ${this.product} ${answer}: it may or may not have been applied. ` +
      `Ask the provider before sending it again.${key}`
  }
}

/**
 * Everything that a request through an `ApiClient` can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type ApiClientError =
  | CredentialsError
  | ForeignOrigin
  | ApiError
  | RateLimited
  | RequestFailed
  | UnexpectedResponse
  | OutcomeUnknown
