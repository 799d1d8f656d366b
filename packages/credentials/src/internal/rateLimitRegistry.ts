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

/** What there is once something is known or somebody watches. */
interface Contents {
  readonly limiters: Map<string, Limiter>
  readonly watchers: Set<Reader<Limiter>>
  readonly listeners: Set<Reader<RateLimitEvent>>
  readonly listener: Listener
}

const contentsOf = ({ hash, provider }: CredentialsIdentity): Contents => {
  const watchers = new Set<Reader<Limiter>>()
  const listeners = new Set<Reader<RateLimitEvent>>()
  return {
    limiters: new Map(),
    watchers,
    listeners,
    listener: {
      identity: hash,
      provider,
      event: (event) => {
        for (const reader of listeners) reader.push(event)
      },
      changed: (limiter) => {
        for (const reader of watchers) reader.push(limiter)
      }
    }
  }
}

/** Everything is made when it is first asked for: a process may have ten thousand of these, most of them unused. */
export class Registry implements RateLimits {
  readonly #identity: CredentialsIdentity
  #made: Contents | undefined
  #ended = false

  constructor(identity: CredentialsIdentity) {
    this.#identity = identity
  }

  get #contents(): Contents {
    return this.#made ??= contentsOf(this.#identity)
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

  get snapshot(): Effect.Effect<ReadonlyArray<Snapshot>> {
    return Effect.suspend(() => Effect.forEach(this.#contents.limiters.values(), snapshotOf))
  }

  /** Each product is in line once, however often it changes: what is read is its state by then. */
  get changes(): Stream.Stream<Snapshot> {
    return Stream.suspend(() => this.#changes())
  }

  #changes(): Stream.Stream<Snapshot> {
    const { limiters, watchers } = this.#contents
    const pending = new Set<Limiter>()
    return Stream.asyncPush<Limiter>((emit) => {
      const push = (limiter: Limiter) => {
        if (pending.has(limiter)) return
        pending.add(limiter)
        emit.single(limiter)
      }
      return this.#join(watchers, { push, end: emit.end }, limiters.values())
    }).pipe(
      Stream.mapEffect((limiter) => {
        pending.delete(limiter)
        return snapshotOf(limiter)
      })
    )
  }

  get events(): Stream.Stream<RateLimitEvent> {
    return Stream.asyncPush<RateLimitEvent>(
      (emit) => this.#join(this.#contents.listeners, { push: emit.single, end: emit.end }),
      { bufferSize: 64, strategy: "sliding" }
    )
  }

  limiter(options: Options): Limiter {
    const { limiters, listener } = this.#contents
    let limiter = limiters.get(options.product)
    if (limiter === undefined) {
      limiter = new Limiter(options, listener)
      limiters.set(options.product, limiter)
      listener.changed(limiter)
      if (this.#ended) limiter.end()
    }
    return limiter
  }

  /** Nobody waits any more, and nothing of it runs. */
  end(): void {
    this.#ended = true
    if (this.#made === undefined) return
    const { limiters, listeners, watchers } = this.#made
    for (const limiter of limiters.values()) limiter.end()
    for (const reader of [...watchers, ...listeners]) reader.end()
  }
}

const deaf: Listener = { identity: "", provider: "", event: () => {}, changed: () => {} }

/** The limiter of a product; credentials that were made by hand have one for each client. */
export const limiterOf = ({ identity, rateLimits }: Credentials, options: Options): Limiter =>
  rateLimits instanceof Registry
    ? rateLimits.limiter(options)
    : new Limiter(options, { ...deaf, identity: identity.hash, provider: identity.provider })
