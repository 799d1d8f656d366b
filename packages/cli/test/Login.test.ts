/** `credentials login` with an address that is pasted. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { allowed, digikey, login, run, start, stateOf } from "./utils/cli.js"

const terminal = { silent: true, terminal: true } as const

describe("a login by pasting", () => {
  it.scoped("prints the address alone on standard output, and stores what the pasted one leads to", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const command = yield* start(["login", "digikey", "--account", "alice"], { env: world.env, ...terminal })
      const url = yield* command.firstLine
      const asked = new URL(url)
      assert.strictEqual(asked.origin + asked.pathname, `${world.env.DIGIKEY_BASE_URL}/v1/oauth2/authorize`)
      assert.strictEqual(asked.searchParams.get("redirect_uri"), "https://localhost")
      yield* command.type(yield* allowed(world, url))
      const { code, err, out } = yield* command.done
      assert.strictEqual(code, 0)
      assert.strictEqual(out, `${url}\n`)
      assert.match(err, /Logging in to DigiKey \(sandbox\) as account "alice"/)
      assert.match(err, /Logged in to DigiKey \(sandbox\) as account "alice"\. The access token is good until .* UTC/)
      assert.notInclude(err, stateOf(url))
      const { out: table } = yield* run(["status"], { env: world.env })
      assert.match(table, /^digikey +sandbox +alice +until .* UTC +until unknown +1 +stored/m)
    }))

  it.scoped("takes an address in quotes, with space around it", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const command = yield* start(["login", "digikey"], { env: world.env, ...terminal })
      yield* command.type(`  "${yield* allowed(world, yield* command.firstLine)}" `)
      assert.strictEqual((yield* command.done).code, 0)
    }))

  it.scoped("asks again for what is no address, and for the answer to another login", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const command = yield* start(["login", "digikey"], { env: world.env, ...terminal })
      const right = yield* allowed(world, yield* command.firstLine)
      yield* command.type("hello")
      yield* command.type("")
      yield* command.type(right.replace(/state=[^&]*/, "state=of-another"))
      yield* command.type(right)
      const { code, err } = yield* command.done
      assert.strictEqual(code, 0)
      assert.strictEqual(err.split("That is not the address").length, 3)
      assert.strictEqual(err.split("answer to another login").length, 2)
      assert.notInclude(err, "hello")
    }))

  it.scoped("a person who says no ends it with 4, and nothing is stored", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const command = yield* start(["login", "digikey"], { env: world.env, ...terminal })
      const state = stateOf(yield* command.firstLine)
      yield* command.type(`https://localhost/?error=access_denied&error_description=no%20thanks&state=${state}`)
      const { code, err } = yield* command.done
      assert.strictEqual(code, 4)
      assert.match(err, /access was denied \(access_denied\): no thanks/)
      assert.match((yield* run(["status"], { env: world.env })).err, /Nothing is stored/)
    }))

  it.scoped("a code that has expired, or was used before, ends it with 5", () =>
    Effect.gen(function*() {
      const world = yield* digikey({ codeLifetime: "1 minute", tokenErrorDialect: "E" })
      const command = yield* start(["login", "digikey"], { env: world.env, ...terminal })
      const callback = yield* allowed(world, yield* command.firstLine)
      yield* TestClock.adjust("2 minutes")
      yield* command.type(callback)
      const { code, err } = yield* command.done
      assert.strictEqual(code, 5)
      assert.match(err, /did not take the code: it has expired, or was used before/)
    }))

  it.scoped("gives up after 10 minutes with 5", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const command = yield* start(["login", "digikey"], { env: world.env, ...terminal })
      yield* command.firstLine
      yield* TestClock.adjust("599 seconds")
      assert.notInclude(command.err(), "Nobody came back")
      yield* TestClock.adjust("1 second")
      const { code, err } = yield* command.done
      assert.strictEqual(code, 5)
      assert.match(err, /Nobody came back from DigiKey within 10m: nothing was stored/)
    }))

  it.scoped("a client secret that DigiKey does not take ends it with 6", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* world.simulator.setCredentials({ clientSecret: "another" })
      const { code, err } = yield* login(world)
      assert.strictEqual(code, 6)
      assert.match(err, /refused the credentials/)
    }))

  it.scoped("an entry that cannot be read stops it before a person makes the effort", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      spoil(world.folder)
      const { code, err, out } = yield* run(["login", "digikey"], { env: world.env, ...terminal })
      assert.strictEqual(code, 11)
      assert.strictEqual(out, "")
      assert.match(err, /token store failed \(load\)/)
    }))
})

/** Puts nonsense into every stored entry. */
const spoil = (folder: string): void => {
  for (const name of Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (/entry\.\d+$/.test(name)) Fs.writeFileSync(Path.join(folder, name), "nonsense")
  }
}

describe("a login without a terminal", () => {
  it.scoped("reads one line from standard input", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const command = yield* start(["login", "digikey"], { env: world.env, silent: true })
      yield* command.type(yield* allowed(world, yield* command.firstLine))
      assert.strictEqual((yield* command.done).code, 0)
    }))

  it.scoped("fails at once where standard input has ended", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const { code, err } = yield* run(["login", "digikey"], { env: world.env })
      assert.strictEqual(code, 2)
      assert.match(err, /Nothing was pasted, for standard input has ended.*--listen/)
    }))

  it.scoped("does not ask a second time", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const wrong = yield* run(["login", "digikey"], { env: world.env, stdin: ["nonsense", "more"] })
      assert.strictEqual(wrong.code, 2)
      assert.match(wrong.err, /That is not the address: it begins with https:\/\/localhost and has "state=" in it\.\n$/)
      const foreign = yield* run(["login", "digikey"], { env: world.env, stdin: ["https://localhost/?code=x&state=y", "more"] })
      assert.strictEqual(foreign.code, 1)
      assert.match(foreign.err, /belongs to no login that was begun here/)
    }))

  it.scoped("does not wait for ever for a line that never comes", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const command = yield* start(["login", "digikey"], { env: world.env, silent: true })
      yield* command.firstLine
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* command.done).code, 5)
    }))
})

describe("what is asked for", () => {
  it.scoped("a provider without a login says what to use instead", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { code, err } = yield* run(["login", "digitzs"], { env })
      assert.strictEqual(code, 2)
      assert.match(err, /Digitzs has no login.*credentials token digitzs/)
    }))

  it.scoped("a redirect URI is needed, and the option wins over the variable", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { DIGIKEY_REDIRECT_URI: _, ...without } = env
      const missing = yield* run(["login", "digikey"], { env: without })
      assert.strictEqual(missing.code, 2)
      assert.match(missing.err, /--redirect-uri or DIGIKEY_REDIRECT_URI/)
      const given = yield* run(["login", "digikey", "--redirect-uri", "https://example.com/back"], { env })
      assert.strictEqual(new URL(given.out.trim()).searchParams.get("redirect_uri"), "https://example.com/back")
    }))

  it.scoped("missing variables are named, and their values are not shown", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { DIGIKEY_CLIENT_SECRET: _, ...without } = env
      const missing = yield* run(["login", "digikey"], { env: without })
      assert.strictEqual(missing.code, 2)
      assert.match(missing.err, /DIGIKEY_CLIENT_SECRET is not set/)
      const wrong = yield* run(["login", "digikey"], { env: { ...env, DIGIKEY_CLIENT_SECRET: "canary two\nlines" } })
      assert.strictEqual(wrong.code, 2)
      assert.match(wrong.err, /DIGIKEY_CLIENT_SECRET/)
    }))

  it.scoped("an account that is empty or has a line break in it is refused", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      for (const account of ["", "a\nb"]) {
        const { code, err } = yield* run(["login", "digikey", "--account", account], { env })
        assert.strictEqual(code, 2)
        assert.match(err, /^account: Expected/)
      }
    }))

  it.scoped("an environment that DigiKey does not have is refused", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { code, err } = yield* run(["login", "digikey", "--environment", "staging"], { env })
      assert.strictEqual(code, 2)
      assert.match(err, /"production" and "sandbox"/)
    }))

  it.scoped("a certificate belongs to --listen, with its key", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      assert.match((yield* run(["login", "digikey", "--tls-cert", "a"], { env })).err, /belong to --listen/)
      assert.match((yield* run(["login", "digikey", "--listen", "--tls-cert", "a"], { env })).err, /go together/)
    }))
})
