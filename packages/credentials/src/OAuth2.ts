/**
 * The standard grants of OAuth 2.0 as auth flows.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as AuthFlow from "./AuthFlow.js"
import type { CredentialsError } from "./CredentialsError.js"
import * as HeaderValue from "./internal/headerValue.js"
import * as HttpsUrl from "./internal/httpsUrl.js"
import type { RefreshPolicy } from "./RefreshPolicy.js"
import type { RetryPolicy } from "./RetryPolicy.js"
import * as Token from "./Token.js"
import * as TokenEndpoint from "./TokenEndpoint.js"

/**
 * How the client proves who it is (RFC 6749 §2.3.1): id and secret in the body,
 * or by HTTP Basic, each form-encoded first (appendix B).
 *
 * @since 0.1.0
 * @category models
 */
export type ClientAuthentication = "client_secret_post" | "client_secret_basic"

const orAbsent = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.transform(
    Schema.Union(schema, Schema.Null, Schema.Literal("")).annotations({
      // The union's own message would show the value.
      message: () => ({ message: "expected visible ASCII characters (the value is not shown)", override: true })
    }),
    Schema.UndefinedOr(Schema.typeSchema(schema)),
    {
      strict: false, // "" is a string to both sides of the union; it means "absent" here
      decode: (value) => value === null || value === "" ? undefined : value,
      encode: (value) => value ?? null
    }
  )

const Wire = Schema.Struct({
  access_token: Token.Secret,
  token_type: Schema.optional(Schema.NullOr(Schema.String.pipe(Schema.pattern(/^(bearer(token)?)?$/i)))),
  expires_in: Schema.optional(TokenEndpoint.Seconds),
  // Exact: `optional` adds a member to the union, whose message would show the value.
  refresh_token: Schema.optionalWith(orAbsent(Token.Secret), { exact: true }),
  refresh_token_expires_in: Schema.optional(TokenEndpoint.Seconds),
  scope: Schema.optional(Schema.NullOr(Schema.String))
})

/**
 * A successful reply of a token endpoint (RFC 6749 §5.1), read with the
 * tolerance that servers need: `expires_in` may be a string, `token_type` may be
 * absent or in any case, unknown fields are ignored. A `token_type` that is not
 * a bearer token is refused (§7.1).
 *
 * @since 0.1.0
 * @category schemas
 */
export const TokenReply: Schema.Schema<AuthFlow.TokenReply, Schema.Schema.Encoded<typeof Wire>> = Schema.transform(
  Wire,
  TokenEndpoint.TokenReplyFromSelf,
  {
    strict: true,
    decode: (wire) => ({
      accessToken: wire.access_token,
      expiresIn: wire.expires_in,
      refreshToken: wire.refresh_token,
      refreshExpiresIn: wire.refresh_token_expires_in,
      scope: wire.scope ?? undefined
    }),
    encode: (reply) => ({
      access_token: reply.accessToken,
      expires_in: reply.expiresIn,
      refresh_token: reply.refreshToken,
      refresh_token_expires_in: reply.refreshExpiresIn,
      scope: reply.scope
    })
  }
)

/**
 * An error reply of a token endpoint (RFC 6749 §5.2).
 *
 * @since 0.1.0
 * @category schemas
 */
export const ErrorReply = Schema.Struct({
  error: Schema.NonEmptyString,
  error_description: Schema.optional(Schema.NullOr(Schema.String))
})

const decodeError = Schema.decodeUnknownOption(ErrorReply)

const hints: Readonly<Record<string, string>> = {
  invalid_client: "Check the client id and the client secret, and that they belong to this environment.",
  unauthorized_client: "This client may not use this grant: change that at the provider.",
  invalid_scope: "Ask for scopes that this client was granted.",
  unsupported_grant_type: "The provider does not know this grant."
}

/**
 * Reads an error reply in the words of RFC 6749.
 *
 * @since 0.1.0
 * @category errors
 */
export const refusal = (body: unknown): Option.Option<TokenEndpoint.Refusal> =>
  Option.map(decodeError(body), (reply) =>
    withHint({ error: reply.error, description: reply.error_description ?? undefined }))

/** Whatever dialect the code came in, it means the same. */
const withHint = (refusal: TokenEndpoint.Refusal): TokenEndpoint.Refusal =>
  refusal.hint === undefined && refusal.error !== undefined && Object.hasOwn(hints, refusal.error)
    ? { ...refusal, hint: hints[refusal.error] }
    : refusal

/** application/x-www-form-urlencoded, RFC 6749 appendix B. */
const formEncode = (text: string): string => new URLSearchParams([["", text]]).toString().slice(1)

const basic = (clientId: string, secret: Redacted.Redacted): Redacted.Redacted =>
  Redacted.make(btoa(`${formEncode(clientId)}:${formEncode(Redacted.value(secret))}`))

/**
 * @since 0.1.0
 * @category models
 */
export interface ClientCredentialsOptions<R = never> {
  /** The provider's name, as it appears in errors, logs and metrics. */
  readonly provider: string
  readonly environment?: string | undefined
  readonly baseUrl: string
  /** The token endpoint: an absolute URL, https or loopback. */
  readonly tokenUrl: string
  readonly clientId: string | Redacted.Redacted
  /**
   * A secret, or an Effect that reads it at each renewal, so that it can be
   * replaced without a restart. Where it cannot be read, let it fail with
   * `TokenEndpointUnavailable` reason `Secret`.
   */
  readonly clientSecret: Redacted.Redacted | Effect.Effect<Redacted.Redacted, CredentialsError, R>
  /** `client_secret_post` by default. */
  readonly clientAuthentication?: ClientAuthentication | undefined
  readonly scopes?: ReadonlyArray<string> | undefined
  /** Which account these credentials act for, where one client has several. */
  readonly account?: string | undefined
  /** The lifetime of a token whose reply has no `expires_in`, which is only recommended (RFC 6749 §5.1). */
  readonly lifetimeWhenAbsent: Duration.DurationInput
  /** Headers sent with every API request. Those given as `Redacted` are never logged or traced. */
  readonly headers?: AuthFlow.HeaderInput | undefined
  readonly refreshPolicy?: RefreshPolicy | undefined
  /** Reads the provider's own dialect of an error; what it does not know is read in the words of RFC 6749. */
  readonly refusal?: TokenEndpoint.Options<unknown>["refusal"]
  /** How a call of the token endpoint is tried again. */
  readonly retry?: RetryPolicy | undefined
  /** Of one attempt at the token endpoint; 10 seconds by default. */
  readonly timeout?: Duration.DurationInput | undefined
}

/**
 * The client credentials grant (RFC 6749 §4.4): the application acts for
 * itself. A renewal is a new grant; there is no refresh token (§4.4.3).
 *
 * Fails with `ConfigError`, which names the option and never prints the value,
 * where a URL is not https (or loopback) or a value is empty or cannot be a
 * header.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { Credentials, OAuth2 } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 *
 * export const layer = Credentials.layer(
 *   Acme,
 *   OAuth2.clientCredentials({
 *     provider: "acme",
 *     baseUrl: "https://api.acme.example",
 *     tokenUrl: "https://login.acme.example/token",
 *     clientId: "my-app",
 *     clientSecret: Redacted.make("secret"),
 *     lifetimeWhenAbsent: "1 hour"
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category flows
 */
export const clientCredentials = <R = never>(
  options: ClientCredentialsOptions<R>
): Effect.Effect<AuthFlow.AuthFlow<HttpClient.HttpClient | R>, ConfigError.ConfigError> =>
  Effect.gen(function*() {
    const tokenUrl = (yield* HttpsUrl.parse(options.tokenUrl, "tokenUrl")).href
    const clientId = Redacted.isRedacted(options.clientId) ? Redacted.value(options.clientId) : options.clientId
    yield* HeaderValue.checkText(clientId, "clientId")
    const { clientSecret } = options
    const isValue = Redacted.isRedacted(clientSecret)
    if (isValue) yield* HeaderValue.checkText(Redacted.value(clientSecret), "clientSecret")
    const readSecret: Effect.Effect<Redacted.Redacted, CredentialsError, R> = isValue
      ? Effect.succeed(clientSecret)
      : clientSecret
    const scope = options.scopes === undefined || options.scopes.length === 0 ? undefined : options.scopes.join(" ")

    const byBasic = options.clientAuthentication === "client_secret_basic"
    const request = (secret: Redacted.Redacted): HttpClientRequest.HttpClientRequest => {
      const form = {
        grant_type: "client_credentials",
        ...(byBasic ? {} : { client_id: clientId, client_secret: Redacted.value(secret) }),
        ...(scope === undefined ? {} : { scope })
      }
      const post = HttpClientRequest.post(tokenUrl, { acceptJson: true }).pipe(HttpClientRequest.bodyUrlParams(form))
      return byBasic
        ? HttpClientRequest.setHeader(post, "authorization", `Basic ${Redacted.value(basic(clientId, secret))}`)
        : post
    }

    const endpoint = TokenEndpoint.make({
      provider: options.provider,
      reply: TokenReply,
      refusal: (body, status) =>
        Option.orElse(Option.map(options.refusal?.(body, status) ?? Option.none(), withHint), () => refusal(body)),
      retry: options.retry,
      timeout: options.timeout
    })

    return yield* AuthFlow.make<HttpClient.HttpClient | R>({
      identity: {
        provider: options.provider,
        environment: options.environment,
        clientId,
        grant: "client_credentials",
        scopes: options.scopes,
        account: options.account,
        secret: isValue ? clientSecret : undefined
      },
      baseUrl: options.baseUrl,
      headers: options.headers,
      lifetimeWhenAbsent: options.lifetimeWhenAbsent,
      refreshPolicy: options.refreshPolicy,
      obtain: Effect.flatMap(readSecret, (secret) =>
        endpoint({ request: Effect.succeed(request(secret)), secrets: [secret, basic(clientId, secret)] }))
    })
  })
