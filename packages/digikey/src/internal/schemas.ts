/**
 * Fields as DigiKey's products write them.
 */
import * as Schema from "effect/Schema"

/** Absent and `null` mean the same to DigiKey. */
export const nullish = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { nullable: true })

/** A list that is absent or `null` is empty. */
export const list = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.Array(schema), { nullable: true, default: () => [] })

/** What is asked for by name: a blank text names nothing. */
export const Name = Schema.String.pipe(Schema.pattern(/\S/))

/** A quantity, for example. */
export const PositiveInt = Schema.Int.pipe(Schema.positive())

/**
 * A price or another amount: a number, or, in substitutes, its decimal text. Text
 * with a currency or a thousands separator is refused: which of `.` and `,` is the
 * decimal point depends on the locale, and a guess would be a wrong price.
 */
export const Decimal: Schema.Schema<number, number | string> = Schema.Union(
  Schema.Finite,
  Schema.transform(Schema.String.pipe(Schema.pattern(/^-?(\d+|\d*\.\d+)$/)), Schema.Finite, {
    strict: true,
    decode: Number,
    encode: String
  })
)
