/**
 * Amounts of money as Digitzs takes them: whole cents, as text.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/**
 * `"1299"` is 12.99. A brand of its own, so that neither a number of dollars nor
 * an amount with a decimal point gets into a payment.
 *
 * @since 0.1.0
 * @category models
 */
export type Cents = string & Brand.Brand<"@effect-credentials/digitzs/Cents">

/**
 * Digits without sign, point or leading zero; at most 15, so that every amount
 * is a safe integer.
 *
 * @since 0.1.0
 * @category schemas
 */
export const schema: Schema.brand<typeof Schema.String, "@effect-credentials/digitzs/Cents"> = Schema.String.pipe(
  Schema.pattern(/^(0|[1-9]\d{0,14})$/),
  Schema.brand("@effect-credentials/digitzs/Cents")
)

const decode = Schema.decodeOption(schema)

/**
 * From a whole number of cents; `None` for a fraction, a negative number or one
 * of more than 15 digits.
 *
 * @example
 * ```ts
 * import { Cents } from "@effect-credentials/digitzs"
 *
 * console.log(Cents.make(1299)) // Some("1299")
 * console.log(Cents.make(12.99)) // None
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (cents: number): Option.Option<Cents> =>
  Number.isSafeInteger(cents) ? decode(String(cents)) : Option.none()

/**
 * Like `make`, for amounts that are known to be whole. Throws a `RangeError`
 * where they are not.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unsafeMake = (cents: number): Cents =>
  Option.getOrThrowWith(make(cents), () => new RangeError("An amount is a whole number of cents, 0 or more."))

/**
 * @since 0.1.0
 * @category getters
 */
export const toNumber = (self: Cents): number => Number(self)
