/**
 * The database is dead, slow, read-only, out of connections, or its table is
 * missing: an error in words and in time, or a token that is still good.
 */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, type Scope as Scopes, Scope } from "effect"
import type { TokenStore } from "effect-credentials"
import { CredentialsError } from "effect-credentials"
import { afterAll, beforeAll } from "vitest"
import { assertNothingSeen, assertNoCanary, observe } from "../../credentials/test/utils/canaries.js"
import { type FakeLogin, makeLogin, type Process, start, text } from "../../credentials/test/utils/fakeLogin.js"
import { assertEntry, assertNone, entryOf, fullEntry, marked } from "../../credentials/test/utils/storeSuite.js"
import { admin, freshTable, makeDatabase, type Place } from "./utils/database.js"
import { describePostgres } from "./utils/postgres.js"
import { makeServer, type PrivateServer } from "./utils/privateServer.js"
import { makeProxy, type Proxy } from "./utils/proxy.js"
import { eventually, failureOf, put, quietly, soon, storeAt } from "./utils/stores.js"

const scope = Effect.runSync(Scope.make())
let server: PrivateServer
let place: Place

/** What there is to break, and to look at. */
interface World {
  readonly table: string
  readonly role: string
  readonly proxy: Proxy
  readonly store: TokenStore.TokenStore
  /** Of another process. */
  readonly other: TokenStore.TokenStore
  /** Another program's view of the database, past the proxy. */
  readonly run: (query: string) => Effect.Effect<void, unknown>
  readonly value: (query: string) => Effect.Effect<string, unknown>
}

/** One way in which a database fails. Absent words: it works. */
interface Failing {
  /** Ends when the scope closes. */
  readonly happen: (world: World) => Effect.Effect<unknown, unknown, Scopes.Scope>
  readonly load?: RegExp
  readonly lock?: RegExp
  readonly save?: RegExp
  readonly remove?: RegExp
}

const lost = /^the connection to the database was lost, or could not be made( \(E[A-Z]+\))?$|^the database is starting, stopping or restarting \(SQLSTATE 57P0\d\)$/
/** The last where the pool has a time limit of its own. */
const silent = /^the database did not answer in time$|^no connection was had in time: either the pool is exhausted, or the server cannot be reached$|^the connection to the database was lost, or could not be made$/
const readOnly = /^the database is read-only: connect to the primary server, or end its read-only mode \(SQLSTATE 25006\)$/
const slow = /^the database took too long, and the statement was cancelled \(statement_timeout\) \(SQLSTATE 57014\)$/
const full = /^the server has no connection left: make the pools of its clients smaller, or raise max_connections \(SQLSTATE 53300\)$/
const missing = /^the table is missing: let the store make it \(`migrate: true`\), or run the text of `SqlTokenStore\.migration` \(SQLSTATE 42P01\)$/
const denied = /^a right is missing: .* \(SQLSTATE 42501\)$/
const disk = /^the disk of the database is full \(SQLSTATE 53100\)$/

const all = (words: RegExp) => ({ load: words, lock: words, remove: words })

/** All sessions of the program end, and its pools have noticed. */
const anew = ({ other, role, run, store }: World) =>
  run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`).pipe(
    Effect.zipRight(Effect.forEach([store, other], ({ load }) =>
      eventually(Effect.match(load("key"), { onFailure: ({ description }) => !lost.test(description), onSuccess: () => true }))))
  )

const failings: Record<string, Failing> = {
  dead: {
    happen: () => Effect.acquireRelease(server.stop("immediate"), () => server.start()),
    ...all(lost)
  },
  "out of reach, and every connection is reset": {
    happen: ({ proxy }) => Effect.acquireRelease(proxy.cut, () => proxy.heal),
    ...all(lost)
  },
  "silent, and nobody is told": {
    happen: ({ proxy }) => Effect.acquireRelease(proxy.swallow, () => proxy.heal),
    ...all(silent)
  },
  "slow: somebody has locked the table": {
    happen: ({ run, table }) =>
      Effect.gen(function*() {
        // In a transaction of its own connection, for as long as the scope is open.
        const { sql } = yield* admin(place)
        const connection = yield* sql.reserve
        yield* connection.executeUnprepared("BEGIN", [], undefined)
        yield* connection.executeUnprepared(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`, [], undefined)
        yield* Effect.addFinalizer(() => Effect.ignore(connection.executeUnprepared("ROLLBACK", [], undefined)))
        return run
      }),
    load: slow,
    lock: slow,
    remove: slow
  },
  "read-only": {
    happen: (world) =>
      Effect.acquireRelease(
        Effect.zipRight(world.run(`ALTER ROLE ${world.role} SET default_transaction_read_only = on`), anew(world)),
        () => Effect.ignore(Effect.zipRight(world.run(`ALTER ROLE ${world.role} RESET default_transaction_read_only`), anew(world)))
      ),
    save: readOnly,
    remove: readOnly
  },
  "out of connections": {
    happen: (world) =>
      Effect.acquireRelease(
        Effect.zipRight(world.run(`ALTER ROLE ${world.role} CONNECTION LIMIT 0`), anew(world)),
        () => Effect.ignore(world.run(`ALTER ROLE ${world.role} CONNECTION LIMIT -1`))
      ),
    ...all(full)
  },
  "without its table": {
    happen: ({ run, table }) =>
      Effect.acquireRelease(run(`ALTER TABLE ${table} RENAME TO ${table}_gone`), () =>
        Effect.ignore(run(`ALTER TABLE ${table}_gone RENAME TO ${table}`))),
    ...all(missing)
  },
  "without the right to use its table": {
    happen: ({ role, run, table }) =>
      Effect.acquireRelease(run(`REVOKE ALL ON ${table} FROM ${role}`), () => Effect.ignore(run(`GRANT ALL ON ${table} TO ${role}`))),
    ...all(denied)
  },
  "full: its disk has no room": {
    happen: ({ run, table }) =>
      Effect.acquireRelease(
        run(`CREATE FUNCTION ${table}_full() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = NEW.entry, DETAIL = NEW.entry; END $$;
          CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_full()`),
        () => Effect.ignore(run(`DROP FUNCTION ${table}_full CASCADE`))
      ),
    save: disk
  }
}

const statementTimeout = "400 millis"
/** An operation ends within twice the time of a statement; and a second for a slow machine. */
const inTime = 1800

describePostgres("a database that fails", () => {
  beforeAll(async () => {
    await Effect.runPromise(Scope.extend(
      Effect.gen(function*() {
        server = yield* makeServer()
        place = yield* makeDatabase(server.port)
      }),
      scope
    ))
  }, 120_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 120_000)

  const makeWorld = Effect.gen(function*() {
    const table = freshTable()
    const role = `role_${table}`
    const proxy = yield* makeProxy(place.port)
    const look = Effect.flatMap(Effect.succeed(place), admin)
    const run = (query: string) => Effect.scoped(Effect.flatMap(look, ({ run }) => run(query)))
    const value = (query: string) => Effect.scoped(Effect.flatMap(look, ({ value }) => value(query)))
    // Its rights stay with the table; the database is dropped with the server.
    yield* run(`CREATE ROLE ${role} LOGIN; GRANT ALL ON SCHEMA public TO ${role}`)
    yield* storeAt(place, { table })
    yield* run(`GRANT ALL ON ${table} TO ${role}`)
    const options = { table, statementTimeout, migrate: false } as const
    const config = { username: role, applicationName: role, maxConnections: 4, connectTimeout: "1 second" } as const
    const storeOf = storeAt({ ...place, port: proxy.port }, options, config)
    const world: World = { table, role, proxy, run, value, store: yield* storeOf, other: yield* storeOf }
    return world
  })

  const answers = <A, E>(what: string, effect: Effect.Effect<A, E>, words: RegExp | undefined) =>
    Effect.gen(function*() {
      const [taken, exit] = yield* Effect.timed(Effect.exit(soon(effect)))
      assert.isBelow(Duration.toMillis(taken), inTime, what)
      assertNoCanary(what, exit)
      if (words === undefined) return assert.isTrue(Exit.isSuccess(exit), `${what}: ${exit}`)
      const error = yield* failureOf(exit)
      assert.match(error.description, words, what)
    })

  for (const [name, { happen, load, lock, remove, save }] of Object.entries(failings)) {
    describe(name, () => {
      it.scopedLive("every operation of the store answers in time, in words; and works when it is over", () =>
        Effect.gen(function*() {
          const world = yield* makeWorld
          const { store, value } = world
          for (const key of ["key", "removed"]) yield* put(store, key, entryOf(1))
          const seen = yield* observe(Effect.scoped(Effect.gen(function*() {
            yield* happen(world)
            // More often than the pool has connections.
            for (let time = 0; time < 6; time++) {
              yield* answers("load", store.load("key"), load)
              yield* answers("save", put(store, "key", marked(entryOf(1))), lock ?? save)
            }
            yield* answers("remove", store.remove("removed"), remove)
          })))
          assertNothingSeen(name, seen)
          assert.isTrue(Exit.isSuccess(seen.exit), String(seen.exit))
          // What was swallowed may have been done.
          yield* eventually(Effect.match(put(store, "key", entryOf(3)), { onFailure: () => false, onSuccess: () => true }))
          assertEntry(yield* store.load("key"), entryOf(3))
          yield* store.remove("key")
          assertNone(yield* store.load("key"))
          // Nothing is left that anybody waits for.
          const left = `SELECT count(*) FROM pg_stat_activity WHERE usename = '${world.role}' AND state <> 'idle'`
          yield* eventually(Effect.map(value(left), (count) => count === "0"))
          yield* eventually(Effect.map(value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), (count) => count === "0"))
        }))

      it.scopedLive("a save that has begun answers in time, and the holder is let go", () =>
        Effect.gen(function*() {
          const world = yield* makeWorld
          const { store } = world
          yield* put(store, "key", entryOf(1))
          yield* Effect.scoped(store.withLock("key", (held) =>
            Effect.gen(function*() {
              yield* happen(world)
              for (let time = 0; time < 3; time++) {
                const [taken, exit] = yield* Effect.timed(Effect.exit(soon(held.save(entryOf(2)))))
                assert.isBelow(Duration.toMillis(taken), inTime)
                if (Exit.isFailure(exit)) {
                  const error = yield* failureOf(exit)
                  assert.strictEqual(error.operation, "save")
                  assert.match(error.description, save ?? lock ?? /^$/)
                }
              }
            })))
          yield* eventually(Effect.match(put(store, "key", entryOf(3)), { onFailure: () => false, onSuccess: () => true }))
          assertEntry(yield* store.load("key"), entryOf(3))
        }))

      it.scopedLive("credentials give a token that is still good, or an error in words; and renew it when it is over", () =>
        Effect.gen(function*() {
          const world = yield* makeWorld
          const login = makeLogin()
          yield* login.login(world.store)
          const first = yield* start(login.flow(), world.store)
          assert.strictEqual(text(yield* first.acme.token), "access-a-1")
          yield* Effect.scoped(Effect.gen(function*() {
            yield* happen(world)
            // Forced: the store is asked, and whoever asked is told.
            const error = yield* failureOf(Effect.timeout(first.acme.refresh, "15 seconds"))
            assert.match(error.description, load ?? save ?? /^$/)
            assertNoCanary("the error", error)
            assert.strictEqual(text(yield* Effect.timeout(first.acme.token, "1 second")), "access-a-1")
            // One that has just started, and has nothing yet.
            const second = yield* start(login.flow(), world.other)
            const exit = yield* Effect.exit(Effect.timeout(second.acme.token, "15 seconds"))
            if (load === undefined) assert.isTrue(Exit.isSuccess(exit), String(exit))
            else assert.instanceOf(yield* failureOf(exit), CredentialsError.TokenStoreError)
            yield* second.close
          }))
          yield* recovered(login, first)
          yield* first.close
        }).pipe(quietly))

      it.scopedLive("a token that came while it was so is saved when it is over", () =>
        Effect.gen(function*() {
          const world = yield* makeWorld
          const login = makeLogin()
          yield* login.login(world.store)
          const first = yield* start(login.flow(), world.store)
          yield* first.acme.token
          const over = yield* Scope.make()
          login.faults.once("rotated", Effect.orDie(Scope.extend(happen(world), over)))
          const renewed = yield* Effect.fork(first.acme.refresh)
          yield* Effect.sleep("1500 millis")
          yield* Scope.close(over, Exit.void)
          assert.strictEqual(text(yield* Effect.timeout(Fiber.join(renewed), "40 seconds")), "access-a-2")
          const second = yield* start(login.flow(), world.other)
          yield* eventually(Effect.match(second.acme.token, { onFailure: () => false, onSuccess: (token) => text(token) === "access-a-2" }))
          assert.deepStrictEqual(login.reused, [])
          yield* Effect.zipRight(first.close, second.close)
        }).pipe(quietly))
    })
  }

  /** The refresh token was used once, and the next one works. */
  const recovered = (login: FakeLogin, { acme }: Process) =>
    Effect.gen(function*() {
      yield* eventually(Effect.match(acme.refresh, { onFailure: () => false, onSuccess: () => true }))
      assert.strictEqual(text(yield* acme.token), "access-a-2")
      assert.deepStrictEqual(login.reused, [])
      assert.isTrue(login.family().alive)
    })

  it.scopedLive("shutting down: who connects is refused in words", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* Effect.addFinalizer(() => Effect.zipRight(server.stop("fast"), server.start()))
      // Somebody is connected still, so the server waits, and lets nobody in.
      const { sql } = yield* admin(place)
      const connection = yield* sql.reserve
      yield* Effect.forkDaemon(server.stop("smart"))
      yield* eventually(Effect.match(world.value("SELECT 1"), { onFailure: () => true, onSuccess: () => false }))
      yield* connection.executeUnprepared(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${world.role}'`, [], undefined)
      const errors = yield* Effect.forEach([1, 2, 3], () => failureOf(soon(world.store.load("key"))))
      assert.include(errors.map(({ description }) => description), "the database is starting, stopping or restarting (SQLSTATE 57P03)")
    }).pipe(Effect.scoped))

  it.scopedLive("silent for a while: afterwards the first attempt works, whatever became of the connections before it", () =>
    Effect.gen(function*() {
      const { proxy, role, table, value } = yield* makeWorld
      const name = `${role}_first`
      // Without a time limit of the pool's own.
      const store = yield* storeAt({ ...place, port: proxy.port }, { table, statementTimeout }, { applicationName: name })
      yield* proxy.mute
      // The first has a connection, the others wait for one that is never made.
      for (const words of [/^the database did not answer in time$/, /^no connection was had in time/, /^no connection was had in time/]) {
        assert.match((yield* failureOf(soon(store.load("key")))).description, words)
        // The session that had a statement is ended.
        yield* eventually(Effect.map(
          value(`SELECT count(*) FROM pg_stat_activity WHERE application_name = '${name}' AND query <> ''`),
          (count) => count === "0"
        ))
      }
      yield* proxy.heal
      assertNone(yield* soon(store.load("key")))
    }))

  it.scopedLive("that shows rows in its errors: none is in ours", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* Effect.scoped(Effect.gen(function*() {
        yield* (failings["full: its disk has no room"]?.happen(world) ?? Effect.die("no such failing"))
        const seen = yield* observe(put(world.store, "key", fullEntry))
        assert.match((yield* failureOf(seen.exit)).description, disk)
        assertNothingSeen("a full disk", seen)
      }))
    }))
})
