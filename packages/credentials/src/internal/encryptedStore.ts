/**
 * A store whose entries are encrypted: AES-256-GCM, one ciphertext for the whole
 * entry.
 *
 * The store below gets an entry whose access token is the text
 * `encrypted:v1:<key id>:<nonce>:<ciphertext and tag>`, the last two in base64url,
 * so any store keeps it. Associated data: the format, the key id, the key of the
 * row and the generation. The generation stays outside too, for the stores that
 * compare it.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { TokenStoreError } from "../CredentialsError.js"
import type { Keyring } from "../Keyring.js"
import * as Token from "../Token.js"
import type { Entry, StoreKey, TokenStore } from "../TokenStore.js"
import * as Base64Url from "./base64Url.js"
import * as Ring from "./keyring.js"
import * as StoredEntry from "./storedEntry.js"

/** A colon is no part of a bearer token (RFC 6750 §2.1), so no real one begins like this. */
const mark = "encrypted:"
const version = "v1"
const pattern = new RegExp(`^${mark}${version}:([A-Za-z0-9_-]{1,32}):([A-Za-z0-9_-]{16}):([A-Za-z0-9_-]+)$`)

/** 96 bits: what GCM takes as they are (NIST SP 800-38D §5.2.1.1). */
const nonceLength = 12

/** Both times of what is stored: it has expired for whoever does not decrypt it, and its own times stay inside. */
const epoch = DateTime.unsafeMake(0)

const anew = "remove the entry and log in again"

const refused = (description: string) => Effect.fail(new TokenStoreError({ operation: "load", description }))
const notSaved = (description: string) => new TokenStoreError({ operation: "save", description })

const Text = Schema.parseJson(StoredEntry.Entry)
const toText = Schema.encodeEither(Text)
const fromText = Schema.decodeEither(Text)

const utf8 = (text: string) => new TextEncoder().encode(text)

const algorithm = (nonce: Uint8Array<ArrayBuffer>, keyId: string, key: StoreKey, generation: number) => ({
  name: "AES-GCM",
  iv: nonce,
  tagLength: 128,
  // JSON quotes every part, so two lists of parts never give the same text.
  additionalData: utf8(JSON.stringify([mark, version, keyId, key, generation]))
})

const encrypt = (keyring: Keyring, key: StoreKey, entry: Entry): Effect.Effect<Entry, TokenStoreError> =>
  Effect.gen(function*() {
    const cryptoKey = Ring.keyOf(keyring, keyring.current)
    if (cryptoKey === undefined) return yield* notSaved(`the keyring has no key "${keyring.current}"`)
    // The schema's own error shows values.
    const text = yield* Either.mapLeft(toText(entry), () => notSaved("the entry has a value that cannot be stored"))
    // Not Effect's Random, which can be guessed and replaced. The same nonce twice would give the key's messages away.
    const nonce = crypto.getRandomValues(new Uint8Array(nonceLength))
    const ciphertext = yield* Effect.tryPromise({
      try: () => crypto.subtle.encrypt(algorithm(nonce, keyring.current, key, entry.generation), cryptoKey, utf8(text)),
      catch: () => notSaved("the entry could not be encrypted")
    })
    return {
      token: Token.make({
        accessToken:
          `${mark}${version}:${keyring.current}:${Base64Url.encode(nonce)}:${Base64Url.encode(new Uint8Array(ciphertext))}`,
        issuedAt: epoch,
        expiresAt: epoch
      }),
      generation: entry.generation,
      redeeming: Option.none()
    }
  })

const isEncrypted = (entry: Entry): boolean => Redacted.value(entry.token.accessToken).startsWith(mark)

const decrypt = (keyring: Keyring, key: StoreKey, stored: Entry): Effect.Effect<Entry, TokenStoreError> =>
  Effect.gen(function*() {
    if (!isEncrypted(stored)) {
      return yield* refused(
        `the entry is not encrypted, so anyone who can write to the store may have made it: ${anew}`
      )
    }
    const text = Redacted.value(stored.token.accessToken)
    if (!text.startsWith(`${mark}${version}:`)) {
      return yield* refused(
        `the entry is encrypted in a format that is not known here: use the version of effect-credentials that wrote it, or ${anew}`
      )
    }
    const [, keyId = "", nonceText = "", ciphertextText = ""] = pattern.exec(text) ?? []
    const nonce = Base64Url.decode(nonceText)
    const ciphertext = Base64Url.decode(ciphertextText)
    if (keyId === "" || nonce === undefined || ciphertext === undefined) {
      return yield* refused(`the text of the encrypted entry is damaged: ${anew}`)
    }
    const cryptoKey = Ring.keyOf(keyring, keyId)
    if (cryptoKey === undefined) {
      return yield* refused(
        `the entry is encrypted with the key "${keyId}", which the keyring does not have: put that key back, or ${anew}`
      )
    }
    const plaintext = yield* Effect.tryPromise(() =>
      crypto.subtle.decrypt(algorithm(nonce, keyId, key, stored.generation), cryptoKey, ciphertext)
    ).pipe(Effect.catchAll(() =>
      refused(
        `the key "${keyId}" does not open the entry: either the keyring has another key under that id now, or the entry ` +
          `was damaged, changed, or copied from another row. Put the right key back, or ${anew}`
      )
    ))
    return yield* fromText(new TextDecoder().decode(plaintext)).pipe(
      Either.filterOrLeft((entry) => entry.generation === stored.generation, () => undefined),
      Effect.catchAll(() =>
        refused(
          `what the key "${keyId}" opened is not an entry that is known here: use the version of effect-credentials that wrote it, or ${anew}`
        )
      )
    )
  })

/** Whatever is read goes through `read` before anyone sees it, whatever is saved through `write`. */
const reading = (
  store: TokenStore,
  read: (key: StoreKey, stored: Entry) => Effect.Effect<Entry, TokenStoreError>,
  write: (key: StoreKey, entry: Entry) => Effect.Effect<Entry, TokenStoreError>
): TokenStore => {
  const each = (key: StoreKey, stored: Option.Option<Entry>) =>
    Effect.transposeMapOption(stored, (entry) => read(key, entry))
  return {
    load: (key) => Effect.flatMap(store.load(key), (stored) => each(key, stored)),
    withLock: (key, body) =>
      store.withLock(key, (held) =>
        Effect.flatMap(each(key, held.stored), (stored) =>
          body({ stored, save: (entry) => Effect.flatMap(write(key, entry), held.save) }))),
    remove: (key) => store.remove(key)
  }
}

export const make = (store: TokenStore, keyring: Keyring): TokenStore =>
  reading(
    store,
    (key, stored) => decrypt(keyring, key, stored),
    (key, entry) => encrypt(keyring, key, entry)
  )

/**
 * What reads a store on behalf of a program reads it through this: without the
 * keyring, an encrypted entry would pass for a token that expired long ago, and
 * the next one would be saved over it in plain text.
 */
export const refuseEncrypted = (store: TokenStore): TokenStore =>
  reading(
    store,
    (_, stored) =>
      isEncrypted(stored)
        ? refused(`the entry is encrypted and the store was given no keyring: use TokenStore.encrypted, or ${anew}`)
        : Effect.succeed(stored),
    (_, entry) => Effect.succeed(entry)
  )
