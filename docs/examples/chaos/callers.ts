import { Cause, Chunk, Data, Effect, Exit, Fiber, Option, Random } from "effect"
import type { Till } from "./payments.js"
import * as Requests from "./requests.js"

/** How requests ended: `Success`, the tag of an error, or what their caller did. */
export interface Endings {
  readonly counts: Map<string, number>
  /** Neither a success nor an error that the types declare. */
  readonly odd: Array<string>
  readonly leaked: Array<string>
}

/** A caller who waits no longer. */
class GaveUp extends Data.TaggedError("GaveUp") {}

/** What a caller does that the library knows nothing of. */
const own = new Set(["GaveUp", "Interrupted"])

export const isOwn = (ending: string): boolean => own.has(ending)

/** The error that the types declare; otherwise what it is instead. */
const endingOf = (cause: Cause.Cause<Requests.Failure | GaveUp>, isInterrupted: boolean): string | { readonly odd: string } => {
  if (isInterrupted && Cause.isInterruptedOnly(cause)) return "Interrupted"
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  return cause._tag === "Fail" && error instanceof Error && (error._tag === "GaveUp" || Object.hasOwn(Requests.declared, error._tag))
    ? error._tag
    : { odd: Cause.pretty(cause) }
}

export interface Options {
  readonly seed: number
  readonly requests: number
  readonly callers: number
  readonly till: Till
  /** What no error may say. */
  readonly secrets: ReadonlyArray<string>
  /** Every failure, to be looked at more closely. */
  readonly onFailure: (failure: unknown) => void
}

/** At most so long, milliseconds, between one request of a caller and the next. */
const thinking = 10_000

/** One request as its caller means it: chance is its own, so that it is the same whatever others do. */
const one = (index: number, { seed, till }: Options) =>
  Effect.gen(function*() {
    yield* Effect.sleep(yield* Random.nextIntBetween(0, thinking))
    const isImpatient = (yield* Random.nextIntBetween(0, 100)) < 4
    const request = Requests.any(till).pipe(
      Effect.timeoutFail({ duration: "45 seconds", onTimeout: () => new GaveUp() })
    )
    if (!isImpatient) return [yield* Effect.exit(request), false] as const
    const fiber = yield* Effect.fork(request)
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 3000))
    return [yield* Fiber.interrupt(fiber), true] as const
  }).pipe(Effect.withRandom(Random.make(`${seed}, request ${index}`)))

/** All requests, by so many callers, one after the other each. */
export const all = <R>(options: Options, endings: Endings, onEnd: (ended: number) => Effect.Effect<void, never, R>) =>
  Effect.gen(function*() {
    let begun = 0
    let ended = 0
    const take = Effect.sync(() => begun < options.requests ? Option.some(begun++) : Option.none())
    const note = (exit: Exit.Exit<unknown, Requests.Failure | GaveUp>, isInterrupted: boolean) => {
      const ending = Exit.isSuccess(exit) ? "Success" : endingOf(exit.cause, isInterrupted)
      const name = typeof ending === "string" ? ending : "(odd)"
      endings.counts.set(name, (endings.counts.get(name) ?? 0) + 1)
      if (typeof ending !== "string") endings.odd.push(ending.odd)
      if (Exit.isSuccess(exit)) return
      options.onFailure(exit.cause)
      const text = JSON.stringify(exit.cause) + Chunk.join(Chunk.map(Cause.failures(exit.cause), ({ message }) => message), "")
      if (options.secrets.some((secret) => text.includes(secret))) endings.leaked.push(name)
    }
    const caller = Effect.gen(function*() {
      for (let index = yield* take; Option.isSome(index); index = yield* take) {
        const [exit, isInterrupted] = yield* one(index.value, options)
        note(exit, isInterrupted)
        ended += 1
        yield* onEnd(ended)
      }
    })
    yield* Effect.replicateEffect(caller, options.callers, { concurrency: "unbounded", discard: true })
  })
