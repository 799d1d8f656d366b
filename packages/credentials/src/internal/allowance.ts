/**
 * What one API product may still send: its limits, as declared and as the server
 * tells them, and the gate that a 429 closes. Times are milliseconds on the
 * limiter's own clock, which never goes back.
 */
import * as Duration from "effect/Duration"
import type { RateLimited } from "../ApiError.js"
import type { Limits } from "../RateLimits.js"
import type * as RateLimitHeaders from "./rateLimitHeaders.js"
import * as RateWindow from "./rateWindow.js"

type Limit = RateLimited["limit"]

/** When it is somebody's turn. */
export interface Turn {
  readonly at: number
  readonly limit: Limit
  /** Nobody waits for a day to be over. */
  readonly waits: boolean
}

export interface Answer {
  readonly status: number
  readonly readings: ReadonlyArray<RateLimitHeaders.Reading>
  /** Of a 429. */
  readonly limit: Limit
  /** Of a 429, milliseconds; 0 where it says none. */
  readonly retryAfter: number
}

/** More limits than any server has. */
const mostWindows = 8

/** A 429 keeps the gate closed for no longer, whatever it asks for. */
const longestClosure = 86_400_000

const day = 86_400_000

/** `Retry-After` is in whole seconds. */
const rounding = 1000

/** How long an answer may take that decides whether there is a place. */
const soon = 1000

const isLimit = (requests: number | undefined): requests is number =>
  requests !== undefined && Number.isFinite(requests) && requests >= 1

const declared = ({ burst, daily }: Limits): Array<RateWindow.RateWindow> => {
  const windows: Array<RateWindow.RateWindow> = []
  const period = burst === undefined ? 0 : Duration.toMillis(burst.per)
  if (isLimit(burst?.requests) && period > 0 && Number.isFinite(period)) {
    windows.push(RateWindow.declare("burst", Math.floor(burst.requests), period))
  }
  if (isLimit(daily)) windows.push(RateWindow.declare("daily", Math.floor(daily), day))
  return windows
}

const readingOf = (readings: Answer["readings"], name: string): RateLimitHeaders.Reading | undefined => {
  for (const reading of readings) {
    if (reading.name === name) return reading
  }
  return undefined
}

export class Allowance {
  windows: ReadonlyArray<RateWindow.RateWindow>
  /** Requests whose answers are still out. */
  inFlight = 0
  closedUntil = Number.NEGATIVE_INFINITY
  #closedAt = Number.NEGATIVE_INFINITY
  #closedBy: Limit = "unknown"
  #next = 0

  constructor(limits: Limits | undefined) {
    this.windows = declared(limits ?? {})
  }

  roll(now: number): void {
    for (const window of this.windows) {
      if (!RateWindow.roll(window, this.#next, now)) this.windows = this.windows.filter((it) => it !== window)
    }
  }

  /** Whether one more may be sent, with `kept` places given away already. */
  isFree(kept: number, now: number): boolean {
    if (this.closedUntil > now) return false
    this.roll(now)
    for (const window of this.windows) {
      if (RateWindow.free(window) <= kept) return false
    }
    return true
  }

  take(sent: RateWindow.Sent, now: number): void {
    this.roll(now)
    for (const window of this.windows) RateWindow.take(window, now)
    this.inFlight += 1
    sent.number = this.#next++
    sent.at = now
  }

  /** No answer came. `true` where it leaves less than was known. */
  lost(sent: RateWindow.Sent, neverSent: boolean, now: number): boolean {
    this.#land(sent, now)
    let worse = false
    for (const window of this.windows) {
      const before = window.left
      if (neverSent) RateWindow.giveBack(window, sent)
      else RateWindow.assumeCounted(window, sent)
      if (window.left < before) worse = true
    }
    return worse
  }

  /** `true` where it leaves less than was known. */
  answered(sent: RateWindow.Sent, answer: Answer, now: number): boolean {
    const { limit, readings, status } = answer
    const retryAfter = Math.min(answer.retryAfter, longestClosure)
    this.#land(sent, now)
    let worse = retryAfter > 0 && this.#close(sent, limit, retryAfter, now)
    for (const reading of readings) {
      const window = this.#windowOf(reading, sent, now)
      if (window === undefined) continue
      const before = window.left
      if (reading.kind === "daily") window.kind = "daily"
      const isMeant = retryAfter > 0 && reading.remaining === 0 && (limit === "unknown" || limit === window.kind)
      RateWindow.learn(window, reading, sent, isMeant ? retryAfter : undefined, now)
      if (window.left < before) worse = true
    }
    const succeeded = status >= 200 && status < 300
    for (const window of this.windows) {
      const reading = readingOf(readings, window.name)
      if (reading?.remaining !== undefined) continue
      const before = window.left
      // Who is turned away at the door is not counted.
      if (status === 401 && readings.length === 0) RateWindow.giveBack(window, sent)
      else RateWindow.assumeCounted(window, sent)
      if (window.left < before) worse = true
      if (!succeeded || reading !== undefined) continue
      window.silent = true
      // What was assumed holds until the server has spoken, or could have.
      if (window.declared) this.windows = this.windows.filter((it) => it !== window)
    }
    return worse
  }

  #land(sent: RateWindow.Sent, now: number): void {
    this.roll(now)
    this.inFlight -= 1
    for (const window of this.windows) RateWindow.land(window, sent)
  }

  /** A 429 that came all the same: others use the account too, or nobody had told us. */
  #close(sent: RateWindow.Sent, limit: Limit, retryAfter: number, now: number): boolean {
    // A late answer to a request of the same crowd says the same thing again; seconds are rounded up.
    if (sent.at <= this.#closedAt && sent.at + retryAfter - rounding <= this.closedUntil) return false
    this.closedUntil = now + retryAfter
    this.#closedAt = now
    this.#closedBy = limit
    return true
  }

  #windowOf(
    reading: RateLimitHeaders.Reading,
    sent: RateWindow.Sent,
    now: number
  ): RateWindow.RateWindow | undefined {
    for (const window of this.windows) {
      if (!window.declared && window.name === reading.name) return window
    }
    const hasDaily = this.windows.some((window) => window.declared && window.kind === "daily")
    const kind = reading.kind === "unknown" ? hasDaily ? "daily" : "burst" : reading.kind
    const assumed = this.windows.find((window) => window.declared && window.kind === kind)
    if (assumed !== undefined) {
      assumed.name = reading.name
      assumed.label = sent.shown(reading.name)
      return assumed
    }
    if (this.windows.length >= mostWindows) return undefined
    const window = RateWindow.discover(reading, kind, sent, this.#next, this.inFlight, now)
    this.windows = [...this.windows, window]
    return window
  }

  /** Whether a 429 has closed the gate for as long, and one may wait for that. */
  isClosedFor(wait: number, now: number): boolean {
    return this.closedUntil > now && this.closedUntil >= now + wait - rounding && this.#closedBy !== "daily"
  }

  /** When it is the turn of somebody with `position` others before them, and `kept` places given away. */
  turn(position: number, kept: number, now: number): Turn {
    const opensAt = Math.max(now, this.closedUntil)
    let turn: Turn = opensAt === now
      ? { at: now, limit: "burst", waits: true }
      : { at: opensAt, limit: this.#closedBy, waits: this.#closedBy !== "daily" }
    for (const window of this.windows) {
      const endsAt = window.endsAt ?? now + window.period
      const requests = window.requests ?? Number.POSITIVE_INFINITY
      const isOver = endsAt <= opensAt
      const left = isOver ? requests : Math.max(0, window.left - kept)
      if (position < left) {
        if (isOver || position < RateWindow.free(window) - kept) continue
        // What is left may be for those who are on their way: it shows when they are back.
        turn = { ...turn, at: Math.max(turn.at, Math.min(endsAt, opensAt + soon)) }
        continue
      }
      const further = Math.floor((position - left) / requests) + (isOver ? 1 : 0)
      const at = (isOver ? opensAt : endsAt) + further * window.period
      const isDaily = window.kind === "daily"
      if (!isDaily && at <= turn.at) continue
      turn = {
        at: Math.max(at, turn.at),
        limit: isDaily || !turn.waits ? "daily" : "burst",
        waits: turn.waits && !isDaily
      }
    }
    return turn
  }

  /** When something may have changed for somebody who is not free to go. */
  changesAt(kept: number, now: number): number {
    let at = Math.max(now, this.closedUntil)
    for (const window of this.windows) {
      if (RateWindow.free(window) <= kept) at = Math.max(at, RateWindow.changesAt(window, now))
    }
    return at
  }
}
