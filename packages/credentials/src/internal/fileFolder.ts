/**
 * The folder of a file store and, in it, one folder for each key: who may write
 * there, what is there, and what the system says when it refuses.
 */
import { type PlatformError, SystemError } from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import { TokenStoreError } from "../CredentialsError.js"
import { sha256 } from "./sha256.js"

export interface Root {
  readonly fs: FileSystem.FileSystem
  readonly path: Path.Path
  /** Whether files have owners and modes, and folders can be flushed: everywhere but on Windows. */
  readonly posix: boolean
  /** Absolute, without symbolic links. */
  readonly folder: string
  /** Whose the files are that this process makes. */
  readonly owner: Option.Option<number>
}

type Operation = TokenStoreError["operation"]

export const fail = (operation: Operation, description: string): Effect.Effect<never, TokenStoreError> =>
  Effect.fail(new TokenStoreError({ operation, description }))

const reasons: Readonly<Record<string, string>> = {
  EACCES: "this process may not do that; look at the owner and the mode",
  EBUSY: "it is in use",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it exists already",
  EISDIR: "it is a folder",
  ERR_FS_EISDIR: "it is a folder",
  EIO: "the device reported an error",
  EMFILE: "this process has too many files open",
  ENAMETOOLONG: "the path is too long",
  ENFILE: "the system has too many files open",
  ENOENT: "it does not exist, or no longer",
  ENOSPC: "the disk is full",
  ENOSYS: "the file system cannot do that",
  ENOTDIR: "a part of the path is no folder",
  ENOTSUP: "the file system cannot do that",
  EOPNOTSUPP: "the file system cannot do that",
  EPERM: "the system does not permit it",
  EROFS: "the file system is read-only"
}

const codes: Readonly<Record<string, string>> = {
  AlreadyExists: "EEXIST",
  Busy: "EBUSY",
  NotFound: "ENOENT",
  PermissionDenied: "EACCES"
}

const codeOf = (error: SystemError): string | undefined =>
  hasProperty(error.cause, "code") && typeof error.cause.code === "string" && /^[A-Z][A-Z0-9_]*$/.test(error.cause.code)
    ? error.cause.code
    : codes[error.reason]

/** Why, in our own words: the system's text may repeat what it was given. */
const why = (error: PlatformError): string => {
  if (error._tag === "BadArgument") return "the system does not take this path"
  const code = codeOf(error)
  return `${(code === undefined ? undefined : reasons[code]) ?? "the system gave no known reason"} (${code ?? error.reason})`
}

/** `what` goes on from "The token store failed": "writing /a/file", for example. */
export const failed = (operation: Operation, what: string) => (error: PlatformError): TokenStoreError =>
  new TokenStoreError({ operation, description: `${what} failed: ${why(error)}` })

/** Hard links are what makes a file appear whole and once. */
export const linkFailed = (operation: Operation, file: string) => (error: PlatformError): TokenStoreError => {
  const code = error._tag === "SystemError" ? codeOf(error) : undefined
  const hint = code !== undefined && ["EACCES", "EMLINK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EPERM"].includes(code)
    ? "; this store needs a file system with hard links, such as ext4, XFS, APFS or NTFS: choose a folder on one"
    : ""
  return new TokenStoreError({ operation, description: `linking ${file} failed: ${why(error)}${hint}` })
}

export const isReason = (error: PlatformError, ...among: ReadonlyArray<SystemError["reason"]>): boolean =>
  error._tag === "SystemError" && among.includes(error.reason)

/** What speaks against using a folder or a file, and what to do about it. */
export const objection = (
  { owner, posix }: Pick<Root, "owner" | "posix">,
  info: FileSystem.File.Info,
  kind: "folder" | "file"
): Option.Option<string> => {
  if (info.type !== (kind === "folder" ? "Directory" : "File")) return Option.some(`is not a ${kind}`)
  if (!posix) return Option.none()
  if (Option.isSome(owner) && Option.isSome(info.uid) && owner.value !== info.uid.value) {
    return Option.some(
      `belongs to user ${info.uid.value}, while this process is user ${owner.value}: use a ${kind} of your own, or run as its owner`
    )
  }
  const mode = (info.mode & 0o7777).toString(8).padStart(4, "0")
  if (kind === "folder") {
    return (info.mode & 0o022) === 0 ? Option.none() : Option.some(`has mode ${mode}, so others can write to it: chmod 700 it`)
  }
  return (info.mode & 0o077) === 0 ? Option.none() : Option.some(
    `has mode ${mode}, so others can use it: chmod 600 it, and log in again if somebody may have read it`
  )
}

/**
 * Opens a file, and closes it again. Never interrupted: the system would go on
 * with what was begun, on a descriptor that by then may be another file's.
 */
export const withFile = <A>(
  { fs }: Pick<Root, "fs">,
  file: string,
  options: FileSystem.OpenFileOptions,
  use: (file: FileSystem.File) => Effect.Effect<A, PlatformError>
): Effect.Effect<A, PlatformError> =>
  Effect.uninterruptible(Effect.scoped(Effect.flatMap(fs.open(file, options), use))).pipe(
    // The platform dies where a file cannot be closed, which is when some systems say that the disk is full.
    Effect.catchAllDefect(() =>
      Effect.fail(new SystemError({ module: "FileSystem", method: "close", reason: "Unknown", pathOrDescriptor: file }))
    )
  )

/** Until then a power cut can take back what was made, linked or removed in the folder. */
export const sync = (root: Pick<Root, "fs" | "posix">, folder: string): Effect.Effect<void, PlatformError> =>
  root.posix ? withFile(root, folder, { flag: "r" }, (file) => file.sync) : Effect.void

/** Only for what is cleared away: what stays does no harm, and the next holder tries again. */
export const removeQuietly = ({ fs }: Pick<Root, "fs">, file: string): Effect.Effect<void> =>
  Effect.ignore(Effect.uninterruptible(fs.remove(file)))

const makePrivate = ({ fs }: Pick<Root, "fs">, folder: string): Effect.Effect<void, PlatformError> =>
  Effect.catchIf(
    fs.makeDirectory(folder, { mode: 0o700 }),
    (error) => isReason(error, "AlreadyExists"),
    () => Effect.void
  )

type Disk = Pick<Root, "fs" | "path" | "posix">

const makeRecursively = (disk: Disk, folder: string): Effect.Effect<void, PlatformError> =>
  Effect.flatMap(disk.fs.exists(folder), (exists) => {
    const parent = disk.path.dirname(folder)
    if (exists || parent === folder) return Effect.void
    return makeRecursively(disk, parent).pipe(
      Effect.zipRight(makePrivate(disk, folder)),
      // A parent may be one that this process can write to and not read.
      Effect.zipRight(Effect.ignore(sync(disk, parent)))
    )
  })

const isProbe = (name: string): boolean => name.startsWith("probe.")

/** Makes a file to learn whose it is, and whether the file system can do what the store needs. */
const probe = (disk: Disk, folder: string): Effect.Effect<FileSystem.File.Info, TokenStoreError> => {
  const file = disk.path.join(folder, `probe.${crypto.randomUUID()}`)
  const link = `${file}.link`
  return withFile(disk, file, { flag: "wx", mode: 0o600 }, (opened) => opened.stat).pipe(
    Effect.mapError(failed("open", `making a file in ${folder}`)),
    Effect.zipLeft(Effect.mapError(disk.fs.link(file, link), linkFailed("open", `a file in ${folder}`))),
    Effect.zipLeft(Effect.mapError(sync(disk, folder), failed("open", `flushing the folder ${folder}`))),
    Effect.ensuring(Effect.zipRight(removeQuietly(disk, link), removeQuietly(disk, file))),
    Effect.uninterruptible
  )
}

const modified = ({ mtime }: FileSystem.File.Info): number => Option.match(mtime, { onNone: () => NaN, onSome: Number })

/** The empty files of processes that were killed as they probed: by the file system's clock, an hour ago at least. */
const clearProbes = (disk: Disk, folder: string, now: number): Effect.Effect<void> =>
  disk.fs.readDirectory(folder).pipe(
    Effect.flatMap((names) =>
      Effect.forEach(names.filter(isProbe), (name) => {
        const file = disk.path.join(folder, name)
        return Effect.flatMap(disk.fs.stat(file), (left) =>
          modified(left) < now - 3_600_000 ? removeQuietly(disk, file) : Effect.void)
      }, { discard: true })
    ),
    Effect.ignore
  )

/** Makes the folder where there is none, and looks at it before anything is written to it. */
export const open = (disk: Disk, given: string): Effect.Effect<Root, TokenStoreError> =>
  Effect.gen(function*() {
    if (given === "") return yield* fail("open", "the folder has no name")
    const absolute = disk.path.resolve(given)
    yield* Effect.mapError(makeRecursively(disk, absolute), failed("open", `making the folder ${absolute}`))
    const folder = yield* Effect.mapError(disk.fs.realPath(absolute), failed("open", `finding the folder ${absolute}`))
    const info = yield* Effect.mapError(disk.fs.stat(folder), failed("open", `looking at the folder ${folder}`))
    const refuse = (why: Option.Option<string>) =>
      Option.isSome(why) ? fail("open", `${folder} ${why.value}`) : Effect.void
    yield* refuse(objection({ posix: disk.posix, owner: Option.none() }, info, "folder"))
    const made = yield* probe(disk, folder)
    if (disk.posix && (made.mode & 0o077) !== 0) {
      return yield* fail("open", `the file system of ${folder} does not keep the modes of files: choose a folder on another one`)
    }
    const root: Root = { ...disk, folder, owner: disk.posix ? made.uid : Option.none() }
    yield* refuse(objection(root, info, "folder"))
    yield* clearProbes(disk, folder, modified(made))
    return root
  })

/** The name is a hash, whatever text the key is. JSON writes what UTF-8 cannot: half of a surrogate pair. */
export const folderOf = ({ folder, path }: Root, key: string): Effect.Effect<string> =>
  Effect.map(sha256(JSON.stringify(key)), (hash) => path.join(folder, hash))

const look = (root: Root, operation: Operation, folder: string) =>
  Effect.asSome(root.fs.stat(folder)).pipe(
    Effect.catchIf((error) => isReason(error, "NotFound"), () => Effect.succeedNone),
    Effect.mapError(failed(operation, `looking at the folder ${folder}`))
  )

/** Whether the folder of a key is there. Fails where others can write to it, and where the folder around it is gone. */
export const exists = (root: Root, operation: Operation, folder: string): Effect.Effect<boolean, TokenStoreError> =>
  Effect.gen(function*() {
    const info = yield* look(root, operation, folder)
    if (Option.isSome(info)) {
      const why = objection(root, info.value, "folder")
      return Option.isNone(why) ? true : yield* fail(operation, `${folder} ${why.value}`)
    }
    if (Option.isSome(yield* look(root, operation, root.folder))) return false
    return yield* fail(operation, `the folder ${root.folder} is gone`)
  })

export const ensure = (root: Root, folder: string): Effect.Effect<void, TokenStoreError> =>
  Effect.flatMap(exists(root, "lock", folder), (there) =>
    there ? Effect.void : Effect.mapError(makePrivate(root, folder), failed("lock", `making the folder ${folder}`)))

/** What is in the folder of a key, by name; files of other names are nobody's business here. */
export interface Listing {
  /** Of the revisions of the entry. */
  readonly entries: ReadonlyArray<number>
  readonly locks: ReadonlyArray<number>
  /** Names of files that were, or are being, prepared. */
  readonly temporary: ReadonlyArray<string>
}

/** Of a fixed width, so that a person sees them in order. */
export const numbered = (kind: "entry" | "lock", number: number): string => `${kind}.${String(number).padStart(10, "0")}`

export const highest = (numbers: ReadonlyArray<number>): number => numbers.reduce((a, b) => Math.max(a, b), 0)

export const list = (root: Root, operation: Operation, folder: string): Effect.Effect<Listing, TokenStoreError> =>
  root.fs.readDirectory(folder).pipe(
    Effect.mapError(failed(operation, `listing the folder ${folder}`)),
    Effect.map((names) => {
      const numbers = (kind: string) =>
        names.flatMap((name) => {
          const number = new RegExp(`^${kind}\\.(\\d{10})$`).exec(name)?.[1]
          return number === undefined ? [] : [Number(number)]
        })
      return { entries: numbers("entry"), locks: numbers("lock"), temporary: names.filter((name) => name.startsWith("temporary.")) }
    })
  )
