/**
 * One limit of one API product: so many requests in a window, and what is left
 * of the present one.
 *
 * Two counts are kept, and neither rises while the window lasts. `left` is what
 * the server has said or we have sent, whichever leaves less. `told` is the
 * server's lowest word alone; requests whose answers are still out are taken off
 * it, for nobody knows whether that word counts them. `left` is true where we are
 * alone, and too high for a moment where another process shares the limit;
 * `told` less the requests on their way is safe, and too low for a moment.
 *
 * Times are milliseconds on the limiter's own clock, which never goes back.
 */
import type { Reading } from "./rateLimitHeaders.js"

export interface RateWindow {
  /** As the server calls it, word for word: by this its readings are known. */
  name: string
  /** The same as it may be shown. */
  label: string
  kind: "burst" | "daily"
  /** Assumed by the program; no server has said it. */
  declared: boolean
  /** Requests in a window; `undefined` where only what remains is known. */
  requests: number | undefined
  /** The length of the window, as far as it is known. */
  period: number

  /** Below 0 where the server has lowered the limit under what was used. */
  left: number
  told: number
  /** When the present window ends at the latest; `undefined` before its first request. */
  endsAt: number | undefined
  /** When it ends at the earliest: a reply says it in whole seconds and after a delay. */
  endsFrom: number
  /** When the server first spoke of this window. */
  heardAt: number | undefined
  /** When the window before this one ended at the latest. */
  endedAt: number
  /** The number of the first request of this window. */
  first: number
  /** How many were sent in it. */
  sent: number
  /** A reply that was a success did not mention this limit any more. */
  silent: boolean

  /** Requests whose answers are still out. */
  flying: number
  /** The number of the first request that `flying` counts. */
  flyingFrom: number
  forgotAt: number
}

/** A request that was counted. */
export interface Sent {
  /** Requests of one product are numbered from 0. */
  number: number
  at: number
  /** A name that the server gave in its reply, without the secrets of the request. */
  readonly shown: (name: string) => string
}

/** Seconds are rounded by the server, in its reset as in its `Date`. */
const rounding = 2000

const second = 1000

/** How long answers that are out hold anybody back: they may never come. */
const forgetAfter = 10_000

const minute = 60_000
const day = 86_400_000

const begin = (requests: number | undefined): number => requests ?? Number.POSITIVE_INFINITY

const make = (
  options: Pick<RateWindow, "name" | "label" | "kind" | "declared" | "requests" | "period" | "first" | "sent" | "flying">,
  now: number
): RateWindow => ({
  ...options,
  left: begin(options.requests),
  told: begin(options.requests),
  endsAt: undefined,
  endsFrom: now,
  heardAt: undefined,
  endedAt: Number.NEGATIVE_INFINITY,
  silent: false,
  flyingFrom: 0,
  forgotAt: now
})

export const declare = (kind: RateWindow["kind"], requests: number, period: number): RateWindow =>
  make({ name: kind, label: kind, kind, declared: true, requests, period, first: 0, sent: 0, flying: 0 }, 0)

/** A limit that nobody knew of, with the reply to `sent`; `flying` other requests are on their way. */
export const discover = (
  reading: Reading,
  kind: RateWindow["kind"],
  sent: Sent,
  next: number,
  flying: number,
  now: number
): RateWindow => {
  const period = reading.window ?? Math.max(reading.resetAfter ?? (kind === "daily" ? day : minute), second)
  const window = make({
    name: reading.name,
    label: sent.shown(reading.name),
    kind,
    declared: false,
    requests: reading.requests,
    period,
    first: sent.number,
    sent: next - sent.number,
    flying
  }, now)
  // It has begun: the request that was answered is in it.
  window.endsAt = now + period
  return window
}

/**
 * Begins another window where the time of this one is up; `next` is the number
 * of the next request. `false` where the server has stopped to speak of the limit.
 */
export const roll = (window: RateWindow, next: number, now: number): boolean => {
  if (window.endsAt !== undefined && now >= window.endsAt) {
    if (window.silent && window.heardAt === undefined) return false
    window.endedAt = window.endsAt
    window.left = begin(window.requests)
    window.told = begin(window.requests)
    window.endsAt = undefined
    window.heardAt = undefined
    window.first = next
    window.sent = 0
    window.flying = 0
    window.flyingFrom = next
    window.forgotAt = now
  } else if (now - window.forgotAt >= forgetAfter) {
    window.flying = 0
    window.flyingFrom = next
    window.forgotAt = now
    settle(window)
  }
  return true
}

/** With no answer out the two counts are about the same requests, and the lower one is right. */
const settle = (window: RateWindow): void => {
  if (window.flying === 0) window.left = Math.min(window.left, window.told)
}

/** What is sent although nothing is left is refused, and not counted. */
const oneLess = (left: number): number => left > 0 ? left - 1 : left

/** How many requests may be sent now. */
export const free = (window: RateWindow): number => Math.min(window.left, window.told - window.flying)

export const take = (window: RateWindow, now: number): void => {
  // Until the server says otherwise a window begins with its first request.
  if (window.endsAt === undefined) window.endsAt = now + window.period
  window.left = oneLess(window.left)
  window.sent += 1
  window.flying += 1
}

/** When something may have changed for a request that is not free to go. */
export const changesAt = (window: RateWindow, now: number): number => {
  const end = window.endsAt ?? now + window.period
  return window.left > 0 ? Math.min(end, window.forgotAt + forgetAfter) : end
}

/** No longer on its way. */
export const land = (window: RateWindow, sent: Sent): void => {
  if (sent.number >= window.flyingFrom) window.flying = Math.max(0, window.flying - 1)
}

/** The answer said nothing, or there was none: the request may have been counted. */
export const assumeCounted = (window: RateWindow, sent: Sent): void => {
  if (sent.number < window.first) return
  window.told = oneLess(window.told)
  settle(window)
}

/** The request never reached whoever counts. */
export const giveBack = (window: RateWindow, sent: Sent): void => {
  if (sent.number < window.first) return
  window.left = Math.min(begin(window.requests), window.left + 1)
  window.sent -= 1
  settle(window)
}

const setRequests = (window: RateWindow, requests: number | undefined): void => {
  if (requests === undefined || requests === window.requests) return
  // The limit itself was changed: what was used stays used.
  const more = window.requests === undefined ? 0 : requests - window.requests
  window.requests = requests
  // Below nothing, where more was used than there is now: a limit that rises again does not give that back.
  window.left = Math.min(requests, window.left + more)
  window.told = Math.min(requests, window.told + more)
}

const lower = (window: RateWindow, remaining: number): void => {
  window.told = Math.min(window.told, remaining)
  window.left = Math.min(window.left, remaining)
}

/**
 * The reply to `sent`, which has landed, for a window that has rolled. A
 * `Retry-After` in it wins over its reset.
 */
export const learn = (
  window: RateWindow,
  reading: Reading,
  sent: Sent,
  retryAfter: number | undefined,
  now: number
): void => {
  const { remaining, requests } = reading
  const resetAfter = retryAfter ?? reading.resetAfter
  // With nothing left and no time either, the next window is less than a second away.
  const wait = resetAfter === undefined ? undefined : Math.max(resetAfter, remaining === 0 ? second : 0)
  const from = wait === undefined ? undefined : sent.at + wait - rounding
  const to = wait === undefined ? undefined : now + wait
  window.declared = false
  window.silent = false
  // About the window before.
  if (sent.number < window.first && (from === undefined || from <= window.endedAt)) return

  setRequests(window, requests)
  window.period = reading.window ?? Math.max(window.period, reading.resetAfter ?? 0)
  if (remaining === undefined) return
  const known = Math.min(remaining, begin(window.requests))

  const hear = (left: number): void => {
    window.told = known
    window.left = left
    window.heardAt = now
    window.endsAt = to ?? window.endsAt ?? now + window.period
    window.endsFrom = from ?? now
  }
  if (window.heardAt === undefined) {
    return hear(window.requests === undefined ? known : Math.min(known, window.requests - window.sent))
  }
  if (from === undefined || to === undefined) return lower(window, known)
  if (window.endsAt !== undefined && from > window.endsAt) {
    // The server's window ended before ours did.
    window.endedAt = window.endsAt
    return hear(known)
  }
  if (to < window.endsFrom) {
    // A reply about the window before; or, if it was asked for after this one was known, a server that thinks anew.
    if (sent.at < window.heardAt) return
    window.endsAt = to
    window.endsFrom = from
    return lower(window, known)
  }
  window.endsFrom = Math.max(window.endsFrom, from)
  window.endsAt = Math.min(window.endsAt ?? to, to)
  lower(window, known)
}
