/** A person's login: what is sent to the provider, what is remembered, and what becomes of the callback. */
import type { HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  ConfigError,
  Context,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Either,
  Exit,
  Fiber,
  Layer,
  Option,
  Random,
  Redacted,
  Schema,
  TestClock
} from "effect"
import {
  type AuthorizationError,
  Credentials,
  CredentialsError,
  CredentialsIdentity,
  Keyring,
  type OAuth2,
  PendingAuthorization,
  TokenStore
} from "effect-credentials"
import * as Crypto from "node:crypto"
import { finderOf, leaksOf, leaksOfObserved, observe, whileTimePasses } from "./utils/canaries.js"
import { brokenBody, dropped, hanging, json, reply } from "./utils/fakeApi.js"
import { memoryStore } from "./utils/fakeLogin.js"
import { makeFaulty } from "./utils/faultyStore.js"
import {
  acme,
  callback,
  makeWorld,
  type Options,
  publicClient,
  redirectUri,
  refreshTokenOf,
  refused,
  secrets,
  tokenReply,
  type World
} from "./utils/loginWorld.js"

class Acme extends Credentials.Tag("Acme")<Acme>() {}

const good = { code: secrets.code }

type Flow = OAuth2.AuthorizationCodeFlow<HttpClient.HttpClient>

/** A flow that has begun a login, and what comes back to it. */
const begun = (world: World, options: Options & { readonly parameters?: Record<string, string> } = {}) =>
  Effect.gen(function*() {
    const { parameters, ...others } = options
    const flow = yield* acme(others)
    const { state, url, userAgent } = yield* Effect.provide(flow.begin({ redirectUri, parameters }), world.layer)
    const complete = (
      text: string,
      by: { readonly flow?: Flow; readonly userAgent?: Redacted.Redacted } = {}
    ) => Effect.provide((by.flow ?? flow).complete({ callback: text, userAgent: by.userAgent ?? userAgent }), world.layer)
    return {
      flow,
      state,
      userAgent,
      url: new URL(url),
      complete,
      /** Comes back with these parameters besides the state. */
      back: (parameters: Parameters<typeof callback>[0]) => complete(callback({ state, ...parameters }))
    }
  })

/** By its fields: a failure inside a span is handed on as a proxy of itself. */
const fieldsOf = <A, E extends object>(result: Either.Either<A, E>): object =>
  Either.match(result, { onLeft: (error) => ({ ...error }), onRight: () => assert.fail("it did not fail") })

const assertFailed = <A, E extends object>(
  result: Either.Either<A, E>,
  reason: AuthorizationError.AuthorizationFailed["reason"]
) =>
  assert.deepInclude(fieldsOf(result), { _tag: "AuthorizationFailed", provider: "acme", account: "alice", reason })

const assertNothing = (world: World, flow: Flow) =>
  Effect.gen(function*() {
    assert.isTrue(Option.isNone(yield* world.stored(flow)))
    assert.deepStrictEqual(world.forms(), [])
  })

// Chai takes an Option that has a value for one that has none: they are compared by what is in them.

const assertEntry = (stored: Option.Option<TokenStore.Entry>, generation: number) => {
  const entry = Option.getOrUndefined(stored)
  assert.strictEqual(entry?.generation, generation)
  assert.isUndefined(Option.getOrUndefined(entry?.redeeming ?? Option.none()))
}

const encode = Schema.encodeSync(TokenStore.Entry)

const assertSame = (actual: Option.Option<TokenStore.Entry>, expected: Option.Option<TokenStore.Entry>) =>
  assert.deepStrictEqual(
    Option.getOrUndefined(Option.map(actual, encode)),
    Option.getOrUndefined(Option.map(expected, encode))
  )

const challengeOf = (verifier: string) => Crypto.createHash("sha256").update(verifier).digest("base64url")

const verifierOf = (world: World, index = 0): string | undefined =>
  Option.getOrUndefined(Option.map(Option.flatMap(Option.fromNullable(world.remembered[index]), ({ pending }) => pending.verifier), Redacted.value))

const configNames = (result: Either.Either<unknown, unknown>): ReadonlyArray<string> => {
  if (Either.isRight(result) || !ConfigError.isConfigError(result.left)) return assert.fail("there is no ConfigError")
  return result.left._op === "InvalidData" ? result.left.path : assert.fail(result.left._op)
}

// -----------------------------------------------------------------------------

describe("begin", () => {
  it.scoped("sends the person to the provider with what RFC 6749 §4.1.1 and RFC 7636 §4.3 ask for", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { state, url } = yield* begun(world, { scopes: ["quotes", "lists"] })
      assert.strictEqual(url.origin + url.pathname, "https://login.acme.test/authorize")
      const { code_challenge: challenge, ...rest } = Object.fromEntries(url.searchParams)
      assert.deepStrictEqual(rest, {
        response_type: "code",
        client_id: "my-app",
        redirect_uri: redirectUri,
        scope: "quotes lists",
        state,
        code_challenge_method: "S256"
      })
      assert.strictEqual(challenge, challengeOf(verifierOf(world) ?? ""))
      assert.lengthOf(Array.from(url.searchParams), 7)
    }))

  it("is tested with the challenge of RFC 7636 appendix B", () => {
    assert.strictEqual(
      challengeOf("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
      "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )
  })

  it.scoped("makes state, verifier and proof of 256 bits each, in unreserved characters, new ones each time", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const all = yield* Effect.replicateEffect(begun(world), 200)
      const texts = all.flatMap(({ state, userAgent }, index) => [
        state,
        Redacted.value(userAgent),
        verifierOf(world, index) ?? ""
      ])
      for (const text of texts) {
        assert.match(text, /^[A-Za-z0-9._~-]{43,128}$/)
        assert.lengthOf(Buffer.from(text, "base64url"), 32)
      }
      assert.strictEqual(new Set(texts).size, 600)
      // 19,200 bytes: each bit of each byte is set about half the time, 0.45 to 0.55 is 14 standard deviations.
      for (let bit = 0; bit < 8; bit++) {
        const bytes = texts.flatMap((text) => Array.from(Buffer.from(text, "base64url")))
        const share = bytes.filter((byte) => (byte >> bit & 1) === 1).length / bytes.length
        assert.isTrue(share > 0.45 && share < 0.55, `bit ${bit} is set in ${share}`)
      }
    }))

  it.scoped("does not take them from Effect's Random, which anybody can replace", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const seeded = Effect.withRandom(begun(world), Random.make("seed"))
      const fixed = Effect.withRandom(begun(world), Random.fixed([1, 2, 3]))
      const states = [yield* seeded, yield* seeded, yield* fixed, yield* fixed].map(({ state }) => state)
      assert.strictEqual(new Set(states).size, 4)
    }))

  it.scoped("keeps the query that the authorization endpoint has (RFC 6749 §3.1), and cannot be misled by it", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { state, url } = yield* begun(world, {
        authorizeUrl: "https://login.acme.test/authorize?tenant=a%20b&p=x&p=y&state=theirs&state=again&client_id=other",
        parameters: { prompt: "consent", login_hint: "a&state=x#y" }
      })
      assert.deepStrictEqual(url.searchParams.getAll("tenant"), ["a b"])
      assert.deepStrictEqual(url.searchParams.getAll("p"), ["x", "y"])
      assert.deepStrictEqual(url.searchParams.getAll("prompt"), ["consent"])
      assert.deepStrictEqual(url.searchParams.getAll("login_hint"), ["a&state=x#y"])
      assert.deepStrictEqual(url.searchParams.getAll("state"), [state])
      assert.deepStrictEqual(url.searchParams.getAll("client_id"), ["my-app"])
      assert.strictEqual(url.hash, "")
    }))

  const ours = [
    "response_type", "response_mode", "client_id", "redirect_uri", "scope", "state",
    "code_challenge", "code_challenge_method", "request", "request_uri"
  ]
  /** As servers of one kind or another read a name. */
  const disguises: Readonly<Record<string, (name: string) => string>> = {
    "as it is": (name) => name,
    "in upper case": (name) => name.toUpperCase(),
    "in mixed case": (name) => name.charAt(0).toUpperCase() + name.slice(1),
    "with a space before it": (name) => ` ${name}`,
    "with a space after it": (name) => `${name} `,
    "percent-encoded": (name) => `%${name.charCodeAt(0).toString(16)}${name.slice(1)}`,
    "with a line break": (name) => `${name}\r\n`,
    "with a NUL": (name) => `${name}\0`,
    "as a list": (name) => `${name}[]`,
    "with a point for its underscore": (name) => name.includes("_") ? name.replace("_", ".") : `${name}[0]`,
    "with letters that lose their case": (name) => name.includes("s") ? name.replace("s", "ſ") : `${name}\u212a`
  }
  for (const [how, disguise] of Object.entries(disguises)) {
    it.scoped(`refuses a parameter that is ours to set, ${how}`, () =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        for (const name of ours) {
          const result = yield* Effect.either(begun(world, { parameters: { prompt: "login", [disguise(name)]: "theirs" } }))
          assert.strictEqual(configNames(result)[0], "parameters", disguise(name))
          assert.notInclude(String(Either.isLeft(result) ? result.left : ""), "theirs")
        }
        assert.deepStrictEqual(world.remembered, [])
      }))
  }

  it.scoped("lets a provider's own parameters through", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const parameters = { access_type: "offline", "vnd.acme-Mode": "1", nonce: "n", resource: "https://api.acme.test/" }
      const { url } = yield* begun(world, { parameters })
      assert.deepInclude(Object.fromEntries(url.searchParams), parameters)
    }))

  it.scoped("takes a redirect URI that is https or loopback, as it was registered, character by character", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const flow = yield* acme()
      const accepted = [
        "https://app.example/callback?tenant=7",
        "https://APP.example",
        "http://127.0.0.1:8123/callback",
        "http://[::1]:8123/callback",
        "http://localhost:3000/callback"
      ]
      for (const uri of accepted) {
        const { url } = yield* Effect.provide(flow.begin({ redirectUri: uri }), world.layer)
        assert.strictEqual(new URL(url).searchParams.get("redirect_uri"), uri)
        assert.strictEqual(world.remembered.at(-1)?.pending.redirectUri, uri)
      }
    }))

  it.scoped("takes no other, and does not repeat it", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const flow = yield* acme()
      const hostile = [
        "", "/callback", "//app.example/callback", "app.example/callback",
        "http://app.example/callback", "http://127.0.0.1.evil.example/callback", "http://localhost.evil.example/",
        "com.acme.app:/callback", "javascript:alert(1)", "data:text/html,x", "file:///callback",
        "https://app.example/callback#here", "https://user:word@app.example/callback",
        "https://app.example\\@evil.example/callback", "https://app.example/call\tback", " https://app.example/callback"
      ]
      for (const uri of hostile) {
        const result = yield* Effect.either(Effect.provide(flow.begin({ redirectUri: uri }), world.layer))
        assert.deepStrictEqual(configNames(result), ["redirectUri"], uri)
        if (uri.length > 1 && Either.isLeft(result)) assert.notInclude(String(result.left), uri)
      }
      assert.deepStrictEqual(world.remembered, [])
    }))

  it.scoped("needs an authorization endpoint that is https or loopback", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      for (const authorizeUrl of [undefined, "http://login.acme.test/authorize", "/authorize"]) {
        const result = yield* Effect.either(begun(world, { authorizeUrl }))
        assert.deepStrictEqual(configNames(result), ["authorizeUrl"])
      }
    }))

  it.scoped("proves nothing by PKCE where that is off, and never without it for a public client", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back, url } = yield* begun(world, { pkce: false })
      assert.isFalse(url.searchParams.has("code_challenge"))
      assert.isFalse(url.searchParams.has("code_challenge_method"))
      assert.isTrue(Option.isNone(world.remembered[0]?.pending.verifier ?? Option.some(Redacted.make(""))))
      yield* back(good)
      assert.notProperty(world.forms()[0], "code_verifier")

      const open = yield* Effect.either(acme({ clientSecret: undefined, pkce: false }))
      assert.deepStrictEqual(configNames(open), ["pkce"])
      const none = yield* Effect.either(acme({ clientSecret: undefined, clientAuthentication: "none", pkce: false }))
      assert.deepStrictEqual(configNames(none), ["pkce"])
    }))

  it.scoped("asks for no scope where there is none", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      for (const scopes of [undefined, []]) assert.isFalse((yield* begun(world, { scopes })).url.searchParams.has("scope"))
    }))

  it.scoped("remembers flow, environment, redirect URI, account and verifier, and nothing that completes a login", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      yield* TestClock.setTime(1_700_000_000_123)
      const { state, userAgent } = yield* begun(world, { environment: "sandbox" })
      const [record] = world.remembered
      assert.deepInclude(record?.pending, {
        provider: "acme",
        environment: "sandbox",
        redirectUri,
        startedAt: DateTime.unsafeMake(1_700_000_000_123)
      })
      assert.strictEqual(Option.getOrUndefined(record?.pending.account ?? Option.none()), "alice")
      const find = finderOf({ state, userAgent: Redacted.value(userAgent), verifier: verifierOf(world) ?? "" })
      assert.deepStrictEqual(leaksOf("the record", record, find), [])
      // A store that keeps text keeps it through the schema, which has the verifier and no more.
      const encoded = JSON.stringify(Schema.encodeSync(PendingAuthorization.PendingAuthorization)(
        record?.pending ?? assert.fail("nothing was remembered")
      ))
      assert.deepStrictEqual(find(encoded), ["verifier as text"])
      const decoded = Schema.decodeUnknownSync(PendingAuthorization.PendingAuthorization)(JSON.parse(encoded))
      assert.strictEqual(Option.getOrUndefined(Option.map(decoded.verifier, Redacted.value)), verifierOf(world))
    }))

  it.scoped("gives out nothing that prints the proof", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const flow = yield* acme()
      const request = yield* Effect.provide(flow.begin({ redirectUri }), world.layer)
      const find = finderOf({ userAgent: Redacted.value(request.userAgent), verifier: verifierOf(world) ?? "" })
      assert.deepStrictEqual(leaksOf("the request", request, find), [])
    }))
})

// -----------------------------------------------------------------------------

describe("complete", () => {
  it.scoped("redeems the code with everything that it was asked for with, and stores the token", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back, flow } = yield* begun(world)
      const token = yield* back(good)
      assert.deepStrictEqual(world.forms(), [{
        grant_type: "authorization_code",
        code: secrets.code,
        redirect_uri: redirectUri,
        code_verifier: verifierOf(world) ?? "",
        client_id: "my-app",
        client_secret: secrets.clientSecret
      }])
      assert.strictEqual(Redacted.value(token.accessToken), secrets.accessToken)
      const entry = yield* world.stored(flow)
      assertEntry(entry, 1)
      assert.strictEqual(refreshTokenOf(entry), secrets.refreshToken)
      assert.isString(Option.getOrUndefined(entry)?.secretFingerprint)
      assert.strictEqual(world.api.arrived[0]?.redirect, "manual")
    }))

  it.scoped("of a public client sends its id and its verifier, and no secret", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const flow = yield* publicClient
      const { state, userAgent } = yield* Effect.provide(flow.begin({ redirectUri }), world.layer)
      yield* Effect.provide(flow.complete({ callback: callback({ state, ...good }), userAgent }), world.layer)
      assert.deepStrictEqual(world.forms(), [{
        grant_type: "authorization_code",
        code: secrets.code,
        redirect_uri: redirectUri,
        code_verifier: verifierOf(world) ?? "",
        client_id: "my-app"
      }])
      assert.notProperty(world.api.arrived[0]?.headers, "authorization")
    }))

  it.scoped("takes the callback as a URL or as path and query, with other parameters in it", () =>
    Effect.gen(function*() {
      for (const before of ["", "https://app.example", "https://APP.EXAMPLE:443"]) {
        const world = yield* makeWorld()
        const { complete, state } = yield* begun(world)
        yield* complete(`${before}${callback({ session_state: "x", state, scope: "a b", ...good, iss: undefined })}`)
        assert.lengthOf(world.forms(), 1)
      }
    }))

  it.scoped("takes a code with any characters in it", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back } = yield* begun(world)
      const code = "4/0A+b c%2F&=ü\u0001"
      yield* back({ code })
      assert.strictEqual(world.forms()[0]?.["code"], code)
    }))
})

describe("a state", () => {
  const strange: Readonly<Record<string, (state: string) => string | ReadonlyArray<string> | undefined>> = {
    unknown: () => Crypto.randomBytes(32).toString("base64url"),
    missing: () => undefined,
    empty: () => "",
    "given twice": (state) => [state, state],
    "given twice, once wrong": (state) => ["x", state],
    "cut by a character": (state) => state.slice(1),
    "with one character more": (state) => `${state}A`,
    "in another case": (state) => state.toLowerCase() === state ? state.toUpperCase() : state.toLowerCase(),
    "with a space": (state) => ` ${state}`,
    "that is its own key": () => "__proto__"
  }
  for (const [how, change] of Object.entries(strange)) {
    it.scoped(`${how} is refused, and the login goes on`, () =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const { back, complete, flow, state } = yield* begun(world)
        assertFailed(yield* Effect.either(complete(callback({ state: change(state), ...good }))), "Mismatch")
        yield* assertNothing(world, flow)
        yield* back(good)
      }))
  }

  it.scoped("that a refusal came with is checked first: a stranger's refusal ends no login", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back, complete } = yield* begun(world)
      assertFailed(yield* Effect.either(complete(callback({ state: "x", error: "access_denied" }))), "Mismatch")
      yield* back(good)
    }))

  it.scoped("counts once", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back, flow } = yield* begun(world)
      yield* back(good)
      assertFailed(yield* Effect.either(back(good)), "Mismatch")
      assertFailed(yield* Effect.either(back({ code: "another" })), "Mismatch")
      assert.lengthOf(world.forms(), 1)
      assertEntry(yield* world.stored(flow), 1)
    }))

  it.scoped("counts once even where the login failed", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back, flow } = yield* begun(world)
      assertFailed(yield* Effect.either(back({ error: "access_denied" })), "Denied")
      assertFailed(yield* Effect.either(back(good)), "Mismatch")
      yield* assertNothing(world, flow)
    }))

  it.scoped("in fifty callbacks at once redeems one code", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back } = yield* begun(world)
      const results = yield* Effect.all(Array.from({ length: 50 }, () => Effect.either(back(good))), { concurrency: "unbounded" })
      assert.lengthOf(results.filter(Either.isRight), 1)
      for (const result of results) if (Either.isLeft(result)) assertFailed(result, "Mismatch")
      assert.lengthOf(world.forms(), 1)
    }))

  it.scoped("is good for 10 minutes by the Clock, to the millisecond", () =>
    Effect.gen(function*() {
      for (const [wait, isGood] of [[0, true], [599_999, true], [600_000, true], [600_001, false], [86_400_000, false]] as const) {
        const world = yield* makeWorld()
        const { back, flow } = yield* begun(world)
        yield* TestClock.adjust(wait)
        const result = yield* Effect.either(back(good))
        if (isGood) assert.isTrue(Either.isRight(result), `after ${wait} ms`)
        else {
          assertFailed(result, "Expired")
          yield* assertNothing(world, flow)
        }
      }
    }))

  it.scoped("that comes late is told so, even where others have logged in since", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back } = yield* begun(world)
      yield* TestClock.adjust(600_000 + 60_000)
      yield* begun(world)
      assertFailed(yield* Effect.either(back(good)), "Expired")
    }))
})

describe("a callback", () => {
  it.scoped("that comes to another browser stores nothing, and does not use the login up", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const a = yield* begun(world)
      const b = yield* begun(world)
      const text = callback({ state: a.state, ...good })
      for (const userAgent of [b.userAgent, Redacted.make(""), Redacted.make(a.state)]) {
        assertFailed(yield* Effect.either(a.complete(text, { userAgent })), "Mismatch")
      }
      yield* assertNothing(world, a.flow)
      yield* a.complete(text)
      assert.lengthOf(world.forms(), 1)
      // And the other's own login is still under way.
      yield* b.back({ code: "of-b" })
    }))

  it.scoped("that comes to another browser tells neither the provider's words nor whether there is such a login", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { complete, state } = yield* begun(world)
      const userAgent = Redacted.make("another")
      const refusal = { error: "access_denied", error_description: "words" }
      const known = yield* Effect.flip(complete(callback({ state, ...refusal }), { userAgent }))
      const unknown = yield* Effect.flip(complete(callback({ state: "x", ...refusal }), { userAgent }))
      assert.deepStrictEqual({ ...known }, { ...unknown })
    }))

  const others: Readonly<Record<string, Options>> = {
    "another provider": { provider: "beta" },
    "another environment": { environment: "sandbox" },
    "another account": { account: "bob" },
    "another client": { clientId: "other-app" },
    "other scopes": { scopes: ["everything"] }
  }
  for (const [what, options] of Object.entries(others)) {
    it.scoped(`of a login that was begun for ${what} is refused`, () =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const { complete, flow, state } = yield* begun(world)
        const other = yield* acme(options)
        const result = yield* Effect.either(complete(callback({ state, ...good }), { flow: other }))
        assert.deepInclude(fieldsOf(result), { _tag: "AuthorizationFailed", reason: "Mismatch" })
        yield* assertNothing(world, flow)
        yield* assertNothing(world, other)
      }))
  }

  it.scoped("of a client whose secret was replaced meanwhile is that client's", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { complete, state } = yield* begun(world)
      yield* complete(callback({ state, ...good }), { flow: yield* acme({ clientSecret: Redacted.make("new") }) })
      assert.strictEqual(world.forms()[0]?.["client_secret"], "new")
    }))

  const elsewhere = [
    "https://evil.example/callback", "http://app.example/callback", "https://app.example:8443/callback",
    "https://app.example/callback/", "https://app.example/Callback", "https://app.example/other",
    "https://app.example.evil.example/callback", "blob:https://app.example/callback", "app.example:/callback"
  ]
  for (const uri of elsewhere) {
    it.scoped(`that came to ${uri} is refused`, () =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const { complete, flow, state } = yield* begun(world)
        assertFailed(yield* Effect.either(complete(callback({ state, ...good }, uri))), "Malformed")
        yield* assertNothing(world, flow)
      }))
  }

  it.scoped("that is no URL at all is refused, and the login goes on", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back, complete, state } = yield* begun(world)
      for (const text of ["", "code", `?state=${state}&code=x`, "https://", "//", "http://[::1", `callback?state=${state}`]) {
        assertFailed(yield* Effect.either(complete(text)), "Malformed")
      }
      yield* back(good)
    }))

  it.scoped("has what it brings in its query: a fragment is not looked at", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { complete, state } = yield* begun(world)
      assertFailed(yield* Effect.either(complete(`/callback#state=${state}&code=x`)), "Mismatch")
    }))

  const codes: Readonly<Record<string, string | ReadonlyArray<string> | undefined>> = {
    missing: undefined,
    empty: "",
    "given twice": [secrets.code, secrets.code],
    "given twice, once empty": ["", secrets.code]
  }
  for (const [how, code] of Object.entries(codes)) {
    it.scoped(`whose code is ${how} is malformed`, () =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const { back, flow } = yield* begun(world)
        assertFailed(yield* Effect.either(back({ code })), "Malformed")
        yield* assertNothing(world, flow)
      }))
  }
})

describe("the issuer of a callback (RFC 9207)", () => {
  const issuer = "https://login.acme.test"
  const cases: ReadonlyArray<readonly [string, string | ReadonlyArray<string> | undefined, AuthorizationError.AuthorizationFailed["reason"] | undefined]> = [
    ["right", issuer, undefined],
    ["absent", undefined, undefined],
    // RFC 6749 §3.1: what has no value is as if it were absent.
    ["empty", "", undefined],
    ["another", "https://evil.example", "Issuer"],
    ["the same with a slash", `${issuer}/`, "Issuer"],
    ["the same in another case", issuer.toUpperCase(), "Issuer"],
    ["given twice", [issuer, issuer], "Malformed"],
    ["given twice, once wrong", [issuer, "https://evil.example"], "Malformed"]
  ]
  for (const [how, iss, reason] of cases) {
    it.scoped(`that is ${how} ${reason === undefined ? "is taken" : "is refused"}`, () =>
      Effect.gen(function*() {
        for (const outcome of [good, { error: "access_denied" }]) {
          const world = yield* makeWorld()
          const { back, flow } = yield* begun(world, { issuer })
          const result = yield* Effect.either(back({ ...outcome, iss }))
          if (reason !== undefined) {
            assertFailed(result, reason)
            yield* assertNothing(world, flow)
          } else if ("error" in outcome) assertFailed(result, "Denied")
          else assert.isTrue(Either.isRight(result))
        }
      }))
  }

  it.scoped("is nobody's concern where no issuer is known", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back } = yield* begun(world)
      yield* back({ ...good, iss: "https://anyone.example" })
    }))
})

describe("a provider's no", () => {
  const dialect: NonNullable<Options["authorizationError"]> = (parameters) =>
    parameters.has("ErrorCode")
      ? Option.some({ error: parameters.get("ErrorCode") ?? undefined, description: parameters.get("Error") ?? undefined })
      : Option.none()

  it.scoped("is Denied where the person said it, and Refused otherwise, in the provider's words", () =>
    Effect.gen(function*() {
      for (const [error, reason] of [["access_denied", "Denied"], ["invalid_scope", "Refused"], ["server_error", "Refused"]] as const) {
        const world = yield* makeWorld()
        const { back, flow } = yield* begun(world)
        const result = yield* Effect.either(back({ error, error_description: "The reason.", error_uri: "https://evil.example" }))
        assertFailed(result, reason)
        assert.deepInclude(fieldsOf(result), { error, description: "The reason." })
        yield* assertNothing(world, flow)
      }
    }))

  it.scoped("weighs more than a code beside it", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back, flow } = yield* begun(world)
      assertFailed(yield* Effect.either(back({ ...good, error: "server_error" })), "Refused")
      yield* assertNothing(world, flow)
    }))

  it.scoped("is read in the provider's own dialect too", () =>
    Effect.gen(function*() {
      for (const [code, reason] of [["access_denied", "Denied"], ["invalid_request", "Refused"]] as const) {
        const world = yield* makeWorld()
        const { back } = yield* begun(world, { authorizationError: dialect })
        const result = yield* Effect.either(back({ ErrorCode: code, Error: "Invalid redirection uri" }))
        assertFailed(result, reason)
        assert.deepInclude(fieldsOf(result), { error: code, description: "Invalid redirection uri" })
      }
    }))

  it.scoped("loses control characters, what reorders text, and what is longer than 2 KB", () =>
    Effect.gen(function*() {
      const hostile = "a\u0000b\u001b[31mc\r\nd\u202ee\u200bf\u2028<script>alert(1)</script>" + "é".repeat(10_000)
      for (const options of [{}, { authorizationError: dialect }]) {
        const world = yield* makeWorld()
        const { back } = yield* begun(world, options)
        const error = yield* Effect.flip(back(
          "authorizationError" in options ? { ErrorCode: hostile, Error: hostile } : { error: hostile, error_description: hostile }
        ))
        const fields = { error: undefined, description: undefined, ...error }
        for (const text of [fields.error, fields.description]) {
          assert.isAtMost(Buffer.byteLength(String(text)), 2048)
          // What a page must escape is left as it is: only the page knows how.
          assert.include(String(text), "<script>alert(1)</script>")
        }
        for (const text of [fields.error, fields.description, error.message]) {
          assert.notMatch(String(text), /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e]/)
        }
        assert.isAtMost(Buffer.byteLength(error.message), 2 * 2048 + 200)
      }
    }))

  it.scoped("whose words are nothing but control characters is a sentence all the same", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back } = yield* begun(world)
      const error = yield* Effect.flip(back({ error: "\u0001", error_description: "\u0000\n" }))
      assert.strictEqual(error.message, "The login to acme for alice failed: the provider refused it.")
    }))

  it.scoped("repeats none of our secrets", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { back, userAgent } = yield* begun(world)
      const ours = { ...secrets, userAgent: Redacted.value(userAgent), verifier: verifierOf(world) ?? "" }
      const echo = [ours.clientSecret, ours.code, ours.userAgent, ours.verifier]
        .flatMap((text) => [text, Buffer.from(text).toString("base64"), encodeURIComponent(text)]).join(" ")
      const exit = yield* Effect.exit(back({ ...good, error: echo, error_description: echo }))
      assert.deepStrictEqual(leaksOf("the failure", exit, finderOf(ours)), [])
    }))

  it.scoped("repeats no secret that is read anew each time, and waits for none that cannot be read", () =>
    Effect.gen(function*() {
      const down = new CredentialsError.TokenEndpointUnavailable({ provider: "acme", reason: "Secret" })
      const known = Effect.succeed(Redacted.make(secrets.clientSecret))
      for (const clientSecret of [known, Effect.fail(down), Effect.die("vault"), Effect.never]) {
        const world = yield* makeWorld()
        const { back } = yield* begun(world, { clientSecret })
        const result = yield* Effect.either(whileTimePasses(back({
          error: "access_denied",
          error_description: `Yours is ${secrets.clientSecret}.`
        })))
        assertFailed(result, "Denied")
        if (clientSecret === known) assert.deepInclude(fieldsOf(result), { description: "Yours is <redacted>." })
      }
    }))
})

describe("a code that is not taken", () => {
  it.scoped("is CodeRefused where the provider says invalid_grant", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld(refused("invalid_grant"))
      const { back, flow } = yield* begun(world)
      assertFailed(yield* Effect.either(back(good)), "CodeRefused")
      assert.isTrue(Option.isNone(yield* world.stored(flow)))
      assert.lengthOf(world.forms(), 1)
    }))

  const answers = {
    "the client is refused": [refused("invalid_client", 401), "CredentialsRejected"],
    "the endpoint is down": [reply(503), "TokenEndpointUnavailable"],
    "the endpoint cannot be reached": [dropped(), "TokenEndpointUnavailable"],
    "the endpoint does not answer": [hanging, "TokenEndpointUnavailable"],
    "the reply breaks off": [brokenBody(200, "{\"access_token\":"), "TokenEndpointUnavailable"],
    "the reply is HTML": [reply(200, "<html>"), "MalformedTokenResponse"],
    "the reply has no token": [json({ token_type: "Bearer" }), "MalformedTokenResponse"],
    "the reply is a redirect": [reply(302, null, { location: "https://evil.example" }), "MalformedTokenResponse"],
    "the token is no bearer token": [tokenReply({ token_type: "mac" }), "MalformedTokenResponse"],
    "the token cannot be a header": [tokenReply({ access_token: "a\nb" }), "MalformedTokenResponse"]
  } as const
  for (const [how, [answer, tag]] of Object.entries(answers)) {
    it.scoped(`since ${how} leaves what was stored before`, () =>
      Effect.gen(function*() {
        const world = yield* makeWorld([tokenReply(), answer])
        const first = yield* begun(world)
        yield* first.back(good)
        const before = yield* world.stored(first.flow)
        const { back } = yield* begun(world)
        const error = yield* Effect.flip(whileTimePasses(back({ code: "second" })))
        assert.strictEqual(error._tag, tag)
        assertSame(yield* world.stored(first.flow), before)
        // The login is used up: the code may be, too.
        assertFailed(yield* Effect.either(back(good)), "Mismatch")
      }))
  }

  it.scoped("since the secret cannot be read fails before the code is sent, and can be interrupted", () =>
    Effect.gen(function*() {
      const down = new CredentialsError.TokenEndpointUnavailable({ provider: "acme", reason: "Secret" })
      const world = yield* makeWorld()
      const { back } = yield* begun(world, { clientSecret: Effect.fail(down) })
      assert.deepInclude({ ...yield* Effect.flip(back(good)) }, { _tag: "TokenEndpointUnavailable", reason: "Secret" })
      let isAsked = false
      const never = Effect.zipRight(Effect.sync(() => { isAsked = true }), Effect.never)
      const hung = yield* begun(world, { clientSecret: never })
      const fiber = yield* Effect.fork(hung.back(good))
      yield* until("the secret is asked for", () => isAsked)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      assert.deepStrictEqual(world.forms(), [])
    }))
})

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Real turns of the event loop, for what waits for promises, until there is something to see. */
const until = (what: string, isSo: () => boolean) =>
  Effect.gen(function*() {
    for (let turns = 0; turns < 20_000 && !isSo(); turns++) yield* turn
    assert.isTrue(isSo(), what)
  })

/** As many as an interruption needs to arrive. */
const someTurns = Effect.repeatN(turn, 20)

// -----------------------------------------------------------------------------

const full = new CredentialsError.TokenStoreError({ operation: "save", description: "the disk is full" })

const keyOf = (flow: Flow) =>
  Effect.map(CredentialsIdentity.make(flow.identity), TokenStore.key)

/** A store over memory in which things go wrong, with an earlier login in it. */
const faultyWorld = (
  answers: Parameters<typeof makeWorld>[0] = [tokenReply(), tokenReply({ refresh_token: "second", access_token: "second-access" })]
) =>
  Effect.gen(function*() {
    const memory = yield* memoryStore
    const { faults, store } = makeFaulty(memory)
    const world = yield* makeWorld(answers, { store })
    const first = yield* begun(world)
    yield* first.back(good)
    return { memory, faults, world, flow: first.flow, again: yield* begun(world), before: yield* world.stored(first.flow) }
  })

describe("the store", () => {
  it.scoped("has the new login in the place of the old one, one generation later", () =>
    Effect.gen(function*() {
      const { again, flow, world } = yield* faultyWorld()
      yield* again.back({ code: "second" })
      const entry = yield* world.stored(flow)
      assertEntry(entry, 2)
      assert.strictEqual(refreshTokenOf(entry), "second")
    }))

  it.scoped("keeps no mark of a redemption that was cut off before the login", () =>
    Effect.gen(function*() {
      const { again, flow, memory, world } = yield* faultyWorld()
      const key = yield* keyOf(flow)
      yield* memory.withLock(key, ({ save, stored }) =>
        Effect.flatMap(Effect.orDie(stored), (entry) =>
          save({ ...entry, redeeming: Option.some(DateTime.unsafeMake(0)) })))
      yield* again.back({ code: "second" })
      assertEntry(yield* world.stored(flow), 2)
    }))

  it.scoped("keeps nothing of the old login where the reply has no refresh token: the person has decided", () =>
    Effect.gen(function*() {
      const { again, flow, world } = yield* faultyWorld([tokenReply(), tokenReply({ refresh_token: undefined })])
      yield* again.back({ code: "second" })
      assert.isUndefined(refreshTokenOf(yield* world.stored(flow)))
    }))

  it.scoped("that fails once is asked again", () =>
    Effect.gen(function*() {
      const { again, faults, flow, world } = yield* faultyWorld()
      faults.once("before new saved", Effect.fail(full))
      yield* whileTimePasses(again.back({ code: "second" }))
      assertEntry(yield* world.stored(flow), 2)
      assert.lengthOf(world.forms(), 2)
    }))

  it.scoped("that saved although it said that it had not has one generation more, not two", () =>
    Effect.gen(function*() {
      const { again, faults, flow, world } = yield* faultyWorld()
      faults.once("after new saved", Effect.fail(full))
      yield* whileTimePasses(again.back({ code: "second" }))
      assertEntry(yield* world.stored(flow), 2)
    }))

  it.scoped("that fails for good is told, and what was stored before is whole", () =>
    Effect.gen(function*() {
      const { again, before, faults, flow, world } = yield* faultyWorld()
      faults.always("before new saved", Effect.fail(full))
      const error = yield* Effect.flip(whileTimePasses(again.back({ code: "second" })))
      assert.deepInclude({ ...error }, { _tag: "TokenStoreError", operation: "save" })
      yield* faults.heal
      assertSame(yield* world.stored(flow), before)
    }))

  it.scoped("that does not answer is told", () =>
    Effect.gen(function*() {
      for (const point of ["load", "before lock", "before new saved"] as const) {
        const { again, faults, flow, world } = yield* faultyWorld()
        faults.always(point, faults.hang)
        const error = yield* Effect.flip(whileTimePasses(again.back({ code: "second" })))
        assert.strictEqual(error._tag, "TokenStoreError", point)
        yield* faults.heal
        assertEntry(yield* world.stored(flow), 1)
      }
    }))

  it.scoped("that cannot be read is found out before the code is used", () =>
    Effect.gen(function*() {
      const { again, faults, world } = yield* faultyWorld()
      faults.once("load", Effect.fail(new CredentialsError.TokenStoreError({ operation: "load", description: "damaged" })))
      assert.deepInclude({ ...yield* Effect.flip(again.back({ code: "second" })) }, { _tag: "TokenStoreError", operation: "load" })
      assert.lengthOf(world.forms(), 1)
    }))

  it.scoped("whose entry is encrypted with a key that is missing is found out before the code is used", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      const below = Layer.succeed(TokenStore.TokenStore, memory)
      const keyring = (id: string) =>
        Effect.flatMap(Keyring.generate, (key) => Keyring.make({ current: id, keys: { [id]: key } }))
      const over = (id: string) =>
        Effect.map(Layer.build(TokenStore.encrypted(keyring(id))(below)), Context.get(TokenStore.TokenStore))
      const old = yield* makeWorld(tokenReply(), { store: yield* over("old") })
      yield* (yield* begun(old)).back(good)
      const before = yield* memory.load(yield* keyOf(yield* acme()))

      for (const store of [yield* over("new"), memory]) {
        const world = yield* makeWorld(tokenReply(), { store })
        const error = yield* Effect.flip((yield* begun(world)).back({ code: "second" }))
        assert.deepInclude({ ...error }, { _tag: "TokenStoreError", operation: "load" })
        assert.deepStrictEqual(world.forms(), [])
      }
      assertSame(yield* memory.load(yield* keyOf(yield* acme())), before)
    }))
})


describe("a caller that is interrupted", () => {
  it.scoped("before the answer has stored nothing", () =>
    Effect.gen(function*() {
      const { again, before, flow, world } = yield* faultyWorld([tokenReply(), hanging])
      const fiber = yield* Effect.fork(again.back({ code: "second" }))
      yield* until("the code is sent", () => world.forms().length === 2)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      assertSame(yield* world.stored(flow), before)
    }))

  // From the answer on, wherever it is: the code is used up, and the token is nowhere else.
  for (const point of ["before lock", "lock had", "before new saved", "after new saved", "unlocking"] as const) {
    it.scoped(`after the answer, at "${point}", has stored the login`, () =>
      Effect.gen(function*() {
        const { again, faults, flow, world } = yield* faultyWorld()
        const passed = faults.passed(point)
        faults.once(point, faults.hang)
        const fiber = yield* Effect.fork(again.back({ code: "second" }))
        yield* until(`it is at "${point}"`, () => faults.passed(point) > passed)
        const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
        yield* someTurns
        // A caller that ends before the save would end the program, perhaps.
        assert.isTrue(Option.isNone(yield* Fiber.poll(interrupting)))
        yield* faults.heal
        yield* Fiber.join(interrupting)
        const entry = yield* world.stored(flow)
        assertEntry(entry, 2)
        assert.strictEqual(refreshTokenOf(entry), "second")
      }))
  }

  it.scoped("while another has the lock has stored the login after it", () =>
    Effect.gen(function*() {
      const { again, faults, flow, memory, world } = yield* faultyWorld()
      const key = yield* keyOf(flow)
      const release = yield* Deferred.make<void>()
      // A renewal of the old login, in another process: it ends after the answer, and must not win.
      const holder = yield* Effect.fork(memory.withLock(key, ({ save, stored }) =>
        Effect.gen(function*() {
          yield* Deferred.await(release)
          const entry = yield* Effect.orDie(stored)
          yield* save({ ...entry, generation: entry.generation + 1 })
        })))
      const fiber = yield* Effect.fork(again.back({ code: "second" }))
      yield* until("it waits for the lock", () => faults.passed("before lock") === 2)
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* someTurns
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(holder)
      yield* Fiber.join(interrupting)
      const entry = yield* world.stored(flow)
      assertEntry(entry, 3)
      assert.strictEqual(refreshTokenOf(entry), "second")
    }))
})

describe("a Layer that waits for a login", () => {
  it.scoped("has it without a restart, and the next one too", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld([tokenReply(), tokenReply({ access_token: "second-access", refresh_token: "second" })])
      const flow = yield* acme()
      const shared = Effect.provide(Layer.build(Credentials.layerShared(Acme, flow)), world.layer)
      const user = Context.get(yield* shared, Acme)
      const required = yield* Effect.flip(user.token)
      assert.deepInclude({ ...required }, { _tag: "ReauthorizationRequired", reason: "NothingStored", account: "alice" })

      yield* (yield* begun(world)).back(good)
      assert.strictEqual(Redacted.value((yield* user.token).accessToken), secrets.accessToken)

      // Another login replaces it: known when the old token is refused or due.
      yield* (yield* begun(world)).back({ code: "second" })
      const old = yield* user.token
      assert.strictEqual(Redacted.value((yield* user.reject(old)).accessToken), "second-access")
      assert.lengthOf(world.forms(), 2)
    }))

  it.scoped("has it after the provider has refused the old one", () =>
    Effect.gen(function*() {
      let logins = 0
      const world = yield* makeWorld(({ body }) =>
        new URLSearchParams(body).get("grant_type") === "refresh_token" ? refused("invalid_grant")
          : tokenReply({ access_token: `access-${++logins}`, refresh_token: `refresh-${logins}` }))
      const flow = yield* acme()
      const user = Context.get(yield* Effect.provide(Layer.build(Credentials.layerShared(Acme, flow)), world.layer), Acme)
      yield* (yield* begun(world)).back(good)
      yield* user.token
      assert.deepInclude({ ...yield* Effect.flip(user.refresh) }, { _tag: "ReauthorizationRequired", reason: "Refused" })
      yield* TestClock.adjust("1 hour")
      assert.deepInclude({ ...yield* Effect.flip(user.token) }, { _tag: "ReauthorizationRequired" })
      yield* (yield* begun(world)).back({ code: "second" })
      const token = yield* user.token
      assert.strictEqual(token.issuedAt.epochMillis, 3_600_000)
    }))

  it.scoped("of another account does not have it", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const bob = yield* acme({ account: "bob" })
      const user = Context.get(yield* Effect.provide(Layer.build(Credentials.layerShared(Acme, bob)), world.layer), Acme)
      yield* (yield* begun(world)).back(good)
      assert.deepInclude({ ...yield* Effect.flip(user.token) }, { _tag: "ReauthorizationRequired", account: "bob" })
    }))
})

// -----------------------------------------------------------------------------

describe("no code, verifier, proof, secret or token", () => {
  /** What the provider may say, with everything in it that it was told. */
  const echoing = (status: number): Parameters<typeof makeWorld>[0] => ({ body, headers }) => {
    const echo = `${body} ${decodeURIComponent(body)} ${JSON.stringify(headers)}`
    return json({ error: echo, error_description: echo, access_token: { x: secrets.accessToken } }, status)
  }
  const cases: Readonly<Record<string, {
    readonly answers?: Parameters<typeof makeWorld>[0]
    readonly back?: Parameters<typeof callback>[0]
    readonly options?: Options
    readonly fails?: "save" | "load"
  }>> = {
    "a login that succeeds": {},
    "a login with Basic": { options: { clientAuthentication: "client_secret_basic" } },
    "a refusal in the callback": { back: { error: secrets.clientSecret, error_description: `${secrets.clientSecret} ${secrets.code}` } },
    "a wrong state": { back: { state: "wrong" } },
    "a wrong issuer": { back: { iss: secrets.clientSecret }, options: { issuer: "https://login.acme.test" } },
    "two codes": { back: { code: [secrets.code, secrets.code] } },
    "invalid_grant": { answers: refused("invalid_grant") },
    "a 400 that echoes": { answers: echoing(400) },
    "a 401 that echoes": { answers: echoing(401) },
    "a 500 that echoes": { answers: echoing(500) },
    "a 200 that echoes": { answers: echoing(200) },
    "a token that is not one": { answers: tokenReply({ access_token: `${secrets.accessToken}\n`, refresh_token: secrets.refreshToken }) },
    "a refresh token that is not one": { answers: tokenReply({ refresh_token: `${secrets.refreshToken}\n` }) },
    "an endpoint that is down": { answers: dropped() },
    "a store that fails": { fails: "save" },
    "a store that cannot be read": { fails: "load" }
  }
  for (const [name, setting] of Object.entries(cases)) {
    it.scoped(`is seen of ${name}`, () =>
      Effect.gen(function*() {
        const { faults, store } = makeFaulty(yield* memoryStore)
        const world = yield* makeWorld(setting.answers, { store })
        if (setting.fails === "save") faults.always("before new saved", Effect.fail(full))
        if (setting.fails === "load") {
          faults.always("load", Effect.fail(new CredentialsError.TokenStoreError({ operation: "load", description: "damaged" })))
        }
        let userAgent = ""
        const observed = yield* observe(Effect.gen(function*() {
          const login = yield* begun(world, setting.options)
          userAgent = Redacted.value(login.userAgent)
          yield* Effect.log("begun", { ...login, url: undefined })
          return yield* whileTimePasses(login.back({ ...good, ...setting.back }))
        }))
        const find = finderOf({ ...secrets, userAgent, verifier: verifierOf(world) ?? assert.fail("there is no verifier") })
        assert.deepStrictEqual(leaksOfObserved(name, observed, find).slice(0, 10), [])
        assert.deepStrictEqual(leaksOf("what is remembered", world.remembered, find), [])
        assert.strictEqual(Exit.isSuccess(observed.exit), name.startsWith("a login"))
      }))
  }

  it.scoped("would go unnoticed", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { userAgent } = yield* begun(world)
      const proof = Redacted.value(userAgent)
      const observed = yield* observe(Effect.log(`the cookie is ${proof}`))
      assert.isNotEmpty(leaksOfObserved("a log", observed, finderOf({ proof })))
    }))
})

// -----------------------------------------------------------------------------

describe("PendingAuthorization.layerMemory", () => {
  const opened = Effect.map(
    Layer.build(PendingAuthorization.layerMemory),
    Context.get(PendingAuthorization.PendingAuthorizations)
  )
  const record = Effect.map(DateTime.now, (startedAt): PendingAuthorization.PendingAuthorization => ({
    identity: "identity",
    provider: "acme",
    environment: "default",
    account: Option.none(),
    redirectUri,
    verifier: Option.none(),
    userAgent: "browser",
    startedAt
  }))
  const put = (store: PendingAuthorization.PendingAuthorizations, key: string) =>
    Effect.flatMap(record, (pending) => store.put(key, pending))

  it.scoped("gives a login out once, to the browser that began", () =>
    Effect.gen(function*() {
      const store = yield* opened
      yield* put(store, "a")
      assert.isTrue(Option.isNone(yield* store.take("a", "another")))
      assert.isTrue(Option.isNone(yield* store.take("b", "browser")))
      const all = yield* Effect.all(Array.from({ length: 100 }, () => store.take("a", "browser")), { concurrency: "unbounded" })
      assert.lengthOf(all.filter(Option.isSome), 1)
      assert.isTrue(Option.isNone(yield* store.take("a", "browser")))
    }))

  it.scoped("holds 10,000 and forgets the oldest beyond that", () =>
    Effect.gen(function*() {
      const store = yield* opened
      yield* Effect.forEach(Array.from({ length: 10_002 }, (_, index) => `key-${index}`), (key) => put(store, key))
      assert.isTrue(Option.isNone(yield* store.take("key-0", "browser")))
      assert.isTrue(Option.isNone(yield* store.take("key-1", "browser")))
      for (const index of [2, 3, 5000, 10_001]) {
        assert.isTrue(Option.isSome(yield* store.take(`key-${index}`, "browser")), `key-${index}`)
      }
    }))

  it.scoped("forgets nobody within 10 minutes, and after an hour whoever has not come back", () =>
    Effect.gen(function*() {
      const store = yield* opened
      yield* put(store, "early")
      yield* put(store, "late")
      yield* TestClock.adjust(PendingAuthorization.maxAge)
      yield* put(store, "another")
      assert.isTrue(Option.isSome(yield* store.take("early", "browser")))
      yield* TestClock.adjust("1 hour")
      yield* put(store, "one more")
      assert.isTrue(Option.isNone(yield* store.take("late", "browser")))
      assert.isTrue(Option.isSome(yield* store.take("another", "browser")))
      assert.isTrue(Option.isSome(yield* store.take("one more", "browser")))
    }))

  it.scoped("is one memory for each Layer", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* opened, yield* opened]
      yield* put(one, "a")
      assert.isTrue(Option.isNone(yield* other.take("a", "browser")))
    }))

  it("keeps a login for 10 minutes", () => {
    assert.strictEqual(Duration.toMinutes(PendingAuthorization.maxAge), 10)
  })
})
