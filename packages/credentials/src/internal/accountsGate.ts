/**
 * Turns: so many renewals at a time, over all accounts, in the order in which
 * they were asked for. `Effect.Semaphore` wakes everybody who waits at every
 * release: ten thousand renewals would be a hundred million steps.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TokenEndpointUnavailable } from "../CredentialsError.js"
import type { CredentialsError } from "../CredentialsError.js"
import { Alarm } from "./alarm.js"

interface Waiter {
  state: "waiting" | "going" | "gone"
  readonly provider: string
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly deadline: number
  resume: (turn: Exit.Exit<void, CredentialsError>) => void
}

/** Who came before the clock was put back goes by what it would show. */
const timeFor = ({ since }: Waiter, now: number, at: number): number => since > now ? Math.max(now, at) : now

export class Gate {
  readonly #limit: number
  readonly #patience: number
  readonly #clock: Clock.Clock
  readonly #waiting = new Set<Waiter>()
  /** One timer for all who wait: the first in line is also the first to give up. */
  readonly #alarm = new Alarm((at) => this.#giveUp(at))
  #going = 0
  #closed = false
  #isWatched = false

  /** `patience` in milliseconds. */
  constructor(limit: number, patience: number, clock: Clock.Clock) {
    this.#limit = limit
    this.#patience = patience
    this.#clock = clock
  }

  get going(): number {
    return this.#going
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** To be run where interruption is off; only the wait can be interrupted. */
  inTurn<A, R>(
    renewal: Effect.Effect<A, CredentialsError, R>,
    provider: string
  ): Effect.Effect<A, CredentialsError, R> {
    return Effect.suspend(() => {
      const since = this.#clock.unsafeCurrentTimeMillis()
      const waiter: Waiter = { state: "waiting", provider, since, deadline: since + this.#patience, resume: () => {} }
      return Effect.interruptible(this.#wait(waiter)).pipe(
        Effect.zipRight(renewal),
        Effect.ensuring(Effect.sync(() => this.#leave(waiter)))
      )
    })
  }

  /** Nobody's turn comes any more. Those who wait are for their own credentials to tell. */
  close(): void {
    this.#closed = true
    this.#alarm.cancel()
  }

  #wait(waiter: Waiter): Effect.Effect<void, CredentialsError> {
    return Effect.async((resume) => {
      waiter.resume = resume
      this.#waiting.add(waiter)
      this.#admit()
    })
  }

  #leave(waiter: Waiter): void {
    if (waiter.state === "going") this.#going -= 1
    waiter.state = "gone"
    this.#waiting.delete(waiter)
    this.#admit()
  }

  #admit(): void {
    if (this.#closed) return
    for (const waiter of this.#waiting) {
      if (this.#going >= this.#limit) break
      this.#waiting.delete(waiter)
      // The place is taken here: nobody who comes now can have it, even if it is some time until the waiter runs.
      this.#going += 1
      waiter.state = "going"
      waiter.resume(Exit.void)
    }
    this.#watch(this.#clock.unsafeCurrentTimeMillis())
  }

  #giveUp(at: number): void {
    this.#isWatched = false
    const now = this.#clock.unsafeCurrentTimeMillis()
    for (const waiter of this.#waiting) {
      if (waiter.deadline > timeFor(waiter, now, at)) break
      this.#waiting.delete(waiter)
      waiter.state = "gone"
      waiter.resume(Exit.fail(new TokenEndpointUnavailable({ provider: waiter.provider, reason: "Busy" })))
    }
    this.#watch(now, at)
  }

  /** Whoever is first in line later gives up later: the timer is not set anew for each. */
  #watch(now: number, at = now): void {
    const [first] = this.#waiting
    if (first === undefined || !Number.isFinite(first.deadline)) {
      this.#isWatched = false
      return this.#alarm.cancel()
    }
    if (this.#isWatched) return
    this.#isWatched = true
    this.#alarm.set(first.deadline, timeFor(first, now, at), this.#clock)
  }
}
