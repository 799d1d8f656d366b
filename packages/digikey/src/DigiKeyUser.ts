/**
 * Credentials of a DigiKey application that acts for a person (3-legged OAuth
 * 2.0: the authorization code grant with refresh tokens).
 *
 * DigiKey replaces the refresh token at every use and refuses the old one, so
 * these credentials need a `TokenStore`: what is lost costs a person a login.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Credentials from "effect-credentials/Credentials"
import * as CredentialsConfig from "effect-credentials/CredentialsConfig"
import * as OAuth2 from "effect-credentials/OAuth2"
import type { TokenStore } from "effect-credentials/TokenStore"
import type * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DigiKeyApp } from "./DigiKeyApp.js"
import * as Client from "./internal/client.js"
import * as Dialects from "./internal/dialects.js"

/**
 * What a program that calls a 3-legged product of DigiKey needs.
 *
 * @since 0.1.0
 * @category tags
 */
export class DigiKeyUser extends Credentials.Tag("@effect-credentials/digikey/DigiKeyUser")<DigiKeyUser>() {}

/**
 * `timeout` is 20 seconds by default: an answer that comes too late takes the
 * refresh token with it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> extends Client.Options<R> {
  /**
   * Whose login this is, in the application's own words: the id of its user or
   * tenant. It is part of the key under which the login is stored. Not DigiKey's
   * account id, which is `accountId`.
   */
  readonly account: string
}

/** "Authentication & Concepts" gives 60 minutes. */
const documentedLifetime = "60 minutes"

/**
 * The flow alone: to log a person in with `begin` and `complete`, and for a tag
 * of your own: a second person, say.
 *
 * @example
 * ```ts
 * import { DigiKeyUser } from "@effect-credentials/digikey"
 * import { Redacted } from "effect"
 * import { Credentials } from "effect-credentials"
 *
 * class Buyer extends Credentials.Tag("Buyer")<Buyer>() {}
 *
 * export const layer = Credentials.layerShared(
 *   Buyer,
 *   DigiKeyUser.flow({
 *     clientId: "my-client-id",
 *     clientSecret: Redacted.make("my-client-secret"),
 *     environment: "production",
 *     account: "buyer@example.com"
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category flows
 */
export const flow = <R = never>(
  options: Options<R>
): Effect.Effect<OAuth2.AuthorizationCodeFlow<HttpClient.HttpClient | R>, ConfigError> =>
  Effect.flatMap(Client.make(options, documentedLifetime), (client) =>
    OAuth2.authorizationCode({
      ...client,
      account: options.account,
      authorizeUrl: client.tokenUrl.replace(/token$/, "authorize"),
      authorizationError: Dialects.authorizationError,
      // Not in "Authentication & Concepts": a parameter that a server does not know it may refuse.
      pkce: false
    }))

/**
 * Until somebody has logged in, every request fails with
 * `ReauthorizationRequired`; after that they work, without a restart.
 *
 * Fails with `ConfigError`, which names the option and never prints a value,
 * where an option is empty or cannot be what it is for.
 *
 * @example
 * ```ts
 * import { DigiKeyUser } from "@effect-credentials/digikey"
 * import { NodeContext } from "@effect/platform-node"
 * import { Layer, Redacted } from "effect"
 * import { TokenStore } from "effect-credentials"
 *
 * export const layer = DigiKeyUser.layer({
 *   clientId: "my-client-id",
 *   clientSecret: Redacted.make("my-client-secret"),
 *   environment: "sandbox",
 *   account: "alice"
 * }).pipe(
 *   Layer.provide(TokenStore.layerFile(".tokens")),
 *   Layer.provide(NodeContext.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(
  options: Options<R> & Credentials.SharedOptions
): Layer.Layer<DigiKeyUser, ConfigError, HttpClient.HttpClient | TokenStore | R> =>
  Credentials.layerShared(DigiKeyUser, flow(options), options)

/**
 * Any of these may be replaced; the default of each is the variable named.
 *
 * @since 0.1.0
 * @category models
 */
export interface Configs extends Client.Configs {
  /**
   * `DIGIKEY_USER`: whose login this is, in the application's own words;
   * `"default"` where it is absent. A process that acts for several people
   * gives each a name of its own.
   */
  readonly account?: Config.Config<string> | undefined
}

/**
 * `flow` with its options from the configuration.
 *
 * @since 0.1.0
 * @category flows
 */
export const flowConfig = (
  config: Configs = {}
): Effect.Effect<OAuth2.AuthorizationCodeFlow<HttpClient.HttpClient>, ConfigError> =>
  Effect.gen(function*() {
    const account = yield* config.account ?? CredentialsConfig.optionalText("DIGIKEY_USER")
    return yield* flow({ ...(yield* Client.options(config)), account: account ?? "default" })
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
  options: Credentials.SharedOptions = {}
): Layer.Layer<DigiKeyUser, ConfigError, HttpClient.HttpClient | TokenStore> =>
  Credentials.layerShared(DigiKeyUser, flowConfig(config), options)

/**
 * Lets the person's token serve as the application's, where DigiKey accepts it:
 * Product Information and Order Status take either. Prices and orders are then
 * those of the person's account.
 *
 * @example
 * ```ts
 * import { DigiKeyUser, ProductInformation, Quotes } from "@effect-credentials/digikey"
 * import { Effect, Layer } from "effect"
 *
 * const credentials = DigiKeyUser.layerAsApp.pipe(Layer.provideMerge(DigiKeyUser.layerConfig()))
 *
 * export const program = Effect.zip(
 *   ProductInformation.keywordSearch({ Keywords: "NE555" }),
 *   Quotes.listQuotes()
 * ).pipe(Effect.provide(credentials))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerAsApp: Layer.Layer<DigiKeyApp, never, DigiKeyUser> = Layer.effect(DigiKeyApp, DigiKeyUser)

/**
 * For tests: no network, no store, any token, any failure. Requests carry
 * DigiKey's headers and go to the sandbox's address, wherever the test's
 * `HttpClient` takes them.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (options: Credentials.TestOptions = {}): Layer.Layer<DigiKeyUser> =>
  Credentials.layerTest(DigiKeyUser, { ...Client.test, ...options })
