/** `credentials login --listen`, driven as a browser does it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"
import { allowed, digikey, type DigiKey, run, start, stateOf } from "./utils/cli.js"

interface Page {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly html: string
}

/** Browsers keep their connections. Undici does too, but sends no Host of one's own. */
const agents = { http: new Http.Agent({ keepAlive: true }), https: new Https.Agent({ keepAlive: true }) }

const visit = (url: string, options: Https.RequestOptions = {}): Effect.Effect<Page, NodeJS.ErrnoException> =>
  Effect.async((resume) => {
    const [{ request }, agent] = url.startsWith("https:") ? [Https, agents.https] : [Http, agents.http]
    request(url, { agent, ...options }, (response) => {
      let html = ""
      response.setEncoding("utf8").on("data", (chunk: string) => { html += chunk }).on("end", () =>
        resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, html })))
    }).on("error", (error) => resume(Effect.fail(error))).end()
  })

/** A login that waits: the address to open, and where the browser is to come back to. */
const listening = (world: DigiKey, ...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { DIGIKEY_REDIRECT_URI: _, ...env } = world.env
    const command = yield* start(["login", "digikey", "--listen", ...args], { env })
    const url = yield* command.firstLine
    return { ...command, url, redirectUri: new URL(url).searchParams.get("redirect_uri") ?? "" }
  })

const assertClosed = (redirectUri: string) =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(visit(redirectUri))
    assert.strictEqual(error.code, "ECONNREFUSED")
  })

const accounts = ({ env }: DigiKey) => Effect.map(run(["status"], { env }), ({ out }) => out)

describe("a login on a port", () => {
  it.scoped("ends with a page, stores the login, and closes the port", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world, "--account", "alice")
      assert.match(login.redirectUri, /^http:\/\/127\.0\.0\.1:\d+\/callback$/)
      const page = yield* visit(yield* allowed(world, login.url))
      assert.strictEqual(page.status, 200)
      assert.include(page.html, "Logged in to DigiKey")
      assert.include(page.html, "alice")
      const { code, err } = yield* login.done
      assert.strictEqual(code, 0)
      assert.match(err, /comes back to http:\/\/127\.0\.0\.1:\d+\/callback\nWaiting for the browser\n/)
      yield* assertClosed(login.redirectUri)
      assert.match(yield* accounts(world), /alice +until/)
    }))

  it.scoped("every page keeps the address to itself", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world)
      const pages = [
        yield* visit(`${login.redirectUri}?code=x&state=foreign`),
        yield* visit(`${login.redirectUri}/more`),
        yield* visit(login.redirectUri, { method: "POST" }),
        yield* visit(login.redirectUri, { headers: { host: "evil.example" } }),
        yield* visit(yield* allowed(world, login.url))
      ]
      for (const { headers } of pages) {
        assert.strictEqual(headers["cache-control"], "no-store")
        assert.strictEqual(headers["referrer-policy"], "no-referrer")
        assert.strictEqual(headers["x-content-type-options"], "nosniff")
        assert.match(String(headers["content-security-policy"]), /default-src 'none'.*frame-ancestors 'none'/)
        assert.strictEqual(headers["connection"], "close")
        assert.strictEqual(headers["content-type"], "text/html; charset=utf-8")
      }
      yield* login.done
    }))

  it.scoped("refuses the answer to another login with a 400, and goes on", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world)
      const right = yield* allowed(world, login.url)
      for (const foreign of [right.replace(/state=[^&]*/, "state=foreign"), right.replace(/&state=[^&]*/, ""), login.redirectUri]) {
        const page = yield* visit(foreign)
        assert.strictEqual(page.status, 400)
        assert.include(page.html, "belongs to another login")
      }
      assert.strictEqual((yield* visit(right)).status, 200)
      const { code, err } = yield* login.done
      assert.strictEqual(code, 0)
      assert.strictEqual(err.split("Still waiting").length, 4)
    }))

  it.scoped("refuses another host, path or method, and goes on", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world)
      const right = yield* allowed(world, login.url)
      const { port } = new URL(login.redirectUri)
      for (const host of ["evil.example", `localhost:${port}`, "127.0.0.1", `127.0.0.1:${port}.evil.example`]) {
        assert.strictEqual((yield* visit(right, { headers: { host } })).status, 400, host)
      }
      for (const path of ["/", "/favicon.ico", "/callback/", "/callbacks", "/CALLBACK", "/%63allback"]) {
        const { search } = new URL(right)
        assert.strictEqual((yield* visit(new URL(`${path}${search}`, right).href, { path: path + search })).status, 404, path)
      }
      const posted = yield* visit(right, { method: "POST" })
      assert.deepStrictEqual([posted.status, posted.headers.allow], [405, "GET"])
      assert.strictEqual((yield* visit(right)).status, 200)
      assert.strictEqual((yield* login.done).code, 0)
    }))

  it.scoped("a person who says no gets a page, and ends it with 4", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world)
      const page = yield* visit(`${login.redirectUri}?error=access_denied&state=${stateOf(login.url)}`)
      assert.strictEqual(page.status, 403)
      assert.include(page.html, "Access denied")
      assert.strictEqual((yield* login.done).code, 4)
      yield* assertClosed(login.redirectUri)
    }))

  it.scoped("a refusal of the provider gets a page with its words, escaped, and ends it with 1", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world)
      const words = encodeURIComponent("<script>alert(1)</script>")
      const page = yield* visit(`${login.redirectUri}?error=server_error&error_description=${words}&state=${stateOf(login.url)}`)
      assert.include(page.html, "DigiKey refused the login")
      assert.include(page.html, "&#60;script&#62;alert(1)")
      assert.notInclude(page.html, "<script")
      assert.strictEqual((yield* login.done).code, 1)
    }))

  it.scoped("a code that has expired gets a page, and ends it with 5", () =>
    Effect.gen(function*() {
      const world = yield* digikey({ codeLifetime: "1 minute", tokenErrorDialect: "E" })
      const login = yield* listening(world)
      const callback = yield* allowed(world, login.url)
      yield* TestClock.adjust("2 minutes")
      const page = yield* visit(callback)
      assert.strictEqual(page.status, 400)
      assert.include(page.html, "This login has expired")
      assert.strictEqual((yield* login.done).code, 5)
      yield* assertClosed(login.redirectUri)
    }))

  it.scoped("a code that was used before gets a page, and ends it with 5", () =>
    Effect.gen(function*() {
      const world = yield* digikey({ tokenErrorDialect: "E" })
      const first = yield* listening(world)
      const callback = yield* allowed(world, first.url)
      yield* visit(callback)
      assert.strictEqual((yield* first.done).code, 0)
      const second = yield* listening(world, "--redirect-uri", first.redirectUri)
      const page = yield* visit(callback.replace(/state=[^&]*/, `state=${stateOf(second.url)}`))
      assert.include(page.html, "This login has expired")
      assert.strictEqual((yield* second.done).code, 5)
    }))

  it.scoped("a callback that is replayed while it is being redeemed is told so, and is redeemed once", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* world.simulator.setLatency({ token: "1 second" })
      const login = yield* listening(world)
      const callback = yield* allowed(world, login.url)
      const [first, second] = yield* Effect.all([
        visit(callback),
        Effect.zipRight(inFlight(world), visit(callback)),
        // The replay waits until the first is answered: the clock moves once it has arrived.
        Effect.zipRight(inFlight(world), Effect.zipRight(realSleep(200), TestClock.adjust("1 second")))
      ], { concurrency: "unbounded" })
      assert.deepStrictEqual([first.status, second.status], [200, 400])
      assert.include(second.html, "This login was used before")
      assert.strictEqual((yield* login.done).code, 0)
      assert.strictEqual((yield* world.simulator.stats).familiesAlive, 1)
      yield* assertClosed(login.redirectUri)
    }))

  it.scoped("a browser that is closed leaves it waiting, until 10 minutes have passed", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world)
      yield* TestClock.adjust("599 seconds")
      assert.strictEqual((yield* visit(login.redirectUri)).status, 400)
      yield* TestClock.adjust("1 second")
      const { code, err } = yield* login.done
      assert.strictEqual(code, 5)
      assert.match(err, /Nobody came back from DigiKey within 10m/)
      yield* assertClosed(login.redirectUri)
    }))

  it.scoped("Ctrl-C closes the port", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world)
      yield* login.interrupt
      assert.strictEqual((yield* login.done).code, undefined)
      yield* assertClosed(login.redirectUri)
    }))

  it.scoped("a connection that says nothing does not keep it open", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world)
      const { port } = new URL(login.redirectUri)
      const idle = yield* Effect.acquireRelease(
        Effect.async<Net.Socket>((resume) => {
          const socket = Net.connect(Number(port), "127.0.0.1", () => resume(Effect.succeed(socket)))
          socket.on("error", () => {})
        }),
        (socket) => Effect.sync(() => socket.destroy())
      )
      const closed = new Promise((resolve) => idle.once("close", resolve))
      yield* visit(yield* allowed(world, login.url))
      assert.strictEqual((yield* login.done).code, 0)
      yield* Effect.promise(() => closed)
    }))

  it.scoped("an address with a code in it is in no log line", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world, "--log-level", "all")
      const callback = yield* allowed(world, login.url)
      yield* visit(callback)
      const { err } = yield* login.done
      for (const [, value] of new URL(callback).searchParams) assert.notInclude(err, value)
    }))

  it.scoped("in a terminal a line shows that it waits, and for how long it will", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const { DIGIKEY_REDIRECT_URI: _, ...env } = world.env
      const command = yield* start(["login", "digikey", "--listen"], { env, terminal: true, silent: true })
      const url = yield* command.firstLine
      yield* realSleep(50)
      yield* TestClock.adjust("1 second")
      yield* visit(yield* allowed(world, url))
      const { err } = yield* command.done
      assert.match(err, /⠋ Waiting for the browser \(10:00 left, Ctrl-C stops\)/)
      assert.match(err, /⠙ .* \(10:00 left/)
      assert.match(err, /\(9:59 left/)
      assert.match(err, /\r\u001b\[2KLogged in/)
    }))
})

/** Until the token endpoint has been called. */
const inFlight = (world: DigiKey): Effect.Effect<void> =>
  Effect.flatMap(world.simulator.stats, ({ inFlight }) =>
    inFlight > 0 ? Effect.void : Effect.zipRight(realSleep(5), inFlight_(world)))

const inFlight_ = (world: DigiKey): Effect.Effect<void> => Effect.suspend(() => inFlight(world))

/** For what happens on a socket, which no test clock moves. */
const realSleep = (millis: number) => Effect.promise(() => new Promise((resolve) => setTimeout(resolve, millis)))

describe("where it listens", () => {
  const cert = fileURLToPath(new URL("fixtures/localhost.pem", import.meta.url))
  const key = fileURLToPath(new URL("fixtures/localhost-key.pem", import.meta.url))
  const tls = ["--tls-cert", cert, "--tls-key", key]

  const freePort = Effect.async<number>((resume) => {
    const server = Net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as Net.AddressInfo // it listens on a port, not on a pipe
      server.close(() => resume(Effect.succeed(port)))
    })
  })

  it.scoped("on https with a certificate", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const port = yield* freePort
      const redirectUri = `https://localhost:${port}`
      const login = yield* listening(world, "--redirect-uri", redirectUri, ...tls)
      // Not `https://localhost:1234/`: it is compared character by character.
      assert.strictEqual(login.redirectUri, redirectUri)
      const page = yield* visit(yield* allowed(world, login.url), { ca: Fs.readFileSync(cert) })
      assert.strictEqual(page.status, 200)
      assert.include(page.html, "Logged in to DigiKey")
      assert.strictEqual((yield* login.done).code, 0)
      yield* assertClosed(redirectUri)
    }))

  it.scoped("on any port of https, without a redirect URI", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const login = yield* listening(world, ...tls)
      assert.match(login.redirectUri, /^https:\/\/127\.0\.0\.1:\d+\/callback$/)
      yield* login.interrupt
    }))

  it.scoped("the variable counts here too", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { code, err } = yield* run(["login", "digikey", "--listen"], { env })
      assert.strictEqual(code, 2)
      assert.match(err, /https needs --tls-cert and --tls-key/)
    }))

  it.scoped.each<readonly [redirectUri: string, why: string]>([
    ["https://example.com/callback", "its host is not"],
    ["http://10.0.0.1:8080/callback", "its host is not"],
    ["http://127.0.0.1.evil.example/callback", "its host is not"],
    ["http://user@127.0.0.1:8080/callback", "user name"],
    ["http://127.0.0.1:8080/callback?a=b", "a query or a fragment"],
    ["http://127.0.0.1:8080/callback#a", "a query or a fragment"],
    ["ftp://127.0.0.1/callback", "not http or https"],
    ["https://localhost:8443/callback", "needs --tls-cert"],
    ["nonsense", "no URL"]
  ])("not on %s", ([redirectUri, why]) =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { code, err, out } = yield* run(["login", "digikey", "--listen", "--redirect-uri", redirectUri], { env })
      assert.strictEqual(code, 2)
      assert.strictEqual(out, "")
      assert.include(err, why)
    }))

  it.scoped("a certificate that is none is refused", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { DIGIKEY_REDIRECT_URI: _, ...without } = env
      const { code, err } = yield* run(["login", "digikey", "--listen", "--tls-cert", key, "--tls-key", cert], { env: without })
      assert.strictEqual(code, 2)
      assert.match(err, /no certificate and its key/)
      assert.notMatch(err, /BEGIN/)
    }))

  it.scoped("a port that is taken is named", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const first = yield* listening(world)
      const { code, err } = yield* run(["login", "digikey", "--listen", "--redirect-uri", first.redirectUri], { env: world.env })
      assert.strictEqual(code, 1)
      assert.match(err, /Port \d+ cannot be opened: another program uses it/)
      yield* first.interrupt
    }))
})
