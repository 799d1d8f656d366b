/**
 * What the pipeline of an API product is told; re-exported by `ApiClient`.
 */
import type * as Headers from "@effect/platform/Headers"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { Problem, RateLimited } from "../ApiError.js"
import type { Limits } from "../RateLimits.js"
import type * as RetryPolicy from "../RetryPolicy.js"

/**
 * Whether a request may be sent again.
 *
 * - `always`: to apply it twice does no harm (RFC 9110 §9.2.2), or it only reads.
 * - `whenRefused`: after a 401 or a 429, if the provider promises that such a
 *   request was never applied.
 * - `never`: it is sent once, whatever happens.
 *
 * @since 0.1.0
 * @category models
 */
export type Repetition = "always" | "whenRefused" | "never"

/**
 * An error body that has been read.
 *
 * @since 0.1.0
 * @category models
 */
export interface ErrorBody {
  readonly status: number
  readonly headers: Headers.Headers
  /** `undefined` where the body was no JSON, or longer than 256 KiB. */
  readonly json: unknown
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> {
  /** The name of the API product, as it appears in errors. */
  readonly product: string
  /** Put before every path, for example `/products/v4`; nothing by default. */
  readonly path?: string | undefined
  /** By method if absent: GET, HEAD, PUT, DELETE and OPTIONS always, all others never. */
  readonly repetition?: ((request: HttpClientRequest.HttpClientRequest) => Repetition) | undefined
  /**
   * Which statuses, beside 2xx, are an answer that the provider decodes rather
   * than an error: a 409 that means "already done", say.
   */
  readonly isAnswer?: ((status: number, request: HttpClientRequest.HttpClientRequest) => boolean) | undefined
  /** The key that makes a repetition harmless at the provider, for `OutcomeUnknown`. */
  readonly idempotencyKey?: ((request: HttpClientRequest.HttpClientRequest) => string | undefined) | undefined
  readonly retry?: RetryPolicy.RetryPolicy<R> | undefined
  /**
   * Of one attempt, until the headers of its answer are there. None by default.
   * `Effect.timeout` around the whole limits its body, and all attempts, too.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /** How long after a renewal that a 401 of this product forced in vain no other is forced; 1 minute by default. */
  readonly unauthorizedCoolDown?: Duration.DurationInput | undefined
  /** Reads the provider's dialects. Its texts are scrubbed and cut by the engine. */
  readonly problem?: ((body: ErrorBody) => Problem) | undefined
  /**
   * Secrets that the request itself carries, a card number in its body say: what
   * the server repeats of them is kept out of every error, like the token.
   */
  readonly secrets?:
    | ((request: HttpClientRequest.HttpClientRequest) => ReadonlyArray<Redacted.Redacted>)
    | undefined
  /** A known cause of an answer. */
  readonly hint?: ((body: ErrorBody, problem: Problem) => string | undefined) | undefined
  /** Which limit a 429 is about; by the counts in its headers if absent. */
  readonly limit?: ((headers: Headers.Headers) => RateLimited["limit"]) | undefined
  /**
   * The rate limits that the provider documents: they hold until its replies say
   * what is true. Of two clients of one product, the one that is used first counts.
   */
  readonly limits?: Limits | undefined
  /** Whether requests wait for their turn where the rate limits are known to be used up; `true` by default. */
  readonly pacing?: boolean | undefined
}
