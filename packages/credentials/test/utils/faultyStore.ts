/** A store with places at which a test can let something go wrong. */
import { Deferred, Effect, FiberId, Option } from "effect"
import type { CredentialsError, TokenStore } from "effect-credentials"

/** Places in a program, and what happens there: nothing, until a test injects it. */
export interface Faults<Point extends string, E> {
  readonly at: (point: Point) => Effect.Effect<void, E>
  /** The next time this place is passed. */
  readonly once: (point: Point, fault: Effect.Effect<void, E>) => void
  /** Every time, until healed. */
  readonly always: (point: Point, fault: Effect.Effect<void, E>) => void
  /** Hangs until healed. */
  readonly hang: Effect.Effect<void>
  /** No faults any more; what hangs goes on. */
  readonly heal: Effect.Effect<void>
  /** How often a place was passed so far. */
  readonly passed: (point: Point) => number
}

const gate = () => Deferred.unsafeMake<void>(FiberId.none)

export const makeFaults = <Point extends string, E>(): Faults<Point, E> => {
  const faults = new Map<Point, Effect.Effect<void, E>>()
  const counts = new Map<Point, number>()
  let healed = gate()
  return {
    at: (point) =>
      Effect.suspend(() => {
        counts.set(point, (counts.get(point) ?? 0) + 1)
        return faults.get(point) ?? Effect.void
      }),
    once: (point, fault) => {
      faults.set(
        point,
        Effect.suspend(() => {
          faults.delete(point)
          return fault
        })
      )
    },
    always: (point, fault) => {
      faults.set(point, fault)
    },
    hang: Effect.suspend(() => Deferred.await(healed)),
    heal: Effect.suspend(() => {
      const before = healed
      faults.clear()
      healed = gate()
      return Effect.asVoid(Deferred.succeed(before, undefined))
    }),
    passed: (point) => counts.get(point) ?? 0
  }
}

export const storePoints = [
  "load",
  "before lock",
  "lock had",
  "before mark saved",
  "after mark saved",
  "before new saved",
  "after new saved",
  "unlocking"
] as const

type StorePoint = typeof storePoints[number] | "before mark cleared" | "after mark cleared"

export interface FaultyStore {
  readonly store: TokenStore.TokenStore
  readonly faults: Faults<StorePoint, CredentialsError.TokenStoreError>
}

/** Which of a renewal's saves this is. */
const saves = (held: TokenStore.Held, entry: TokenStore.Entry): "mark saved" | "mark cleared" | "new saved" =>
  Option.isSome(entry.redeeming)
    ? "mark saved"
    : Option.isSome(held.stored) && held.stored.value.generation === entry.generation
    ? "mark cleared"
    : "new saved"

export const makeFaulty = (store: TokenStore.TokenStore): FaultyStore => {
  const faults = makeFaults<StorePoint, CredentialsError.TokenStoreError>()
  const faulty = (held: TokenStore.Held): TokenStore.Held => ({
    stored: held.stored,
    save: (entry) => {
      const what = saves(held, entry)
      return Effect.zipRight(faults.at(`before ${what}`), held.save(entry)).pipe(
        Effect.zipLeft(faults.at(`after ${what}`))
      )
    }
  })
  return {
    faults,
    store: {
      load: (key) => Effect.zipRight(faults.at("load"), store.load(key)),
      withLock: (key, body) =>
        Effect.zipRight(
          faults.at("before lock"),
          store.withLock(key, (held) =>
            Effect.zipRight(
              faults.at("lock had"),
              // Whatever frees a lock runs where interruption is off.
              Effect.uninterruptibleMask((restore) =>
                Effect.exit(restore(body(faulty(held)))).pipe(
                  Effect.zipLeft(faults.at("unlocking")),
                  Effect.flatten
                ))
            ))
        ),
      remove: store.remove
    }
  }
}
