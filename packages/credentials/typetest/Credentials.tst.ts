import type { HttpClient } from "@effect/platform"
import type { Layer, Redacted } from "effect"
import { Duration, Effect } from "effect"
import * as ApiClient from "effect-credentials/ApiClient"
import type { ApiClientError } from "effect-credentials/ApiError"
import * as AuthFlow from "effect-credentials/AuthFlow"
import * as Credentials from "effect-credentials/Credentials"
import type { CredentialsError } from "effect-credentials/CredentialsError"
import * as OAuth2 from "effect-credentials/OAuth2"
import type { Token } from "effect-credentials/Token"
import { describe, expect, test } from "tstyche"

class Acme extends Credentials.Tag("Acme")<Acme>() {}
class Other extends Credentials.Tag("Other")<Other>() {}
declare const secret: Redacted.Redacted

describe("a request program", () => {
  const parts = ApiClient.make(Acme, { product: "Parts" })
  const program = parts.get("/parts")

  test("says which credentials it needs, and what it can fail with", () => {
    expect<Effect.Effect.Context<typeof program>>().type.toBe<Acme | HttpClient.HttpClient>()
    expect<Effect.Effect.Error<typeof program>>().type.toBe<ApiClientError>()
  })

  test("still needs its own credentials after another's were given", () => {
    const given = Effect.provide(program, Credentials.layerTest(Other))
    expect<Effect.Effect.Context<typeof given>>().type.toBe<Acme | HttpClient.HttpClient>()
    expect(Effect.runPromise<void, never>).type.not.toBeCallableWith(given)
  })

  test("fails with the five tags where there is no token", () => {
    expect<Effect.Effect.Error<Credentials.Credentials["token"]>>().type.toBe<CredentialsError>()
    expect<Effect.Effect.Success<Credentials.Credentials["token"]>>().type.toBe<Token>()
  })
})

describe("AuthFlow.make", () => {
  const identity = { provider: "acme", clientId: "me", grant: "static" }
  const baseUrl = "https://api.acme.test"

  test("takes a reply that has its expiry", () => {
    expect(AuthFlow.make).type.toBeCallableWith({
      identity,
      baseUrl,
      obtain: Effect.succeed({ accessToken: secret, expiresIn: Duration.hours(1) })
    })
  })

  test("does not take one that may lack it, unless a lifetime is declared", () => {
    const obtain = Effect.succeed({ accessToken: secret })
    expect(AuthFlow.make).type.not.toBeCallableWith({ identity, baseUrl, obtain })
    expect(AuthFlow.make).type.toBeCallableWith({ identity, baseUrl, obtain, lifetimeWhenAbsent: "1 hour" })
  })
})

describe("OAuth2.clientCredentials", () => {
  const options = {
    provider: "acme",
    baseUrl: "https://api.acme.test",
    tokenUrl: "https://login.acme.test/token",
    clientId: "me",
    clientSecret: secret
  }

  test("needs a declared lifetime, for expires_in is only recommended", () => {
    expect(OAuth2.clientCredentials).type.not.toBeCallableWith(options)
    expect(OAuth2.clientCredentials).type.toBeCallableWith({ ...options, lifetimeWhenAbsent: "1 hour" })
  })

  test("takes no secret in plain text", () => {
    expect(OAuth2.clientCredentials).type.not.toBeCallableWith({
      ...options,
      clientSecret: "secret",
      lifetimeWhenAbsent: "1 hour"
    })
  })

  test("needs an HttpClient, which no Layer of ours provides", () => {
    const layer = Credentials.layer(Acme, OAuth2.clientCredentials({ ...options, lifetimeWhenAbsent: "1 hour" }))
    expect<Layer.Layer.Context<typeof layer>>().type.toBe<HttpClient.HttpClient>()
    expect<Layer.Layer.Success<typeof layer>>().type.toBe<Acme>()
  })
})

describe("Credentials.layerTest", () => {
  test("needs nothing and cannot fail", () => {
    expect(Credentials.layerTest(Acme)).type.toBe<Layer.Layer<Acme>>()
  })
})
