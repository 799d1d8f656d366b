/**
 * What the headers of a reply say of rate limits. Pure and total: anything
 * malformed is as if it were not there.
 */
import type * as Headers from "@effect/platform/Headers"
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as HttpDate from "./httpDate.js"
import * as StructuredFields from "./structuredFields.js"

/**
 * What one reply says of one limit. Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reading {
  /** The policy's own name, or that of the header family: readings of one name are about one limit. */
  readonly name: string
  /** Longer than an hour is `daily`; `unknown` where the headers do not tell. */
  readonly kind: "burst" | "daily" | "unknown"
  /** Requests in a window: at least 1. */
  readonly requests: number | undefined
  readonly remaining: number | undefined
  readonly resetAfter: number | undefined
  /** The length of the window. */
  readonly window: number | undefined
}

const second = 1000
const hour = 3_600_000
const day = 86_400_000

/** Nobody is told to wait longer than this by a header: a value beyond it is a mistake. */
const longest = 31 * day

const isDaily = (millis: number | undefined): boolean => millis !== undefined && millis > hour

/** By hand: this is read at every reply, and a pattern takes several times as long. */
const digits = (text: string | undefined): number | undefined => {
  if (text === undefined || text.length === 0 || text.length > 15) return undefined
  let value = 0
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return value
}

const count = (value: StructuredFields.Bare | undefined): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

/** A limit of nothing was just disproved by the answer itself. */
const quota = (value: number | undefined): number | undefined => value !== undefined && value >= 1 ? value : undefined

const within = (millis: number, most: number): number | undefined =>
  Number.isFinite(millis) && millis >= 0 && millis <= most ? millis : undefined

/** Whether the server's clock agrees with ours does not matter: its dates count from its own `Date`. */
const until = (instant: number, headers: Headers.Headers, now: number, most: number): number | undefined => {
  const date = headers["date"]
  const sentAt = date === undefined ? now : Option.getOrElse(HttpDate.parse(date, now), () => now)
  return within(Math.max(0, instant - sentAt), most)
}

/**
 * Seconds left, a Unix time in seconds, or one in milliseconds: the same header
 * has been seen as each of them. No two of them are of one size.
 */
const reset = (text: string | undefined, headers: Headers.Headers, now: number, most: number): number | undefined => {
  if (text === undefined) return undefined
  const value = digits(text) ?? (/^\d{1,15}\.\d{1,9}$/.test(text) ? Number(text) : undefined)
  if (value === undefined) return undefined
  if (value < 1e9) return within(value * second, most)
  return until(value < 1e11 ? value * second : value, headers, now, most)
}

const iso = /^\s*(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s*(Z|[+-]\d\d:\d\d)?\s*$/

/** A date without a zone is taken as UTC. */
const resetTime = (text: string | undefined, headers: Headers.Headers, now: number, most: number): number | undefined => {
  if (text === undefined) return undefined
  const match = iso.exec(text)
  const instant = match === null
    ? HttpDate.parse(text, now)
    : Option.map(DateTime.make(`${match[1]}T${match[2]}${match[3] ?? "Z"}`), ({ epochMillis }) => epochMillis)
  return Option.isNone(instant) ? undefined : until(instant.value, headers, now, most)
}

/** `X-RateLimit-*`, `X-BurstLimit-*`: nobody's standard, and the most common of all. */
const families = {
  "x-ratelimit": {
    name: "X-RateLimit",
    limit: "x-ratelimit-limit",
    remaining: "x-ratelimit-remaining",
    reset: "x-ratelimit-reset",
    resetTime: "x-ratelimit-resettime",
    longest
  },
  "x-burstlimit": {
    name: "X-BurstLimit",
    limit: "x-burstlimit-limit",
    remaining: "x-burstlimit-remaining",
    reset: "x-burstlimit-reset",
    resetTime: "x-burstlimit-resettime",
    longest: hour
  }
} as const

const family = (
  headers: Headers.Headers,
  names: (typeof families)[keyof typeof families],
  kind: Reading["kind"] | undefined,
  now: number
): Reading | undefined => {
  const remaining = digits(headers[names.remaining])
  const requests = quota(digits(headers[names.limit]))
  if (remaining === undefined && requests === undefined) return undefined
  const resetAfter = reset(headers[names.reset], headers, now, names.longest) ??
    resetTime(headers[names.reset], headers, now, names.longest) ??
    resetTime(headers[names.resetTime], headers, now, names.longest)
  return {
    name: names.name,
    kind: kind ?? (isDaily(resetAfter) ? "daily" : "unknown"),
    requests,
    remaining,
    resetAfter,
    window: undefined
  }
}

interface Policy {
  readonly name: string | undefined
  readonly requests: number | undefined
  readonly window: number | undefined
}

/** Named (`"burst";q=100;w=60`), or the quota alone (`100;w=60`), as older drafts have it. */
const policies = (text: string | undefined): ReadonlyArray<Policy> =>
  text === undefined ? [] : Option.getOrElse(StructuredFields.parse(text), () => []).flatMap((member) => {
    const unit = member.parameters.get("qu")
    // Bytes and connections are no requests.
    if (member.key !== undefined || (unit !== undefined && unit !== "requests")) return []
    const seconds = count(member.parameters.get("w"))
    return [{
      name: typeof member.value === "string" ? member.value : undefined,
      requests: quota(typeof member.value === "number" ? count(member.value) : count(member.parameters.get("q"))),
      window: seconds === undefined || seconds === 0 ? undefined : within(seconds * second, longest)
    }]
  })

const kindOf = (name: string, window: number | undefined, resetAfter: number | undefined): Reading["kind"] =>
  isDaily(window) || isDaily(resetAfter) || /\bday|daily/i.test(name)
    ? "daily"
    : window === undefined
    ? "unknown"
    : "burst"

/** The drafts of the IETF: named limits, or the one that is nearest to being used up. */
const drafts = (headers: Headers.Headers, now: number): ReadonlyArray<Reading> => {
  const known = policies(headers["ratelimit-policy"])
  const found: Array<Reading> = []
  const add = (
    name: string,
    policy: Policy | undefined,
    requests: number | undefined,
    remaining: number | undefined,
    resetAfter: number | undefined
  ): void => {
    const window = policy?.window
    found.push({
      name,
      kind: kindOf(name, window, resetAfter),
      requests: requests ?? policy?.requests,
      remaining,
      resetAfter,
      window
    })
  }
  /** Of several quotas the one in force is said twice: as the limit and as a policy. */
  const unnamed = (requests: number | undefined) =>
    known.find((policy) => policy.requests !== undefined && policy.requests === requests) ??
      (known.length === 1 ? known[0] : undefined)

  const text = headers["ratelimit"]
  const members = text === undefined ? [] : Option.getOrElse(StructuredFields.parse(text), () => [])
  const keyed = new Map(members.flatMap(({ key, value }) => key === undefined ? [] : [[key, count(value)] as const]))
  if (keyed.get("remaining") !== undefined) {
    const requests = quota(keyed.get("limit"))
    const seconds = keyed.get("reset")
    add("RateLimit", unnamed(requests), requests, keyed.get("remaining"), seconds === undefined ? undefined : within(seconds * second, longest))
  }
  for (const { key, parameters, value } of members) {
    const remaining = count(parameters.get("r"))
    if (key !== undefined || typeof value !== "string" || remaining === undefined) continue
    const seconds = count(parameters.get("t"))
    add(
      value,
      known.find(({ name }) => name === value),
      undefined,
      remaining,
      seconds === undefined ? undefined : within(seconds * second, longest)
    )
  }
  const remaining = digits(headers["ratelimit-remaining"])
  if (remaining !== undefined && found.length === 0) {
    // `100, 100;w=60`: the limit, and perhaps the quotas it was chosen from.
    const quotas = policies(headers["ratelimit-limit"])
    const requests = quotas[0]?.requests
    const policy = quotas.find((it) => it.window !== undefined && it.requests === requests) ?? unnamed(requests)
    add("RateLimit", policy, requests, remaining, reset(headers["ratelimit-reset"], headers, now, longest))
  }
  for (const policy of known) {
    if (policy.name === undefined || policy.requests === undefined || policy.window === undefined) continue
    if (!found.some(({ name }) => name === policy.name)) add(policy.name, policy, undefined, undefined, undefined)
  }
  return found
}

const none: ReadonlyArray<Reading> = []

/** `now`: milliseconds since the epoch. */
export const read = (headers: Headers.Headers, now: number): ReadonlyArray<Reading> => {
  const short = family(headers, families["x-burstlimit"], "burst", now)
  // Beside a burst limit the other one is the long one.
  const long = family(headers, families["x-ratelimit"], short === undefined ? undefined : "daily", now)
  const hasDrafts = headers["ratelimit"] !== undefined || headers["ratelimit-remaining"] !== undefined ||
    headers["ratelimit-policy"] !== undefined
  if (short === undefined && long === undefined && !hasDrafts) return none
  const found: Array<Reading> = []
  if (short !== undefined) found.push(short)
  if (long !== undefined) found.push(long)
  if (hasDrafts) found.push(...drafts(headers, now))
  return found
}

/** The limit that a refusal is about, as far as the counts tell. */
export const exhausted = (readings: ReadonlyArray<Reading>): Reading | undefined => {
  const empty = readings.filter(({ remaining }) => remaining === 0)
  return empty.find(({ kind }) => kind === "daily") ?? empty[0]
}
