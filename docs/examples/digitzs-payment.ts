import { Cents, DigitzsApp, Merchants, Payments } from "@effect-credentials/digitzs"
import { FetchHttpClient } from "@effect/platform"
import { Console, Effect, Layer, Option, Redacted, Schedule } from "effect"

// #region payment
const payment = (merchantId: string): Payments.NewPayment => ({
  paymentType: "tokenv3",
  merchantId,
  token: {
    tokenId: Redacted.make("tok_visa"), // from Digitzs's embedded checkout
    holder: Redacted.make("Ada Lovelace"),
    expiry: Redacted.make("0229"),
    useAVS: true
  },
  transaction: { amount: Cents.unsafeMake(2500), currency: "USD", invoice: "INV-2026-001" },
  billingAddress: { zip: "94102", country: "USA" }
})
// #endregion

// #region outcomes
const pay = (merchantId: string, requestId: Payments.RequestId) =>
  Payments.create(payment(merchantId), { requestId }).pipe(
    Effect.map(Payments.PaymentOutcome.$match({
      Created: ({ payment }) => `paid: ${payment.id}`,
      Duplicate: ({ transactionId }) => `was paid already: ${Option.getOrElse(transactionId, () => "no id")}`
    })),
    Effect.catchTag("PaymentNotApplied", ({ message }) => Effect.succeed(`not paid: ${message}`))
  )
// #endregion

// #region find-out
const settle = (merchantId: string, requestId: Payments.RequestId) =>
  pay(merchantId, requestId).pipe(
    Effect.tapErrorTag("OutcomeUnknown", ({ message }) => Console.log(message)),
    Effect.retry({ schedule: Schedule.exponential("100 millis"), times: 5 }) // only OutcomeUnknown is left to retry
  )
// #endregion

export const program = Effect.gen(function*() {
  const { merchants } = yield* Merchants.list({ limit: 25 })
  yield* Console.table(merchants)
  const requestId = yield* Payments.newRequestId
  yield* Console.log(yield* settle(merchants[0]?.id ?? "", requestId))
}).pipe(Effect.provide(Layer.provideMerge(DigitzsApp.layerConfig(), FetchHttpClient.layer)))

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
