/** Databases of a test's own, and the clients of programs that use them. */
import { PgClient } from "@effect/sql-pg"
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Layer, Scope } from "effect"
import { Context, Effect, Layer as Layers, Option } from "effect"
import * as PostgresServer from "./postgresServer.mjs"

export interface Place {
  readonly port: number
  readonly database: string
}

type Config = Partial<Parameters<typeof PgClient.layer>[0]>

/** What a program has: a pool of its own, each time it is built. */
export const client = ({ database, port }: Place, config: Config = {}): Layer.Layer<PgClient.PgClient | SqlClient, SqlError> =>
  Layers.fresh(PgClient.layer({ host: "127.0.0.1", port, database, username: "postgres", ...config }))

export const sqlOf = <E>(layer: Layer.Layer<SqlClient, E>): Effect.Effect<SqlClient, E, Scope.Scope> =>
  Effect.map(Layers.build(layer), Context.get(SqlClient))

/** A database on a server, by default on the shared one; dropped when the scope closes. */
export const makeDatabase = (port = PostgresServer.shared.port): Effect.Effect<Place, SqlError, Scope.Scope> =>
  Effect.gen(function*() {
    const database = `test_${crypto.randomUUID().replaceAll("-", "")}`
    const sql = yield* sqlOf(client({ port, database: "postgres" }, { maxConnections: 1 }))
    yield* Effect.acquireRelease(
      sql`CREATE DATABASE ${sql(database)}`,
      () => Effect.ignore(sql`DROP DATABASE IF EXISTS ${sql(database)} WITH (FORCE)`)
    )
    return { port, database }
  })

let tables = 0

/** A table that no other test of the file has. */
export const freshTable = (): string => `tokens_${++tables}`

/** Who looks at a database from outside. */
export const admin = (place: Place) =>
  Effect.map(sqlOf(client(place, { maxConnections: 2, applicationName: "admin" })), (sql) => {
    const one = <A extends object>(statement: Effect.Effect<ReadonlyArray<A>, SqlError>) =>
      Effect.map(statement, ([row]) => Option.getOrThrow(Option.fromNullable(row)))
    const text = (query: string) => sql.unsafe<Record<string, string>>(query)
    return {
      sql,
      run: (query: string) => Effect.asVoid(text(query)),
      /** The first column of the first row. */
      value: (query: string) => Effect.map(one(text(query)), (row) => String(Object.values(row)[0])),
      /** Advisory locks that somebody has. */
      locks: Effect.map(
        one(sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`),
        ({ n }) => n
      ),
      /** Connections of programs, by their application's name. */
      connections: (name: string) =>
        Effect.map(
          one(sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = ${name}`),
          ({ n }) => n
        )
    }
  })

/** A client of which something is another thing. */
export const altered = (sql: SqlClient, changes: Partial<SqlClient>): SqlClient =>
  new Proxy(sql, {
    get: (target, name): unknown => Reflect.get(Object.hasOwn(changes, name) ? changes : target, name)
  })
