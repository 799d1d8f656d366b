// A process with a store in PostgreSQL, told by its only argument, in JSON, what to do. It imports the built package.
import * as SqlTokenStore from "@effect-credentials/sql/SqlTokenStore"
import { PgClient } from "@effect/sql-pg"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Token from "effect-credentials/Token"
import * as TokenStore from "effect-credentials/TokenStore"
import * as Fs from "node:fs"

const { place, table, task, times } = JSON.parse(process.argv[2])

const issuedAt = DateTime.unsafeMake("2026-03-01T10:00:00Z")
const entryOf = (generation, redeeming = Option.none()) => ({
  token: Token.make({ accessToken: `access-${generation}`, refreshToken: `refresh-${generation}`, issuedAt, expiresAt: issuedAt }),
  generation,
  redeeming
})

const say = (text) => Effect.sync(() => Fs.writeSync(1, `${text}\n`))

const increment = (store) =>
  store.withLock("key", ({ save, stored }) =>
    Effect.gen(function*() {
      const generation = Option.match(stored, { onNone: () => 0, onSome: ({ generation }) => generation })
      if (generation > 0) yield* save(entryOf(generation, Option.some(issuedAt)))
      yield* save(entryOf(generation + 1))
    }))

const tasks = {
  increment: (store) => Effect.repeatN(increment(store), times - 1),
  // Marks the entry, says so, and never ends.
  hold: (store) =>
    store.withLock("key", ({ save, stored }) =>
      save({ ...Option.getOrThrow(stored), redeeming: Option.some(issuedAt) }).pipe(
        Effect.zipRight(say("held")),
        Effect.zipRight(Effect.never)
      ))
}

const layer = SqlTokenStore.layer({ table }).pipe(
  Layer.provide(PgClient.layer({ host: "127.0.0.1", username: "postgres", ...place }))
)

await TokenStore.TokenStore.pipe(Effect.flatMap(tasks[task]), Effect.provide(layer), Effect.runPromise)
