import { Cents, DigitzsApp, Merchants, Payments } from "@effect-credentials/digitzs"
import { FetchHttpClient } from "@effect/platform"
import { Console, Effect, Layer, Option, Redacted } from "effect"

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
const pay = (merchantId: string, options: Payments.CreateOptions) =>
  Payments.create(payment(merchantId), options).pipe(
    Effect.map(Payments.PaymentOutcome.$match({
      Created: ({ payment }) => `made: ${payment.id}, ${payment.status ?? "no status yet"}`,
      Duplicate: ({ transactionId }) => `was made already: ${Option.getOrElse(transactionId, () => "no id")}`
    })),
    Effect.catchTag("PaymentNotApplied", ({ message }) => Effect.succeed(`not made: ${message}`))
  )
// #endregion

// #region find-out
const settle = (merchantId: string, requestId: Payments.RequestId) =>
  pay(merchantId, { requestId }).pipe(
    Effect.catchTag("OutcomeUnknown", ({ message }) =>
      // From here on the first call may have been applied, so a refusal proves nothing: sentBefore.
      Effect.zipRight(Console.log(message), pay(merchantId, { requestId, repeat: true, sentBefore: true })))
  )
// #endregion

export const program = Effect.gen(function*() {
  const { merchants } = yield* Merchants.list({ limit: 25 })
  yield* Console.table(merchants)
  const requestId = yield* Payments.newRequestId
  yield* Console.log(yield* settle(merchants[0]?.id ?? "", requestId))
}).pipe(Effect.provide(Layer.provideMerge(DigitzsApp.layerConfig(), FetchHttpClient.layer)))

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
