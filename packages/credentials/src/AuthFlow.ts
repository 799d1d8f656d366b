/**
 * One way of getting tokens, as a value: whose they are, how they are obtained
 * and renewed, how they are put on a request, and where they may go.
 *
 * `OAuth2` builds flows for the standard grants; `make` builds one by hand.
 *
 * @since 0.1.0
 */
import * as Headers from "@effect/platform/Headers"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as ConfigError from "effect/ConfigError"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as BaseUrl from "./BaseUrl.js"
import { ReauthorizationRequired } from "./CredentialsError.js"
import type { CredentialsError } from "./CredentialsError.js"
import type * as CredentialsIdentity from "./CredentialsIdentity.js"
import * as HeaderValue from "./internal/headerValue.js"
import { withHeaders } from "./internal/request.js"
import type { RefreshPolicy } from "./RefreshPolicy.js"
import type { Token } from "./Token.js"

/**
 * What a token endpoint said. The engine turns it into a `Token`.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenReply {
  readonly accessToken: Redacted.Redacted
  /** From when the request was sent. Absent, zero, negative or not finite means that the server did not say. */
  readonly expiresIn?: Duration.Duration | undefined
  readonly refreshToken?: Redacted.Redacted | undefined
  readonly refreshExpiresIn?: Duration.Duration | undefined
  readonly scope?: string | undefined
  /** The base URL that this token is for. The flow must say which ones it accepts (`acceptBaseUrl`). */
  readonly baseUrl?: string | undefined
  /** When the request that got this reply was sent; the start of the exchange where absent. */
  readonly requestedAt?: DateTime.Utc | undefined
}

/**
 * A reply that always has its expiry.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenReplyWithExpiry extends TokenReply {
  readonly expiresIn: Duration.Duration
}

/**
 * @since 0.1.0
 * @category models
 */
export interface AuthFlow<out R = never> {
  readonly identity: CredentialsIdentity.Parts
  /** Gets a first token; fails with `ReauthorizationRequired` where only a person can begin. */
  readonly obtain: Effect.Effect<TokenReply, CredentialsError, R>
  /** Whether only a person can begin: `obtain` never succeeds. */
  readonly requiresLogin: boolean
  /** How to use a refresh token; where absent, a renewal obtains a new token. */
  readonly renew: Option.Option<Renew<R>>
  /**
   * What the client proves itself with, read whenever a token is renewed. A
   * stored token is handed only to who has the secret it was got with.
   */
  readonly secret: Option.Option<Effect.Effect<Redacted.Redacted, CredentialsError, R>>
  /** Puts the token and the static headers on a request whose target has been checked. */
  readonly attach: (
    request: HttpClientRequest.HttpClientRequest,
    token: Token
  ) => HttpClientRequest.HttpClientRequest
  readonly baseUrl: BaseUrl.BaseUrl
  /** Every origin that may receive these credentials; the base URL's is one of them. */
  readonly origins: ReadonlyArray<string>
  /** Which base URLs a token reply may name instead of `baseUrl`: none, unless the flow says so. */
  readonly acceptBaseUrl: (baseUrl: BaseUrl.BaseUrl) => boolean
  /** Lower-case names of the headers that hold a secret: never logged or traced. */
  readonly secretHeaders: ReadonlyArray<string>
  /** The lifetime of a token whose reply does not give one. */
  readonly lifetimeWhenAbsent: Duration.Duration
  readonly refreshPolicy: Option.Option<RefreshPolicy>
}

/**
 * Redeems a refresh token (RFC 6749 §6). Fails with `ReauthorizationRequired`,
 * reason `Refused`, where the server no longer takes it (`invalid_grant`), and
 * with nothing of that name otherwise.
 *
 * @since 0.1.0
 * @category models
 */
export type Renew<R, Reply extends TokenReply = TokenReply> = (
  refreshToken: Redacted.Redacted
) => Effect.Effect<Reply, CredentialsError, R>

/**
 * A header value: `Redacted` where it is a secret.
 *
 * @since 0.1.0
 * @category models
 */
export type HeaderInput = Readonly<Record<string, string | Redacted.Redacted | undefined>>

/**
 * @since 0.1.0
 * @category models
 */
export interface Options<R> {
  readonly identity: CredentialsIdentity.Parts
  readonly baseUrl: string
  /** Further origins that may receive these credentials. */
  readonly otherOrigins?: ReadonlyArray<string> | undefined
  /**
   * For a provider whose token replies name the base URL: which ones to believe.
   * Whatever it says, a base URL must be https, or loopback. None by default.
   */
  readonly acceptBaseUrl?: ((baseUrl: BaseUrl.BaseUrl) => boolean) | undefined
  readonly obtain: Effect.Effect<TokenReply, CredentialsError, R>
  /**
   * How to use a refresh token. Run it in a Layer that has a `TokenStore`
   * (`Credentials.layerShared`), or what the server rotates is gone when the
   * program ends.
   */
  readonly renew?: Renew<R> | undefined
  /** Needed where it is read anew each time: otherwise the `secret` of `identity`. */
  readonly secret?: Effect.Effect<Redacted.Redacted, CredentialsError, R> | undefined
  /** The lifetime of a token whose reply does not give one. Must be declared unless every reply gives one. */
  readonly lifetimeWhenAbsent: Duration.DurationInput
  /** Headers sent with every request. Those given as `Redacted` are never logged or traced. */
  readonly headers?: HeaderInput | undefined
  /** The header that carries the token: `Authorization: Bearer <token>` by default. */
  readonly tokenHeader?: { readonly name: string; readonly prefix: string } | undefined
  readonly refreshPolicy?: RefreshPolicy | undefined
}

/**
 * For a flow whose every reply gives an expiry.
 *
 * @since 0.1.0
 * @category models
 */
export interface OptionsWithExpiry<R> extends Omit<Options<R>, "lifetimeWhenAbsent"> {
  readonly obtain: Effect.Effect<TokenReplyWithExpiry, CredentialsError, R>
  readonly renew?: Renew<R, TokenReplyWithExpiry> | undefined
  readonly lifetimeWhenAbsent?: Duration.DurationInput | undefined
}

/**
 * For a flow that only a person can begin: it has nothing to obtain a token
 * with, only what a login has stored.
 *
 * @since 0.1.0
 * @category models
 */
export interface OptionsWithLogin<R> extends Omit<Options<R>, "obtain"> {
  readonly obtain?: undefined
  readonly renew: Renew<R>
}

const asText = (value: string | Redacted.Redacted): string =>
  Redacted.isRedacted(value) ? Redacted.value(value) : value

/**
 * The headers are made once a token and live in this closure, where nothing can
 * print them.
 */
const attachTo = (
  statics: ReadonlyArray<readonly [string, string]>,
  header: { readonly name: string; readonly prefix: string }
): AuthFlow["attach"] => {
  let last: Token | undefined
  let ready: Headers.Headers = Headers.empty
  return (request, token) => {
    if (token !== last) {
      ready = Headers.fromInput([...statics, [header.name, header.prefix + Redacted.value(token.accessToken)]])
      last = token
    }
    return withHeaders(request, ready)
  }
}

const loginFirst = ({ account, provider }: CredentialsIdentity.Parts): Effect.Effect<never, CredentialsError> =>
  Effect.suspend(() => Effect.fail(new ReauthorizationRequired({ provider, account, reason: "NothingStored" })))

/** A server that says its token is dead on arrival is not asked again at every request. */
const shortest = Duration.minutes(1)

/**
 * Builds a flow. Fails with `ConfigError` where the base URL is not https (or
 * loopback) or a header value cannot be one; it names the option, never the
 * value.
 *
 * @example
 * ```ts
 * import { Duration, Effect, Redacted } from "effect"
 * import { AuthFlow, Credentials } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 *
 * const flow = AuthFlow.make({
 *   identity: { provider: "acme", clientId: "me", grant: "static" },
 *   baseUrl: "https://api.acme.example",
 *   obtain: Effect.succeed({ accessToken: Redacted.make("secret"), expiresIn: Duration.hours(1) })
 * })
 *
 * export const layer = Credentials.layer(Acme, flow)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  <R = never>(options: OptionsWithExpiry<R>): Effect.Effect<AuthFlow<R>, ConfigError.ConfigError>
  <R = never>(options: Options<R> | OptionsWithLogin<R>): Effect.Effect<AuthFlow<R>, ConfigError.ConfigError>
} = <R>(options: OptionsWithExpiry<R> | Options<R> | OptionsWithLogin<R>): Effect.Effect<AuthFlow<R>, ConfigError.ConfigError> =>
  Effect.gen(function*() {
    const baseUrl = yield* BaseUrl.parse(options.baseUrl, "baseUrl")
    const others = yield* Effect.forEach(options.otherOrigins ?? [], (url) => BaseUrl.parse(url, "otherOrigins"))
    const header = options.tokenHeader ?? { name: "authorization", prefix: "Bearer " }
    const statics: Array<readonly [string, string]> = []
    const secretHeaders = [header.name.toLowerCase()]
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      if (value === undefined) continue
      statics.push([name.toLowerCase(), asText(yield* HeaderValue.check(value, name))])
      if (Redacted.isRedacted(value)) secretHeaders.push(name.toLowerCase())
    }
    const { identity } = options
    return {
      identity,
      obtain: options.obtain ?? loginFirst(identity),
      requiresLogin: options.obtain === undefined,
      renew: Option.fromNullable(options.renew),
      secret: Option.fromNullable(
        options.secret ?? (identity.secret === undefined ? undefined : Effect.succeed(identity.secret))
      ),
      attach: attachTo(statics, header),
      baseUrl,
      origins: [baseUrl.origin, ...others.map((other) => other.origin)],
      acceptBaseUrl: options.acceptBaseUrl ?? (() => false),
      secretHeaders,
      lifetimeWhenAbsent: Duration.decode(options.lifetimeWhenAbsent ?? shortest),
      refreshPolicy: Option.fromNullable(options.refreshPolicy)
    }
  })
