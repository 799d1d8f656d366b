/**
 * Connections of the store's own, out of the program's pool.
 *
 * Each is reserved, so no statement is part of a transaction of the program, and
 * nothing that goes wrong with one reaches the pool: it is given back as it was,
 * or closed. `sql.reserve` of @effect/sql-pg cannot be interrupted without losing
 * the connection that comes, and cancels a statement by another connection, at
 * some later time: neither is left to happen here.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { claim, waitFor } from "./claim.js"
import { type Failure, failure, fromCause } from "./failure.js"

/** Every column is read as text, so that it does not depend on how the program has its types parsed. */
const Rows = Schema.Array(Schema.Record({ key: Schema.String, value: Schema.NullOr(Schema.String) }))

export type Row = Readonly<Record<string, string | null>>

export interface Session {
  /** One statement after the other; within a time limit, and not interrupted. */
  readonly run: (sql: string, parameters: ReadonlyArray<string | null>) => Effect.Effect<ReadonlyArray<Row>, Failure>
  readonly isLost: () => boolean
  /** The connection is not given back, but closed. */
  readonly giveUp: () => void
}

interface Reserved {
  readonly connection: Connection
  readonly giveBack: Effect.Effect<void>
}

interface Waiter {
  readonly called: Deferred.Deferred<void>
  came: Exit.Exit<Reserved, Failure> | undefined
}

export interface Sessions {
  /** Runs `use` with a connection of its own, which is given back or closed after it. */
  readonly use: <A>(use: (session: Session) => Effect.Effect<A, Failure>) => Effect.Effect<A, Failure>
  readonly open: Effect.Effect<OpenSession, Failure>
}

interface OpenSession extends Session {
  readonly close: Effect.Effect<void>
}

/** Requests that nobody waits for any more, some of which may never end: with more, the next one makes none of its own. */
const mostAbandoned = 16

/** In milliseconds: the server's own limit comes first, where there is a server. */
const slack = 1000

/** Of pg: with it the pool does not take the connection back, and the socket of a statement without an answer is destroyed. */
const endOf = (connection: Connection): (() => unknown) | undefined => {
  if (!hasProperty(connection, "pg")) return undefined
  const { pg } = connection
  return hasProperty(pg, "end") && typeof pg.end === "function" ? pg.end.bind(pg) : undefined
}

/** Times are in milliseconds. */
export const make = (sql: SqlClient, statementTimeout: number): Sessions => {
  const waiting = new Set<Waiter>()
  let requested = 0

  /** Whoever waited first gets it: one who gave up has left a request. */
  const arrived = (came: Exit.Exit<Reserved, Failure>): Effect.Effect<void> => {
    requested--
    const [next] = waiting
    if (next === undefined) return Exit.isSuccess(came) ? came.value.giveBack : Effect.void
    waiting.delete(next)
    next.came = came
    Deferred.unsafeDone(next.called, Exit.void)
    return Effect.void
  }

  const request = Effect.flatMap(Scope.make(), (scope) => {
    const giveBack = Effect.catchAllCause(Scope.close(scope, Exit.void), () => Effect.void)
    return Effect.flatMap(Effect.exit(Scope.extend(sql.reserve, scope)), (exit) =>
      Effect.suspend(() =>
        Exit.isSuccess(exit)
          ? arrived(Exit.succeed({ connection: exit.value, giveBack }))
          : Effect.zipRight(giveBack, Effect.suspend(() => arrived(Exit.fail(fromCause(exit.cause)))))
      ))
  })

  /** Not interrupted, as nothing here is. */
  const reserve: Effect.Effect<Reserved, Failure> = Effect.suspend(() => {
    const waiter: Waiter = { called: Deferred.unsafeMake(FiberId.none), came: undefined }
    waiting.add(waiter)
    const asks = requested < waiting.size + mostAbandoned
    if (asks) requested++
    return Effect.zipRight(asks ? Effect.forkDaemon(Effect.uninterruptible(request)) : Effect.void, waitFor((effect) => effect, statementTimeout, waiter.called)).pipe(
      Effect.zipRight(Effect.suspend(() => {
        waiting.delete(waiter)
        return waiter.came ?? Effect.fail(failure("no connection was had in time: either the pool is exhausted, or the server cannot be reached", true))
      }))
    )
  })

  const close = ({ connection }: Reserved): Effect.Effect<void> => {
    const end = endOf(connection)
    return end === undefined
      // Another driver: the server is asked to end the session, and the driver finds it ended.
      ? claim(
        (effect) => effect,
        statementTimeout,
        Effect.ignore(connection.execute("SELECT pg_terminate_backend(pg_backend_pid())", [], undefined)),
        () => Effect.void
      )
      // At once: the pool looks whether the connection has been ended when it gets it back.
      : Effect.ignore(Effect.try(() => void Promise.resolve(end()).catch(() => {})))
  }

  const open: Effect.Effect<OpenSession, Failure> = Effect.map(reserve, (reserved) => {
    const turn = Effect.unsafeMakeSemaphore(1)
    let isLost = false
    const lose = (failure: Failure): Failure => {
      isLost ||= failure.isLost
      return failure
    }
    const run: Session["run"] = (statement, parameters) =>
      Effect.suspend(() =>
        isLost
          ? Effect.fail(failure("the connection to the database was lost", true))
          : claim(
            (effect) => effect,
            statementTimeout + slack,
            reserved.connection.execute(statement, parameters, undefined).pipe(
              Effect.catchAllCause((cause) => Effect.fail(lose(fromCause(cause))))
            ),
            () => Effect.void
          ).pipe(
            Effect.flatMap(Option.match({
              onNone: () => Effect.fail(lose(failure("the database did not answer in time", true))),
              onSome: (rows) =>
                Effect.mapError(
                  Schema.decodeUnknown(Rows)(rows),
                  () => failure("the database answered with something else than rows of text")
                )
            }))
          )
      ).pipe(turn.withPermits(1), Effect.uninterruptible)
    return {
      run,
      isLost: () => isLost,
      giveUp: () => {
        isLost = true
      },
      close: Effect.suspend(() =>
        isLost ? Effect.zipRight(close(reserved), reserved.giveBack) : reserved.giveBack
      ).pipe(turn.withPermits(1), Effect.uninterruptible)
    }
  })

  return {
    open,
    use: (use) => Effect.acquireUseRelease(open, use, (session) => session.close)
  }
}

// -----------------------------------------------------------------------------
// Settings
// -----------------------------------------------------------------------------

export type Settings = Readonly<Record<string, string>>

/**
 * Those that this version of PostgreSQL does not have are passed over; a name with a dot in it is our own, and there as
 * soon as it is set. The columns of a row are computed from left to right.
 */
const set = `SELECT pg_backend_pid()::text AS session, name, current_setting(name, true) AS previous, set_config(name, value, false) AS present
FROM json_each_text($1::json) AS setting(name, value)
WHERE current_setting(name, true) IS NOT NULL OR name LIKE '%.%'`

/** Changes settings of the session, and answers with what they were. */
export const change = (session: Session, settings: Settings) =>
  Effect.map(session.run(set, [JSON.stringify(settings)]), (rows) => ({
    session: rows[0]?.["session"],
    previous: Object.fromEntries(rows.map(({ name, previous }) => [name ?? "", previous ?? ""]))
  }))

/** Runs a statement that puts something back. Where that fails, the program must not meet the connection again. */
export const putBack = (session: Session, sql: string, parameters: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Row>> =>
  Effect.catchAllCause(session.run(sql, parameters), () =>
    Effect.sync((): ReadonlyArray<Row> => {
      session.giveUp()
      return []
    }))

/** With other settings, which are put back before the connection is. */
export const withSettings = <A>(
  session: Session,
  settings: Settings,
  use: Effect.Effect<A, Failure>
): Effect.Effect<A, Failure> =>
  Effect.acquireUseRelease(
    change(session, settings),
    () => use,
    ({ previous }) => putBack(session, set, [JSON.stringify(previous)])
  )
