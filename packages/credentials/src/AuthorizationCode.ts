/**
 * The authorization code grant: an application that acts for a person.
 * `OAuth2` has all of it.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as AuthFlow from "./AuthFlow.js"
import type { AuthorizationFailed } from "./AuthorizationError.js"
import type { CredentialsError } from "./CredentialsError.js"
import * as HeaderValue from "./internal/headerValue.js"
import * as Login from "./internal/login.js"
import * as OAuthClient from "./internal/oauthClient.js"
import type { ClientAuthentication, ClientOptions } from "./internal/oauthClient.js"
import { readRefusal, TokenReply } from "./OAuth2Reply.js"
import type { PendingAuthorizations } from "./PendingAuthorization.js"
import type * as Token from "./Token.js"
import type * as TokenEndpoint from "./TokenEndpoint.js"
import type { TokenStore } from "./TokenStore.js"

/** RFC 6749 §5.2: what a person has granted is expired, revoked, or not for this client. */
const loginWhereRefused = (refusal: TokenEndpoint.Refusal): TokenEndpoint.Refusal => ({
  ...refusal,
  loginRequired: refusal.loginRequired ?? refusal.error === "invalid_grant"
})

/**
 * @since 0.1.0
 * @category models
 */
export interface AuthorizationCodeOptions<R = never> extends ClientOptions {
  /**
   * Whose login this is, in the application's own words: the id of its user or
   * tenant. Part of the key under which the token is stored, so whoever can
   * choose it freely can choose whose token to read.
   */
  readonly account: string
  /** As for `clientCredentials`. A public client, which cannot keep a secret, has none. */
  readonly clientSecret?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, CredentialsError, R> | undefined
  /** `client_secret_post` by default, `none` for a public client. */
  readonly clientAuthentication?: ClientAuthentication | undefined
  /**
   * Of one attempt at the token endpoint; 20 seconds by default: longer than for
   * other grants, since an answer that comes too late takes the refresh token
   * with it.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /** The authorization endpoint: an absolute URL, https or loopback. Needed to begin a login, not to renew a token. */
  readonly authorizeUrl?: string | undefined
  /**
   * Whether to prove with the code that we are who asked for it (PKCE with S256,
   * RFC 7636). `true` by default; `false` only for a provider that does not know
   * it, and never for a public client.
   */
  readonly pkce?: boolean | undefined
  /** The authorization server's issuer identifier: what `iss` in a callback must be, where it is there (RFC 9207). */
  readonly issuer?: string | undefined
  /** Reads the provider's own dialect of an error in a callback; RFC 6749 §4.1.2.1 is read anyway. */
  readonly authorizationError?: ((parameters: URLSearchParams) => Option.Option<TokenEndpoint.Refusal>) | undefined
}

/**
 * Where to send a person, and what to remember of it in that person's browser.
 *
 * @since 0.1.0
 * @category models
 */
export interface AuthorizationRequest {
  /** The address at the provider, with our `state` in it. Send the browser there. */
  readonly url: string
  /**
   * Proves later that the callback came to the browser that began. Give it to
   * this browser only, in a cookie `__Host-…` with `HttpOnly`, `Secure` and
   * `SameSite=Lax`, and back to `complete`.
   */
  readonly userAgent: Redacted.Redacted
  /** The `state` parameter, to tell the callbacks of several logins apart. No proof of anything. */
  readonly state: string
}

/**
 * A flow that a person can begin.
 *
 * @since 0.1.0
 * @category models
 */
export interface AuthorizationCodeFlow<R = never> extends AuthFlow.AuthFlow<R> {
  /**
   * Begins a login: makes an unguessable `state` and a PKCE verifier, and
   * remembers them on the server for 10 minutes.
   *
   * `redirectUri` is one that is registered with the provider: https, or
   * loopback. `parameters` are added to the address, with names as in RFC 6749
   * §8.2; those that are ours cannot be among them. Fails with `ConfigError` for
   * what is wrong with either.
   */
  readonly begin: (options: {
    readonly redirectUri: string
    readonly parameters?: Readonly<Record<string, string>> | undefined
  }) => Effect.Effect<
    AuthorizationRequest,
    ConfigError.ConfigError | CredentialsError,
    PendingAuthorizations
  >
  /**
   * Completes a login: redeems the code of the callback and stores the token,
   * whereupon every Layer on the same store has it. A callback counts once,
   * within 10 minutes, in the browser that began.
   *
   * `callback` is the URL to which the browser came, or its path and query.
   * Fails with `AuthorizationFailed` where the login came to nothing, and stores
   * nothing then.
   */
  readonly complete: (options: {
    readonly callback: string
    readonly userAgent: Redacted.Redacted
  }) => Effect.Effect<
    Token.Token,
    AuthorizationFailed | CredentialsError,
    R | PendingAuthorizations | TokenStore
  >
}

/**
 * The authorization code grant (RFC 6749 §4.1) with refresh tokens (§6): the
 * application acts for a person who has logged in.
 *
 * For `Credentials.layerShared`: the refresh token must outlive the program.
 *
 * - A reply that has no new refresh token keeps the old one.
 * - `invalid_grant` means that the person must log in again
 *   (`ReauthorizationRequired`); no other failure does.
 *
 * Fails with `ConfigError` as `clientCredentials` does, and where there is a
 * secret with `none` or none without it.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { Credentials, OAuth2 } from "effect-credentials"
 *
 * class AcmeUser extends Credentials.Tag("AcmeUser")<AcmeUser>() {}
 *
 * // Needs an HttpClient and a TokenStore.
 * export const layer = Credentials.layerShared(
 *   AcmeUser,
 *   OAuth2.authorizationCode({
 *     provider: "acme",
 *     account: "alice",
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
export const authorizationCode = <R = never>(
  options: AuthorizationCodeOptions<R>
): Effect.Effect<AuthorizationCodeFlow<HttpClient.HttpClient | R>, ConfigError.ConfigError> =>
  Effect.gen(function*() {
    yield* HeaderValue.checkText(options.account, "account")
    const clientAuthentication = options.clientAuthentication ??
      (options.clientSecret === undefined ? "none" : "client_secret_post")
    const pkce = options.pkce ?? true
    if (!pkce && clientAuthentication === "none") {
      return yield* Effect.fail(ConfigError.InvalidData(["pkce"], "Expected PKCE with a public client (RFC 9700 §2.1.1)"))
    }
    const client = yield* OAuthClient.make({
      ...options,
      reply: TokenReply,
      refusal: (body, status) => Option.map(readRefusal(options.refusal)(body, status), loginWhereRefused),
      clientAuthentication,
      timeout: options.timeout ?? "20 seconds"
    })
    const flow = yield* AuthFlow.make<HttpClient.HttpClient | R>({
      baseUrl: options.baseUrl,
      headers: options.headers,
      lifetimeWhenAbsent: options.lifetimeWhenAbsent,
      refreshPolicy: options.refreshPolicy,
      identity: {
        provider: options.provider,
        environment: options.environment,
        clientId: options.clientId,
        grant: "authorization_code",
        tokenUrl: client.destination,
        scopes: options.scopes,
        account: options.account
      },
      secret: client.secret,
      renew: (refreshToken) =>
        client.call({ grant_type: "refresh_token", refresh_token: Redacted.value(refreshToken) }, [refreshToken])
    })
    const login: Login.Options<R> = {
      identity: flow.identity,
      authorizeUrl: options.authorizeUrl,
      pkce,
      issuer: options.issuer,
      readError: options.authorizationError,
      secret: client.secret
    }
    return {
      ...flow,
      begin: (asked) => Login.begin(login, asked),
      complete: (received) =>
        Effect.flatMap(Login.receive(login, received), ({ code, redirectUri, verifier }) =>
          Login.redeem(
            flow,
            client.call({
              grant_type: "authorization_code",
              code: Redacted.value(code),
              redirect_uri: redirectUri,
              ...(Option.isNone(verifier) ? {} : { code_verifier: Redacted.value(verifier.value) })
            }, [code, ...Option.toArray(verifier)])
          ))
    }
  })
