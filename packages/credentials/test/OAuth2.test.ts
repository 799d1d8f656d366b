import * as NodeUtil from "node:util"
import type { HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  ConfigError,
  DateTime,
  Duration,
  Effect,
  Either,
  Exit,
  FastCheck,
  Fiber,
  Layer,
  Option,
  Redacted,
  Ref,
  Schedule,
  TestClock
} from "effect"
import { Credentials, CredentialsError, OAuth2, RetryPolicy, Token } from "effect-credentials"
import * as Fake from "./utils/fakeApi.js"
import { Acme } from "./utils/fakeFlow.js"

const { passing } = Fake

const tokenUrl = "https://login.acme.test/oauth2/token"
const secret = "canary se/cret+7:%=ü"

const flow = (options: Partial<OAuth2.ClientCredentialsOptions> = {}) =>
  OAuth2.clientCredentials({
    provider: "acme",
    baseUrl: "https://api.acme.test",
    tokenUrl,
    clientId: "my-app",
    clientSecret: Redacted.make(secret),
    lifetimeWhenAbsent: "17 minutes",
    ...options
  })

/** One grant, without a cache around it. */
const obtain = (api: Fake.FakeApi, options?: Partial<OAuth2.ClientCredentialsOptions>) =>
  Effect.flatMap(Effect.orDie(flow(options)), (flow) => flow.obtain).pipe(Effect.provide(api.client))

const answering = (answer: Fake.Answer | ReadonlyArray<Fake.Answer>) => Fake.makeFakeApi({ [tokenUrl]: answer })

const good = { access_token: "token-1", token_type: "Bearer", expires_in: 1800 }
const issues = (fields: Readonly<Record<string, unknown>>, status = 200) => Fake.json({ ...good, ...fields }, status)

const form = (api: Fake.FakeApi) => Object.fromEntries(new URLSearchParams(api.arrived[0]?.body))

const printed = (value: unknown): string =>
  [
    JSON.stringify(value) ?? "",
    NodeUtil.inspect(value, { depth: 20, showHidden: true }),
    NodeUtil.inspect(value, { depth: 20, showHidden: true, customInspect: false, getters: true }),
    String(value),
    value instanceof Error ? `${value.stack} ${value.message}` : "",
    Cause.pretty(Cause.fail(value), { renderErrorCause: true })
  ].join("\n")

const base64 = (text: string) => Buffer.from(text).toString("base64")
const formEncode = (text: string) => new URLSearchParams({ a: text }).toString().slice(2)

/** How a server may write our secret: raw, encoded for a URL or a form by one library or another, in base64. */
const formsOf = (text: string): ReadonlyArray<string> => [
  text,
  encodeURIComponent(text),
  formEncode(text),
  // .NET and Java write percent escapes in lower case.
  encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, (it) => it.toLowerCase()),
  formEncode(text).replace(/%[0-9A-F]{2}/g, (it) => it.toLowerCase()),
  base64(text),
  base64(text).replace(/=+$/, ""),
  Buffer.from(text).toString("base64url")
]

const assertNoSecret = (text: string, secrets: ReadonlyArray<string> = [secret]): void => {
  for (const it of secrets.flatMap(formsOf)) assert.notInclude(text, it)
}

describe("a client credentials grant", () => {
  it.effect("is one POST of a form with id and secret in the body, and asks for JSON", () =>
    Effect.gen(function*() {
      const api = answering(issues({}))
      const reply = yield* obtain(api)
      assert.strictEqual(Redacted.value(reply.accessToken), "token-1")
      assert.deepStrictEqual(reply.expiresIn, Duration.minutes(30))
      assert.lengthOf(api.arrived, 1)
      assert.strictEqual(api.arrived[0]?.method, "POST")
      assert.strictEqual(api.arrived[0]?.url, tokenUrl)
      assert.strictEqual(api.arrived[0]?.headers["accept"], "application/json")
      assert.include(api.arrived[0]?.headers["content-type"] ?? "", "application/x-www-form-urlencoded")
      assert.isUndefined(api.arrived[0]?.headers["authorization"])
      assert.strictEqual(api.arrived[0]?.redirect, "manual")
      assert.deepStrictEqual(form(api), {
        grant_type: "client_credentials",
        client_id: "my-app",
        client_secret: secret
      })
    }))

  it.effect("by Basic has id and secret in the header only", () =>
    Effect.gen(function*() {
      const api = answering(issues({}))
      yield* obtain(api, { clientAuthentication: "client_secret_basic", clientSecret: Redacted.make("simple") })
      assert.strictEqual(api.arrived[0]?.headers["authorization"], `Basic ${base64("my-app:simple")}`)
      assert.deepStrictEqual(form(api), { grant_type: "client_credentials" })
      assert.strictEqual(api.arrived[0]?.headers["accept"], "application/json")
    }))

  it.effect("by Basic form-encodes id and secret first, so that a colon in the id is no separator", () =>
    Effect.gen(function*() {
      const api = answering(issues({}))
      yield* obtain(api, {
        clientAuthentication: "client_secret_basic",
        clientId: "my:app+1",
        clientSecret: Redacted.make("a b%c:d&e=ü~*-._")
      })
      const header = api.arrived[0]?.headers["authorization"] ?? ""
      const decoded = Buffer.from(header.replace(/^Basic /, ""), "base64").toString("latin1")
      assert.strictEqual(decoded, "my%3Aapp%2B1:a+b%25c%3Ad%26e%3D%C3%BC%7E*-._")
    }))

  it.effect("encodes the example of RFC 6749 appendix B as the RFC does", () =>
    Effect.gen(function*() {
      // U+0020 U+0025 U+0026 U+002B U+00A3 U+20AC, here between two letters.
      const clientSecret = Redacted.make("x %&+\u00a3\u20acy")
      const encoded = "x+%25%26%2B%C2%A3%E2%82%ACy"
      const basic = answering(issues({}))
      yield* obtain(basic, { clientAuthentication: "client_secret_basic", clientSecret })
      assert.strictEqual(basic.arrived[0]?.headers["authorization"], `Basic ${base64(`my-app:${encoded}`)}`)
      const body = answering(issues({}))
      yield* obtain(body, { clientSecret })
      assert.include(body.arrived[0]?.body ?? "", `client_secret=${encoded}`)
    }))

  it.effect.prop(
    "carries any visible id and secret to the server unchanged, in the body and by Basic",
    [
      FastCheck.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,20}[\x21-\x7e])?$/),
      FastCheck.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,20}[\x21-\x7e])?$/)
    ],
    ([clientId, text]) =>
      Effect.gen(function*() {
        const clientSecret = Redacted.make(text)
        const body = answering(issues({}))
        yield* obtain(body, { clientId, clientSecret })
        assert.strictEqual(form(body)["client_id"], clientId)
        assert.strictEqual(form(body)["client_secret"], text)
        const basic = answering(issues({}))
        yield* obtain(basic, { clientId, clientSecret, clientAuthentication: "client_secret_basic" })
        const header = Buffer.from((basic.arrived[0]?.headers["authorization"] ?? "").slice(6), "base64").toString()
        const parts = header.split(":")
        assert.lengthOf(parts, 2)
        assert.deepStrictEqual(parts.map((it) => new URLSearchParams(`a=${it}`).get("a")), [clientId, text])
      }),
    { fastCheck: { numRuns: 20 } }
  )

  it.effect("asks for its scopes, separated by spaces, and sends no scope where there is none", () =>
    Effect.gen(function*() {
      const scoped = answering(issues({}))
      yield* obtain(scoped, { scopes: ["read", "write"] })
      assert.strictEqual(form(scoped)["scope"], "read write")
      for (const scopes of [undefined, []]) {
        const api = answering(issues({}))
        yield* obtain(api, { scopes })
        assert.notProperty(form(api), "scope")
      }
    }))

  it.effect("reads a secret that is an Effect at each renewal", () =>
    Effect.gen(function*() {
      const api = answering(issues({}))
      yield* Effect.gen(function*() {
        const current = yield* Ref.make(Redacted.make("first"))
        const rotating = flow({ clientSecret: Ref.get(current) })
        yield* Effect.gen(function*() {
          const acme = yield* Acme
          yield* acme.token
          yield* Ref.set(current, Redacted.make("second"))
          yield* acme.refresh
          assert.deepStrictEqual(
            api.arrived.map((it) => new URLSearchParams(it.body).get("client_secret")),
            ["first", "second"]
          )
        }).pipe(Effect.provide(Credentials.layer(Acme, rotating)))
      }).pipe(Effect.provide(api.client))
    }))

  it.effect("fails as the secret's Effect fails, and asks nobody", () =>
    Effect.gen(function*() {
      const api = answering(issues({}))
      const unavailable = new CredentialsError.TokenStoreError({ operation: "load", description: "the vault is sealed" })
      const error = yield* Effect.flip(obtain(api, { clientSecret: Effect.fail(unavailable) }))
      assert.strictEqual(error, unavailable)
      assert.lengthOf(api.arrived, 0)
    }))

  it.effect("counts the token's life from before the request that got it, not from the reply and not from a failed attempt", () =>
    Effect.gen(function*() {
      const api = answering([
        Effect.delay(Fake.reply(503, null, { "retry-after": "4" }), "2 seconds"),
        Effect.delay(issues({ expires_in: 100 }), "5 seconds")
      ])
      const reply = yield* passing(obtain(api))
      assert.strictEqual(reply.requestedAt?.epochMillis, 6000)
      assert.deepStrictEqual(reply.expiresIn, Duration.seconds(100))
    }))
})

describe("the configuration of a client credentials grant", () => {
  const wrong: ReadonlyArray<readonly [string, string, Partial<OAuth2.ClientCredentialsOptions>]> = [
    ["a token URL without TLS", "tokenUrl", { tokenUrl: "http://canary.test/token" }],
    ["a token URL that is none", "tokenUrl", { tokenUrl: "canary" }],
    ["a token URL with a password", "tokenUrl", { tokenUrl: "https://u:canary@login.acme.test/token" }],
    ["a base URL without TLS", "baseUrl", { baseUrl: "http://canary.test" }],
    ["an empty client id", "clientId", { clientId: "" }],
    ["an empty secret", "clientSecret", { clientSecret: Redacted.make("") }],
    ["a secret with a newline", "clientSecret", { clientSecret: Redacted.make("canary\n") }],
    ["a client id with a newline", "clientId", { clientId: Redacted.make("canary\r\nX: y") }],
    ["a header value with a newline", "x-key", { headers: { "x-key": Redacted.make("canary\nX: y") } }]
  ]
  for (const [name, option, options] of wrong) {
    it.effect(`with ${name} fails at once, names the option and not the value`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(flow(options))
        assert.isTrue(ConfigError.isConfigError(error))
        const text = printed(error)
        assert.include(text, option)
        assert.notInclude(text, "canary")
      }))
  }

  it.effect("takes plain http for loopback", () =>
    Effect.gen(function*() {
      for (const host of ["127.0.0.1:8080", "localhost:1", "[::1]:8080"]) {
        const exit = yield* Effect.exit(flow({ tokenUrl: `http://${host}/token`, baseUrl: `http://${host}` }))
        assert.isTrue(Exit.isSuccess(exit))
      }
    }))
})

describe("a token reply", () => {
  const year = Duration.seconds(31_536_000)
  const lifetimes: ReadonlyArray<readonly [string, unknown, Duration.Duration | undefined]> = [
    ["a number", 599, Duration.seconds(599)],
    ["a numeric string", "599", Duration.seconds(599)],
    ["a numeric string with space around it", " 599 ", Duration.seconds(599)],
    ["a fraction", 1.5, Duration.millis(1500)],
    ["a year and more", 31_536_001, year],
    ["huge", 1e15, year],
    ["1e308", 1e308, year],
    ["\"1e308\"", "1e308", year],
    ["null", null, undefined],
    ["absent", undefined, undefined],
    ["zero", 0, undefined],
    ["\"0\"", "0", undefined],
    ["negative", -1, undefined],
    ["a negative string", "-1800", undefined],
    ["an empty string", "", undefined],
    ["words", "half an hour", undefined],
    ["\"Infinity\"", "Infinity", undefined],
    ["\"NaN\"", "NaN", undefined],
    ["a boolean", true, undefined],
    ["an object", { seconds: 5 }, undefined],
    ["a list", [1800], undefined]
  ]
  for (const [name, expiresIn, expected] of lifetimes) {
    it.effect(`whose expires_in is ${name} ${expected === undefined ? "counts as having none" : "is understood"}`, () =>
      Effect.gen(function*() {
        const api = answering(issues({ expires_in: expiresIn, refresh_token_expires_in: expiresIn }))
        const reply = yield* obtain(api)
        assert.deepStrictEqual(reply.expiresIn, expected)
        assert.deepStrictEqual(reply.refreshExpiresIn, expected)
      }))
  }

  it.effect("with a number too long for a double lives for a year, and not for ever", () =>
    Effect.gen(function*() {
      const api = answering(Fake.reply(200, "{\"access_token\":\"a\",\"expires_in\":1e999}"))
      const reply = yield* obtain(api)
      // JSON reads it as Infinity: as if the server had not said.
      assert.isUndefined(reply.expiresIn)
    }))

  for (const [name, expiresIn] of [["absent", undefined], ["zero", 0], ["negative", -5], ["null", null]] as const) {
    it.effect(`without a usable expiry (${name}) lives as long as the flow declares, and costs one call in that time`, () =>
      Effect.gen(function*() {
        const api = answering(issues({ expires_in: expiresIn }))
        yield* Effect.gen(function*() {
          const acme = yield* Acme
          const token = yield* acme.token
          assert.deepStrictEqual(Token.lifetime(token), Duration.minutes(17))
          for (let call = 0; call < 20; call++) yield* acme.token
          yield* TestClock.adjust("10 minutes")
          yield* acme.token
          assert.lengthOf(api.arrived, 1)
        }).pipe(Effect.provide(Layer.provide(Credentials.layer(Acme, flow()), api.client)))
      }))
  }

  it.effect("may have status 201", () =>
    Effect.gen(function*() {
      const reply = yield* obtain(answering(issues({}, 201)))
      assert.strictEqual(Redacted.value(reply.accessToken), "token-1")
    }))

  for (const tokenType of [undefined, null, "", "Bearer", "bearer", "BEARER", "BearerToken", "bearertoken"]) {
    it.effect(`may have the token_type ${JSON.stringify(tokenType)}`, () =>
      Effect.gen(function*() {
        const reply = yield* obtain(answering(issues({ token_type: tokenType })))
        assert.strictEqual(Redacted.value(reply.accessToken), "token-1")
      }))
  }

  for (const tokenType of ["mac", "DPoP", "pop", "N_A", "Basic", "Bearer DPoP", "notbearer", 7, {}]) {
    it.effect(`with the token_type ${JSON.stringify(tokenType)} is refused: this client cannot use such a token`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(obtain(answering(issues({ token_type: tokenType }))))
        assert.strictEqual(error._tag, "MalformedTokenResponse")
        assert.include(error.message, "token_type")
        assert.notInclude(printed(error), "token-1")
      }))
  }

  for (const refreshToken of [undefined, null, ""]) {
    it.effect(`may have the refresh_token ${JSON.stringify(refreshToken)}, which is none`, () =>
      Effect.gen(function*() {
        const reply = yield* obtain(answering(issues({ refresh_token: refreshToken })))
        assert.isUndefined(reply.refreshToken)
      }))
  }

  it.effect("may have a refresh token and a scope, and fields that nobody asked for", () =>
    Effect.gen(function*() {
      const reply = yield* obtain(answering(issues({ refresh_token: "r-1", scope: "read", extra: { a: [1] } })))
      assert.strictEqual(reply.refreshToken && Redacted.value(reply.refreshToken), "r-1")
      assert.strictEqual(reply.scope, "read")
      assert.notInclude(printed(reply), "r-1")
      assert.notInclude(printed(reply), "token-1")
    }))

  for (const [name, headers] of [
    ["text/html", { "content-type": "text/html" }],
    ["no content type", {}],
    ["text/plain in Latin-1", { "content-type": "text/plain; charset=iso-8859-1" }]
  ] as const) {
    it.effect(`labelled as ${name} is read all the same`, () =>
      Effect.gen(function*() {
        const reply = yield* obtain(answering(Fake.reply(200, new TextEncoder().encode(JSON.stringify(good)), headers)))
        assert.strictEqual(Redacted.value(reply.accessToken), "token-1")
      }))
  }

  it.effect("may begin with a byte order mark", () =>
    Effect.gen(function*() {
      const reply = yield* obtain(answering(Fake.reply(200, `\ufeff${JSON.stringify(good)}`)))
      assert.strictEqual(Redacted.value(reply.accessToken), "token-1")
    }))

  const malformed: ReadonlyArray<readonly [string, Fake.Answer]> = [
    ["an empty body", Fake.reply(200)],
    ["zero bytes", Fake.reply(200, "")],
    ["no content (204)", Fake.reply(204)],
    ["HTML", Fake.reply(200, "<html>canary</html>", { "content-type": "text/html" })],
    ["truncated JSON", Fake.reply(200, "{\"access_token\":\"canary\",\"expires_i")],
    ["a form", Fake.reply(200, "access_token=canary&token_type=bearer")],
    ["JSON null", Fake.json(null)],
    ["a JSON string", Fake.json("canary")],
    ["a list", Fake.json([{ access_token: "canary" }])],
    ["invalid UTF-8", Fake.reply(200, new Uint8Array([0x7b, 0xff, 0xfe, 0x80]))],
    ["no access_token", Fake.json({ token_type: "Bearer", expires_in: 5, id_token: "canary" })],
    ["a null access_token", Fake.json({ ...good, access_token: null })],
    ["an empty access_token", Fake.json({ ...good, access_token: "" })],
    ["a number as access_token", Fake.json({ ...good, access_token: 12_345_678 })],
    ["an access_token with a newline", Fake.json({ ...good, access_token: "canary\nX-Injected: 1" })],
    ["an access_token with a newline at its end", Fake.json({ ...good, access_token: "canary\n" })],
    ["an access_token with a space", Fake.json({ ...good, access_token: "canary canary" })],
    ["an access_token with a zero byte", Fake.json({ ...good, access_token: "canary\u0000" })],
    ["an access_token that is no ASCII", Fake.json({ ...good, access_token: "canary-ü" })],
    ["a refresh_token with a newline", Fake.json({ ...good, refresh_token: "canary\r\n" })]
  ]
  for (const [name, answer] of malformed) {
    it.effect(`that is ${name} fails with MalformedTokenResponse, shows no value and is not asked for again`, () =>
      Effect.gen(function*() {
        const api = answering(answer)
        const error = yield* passing(Effect.flip(obtain(api)))
        assert.strictEqual(error._tag, "MalformedTokenResponse")
        const text = printed(error)
        assert.notInclude(text, "canary")
        assert.notInclude(text, "12345678")
        assertNoSecret(text)
        assert.lengthOf(api.arrived, 1)
      }))
  }

  it.effect("of 10 MB fails with MalformedTokenResponse, and most of it is never read", () =>
    Effect.gen(function*() {
      const body = Fake.meteredBody(10 * 1024 * 1024)
      const error = yield* passing(Effect.flip(obtain(answering(body.answer(200)))))
      assert.strictEqual(error._tag, "MalformedTokenResponse")
      assert.isAtMost(body.pulled(), 1024 * 1024)
      assert.isTrue(body.cancelled())
    }))

  it.effect("of 10 MB that begins like a good one is no token", () =>
    Effect.gen(function*() {
      const api = answering(Fake.reply(200, JSON.stringify({ ...good, padding: "x".repeat(10 * 1024 * 1024) })))
      const error = yield* passing(Effect.flip(obtain(api)))
      assert.strictEqual(error._tag, "MalformedTokenResponse")
      assert.include(error.message, "256 KiB")
    }))

  it.effect.prop(
    "of any bytes is a token or a typed error, never a defect",
    [FastCheck.uint8Array({ maxLength: 500 }), FastCheck.constantFrom(200, 201, 400, 401, 404)],
    ([bytes, status]) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(obtain(answering(Fake.reply(status, new Uint8Array(bytes)))))
        assert.isTrue(Exit.isSuccess(exit) || Option.isSome(Cause.failureOption(exit.cause)))
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.effect.prop(
    "of any JSON in any field is a token or a typed error, never a defect",
    [
      FastCheck.record({
        access_token: FastCheck.oneof(FastCheck.string(), FastCheck.jsonValue()),
        token_type: FastCheck.oneof(FastCheck.constant("Bearer"), FastCheck.jsonValue()),
        expires_in: FastCheck.oneof(FastCheck.double(), FastCheck.string(), FastCheck.jsonValue()),
        refresh_token: FastCheck.oneof(FastCheck.string(), FastCheck.jsonValue()),
        scope: FastCheck.jsonValue(),
        error: FastCheck.oneof(FastCheck.constantFrom("invalid_grant", "constructor", "__proto__", ""), FastCheck.jsonValue()),
        error_description: FastCheck.jsonValue()
      }, { requiredKeys: [] }),
      FastCheck.constantFrom(200, 201, 400, 401)
    ],
    ([reply, status]) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(obtain(answering(Fake.json(reply, status))))
        if (Exit.isSuccess(exit)) {
          const lifetime = exit.value.expiresIn === undefined ? 1 : Duration.toSeconds(exit.value.expiresIn)
          assert.isTrue(lifetime > 0 && lifetime <= 31_536_000)
          assert.match(Redacted.value(exit.value.accessToken), /^[\x21-\x7e]+$/)
        } else {
          assert.isTrue(Option.isSome(Cause.failureOption(exit.cause)), Cause.pretty(exit.cause))
        }
      }),
    { fastCheck: { numRuns: 100 } }
  )
})

const rejected = (error: CredentialsError.CredentialsError): CredentialsError.CredentialsRejected => {
  assert.strictEqual(error._tag, "CredentialsRejected")
  return error as CredentialsError.CredentialsRejected
}

describe("an error reply", () => {
  const codes = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope"
  ]
  for (const code of codes) {
    for (const status of [400, 401, 403, 200, 201]) {
      it.effect(`${code} with status ${status} rejects the credentials in the server's words, at once`, () =>
        Effect.gen(function*() {
          const api = answering(Fake.json({ error: code, error_description: "The words of the server" }, status))
          const error = rejected(yield* Effect.flip(obtain(api)))
          assert.strictEqual(error.error, code)
          assert.strictEqual(error.status, status)
          assert.strictEqual(error.description, "The words of the server")
          assert.include(error.message, code)
          assert.include(error.message, "The words of the server")
          assert.include(error.message, "acme")
          assert.lengthOf(api.arrived, 1)
        }))
    }
  }

  it.effect("beside a token still is an error", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(obtain(answering(issues({ error: "invalid_client" }))))
      assert.strictEqual(error._tag, "CredentialsRejected")
      assert.notInclude(printed(error), "token-1")
    }))

  it.effect("says what to do about a wrong client, a wrong scope and a wrong grant", () =>
    Effect.gen(function*() {
      for (const [code, word] of [["invalid_client", "secret"], ["invalid_scope", "scope"], ["unauthorized_client", "grant"]]) {
        const error = rejected(yield* Effect.flip(obtain(answering(Fake.json({ error: code }, 400)))))
        assert.include(error.hint ?? "", word ?? "")
      }
    }))

  // A code that happens to be the name of a property of every object.
  for (const code of ["constructor", "toString", "__proto__", "hasOwnProperty", "my_own_code"]) {
    it.effect(`with the unknown code ${code} rejects the credentials too`, () =>
      Effect.gen(function*() {
        const error = rejected(yield* Effect.flip(obtain(answering(Fake.json({ error: code }, 400)))))
        assert.strictEqual(error.error, code)
        assert.isUndefined(error.hint)
      }))
  }

  const odd: ReadonlyArray<readonly [string, Fake.Answer]> = [
    ["an empty body", Fake.reply(400)],
    ["HTML", Fake.reply(403, "<html>canary</html>")],
    ["truncated JSON", Fake.reply(400, "{\"error\":\"inval")],
    ["JSON null", Fake.json(null, 400)],
    ["an error that is no text", Fake.json({ error: { code: 5 } }, 400)],
    ["an empty error", Fake.json({ error: "" }, 401)],
    ["no such page", Fake.reply(404, "not found")],
    ["a method that is not allowed", Fake.reply(405)],
    ["invalid UTF-8", Fake.reply(400, new Uint8Array([0xff, 0x80]))]
  ]
  for (const [name, answer] of odd) {
    it.effect(`with ${name} rejects the credentials with the status alone`, () =>
      Effect.gen(function*() {
        const api = answering(answer)
        const error = rejected(yield* Effect.flip(obtain(api)))
        assert.isUndefined(error.description)
        assert.include(error.message, String(error.status))
        assert.lengthOf(api.arrived, 1)
      }))
  }

  it.effect("of 10 MB rejects the credentials, and most of it is never read", () =>
    Effect.gen(function*() {
      const body = Fake.meteredBody(10 * 1024 * 1024)
      const error = yield* Effect.flip(obtain(answering(body.answer(400))))
      assert.strictEqual(error._tag, "CredentialsRejected")
      assert.isAtMost(body.pulled(), 1024 * 1024)
      assert.isTrue(body.cancelled())
    }))

  it.effect("in the provider's own dialect is read by the provider, and in the words of RFC 6749 where it knows nothing", () =>
    Effect.gen(function*() {
      const refusal: OAuth2.ClientCredentialsOptions["refusal"] = (body, status) =>
        typeof body === "object" && body !== null && "code" in body
          ? Option.some({ error: "own", description: `own words ${status}`, requestId: "id-7", hint: "do this" })
          : Option.none()
      const own = rejected(yield* Effect.flip(obtain(answering(Fake.json({ code: 7 }, 422)), { refusal })))
      assert.deepStrictEqual(
        [own.error, own.description, own.requestId, own.hint],
        ["own", "own words 422", "id-7", "do this"]
      )
      const both = rejected(
        yield* Effect.flip(obtain(answering(Fake.json({ code: 7, error: "invalid_scope" }, 400)), { refusal }))
      )
      assert.strictEqual(both.error, "own")
      const standard = rejected(
        yield* Effect.flip(obtain(answering(Fake.json({ error: "invalid_scope" }, 400)), { refusal }))
      )
      assert.strictEqual(standard.error, "invalid_scope")
    }))

  it.effect("that only a login can mend asks for one", () =>
    Effect.gen(function*() {
      const refusal = () => Option.some({ loginRequired: true, requestId: "id-7" })
      const error = yield* Effect.flip(obtain(answering(Fake.json({}, 400)), { refusal }))
      assert.strictEqual(error._tag, "ReauthorizationRequired")
    }))

  it.effect("keeps at most 2 KB of the server's words, without control characters", () =>
    Effect.gen(function*() {
      const description = `a\u0000b\r\nc\u001b[31m${"x".repeat(100_000)}`
      const error = rejected(
        yield* Effect.flip(obtain(answering(Fake.json({ error: "invalid_client", error_description: description }, 401))))
      )
      const kept = error.description ?? ""
      assert.strictEqual(kept.length, 2048)
      assert.strictEqual(kept.slice(0, 11), "a b c [31mx")
    }))

  for (const clientAuthentication of ["client_secret_post", "client_secret_basic"] as const) {
    it.effect(`that echoes the secret in any form does not get it into the error (${clientAuthentication})`, () =>
      Effect.gen(function*() {
        const basic = base64(`my-app:${formEncode(secret)}`)
        const echo = [...formsOf(secret), `Basic ${basic}`, basic.replace(/=+$/, "")].join(" | ")
        const refusal = () => Option.some({ error: echo, description: echo, requestId: echo })
        for (const status of [200, 400, 401, 403, 429, 500, 302]) {
          for (const body of [{ error: "invalid_client", error_description: echo }, { error: echo }, { message: echo }]) {
            const api = answering(Fake.json(body, status))
            for (const options of [{ clientAuthentication }, { clientAuthentication, refusal }]) {
              const error = yield* passing(Effect.flip(obtain(api, options)))
              assertNoSecret(printed(error), [secret, `my-app:${formEncode(secret)}`])
            }
          }
        }
      }))

    it.effect(`that echoes the whole request does not get the secret into the error (${clientAuthentication})`, () =>
      Effect.gen(function*() {
        const api: Fake.FakeApi = Fake.makeFakeApi({
          [tokenUrl]: (request) =>
            Fake.json({
              error: "invalid_request",
              error_description: `cannot read ${request.body} with ${JSON.stringify(request.headers)}`
            }, 400)
        })
        const error = rejected(yield* Effect.flip(obtain(api, { clientAuthentication })))
        assert.include(error.description ?? "", "grant_type=client_credentials")
        assertNoSecret(printed(error), [secret, `my-app:${formEncode(secret)}`])
      }))
  }
})

describe("a redirect of the token endpoint", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    for (const location of [tokenUrl, "https://evil.test/token", "/elsewhere", undefined]) {
      it.effect(`${status} to ${location ?? "nowhere"} is malformed and sends nothing further`, () =>
        Effect.gen(function*() {
          const api = answering(Fake.reply(status, "moved", location === undefined ? {} : { location }))
          const error = yield* passing(Effect.flip(obtain(api)))
          assert.strictEqual(error._tag === "MalformedTokenResponse" && error.status, status)
          assert.lengthOf(api.arrived, 1)
          assertNoSecret(printed(error))
        }))
    }
  }

  it.effect("is malformed even if its body is a good token reply", () =>
    Effect.gen(function*() {
      const error = yield* passing(Effect.flip(obtain(answering(issues({}, 302)))))
      assert.strictEqual(error._tag, "MalformedTokenResponse")
      assert.include(error.message, "redirect")
      assert.notInclude(printed(error), "token-1")
    }))

  it.effect("is malformed even if its body never ends, and sends nothing further", () =>
    Effect.gen(function*() {
      const api = answering(Fake.stalledBody(307, "moved"))
      const error = yield* passing(Effect.flip(obtain(api)))
      assert.strictEqual(error._tag, "MalformedTokenResponse")
      assert.lengthOf(api.arrived, 1)
    }))

  it.effect("other than these, such as 304, is malformed too", () =>
    Effect.gen(function*() {
      const api = answering(Fake.reply(304))
      const error = yield* passing(Effect.flip(obtain(api)))
      assert.strictEqual(error._tag, "MalformedTokenResponse")
      assert.lengthOf(api.arrived, 1)
    }))
})

const unavailable = (error: CredentialsError.CredentialsError): CredentialsError.TokenEndpointUnavailable => {
  assert.strictEqual(error._tag, "TokenEndpointUnavailable")
  return error as CredentialsError.TokenEndpointUnavailable
}

describe("a token endpoint that is unavailable", () => {
  const troubles: ReadonlyArray<readonly [string, Fake.Answer, CredentialsError.TokenEndpointUnavailable["reason"]]> = [
    ["answers 500", Fake.reply(500), "Status"],
    ["answers 502 with HTML", Fake.reply(502, "<html>"), "Status"],
    ["answers 503", Fake.reply(503), "Status"],
    ["answers 504", Fake.reply(504), "Status"],
    ["answers 408", Fake.reply(408), "Status"],
    ["answers 429", Fake.reply(429), "Status"],
    ["answers 500 with an OAuth error", Fake.json({ error: "invalid_client" }, 500), "Status"],
    ["drops the connection", Fake.dropped("ECONNRESET"), "Transport"],
    ["cannot be found", Fake.dropped("ENOTFOUND"), "Transport"],
    ["breaks off in the middle of its reply", Fake.brokenBody(200, "{\"access_token\":\"tok"), "Transport"]
  ]
  for (const [name, answer, reason] of troubles) {
    it.effect(`because it ${name} is asked again, and a good reply then counts`, () =>
      Effect.gen(function*() {
        const api = answering([answer, issues({})])
        const reply = yield* passing(obtain(api))
        assert.strictEqual(Redacted.value(reply.accessToken), "token-1")
        assert.lengthOf(api.arrived, 2)
      }))

    it.effect(`because it always ${name} fails with TokenEndpointUnavailable after a few attempts`, () =>
      Effect.gen(function*() {
        const api = answering(answer)
        const error = unavailable(yield* passing(Effect.flip(obtain(api))))
        assert.strictEqual(error.reason, reason)
        assert.isAtLeast(api.arrived.length, 2)
        assert.isAtMost(api.arrived.length, 6)
        assertNoSecret(printed(error))
      }))
  }

  it.effect("keeps the status and the transport's code", () =>
    Effect.gen(function*() {
      const status = unavailable(yield* passing(Effect.flip(obtain(answering(Fake.reply(502))))))
      assert.strictEqual(status.status, 502)
      assert.include(status.message, "502")
      const code = unavailable(yield* passing(Effect.flip(obtain(answering(Fake.dropped("ECONNREFUSED"))))))
      assert.strictEqual(code.code, "ECONNREFUSED")
      assert.include(code.message, "ECONNREFUSED")
      const leaky = unavailable(yield* passing(Effect.flip(obtain(answering(Fake.dropped(secret))))))
      assert.isUndefined(leaky.code)
    }))

  it.effect("because it hangs is given up after ten seconds an attempt, and half a minute in all", () =>
    Effect.gen(function*() {
      const api = answering(Fake.hanging)
      const fiber = yield* Effect.fork(Effect.flip(obtain(api)))
      yield* TestClock.adjust("9999 millis")
      assert.lengthOf(api.arrived, 1)
      yield* TestClock.adjust("26 seconds")
      const error = unavailable(yield* Fiber.join(fiber))
      assert.strictEqual(error.reason, "Timeout")
      assert.isAtLeast(api.arrived.length, 2)
      assert.isAtMost(api.arrived.length, 4)
      for (const wait of Fake.waits(api.arrived)) assert.isAtLeast(wait, 10_000)
    }))

  it.effect("because its reply never ends is given up too", () =>
    Effect.gen(function*() {
      const api = answering(Fake.stalledBody(200, "{\"access_token\":\"tok"))
      const error = unavailable(yield* passing(Effect.flip(obtain(api, { timeout: "1 second" }))))
      assert.strictEqual(error.reason, "Timeout")
      assert.isAtMost(api.arrived.length, 4)
    }))

  it.effect("and says when to come back, within patience, is asked again then", () =>
    Effect.gen(function*() {
      for (const status of [429, 503]) {
        const api = answering([Fake.reply(status, null, { "retry-after": "7" }), issues({})])
        yield* passing(obtain(api))
        assert.deepStrictEqual(Fake.waits(api.arrived), [7000])
      }
    }))

  it.effect("and gives a date, is asked again then, by its own clock", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(DateTime.unsafeMake("2026-02-03T04:05:06Z").epochMillis)
      const headers = { date: "Sun, 06 Nov 1994 08:49:37 GMT", "retry-after": "Sunday, 06-Nov-94 08:49:42 GMT" }
      const api = answering([Fake.reply(503, null, headers), issues({})])
      yield* passing(obtain(api))
      assert.deepStrictEqual(Fake.waits(api.arrived), [5000])
    }))

  for (const status of [429, 503]) {
    it.effect(`and says with ${status} to come back in hours, fails at once with the time`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(5_000_000)
        const api = answering(Fake.reply(status, null, { "retry-after": "12397" }))
        // Nobody moves the clock: it must not wait.
        const error = unavailable(yield* Effect.flip(obtain(api)))
        assert.strictEqual(error.retryAt?.epochMillis, 5_000_000 + 12_397_000)
        assert.strictEqual(error.status, status)
        assert.include(error.message, "1970-01-01T04:49:57")
        assert.lengthOf(api.arrived, 1)
      }))
  }

  it.effect("and says to come back in half an hour, is left alone until then by everyone who wants a token", () =>
    Effect.gen(function*() {
      const api = answering([Fake.reply(429, null, { "retry-after": "1800" }), issues({})])
      yield* Effect.gen(function*() {
        const acme = yield* Acme
        for (let minute = 0; minute < 29; minute++) {
          const error = unavailable(yield* Effect.flip(acme.token))
          assert.strictEqual(error.retryAt?.epochMillis, 1_800_000)
          yield* TestClock.adjust("1 minute")
        }
        assert.lengthOf(api.arrived, 1)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(Redacted.value((yield* acme.token).accessToken), "token-1")
      }).pipe(Effect.provide(Layer.provide(Credentials.layer(Acme, flow()), api.client)))
    }))

  it.effect("is asked as often as the program's own policy says", () =>
    Effect.gen(function*() {
      const none = answering(Fake.reply(503))
      yield* Effect.flip(obtain(none, { retry: RetryPolicy.make({ schedule: RetryPolicy.none }) }))
      assert.lengthOf(none.arrived, 1)
      const seven = answering(Fake.reply(503))
      const schedule = Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(7))
      yield* passing(Effect.flip(obtain(seven, { retry: RetryPolicy.make({ schedule }) })))
      assert.lengthOf(seven.arrived, 8)
    }))

  it.effect("costs no more repetitions than the budget has, over all the renewals of a Layer", () =>
    Effect.gen(function*() {
      const api = answering(Fake.reply(503))
      const retry = RetryPolicy.make({
        schedule: Schedule.recurs(5),
        budget: { capacity: 3, refill: "1 day" }
      })
      yield* Effect.gen(function*() {
        const acme = yield* Acme
        for (let call = 0; call < 10; call++) {
          yield* Effect.flip(acme.token)
          yield* TestClock.adjust("2 minutes")
        }
        assert.lengthOf(api.arrived, 13)
      }).pipe(Effect.provide(Layer.provide(Credentials.layer(Acme, flow({ retry })), api.client)))
    }))
})

describe("TokenReply and ErrorReply", () => {
  it.effect("read what TokenEndpoint.call reads, so that a hand-written flow can use them", () =>
    Effect.gen(function*() {
      const refusal = OAuth2.refusal({ error: "invalid_client", error_description: null })
      assert.strictEqual(Option.getOrThrow(refusal).error, "invalid_client")
      for (const body of [undefined, null, "x", [], {}, { error: 5 }]) assert.isTrue(Option.isNone(OAuth2.refusal(body)))
      // The flow's type says what it needs.
      const needs: Either.Either<Effect.Effect<unknown, unknown, HttpClient.HttpClient>, ConfigError.ConfigError> =
        Either.map(yield* Effect.either(flow()), (flow) => flow.obtain)
      assert.isTrue(Either.isRight(needs))
    }))
})
