/**
 * The entry of one key, as files that are written once and never changed: each
 * save makes the next revision, and the highest is the entry. Where a revision
 * exists already it cannot be made, so that of two who build on the same entry
 * one finds out.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { TokenStoreError } from "../CredentialsError.js"
import type { Entry } from "../TokenStore.js"
import * as Folder from "./fileFolder.js"
import * as StoredEntry from "./storedEntry.js"

const format = "effect-credentials/entry/1"

/** Far more than any token takes. */
const largest = 1024 * 1024

const Marked = Schema.parseJson(Schema.Struct({ format: Schema.String }))

const Revision = Schema.parseJson(Schema.Struct({
  format: Schema.Literal(format),
  /** The hash of the key, which is the folder's name: another login's file is refused. */
  key: Schema.String,
  /** Which hold of the lock wrote it. */
  holder: Schema.String,
  /** Null where the entry was removed: the numbers go on. */
  entry: Schema.NullOr(StoredEntry.Entry)
}))

const nameOf = (revision: number): string => Folder.numbered("entry", revision)

// -----------------------------------------------------------------------------
// Reading
// -----------------------------------------------------------------------------

/** The entry, and on which revision whoever replaces it builds; 0 where there is none. */
export interface Current {
  readonly revision: number
  readonly entry: Option.Option<Entry>
}

/** None of the file's content is in it. */
const spoiled = (root: Folder.Root, folder: string, entries: ReadonlyArray<number>, revision: number, why: string) => {
  const before = Folder.highest(entries.filter((other) => other < revision))
  const hint = before === 0
    ? ""
    : `; the revision before it is ${nameOf(before)}, whose refresh token may have been used since`
  return Folder.fail(
    "load",
    `${root.path.join(folder, nameOf(revision))} ${why}. Nothing was changed. ` +
      `Restore or move the file away, or remove this login and log in again${hint}`
  )
}

/** Why a text is no revision. */
const objection = (text: string): string => {
  const marked = Schema.decodeOption(Marked)(text)
  if (Option.isNone(marked)) return "is damaged, or was written by another program"
  return marked.value.format === format ? "is damaged" : "was written by another program, or by a later version of this one"
}

const decode = (root: Folder.Root, folder: string, text: string): Option.Option<Current["entry"]> =>
  Schema.decodeOption(Revision)(text).pipe(
    Option.filter(({ key }) => key === root.path.basename(folder)),
    Option.map(({ entry }) => Option.fromNullable(entry))
  )

/** None where the file is gone, which is so where it was replaced twice since it was listed. */
const readRevision = (
  root: Folder.Root,
  folder: string,
  entries: ReadonlyArray<number>,
  revision: number
): Effect.Effect<Option.Option<Current>, TokenStoreError> => {
  const file = root.path.join(folder, nameOf(revision))
  const refuse = (why: string) => spoiled(root, folder, entries, revision, why)
  const ifThere = <A>(effect: Effect.Effect<A, PlatformError>) =>
    Effect.asSome(effect).pipe(
      Effect.catchIf((error) => Folder.isReason(error, "NotFound"), () => Effect.succeedNone),
      Effect.mapError(Folder.failed("load", `reading ${file}`))
    )
  return Effect.gen(function*() {
    if (yield* Effect.isSuccess(root.fs.readLink(file))) return yield* refuse("is a symbolic link")
    const info = yield* ifThere(root.fs.stat(file))
    if (Option.isNone(info)) return Option.none()
    const why = Folder.objection(root, info.value, "file")
    if (Option.isSome(why)) return yield* refuse(why.value)
    if (info.value.size > largest) return yield* refuse("is larger than any entry")
    const text = yield* ifThere(root.fs.readFileString(file))
    if (Option.isNone(text)) return Option.none()
    const entry = decode(root, folder, text.value)
    return Option.isSome(entry) ? Option.some({ revision, entry: entry.value }) : yield* refuse(objection(text.value))
  })
}

/** The highest revision, and never an older one instead: its refresh token has been used. */
export const read = (root: Folder.Root, folder: string): Effect.Effect<Current, TokenStoreError> =>
  Effect.gen(function*() {
    let missing = 0
    for (;;) {
      const { entries } = yield* Folder.list(root, "load", folder)
      const revision = Folder.highest(entries)
      if (revision === 0) return { revision, entry: Option.none() }
      const found = yield* readRevision(root, folder, entries, revision)
      if (Option.isSome(found)) return found.value
      if (revision === missing) return yield* spoiled(root, folder, entries, revision, "is listed and cannot be found")
      missing = revision
    }
  })

// -----------------------------------------------------------------------------
// Writing
// -----------------------------------------------------------------------------

/** Of one hold of the lock. */
export interface Writer {
  /** Durable when it returns. None is what `remove` leaves. Not interruptible once it has begun. */
  readonly write: (operation: "save" | "remove", entry: Option.Option<Entry>) => Effect.Effect<void, TokenStoreError>
  /** From now on nothing can be written. */
  readonly close: Effect.Effect<void>
}

export const writer = (root: Folder.Root, folder: string, holder: string, base: number): Writer => {
  const { fs, path } = root
  const at = (name: string) => path.join(folder, name)
  const oneAtATime = Effect.unsafeMakeSemaphore(1)
  let closed = false
  let next = base + 1
  let prepared = 0

  // However often it is tried again: nobody counts past the highest revision, which exists.
  const behind = (operation: "save" | "remove") =>
    Folder.fail(operation, `another holder of ${folder} has saved since this one had the lock; nothing was overwritten`)

  const encode = (operation: "save" | "remove", entry: Option.Option<Entry>) =>
    Schema.encodeOption(Revision)({ format, key: path.basename(folder), holder, entry: Option.getOrNull(entry) }).pipe(
      Option.map((text) => new TextEncoder().encode(text)),
      Option.filter((bytes) => bytes.length <= largest),
      Option.match({
        onNone: () => Folder.fail(operation, "the entry is not one that could be read again"),
        onSome: Effect.succeed
      })
    )

  /** A revision of this hold was linked by a save that did not learn of it. */
  const isOurs = (revision: number) =>
    Effect.map(Effect.option(fs.readFileString(at(nameOf(revision)))), (text) =>
      Option.exists(Option.flatMap(text, Schema.decodeOption(Revision)), (found) => found.holder === holder))

  const prepare = (operation: "save" | "remove", bytes: Uint8Array) =>
    Effect.suspend(() => {
      const name = at(`temporary.entry.${holder}.${++prepared}`)
      return Folder.withFile(root, name, { flag: "wx", mode: 0o600 }, (file) => Effect.zipRight(file.writeAll(bytes), file.sync)).pipe(
        Effect.mapError(Folder.failed(operation, `writing ${name}`)),
        Effect.onError(() => Folder.removeQuietly(root, name)),
        Effect.as(name)
      )
    })

  type Linked = "linked" | "taken" | "cleared"

  const link = (operation: "save" | "remove", name: string, revision: number): Effect.Effect<Linked, TokenStoreError> =>
    Effect.as(fs.link(name, at(nameOf(revision))), "linked" as const).pipe(
      Effect.catchIf((error) => Folder.isReason(error, "AlreadyExists"), () => Effect.succeed("taken" as const)),
      Effect.catchIf((error) => Folder.isReason(error, "NotFound"), () => Effect.succeed("cleared" as const)),
      Effect.mapError(Folder.linkFailed(operation, at(nameOf(revision))))
    )

  /** Makes the next revision, and says which one that is. */
  const publish = (operation: "save" | "remove", bytes: Uint8Array, attempt = 1): Effect.Effect<number, TokenStoreError> =>
    Effect.gen(function*() {
      const name = yield* prepare(operation, bytes)
      const linked = yield* Effect.ensuring(link(operation, name, next), Folder.removeQuietly(root, name))
      if (linked === "linked") return next++
      if (linked === "taken") {
        if (!(yield* isOurs(next))) return yield* behind(operation)
        next++
        return yield* publish(operation, bytes, attempt)
      }
      // Whoever took the lock over cleared our file away, and may not have saved yet.
      if (attempt < 3) return yield* publish(operation, bytes, attempt + 1)
      return yield* Folder.fail(operation, `${name} was removed by somebody else`)
    })

  const clearAway = (operation: "save" | "remove", old: ReadonlyArray<number>) =>
    Effect.forEach(old, (revision) => {
      const file = at(nameOf(revision))
      if (operation === "save") return Folder.removeQuietly(root, file)
      return fs.remove(file).pipe(
        Effect.catchIf((error) => Folder.isReason(error, "NotFound"), () => Effect.void),
        Effect.mapError(Folder.failed(operation, `the login is forgotten, but deleting ${file}`))
      )
    }, { discard: true })

  const write: Writer["write"] = (operation, entry) =>
    Effect.gen(function*() {
      if (closed) return yield* Folder.fail(operation, "the lock has been given back")
      const bytes = yield* encode(operation, entry)
      const flush = (each: string) => Effect.mapError(Folder.sync(root, each), Folder.failed(operation, `flushing the folder ${each}`))
      // The folder of the key may be new itself.
      if (base === 0) yield* flush(root.folder)
      const revision = yield* publish(operation, bytes)
      const { entries } = yield* Folder.list(root, operation, folder)
      if (Folder.highest(entries) !== revision) {
        // The number had been used, and cleared away, before we came to it.
        yield* Folder.removeQuietly(root, at(nameOf(revision)))
        return yield* behind(operation)
      }
      yield* flush(folder)
      // The revision before stays, except where the entry is to be forgotten.
      const kept = operation === "save" ? revision - 1 : revision
      yield* clearAway(operation, entries.filter((other) => other < kept))
      if (operation === "remove") yield* flush(folder)
    }).pipe(Effect.uninterruptible, oneAtATime.withPermits(1))

  return { write, close: Effect.sync(() => { closed = true }) }
}
