import { SqlTokenStore } from "@effect-credentials/sql"
import { PgClient } from "@effect/sql-pg"
import { Config, Layer } from "effect"
import { Keyring, TokenStore } from "effect-credentials"

const Database = PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })

export const Stored = SqlTokenStore.layer().pipe(
  TokenStore.encrypted(Keyring.fromConfig("CREDENTIALS_KEYRING")),
  Layer.provide(Database)
)
