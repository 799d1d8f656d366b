/** The program of a fleet, run as two processes would, on a real PostgreSQL. */
import { DigiKeyUser } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { SqlTokenStore } from "@effect-credentials/sql"
import { FetchHttpClient } from "@effect/platform"
import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Config, ConfigProvider, DateTime, Effect, Exit, Layer, Logger, LogLevel, Option, Redacted } from "effect"
import { Keyring, Token, TokenStore } from "effect-credentials"
import { makeDatabase } from "../../packages/sql/test/utils/database.js"
import { describePostgres } from "../../packages/sql/test/utils/postgres.js"
import * as Example from "../examples/fleet.js"
import * as Loopback from "../examples/quick-start/loopback.js"
import { recorded } from "./utils/recording.js"

describePostgres("fleet.ts", () => {
  it.scopedLive("asks for a login, takes over one that is stored, and renews it once for all", () =>
    Effect.gen(function*() {
      const { database, port } = yield* makeDatabase()
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      const { clientId, clientSecret } = yield* simulator.credentials
      const key = yield* Keyring.generate
      const variables = ConfigProvider.fromMap(
        new Map([
          ["DIGIKEY_CLIENT_ID", clientId],
          ["DIGIKEY_CLIENT_SECRET", Redacted.value(clientSecret)],
          ["DIGIKEY_ENVIRONMENT", "sandbox"],
          ["DIGIKEY_BASE_URL", yield* Loopback.url],
          ["CREDENTIALS_KEYRING", `2026-11:${Redacted.value(key)}`],
          ["DATABASE_URL", `postgres://postgres@127.0.0.1:${port}/${database}`]
        ])
      )
      const printed = Effect.map(recorded(Effect.withConfigProvider(Example.program, variables)), ([, { out }]) => out)
      assert.deepStrictEqual(yield* printed, ["A person has to log in to digikey as default: no login is stored."])

      const { refreshToken } = yield* simulator.signIn()
      const now = yield* DateTime.now
      const store = SqlTokenStore.layer().pipe(
        TokenStore.encrypted(Keyring.fromConfig("CREDENTIALS_KEYRING")),
        Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })),
        Layer.provide(Layer.setConfigProvider(variables))
      )
      yield* Effect.gen(function*() {
        const tokens = yield* TokenStore.TokenStore
        const { identity } = yield* DigiKeyUser.DigiKeyUser
        yield* tokens.withLock(TokenStore.key(identity), ({ save }) =>
          save({
            token: Token.make({ accessToken: "imported", issuedAt: now, expiresAt: now, refreshToken }),
            generation: 1,
            redeeming: Option.none()
          }))
      }).pipe(
        Effect.provide(DigiKeyUser.layerConfig().pipe(
          Layer.provideMerge(store),
          Layer.provide(FetchHttpClient.layer),
          Layer.provide(Layer.setConfigProvider(variables))
        ))
      )
      yield* simulator.resetStats
      const both = yield* Effect.all([printed, printed], { concurrency: 2 })
      assert.deepStrictEqual(both, [["0 quotes"], ["0 quotes"]])
      assert.deepInclude(yield* simulator.stats, { tokenCalls: 1, refreshTokensReused: 0 })
    }).pipe(Effect.provide(Layer.merge(Loopback.layer({ rateLimits: "off" }), Logger.minimumLogLevel(LogLevel.None)))))

  it.scopedLive("says at once that its configuration lacks something, and waits only for a database", () =>
    Effect.gen(function*() {
      const exit = yield* Example.program.pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map())),
        Effect.exit,
        Effect.timeout("900 millis")
      )
      assert.isTrue(Exit.isFailure(exit))
    }))
})
