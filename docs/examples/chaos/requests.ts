import { OrderStatus, ProductInformation, Quotes } from "@effect-credentials/digikey"
import { Merchants, type Payments } from "@effect-credentials/digitzs"
import { Effect, Random } from "effect"
import type { ApiError } from "effect-credentials"
import type { Till } from "./payments.js"
import type { Services } from "./world.js"

/** What a caller's request may end in, besides success. */
export type Failure = ApiError.ApiClientError | Payments.PaymentNotApplied

/** Every tag of the errors that the types declare: the compiler sees to it that none is missing, and none too many. */
export const declared: { readonly [Tag in Failure["_tag"]]: true } = {
  ApiError: true,
  CredentialsRejected: true,
  ForeignOrigin: true,
  MalformedTokenResponse: true,
  OutcomeUnknown: true,
  PaymentNotApplied: true,
  RateLimited: true,
  ReauthorizationRequired: true,
  RequestFailed: true,
  TokenEndpointUnavailable: true,
  TokenStoreError: true,
  UnexpectedResponse: true
}

/** Those that nothing in this storm is a reason for: secrets are right, and no server says anything odd. */
export const unreasonable: ReadonlyArray<string> = [
  "CredentialsRejected",
  "ForeignOrigin",
  "MalformedTokenResponse",
  "UnexpectedResponse"
]

export type Request = Effect.Effect<unknown, Failure, Services>

interface Kind {
  /** Of a hundred requests. */
  readonly share: number
  readonly request: Request
}

const parts = ["NE555", "LM358", "ESP32"]
const part = Effect.map(Random.nextIntBetween(0, parts.length), (index) => parts[index] ?? "")

const kindsOf = (till: Till): ReadonlyArray<Kind> => [
  { share: 22, request: Effect.flatMap(part, (Keywords) => ProductInformation.keywordSearch({ Keywords, Limit: 1 })) },
  { share: 12, request: ProductInformation.productDetails("NE555P") },
  { share: 18, request: OrderStatus.listOrders() },
  { share: 12, request: Quotes.listQuotes({ limit: 1 }) },
  { share: 4, request: Quotes.createQuote({ QuoteName: "Prototype" }) },
  { share: 10, request: Merchants.list() },
  { share: 10, request: till.pay(false) },
  { share: 4, request: till.pay(true) },
  { share: 4, request: till.askOrPay },
  { share: 4, request: till.payOnce }
]

/** One of them, as chance has it. */
export const any = (till: Till): Request => {
  const kinds = kindsOf(till)
  return Effect.flatMap(Random.nextIntBetween(0, 100), (chance) => {
    let rest = chance
    return (kinds.find(({ share }) => (rest -= share) < 0) ?? kinds[0])?.request ?? Effect.void
  })
}

/** One of every product, in the order of whose token they take. */
export const oneOfEach = [
  ProductInformation.keywordSearch({ Keywords: "NE555" }),
  OrderStatus.listOrders(),
  Quotes.listQuotes(),
  Merchants.list()
] as const satisfies ReadonlyArray<Request>
