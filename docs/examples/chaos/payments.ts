import { Cents, Payments } from "@effect-credentials/digitzs"
import type { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { HttpClientRequest } from "@effect/platform"
import { Effect, Exit, Option, Redacted } from "effect"

/** What must be in the server's books in the end, by what the program was told. */
type Expected = "one" | "none" | "at most one"

/** Something that somebody pays for, once. */
interface Purchase {
  /** By this we know it in the server's books, whatever request id it came under. */
  readonly invoice: string
  /** `undefined`: sent without one. */
  readonly requestId: Payments.RequestId | undefined
  /** It may have been applied by a call whose end nobody knows. */
  sentBefore: boolean
  expected: Expected
  /** The id of the payment, where an answer gave it. */
  id: string | undefined
}

export interface Book {
  readonly purchases: number
  /** Payments that the server applied, and answers that said so. */
  readonly applied: number
  readonly answered: number
  /** Payments whose end the program had to ask for. */
  readonly asked: number
  readonly twice: ReadonlyArray<string>
  /** What the program was told, and is not so. */
  readonly untrue: ReadonlyArray<string>
}

const payment = (invoice: string): Payments.NewPayment => ({
  paymentType: "tokenv3",
  merchantId: "merchant-1",
  token: {
    tokenId: Redacted.make("tok_visa"),
    holder: Redacted.make("Ada Lovelace"),
    expiry: Redacted.make("0229"),
    useAVS: true
  },
  transaction: { amount: Cents.unsafeMake(2500), currency: "USD", invoice },
  billingAddress: { zip: "94102", country: "USA" }
})

/** The same without a request id, which `create` would make: for `execute`. */
const unkeyed = (invoice: string) =>
  HttpClientRequest.post("/payments").pipe(HttpClientRequest.bodyUnsafeJson({
    data: {
      type: "payments",
      attributes: {
        paymentType: "tokenv3",
        merchantId: "merchant-1",
        token: { tokenId: "tok_visa", holder: "Ada Lovelace", expiry: "0229", useAVS: true },
        transaction: { amount: "2500", currency: "USD", invoice }
      }
    }
  }))

export type Till = ReturnType<typeof make>

/** Where the program pays, and writes down what it was told. */
export const make = () => {
  const purchases: Array<Purchase> = []
  /** Those whose end nobody knows, and who can be asked for. */
  const unknown: Array<Purchase> = []
  let asked = 0

  const begin = (requestId: Payments.RequestId | undefined): Purchase => {
    const purchase: Purchase = {
      invoice: `INV-${purchases.length + 1}`,
      requestId,
      sentBefore: false,
      expected: "none",
      id: undefined
    }
    purchases.push(purchase)
    return purchase
  }

  const settle = (purchase: Purchase, expected: Expected, id?: string) => {
    purchase.expected = expected
    purchase.id = id
  }

  /** Whatever becomes of the call: it may be interrupted. */
  const create = (purchase: Purchase, requestId: Payments.RequestId, repeat: boolean) =>
    Effect.suspend(() =>
      Payments.create(payment(purchase.invoice), {
        requestId,
        repeat,
        sentBefore: purchase.sentBefore,
        timeout: "40 seconds"
      })
    ).pipe(
      Effect.onExit((exit) => Effect.sync(() => {
        if (Exit.isSuccess(exit)) {
          return settle(purchase, "one", exit.value._tag === "Created" ? exit.value.payment.id : Option.getOrUndefined(exit.value.transactionId))
        }
        if (exit.cause._tag === "Fail" && exit.cause.error._tag === "PaymentNotApplied") return settle(purchase, "none")
        purchase.sentBefore = true
        settle(purchase, "at most one")
        unknown.push(purchase)
      }))
    )

  /** Under a request id. */
  const pay = (repeat: boolean) =>
    Effect.flatMap(Payments.newRequestId, (requestId) => Effect.suspend(() => create(begin(requestId), requestId, repeat)))

  /** Sends what nobody knows the end of again, under the same request id; otherwise something new. */
  const askOrPay = Effect.suspend(() => {
    const purchase = unknown.shift()
    if (purchase?.requestId === undefined) return pay(false)
    asked += 1
    return create(purchase, purchase.requestId, false)
  })

  /** Without a request id. Nobody can ask for its end, so it is never sent again. */
  const payOnce = Effect.suspend(() => {
    const purchase = begin(undefined)
    settle(purchase, "at most one")
    return Payments.execute(unkeyed(purchase.invoice)).pipe(
      Effect.tap(() => Effect.sync(() => settle(purchase, "one"))),
      Effect.tapError((error) => Effect.sync(() => {
        if (error._tag !== "OutcomeUnknown") settle(purchase, "none")
      }))
    )
  })

  const check = (applied: ReadonlyArray<DigitzsSimulator.AppliedPayment>): Book => {
    const entries = new Map<string, ReadonlyArray<DigitzsSimulator.AppliedPayment>>()
    for (const entry of applied) entries.set(entry.invoice, [...(entries.get(entry.invoice) ?? []), entry])
    const told = purchases.filter(({ expected }) => expected === "one")
    return {
      purchases: purchases.length,
      applied: applied.length,
      answered: told.length,
      asked,
      twice: [...entries].filter(([, of]) => of.length > 1).map(([invoice, of]) => `${invoice} was applied ${of.length} times`),
      untrue: purchases.flatMap(({ expected, id, invoice, requestId }) => {
        const [entry] = entries.get(invoice) ?? []
        return expected === "one" && entry === undefined
          ? [`${invoice} was not applied, and an answer said so`]
          : expected === "none" && entry !== undefined
          ? [`${invoice} was applied, and an error said it was not`]
          : entry !== undefined && (entry.requestId !== requestId || (id !== undefined && entry.id !== id))
          ? [`${invoice} was applied under another id than was said`]
          : []
      })
    }
  }

  return { pay, askOrPay, payOnce, unknown: () => unknown.length, check }
}
