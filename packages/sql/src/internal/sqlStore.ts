/**
 * A store in a table of PostgreSQL: a row for each key, and an advisory lock.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { TokenStoreError } from "effect-credentials/CredentialsError"
import { Entry, type StoreKey, type TokenStore } from "effect-credentials/TokenStore"
import { claim, type Restore } from "./claim.js"
import type { Failure } from "./failure.js"
import * as Lock from "./lock.js"
import * as Sessions from "./session.js"
import * as Table from "./table.js"
import * as Writer from "./writer.js"

type Operation = TokenStoreError["operation"]

export interface Options {
  /** As SQL has it. */
  readonly table: string
  readonly migrate: boolean
  /** All in milliseconds. */
  readonly lockTimeout: number
  readonly statementTimeout: number
  readonly restartGrace: number
  readonly maxLocks: number
}

export const fail = (operation: Operation, description: string): Effect.Effect<never, TokenStoreError> =>
  Effect.fail(new TokenStoreError({ operation, description }))

const orFail = (operation: Operation) => ({ words }: Failure): TokenStoreError => new TokenStoreError({ operation, description: words })

const digest = (text: string): Effect.Effect<Uint8Array> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
    (bytes) => new Uint8Array(bytes)
  )

/** A row's name is a hash. JSON writes a lone surrogate as an escape, where UTF-8 has none. */
const rowOf = (key: StoreKey): Effect.Effect<string> => Effect.map(digest(JSON.stringify(key)), Encoding.encodeHex)

/** The number of an advisory lock, of which a database has one set for all its programs: 64 bits of a hash. */
const numberOf = (...names: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.map(digest(JSON.stringify(["effect-credentials", ...names])), (bytes) =>
    String(new DataView(bytes.buffer).getBigInt64(0)))

const fromText = Schema.decode(Schema.parseJson(Entry))

const decode = (text: Redacted.Redacted): Effect.Effect<Entry, TokenStoreError> =>
  Effect.catchAll(fromText(Redacted.value(text)), () =>
    fail(
      "load",
      "the row is damaged, or from a version that is not known here: use the version of effect-credentials that wrote it, or remove the entry and log in again"
    ))

export const make = (options: Options): Effect.Effect<TokenStore, TokenStoreError, SqlClient> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    if (!sql.onDialectOrElse({ pg: () => true, orElse: () => false })) {
      return yield* fail("open", "the SqlClient is not one of PostgreSQL: this store needs its advisory locks (@effect/sql-pg)")
    }
    const { lockTimeout, maxLocks, restartGrace, statementTimeout } = options
    const sessions = Sessions.make(sql, statementTimeout)
    const locks = Lock.make({ sessions, lockTimeout, statementTimeout, maxLocks })
    const settings: Sessions.Settings = { statement_timeout: String(statementTimeout) }

    /** On a connection of its own, to its end; whoever waits for it may leave. */
    const answerOf = <A>(operation: Operation, use: (session: Sessions.Session) => Effect.Effect<A, Failure>) =>
      Effect.uninterruptibleMask((restore) =>
        claim(
          restore,
          2 * statementTimeout,
          sessions.use((session) => Sessions.withSettings(session, settings, use(session))),
          () => Effect.void
        )
      ).pipe(
        Effect.mapError(orFail(operation)),
        Effect.flatMap(Option.match({
          onNone: () => fail(operation, "the database did not answer in time"),
          onSome: Effect.succeed
        })),
        Effect.withSpan(`SqlTokenStore.${operation}`, { kind: "client", captureStackTrace: false })
      )

    const found = (session: Sessions.Session) =>
      Effect.map(session.run(Table.find, [options.table]), ([row]) => row?.["name"] ?? undefined)

    /** Several processes may start at once, and PostgreSQL's IF NOT EXISTS is no lock. */
    const migrated = Effect.flatMap(numberOf("migration"), (number) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(locks.take(restore, number, () => Effect.succeedSome(undefined)), ({ free, session }) =>
          Effect.ensuring(Effect.zipRight(session.run(Table.migration(options.table), []), found(session)), free))
      ))

    const [server] = yield* answerOf("open", (session) => session.run(Table.version, []))
    if (!Table.isPostgres(server?.["version"] ?? "")) {
      return yield* fail("open", "the server is not PostgreSQL 13 or later: this store needs its advisory locks")
    }
    const name = (yield* answerOf("open", found)) ??
      (options.migrate
        ? yield* Effect.mapError(migrated, ({ words }) => new TokenStoreError({ operation: "open", description: `the table could not be made: ${words}` }))
        : undefined)
    if (name === undefined) {
      return yield* fail("open", `there is no table ${options.table}: let the store make it (\`migrate: true\`), or run the text of \`SqlTokenStore.migration\``)
    }
    const statements = Table.statements(name)
    yield* answerOf("open", (session) => session.run(statements.check, []))

    const writers = Writer.make({ sessions, statements, settings, statementTimeout })

    const locked = <A, E, R, B>(
      key: StoreKey,
      read: (row: string) => Lock.Read<B>,
      body: (lock: Lock.Lock<B>, row: string, restore: Restore) => Effect.Effect<A, E, R>
    ): Effect.Effect<A, E | TokenStoreError, R> =>
      Effect.gen(function*() {
        const row = yield* rowOf(key)
        const number = yield* numberOf(name, key)
        return yield* Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(
            locks.take(restore, number, read(row)).pipe(
              Effect.mapError(orFail("lock")),
              Effect.withSpan("SqlTokenStore.lock", { kind: "client", captureStackTrace: false })
            ),
            (lock) => Effect.ensuring(body(lock, row, restore), lock.free)
          )
        )
      })

    return {
      load: (key) =>
        Effect.gen(function*() {
          const row = yield* rowOf(key)
          const found = yield* answerOf("load", (session) =>
            Effect.map(session.run(statements.load, [row]), ([found]) =>
              Option.map(Option.fromNullable(found?.["entry"]), Redacted.make)))
          return yield* Effect.transposeMapOption(found, decode)
        }),
      withLock: (key, body) =>
        locked(
          key,
          (row) => (session) => writers.read(session, row, restartGrace),
          ({ found, session }, row, restore) =>
            Effect.gen(function*() {
              const stored = yield* Effect.transposeMapOption(found, ({ entry }) => decode(entry))
              const { close, save } = writers.open(session, row, found)
              return yield* Effect.ensuring(Effect.suspend(() => restore(body({ stored, save }))), close)
            })
        ),
      remove: (key) =>
        locked(key, () => () => Effect.succeedSome(undefined), ({ session }, row) =>
          Effect.asVoid(Effect.mapError(session.run(statements.remove, [row]), orFail("remove"))))
    }
  })
