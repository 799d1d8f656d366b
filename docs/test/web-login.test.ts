/** `examples/web-login.ts` over real HTTP, with a person's browsers on one side and DigiKey's simulator on the other. */
import { DigiKeyUser } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { FetchHttpClient, HttpServerRequest } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Option, Redacted, type Scope } from "effect"
import { CredentialsIdentity, PendingAuthorization, TokenStore } from "effect-credentials"
import { createServer, request as requestOf } from "node:http"
import { finderOf, leaksOfObserved, observe } from "../../packages/credentials/test/utils/canaries.js"
import * as Loopback from "../examples/quick-start/loopback.js"
import * as WebLogin from "../examples/web-login.js"

const clientSecret = "CsHxQz3vWk1Rm7TyBn5LxA"

/** The application's own sessions: a cookie that it has given out, and whose it is. */
const sessions: Readonly<Record<string, string>> = { "session-of-alice": "alice", "session-of-bob": "bob" }

const Sessions = Layer.succeed(WebLogin.Session, {
  account: Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ cookies }) =>
    Effect.mapError(
      Effect.fromNullable(sessions[cookies["session"] ?? ""]),
      () => new WebLogin.NotSignedIn()
    ))
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A browser with a cookie jar. It keeps `Secure` cookies over http, which real ones do not. */
const makeBrowser = (origin: string, cookies: Readonly<Record<string, string>> = {}) => {
  const jar = new Map(Object.entries(cookies))
  const get = (path: string): Effect.Effect<Answer> =>
    Effect.promise(async () => {
      const response = await fetch(new URL(path, origin), {
        redirect: "manual",
        headers: { cookie: Array.from(jar, ([name, value]) => `${name}=${value}`).join("; ") }
      })
      for (const line of response.headers.getSetCookie()) {
        const [name = "", value = ""] = (line.split(";")[0] ?? "").split("=")
        if (/; Max-Age=0(;|$)/.test(line)) jar.delete(name)
        else jar.set(name, value)
      }
      return { status: response.status, headers: response.headers, text: await response.text() }
    })
  return { jar, get }
}

const cookie = "__Host-digikey-login"

/** Somebody else's server: what it logs is none of our business. */
const makeProvider = (options: DigiKeySimulator.Options = {}) =>
  Layer.build(Loopback.layer({ clientSecret, rateLimits: "off", ...options }))

const makeWorld = (provider: Effect.Effect.Success<ReturnType<typeof makeProvider>>) =>
  Effect.gen(function*() {
    const simulator = Context.get(provider, DigiKeySimulator.DigiKeySimulator)
    const baseUrl = yield* Effect.provide(Loopback.url, provider)
    const server = yield* Layer.build(NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1" }))
    const origin = yield* Effect.provide(Loopback.url, server)
    const store = Context.get(yield* Layer.build(TokenStore.layerMemory), TokenStore.TokenStore)
    const variables = ConfigProvider.fromMap(
      new Map([
        ["PUBLIC_URL", origin],
        ["DIGIKEY_CLIENT_ID", "simulator-client-id"],
        ["DIGIKEY_CLIENT_SECRET", clientSecret],
        ["DIGIKEY_ENVIRONMENT", "sandbox"],
        ["DIGIKEY_BASE_URL", baseUrl]
      ])
    )
    yield* Layer.build(WebLogin.AppLayer.pipe(
      Layer.provide(Sessions),
      Layer.provide(Layer.succeed(TokenStore.TokenStore, store)),
      Layer.provide(PendingAuthorization.layerMemory),
      Layer.provide(FetchHttpClient.layer),
      Layer.provide(Layer.succeedContext(server)),
      Layer.provide(Layer.setConfigProvider(variables))
    ))
    const redirectUri = `${origin}/callback`
    const issued: Array<string> = []
    return {
      simulator,
      origin,
      redirectUri,
      /** Codes that DigiKey gave. */
      issued,
      browser: (account?: "alice" | "bob") =>
        makeBrowser(origin, account === undefined ? {} : { session: `session-of-${account}` }),
      /** The person allows it at DigiKey, which sends the browser back to this path. */
      allow: (login: Answer) =>
        Effect.gen(function*() {
          const { code } = yield* simulator.authorize({ redirectUri })
          issued.push(Redacted.value(code))
          return `/callback?${new URLSearchParams({ code: Redacted.value(code), state: stateOf(login) })}`
        }),
      isStored: (account: string) =>
        Effect.gen(function*() {
          const flow = yield* DigiKeyUser.flowConfig({})
          const identity = yield* CredentialsIdentity.make({ ...flow.identity, account })
          return Option.isSome(yield* store.load(TokenStore.key(identity)))
        }).pipe(Effect.withConfigProvider(variables))
    }
  })

type World = Effect.Effect.Success<ReturnType<typeof makeWorld>>

const locationOf = ({ headers }: Answer): string => headers.get("location") ?? assert.fail("there is no location")

const stateOf = (login: Answer): string =>
  new URL(locationOf(login)).searchParams.get("state") ?? assert.fail("there is no state")

const assertRedirect = (answer: Answer, to: string) => {
  assert.strictEqual(answer.status, 303, answer.text)
  assert.strictEqual(locationOf(answer), to)
}

/** Listens at every logger, span and metric while it runs: none may give a login away. */
const quietly = <A, E>(
  test: (world: World) => Effect.Effect<A, E, Scope.Scope>,
  options?: DigiKeySimulator.Options
) =>
  Effect.gen(function*() {
    const secrets: Record<string, string> = { clientSecret }
    const provider = yield* makeProvider(options)
    const observed = yield* observe(Effect.gen(function*() {
      const world = yield* makeWorld(provider)
      yield* test({
        ...world,
        browser: (account) => {
          const browser = world.browser(account)
          return {
            ...browser,
            get: (path) =>
              Effect.tap(browser.get(path), () =>
                Effect.sync(() => {
                  const proof = browser.jar.get(cookie)
                  if (proof !== undefined) secrets[`proof ${proof}`] = proof
                }))
          }
        }
      })
      world.issued.forEach((code, index) => {
        secrets[`code ${index}`] = code
      })
      return world.issued.length
    }))
    yield* observed.exit
    assert.deepStrictEqual(leaksOfObserved("the application", observed, finderOf(secrets)).slice(0, 10), [])
  })

describe("a web application", () => {
  it.scopedLive("sends its user to DigiKey, takes the answer, and lists the quotes, without a restart", () =>
    quietly((world) =>
      Effect.gen(function*() {
        const browser = world.browser("alice")
        const before = yield* browser.get("/quotes")
        assert.strictEqual(before.status, 401)
        assert.include(before.text, "<a href=\"/login\">")

        const login = yield* browser.get("/login")
        assert.strictEqual(login.status, 303)
        const url = new URL(locationOf(login))
        assert.match(url.pathname, /\/v1\/oauth2\/authorize$/)
        assert.deepStrictEqual(Object.fromEntries(url.searchParams), {
          client_id: "simulator-client-id",
          response_type: "code",
          redirect_uri: world.redirectUri,
          state: stateOf(login)
        })

        assertRedirect(yield* browser.get(yield* world.allow(login)), "/quotes")
        assert.isFalse(browser.jar.has(cookie))
        const after = yield* browser.get("/quotes")
        assert.strictEqual(after.status, 200, after.text)
        assert.deepStrictEqual(JSON.parse(after.text), [])
      })))

  it.scopedLive("binds the login to the browser by a cookie that no script, no other site and no other host gets", () =>
    quietly((world) =>
      Effect.gen(function*() {
        const browser = world.browser("alice")
        const attributesOf = ({ headers }: Answer) => {
          const [line = "", ...more] = headers.getSetCookie()
          assert.lengthOf(more, 0)
          const [pair = "", ...attributes] = line.split("; ")
          assert.strictEqual(pair.split("=")[0], cookie)
          return attributes.sort()
        }
        const login = yield* browser.get("/login")
        assert.deepStrictEqual(attributesOf(login), ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax", "Secure"])
        assert.match(browser.jar.get(cookie) ?? "", /^[A-Za-z0-9_-]{43}$/)
        const back = yield* browser.get(yield* world.allow(login))
        assert.deepStrictEqual(attributesOf(back), ["HttpOnly", "Max-Age=0", "Path=/", "SameSite=Lax", "Secure"])
      })))

  it.scopedLive("stores nothing where browser A's callback is opened in browser B, and A's login goes on", () =>
    quietly((world) =>
      Effect.gen(function*() {
        const a = world.browser("alice")
        const login = yield* a.get("/login")
        const callback = yield* world.allow(login)

        const sameUser = world.browser("alice")
        const withLogin = world.browser("alice")
        yield* withLogin.get("/login")
        const bob = world.browser("bob")
        const bobsLogin = yield* bob.get("/login")
        for (const b of [sameUser, withLogin, bob]) {
          const answer = yield* b.get(callback)
          assert.strictEqual(answer.status, 400)
          assert.include(answer.text, "This answer belongs to no login of this browser.")
        }
        assert.strictEqual((yield* world.browser().get(callback)).status, 401)
        assert.strictEqual((yield* world.simulator.stats).tokenCalls, 0)
        assert.isFalse((yield* world.isStored("alice")) || (yield* world.isStored("bob")))

        // The attacker's answer did not end B's own login, either.
        assertRedirect(yield* bob.get(yield* world.allow(bobsLogin)), "/quotes")
        assert.isFalse(yield* world.isStored("alice"))
        assertRedirect(yield* a.get(callback), "/quotes")
        assert.isTrue((yield* world.isStored("alice")) && (yield* world.isStored("bob")))
      })))

  it.scopedLive("takes whose login it is from its session, not from the request", () =>
    quietly((world) =>
      Effect.gen(function*() {
        const browser = world.browser("alice")
        const login = yield* browser.get("/login?account=bob&user=bob")
        const callback = yield* world.allow(login)
        // Signed in as somebody else meanwhile: the login was not begun for them.
        browser.jar.set("session", "session-of-bob")
        assert.strictEqual((yield* browser.get(`${callback}&account=alice`)).status, 400)
        assert.isFalse((yield* world.isStored("alice")) || (yield* world.isStored("bob")))
        assert.strictEqual((yield* world.browser().get("/login")).status, 401)
        assert.strictEqual((yield* world.browser().get("/quotes")).status, 401)
      })))

  it.scopedLive("takes a callback once", () =>
    quietly((world) =>
      Effect.gen(function*() {
        const browser = world.browser("alice")
        const callback = yield* world.allow(yield* browser.get("/login"))
        const proof = browser.jar.get(cookie) ?? ""
        assertRedirect(yield* browser.get(callback), "/quotes")
        assert.strictEqual((yield* browser.get(callback)).status, 400)
        browser.jar.set(cookie, proof)
        assert.strictEqual((yield* browser.get(callback)).status, 400)
        assert.strictEqual((yield* world.simulator.stats).tokenCalls, 1)
        assert.isTrue(yield* world.isStored("alice"))
      })))

  it.scopedLive("takes it at its own address and under its own name only", () =>
    quietly((world) =>
      Effect.gen(function*() {
        const browser = world.browser("alice")
        const callback = yield* world.allow(yield* browser.get("/login"))
        const query = callback.slice(callback.indexOf("?"))
        for (const path of ["/callback/", "//callback", "/Callback", "/callback/x", "/x/callback"]) {
          // As an absolute URL, since "//callback" is a host.
          assert.strictEqual((yield* browser.get(`${world.origin}${path}${query}`)).status, 404, path)
        }
        const port = new URL(world.origin).port
        for (const host of [`localhost:${port}`, "evil.example", `127.0.0.1.evil.example:${port}`, "127.0.0.1"]) {
          const cookies = Array.from(browser.jar, ([name, value]) => `${name}=${value}`).join("; ")
          assert.strictEqual(yield* statusOf(port, callback, { host, cookie: cookies }), 421, host)
        }
        assert.strictEqual((yield* world.simulator.stats).tokenCalls, 0)
        assertRedirect(yield* browser.get(callback), "/quotes")
        // The router takes ";" for the beginning of a query; the login does not.
        const next = yield* world.allow(yield* browser.get("/login"))
        assert.strictEqual((yield* browser.get(next.replace("?", ";x?"))).status, 400)
        assert.strictEqual((yield* world.simulator.stats).tokenCalls, 1)
      })))

  it.scopedLive("goes to no address that a request names", () =>
    quietly((world) =>
      Effect.gen(function*() {
        const browser = world.browser("alice")
        const evil = "return=https://evil.example&next=//evil.example&redirect_uri=https://evil.example"
        const login = yield* browser.get(`/login?${evil}`)
        assert.notInclude(locationOf(login), "evil")
        assertRedirect(yield* browser.get(`${yield* world.allow(login)}&${evil}`), "/quotes")
      })))

  it.scopedLive("says what became of a login that failed, in its own words", () =>
    quietly((world) =>
      Effect.gen(function*() {
        const said = "<script>alert(1)</script> Please call 0900"
        const answers: ReadonlyArray<readonly [Readonly<Record<string, string>>, string]> = [
          [{ error: "access_denied", error_description: said }, "You did not allow it."],
          [{ error: "server_error", error_description: said }, "DigiKey refused it."],
          [{ ErrorCode: "invalid_request", Error: said }, "DigiKey refused it."],
          [{}, "This is no answer that DigiKey gives."],
          [{ code: "no-such-code" }, "DigiKey did not take the answer"]
        ]
        for (const [parameters, text] of answers) {
          const browser = world.browser("alice")
          const state = stateOf(yield* browser.get("/login"))
          const answer = yield* browser.get(`/callback?${new URLSearchParams({ state, ...parameters })}`)
          assert.strictEqual(answer.status, 400, text)
          assert.include(answer.text, text)
          assert.include(answer.text, "<a href=\"/login\">")
          assert.notInclude(answer.text, "0900")
          // It is over: the next login gets a cookie of its own.
          assert.isFalse(browser.jar.has(cookie))
          assert.isFalse(yield* world.isStored("alice"))
        }
      }), { tokenErrorDialect: "E" }))

  it.scopedLive("asks to come back where DigiKey is down, and the person can", () =>
    quietly((world) =>
      Effect.gen(function*() {
        const browser = world.browser("alice")
        yield* world.simulator.setTokenEndpoint(DigiKeySimulator.TokenEndpoint.Reply({ status: 401, body: "" }), { times: 1 })
        const answer = yield* browser.get(yield* world.allow(yield* browser.get("/login")))
        assert.strictEqual(answer.status, 503)
        assert.isFalse(yield* world.isStored("alice"))
        assertRedirect(yield* browser.get(yield* world.allow(yield* browser.get("/login"))), "/quotes")
      })))

  it.scopedLive("lets no answer be stored, and tells no other site where it came from", () =>
    quietly((world) =>
      Effect.gen(function*() {
        const browser = world.browser("alice")
        const login = yield* browser.get("/login")
        const failed = yield* browser.get("/callback?state=x&code=y")
        const back = yield* browser.get(yield* world.allow(login))
        const answers = { login, failed, back, quotes: yield* browser.get("/quotes"), none: yield* browser.get("/x") }
        for (const [name, { headers }] of Object.entries(answers)) {
          assert.strictEqual(headers.get("cache-control"), "no-store", name)
          assert.strictEqual(headers.get("referrer-policy"), "no-referrer", name)
          assert.include(headers.get("content-security-policy") ?? "", "default-src 'none'", name)
        }
      })))

  it.scopedLive("writes a line for a callback, without its query, and no span", () =>
    Effect.gen(function*() {
      const provider = yield* makeProvider()
      const observed = yield* observe(Effect.gen(function*() {
        const world = yield* makeWorld(provider)
        const browser = world.browser("alice")
        const login = yield* browser.get("/login")
        yield* browser.get(yield* world.allow(login))
        yield* browser.get("/quotes")
        return stateOf(login)
      }))
      const state = yield* observed.exit
      const lines = observed.heard.filter(([where]) => where === "logfmt logger").map(([, line]) => String(line))
      assert.lengthOf(lines.filter((line) => line.includes("message=\"GET /callback 303\"")), 1)
      const leaks = leaksOfObserved("the application", observed, finderOf({ state }))
      assert.deepStrictEqual(leaks.filter((leak) => !leak.includes("the exit")).slice(0, 3), [])
      // Others have one: of three requests, the tracer was told of the last.
      assert.lengthOf(observed.heard.filter(([where]) => where === "span http.server GET"), 1)
    }))
})

/** With a Host header that fetch would not send. */
const statusOf = (port: string, path: string, headers: Readonly<Record<string, string>>) =>
  Effect.async<number>((resume) => {
    requestOf({ host: "127.0.0.1", port, path, headers: { ...headers } }, (response) => {
      response.resume()
      resume(Effect.succeed(response.statusCode ?? 0))
    }).on("error", (error) => resume(Effect.die(error))).end()
  })
