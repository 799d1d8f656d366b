/**
 * A header value that fetch would refuse is refused by us first: fetch's error
 * text repeats the value.
 */
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"

/** RFC 9110 §5.5: visible characters with single spaces or tabs between them. */
const pattern = /^[\x21-\x7e\x80-\xff](?:[\x20-\x7e\t\x80-\xff]*[\x21-\x7e\x80-\xff])?$/

export const check = <A extends string | Redacted.Redacted>(
  value: A,
  name: string
): Either.Either<A, ConfigError.ConfigError> => {
  const text: string = typeof value === "string" ? value : Redacted.value(value)
  if (text === "") return Either.left(ConfigError.InvalidData([name], "Expected a value that is not empty"))
  if (!pattern.test(text)) {
    return Either.left(
      ConfigError.InvalidData([name], "Expected a header value: visible characters on one line, no space at either end")
    )
  }
  return Either.right(value)
}

/** For what is form-encoded on its way (RFC 6749 appendix B): any text of one line that is not empty. */
export const checkText = (text: string, name: string): Either.Either<string, ConfigError.ConfigError> =>
  text !== "" && !/[\x00-\x1f\x7f]/.test(text)
    ? Either.right(text)
    : Either.left(ConfigError.InvalidData([name], "Expected a value that is not empty, on one line"))
