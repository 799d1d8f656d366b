/**
 * The keys with which a store's entries are encrypted.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type * as Inspectable from "effect/Inspectable"
import * as Redacted from "effect/Redacted"
import * as Ring from "./internal/keyring.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: "~effect-credentials/Keyring" = Ring.TypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * Keys of 256 bits, each with an id. Whatever is saved is encrypted with the
 * current one; the others are for reading what was saved before.
 *
 * An id is 1 to 32 letters, digits, `-` and `_`. It is stored beside what its
 * key encrypted and is no secret: a date does. An id never changes its key.
 *
 * `toString`, `JSON.stringify` and `inspect` show the ids only.
 *
 * @since 0.1.0
 * @category models
 */
export interface Keyring extends Inspectable.Inspectable {
  readonly [TypeId]: TypeId
  /** The id of the key that encrypts. */
  readonly current: string
  /** The ids of all keys, the current one first. */
  readonly ids: ReadonlyArray<string>
}

/**
 * Makes a keyring from keys in base64 or base64url, 32 bytes each. They are
 * imported at once, and their bytes are not kept.
 *
 * To replace a key, add the new one, make it `current`, and leave the old one
 * until everything was saved again (each renewal saves). An entry whose key is
 * gone cannot be read by anyone.
 *
 * Fails with a `ConfigError` that names the option and the key id and shows no
 * value.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Keyring } from "effect-credentials"
 *
 * export const keyring = Effect.gen(function*() {
 *   const [first, second] = yield* Effect.all([Keyring.generate, Keyring.generate])
 *   return yield* Keyring.make({ current: "2026-11", keys: { "2026-11": second, "2025": first } })
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <const Id extends string>(options: {
  readonly current: NoInfer<Id>
  readonly keys: Readonly<Record<Id, Redacted.Redacted>>
}): Effect.Effect<Keyring, ConfigError.ConfigError> =>
  Effect.suspend(() => {
    const entries = Object.entries<Redacted.Redacted>(options.keys)
    return Effect.flatMap(
      Ring.parseRecord(options.current, entries.map(([id, key]) => [id, Redacted.value(key)])),
      Ring.load
    )
  })

/**
 * Reads a keyring from one variable, `id:key,id:key`. The first key is the
 * current one: to replace it, write the new one before it.
 *
 * Fails with a `ConfigError` that names the variable and the key id and shows
 * no value.
 *
 * @example
 * ```ts
 * import { Keyring, TokenStore } from "effect-credentials"
 *
 * // CREDENTIALS_KEYRING=2026-11:<openssl rand -base64 32>
 * export const layer = TokenStore.layerMemory.pipe(TokenStore.encrypted(Keyring.fromConfig()))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromConfig = (name = "CREDENTIALS_KEYRING"): Effect.Effect<Keyring, ConfigError.ConfigError> =>
  Effect.flatMap(Config.string(name).pipe(Config.mapOrFail(Ring.parseList)), Ring.load)

/**
 * A new key, as `make` and `fromConfig` take it. `openssl rand -base64 32` gives
 * one too.
 *
 * @example
 * ```ts
 * import { Console, Effect, Redacted } from "effect"
 * import { Keyring } from "effect-credentials"
 *
 * // Its one way out: to the person who puts it where the program's secrets are.
 * export const printed = Effect.flatMap(Keyring.generate, (key) => Console.log(`2026-11:${Redacted.value(key)}`))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const generate: Effect.Effect<Redacted.Redacted> = Ring.generate
