/**
 * The gate of one API product, for one Layer instance: who may send now, and who
 * waits for a turn. Every decision is one synchronous step, so no two fibers can
 * take the same place; a request that is free to go takes no further step.
 */
import type * as Headers from "@effect/platform/Headers"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { RateLimited } from "../ApiError.js"
import { TokenEndpointUnavailable } from "../CredentialsError.js"
import * as RateLimitEvent from "../RateLimitEvent.js"
import type { Limits, Snapshot } from "../RateLimits.js"
import * as RetryPolicy from "../RetryPolicy.js"
import { Alarm } from "./alarm.js"
import { Allowance } from "./allowance.js"
import type { Turn } from "./allowance.js"
import * as RateLimitHeaders from "./rateLimitHeaders.js"
import type { Sent } from "./rateWindow.js"
import { patienceEnds, Refusal, WaitingLine } from "./waitingLine.js"
import type { Waiter } from "./waitingLine.js"

export interface Options {
  readonly product: string
  readonly limits: Limits | undefined
  /** Which limit a 429 is about; by the counts in its headers if absent. */
  readonly limitOf: ((headers: Headers.Headers) => RateLimited["limit"]) | undefined
}

/** Whom a limiter tells what happens. */
export interface Listener {
  readonly identity: string
  readonly provider: string
  readonly event: (event: RateLimitEvent.RateLimitEvent) => void
  readonly changed: (limiter: Limiter) => void
}

const year = 366 * 86_400_000

export class Limiter {
  readonly #listener: Listener
  readonly #about: { readonly identity: string; readonly product: string }
  readonly #allowance: Allowance
  /** The provider's own words, which must not break a step that others rely on. */
  readonly #limitOf: (headers: Headers.Headers) => Option.Option<RateLimited["limit"]>
  readonly #alarm = new Alarm((at) => this.#ring(at))
  readonly #line = new WaitingLine()
  #tickets = 0
  /** Places kept for those whose turn has come and who have not sent yet. */
  #kept = 0
  /** What the world's clock is behind of the limiter's own, which never goes back. */
  #behind = 0
  #last = Number.NEGATIVE_INFINITY
  #clock: Clock.Clock | undefined
  #isThrottling = false
  #ended = false

  constructor({ limitOf, limits, product }: Options, listener: Listener) {
    this.#listener = listener
    this.#about = { identity: listener.identity, product }
    this.#allowance = new Allowance(limits)
    this.#limitOf = limitOf === undefined ? Option.none : Option.liftThrowable(limitOf)
  }

  // ---------------------------------------------------------------------------
  // The gate. `clock` is milliseconds since the epoch.
  // ---------------------------------------------------------------------------

  /** Whether a request need not wait, as it looks now. */
  isOpen(clock: number): boolean {
    return this.#ended || (this.#line.size === 0 && this.#allowance.isFree(this.#kept, this.#time(clock)))
  }

  /** Whether whoever waits in line waits for a 429 to pass, and for about so many milliseconds. */
  isClosedFor(wait: number, clock: number): boolean {
    return !this.#ended && this.#allowance.isClosedFor(wait, this.#time(clock))
  }

  /** Takes a place for one request; `false` where it has to wait, or to wait again. */
  enter(sent: Sent, waiter: Waiter | undefined, unpaced: boolean, clock: number): boolean {
    const now = this.#time(clock)
    const isKept = waiter?.state === "granted"
    if (isKept) this.#leave(waiter)
    if (!this.#ended && !unpaced) {
      if (!isKept && this.#line.size > 0) return false
      if (!this.#allowance.isFree(this.#kept, now)) return false
    }
    this.#allowance.take(sent, now)
    this.#listener.changed(this)
    return true
  }

  /** No answer came. */
  lost(sent: Sent, neverSent: boolean, clock: number): void {
    const now = this.#time(clock)
    if (this.#allowance.lost(sent, neverSent, now)) this.#review(now)
    else this.#admit(now)
  }

  answered(sent: Sent, { headers, status }: HttpClientResponse.HttpClientResponse, clock: number): void {
    const now = this.#time(clock)
    const readings = RateLimitHeaders.read(headers, clock)
    if (status !== 429) {
      const worse = this.#allowance.answered(sent, { status, readings, limit: "unknown", retryAfter: 0 }, now)
      return worse ? this.#review(now) : this.#admit(now)
    }
    const limit = Option.getOrElse(this.#limitOf(headers), () => RateLimitHeaders.exhausted(readings)?.kind ?? "unknown")
    const retryAfter = RetryPolicy.retryAfter(headers, clock)
    this.#listener.event(RateLimitEvent.Exceeded({
      ...this.#about,
      limit,
      retryAt: Option.map(retryAfter, (wait) => this.#dateOf(now + Duration.toMillis(wait)))
    }))
    const wait = Option.match(retryAfter, { onNone: () => 0, onSome: Duration.toMillis })
    this.#allowance.answered(sent, { status, readings, limit, retryAfter: wait }, now)
    this.#review(now)
  }

  // ---------------------------------------------------------------------------
  // The queue
  // ---------------------------------------------------------------------------

  /** The order in which requests came: whoever has to wait again waits before those who came later. */
  ticket(): number {
    return this.#tickets++
  }

  /** `patience` in milliseconds, from now on. */
  waiter(ticket: number, patience: number, clock: number): Waiter {
    return { state: "new", ticket, joinedAt: this.#time(clock), patience, resume: () => {} }
  }

  /**
   * Waits for its turn; fails at once where that takes more than its patience.
   * Whoever is interrupted has to `leave`.
   */
  join(waiter: Waiter): Effect.Effect<void, Refusal | TokenEndpointUnavailable> {
    return Effect.clockWith((clock) =>
      Effect.async((resume) => {
        waiter.resume = resume
        if (this.#ended) return resume(this.#closed())
        this.#clock = clock
        const now = this.#time(clock.unsafeCurrentTimeMillis())
        this.#allowance.roll(now)
        waiter.state = "queued"
        const turn = this.#allowance.turn(this.#line.join(waiter), this.#kept, now)
        if (!turn.waits || turn.at > waiter.joinedAt + waiter.patience) this.#refuse(waiter, turn)
        this.#admit(now)
        if (this.#isThrottling || this.#line.size === 0) return
        this.#isThrottling = true
        this.#listener.event(
          RateLimitEvent.Throttled({ ...this.#about, limit: turn.limit, until: this.#dateOf(turn.at) })
        )
      })
    )
  }

  /** Gives its place, or the place that was kept for it, to the next. */
  leave(waiter: Waiter, clock: number): void {
    if (waiter.state === "gone") return
    this.#leave(waiter)
    this.#admit(this.#time(clock))
  }

  #leave(waiter: Waiter): void {
    if (waiter.state === "granted") this.#kept -= 1
    this.#line.leave(waiter)
    waiter.state = "gone"
  }

  #grant(waiter: Waiter): void {
    this.#line.leave(waiter)
    waiter.state = "granted"
    this.#kept += 1
    waiter.resume(Exit.void)
  }

  #refuse(waiter: Waiter, { at, limit }: Turn): void {
    this.#leave(waiter)
    const retryAt = this.#dateOf(at)
    this.#listener.event(RateLimitEvent.Refused({ ...this.#about, limit, retryAt }))
    waiter.resume(Exit.fail(new Refusal({ limit, retryAt })))
  }

  #closed(): Exit.Exit<never, TokenEndpointUnavailable> {
    return Exit.fail(
      new TokenEndpointUnavailable({ provider: this.#listener.provider, reason: "Closed", retryAt: undefined })
    )
  }

  /** Lets in those whose turn has come. */
  #admit(now: number): void {
    for (let next = this.#line.first; next !== undefined; next = this.#line.first) {
      if (!this.#allowance.isFree(this.#kept, now)) break
      this.#grant(next)
    }
    this.#listener.changed(this)
    this.#wait(now)
  }

  /** There is less than was thought: those for whom it takes too long now learn it now. */
  #review(now: number): void {
    const last = this.#allowance.turn(this.#line.size - 1, this.#kept, now)
    // Nobody waits for longer than the last: a long queue is not looked through at every reply.
    if (!last.waits || last.at > this.#line.earliest) {
      let position = 0
      let earliest = Number.POSITIVE_INFINITY
      for (const waiter of this.#line) {
        const turn = this.#allowance.turn(position, this.#kept, now)
        const end = patienceEnds(waiter)
        if (!turn.waits || turn.at > end) {
          this.#refuse(waiter, turn)
          continue
        }
        position += 1
        earliest = Math.min(earliest, end)
      }
      this.#line.earliest = earliest
    }
    this.#admit(now)
  }

  /** The Layer is gone, and its tokens with it. */
  end(): void {
    this.#ended = true
    this.#alarm.cancel()
    for (const waiter of this.#line) {
      this.#leave(waiter)
      waiter.resume(this.#closed())
    }
  }

  // ---------------------------------------------------------------------------
  // Time
  // ---------------------------------------------------------------------------

  /** A clock that is put back must not make a wait longer by as much. */
  #time(clock: number): number {
    const behind = this.#last - clock
    this.#last = clock
    if (behind <= 0) return clock + this.#behind
    this.#behind += behind
    // It sleeps until a time of the clock as that was before.
    this.#alarm.cancel()
    this.#wait(clock + this.#behind)
    return clock + this.#behind
  }

  /** As the world's clock has it now. */
  #dateOf(at: number): DateTime.Utc {
    return DateTime.unsafeMake(Math.min(at - this.#behind, this.#last + year))
  }

  #ring(at: number): void {
    const now = this.#time(this.#clock?.unsafeCurrentTimeMillis() ?? this.#last)
    // It has slept until then: a clock that does not say so was put back meanwhile.
    if (now < at) this.#behind += at - now
    this.#admit(Math.max(now, at))
    this.#review(Math.max(now, at))
  }

  /** Wakes up when there may be a place for the first in line; nothing runs while nobody is. */
  #wait(now: number): void {
    if (this.#line.size > 0 && this.#clock !== undefined) {
      const at = Math.min(this.#allowance.changesAt(this.#kept, now), this.#line.earliest)
      return this.#alarm.set(at, now, this.#clock)
    }
    this.#alarm.cancel()
    if (!this.#isThrottling) return
    this.#isThrottling = false
    this.#listener.event(RateLimitEvent.Resumed(this.#about))
  }

  // ---------------------------------------------------------------------------
  // Seen from outside
  // ---------------------------------------------------------------------------

  snapshot(clock: number): Snapshot {
    const now = this.#time(clock)
    this.#allowance.roll(now)
    const { closedUntil, inFlight, windows } = this.#allowance
    return {
      ...this.#about,
      provider: this.#listener.provider,
      windows: windows.map(({ declared, endsAt, kind, label, left, requests }) => ({
        name: label,
        limit: kind,
        declared,
        requests: Option.fromNullable(requests),
        remaining: Number.isFinite(left) ? Option.some(Math.max(0, left)) : Option.none(),
        resetAt: Option.map(Option.fromNullable(endsAt), (at) => this.#dateOf(at))
      })),
      inFlight,
      waiting: this.#line.size,
      closedUntil: closedUntil > now ? Option.some(this.#dateOf(closedUntil)) : Option.none()
    }
  }
}
