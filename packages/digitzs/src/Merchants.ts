/**
 * Merchants: the accounts that payments go to.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as ApiClient from "effect-credentials/ApiClient"
import type { ApiClientError } from "effect-credentials/ApiError"
import type { Credentials } from "effect-credentials/Credentials"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { DigitzsApp } from "./DigitzsApp.js"
import * as ApiProduct from "./internal/product.js"
import { Count, Flag, Id, lenient, secret, SecretText } from "./internal/schemas.js"
import * as Secrets from "./internal/secrets.js"

const product = "Merchants"

/**
 * @since 0.1.0
 * @category schemas
 */
export const ListRequest = Schema.Struct({
  /** 1 to 100; Digitzs gives 25 by default. */
  limit: Schema.optional(Schema.Int.pipe(Schema.between(1, 100))),
  /** How many to skip. */
  offset: Schema.optional(Schema.NonNegativeInt)
})

/**
 * @since 0.1.0
 * @category models
 */
export type ListRequest = typeof ListRequest.Type

/**
 * @since 0.1.0
 * @category models
 */
export interface Merchant {
  readonly id: string
  readonly accountName?: string | undefined
  /** `personal` or `business`. */
  readonly accountType?: string | undefined
  /** As Digitzs writes it. */
  readonly created?: string | undefined
}

/**
 * One page.
 *
 * @since 0.1.0
 * @category models
 */
export interface MerchantPage {
  readonly merchants: ReadonlyArray<Merchant>
  readonly limit?: number | undefined
  /** Whether there is another page, where Digitzs says so. */
  readonly more?: boolean | undefined
}

const ListReply = Schema.Struct({
  data: Schema.Array(Schema.Struct({
    id: Id,
    attributes: lenient(Schema.Struct({
      accountName: lenient(Schema.String),
      accountType: lenient(Schema.String),
      created: lenient(Schema.String),
      createdAt: lenient(Schema.String)
    }))
  })),
  meta: lenient(Schema.Struct({ limit: lenient(Count), more: lenient(Flag), hasMore: lenient(Flag) }))
})

const pageOf = ({ data, meta }: typeof ListReply.Type): MerchantPage => ({
  merchants: data.map(({ attributes, id }) => ({
    id,
    accountName: attributes?.accountName,
    accountType: attributes?.accountType,
    created: attributes?.created ?? attributes?.createdAt
  })),
  limit: meta?.limit,
  more: meta?.more ?? meta?.hasMore
})

const Address = Schema.Struct({
  line1: Schema.NonEmptyString,
  line2: Schema.optional(Schema.String),
  city: Schema.NonEmptyString,
  state: Schema.NonEmptyString,
  zip: Schema.NonEmptyString,
  country: Schema.NonEmptyString
})

const digits = (count: number) => secret(new RegExp(`^\\d{${count}}$`))

const common = {
  AVS: Schema.Literal("Standard", "Strict", "Disabled"),
  accountName: Schema.NonEmptyString,
  miscData: Schema.optional(Schema.String),
  personalInfo: Schema.Struct({
    firstName: Schema.NonEmptyString,
    lastName: Schema.NonEmptyString,
    email: Schema.NonEmptyString,
    dayPhone: Schema.NonEmptyString,
    eveningPhone: Schema.optional(Schema.String),
    /** `MM-DD-YYYY` */
    birthDate: secret(/^\d\d-\d\d-\d{4}$/),
    /** 9 digits */
    socialSecurity: digits(9)
  }),
  personalAddress: Address,
  bankInfo: Schema.Struct({
    bankName: Schema.NonEmptyString,
    accountOwnership: Schema.Literal("personal", "business"),
    accountType: Schema.Literal("checking", "savings"),
    accountName: SecretText,
    accountNumber: secret(/^\d{4,17}$/),
    /** 9 digits */
    routingNumber: digits(9)
  }),
  verificationData: Schema.Struct({
    /** Of the person who signed up. */
    ipAddress: Schema.NonEmptyString,
    emailVerified: Schema.Boolean,
    emailVerifiedTimestamp: Schema.optional(Schema.String),
    signature: SecretText,
    signatureTimestamp: Schema.NonEmptyString,
    termsAccepted: Schema.Literal(true)
  })
}

/**
 * Whoever is to be paid. Numbers that identify a person or reach a bank account
 * are `Redacted`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const NewMerchant = Schema.Union(
  Schema.Struct({ ...common, accountType: Schema.Literal("personal") }),
  Schema.Struct({
    ...common,
    accountType: Schema.Literal("business"),
    businessInfo: Schema.Struct({
      businessName: Schema.NonEmptyString,
      /** 9 digits */
      ein: digits(9),
      phone: Schema.NonEmptyString,
      email: Schema.NonEmptyString,
      url: Schema.optional(Schema.String)
    }),
    businessAddress: Address
  })
)

/**
 * @since 0.1.0
 * @category models
 */
export type NewMerchant = typeof NewMerchant.Type

const CreateReply = Schema.Struct({ data: Schema.Struct({ id: Id }) })

/**
 * Every operation fails with `RequestFailed` reason `InvalidRequest`, and sends
 * nothing, where a value is out of its range. An API key that the gateway does
 * not know is an `ApiError` with reason `Forbidden` and a hint; a reply that does
 * not fit is `UnexpectedResponse`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Merchants<I> {
  /** One page of the application's merchants. */
  readonly list: (request?: ListRequest) => Effect.Effect<MerchantPage, ApiClientError, I | HttpClient.HttpClient>
  /**
   * Answers with the id of the new merchant. Digitzs has no key that would make a
   * repetition harmless, so it is sent once: without a usable answer it fails with
   * `OutcomeUnknown`.
   */
  readonly create: (merchant: NewMerchant) => Effect.Effect<string, ApiClientError, I | HttpClient.HttpClient>
  /** Any other request below `/merchants`, through the same pipeline. What is no read is sent once. */
  readonly execute: (
    request: HttpClientRequest.HttpClientRequest
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, ApiClientError, I | HttpClient.HttpClient>
}

/**
 * The product for other credentials than `DigitzsApp`, for example those of a
 * second account.
 *
 * @example
 * ```ts
 * import { Merchants } from "@effect-credentials/digitzs"
 * import { Credentials } from "effect-credentials"
 *
 * class Second extends Credentials.Tag("SecondAccount")<Second>() {}
 *
 * export const second = Merchants.make(Second)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I>(tag: Context.Tag<I, Credentials>): Merchants<I> => {
  const path = "/merchants"
  const client = ApiClient.make(tag, ApiProduct.options(product))
  const encodeList = Schema.encodeEither(ListRequest)
  const decodeList = ApiClient.decodeJson(product, ListReply)
  const post = ApiProduct.post(product, path, "merchants", NewMerchant)
  const decodeCreate = ApiClient.decodeJson(product, CreateReply)
  return {
    list: (request = {}) =>
      Either.match(encodeList(request), {
        onLeft: () => Effect.fail(ApiProduct.invalid(product, "GET", path)),
        onRight: (urlParams) =>
          Effect.map(Effect.flatMap(client.execute(HttpClientRequest.get(path, { urlParams })), decodeList), pageOf)
      }),
    create: (merchant) =>
      Effect.flatMap(post(merchant), client.execute).pipe(
        Effect.flatMap(decodeCreate),
        Effect.mapBoth({
          onFailure: (error) => Secrets.scrub(error, Secrets.secretsIn(merchant)),
          onSuccess: ({ data }) => data.id
        })
      ),
    execute: client.execute
  }
}

/**
 * @since 0.1.0
 * @category operations
 */
export const { create, execute, list }: Merchants<DigitzsApp> = make(DigitzsApp)
