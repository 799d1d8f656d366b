/** `credentials token`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { digikey, login, run } from "./utils/cli.js"

describe("token", () => {
  it.scoped("standard output has the person's token alone, and it works", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      const { code, err, out } = yield* run(["token", "digikey"], { env: world.env })
      assert.strictEqual(code, 0)
      assert.strictEqual(err, "")
      assert.match(out, /^simulated-access-token-\S+\n$/)
      const response = yield* Effect.promise(() =>
        fetch(`${world.env.DIGIKEY_BASE_URL}/quoting/v4/quotes`, {
          headers: { authorization: `Bearer ${out.trim()}`, "x-digikey-client-id": world.env.DIGIKEY_CLIENT_ID }
        })
      )
      assert.strictEqual(response.status, 200)
    }))

  it.scoped("is the same until it is due, and is renewed then, once", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      const token = Effect.map(run(["token", "digikey"], { env: world.env }), ({ out }) => out)
      const first = yield* token
      assert.strictEqual(yield* token, first)
      yield* TestClock.adjust("61 minutes")
      const second = yield* token
      assert.notStrictEqual(second, first)
      assert.strictEqual(yield* token, second)
      const { familiesAlive, refreshTokensRedeemed } = yield* world.simulator.stats
      assert.deepStrictEqual([familiesAlive, refreshTokensRedeemed], [1, 1])
    }))

  it.scoped("of the application needs nobody's login, and is kept for the next command", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const first = yield* run(["token", "digikey", "--as", "app"], { env: world.env })
      const second = yield* run(["token", "digikey", "--as", "app"], { env: world.env })
      assert.strictEqual(first.code, 0)
      assert.strictEqual(first.out, second.out)
      assert.strictEqual((yield* world.simulator.stats).tokenCalls, 1)
    }))

  it.scoped("warns where a person would see it", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      const { err } = yield* run(["token", "digikey"], { env: world.env, terminal: true })
      assert.match(err, /^Warning: an access token follows/)
    }))

  it.scoped("without a login it ends with 3 and the command that helps, and starts nothing", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const { code, err, out } = yield* run(
        ["token", "digikey", "--account", "it's me", "--environment", "production"],
        { env: world.env }
      )
      assert.deepStrictEqual([code, out], [3, ""])
      assert.match(err, /A person has to log in to digikey/)
      assert.include(err, "credentials login digikey --account 'it'\\''s me' --environment production\n")
    }))

  it.scoped("a login that was revoked ends with 3, an endpoint that is down with 9", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      yield* TestClock.adjust("61 minutes")
      yield* world.simulator.revokeUser("simulator")
      const { code, err } = yield* run(["token", "digikey"], { env: world.env })
      assert.strictEqual(code, 3)
      assert.match(err, /no longer accepts the stored login/)
      const unreachable = yield* run(["token", "digikey", "--as", "app"], {
        env: { ...world.env, DIGIKEY_BASE_URL: "http://127.0.0.1:1" }
      }).pipe(Effect.fork, Effect.flatMap((fiber) => Effect.zipRight(passing, fiber)))
      assert.strictEqual(unreachable.code, 9)
      assert.match(unreachable.err, /could not be reached/)
    }))

  it.scoped("a provider without a login gives the application's", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { code, out } = yield* run(["token", "digitzs", "--demo"], { env })
      assert.strictEqual(code, 0)
      assert.match(out, /^eyJ\S+\n$/)
      const person = yield* run(["token", "digitzs", "--as", "user", "--demo"], { env })
      assert.strictEqual(person.code, 2)
      assert.match(person.err, /Digitzs has no login/)
    }))

  it.scoped("--log-level shows the log, on standard error", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { err, out } = yield* run(["token", "digitzs", "--demo", "--log-level", "info"], { env })
      assert.match(err, /level=INFO .*Got a token/)
      assert.match(out, /^eyJ\S+\n$/)
    }))
})

/** Retries wait, so the clock moves until all is said. */
const passing = Effect.forkScoped(
  Effect.forever(Effect.zipRight(
    TestClock.adjust("1 second"),
    Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)))
  ))
)
