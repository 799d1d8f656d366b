/**
 * A lock in a folder that works between processes. Its files are numbered, the
 * highest number says who holds it, and numbers are never used again, so that
 * a process which was stopped for an hour finds out that it is behind.
 *
 * An empty file is a free lock. A holder writes to its file through the handle
 * that it has had from the beginning, and so can touch nobody else's.
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { TokenStoreError } from "../CredentialsError.js"
import * as Folder from "./fileFolder.js"
import * as Process from "./fileProcess.js"

const Holder = Schema.parseJson(Schema.Struct({
  format: Schema.Literal("effect-credentials/lock/1"),
  holder: Schema.String,
  /** In milliseconds. Without a beat for that long, the holder has lost the lock. */
  lease: Schema.Positive,
  process: Schema.NullOr(Process.Identity),
  /** Changes while the holder lives. */
  beat: Schema.Int
}))

export interface Options {
  readonly root: Folder.Root
  readonly folder: string
  /** In milliseconds. */
  readonly lease: number
  readonly self: Option.Option<Process.Identity>
}

export interface Lock {
  /** Who holds it: a name of this one hold. */
  readonly holder: string
  /** Never fails: a lock that could not be given back is free when its lease has run out. */
  readonly release: Effect.Effect<void>
}

// -----------------------------------------------------------------------------
// Holding
// -----------------------------------------------------------------------------

/** All beats are of one length, so that one replaces another without a moment in which the file is empty. */
const text = ({ lease, self }: Options, holder: string, beat: number): Uint8Array =>
  new TextEncoder().encode(
    Schema.encodeSync(Holder)({
      format: "effect-credentials/lock/1",
      holder,
      lease,
      process: Option.getOrNull(self),
      beat: 1_000_000_000 + beat
    })
  )

const write = (file: FileSystem.File, content: Uint8Array): Effect.Effect<void, PlatformError> =>
  file.seek(0, "start").pipe(Effect.zipRight(file.writeAll(content)), Effect.zipRight(file.sync), Effect.uninterruptible)

/** A beat that fails is one that is missing; the next may work again. */
const beating = (options: Options, file: FileSystem.File, holder: string, beat = 1): Effect.Effect<never> =>
  Effect.sleep(options.lease / 4).pipe(
    Effect.zipRight(Effect.ignore(write(file, text(options, holder, beat)))),
    Effect.zipRight(Effect.suspend(() => beating(options, file, holder, beat + 1)))
  )

/** Tries to be the holder with this number; none where somebody else was faster. */
const take = (options: Options, number: number): Effect.Effect<Option.Option<Lock>, TokenStoreError> =>
  Effect.gen(function*() {
    const { folder, root } = options
    const at = (name: string) => root.path.join(folder, name)
    const holder = crypto.randomUUID()
    const prepared = at(`temporary.lock.${holder}`)
    const name = at(Folder.numbered("lock", number))
    const scope = yield* Scope.make()
    const close = Effect.catchAllCause(Scope.close(scope, Exit.void), () => Effect.void)
    const free = (file: FileSystem.File) =>
      file.truncate().pipe(Effect.retry({ times: 2 }), Effect.catchAllCause(() => Effect.void))

    const link = Effect.as(root.fs.link(prepared, name), true).pipe(
      // A new holder clears away what was prepared by those who lost.
      Effect.catchIf((error) => Folder.isReason(error, "AlreadyExists", "NotFound"), () => Effect.succeed(false)),
      Effect.mapError(Folder.linkFailed("lock", name))
    )
    const takeWith = (file: FileSystem.File) =>
      Effect.gen(function*() {
        yield* Effect.mapError(write(file, text(options, holder, 0)), Folder.failed("lock", `writing ${prepared}`))
        if (!(yield* link)) return Option.none()
        const { locks, temporary } = yield* Folder.list(root, "lock", folder)
        if (Folder.highest(locks) !== number) {
          // The number had been had, and cleared away, before we came to it.
          yield* Folder.removeQuietly(root, name)
          return Option.none()
        }
        // The one before ours stays: whoever lists the folder at this moment must find one of the two.
        const old = locks.filter((other) => other < number - 1).map((other) => Folder.numbered("lock", other))
        yield* Effect.forEach([...temporary, ...old], (each) => Folder.removeQuietly(root, at(each)), { discard: true })
        const beats = yield* Effect.forkDaemon(Effect.interruptible(beating(options, file, holder)))
        const release = Fiber.interrupt(beats).pipe(Effect.zipRight(free(file)), Effect.zipRight(close), Effect.uninterruptible)
        return Option.some({ holder, release })
      }).pipe(Effect.onError(() => free(file)))

    return yield* root.fs.open(prepared, { flag: "wx", mode: 0o600 }).pipe(
      Scope.extend(scope),
      Effect.mapError(Folder.failed("lock", `making ${prepared}`)),
      Effect.flatMap(takeWith),
      Effect.onExit((exit) => Exit.isSuccess(exit) && Option.isSome(exit.value) ? Effect.void : close),
      Effect.ensuring(Folder.removeQuietly(root, prepared))
    )
  }).pipe(Effect.uninterruptible)

// -----------------------------------------------------------------------------
// Waiting
// -----------------------------------------------------------------------------

/** What a waiter has seen of a holder, and for how long it has not changed. */
interface Watched {
  readonly number: number
  /** Undefined where there was nothing to read: the lock changed hands as we looked. */
  readonly text: string | undefined
  /** In milliseconds. Of sleep, not by a clock: hours in which the machine was asleep do not count. */
  readonly unchanged: number
}

const shortest = 25
const longest = 250

/** Waits for the lock, as interruptible as `restore` makes it. */
export const acquire = (
  options: Options,
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.Effect<Lock, TokenStoreError> =>
  Effect.gen(function*() {
    const { folder, lease, root, self } = options

    const read = (number: number): Effect.Effect<string | undefined, TokenStoreError> => {
      // Nobody has ever held it.
      if (number === 0) return Effect.succeed("")
      const name = root.path.join(folder, Folder.numbered("lock", number))
      return root.fs.readFileString(name).pipe(
        Effect.catchIf((error) => Folder.isReason(error, "NotFound"), () => Effect.succeed(undefined)),
        Effect.mapError(Folder.failed("lock", `reading ${name}`))
      )
    }

    const isFree = ({ text, unchanged }: Watched): Effect.Effect<boolean> => {
      if (text === "") return Effect.succeed(true)
      const holder = text === undefined ? Option.none() : Schema.decodeOption(Holder)(text)
      // What nobody can read is given our own lease; a holder, the one that it counts on.
      if (Option.isNone(holder)) return Effect.succeed(unchanged >= lease)
      if (unchanged >= Math.max(lease, holder.value.lease)) return Effect.succeed(true)
      return Process.isDead(root.fs, self, holder.value.process)
    }

    const look = Effect.gen(function*() {
      const number = Folder.highest((yield* Folder.list(root, "lock", folder)).locks)
      return { number, text: yield* read(number) }
    })

    let watched: Watched = { number: 0, text: undefined, unchanged: 0 }
    let delay = shortest
    for (;;) {
      const { number, text } = yield* restore(look)
      // A lock that changes hands is worth looking at more often.
      if (watched.number !== number) delay = shortest
      if (watched.number !== number || watched.text !== text) watched = { number, text, unchanged: 0 }
      if (yield* restore(isFree(watched))) {
        const taken = yield* take(options, number + 1)
        if (Option.isSome(taken)) return taken.value
      } else {
        const pause = Math.round(delay * (yield* Random.nextRange(0.8, 1.2)))
        yield* restore(Effect.sleep(pause))
        watched = { ...watched, unchanged: watched.unchanged + pause }
        delay = Math.min(longest, delay * 1.5)
      }
    }
  })
