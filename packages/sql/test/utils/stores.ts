/** Stores of a test, and what tests do with them. */
import { SqlTokenStore } from "@effect-credentials/sql"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Layer, Scope } from "effect"
import { Context, Deferred, Effect, Exit, Fiber, Layer as Layers, Logger, LogLevel, Option } from "effect"
import { CredentialsError, TokenStore } from "effect-credentials"
import { assert } from "vitest"
import { client, type Place } from "./database.js"

export const storeOn = <E>(
  layer: Layer.Layer<SqlClient, E>,
  options?: SqlTokenStore.Options
): Effect.Effect<TokenStore.TokenStore, E | CredentialsError.TokenStoreError, Scope.Scope> =>
  Effect.map(Layers.build(SqlTokenStore.layer(options).pipe(Layers.provide(layer))), Context.get(TokenStore.TokenStore))

/** With a pool of its own, as another process has. */
export const storeAt = (place: Place, options?: SqlTokenStore.Options, config?: Parameters<typeof client>[1]) =>
  storeOn(client(place, config), options)

/** Long enough for a slow machine, and shorter than any time limit that could hide something. */
export const soon = Effect.timeoutFail({ duration: "8 seconds", onTimeout: () => new Error("It had to wait") })

export interface Holder {
  readonly held: TokenStore.Held
  readonly fiber: Fiber.Fiber<void, unknown>
  readonly letGo: Effect.Effect<void, unknown>
}

/** Holds a lock until it is told to let go. */
export const hold = (store: TokenStore.TokenStore, key: string): Effect.Effect<Holder, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const had = yield* Deferred.make<TokenStore.Held>()
    const goOn = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkScoped(
      store.withLock(key, (held) => Effect.zipRight(Deferred.succeed(had, held), Deferred.await(goOn)))
    )
    const held = yield* soon(Effect.raceFirst(Deferred.await(had), Effect.zipRight(Fiber.join(fiber), Effect.never)))
    return { held, fiber, letGo: Effect.zipRight(Deferred.succeed(goOn, undefined), Fiber.join(fiber)) }
  })

export const put = (store: TokenStore.TokenStore, key: string, entry: TokenStore.Entry) =>
  store.withLock(key, ({ save }) => save(entry))

export const generationOf = (found: Option.Option<TokenStore.Entry>): number =>
  Option.match(found, { onNone: () => 0, onSome: ({ generation }) => generation })

export const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<CredentialsError.TokenStoreError, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isFailure(exit) && exit.cause._tag === "Fail" && exit.cause.error instanceof CredentialsError.TokenStoreError) {
      return exit.cause.error
    }
    return assert.fail(`no TokenStoreError, but ${exit.toString()}`)
  })

/** Until it is so; in real time, for what happens in another process. */
export const eventually = <E>(isSo: Effect.Effect<boolean, E>) =>
  Effect.timeout(Effect.asVoid(Effect.repeat(Effect.delay(isSo, "20 millis"), { until: (so) => so })), "10 seconds")

export const quietly = Logger.withMinimumLogLevel(LogLevel.None)
