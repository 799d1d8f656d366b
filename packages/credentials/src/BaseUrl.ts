/**
 * The one place where credentials may go.
 *
 * @since 0.1.0
 */
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import * as HttpsUrl from "./internal/httpsUrl.js"

/**
 * A base URL that has been checked: https (plain http for loopback only), no
 * user name, no query, no fragment.
 *
 * @since 0.1.0
 * @category models
 */
export interface BaseUrl {
  /** Scheme, host and port, without a trailing slash. */
  readonly origin: string
  /** The origin and the path; ends in `/`. */
  readonly href: string
}

/**
 * Parses a base URL. `name` is how the caller calls it (an environment
 * variable, an option): it is all that a failure says, the value never.
 *
 * @example
 * ```ts
 * import { BaseUrl } from "effect-credentials"
 *
 * console.log(BaseUrl.parse("https://api.example.com/v2", "ACME_BASE_URL")) // Right
 * console.log(BaseUrl.parse("http://api.example.com", "ACME_BASE_URL")) // Left: must be https
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const parse = (text: string, name: string): Either.Either<BaseUrl, ConfigError.ConfigError> =>
  Either.flatMap(HttpsUrl.parse(text, name), (url) =>
    url.search === ""
      ? Either.right({ origin: url.origin, href: url.href.endsWith("/") ? url.href : `${url.href}/` })
      : Either.left(ConfigError.InvalidData([name], "Expected a URL without query")))
