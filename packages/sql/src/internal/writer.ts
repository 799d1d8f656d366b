/**
 * What the holder of a lock reads and saves.
 *
 * A save is one statement that changes nothing unless the row is as this holder
 * left it. That holds without the lock too, so a new generation is saved on
 * another connection when the one with the lock is lost: it may hold the only
 * copy of a refresh token. A mark is not, for nobody may use an entry up without
 * the lock.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { TokenStoreError } from "effect-credentials/CredentialsError"
import { Entry, type Held } from "effect-credentials/TokenStore"
import { claim } from "./claim.js"
import { type Failure, failure, pooled } from "./failure.js"
import { type Session, type Sessions, type Settings, withSettings } from "./session.js"
import type { Statements } from "./table.js"

export interface Options {
  readonly sessions: Sessions
  readonly statements: Statements
  readonly settings: Settings
  /** In milliseconds. */
  readonly statementTimeout: number
}

/** A row as it was read. */
interface Found {
  readonly lineage: string
  readonly revision: string
  readonly generation: number
  /** Out of sight: what is found ends a span. */
  readonly entry: Redacted.Redacted
}

interface Writer {
  readonly save: Held["save"]
  /** Nothing is saved any more. */
  readonly close: Effect.Effect<void>
}

export interface Writers {
  /** None where the lock has to be given back at once: its last holder lost it in a restart of the server, and may live. */
  readonly read: (session: Session, row: string, grace: number) => Effect.Effect<Option.Option<Option.Option<Found>>, Failure>
  readonly open: (session: Session, row: string, found: Option.Option<Found>) => Writer
}

const toText = Schema.encodeEither(Schema.parseJson(Entry))

const notSaved = (description: string) => new TokenStoreError({ operation: "save", description })

const overtaken = notSaved("another holder has saved or removed the entry since")

export const make = ({ sessions, settings, statements, statementTimeout }: Options): Writers => {
  /** The revisions of marks that were made here, by row: their holder is done, for here one waits for the other. */
  const marks = new Map<string, ReadonlyArray<string>>()

  const read: Writers["read"] = (session, row, grace) =>
    Effect.flatMap(session.run(statements.read, [row, String(grace)]), ([found]) => {
      const { entry, generation, has_lock, is_heeded, lineage, revision } = found ?? {}
      if (has_lock !== "true") return Effect.fail(pooled)
      if (entry == null || lineage == null || revision == null) return Effect.succeedSome(Option.none())
      if (is_heeded === "true" && !marks.get(row)?.includes(revision)) return Effect.succeedNone
      return Effect.succeedSome(Option.some({ entry: Redacted.make(entry), generation: Number(generation), lineage, revision }))
    })

  const open: Writers["open"] = (session, row, found) => {
    const turn = Effect.unsafeMakeSemaphore(1)
    const lineage = Option.match(found, { onNone: () => crypto.randomUUID() as string, onSome: ({ lineage }) => lineage })
    const foundText = Option.getOrUndefined(Option.map(found, ({ entry }) => Redacted.value(entry)))
    /** Whether the row is there, as far as is known. */
    let isThere = Option.isSome(found)
    /** What the holder knows to be stored: a save of which it had no answer may be done, and is repeated. */
    let generation = Option.match(found, { onNone: () => 0, onSome: ({ generation }) => generation })
    /** What the row may be at by this holder's doing; more than one after a save without an answer. */
    let revisions: ReadonlyArray<string> = Option.match(found, { onNone: () => [], onSome: ({ revision }) => [revision] })
    let isClosed = false

    const write = (entry: Entry, text: string): Effect.Effect<void, TokenStoreError> =>
      Effect.suspend(() => {
        if (isClosed) return Effect.fail(notSaved("the lock has been given back"))
        const raises = entry.generation > generation
        // What is put back as it was found is none any more. Encrypted, it is another text, and stays one.
        const isMark = entry.generation === generation && text !== foundText
        const revision = crypto.randomUUID()
        // With its own: what is sent a second time may have been done the first time.
        revisions = [...revisions, revision]
        if (isMark) marks.set(row, revisions)
        const parameters = [
          row,
          lineage,
          revision,
          String(entry.generation),
          text,
          String(isMark),
          JSON.stringify(revisions),
          String(generation)
        ]
        const statement = isThere ? statements.update : statements.insert
        return session.run(statement, parameters).pipe(
          Effect.catchIf(() => session.isLost(), (lost) =>
            raises
              ? sessions.use((other) => withSettings(other, settings, other.run(statement, parameters)))
              : Effect.fail(failure(`the lock was lost with its connection: ${lost.words}`, true))),
          Effect.mapError(({ words }) => notSaved(words)),
          Effect.filterOrFail((rows) => rows.length > 0, () => overtaken),
          Effect.map(() => {
            isThere = true
            revisions = [revision]
            if (!isMark) marks.delete(row)
          })
        )
      })

    return {
      save: (entry) =>
        Effect.flatMap(
          // The schema's own error shows values.
          Either.mapLeft(toText(entry), () => notSaved("the entry has a value that cannot be stored")),
          (text) =>
            Effect.uninterruptibleMask((restore) =>
              claim(restore, 2 * statementTimeout, turn.withPermits(1)(write(entry, text)), () => Effect.void)
            )
        ).pipe(
          Effect.flatMap((answer) =>
            Effect.suspend(() => {
              if (Option.isNone(answer)) return Effect.fail(notSaved("the database did not answer in time"))
              generation = entry.generation
              return Effect.void
            })
          ),
          Effect.withSpan("SqlTokenStore.save", { kind: "client", captureStackTrace: false })
        ),
      close: Effect.sync(() => {
        isClosed = true
      })
    }
  }

  return { read, open }
}
