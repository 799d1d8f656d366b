/** A real PostgreSQL, where there is one: `npm run services` installs and starts it. */
import { describe } from "vitest"
import * as PostgresServer from "./postgresServer.mjs"

const isThere = await PostgresServer.server(PostgresServer.shared).isRunning().catch(() => false)

/** Skipped without PostgreSQL, with one line that says so; where `CI=true` the tests fail instead. */
export const describePostgres = (name: string, body: () => void): void => {
  if (isThere || process.env["CI"] === "true") return void describe(name, { timeout: 120_000 }, body)
  console.log(`Skipped: ${name}. PostgreSQL is not running on port ${PostgresServer.shared.port}: run "npm run services".`)
  describe.skip(name, body)
}
