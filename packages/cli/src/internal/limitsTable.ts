/**
 * How the rate limits of API products stand, as rows for a person.
 */
import type { Snapshot, Window } from "effect-credentials/RateLimits"
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Times from "./times.js"

export const titles = ["PRODUCT", "LIMIT", "LEFT", "REQUESTS", "RESETS"]

/** With five columns of the usual length, a row has 80 characters. */
const width = 16

/** From nothing to seven eighths of a cell. */
const parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

/**
 * What is left of a whole: in eighths of a cell or, `plain`, in ASCII. It is
 * empty only where nothing is left, and full only where all is.
 */
export const bar = (left: number, whole: number, plain: boolean): string => {
  const cells = plain ? width - 2 : width
  const steps = plain ? cells : cells * parts.length
  const filled = left <= 0 ? 0 : Math.min(steps, Math.max(1, Math.floor((left / whole) * steps)))
  if (plain) return `[${"#".repeat(filled).padEnd(cells, ".")}]`
  return `${"█".repeat(Math.floor(filled / parts.length))}${parts[filled % parts.length] ?? ""}`.padEnd(cells, "░")
}

const requestsOf = ({ remaining, requests }: Window): string =>
  [
    Option.match(remaining, { onNone: () => "?", onSome: String }),
    ...Option.match(requests, { onNone: () => [], onSome: (requests) => [`of ${requests}`] })
  ].join(" ")

const barOf = ({ remaining, requests }: Window, plain: boolean): string =>
  Option.match(Option.all([remaining, requests]), {
    onNone: () => "-",
    onSome: ([left, whole]) => bar(left, whole, plain)
  })

/** What somebody waits for, or a time to come back at. */
const resets = (at: Option.Option<DateTime.Utc>, now: DateTime.Utc): string =>
  Option.match(at, {
    onNone: () => "-",
    onSome: (at) => {
      const seconds = Math.max(0, Math.ceil(DateTime.distance(now, at) / 1000))
      if (seconds <= 90) return `in ${seconds} s`
      const minutes = Math.ceil(seconds / 60)
      return minutes <= 90 ? `in ${minutes} min` : Times.shown(at)
    }
  })

/** A server may have several limits of a kind: their names tell them apart. */
const limitOf = ({ declared, limit, name }: Window, all: ReadonlyArray<Window>): string =>
  declared
    ? `${limit} (documented)`
    : all.filter((other) => other.limit === limit).length > 1
    ? `${limit} (${name})`
    : limit

/** One for each limit; one that says so where there is none. */
export const rows = (
  { closedUntil, product, windows }: Pick<Snapshot, "closedUntil" | "product" | "windows">,
  now: DateTime.Utc,
  plain: boolean
): ReadonlyArray<ReadonlyArray<string>> => {
  const isUsedUp = windows.some(({ remaining }) => Option.contains(remaining, 0))
  const found = [
    ...windows.map((window) => [
      product,
      limitOf(window, windows),
      barOf(window, plain),
      requestsOf(window),
      resets(window.resetAt, now)
    ]),
    // A 429 that does not say of which limit it is.
    ...(Option.isSome(closedUntil) && !isUsedUp
      ? [[product, "429", bar(0, 1, plain), "0", resets(closedUntil, now)]]
      : [])
  ]
  return found.length === 0 ? [[product, "none announced", "-", "-", "-"]] : found
}
