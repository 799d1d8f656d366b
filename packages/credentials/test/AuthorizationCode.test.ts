/** `OAuth2.authorizationCode`: how a refresh token is redeemed, over a scripted token endpoint. */
import * as NodeUtil from "node:util"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  ConfigError,
  Context,
  DateTime,
  Duration,
  Effect,
  Exit,
  FastCheck,
  Fiber,
  Layer,
  Option,
  Redacted,
  Ref,
  Scope,
  TestClock
} from "effect"
import { Credentials, CredentialsError, CredentialsIdentity, OAuth2, Token, TokenStore } from "effect-credentials"
import * as Fake from "./utils/fakeApi.js"
import { Acme } from "./utils/fakeFlow.js"
import { assertUnmarked, memoryStore, text, within } from "./utils/fakeLogin.js"

const { passing } = Fake

const tokenUrl = "https://login.acme.test/oauth2/token"
const secret = "canary se/cret+7:%=ü"
const refreshToken = "canary-refresh/1+2=~"

type Options = Partial<OAuth2.AuthorizationCodeOptions>

const flowOf = (options: Options = {}) =>
  OAuth2.authorizationCode({
    provider: "acme",
    account: "alice",
    baseUrl: "https://api.acme.test",
    tokenUrl,
    clientId: "my-app",
    clientSecret: Redacted.make(secret),
    lifetimeWhenAbsent: "17 minutes",
    ...options
  })

const publicClient: Options = { clientSecret: undefined }

/** One renewal, without a cache around it. */
const renew = (api: Fake.FakeApi, options: Options = {}, token = refreshToken) =>
  Effect.flatMap(Effect.orDie(flowOf(options)), (flow) => Option.getOrThrow(flow.renew)(Redacted.make(token))).pipe(
    Effect.provide(api.client)
  )

const answering = (answer: Fake.Answer | ReadonlyArray<Fake.Answer>) => Fake.makeFakeApi({ [tokenUrl]: answer })

const good = { access_token: "access-2", token_type: "Bearer", expires_in: 1800, refresh_token: "refresh-2" }
const issues = (fields: Readonly<Record<string, unknown>> = {}, status = 200) => Fake.json({ ...good, ...fields }, status)

/** What was sent, in order, repetitions included. */
const sent = (request: Fake.Arrived | undefined) => [...new URLSearchParams(request?.body)]

const base64 = (text: string) => Buffer.from(text).toString("base64")
const formEncode = (text: string) => new URLSearchParams({ a: text }).toString().slice(2)
const basic = base64(`my-app:${formEncode(secret)}`)

const printed = (value: unknown): string =>
  [
    JSON.stringify(value) ?? "",
    NodeUtil.inspect(value, { depth: 20, showHidden: true }),
    NodeUtil.inspect(value, { depth: 20, showHidden: true, customInspect: false, getters: true }),
    String(value),
    value instanceof Error ? `${value.stack} ${value.message}` : "",
    Cause.pretty(Cause.fail(value), { renderErrorCause: true })
  ].join("\n")

/** How a server may write a secret of ours. */
const formsOf = (text: string): ReadonlyArray<string> => [
  text,
  encodeURIComponent(text),
  formEncode(text),
  encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, (it) => it.toLowerCase()),
  formEncode(text).replace(/%[0-9A-F]{2}/g, (it) => it.toLowerCase()),
  base64(text),
  base64(text).replace(/=+$/, ""),
  Buffer.from(text).toString("base64url")
]

const assertNoSecret = (text: string, secrets: ReadonlyArray<string> = [secret, refreshToken]): void => {
  for (const it of secrets.flatMap(formsOf)) assert.notInclude(text, it)
}

describe("a renewal by the authorization code grant", () => {
  it.effect("is one POST of a form with the refresh token, id and secret in the body, and nothing else", () =>
    Effect.gen(function*() {
      const api = answering(issues())
      const reply = yield* renew(api, { scopes: ["read", "write"] })
      assert.strictEqual(Redacted.value(reply.accessToken), "access-2")
      assert.strictEqual(reply.refreshToken && Redacted.value(reply.refreshToken), "refresh-2")
      assert.deepStrictEqual(reply.expiresIn, Duration.minutes(30))
      assert.lengthOf(api.arrived, 1)
      const [request] = api.arrived
      assert.deepInclude(request, { method: "POST", url: tokenUrl, redirect: "manual" })
      assert.strictEqual(request?.headers["accept"], "application/json")
      assert.include(request?.headers["content-type"] ?? "", "application/x-www-form-urlencoded")
      assert.isUndefined(request?.headers["authorization"])
      assert.deepStrictEqual(sent(request), [
        ["grant_type", "refresh_token"],
        ["refresh_token", refreshToken],
        ["client_id", "my-app"],
        ["client_secret", secret]
      ])
    }))

  it.effect("by Basic has id and secret in the header only", () =>
    Effect.gen(function*() {
      const api = answering(issues())
      yield* renew(api, { clientAuthentication: "client_secret_basic" })
      const [request] = api.arrived
      assert.strictEqual(request?.headers["authorization"], `Basic ${basic}`)
      assert.deepStrictEqual(sent(request), [["grant_type", "refresh_token"], ["refresh_token", refreshToken]])
    }))

  for (const options of [publicClient, { ...publicClient, clientAuthentication: "none" }] satisfies ReadonlyArray<Options>) {
    it.effect(`of a public client (${options.clientAuthentication ?? "by default"}) has its id in the body, and no secret`, () =>
      Effect.gen(function*() {
        const api = answering(issues())
        yield* renew(api, options)
        const [request] = api.arrived
        assert.isUndefined(request?.headers["authorization"])
        assert.deepStrictEqual(sent(request), [
          ["grant_type", "refresh_token"],
          ["refresh_token", refreshToken],
          ["client_id", "my-app"]
        ])
      }))
  }

  it.effect.prop(
    "carries any refresh token to the server unchanged",
    [FastCheck.stringMatching(/^[\x21-\x7e]{1,40}$/)],
    ([token]) =>
      Effect.gen(function*() {
        const api = answering(issues())
        yield* renew(api, {}, token)
        assert.strictEqual(new URLSearchParams(api.arrived[0]?.body).get("refresh_token"), token)
      }),
    { fastCheck: { numRuns: 50 } }
  )

  it.effect("reads a secret that is an Effect each time, and fails as it fails, without a call", () =>
    Effect.gen(function*() {
      const api = answering(issues())
      const sealed = new CredentialsError.TokenEndpointUnavailable({ provider: "acme", reason: "Secret" })
      const current = yield* Ref.make<Effect.Effect<Redacted.Redacted, CredentialsError.CredentialsError>>(
        Effect.succeed(Redacted.make("first"))
      )
      const options: Options = { clientSecret: Effect.flatten(Ref.get(current)) }
      yield* renew(api, options)
      yield* Ref.set(current, Effect.succeed(Redacted.make("second")))
      yield* renew(api, options)
      yield* Ref.set(current, Effect.fail(sealed))
      assert.strictEqual(yield* Effect.flip(renew(api, options)), sealed)
      assert.deepStrictEqual(api.arrived.map(({ body }) => new URLSearchParams(body).get("client_secret")), ["first", "second"])
    }))

  it.effect("cannot be the first thing: who has no login is told to log in, and nobody is called", () =>
    Effect.gen(function*() {
      const api = answering(issues())
      const flow = yield* flowOf()
      const error = yield* Effect.flip(Effect.provide(flow.obtain, api.client))
      assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", reason: "NothingStored", account: "alice" })
      assert.isTrue(flow.requiresLogin)
      assert.lengthOf(api.arrived, 0)
    }))
})

describe("the reply to a renewal", () => {
  const lifetimes: ReadonlyArray<readonly [unknown, Duration.Duration | undefined]> = [
    [7_775_999, Duration.seconds(7_775_999)],
    ["7775999", Duration.seconds(7_775_999)],
    [" 60 ", Duration.seconds(60)],
    [1e15, Duration.seconds(31_536_000)],
    [0, undefined],
    ["0", undefined],
    [-1, undefined],
    [null, undefined],
    ["", undefined],
    ["never", undefined],
    [true, undefined],
    [{}, undefined],
    [[90], undefined],
    [undefined, undefined]
  ]
  for (const [value, expected] of lifetimes) {
    it.effect(`may have the refresh_token_expires_in ${JSON.stringify(value)}${expected === undefined ? ", which says nothing" : ""}`, () =>
      Effect.gen(function*() {
        const reply = yield* renew(answering(issues({ refresh_token_expires_in: value })))
        assert.deepStrictEqual(reply.refreshExpiresIn, expected)
        assert.strictEqual(Redacted.value(reply.accessToken), "access-2")
      }))
  }

  for (const value of [undefined, null, ""]) {
    it.effect(`may have the refresh_token ${JSON.stringify(value)}, which is none`, () =>
      Effect.gen(function*() {
        assert.isUndefined((yield* renew(answering(issues({ refresh_token: value })))).refreshToken)
      }))
  }
})

describe("a refused renewal", () => {
  for (const status of [400, 401, 403, 200, 201]) {
    it.effect(`with invalid_grant and status ${status} asks for a login, after one call`, () =>
      Effect.gen(function*() {
        const api = answering(Fake.json({ error: "invalid_grant", error_description: `${refreshToken} is not known` }, status))
        const error = yield* Effect.flip(renew(api))
        assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", reason: "Refused" })
        assert.lengthOf(api.arrived, 1)
        assertNoSecret(printed(error))
      }))
  }

  for (const error of ["invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "Invalid_Grant"]) {
    it.effect(`with ${error} asks for another configuration, and for no login`, () =>
      Effect.gen(function*() {
        const api = answering(Fake.json({ error }, 400))
        assert.deepInclude({ ...(yield* Effect.flip(renew(api))) }, { _tag: "CredentialsRejected", error, status: 400 })
        assert.lengthOf(api.arrived, 1)
      }))
  }

  for (const status of [408, 425, 429, 500, 502, 503, 504]) {
    it.effect(`with status ${status} asks for no login, though it says invalid_grant`, () =>
      Effect.gen(function*() {
        const error = yield* passing(Effect.flip(renew(answering(Fake.json({ error: "invalid_grant" }, status)))))
        assert.deepInclude({ ...error }, { _tag: "TokenEndpointUnavailable", reason: "Status", status })
      }))
  }

  for (
    const [name, answer] of [
      ["a dropped connection", Fake.dropped()],
      ["an answer that breaks off", Fake.brokenBody(200, "{\"access_token\":\"acc")],
      ["an answer that never ends", Fake.stalledBody(200, "{\"access_token\":\"acc")],
      ["no answer", Fake.hanging],
      ["HTML", Fake.reply(200, "<html>")],
      ["a redirect", Fake.redirectTo(307, "https://evil.test/token")],
      ["no such page", Fake.reply(404)]
    ] as const
  ) {
    it.effect(`by ${name} asks for no login`, () =>
      Effect.gen(function*() {
        const api = answering(answer)
        const error = yield* passing(Effect.flip(renew(api)))
        assert.notStrictEqual(error._tag, "ReauthorizationRequired")
        assert.isTrue(api.arrived.every(({ url }) => url === tokenUrl))
        assertNoSecret(printed(error))
      }))
  }

  it.effect("in the provider's own dialect is the provider's to read", () =>
    Effect.gen(function*() {
      const refusal: Options["refusal"] = (body) =>
        typeof body === "object" && body !== null && "ErrorMessage" in body
          ? Option.some({ loginRequired: body.ErrorMessage === "Invalid RefreshToken", requestId: "id-7" })
          : Option.none()
      const login = yield* Effect.flip(renew(answering(Fake.json({ ErrorMessage: "Invalid RefreshToken" }, 401)), { refusal }))
      assert.deepInclude({ ...login }, { _tag: "ReauthorizationRequired", reason: "Refused", requestId: "id-7" })
      const client = yield* Effect.flip(renew(answering(Fake.json({ ErrorMessage: "Invalid ClientId" }, 401)), { refusal }))
      assert.strictEqual(client._tag, "CredentialsRejected")
      const standard = yield* Effect.flip(renew(answering(Fake.json({ error: "invalid_grant" }, 400)), { refusal }))
      assert.strictEqual(standard._tag, "ReauthorizationRequired")
      const knowsBetter: Options["refusal"] = () => Option.some({ error: "invalid_grant", loginRequired: false })
      const other = yield* Effect.flip(renew(answering(Fake.json({}, 400)), { refusal: knowsBetter }))
      assert.strictEqual(other._tag, "CredentialsRejected")
    }))

  for (const clientAuthentication of ["client_secret_post", "client_secret_basic", "none"] as const) {
    const options: Options = clientAuthentication === "none" ? publicClient : { clientAuthentication }

    it.effect(`that echoes the secrets in any form gets none into the error (${clientAuthentication})`, () =>
      Effect.gen(function*() {
        const echo = [...formsOf(refreshToken), ...(clientAuthentication === "none" ? [] : [...formsOf(secret), basic])].join(" | ")
        const mine: Options["refusal"] = () => Option.some({ error: echo, description: echo, requestId: echo })
        const login: Options["refusal"] = () => Option.some({ error: echo, loginRequired: true, requestId: echo })
        for (const status of [200, 400, 401, 403, 429, 500, 302]) {
          for (
            const body of [
              { error: "invalid_grant", error_description: echo },
              { error: "invalid_client", error_description: echo },
              { error: echo },
              { refresh_token: echo, error: "invalid_scope", error_description: echo }
            ]
          ) {
            for (const refusal of [undefined, mine, login]) {
              const error = yield* passing(Effect.flip(renew(answering(Fake.json(body, status)), { ...options, refusal })))
              assertNoSecret(printed(error), clientAuthentication === "none" ? [refreshToken] : [refreshToken, secret, `my-app:${formEncode(secret)}`])
            }
          }
        }
      }))

    it.effect(`that echoes the whole request gets none into the error (${clientAuthentication})`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({
          [tokenUrl]: ({ body, headers }) =>
            Fake.json({ error: "invalid_request", error_description: `cannot read ${body} with ${JSON.stringify(headers)}` }, 400)
        })
        const error = yield* Effect.flip(renew(api, options))
        assert.include(error._tag === "CredentialsRejected" ? error.description ?? "" : "", "grant_type=refresh_token")
        assertNoSecret(printed(error), clientAuthentication === "none" ? [refreshToken] : [refreshToken, secret, `my-app:${formEncode(secret)}`])
      }))
  }

  it.effect("that says what the new tokens are gets none of them into the error", () =>
    Effect.gen(function*() {
      const api = answering(Fake.json({ ...good, error: "invalid_request", error_description: "access-2 and refresh-2 are void" }, 400))
      const text = printed(yield* Effect.flip(renew(api)))
      assert.notInclude(text, "access-2")
      assert.notInclude(text, "refresh-2")
    }))

  it.effect("that is no token reply shows neither token", () =>
    Effect.gen(function*() {
      for (const fields of [{ token_type: "mac" }, { refresh_token: "canary-new\n" }, { access_token: 7 }]) {
        const error = yield* Effect.flip(renew(answering(issues({ ...fields, id_token: "canary-new" }))))
        assert.strictEqual(error._tag, "MalformedTokenResponse")
        const text = printed(error)
        for (const it of ["access-2", "refresh-2", "canary-new"]) assert.notInclude(text, it)
        assertNoSecret(text)
      }
    }))
})

describe("an attempt at a renewal", () => {
  it.effect("has twenty seconds: giving up may mean losing the answer", () =>
    Effect.gen(function*() {
      const api = answering([Effect.delay(issues(), "19999 millis"), Fake.hanging])
      const fiber = yield* Effect.fork(renew(api))
      yield* TestClock.adjust("19999 millis")
      assert.strictEqual(Redacted.value((yield* Fiber.join(fiber)).accessToken), "access-2")
      assert.lengthOf(api.arrived, 1)
    }))

  it.effect("is given up after that, and repeated", () =>
    Effect.gen(function*() {
      const api = answering([Fake.hanging, issues()])
      const fiber = yield* Effect.fork(renew(api))
      yield* TestClock.adjust("20 seconds")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(Redacted.value((yield* Fiber.join(fiber)).accessToken), "access-2")
      assert.isAtLeast(Fake.waits(api.arrived)[0] ?? 0, 20_000)
    }))

  it.effect("has as long as the program says", () =>
    Effect.gen(function*() {
      const api = answering([Effect.delay(issues(), "3 seconds"), issues({ access_token: "second" })])
      const reply = yield* passing(renew(api, { timeout: "2 seconds" }))
      assert.strictEqual(Redacted.value(reply.accessToken), "second")
    }))
})

describe("the configuration of an authorization code grant", () => {
  const wrong: ReadonlyArray<readonly [string, string, Options]> = [
    ["an empty account", "account", { account: "" }],
    ["an account with a newline", "account", { account: "canary\n" }],
    ["a token URL without TLS", "tokenUrl", { tokenUrl: "http://canary.test/token" }],
    ["a token URL that is none", "tokenUrl", { tokenUrl: "canary" }],
    ["a token URL with a password", "tokenUrl", { tokenUrl: "https://u:canary@login.acme.test/token" }],
    ["a base URL without TLS", "baseUrl", { baseUrl: "http://canary.test" }],
    ["an empty client id", "clientId", { clientId: "" }],
    ["a client id with a newline", "clientId", { clientId: Redacted.make("canary\r\nX: y") }],
    ["an empty secret", "clientSecret", { clientSecret: Redacted.make("") }],
    ["a secret with a newline", "clientSecret", { clientSecret: Redacted.make("canary\n") }],
    ["a secret and no client authentication", "clientSecret", { clientSecret: Redacted.make("canary"), clientAuthentication: "none" }],
    ["a secret Effect and no client authentication", "clientSecret", {
      clientSecret: Effect.succeed(Redacted.make("canary")),
      clientAuthentication: "none"
    }],
    ["no secret for the body", "clientSecret", { clientSecret: undefined, clientAuthentication: "client_secret_post" }],
    ["no secret for Basic", "clientSecret", { clientSecret: undefined, clientAuthentication: "client_secret_basic" }],
    ["a header value with a newline", "x-key", { headers: { "x-key": Redacted.make("canary\nX: y") } }]
  ]
  for (const [name, option, options] of wrong) {
    it.effect(`with ${name} fails at once, names the option and not the value`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(flowOf(options))
        assert.isTrue(ConfigError.isConfigError(error))
        const text = printed(error)
        assert.include(text, option)
        assert.notInclude(text, "canary")
      }))
  }

  it.effect("takes plain http for loopback", () =>
    Effect.gen(function*() {
      for (const host of ["127.0.0.1:8080", "localhost:1", "[::1]:8080"]) {
        const exit = yield* Effect.exit(flowOf({ tokenUrl: `http://${host}/token`, baseUrl: `http://${host}` }))
        assert.isTrue(Exit.isSuccess(exit))
      }
    }))

  it.effect("gives no key away: the account is in it, the secret is not, so that a new one costs nobody a login", () =>
    Effect.gen(function*() {
      const hashOf = (options: Options) =>
        Effect.map(Effect.flatMap(flowOf(options), ({ identity }) => CredentialsIdentity.make(identity)), ({ hash }) => hash)
      const mine = yield* hashOf({})
      for (
        const same of [
          { clientSecret: Redacted.make("another") },
          { clientSecret: Effect.succeed(Redacted.make("x")) },
          publicClient,
          { clientId: Redacted.make("my-app") }
        ] satisfies ReadonlyArray<Options>
      ) {
        assert.strictEqual(yield* hashOf(same), mine)
      }
      for (
        const other of [
          { account: "bob" },
          { clientId: "my-app2" },
          { environment: "sandbox" },
          { provider: "acme2" },
          { scopes: ["a"] }
        ] satisfies ReadonlyArray<Options>
      ) {
        assert.notStrictEqual(yield* hashOf(other), mine)
      }
    }))
})

describe("a login, renewed through Credentials.layerShared", () => {
  const stored = (store: TokenStore.TokenStore) =>
    Effect.gen(function*() {
      const flow = yield* flowOf()
      return yield* Effect.flatten(store.load(TokenStore.key(yield* CredentialsIdentity.make(flow.identity))))
    })

  /** A Layer on a store with a login whose access token has expired. */
  const loggedIn = (api: Fake.FakeApi, options: Options = {}) =>
    Effect.gen(function*() {
      const store = yield* memoryStore
      const flow = yield* flowOf(options)
      const issuedAt = yield* DateTime.now
      const token = Token.make({
        accessToken: "access-1",
        issuedAt,
        expiresAt: DateTime.add(issuedAt, { minutes: 30 }),
        refreshToken
      })
      const key = TokenStore.key(yield* CredentialsIdentity.make(flow.identity))
      yield* store.withLock(key, ({ save }) => save({ token, generation: 1, redeeming: Option.none() }))
      yield* TestClock.adjust("31 minutes")
      const scope = yield* Scope.make()
      const layer = Credentials.layerShared(Acme, Effect.succeed(flow)).pipe(
        Layer.provide(Layer.merge(Layer.succeed(TokenStore.TokenStore, store), api.client))
      )
      const acme = Context.get(yield* Layer.buildWithScope(layer, scope), Acme)
      return { acme, store, close: Scope.close(scope, Exit.void) }
    })

  const redeemed = (api: Fake.FakeApi) => api.arrived.map(({ body }) => new URLSearchParams(body).get("refresh_token"))

  it.effect("sends each refresh token once, keeps one that is not replaced, and stores what the reply said", () =>
    Effect.gen(function*() {
      const api = answering([
        issues({ refresh_token_expires_in: "7775999" }),
        issues({ access_token: "access-3", refresh_token: undefined }),
        issues({ access_token: "access-4", refresh_token: "refresh-4", scope: "read" })
      ])
      const { acme, store } = yield* loggedIn(api)
      assert.strictEqual(text(yield* acme.token), "access-2")
      const expiry = Effect.map(stored(store), ({ token }) => Option.getOrUndefined(token.refreshExpiresAt)?.epochMillis)
      assert.strictEqual(yield* expiry, (31 * 60 + 7_775_999) * 1000)
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* acme.token), "access-3")
      assert.strictEqual(yield* expiry, (31 * 60 + 7_775_999) * 1000)
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* acme.token), "access-4")
      const last = yield* stored(store)
      assert.isUndefined(yield* expiry)
      assert.strictEqual(Option.getOrUndefined(last.token.scope), "read")
      assert.strictEqual(last.generation, 4)
      assert.deepStrictEqual(redeemed(api), [refreshToken, "refresh-2", "refresh-2"])
    }))

  it.effect("counts the lifetime from before the attempt that was answered", () =>
    Effect.gen(function*() {
      const api = answering([
        Effect.delay(Fake.reply(503, null, { "retry-after": "4" }), "2 seconds"),
        Effect.delay(issues({ expires_in: 100, refresh_token_expires_in: 1000 }), "5 seconds")
      ])
      const { acme } = yield* loggedIn(api)
      const token = yield* within("1 minute", acme.token)
      assert.lengthOf(api.arrived, 2)
      const at = api.arrived[1]?.at ?? assert.fail()
      assert.strictEqual(token.issuedAt.epochMillis, at)
      assert.strictEqual(token.expiresAt.epochMillis, at + 100_000)
      assert.strictEqual(Option.getOrThrow(token.refreshExpiresAt).epochMillis, at + 1_000_000)
    }))

  it.effect("names the account where a person has to log in, and shows no secret", () =>
    Effect.gen(function*() {
      const api = answering(Fake.json({ error: "invalid_grant", error_description: refreshToken }, 400))
      const { acme } = yield* loggedIn(api)
      const error = yield* Effect.flip(acme.token)
      assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", reason: "Refused", account: "alice" })
      assertNoSecret(printed(error))
      yield* Effect.flip(acme.token)
      assert.lengthOf(api.arrived, 1)
    }))

  it.effect("survives an hour of 500s", () =>
    Effect.gen(function*() {
      let sick = true
      const api = Fake.makeFakeApi({ [tokenUrl]: () => sick ? Fake.json({ error: "invalid_grant" }, 500) : issues() })
      const { acme, store } = yield* loggedIn(api)
      for (let minute = 0; minute < 60; minute += 5) {
        const error = yield* within("1 minute", Effect.flip(acme.token))
        assert.strictEqual(error._tag, "TokenEndpointUnavailable")
        yield* TestClock.adjust("4 minutes")
      }
      sick = false
      assert.strictEqual(text(yield* acme.token), "access-2")
      assert.deepStrictEqual(new Set(redeemed(api)), new Set([refreshToken]))
      assertUnmarked(yield* stored(store), 2)
    }))

  it.effect("gives the second attempt its twenty seconds too, when the first had no answer", () =>
    Effect.gen(function*() {
      const api = answering([Fake.hanging, Effect.delay(issues(), "15 seconds"), Fake.json({ error: "invalid_grant" }, 400)])
      const { acme } = yield* loggedIn(api)
      assert.strictEqual(text(yield* within("2 minutes", acme.token)), "access-2")
    }))

  it.effect("that the server replaced before the connection broke says Interrupted, though the repetition was refused", () =>
    Effect.gen(function*() {
      const api = answering([Fake.dropped(), Fake.json({ error: "invalid_grant" }, 400)])
      const { acme } = yield* loggedIn(api)
      const error = yield* within("1 minute", Effect.flip(acme.token))
      assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", reason: "Interrupted" })
    }))

  it.effect("is not sent to another token endpoint: who has the same client id and label, and another secret, gets nothing", () =>
    Effect.gen(function*() {
      const evil = "https://login.evil.test/token"
      const api = Fake.makeFakeApi({ [tokenUrl]: issues({ expires_in: 60 }), [evil]: issues() })
      const { acme, store } = yield* loggedIn(api)
      yield* acme.token
      const thief = Credentials.layerShared(Acme, flowOf({ tokenUrl: evil, clientSecret: Redacted.make("a guess") })).pipe(
        Layer.provide(Layer.merge(Layer.succeed(TokenStore.TokenStore, store), api.client))
      )
      yield* Effect.exit(Effect.provide(Effect.flatMap(Acme, (acme) => acme.token), thief))
      assert.deepStrictEqual(api.at("/token").map(({ body }) => body), [])
    }))

  it.effect("asks with a new secret as soon as there is one, and keeps the login", () =>
    Effect.gen(function*() {
      const current = yield* Ref.make(Redacted.make("old"))
      const api = Fake.makeFakeApi({
        [tokenUrl]: ({ body }) =>
          new URLSearchParams(body).get("client_secret") === "new" ? issues() : Fake.json({ error: "invalid_client" }, 401)
      })
      const { acme, store } = yield* loggedIn(api, { clientSecret: Ref.get(current) })
      assert.strictEqual((yield* Effect.flip(acme.token))._tag, "CredentialsRejected")
      assertUnmarked(yield* stored(store), 1)
      yield* Ref.set(current, Redacted.make("new"))
      assert.strictEqual(text(yield* acme.token), "access-2")
    }))
})

describe("the identity of a login", () => {
  const hashAt = (tokenUrl: string) =>
    OAuth2.authorizationCode({
      provider: "acme",
      account: "alice",
      baseUrl: "https://api.acme.test",
      tokenUrl,
      clientId: "client",
      clientSecret: Redacted.make("secret"),
      lifetimeWhenAbsent: "1 hour"
    }).pipe(
      Effect.flatMap((flow) => CredentialsIdentity.make(flow.identity)),
      Effect.map(({ hash }) => hash)
    )

  it.effect("is bound to the token endpoint, whatever its query", () =>
    Effect.gen(function*() {
      const hash = yield* hashAt("https://login.acme.test/token")
      assert.strictEqual(yield* hashAt("https://login.acme.test/token?a=b"), hash)
      for (
        const other of [
          "https://login.acme.test/v2/token",
          "https://login.acme.test:8443/token",
          "https://login.acme.example/token",
          "http://127.0.0.1:3000/token"
        ]
      ) assert.notStrictEqual(yield* hashAt(other), hash, other)
    }))

  it.effect("does not change with the port of a server on loopback", () =>
    Effect.gen(function*() {
      const hash = yield* hashAt("http://127.0.0.1:3000/token")
      assert.strictEqual(yield* hashAt("http://127.0.0.1:4000/token"), hash)
      assert.strictEqual(yield* hashAt("http://localhost:4000/token"), hash)
    }))
})
