import { DigiKeyUser } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, type Scope } from "effect"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { beforeAll } from "vitest"
import { built } from "../../credentials/test/utils/packaging.js"
import * as Fleet from "./utils/fleet.js"

const newStore: Effect.Effect<Fleet.Store, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "fleet-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true }))
).pipe(Effect.map(Fleet.fileStore))

const account = "fleet@example.com"
const token = Effect.flatMap(DigiKeyUser.DigiKeyUser, ({ token }) => token)
const renewed = Effect.flatMap(DigiKeyUser.DigiKeyUser, ({ refresh }) => refresh)

beforeAll(() => built("digikey"), 120_000)

describe("six processes, one account, one file store", () => {
  const secondsOf = (mayDie: boolean) =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      const store = yield* newStore
      yield* Fleet.login(store, account)
      yield* simulator.resetStats
      const orders = { ...yield* Fleet.address, account }
      const one = (seconds: number) => Fleet.run(store, { ...orders, seconds, mayDie })
      // One that dies is followed by another, until the time is over.
      const ended = mayDie
        ? yield* Effect.forEach(Array.from({ length: 6 }), () =>
          Effect.forEach([8, 8, 8, 6], one), { concurrency: 6 })
        : yield* Effect.forEach(Array.from({ length: 6 }), () => Effect.map(one(30), (it) => [it]), { concurrency: 6 })
      const stats = yield* simulator.stats
      const last = yield* Effect.either(Fleet.askLater(store, account, renewed))
      return { ended: ended.flat(), stats, last, after: yield* simulator.stats }
    }).pipe(Effect.provide(Fleet.server({ expiresIn: 1.5, rateLimits: "off" })))

  it.scopedLive("redeem every refresh token once, for 30 seconds of tokens that live 1.5", () =>
    Effect.gen(function*() {
      const { after, ended, last, stats } = yield* secondsOf(false)
      for (const { printed, report } of ended) {
        assert.deepStrictEqual(report?.failed, {}, printed)
        assert.isAbove(report?.requests ?? 0, 50)
      }
      // Every login has one family, and it lives.
      assert.deepInclude(stats, { refreshTokensReused: 0, familiesRevoked: 0, tokensRefused: 0 })
      assert.deepInclude(after, { refreshTokensReused: 0, familiesRevoked: 0, familiesAlive: 1 })
      assert.isTrue(Either.isRight(last))
      assert.strictEqual(stats.refreshTokensRedeemed, stats.tokenCalls)
      // A token is due after 1.2 seconds; a machine that stalls renews less often, never more.
      assert.isAbove(stats.refreshTokensRedeemed, 8)
      assert.isAtMost(stats.refreshTokensRedeemed, 30)
    }), 120_000)

  it.scopedLive("lose nothing when processes are killed, but between the token call and its save", () =>
    Effect.gen(function*() {
      const { after, ended, last, stats } = yield* secondsOf(true)
      const killed = ended.filter(({ signal }) => signal === "SIGKILL").length
      assert.isAbove(killed, 10)
      for (const { printed, report, signal } of ended) {
        if (signal === null) assert.deepStrictEqual(report?.failed, {}, printed)
      }
      assert.deepInclude(after, { refreshTokensReused: 0, familiesRevoked: 0, familiesAlive: 1 })
      assert.isTrue(Either.isRight(last))
      assert.strictEqual(stats.refreshTokensRedeemed, stats.tokenCalls)
    }), 180_000)
})

describe("a process that is killed at any point of a renewal", () => {
  it.scopedLive("leaves a login that works, or one that says why it does not", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      const orders = { ...yield* Fleet.address, seconds: 0 }
      const store = yield* newStore
      yield* Fleet.login(store, account)
      const { report } = yield* Fleet.run(store, { ...orders, account })
      assert.deepStrictEqual(report?.failed, {})
      const steps = report?.steps ?? 0
      assert.isAbove(steps, 20)

      const outcomes = yield* Effect.forEach(Array.from({ length: steps }, (_, step) => step), (step) =>
        Effect.gen(function*() {
          // A store of its own: what another process has left behind would be steps too.
          const store = yield* newStore
          yield* Fleet.login(store, account)
          const { printed, signal } = yield* Fleet.run(store, { ...orders, account, dieBefore: step })
          assert.strictEqual(signal, "SIGKILL", printed)
          // The old token is still good, so ask for a new one.
          const later = yield* Effect.either(Fleet.askLater(store, account, renewed))
          return { step, store, at: /died before (\w+)/.exec(printed)?.[1], later }
        }), { concurrency: 3 })

      const lost = outcomes.filter(({ later }) => Either.isLeft(later))
      const answered = outcomes.findIndex(({ at }) => at === "answer")
      // The last of four: a probe of the folder, the lock, the mark, the new entry. From then on it is in its place.
      const links = outcomes.filter(({ at }) => at === "link").map(({ step }) => step)
      assert.strictEqual(links.length, 4)
      const saved = links[3] ?? 0
      assert.isAbove(answered, 0)
      assert.isAbove(saved, answered)
      for (const { later, step } of lost) {
        // Only what was killed after the server had answered, and before the answer was in its place.
        assert.isAtLeast(step, answered)
        assert.isAtMost(step, saved)
        assert.deepInclude({ ...(Either.isLeft(later) ? later.left : {}) }, {
          _tag: "ReauthorizationRequired",
          reason: "Interrupted"
        })
      }
      assert.strictEqual(lost.length, saved - answered + 1)
      // Each of them can log in again.
      yield* Effect.forEach(lost, ({ store }) =>
        Effect.zipRight(Fleet.login(store, account), Fleet.askLater(store, account, token)))
      assert.strictEqual((yield* simulator.stats).familiesRevoked, lost.length)
    }).pipe(Effect.provide(Fleet.server({ rateLimits: "off" }))), 240_000)
})
