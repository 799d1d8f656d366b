/**
 * The limits of all API products of one Layer instance, and who watches them.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Credentials } from "../Credentials.js"
import type { CredentialsIdentity } from "../CredentialsIdentity.js"
import type { RateLimitEvent } from "../RateLimitEvent.js"
import type { RateLimits, Snapshot } from "../RateLimits.js"
import { Limiter } from "./limiter.js"
import type { Listener, Options } from "./limiter.js"

/** Whoever reads a stream. What it gets it gets in a fiber of its own: nobody waits for it. */
interface Reader<A> {
  readonly push: (value: A) => void
  readonly end: () => void
}

const snapshotOf = (limiter: Limiter): Effect.Effect<Snapshot> =>
  Effect.clockWith((clock) => Effect.sync(() => limiter.snapshot(clock.unsafeCurrentTimeMillis())))

class Registry implements RateLimits {
  readonly #limiters = new Map<string, Limiter>()
  readonly #watchers = new Set<Reader<Limiter>>()
  readonly #listeners = new Set<Reader<RateLimitEvent>>()
  readonly #listener: Listener
  #ended = false

  constructor({ hash, provider }: CredentialsIdentity) {
    this.#listener = {
      identity: hash,
      provider,
      event: (event) => {
        for (const reader of this.#listeners) reader.push(event)
      },
      changed: (limiter) => {
        for (const reader of this.#watchers) reader.push(limiter)
      }
    }
  }

  /** `first` is what it gets before all else, in the same step: nothing is missed between. */
  #join<A>(
    readers: Set<Reader<A>>,
    reader: Reader<A>,
    first: Iterable<A> = []
  ): Effect.Effect<Reader<A>, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => {
        for (const value of first) reader.push(value)
        if (this.#ended) reader.end()
        else readers.add(reader)
        return reader
      }),
      () => Effect.sync(() => readers.delete(reader))
    )
  }

  readonly snapshot: Effect.Effect<ReadonlyArray<Snapshot>> = Effect.suspend(() =>
    Effect.forEach(this.#limiters.values(), snapshotOf)
  )

  /** Each product is in line once, however often it changes: what is read is its state by then. */
  readonly changes: Stream.Stream<Snapshot> = Stream.suspend(() => {
    const pending = new Set<Limiter>()
    return Stream.asyncPush<Limiter>((emit) => {
      const push = (limiter: Limiter) => {
        if (pending.has(limiter)) return
        pending.add(limiter)
        emit.single(limiter)
      }
      return this.#join(this.#watchers, { push, end: emit.end }, this.#limiters.values())
    }).pipe(
      Stream.mapEffect((limiter) => {
        pending.delete(limiter)
        return snapshotOf(limiter)
      })
    )
  })

  readonly events: Stream.Stream<RateLimitEvent> = Stream.asyncPush<RateLimitEvent>(
    (emit) => this.#join(this.#listeners, { push: emit.single, end: emit.end }),
    { bufferSize: 64, strategy: "sliding" }
  )

  limiter(options: Options): Limiter {
    let limiter = this.#limiters.get(options.product)
    if (limiter === undefined) {
      limiter = new Limiter(options, this.#listener)
      this.#limiters.set(options.product, limiter)
      this.#listener.changed(limiter)
      if (this.#ended) limiter.end()
    }
    return limiter
  }

  end(): void {
    this.#ended = true
    for (const limiter of this.#limiters.values()) limiter.end()
    for (const reader of [...this.#watchers, ...this.#listeners]) reader.end()
  }
}

/** Ends with its scope: nobody waits any more, and nothing of it runs. */
export const make = (identity: CredentialsIdentity): Effect.Effect<RateLimits, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Registry(identity)),
    (registry) => Effect.sync(() => registry.end())
  )

const deaf: Listener = { identity: "", provider: "", event: () => {}, changed: () => {} }

/** The limiter of a product; credentials that were made by hand have one for each client. */
export const limiterOf = ({ identity, rateLimits }: Credentials, options: Options): Limiter =>
  rateLimits instanceof Registry
    ? rateLimits.limiter(options)
    : new Limiter(options, { ...deaf, identity: identity.hash, provider: identity.provider })
