/**
 * One request on its way through the gate.
 */
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type { Limiter } from "./limiter.js"
import type { Sent } from "./rateWindow.js"
import type { Gate } from "./send.js"
import type { Waiter } from "./waitingLine.js"

/** By what a request goes: the turn that it waited for, or leave to wait for none. It is counted all the same. */
export type Place = Waiter | "unpaced" | undefined

export class Pass implements Gate, Sent {
  number = -1
  at = 0
  readonly #limiter: Limiter
  readonly #place: Place

  constructor(limiter: Limiter, place: Place) {
    this.#limiter = limiter
    this.#place = place
  }

  enter(clock: number): boolean {
    return this.#place === "unpaced"
      ? this.#limiter.enter(this, undefined, true, clock)
      : this.#limiter.enter(this, this.#place, false, clock)
  }

  answered(response: HttpClientResponse.HttpClientResponse, clock: number): void {
    this.#limiter.answered(this, response, clock)
  }

  lost(neverSent: boolean, clock: number): void {
    this.#limiter.lost(this, neverSent, clock)
  }
}
