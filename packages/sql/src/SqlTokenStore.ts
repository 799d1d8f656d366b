/**
 * A token store in PostgreSQL, on the `SqlClient` of a program: many processes
 * share one login and renew it once.
 *
 * @since 0.1.0
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TokenStoreError } from "effect-credentials/CredentialsError"
import { TokenStore } from "effect-credentials/TokenStore"
import * as SqlStore from "./internal/sqlStore.js"
import * as Table from "./internal/table.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The table, with its schema or without (`"credentials.tokens"`); letters,
   * digits and underscores, upper and lower case as they are.
   * `"effect_credentials_tokens"` by default.
   */
  readonly table?: string | undefined
  /**
   * Whether the table is made where there is none. `true` by default. Where it is
   * there, no right to make one is needed.
   */
  readonly migrate?: boolean | undefined
  /**
   * How long to wait for the lock of a key. 90 seconds by default, which is what
   * `Credentials.layerShared` allows.
   */
  readonly lockTimeout?: Duration.DurationInput | undefined
  /**
   * How long one statement may take, and how long to wait for a connection of the
   * pool. An operation answers within twice this time. 4 seconds by default:
   * `Credentials.layerShared` waits for 10.
   */
  readonly statementTimeout?: Duration.DurationInput | undefined
  /**
   * How many locks this store takes at a time. Each needs a connection of the
   * pool for as long as a renewal takes, and `load` and the program need some as
   * well. 4 by default: the pool of `@effect/sql-pg` has 10 connections.
   */
  readonly maxLocks?: number | undefined
  /**
   * When the server was restarted while somebody renewed a token, that holder's
   * lock is gone, but its answer may be on the way. For this long after it began,
   * and after the server is back, nobody else gets the lock. At least as long as a
   * call for a token may take.
   * 60 seconds by default: `exchangeTimeout` is 50.
   */
  readonly restartGrace?: Duration.DurationInput | undefined
}

const defaultTable = "effect_credentials_tokens"

const badTable = new TokenStoreError({
  operation: "open",
  description: "the name of the table must be an identifier, or two with a dot between them: letters, digits and underscores, at most 63 each"
})

/**
 * The text of the statement that makes the table, for those whose program may
 * not do that. Running it again changes nothing.
 *
 * The program itself needs `SELECT`, `INSERT`, `UPDATE` and `DELETE` on it.
 * Throws a `TokenStoreError` where the name is none.
 *
 * @example
 * ```ts
 * import { SqlTokenStore } from "@effect-credentials/sql"
 *
 * export const statement = SqlTokenStore.migration({ table: "credentials.tokens" })
 * ```
 *
 * @since 0.1.0
 * @category migrations
 */
export const migration = (options: Pick<Options, "table"> = {}): string => {
  const table = Table.parse(options.table ?? defaultTable)
  if (Option.isNone(table)) throw badTable
  return `${Table.migration(table.value)};\n`
}

/** A time limit, in milliseconds. */
const limit = (name: string, value: Duration.DurationInput, least: number): Effect.Effect<number, TokenStoreError> => {
  const millis = Duration.toMillis(value)
  return millis >= least && Number.isFinite(millis)
    ? Effect.succeed(Math.ceil(millis))
    : SqlStore.fail("open", `${name} must be a time of at least ${least} ms that ends`)
}

/**
 * The store of `layer`, where it is not to be in a Layer.
 *
 * @example
 * ```ts
 * import { SqlTokenStore } from "@effect-credentials/sql"
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Effect } from "effect"
 *
 * // Logs somebody out, by the key of their credentials.
 * export const forget = (key: string) =>
 *   SqlTokenStore.make({ migrate: false }).pipe(
 *     Effect.flatMap((store) => store.remove(key)),
 *     Effect.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 *   )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<TokenStore, TokenStoreError, SqlClient> =>
  Effect.gen(function*() {
    const table = Table.parse(options.table ?? defaultTable)
    if (Option.isNone(table)) return yield* badTable
    const maxLocks = options.maxLocks ?? 4
    if (!(Number.isSafeInteger(maxLocks) && maxLocks >= 1)) return yield* SqlStore.fail("open", "maxLocks must be a whole number of at least 1")
    return yield* SqlStore.make({
      table: table.value,
      migrate: options.migrate ?? true,
      lockTimeout: yield* limit("lockTimeout", options.lockTimeout ?? "90 seconds", 1),
      statementTimeout: yield* limit("statementTimeout", options.statementTimeout ?? "4 seconds", 1),
      restartGrace: yield* limit("restartGrace", options.restartGrace ?? "60 seconds", 0),
      maxLocks
    })
  })

/**
 * Keeps tokens in a table of PostgreSQL (version 13 or later), for any number of
 * processes on any number of machines. `SqlClient` is the program's own, by
 * `@effect/sql-pg`.
 *
 * - **A row for each key**, whose name is a hash. The secrets are in plain text:
 *   `TokenStore.encrypted` encrypts them.
 * - **The lock** of a key is an advisory lock, held by a connection of its own.
 *   It is free at once when its process dies, 25 seconds after the machine is
 *   gone without a word, and `restartGrace` after a restart of the server. Who
 *   waits for it has no connection.
 * - **Durable**: a save is flushed to disk before it returns, also where the
 *   database has `synchronous_commit` off. A save of a holder that has lost its
 *   lock changes nothing where another has saved since.
 * - **Transactions** of the program have nothing to do with it. Neither have its
 *   settings: connections go back to the pool as they were, or are closed.
 * - **Failures** of the database are a `TokenStoreError` in our words, with the
 *   SQLSTATE. The database's own text holds rows.
 * - **A pooler** in front of the database (PgBouncer) must be in session mode:
 *   in the others an advisory lock belongs to nobody, and `withLock` fails once
 *   that shows.
 *
 * The Layer looks for the table, and makes it if `migrate` is not `false`. Fails
 * with `TokenStoreError`, operation `open`, where that fails, the table is not
 * one of this store, or the `SqlClient` not one of PostgreSQL.
 *
 * @example
 * ```ts
 * import { SqlTokenStore } from "@effect-credentials/sql"
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Layer } from "effect"
 * import { Keyring, TokenStore } from "effect-credentials"
 *
 * export const layer = SqlTokenStore.layer().pipe(
 *   TokenStore.encrypted(Keyring.fromConfig()),
 *   Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<TokenStore, TokenStoreError, SqlClient> =>
  Layer.effect(TokenStore, make(options))
