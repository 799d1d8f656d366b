import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { FetchHttpClient, HttpClient, HttpClientRequest, type HttpClientResponse, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, LogLevel, Redacted, Schema, TestClock } from "effect"
import { createServer } from "node:http"
import { api, exchange, lists, refresh, type Simulator, statusOf, tokensOf } from "./calls.js"

const authorizePath = "/v1/oauth2/authorize"
const authorizeUrl = `https://sandbox-api.digikey.com${authorizePath}`

const good = {
  client_id: "simulator-client-id",
  response_type: "code",
  redirect_uri: "https://app.example/callback",
  state: "s-t-a-t-e"
}

/** Opens the page as a browser does that an application sent there. */
const open = (simulator: Simulator, parameters: Record<string, string> = good) =>
  simulator.httpClient.get(authorizeUrl, { urlParams: parameters })

const attribute = (tag: string, name: string) =>
  new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]?.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))

/** What a browser reads from a page: its one form, as it would be sent untouched. */
const formOf = (html: string) => {
  const form = /<form[\s\S]*?<\/form>/.exec(html)?.[0] ?? ""
  const inputs = form.match(/<input[^>]*>/g) ?? []
  return {
    method: attribute(form, "method"),
    action: attribute(form, "action") ?? "(none)",
    fields: Object.fromEntries(inputs.map((input) => [attribute(input, "name"), attribute(input, "value") ?? ""])),
    labels: (form.match(/<label[^>]*>/g) ?? []).map((label) => attribute(label, "for")),
    shown: inputs.filter((input) => attribute(input, "type") !== "hidden").map((input) => attribute(input, "id")),
    buttons: (form.match(/<button[^>]*>/g) ?? []).map((button) => [attribute(button, "name"), attribute(button, "value")])
  }
}

const submit = (
  simulator: Simulator,
  page: HttpClientResponse.HttpClientResponse,
  answers: Record<string, string>
) =>
  Effect.gen(function*() {
    const form = formOf(yield* page.text)
    assert.strictEqual(form.method, "post")
    return yield* simulator.httpClient.execute(
      HttpClientRequest.post(new URL(form.action, authorizeUrl)).pipe(
        HttpClientRequest.bodyUrlParams({ ...form.fields, ...answers })
      )
    )
  })

const consent = (simulator: Simulator, parameters: Record<string, string> = good, account = "ann") =>
  Effect.flatMap(open(simulator, parameters), (page) => submit(simulator, page, { account }))

/** Signs in, answers, and says where the browser is sent. */
const answer = (
  simulator: Simulator,
  decision: "allow" | "deny",
  parameters: Record<string, string> = good,
  account?: string
) =>
  Effect.gen(function*() {
    const response = yield* submit(simulator, yield* consent(simulator, parameters, account), { decision })
    assert.strictEqual(response.status, 303)
    return response.headers.location ?? ""
  })

const authorizedBy = (location: string, redirectUri = good.redirect_uri) => ({
  code: Redacted.make(new URL(location).searchParams.get("code") ?? ""),
  redirectUri
})

const codesOf = (simulator: Simulator) => Effect.map(simulator.snapshot, ({ grants }) => grants.codes.length)

const assertGone = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function*() {
    assert.strictEqual(response.status, 400)
    assert.notProperty(response.headers, "location")
    const html = yield* response.text
    assert.include(html, "This page is no longer valid")
    assert.notInclude(html, "<form")
  })

describe("the authorization endpoint", () => {
  it.effect("lets a person sign in and allow, and sends the browser back with a code that is good once", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const first = yield* open(simulator)
      assert.strictEqual(first.status, 200)
      const html = yield* first.text
      assert.include(html, "This is not DigiKey")
      assert.include(html, "Any name will do")
      const form = formOf(html)
      assert.strictEqual(form.fields["account"], "simulator")
      assert.deepStrictEqual(form.shown, ["account"])
      assert.deepStrictEqual(form.labels, ["account"])

      const second = yield* submit(simulator, first, { account: " ann " })
      assert.strictEqual(second.status, 200)
      const asked = yield* second.text
      for (const named of ["simulator-client-id", "ann", "app.example"]) {
        assert.include(asked, `<dd><strong><bdi>${named}</bdi></strong></dd>`)
      }
      assert.deepStrictEqual(formOf(asked).buttons, [["decision", "allow"], ["decision", "deny"]])
      assert.strictEqual(yield* codesOf(simulator), 0)

      const third = yield* submit(simulator, second, { decision: "allow" })
      assert.strictEqual(third.status, 303)
      assert.strictEqual(yield* third.text, "")
      const location = new URL(third.headers.location ?? "")
      assert.strictEqual(location.origin + location.pathname, good.redirect_uri)
      assert.deepStrictEqual([...location.searchParams.keys()], ["code", "state"])
      assert.strictEqual(location.searchParams.get("state"), good.state)

      const authorized = authorizedBy(location.href)
      const exchanged = yield* exchange(simulator, authorized)
      const tokens = yield* tokensOf(exchanged)
      assert.strictEqual(exchanged.status, 200)
      assert.strictEqual(yield* lists(simulator, tokens.accessToken), 200)
      assert.strictEqual(yield* statusOf(exchange(simulator, authorized)), 400)
      assert.strictEqual(yield* lists(simulator, tokens.accessToken), 401)
    }))

  it.effect("signs in whoever was named, for the application that asked", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* simulator.addAccount({ clientId: "other", clientSecret: "other-secret" })
      const authorized = authorizedBy(yield* answer(simulator, "allow", { ...good, client_id: "other" }, "bob"))
      assert.strictEqual(yield* statusOf(exchange(simulator, authorized)), 400)
      const other = { client_id: "other", client_secret: "other-secret" }
      assert.strictEqual(yield* statusOf(exchange(simulator, authorized, other)), 200)
      yield* simulator.revokeUser("ann")
      assert.strictEqual((yield* simulator.stats).familiesAlive, 1)
      yield* simulator.revokeUser("bob")
      assert.strictEqual((yield* simulator.stats).familiesAlive, 0)
    }))

  it.effect("issues codes that last ten minutes from the consent, or less when made so", () =>
    Effect.gen(function*() {
      for (const [seconds, options] of [[600, {}], [60, { codeLifetime: "1 minute" }]] as const) {
        const simulator = yield* DigiKeySimulator.make(options)
        const early = authorizedBy(yield* answer(simulator, "allow"))
        const late = authorizedBy(yield* answer(simulator, "allow"))
        yield* TestClock.adjust(`${seconds - 1} seconds`)
        assert.strictEqual(yield* statusOf(exchange(simulator, early)), 200)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* statusOf(exchange(simulator, late)), 400)
      }
    }))

  it.effect("sends the browser back without a code when the person denies", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      assert.strictEqual(
        yield* answer(simulator, "deny"),
        "https://app.example/callback?error=access_denied&state=s-t-a-t-e"
      )
      assert.strictEqual(yield* codesOf(simulator), 0)
    }))

  it.effect("gives back the state as it came, or none, and keeps the query of the redirect URI", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const hostile = "a b&code=evil#x\r\nSet-Cookie: a=b\"<é>"
      assert.strictEqual(
        new URL(yield* answer(simulator, "deny", { ...good, state: hostile })).searchParams.get("state"),
        hostile
      )
      const { state: _, ...stateless } = good
      for (const parameters of [stateless, { ...good, state: "" }]) {
        assert.strictEqual(
          yield* answer(simulator, "deny", parameters),
          "https://app.example/callback?error=access_denied"
        )
      }
      const redirectUri = "https://app.example/callback?tenant=a%20b&x"
      const location = yield* answer(simulator, "allow", { ...good, redirect_uri: redirectUri })
      assert.match(location, /^https:\/\/app\.example\/callback\?tenant=a%20b&x&code=[\w-]+&state=s-t-a-t-e$/)
      // `URL` would write a slash after the host: the token call names the address as it was sent
      const bare = yield* answer(simulator, "allow", { ...good, redirect_uri: "https://localhost" })
      assert.strictEqual(yield* statusOf(exchange(simulator, authorizedBy(bare, "https://localhost"))), 200)
    }))
})

describe("a request that is not in order", () => {
  it.effect("is told so on the page itself, in DigiKey's own words, and sent nowhere", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const cases: ReadonlyArray<readonly [Record<string, string>, string, string]> = [
        [{ client_id: "" }, "invalid_request", "client_id is missing"],
        [{ client_id: "guess" }, "invalid_client", "Invalid clientId"],
        [{ redirect_uri: "" }, "invalid_request", "redirect_uri is missing"],
        [{ redirect_uri: "http://evil.example/" }, "invalid_request", "Invalid redirection uri http://evil.example/"],
        [{ response_type: "" }, "invalid_request", "response_type is missing"],
        [{ response_type: "token" }, "unsupported_response_type", "response_type is not supported"]
      ]
      for (const [wrong, code, error] of cases) {
        const response = yield* open(simulator, { ...good, ...wrong })
        assert.strictEqual(response.status, 400)
        assert.include(response.headers["content-type"], "application/json")
        assert.deepStrictEqual(yield* response.json, { ErrorCode: code, Error: error })
        assert.notProperty(response.headers, "location")
        assert.include(response.headers, { "cache-control": "no-store", "referrer-policy": "no-referrer" })
      }
    }))

  it.effect("is one with a parameter twice (RFC 6749 §3.1)", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      for (const name of ["client_id", "response_type", "redirect_uri", "state"]) {
        const query = `${new URLSearchParams(good)}&${name}=again`
        const response = yield* simulator.httpClient.get(`${authorizeUrl}?${query}`)
        assert.deepStrictEqual(yield* response.json, {
          ErrorCode: "invalid_request",
          Error: `${name} is there more than once`
        })
      }
    }))

  it.effect("is one of another method", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const response = yield* simulator.httpClient.put(authorizeUrl)
      assert.strictEqual(response.status, 405)
      assert.strictEqual(response.headers["allow"], "GET, POST")
    }))
})

describe("a redirect URI", () => {
  const statusWith = (simulator: Simulator, redirectUri: string) =>
    statusOf(open(simulator, { ...good, redirect_uri: redirectUri }))

  it.effect("may be any https address and any of this machine while none is registered", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      for (
        const accepted of [
          "https://localhost",
          "https://anything.example:8443/callback",
          "http://localhost:3000/callback",
          "http://127.0.0.1:49152/",
          "http://127.9.9.9/",
          "http://[::1]:3000/callback"
        ]
      ) {
        assert.strictEqual(yield* statusWith(simulator, accepted), 200, accepted)
      }
      for (
        const refused of [
          "http://app.example/callback",
          "http://localhost.evil.example/",
          "http://127.0.0.1.evil.example/",
          "http://localhost@evil.example/",
          "https://user@app.example/",
          "https://:secret@app.example/",
          "https://app.example/#fragment",
          "https://app.example/#",
          "https://app.example/a b",
          "https://app.example/\n",
          "https://äpp.example/",
          "//evil.example/",
          "/callback",
          "javascript:alert(1)",
          "data:text/html,x",
          "com.example.app:/callback"
        ]
      ) {
        assert.strictEqual(yield* statusWith(simulator, refused), 400, refused)
      }
    }))

  it.effect("must be a registered one, letter by letter, once there is one", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ redirectUris: [good.redirect_uri] })
      assert.strictEqual(yield* statusWith(simulator, good.redirect_uri), 200)
      for (
        const other of [
          `${good.redirect_uri}/`,
          `${good.redirect_uri}?x`,
          "https://APP.example/callback",
          "https://app.example/callback/../callback",
          "https://evil.example/callback",
          "https://localhost"
        ]
      ) {
        assert.strictEqual(yield* statusWith(simulator, other), 400, other)
      }
      yield* simulator.registerRedirectUri("com.example.app:/callback")
      assert.strictEqual(yield* statusWith(simulator, good.redirect_uri), 200)
      const location = yield* answer(simulator, "deny", { ...good, redirect_uri: "com.example.app:/callback" })
      assert.strictEqual(location, "com.example.app:/callback?error=access_denied&state=s-t-a-t-e")

      const open = yield* DigiKeySimulator.make()
      yield* open.registerRedirectUri("https://localhost")
      assert.strictEqual(yield* statusWith(open, "https://localhost"), 200)
      assert.strictEqual(yield* statusWith(open, good.redirect_uri), 400)
      assert.strictEqual(yield* statusWith(yield* DigiKeySimulator.make({ redirectUris: [] }), good.redirect_uri), 400)
    }))
})

describe("a form", () => {
  it.effect("is sent once: a second Allow issues nothing and goes nowhere", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const signIn = yield* open(simulator)
      const page = yield* submit(simulator, signIn, { account: "ann" })
      yield* assertGone(yield* submit(simulator, signIn, { account: "mallory" }))
      const replies = yield* Effect.all(
        [submit(simulator, page, { decision: "allow" }), submit(simulator, page, { decision: "allow" })],
        { concurrency: "unbounded" }
      )
      assert.sameMembers(replies.map(({ status }) => status), [303, 400])
      yield* assertGone(yield* submit(simulator, page, { decision: "deny" }))
      assert.strictEqual(yield* codesOf(simulator), 1)
    }))

  it.effect("is one that the server gave out, ten minutes ago at most", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const page = yield* consent(simulator)
      yield* assertGone(yield* submit(simulator, page, { form_token: "guess", decision: "allow" }))
      const post = HttpClientRequest.post(`${authorizeUrl}?${new URLSearchParams(good)}`)
      yield* assertGone(yield* simulator.httpClient.execute(post))
      yield* assertGone(
        yield* simulator.httpClient.execute(HttpClientRequest.bodyUrlParams(post, { account: "ann", decision: "allow" }))
      )
      const [early, late] = [yield* consent(simulator), yield* consent(simulator)]
      yield* TestClock.adjust("599 seconds")
      assert.strictEqual(yield* statusOf(submit(simulator, early, { decision: "deny" })), 303)
      yield* TestClock.adjust("1 second")
      yield* assertGone(yield* submit(simulator, late, { decision: "allow" }))
      assert.strictEqual(yield* codesOf(simulator), 0)
    }))

  it.effect("cannot be skipped, nor say for whom or for what another one was", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      // Allow, before anybody signed in
      const skipped = yield* submit(simulator, yield* open(simulator), { account: "ann", decision: "allow" })
      assert.strictEqual(skipped.status, 200)
      assert.include(yield* skipped.text, "Allow access?")
      const evil = { account: "mallory", client_id: "evil", redirect_uri: "https://evil.example/", state: "evil" }
      const response = yield* submit(simulator, yield* consent(simulator), { ...evil, decision: "allow" })
      assert.match(response.headers.location ?? "", /^https:\/\/app\.example\/callback\?code=[\w-]+&state=s-t-a-t-e$/)
      const { grants } = yield* simulator.snapshot
      assert.deepStrictEqual(grants.codes.map(([, { account, clientId }]) => [account, clientId]), [
        ["ann", "simulator-client-id"]
      ])
      yield* assertGone(yield* submit(simulator, yield* consent(simulator), { decision: "perhaps" }))
      yield* assertGone(yield* submit(simulator, yield* consent(simulator), {}))
      assert.strictEqual(yield* codesOf(simulator), 1)
    }))

  it.effect("without an account, or with one too long, is shown again with what is wrong", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      for (const [typed, problem] of [["  ", "Enter an account name."], ["x".repeat(101), "at most 100 characters"]] as const) {
        const again = yield* consent(simulator, good, typed)
        assert.strictEqual(again.status, 400)
        const html = yield* again.text
        assert.include(html, "Sign in")
        assert.match(html, new RegExp(`<p id="problem"[^>]* role="alert">[^<]*${problem}`))
        assert.strictEqual(formOf(html).fields["account"], typed.trim())
        const next = yield* submit(simulator, again, { account: "x".repeat(100) })
        assert.strictEqual(next.status, 200)
      }
    }))
})

describe("a page", () => {
  it.effect("shows what others wrote as text", () =>
    Effect.gen(function*() {
      const hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;`"
      const simulator = yield* DigiKeySimulator.make({ clientId: hostile })
      const parameters = { ...good, client_id: hostile, state: "<b>state</b>" }
      const pages = [
        yield* open(simulator, parameters),
        yield* consent(simulator, parameters, hostile),
        yield* consent(simulator, parameters, hostile.repeat(3))
      ]
      for (const page of pages) {
        const html = yield* page.text
        assert.notMatch(html, /<script|<img|<b>/)
        assert.include(html, "&#60;script&#62;")
        assert.notInclude(html, "&amp;")
        assert.notInclude(html, "state</b>")
      }
      // the value of a field is read back whole, so none of it ended the attribute
      assert.strictEqual(formOf(yield* (pages[2] ?? assert.fail()).text).fields["account"], hostile.repeat(3))
    }))

  it.effect("is kept by nobody, framed by nobody, and lets its form go to this server and the application only", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const policy = (formAction: string) =>
        `default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action ${formAction}; frame-ancestors 'none'`
      const consents = [
        [good.redirect_uri, "https://app.example"],
        ["http://127.0.0.1:3000/callback", "http://127.0.0.1:3000"],
        // no IPv6 in the grammar of a policy, and a host may not write one
        ["http://[::1]:3000/callback", "http:"],
        ["https://a;sandbox/", "https:"]
      ] as const
      const pages: Array<readonly [HttpClientResponse.HttpClientResponse, string]> = [
        [yield* open(simulator), "'self'"],
        [yield* consent(simulator, good, ""), "'self'"],
        [yield* submit(simulator, yield* consent(simulator), {}), "'none'"]
      ]
      for (const [redirectUri, source] of consents) {
        pages.push([yield* consent(simulator, { ...good, redirect_uri: redirectUri }), `'self' ${source}`])
      }
      for (const [page, formAction] of pages) {
        assert.include(page.headers, {
          "content-type": "text/html; charset=utf-8",
          "cache-control": "no-store",
          "referrer-policy": "no-referrer",
          "x-content-type-options": "nosniff",
          "x-frame-options": "DENY",
          "content-security-policy": policy(formAction)
        })
      }
      const back = yield* submit(simulator, yield* consent(simulator), { decision: "allow" })
      assert.include(back.headers, { "cache-control": "no-store", "referrer-policy": "no-referrer" })
    }))

  it.effect("is no API call and no token call, and leaves no word of a code or a state in a log", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.map(Logger.logfmtLogger, (line) => void lines.push(line))
      yield* Effect.gen(function*() {
        const simulator = yield* DigiKeySimulator.make()
        const location = yield* answer(simulator, "allow")
        yield* answer(simulator, "deny")
        yield* open(simulator, { ...good, client_id: "guess" })
        yield* assertGone(yield* submit(simulator, yield* consent(simulator), { decision: "perhaps" }))
        assert.include(yield* simulator.stats, { tokenCalls: 0, requests: 0, inFlight: 0, peakInFlight: 1 })
        yield* Effect.logInfo("the logger listens")
        for (const secret of [good.state, new URL(location).searchParams.get("code") ?? ""]) {
          assert.isAbove(secret.length, 0)
          assert.notInclude(lines.join("\n"), secret)
        }
      }).pipe(Effect.provide([Logger.add(logger), Logger.minimumLogLevel(LogLevel.All)]))
      assert.include(lines.join("\n"), "the logger listens")
    }))
})

describe("a simulator made from the snapshot of another", () => {
  /** By way of a file, as the next process would read it. */
  const throughJson = (simulator: Simulator) =>
    Effect.flatMap(
      simulator.snapshot,
      (snapshot) => Schema.decode(Schema.parseJson(DigiKeySimulator.Snapshot))(JSON.stringify(snapshot))
    )

  const next = (simulator: Simulator) =>
    Effect.flatMap(throughJson(simulator), (snapshot) => DigiKeySimulator.make({ snapshot }))

  it.effect("accepts the tokens and codes of that one, for as long as they were good there", () =>
    Effect.gen(function*() {
      const before = yield* DigiKeySimulator.make()
      const login = yield* before.signIn()
      const authorized = yield* before.authorize()
      const late = yield* before.authorize()
      assert.strictEqual(yield* lists(yield* DigiKeySimulator.make(), login.accessToken), 401)
      yield* TestClock.adjust("599 seconds")

      const after = yield* next(before)
      assert.strictEqual(yield* lists(after, login.accessToken), 200)
      assert.strictEqual(yield* statusOf(exchange(after, authorized)), 200)
      assert.include(yield* after.stats, { familiesAlive: 2, tokensIssued: 1 })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* statusOf(exchange(after, late)), 400)
      yield* TestClock.adjust("50 minutes")
      assert.strictEqual(yield* lists(after, login.accessToken), 401)
      const renewed = yield* refresh(yield* next(after), login.refreshToken)
      assert.strictEqual(renewed.status, 200)
    }))

  it.effect("knows a refresh token and a code that were redeemed, and a login that was revoked", () =>
    Effect.gen(function*() {
      const before = yield* DigiKeySimulator.make()
      const login = yield* before.signIn()
      const renewed = yield* tokensOf(yield* refresh(before, login.refreshToken))
      const authorized = yield* before.authorize()
      const exchanged = yield* tokensOf(yield* exchange(before, authorized))
      const revoked = yield* before.signIn()
      yield* before.revokeFamily(revoked.refreshToken)

      const after = yield* next(before)
      assert.strictEqual(yield* lists(after, renewed.accessToken), 200)
      assert.strictEqual(yield* lists(after, exchanged.accessToken), 200)
      assert.strictEqual(yield* statusOf(refresh(after, revoked.refreshToken)), 401)
      assert.include(yield* after.stats, { refreshTokensReused: 0, familiesAlive: 2 })
      assert.strictEqual(yield* statusOf(refresh(after, login.refreshToken)), 401)
      assert.strictEqual(yield* lists(after, renewed.accessToken), 401)
      assert.strictEqual(yield* statusOf(exchange(after, authorized)), 400)
      assert.strictEqual(yield* lists(after, exchanged.accessToken), 401)
      assert.include(yield* after.stats, { refreshTokensReused: 1, familiesRevoked: 2, familiesAlive: 0 })
    }))

  it.effect("issues no token that another one made from it issues", () =>
    Effect.gen(function*() {
      const before = yield* DigiKeySimulator.make()
      yield* before.signIn()
      const tokens = yield* Effect.forEach([before, yield* next(before), yield* next(before)], (simulator) =>
        Effect.map(simulator.signIn(), ({ accessToken }) => Redacted.value(accessToken)))
      assert.strictEqual(new Set(tokens).size, 3)
    }))

  it.effect("has the quotes and lists that people made", () =>
    Effect.gen(function*() {
      const before = yield* DigiKeySimulator.make()
      const { accessToken } = yield* before.signIn()
      const make = (simulator: Simulator, path: string, body: unknown) =>
        Effect.flatMap(api(simulator, "POST", path, accessToken, body), ({ json }) => json)
      yield* make(before, "/quoting/v4/quotes", { QuoteName: "Spring" })
      yield* make(before, "/quoting/v4/quotes/5000001/details", [
        { ProductNumber: "296-1411-5-ND", Quantities: [10] },
        { ProductNumber: "296-1411-5-ND", CustomerReference: "R1", Quantities: [10] }
      ])
      const list = yield* make(before, "/mylists/v1/lists", { ListName: "Bench" })
      yield* make(before, `/mylists/v1/lists/${list}/parts`, [
        { RequestedPartNumber: "NE555P", Quantities: [{ Quantity: 3 }] }
      ])
      const after = yield* next(before)
      for (const path of ["/quoting/v4/quotes", "/quoting/v4/quotes/5000001", `/mylists/v1/lists/${list}/parts`]) {
        const [was, is] = yield* Effect.forEach([before, after], (simulator) =>
          Effect.flatMap(api(simulator, "GET", path, accessToken), ({ json }) => json))
        assert.isObject(was)
        assert.deepStrictEqual(is, was)
      }
      // an id is given once, also after a restart
      assert.notStrictEqual(yield* make(after, "/mylists/v1/lists", { ListName: "Other" }), list)
    }))

  it.effect("is made of nothing else: what is not a snapshot is not read as one", () =>
    Effect.gen(function*() {
      const read = Schema.decodeUnknownEither(DigiKeySimulator.Snapshot)
      const snapshot = yield* (yield* DigiKeySimulator.make()).snapshot
      assert.strictEqual(read(snapshot)._tag, "Right")
      assert.strictEqual(read({ ...snapshot, grants: {} })._tag, "Left")
      assert.strictEqual(read({ ...snapshot, quotes: [{ id: "5000001" }] })._tag, "Left")
    }))
})

describe("served on loopback", () => {
  it.scopedLive("answers a browser with the same pages, and with a redirect that it can follow", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const server = yield* NodeHttpServer.make(() => createServer(), { port: 0, host: "127.0.0.1" })
      yield* server.serve(simulator.app)
      const base = HttpServer.formatAddress(server.address)
      const client = yield* HttpClient.HttpClient
      const address = `${base}${authorizePath}?${new URLSearchParams({ ...good, redirect_uri: `${base}/callback` })}`
      const post = (page: HttpClientResponse.HttpClientResponse, answers: Record<string, string>) =>
        Effect.flatMap(page.text, (html) => {
          const { action, fields } = formOf(html)
          const request = HttpClientRequest.post(new URL(action, address))
          return client.execute(HttpClientRequest.bodyUrlParams(request, { ...fields, ...answers }))
        })
      const signIn = yield* client.get(address)
      const back = yield* post(yield* post(signIn, { account: "ann" }), { decision: "allow" })
      assert.strictEqual(back.status, 303)
      const location = back.headers.location ?? ""
      assert.isTrue(location.startsWith(`${base}/callback?code=`))
      assert.strictEqual(
        yield* statusOf(exchange(simulator, authorizedBy(location, `${base}/callback`))),
        200
      )
    }).pipe(
      Effect.provide(FetchHttpClient.layer),
      Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })
    ))
})
