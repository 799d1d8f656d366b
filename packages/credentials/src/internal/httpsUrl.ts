/**
 * The rule for every URL that credentials are sent to.
 */
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"

const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname)

/**
 * An absolute https URL (plain http for loopback only) without user name and
 * fragment. A failure has `name` and never the text.
 */
export const parse = (text: string, name: string): Either.Either<URL, ConfigError.ConfigError> => {
  const invalid = (why: string) => Either.left(ConfigError.InvalidData([name], why))
  // URL would drop tabs and newlines and turn a backslash into a slash without a word.
  if (/[\s\\]/.test(text)) return invalid("Expected a URL without white space and backslashes")
  if (!URL.canParse(text)) return invalid("Expected an absolute URL")
  const url = new URL(text)
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    return invalid("Expected an https URL (plain http is for loopback only)")
  }
  if (url.username !== "" || url.password !== "") return invalid("Expected a URL without user name and password")
  if (url.hash !== "") return invalid("Expected a URL without fragment")
  return Either.right(url)
}

/**
 * Where a URL leads, as far as it says who is asked: a program that listens on
 * loopback takes whichever port is free.
 */
export const destination = (url: URL): string =>
  `${isLoopback(url.hostname) ? "loopback" : url.origin}${url.pathname}`
