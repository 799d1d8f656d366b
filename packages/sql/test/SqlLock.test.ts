/**
 * The lock in PostgreSQL: between pools and processes, when it is lost, and what
 * it leaves behind.
 */
import { assert, it } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { PgClient } from "@effect/sql-pg"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Redacted, Scope } from "effect"
import type { TokenStore } from "effect-credentials"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll } from "vitest"
import { built } from "../../credentials/test/utils/packaging.js"
import { assertEntry, assertNone, entryOf, marked } from "../../credentials/test/utils/storeSuite.js"
import { admin, altered, client, freshTable, makeDatabase, type Place, sqlOf } from "./utils/database.js"
import { describePostgres } from "./utils/postgres.js"
import { makeProxy } from "./utils/proxy.js"
import { eventually, failureOf, generationOf, hold, put, soon, storeAt, storeOn } from "./utils/stores.js"

const scope = Effect.runSync(Scope.make())
let place: Place

const child = fileURLToPath(new URL("./utils/sqlChild.mjs", import.meta.url))

/** Killed, by its id, when the scope closes. */
const start = (told: { readonly table: string; readonly task: "increment" | "hold"; readonly times?: number }) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const spawned = spawn(process.execPath, [child, JSON.stringify({ place, ...told })], { stdio: ["ignore", "pipe", "pipe"] })
      let out = ""
      let errors = ""
      spawned.stdout.on("data", (data) => { out += data })
      spawned.stderr.on("data", (data) => { errors += data })
      const ended = new Promise<number | null>((resolve) => spawned.on("close", (code) => resolve(code)))
      return {
        kill: Effect.sync(() => spawned.kill("SIGKILL")),
        said: () => out,
        ended: Effect.promise(() => ended),
        errors: () => errors
      }
    }),
    ({ ended, kill }) => Effect.zipRight(kill, ended)
  )

/** Ends the sessions that hold an advisory lock, as an administrator would. */
const endHolders = `SELECT count(pg_terminate_backend(pid)) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

describePostgres("the lock in PostgreSQL", () => {
  beforeAll(async () => {
    await built("sql")
    place = await Effect.runPromise(Scope.extend(makeDatabase(), scope))
  }, 120_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  it.scopedLive("lets one of 50 fibers over two pools have a key at a time", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const stores = [yield* storeAt(place, { table }), yield* storeAt(place, { table })]
      let inside = 0
      let most = 0
      yield* Effect.forEach(
        Array.from({ length: 50 }, (_, index) => stores[index % 2] ?? assert.fail()),
        (store) =>
          store.withLock("key", ({ save, stored }) =>
            Effect.gen(function*() {
              most = Math.max(most, ++inside)
              yield* Effect.yieldNow()
              yield* save(entryOf(generationOf(stored) + 1))
              inside--
            })),
        { concurrency: "unbounded", discard: true }
      )
      assert.strictEqual(most, 1)
      for (const store of stores) assertEntry(yield* store.load("key"), entryOf(50))
    }))

  it.scopedLive("is one for several processes", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const store = yield* storeAt(place, { table })
      const children = yield* Effect.all([1, 2, 3].map(() => start({ table, task: "increment", times: 10 })))
      for (const { ended, errors } of children) assert.strictEqual(yield* ended, 0, errors())
      assert.strictEqual(generationOf(yield* store.load("key")), 30)
    }))

  it.scopedLive("is free at once when its holder is killed, and the mark it made is there", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const store = yield* storeAt(place, { table })
      yield* put(store, "key", entryOf(1))
      const holder = yield* start({ table, task: "hold" })
      yield* eventually(Effect.sync(() => holder.said() === "held\n"))
      const waiter = yield* Effect.fork(Effect.timed(store.withLock("key", ({ stored }) => Effect.succeed(stored))))
      yield* Effect.sleep("300 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(waiter)))
      const before = performance.now()
      yield* holder.kill
      const [, stored] = yield* soon(Fiber.join(waiter))
      assert.isBelow(performance.now() - before, 3000)
      assert.isTrue(Option.exists(stored, ({ redeeming }) => Option.isSome(redeeming)))
    }))

  it.scopedLive("has no connection for those who wait, and leaves none behind where they are interrupted", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const { connections, locks } = yield* admin(place)
      const name = "waiting"
      const store = yield* storeAt(place, { table }, { applicationName: name, maxConnections: 5 })
      const other = yield* storeAt(place, { table })
      const { letGo } = yield* hold(other, "key 0")
      for (let round = 0; round < 20; round++) {
        const waiters = yield* Effect.forEach([0, 0, 0], () => Effect.fork(store.withLock("key 0", () => Effect.void)))
        for (let turn = 0; turn < round * 3; turn++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* soon(Fiber.interruptAll(waiters))
      }
      assert.strictEqual(yield* locks, 1)
      yield* letGo
      yield* eventually(Effect.map(locks, (n) => n === 0))
      // All of the pool can be had: none of its connections was lost.
      const holders = yield* Effect.forEach([1, 2, 3, 4], (index) => hold(store, `other ${index}`))
      yield* put(store, "key 0", entryOf(1)).pipe(Effect.timeoutOption("100 millis"))
      assert.isAtMost(yield* connections(name), 5)
      assertNone(yield* soon(store.load("nothing")))
      yield* Effect.forEach(holders, ({ letGo }) => letGo)
      yield* soon(put(store, "key 0", entryOf(1)))
      yield* eventually(Effect.map(locks, (n) => n === 0))
    }))

  it.scopedLive("is interrupted while it waits for a connection, which is given back when it comes", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const layer = client(place, { maxConnections: 1 })
      const context = yield* Layer.build(layer)
      const sql = yield* SqlClient.pipe(Effect.provide(context))
      const store = yield* storeOn(Layer.succeedContext(context), { table })
      const inside = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const program = yield* Effect.fork(
        sql.withTransaction(Effect.zipRight(Deferred.succeed(inside, undefined), Deferred.await(goOn)))
      )
      yield* Deferred.await(inside)
      for (const waiting of [store.load("key"), store.withLock("key", () => Effect.void), store.remove("key")]) {
        const fiber = yield* Effect.fork(waiting)
        yield* Effect.sleep("20 millis")
        yield* Effect.timeout(Fiber.interrupt(fiber), "1 second")
      }
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(program)
      yield* soon(put(store, "key", entryOf(1)))
      assert.deepStrictEqual(yield* soon(sql`SELECT 1 AS one`), [{ one: 1 }])
    }))

  it.scopedLive("takes no more locks at a time than it may, so that there are connections for others", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const store = yield* storeAt(place, { table, maxLocks: 2, statementTimeout: "1 second" }, { maxConnections: 3 })
      let inside = 0
      let most = 0
      yield* Effect.forEach(
        Array.from({ length: 8 }, (_, index) => index),
        (index) =>
          store.withLock(`key ${index}`, ({ save }) =>
            Effect.gen(function*() {
              most = Math.max(most, ++inside)
              assertNone(yield* store.load(`key ${index}`))
              yield* Effect.sleep("20 millis")
              yield* save(entryOf(1))
              inside--
            })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(most, 2)
    }))

  it.scopedLive("does not keep a key that nobody has from others, while one that somebody has is waited for", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const store = yield* storeAt(place, { table, maxLocks: 1 })
      const other = yield* storeAt(place, { table })
      const { letGo } = yield* hold(other, "busy")
      const waiter = yield* Effect.fork(put(store, "busy", entryOf(1)))
      yield* Effect.sleep("50 millis")
      yield* Effect.timeout(put(store, "free", entryOf(1)), "2 seconds")
      yield* letGo
      yield* soon(Fiber.join(waiter))
    }))

  it.scopedLive("is waited for no longer than its time limit, here and elsewhere", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const store = yield* storeAt(place, { table, lockTimeout: "300 millis", maxLocks: 1 })
      const other = yield* storeAt(place, { table, lockTimeout: "300 millis" })
      const { letGo } = yield* hold(store, "key")
      for (const [waiting, words] of [
        [put(store, "key", entryOf(1)), "another holder has kept the lock for too long"],
        [put(other, "key", entryOf(1)), "another holder has kept the lock for too long"],
        [put(store, "other", entryOf(1)), "too many locks are in use in this process (`maxLocks`)"]
      ] as const) {
        const [taken, error] = yield* Effect.timed(failureOf(soon(waiting)))
        assert.strictEqual(error.operation, "lock")
        assert.strictEqual(error.description, words)
        assert.isBelow(Duration.toMillis(taken), 3000)
      }
      // Nor is it lost, when whoever gave up was next in line.
      yield* letGo
      yield* soon(put(store, "key", entryOf(1)))
      yield* soon(put(store, "other", entryOf(1)))
    }))

  it.scopedLive("is waited for within its limit by one who cannot be interrupted", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const store = yield* storeAt(place, { table, lockTimeout: "300 millis" })
      const { letGo } = yield* hold(store, "key")
      const error = yield* failureOf(soon(Effect.disconnect(Effect.uninterruptible(put(store, "key", entryOf(1))))))
      assert.strictEqual(error.operation, "lock")
      yield* letGo
    }))

  it.scopedLive("is the same whether the table is given with its schema or without, and another for another table", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const plain = yield* storeAt(place, { table })
      const full = yield* storeAt(place, { table: `public.${table}`, lockTimeout: "200 millis" })
      const other = yield* storeAt(place, { table: freshTable(), lockTimeout: "200 millis" })
      const { letGo } = yield* hold(plain, "key")
      assert.strictEqual((yield* failureOf(put(full, "key", entryOf(1)))).operation, "lock")
      yield* put(other, "key", entryOf(5))
      yield* letGo
      yield* put(full, "key", entryOf(1))
      assertEntry(yield* plain.load("key"), entryOf(1))
    }))

  it.scopedLive("is the same where the server quotes names that need no quotes", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const plain = yield* storeAt(place, { table })
      const url = `postgres://postgres@127.0.0.1:${place.port}/${place.database}?options=-c%20quote_all_identifiers%3Don`
      const quoting = yield* storeOn(Layer.fresh(PgClient.layer({ url: Redacted.make(url) })), { table, lockTimeout: "200 millis" })
      const { letGo } = yield* hold(plain, "key")
      assert.strictEqual((yield* failureOf(put(quoting, "key", entryOf(1)))).operation, "lock")
      yield* letGo
    }))

  it.scopedLive("leaves the settings of a connection as they were", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const context = yield* Layer.build(client(place, { maxConnections: 1 }))
      const sql = yield* SqlClient.pipe(Effect.provide(context))
      const store = yield* storeOn(Layer.succeedContext(context), { table })
      yield* sql`SET statement_timeout = '54s'`
      yield* sql`SET idle_session_timeout = '1h'`
      const settings = sql`SELECT name, setting FROM pg_settings WHERE source = 'session' OR name ~ 'timeout|keepalive|commit' ORDER BY name`
      const session = sql`SELECT pg_backend_pid() AS pid`
      const before = [yield* settings, yield* session]
      yield* put(store, "key", entryOf(1))
      yield* store.load("key")
      yield* Effect.exit(store.withLock("key", () => Effect.die("never")))
      yield* store.remove("key")
      const after = [yield* settings, yield* session]
      const text = (rows: ReadonlyArray<unknown>) => JSON.stringify(rows)
      assert.strictEqual(text(after[1] ?? []), text(before[1] ?? []), "the connection was closed")
      const changed = (after[0] ?? []).filter((row, index) => text([row]) !== text([before[0]?.[index]]))
      assert.deepStrictEqual(changed, [])
    }))

  it.scopedLive("is kept by a session that the server does not end for being idle", () =>
    Effect.gen(function*() {
      const table = freshTable()
      const { run } = yield* admin(place)
      yield* storeAt(place, { table })
      yield* Effect.acquireRelease(
        run(`ALTER DATABASE ${place.database} SET idle_session_timeout = '200ms'`),
        () => Effect.orDie(run(`ALTER DATABASE ${place.database} RESET idle_session_timeout`))
      )
      const store = yield* storeAt(place, { table })
      yield* put(store, "key", entryOf(1))
      // A mark is saved by the session that has the lock, or not at all.
      yield* store.withLock("key", ({ save }) => Effect.zipRight(Effect.sleep("800 millis"), save(marked(entryOf(1)))))
    }))

  it.scopedLive.skipIf(process.platform !== "linux")("is kept by a session whose machine is looked after every few seconds", () =>
    Effect.gen(function*() {
      const { value } = yield* admin(place)
      const store = yield* storeAt(place, { table: freshTable() })
      const { letGo } = yield* hold(store, "key")
      const port = Number(yield* value(`SELECT client_port FROM pg_stat_activity JOIN pg_locks USING (pid)
        WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`))
      // proc(5): local and remote address, state, queues, then the timer: 2 is keep-alive, due in so many hundredths of a second.
      const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0")
      const timer = new RegExp(`:${hex(place.port)} [0-9A-F]+:${hex(port)} 01 \\S+ 02:([0-9A-F]+)`)
      yield* eventually(Effect.sync(() => {
        const [, due] = timer.exec(Fs.readFileSync("/proc/net/tcp", "utf8")) ?? []
        return Number.parseInt(due ?? "", 16) <= 1000
      }))
      yield* letGo
    }))

  it.scopedLive.skipIf(process.platform !== "linux")("is free in 25 seconds where the machine is gone before it confirmed an answer, too", () =>
    Effect.gen(function*() {
      const sql = yield* sqlOf(client(place))
      const one = yield* sql.reserve
      const same = Layer.succeed(SqlClient, altered(sql, { reserve: Effect.succeed(one) }))
      const store = yield* storeOn(same, { table: freshTable() })
      const timeout = one.executeUnprepared("SELECT setting FROM pg_settings WHERE name = 'tcp_user_timeout'", [], undefined)
      const before = yield* timeout
      const { letGo } = yield* hold(store, "key")
      assert.deepStrictEqual(yield* timeout, [{ setting: "25000" }])
      yield* letGo
      assert.deepStrictEqual(yield* timeout, before)
    }))

  // ---------------------------------------------------------------------------
  // Lost
  // ---------------------------------------------------------------------------

  const lose = Effect.gen(function*() {
    const table = freshTable()
    const store = yield* storeAt(place, { table })
    const other = yield* storeAt(place, { table })
    const { run } = yield* admin(place)
    return { table, store, other, endHolders: run(endHolders) }
  })

  it.scopedLive("lost with its connection: a new generation is saved all the same, a mark is not", () =>
    Effect.gen(function*() {
      const { endHolders, other, store } = yield* lose
      yield* put(store, "key", entryOf(1))
      yield* store.withLock("key", ({ save }) =>
        Effect.gen(function*() {
          yield* save(marked(entryOf(1)))
          yield* endHolders
          const error = yield* failureOf(save(marked(entryOf(1))))
          assert.strictEqual(error.operation, "save")
          assert.match(error.description, /^the lock was lost with its connection: /)
          yield* save(entryOf(2))
          assert.strictEqual((yield* failureOf(save(marked(entryOf(2))))).operation, "save")
          yield* save(entryOf(3))
        }))
      assertEntry(yield* other.load("key"), entryOf(3))
      yield* soon(put(store, "key", entryOf(4)))
      // The first entry of all is a new generation as well.
      yield* store.withLock("first", ({ save }) => Effect.zipRight(endHolders, save(entryOf(1))))
      assertEntry(yield* other.load("first"), entryOf(1))
    }))

  const overtakings: Record<string, (store: TokenStore.TokenStore) => Effect.Effect<unknown, unknown>> = {
    "saved a new generation": (other) => put(other, "key", entryOf(2)),
    "saved two": (other) => Effect.zipRight(put(other, "key", entryOf(2)), put(other, "key", entryOf(3))),
    "logged out": (other) => other.remove("key"),
    "logged out and in again": (other) => Effect.zipRight(other.remove("key"), put(other, "key", entryOf(1)))
  }
  for (const [what, overtake] of Object.entries(overtakings)) {
    for (const generation of [2, 50]) {
      it.scopedLive(`lost, and another has ${what}: generation ${generation} of whoever had it changes nothing`, () =>
        Effect.gen(function*() {
          const { endHolders, other, store } = yield* lose
          yield* put(store, "key", entryOf(1))
          yield* store.withLock("key", ({ save }) =>
            Effect.gen(function*() {
              yield* save(marked(entryOf(1)))
              yield* endHolders
              yield* overtake(other)
              const before = Option.getOrUndefined(yield* other.load("key"))
              for (const entry of [entryOf(generation), entryOf(generation), marked(entryOf(1)), entryOf(1)]) {
                assert.strictEqual((yield* failureOf(save(entry))).operation, "save")
              }
              const after = yield* other.load("key")
              if (before === undefined) assertNone(after)
              else assertEntry(after, before)
            }))
        }))
    }
  }

  it.scopedLive("lost, and another has logged in where nothing was stored: that login stays", () =>
    Effect.gen(function*() {
      const { endHolders, other, store } = yield* lose
      yield* store.withLock("key", ({ save }) =>
        Effect.gen(function*() {
          yield* endHolders
          yield* put(other, "key", entryOf(1))
          const error = yield* failureOf(save(marked(entryOf(2))))
          assert.strictEqual(error.description, "another holder has saved or removed the entry since")
        }))
      assertEntry(yield* other.load("key"), entryOf(1))
    }))

  it.scopedLive("lost, and another has logged out whom it had logged in: the logout stays", () =>
    Effect.gen(function*() {
      const { endHolders, other, store } = yield* lose
      yield* store.withLock("key", ({ save }) =>
        Effect.gen(function*() {
          yield* save(entryOf(1))
          yield* endHolders
          yield* other.remove("key")
          assert.strictEqual((yield* failureOf(save(entryOf(2)))).operation, "save")
        }))
      assertNone(yield* other.load("key"))
    }))

  it.scopedLive("lost, and another has only marked the entry: the new generation is saved, and the other one's is not", () =>
    Effect.gen(function*() {
      const { endHolders, other, store } = yield* lose
      yield* put(store, "key", entryOf(1))
      yield* store.withLock("key", (first) =>
        Effect.gen(function*() {
          yield* first.save(marked(entryOf(1)))
          yield* endHolders
          yield* other.withLock("key", (second) =>
            Effect.gen(function*() {
              yield* second.save(marked(entryOf(1)))
              assert.strictEqual((yield* failureOf(first.save(marked(entryOf(1))))).operation, "save")
              assert.strictEqual((yield* failureOf(first.save(entryOf(1)))).operation, "save")
              yield* first.save(entryOf(2))
              for (const entry of [entryOf(2), entryOf(3), entryOf(1)]) {
                assert.strictEqual(
                  (yield* failureOf(second.save(entry))).description,
                  "another holder has saved or removed the entry since"
                )
              }
            }))
        }))
      assertEntry(yield* store.load("key"), entryOf(2))
    }))

  for (const [what, before] of [["a new generation", 1], ["the first one", 0]] as const) {
    it.scopedLive(`lost with the answer to a save of ${what}: it can be saved again`, () =>
      Effect.gen(function*() {
        const table = freshTable()
        const proxy = yield* makeProxy(place.port)
        const store = yield* storeAt({ ...place, port: proxy.port }, { table, statementTimeout: "300 millis" })
        const other = yield* storeAt(place, { table })
        const { value } = yield* admin(place)
        if (before === 1) yield* put(other, "key", entryOf(1))
        yield* store.withLock("key", ({ save }) =>
          Effect.gen(function*() {
            if (before === 1) yield* save(marked(entryOf(1)))
            yield* proxy.mute
            assert.strictEqual((yield* failureOf(soon(save(entryOf(before + 1))))).operation, "save")
            assertEntry(yield* other.load("key"), entryOf(before + 1))
            yield* proxy.heal
            yield* eventually(Effect.match(save(entryOf(before + 1)), { onFailure: () => false, onSuccess: () => true }))
            yield* save(entryOf(before + 2))
          }))
        assertEntry(yield* other.load("key"), entryOf(before + 2))
        assert.strictEqual(yield* value(`SELECT generation FROM ${table}`), String(before + 2))
      }))
  }

  it.scopedLive("given back: its holder saves nothing any more", () =>
    Effect.gen(function*() {
      const { store } = yield* lose
      const { save } = yield* store.withLock("key", Effect.succeed)
      const error = yield* failureOf(save(entryOf(1)))
      assert.strictEqual(error.description, "the lock has been given back")
      assertNone(yield* store.load("key"))
    }))

  it.scopedLive("is refused, and not held by nobody, where a pooler gives each statement another session", () =>
    Effect.gen(function*() {
      const table = freshTable()
      yield* storeAt(place, { table })
      const { locks } = yield* admin(place)
      const sql = yield* sqlOf(client(place))
      let count = 0
      const pooled = Layer.succeed(
        SqlClient,
        altered(sql, {
          reserve: Effect.map(Effect.all([sql.reserve, sql.reserve]), ([one, two]) => ({
            ...one,
            execute: (...query: Parameters<typeof one.execute>) => (count++ % 2 === 0 ? one : two).execute(...query)
          }))
        })
      )
      const store = yield* storeOn(pooled, { table, migrate: false })
      count = 0
      const error = yield* failureOf(soon(put(store, "key", entryOf(1))))
      assert.strictEqual(error.operation, "lock")
      assert.match(error.description, /PgBouncer.*session mode/)
      yield* eventually(Effect.map(locks, (n) => n === 0))
    }))

  it.scopedLive("is had by one of two whom a pooler has given one session, and the other is told why not", () =>
    Effect.gen(function*() {
      const table = freshTable()
      yield* storeAt(place, { table })
      const { locks } = yield* admin(place)
      const sql = yield* sqlOf(client(place))
      // A session that has a lock is given it again, whoever asks.
      const one = yield* sql.reserve
      const pooled = Layer.succeed(SqlClient, altered(sql, { reserve: Effect.succeed({ ...one, execute: (...query) => one.execute(...query) }) }))
      const store = yield* storeOn(pooled, { table, migrate: false })
      const other = yield* storeOn(pooled, { table, migrate: false })
      const { held, letGo } = yield* hold(store, "key")
      yield* held.save(entryOf(1))
      const error = yield* failureOf(soon(other.withLock("key", () => Effect.void)))
      assert.strictEqual(error.operation, "lock")
      assert.match(error.description, /PgBouncer.*session mode/)
      assert.strictEqual(yield* locks, 1)
      yield* letGo
      assert.strictEqual(yield* locks, 0)
      yield* soon(put(other, "key", entryOf(2)))
    }))

  it.scopedLive("is refused where a pooler resets a session after each statement, and later a mark is", () =>
    Effect.gen(function*() {
      const table = freshTable()
      yield* storeAt(place, { table })
      const sql = yield* sqlOf(client(place))
      let isReset = true
      let discard: Effect.Effect<unknown, unknown> = Effect.void
      const pooled = Layer.succeed(
        SqlClient,
        altered(sql, {
          reserve: Effect.map(sql.reserve, (one) => {
            const reset = one.executeUnprepared("DISCARD ALL", [], undefined)
            discard = reset
            return {
              ...one,
              execute: (...query: Parameters<typeof one.execute>) => Effect.tap(one.execute(...query), () => isReset ? reset : Effect.void)
            }
          })
        })
      )
      const store = yield* storeOn(pooled, { table, migrate: false })
      assert.match((yield* failureOf(soon(put(store, "key", entryOf(1))))).description, /PgBouncer.*session mode/)
      isReset = false
      const { held, letGo } = yield* hold(store, "key")
      yield* held.save(entryOf(1))
      yield* discard
      assert.strictEqual((yield* failureOf(held.save(marked(entryOf(1))))).operation, "save")
      yield* held.save(entryOf(2))
      yield* letGo
      assertEntry(yield* store.load("key"), entryOf(2))
    }))
})
