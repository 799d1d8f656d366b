/**
 * A new app key. Nothing in this library calls it by itself: not after a 401, not
 * ever. Two processes that did would lock each other out.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as ApiClient from "effect-credentials/ApiClient"
import type { ApiClientError } from "effect-credentials/ApiError"
import * as AuthFlow from "effect-credentials/AuthFlow"
import * as Credentials from "effect-credentials/Credentials"
import * as CredentialsConfig from "effect-credentials/CredentialsConfig"
import * as CredentialsIdentity from "effect-credentials/CredentialsIdentity"
import * as Token from "effect-credentials/Token"
import type { ConfigError } from "effect/ConfigError"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { defaultBaseUrl } from "./internal/headers.js"
import * as ApiProduct from "./internal/product.js"

const product = "App Key"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly apiKey: Redacted.Redacted
  readonly appId: string
  /** `https://api.digitzs.com` by default. https, or loopback. */
  readonly baseUrl?: string | undefined
}

/** The API key is all that this call needs: a credential that never has to be fetched. */
class ApiKey extends Credentials.Tag("@effect-credentials/digitzs/internal/ApiKey")<ApiKey>() {}

const apiKeyOf = (options: Options): Effect.Effect<Credentials.Credentials, ConfigError> =>
  Effect.gen(function*() {
    const flow = yield* AuthFlow.make({
      identity: { provider: "digitzs", clientId: options.apiKey, grant: "api_key" },
      baseUrl: options.baseUrl ?? defaultBaseUrl,
      tokenHeader: { name: "x-api-key", prefix: "" },
      obtain: Effect.succeed({ accessToken: options.apiKey }),
      lifetimeWhenAbsent: "1 hour"
    })
    const issuedAt = yield* DateTime.now
    const token = Token.make({ accessToken: options.apiKey, issuedAt, expiresAt: DateTime.add(issuedAt, { hours: 1 }) })
    return {
      token: Effect.succeed(token),
      reject: () => Effect.succeed(token),
      refresh: Effect.succeed(token),
      attach: (request) =>
        Effect.succeed(flow.attach(HttpClientRequest.setUrl(request, flow.baseUrl.href.slice(0, -1) + request.url), token)),
      events: Stream.empty,
      identity: yield* CredentialsIdentity.make(flow.identity),
      secretHeaders: flow.secretHeaders
    }
  })

const client = ApiClient.make(ApiKey, ApiProduct.options(product))

const request = ApiProduct.post(product, "/auth/key", "auth", Schema.Struct({ appId: Schema.NonEmptyString }))

/** The `id` beside the attributes is the API key: it is not read. */
const decode = ApiClient.decodeJson(
  product,
  Schema.Struct({ data: Schema.Struct({ attributes: Schema.Struct({ appKey: Token.Secret }) }) })
)

/**
 * Makes a new app key **and kills the previous one at once**: whatever runs with
 * the previous key gets no further app token. Call it only because a person
 * decided to, and store the result before anything else.
 *
 * It is sent once. `OutcomeUnknown` means that the previous key may be dead and
 * the new one lost: make another. An unknown API key is an `ApiError` with reason
 * `Forbidden`.
 *
 * @example
 * ```ts
 * import { AppKey } from "@effect-credentials/digitzs"
 * import { Effect } from "effect"
 * import { CredentialsConfig } from "effect-credentials"
 *
 * // Effect<Redacted<string>, ApiClientError | ConfigError, HttpClient>
 * export const newAppKey = Effect.gen(function*() {
 *   return yield* AppKey.create({
 *     apiKey: yield* CredentialsConfig.secret("DIGITZS_API_KEY"),
 *     appId: yield* CredentialsConfig.text("DIGITZS_APP_ID")
 *   })
 * })
 * ```
 *
 * @since 0.1.0
 * @category operations
 */
export const create = (
  options: Options
): Effect.Effect<Redacted.Redacted, ApiClientError | ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    yield* CredentialsConfig.check(options.apiKey, "apiKey")
    yield* CredentialsConfig.check(options.appId, "appId")
    const apiKey = yield* apiKeyOf(options)
    const { data } = yield* Effect.flatMap(request({ appId: options.appId }), client.execute).pipe(
      Effect.flatMap(decode),
      Effect.provideService(ApiKey, apiKey)
    )
    return data.attributes.appKey
  })
