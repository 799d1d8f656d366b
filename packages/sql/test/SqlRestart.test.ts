/**
 * The server restarts, or crashes, while somebody renews a token: every lock is
 * gone, but whoever had one may live, and have an answer on the way.
 */
import { assert, it } from "@effect/vitest"
import { Context, Deferred, type Duration, Effect, Exit, Fiber, Layer, Option, Redacted, Scope } from "effect"
import { Keyring, TokenStore } from "effect-credentials"
import { afterAll, beforeAll } from "vitest"
import { makeLogin, start, text } from "../../credentials/test/utils/fakeLogin.js"
import { assertEntry, assertNone, entryOf, marked } from "../../credentials/test/utils/storeSuite.js"
import { admin, freshTable, makeDatabase, type Place } from "./utils/database.js"
import { describePostgres } from "./utils/postgres.js"
import { makeServer, type PrivateServer } from "./utils/privateServer.js"
import { eventually, failureOf, hold, put, quietly, soon, storeAt } from "./utils/stores.js"

const scope = Effect.runSync(Scope.make())
let server: PrivateServer
let place: Place

/** Nothing that was not flushed on its own is on disk before 10 seconds. */
const settings = { synchronous_commit: "off", wal_writer_delay: "10s" }

const keyring = Keyring.make({ current: "2026", keys: { "2026": Redacted.make(Buffer.alloc(32, 7).toString("base64")) } })

const encrypted = (store: TokenStore.TokenStore) =>
  Effect.map(
    Layer.build(TokenStore.encrypted(keyring)(Layer.succeed(TokenStore.TokenStore, store))),
    Context.get(TokenStore.TokenStore)
  )

describePostgres("a restart of PostgreSQL", () => {
  beforeAll(async () => {
    await Effect.runPromise(Scope.extend(
      Effect.gen(function*() {
        server = yield* makeServer(settings)
        place = yield* makeDatabase(server.port)
      }),
      scope
    ))
  }, 120_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 120_000)

  const restart = (mode: "fast" | "immediate" = "fast") => Effect.suspend(() => Effect.zipRight(server.stop(mode), server.start(settings)))

  /** One of its processes is killed: the server ends all the others and recovers. */
  const crash = Effect.gen(function*() {
    const { value } = yield* admin(place)
    const started = yield* value("SELECT pg_postmaster_start_time()")
    const { value: ask } = yield* admin(place)
    const pid = Number(yield* ask("SELECT pg_backend_pid()"))
    yield* Effect.sync(() => process.kill(pid, "SIGKILL"))
    const isBack = Effect.scoped(Effect.flatMap(admin(place), ({ value }) => value("SELECT pg_postmaster_start_time()")))
    yield* eventually(Effect.match(isBack, { onFailure: () => false, onSuccess: (at) => at === started }))
  }).pipe(Effect.scoped)

  const ways = { restarts: restart(), "restarts after it was stopped at once": restart("immediate"), crashes: crash }

  const pair = (options: { readonly restartGrace?: Duration.DurationInput } = {}) =>
    Effect.gen(function*() {
      const table = freshTable()
      return { a: yield* storeAt(place, { table, ...options }), b: yield* storeAt(place, { table, ...options }) }
    })

  /** A store at work: it may take a moment until the pool has found out. */
  const working = (store: TokenStore.TokenStore) =>
    eventually(Effect.match(store.load("key"), { onFailure: () => false, onSuccess: () => true }))

  for (const [what, happen] of Object.entries(ways)) {
    it.scopedLive(`${what}: nobody else gets the lock until the holder's answer is saved`, () =>
      Effect.gen(function*() {
        const { a, b } = yield* pair()
        yield* put(a, "key", entryOf(1))
        const { held, letGo } = yield* hold(a, "key")
        yield* held.save(marked(entryOf(1)))
        yield* happen
        yield* working(b)
        const waiter = yield* Effect.fork(b.withLock("key", ({ stored }) => Effect.succeed(stored)))
        yield* Effect.sleep("1 second")
        assert.isTrue(Option.isNone(yield* Fiber.poll(waiter)), "the lock was had while the holder may have an answer on its way")
        assertEntry(yield* soon(b.load("key")), marked(entryOf(1)))
        yield* held.save(entryOf(2))
        assertEntry(yield* soon(Fiber.join(waiter)), entryOf(2))
        yield* letGo
      }))
  }

  it.scopedLive("nobody else gets the lock where the entry is encrypted, either", () =>
    Effect.gen(function*() {
      const stores = yield* pair()
      const a = yield* encrypted(stores.a)
      const b = yield* encrypted(stores.b)
      yield* put(a, "key", entryOf(1))
      const { held, letGo } = yield* hold(a, "key")
      yield* held.save(marked(entryOf(1)))
      yield* restart()
      yield* working(b)
      const waiter = yield* Effect.fork(b.withLock("key", ({ stored }) => Effect.succeed(stored)))
      yield* Effect.sleep("700 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(waiter)))
      yield* held.save(entryOf(2))
      assertEntry(yield* soon(Fiber.join(waiter)), entryOf(2))
      yield* letGo
    }))

  it.scopedLive("the lock is had when the time is over in which an answer may come, and can be left before", () =>
    Effect.gen(function*() {
      const { a, b } = yield* pair({ restartGrace: "3 seconds" })
      yield* put(a, "key", entryOf(1))
      const { held, letGo } = yield* hold(a, "key")
      const began = performance.now()
      yield* held.save(marked(entryOf(1)))
      yield* restart()
      yield* working(b)
      const left = yield* Effect.fork(b.withLock("key", () => Effect.void))
      yield* Effect.sleep("100 millis")
      yield* Effect.timeout(Fiber.interrupt(left), "1 second")
      assertEntry(yield* soon(b.withLock("key", ({ stored }) => Effect.succeed(stored))), marked(entryOf(1)))
      assert.isAtLeast(performance.now() - began, 2900)
      // Somebody may have an answer later still: nobody has saved since.
      yield* held.save(entryOf(2))
      yield* letGo
      assertEntry(yield* b.load("key"), entryOf(2))
    }))

  it.scopedLive("for longer than an answer may take: its holder has time to save it when the server is back", () =>
    Effect.gen(function*() {
      const { a, b } = yield* pair({ restartGrace: "3 seconds" })
      yield* put(a, "key", entryOf(1))
      const { held, letGo } = yield* hold(a, "key")
      yield* held.save(marked(entryOf(1)))
      yield* server.stop("fast")
      yield* Effect.sleep("3500 millis")
      yield* server.start(settings)
      yield* working(b)
      const waiter = yield* Effect.fork(b.withLock("key", ({ stored }) => Effect.succeed(stored)))
      yield* Effect.sleep("700 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(waiter)), "the lock was had while the holder has an answer to save")
      yield* held.save(entryOf(2))
      assertEntry(yield* soon(Fiber.join(waiter)), entryOf(2))
      yield* letGo
    }))

  it.scopedLive("whoever made the mark gets the lock at once, and so does everybody where nothing was under way", () =>
    Effect.gen(function*() {
      const { a, b } = yield* pair()
      for (const key of ["marked", "unmarked", "renewed"]) yield* put(a, key, entryOf(1))
      yield* a.withLock("marked", ({ save }) => save(marked(entryOf(1))))
      yield* a.withLock("unmarked", ({ save }) => Effect.zipRight(save(marked(entryOf(1))), save(entryOf(1))))
      yield* a.withLock("renewed", ({ save }) => Effect.zipRight(save(marked(entryOf(1))), save(entryOf(2))))
      yield* restart()
      yield* working(a)
      yield* working(b)
      for (const [store, key, expected] of [
        [b, "unmarked", entryOf(1)],
        [b, "renewed", entryOf(2)],
        [a, "marked", marked(entryOf(1))]
      ] as const) {
        assertEntry(yield* Effect.timeout(store.withLock(key, ({ stored }) => Effect.succeed(stored)), "2 seconds"), expected)
      }
      assertNone(yield* b.withLock("nothing", ({ stored }) => Effect.succeed(stored)))
      // A logout does not wait for an answer that nobody wants any more.
      yield* Effect.timeout(b.remove("marked"), "2 seconds")
    }))

  it.scopedLive("before the mark: it is not made, for somebody else may have the lock", () =>
    Effect.gen(function*() {
      const { a, b } = yield* pair()
      yield* put(a, "key", entryOf(1))
      const { held, letGo } = yield* hold(a, "key")
      yield* restart()
      yield* working(b)
      const error = yield* failureOf(held.save(marked(entryOf(1))))
      assert.match(error.description, /^the lock was lost with its connection: /)
      assertEntry(yield* soon(b.withLock("key", ({ stored }) => Effect.succeed(stored))), entryOf(1))
      yield* letGo
    }))

  it.scopedLive("ends nobody's wait for good: who waits gets the lock or an error, and the next one the lock", () =>
    Effect.gen(function*() {
      const { a, b } = yield* pair()
      const { letGo } = yield* hold(a, "key")
      const waiters = yield* Effect.forEach([a, b, b], (store) => Effect.fork(Effect.exit(put(store, "key", entryOf(1)))))
      yield* Effect.sleep("100 millis")
      yield* restart()
      yield* letGo
      for (const waiter of waiters) {
        const exit = yield* soon(Fiber.join(waiter))
        if (Exit.isFailure(exit)) assert.strictEqual((yield* failureOf(exit)).operation, "lock")
      }
      for (const store of [a, b]) {
        yield* working(store)
        yield* soon(put(store, "key", entryOf(2)))
      }
    }))

  it.scopedLive("loses nothing that was saved or removed, though the database commits before it writes", () =>
    Effect.gen(function*() {
      const { a, b } = yield* pair({ restartGrace: 0 })
      yield* put(a, "removed", entryOf(1))
      const check = Effect.gen(function*() {
        yield* restart("immediate")
        yield* working(a)
        yield* working(b)
      })
      yield* put(a, "key", entryOf(1))
      yield* check
      assertEntry(yield* b.load("key"), entryOf(1))
      yield* put(a, "key", entryOf(2))
      yield* check
      assertEntry(yield* b.load("key"), entryOf(2))
      yield* a.remove("removed")
      yield* check
      assertNone(yield* b.load("removed"))
    }))

  it.scopedLive("in the middle of a renewal: one process redeems the refresh token, and all get the new one", () =>
    Effect.gen(function*() {
      const { a, b } = yield* pair()
      const login = makeLogin()
      const flow = login.flow()
      yield* login.login(a)
      const first = yield* start(flow, a)
      const second = yield* start(flow, b)
      assert.strictEqual(text(yield* first.acme.token), "access-a-1")
      assert.strictEqual(text(yield* second.acme.token), "access-a-1")
      // The server has replaced the refresh token; its answer comes when PostgreSQL has restarted.
      const restarted = yield* Deferred.make<void>()
      login.faults.once(
        "rotated",
        restart().pipe(Effect.zipRight(Deferred.succeed(restarted, undefined)), Effect.zipRight(Effect.sleep("1 second")))
      )
      const renewed = yield* Effect.fork(first.acme.refresh)
      yield* Deferred.await(restarted)
      assert.strictEqual(text(yield* second.acme.token), "access-a-1")
      yield* working(b)
      const other = yield* Effect.fork(Effect.retry(second.acme.refresh, { times: 3 }))
      assert.strictEqual(text(yield* Fiber.join(renewed)), "access-a-2")
      assert.include(["access-a-2", "access-a-3"], text(yield* Fiber.join(other)))
      assert.deepStrictEqual(login.reused, [])
      assert.isTrue(login.family().alive)
      yield* Effect.zipRight(first.close, second.close)
    }).pipe(quietly))

  it.scopedLive("for longer than a renewal: the new token is kept, and saved when PostgreSQL is back", () =>
    Effect.gen(function*() {
      const { a, b } = yield* pair()
      const login = makeLogin()
      const flow = login.flow()
      yield* login.login(a)
      const first = yield* start(flow, a)
      assert.strictEqual(text(yield* first.acme.token), "access-a-1")
      login.faults.once("rotated", server.stop("fast"))
      const renewed = yield* Effect.fork(first.acme.refresh)
      yield* Effect.sleep("2 seconds")
      yield* server.start(settings)
      assert.strictEqual(text(yield* Fiber.join(renewed)), "access-a-2")
      yield* working(b)
      const second = yield* start(flow, b)
      assert.strictEqual(text(yield* second.acme.token), "access-a-2")
      assert.strictEqual(text(yield* second.acme.refresh), "access-a-3")
      assert.deepStrictEqual(login.reused, [])
      yield* Effect.zipRight(first.close, second.close)
    }).pipe(quietly))
})
