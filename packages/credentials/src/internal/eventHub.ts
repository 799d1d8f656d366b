/**
 * Events for whoever listens. Nothing is made for nobody: most credentials have
 * no listener, and a process may have ten thousand of them.
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"

export class EventHub<A> {
  readonly #capacity: number
  #hub: PubSub.PubSub<A> | undefined
  #ended = false

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  publish(event: A): Effect.Effect<void> {
    return this.#hub === undefined ? Effect.void : PubSub.publish(this.#hub, event)
  }

  /** From now on. A slow reader loses the oldest. */
  stream(): Stream.Stream<A> {
    return Stream.unwrap(Effect.suspend(() => {
      if (this.#ended) return Effect.succeed(Stream.empty)
      if (this.#hub !== undefined) return Effect.succeed(Stream.fromPubSub(this.#hub))
      return Effect.map(PubSub.sliding<A>(this.#capacity), (made) =>
        // It may have ended, or somebody else may have made one, by the time it is made.
        this.#ended ? Stream.empty : Stream.fromPubSub(this.#hub ??= made))
    }))
  }

  /** Ends every stream. */
  end(): Effect.Effect<void> {
    this.#ended = true
    return this.#hub === undefined ? Effect.void : PubSub.shutdown(this.#hub)
  }
}
