/** Real servers on 127.0.0.1 that keep what arrives. */
import { Effect, type Scope } from "effect"
import * as Http from "node:http"

export interface Arrived {
  readonly method: string
  readonly path: string
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Loopback {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string
  readonly port: number
  readonly arrived: Array<Arrived>
}

const listening = (server: Http.Server) =>
  Effect.async<number>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(address === null || typeof address === "string" ? Effect.die("no port") : Effect.succeed(address.port))
    })
  })

const closed = (server: Http.Server) =>
  Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** `answer` is asked once a request has arrived in full. */
export const makeLoopback = (answer: (request: Arrived) => Answer): Effect.Effect<Loopback, never, Scope.Scope> =>
  Effect.gen(function*() {
    const arrived: Array<Arrived> = []
    const server = Http.createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk
      }).on("end", () => {
        const it = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body }
        arrived.push(it)
        const { body: text, headers, status } = answer(it)
        response.writeHead(status, headers).end(text)
      })
    })
    const port = yield* Effect.acquireRelease(listening(server), () => closed(server))
    return { origin: `http://127.0.0.1:${port}`, port, arrived }
  })
