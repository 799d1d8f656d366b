import type { HttpClient } from "@effect/platform"
import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import type { ConfigError, Layer } from "effect"
import { Effect } from "effect"
import * as Credentials from "effect-credentials/Credentials"
import { describe, expect, test } from "tstyche"

class AnotherProvider extends Credentials.Tag("AnotherProvider")<AnotherProvider>() {}

declare const http: Layer.Layer<HttpClient.HttpClient>

describe("a program that searches DigiKey", () => {
  const search = ProductInformation.keywordSearch({ Keywords: "NE555" }).pipe(Effect.provide(http))

  test("needs DigiKeyApp", () => {
    expect<Effect.Effect.Context<typeof search>>().type.toBe<DigiKeyApp.DigiKeyApp>()
  })

  test("does not run without a layer, and the error names DigiKeyApp", () => {
    // @ts-expect-error Type 'DigiKeyApp' is not assignable to type 'never'
    void Effect.runPromise(search)
  })

  test("does not run with another provider's layer, and the error names DigiKeyApp", () => {
    const given = Effect.provide(search, Credentials.layerTest(AnotherProvider))
    // @ts-expect-error Type 'DigiKeyApp' is not assignable to type 'never'
    void Effect.runPromise(given)
  })

  test("runs with its own", () => {
    const given = Effect.provide(search, DigiKeyApp.layerTest())
    expect<Effect.Effect.Context<typeof given>>().type.toBe<never>()
  })
})

describe("a second account", () => {
  test("is another requirement", () => {
    const { productDetails } = ProductInformation.make(AnotherProvider)
    expect<Effect.Effect.Context<ReturnType<typeof productDetails>>>().type.toBe<
      AnotherProvider | HttpClient.HttpClient
    >()
  })
})

describe("DigiKeyApp.layerConfig", () => {
  test("fails with ConfigError and needs an HttpClient", () => {
    expect(DigiKeyApp.layerConfig()).type.toBe<
      Layer.Layer<DigiKeyApp.DigiKeyApp, ConfigError.ConfigError, HttpClient.HttpClient>
    >()
  })
})
