import { Effect, Fiber, Supervisor } from "effect"

/** What is still there when everything has ended. */
export interface Leaks {
  readonly fibers: number
  readonly timers: number
  readonly sockets: number
}

/** Counts the fibers that are started below it, and those of them that live. */
export class Fibers extends Supervisor.AbstractSupervisor<number> {
  started = 0
  living = 0
  override readonly value = Effect.sync(() => this.living)
  override onStart(): void {
    this.started += 1
    this.living += 1
  }
  override onEnd(): void {
    this.living -= 1
  }
}

/** What keeps a process from its end. */
const resources = (kind: RegExp) => process.getActiveResourcesInfo().filter((name) => kind.test(name)).length

const present = (fibers: Fibers) =>
  Effect.gen(function*() {
    const roots = yield* Fiber.roots
    // Of the fibers below it some are roots, and some roots are of no fiber below it.
    const counted: Leaks = { fibers: Math.max(fibers.living, roots.length), timers: resources(/^Timeout$/), sockets: resources(/^TCP/) }
    return counted
  })

/** What there is more of after an effect than before it. What takes a moment to go is given three seconds. */
export const after = <A, E, R>(fibers: Fibers, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const before = yield* Effect.delay(present(fibers), "20 millis")
    const result = yield* effect
    const more = (kind: keyof Leaks, now: Leaks) => Math.max(0, now[kind] - before[kind])
    const left = Effect.map(present(fibers), (now): Leaks => ({
      fibers: more("fibers", now),
      timers: more("timers", now),
      sockets: more("sockets", now)
    }))
    const isNothing = ({ fibers, sockets, timers }: Leaks) => fibers + timers + sockets === 0
    const leaks = yield* Effect.delay(left, "20 millis").pipe(Effect.repeat({ until: isNothing, times: 150 }))
    return { result, leaks }
  })
