/** A PostgreSQL that one test file may stop, restart and break. */
import { Effect, type Scope } from "effect"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import * as PostgresServer from "./postgresServer.mjs"

const freePort = Effect.async<number>((resume) => {
  const server = Net.createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(address === null || typeof address === "string" ? Effect.die("no port") : Effect.succeed(address.port)))
  })
})

export interface PrivateServer {
  readonly port: number
  readonly start: (settings?: Record<string, string | number>) => Effect.Effect<void>
  readonly stop: (mode?: "smart" | "fast" | "immediate") => Effect.Effect<void>
}

export const makeServer = (settings?: Record<string, string | number>): Effect.Effect<PrivateServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* freePort
    const folder = Path.join(Os.tmpdir(), `effect-credentials-sql-${crypto.randomUUID()}`)
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => PostgresServer.server({ folder, port })),
      (server) => Effect.promise(() => server.remove())
    )
    const start = (settings?: Record<string, string | number>) => Effect.promise(() => server.start(settings))
    yield* start(settings)
    return { port, start, stop: (mode) => Effect.promise(() => server.stop(mode)) }
  })
