import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Context, DateTime, Effect, Exit, FastCheck, Layer, Option, Random, Redacted } from "effect"
import { Keyring, Token, TokenStore } from "effect-credentials"
import { keyOf, load } from "../src/internal/keyring.js"
import { assertNoCanary, cores, leaksOf, observe } from "./utils/canaries.js"

/** 32 bytes whose base64 is easy to recognise. */
const text = (core: string, last = "A") => `${core}${core}AA${last}`
const key = text(cores.clientSecret)
const other = text(cores.apiKey)

const makeFrom = (keys: Record<string, string>, current: string) =>
  Keyring.make({
    current,
    keys: Object.fromEntries(Object.entries(keys).map(([id, key]) => [id, Redacted.make(key)]))
  })

const fromConfig = (value: string | undefined, name?: string) =>
  Effect.withConfigProvider(
    Keyring.fromConfig(name),
    ConfigProvider.fromMap(new Map(value === undefined ? [] : [[name ?? "CREDENTIALS_KEYRING", value]]))
  )

/** Whether two keyrings have one key under one id: what one of them encrypts, the other opens. */
const opens = (closed: Keyring.Keyring, open: Keyring.Keyring) =>
  Effect.gen(function*() {
    const memory = Context.get(yield* Layer.build(TokenStore.layerMemory), TokenStore.TokenStore)
    const over = (keyring: Keyring.Keyring) =>
      Effect.map(
        Layer.build(TokenStore.encrypted(keyring)(Layer.succeed(TokenStore.TokenStore, memory))),
        Context.get(TokenStore.TokenStore)
      )
    const time = DateTime.unsafeMake(0)
    const token = Token.make({ accessToken: "a", issuedAt: time, expiresAt: time })
    const entry: TokenStore.Entry = { token, generation: 1, redeeming: Option.none() }
    yield* (yield* over(closed)).withLock("key", (held) => held.save(entry))
    return Exit.isSuccess(yield* Effect.exit((yield* over(open)).load("key")))
  }).pipe(Effect.scoped)

/** What a person reads. */
const messageOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    assertNoCanary("the failure", exit)
    return Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "no failure"
  })

describe("Keyring.make", () => {
  it.effect("takes base64 and base64url, padded or not, with space around it", () =>
    Effect.gen(function*() {
      const bytes = Buffer.alloc(32, 0xfb)
      const plain = bytes.toString("base64")
      assert.include(plain, "+")
      const keyring = yield* makeFrom({ a: plain }, "a")
      for (const same of [plain.replace("=", ""), bytes.toString("base64url"), `${bytes.toString("base64url")}=`, ` ${plain}\n`]) {
        assert.isTrue(yield* opens(keyring, yield* makeFrom({ a: same }, "a")), JSON.stringify(same))
      }
      assert.isFalse(yield* opens(keyring, yield* makeFrom({ a: key }, "a")))
    }))

  it.effect("gives the current id first, whatever the order of the keys", () =>
    Effect.gen(function*() {
      const keyring = yield* makeFrom({ "2025": key, "b": other, "c_-9": key }, "b")
      assert.strictEqual(keyring.current, "b")
      assert.deepStrictEqual(keyring.ids, ["b", "2025", "c_-9"])
    }))

  it.effect("refuses what is not 32 bytes, and names the key id", () =>
    Effect.gen(function*() {
      const wrong = {
        "empty": "",
        "31 bytes": key.slice(0, 42),
        "33 bytes": `${key}A`,
        "hexadecimal": Buffer.from(cores.clientSecret).toString("hex").padEnd(64, "0"),
        "stray bits at the end": text(cores.clientSecret, "B"),
        "a character of no alphabet": key.replace("c", "!"),
        "a line break inside": `${key.slice(0, 20)}\n${key.slice(20)}`,
        "too much padding": `${key}===`
      }
      for (const [what, value] of Object.entries(wrong)) {
        assert.strictEqual(
          yield* messageOf(makeFrom({ "2026-11": other, "2025": value }, "2026-11")),
          "(Invalid data at keys.2025: \"Expected the key \"2025\" to be 32 bytes in base64 or base64url (the value is not shown)\")",
          what
        )
      }
    }))

  it.effect("refuses an id that it could not store or would have to hide", () =>
    Effect.gen(function*() {
      for (const id of ["", "a b", "a:b", "a,b", "ä", "a\n", "x".repeat(33), key, Buffer.from(cores.apiKey).toString("hex")]) {
        assert.match(yield* messageOf(makeFrom({ ok: other, [id]: key }, "ok")), /^\(Invalid data at keys: "Expected key [12] to have an id of 1 to 32/, id)
      }
      assert.deepStrictEqual((yield* makeFrom({ ["x".repeat(32)]: key }, "x".repeat(32))).ids, ["x".repeat(32)])
    }))

  it.effect("refuses a current id without a key, also one that every object has", () =>
    Effect.gen(function*() {
      for (const current of ["b", "", "constructor", "__proto__", key]) {
        assert.strictEqual(
          yield* messageOf(makeFrom({ a: key }, current)),
          "(Invalid data at current: \"Expected the id of one of the keys\")"
        )
      }
      assert.match(yield* messageOf(makeFrom({}, "a")), /current/)
    }))

  it.effect("takes a list of any ids and keys", () =>
    Effect.promise(() =>
      FastCheck.assert(FastCheck.asyncProperty(
        FastCheck.uniqueArray(FastCheck.stringMatching(/^[A-Za-z0-9_-]{1,32}$/), { minLength: 1, maxLength: 4 })
          .filter((ids) => !ids.includes("__proto__")),
        FastCheck.uint8Array({ minLength: 32, maxLength: 32 }),
        async (ids, bytes) => {
          const [current = ""] = ids
          const encoded = Buffer.from(bytes).toString("base64")
          const made = await Effect.runPromise(makeFrom(Object.fromEntries(ids.map((id) => [id, encoded])), current))
          const read = await Effect.runPromise(fromConfig(ids.map((id) => `${id}:${encoded}`).join(",")))
          assert.deepStrictEqual(read.ids, ids)
          assert.sameMembers([...made.ids], ids)
          assert.strictEqual(made.current, current)
          assert.isTrue(await Effect.runPromise(opens(made, read)))
        }
      ), { numRuns: 50 })
    ))
})

describe("Keyring.fromConfig", () => {
  it.effect("reads a list whose first key is the current one", () =>
    Effect.gen(function*() {
      const keyring = yield* fromConfig(`2026-11:${key}=,\n 2025:${other}`)
      assert.deepStrictEqual(keyring.ids, ["2026-11", "2025"])
      assert.strictEqual(keyring.current, "2026-11")
      assert.isTrue(yield* opens(keyring, yield* makeFrom({ "2026-11": key }, "2026-11")))
      const old = yield* makeFrom({ "2025": other }, "2025")
      assert.isTrue(yield* opens(old, keyring))
    }))

  it.effect("names the variable and the key id, and shows no value", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [string | undefined, RegExp]> = [
        [undefined, /^\(Missing data at MY_KEYS/],
        ["", /entry 1 to be a key id, a colon and a key/],
        [key, /entry 1 to be a key id, a colon and a key/],
        [`a:${other},`, /entry 2 to be a key id, a colon and a key/],
        [`a:${other},${key}`, /entry 2 to be a key id, a colon and a key/],
        [`${key}:2026`, /entry 1 to have an id/],
        [`a:${other},b :${key}`, /entry 2 to have an id/],
        [`a:${other},:${key}`, /entry 2 to have an id/],
        [`a:${other},a:${key}`, /one key for the id "a", not two/],
        [`a:${other},b:`, /the key "b" to be 32 bytes/],
        [`a:${other},b:c:${key}`, /the key "b" to be 32 bytes/],
        [`a:${other},b:${key.slice(1)}`, /the key "b" to be 32 bytes/]
      ]
      for (const [value, expected] of cases) {
        const message = yield* messageOf(fromConfig(value, "MY_KEYS"))
        assert.match(message, /at MY_KEYS: /)
        assert.match(message, expected)
      }
    }))
})

describe("Keyring.generate", () => {
  it.effect("gives a new key every time, as make takes it", () =>
    Effect.gen(function*() {
      const keys = yield* Effect.replicateEffect(Keyring.generate, 100)
      assert.strictEqual(new Set(keys.map(Redacted.value)).size, 100)
      for (const key of keys) assert.match(Redacted.value(key), /^[A-Za-z0-9+/]{43}=$/)
      const [a, b] = keys
      assert.isDefined(a)
      assert.isDefined(b)
      yield* Keyring.make({ current: "a", keys: { a, b } })
    }))

  it.effect("does not depend on Effect's Random, which can be replaced", () =>
    Effect.gen(function*() {
      const drawn = yield* Effect.all([
        Effect.withRandom(Keyring.generate, Random.make("seed")),
        Effect.withRandom(Keyring.generate, Random.make("seed"))
      ])
      assert.strictEqual(new Set(drawn.map(Redacted.value)).size, 2)
    }))
})

describe("a Keyring", () => {
  it.effect("shows its ids and nothing else", () =>
    Effect.gen(function*() {
      const keyring = yield* makeFrom({ "2026-11": key, "2025": other }, "2026-11")
      const shown = { _id: "~effect-credentials/Keyring", current: "2026-11", ids: ["2026-11", "2025"] }
      assert.deepStrictEqual(JSON.parse(JSON.stringify(keyring)), shown)
      assert.deepStrictEqual(JSON.parse(String(keyring)), shown)
      assert.deepStrictEqual(leaksOf("a keyring", keyring), [])
      assert.sameMembers(Reflect.ownKeys(keyring), ["~effect-credentials/Keyring", "current", "ids"])
      const { heard } = yield* observe(Effect.zipRight(Effect.log("keys", keyring), Effect.fail(keyring)))
      assert.isNotEmpty(heard)
      assertNoCanary("what was logged", heard)
    }))

  it.effect("keeps keys that cannot be read out again, and no bytes", () =>
    Effect.gen(function*() {
      const bytes = new Uint8Array(Buffer.from(key, "base64"))
      const keyring = yield* load([{ id: "a", bytes }])
      assert.deepStrictEqual(Array.from(new Set(bytes)), [0])
      const held = keyOf(keyring, "a")
      assert.isDefined(held)
      assert.isFalse(held.extractable)
      const exported = yield* Effect.exit(Effect.tryPromise(() => crypto.subtle.exportKey("raw", held)))
      assert.isTrue(Exit.isFailure(exported))
    }))
})
