/**
 * What a store keeps under one key, and its text.
 */
import type * as DateTime from "effect/DateTime"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Token from "../Token.js"

export interface Entry {
  readonly token: Token.Token
  readonly generation: number
  readonly redeeming: Option.Option<DateTime.Utc>
  readonly secretFingerprint?: string | undefined
}

const Encoded = Schema.Struct({
  token: Token.schema,
  generation: Schema.Int.pipe(Schema.positive()),
  redeeming: Schema.optionalWith(Schema.DateTimeUtc, { as: "Option" }),
  secretFingerprint: Schema.optional(Schema.String)
})

export interface EncodedEntry extends Schema.Schema.Encoded<typeof Encoded> {}

export const Entry: Schema.Schema<Entry, EncodedEntry> = Encoded
