/**
 * Credentials of a DigiKey application that acts for itself (2-legged OAuth 2.0:
 * the client credentials grant).
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type { AuthFlow } from "effect-credentials/AuthFlow"
import * as Credentials from "effect-credentials/Credentials"
import * as CredentialsConfig from "effect-credentials/CredentialsConfig"
import type { CredentialsError } from "effect-credentials/CredentialsError"
import * as OAuth2 from "effect-credentials/OAuth2"
import type { RetryPolicy } from "effect-credentials/RetryPolicy"
import type * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as DigiKeyEnvironment from "./DigiKeyEnvironment.js"
import * as Dialects from "./internal/dialects.js"
import * as Headers from "./internal/headers.js"

/**
 * What a program that calls a 2-legged product of DigiKey needs.
 *
 * @since 0.1.0
 * @category tags
 */
export class DigiKeyApp extends Credentials.Tag("@effect-credentials/digikey/DigiKeyApp")<DigiKeyApp>() {}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> extends Headers.Options {
  readonly clientId: string | Redacted.Redacted
  /**
   * A secret, or an Effect that reads it at each renewal, so that it can be
   * replaced without a restart.
   */
  readonly clientSecret: Redacted.Redacted | Effect.Effect<Redacted.Redacted, CredentialsError, R>
  readonly environment: DigiKeyEnvironment.DigiKeyEnvironment
  /** Instead of the environment's own, for a simulator or a proxy: https, or loopback. */
  readonly baseUrl?: string | undefined
  /** How a call of the token endpoint is tried again. */
  readonly retry?: RetryPolicy | undefined
  /** Of one attempt at the token endpoint; 10 seconds by default. */
  readonly timeout?: Duration.DurationInput | undefined
}

/** "Authentication & Concepts" gives 30 minutes; the reply's `expires_in` is authoritative. */
const documentedLifetime = "30 minutes"

/**
 * The flow alone, for a tag of your own: a second account, say.
 *
 * @example
 * ```ts
 * import { DigiKeyApp } from "@effect-credentials/digikey"
 * import { Redacted } from "effect"
 * import { Credentials } from "effect-credentials"
 *
 * class Purchasing extends Credentials.Tag("Purchasing")<Purchasing>() {}
 *
 * export const layer = Credentials.layer(
 *   Purchasing,
 *   DigiKeyApp.flow({
 *     clientId: "second-client-id",
 *     clientSecret: Redacted.make("second-client-secret"),
 *     environment: "production"
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category flows
 */
export const flow = <R = never>(
  options: Options<R>
): Effect.Effect<AuthFlow<HttpClient.HttpClient | R>, ConfigError> =>
  Effect.gen(function*() {
    const { environment } = options
    const baseUrl = options.baseUrl ?? DigiKeyEnvironment.baseUrl(environment)
    const clientId = Redacted.isRedacted(options.clientId) ? options.clientId : Redacted.make(options.clientId)
    yield* CredentialsConfig.check(clientId, "clientId")
    const hint = `Check DigiKey's client id and client secret, and that they are ${environment} credentials: ` +
      `those of ${DigiKeyEnvironment.other(environment)} do not work here.`
    return yield* OAuth2.clientCredentials({
      provider: "digikey",
      environment,
      baseUrl,
      tokenUrl: `${baseUrl.replace(/\/$/, "")}/v1/oauth2/token`,
      clientId,
      clientSecret: options.clientSecret,
      account: options.accountId,
      lifetimeWhenAbsent: documentedLifetime,
      headers: Headers.make(clientId, options),
      retry: options.retry,
      timeout: options.timeout,
      refusal: (json, status) => {
        const said = Dialects.refusal(json)
        // A 401 means the credentials, whatever the body says or does not say.
        return status === 401 ? Option.some({ ...Option.getOrElse(said, () => ({})), hint }) : said
      }
    })
  })

/**
 * Fails with `ConfigError`, which names the option and never prints a value,
 * where an option is empty or cannot be what it is for.
 *
 * @example
 * ```ts
 * import { DigiKeyApp } from "@effect-credentials/digikey"
 * import { Redacted } from "effect"
 *
 * export const layer = DigiKeyApp.layer({
 *   clientId: "my-client-id",
 *   clientSecret: Redacted.make("my-client-secret"),
 *   environment: "sandbox"
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(
  options: Options<R> & Credentials.Options
): Layer.Layer<DigiKeyApp, ConfigError, HttpClient.HttpClient | R> =>
  Credentials.layer(DigiKeyApp, flow(options), options)

/**
 * Any of these may be replaced; the default of each is the variable named.
 *
 * @since 0.1.0
 * @category models
 */
export interface Configs {
  /** `DIGIKEY_CLIENT_ID` */
  readonly clientId?: Config.Config<Redacted.Redacted> | undefined
  /** `DIGIKEY_CLIENT_SECRET` */
  readonly clientSecret?: Config.Config<Redacted.Redacted> | undefined
  /** `DIGIKEY_ENVIRONMENT`: `production` or `sandbox`. Required: a guess would be wrong half of the time. */
  readonly environment?: Config.Config<DigiKeyEnvironment.DigiKeyEnvironment> | undefined
  /** `DIGIKEY_BASE_URL`, optional */
  readonly baseUrl?: Config.Config<string | undefined> | undefined
  /** `DIGIKEY_ACCOUNT_ID`, optional */
  readonly accountId?: Config.Config<string | undefined> | undefined
  /** `DIGIKEY_LOCALE_SITE`, optional */
  readonly localeSite?: Config.Config<string | undefined> | undefined
  /** `DIGIKEY_LOCALE_LANGUAGE`, optional */
  readonly localeLanguage?: Config.Config<string | undefined> | undefined
  /** `DIGIKEY_LOCALE_CURRENCY`, optional */
  readonly localeCurrency?: Config.Config<string | undefined> | undefined
}

/**
 * `flow` with its options from the configuration.
 *
 * @since 0.1.0
 * @category flows
 */
export const flowConfig = (
  config: Configs = {}
): Effect.Effect<AuthFlow<HttpClient.HttpClient>, ConfigError> =>
  Effect.gen(function*() {
    const { optionalBaseUrl, optionalText, secret } = CredentialsConfig
    return yield* flow({
      clientId: yield* config.clientId ?? secret("DIGIKEY_CLIENT_ID"),
      clientSecret: yield* config.clientSecret ?? secret("DIGIKEY_CLIENT_SECRET"),
      environment: yield* config.environment ??
        CredentialsConfig.oneOf("DIGIKEY_ENVIRONMENT", "production", "sandbox"),
      baseUrl: yield* config.baseUrl ?? optionalBaseUrl("DIGIKEY_BASE_URL"),
      accountId: yield* config.accountId ?? optionalText("DIGIKEY_ACCOUNT_ID"),
      localeSite: yield* config.localeSite ?? optionalText("DIGIKEY_LOCALE_SITE"),
      localeLanguage: yield* config.localeLanguage ?? optionalText("DIGIKEY_LOCALE_LANGUAGE"),
      localeCurrency: yield* config.localeCurrency ?? optionalText("DIGIKEY_LOCALE_CURRENCY")
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
): Layer.Layer<DigiKeyApp, ConfigError, HttpClient.HttpClient> =>
  Credentials.layer(DigiKeyApp, flowConfig(config), options)

/**
 * For tests: no network, any token, any failure. Requests carry DigiKey's
 * headers and go to the sandbox's address, wherever the test's `HttpClient`
 * takes them.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (options: Credentials.TestOptions = {}): Layer.Layer<DigiKeyApp> =>
  Credentials.layerTest(DigiKeyApp, {
    provider: "digikey",
    baseUrl: DigiKeyEnvironment.baseUrl("sandbox"),
    headers: Headers.make(Redacted.make("test-client"), {}),
    ...options
  })
