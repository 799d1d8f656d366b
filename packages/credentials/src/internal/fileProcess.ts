/**
 * Which process holds a lock, so that another one on the same machine can see
 * that it is dead. Linux only, through `/proc` (proc(5)): elsewhere nobody knows,
 * and the lease alone decides.
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { isReason } from "./fileFolder.js"

export const Identity = Schema.Struct({
  /** Of the kernel since it was started: a process id means nothing on another machine or after a restart. */
  boot: Schema.String,
  /** In which process ids are counted: each container has its own. */
  namespace: Schema.String,
  pid: Schema.Int,
  /** Clock ticks since the boot. Process ids are used again; a start time with one is not. */
  started: Schema.String
})

export interface Identity extends Schema.Schema.Type<typeof Identity> {}

interface Stat {
  readonly pid: number
  readonly state: string
  readonly started: string
}

/** `pid (name) state …`; the name may hold spaces and parentheses, so the fields are counted from the last one. */
export const parseStat = (text: string): Option.Option<Stat> => {
  const pid = /^(\d+) \(/.exec(text)?.[1]
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  const [state] = fields
  const started = fields[22 - 3]
  return pid === undefined || state === undefined || started === undefined || !/^\d+$/.test(started)
    ? Option.none()
    : Option.some({ pid: Number(pid), state, started })
}

const readStat = (fs: FileSystem.FileSystem, pid: number | "self"): Effect.Effect<Option.Option<Stat>, PlatformError> =>
  Effect.map(fs.readFileString(`/proc/${pid}/stat`), parseStat)

/** This process, or none where the system does not say, or says it in the process ids of another namespace. */
export const current = (fs: FileSystem.FileSystem): Effect.Effect<Option.Option<Identity>> =>
  Effect.gen(function*() {
    const boot = (yield* fs.readFileString("/proc/sys/kernel/random/boot_id")).trim()
    const namespace = yield* fs.readLink("/proc/self/ns/pid")
    const stat = yield* readStat(fs, "self")
    const ids = /^NSpid:(.*)$/m.exec(yield* fs.readFileString("/proc/self/status"))?.[1]?.trim().split(/\s+/)
    return Option.flatMap(stat, ({ pid, started }) =>
      ids?.length === 1 && ids[0] === String(pid) ? Option.some({ boot, namespace, pid, started }) : Option.none())
  }).pipe(Effect.orElseSucceed(() => Option.none()))

/**
 * Whether the process is known to be dead. Whoever cannot see process 1 is not
 * shown every process (`hidepid`), and concludes nothing from not seeing one.
 */
export const isDead = (
  fs: FileSystem.FileSystem,
  self: Option.Option<Identity>,
  that: Identity | null
): Effect.Effect<boolean> => {
  if (that === null || Option.isNone(self)) return Effect.succeed(false)
  if (that.boot !== self.value.boot || that.namespace !== self.value.namespace) return Effect.succeed(false)
  return readStat(fs, that.pid).pipe(
    Effect.map(Option.exists(({ started, state }) => started !== that.started || state === "Z" || state === "X")),
    Effect.catchIf((error) => isReason(error, "NotFound"), () => Effect.map(readStat(fs, 1), Option.isSome)),
    Effect.orElseSucceed(() => false)
  )
}
