/**
 * What a payment is made of, and what may become of it.
 *
 * @since 0.1.0
 */
import { ApiError, RateLimited, RequestFailed } from "effect-credentials/ApiError"
import { CredentialsError, ForeignOrigin } from "effect-credentials/CredentialsError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Cents from "./Cents.js"
import { secret, SecretText } from "./internal/schemas.js"

// -----------------------------------------------------------------------------
// The key
// -----------------------------------------------------------------------------

/**
 * The UUID under which Digitzs knows a payment before it has an id: the same
 * request id is applied once, however often it is sent. In lower case: an id that
 * a database gives back in another case would be another key.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RequestId = Schema.UUID.pipe(Schema.lowercased(), Schema.brand("@effect-credentials/digitzs/RequestId"))

/**
 * @since 0.1.0
 * @category models
 */
export type RequestId = typeof RequestId.Type

/**
 * A new request id. A program that must survive its own crash makes one, stores
 * it, and gives it to `create`.
 *
 * It is not made of Effect's `Random`, which can be predicted, and repeats itself
 * under one seed: two payments with one request id are one payment.
 *
 * @since 0.1.0
 * @category constructors
 */
export const newRequestId: Effect.Effect<RequestId> = Effect.sync(() => RequestId.make(crypto.randomUUID()))

// -----------------------------------------------------------------------------
// What is sent
// -----------------------------------------------------------------------------

/**
 * Of a card, as `MMYY`.
 */
const Expiry = secret(/^(0[1-9]|1[0-2])\d\d$/)

const Transaction = Schema.Struct({
  /** More than 0. */
  amount: Cents.schema.pipe(Schema.filter((amount) => amount !== "0")),
  /** Three letters (ISO 4217); Digitzs takes `USD`. */
  currency: Schema.String.pipe(Schema.pattern(/^[A-Z]{3}$/)),
  /** The number under which you know what is paid for. */
  invoice: Schema.NonEmptyString
})

const BillingAddress = Schema.Struct({
  line1: Schema.optional(Schema.String),
  line2: Schema.optional(Schema.String),
  city: Schema.optional(Schema.String),
  state: Schema.optional(Schema.String),
  zip: Schema.optional(Schema.String),
  country: Schema.NonEmptyString
})

const TokenDetails = Schema.Struct({
  /** From Digitzs's embedded checkout. */
  tokenId: SecretText,
  holder: SecretText,
  /** `MMYY` */
  expiry: Expiry,
  /** Whether the ZIP code must match. */
  useAVS: Schema.Boolean
})

const common = {
  /** Who is paid. */
  merchantId: Schema.NonEmptyString,
  transaction: Transaction,
  /** Anything you want to find with the payment, as text. */
  miscData: Schema.optional(Schema.String)
}

/**
 * A payment with a token that stands for a card.
 *
 * @since 0.1.0
 * @category schemas
 */
export const TokenPayment = Schema.Struct({
  ...common,
  paymentType: Schema.Literal("tokenv3"),
  token: TokenDetails,
  billingAddress: BillingAddress
})

/**
 * One of which a part goes to a second merchant.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SplitPayment = Schema.Struct({
  ...common,
  paymentType: Schema.Literal("tokenv3Split"),
  token: TokenDetails,
  split: Schema.Struct({
    merchantId: Schema.NonEmptyString,
    /** Less than the amount of the transaction. */
    amount: Cents.schema
  }),
  billingAddress: Schema.optional(BillingAddress)
})

/**
 * A payment with the card itself.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CardPayment = Schema.Struct({
  ...common,
  paymentType: Schema.Literal("card"),
  card: Schema.Struct({
    holder: SecretText,
    /** 12 to 19 digits */
    number: secret(/^\d{12,19}$/),
    /** `MMYY` */
    expiry: Expiry,
    /** The 3 or 4 digits on the card. */
    code: Schema.optional(secret(/^\d{3,4}$/))
  }),
  billingAddress: Schema.optional(BillingAddress)
})

/**
 * A transfer from a bank account; it takes days to settle.
 *
 * @since 0.1.0
 * @category schemas
 */
export const BankPayment = Schema.Struct({
  ...common,
  paymentType: Schema.Literal("ACH"),
  StandardEntryClassCode: Schema.Literal("WEB"),
  bank: Schema.Struct({
    bankName: Schema.NonEmptyString,
    accountType: Schema.Literal("checking", "savings"),
    accountName: SecretText,
    accountNumber: secret(/^\d{4,17}$/),
    /** 9 digits */
    routingNumber: secret(/^\d{9}$/)
  })
})

/**
 * Everything about a card and a bank account is `Redacted`: it is encoded where
 * the request is made, and appears in nothing that comes back.
 *
 * @since 0.1.0
 * @category schemas
 */
export const NewPayment = Schema.Union(TokenPayment, SplitPayment, CardPayment, BankPayment)

/**
 * @since 0.1.0
 * @category models
 */
export type NewPayment = typeof NewPayment.Type

// -----------------------------------------------------------------------------
// What comes back
// -----------------------------------------------------------------------------

/**
 * A payment as Digitzs has it. Only its id is sure to be there.
 *
 * @since 0.1.0
 * @category models
 */
export interface Payment {
  readonly id: string
  readonly paymentType?: string | undefined
  readonly merchantId?: string | undefined
  /** For example `pending`, `completed`, `failed`, `refunded` or `voided`. */
  readonly status?: string | undefined
  /** As Digitzs writes it. */
  readonly createdAt?: string | undefined
  readonly transaction?: {
    /** What the processor said; `0` is success. */
    readonly code?: string | undefined
    readonly message?: string | undefined
    readonly amount?: Cents.Cents | undefined
    readonly currency?: string | undefined
    readonly invoice?: string | undefined
    readonly authCode?: string | undefined
    readonly avsResult?: string | undefined
    readonly gross?: Cents.Cents | undefined
    /** After fees. */
    readonly net?: Cents.Cents | undefined
  } | undefined
}

/**
 * Digitzs has the payment.
 *
 * - `Created`: it was made now.
 * - `Duplicate`: there is one under this request id already, which is not made
 *   again. `transactionId` names it, where Digitzs says so: `get` shows what became
 *   of it. With `repeated` it is the answer to our own repetition: an attempt whose
 *   answer was lost went through.
 *
 * @since 0.1.0
 * @category models
 */
export type PaymentOutcome = Data.TaggedEnum<{
  Created: { readonly requestId: RequestId; readonly payment: Payment }
  Duplicate: {
    readonly requestId: RequestId
    readonly transactionId: Option.Option<string>
    readonly repeated: boolean
  }
}>

/**
 * @since 0.1.0
 * @category constructors
 */
export const PaymentOutcome = Data.taggedEnum<PaymentOutcome>()

/**
 * This call did not apply the payment: Digitzs refused it, or it was never sent.
 * `cause` says why; the same request id may be used again. It says nothing of an
 * earlier call under the same request id, unless that was told with `sentBefore`.
 *
 * @since 0.1.0
 * @category errors
 */
export class PaymentNotApplied extends Schema.TaggedError<PaymentNotApplied>(
  "@effect-credentials/digitzs/PaymentNotApplied"
)("PaymentNotApplied", {
  requestId: RequestId,
  cause: Schema.Union(CredentialsError, ForeignOrigin, ApiError, RateLimited, RequestFailed)
}) {
  override get message(): string {
    return `The payment ${this.requestId} was not applied by this call. ${this.cause.message}`
  }
}
