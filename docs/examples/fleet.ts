import { DigiKeyUser, Quotes } from "@effect-credentials/digikey"
import { SqlTokenStore } from "@effect-credentials/sql"
import { FetchHttpClient } from "@effect/platform"
import { PgClient } from "@effect/sql-pg"
import { Config, Console, Effect, Layer, Schedule } from "effect"
import { Keyring, TokenStore } from "effect-credentials"

// #region layer
const Database = PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })

const Stored = SqlTokenStore.layer().pipe(
  TokenStore.encrypted(Keyring.fromConfig("CREDENTIALS_KEYRING")),
  Layer.provide(Database),
  // A worker that starts while the database restarts waits for it; for what is missing in its configuration it does not.
  Layer.retry(
    Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(60)).pipe(
      Schedule.whileInput(({ _tag }: { readonly _tag: string }) => _tag === "SqlError" || _tag === "TokenStoreError")
    )
  )
)

const AppLayer = DigiKeyUser.layerConfig().pipe(
  Layer.provideMerge(Stored),
  Layer.provideMerge(FetchHttpClient.layer)
)
// #endregion

/** What every process of the fleet runs. */
export const program = Quotes.listQuotes().pipe(
  Effect.flatMap(({ Quotes }) => Console.log(`${Quotes.length} quotes`)),
  Effect.catchTags({
    ReauthorizationRequired: (error) => Console.log(error.message),
    TokenStoreError: (error) => Console.log(error.message)
  }),
  Effect.provide(AppLayer)
)

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
