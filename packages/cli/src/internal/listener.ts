/**
 * A port of this machine that takes the browser's return (RFC 8252 §7.3), open
 * only while somebody waits for it.
 *
 * It is Node's own server: the platform's traces every request with its address,
 * and this one has a code in it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as Https from "node:https"
import { ExitCode } from "../ExitCode.js"
import * as Pages from "./pages.js"
import { Stop, usage } from "./stop.js"

/** A browser that came back, and waits for a page. */
export interface Callback {
  /** Path and query. */
  readonly target: string
  /** Done when the page has left this process, or the browser has gone. */
  readonly answer: (page: Pages.Page) => Effect.Effect<void>
}

export interface Listener {
  /** What the provider is given: with the port, where it was left to the system. */
  readonly redirectUri: string
  readonly callbacks: Queue.Dequeue<Callback>
}

/** PEM. */
export interface Tls {
  readonly cert: string
  readonly key: string
}

/** What is written in a URL, and what is listened on: not both families of `localhost`, only the one that every browser tries. */
const hosts: Readonly<Record<string, string>> = { "127.0.0.1": "127.0.0.1", "[::1]": "::1", localhost: "127.0.0.1" }

/** RFC 8252 §7.3 and §8.3. */
const parse = (text: string, isTls: boolean): Effect.Effect<URL, Stop> => {
  const wrong = (why: string) => Effect.fail(usage(`The redirect URI cannot be listened on: ${why}.`))
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return wrong("it is no URL")
  if (hosts[url.hostname] === undefined) return wrong("its host is not 127.0.0.1, [::1] or localhost")
  if (url.username !== "" || url.password !== "") return wrong("it has a user name")
  if (url.search !== "" || url.hash !== "") return wrong("it has a query or a fragment")
  if (url.protocol !== "http:" && url.protocol !== "https:") return wrong("it is not http or https")
  if (url.protocol === "https:" && !isTls) return wrong("https needs --tls-cert and --tls-key")
  if (url.protocol === "http:" && isTls) return wrong("with --tls-cert and --tls-key it must be https")
  return Effect.succeed(url)
}

const createServer = (tls: Option.Option<Tls>): Effect.Effect<Http.Server, Stop> =>
  Option.isNone(tls) ? Effect.sync(() => Http.createServer()) : Effect.try({
    try: () => Https.createServer({ ...tls.value, minVersion: "TLSv1.2" }),
    catch: () => usage("--tls-cert and --tls-key are no certificate and its key, in PEM.")
  })

const whyNot: Readonly<Record<string, string>> = {
  EACCES: "this user may not use it",
  EADDRINUSE: "another program uses it",
  EADDRNOTAVAIL: "this machine does not have that address"
}

const listen = (server: Http.Server, url: URL): Effect.Effect<number, Stop> =>
  Effect.async((resume) => {
    const port = Number(url.port === "" ? (url.protocol === "https:" ? 443 : 80) : url.port)
    const refuse = (error: NodeJS.ErrnoException) => {
      const code = error.code ?? ""
      const why = whyNot[code] ?? (code === "" ? "the system does not say why" : code)
      resume(Effect.fail(new Stop({ code: ExitCode.failed, message: `Port ${port} cannot be opened: ${why}.` })))
    }
    server.once("error", refuse)
    server.listen({ port, host: hosts[url.hostname] }, () => {
      server.off("error", refuse)
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
    })
  })

/** No connection outlives its answer, so that the end of the login is the end of the port. */
const send = (response: Http.ServerResponse, { headers, html, status }: Pages.Page): Effect.Effect<void> =>
  Effect.async((resume) => {
    const { socket } = response
    if (socket === null || socket.destroyed) return resume(Effect.void)
    socket.once("close", () => resume(Effect.void))
    response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(html), connection: "close" })
    response.end(html)
  })

/** Port 0 stands for any free one. */
export const open = (redirectUri: string, tls: Option.Option<Tls>): Effect.Effect<Listener, Stop, Scope.Scope> =>
  Effect.gen(function*() {
    const url = yield* parse(redirectUri, Option.isSome(tls))
    const server = yield* createServer(tls)
    const callbacks = yield* Queue.unbounded<Callback>()
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
    )
    const port = yield* listen(server, url)
    const isAnyPort = url.port === "0"
    if (isAnyPort) url.port = String(port)
    const runFork = Runtime.runFork(yield* Effect.runtime())
    // A connection that breaks is the browser's affair.
    server.on("clientError", (_, socket) => socket.destroy())
    server.on("request", (request, response) => {
      const target = request.url ?? ""
      const answer = (page: Pages.Page) => send(response, page)
      const refused = request.headers.host !== url.host
        ? Pages.wrongHost
        : target.replace(/\?.*$/s, "") !== url.pathname
        ? Pages.notFound
        : request.method !== "GET"
        ? Pages.wrongMethod
        : undefined
      runFork(refused === undefined ? Queue.offer(callbacks, { target, answer }) : answer(refused))
    })
    // As it was written, where it was: providers compare it with what is registered, character by character.
    return { redirectUri: isAnyPort ? url.href : redirectUri, callbacks }
  })

/** Any free port (RFC 8252 §7.3). */
export const anyPort = (isTls: boolean): string => `${isTls ? "https" : "http"}://127.0.0.1:0/callback`
