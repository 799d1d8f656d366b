/**
 * An OAuth 2.0 client at its token endpoint: it proves who it is, and asks.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as AuthFlow from "../AuthFlow.js"
import type { CredentialsError } from "../CredentialsError.js"
import type { RefreshPolicy } from "../RefreshPolicy.js"
import type { RetryPolicy } from "../RetryPolicy.js"
import * as TokenEndpoint from "../TokenEndpoint.js"
import * as HeaderValue from "./headerValue.js"
import * as HttpsUrl from "./httpsUrl.js"

export type ClientAuthentication = "client_secret_post" | "client_secret_basic" | "none"

type Secret<R> = Redacted.Redacted | Effect.Effect<Redacted.Redacted, CredentialsError, R>

export interface ClientOptions {
  /** The provider's name, as it appears in errors, logs and metrics. */
  readonly provider: string
  readonly environment?: string | undefined
  readonly baseUrl: string
  /** The token endpoint: an absolute URL, https or loopback. */
  readonly tokenUrl: string
  readonly clientId: string | Redacted.Redacted
  readonly scopes?: ReadonlyArray<string> | undefined
  /** The lifetime of a token whose reply has no `expires_in`, which is only recommended (RFC 6749 §5.1). */
  readonly lifetimeWhenAbsent: Duration.DurationInput
  /** Headers sent with every API request. Those given as `Redacted` are never logged or traced. */
  readonly headers?: AuthFlow.HeaderInput | undefined
  readonly refreshPolicy?: RefreshPolicy | undefined
  /** Reads the provider's own dialect of an error; what it does not know is read in the words of RFC 6749. */
  readonly refusal?: TokenEndpoint.Options<unknown>["refusal"]
  /** How a call of the token endpoint is tried again. */
  readonly retry?: RetryPolicy | undefined
}

export interface Options<R, I> extends TokenEndpoint.Options<I> {
  readonly tokenUrl: string
  readonly clientId: string | Redacted.Redacted
  readonly clientSecret?: Secret<R> | undefined
  readonly clientAuthentication: ClientAuthentication
}

export interface OAuthClient<R> {
  /** The token endpoint as an identity has it. */
  readonly destination: string
  /** A call with these parameters; `secrets` are those of them that no error may show. */
  readonly call: (
    parameters: Readonly<Record<string, string>>,
    secrets: ReadonlyArray<Redacted.Redacted>
  ) => Effect.Effect<TokenEndpoint.TimedReply, CredentialsError, HttpClient.HttpClient | R>
  /** Reads the client's secret, where it has one. */
  readonly secret: Effect.Effect<Redacted.Redacted, CredentialsError, R> | undefined
}

/** application/x-www-form-urlencoded, RFC 6749 appendix B. */
const formEncode = (text: string): string => new URLSearchParams([["", text]]).toString().slice(1)

const basic = (clientId: string, secret: Redacted.Redacted): Redacted.Redacted =>
  Redacted.make(btoa(`${formEncode(clientId)}:${formEncode(Redacted.value(secret))}`))

/** The `scope` parameter (RFC 6749 §3.3), where there is something to say. */
export const scope = (scopes: ReadonlyArray<string> | undefined): { readonly scope?: string } =>
  scopes === undefined || scopes.length === 0 ? {} : { scope: scopes.join(" ") }

export const make = <R, I>(options: Options<R, I>): Effect.Effect<OAuthClient<R>, ConfigError.ConfigError> =>
  Effect.gen(function*() {
    const url = yield* HttpsUrl.parse(options.tokenUrl, "tokenUrl")
    const tokenUrl = url.href
    const clientId = Redacted.isRedacted(options.clientId) ? Redacted.value(options.clientId) : options.clientId
    yield* HeaderValue.checkText(clientId, "clientId")
    const { clientAuthentication, clientSecret } = options
    if (Redacted.isRedacted(clientSecret)) yield* HeaderValue.checkText(Redacted.value(clientSecret), "clientSecret")
    if ((clientAuthentication === "none") !== (clientSecret === undefined)) {
      const expected = clientSecret === undefined ? "a value" : "no value"
      return yield* Effect.fail(
        ConfigError.InvalidData(["clientSecret"], `Expected ${expected} with client authentication "${clientAuthentication}"`)
      )
    }
    const secret = Redacted.isRedacted(clientSecret) ? Effect.succeed(clientSecret) : clientSecret
    const endpoint = TokenEndpoint.make(options)

    const request = (
      parameters: Readonly<Record<string, string>>,
      secret: Redacted.Redacted | undefined
    ): HttpClientRequest.HttpClientRequest => {
      const isBasic = clientAuthentication === "client_secret_basic"
      const form = {
        ...parameters,
        ...(isBasic ? {} : { client_id: clientId }),
        ...(isBasic || secret === undefined ? {} : { client_secret: Redacted.value(secret) })
      }
      const post = HttpClientRequest.post(tokenUrl, { acceptJson: true }).pipe(HttpClientRequest.bodyUrlParams(form))
      return isBasic && secret !== undefined
        ? HttpClientRequest.setHeader(post, "authorization", `Basic ${Redacted.value(basic(clientId, secret))}`)
        : post
    }

    return {
      destination: HttpsUrl.destination(url),
      secret,
      call: (parameters, secrets) =>
        Effect.flatMap(secret ?? Effect.succeed(undefined), (secret) =>
          endpoint({
            request: Effect.succeed(request(parameters, secret)),
            secrets: secret === undefined ? secrets : [...secrets, secret, basic(clientId, secret)]
          }))
    }
  })
