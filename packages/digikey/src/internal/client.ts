/**
 * What the two kinds of DigiKey credentials have in common: one client at one
 * token endpoint.
 */
import * as CredentialsConfig from "effect-credentials/CredentialsConfig"
import type { CredentialsError } from "effect-credentials/CredentialsError"
import type { ClientOptions } from "effect-credentials/OAuth2"
import type { RetryPolicy } from "effect-credentials/RetryPolicy"
import type * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as DigiKeyEnvironment from "../DigiKeyEnvironment.js"
import * as Dialects from "./dialects.js"
import * as Headers from "./headers.js"

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
  /** Of one attempt at the token endpoint. */
  readonly timeout?: Duration.DurationInput | undefined
}

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

export const options = (config: Configs): Effect.Effect<Options, ConfigError> =>
  Effect.gen(function*() {
    const { optionalBaseUrl, optionalText, secret } = CredentialsConfig
    return {
      clientId: yield* config.clientId ?? secret("DIGIKEY_CLIENT_ID"),
      clientSecret: yield* config.clientSecret ?? secret("DIGIKEY_CLIENT_SECRET"),
      environment: yield* config.environment ??
        CredentialsConfig.oneOf("DIGIKEY_ENVIRONMENT", "production", "sandbox"),
      baseUrl: yield* config.baseUrl ?? optionalBaseUrl("DIGIKEY_BASE_URL"),
      accountId: yield* config.accountId ?? optionalText("DIGIKEY_ACCOUNT_ID"),
      localeSite: yield* config.localeSite ?? optionalText("DIGIKEY_LOCALE_SITE"),
      localeLanguage: yield* config.localeLanguage ?? optionalText("DIGIKEY_LOCALE_LANGUAGE"),
      localeCurrency: yield* config.localeCurrency ?? optionalText("DIGIKEY_LOCALE_CURRENCY")
    }
  })

/** The client as OAuth 2.0 knows it. `lifetime`: documented, the reply's `expires_in` is authoritative. */
export const make = <R>(
  options: Options<R>,
  lifetime: Duration.DurationInput
): Effect.Effect<ClientOptions & Pick<Options<R>, "clientSecret" | "timeout">, ConfigError> =>
  Effect.gen(function*() {
    const { environment } = options
    const baseUrl = options.baseUrl ?? DigiKeyEnvironment.baseUrl(environment)
    const clientId = Redacted.isRedacted(options.clientId) ? options.clientId : Redacted.make(options.clientId)
    yield* CredentialsConfig.check(clientId, "clientId")
    const hint = `Check DigiKey's client id and client secret, and that they are ${environment} credentials: ` +
      `those of ${DigiKeyEnvironment.other(environment)} do not work here.`
    return {
      provider: "digikey",
      environment,
      baseUrl,
      tokenUrl: `${baseUrl.replace(/\/$/, "")}/v1/oauth2/token`,
      clientId,
      clientSecret: options.clientSecret,
      lifetimeWhenAbsent: lifetime,
      headers: Headers.make(clientId, options),
      retry: options.retry,
      timeout: options.timeout,
      refusal: (json, status) => {
        const said = Dialects.refusal(json)
        // A 401 means the credentials, whatever the body says or does not say, unless it is about the login.
        return status === 401
          ? Option.some({ hint, ...Option.getOrElse(said, () => ({})) })
          : said
      }
    }
  })

/** For `layerTest`. */
export const test = {
  provider: "digikey",
  baseUrl: DigiKeyEnvironment.baseUrl("sandbox"),
  headers: Headers.make(Redacted.make("test-client"), {})
}
