/**
 * The lock of a key: an advisory lock of PostgreSQL, held by a session of its
 * own, so it is free when that session ends, however its process does.
 *
 * It is tried again and again, and not waited for in the server: who waits has
 * no connection, can leave at any moment, and learns of a dead server within one
 * statement.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { claim, type Restore } from "./claim.js"
import { type Failure, failure, pooled } from "./failure.js"
import * as Line from "./line.js"
import { change, putBack, type Session, type Sessions, type Settings } from "./session.js"
import * as Table from "./table.js"

export interface Lock<A> {
  readonly session: Session
  /** What was read as soon as the lock was had. */
  readonly found: A
  readonly free: Effect.Effect<void>
}

/** What is looked at first by whoever has the lock; none where it has to be given back, and tried again later. */
export type Read<A> = (session: Session) => Effect.Effect<Option.Option<A>, Failure>

export interface Locks {
  /** Takes the lock with this number. The wait is as interruptible as `restore` makes it. */
  readonly take: <A>(restore: Restore, number: string, read: Read<A>) => Effect.Effect<Lock<A>, Failure>
}

export interface Options {
  readonly sessions: Sessions
  /** In milliseconds, as the next. */
  readonly lockTimeout: number
  readonly statementTimeout: number
  readonly maxLocks: number
}

const shortest = 20
const longest = 250

const tooLate = failure("another holder has kept the lock for too long")
const tooMany = failure("too many locks are in use in this process (`maxLocks`)")
/** For a session that waits while its holder calls the token endpoint. */
const settingsOf = (statementTimeout: number): Settings => ({
  statement_timeout: String(statementTimeout),
  idle_session_timeout: "0",
  // A machine that is gone without a word is noticed in 25 seconds, and not, as Linux has it, in two hours.
  tcp_keepalives_idle: "10",
  tcp_keepalives_interval: "5",
  tcp_keepalives_count: "3",
  // The same where its last answer was not confirmed: then keep-alive does not begin, and Linux tries for 15 minutes.
  tcp_user_timeout: "25000",
  [Table.lockSetting]: "held"
})

export const make = ({ lockTimeout, maxLocks, sessions, statementTimeout }: Options): Locks => {
  const keys = Line.makeLines()
  /** So that others still find a connection in the pool. */
  const places = Line.make(maxLocks)
  const settings = settingsOf(statementTimeout)

  /** Tries once, with a place that was had for it. */
  const attempt = <A>(number: string, read: Read<A>): Effect.Effect<Option.Option<Lock<A>>, Failure> =>
    Effect.gen(function*() {
      const session = yield* Effect.onError(sessions.open, () => places.give)
      const close = Effect.zipRight(session.close, places.give)
      const [answer] = yield* Effect.onError(session.run(Table.takeLock, [number]), () => {
        // Without its answer nobody knows whether it has the lock.
        session.giveUp()
        return close
      })
      if (answer?.["is_had"] !== "true") return yield* Effect.as(close, Option.none())
      let previous: Settings = {}
      const free = Effect.suspend(() => putBack(session, Table.freeLock, [number, JSON.stringify(previous)])).pipe(
        Effect.map(([answer]) => {
          if (answer?.["was_had"] !== "true") session.giveUp()
        }),
        Effect.zipRight(close)
      )
      return yield* Effect.gen(function*() {
        const changed = yield* change(session, settings)
        previous = changed.previous
        if (changed.session !== answer["session"] || previous[Table.lockSetting] !== "") return yield* Effect.fail(pooled)
        const found = yield* read(session)
        if (Option.isNone(found)) yield* free
        return Option.map(found, (found) => ({ session, found, free }))
      }).pipe(Effect.onError(() => free))
    })

  const poll = <A>(restore: Restore, until: number, number: string, read: Read<A>): Effect.Effect<Lock<A>, Failure> =>
    Effect.gen(function*() {
      const left = Effect.map(Clock.currentTimeMillis, (now) => until - now)
      for (let pause = shortest;; pause = Math.min(longest, pause * 1.5)) {
        if (!(yield* places.take(restore, yield* left))) return yield* Effect.fail(tooMany)
        const tried = yield* claim(restore, 2 * statementTimeout, attempt(number, read), (late) =>
          Option.match(late, { onNone: () => Effect.void, onSome: ({ free }) => free }))
        if (Option.isNone(tried)) return yield* Effect.fail(failure("the database did not answer in time"))
        if (Option.isSome(tried.value)) return tried.value.value
        const rest = Math.round(pause * (yield* Random.nextRange(0.8, 1.2)))
        if ((yield* left) < rest) return yield* Effect.fail(tooLate)
        yield* restore(Effect.sleep(rest))
      }
    })

  return {
    take: (restore, number, read) =>
      Effect.gen(function*() {
        const until = (yield* Clock.currentTimeMillis) + lockTimeout
        if (!(yield* keys.take(number, restore, lockTimeout))) return yield* Effect.fail(tooLate)
        const lock = yield* Effect.onError(poll(restore, until, number, read), () => keys.give(number))
        return { ...lock, free: Effect.zipRight(lock.free, keys.give(number)) }
      }).pipe(Effect.uninterruptible)
  }
}
