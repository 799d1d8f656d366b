import { assert, describe, it } from "@effect/vitest"
import type { Scope } from "effect"
import { Deferred, Duration, Effect, Exit, Fiber, Option } from "effect"
import { CredentialsError, type TokenStore } from "effect-credentials"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { parseStat } from "../src/internal/fileProcess.js"
import { assertNoCanary, canaries } from "./utils/canaries.js"
import { failing, type Fixture, fixture, generationOf, systemError } from "./utils/fileStore.js"
import type { Around } from "./utils/fileSystemHooks.mjs"
import { assertEntry, assertNone, entryOf, fullEntry, increment, marked } from "./utils/storeSuite.js"

const put = (store: TokenStore.TokenStore, generation: number) => store.withLock("key", ({ save }) => save(entryOf(generation)))

/** What the store says when it will not, checked for what no error may show. */
const refusal = (effect: Effect.Effect<unknown, unknown, Scope.Scope>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.instanceOf(error, CredentialsError.TokenStoreError)
    assertNoCanary("the error", error)
    return error
  })

const soon = Effect.timeoutFail({ duration: "5 seconds", onTimeout: () => new Error("It had to wait") })

const isRoot = process.getuid?.() === 0
const posix = process.platform !== "win32"
const makePipe = "mkfifo"

describe.skipIf(!posix)("the folder of a store", () => {
  it.scopedLive("is made with the folders around it, for its owner alone, and names neither key nor secret", () =>
    Effect.gen(function*() {
      const { folder, keyFolder, mode, names, open, parent, at } = yield* fixture
      const deep = Path.join(parent, "a", "b")
      yield* open({ folder: deep })
      assert.deepStrictEqual([mode(Path.join(parent, "a")), mode(deep)], ["700", "700"])
      const store = yield* open()
      assert.deepStrictEqual(Fs.readdirSync(folder), [])
      yield* put(store, 1)
      assert.match(Path.basename(keyFolder()), /^[0-9a-f]{64}$/)
      assert.deepStrictEqual([mode(folder), mode(keyFolder())], ["700", "700"])
      assert.deepStrictEqual(names(), ["entry.0000000001", "lock.0000000001"])
      assert.deepStrictEqual(names().map((name) => mode(at(name))), ["600", "600"])
      assert.strictEqual(Fs.statSync(at("lock.0000000001")).size, 0)
    }))

  for (const mode of [0o777, 0o775, 0o722, 0o1777]) {
    it.scopedLive(`is refused with mode ${mode.toString(8)}, since others can write to it, and nothing is written there`, () =>
      Effect.gen(function*() {
        const { folder, open } = yield* fixture
        Fs.mkdirSync(folder)
        Fs.chmodSync(folder, mode)
        const { message, operation } = yield* refusal(open())
        assert.strictEqual(operation, "open")
        assert.include(message, folder)
        assert.include(message, mode.toString(8).padStart(4, "0"))
        assert.include(message, "chmod 700")
        assert.deepStrictEqual(Fs.readdirSync(folder), [])
      }))
  }

  it.scopedLive("may be one that others can look into, but not the folder of a key that others can write to", () =>
    Effect.gen(function*() {
      const { folder, keyFolder, open } = yield* fixture
      Fs.mkdirSync(folder)
      Fs.chmodSync(folder, 0o755)
      const store = yield* open()
      yield* put(store, 1)
      Fs.chmodSync(keyFolder(), 0o770)
      for (const attempt of [store.load("key"), put(store, 2), store.remove("key")]) {
        assert.include((yield* refusal(attempt)).message, "mode 0770, so others can write to it: chmod 700 it")
      }
      Fs.chmodSync(keyFolder(), 0o700)
      assertEntry(yield* store.load("key"), entryOf(1))
    }))

  it.scopedLive.skipIf(!isRoot)("is refused where it is somebody else's, as are the folder of a key and an entry", () =>
    Effect.gen(function*() {
      const { at, folder, keyFolder, open } = yield* fixture
      const store = yield* open()
      yield* put(store, 1)
      for (const [what, attempt, operation] of [
        [folder, open(), "open"],
        [keyFolder(), store.load("key"), "load"],
        [at("entry.0000000001"), store.load("key"), "load"]
      ] as const) {
        Fs.chownSync(what, 12_345, 0)
        const error = yield* refusal(attempt)
        assert.strictEqual(error.operation, operation)
        assert.include(error.message, `${what} belongs to user 12345, while this process is user 0`)
        Fs.chownSync(what, 0, 0)
      }
      assert.deepStrictEqual(Fs.readdirSync(folder), [Path.basename(keyFolder())])
    }))

  it.scopedLive("is refused where it is a file, or has no name", () =>
    Effect.gen(function*() {
      const { folder, open } = yield* fixture
      Fs.writeFileSync(folder, "")
      assert.include((yield* refusal(open())).message, `${folder} is not a folder`)
      assert.include((yield* refusal(open({ folder: "" }))).message, "the folder has no name")
    }))

  it.scopedLive("is refused where the file system has no hard links, does not keep modes, or cannot flush a folder", () =>
    Effect.gen(function*() {
      const { folder, open } = yield* fixture
      const links = yield* refusal(open({ around: failing((operation) => operation === "link", "EPERM") }))
      assert.strictEqual(links.operation, "open")
      assert.include(links.message, "file system with hard links")
      const flush = yield* refusal(open({ around: failing((operation) => operation === "file.sync", "EINVAL") }))
      assert.include(flush.message, `flushing the folder ${folder} failed`)
      // As a mounted FAT or SMB disk shows its files, whatever they were made with.
      const modes: Around = (operation, path, run) =>
        operation === "open" ? Effect.tap(run, () => Effect.sync(() => path.includes("probe.") && Fs.chmodSync(path, 0o755))) : run
      assert.include((yield* refusal(open({ around: modes }))).message, "does not keep the modes of files")
      assert.deepStrictEqual(Fs.readdirSync(folder), [])
    }))

  it.scopedLive("loses what a killed process left there as it looked at the folder, once that is old", () =>
    Effect.gen(function*() {
      const { folder, open } = yield* fixture
      yield* open()
      for (const name of ["probe.old", "probe.young", "other"]) Fs.writeFileSync(Path.join(folder, name), "")
      for (const name of ["probe.old", "other"]) Fs.utimesSync(Path.join(folder, name), 1_000_000_000, 1_000_000_000)
      yield* open()
      assert.deepStrictEqual(Fs.readdirSync(folder).sort(), ["other", "probe.young"])
    }))

  it.scopedLive("is missed when it is gone: a login that cannot be found is not one that never was", () =>
    Effect.gen(function*() {
      const { folder, open } = yield* fixture
      const store = yield* open()
      yield* put(store, 1)
      Fs.rmSync(folder, { recursive: true })
      for (const attempt of [store.load("key"), put(store, 2), store.remove("key")]) {
        assert.include((yield* refusal(attempt)).message, `the folder ${folder} is gone`)
      }
      assert.isFalse(Fs.existsSync(folder))
    }))

  it.scopedLive("is not left behind by a change of the working directory or of a symbolic link", () =>
    Effect.gen(function*() {
      const { folder, open, parent } = yield* fixture
      const link = Path.join(parent, "link")
      Fs.mkdirSync(folder, { mode: 0o700 })
      Fs.symlinkSync(folder, link)
      const store = yield* open({ folder: link })
      Fs.rmSync(link)
      yield* put(store, 1)
      assertEntry(yield* (yield* open()).load("key"), entryOf(1))
    }))

  it.scopedLive("is taken as it is on Windows, where there are no modes, and is not flushed", () =>
    Effect.gen(function*() {
      const { folder, keyFolder, open } = yield* fixture
      Fs.mkdirSync(folder)
      Fs.chmodSync(folder, 0o777)
      const opened: Array<string> = []
      const around: Around = (operation, path, run) => {
        if (operation === "open" || path.startsWith("/proc")) opened.push(path)
        return run
      }
      const store = yield* open({ around, path: (path) => ({ ...path, sep: "\\" }) })
      yield* put(store, 1)
      assertEntry(yield* store.load("key"), entryOf(1))
      assert.notInclude(opened, folder)
      assert.notInclude(opened, keyFolder())
      assert.deepStrictEqual(opened.filter((path) => path.startsWith("/proc")), [])
    }))

  it.scopedLive("is not opened with a lease that takes no time, or has no end", () =>
    Effect.gen(function*() {
      const { open } = yield* fixture
      for (const leaseDuration of [0, "-1 seconds", Infinity] as const) {
        assert.include((yield* refusal(open({ leaseDuration }))).message, "leaseDuration is not a time that ends")
      }
    }))
})

describe("a spoiled entry", () => {
  const name = "entry.0000000007"
  const spoiled: Record<string, readonly [spoil: (files: Fixture) => void, expected: string]> = {
    "is empty": [({ write }) => write(name, ""), "is damaged, or was written by another program"],
    "is cut off": [({ read, write }) => write(name, read(name).slice(0, 150)), "is damaged, or was written by another program"],
    "is cut off by one character": [({ read, write }) => write(name, read(name).slice(0, -1)), "is damaged, or was"],
    "is zeros": [({ read, write }) => write(name, read(name).replaceAll(/./g, "\0")), "is damaged, or was written by another"],
    "is no JSON": [({ write }) => write(name, `access_token=${canaries.accessToken}`), "is damaged, or was written by another"],
    "is another program's JSON": [({ write }) => write(name, JSON.stringify({ token: canaries.accessToken })), "is damaged, or was written by another"],
    "is of a later format": [
      ({ read, write }) => write(name, read(name).replace("entry/1", "entry/2")),
      "was written by another program, or by a later version of this one"
    ],
    "lacks a field": [({ read, write }) => write(name, read(name).replace("\"accessToken\"", "\"access\"")), "is damaged."],
    "has a token that no header can carry": [
      ({ read, write }) => write(name, read(name).replace("\"accessToken\":\"", "\"accessToken\":\"\\n")),
      "is damaged."
    ],
    "has an impossible generation": [({ read, write }) => write(name, read(name).replace(/"generation":\d+/, "\"generation\":0")), "is damaged."],
    "is another login's": [({ read, write }) => write(name, read(name).replace(/"key":"...../, "\"key\":\"00000")), "is damaged."],
    "is enormous": [({ read, write }) => write(name, read(name) + " ".repeat(1024 * 1024)), "is larger than any entry"],
    "is a folder": [({ at }) => { Fs.rmSync(at(name)); Fs.mkdirSync(at(name)) }, "is not a file"],
    "is a symbolic link": [({ at }) => { Fs.renameSync(at(name), at("elsewhere")); Fs.symlinkSync(at("elsewhere"), at(name)) }, "is a symbolic link"],
    "is a symbolic link to nothing": [({ at }) => { Fs.rmSync(at(name)); Fs.symlinkSync(at("nothing"), at(name)) }, "is a symbolic link"],
    ...(posix
      ? {
        "is a pipe": [({ at }: Fixture) => { Fs.rmSync(at(name)); execFileSync(makePipe, ["-m", "600", at(name)]) }, "is not a file"],
        "can be read by others": [({ at }: Fixture) => Fs.chmodSync(at(name), 0o644), "has mode 0644, so others can use it: chmod 600 it"],
        "can be written by its group": [({ at }: Fixture) => Fs.chmodSync(at(name), 0o620), "has mode 0620"]
      } as const
      : {})
  }

  /** All there is, with its content, but for the lock. */
  const snapshot = ({ at, names }: Fixture) =>
    names().filter((each) => !each.startsWith("lock.")).map((each) => {
      const stat = Fs.lstatSync(at(each))
      return [each, stat.mode, stat.isFile() ? Fs.readFileSync(at(each), "utf8") : ""]
    })

  for (const [what, [spoil, expected]] of Object.entries(spoiled)) {
    it.scopedLive(`that ${what} is an error that says what to do, shows nothing of it and changes nothing`, () =>
      Effect.gen(function*() {
        const files = yield* fixture
        const store = yield* files.open()
        for (let generation = 1; generation <= 7; generation++) yield* put(store, generation)
        spoil(files)
        const before = snapshot(files)
        for (const attempt of [store.load("key"), store.withLock("key", ({ save }) => save(entryOf(8)))]) {
          const { message, operation } = yield* refusal(soon(attempt))
          assert.strictEqual(operation, "load")
          assert.include(message, `${files.at(name)} ${expected}`)
          assert.include(message, "Restore or move the file away, or remove this login and log in again")
          assert.include(message, "the revision before it is entry.0000000006")
        }
        assert.deepStrictEqual(snapshot(files), before)

        const removed = yield* Effect.exit(store.remove("key"))
        // Whatever a folder of that name holds is not ours to delete.
        assert.strictEqual(Exit.isSuccess(removed), what !== "is a folder")
        assertNone(yield* store.load("key"))
        yield* put(store, 1)
        assertEntry(yield* store.load("key"), entryOf(1))
      }))
  }

  it.scopedLive("that is listed and cannot be found is an error, and is not looked for for ever", () =>
    Effect.gen(function*() {
      const { open } = yield* fixture
      yield* put(yield* open(), 1)
      const store = yield* open({ around: failing((operation, path) => operation === "stat" && path.includes("entry."), "ENOENT") })
      const { message, operation } = yield* refusal(soon(store.load("key")))
      assert.strictEqual(operation, "load")
      assert.include(message, "is listed and cannot be found")
    }))

  it.scopedLive("can be moved away, and then the one before it counts", () =>
    Effect.gen(function*() {
      const { at, names, open, write } = yield* fixture
      const store = yield* open()
      yield* put(store, 1)
      yield* put(store, 2)
      assert.deepStrictEqual(names("entry."), ["entry.0000000001", "entry.0000000002"])
      write("entry.0000000002", "spoiled")
      yield* refusal(store.load("key"))
      Fs.renameSync(at("entry.0000000002"), at("spoiled"))
      assertEntry(yield* store.load("key"), entryOf(1))
    }))

  it.scopedLive("is never made: what could not be read again is not saved", () =>
    Effect.gen(function*() {
      const { names, open } = yield* fixture
      const store = yield* open()
      yield* put(store, 1)
      const huge = { ...fullEntry, secretFingerprint: "x".repeat(1024 * 1024) }
      for (const entry of [{ ...fullEntry, generation: -1 }, huge]) {
        const error = yield* refusal(store.withLock("key", ({ save }) => save(entry)))
        assert.strictEqual(error.operation, "save")
        assert.include(error.message, "the entry is not one that could be read again")
      }
      assert.deepStrictEqual(names("entry."), ["entry.0000000001"])
    }))
})

describe("the revisions of an entry", () => {
  it.scopedLive("are the last good one and the one before it; what a killed holder prepared is cleared away", () =>
    Effect.gen(function*() {
      const { names, open, write } = yield* fixture
      const store = yield* open()
      yield* put(store, 1)
      for (const name of ["temporary.entry.x.1", "temporary.lock.x", "entry.x", "notes.txt"]) write(name, "")
      for (let generation = 2; generation <= 5; generation++) yield* put(store, generation)
      assert.deepStrictEqual(names(), [
        "entry.0000000004",
        "entry.0000000005",
        "entry.x",
        "lock.0000000004",
        "lock.0000000005",
        "notes.txt"
      ])
    }))

  it.scopedLive("go on after a removal, which leaves no secret behind", () =>
    Effect.gen(function*() {
      const { names, open, read } = yield* fixture
      const store = yield* open()
      yield* put(store, 1)
      yield* put(store, 2)
      yield* store.remove("key")
      assert.deepStrictEqual(names("entry."), ["entry.0000000003"])
      assertNoCanary("what is left", names().map(read).join())
      yield* put(store, 1)
      assert.deepStrictEqual(names("entry."), ["entry.0000000003", "entry.0000000004"])
    }))

  it.scopedLive("that a removal cannot delete are named, and the entry is gone all the same", () =>
    Effect.gen(function*() {
      const { at, open } = yield* fixture
      yield* put(yield* open(), 1)
      const stuck = yield* open({ around: failing((operation, path) => operation === "remove" && path.includes("/entry."), "EIO") })
      const { message, operation } = yield* refusal(stuck.remove("key"))
      assert.strictEqual(operation, "remove")
      assert.include(message, `the login is forgotten, but deleting ${at("entry.0000000001")} failed`)
      assertNone(yield* stuck.load("key"))
    }))

  it.scopedLive("are flushed before and after they get their name, and the folder of a new key before", () =>
    Effect.gen(function*() {
      const { at, folder, keyFolder, open } = yield* fixture
      const steps: Array<string> = []
      const store = yield* open({
        around: (operation, path, run) =>
          Effect.tap(run, () => Effect.sync(() => {
            if (operation === "file.sync" || operation === "link") steps.push(`${operation} ${path}`)
          }))
      })
      const save = (generation: number) =>
        store.withLock("key", ({ save }) =>
          Effect.suspend(() => {
            steps.length = 0
            return save(entryOf(generation))
          }))
      yield* save(1)
      const shown = () => steps.map((step) => step.replace(/temporary\.entry\..*/, "prepared"))
      const once = [`file.sync ${at("prepared")}`, `link ${at("prepared")}`, `file.sync ${keyFolder()}`]
      assert.deepStrictEqual(shown(), [`file.sync ${folder}`, ...once])
      yield* save(2)
      assert.deepStrictEqual(shown(), once)
    }))

  it.scopedLive("are found although they are replaced as they are read", () =>
    Effect.gen(function*() {
      const { open } = yield* fixture
      const writer = yield* open()
      yield* put(writer, 1)
      let replaced = 0
      const reader = yield* open({
        around: (operation, path, run) =>
          operation === "readFileString" && path.includes("entry.") && replaced++ < 3
            ? Effect.zipRight(Effect.orDie(Effect.zipRight(increment(writer, "key"), increment(writer, "key"))), run)
            : run
      })
      assertEntry(yield* reader.load("key"), entryOf(7))
    }))

  it.scopedLive("cannot be made once the lock is given back, nor by two fibers at a time out of order", () =>
    Effect.gen(function*() {
      const { names, open } = yield* fixture
      const store = yield* open()
      const { save } = yield* store.withLock("key", (held) =>
        Effect.as(
          Effect.forEach([1, 2, 3, 4], (generation) => held.save(entryOf(generation)), { concurrency: "unbounded" }),
          held
        ))
      assertEntry(yield* store.load("key"), entryOf(4))
      assert.include((yield* refusal(save(entryOf(5)))).message, "the lock has been given back")
      assert.deepStrictEqual(names("entry."), ["entry.0000000003", "entry.0000000004"])
    }))

  it.scopedLive("are finished when a save is interrupted, and the lock is free after it", () =>
    Effect.gen(function*() {
      const { names, open } = yield* fixture
      const writing = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      let armed = false
      let openFiles = 0
      const store = yield* open({
        around: (operation, path, run) => {
          if (operation === "open") return Effect.tap(run, () => Effect.sync(() => openFiles++))
          if (operation === "file.close") return Effect.tap(run, () => Effect.sync(() => openFiles--))
          if (!armed || operation !== "file.write" || !path.includes("temporary.entry")) return run
          armed = false
          return Deferred.succeed(writing, undefined).pipe(Effect.zipRight(Deferred.await(goOn)), Effect.zipRight(run))
        }
      })
      yield* put(store, 1)
      armed = true
      const fiber = yield* Effect.fork(put(store, 2))
      yield* Deferred.await(writing)
      const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* Effect.sleep("20 millis")
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(interruption)
      assertEntry(yield* store.load("key"), entryOf(2))
      assert.deepStrictEqual(names("temporary"), [])
      yield* soon(put(store, 3))
      assert.strictEqual(openFiles, 0)
    }))
})

describe("a save that went wrong", () => {
  const once = (operation: string, path: (path: string) => boolean, mode: "instead" | "afterwards", code = "EIO") => {
    const state = { armed: false }
    const around: Around = (what, where, run) =>
      Effect.suspend(() => {
        if (!state.armed || what !== operation || !path(where)) return run
        state.armed = false
        const failed = Effect.fail(systemError(code, where))
        return mode === "instead" ? failed : Effect.zipRight(run, failed)
      })
    return { state, around }
  }

  const isKeyFolder = (path: string) => /\/[0-9a-f]{64}$/.test(path)
  const isPreparedEntry = (path: string) => path.includes("temporary.entry")
  const outcomes = {
    "whose folder could not be flushed": once("file.sync", isKeyFolder, "instead"),
    "whose link was made and reported as failed": once("link", isPreparedEntry, "afterwards"),
    "whose link was made and reported as there before": once("link", isPreparedEntry, "afterwards", "EEXIST"),
    "whose folder could not be listed afterwards": once("readDirectory", isKeyFolder, "instead"),
    "whose file could not be written": once("file.write", isPreparedEntry, "instead"),
    "whose file could not be closed": once("file.close", isPreparedEntry, "instead"),
    "whose file was cleared away by another holder": once("link", isPreparedEntry, "instead", "ENOENT")
  }
  /** What the save itself makes good. */
  const noticed = new Set(["whose link was made and reported as there before", "whose file was cleared away by another holder"])
  for (const [what, { around, state }] of Object.entries(outcomes)) {
    it.scopedLive(`can be tried again by the same holder: one ${what}`, () =>
      Effect.gen(function*() {
        const { names, open } = yield* fixture
        const store = yield* open({ around })
        yield* put(store, 1)
        yield* store.withLock("key", ({ save }) =>
          Effect.gen(function*() {
            yield* save(marked(entryOf(1)))
            state.armed = true
            const exit = yield* Effect.exit(save(entryOf(2)))
            assert.isFalse(state.armed)
            assert.strictEqual(Exit.isSuccess(exit), noticed.has(what))
            const between = yield* store.load("key")
            assert.include([1, 2], generationOf(between))
            yield* save(entryOf(2))
            assertEntry(yield* store.load("key"), entryOf(2))
            yield* save(entryOf(3))
          }))
        assertEntry(yield* store.load("key"), entryOf(3))
        assert.deepStrictEqual(names("temporary"), [])
        assert.lengthOf(names("entry."), 2)
      }))
  }

  it.scopedLive("says in words why", () =>
    Effect.gen(function*() {
      const { open } = yield* fixture
      const reasons = {
        ENOSPC: "the disk is full (ENOSPC)",
        EACCES: "this process may not do that; look at the owner and the mode (EACCES)",
        EROFS: "the file system is read-only (EROFS)",
        EWEIRD: "the system gave no known reason (EWEIRD)",
        [`not a code: ${canaries.accessToken}`]: "the system gave no known reason (Unknown)"
      }
      for (const [code, words] of Object.entries(reasons)) {
        const store = yield* open({ around: failing((what, path) => what === "file.write" && isPreparedEntry(path), code) })
        const { message, operation } = yield* refusal(put(store, 1))
        assert.strictEqual(operation, "save")
        assert.match(message, /writing \/\S+\/temporary\.entry\.\S+ failed: /)
        assert.include(message, words)
      }
    }))

  const modes = ["instead", "afterwards"] as const
  for (const mode of modes) {
    it.scopedLive(`leaves the old entry or the new one, whichever operation fails (${mode})`, () =>
      Effect.gen(function*() {
        let failures = 0
        for (let n = 1;; n++) {
          const { names, open } = yield* fixture
          const sound = yield* open({ leaseDuration: "100 millis" })
          yield* put(sound, 1)
          let count = 0
          let counting = false
          let openFiles = 0
          const around: Around = (operation, path, run) => {
            const tracked = operation === "open"
              ? Effect.tap(run, () => Effect.sync(() => openFiles++))
              : operation === "file.close" ? Effect.ensuring(run, Effect.sync(() => openFiles--)) : run
            return Effect.suspend(() => {
              if (!counting || ++count !== n) return tracked
              // A file that is open must stay known as open: the caller was told that it is not.
              const failed = Effect.fail(systemError("EIO", path))
              return mode === "instead" || operation === "open"
                ? operation === "file.close" ? Effect.zipRight(tracked, failed) : failed
                : Effect.zipRight(tracked, failed)
            })
          }
          const faulty = yield* open({ around, leaseDuration: "100 millis" })
          counting = true
          const exit = yield* Effect.exit(faulty.withLock("key", ({ save, stored }) =>
            Effect.zipRight(save(marked(entryOf(generationOf(stored)))), save(entryOf(2)))))
          counting = false
          const hint = `operation ${n}`
          if (Exit.isFailure(exit)) {
            failures++
            assert.instanceOf((yield* refusal(exit)), CredentialsError.TokenStoreError)
          }
          const left = yield* sound.load("key")
          if (Exit.isSuccess(exit)) assertEntry(left, entryOf(2))
          else assert.include([1, 2], generationOf(left), hint)
          assertEntry(yield* soon(sound.withLock("key", ({ stored }) => Effect.succeed(stored))), Option.getOrThrow(left))
          yield* put(sound, 3)
          assertEntry(yield* faulty.load("key"), entryOf(3))
          assert.deepStrictEqual(names("temporary"), [], hint)
          assert.strictEqual(openFiles, 0, hint)
          if (count < n) break
        }
        assert.isAtLeast(failures, 15)
      }), 60_000)
  }
})

describe("the lock of a key", () => {
  interface Holder {
    lease: number
    beat: number
    process: { boot: string; namespace: string; pid: number; started: string }
  }

  /** What a holder writes into its lock, taken from one of this process. */
  const sample = ({ names, open, read }: Fixture) =>
    Effect.gen(function*() {
      const store = yield* open()
      const text = yield* store.withLock("key", () => Effect.sync(() => read(names("lock.").at(-1) ?? "")))
      return JSON.parse(text) as Holder // written by the store that is tested
    })

  /** A lock held by somebody else, with the highest number. */
  const forge = ({ names, write }: Fixture, holder: unknown) => {
    const last = Number(/\d+$/.exec(names("lock.").at(-1) ?? "0")?.[0])
    write(`lock.${String(last + 1).padStart(10, "0")}`, typeof holder === "string" ? holder : JSON.stringify(holder))
  }

  /** In milliseconds. */
  const timeToTake = (store: TokenStore.TokenStore) =>
    Effect.map(Effect.timed(soon(store.withLock("key", () => Effect.void))), ([taken]) => Duration.toMillis(taken))

  const linux = describe.skipIf(process.platform !== "linux")

  linux("whose holder is dead", () => {
    const dead: Record<string, (holder: Holder) => Holder> = {
      "because there is no such process": (holder) => ({ ...holder, process: { ...holder.process, pid: 4_194_303 } }),
      "because its process id is another process's by now": (holder) => ({ ...holder, process: { ...holder.process, started: "1" } })
    }
    for (const [why, kill] of Object.entries(dead)) {
      it.scopedLive(`is taken over at once: ${why}`, () =>
        Effect.gen(function*() {
          const files = yield* fixture
          forge(files, kill(yield* sample(files)))
          assert.isBelow(yield* timeToTake(yield* files.open()), 2000)
        }))
    }

    const alive: Record<string, (holder: Holder) => unknown> = {
      "while its process lives": (holder) => holder,
      "where it is another machine's, or of before a restart": (holder) => ({
        ...holder,
        process: { ...holder.process, pid: 4_194_303, boot: "another" }
      }),
      "where it is another container's": (holder) => ({
        ...holder,
        process: { ...holder.process, pid: 4_194_303, namespace: "pid:[1]" }
      }),
      "where nobody knows": (holder) => ({ ...holder, process: null })
    }
    for (const [where, change] of Object.entries(alive)) {
      it.scopedLive(`is waited for until its lease has run out ${where}`, () =>
        Effect.gen(function*() {
          const files = yield* fixture
          forge(files, change({ ...(yield* sample(files)), lease: 400 }))
          assert.isAtLeast(yield* timeToTake(yield* files.open({ leaseDuration: "300 millis" })), 360)
        }))
    }

    it.scopedLive("is waited for where this process is not shown every other", () =>
      Effect.gen(function*() {
        const files = yield* fixture
        const holder = yield* sample(files)
        forge(files, { ...holder, lease: 400, process: { ...holder.process, pid: 4_194_303 } })
        const around = failing((_, path) => path === "/proc/1/stat", "ENOENT")
        assert.isAtLeast(yield* timeToTake(yield* files.open({ leaseDuration: "300 millis", around })), 360)
      }))

    it.scopedLive("cannot be told where there is no /proc, nor where it counts in another namespace, and the lease decides", () =>
      Effect.gen(function*() {
        const files = yield* fixture
        const holder = yield* sample(files)
        const noProc = failing((_, path) => path.startsWith("/proc"), "ENOENT")
        const otherNamespace: Around = (operation, path, run) =>
          operation === "readFileString" && path === "/proc/self/status"
            // The type of what is read is not known to a hook that is used for every operation.
            ? Effect.map(run, (text) => String(text).replace(/^NSpid:.*$/m, `NSpid:\t${process.pid}\t1`) as typeof text)
            : run
        for (const around of [noProc, otherNamespace]) {
          const store = yield* files.open({ leaseDuration: "300 millis", around })
          const text = yield* store.withLock("key", () => Effect.sync(() => files.read(files.names("lock.").at(-1) ?? "")))
          assert.isNull(JSON.parse(text).process)
          forge(files, { ...holder, lease: 300, process: { ...holder.process, pid: 4_194_303 } })
          assert.isAtLeast(yield* timeToTake(store), 270)
        }
      }))

    it("is known by the fields of proc(5), whatever the process is called", () => {
      const fields = Array.from({ length: 30 }, (_, index) => index + 4)
      const stat = `123 (a) Z (b) 1) S ${fields.join(" ")}\n`
      assert.deepStrictEqual(Option.getOrNull(parseStat(stat)), { pid: 123, state: "S", started: "22" })
      for (const text of ["", "123", "123 (a) S 4", "x (a) S " + fields.join(" ")]) assert.isTrue(Option.isNone(parseStat(text)))
    })
  })

  it.scopedLive("is taken over when its holder has not moved for a lease: the longer of the two, as the waiter saw it", () =>
    Effect.gen(function*() {
      const files = yield* fixture
      const holder = { ...(yield* sample(files)), process: null }
      const store = yield* files.open({ leaseDuration: "300 millis" })
      forge(files, { ...holder, lease: 50 })
      assert.isAtLeast(yield* timeToTake(store), 270)
      forge(files, { ...holder, lease: 600 })
      assert.isAtLeast(yield* timeToTake(store), 540)
      forge(files, "not ours")
      const time = yield* timeToTake(store)
      assert.isAtLeast(time, 270)
      assert.isBelow(time, 2000)
    }))

  it.scopedLive("is not taken from a holder that beats, however long it holds", () =>
    Effect.gen(function*() {
      const files = yield* fixture
      const store = yield* files.open({ leaseDuration: "600 millis" })
      const other = yield* files.open({ leaseDuration: "600 millis" })
      let waiting = true
      const waiter = yield* store.withLock("key", () =>
        Effect.gen(function*() {
          const waiter = yield* Effect.fork(Effect.tap(put(other, 1), () => Effect.sync(() => { waiting = false })))
          yield* Effect.sleep("1600 millis")
          assert.isTrue(waiting)
          return waiter
        }))
      yield* soon(Fiber.join(waiter))
    }))

  it.scopedLive("is written to by its holder only, and by nobody after it was given back", () =>
    Effect.gen(function*() {
      const files = yield* fixture
      const steps: Array<string> = []
      const around: Around = (operation, path, run) =>
        path.includes("lock.") && operation.startsWith("file.")
          ? Effect.zipRight(Effect.sync(() => steps.push(operation)), Effect.zipLeft(run, Effect.sync(() => steps.push("done"))))
          : run
      const store = yield* files.open({ leaseDuration: "20 millis", around })
      // However the end of a hold falls between the beats.
      for (let pause = 0; pause < 20; pause++) {
        steps.length = 0
        yield* store.withLock("key", () => Effect.sleep(10 + pause / 4))
        assert.deepStrictEqual(steps.slice(-4), ["file.truncate", "done", "file.close", "done"])
        assert.isTrue(steps.every((step, index) => (step === "done") === (index % 2 === 1)), steps.join())
        assert.include(steps.slice(6), "file.write")
      }
    }))

  it.scopedLive("that could not be given back at first is given back at the next attempt", () =>
    Effect.gen(function*() {
      const files = yield* fixture
      let failures = 2
      const holder = yield* files.open({ around: failing((operation) => operation === "file.truncate" && failures-- > 0, "EIO") })
      yield* put(holder, 1)
      assert.isBelow(failures, 1)
      assert.isBelow(yield* timeToTake(yield* files.open()), 2000)
    }))

  it.scopedLive("that could not be given back is free when its lease has run out", () =>
    Effect.gen(function*() {
      const files = yield* fixture
      const around = failing((operation) => operation === "file.truncate" || operation === "file.close", "EIO")
      const holder = yield* files.open({ leaseDuration: "300 millis", around: (operation, path, run) =>
        path.includes("lock.") ? around(operation, path, run) : run })
      yield* put(holder, 1)
      assert.isAtLeast(yield* timeToTake(yield* files.open({ leaseDuration: "300 millis" })), 270)
    }))

  it.scopedLive("goes to one of many who find it free, and those who lose leave nothing behind", () =>
    Effect.gen(function*() {
      const files = yield* fixture
      const stores = yield* Effect.all(Array.from({ length: 6 }, () => files.open()))
      yield* Effect.forEach(
        Array.from({ length: 4 }, () => stores).flat(),
        (store) => increment(store, "key"),
        { concurrency: "unbounded" }
      )
      assertEntry(yield* (yield* files.open()).load("key"), entryOf(24))
      assert.deepStrictEqual(files.names("temporary"), [])
      assert.strictEqual(files.names("lock.").at(-1), "lock.0000000024")
    }))

  it.scopedLive("is had although another holder cleared away what was prepared for it", () =>
    Effect.gen(function*() {
      const files = yield* fixture
      let cleared = false
      const store = yield* files.open({
        around: (operation, path, run) => {
          if (operation === "link" && path.includes("temporary.lock") && !cleared) {
            cleared = true
            Fs.rmSync(path)
          }
          return run
        }
      })
      yield* put(store, 1)
      assert.isTrue(cleared)
      assertEntry(yield* store.load("key"), entryOf(1))
    }))

  it.scopedLive("is free at once where taking it failed in the last step", () =>
    Effect.gen(function*() {
      const files = yield* fixture
      let linked = false
      const store = yield* files.open({
        around: (operation, path, run) => {
          if (operation === "link" && path.includes("temporary.lock")) linked = true
          return linked && operation === "readDirectory" ? Effect.fail(systemError("EIO", path)) : run
        }
      })
      assert.strictEqual((yield* refusal(put(store, 1))).operation, "lock")
      assert.deepStrictEqual(files.names(), ["lock.0000000001"])
      assert.isBelow(yield* timeToTake(yield* files.open()), 2000)
    }))

  it.scopedLive("is not had by one who was behind, though its number is free again", () =>
    Effect.gen(function*() {
      const files = yield* fixture
      const store = yield* files.open()
      yield* put(store, 1)
      let passed = false
      const late = yield* files.open({
        around: (operation, path, run) => {
          if (passed || operation !== "link" || !path.includes("temporary.lock")) return run
          passed = true
          // Enough for the number that it wants to be had, and cleared away.
          const others = Effect.forEach([2, 3, 4, 5], (generation) => put(store, generation), { discard: true })
          const kept = Fs.readFileSync(path)
          return Effect.orDie(others).pipe(Effect.zipRight(Effect.sync(() => Fs.writeFileSync(path, kept))), Effect.zipRight(run))
        }
      })
      yield* soon(increment(late, "key"))
      assert.isTrue(passed)
      assertEntry(yield* store.load("key"), entryOf(6))
      assert.deepStrictEqual(files.names("lock."), ["lock.0000000005", "lock.0000000006"])
    }))
})

describe("a holder that was stopped for longer than its lease", () => {
  /** A holder whose beats do not arrive, as if its process was stopped, and what others do meanwhile. */
  const overtaken = (
    others: (store: TokenStore.TokenStore) => Effect.Effect<unknown, unknown, Scope.Scope>,
    saves: (held: TokenStore.Held) => Effect.Effect<void, unknown, Scope.Scope>
  ) =>
    Effect.gen(function*() {
      const files = yield* fixture
      let stopped = false
      const options = { leaseDuration: "200 millis" } as const
      const slow = yield* files.open({
        ...options,
        around: (operation, path, run) => stopped && operation === "file.write" && path.includes("temporary.lock")
          ? Effect.fail(systemError("EIO", path))
          : run
      })
      const other = yield* files.open(options)
      yield* put(other, 1)
      yield* slow.withLock("key", (held) =>
        Effect.gen(function*() {
          stopped = true
          yield* soon(others(other))
          yield* saves(held)
        }))
      return { ...files, other }
    })

  it.scopedLive("cannot save over what was saved since, however often it tries", () =>
    Effect.gen(function*() {
      const { at, names, other, read } = yield* overtaken(
        (store) => put(store, 2),
        ({ save }) =>
          Effect.gen(function*() {
            for (let attempt = 0; attempt < 5; attempt++) {
              const { message, operation } = yield* refusal(save(entryOf(100)))
              assert.strictEqual(operation, "save")
              assert.include(message, "another holder of")
              assert.include(message, "nothing was overwritten")
            }
          })
      )
      assertEntry(yield* other.load("key"), entryOf(2))
      assert.deepStrictEqual(names("entry."), ["entry.0000000001", "entry.0000000002"])
      assert.isFalse(names().some((name) => Fs.statSync(at(name)).isFile() && read(name).includes("\"generation\":100")))
    }))

  it.scopedLive("cannot save where its revision was used and cleared away either, and is at no time the one that is read", () =>
    Effect.gen(function*() {
      const { names, other } = yield* overtaken(
        (store) => Effect.forEach([2, 3, 4, 5, 6, 7], (generation) => put(store, generation)),
        ({ save }) =>
          Effect.gen(function*() {
            for (let attempt = 0; attempt < 8; attempt++) yield* refusal(save(entryOf(100)))
          })
      )
      assertEntry(yield* other.load("key"), entryOf(7))
      assert.deepStrictEqual(names("entry."), ["entry.0000000006", "entry.0000000007"])
    }))

  it.scopedLive("cannot bring back what was removed since", () =>
    Effect.gen(function*() {
      const { names, other } = yield* overtaken(
        (store) => store.remove("key"),
        ({ save }) => Effect.asVoid(refusal(save(entryOf(100))))
      )
      assertNone(yield* other.load("key"))
      assert.deepStrictEqual(names("entry."), ["entry.0000000002"])
    }))

  it.scopedLive("may save where nobody has saved since, and then the new holder may not", () =>
    Effect.gen(function*() {
      const { other } = yield* overtaken(
        (store) => store.withLock("key", () => Effect.void),
        ({ save }) => save(entryOf(2))
      )
      assertEntry(yield* other.load("key"), entryOf(2))
    }))

  it.scopedLive("does not take the lock from its new holder when it gives back its own", () =>
    Effect.gen(function*() {
      const held = yield* Deferred.make<void>()
      const letGo = yield* Deferred.make<void>()
      const { names, other } = yield* overtaken(
        (store) =>
          Effect.zipRight(
            Effect.forkScoped(store.withLock("key", () => Effect.zipRight(Deferred.succeed(held, undefined), Deferred.await(letGo)))),
            Deferred.await(held)
          ),
        () => Effect.void
      )
      const third = yield* Effect.fork(put(other, 2))
      yield* Effect.sleep("100 millis")
      assert.deepStrictEqual(names("entry."), ["entry.0000000001"])
      yield* Deferred.succeed(letGo, undefined)
      yield* soon(Fiber.join(third))
    }))
})
