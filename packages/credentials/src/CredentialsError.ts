/**
 * Why there is no token. Each tag answers one question: what can the caller do?
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"

const shown = (text: string | undefined): string => text === undefined ? "" : `: ${text}`

/**
 * The token endpoint could not be reached, did not answer in time, or answered
 * 429 or 5xx until the retries were used up. Try later, at `retryAt` if known.
 *
 * `Secret` means that the secret itself could not be read, where it is an Effect;
 * `Busy`, that there were too many renewals of other accounts before this one;
 * `Closed`, that the Layer which gave these credentials has ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class TokenEndpointUnavailable extends Schema.TaggedError<TokenEndpointUnavailable>(
  "effect-credentials/TokenEndpointUnavailable"
)("TokenEndpointUnavailable", {
  provider: Schema.String,
  reason: Schema.Literal("Transport", "Timeout", "Status", "Secret", "Interrupted", "Defect", "Busy", "Closed"),
  /** The status of the last answer, where there was one. */
  status: Schema.optional(Schema.Number),
  /** The error code of the transport, for example `ECONNREFUSED`. */
  code: Schema.optional(Schema.String),
  requestId: Schema.optional(Schema.String),
  /** Not before this time, where the server or the back-off says so. */
  retryAt: Schema.optional(Schema.DateTimeUtc)
}) {
  override get message(): string {
    const later = this.retryAt === undefined ? "Try again later." : `Try again after ${DateTime.formatIso(this.retryAt)}.`
    switch (this.reason) {
      case "Closed":
        return `The Layer that provides the ${this.provider} credentials is closed: no token can be had from it.`
      case "Transport":
        return `The token endpoint of ${this.provider} could not be reached${shown(this.code)}. ${later}`
      case "Timeout":
        return `The token endpoint of ${this.provider} did not answer in time. ${later}`
      case "Status":
        return `The token endpoint of ${this.provider} answered ${this.status}. ${later}`
      case "Secret":
        return `The secret for ${this.provider} could not be read. ${later}`
      case "Interrupted":
        return `The call for a token of ${this.provider} was interrupted. ${later}`
      case "Busy":
        return `A token of ${this.provider} was not asked for: too many other renewals were to be done first. ${later}`
      case "Defect":
        return `The auth flow of ${this.provider} died of a defect; the log has its name. ${later}`
    }
  }
}

/**
 * The same failure with the time to come back at.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withRetryAt = (error: TokenEndpointUnavailable, retryAt: DateTime.Utc): TokenEndpointUnavailable => {
  const { code, provider, reason, requestId, status } = error
  return new TokenEndpointUnavailable({ provider, reason, status, code, requestId, retryAt })
}

/**
 * A person has to log in: nothing is stored, or the server no longer takes the
 * refresh token (`invalid_grant`, RFC 6749 §5.2), or it is known to be expired.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReauthorizationRequired extends Schema.TaggedError<ReauthorizationRequired>(
  "effect-credentials/ReauthorizationRequired"
)("ReauthorizationRequired", {
  provider: Schema.String,
  reason: Schema.Literal("NothingStored", "Refused", "Expired", "Interrupted"),
  account: Schema.optional(Schema.String),
  requestId: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const why = {
      NothingStored: "no login is stored",
      Refused: "the server no longer accepts the stored login",
      Expired: "the stored login has expired",
      Interrupted: "an earlier renewal was cut off after the server had replaced the stored login"
    }[this.reason]
    return `A person has to log in to ${this.provider}${this.account === undefined ? "" : ` as ${this.account}`}: ${why}.`
  }
}

/**
 * The token endpoint refused the client itself: wrong id, secret or key, a
 * grant or scope it may not use, or any other 4xx. Fix the configuration;
 * trying again is pointless.
 *
 * @since 0.1.0
 * @category errors
 */
export class CredentialsRejected extends Schema.TaggedError<CredentialsRejected>(
  "effect-credentials/CredentialsRejected"
)("CredentialsRejected", {
  provider: Schema.String,
  status: Schema.Number,
  /** The error code of the reply, for example `invalid_client` (RFC 6749 §5.2). */
  error: Schema.optional(Schema.String),
  /** The server's words, without our secrets and at most 2 KB. */
  description: Schema.optional(Schema.String),
  /** What to do about it. */
  hint: Schema.optional(Schema.String),
  requestId: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const code = this.error === undefined ? "" : ` ${this.error}`
    const hint = this.hint ?? "Check the client id, the secret and the environment."
    return `${this.provider} refused the credentials (${this.status}${code})${shown(this.description)}. ${hint}`
  }
}

/**
 * The token endpoint answered with something that is not a token reply, or with
 * a redirect, which is never followed. Report it to the provider.
 *
 * @since 0.1.0
 * @category errors
 */
export class MalformedTokenResponse extends Schema.TaggedError<MalformedTokenResponse>(
  "effect-credentials/MalformedTokenResponse"
)("MalformedTokenResponse", {
  provider: Schema.String,
  /** The status of the answer, where there was one. */
  status: Schema.optional(Schema.Number),
  /** What was expected and at which path; never a value. */
  expected: Schema.String,
  requestId: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const answer = this.status === undefined ? "gave" : `answered ${this.status} with`
    return `The token endpoint of ${this.provider} ${answer} no usable token reply: expected ${this.expected}.`
  }
}

/**
 * The store that keeps tokens failed. Try later.
 *
 * @since 0.1.0
 * @category errors
 */
export class TokenStoreError extends Schema.TaggedError<TokenStoreError>("effect-credentials/TokenStoreError")(
  "TokenStoreError",
  {
    operation: Schema.Literal("open", "load", "lock", "save", "remove"),
    /** What went wrong, in words that hold no stored value. */
    description: Schema.String
  }
) {
  override get message(): string {
    return `The token store failed (${this.operation}): ${this.description}.`
  }
}

/**
 * The request would have carried credentials to another origin. Nothing was
 * sent. Fix the program.
 *
 * @since 0.1.0
 * @category errors
 */
export class ForeignOrigin extends Schema.TaggedError<ForeignOrigin>("effect-credentials/ForeignOrigin")(
  "ForeignOrigin",
  {
    provider: Schema.String,
    /** Where the request would have gone: scheme, host and port, or `invalid` for what is no http URL. */
    origin: Schema.String,
    allowed: Schema.Array(Schema.String)
  }
) {
  override get message(): string {
    return `The credentials of ${this.provider} go to ${this.allowed.join(", ")} only, not to ${
      this.origin === "invalid" ? "a target that is neither a path starting with a single \"/\" nor an http URL" : this.origin
    }.`
  }
}

/**
 * Why there is no token.
 *
 * @since 0.1.0
 * @category errors
 */
export type CredentialsError =
  | TokenEndpointUnavailable
  | ReauthorizationRequired
  | CredentialsRejected
  | MalformedTokenResponse
  | TokenStoreError

/**
 * @since 0.1.0
 * @category schemas
 */
export const CredentialsError: Schema.Union<[
  typeof TokenEndpointUnavailable,
  typeof ReauthorizationRequired,
  typeof CredentialsRejected,
  typeof MalformedTokenResponse,
  typeof TokenStoreError
]> = Schema.Union(
  TokenEndpointUnavailable,
  ReauthorizationRequired,
  CredentialsRejected,
  MalformedTokenResponse,
  TokenStoreError
)

/**
 * @since 0.1.0
 * @category guards
 */
export const isCredentialsError: (u: unknown) => u is CredentialsError = Schema.is(CredentialsError)
