import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  ConfigProvider,
  Context,
  DateTime,
  Deferred,
  Effect,
  Either,
  Exit,
  FastCheck,
  Fiber,
  Layer,
  Option,
  Random,
  Redacted,
  Schema
} from "effect"
import { CredentialsError, Keyring, Token, TokenStore } from "effect-credentials"
import * as Crypto from "node:crypto"
import { refuseEncrypted } from "../src/internal/encryptedStore.js"
import { assertNoCanary, assertNothingSeen, canaries, cores, findCanaries, observe } from "./utils/canaries.js"
import { storeSuite } from "./utils/storeSuite.js"

/** 32 bytes whose base64 is easy to recognise. */
const keyText = (core: string) => `${core}${core}AAA=`
const keys = { old: keyText(cores.clientSecret), new: keyText(cores.apiKey) }

const keyringOf = (current: string, ...more: ReadonlyArray<readonly [id: string, key: string]>) =>
  Effect.orDie(Keyring.make({
    current,
    keys: Object.fromEntries([["2025", keys.old] as const, ...more].map(([id, key]) => [id, Redacted.make(key)]))
  }))

const keyring = keyringOf("2025")

/** A store in memory, and what encrypts over it. */
const makeMemory = Effect.gen(function*() {
  const memory = Context.get(yield* Layer.build(TokenStore.layerMemory), TokenStore.TokenStore)
  const over = <E = never, R = never>(keyring: Keyring.Keyring | Effect.Effect<Keyring.Keyring, E, R>, below = memory) =>
    Effect.map(
      Layer.build(Layer.succeed(TokenStore.TokenStore, below).pipe(TokenStore.encrypted(keyring))),
      Context.get(TokenStore.TokenStore)
    )
  return { memory, over }
})

const put = (store: TokenStore.TokenStore, key: string, entry: TokenStore.Entry) =>
  store.withLock(key, (held) => held.save(entry))

const stored = (store: TokenStore.TokenStore, key: string) => Effect.flatten(store.load(key)).pipe(Effect.orDie)

const issuedAt = DateTime.unsafeMake("2026-11-22T10:00:00.123Z")

const entryOf = (generation = 1, secret = ""): TokenStore.Entry => ({
  token: Token.make({
    accessToken: canaries.accessToken + secret,
    issuedAt,
    expiresAt: DateTime.add(issuedAt, { minutes: 30 }),
    refreshToken: canaries.refreshToken,
    refreshExpiresAt: DateTime.add(issuedAt, { days: 90 }),
    scope: "scope-of-the-token",
    baseUrl: "https://shard.acme.test"
  }),
  generation,
  redeeming: Option.some(DateTime.add(issuedAt, { minutes: 29 })),
  secretFingerprint: "fingerprint-of-the-secret"
})

/** Two entries are the same if they have the same text; a `Redacted` compares by its box. */
const encode = Schema.encodeSync(TokenStore.Entry)
const textsOf = (entry: TokenStore.Entry): unknown => JSON.parse(JSON.stringify(encode(entry)))
const assertSame = (actual: Option.Option<TokenStore.Entry>, expected: TokenStore.Entry) =>
  assert.deepStrictEqual(Option.getOrUndefined(Option.map(actual, textsOf)), textsOf(expected))

const textOf = (entry: TokenStore.Entry) => Redacted.value(entry.token.accessToken)

const withText = (entry: TokenStore.Entry, accessToken: string): TokenStore.Entry => ({
  ...entry,
  token: Token.make({ ...encodedTimes(entry), accessToken })
})
const encodedTimes = ({ token }: TokenStore.Entry) => ({ issuedAt: token.issuedAt, expiresAt: token.expiresAt })

const sealedBy = (keyring: Keyring.Keyring, key: string, entry: TokenStore.Entry) =>
  Effect.gen(function*() {
    const { memory, over } = yield* makeMemory
    yield* put(yield* over(keyring), key, entry)
    return yield* stored(memory, key)
  })

/** What a refused entry says; that it is refused in both ways of reading, stays as it was, and can be removed. */
const refusalOf = (
  found: TokenStore.Entry,
  options: { readonly keyring?: Effect.Effect<Keyring.Keyring>; readonly key?: string } = {}
) =>
  Effect.gen(function*() {
    const { key = "a" } = options
    const { memory, over } = yield* makeMemory
    const encrypted = yield* over(options.keyring ?? keyring)
    yield* put(memory, key, found)
    const { exit } = yield* observe(encrypted.load(key)).pipe(Effect.tap((seen) => assertNothingSeen("load", seen)))
    let ran = false
    const locked = yield* Effect.exit(encrypted.withLock(key, () => Effect.sync(() => void (ran = true))))
    assert.isFalse(ran, "the body saw an entry that was refused")
    assertSame(yield* memory.load(key), found)
    // The lock is free again.
    yield* memory.withLock(key, () => Effect.void)
    yield* encrypted.remove(key)
    assert.isTrue(Option.isNone(yield* memory.load(key)))
    const [error, same] = [exit, locked].map((exit) =>
      Exit.match(exit, { onFailure: Cause.squash, onSuccess: () => undefined })
    )
    assert.instanceOf(error, CredentialsError.TokenStoreError)
    assert.instanceOf(same, CredentialsError.TokenStoreError)
    assert.strictEqual(error.operation, "load")
    assert.strictEqual(error.message, same.message)
    assert.notInclude(error.message, textOf(found))
    return error.message
  })

/** Changes the last byte of the ciphertext, in the store below. */
const spoil = ({ below }: { readonly below: TokenStore.TokenStore }, key: string) =>
  Effect.gen(function*() {
    const found = yield* stored(below, key)
    const text = textOf(found)
    yield* put(below, key, withText(found, text.slice(0, -4) + (text.endsWith("AAAA") ? "BBBB" : "AAAA")))
  })

storeSuite("encrypted, in memory", {
  make: Effect.gen(function*() {
    const { memory } = yield* makeMemory
    return { below: memory, layer: Layer.succeed(TokenStore.TokenStore, memory).pipe(TokenStore.encrypted(keyring)) }
  }),
  isShared: true,
  spoil
})

storeSuite("encrypted, in a folder", {
  make: Effect.gen(function*() {
    const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
    const file = TokenStore.layerFile(folder).pipe(Layer.provide(NodeContext.layer))
    const below = Context.get(yield* Layer.build(file), TokenStore.TokenStore)
    return { below, layer: file.pipe(TokenStore.encrypted(keyring)) }
  }).pipe(Effect.provide(NodeContext.layer)),
  isShared: true,
  spoil
})

describe("TokenStore.encrypted", () => {
  it.scoped("gives back every field of what was saved", () =>
    Effect.gen(function*() {
      const { over } = yield* makeMemory
      const store = yield* over(keyring)
      assert.isTrue(Option.isNone(yield* store.load("a")))
      yield* store.withLock("a", (held) =>
        Effect.gen(function*() {
          assert.isTrue(Option.isNone(held.stored))
          yield* held.save(entryOf(1))
          yield* held.save(entryOf(2))
        }))
      assertSame(yield* store.load("a"), entryOf(2))
      yield* store.withLock("a", (held) => Effect.sync(() => assertSame(held.stored, entryOf(2))))
      const bare: TokenStore.Entry = {
        token: Token.make({ accessToken: "a", issuedAt, expiresAt: issuedAt }),
        generation: 3,
        redeeming: Option.none()
      }
      yield* put(store, "a", bare)
      assertSame(yield* store.load("a"), bare)
      assert.isTrue(Option.isNone(yield* store.load("b")))
    }))

  it.effect("gives back any entry, under any key", () =>
    Effect.gen(function*() {
      const ring = yield* keyring
      const text = FastCheck.fullUnicodeString()
      const visible = FastCheck.stringMatching(/^[\x21-\x7e]{1,200}$/)
      const time = FastCheck.date({ noInvalidDate: true }).map(DateTime.unsafeFromDate)
      const optional = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.option(arbitrary, { nil: undefined })
      const entries = FastCheck.record({
        token: FastCheck.record({
          accessToken: visible,
          issuedAt: time,
          expiresAt: time,
          refreshToken: optional(visible),
          refreshExpiresAt: optional(time),
          scope: optional(text),
          baseUrl: optional(text)
        }).map(Token.make),
        generation: FastCheck.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        redeeming: optional(time).map(Option.fromNullable),
        secretFingerprint: optional(text)
      })
      yield* Effect.promise(() =>
        FastCheck.assert(FastCheck.asyncProperty(FastCheck.string16bits(), entries, (key, entry) =>
          Effect.gen(function*() {
            const { memory, over } = yield* makeMemory
            const store = yield* over(ring)
            yield* put(store, key, entry)
            assertSame(yield* store.load(key), entry)
            // Any store must be able to keep it.
            Schema.decodeSync(TokenStore.Entry)(encode(yield* stored(memory, key)))
          }).pipe(Effect.scoped, Effect.runPromise)), { numRuns: 200 })
      )
    }))

  it.scoped("leaves nothing of the entry to be read in the store below, but its generation", () =>
    Effect.gen(function*() {
      const sealed = yield* sealedBy(yield* keyring, "a", entryOf(7))
      const { accessToken, ...token } = encode(sealed).token
      const text = JSON.stringify([accessToken, token])
      const bytes = accessToken.split(":").slice(3).map((part) => Buffer.from(part, "base64url").toString("latin1")).join()
      for (const seen of [text, bytes]) {
        assert.deepStrictEqual(findCanaries(seen), [])
        for (const word of ["scope", "fingerprint", "shard", "2026", "accessToken", "generation"]) assert.notInclude(seen, word)
      }
      const epoch = "1970-01-01T00:00:00.000Z"
      assert.deepStrictEqual(token, { issuedAt: epoch, expiresAt: epoch })
      assert.deepStrictEqual({ ...encode(sealed), token }, { token, generation: 7 })
      assert.match(accessToken, /^encrypted:v1:2025:[A-Za-z0-9_-]{16}:[A-Za-z0-9_-]+$/)
    }))

  it.scoped("writes AES-256-GCM with the key id, the row and the generation as associated data", () =>
    Effect.gen(function*() {
      const sealed = yield* sealedBy(yield* keyring, "the \"row\"", entryOf(7))
      const [, , , nonce = "", ciphertext = ""] = textOf(sealed).split(":")
      const bytes = Buffer.from(ciphertext, "base64url")
      const decipher = Crypto.createDecipheriv("aes-256-gcm", Buffer.from(keys.old, "base64"), Buffer.from(nonce, "base64url"))
      decipher.setAAD(Buffer.from(JSON.stringify(["encrypted:", "v1", "2025", "the \"row\"", 7])))
      decipher.setAuthTag(bytes.subarray(-16))
      const text = Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString()
      assert.deepStrictEqual(JSON.parse(text), encode(entryOf(7)))
    }))

  it.scoped("never uses a nonce twice: 10,000 saves", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const nonces = new Set<string>()
      const watched: TokenStore.TokenStore = {
        ...memory,
        withLock: (key, body) =>
          memory.withLock(key, (held) =>
            body({ ...held, save: (entry) => Effect.sync(() => void nonces.add(textOf(entry).split(":")[3] ?? "")) }))
      }
      const store = yield* over(keyring, watched)
      yield* store.withLock("a", (held) => Effect.replicateEffect(held.save(entryOf()), 10_000, { discard: true }))
      assert.strictEqual(nonces.size, 10_000)
    }))

  it.scoped("draws nonces that Effect's Random has no part in", () =>
    Effect.gen(function*() {
      const ring = yield* keyring
      const drawn = yield* Effect.all([
        Effect.withRandom(sealedBy(ring, "a", entryOf()), Random.make("seed")),
        Effect.withRandom(sealedBy(ring, "a", entryOf()), Random.make("seed"))
      ])
      assert.strictEqual(new Set(drawn.map((entry) => textOf(entry).split(":")[3])).size, 2)
    }))

  it.scoped("works over a store that is encrypted already", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const inner = yield* over(keyring)
      const outer = yield* over(keyringOf("2026-11", ["2026-11", keys.new]), inner)
      yield* put(outer, "a", entryOf())
      assertSame(yield* outer.load("a"), entryOf())
      assert.match(textOf(yield* stored(memory, "a")), /^encrypted:v1:2025:/)
      assert.match(textOf(yield* stored(inner, "a")), /^encrypted:v1:2026-11:/)
    }))
})

describe("a key that is replaced", () => {
  const both = keyringOf("2026-11", ["2026-11", keys.new])
  const onlyNew = Effect.orDie(Keyring.make({ current: "2026-11", keys: { "2026-11": Redacted.make(keys.new) } }))

  it.scoped("still opens what it encrypted, and encrypts nothing any more", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      yield* put(yield* over(keyring), "a", entryOf(1))
      const rotated = yield* over(both)
      assertSame(yield* rotated.load("a"), entryOf(1))
      yield* rotated.withLock("a", (held) =>
        Effect.gen(function*() {
          assertSame(held.stored, entryOf(1))
          yield* held.save(entryOf(2))
        }))
      assert.match(textOf(yield* stored(memory, "a")), /^encrypted:v1:2026-11:/)
      assertSame(yield* (yield* over(onlyNew)).load("a"), entryOf(2))
    }))

  it.scoped("is missed by name once it is gone", () =>
    Effect.gen(function*() {
      const sealed = yield* sealedBy(yield* keyring, "a", entryOf())
      assert.strictEqual(
        yield* refusalOf(sealed, { keyring: onlyNew }),
        "The token store failed (load): the entry is encrypted with the key \"2025\", which the keyring does not have: " +
          "put that key back, or remove the entry and log in again."
      )
    }))

  it.scoped("is not taken for another one of the same id", () =>
    Effect.gen(function*() {
      const sealed = yield* sealedBy(yield* keyring, "a", entryOf())
      const wrong = Effect.orDie(Keyring.make({ current: "2025", keys: { "2025": Redacted.make(keys.new) } }))
      assert.match(
        yield* refusalOf(sealed, { keyring: wrong }),
        /the key "2025" does not open the entry: either the keyring has another key under that id now.*Put the right key back, or remove/
      )
    }))
})

describe("an encrypted entry", () => {
  const sealed = Effect.flatMap(keyring, (ring) => sealedBy(ring, "a", entryOf(3)))
  const unopened = /does not open the entry: .*, or the entry was damaged, changed, or copied from another row/

  it.scoped("is opened by the test's own copy of it, so the refusals below have their reason", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const found = yield* sealed
      yield* put(memory, "a", withText(found, textOf(found)))
      assertSame(yield* (yield* over(keyring)).load("a"), entryOf(3))
    }))

  it.scoped("does not open in another row", () =>
    Effect.gen(function*() {
      const found = yield* sealed
      for (const key of ["b", "A", "a ", ""]) assert.match(yield* refusalOf(found, { key }), unopened)
    }))

  it.scoped("does not open when it was swapped with that of another row", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const store = yield* over(keyring)
      yield* put(store, "a", entryOf(1, "-a"))
      yield* put(store, "b", entryOf(1, "-b"))
      const [a, b] = yield* Effect.all([stored(memory, "a"), stored(memory, "b")])
      yield* put(memory, "a", b)
      yield* put(memory, "b", a)
      for (const key of ["a", "b"]) {
        const error = yield* Effect.flip(store.load(key))
        assert.match(error.message, unopened)
      }
      yield* put(memory, "a", a)
      assertSame(yield* store.load("a"), entryOf(1, "-a"))
    }))

  it.scoped("does not open in the place of another row whose key is a lone surrogate too", () =>
    Effect.gen(function*() {
      const found = yield* Effect.flatMap(keyring, (ring) => sealedBy(ring, "\ud800", entryOf(3)))
      // Both are U+FFFD in UTF-8.
      assert.match(yield* refusalOf(found, { key: "\ud801" }), unopened)
    }))

  it.scoped("does not open under another generation", () =>
    Effect.gen(function*() {
      const found = yield* sealed
      for (const generation of [1, 2, 4, 33, Number.MAX_SAFE_INTEGER]) {
        assert.match(yield* refusalOf({ ...found, generation }), unopened)
      }
    }))

  it.scoped("does not open with the other's generation and text", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const store = yield* over(keyring)
      yield* put(store, "a", entryOf(1))
      const first = yield* stored(memory, "a")
      yield* put(store, "a", entryOf(2))
      const second = yield* stored(memory, "a")
      assert.match(yield* refusalOf({ ...first, generation: 2 }), unopened)
      assert.match(yield* refusalOf({ ...second, generation: 1 }), unopened)
    }))

  it.scoped("does not open under another key id, even if it is the same key", () =>
    Effect.gen(function*() {
      const found = yield* sealed
      const renamed = withText(found, textOf(found).replace(":2025:", ":2026:"))
      assert.match(yield* refusalOf(renamed, { keyring: keyringOf("2025", ["2026", keys.old]) }), unopened)
    }))

  it.effect("does not open with any one character of it changed", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const store = yield* over(keyring)
      const refuses = (found: TokenStore.Entry, at: number, character: string) =>
        Effect.gen(function*() {
          const text = textOf(found)
          yield* put(memory, "a", withText(found, text.slice(0, at) + character + text.slice(at + 1)))
          const result = yield* Effect.either(store.load("a"))
          assert.isTrue(Either.isLeft(result), `character ${at} as ${character}`)
          if (Either.isLeft(result)) assert.strictEqual(result.left.operation, "load")
        })
      const found = yield* sealed
      const text = textOf(found)
      for (let at = 0; at < text.length; at++) {
        for (const character of ["A", "_", ":", "!"]) {
          if (text[at] !== character) yield* refuses(found, at, character)
        }
      }
      // Base64 may have bits to spare in its last character, which would change nothing if they were not looked at.
      for (const longer of ["", "x", "xx"]) {
        const found = yield* Effect.flatMap(keyring, (ring) => sealedBy(ring, "a", entryOf(3, longer)))
        const last = textOf(found).length - 1
        const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        for (const character of alphabet.replace(textOf(found)[last] ?? "", "")) yield* refuses(found, last, character)
      }
    }).pipe(Effect.scoped), 60_000)

  it.scoped("does not open with any bit of its bytes changed", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const store = yield* over(keyring)
      const found = yield* sealed
      const parts = textOf(found).split(":")
      for (const part of [3, 4]) {
        const bytes = Buffer.from(parts[part] ?? "", "base64url")
        for (let bit = 0; bit < bytes.length * 8; bit += 3) {
          const changed = Buffer.from(bytes)
          changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
          yield* put(memory, "a", withText(found, parts.with(part, changed.toString("base64url")).join(":")))
          const error = yield* Effect.flip(store.load("a"))
          assert.match(error.message, unopened)
        }
      }
    }), 60_000)

  it.effect("does not open when it was cut at any length, or grew", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const store = yield* over(keyring)
      const found = yield* sealed
      const text = textOf(found)
      const wrong = [
        ...Array.from({ length: text.length - 1 }, (_, at) => text.slice(0, at + 1)),
        ...["A", "AA", "AAA", "AAAA", ":", "=", `:${text}`].map((more) => text + more)
      ]
      for (const each of wrong) {
        yield* put(memory, "a", withText(found, each))
        const error = yield* Effect.flip(store.load("a"))
        assert.strictEqual(error.operation, "load")
      }
    }).pipe(Effect.scoped), 60_000)

  it.scoped("that is damaged says so", () =>
    Effect.gen(function*() {
      const found = yield* sealed
      const [mark, version, id, nonce, text] = textOf(found).split(":")
      for (
        const damaged of [
          "encrypted:v1:",
          `${mark}:${version}:${id}`,
          `${mark}:${version}:${id}:${nonce}:`,
          `${mark}:${version}::${nonce}:${text}`,
          `${mark}:${version}:${"x".repeat(33)}:${nonce}:${text}`,
          `${mark}:${version}:${id}:${nonce}A:${text}`,
          `${mark}:${version}:${id}:${nonce}:${text}=`,
          `${mark}:${version}:${id}:${nonce}:AAAAA`
        ]
      ) {
        assert.match(yield* refusalOf(withText(found, damaged)), /the text of the encrypted entry is damaged: remove the entry/)
      }
    }))

  it.scoped("of another format says which program to use", () =>
    Effect.gen(function*() {
      const found = yield* sealed
      for (const version of ["v2", "v11", "", "v1.1"]) {
        assert.match(
          yield* refusalOf(withText(found, textOf(found).replace("v1", version))),
          /in a format that is not known here: use the version of effect-credentials that wrote it, or remove the entry/
        )
      }
    }))

  it.scoped("whose content is no entry, or has another generation, is refused by whoever has the key too", () =>
    Effect.gen(function*() {
      const found = yield* sealed
      const nonce = Crypto.randomBytes(12)
      const seal = (plaintext: string) => {
        const cipher = Crypto.createCipheriv("aes-256-gcm", Buffer.from(keys.old, "base64"), nonce)
        cipher.setAAD(Buffer.from(JSON.stringify(["encrypted:", "v1", "2025", "a", 3])))
        const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
        return withText(found, `encrypted:v1:2025:${nonce.toString("base64url")}:${ciphertext.toString("base64url")}`)
      }
      const { memory, over } = yield* makeMemory
      yield* put(memory, "a", seal(JSON.stringify(encode(entryOf(3)))))
      assertSame(yield* (yield* over(keyring)).load("a"), entryOf(3))
      for (
        const content of [
          "",
          "{",
          "null",
          canaries.accessToken,
          JSON.stringify(encode(entryOf(4))),
          JSON.stringify({ ...encode(entryOf(3)), token: canaries.accessToken }),
          JSON.stringify({ ...encode(entryOf(3)), token: { ...encode(entryOf(3)).token, refreshToken: `${canaries.refreshToken}\n` } })
        ]
      ) {
        assert.match(yield* refusalOf(seal(content)), /what the key "2025" opened is not an entry that is known here/)
      }
    }))

  it.scoped("is taken with its inside alone: fields added outside change nothing", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const found = yield* sealed
      yield* put(memory, "a", {
        ...found,
        token: Token.make({
          accessToken: textOf(found),
          issuedAt,
          expiresAt: DateTime.add(issuedAt, { days: 9999 }),
          refreshToken: "planted",
          baseUrl: "https://evil.test"
        }),
        redeeming: Option.none(),
        secretFingerprint: "planted"
      })
      assertSame(yield* (yield* over(keyring)).load("a"), entryOf(3))
    }))
})

describe("an entry that is not encrypted", () => {
  it.scoped("is not believed", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusalOf(entryOf()),
        "The token store failed (load): the entry is not encrypted, so anyone who can write to the store may have made it: " +
          "remove the entry and log in again."
      )
    }))
})

describe("an encrypted entry in a store without a keyring", () => {
  it.scoped("has expired for whoever takes it for a token", () =>
    Effect.gen(function*() {
      const { token } = yield* sealedBy(yield* keyring, "a", entryOf())
      assert.strictEqual(DateTime.toEpochMillis(token.expiresAt), 0)
      assert.isTrue(Option.isNone(token.refreshToken))
    }))

  it.scoped("is refused by refuseEncrypted, which lets every other entry pass", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const encrypted = yield* over(keyring)
      yield* put(encrypted, "a", entryOf())
      const before = yield* stored(memory, "a")
      const plain = refuseEncrypted(memory)
      let ran = false
      for (const read of [plain.load("a"), plain.withLock("a", () => Effect.sync(() => void (ran = true)))]) {
        const error = yield* Effect.flip(read)
        assert.match(error.message, /\(load\): the entry is encrypted and the store was given no keyring: use TokenStore\.encrypted, or/)
        assertNoCanary("the error", error)
      }
      assert.isFalse(ran)
      assertSame(yield* memory.load("a"), before)
      assertSame(yield* refuseEncrypted(encrypted).load("a"), entryOf())
      yield* put(plain, "b", entryOf(5))
      assertSame(yield* plain.load("b"), entryOf(5))
      assertSame(yield* memory.load("b"), entryOf(5))
      yield* plain.remove("a")
      assert.isTrue(Option.isNone(yield* memory.load("a")))
    }))
})

describe("a save", () => {
  it.scoped("of what no store can keep fails in words, and changes nothing", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const store = yield* over(keyring)
      yield* put(store, "a", entryOf(1))
      const before = yield* stored(memory, "a")
      const times = { issuedAt, expiresAt: issuedAt }
      for (
        const wrong of [
          entryOf(0),
          entryOf(1.5),
          entryOf(1, "\n"),
          { ...entryOf(2), token: Token.make({ ...times, accessToken: "a", refreshToken: `${canaries.refreshToken} ` }) }
        ]
      ) {
        const observed = yield* observe(put(store, "a", wrong))
        assertNothingSeen("save", observed)
        assert.match(
          String(Exit.match(observed.exit, { onFailure: Cause.squash, onSuccess: () => "saved" })),
          /\(save\): the entry has a value that cannot be stored\./
        )
      }
      assertSame(yield* memory.load("a"), before)
    }))

  it.scoped("that fails below fails with the same error", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const failing: TokenStore.TokenStore = {
        ...memory,
        withLock: (key, body) =>
          memory.withLock(key, (held) =>
            body({
              ...held,
              save: () => Effect.fail(new CredentialsError.TokenStoreError({ operation: "save", description: "disk full" }))
            }))
      }
      const error = yield* Effect.flip(put(yield* over(keyring, failing), "a", entryOf()))
      assert.strictEqual(error.message, "The token store failed (save): disk full.")
    }))
})

describe("withLock of an encrypted store", () => {
  it.scoped("can be interrupted in its body, and frees the lock", () =>
    Effect.gen(function*() {
      const { over } = yield* makeMemory
      const store = yield* over(keyring)
      yield* put(store, "a", entryOf())
      const started = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        store.withLock("a", () => Effect.zipRight(Deferred.succeed(started, undefined), Effect.never))
      )
      yield* Deferred.await(started)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      assert.strictEqual(yield* store.withLock("a", () => Effect.succeed("free")), "free")
    }))

  it.scoped("is as uninterruptible as its caller: while it decrypts, runs its body, and encrypts", () =>
    Effect.gen(function*() {
      const { memory, over } = yield* makeMemory
      const began = yield* Deferred.make<void>()
      const watched: TokenStore.TokenStore = {
        ...memory,
        withLock: (key, body) =>
          memory.withLock(key, (held) => Effect.zipRight(Deferred.succeed(began, undefined), body(held)))
      }
      const store = yield* over(keyring, watched)
      yield* put(yield* over(keyring), "a", entryOf(1))
      const fiber = yield* store.withLock("a", (held) =>
        Effect.zipRight(Effect.sync(() => assertSame(held.stored, entryOf(1))), held.save(entryOf(2)))).pipe(
          Effect.uninterruptible,
          Effect.fork
        )
      // Decryption has not ended: that takes a turn of the event loop, and none has passed.
      yield* Deferred.await(began)
      yield* Fiber.interruptFork(fiber)
      yield* Fiber.await(fiber)
      assertSame(yield* store.load("a"), entryOf(2))
    }))

  it.scoped("fails with what its body fails with", () =>
    Effect.gen(function*() {
      const { over } = yield* makeMemory
      const store = yield* over(keyring)
      assert.strictEqual(yield* Effect.flip(store.withLock("a", () => Effect.fail("mine" as const))), "mine")
    }))
})

describe("the Layer of an encrypted store", () => {
  const program = Effect.gen(function*() {
    const store = yield* TokenStore.TokenStore
    yield* put(store, "a", entryOf())
    assertSame(yield* store.load("a"), entryOf())
  })

  it.effect("takes a keyring, or an Effect that gives one", () =>
    Effect.gen(function*() {
      yield* Effect.provide(program, TokenStore.layerMemory.pipe(TokenStore.encrypted(yield* keyring)))
      yield* Effect.provide(program, TokenStore.layerMemory.pipe(TokenStore.encrypted(Keyring.fromConfig("KEYS")))).pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["KEYS", `2025:${keys.old}`]])))
      )
    }))

  it.effect("fails with the keyring's error before it opens the store, and shows no key", () =>
    Effect.gen(function*() {
      let opened = false
      const below = Layer.map(Layer.tap(TokenStore.layerMemory, () => Effect.sync(() => void (opened = true))), (context) => context)
      const layer = below.pipe(TokenStore.encrypted(Keyring.fromConfig("KEYS")))
      const observed = yield* observe(Effect.provide(program, layer)).pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["KEYS", `2025:${keys.old}AAAA`]])))
      )
      assertNothingSeen("the layer", observed)
      assert.match(
        String(Exit.match(observed.exit, { onFailure: Cause.squash, onSuccess: () => "built" })),
        /Invalid data at KEYS: "Expected the key "2025" to be 32 bytes/
      )
      assert.isFalse(opened)
    }))

  it.effect("shows neither keys nor tokens while it works", () =>
    Effect.gen(function*() {
      const store = Effect.gen(function*() {
        yield* program
        return yield* TokenStore.TokenStore
      })
      const observed = yield* observe(Effect.provide(store, TokenStore.layerMemory.pipe(TokenStore.encrypted(keyring))))
      assert.isTrue(Exit.isSuccess(observed.exit))
      assertNothingSeen("an encrypted store", observed)
    }))

  it.effect("uses the one store that others in the program use", () =>
    Effect.gen(function*() {
      class Below extends Context.Tag("Below")<Below, TokenStore.TokenStore>() {}
      const below = Layer.map(TokenStore.layerMemory, (context) => Context.make(Below, Context.get(context, TokenStore.TokenStore)))
      const both = Layer.merge(below, TokenStore.layerMemory.pipe(TokenStore.encrypted(keyring)))
      yield* Effect.gen(function*() {
        yield* program
        assert.match(textOf(yield* stored(yield* Below, "a")), /^encrypted:/)
      }).pipe(Effect.provide(both))
    }))
})
