/**
 * Credentials of a DigiKey application that acts for itself (2-legged OAuth 2.0:
 * the client credentials grant).
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type { AuthFlow } from "effect-credentials/AuthFlow"
import * as Credentials from "effect-credentials/Credentials"
import * as OAuth2 from "effect-credentials/OAuth2"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Client from "./internal/client.js"

/**
 * What a program that calls a 2-legged product of DigiKey needs.
 *
 * @since 0.1.0
 * @category tags
 */
export class DigiKeyApp extends Credentials.Tag("@effect-credentials/digikey/DigiKeyApp")<DigiKeyApp>() {}

/**
 * `timeout` is 10 seconds by default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> extends Client.Options<R> {}

/** "Authentication & Concepts" gives 30 minutes. */
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
  Effect.flatMap(Client.make(options, documentedLifetime), (client) =>
    OAuth2.clientCredentials({ ...client, account: options.accountId }))

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
export interface Configs extends Client.Configs {}

/**
 * `flow` with its options from the configuration.
 *
 * @since 0.1.0
 * @category flows
 */
export const flowConfig = (
  config: Configs = {}
): Effect.Effect<AuthFlow<HttpClient.HttpClient>, ConfigError> => Effect.flatMap(Client.options(config), flow)

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
  Credentials.layerTest(DigiKeyApp, { ...Client.test, ...options })
