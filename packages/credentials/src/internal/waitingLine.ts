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

export class WaitingLine implements Iterable<Waiter> {
  #waiters = new Set<Waiter>()
  /** The highest ticket that has ever been here. */
  #latest = -1

  get size(): number {
    return this.#waiters.size
  }

  [Symbol.iterator](): IterableIterator<Waiter> {
    return this.#waiters.values()
  }

  /** The number of those before it. */
  join(waiter: Waiter): number {
    const before = this.#waiters.size
    this.#waiters.add(waiter)
    if (waiter.ticket > this.#latest) {
      this.#latest = waiter.ticket
      return before
    }
    // It has been here, or on its way, before those who came later.
    const inOrder = [...this.#waiters].sort((left, right) => left.ticket - right.ticket)
    this.#waiters = new Set(inOrder)
    return inOrder.indexOf(waiter)
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter)
  }
}
