/**
 * Those who wait for a place, in the order in which their requests came.
 */
import * as Data from "effect/Data"
import type * as DateTime from "effect/DateTime"
import type * as Exit from "effect/Exit"
import type { RateLimited } from "../ApiError.js"
import type { TokenEndpointUnavailable } from "../CredentialsError.js"

/** A request is not sent, nor waited for. */
export class Refusal extends Data.TaggedClass("Refusal")<{
  readonly limit: RateLimited["limit"]
  readonly retryAt: DateTime.Utc
}> {}

/** Somebody who waits, or has waited and may go. */
export interface Waiter {
  state: "new" | "queued" | "granted" | "gone"
  /** Requests of one product are numbered as they come. */
  readonly ticket: number
  /** Milliseconds on the limiter's own clock. */
  readonly joinedAt: number
  /** Milliseconds. */
  readonly patience: number
  resume: (answer: Exit.Exit<void, Refusal | TokenEndpointUnavailable>) => void
}

/** When it has waited for longer than it said it would: it has waited already, for a time that was not exact. */
export const patienceEnds = ({ joinedAt, patience }: Waiter): number => joinedAt + patience + Math.max(2000, patience / 10)

export class WaitingLine implements Iterable<Waiter> {
  /** By ticket. No two are the same: a request waits once at a time. */
  readonly #waiters: Array<Waiter> = []
  /** Nobody's patience ends before this; who has left may have been the one. */
  earliest = Number.POSITIVE_INFINITY

  get size(): number {
    return this.#waiters.length
  }

  get first(): Waiter | undefined {
    return this.#waiters[0]
  }

  /** All who are here now, whoever leaves meanwhile. */
  [Symbol.iterator](): IterableIterator<Waiter> {
    return [...this.#waiters].values()
  }

  /** The number of those before it: it may have been here, or on its way, before those who came later. */
  join(waiter: Waiter): number {
    const position = this.#positionOf(waiter.ticket)
    this.#waiters.splice(position, 0, waiter)
    this.earliest = Math.min(this.earliest, patienceEnds(waiter))
    return position
  }

  leave(waiter: Waiter): void {
    const position = this.#positionOf(waiter.ticket)
    if (this.#waiters[position] === waiter) this.#waiters.splice(position, 1)
    if (this.#waiters.length === 0) this.earliest = Number.POSITIVE_INFINITY
  }

  /** How many have a lower ticket. */
  #positionOf(ticket: number): number {
    let low = 0
    let high = this.#waiters.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const waiter = this.#waiters[middle]
      if (waiter !== undefined && waiter.ticket < ticket) low = middle + 1
      else high = middle
    }
    return low
  }
}
