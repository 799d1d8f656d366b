/**
 * One wake-up. It runs as a fiber of nobody's, on the clock that it is given,
 * and only while somebody waits for it.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** A longer sleep is taken in parts: no timer takes more than 24 days, and the clock may be put forward meanwhile. */
const longest = 3_600_000

export class Alarm {
  readonly #ring: (at: number) => void
  #at: number | undefined
  #cancel: (() => void) | undefined

  /** `ring` is told what time it must be by now, whatever a clock says that was put back. */
  constructor(ring: (at: number) => void) {
    this.#ring = ring
  }

  /** Rings at `at` or earlier; `now` and `at` are milliseconds on one clock, `clock` is what passes the time. */
  set(at: number, now: number, clock: Clock.Clock): void {
    if (this.#at === at) return
    this.cancel()
    this.#at = at
    const wait = Math.min(Math.max(1, Math.ceil(at - now)), longest)
    this.#cancel = Effect.runCallback(
      Effect.map(clock.sleep(Duration.millis(wait)), () => {
        this.#at = undefined
        this.#cancel = undefined
        this.#ring(now + wait)
      })
    )
  }

  cancel(): void {
    this.#cancel?.()
    this.#at = undefined
    this.#cancel = undefined
  }
}
