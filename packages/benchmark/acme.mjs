// The credentials that are measured: the client credentials grant and four static headers, as DigiKey wants them.
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Credentials from "effect-credentials/Credentials"
import * as OAuth2 from "effect-credentials/OAuth2"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"

export class Acme extends Credentials.Tag("Acme")() {}

export const accessToken = "a".repeat(800)

export const tokenReply = JSON.stringify({ access_token: accessToken, token_type: "Bearer", expires_in: 1800 })

export const headers = {
  "x-acme-client-id": "client",
  "x-acme-locale-site": "US",
  "x-acme-locale-language": "en",
  "x-acme-locale-currency": "USD"
}

const credentials = (baseUrl) =>
  Credentials.layer(
    Acme,
    OAuth2.clientCredentials({
      provider: "acme",
      baseUrl,
      tokenUrl: `${baseUrl}/token`,
      clientId: "client",
      clientSecret: Redacted.make("secret"),
      lifetimeWhenAbsent: "30 minutes",
      headers: { ...headers, "x-acme-client-id": Redacted.make(headers["x-acme-client-id"]) }
    })
  )

const quiet = Logger.remove(Logger.defaultLogger)

/** Tokens from memory. */
export const inMemory = (baseUrl) =>
  credentials(baseUrl).pipe(
    Layer.provide(Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make((request) => Effect.sync(() => HttpClientResponse.fromWeb(request, new Response(tokenReply))))
    )),
    Layer.provideMerge(quiet)
  )

/** Tokens from a server. */
export const onLoopback = (baseUrl) =>
  credentials(baseUrl).pipe(Layer.provide(FetchHttpClient.layer), Layer.provideMerge(quiet))
