import type { HttpClient } from "@effect/platform"
import { AppKey, type Cents, DigitzsApp, Merchants, Payments } from "@effect-credentials/digitzs"
import type { ConfigError, Layer, Option, Redacted } from "effect"
import { Effect } from "effect"
import type { ApiClientError, OutcomeUnknown } from "effect-credentials/ApiError"
import * as Credentials from "effect-credentials/Credentials"
import { describe, expect, test } from "tstyche"

class AnotherProvider extends Credentials.Tag("AnotherProvider")<AnotherProvider>() {}

declare const http: Layer.Layer<HttpClient.HttpClient>
declare const secret: Redacted.Redacted
declare const cents: Cents.Cents
declare const requestId: Payments.RequestId

const payment = {
  paymentType: "card",
  merchantId: "m",
  card: { holder: secret, number: secret, expiry: secret },
  transaction: { amount: cents, currency: "USD", invoice: "i" }
} as const

describe("a program that pays", () => {
  const pay = Payments.create(payment).pipe(Effect.provide(http))

  test("needs DigitzsApp, and no other provider's credentials will do", () => {
    expect<Effect.Effect.Context<typeof pay>>().type.toBe<DigitzsApp.DigitzsApp>()
    const given = Effect.provide(pay, Credentials.layerTest(AnotherProvider))
    // @ts-expect-error Type 'DigitzsApp' is not assignable to type 'never'
    void Effect.runPromise(given)
  })

  test("runs with its own", () => {
    const given = Effect.provide(pay, DigitzsApp.layerTest())
    expect<Effect.Effect.Context<typeof given>>().type.toBe<never>()
  })

  test("fails in two ways: not applied, or unknown", () => {
    expect<Effect.Effect.Error<typeof pay>>().type.toBe<Payments.PaymentNotApplied | OutcomeUnknown>()
  })

  test("gets the request id in every outcome, and a duplicate is none of its successes", () => {
    expect<Payments.PaymentOutcome["requestId"]>().type.toBe<Payments.RequestId>()
    expect<Payments.PaymentNotApplied["requestId"]>().type.toBe<Payments.RequestId>()
    type Duplicate = Extract<Payments.PaymentOutcome, { _tag: "Duplicate" }>
    expect<Duplicate["transactionId"]>().type.toBe<Option.Option<string>>()
    expect<Duplicate>().type.not.toHaveProperty("payment")
  })
})

describe("a payment", () => {
  test("takes a request id that is a UUID, and no other text", () => {
    expect(Payments.create).type.toBeCallableWith(payment, { requestId })
    expect(Payments.create).type.not.toBeCallableWith(payment, { requestId: "order-1" })
  })

  test("takes an amount in cents, and neither a number nor any text", () => {
    for (const amount of [12.99, "12.99"] as const) {
      expect(Payments.create).type.not.toBeCallableWith({ ...payment, transaction: { ...payment.transaction, amount } })
    }
  })

  test("takes no card number in plain text", () => {
    expect(Payments.create).type.not.toBeCallableWith({ ...payment, card: { ...payment.card, number: "4111111111111111" } })
  })
})

describe("DigitzsApp", () => {
  test("does not forget the app id: it is given, or left out in so many words", () => {
    expect(DigitzsApp.layer).type.not.toBeCallableWith({ apiKey: secret, appKey: secret })
    expect(DigitzsApp.layer).type.toBeCallableWith({ apiKey: secret, appKey: secret, appId: false as const })
  })

  test("takes no key in plain text", () => {
    expect(DigitzsApp.layer).type.not.toBeCallableWith({ apiKey: "key", appKey: secret, appId: "app" })
    expect(DigitzsApp.layer).type.not.toBeCallableWith({ apiKey: secret, appKey: "key", appId: "app" })
  })

  test("is made from the configuration with a ConfigError and an HttpClient", () => {
    expect(DigitzsApp.layerConfig()).type.toBe<
      Layer.Layer<DigitzsApp.DigitzsApp, ConfigError.ConfigError, HttpClient.HttpClient>
    >()
  })
})

describe("AppKey.create", () => {
  test("needs an HttpClient only, and its result is Redacted", () => {
    expect(AppKey.create({ apiKey: secret, appId: "app" })).type.toBe<
      Effect.Effect<Redacted.Redacted, ApiClientError | ConfigError.ConfigError, HttpClient.HttpClient>
    >()
  })
})

describe("a second account", () => {
  test("is another requirement", () => {
    const { list } = Merchants.make(AnotherProvider)
    expect<Effect.Effect.Context<ReturnType<typeof list>>>().type.toBe<AnotherProvider | HttpClient.HttpClient>()
  })
})
