/**
 * A store in a folder between processes: some work side by side, some are killed
 * at the worst moment, one is stopped. Each child runs the built package.
 */
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Option } from "effect"
import { TokenStore } from "effect-credentials"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll } from "vitest"
import { generationOf } from "./utils/fileStore.js"
import { built } from "./utils/packaging.js"
import { assertEntry, entryOf } from "./utils/storeSuite.js"

const child = fileURLToPath(new URL("./utils/fileStoreChild.mjs", import.meta.url))

interface Told {
  readonly folder: string
  readonly task: "increment" | "renew" | "hold"
  readonly leaseDuration?: Duration.DurationInput
  readonly times?: number
  readonly killAt?: number
}

/** Killed, by its id, when the scope closes. */
const start = (told: Told) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const spawned = spawn(process.execPath, [child, JSON.stringify(told)], { stdio: ["pipe", "pipe", "pipe"] })
      let out = ""
      let changed = () => {}
      spawned.stdout.on("data", (data) => {
        out += data
        changed()
      })
      let errors = ""
      spawned.stderr.on("data", (data) => { errors += data })
      const ended = new Promise<{ readonly signal: NodeJS.Signals | null; readonly code: number | null }>((resolve) =>
        spawned.on("close", (code, signal) => {
          resolve({ code, signal })
          changed()
        })
      )
      return {
        signal: (signal: NodeJS.Signals) => Effect.sync(() => spawned.kill(signal)),
        tell: (line: string) => Effect.sync(() => spawned.stdin.write(`${line}\n`)),
        /** Whether it is asleep for good, by the system's own account. */
        isStopped: () => / T /.test(Fs.readFileSync(`/proc/${spawned.pid}/stat`, "utf8")),
        /** Its lines, once there are so many, or once it has ended. */
        lines: (count: number) =>
          Effect.async<ReadonlyArray<string>>((resume) => {
            const look = () => {
              const lines = out.split("\n").slice(0, -1)
              if (lines.length >= count || spawned.exitCode !== null) resume(Effect.succeed(lines))
              else changed = look
            }
            look()
          }),
        ended: Effect.promise(() => ended),
        errors: () => errors
      }
    }),
    ({ ended, signal }) => Effect.zipRight(signal("SIGKILL"), ended)
  )

const temporaryFolder = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()).pipe(
  Effect.map((folder) => Path.join(folder, "credentials")),
  Effect.provide(NodeContext.layer)
)

const open = (folder: string, leaseDuration: Duration.DurationInput) =>
  Layer.build(TokenStore.layerFile(folder, { leaseDuration })).pipe(
    Effect.map(Context.get(TokenStore.TokenStore)),
    Effect.provide(NodeContext.layer)
  )

const put = (store: TokenStore.TokenStore, generation: number) => store.withLock("key", ({ save }) => save(entryOf(generation)))

const filesOf = (folder: string) =>
  Fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => Path.basename(file)).sort()

beforeAll(() => built("credentials"), 120_000)

// Signals are not what they are elsewhere on Windows.
describe.skipIf(process.platform === "win32")("processes that share a folder", () => {
  it.scopedLive("take turns: nobody's save is lost", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const store = yield* open(folder, "20 seconds")
      yield* put(store, 1)
      const children = yield* Effect.all(Array.from({ length: 4 }, () => start({ folder, task: "increment", times: 25 })))
      for (const { ended, errors } of children) {
        assert.deepStrictEqual(yield* ended, { code: 0, signal: null }, errors())
      }
      assert.strictEqual(generationOf(yield* store.load("key")), 101)
      assert.lengthOf(filesOf(folder).filter((file) => file.startsWith("entry.")), 2)
      assert.lengthOf(filesOf(folder).filter((file) => file.startsWith("temporary.")), 0)
    }), 60_000)

  it.scopedLive("may be killed at any moment: the old entry or the new one is there, and the lock can be had", () =>
    Effect.gen(function*() {
      // Where a death cannot be seen, the lease has to pass each time.
      const seen = process.platform === "linux"
      const leaseDuration = seen ? "20 seconds" : "300 millis"
      const before = yield* temporaryFolder
      yield* put(yield* open(before, leaseDuration), 1)

      const renewKilledAt = (killAt: number) =>
        Effect.scoped(Effect.gen(function*() {
          const folder = yield* temporaryFolder
          Fs.cpSync(before, folder, { recursive: true })
          const { ended, errors, lines } = yield* start({ folder, task: "renew", leaseDuration, killAt })
          const { code, signal } = yield* ended
          const hint = `killed before operation ${killAt}: ${errors()}`
          const killed = signal === "SIGKILL"
          if (!killed) {
            assert.strictEqual(code, 0, hint)
            assert.isBelow(Number((yield* lines(1))[0]), killAt)
          }

          const store = yield* open(folder, leaseDuration)
          const left = yield* store.load("key")
          const generation = generationOf(left)
          const isMarked = Option.exists(left, ({ redeeming }) => Option.isSome(redeeming))
          const [taken, stored] = yield* Effect.timed(store.withLock("key", ({ save, stored }) => Effect.as(save(entryOf(3)), stored)))
          assert.isBelow(Duration.toMillis(taken), 10_000, hint)
          assertEntry(stored, Option.getOrThrow(left))
          assertEntry(yield* store.load("key"), entryOf(3))
          assert.lengthOf(filesOf(folder).filter((file) => file.startsWith("temporary.")), 0, hint)
          return { killed, state: `${generation}${isMarked ? " marked" : ""}` }
        }))

      const states: Array<string> = []
      for (let first = 1;; first += 3) {
        const results = yield* Effect.forEach([first, first + 1, first + 2], renewKilledAt, { concurrency: "unbounded" })
        states.push(...results.map(({ state }) => state))
        if (results.some(({ killed }) => !killed)) break
      }
      // In this order, and each of them for a while: old, being redeemed, new.
      assert.deepStrictEqual(states.filter((state, index) => state !== states[index - 1]), ["1", "1 marked", "2"])
      assert.isAtLeast(states.length, 40)
    }), 120_000)

  it.scopedLive("may be stopped past the lease: who goes on then does not overwrite what was saved meanwhile", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const leaseDuration = "800 millis"
      const store = yield* open(folder, leaseDuration)
      yield* put(store, 1)
      const stopped = yield* start({ folder, task: "hold", leaseDuration })
      assert.deepStrictEqual(yield* stopped.lines(1), ["held"], stopped.errors())

      // It beats: whoever waits for longer than its lease still waits.
      const early = yield* Effect.timeoutOption(put(store, 50), "2 seconds")
      assert.isTrue(Option.isNone(early), "the lock of a living holder was taken")

      yield* stopped.signal("SIGSTOP")
      yield* Effect.timeout(put(store, 2), "10 seconds")
      if (process.platform === "linux") assert.isTrue(stopped.isStopped())
      yield* stopped.signal("SIGCONT")
      yield* stopped.tell("save")
      const [, first, second] = yield* stopped.lines(3)
      assert.match(String(first), /^TokenStoreError: The token store failed \(save\): another holder of .* has saved since/)
      assert.strictEqual(second, "TokenStoreError")
      assert.deepStrictEqual(yield* stopped.ended, { code: 0, signal: null }, stopped.errors())

      assertEntry(yield* store.load("key"), entryOf(2))
      yield* put(store, 3)
      assertEntry(yield* store.load("key"), entryOf(3))
    }), 60_000)
})
