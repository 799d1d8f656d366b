/** A real PostgreSQL, where there is one: `npm run services` installs and starts it. */
import { describeWith } from "../../../credentials/test/utils/services.js"
import * as PostgresServer from "./postgresServer.mjs"

const isThere = await PostgresServer.server(PostgresServer.shared).isRunning().catch(() => false)

export const describePostgres = describeWith(isThere, `PostgreSQL is not running on port ${PostgresServer.shared.port}`)
