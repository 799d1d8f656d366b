/**
 * A token as it is held in memory and kept in a store.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId = "~effect-credentials/Token"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * An access token with its times and, for flows that act for a person, the
 * refresh token that renews it.
 *
 * `toString`, `JSON.stringify` and `inspect` show the times only.
 *
 * @since 0.1.0
 * @category models
 */
export interface Token extends Inspectable.Inspectable {
  readonly [TypeId]: TypeId
  readonly accessToken: Redacted.Redacted
  /** Read from the clock before the request for this token was sent. */
  readonly issuedAt: DateTime.Utc
  readonly expiresAt: DateTime.Utc
  readonly refreshToken: Option.Option<Redacted.Redacted>
  /** `None` where the server did not say: such a refresh token is tried. */
  readonly refreshExpiresAt: Option.Option<DateTime.Utc>
  /** The scope granted, where it differs from the scope asked for (RFC 6749 §5.1). */
  readonly scope: Option.Option<string>
  /** Where this token is for, where the token reply said so; `None` for the flow's own base URL. */
  readonly baseUrl: Option.Option<string>
}

const Proto = {
  ...Inspectable.BaseProto,
  [TypeId]: TypeId,
  toJSON(this: Token) {
    return {
      _id: TypeId,
      accessToken: "<redacted>",
      issuedAt: DateTime.formatIso(this.issuedAt),
      expiresAt: DateTime.formatIso(this.expiresAt),
      ...(Option.isSome(this.refreshToken) ? { refreshToken: "<redacted>" } : {}),
      ...(Option.isSome(this.refreshExpiresAt)
        ? { refreshExpiresAt: DateTime.formatIso(this.refreshExpiresAt.value) }
        : {})
    }
  }
}

/**
 * @since 0.1.0
 * @category guards
 */
export const isToken = (u: unknown): u is Token => hasProperty(u, TypeId)

const redact = (value: string | Redacted.Redacted): Redacted.Redacted =>
  typeof value === "string" ? Redacted.make(value) : value

/**
 * Makes a token. A secret given as plain text is wrapped at once, so the result
 * prints nothing secret either way.
 *
 * @example
 * ```ts
 * import { DateTime } from "effect"
 * import { Token } from "effect-credentials"
 *
 * const issuedAt = DateTime.unsafeMake("2026-01-01T00:00:00Z")
 * const token = Token.make({
 *   accessToken: "secret",
 *   issuedAt,
 *   expiresAt: DateTime.add(issuedAt, { minutes: 30 })
 * })
 * console.log(String(token).includes("secret")) // false
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly accessToken: string | Redacted.Redacted
  readonly issuedAt: DateTime.Utc
  readonly expiresAt: DateTime.Utc
  readonly refreshToken?: string | Redacted.Redacted | undefined
  readonly refreshExpiresAt?: DateTime.Utc | undefined
  readonly scope?: string | undefined
  readonly baseUrl?: string | undefined
}): Token =>
  Object.assign(Object.create(Proto), {
    accessToken: redact(options.accessToken),
    issuedAt: options.issuedAt,
    expiresAt: options.expiresAt,
    refreshToken: Option.map(Option.fromNullable(options.refreshToken), redact),
    refreshExpiresAt: Option.fromNullable(options.refreshExpiresAt),
    scope: Option.fromNullable(options.scope),
    baseUrl: Option.fromNullable(options.baseUrl)
  })

/**
 * Whether two tokens carry the same access token. Their times do not matter:
 * this asks what a server would see.
 *
 * @since 0.1.0
 * @category predicates
 */
export const sameAccessToken = (self: Token, that: Token): boolean =>
  self === that || Redacted.value(self.accessToken) === Redacted.value(that.accessToken)

/**
 * How long the token was issued for.
 *
 * @since 0.1.0
 * @category getters
 */
export const lifetime = (self: Token): Duration.Duration => DateTime.distanceDuration(self.issuedAt, self.expiresAt)

/**
 * The text of a token: visible ASCII only (RFC 6750 §2.1 allows less still). A
 * control character in it would surface in the HTTP client's own error text.
 *
 * A failure to decode names the rule and never shows the value.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Secret: Schema.Schema<Redacted.Redacted, string> = Schema.Redacted(
  Schema.String.pipe(
    Schema.pattern(/^[\x21-\x7e]+$/, { message: () => "expected visible ASCII characters (the value is not shown)" })
  )
)

const Stored = Schema.Struct({
  accessToken: Secret,
  issuedAt: Schema.DateTimeUtc,
  expiresAt: Schema.DateTimeUtc,
  // Exact: without it the schema is a union with `undefined`, whose message would show the value.
  refreshToken: Schema.optionalWith(Secret, { as: "Option", exact: true }),
  refreshExpiresAt: Schema.optionalWith(Schema.DateTimeUtc, { as: "Option" }),
  scope: Schema.optionalWith(Schema.String, { as: "Option" }),
  baseUrl: Schema.optionalWith(Schema.String, { as: "Option" })
})

/**
 * @since 0.1.0
 * @category schemas
 */
export interface Encoded extends Schema.Schema.Encoded<typeof Stored> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const FromSelf: Schema.Schema<Token> = Schema.declare(isToken, { identifier: "Token" })

/**
 * What a store keeps. The encoded side holds secrets in plain text: it belongs
 * in a store and nowhere else.
 *
 * @since 0.1.0
 * @category schemas
 */
export const schema: Schema.Schema<Token, Encoded> = Schema.transform(Stored, FromSelf, {
  strict: true,
  decode: (stored) => Object.assign(Object.create(Proto), stored) as Token, // the struct has exactly the fields of Token
  encode: (token) => token
})
