/**
 * Credentials of a Digitzs application: an API key, an app key, and the app
 * token that the two are exchanged for.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as AuthFlow from "effect-credentials/AuthFlow"
import * as BaseUrl from "effect-credentials/BaseUrl"
import * as Credentials from "effect-credentials/Credentials"
import * as CredentialsConfig from "effect-credentials/CredentialsConfig"
import type { CredentialsError } from "effect-credentials/CredentialsError"
import * as Jwt from "effect-credentials/Jwt"
import * as RefreshPolicy from "effect-credentials/RefreshPolicy"
import type { RetryPolicy } from "effect-credentials/RetryPolicy"
import * as Token from "effect-credentials/Token"
import * as TokenEndpoint from "effect-credentials/TokenEndpoint"
import type * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Dialects from "./internal/dialects.js"
import { apiHeaders, defaultBaseUrl } from "./internal/headers.js"

/**
 * What a program that calls Digitzs needs.
 *
 * @since 0.1.0
 * @category tags
 */
export class DigitzsApp extends Credentials.Tag("@effect-credentials/digitzs/DigitzsApp")<DigitzsApp>() {}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> {
  readonly apiKey: Redacted.Redacted
  /**
   * The app key, or an Effect that reads it at each renewal, so that it can be
   * replaced without a restart.
   */
  readonly appKey: Redacted.Redacted | Effect.Effect<Redacted.Redacted, CredentialsError, R>
  /** Sent as `appId` with every request; `false` leaves it out, which Digitzs does not document. */
  readonly appId: string | false
  /** `https://api.digitzs.com` by default; some accounts have another one. https, or loopback. */
  readonly baseUrl?: string | undefined
  /** How a call of `/auth/token` is tried again. */
  readonly retry?: RetryPolicy | undefined
  /** Of one attempt at `/auth/token`; 10 seconds by default. */
  readonly timeout?: Duration.DurationInput | undefined
}

/** "Create App Token": renew 5 minutes before the token expires. One that lives shorter than 10 minutes, at its half. */
const refreshPolicy = RefreshPolicy.make({ softMax: "5 minutes", softFraction: 0.5 })

/** "Create App Token": an app token lives an hour. */
const documentedLifetime = "1 hour"

/** The `id` beside the attributes is the API key: it is not read. */
const Reply: Schema.Schema<
  AuthFlow.TokenReply,
  { readonly data: { readonly attributes: { readonly appToken: string } } }
> = Schema.transform(
  Schema.Struct({ data: Schema.Struct({ attributes: Schema.Struct({ appToken: Token.Secret }) }) }),
  TokenEndpoint.TokenReplyFromSelf,
  {
    strict: true,
    decode: ({ data }) => ({ accessToken: data.attributes.appToken }),
    encode: ({ accessToken }) => ({ data: { attributes: { appToken: accessToken } } })
  }
)

/** The reply does not say how long the token lives; the token itself may. */
const withLifetime = (reply: TokenEndpoint.TimedReply): AuthFlow.TokenReply => ({
  ...reply,
  expiresIn: Option.getOrUndefined(Jwt.lifetime(reply.accessToken, reply.requestedAt.epochMillis))
})

/**
 * The flow alone, for a tag of your own: a second account, say.
 *
 * @example
 * ```ts
 * import { DigitzsApp } from "@effect-credentials/digitzs"
 * import { Redacted } from "effect"
 * import { Credentials } from "effect-credentials"
 *
 * class Marketplace extends Credentials.Tag("Marketplace")<Marketplace>() {}
 *
 * export const layer = Credentials.layer(
 *   Marketplace,
 *   DigitzsApp.flow({
 *     apiKey: Redacted.make("second-api-key"),
 *     appKey: Redacted.make("second-app-key"),
 *     appId: "second-app-id"
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category flows
 */
export const flow = <R = never>(
  options: Options<R>
): Effect.Effect<AuthFlow.AuthFlow<HttpClient.HttpClient | R>, ConfigError> =>
  Effect.gen(function*() {
    const { appId, appKey } = options
    const apiKey = yield* CredentialsConfig.check(options.apiKey, "apiKey")
    if (appId !== false) yield* CredentialsConfig.check(appId, "appId")
    const isValue = Redacted.isRedacted(appKey)
    if (isValue) yield* CredentialsConfig.check(appKey, "appKey")
    const readAppKey: Effect.Effect<Redacted.Redacted, CredentialsError, R> = isValue ? Effect.succeed(appKey) : appKey
    const baseUrl = yield* BaseUrl.parse(options.baseUrl ?? defaultBaseUrl, "baseUrl")

    const request = (appKey: Redacted.Redacted): HttpClientRequest.HttpClientRequest =>
      HttpClientRequest.post(`${baseUrl.href}auth/token`, { acceptJson: true }).pipe(
        HttpClientRequest.setHeader("x-api-key", Redacted.value(apiKey)),
        HttpClientRequest.bodyUnsafeJson({ data: { type: "auth", attributes: { appKey: Redacted.value(appKey) } } })
      )
    const endpoint = TokenEndpoint.make({
      provider: "digitzs",
      reply: Reply,
      refusal: Dialects.refusal,
      retry: options.retry,
      timeout: options.timeout
    })

    return yield* AuthFlow.make<HttpClient.HttpClient | R>({
      identity: {
        provider: "digitzs",
        environment: baseUrl.origin,
        clientId: Redacted.make(JSON.stringify([Redacted.value(apiKey), appId])),
        grant: "app_key",
        secret: isValue ? appKey : undefined
      },
      baseUrl: baseUrl.href,
      headers: apiHeaders(apiKey, appId),
      lifetimeWhenAbsent: documentedLifetime,
      refreshPolicy,
      obtain: Effect.flatMap(readAppKey, (appKey) =>
        Effect.map(endpoint({ request: Effect.succeed(request(appKey)), secrets: [apiKey, appKey] }), withLifetime))
    })
  })

/**
 * Fails with `ConfigError`, which names the option and never prints a value,
 * where an option is empty or cannot be what it is for.
 *
 * @example
 * ```ts
 * import { DigitzsApp } from "@effect-credentials/digitzs"
 * import { Redacted } from "effect"
 *
 * export const layer = DigitzsApp.layer({
 *   apiKey: Redacted.make("my-api-key"),
 *   appKey: Redacted.make("my-app-key"),
 *   appId: "my-app-id"
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(
  options: Options<R> & Credentials.Options
): Layer.Layer<DigitzsApp, ConfigError, HttpClient.HttpClient | R> =>
  Credentials.layer(DigitzsApp, flow(options), options)

/**
 * Any of these may be replaced; the default of each is the variable named.
 *
 * @since 0.1.0
 * @category models
 */
export interface Configs {
  /** `DIGITZS_API_KEY` */
  readonly apiKey?: Config.Config<Redacted.Redacted> | undefined
  /** `DIGITZS_APP_KEY` */
  readonly appKey?: Config.Config<Redacted.Redacted> | undefined
  /** `DIGITZS_APP_ID`. Required; `false` leaves it out of the requests. */
  readonly appId?: Config.Config<string> | false | undefined
  /** `DIGITZS_BASE_URL`, optional */
  readonly baseUrl?: Config.Config<string | undefined> | undefined
}

/**
 * `flow` with its options from the configuration.
 *
 * @since 0.1.0
 * @category flows
 */
export const flowConfig = (
  config: Configs = {}
): Effect.Effect<AuthFlow.AuthFlow<HttpClient.HttpClient>, ConfigError> =>
  Effect.gen(function*() {
    const { optionalBaseUrl, secret, text } = CredentialsConfig
    return yield* flow({
      apiKey: yield* config.apiKey ?? secret("DIGITZS_API_KEY"),
      appKey: yield* config.appKey ?? secret("DIGITZS_APP_KEY"),
      appId: config.appId === false ? false : yield* config.appId ?? text("DIGITZS_APP_ID"),
      baseUrl: yield* config.baseUrl ?? optionalBaseUrl("DIGITZS_BASE_URL")
    })
  })

/**
 * Reads its options from the configuration when it is built. It is a function,
 * because a constant would be built once for two configurations.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config: Configs = {},
  options: Credentials.Options = {}
): Layer.Layer<DigitzsApp, ConfigError, HttpClient.HttpClient> =>
  Credentials.layer(DigitzsApp, flowConfig(config), options)

/**
 * For tests: no network, any token, any failure. Requests carry Digitzs's
 * headers and go to its address, wherever the test's `HttpClient` takes them.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (options: Credentials.TestOptions = {}): Layer.Layer<DigitzsApp> =>
  Credentials.layerTest(DigitzsApp, {
    provider: "digitzs",
    baseUrl: defaultBaseUrl,
    headers: apiHeaders(Redacted.make("test-api-key"), "test-app"),
    ...options
  })
