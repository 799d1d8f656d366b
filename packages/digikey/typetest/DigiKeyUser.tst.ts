import type { HttpClient } from "@effect/platform"
import { type DigiKeyApp, DigiKeyUser, ProductInformation, Quotes } from "@effect-credentials/digikey"
import { type ConfigError, Effect, Layer, Redacted } from "effect"
import { TokenStore } from "effect-credentials"
import { describe, expect, test } from "tstyche"

declare const http: Layer.Layer<HttpClient.HttpClient>

const options = {
  clientId: "id",
  clientSecret: Redacted.make("secret"),
  environment: "sandbox",
  account: "alice"
} as const

describe("a DigiKeyUser layer", () => {
  const quotes = Quotes.listQuotes().pipe(Effect.provide(DigiKeyUser.layer(options)), Effect.provide(http))

  test("needs a TokenStore, from options and from the configuration", () => {
    expect(DigiKeyUser.layer(options)).type.toBe<
      Layer.Layer<DigiKeyUser.DigiKeyUser, ConfigError.ConfigError, HttpClient.HttpClient | TokenStore.TokenStore>
    >()
    expect(DigiKeyUser.layerConfig()).type.toBe<
      Layer.Layer<DigiKeyUser.DigiKeyUser, ConfigError.ConfigError, HttpClient.HttpClient | TokenStore.TokenStore>
    >()
  })

  test("does not run without one, and the error names it", () => {
    // @ts-expect-error Type 'TokenStore' is not assignable to type 'never'
    void Effect.runPromise(quotes)
  })

  test("runs with one", () => {
    const given = Effect.provide(quotes, TokenStore.layerMemory)
    expect<Effect.Effect.Context<typeof given>>().type.toBe<never>()
  })

  test("says whose login it is", () => {
    const { account: _, ...anonymous } = options
    expect(DigiKeyUser.layer).type.not.toBeCallableWith(anonymous)
  })
})

describe("a user's token", () => {
  test("serves as the application's, where a Layer says so", () => {
    expect(DigiKeyUser.layerAsApp).type.toBe<Layer.Layer<DigiKeyApp.DigiKeyApp, never, DigiKeyUser.DigiKeyUser>>()
    const search = ProductInformation.keywordSearch({ Keywords: "NE555" }).pipe(
      Effect.provide(Layer.provide(DigiKeyUser.layerAsApp, DigiKeyUser.layerTest()))
    )
    expect<Effect.Effect.Context<typeof search>>().type.toBe<HttpClient.HttpClient>()
  })

  test("does not serve by itself", () => {
    const search = ProductInformation.keywordSearch({ Keywords: "NE555" }).pipe(
      Effect.provide([DigiKeyUser.layerTest(), http])
    )
    // @ts-expect-error Type 'DigiKeyApp' is not assignable to type 'never'
    void Effect.runPromise(search)
  })
})
