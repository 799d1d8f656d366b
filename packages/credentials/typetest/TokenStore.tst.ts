import type { HttpClient } from "@effect/platform"
import type { Layer, Redacted } from "effect"
import { Duration, Effect } from "effect"
import * as ApiClient from "effect-credentials/ApiClient"
import * as AuthFlow from "effect-credentials/AuthFlow"
import * as Credentials from "effect-credentials/Credentials"
import type { CredentialsError, TokenStoreError } from "effect-credentials/CredentialsError"
import * as OAuth2 from "effect-credentials/OAuth2"
import * as TokenStore from "effect-credentials/TokenStore"
import { describe, expect, test } from "tstyche"

class Acme extends Credentials.Tag("Acme")<Acme>() {}
declare const secret: Redacted.Redacted
declare const flow: AuthFlow.AuthFlow
declare const store: TokenStore.TokenStore

const user = {
  provider: "acme",
  account: "alice",
  baseUrl: "https://api.acme.test",
  tokenUrl: "https://login.acme.test/token",
  clientId: "me",
  lifetimeWhenAbsent: "1 hour"
} as const

describe("Credentials.layerShared", () => {
  test("needs a TokenStore: that a login may be lost at exit is a decision", () => {
    expect(Credentials.layerShared(Acme, flow)).type.toBe<Layer.Layer<Acme, never, TokenStore.TokenStore>>()
  })

  test("needs what its flow needs besides", () => {
    const layer = Credentials.layerShared(Acme, OAuth2.authorizationCode(user))
    expect<Layer.Layer.Context<typeof layer>>().type.toBe<HttpClient.HttpClient | TokenStore.TokenStore>()
    expect<Layer.Layer.Success<typeof layer>>().type.toBe<Acme>()
  })

  test("leaves a program that was given no TokenStore without one", () => {
    const program = Effect.provide(ApiClient.make(Acme, { product: "Parts" }).get("/parts"), Credentials.layerShared(Acme, flow))
    expect<Effect.Effect.Context<typeof program>>().type.toBe<HttpClient.HttpClient | TokenStore.TokenStore>()
    const token = Effect.flatMap(Acme, (acme) => acme.token).pipe(Effect.provide(Credentials.layerShared(Acme, flow)))
    expect(Effect.runPromise<unknown, unknown>).type.not.toBeCallableWith(token)
    expect(Effect.runPromise<unknown, unknown>).type.toBeCallableWith(Effect.provide(token, TokenStore.layerMemory))
  })

  test("takes limits for the lock and for the store, which Credentials.layer has no use for", () => {
    expect(Credentials.layerShared<Acme, never>).type.toBeCallableWith(Acme, flow, { lockTimeout: "1 minute", storeTimeout: "1 second" })
    expect(Credentials.layer<Acme, never>).type.not.toBeCallableWith(Acme, flow, { lockTimeout: "1 minute" })
  })
})

describe("Credentials.layer", () => {
  test("needs no TokenStore for a token that may be got again", () => {
    expect(Credentials.layer(Acme, flow)).type.toBe<Layer.Layer<Acme>>()
  })
})

describe("AuthFlow.make of a flow that only a person can begin", () => {
  const identity = { provider: "acme", clientId: "me", grant: "custom", account: "alice" }
  const baseUrl = "https://api.acme.test"
  const withExpiry = () => Effect.succeed({ accessToken: secret, expiresIn: Duration.hours(1) })
  const without = () => Effect.succeed({ accessToken: secret })

  test("needs no way to obtain a token, but one to renew it", () => {
    expect(AuthFlow.make).type.toBeCallableWith({ identity, baseUrl, renew: without, lifetimeWhenAbsent: "1 hour" })
    expect(AuthFlow.make).type.not.toBeCallableWith({ identity, baseUrl, lifetimeWhenAbsent: "1 hour" })
    expect(AuthFlow.make).type.not.toBeCallableWith({ identity, baseUrl })
  })

  test("does not take a reply that may lack its expiry, unless a lifetime is declared", () => {
    expect(AuthFlow.make).type.not.toBeCallableWith({ identity, baseUrl, renew: without })
    expect(AuthFlow.make).type.not.toBeCallableWith({ identity, baseUrl, obtain: withExpiry(), renew: without })
    expect(AuthFlow.make).type.not.toBeCallableWith({ identity, baseUrl, obtain: without(), renew: withExpiry })
    expect(AuthFlow.make).type.toBeCallableWith({ identity, baseUrl, obtain: withExpiry(), renew: withExpiry })
    expect(AuthFlow.make).type.toBeCallableWith({ identity, baseUrl, obtain: without(), renew: without, lifetimeWhenAbsent: "1 hour" })
  })

  test("says what the renewal needs", () => {
    const needy = AuthFlow.make({
      identity,
      baseUrl,
      lifetimeWhenAbsent: "1 hour",
      renew: () => Effect.zipRight(Acme, without())
    })
    expect<Effect.Effect.Success<typeof needy>>().type.toBe<AuthFlow.AuthFlow<Acme>>()
  })

  test("takes no renewal that fails with anything but a CredentialsError", () => {
    expect(AuthFlow.make).type.not.toBeCallableWith({
      identity,
      baseUrl,
      lifetimeWhenAbsent: "1 hour",
      renew: () => Effect.fail(new Error())
    })
  })
})

describe("OAuth2.authorizationCode", () => {
  test("needs an account and a declared lifetime", () => {
    const { account: _account, ...nobody } = user
    const { lifetimeWhenAbsent: _lifetime, ...forever } = user
    expect(OAuth2.authorizationCode).type.toBeCallableWith(user)
    expect(OAuth2.authorizationCode).type.not.toBeCallableWith(nobody)
    expect(OAuth2.authorizationCode).type.not.toBeCallableWith(forever)
    expect(OAuth2.authorizationCode).type.not.toBeCallableWith({ ...user, account: undefined })
  })

  test("takes a secret as Redacted or as an Effect that reads one, and never in plain text", () => {
    expect(OAuth2.authorizationCode).type.toBeCallableWith({ ...user, clientSecret: secret })
    expect(OAuth2.authorizationCode).type.toBeCallableWith({ ...user, clientSecret: Effect.succeed(secret) })
    expect(OAuth2.authorizationCode).type.not.toBeCallableWith({ ...user, clientSecret: "secret" })
    expect(OAuth2.authorizationCode).type.not.toBeCallableWith({ ...user, clientSecret: Effect.succeed("secret") })
    expect(OAuth2.authorizationCode).type.not.toBeCallableWith({ ...user, clientSecret: Effect.fail(new Error()) })
  })

  test("knows three ways to authenticate the client", () => {
    for (const clientAuthentication of ["client_secret_post", "client_secret_basic", "none"] as const) {
      expect(OAuth2.authorizationCode).type.toBeCallableWith({ ...user, clientAuthentication })
    }
    expect(OAuth2.authorizationCode).type.not.toBeCallableWith({ ...user, clientAuthentication: "private_key_jwt" })
  })
})

describe("TokenStore", () => {
  test("fails with TokenStoreError, and runs a body with its own errors and needs", () => {
    expect<Effect.Effect.Error<ReturnType<typeof store.load>>>().type.toBe<TokenStoreError>()
    const held = store.withLock("key", () => Effect.zipRight(Acme, Effect.fail("mine" as const)))
    expect<Effect.Effect.Error<typeof held>>().type.toBe<"mine" | TokenStoreError>()
    expect<Effect.Effect.Context<typeof held>>().type.toBe<Acme>()
  })

  test("has no error that a token does not have", () => {
    expect<TokenStoreError>().type.toBeAssignableTo<CredentialsError>()
  })

  test("in memory needs nothing and cannot fail", () => {
    expect(TokenStore.layerMemory).type.toBe<Layer.Layer<TokenStore.TokenStore>>()
  })
})
