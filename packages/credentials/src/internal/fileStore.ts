/**
 * A store in a folder: a lock and a row of revisions for each key.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { TokenStoreError } from "../CredentialsError.js"
import type { TokenStore } from "../TokenStore.js"
import * as Folder from "./fileFolder.js"
import * as Lock from "./fileLock.js"
import * as Process from "./fileProcess.js"
import * as Revision from "./fileRevision.js"

/** Fibers of one process wait for each other here, and do not poll. */
const makeQueues = () => {
  const queues = new Map<string, { readonly turn: Effect.Semaphore; waiting: number }>()
  return (name: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const queue = queues.get(name) ?? { turn: Effect.unsafeMakeSemaphore(1), waiting: 0 }
        queue.waiting++
        queues.set(name, queue)
        return queue
      }),
      ({ turn }) => turn.withPermits(1)(effect),
      (queue) =>
        Effect.sync(() => {
          if (--queue.waiting === 0) queues.delete(name)
        })
    )
}

export const make = (
  given: string,
  options: { readonly leaseDuration?: Duration.DurationInput | undefined } = {}
): Effect.Effect<TokenStore, TokenStoreError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const lease = Duration.toMillis(options.leaseDuration ?? "20 seconds")
    if (!(lease > 0 && Number.isFinite(lease))) return yield* Folder.fail("open", "leaseDuration is not a time that ends")
    const posix = path.sep === "/"
    const root = yield* Folder.open({ fs, path, posix }, given)
    const self = posix ? yield* Process.current(fs) : Option.none()
    const queued = makeQueues()

    const locked = <A, E, R>(folder: string, body: (lock: Lock.Lock) => Effect.Effect<A, E, R>) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.acquireUseRelease(
          Lock.acquire({ root, folder, lease, self }, restore),
          (lock) => restore(body(lock)),
          ({ release }) => release
        )
      ).pipe(queued(folder))

    return {
      load: (key) =>
        Effect.gen(function*() {
          const folder = yield* Folder.folderOf(root, key)
          if (!(yield* Folder.exists(root, "load", folder))) return Option.none()
          return (yield* Revision.read(root, folder)).entry
        }),
      withLock: (key, body) =>
        Effect.gen(function*() {
          const folder = yield* Folder.folderOf(root, key)
          yield* Folder.ensure(root, folder)
          return yield* locked(folder, ({ holder }) =>
            Effect.flatMap(Revision.read(root, folder), ({ entry, revision }) => {
              const writer = Revision.writer(root, folder, holder, revision)
              return Effect.ensuring(
                body({ stored: entry, save: (entry) => writer.write("save", Option.some(entry)) }),
                writer.close
              )
            }))
        }),
      remove: (key) =>
        Effect.gen(function*() {
          const folder = yield* Folder.folderOf(root, key)
          if (!(yield* Folder.exists(root, "remove", folder))) return
          yield* locked(folder, ({ holder }) =>
            Effect.flatMap(Folder.list(root, "remove", folder), ({ entries }) => {
              const revision = Folder.highest(entries)
              return revision === 0
                ? Effect.void
                : Revision.writer(root, folder, holder, revision).write("remove", Option.none())
            }))
        })
    }
  })
