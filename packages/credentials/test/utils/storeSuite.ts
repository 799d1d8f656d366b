/**
 * What every store promises, whatever it keeps its entries in. In real time: a
 * store waits for a disk or a server, not for a clock that a test can move.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Layer, Scope } from "effect"
import { Context, DateTime, Deferred, Effect, Exit, Fiber, Layer as Layers, Option, Schema } from "effect"
import { CredentialsError, Token, TokenStore } from "effect-credentials"
import { assertNoCanary, canaries } from "./canaries.js"

// -----------------------------------------------------------------------------
// Entries
// -----------------------------------------------------------------------------

const issuedAt = DateTime.unsafeMake("2026-03-01T10:00:00.123Z")

/** With every field that an entry can have. */
export const fullEntry: TokenStore.Entry = {
  token: Token.make({
    accessToken: canaries.accessToken,
    issuedAt,
    expiresAt: DateTime.add(issuedAt, { minutes: 30 }),
    refreshToken: canaries.refreshToken,
    refreshExpiresAt: DateTime.add(issuedAt, { days: 90 }),
    scope: "orders:read \"quoted\" ünïcode",
    baseUrl: "https://eu.example.com/"
  }),
  generation: 7,
  redeeming: Option.some(DateTime.add(issuedAt, { minutes: 29 })),
  secretFingerprint: "0123456789abcdef"
}

const leastEntry: TokenStore.Entry = {
  token: Token.make({ accessToken: canaries.secondToken, issuedAt, expiresAt: issuedAt }),
  generation: 1,
  redeeming: Option.none()
}

export const entryOf = (generation: number): TokenStore.Entry => ({ ...fullEntry, generation, redeeming: Option.none() })

export const marked = (entry: TokenStore.Entry): TokenStore.Entry => ({ ...entry, redeeming: Option.some(issuedAt) })

/** Values of a Redacted are compared by their text. */
const text = (entry: TokenStore.Entry) => Schema.encodeSync(TokenStore.Entry)(entry)

export const assertEntry = (found: Option.Option<TokenStore.Entry>, expected: TokenStore.Entry): void => {
  // Not as Options: to deepStrictEqual, any Some equals None.
  assert.deepStrictEqual(Option.getOrNull(Option.map(found, text)), text(expected))
}

export const assertNone = (found: Option.Option<TokenStore.Entry>): void => {
  assert.isNull(Option.getOrNull(Option.map(found, text)))
}

const generationOf = (found: Option.Option<TokenStore.Entry>): number =>
  Option.match(found, { onNone: () => 0, onSome: ({ generation }) => generation })

/** The next generation, built on what was stored; other fibers run in between. */
export const increment = (store: TokenStore.TokenStore, key: string) =>
  store.withLock(key, ({ save, stored }) =>
    Effect.zipRight(Effect.yieldNow(), save(entryOf(generationOf(stored) + 1))))

const put = (store: TokenStore.TokenStore, key: string, entry: TokenStore.Entry) =>
  store.withLock(key, ({ save }) => save(entry))

// -----------------------------------------------------------------------------
// The suite
// -----------------------------------------------------------------------------

type StoreLayer = Layer.Layer<TokenStore.TokenStore, unknown>

/** A kind of store. */
export interface Subject<Storage extends { readonly layer: StoreLayer }> {
  /** Storage of its own for one test. */
  readonly make: Effect.Effect<Storage, unknown, Scope.Scope>
  /** Two Layers on one storage keep their entries in the same place, as two processes would. */
  readonly isShared?: boolean
  /** Makes an entry unreadable, where the store has entries that can be. */
  readonly spoil?: (storage: NoInfer<Storage>, key: TokenStore.StoreKey) => Effect.Effect<void, unknown>
}

const serviceOf = (layer: StoreLayer) =>
  Effect.map(Layers.build(layer), Context.get(TokenStore.TokenStore))

/** Long enough for a slow machine, and shorter than any lease that could hide a lock that was not freed. */
const soon = Effect.timeoutFail({ duration: "5 seconds", onTimeout: () => new Error("It had to wait") })

export const storeSuite = <Storage extends { readonly layer: StoreLayer }>(
  name: string,
  { isShared = false, make, spoil }: Subject<Storage>
): void => {
  const test = (title: string, body: (store: TokenStore.TokenStore, storage: Storage) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.scopedLive(title, () =>
      Effect.gen(function*() {
        const storage = yield* make
        yield* body(yield* serviceOf(storage.layer), storage)
      }), 20_000)

  /** Holds the lock of `key` until the Deferred is done. */
  const hold = (store: TokenStore.TokenStore, key: string) =>
    Effect.gen(function*() {
      const held = yield* Deferred.make<void>()
      const letGo = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        store.withLock(key, () => Effect.zipRight(Deferred.succeed(held, void 0), Deferred.await(letGo)))
      )
      yield* soon(Effect.raceFirst(Deferred.await(held), Fiber.join(fiber)))
      return { fiber, letGo: Effect.zipRight(Deferred.succeed(letGo, void 0), Fiber.join(fiber)) }
    })

  describe(`a token store: ${name}`, () => {
    test("holds nothing at first, for whoever loads and whoever has the lock", (store) =>
      Effect.gen(function*() {
        assertNone(yield* store.load("key"))
        assertNone(yield* store.withLock("key", ({ stored }) => Effect.succeed(stored)))
        assertNone(yield* store.load("key"))
      }))

    test("gives back every field of an entry", (store) =>
      Effect.gen(function*() {
        for (const [key, entry] of [["full", fullEntry], ["least", leastEntry]] as const) {
          yield* put(store, key, entry)
          assertEntry(yield* store.load(key), entry)
          assertEntry(yield* store.withLock(key, ({ stored }) => Effect.succeed(stored)), entry)
        }
      }))

    test("keeps the last of several entries that one holder saves", (store) =>
      Effect.gen(function*() {
        yield* put(store, "key", entryOf(1))
        yield* store.withLock("key", ({ save, stored }) =>
          Effect.gen(function*() {
            yield* save(marked(entryOf(1)))
            assertEntry(yield* store.load("key"), marked(entryOf(1)))
            yield* save(entryOf(2))
            assertEntry(yield* store.load("key"), entryOf(2))
            assertEntry(stored, entryOf(1))
          }))
        assertEntry(yield* store.load("key"), entryOf(2))
      }))

    test("keeps keys apart, whatever text they are", (store) =>
      Effect.gen(function*() {
        const keys = [
          "", " ", ".", "..", "../x", "a/b", "a\\b", "key", "KEY", "key ", "\"key\"", "x".repeat(10_000), "x".repeat(10_001),
          "ключ", "é", "e\u0301", "\0", "\ud800", "\ud801", "__proto__", "constructor", "'; DROP TABLE tokens; --"
        ]
        yield* Effect.forEach(keys, (key, index) => put(store, key, entryOf(index + 1)), { concurrency: 4 })
        for (const [index, key] of keys.entries()) assertEntry(yield* store.load(key), entryOf(index + 1))
        yield* store.remove("key")
        const left = yield* Effect.filter(keys, (key) => Effect.map(store.load(key), Option.isNone))
        assert.deepStrictEqual(left, ["key"])
      }))

    test("lets one holder at a time have a key", (store) =>
      Effect.gen(function*() {
        yield* Effect.forEach(Array.from({ length: 20 }), () => increment(store, "key"), { concurrency: "unbounded" })
        assertEntry(yield* store.load("key"), entryOf(20))
      }))

    test("does not let holders of different keys wait for each other", (store) =>
      soon(store.withLock("one", () => store.withLock("other", ({ save }) => save(entryOf(1))))))

    test("frees the lock when its holder fails, dies or is interrupted, and hands the failure on", (store) =>
      Effect.gen(function*() {
        const failed = yield* Effect.exit(store.withLock("key", () => Effect.fail("no")))
        assert.deepStrictEqual(failed, Exit.fail("no"))
        const died = yield* Effect.exit(soon(store.withLock("key", () => Effect.die("never"))))
        assert.deepStrictEqual(died, Exit.die("never"))
        const { fiber } = yield* soon(hold(store, "key"))
        const interrupted = yield* soon(Fiber.interrupt(fiber))
        assert.isTrue(Exit.isInterrupted(interrupted))
        yield* soon(put(store, "key", entryOf(1)))
      }))

    test("lets a wait for the lock be interrupted, and loses no lock by it", (store, { layer }) =>
      Effect.gen(function*() {
        const { letGo } = yield* hold(store, "key")
        let ran = 0
        // A store in one process may wait in another way for its own fibers.
        const stores = isShared ? [store, yield* serviceOf(layer)] : [store]
        for (const waiting of stores) {
          for (const pause of [0, 1, 5, 20, 80]) {
            const fiber = yield* Effect.fork(waiting.withLock("key", () => Effect.sync(() => ran++)))
            yield* Effect.sleep(pause)
            assert.isTrue(Exit.isInterrupted(yield* soon(Fiber.interrupt(fiber))))
          }
        }
        assert.strictEqual(ran, 0)
        yield* soon(letGo)
        yield* soon(put(store, "key", entryOf(1)))
      }))

    test("loses no lock, whenever it is interrupted", (store) =>
      Effect.gen(function*() {
        yield* Effect.forEach(Array.from({ length: 30 }, (_, index) => index), (index) =>
          Effect.gen(function*() {
            const fiber = yield* Effect.fork(increment(store, "key"))
            for (let turn = 0; turn < index; turn++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
            yield* soon(Fiber.interrupt(fiber))
          }))
        const before = generationOf(yield* store.load("key"))
        yield* soon(increment(store, "key"))
        assertEntry(yield* store.load("key"), entryOf(before + 1))
      }))

    test("does not interrupt the holder where the caller cannot be", (store) =>
      Effect.gen(function*() {
        const held = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const ended = yield* Deferred.make<Exit.Exit<void, unknown>>()
        const fiber = yield* store.withLock("key", ({ save }) =>
          Deferred.succeed(held, void 0).pipe(
            Effect.zipRight(Deferred.await(goOn)),
            Effect.zipRight(Effect.yieldNow()),
            Effect.zipRight(save(entryOf(1)))
          )).pipe(
            Effect.onExit((exit) => Deferred.succeed(ended, exit)),
            Effect.uninterruptible,
            Effect.fork
          )
        yield* soon(Deferred.await(held))
        yield* Fiber.interruptFork(fiber)
        yield* Effect.yieldNow()
        yield* Deferred.succeed(goOn, void 0)
        assert.deepStrictEqual(yield* soon(Deferred.await(ended)), Exit.void)
        assertEntry(yield* store.load("key"), entryOf(1))
      }))

    test("loads without the lock", (store) =>
      Effect.gen(function*() {
        yield* put(store, "key", entryOf(1))
        const { letGo } = yield* hold(store, "key")
        assertEntry(yield* soon(store.load("key")), entryOf(1))
        yield* letGo
      }))

    test("forgets what is removed, more than once, and keeps what is saved after it", (store) =>
      Effect.gen(function*() {
        yield* store.remove("key")
        yield* put(store, "key", entryOf(1))
        yield* put(store, "other", entryOf(9))
        for (const generation of [2, 3]) {
          yield* store.remove("key")
          yield* store.remove("key")
          assertNone(yield* store.load("key"))
          assertNone(yield* store.withLock("key", ({ stored }) => Effect.succeed(stored)))
          yield* put(store, "key", entryOf(generation))
          assertEntry(yield* store.load("key"), entryOf(generation))
        }
        assertEntry(yield* store.load("other"), entryOf(9))
      }))

    test("removes once the lock is free", (store) =>
      Effect.gen(function*() {
        yield* put(store, "key", entryOf(1))
        const { letGo } = yield* hold(store, "key")
        const removal = yield* Effect.fork(store.remove("key"))
        yield* Effect.sleep("50 millis")
        assertEntry(yield* store.load("key"), entryOf(1))
        yield* letGo
        yield* soon(Fiber.join(removal))
        assertNone(yield* store.load("key"))
      }))

    if (spoil !== undefined) {
      test("says of what cannot be read that it cannot, and removes it all the same", (store, storage) =>
        Effect.gen(function*() {
          yield* put(store, "key", entryOf(1))
          yield* spoil(storage, "key")
          let ran = false
          const attempts = [store.load("key"), store.withLock("key", () => Effect.sync(() => { ran = true }))]
          for (const attempt of attempts) {
            const error = yield* Effect.flip(Effect.asVoid(attempt))
            assert.instanceOf(error, CredentialsError.TokenStoreError)
            assert.strictEqual(error.operation, "load")
            assertNoCanary("the error", error)
          }
          assert.isFalse(ran)
          yield* store.remove("key")
          assertNone(yield* store.load("key"))
          yield* put(store, "key", entryOf(2))
          assertEntry(yield* store.load("key"), entryOf(2))
        }))
    }

    test("shows no secret", (store) =>
      Effect.gen(function*() {
        yield* put(store, "key", fullEntry)
        assertNoCanary("the store", store)
        assertNoCanary("what is loaded", yield* Effect.exit(store.load("key")))
        yield* store.withLock("key", (held) => Effect.sync(() => assertNoCanary("what the holder has", held)))
        assertNoCanary("a failure", yield* Effect.exit(store.withLock("key", () => Effect.fail("no"))))
      }))

    if (isShared) {
      test("is one store for two Layers: each sees what the other saves, and one at a time has the lock", (store, { layer }) =>
        Effect.gen(function*() {
          const other = yield* serviceOf(layer)
          assert.notStrictEqual(other, store)
          yield* Effect.forEach(
            Array.from({ length: 20 }, (_, index) => index % 2 === 0 ? store : other),
            (each) => increment(each, "key"),
            { concurrency: "unbounded" }
          )
          assertEntry(yield* other.load("key"), entryOf(20))
          const { letGo } = yield* hold(store, "key")
          const waiter = yield* Effect.fork(increment(other, "key"))
          yield* Effect.sleep("100 millis")
          assertEntry(yield* store.load("key"), entryOf(20))
          yield* letGo
          yield* soon(Fiber.join(waiter))
          assertEntry(yield* store.load("key"), entryOf(21))
          yield* other.remove("key")
          assertNone(yield* store.load("key"))
        }))
    }
  })
}
