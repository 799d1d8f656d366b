/**
 * The standard grants of OAuth 2.0 as auth flows.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as AuthFlow from "./AuthFlow.js"
import type { CredentialsError } from "./CredentialsError.js"
import * as OAuthClient from "./internal/oauthClient.js"
import { readRefusal, TokenReply } from "./OAuth2Reply.js"

export * from "./AuthorizationCode.js"
export * from "./OAuth2Reply.js"

/**
 * How the client proves who it is (RFC 6749 §2.3.1): id and secret in the body,
 * or by HTTP Basic, each form-encoded first (appendix B); or not at all, where
 * it cannot keep a secret (§2.1).
 *
 * @since 0.1.0
 * @category models
 */
export type ClientAuthentication = OAuthClient.ClientAuthentication

/**
 * What every grant needs to know of the client and its provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientOptions extends OAuthClient.ClientOptions {}

/**
 * @since 0.1.0
 * @category models
 */
export interface ClientCredentialsOptions<R = never> extends ClientOptions {
  /**
   * A secret, or an Effect that reads it at each renewal, so that it can be
   * replaced without a restart. Where it cannot be read, let it fail with
   * `TokenEndpointUnavailable` reason `Secret`.
   */
  readonly clientSecret: Redacted.Redacted | Effect.Effect<Redacted.Redacted, CredentialsError, R>
  /** `client_secret_post` by default. */
  readonly clientAuthentication?: "client_secret_post" | "client_secret_basic" | undefined
  /** Which account these credentials act for, where one client has several. */
  readonly account?: string | undefined
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
    const client = yield* OAuthClient.make({
      ...options,
      reply: TokenReply,
      refusal: readRefusal(options.refusal),
      clientAuthentication: options.clientAuthentication ?? "client_secret_post"
    })
    const scope = OAuthClient.scope(options.scopes)
    return yield* AuthFlow.make<HttpClient.HttpClient | R>({
      baseUrl: options.baseUrl,
      headers: options.headers,
      lifetimeWhenAbsent: options.lifetimeWhenAbsent,
      refreshPolicy: options.refreshPolicy,
      identity: {
        provider: options.provider,
        environment: options.environment,
        clientId: options.clientId,
        grant: "client_credentials",
        tokenUrl: client.destination,
        scopes: options.scopes,
        account: options.account,
        secret: Redacted.isRedacted(options.clientSecret) ? options.clientSecret : undefined
      },
      secret: client.secret,
      obtain: client.call({ grant_type: "client_credentials", ...scope }, [])
    })
  })

