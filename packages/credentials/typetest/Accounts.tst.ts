import type { HttpClient } from "@effect/platform"
import type { ConfigError, Layer, Redacted, Scope } from "effect"
import { Effect } from "effect"
import * as Accounts from "effect-credentials/Accounts"
import type { AccountsUnavailable } from "effect-credentials/AccountsError"
import * as ApiClient from "effect-credentials/ApiClient"
import type { ApiClientError } from "effect-credentials/ApiError"
import type * as AuthFlow from "effect-credentials/AuthFlow"
import * as Credentials from "effect-credentials/Credentials"
import * as OAuth2 from "effect-credentials/OAuth2"
import type { TokenStore } from "effect-credentials/TokenStore"
import { describe, expect, test } from "tstyche"

class Acme extends Credentials.Tag("Acme")<Acme>() {}
class Other extends Credentials.Tag("Other")<Other>() {}
class Merchants extends Accounts.Tag("Merchants", Acme)<Merchants>() {}
class Missing {
  readonly _tag = "Missing"
}
class Numbered extends Accounts.Tag("Numbered", Acme)<Numbered, number, Missing>() {}
declare const secret: Redacted.Redacted

const program = ApiClient.make(Acme, { product: "Parts" }).get("/parts")
const flow = (merchant: string) =>
  OAuth2.clientCredentials({
    provider: "acme",
    baseUrl: "https://api.acme.test",
    tokenUrl: "https://login.acme.test/token",
    clientId: merchant,
    clientSecret: secret,
    lifetimeWhenAbsent: "1 hour"
  })

describe("a program for some account", () => {
  test("says that it needs credentials, and once it has an account, that it needs the accounts", () => {
    expect<Effect.Effect.Context<typeof program>>().type.toBe<Acme | HttpClient.HttpClient>()
    const given = program.pipe(Accounts.provide(Merchants, "a"))
    expect<Effect.Effect.Context<typeof given>>().type.toBe<Merchants | HttpClient.HttpClient>()
    expect<Effect.Effect.Error<typeof given>>().type.toBe<ApiClientError | ConfigError.ConfigError | AccountsUnavailable>()
  })

  test("fails with what its lookup fails with", () => {
    const given = program.pipe(Accounts.provide(Numbered, 1))
    expect<Effect.Effect.Error<typeof given>>().type.toBe<ApiClientError | Missing | AccountsUnavailable>()
  })

  test("does not run without an account", () => {
    const layer = Accounts.layer(Merchants, flow)
    const half = Effect.provide(program, layer)
    expect<Effect.Effect.Context<typeof half>>().type.toBe<Acme | HttpClient.HttpClient>()
  })

  test("keeps what else it needs", () => {
    const both = Effect.zip(program, Other).pipe(Accounts.provide(Merchants, "a"))
    expect<Effect.Effect.Context<typeof both>>().type.toBe<Merchants | Other | HttpClient.HttpClient>()
  })

  test("takes no account of another kind", () => {
    expect(Accounts.provide).type.not.toBeCallableWith(Merchants, 1)
    expect(Accounts.provide).type.not.toBeCallableWith(Numbered, "a")
    expect(Accounts.invalidate).type.not.toBeCallableWith(Numbered, "a")
    expect(Accounts.provide).type.not.toBeCallableWith(Acme, "a")
  })
})

describe("Accounts.get", () => {
  test("needs a scope", () => {
    expect(Accounts.get(Merchants, "a")).type.toBe<
      Effect.Effect<Credentials.Credentials, ConfigError.ConfigError | AccountsUnavailable, Merchants | Scope.Scope>
    >()
  })
})

describe("Accounts.layer", () => {
  test("needs what its flows need, and does not fail", () => {
    expect(Accounts.layer(Merchants, flow)).type.toBe<Layer.Layer<Merchants, never, HttpClient.HttpClient>>()
  })

  test("does not take a lookup that fails with something else than its tag says", () => {
    expect(Accounts.layer).type.not.toBeCallableWith(Numbered, (id: number) => flow(`${id}`))
    expect(Accounts.layer).type.not.toBeCallableWith(
      Merchants,
      (_merchant: string): Effect.Effect<AuthFlow.AuthFlow, Missing> => Effect.fail(new Missing())
    )
  })

  test("does not take a lookup of another kind of account", () => {
    expect(Accounts.layer).type.not.toBeCallableWith(Merchants, (id: number) => flow(`${id}`))
  })

  test("releases the scope of a lookup itself", () => {
    const layer = Accounts.layer(Merchants, (merchant) => Effect.zipRight(Effect.scope, flow(merchant)))
    expect(layer).type.toBe<Layer.Layer<Merchants, never, HttpClient.HttpClient>>()
  })
})

describe("Accounts.layerShared", () => {
  test("needs a store", () => {
    expect(Accounts.layerShared(Merchants, flow)).type.toBe<
      Layer.Layer<Merchants, never, HttpClient.HttpClient | TokenStore>
    >()
  })
})

describe("Accounts.layerTest", () => {
  test("takes Layers of the same credentials only", () => {
    expect(Accounts.layerTest(Merchants, () => Credentials.layerTest(Acme))).type.toBe<Layer.Layer<Merchants>>()
    expect(Accounts.layerTest).type.not.toBeCallableWith(Merchants, () => Credentials.layerTest(Other))
  })
})
