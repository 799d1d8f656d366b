/** `credentials status` and `credentials logout`. */
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Layer, Option, Redacted, TestClock } from "effect"
import { Keyring, TokenStore } from "effect-credentials"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { digikey, login, run } from "./utils/cli.js"

interface Index {
  readonly version: number
  readonly profiles: ReadonlyArray<{ readonly key: string; readonly account?: string }>
}

const indexOf = (folder: string): Index => JSON.parse(Fs.readFileSync(Path.join(folder, "profiles.json"), "utf8")) as Index

const keyOf = (folder: string, account: string): string =>
  indexOf(folder).profiles.find((profile) => profile.account === account)?.key ?? ""

const stored = (folder: string) => TokenStore.layerFile(folder).pipe(Layer.provide(NodeContext.layer))

/** Changes what is stored under an account. */
const change = (folder: string, account: string, to: (entry: TokenStore.Entry) => TokenStore.Entry) =>
  Effect.flatMap(TokenStore.TokenStore, (store) =>
    store.withLock(keyOf(folder, account), ({ save, stored }) =>
      Effect.flatMap(stored, (entry) => save(to(entry))))).pipe(Effect.provide(stored(folder)))

/** The files of an account's entry: the newest has the highest number. */
const spoil = (folder: string, account: string, text: string) =>
  Effect.gen(function*() {
    // A mark that no other entry has shows which folder is whose.
    yield* change(folder, account, (entry) => ({ ...entry, generation: 4242 }))
    for (const name of Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      const file = Path.join(folder, name)
      if (/entry\.\d+$/.test(name) && Fs.readFileSync(file, "utf8").includes("4242")) Fs.writeFileSync(file, text)
    }
  })

describe("status", () => {
  it.scoped("says so where nothing is stored, and makes no folder", () =>
    Effect.gen(function*() {
      const { env, folder } = yield* digikey()
      const { code, err, out } = yield* run(["status"], { env })
      assert.deepStrictEqual([code, out], [0, ""])
      assert.include(err, `Nothing is stored in ${folder}`)
      assert.isFalse(Fs.existsSync(folder))
    }))

  it.scoped("has a row for every account, of the person and of the application", () =>
    Effect.gen(function*() {
      const world = yield* digikey({ refreshTokenExpiresIn: 86_400 })
      yield* TestClock.setTime(Date.UTC(2026, 0, 1, 12))
      yield* login(world, "--account", "alice")
      yield* login(world, "--account", "bob", "--environment", "production")
      yield* login(world, "--account", "bob", "--environment", "production")
      yield* run(["token", "digikey", "--as", "app"], { env: world.env })
      // No variable is needed: the index says where everything is.
      const { code, out } = yield* run(["status"], { env: { HOME: world.env.HOME } })
      assert.strictEqual(code, 0)
      const rows = out.trimEnd().split("\n").map((line) => line.split(/ {2,}/))
      assert.deepStrictEqual(rows.map((row) => row.slice(0, 7)), [
        ["PROVIDER", "ENVIRONMENT", "ACCOUNT", "ACCESS TOKEN", "REFRESH TOKEN", "GENERATION", "STATE"],
        ["digikey", "sandbox", "alice", "until 2026-01-01 13:00 UTC", "until 2026-01-02 12:00 UTC", "1", "stored"],
        ["digikey", "production", "bob", "until 2026-01-01 13:00 UTC", "until 2026-01-02 12:00 UTC", "2", "stored"],
        ["digikey", "sandbox", "(application)", "until 2026-01-01 12:30 UTC", "none", "1", "stored"]
      ])
    }))

  it.scoped("--account and --environment choose rows", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world, "--account", "alice")
      yield* login(world, "--account", "bob", "--environment", "production")
      const alice = yield* run(["status", "--account", "alice"], { env: world.env })
      assert.match(alice.out, /alice/)
      assert.notMatch(alice.out, /bob/)
      const production = yield* run(["status", "--environment", "production"], { env: world.env })
      assert.match(production.out, /bob/)
      assert.notMatch(production.out, /alice/)
    }))

  it.scoped("says what has expired, and what is being renewed", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* TestClock.setTime(Date.UTC(2026, 0, 1, 12))
      yield* login(world)
      yield* change(world.folder, "default", (entry) => ({ ...entry, redeeming: Option.some(DateTime.unsafeMake("2026-01-01T12:34:00Z")) }))
      yield* TestClock.adjust("2 hours")
      const { out } = yield* run(["status"], { env: world.env })
      assert.match(out, /expired 2026-01-01 13:00 UTC +until unknown +1 +being renewed since 2026-01-01 12:34 UTC/)
    }))

  it.scoped("an entry that cannot be read is a row, and its problem is told", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world, "--account", "alice")
      yield* login(world, "--account", "bob")
      yield* spoil(world.folder, "alice", "canary nonsense")
      const { code, err, out } = yield* run(["status"], { env: world.env })
      assert.strictEqual(code, 11)
      assert.match(out, /alice +- +- +- +unreadable/)
      assert.match(out, /bob +until .* stored/)
      assert.match(err, /^digikey sandbox alice: The token store failed \(load\): /m)
    }))

  it.scoped("shows what is encrypted with the keyring, and without it says what is missing", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const key = Redacted.value(yield* Keyring.generate)
      const env = { ...world.env, CREDENTIALS_KEYRING: `first:${key}` }
      yield* login({ ...world, env })
      const files = Fs.readdirSync(world.folder, { recursive: true, encoding: "utf8" })
        .map((name) => Path.join(world.folder, name)).filter((file) => Fs.statSync(file).isFile())
      for (const file of files) assert.notMatch(Fs.readFileSync(file, "utf8"), /simulated-/)
      assert.match((yield* run(["status"], { env })).out, /until .* stored/)
      const without = yield* run(["status"], { env: world.env })
      assert.strictEqual(without.code, 11)
      assert.match(without.out, /default +- +- +- +unreadable/)
      assert.match(without.err, /set CREDENTIALS_KEYRING/)
      const again = yield* run(["login", "digikey"], { env: world.env })
      assert.deepStrictEqual([again.code, again.out], [11, ""])
      assert.match(again.err, /set CREDENTIALS_KEYRING/)
      const other = yield* run(["status"], { env: { ...world.env, CREDENTIALS_KEYRING: `second:${key}` } })
      assert.match(other.err, /encrypted with the key "first"/)
      const wrong = yield* run(["status"], { env: { ...world.env, CREDENTIALS_KEYRING: "canary" } })
      assert.strictEqual(wrong.code, 2)
      assert.match(wrong.err, /CREDENTIALS_KEYRING/)
    }))

  it.scoped("shows no control character of a name", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world, "--account", "somebody")
      const file = Path.join(world.folder, "profiles.json")
      Fs.writeFileSync(file, Fs.readFileSync(file, "utf8").replace("somebody", "a\\u001b[2Jb\\nc"))
      const { out } = yield* run(["status"], { env: world.env })
      assert.match(out, /a\ufffd\[2Jb c +until/)
    }))

  it.scoped("in a narrow terminal it is a list", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      const { out } = yield* run(["status"], { env: world.env, terminal: true, columns: 60 })
      assert.match(out, /^PROVIDER +digikey\nENVIRONMENT +sandbox\nACCOUNT +default\n/)
      for (const line of out.split("\n")) assert.isAtMost(line.length, 60)
    }))
})

describe("the index", () => {
  it.scoped("is the owner's alone, has no secret in it, and nothing is left beside it", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      const file = Path.join(world.folder, "profiles.json")
      assert.strictEqual(Fs.statSync(file).mode & 0o777, 0o600)
      assert.notMatch(Fs.readFileSync(file, "utf8"), /simulat|canary/)
      assert.deepStrictEqual(Fs.readdirSync(world.folder).filter((name) => name.startsWith("profiles")), ["profiles.json"])
    }))

  it.scopedLive("loses no login that is made at the same time", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const names = ["a", "b", "c", "d", "e", "f"]
      yield* Effect.forEach(names, (account) => login(world, "--account", account), { concurrency: "unbounded" })
      assert.deepStrictEqual(indexOf(world.folder).profiles.map(({ account }) => account).sort(), names)
    }))

  it.scoped("what another program stored is added when it is used", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      Fs.rmSync(Path.join(world.folder, "profiles.json"))
      assert.match((yield* run(["status"], { env: world.env })).err, /Nothing is stored/)
      assert.strictEqual((yield* run(["token", "digikey"], { env: world.env })).code, 0)
      assert.match((yield* run(["status"], { env: world.env })).out, /digikey/)
    }))

  it.scoped("a damaged one is named and left alone, and keeps nobody from logging in", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      const file = Path.join(world.folder, "profiles.json")
      Fs.writeFileSync(file, "canary")
      const status = yield* run(["status"], { env: world.env })
      assert.strictEqual(status.code, 11)
      assert.include(status.err, `${file} is damaged`)
      const again = yield* login(world)
      assert.strictEqual(again.code, 0)
      assert.match(again.err, /Warning: "credentials status" will not list this login/)
      assert.strictEqual(Fs.readFileSync(file, "utf8"), "canary")
    }))
})

describe("logout", () => {
  it.scoped("removes the login, and says that it is local", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      const { code, err, out } = yield* run(["logout", "digikey"], { env: world.env })
      assert.deepStrictEqual([code, out], [0, ""])
      assert.match(err, /Removed the login to DigiKey from this machine\. DigiKey still knows it/)
      assert.strictEqual((yield* world.simulator.stats).familiesAlive, 1)
      assert.match((yield* run(["status"], { env: world.env })).out, /default +- +- +- +logged out/)
      assert.strictEqual((yield* run(["token", "digikey"], { env: world.env })).code, 3)
      assert.match((yield* run(["logout", "digikey"], { env: world.env })).err, /No login to DigiKey is stored here/)
    }))

  it.scoped("removes one account and leaves the others", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world, "--account", "alice")
      yield* login(world, "--account", "bob")
      yield* run(["logout", "digikey", "--account", "alice"], { env: world.env })
      assert.strictEqual((yield* run(["token", "digikey", "--account", "alice"], { env: world.env })).code, 3)
      assert.strictEqual((yield* run(["token", "digikey", "--account", "bob"], { env: world.env })).code, 0)
    }))

  it.scoped("needs no secret", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      const { code, err } = yield* run(["logout", "digikey"], { env: { HOME: world.env.HOME } })
      assert.strictEqual(code, 0)
      assert.match(err, /Removed the login/)
    }))

  it.scoped("asks which environment, where it cannot know", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      yield* login(world, "--environment", "production")
      const { code, err } = yield* run(["logout", "digikey"], { env: { HOME: world.env.HOME } })
      assert.strictEqual(code, 2)
      assert.match(err, /--environment: sandbox, production/)
      assert.strictEqual((yield* run(["logout", "digikey"], { env: world.env })).code, 0)
      const { out } = yield* run(["status"], { env: world.env })
      assert.match(out, /sandbox +default.*logged out/)
      assert.match(out, /production +default.*stored/)
    }))

  it.scoped("removes what cannot be read", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      yield* spoil(world.folder, "default", "nonsense")
      assert.strictEqual((yield* run(["logout", "digikey"], { env: world.env })).code, 0)
      assert.strictEqual((yield* login(world)).code, 0)
      assert.strictEqual((yield* run(["token", "digikey"], { env: world.env })).code, 0)
    }))

  it.scoped("a login that another program stored is found by the configuration", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      Fs.rmSync(Path.join(world.folder, "profiles.json"))
      assert.match((yield* run(["logout", "digikey"], { env: world.env })).err, /Removed the login/)
    }))
})

describe("a folder that cannot be used", () => {
  it.scoped("is named, with what to do", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      Fs.chmodSync(world.folder, 0o777)
      const { code, err } = yield* run(["status"], { env: world.env })
      assert.strictEqual(code, 11)
      assert.match(err, /chmod 700/)
    }))

  it.scoped("--folder, XDG_STATE_HOME and HOME say where it is, in this order", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const folderOf = (env: Record<string, string>, ...args: ReadonlyArray<string>) =>
        Effect.map(run(["status", ...args], { env }), ({ err }) => /stored in (.*)\. To/.exec(err)?.[1])
      const state = { ...env, XDG_STATE_HOME: "/nowhere/state" }
      assert.strictEqual(yield* folderOf(state, "--folder", "/nowhere/else"), "/nowhere/else")
      assert.strictEqual(yield* folderOf(state, "--folder", "/nowhere/else", "--demo"), "/nowhere/else/demo")
      assert.strictEqual(yield* folderOf(state), "/nowhere/state/effect-credentials")
      assert.strictEqual(yield* folderOf({ ...env, XDG_STATE_HOME: "relative" }), `${env.HOME}/.local/state/effect-credentials`)
      assert.match((yield* run(["status"], { env: {} })).err, /Neither XDG_STATE_HOME nor HOME is set/)
    }))
})
