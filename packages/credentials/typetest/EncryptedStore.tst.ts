import type { ConfigError, Effect, Layer, Redacted } from "effect"
import * as Keyring from "effect-credentials/Keyring"
import * as TokenStore from "effect-credentials/TokenStore"
import { describe, expect, test } from "tstyche"

declare const key: Redacted.Redacted
declare const keyring: Keyring.Keyring
declare const fromVault: Effect.Effect<Keyring.Keyring, "sealed", "a vault">
declare const store: Layer.Layer<TokenStore.TokenStore, "cannot open", "a folder">

describe("TokenStore.encrypted", () => {
  test("leaves a store's failures and needs as they are", () => {
    expect(store.pipe(TokenStore.encrypted(keyring))).type.toBe<
      Layer.Layer<TokenStore.TokenStore, "cannot open", "a folder">
    >()
  })

  test("adds those of the Effect that gives the keyring", () => {
    expect(store.pipe(TokenStore.encrypted(Keyring.fromConfig()))).type.toBe<
      Layer.Layer<TokenStore.TokenStore, "cannot open" | ConfigError.ConfigError, "a folder">
    >()
    expect(store.pipe(TokenStore.encrypted(fromVault))).type.toBe<
      Layer.Layer<TokenStore.TokenStore, "cannot open" | "sealed", "a folder" | "a vault">
    >()
  })

  test("takes a keyring, not keys", () => {
    expect(TokenStore.encrypted).type.not.toBeCallableWith(key)
    expect(TokenStore.encrypted).type.not.toBeCallableWith({ current: "a", ids: ["a"] })
  })
})

describe("Keyring.make", () => {
  test("has its current id among the keys", () => {
    expect(Keyring.make).type.toBeCallableWith({ current: "b", keys: { a: key, b: key } })
    expect(Keyring.make).type.not.toBeCallableWith({ current: "c", keys: { a: key, b: key } })
  })

  test("takes ids that only the running program knows", () => {
    const keys: Record<string, Redacted.Redacted> = {}
    expect(Keyring.make).type.toBeCallableWith({ current: "a", keys })
  })

  test("takes no key in plain text", () => {
    expect(Keyring.make).type.not.toBeCallableWith({ current: "a", keys: { a: "secret" } })
  })

  test("is an Effect: keys are imported, which takes a moment", () => {
    expect(Keyring.make({ current: "a", keys: { a: key } })).type.toBe<
      Effect.Effect<Keyring.Keyring, ConfigError.ConfigError>
    >()
  })
})
