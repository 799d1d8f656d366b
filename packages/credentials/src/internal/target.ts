/**
 * Where a request would go, decided before any credentials are put on it.
 */
import type { BaseUrl } from "../BaseUrl.js"

/** A path of one leading slash, then nothing that a URL parser would rewrite. */
const plainPath = /^\/(?![/\\])[^\\\x00-\x20\x7f]*$/

/** Scheme, two slashes, a host without a user name, then nothing that a URL parser would rewrite. */
const fullUrl = /^https?:\/\/[^/?#@\\\x00-\x20\x7f]+(?:[/?#][^\\\x00-\x20\x7f]*)?$/i

export const isPlainPath = (url: string): boolean => plainPath.test(url)

export type Target =
  | { readonly _tag: "Url"; readonly url: string }
  | { readonly _tag: "Foreign"; readonly origin: string }

/**
 * A path is joined to the base as text: `new URL("//evil.com", base)` and
 * `base + "@evil.com"` both leave the origin. A full URL must have an allowed
 * origin and no user name.
 */
export const resolve = (url: string, base: BaseUrl, origins: ReadonlyArray<string>): Target => {
  if (url.startsWith("/")) {
    return isPlainPath(url)
      ? { _tag: "Url", url: base.href.slice(0, -1) + url }
      : { _tag: "Foreign", origin: "invalid" }
  }
  if (!fullUrl.test(url) || !URL.canParse(url)) return { _tag: "Foreign", origin: "invalid" }
  const parsed = new URL(url)
  // What is sent is what was checked: the parsed form, not the text.
  return origins.includes(parsed.origin)
    ? { _tag: "Url", url: parsed.origin + parsed.pathname + parsed.search }
    : { _tag: "Foreign", origin: parsed.origin }
}

/** `.` and `..` would climb out of a product's path; `%2e` is the same thing to a URL parser. */
export const hasDotSegment = (url: string): boolean =>
  /(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\]|$)/i.test(url.replace(/[?#].*$/s, ""))
