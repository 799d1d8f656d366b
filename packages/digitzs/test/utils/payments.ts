import { Cents, type Payments } from "@effect-credentials/digitzs"
import { Redacted } from "effect"

export const tokenPayment: Payments.NewPayment = {
  paymentType: "tokenv3",
  merchantId: "merchant-1",
  token: {
    tokenId: Redacted.make("tok_visa"),
    holder: Redacted.make("Ada Lovelace"),
    expiry: Redacted.make("0229"),
    useAVS: true
  },
  transaction: { amount: Cents.unsafeMake(2500), currency: "USD", invoice: "INV-1" },
  billingAddress: { zip: "94102", country: "USA" }
}

export const cardPayment = (number: string): Payments.NewPayment => ({
  paymentType: "card",
  merchantId: "merchant-1",
  card: {
    holder: Redacted.make("Ada Lovelace"),
    number: Redacted.make(number),
    expiry: Redacted.make("0229"),
    code: Redacted.make("739")
  },
  transaction: { amount: Cents.unsafeMake(2500), currency: "USD", invoice: "INV-1" }
})

/** The body of a payment without a request id, for requests that are made by hand. */
export const unkeyedBody = {
  data: {
    type: "payments",
    attributes: {
      paymentType: "tokenv3",
      merchantId: "merchant-1",
      token: { tokenId: "tok_visa", holder: "Ada Lovelace", expiry: "0229", useAVS: true },
      transaction: { amount: "2500", currency: "USD", invoice: "INV-1" }
    }
  }
}
