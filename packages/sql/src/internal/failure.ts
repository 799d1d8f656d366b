/**
 * What went wrong in the database, in our own words. PostgreSQL's texts repeat
 * what they were given, whole rows among it, so only the code of an error is
 * looked at (PostgreSQL, Appendix A: Error Codes).
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"

export interface Failure {
  readonly _tag: "Failure"
  /** Nothing more can be done on this connection. */
  readonly isLost: boolean
  /** They go on from "The token store failed (load): ". */
  readonly words: string
}

export const failure = (words: string, isLost = false): Failure => ({ _tag: "Failure", isLost, words })

/** One statement reached another session than the next, or two of us have one session. */
export const pooled = failure("the pooler in front of the database (PgBouncer) must be in session mode")

const restarting = "the database is starting, stopping or restarting"
const rights = "see that the role may use the schema, and SELECT, INSERT, UPDATE and DELETE on the table"

const states: Readonly<Record<string, string>> = {
  "22021": "the database cannot store this text: its encoding must be UTF8",
  "22P05": "the database cannot store this text: its encoding must be UTF8",
  "25006": "the database is read-only: connect to the primary server, or end its read-only mode",
  "28000": "the database does not accept this user",
  "28P01": "the database does not accept the password of this user",
  "3D000": "there is no such database on the server",
  "3F000": "the schema of the table does not exist",
  "40001": "the database ended the transaction in favour of another one (serialization failure)",
  "40P01": "the database ended the transaction in favour of another one (deadlock)",
  "42501": `a right is missing: ${rights}`,
  "42703": "the table is not one of this store: a column is missing",
  "42804": "the table is not one of this store: a column has another type",
  "42883": "the table is not one of this store: a column has another type",
  "42P01": "the table is missing: let the store make it (`migrate: true`), or run the text of `SqlTokenStore.migration`",
  "53100": "the disk of the database is full",
  "53200": "the database is out of memory",
  "53300": "the server has no connection left: make the pools of its clients smaller, or raise max_connections",
  "55P03": "the table is locked by somebody else (lock_timeout)",
  "57014": "the database took too long, and the statement was cancelled (statement_timeout)",
  "57P01": restarting,
  "57P02": restarting,
  "57P03": restarting,
  "57P04": "the database has been dropped",
  "57P05": "the server ended the connection because it was idle (idle_session_timeout)"
}

const classes: Readonly<Record<string, string>> = {
  "08": "the connection to the database was lost",
  "53": "the database is out of resources",
  "57": "the database cancelled the statement",
  "58": "the database's machine had an error",
  XX: "the database found its own data damaged"
}

/** After these the server closes the connection. */
const isFatal = (state: string): boolean => /^(08|28|57P)|^53300$/.test(state)

/** The first code on the way down to the cause: PostgreSQL's, or the system's. */
const codeOf = (error: unknown, depth = 0): string | undefined => {
  if (depth > 4 || typeof error !== "object" || error === null) return undefined
  if (hasProperty(error, "code") && typeof error.code === "string" && /^[A-Z0-9_]{2,40}$/.test(error.code)) return error.code
  return hasProperty(error, "cause") ? codeOf(error.cause, depth + 1) : undefined
}

/** Every SQLSTATE in use has a digit; EPIPE, of as many characters, has none. */
const isState = (code: string): boolean => /^[0-9A-Z]{5}$/.test(code) && /[0-9]/.test(code)

export const fromCause = (cause: Cause.Cause<SqlError>): Failure => {
  const code = Option.match(Cause.failureOption(cause), { onNone: () => undefined, onSome: (error) => codeOf(error.cause) })
  if (code === undefined) return failure("the connection to the database was lost, or could not be made", true)
  if (!isState(code)) return failure(`the connection to the database was lost, or could not be made (${code})`, true)
  const words = states[code] ?? classes[code.slice(0, 2)] ?? "the database refused the statement"
  return failure(`${words} (SQLSTATE ${code})`, isFatal(code))
}
