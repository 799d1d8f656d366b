/**
 * Things that are due some time, in rough order: one timer for all of them, and
 * a step for each that is due. It runs on for one turn when there is nothing left:
 * whoever comes and goes all the time must not start it anew each time.
 */
import type * as Clock from "effect/Clock"
import { Alarm } from "./alarm.js"

export class Wheel<A> {
  readonly #width: number
  readonly #clock: Clock.Clock
  readonly #ring: (due: ReadonlyArray<A>) => void
  readonly #spokes = new Map<number, Set<A>>()
  readonly #places = new Map<A, number>()
  readonly #alarm = new Alarm(() => this.#turn())
  /** The spoke that was last turned to, and when. */
  #at = 0
  #since = 0
  #isTurning = false
  #isStopped = false

  /** `width`: milliseconds by which something may be late. */
  constructor(width: number, clock: Clock.Clock, ring: (due: ReadonlyArray<A>) => void) {
    this.#width = width
    this.#clock = clock
    this.#ring = ring
  }

  /** `wait`: milliseconds from now. What is never due is not kept. */
  add(it: A, wait: number): void {
    this.delete(it)
    if (this.#isStopped || !Number.isFinite(wait)) return
    const now = this.#clock.unsafeCurrentTimeMillis()
    if (!this.#isTurning) this.#since = now
    const spoke = this.#at + Math.max(1, Math.ceil((Math.max(0, now - this.#since) + wait) / this.#width))
    let there = this.#spokes.get(spoke)
    if (there === undefined) this.#spokes.set(spoke, there = new Set())
    there.add(it)
    this.#places.set(it, spoke)
    if (!this.#isTurning) this.#watch(now)
  }

  has(it: A): boolean {
    return this.#places.has(it)
  }

  delete(it: A): void {
    const spoke = this.#places.get(it)
    if (spoke === undefined) return
    this.#places.delete(it)
    const there = this.#spokes.get(spoke)
    there?.delete(it)
    if (there?.size === 0) this.#spokes.delete(spoke)
  }

  /** Nothing is due any more, and no timer is set. */
  stop(): void {
    this.#isStopped = true
    this.#alarm.cancel()
    this.#isTurning = false
    this.#places.clear()
    this.#spokes.clear()
  }

  #watch(now: number): void {
    this.#isTurning = true
    this.#alarm.set(now + this.#width, now, this.#clock)
  }

  #turn(): void {
    const now = this.#clock.unsafeCurrentTimeMillis()
    // A width has been slept: a clock that does not say so was put back meanwhile.
    const turns = Math.max(1, Math.floor((now - this.#since) / this.#width))
    const due: Array<A> = []
    const turned = this.#at + turns
    // A clock that is put forward by years passes more spokes than there are.
    const passed = turns > this.#spokes.size
      ? Array.from(this.#spokes.keys()).filter((spoke) => spoke <= turned).sort((one, other) => one - other)
      : Array.from({ length: turns }, (_, turn) => this.#at + turn + 1)
    for (const spoke of passed) {
      for (const it of this.#spokes.get(spoke) ?? []) {
        this.#places.delete(it)
        due.push(it)
      }
      this.#spokes.delete(spoke)
    }
    this.#at = turned
    this.#since = Math.min(now, this.#since + turns * this.#width)
    this.#isTurning = false
    if (this.#places.size > 0) this.#watch(now)
    if (due.length > 0) this.#ring(due)
  }
}
