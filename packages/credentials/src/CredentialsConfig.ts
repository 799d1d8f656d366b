/**
 * Configuration values for credentials. Whatever is wrong with one, the error
 * names the variable and never prints the value.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as BaseUrl from "./BaseUrl.js"
import * as HeaderValue from "./internal/headerValue.js"

/**
 * A secret: not empty, on one line, without space at either end.
 *
 * @example
 * ```ts
 * import { CredentialsConfig } from "effect-credentials"
 *
 * export const secret = CredentialsConfig.secret("ACME_CLIENT_SECRET")
 * ```
 *
 * @since 0.1.0
 * @category configs
 */
export const secret = (name: string): Config.Config<Redacted.Redacted> =>
  // Not Config.redacted: it hides the words of a missing variable too.
  named(name, (value) => Either.map(HeaderValue.check(value, name), (text) => Redacted.make(text)))

/** The variable's name is added by `Config.string`: once is enough. */
const named = <A>(name: string, check: (value: string) => Either.Either<A, ConfigError.ConfigError>): Config.Config<A> =>
  Config.string(name).pipe(
    Config.mapOrFail((value) =>
      Either.mapLeft(check(value), (error) =>
        ConfigError.isInvalidData(error) ? ConfigError.InvalidData([], error.message) : error)
    )
  )

/**
 * Like `secret`, for a value that is none.
 *
 * @since 0.1.0
 * @category configs
 */
export const text = (name: string): Config.Config<string> =>
  named(name, (value) => HeaderValue.check(value, name))

/**
 * `undefined` where the variable is absent or empty.
 *
 * @since 0.1.0
 * @category configs
 */
export const optionalText = (name: string): Config.Config<string | undefined> =>
  optional(name, (value) => HeaderValue.check(value, name))

/**
 * A base URL, as `BaseUrl.parse` accepts it; `undefined` where the variable is
 * absent or empty.
 *
 * @since 0.1.0
 * @category configs
 */
export const optionalBaseUrl = (name: string): Config.Config<string | undefined> =>
  optional(name, (value) => Either.map(BaseUrl.parse(value, name), (url) => url.href))

const optional = (
  name: string,
  check: (value: string) => Either.Either<string, ConfigError.ConfigError>
): Config.Config<string | undefined> =>
  Config.option(Config.string(name)).pipe(
    Config.mapOrFail((value) =>
      Option.isNone(value) || value.value === "" ? Either.right(undefined) : check(value.value)
    )
  )

/**
 * One of some words.
 *
 * @since 0.1.0
 * @category configs
 */
export const oneOf = <const Words extends ReadonlyArray<string>>(
  name: string,
  ...words: Words
): Config.Config<Words[number]> =>
  named(name, (value) => {
    const word = words.find((word) => word === value)
    return word === undefined
      ? Either.left(ConfigError.InvalidData([name], `Expected ${words.map((word) => `"${word}"`).join(" or ")}`))
      : Either.right(word)
  })

/**
 * Checks a value that was given as an option rather than read from the
 * environment; `name` is the option's.
 *
 * @since 0.1.0
 * @category checks
 */
export const check: <A extends string | Redacted.Redacted>(
  value: A,
  name: string
) => Either.Either<A, ConfigError.ConfigError> = HeaderValue.check
