/**
 * Serves a simulator to this machine, for as long as a command runs.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServer from "@effect/platform/HttpServer"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createServer } from "node:http"
import { ExitCode } from "../ExitCode.js"
import { Stop } from "./stop.js"

/** Answers with the address, `http://127.0.0.1:<port>`. */
export const serve = (app: HttpApp.Default): Effect.Effect<string, Stop, Scope.Scope> =>
  Effect.gen(function*() {
    const NodeHttpServer = yield* Effect.promise(() => import("@effect/platform-node/NodeHttpServer"))
    const node = createServer()
    const server = yield* NodeHttpServer.make(() => node, { port: 0, host: "127.0.0.1" }).pipe(
      Effect.mapError(() => new Stop({ code: ExitCode.failed, message: "The simulator found no free port." }))
    )
    // A browser keeps its connections, and the server would wait for them.
    yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
    yield* server.serve(app)
    return HttpServer.formatAddress(server.address)
  })
