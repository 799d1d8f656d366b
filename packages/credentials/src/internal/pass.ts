/**
 * One request on its way through the gate.
 */
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type { Token } from "../Token.js"
import { secretsOf } from "./apiFailure.js"
import type { Limiter } from "./limiter.js"
import type { Sent } from "./rateWindow.js"
import { scrub } from "./scrub.js"
import type { Gate } from "./send.js"
import type { Waiter } from "./waitingLine.js"

/** By what a request goes: the turn that it waited for, or leave to wait for none. It is counted all the same. */
export type Place = Waiter | "unpaced" | undefined

const longestName = 64

export class Pass implements Gate, Sent {
  number = -1
  at = 0
  readonly #limiter: Limiter
  readonly #place: Place
  readonly #request: HttpClientRequest.HttpClientRequest
  readonly #token: Token
  readonly #secretHeaders: ReadonlyArray<string> | undefined

  constructor(
    limiter: Limiter,
    place: Place,
    request: HttpClientRequest.HttpClientRequest,
    token: Token,
    secretHeaders: ReadonlyArray<string> | undefined
  ) {
    this.#limiter = limiter
    this.#place = place
    this.#request = request
    this.#token = token
    this.#secretHeaders = secretHeaders
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

  /** A server may call a policy by the key that it is about, or whatever it likes. */
  shown(name: string): string {
    // Cut afterwards: half a secret is not found.
    return scrub(name, secretsOf(this.#request, [this.#token], this.#secretHeaders)).slice(0, longestName)
  }
}
