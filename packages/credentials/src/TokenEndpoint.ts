/**
 * One call of a token endpoint: sent without following redirects, timed, tried
 * again where that helps, read up to a limit, decoded by a Schema, and every
 * way it can fail told apart by what the caller can do.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type { TokenReply } from "./AuthFlow.js"
import {
  CredentialsRejected,
  MalformedTokenResponse,
  ReauthorizationRequired,
  TokenEndpointUnavailable,
  withRetryAt
} from "./CredentialsError.js"
import type { CredentialsError } from "./CredentialsError.js"
import * as Body from "./internal/body.js"
import * as Expected from "./internal/expected.js"
import * as Retry from "./internal/retry.js"
import { scrub } from "./internal/scrub.js"
import * as Send from "./internal/send.js"
import * as RetryPolicy from "./RetryPolicy.js"

/**
 * A number of seconds as servers write it: a number, a numeric string, `null`
 * or nothing. What is no usable length of time (not finite, zero, negative)
 * decodes to `undefined`, as if it were absent; more than a year to a year.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Seconds: Schema.Schema<Duration.Duration | undefined, unknown> = Schema.transform(
  Schema.Unknown,
  Schema.UndefinedOr(Schema.DurationFromSelf),
  {
    strict: true,
    decode: (value) => {
      const seconds = typeof value === "number"
        ? value
        : typeof value === "string" && value.trim() !== ""
        ? Number(value)
        : Number.NaN
      // Less than a millisecond is nothing to a Duration.
      return Number.isFinite(seconds) && seconds >= 0.001 ? Duration.seconds(Math.min(seconds, 31_536_000)) : undefined
    },
    encode: (duration) => duration === undefined ? undefined : Duration.toSeconds(duration)
  }
)

/**
 * A reply that has been decoded: the far side of the transformation that `reply`
 * of `make` is.
 *
 * @since 0.1.0
 * @category schemas
 */
export const TokenReplyFromSelf: Schema.Schema<TokenReply> = Schema.declare(
  (u): u is TokenReply => typeof u === "object" && u !== null && "accessToken" in u
)

/**
 * A reply with the time at which the request for it was sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface TimedReply extends TokenReply {
  readonly requestedAt: DateTime.Utc
}

/**
 * Why a token endpoint said no, in whatever dialect it said so.
 *
 * @since 0.1.0
 * @category models
 */
export interface Refusal {
  /** The error code, for example `invalid_client`. */
  readonly error?: string | undefined
  readonly description?: string | undefined
  readonly requestId?: string | undefined
  /** What a person should do about it. */
  readonly hint?: string | undefined
  /** Whether a new login mends it (`invalid_grant` of a refresh token) rather than a new configuration. */
  readonly loginRequired?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options<I> {
  readonly provider: string
  /** Decodes the JSON body of a 2xx. */
  readonly reply: Schema.Schema<TokenReply, I>
  /** Reads an error body: JSON, or `undefined` where it was none. `None` where it says nothing. */
  readonly refusal?: ((body: unknown, status: number) => Option.Option<Refusal>) | undefined
  /** Of one attempt; 10 seconds by default. */
  readonly timeout?: Duration.DurationInput | undefined
  /** Patience 10 seconds, deadline 25 seconds, a budget of 20 retries of which one comes back every 5 seconds by default. */
  readonly retry?: RetryPolicy.RetryPolicy | undefined
}

/**
 * What one call needs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call<R> {
  /** Run again for every attempt. */
  readonly request: Effect.Effect<HttpClientRequest.HttpClientRequest, CredentialsError, R>
  /** What must not appear in anything that is kept of a reply. */
  readonly secrets?: ReadonlyArray<Redacted.Redacted> | undefined
}

/**
 * A token endpoint, to be called.
 *
 * @since 0.1.0
 * @category models
 */
export type TokenEndpoint = <R>(
  call: Call<R>
) => Effect.Effect<TimedReply, CredentialsError, HttpClient.HttpClient | R>

class AttemptFailed extends Data.TaggedError("AttemptFailed")<{
  readonly error: CredentialsError
  readonly retry: Option.Option<RetryPolicy.RetryableFailure>
}> {}

const defaultRetry: RetryPolicy.RetryPolicy = RetryPolicy.make({
  patience: "10 seconds",
  deadline: "25 seconds",
  budget: { capacity: 20, refill: "5 seconds" }
})

const final = (error: CredentialsError): AttemptFailed => new AttemptFailed({ error, retry: Option.none() })

const unavailable = (
  provider: string,
  fields: Omit<ConstructorParameters<typeof TokenEndpointUnavailable>[0], "provider">,
  retryAfter: Option.Option<Duration.Duration>
): AttemptFailed =>
  new AttemptFailed({
    error: new TokenEndpointUnavailable({ provider, ...fields }),
    retry: Option.some({
      reason: fields.reason === "Status" || fields.reason === "Timeout" ? fields.reason : "Transport",
      status: Option.fromNullable(fields.status),
      retryAfter
    })
  })

/** Whether nobody knows what the server did. */
const isUnanswered = (error: CredentialsError): boolean =>
  error._tag === "TokenEndpointUnavailable" && (error.reason !== "Status" || (error.status ?? 0) >= 500)

const afterNoAnswer = ({ error, retry }: AttemptFailed): AttemptFailed =>
  new AttemptFailed({
    error: error._tag === "ReauthorizationRequired"
      ? new ReauthorizationRequired({ provider: error.provider, reason: "Interrupted", requestId: error.requestId })
      : error,
    retry
  })

/** An odd server sends a token and an error about it. */
const tokensIn = (body: unknown): ReadonlyArray<Redacted.Redacted> =>
  typeof body !== "object" || body === null
    ? []
    : Object.entries(body).flatMap(([key, value]) =>
      /token$/i.test(key) && typeof value === "string" ? [Redacted.make(value)] : []
    )

const refused = (provider: string, status: number, refusal: Refusal, secrets: ReadonlyArray<Redacted.Redacted>) => {
  const clean = (text: string | undefined) => text === undefined || text === "" ? undefined : scrub(text, secrets)
  const requestId = clean(refusal.requestId)
  return refusal.loginRequired === true
    ? new ReauthorizationRequired({ provider, reason: "Refused", requestId })
    : new CredentialsRejected({
      provider,
      status,
      error: clean(refusal.error),
      description: clean(refusal.description),
      hint: clean(refusal.hint),
      requestId
    })
}

/**
 * A token endpoint, with its own retry budget: make it once a flow.
 *
 * - A transport failure, a time-out, 408, 425, 429 and 5xx are tried again, then
 *   fail with `TokenEndpointUnavailable`. `Retry-After` wins over the back-off.
 * - Any other 4xx, and a 2xx that has an OAuth `error`, fail with
 *   `CredentialsRejected` or `ReauthorizationRequired`.
 * - A redirect, and a 2xx that is no token reply, fail with
 *   `MalformedTokenResponse`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I>(options: Options<I>): TokenEndpoint => {
  const { provider } = options
  const timeout = Duration.decode(options.timeout ?? "10 seconds")
  const policy = options.retry ?? defaultRetry
  const budget = Retry.untouchedBudget()
  const decode = Schema.decodeUnknownEither(options.reply)

  const malformed = (status: number | undefined, expected: string): AttemptFailed =>
    final(new MalformedTokenResponse({ provider, status, expected }))

  const answer = (
    response: HttpClientResponse.HttpClientResponse,
    requestedAt: number,
    sent: ReadonlyArray<Redacted.Redacted>
  ): Effect.Effect<TimedReply, AttemptFailed> =>
    Effect.gen(function*() {
      const { status } = response
      if (status < 200 || (status >= 300 && status < 400)) {
        yield* Effect.timeoutOption(Body.drain(response), "1 second")
        return yield* malformed(status, "no redirect")
      }
      const body = yield* Effect.mapError(
        Body.read(response),
        (error) => unavailable(provider, { reason: "Transport", code: error.code }, Option.none())
      )
      const json = body.truncated ? Option.none() : Body.parseJson(body.text)
      const secrets = [...sent, ...tokensIn(Option.getOrUndefined(json))]
      const refusal = options.refusal?.(Option.getOrUndefined(json), status) ?? Option.none()
      if (status >= 500 || RetryPolicy.isTransient(status)) {
        const now = yield* Clock.currentTimeMillis
        return yield* unavailable(provider, {
          reason: "Status",
          status,
          requestId: Option.match(refusal, {
            onNone: () => undefined,
            onSome: (said) => said.requestId === undefined ? undefined : scrub(said.requestId, secrets)
          })
        }, RetryPolicy.retryAfter(response.headers, now))
      }
      if (Option.isSome(refusal)) return yield* final(refused(provider, status, refusal.value, secrets))
      if (status >= 400) return yield* final(refused(provider, status, {}, secrets))
      if (body.truncated) return yield* malformed(status, "a reply of at most 256 KiB")
      if (Option.isNone(json)) return yield* malformed(status, "JSON")
      const reply = decode(json.value)
      if (Either.isLeft(reply)) return yield* malformed(status, Expected.describe(reply.left))
      return { ...reply.right, requestedAt: reply.right.requestedAt ?? DateTime.unsafeMake(requestedAt) }
    })

  const attempt = <R>(
    call: Call<R>
  ): Effect.Effect<TimedReply, AttemptFailed, HttpClient.HttpClient | R> =>
    Effect.gen(function*() {
      const client = yield* HttpClient.HttpClient
      const request = yield* Effect.mapError(call.request, final)
      const requestedAt = yield* Clock.currentTimeMillis
      return yield* Send.send(client, request).pipe(
        Effect.mapError((error) =>
          error._tag === "RequestError" && error.reason !== "Transport"
            ? malformed(undefined, "a token URL and a body that can be sent")
            : unavailable(provider, { reason: "Transport", code: Send.transportCode(error) }, Option.none())
        ),
        Effect.flatMap((response) => answer(response, requestedAt, call.secrets ?? [])),
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => unavailable(provider, { reason: "Timeout" }, Option.none())
        })
      )
    })

  return (call) =>
    Effect.gen(function*() {
      const startedAt = yield* Clock.currentTimeMillis
      // A refresh token that is refused after a call which had no answer: that call may have used it up.
      const unanswered = yield* Ref.make(false)
      const attempted = Effect.catchAll(attempt(call), (failed) =>
        Effect.flatMap(Ref.get(unanswered), (before) =>
          isUnanswered(failed.error)
            ? Effect.zipRight(Ref.set(unanswered, true), Effect.fail(failed))
            : Effect.fail(before ? afterNoAnswer(failed) : failed)))
      return yield* Effect.catchAll(attempted, (first) =>
        Retry.repeat({
          policy,
          budget,
          first,
          startedAt,
          attempt: attempted,
          retryable: (failure) => failure.retry,
          giveUp: ({ error, retry }, now) => {
            const asked = Option.flatMap(retry, ({ retryAfter }) => retryAfter)
            return Effect.fail(
              error._tag === "TokenEndpointUnavailable" && Option.isSome(asked)
                ? withRetryAt(error, DateTime.unsafeMake(now + Duration.toMillis(asked.value)))
                : error
            )
          }
        }))
    })
}
