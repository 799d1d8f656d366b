/**
 * The keys of a keyring: how they are written, and how they are held.
 */
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Inspectable from "effect/Inspectable"
import * as Redacted from "effect/Redacted"
import type { Keyring } from "../Keyring.js"
import * as Base64Url from "./base64Url.js"

export const TypeId = "~effect-credentials/Keyring"

/** AES-256. */
const keyLength = 32

/** Shorter than a key in base64 (43) or hexadecimal (64): a key that was written where its id belongs is not shown as one. */
const keyId = /^[A-Za-z0-9_-]{1,32}$/

interface Key {
  readonly id: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Its keys are in a private field, which everything that prints passes over. */
class Ring extends Inspectable.Class implements Keyring {
  readonly [TypeId]: typeof TypeId = TypeId
  readonly current: string
  readonly ids: ReadonlyArray<string>
  readonly #keys: ReadonlyMap<string, CryptoKey>

  constructor(current: string, keys: ReadonlyMap<string, CryptoKey>) {
    super()
    this.current = current
    this.ids = Array.from(keys.keys())
    this.#keys = keys
  }

  toJSON() {
    return { _id: TypeId, current: this.current, ids: this.ids }
  }

  static keyOf(keyring: Keyring, id: string): CryptoKey | undefined {
    return #keys in keyring ? keyring.#keys.get(id) : undefined
  }
}

export const keyOf: (keyring: Keyring, id: string) => CryptoKey | undefined = Ring.keyOf

/** `place` says where the id was read, for one that may not be shown. */
const parseId = (
  id: string,
  path: ReadonlyArray<string>,
  place: string
): Either.Either<string, ConfigError.ConfigError> =>
  keyId.test(id)
    ? Either.right(id)
    : Either.left(ConfigError.InvalidData(
      [...path],
      `Expected ${place} to have an id of 1 to 32 letters, digits, "-" and "_" (what it has is not shown)`
    ))

const parseKey = (
  id: string,
  text: string,
  path: ReadonlyArray<string>
): Either.Either<Key, ConfigError.ConfigError> => {
  const bytes = Base64Url.decode(text.trim().replace(/={1,2}$/, "").replaceAll("+", "-").replaceAll("/", "_"))
  return bytes?.length === keyLength
    ? Either.right({ id, bytes })
    : Either.left(ConfigError.InvalidData(
      [...path],
      `Expected the key "${id}" to be ${keyLength} bytes in base64 or base64url (the value is not shown)`
    ))
}

/** The current key must be the first. */
export const parseRecord = (
  current: string,
  entries: ReadonlyArray<readonly [id: string, text: string]>
): Either.Either<ReadonlyArray<Key>, ConfigError.ConfigError> =>
  Either.gen(function*() {
    const keys: Array<Key> = []
    for (const [index, [written, text]] of entries.entries()) {
      const id = yield* parseId(written, ["keys"], `key ${index + 1}`)
      const key = yield* parseKey(id, text, ["keys", id])
      if (id === current) keys.unshift(key)
      else keys.push(key)
    }
    if (keys[0]?.id === current) return keys
    return yield* Either.left(ConfigError.InvalidData(["current"], "Expected the id of one of the keys"))
  })

/** `id:key,id:key`. The path of its errors is empty: Config puts the variable's name there. */
export const parseList = (text: string): Either.Either<ReadonlyArray<Key>, ConfigError.ConfigError> =>
  Either.gen(function*() {
    const keys: Array<Key> = []
    for (const [index, item] of text.split(",").entries()) {
      const [before, after] = item.trim().split(/:(.*)/s)
      const place = `entry ${index + 1}`
      if (before === undefined || after === undefined) {
        return yield* Either.left(
          ConfigError.InvalidData([], `Expected ${place} to be a key id, a colon and a key (the value is not shown)`)
        )
      }
      const id = yield* parseId(before, [], place)
      if (keys.some((key) => key.id === id)) {
        return yield* Either.left(ConfigError.InvalidData([], `Expected one key for the id "${id}", not two`))
      }
      keys.push(yield* parseKey(id, after, []))
    }
    return keys
  })

/** The first is the current one. Wipes the bytes: what is kept cannot be read out again. */
export const load = (keys: ReadonlyArray<Key>): Effect.Effect<Keyring> =>
  Effect.map(
    Effect.forEach(keys, ({ bytes, id }) =>
      Effect.map(
        Effect.promise(() => crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"])),
        (key) => {
          bytes.fill(0)
          return [id, key] as const
        }
      )),
    (imported) => new Ring(keys[0]?.id ?? "", new Map(imported))
  )

/** From the platform's generator: Effect's Random can be guessed, and replaced. */
export const generate: Effect.Effect<Redacted.Redacted> = Effect.sync(() =>
  Redacted.make(Encoding.encodeBase64(crypto.getRandomValues(new Uint8Array(keyLength))))
)
