/**
 * What the token endpoint of an OAuth 2.0 server says. `OAuth2` has all of it.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as AuthFlow from "./AuthFlow.js"
import * as Token from "./Token.js"
import * as TokenEndpoint from "./TokenEndpoint.js"

const orAbsent = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.transform(
    Schema.Union(schema, Schema.Null, Schema.Literal("")).annotations({
      // The union's own message would show the value.
      message: () => ({ message: "expected visible ASCII characters (the value is not shown)", override: true })
    }),
    Schema.UndefinedOr(Schema.typeSchema(schema)),
    {
      strict: false, // "" is a string to both sides of the union; it means "absent" here
      decode: (value) => value === null || value === "" ? undefined : value,
      encode: (value) => value ?? null
    }
  )

const Wire = Schema.Struct({
  access_token: Token.Secret,
  token_type: Schema.optional(Schema.NullOr(Schema.String.pipe(Schema.pattern(/^(bearer(token)?)?$/i)))),
  expires_in: Schema.optional(TokenEndpoint.Seconds),
  // Exact: `optional` adds a member to the union, whose message would show the value.
  refresh_token: Schema.optionalWith(orAbsent(Token.Secret), { exact: true }),
  refresh_token_expires_in: Schema.optional(TokenEndpoint.Seconds),
  // Of any type: a scope that cannot be read must not cost the refresh token beside it.
  scope: Schema.optional(Schema.Unknown)
})

/**
 * A successful reply of a token endpoint (RFC 6749 §5.1), read with the
 * tolerance that servers need: `expires_in` may be a string, `token_type` may be
 * absent or in any case, unknown fields are ignored. A `token_type` that is not
 * a bearer token is refused (§7.1).
 *
 * @since 0.1.0
 * @category schemas
 */
export const TokenReply: Schema.Schema<AuthFlow.TokenReply, Schema.Schema.Encoded<typeof Wire>> = Schema.transform(
  Wire,
  TokenEndpoint.TokenReplyFromSelf,
  {
    strict: true,
    decode: (wire) => ({
      accessToken: wire.access_token,
      expiresIn: wire.expires_in,
      refreshToken: wire.refresh_token,
      refreshExpiresIn: wire.refresh_token_expires_in,
      scope: typeof wire.scope === "string" ? wire.scope : undefined
    }),
    encode: (reply) => ({
      access_token: reply.accessToken,
      expires_in: reply.expiresIn,
      refresh_token: reply.refreshToken,
      refresh_token_expires_in: reply.refreshExpiresIn,
      scope: reply.scope
    })
  }
)

/**
 * An error reply of a token endpoint (RFC 6749 §5.2).
 *
 * @since 0.1.0
 * @category schemas
 */
export const ErrorReply = Schema.Struct({
  error: Schema.NonEmptyString,
  error_description: Schema.optional(Schema.NullOr(Schema.String))
})

const decodeError = Schema.decodeUnknownOption(ErrorReply)

const hints: Readonly<Record<string, string>> = {
  invalid_client: "Check the client id and the client secret, and that they belong to this environment.",
  unauthorized_client: "This client may not use this grant: change that at the provider.",
  invalid_scope: "Ask for scopes that this client was granted.",
  unsupported_grant_type: "The provider does not know this grant."
}

/**
 * Reads an error reply in the words of RFC 6749.
 *
 * @since 0.1.0
 * @category errors
 */
export const refusal = (body: unknown): Option.Option<TokenEndpoint.Refusal> =>
  Option.map(decodeError(body), (reply) =>
    withHint({ error: reply.error, description: reply.error_description ?? undefined }))

/** Whatever dialect the code came in, it means the same. */
const withHint = (refusal: TokenEndpoint.Refusal): TokenEndpoint.Refusal =>
  refusal.hint === undefined && refusal.error !== undefined && Object.hasOwn(hints, refusal.error)
    ? { ...refusal, hint: hints[refusal.error] }
    : refusal

/**
 * @since 0.1.0
 * @category models
 */
export type ReadRefusal = NonNullable<TokenEndpoint.Options<unknown>["refusal"]>

/**
 * The provider's dialect first, then the words of RFC 6749.
 *
 * @since 0.1.0
 * @category errors
 */
export const readRefusal = (own: ReadRefusal | undefined): ReadRefusal => (body, status) =>
  Option.orElse(Option.map(own?.(body, status) ?? Option.none(), withHint), () => refusal(body))

