/**
 * Fields as Digitzs writes and takes them.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/**
 * A field of an answer that is of use where it fits and costs nothing but itself
 * where it does not: a payment that went through must not turn into an error
 * because of it.
 */
export const lenient = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownOption(schema)
  return Schema.optional(
    Schema.transform(Schema.Unknown, Schema.UndefinedOr(Schema.typeSchema(schema)), {
      strict: true,
      decode: (value) => Option.getOrUndefined(decode(value)),
      encode: (value) => value
    })
  )
}

/** An id is text, or a number. */
export const Id: Schema.Schema<string, string | number> = Schema.Union(
  Schema.NonEmptyString,
  Schema.transform(Schema.Int, Schema.NonEmptyString, { strict: true, decode: String, encode: Number })
)

/** `25` or `"25"`. */
export const Count: Schema.Schema<number, number | string> = Schema.Union(Schema.NonNegativeInt, Schema.compose(
  Schema.NumberFromString,
  Schema.NonNegativeInt
))

/** `true` or `"true"`. */
export const Flag = Schema.Union(Schema.Boolean, Schema.BooleanFromString)

/** A secret of the caller's: encoded when it is sent, and never before. */
export const secret = (pattern: RegExp) => Schema.Redacted(Schema.String.pipe(Schema.pattern(pattern)))

export const SecretText = Schema.Redacted(Schema.NonEmptyString)
