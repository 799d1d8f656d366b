import { SqlTokenStore } from "@effect-credentials/sql"
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import { CredentialsError, Keyring, TokenStore } from "effect-credentials"
import * as Fs from "node:fs"
import { afterAll, beforeAll } from "vitest"
import { assertNoCanary, assertNothingSeen, observe } from "../../credentials/test/utils/canaries.js"
import { assertEntry, assertNone, entryOf, fullEntry, marked, storeSuite } from "../../credentials/test/utils/storeSuite.js"
import { fromCause } from "../src/internal/failure.js"
import { isPostgres } from "../src/internal/table.js"
import { admin, altered, client, freshTable, makeDatabase, type Place, sqlOf } from "./utils/database.js"
import { describePostgres } from "./utils/postgres.js"
import { Stored } from "./utils/readme.js"
import { failureOf, hold, put, soon, storeAt, storeOn } from "./utils/stores.js"

const scope = Effect.runSync(Scope.make())
let place: Place

const keyring = Keyring.make({ current: "2026", keys: { "2026": Redacted.make(Buffer.alloc(32, 7).toString("base64")) } })

type StoreLayer = Layer.Layer<TokenStore.TokenStore, unknown>

describePostgres("a token store in PostgreSQL", () => {
  beforeAll(async () => {
    place = await Effect.runPromise(Scope.extend(makeDatabase(), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const kinds = {
    "in PostgreSQL": (layer: StoreLayer) => layer,
    "in PostgreSQL, encrypted": (layer: StoreLayer) => TokenStore.encrypted(keyring)(layer)
  }
  for (const [name, over] of Object.entries(kinds)) {
    storeSuite(name, {
      make: Effect.sync(() => {
        const table = freshTable()
        return { table, layer: over(SqlTokenStore.layer({ table }).pipe(Layer.provide(client(place)))) }
      }),
      isShared: true,
      spoil: ({ table }) =>
        Effect.scoped(Effect.flatMap(admin(place), ({ run }) => run(`UPDATE ${table} SET entry = replace(entry, '"token"', '"taken"')`)))
    })
  }

  // ---------------------------------------------------------------------------
  // The table
  // ---------------------------------------------------------------------------

  describe("the table", () => {
    it.scopedLive("is made by eight processes that start at once, and used by all of them", () =>
      Effect.gen(function*() {
        for (let round = 0; round < 5; round++) {
          const table = freshTable()
          const layers = yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], () => Effect.map(sqlOf(client(place)), Layer.succeed(SqlClient)))
          const stores = yield* Effect.forEach(layers, (layer) => storeOn(layer, { table }), { concurrency: "unbounded" })
          for (const [index, store] of stores.entries()) yield* put(store, "key", entryOf(index + 1))
          for (const store of stores) assertEntry(yield* store.load("key"), entryOf(8))
        }
      }))

    it.scopedLive("is effect_credentials_tokens where nothing else is said, and is kept when the next program starts", () =>
      Effect.gen(function*() {
        yield* put(yield* storeAt(place), "key", entryOf(3))
        assertEntry(yield* (yield* storeAt(place)).load("key"), entryOf(3))
        const { value } = yield* admin(place)
        assert.strictEqual(yield* value("SELECT generation FROM effect_credentials_tokens"), "3")
        assert.match(yield* value("SELECT key FROM effect_credentials_tokens"), /^[0-9a-f]{64}$/)
      }))

    it.scopedLive("may be in a schema, under a name that SQL has for something else", () =>
      Effect.gen(function*() {
        const { run, value } = yield* admin(place)
        yield* run("CREATE SCHEMA IF NOT EXISTS \"Select\"")
        const store = yield* storeAt(place, { table: "Select.Order" })
        yield* put(store, "key", entryOf(1))
        assertEntry(yield* store.load("key"), entryOf(1))
        assert.strictEqual(yield* value("SELECT count(*) FROM \"Select\".\"Order\""), "1")
      }))

    it.scopedLive("is made by the text of the migration, as often as it is run, and then needs no right to make one", () =>
      Effect.gen(function*() {
        const { run } = yield* admin(place)
        const role = `role_${crypto.randomUUID().replaceAll("-", "")}`
        yield* Effect.acquireRelease(
          run(`CREATE ROLE ${role} LOGIN`),
          () => Effect.orDie(Effect.zipRight(run(`DROP OWNED BY ${role}`), run(`DROP ROLE ${role}`)))
        )
        const table = freshTable()
        const asRole = { username: role }

        const denied = yield* failureOf(storeAt(place, { table }, asRole))
        assert.strictEqual(denied.operation, "open")
        assert.match(denied.description, /^the table could not be made: a right is missing: .* \(SQLSTATE 42501\)$/)

        const missing = yield* failureOf(storeAt(place, { table, migrate: false }, asRole))
        assert.strictEqual(missing.operation, "open")
        assert.match(missing.description, new RegExp(`^there is no table "${table}": .*SqlTokenStore\\.migration`))

        const text = SqlTokenStore.migration({ table })
        yield* run(text)
        yield* run(text)
        yield* run(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${role}`)
        for (const migrate of [true, false]) {
          const store = yield* storeAt(place, { table, migrate }, asRole)
          yield* put(store, "key", entryOf(1))
          yield* put(store, "key", entryOf(2))
          assertEntry(yield* store.load("key"), entryOf(2))
          yield* store.remove("key")
          assertNone(yield* store.load("key"))
        }

        yield* run(`REVOKE UPDATE ON ${table} FROM ${role}`)
        const store = yield* storeAt(place, { table }, asRole)
        const error = yield* failureOf(put(store, "key", entryOf(1)))
        assert.match(error.description, /^a right is missing: .*UPDATE.* \(SQLSTATE 42501\)$/)
      }))

    it.scopedLive("is refused where it is another program's", () =>
      Effect.gen(function*() {
        const table = freshTable()
        const { run } = yield* admin(place)
        yield* run(`CREATE TABLE ${table} (key text, name text)`)
        const error = yield* failureOf(storeAt(place, { table }))
        assert.strictEqual(error.operation, "open")
        assert.match(error.description, /^the table is not one of this store: a column is missing/)
      }))
  })

  // ---------------------------------------------------------------------------
  // Options
  // ---------------------------------------------------------------------------

  describe("the options", () => {
    it.scopedLive("are refused where they make no sense, in words", () =>
      Effect.gen(function*() {
        const refused: ReadonlyArray<readonly [SqlTokenStore.Options, RegExp]> = [
          ...["", ".", "a.b.c", "a.", ".a", "a b", "a\"b", "a;b", "a-b", "1a", "ä", "a\n", "x".repeat(64)].map((table) =>
            [{ table }, /^the name of the table must be an identifier/] as const
          ),
          ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY].map((maxLocks) => [{ maxLocks }, /^maxLocks must be/] as const),
          ...(["lockTimeout", "statementTimeout"] as const).flatMap((name) =>
            ([0, "Infinity"] as const).map((value) =>
              [{ [name]: value === 0 ? 0 : Number.POSITIVE_INFINITY }, new RegExp(`^${name} must be`)] as const
            )
          ),
          [{ restartGrace: Number.POSITIVE_INFINITY }, /^restartGrace must be/]
        ]
        const sql = Layer.succeed(SqlClient, yield* sqlOf(client(place)))
        for (const [options, words] of refused) {
          const error = yield* failureOf(storeOn(sql, options))
          assert.strictEqual(error.operation, "open")
          assert.match(error.description, words, JSON.stringify(options))
        }
        assert.throws(() => SqlTokenStore.migration({ table: "a;b" }), CredentialsError.TokenStoreError)
      }))

    it.scopedLive("a client of another database is refused", () =>
      Effect.gen(function*() {
        const sql = yield* sqlOf(client(place))
        const sqlite = altered(sql, {
          onDialectOrElse: ({ orElse }) => orElse(),
          reserve: Effect.dieMessage("it was asked for a connection")
        })
        const error = yield* failureOf(storeOn(Layer.succeed(SqlClient, sqlite)))
        assert.strictEqual(error.operation, "open")
        assert.match(error.description, /^the SqlClient is not one of PostgreSQL/)

        const cockroach = altered(sql, {
          reserve: Effect.map(sql.reserve, (connection) =>
            Object.assign(Object.create(connection) as typeof connection, {
              execute: (query: string, parameters: ReadonlyArray<unknown>, transform: undefined) =>
                query === "SELECT version() AS version"
                  ? Effect.succeed([{ version: "CockroachDB CCL v24.3.1" }])
                  : connection.execute(query, parameters, transform)
            }))
        })
        const other = yield* failureOf(storeOn(Layer.succeed(SqlClient, cockroach)))
        assert.match(other.description, /^the server is not PostgreSQL 13 or later/)
      }))
  })

  // ---------------------------------------------------------------------------
  // The program around it
  // ---------------------------------------------------------------------------

  describe("the program's own use of its client", () => {
    it.scopedLive("a transaction that is rolled back takes nothing of the store with it", () =>
      Effect.gen(function*() {
        const table = freshTable()
        const context = yield* Layer.build(client(place))
        const sql = yield* SqlClient.pipe(Effect.provide(context))
        const store = yield* storeOn(Layer.succeedContext(context), { table })
        yield* put(store, "removed", entryOf(1))
        const rolledBack = yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
          yield* sql`CREATE TABLE of_the_program (id int)`
          yield* put(store, "key", entryOf(1))
          yield* put(store, "key", entryOf(2))
          yield* store.remove("removed")
          assertEntry(yield* store.load("key"), entryOf(2))
          return yield* Effect.fail("rolled back")
        })))
        assert.deepStrictEqual(rolledBack, Exit.fail("rolled back"))
        assertEntry(yield* store.load("key"), entryOf(2))
        assertNone(yield* store.load("removed"))
        assert.deepStrictEqual(yield* sql`SELECT to_regclass('of_the_program') AS oid`, [{ oid: null }])
      }))

    it.scopedLive("nor does one in which the Layer was built", () =>
      Effect.gen(function*() {
        const table = freshTable()
        const context = yield* Layer.build(client(place))
        const sql = yield* SqlClient.pipe(Effect.provide(context))
        const built = Scope.make().pipe(Effect.flatMap((scope) =>
          Scope.extend(storeOn(Layer.succeedContext(context), { table }), scope)
        ))
        const stores: Array<TokenStore.TokenStore> = []
        yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
          const store = yield* built
          stores.push(store)
          yield* put(store, "key", entryOf(1))
          return yield* Effect.fail("rolled back")
        })))
        for (const store of [...stores, yield* built]) {
          assertEntry(yield* store.load("key"), entryOf(1))
          yield* put(store, "key", entryOf(1))
        }
        assert.lengthOf(stores, 1)
      }))

    it.scopedLive("names and types that it has translated do not matter", () =>
      Effect.gen(function*() {
        const table = freshTable()
        const store = yield* storeAt(place, { table }, {
          transformQueryNames: (name) => name.toUpperCase(),
          transformResultNames: (name) => name.toUpperCase(),
          types: { getTypeParser: () => (value: unknown) => value }
        })
        yield* put(store, "key", marked(entryOf(1)))
        yield* put(store, "key", fullEntry)
        assertEntry(yield* store.load("key"), fullEntry)
        yield* store.remove("key")
        assertNone(yield* store.load("key"))
      }))

    it.scopedLive("a pool whose connections are all in use is an error in time, and no connection is lost by it", () =>
      Effect.gen(function*() {
        const table = freshTable()
        const context = yield* Layer.build(client(place, { maxConnections: 2 }))
        const sql = yield* SqlClient.pipe(Effect.provide(context))
        const store = yield* storeOn(Layer.succeedContext(context), { table, statementTimeout: "200 millis", lockTimeout: "2 seconds" })
        yield* Effect.scoped(Effect.gen(function*() {
          yield* sql.reserve
          yield* sql.reserve
          const attempts = { load: Effect.asVoid(store.load("key")), lock: put(store, "key", entryOf(1)) }
          for (const [operation, attempt] of Object.entries(attempts)) {
            for (let time = 0; time < 3; time++) {
              const error = yield* failureOf(soon(attempt))
              assert.strictEqual(error.operation, operation)
              assert.strictEqual(error.description, "no connection was had in time: either the pool is exhausted, or the server cannot be reached")
            }
          }
        }))
        yield* soon(put(store, "key", entryOf(1)))
        yield* soon(Effect.scoped(Effect.zipRight(sql.reserve, sql.reserve)))
      }))
  })

  // ---------------------------------------------------------------------------
  // Secrets
  // ---------------------------------------------------------------------------

  describe("secrets", () => {
    it.scopedLive("are in no span, log, metric or error, whatever becomes of a statement", () =>
      Effect.gen(function*() {
        const table = freshTable()
        const store = yield* storeAt(place, { table })
        const { run } = yield* admin(place)
        const program = Effect.gen(function*() {
          yield* put(store, "key", marked(fullEntry))
          yield* put(store, "key", entryOf(8))
          yield* store.load("key")
          // PostgreSQL answers with the whole row: "Failing row contains (…)".
          yield* run(`ALTER TABLE ${table} ADD CHECK (generation < 9) NOT VALID`)
          return yield* put(store, "key", entryOf(9))
        })
        const observed = yield* observe(program)
        assertNothingSeen("a store in PostgreSQL", observed)
        assert.isTrue(Exit.isFailure(observed.exit))
        const error = yield* failureOf(observed.exit)
        assert.strictEqual(error.description, "the database refused the statement (SQLSTATE 23514)")
        const spans = new Set(observed.heard.map(([where]) => where).filter((where) => where.startsWith("span SqlTokenStore")))
        assert.deepStrictEqual([...spans].sort(), ["span SqlTokenStore.load", "span SqlTokenStore.lock", "span SqlTokenStore.save"])
      }))

    it.scopedLive("are not in the table of the program in the readme", () =>
      Effect.gen(function*() {
        const variables = new Map([
          ["DATABASE_URL", `postgres://postgres@127.0.0.1:${place.port}/${place.database}`],
          ["CREDENTIALS_KEYRING", `2026:${Buffer.alloc(32, 7).toString("base64")}`]
        ])
        const context = yield* Layer.build(Stored).pipe(Effect.withConfigProvider(ConfigProvider.fromMap(variables)))
        const store = Context.get(context, TokenStore.TokenStore)
        yield* store.remove("key")
        yield* put(store, "key", fullEntry)
        assertEntry(yield* store.load("key"), fullEntry)
        const { sql } = yield* admin(place)
        assertNoCanary("the table", yield* sql`SELECT * FROM effect_credentials_tokens`)
      }))

    it.scopedLive("are in no error about a row that cannot be read, and not in the query that others see", () =>
      Effect.gen(function*() {
        const table = freshTable()
        const store = yield* storeAt(place, { table })
        const { run, sql } = yield* admin(place)
        yield* put(store, "key", fullEntry)
        const { letGo } = yield* hold(store, "key")
        assertNoCanary("pg_stat_activity", yield* sql`SELECT query FROM pg_stat_activity`)
        yield* letGo
        for (const spoilt of ["replace(entry, '\"generation\"', '\"generations\"')", "left(entry, 200)", "''"]) {
          yield* run(`UPDATE ${table} SET entry = ${spoilt}`)
          const error = yield* failureOf(store.load("key"))
          assertNoCanary("the error", error)
          assert.match(error.description, /^the row is damaged, or from a version that is not known here/)
        }
      }))
  })
})

describe("the program in the readme", () => {
  it("is one that compiles", () => {
    const read = (path: string) => Fs.readFileSync(new URL(path, import.meta.url), "utf8")
    const [, code] = /```ts\n(.*?)```/s.exec(read("../README.md")) ?? []
    assert.strictEqual(code, read("./utils/readme.ts"))
  })
})

describe("what is taken for PostgreSQL", () => {
  it("is PostgreSQL from version 13, and nothing that only speaks its language", () => {
    const debian = "on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit"
    for (const version of [`PostgreSQL 13.0 ${debian}`, `PostgreSQL 15.18 (Debian 15.18-0+deb12u1) ${debian}`, `PostgreSQL 19beta1 ${debian}`]) {
      assert.isTrue(isPostgres(version), version)
    }
    for (const version of ["", `PostgreSQL 12.22 ${debian}`, "PostgreSQL 8.0.2 on i686-pc-linux-gnu, Redshift 1.0.12103", "CockroachDB CCL v24.3.1", `PostgreSQL 15.2-YB-2.25.0.0-b0 ${debian}`]) {
      assert.isFalse(isPostgres(version), version)
    }
  })
})

describe("what is said of a failure of the database", () => {
  const of = (cause: unknown) => fromCause(Cause.fail({ cause } as never))

  it("goes by the code, wherever it is, and says nothing of the text", () => {
    const secret = "Failing row contains (secret)."
    const found = [
      Object.assign(new Error(secret), { code: "25006", detail: secret }),
      Object.assign(new Error(secret), { code: "53100", detail: secret }),
      Object.assign(new Error(secret), { code: "57P01" }),
      Object.assign(new Error(secret), { code: "08006" }),
      Object.assign(new Error(secret), { code: "99999" }),
      Object.assign(new Error(secret), { code: "EPIPE" }),
      new Error(secret, { cause: Object.assign(new Error(secret), { code: "ECONNREFUSED" }) }),
      Object.assign(new Error(secret), { code: secret }),
      new Error(secret),
      secret,
      undefined
    ].map((cause) => of(cause))
    assert.deepStrictEqual(found.map(({ isLost, words }) => [words, isLost]), [
      ["the database is read-only: connect to the primary server, or end its read-only mode (SQLSTATE 25006)", false],
      ["the disk of the database is full (SQLSTATE 53100)", false],
      ["the database is starting, stopping or restarting (SQLSTATE 57P01)", true],
      ["the connection to the database was lost (SQLSTATE 08006)", true],
      ["the database refused the statement (SQLSTATE 99999)", false],
      ["the connection to the database was lost, or could not be made (EPIPE)", true],
      ["the connection to the database was lost, or could not be made (ECONNREFUSED)", true],
      ...Array.from({ length: 4 }, () => ["the connection to the database was lost, or could not be made", true])
    ])
  })
})
