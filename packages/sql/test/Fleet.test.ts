/** Eight processes, one account, one PostgreSQL, and a server that revokes a login whose refresh token comes twice. */
import { SqlTokenStore } from "@effect-credentials/sql"
import { DigiKeyUser } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, it } from "@effect/vitest"
import { Effect, Either, Fiber, Layer, Random, Schedule } from "effect"
import { Token } from "effect-credentials"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { beforeAll } from "vitest"
import { built } from "../../credentials/test/utils/packaging.js"
import * as Fleet from "../../digikey/test/utils/fleet.js"
import { client, makeDatabase, type Place } from "./utils/database.js"
import { describePostgres } from "./utils/postgres.js"
import * as PostgresServer from "./utils/postgresServer.mjs"

const account = "fleet@example.com"
const token = Effect.flatMap(DigiKeyUser.DigiKeyUser, ({ token }) => token)
const renewed = Effect.flatMap(DigiKeyUser.DigiKeyUser, ({ refresh }) => refresh)
const eight = Array.from({ length: 8 }, (_, index) => index)

beforeAll(async () => {
  await built("digikey")
  await built("sql")
}, 240_000)

const sqlStore = (place: Place): Fleet.Store => ({
  layer: SqlTokenStore.layer().pipe(Layer.provide(Layer.orDie(client(place)))),
  imports: `
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Schedule from "effect/Schedule"
import * as SqlTokenStore from "@effect-credentials/sql/SqlTokenStore"`,
  source: `Layer.effect(TokenStore.TokenStore, Effect.map(TokenStore.TokenStore, (store) => ({
  load: (key) => Effect.zipRight(step("load"), store.load(key)),
  withLock: (key, body) => Effect.zipRight(step("lock"), store.withLock(key, (held) => body({
    ...held,
    save: (entry) => Effect.zipRight(step("save"), Effect.tap(held.save(entry), () => step("saved")))
  }))),
  remove: store.remove
}))).pipe(Layer.provide(SqlTokenStore.layer()), Layer.provide(PgClient.layer({
  host: "127.0.0.1", username: "postgres", maxConnections: 4, ...${JSON.stringify(place)}
})), Layer.retry(Schedule.spaced("200 millis")))`
})

/** A login in a database of its own, and how to run a process with it. */
const fleet = (place: Place) =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    const store = sqlStore(place)
    yield* Fleet.login(store, account)
    yield* simulator.resetStats
    const address = yield* Fleet.address
    return {
      simulator,
      store,
      run: (orders: Pick<Fleet.Orders, "seconds" | "mayDie" | "dieBefore">) =>
        Fleet.run(store, { ...address, account, ...orders })
    }
  })

const world = (expiresIn: number) => Fleet.server({ expiresIn, rateLimits: "off" })

describePostgres("eight processes, one account, one PostgreSQL", () => {
  it.scopedLive("redeem every refresh token once, for 60 seconds of tokens that live 1.5", () =>
    Effect.gen(function*() {
      const { run, simulator, store } = yield* fleet(yield* makeDatabase())
      const ended = yield* Effect.forEach(eight, () => run({ seconds: 60 }), { concurrency: 8 })
      const stats = yield* simulator.stats
      for (const { printed, report } of ended) {
        assert.deepStrictEqual(report?.failed, {}, printed)
        assert.isAbove(report?.requests ?? 0, 100)
        // Every process had the tokens of its time. One that stalls may miss one, and none goes back to an older one.
        const generations = report?.generations ?? []
        for (const [index, generation] of generations.entries()) assert.isAbove(generation, generations[index - 1] ?? 0)
        assert.isAbove(generations.length, stats.tokenCalls / 2)
      }
      assert.deepInclude(stats, { refreshTokensReused: 0, familiesRevoked: 0, familiesAlive: 1, tokensRefused: 0 })
      assert.strictEqual(stats.refreshTokensRedeemed, stats.tokenCalls)
      // A token is due after 1.2 seconds; a machine that stalls renews less often, never more.
      assert.isAbove(stats.tokenCalls, 20)
      assert.isAtMost(stats.tokenCalls, 60)
      yield* Fleet.askLater(store, account, renewed)
      assert.strictEqual((yield* simulator.stats).refreshTokensReused, 0)
    }).pipe(Effect.provide(world(1.5))), 180_000)

  it.scopedLive("see a token that another has renewed within the one request whose old token is refused", () =>
    Effect.gen(function*() {
      const { simulator, store } = yield* fleet(yield* makeDatabase())
      const here = yield* Fleet.member(store, account)
      const there = yield* Fleet.member(store, account)
      const old = yield* here.token
      assert.isTrue(Token.sameAccessToken(old, yield* there.token))
      for (let round = 1; round <= 5; round++) {
        const before = yield* there.token
        const next = yield* here.refresh
        assert.isFalse(Token.sameAccessToken(before, next))
        assert.isTrue(Token.sameAccessToken(next, yield* there.reject(before)))
        assert.strictEqual((yield* simulator.stats).tokenCalls, round)
      }
    }).pipe(Effect.provide(world(1800))))

  it.scopedLive("lose nothing when processes are killed, but between the token call and its save", () =>
    Effect.gen(function*() {
      const { run, simulator, store } = yield* fleet(yield* makeDatabase())
      // One that dies is followed by another, until the time is over.
      const ended = yield* Effect.forEach(eight, () =>
        Effect.forEach([8, 8, 8, 6], (seconds) => run({ seconds, mayDie: true })), { concurrency: 8 })
      const stats = yield* simulator.stats
      const killed = ended.flat().filter(({ signal }) => signal === "SIGKILL").length
      assert.isAbove(killed, 10)
      for (const { printed, report, signal } of ended.flat()) {
        if (signal === null) assert.deepStrictEqual(report?.failed, {}, printed)
      }
      assert.deepInclude(stats, { refreshTokensReused: 0, familiesRevoked: 0, familiesAlive: 1 })
      assert.strictEqual(stats.refreshTokensRedeemed, stats.tokenCalls)
      // Lifetimes of 32 seconds, and the kills.
      assert.isAtMost(stats.tokenCalls, Math.ceil(32 / 1.2) + killed)
      yield* Fleet.askLater(store, account, renewed)
    }).pipe(Effect.provide(world(1.5))), 180_000)

  it.scopedLive("go on while PostgreSQL is restarted, and renew again when it is back", () =>
    Effect.gen(function*() {
      const server = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const folder = await Fs.mkdtemp(Path.join(Os.tmpdir(), "fleet-postgresql-"))
          return PostgresServer.server({ folder, port: await PostgresServer.freePort() })
        }),
        (server) => Effect.promise(() => server.remove())
      )
      yield* Effect.promise(() => server.start())
      const { run, simulator, store } = yield* fleet({ port: server.port, database: "postgres" })
      const fiber = yield* Effect.fork(Effect.forEach(eight, () => run({ seconds: 40 }), { concurrency: 8 }))
      // Both ways to end, each at a moment that nobody chooses.
      for (const mode of ["fast", "immediate", "fast"] as const) {
        yield* Effect.sleep(yield* Random.nextIntBetween(5_000, 8_000))
        const before = (yield* simulator.stats).tokenCalls
        yield* Effect.promise(() => server.stop(mode))
        yield* Effect.sleep("500 millis")
        yield* Effect.promise(() => server.start())
        // Recovery needs nobody.
        yield* Effect.repeat(simulator.stats, {
          schedule: Schedule.spaced("100 millis"),
          until: ({ tokenCalls }) => tokenCalls > before
        })
      }
      const ended = yield* Fiber.join(fiber)
      for (const { printed, report } of ended) {
        // While the database was away, only those failed whose token had expired meanwhile.
        assert.strictEqual(report?.failedInVain, 0, printed)
        assert.includeMembers(["TokenStoreError"], Object.keys(report?.failed ?? {}), printed)
        assert.isBelow((report?.failed["TokenStoreError"] ?? 0) / (report?.requests ?? 1), 0.2, printed)
      }
      const stats = yield* simulator.stats
      assert.deepInclude(stats, { refreshTokensReused: 0, familiesRevoked: 0, familiesAlive: 1 })
      assert.isAbove(stats.tokenCalls, 5)
      yield* Fleet.askLater(store, account, renewed)
    }).pipe(Effect.provide(world(6))), 240_000)
})

describePostgres("a process that is killed at any point of a renewal, with PostgreSQL", () => {
  it.scopedLive("leaves a login that works, or one that says why it does not", () =>
    Effect.gen(function*() {
      const { report } = yield* Effect.flatMap(makeDatabase(), fleet).pipe(
        Effect.flatMap(({ run }) => run({ seconds: 0 }))
      )
      const steps = report?.steps ?? 0
      // Load, lock, mark, send, answer, save.
      assert.isAtLeast(steps, 8)
      const outcomes = yield* Effect.forEach(Array.from({ length: steps }, (_, step) => step), (step) =>
        Effect.gen(function*() {
          const { run, store } = yield* fleet(yield* makeDatabase())
          const { printed, signal } = yield* run({ seconds: 0, dieBefore: step })
          assert.strictEqual(signal, "SIGKILL", printed)
          const later = yield* Effect.either(Fleet.askLater(store, account, renewed))
          return { step, store, at: /died before (\w+)/.exec(printed)?.[1], later }
        }), { concurrency: 2 })

      const lost = outcomes.filter(({ later }) => Either.isLeft(later))
      // What was answered and not saved: before the answer is read, and before it is saved.
      assert.deepStrictEqual(lost.map(({ at }) => at), ["answer", "save"])
      for (const { later } of lost) {
        assert.deepInclude({ ...(Either.isLeft(later) ? later.left : {}) }, {
          _tag: "ReauthorizationRequired",
          reason: "Interrupted"
        })
      }
      yield* Effect.forEach(lost, ({ store }) =>
        Effect.zipRight(Fleet.login(store, account), Fleet.askLater(store, account, token)))
    }).pipe(Effect.provide(world(1800))), 240_000)
})
