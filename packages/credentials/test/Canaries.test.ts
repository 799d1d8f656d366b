/** Recognisable secrets go through every failure path and every success value, and must not be seen anywhere. */
import { FetchHttpClient, HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  type Config,
  ConfigProvider,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Metric,
  Option,
  type ParseResult,
  Redacted,
  Schema,
  Stream
} from "effect"
import {
  ApiClient,
  ApiError,
  AuthFlow,
  Credentials,
  CredentialsConfig,
  CredentialsError,
  OAuth2,
  RetryPolicy,
  Token,
  TokenEndpoint
} from "effect-credentials"
import * as Util from "node:util"
import {
  assertNoCanary,
  assertNothingSeen,
  canaries,
  cores,
  findCanaries,
  leaksOf,
  leaksOfObserved,
  observe,
  whileTimePasses,
  writings
} from "./utils/canaries.js"
import {
  type Answer,
  brokenBody,
  dropped,
  type FakeApi,
  hanging,
  json,
  makeFakeApi,
  ok,
  redirectTo,
  reply
} from "./utils/fakeApi.js"

// -----------------------------------------------------------------------------
// The program under test
// -----------------------------------------------------------------------------

class Acme extends Credentials.Tag("Acme")<Acme>() {}
class Beta extends Credentials.Tag("Beta")<Beta>() {}

const tokenUrl = "https://login.acme.test/token"
const secret = Redacted.make(canaries.clientSecret)

const acme = (options: Partial<OAuth2.ClientCredentialsOptions> = {}) =>
  OAuth2.clientCredentials({
    provider: "acme",
    baseUrl: "https://api.acme.test",
    tokenUrl,
    clientId: "my-app",
    clientSecret: secret,
    headers: { "x-acme-key": Redacted.make(canaries.apiKey), "x-acme-language": "en" },
    lifetimeWhenAbsent: "1 hour",
    ...options
  })

const tokenReply = (accessToken: string = canaries.accessToken, more: object = {}) =>
  json({ access_token: accessToken, token_type: "bearer", expires_in: 1800, ...more })

/** The first token, then the second one. */
const tokens: ReadonlyArray<Answer> = [tokenReply(), tokenReply(canaries.secondToken)]

/** A user's flow: it renews with the refresh token that came with the first token. */
const renewing = Effect.map(acme(), (flow) => {
  const endpoint = TokenEndpoint.make({ provider: "acme", reply: OAuth2.TokenReply, refusal: OAuth2.refusal })
  return {
    ...flow,
    renew: Option.some((refreshToken: Redacted.Redacted) =>
      endpoint({
        request: Effect.succeed(
          HttpClientRequest.post(tokenUrl).pipe(
            HttpClientRequest.bodyUrlParams({ grant_type: "refresh_token", refresh_token: Redacted.value(refreshToken) })
          )
        ),
        secrets: [secret, refreshToken]
      })
    )
  }
})

/** Everything that a server may say in an error, read from wherever this API says it. */
const readProblem: NonNullable<ApiClient.Options["problem"]> = ({ headers, json }) => {
  const said = (json ?? {}) as Readonly<Record<string, string>>
  return new ApiError.Problem({
    title: said["title"],
    detail: said["detail"],
    requestId: headers["x-request-id"] ?? said["id"],
    violations: said["field"] === undefined ? [] : [{ field: said["field"], message: said["field"] }],
    dialect: "test"
  })
}

const parts = ApiClient.make(Acme, {
  product: "Parts",
  path: "/v1",
  problem: readProblem,
  hint: (_, problem) => problem.detail
})

interface Setting<A, E> {
  readonly token?: Answer | ReadonlyArray<Answer>
  readonly api?: Answer | ReadonlyArray<Answer>
  readonly flow?: typeof renewing | ReturnType<typeof acme>
  readonly run: (acme: Credentials.Credentials) => Effect.Effect<A, E, Acme | HttpClient.HttpClient>
}

const routes = (setting: Pick<Setting<unknown, unknown>, "api" | "token">) => ({
  "/token": setting.token ?? tokens,
  "/v1/x": setting.api ?? ok
})

/** Runs a program under observation, with its events, against an API in memory. */
const observed = <A, E>(setting: Setting<A, E>, fake: FakeApi = makeFakeApi(routes(setting))) =>
  Effect.gen(function*() {
    const events: Array<unknown> = []
    const program = Effect.gen(function*() {
      const acme = yield* Acme
      const reader = yield* Effect.forkScoped(Stream.runForEach(acme.events, (event) => Effect.sync(() => events.push(event))))
      yield* Effect.yieldNow()
      const exit = yield* Effect.exit(setting.run(acme))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(reader)
      return yield* exit
    })
    const seen = yield* program.pipe(
      Effect.scoped,
      Effect.provide(Credentials.layer(Acme, setting.flow ?? acme())),
      whileTimePasses,
      Effect.provide(fake.client),
      observe
    )
    return { ...seen, heard: [...seen.heard, ...events.map((event) => ["an event", event] as const)], events }
  })

const failureOf = <A, E>(exit: Exit.Exit<A, E>): Option.Option<E> =>
  Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : Option.none()

const assertFailed = <A, E>(label: string, exit: Exit.Exit<A, E>, tag: string): void => {
  const error = failureOf(exit)
  const found = Option.isSome(error) && typeof error.value === "object" && error.value !== null && "_tag" in error.value
    ? error.value._tag
    : exit._tag
  assert.strictEqual(found, tag, label)
}

/** A ParseError keeps the value that it is about, but must not print it. */
const assertPrintsNothing = (error: ParseResult.ParseError): void => {
  const cause = Cause.fail(error)
  const prints = [String(error), error.message, JSON.stringify(error), Util.inspect(error), Cause.pretty(cause, { renderErrorCause: true })]
  for (const print of [...prints, JSON.stringify(cause), Util.inspect(cause)]) assert.deepStrictEqual(findCanaries(print), [])
}

const inEveryWriting = (secret: string): string => Object.values(writings).map((write) => write(secret)).join(" ; ")

/** Which writings of a secret are still there, by name: a failure of this says what scrubbing missed. */
const assertNoneLeft = <A, E>(secret: string, exit: Exit.Exit<A, E>): void => {
  const text = Util.inspect(Option.getOrUndefined(failureOf(exit)), { maxStringLength: null, breakLength: Infinity })
  const plain = text.replaceAll("\\\\", "\\").replaceAll("\\'", "'")
  assert.deepStrictEqual(
    Object.entries(writings).filter(([, write]) => text.includes(write(secret)) || plain.includes(write(secret))).map(([name]) => name),
    []
  )
}

// -----------------------------------------------------------------------------
// The detector
// -----------------------------------------------------------------------------

describe("The search for canaries", () => {
  it("finds a secret in every writing, on its own and inside other text", () => {
    for (const [name, write] of Object.entries(writings)) {
      for (const [canary, value] of Object.entries(canaries)) {
        for (const text of [write(value), `before ${write(value)} after`, JSON.stringify([write(value)])]) {
          assert.isTrue(findCanaries(text).some((found) => found.startsWith(canary)), `${canary} ${name}`)
        }
      }
    }
  })

  it("finds a secret as bytes, however they are printed, and one that was cut", () => {
    const bytes = new TextEncoder().encode(`a=${canaries.clientSecret}`)
    for (const value of [bytes, Buffer.from(bytes), Array.from(bytes), { body: bytes }, bytes.buffer]) {
      assert.isNotEmpty(leaksOf("bytes", value))
    }
    assert.isNotEmpty(findCanaries(cores.accessToken.slice(5)))
    assert.isEmpty(findCanaries("an ordinary text, with bytes 1, 2, 3 and <Buffer 61 62>"))
  })

  it("finds what is hidden in private parts, getters, proxies and symbols", () => {
    class Getter {
      get token() {
        return canaries.accessToken
      }
    }
    for (const value of [
      new Getter(),
      new Proxy({ token: canaries.accessToken }, { get: () => undefined, ownKeys: () => [] }),
      { [Symbol("hidden")]: canaries.accessToken },
      Object.defineProperty({}, "hidden", { value: canaries.accessToken }),
      new Map([["token", canaries.accessToken]]),
      Object.assign(new Error("outer"), { cause: new Error("inner", { cause: canaries.accessToken }) })
    ]) assert.isNotEmpty(leaksOf("hidden", value))
  })

  it("finds the leaks of platform's own response and errors", () => {
    const request = HttpClientRequest.post("https://api.acme.test/x").pipe(
      HttpClientRequest.setHeaders({ authorization: `Bearer ${canaries.accessToken}`, "x-acme-key": canaries.apiKey }),
      HttpClientRequest.bodyUrlParams({ client_secret: canaries.clientSecret })
    )
    const response = HttpClientResponse.fromWeb(request, new Response("{}"))
    const requestError = new HttpClientError.RequestError({ request, reason: "Transport" })
    const responseError = new HttpClientError.ResponseError({ request, response, reason: "Decode" })
    for (const [name, value] of Object.entries({ request, response, requestError, responseError })) {
      const leaks = leaksOf(name, value).join("\n")
      for (const found of ["accessToken as text", "apiKey as text", "clientSecret as bytes"]) assert.include(leaks, found, name)
    }
    assert.isNotEmpty(leaksOf("exit", Exit.fail(requestError)))
  })

  it.effect("hears what is logged, traced and measured", () =>
    Effect.gen(function*() {
      const { heard } = yield* observe(
        Effect.gen(function*() {
          yield* Effect.logTrace(`message ${canaries.accessToken}`)
          yield* Effect.logError("cause", Cause.die(new Error(canaries.apiKey)))
          yield* Effect.log("annotation").pipe(Effect.annotateLogs("key", canaries.secondToken))
          yield* Effect.void.pipe(Effect.withSpan("attribute", { attributes: { key: canaries.accessToken } }))
          yield* Effect.void.pipe(Effect.withSpan(`name ${canaries.apiKey}`))
          yield* Effect.die(new Error(canaries.secondToken)).pipe(Effect.withSpan("failing"), Effect.exit)
        })
      )
      const where = new Set(heard.filter((each) => leaksOf(...each).length > 0).map(([where]) => where))
      assert.deepStrictEqual(
        where,
        new Set([
          "string logger", "logfmt logger", "JSON logger", "structured logger", "pretty logger", "a logger's input",
          "a logger's cause", "a logger's annotations", "span attribute", `span name ${canaries.apiKey}`, "span failing"
        ])
      )
    }))

  it.effect("hears the labels of metrics", () =>
    Effect.gen(function*() {
      const { heard } = yield* observe(Metric.increment(Metric.counter("canary", { incremental: true })))
      assert.isTrue(heard.some(([where]) => where === "metric canary"))
    }))

  it.effect("hears a header that is not redacted in the platform's own span", () =>
    Effect.gen(function*() {
      const fake = makeFakeApi({ "/x": ok })
      const seen = yield* HttpClient.get("https://other.test/x", { headers: { "x-acme-key": canaries.apiKey } }).pipe(
        Effect.asVoid,
        Effect.provide(fake.client),
        observe
      )
      assert.include(leaksOfObserved("get", seen).join("\n"), "span http.client GET")
    }))
})

// -----------------------------------------------------------------------------
// The token endpoint
// -----------------------------------------------------------------------------

const unusable = (text: string): Answer => reply(200, text, { "content-type": "application/json" })

/** The answers of a token endpoint, and the failure that each leads to. */
const tokenFailures: Readonly<Record<string, readonly [Answer, string]>> = {
  "400": [json({ error: "invalid_request" }, 400), "CredentialsRejected"],
  "401": [json({ error: "invalid_client", error_description: "no" }, 401), "CredentialsRejected"],
  "403": [reply(403, "<html>no</html>"), "CredentialsRejected"],
  "429": [json({}, 429, { "retry-after": "3600" }), "TokenEndpointUnavailable"],
  "500": [reply(500, "oops"), "TokenEndpointUnavailable"],
  "503": [reply(503), "TokenEndpointUnavailable"],
  "301": [redirectTo(301, "https://other.test/token"), "MalformedTokenResponse"],
  "302": [redirectTo(302, "https://other.test/token"), "MalformedTokenResponse"],
  "307": [redirectTo(307, "/token"), "MalformedTokenResponse"],
  "308 without a Location": [reply(308), "MalformedTokenResponse"],
  "no answer": [hanging, "TokenEndpointUnavailable"],
  "a dropped connection": [dropped(), "TokenEndpointUnavailable"],
  "a body that breaks off": [brokenBody(200, "{\"access_token\":\""), "TokenEndpointUnavailable"],
  "nothing": [reply(200), "MalformedTokenResponse"],
  "a page of HTML": [reply(200, "<html></html>", { "content-type": "text/html" }), "MalformedTokenResponse"],
  "JSON that is cut in the token": [unusable(`{"access_token":${JSON.stringify(canaries.accessToken).slice(0, -1)}`), "MalformedTokenResponse"],
  "a token with a newline": [tokenReply(`${canaries.accessToken}\n${canaries.accessToken}`), "MalformedTokenResponse"],
  "a token with a zero byte": [tokenReply(`${canaries.accessToken}\0`), "MalformedTokenResponse"],
  "a token inside an object": [json({ access_token: { value: canaries.accessToken } }), "MalformedTokenResponse"],
  "a token of another type": [tokenReply(canaries.accessToken, { token_type: canaries.accessToken }), "MalformedTokenResponse"],
  "a refresh token with a space": [tokenReply(canaries.accessToken, { refresh_token: ` ${canaries.refreshToken}` }), "MalformedTokenResponse"],
  "an error beside the token": [
    tokenReply(canaries.accessToken, { error: "odd", error_description: `your token ${canaries.accessToken}` }),
    "CredentialsRejected"
  ]
}

describe("A token endpoint that fails shows no canary", () => {
  for (const [name, [answer, tag]] of Object.entries(tokenFailures)) {
    for (const clientAuthentication of ["client_secret_post", "client_secret_basic"] as const) {
      it.effect(`with ${name}, ${clientAuthentication}`, () =>
        Effect.gen(function*() {
          const flow = acme({ clientAuthentication })
          const first = yield* observed({ token: answer, flow, run: (acme) => acme.token })
          assertFailed(name, first.exit, tag)
          assertNothingSeen(name, first)
        }))
    }

    it.effect(`with ${name}, at a renewal with a refresh token and through an API client`, () =>
      Effect.gen(function*() {
        const seen = yield* observed({
          token: [tokenReply(canaries.accessToken, { refresh_token: canaries.refreshToken }), answer],
          flow: renewing,
          run: (acme) => Effect.zipRight(acme.token, Effect.all([Effect.exit(acme.refresh), Effect.exit(parts.get("/x"))]))
        })
        assertNothingSeen(name, seen)
        assert.isTrue(seen.events.length > 1, "events")
      }))
  }

  for (const status of [200, 400, 401, 403, 429, 500]) {
    for (const clientAuthentication of ["client_secret_post", "client_secret_basic"] as const) {
      it.effect(`with ${status} and our own secret in every writing, ${clientAuthentication}`, () =>
        Effect.gen(function*() {
          const echo = inEveryWriting(canaries.clientSecret)
          const seen = yield* observed({
            token: json({ error: echo, error_description: echo }, status, { "retry-after": "3600" }),
            flow: acme({
              clientAuthentication,
              // The provider's own reader, for what is no OAuth error.
              refusal: (body) => Option.some({ error: echo, requestId: echo, description: JSON.stringify(body) })
            }),
            run: (acme) => acme.token
          })
          assertNoneLeft(canaries.clientSecret, seen.exit)
          assertNothingSeen("echo", seen)
        }))
    }
  }

  it.effect("with 400 in the provider's own dialect and our own secret in every writing", () =>
    Effect.gen(function*() {
      const echo = inEveryWriting(canaries.clientSecret)
      const refusal = { error: echo, requestId: echo, description: echo, hint: echo }
      for (const loginRequired of [true, false]) {
        const seen = yield* observed({
          token: json({}, 400),
          flow: acme({ refusal: () => Option.some({ ...refusal, loginRequired }) }),
          run: (acme) => acme.token
        })
        assertNoneLeft(canaries.clientSecret, seen.exit)
        assertNothingSeen("echo", seen)
      }
    }))

  it.effect("with 400 and our refresh token in every writing", () =>
    Effect.gen(function*() {
      const seen = yield* observed({
        token: [
          tokenReply(canaries.accessToken, { refresh_token: canaries.refreshToken }),
          json({ error: "invalid_request", error_description: inEveryWriting(canaries.refreshToken) }, 400)
        ],
        flow: renewing,
        run: (acme) => Effect.zipRight(acme.token, acme.refresh)
      })
      assertFailed("400", seen.exit, "CredentialsRejected")
      assertNoneLeft(canaries.refreshToken, seen.exit)
      assertNothingSeen("echo", seen)
    }))

  it.effect("with a secret at the place where its text is cut", () =>
    Effect.gen(function*() {
      const leaks: Array<number> = []
      for (const length of [2000, 2020, 2035, 2047, 8180, 8200, 8220, 8260, 8300]) {
        const error_description = `${"x".repeat(length)}${canaries.clientSecret} and ${canaries.clientSecret}`
        const seen = yield* observed({ token: json({ error: "no", error_description }, 400), run: (acme) => acme.token })
        if (leaksOf("", seen.exit).length > 0) leaks.push(length)
      }
      assert.deepStrictEqual(leaks, [])
    }))

  it.effect("with a secret in which white space was replaced", () =>
    Effect.gen(function*() {
      const withSpace = `${cores.clientSecret.slice(0, 9)} ${cores.clientSecret.slice(9)}`
      for (const space of ["\n", "\t", "\u2028", "\0"]) {
        const { exit } = yield* observed({
          token: json({ error: "no", error_description: `You sent ${withSpace.replace(" ", space)}.` }, 400),
          flow: acme({ clientSecret: Redacted.make(withSpace) }),
          run: (acme) => acme.token
        })
        assert.notInclude(String(exit), withSpace, JSON.stringify(space))
      }
    }))
})

// -----------------------------------------------------------------------------
// The API
// -----------------------------------------------------------------------------

const requests = {
  GET: parts.get("/x"),
  POST: parts.execute(HttpClientRequest.post("/x").pipe(HttpClientRequest.bodyUnsafeJson({ q: 1 })))
}

const apiFailures: Readonly<Record<string, Answer | ReadonlyArray<Answer>>> = {
  "400": json({ title: "no" }, 400),
  "401": json({ title: "no" }, 401),
  "401, then 403": [json({}, 401), json({}, 403)],
  "403": reply(403, "<html>no</html>"),
  "404": reply(404),
  "409": json({ detail: "no" }, 409),
  "429": json({}, 429, { "retry-after": "3600" }),
  "500": reply(500, "oops"),
  "503": reply(503, null, { "retry-after": "1" }),
  "302 to another origin": redirectTo(302, "https://other.test/x"),
  "302 to what is no URL": redirectTo(302, "https://"),
  "302 to itself": redirectTo(302, "/v1/x"),
  "307 without a Location": reply(307),
  "no answer": hanging,
  "a dropped connection": dropped(),
  "an error body that breaks off": brokenBody(500, "{")
}

const timed = ApiClient.make(Acme, { product: "Parts", path: "/v1", timeout: "5 seconds" })

describe("An API that fails shows no canary", () => {
  for (const [name, answer] of Object.entries(apiFailures)) {
    for (const [method, request] of Object.entries(requests)) {
      it.effect(`with ${name}, ${method}`, () =>
        Effect.gen(function*() {
          const within = Effect.timeoutFail(request, { duration: "4 minutes", onTimeout: () => ({ _tag: "Hangs" as const }) })
          const seen = yield* observed({ api: answer, run: () => within })
          assert.isTrue(Option.isSome(failureOf(seen.exit)), "fails")
          assertNothingSeen(name, seen)
        }))
    }
    it.effect(`with ${name}, within a time-out of each attempt`, () =>
      Effect.gen(function*() {
        const seen = yield* observed({ api: answer, run: () => timed.get("/x") })
        assert.isTrue(Option.isSome(failureOf(seen.exit)), "fails")
        assertNothingSeen(name, seen)
      }))
  }

  for (const status of [307, 400, 401, 403, 404, 409, 429, 500]) {
    it.effect(`with ${status} and our own secrets in every writing`, () =>
      Effect.gen(function*() {
        for (const canary of ["accessToken", "apiKey"] as const) {
          const echo = inEveryWriting(canaries[canary])
          const seen = yield* observed({
            api: json({ title: echo, detail: echo, field: echo, id: echo }, status, { "retry-after": "3600" }),
            run: () => RetryPolicy.withPolicy(parts.get("/x"), RetryPolicy.make({ schedule: RetryPolicy.none }))
          })
          assert.isTrue(Exit.isFailure(seen.exit))
          assertNoneLeft(canaries[canary], seen.exit)
          assertNothingSeen(canary, seen)
        }
      }))
  }

  it.effect("with the token in the name of the host that it redirects to", () =>
    Effect.gen(function*() {
      const seen = yield* observed({
        token: tokenReply(cores.accessToken),
        api: redirectTo(302, `https://${cores.accessToken}.other.test/x`),
        run: () => parts.get("/x")
      })
      assertFailed("302", seen.exit, "ForeignOrigin")
      // Platform's span has the address as it came, like every header of an answer.
      assertNoCanary("302", seen.exit)
    }))

  it.effect("with our own secrets in the hint that a provider makes of a body", () =>
    Effect.gen(function*() {
      const client = ApiClient.make(Acme, { product: "Parts", path: "/v1", hint: ({ json }) => JSON.stringify(json) })
      const seen = yield* observed({
        api: json({ detail: canaries.accessToken, key: canaries.apiKey }, 400),
        run: () => client.get("/x")
      })
      assertNothingSeen("hint", seen)
    }))

  it.effect("with the token that was replaced in the answer to its replacement", () =>
    Effect.gen(function*() {
      const seen = yield* observed({
        api: [json({}, 401), json({ detail: `${canaries.accessToken} was revoked, not ${canaries.secondToken}` }, 401)],
        run: () => parts.get("/x")
      })
      assertFailed("401", seen.exit, "ApiError")
      assertNothingSeen("401", seen)
    }))

  it.effect("in an error text and keeps the words that are no secret", () =>
    Effect.gen(function*() {
      const seen = yield* observed({
        api: json({ detail: `The token ${canaries.accessToken} has been seen in Denmark` }, 403),
        run: () => parts.get("/x")
      })
      const error = failureOf(seen.exit)
      // The language "en" is sent as a header too, and is part of ordinary words.
      assert.include(String(Option.getOrUndefined(error)), "has been seen in Denmark")
    }))

  it.effect("where the body is not what was promised, even if it is named like a token", () =>
    Effect.gen(function*() {
      const decode = ApiClient.decodeJson("Parts", Schema.Struct({
        name: Schema.optional(Schema.Literal("a", "b")),
        prices: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Number }))
      }))
      for (const body of [{ name: canaries.accessToken }, { prices: { [canaries.accessToken]: "no number" } }]) {
        const seen = yield* observed({ api: json(body), run: () => Effect.flatMap(parts.get("/x"), decode) })
        assertFailed("unexpected", seen.exit, "UnexpectedResponse")
        assertNothingSeen("unexpected", seen)
      }
    }))

  it.effect("where the request would leave the origin", () =>
    Effect.gen(function*() {
      for (const url of ["https://other.test/x", "//other.test/x", "@other.test", "\\other", "https://me@api.acme.test/x", "/a/../b"]) {
        const client = ApiClient.make(Acme, { product: "Parts" })
        const seen = yield* observed({ run: () => client.get(url) })
        assert.isTrue(Option.isSome(failureOf(seen.exit)), url)
        assertNothingSeen(url, seen)
      }
    }))
})

// -----------------------------------------------------------------------------
// The transport
// -----------------------------------------------------------------------------

/** The real fetch up to the point where it would connect: it checks headers, and quotes them in its errors. */
const fetching = (send: (request: Request) => Promise<Response>) =>
  Layer.provideMerge(
    FetchHttpClient.layer,
    Layer.succeed(FetchHttpClient.Fetch, (input, init) => {
      try {
        return send(new Request(input, init))
      } catch (error) {
        return Promise.reject(error)
      }
    })
  )

const custom = (accessToken: string) =>
  AuthFlow.make({
    identity: { provider: "acme", clientId: "my-app", grant: "custom" },
    baseUrl: "https://api.acme.test",
    headers: { "x-acme-key": Redacted.make(canaries.apiKey) },
    obtain: Effect.succeed({ accessToken: Redacted.make(accessToken), expiresIn: Duration.hours(1) })
  })

describe("A transport that fails shows no canary", () => {
  for (const character of ["\n", "\r\n", "\0", "€"]) {
    it.effect(`when a flow of the user's gives a token with ${JSON.stringify(character)}`, () =>
      Effect.gen(function*() {
        for (const client of [parts, timed]) {
          const flow = custom(`${canaries.accessToken}${character}${canaries.accessToken}`)
          const transport = fetching(() => Promise.reject(new Error("nothing may be sent")))
          const seen = yield* client.get("/x").pipe(
            RetryPolicy.withPolicy(RetryPolicy.make({ schedule: RetryPolicy.none })),
            Effect.provide(Layer.provideMerge(Credentials.layer(Acme, flow), transport)),
            observe
          )
          assert.isTrue(Exit.isFailure(seen.exit))
          assertNothingSeen("token", seen)
        }
      }))
  }

  it.effect("when fetch fails with everything it knows in its cause", () =>
    Effect.gen(function*() {
      const transport = fetching((request) => {
        const cause = Object.assign(new Error("reset"), { code: "ECONNRESET", request, headers: Array.from(request.headers) })
        return Promise.reject(new TypeError("fetch failed", { cause }))
      })
      const seen = yield* parts.get("/x").pipe(
        RetryPolicy.withPolicy(RetryPolicy.make({ schedule: RetryPolicy.none })),
        Effect.provide(Layer.provideMerge(Credentials.layer(Acme, custom(canaries.accessToken)), transport)),
        observe
      )
      assertFailed("fetch", seen.exit, "RequestFailed")
      assertNothingSeen("fetch", seen)
    }))

  it.effect("when the client dies of its own error instead of failing with it", () =>
    Effect.gen(function*() {
      const dying = Layer.succeed(
        HttpClient.HttpClient,
        HttpClient.make((request) => Effect.die(new HttpClientError.RequestError({ request, reason: "Transport" })))
      )
      for (const flow of [acme(), custom(canaries.accessToken)]) {
        const seen = yield* parts.get("/x").pipe(
          RetryPolicy.withPolicy(RetryPolicy.make({ schedule: RetryPolicy.none })),
          Effect.provide(Credentials.layer(Acme, flow)),
          whileTimePasses,
          Effect.provide(dying),
          observe
        )
        assert.isTrue(Exit.isFailure(seen.exit))
        assertNothingSeen("dying", seen)
      }
    }))
})

// -----------------------------------------------------------------------------
// Success
// -----------------------------------------------------------------------------

describe("What we hand out shows no canary", () => {
  it.effect("a response, its parts, and the errors of its body", () =>
    Effect.gen(function*() {
      const bodies: Readonly<Record<string, Answer>> = {
        ok,
        "no JSON": reply(200, "<html>"),
        "empty": reply(204),
        "broken": brokenBody(200, "{\"a\":")
      }
      for (const [name, api] of Object.entries(bodies)) {
        for (const read of ["json", "text", "arrayBuffer", "formData", "urlParamsBody"] as const) {
          const seen = yield* observed({
            api,
            run: () => Effect.flatMap(parts.get("/x"), (response) =>
              Effect.map(Effect.exit(Effect.asVoid(response[read])), (body) => [response, response.request, response.headers, response.cookies, body]))
          })
          assert.isTrue(Exit.isSuccess(seen.exit), name)
          assertNothingSeen(`${name}, ${read}`, seen)
        }
        const streamed = yield* observed({
          api,
          run: () => Effect.flatMap(parts.get("/x"), (response) =>
            Effect.map(Effect.exit(Stream.runDrain(response.stream)), (body) => [response, response.stream, response.json, body]))
        })
        assertNothingSeen(`${name}, stream`, streamed)
      }
    }))

  it.effect("platform's own functions on a response", () =>
    Effect.gen(function*() {
      const seen = yield* observed({
        run: () => Effect.flatMap(parts.get("/x"), (response) =>
          Effect.all([
            Effect.exit(HttpClientResponse.filterStatus(response, () => false)),
            Effect.exit(HttpClientResponse.schemaBodyJson(Schema.Struct({ no: Schema.String }))(response)),
            Effect.exit(HttpClientResponse.schemaHeaders(Schema.Struct({ no: Schema.String }))(response))
          ]))
      })
      assert.isTrue(Exit.isSuccess(seen.exit))
      assertNothingSeen("platform", seen)
    }))

  it.effect("tokens, the service, the flow, the client and the Layers", () =>
    Effect.gen(function*() {
      const seen = yield* observed({
        token: [
          tokenReply(canaries.accessToken, { refresh_token: canaries.refreshToken, refresh_token_expires_in: 100_000, scope: "all" }),
          tokenReply(canaries.secondToken)
        ],
        flow: renewing,
        run: (acme) => Effect.gen(function*() {
          const first = yield* acme.token
          const second = yield* acme.reject(first)
          assert.strictEqual(Redacted.value(second.accessToken), canaries.secondToken)
          return [first, second, acme, acme.identity, acme.token, acme.refresh, acme.reject, acme.attach, acme.events]
        })
      })
      assert.isTrue(Exit.isSuccess(seen.exit))
      assert.strictEqual(seen.events.length, 3)
      assertNothingSeen("service", seen)
      const flow = yield* acme({ clientAuthentication: "client_secret_basic" })
      const made = [flow, acme(), parts, requests, Credentials.layer(Acme, flow), Credentials.layer(Acme, acme())]
      for (const each of [...made, Credentials.layerTest(Acme, { token: canaries.accessToken })]) assertNoCanary("value", each)
    }))

  it.effect("a service that has failed, and its cached failure", () =>
    Effect.gen(function*() {
      const seen = yield* observed({
        token: [tokenReply(), json({ error: "no", error_description: canaries.clientSecret }, 400)],
        run: (acme) => Effect.zipRight(acme.token, Effect.as(Effect.exit(acme.refresh), [acme, acme.token]))
      })
      assert.isTrue(Exit.isSuccess(seen.exit))
      assertNothingSeen("service", seen)
    }))

  it.effect("a token that is decoded, and the errors of decoding one", () =>
    Effect.gen(function*() {
      const stored = {
        accessToken: canaries.accessToken,
        issuedAt: "2026-01-01T00:00:00.000Z",
        expiresAt: "2026-01-01T00:30:00.000Z",
        refreshToken: canaries.refreshToken
      }
      const token = yield* Schema.decode(Token.schema)(stored)
      assertNoCanary("token", token)
      assertNoCanary("schemas", [Token.schema, Token.Secret, OAuth2.TokenReply, Schema.is(Token.schema)])
      const broken = [
        { ...stored, accessToken: `${canaries.accessToken}\n` },
        { ...stored, refreshToken: ` ${canaries.refreshToken}` }
      ]
      for (const each of broken) assertPrintsNothing(yield* Effect.flip(Schema.decode(Token.schema)(each)))
      const replies = [
        { access_token: `${canaries.accessToken}\n` },
        { access_token: canaries.accessToken, refresh_token: ` ${canaries.refreshToken}` }
      ]
      for (const each of replies) assertPrintsNothing(yield* Effect.flip(Schema.decode(OAuth2.TokenReply)(each)))
    }))

  it.effect("spans, when two credentials are merged into one Layer", () =>
    Effect.gen(function*() {
      const fake = makeFakeApi({ "/token": tokens, "/x": ok })
      const flow = (name: string) => acme({ headers: { [name]: Redacted.make(canaries.apiKey) } })
      const both = Layer.mergeAll(Credentials.layer(Acme, flow("x-acme-key")), Credentials.layer(Beta, flow("x-beta-key")))
      const a = ApiClient.make(Acme, { product: "A" }).get("/x")
      const b = ApiClient.make(Beta, { product: "B" }).get("/x")
      const seen = yield* Effect.all([a, b]).pipe(
        Effect.provide(Layer.provideMerge(both, fake.client)),
        observe
      )
      assert.isTrue(Exit.isSuccess(seen.exit))
      assertNothingSeen("merged", seen)
    }))

  it.effect("errors, when two credentials are merged into one Layer and a server repeats a key", () =>
    Effect.gen(function*() {
      const fake = makeFakeApi({ "/token": tokens, "/x": json({ detail: `Your key is ${canaries.apiKey}` }, 403) })
      const flow = (name: string) => acme({ headers: { [name]: Redacted.make(canaries.apiKey) } })
      const both = Layer.mergeAll(Credentials.layer(Acme, flow("x-acme-key")), Credentials.layer(Beta, flow("x-beta-key")))
      const a = ApiClient.make(Acme, { product: "A" }).get("/x")
      const b = ApiClient.make(Beta, { product: "B" }).get("/x")
      const seen = yield* Effect.all([Effect.exit(a), Effect.exit(b)]).pipe(
        Effect.provide(Layer.provideMerge(both, fake.client)),
        observe
      )
      assertNothingSeen("merged", seen)
    }))

  it.effect("spans, when only the service itself reaches the program", () =>
    Effect.gen(function*() {
      const fake = makeFakeApi({ "/token": tokens, "/v1/x": ok })
      const program = Effect.gen(function*() {
        const building = yield* Effect.fork(Layer.build(Credentials.layer(Acme, acme())))
        const context = yield* Effect.flatten(Fiber.await(building))
        return yield* Effect.provide(parts.get("/x"), context)
      })
      const seen = yield* program.pipe(Effect.scoped, Effect.provide(fake.client), observe)
      assert.isTrue(Exit.isSuccess(seen.exit))
      assertNothingSeen("service", seen)
    }))

  it.effect("a token header of another name", () =>
    Effect.gen(function*() {
      const fake = makeFakeApi({ "/v1/x": [ok, json({ detail: canaries.accessToken }, 400)] })
      const flow = AuthFlow.make({
        identity: { provider: "acme", clientId: "my-app", grant: "custom" },
        baseUrl: "https://api.acme.test",
        tokenHeader: { name: "X-Acme-Token", prefix: "" },
        obtain: Effect.succeed({ accessToken: Redacted.make(canaries.accessToken), expiresIn: Duration.hours(1) })
      })
      const seen = yield* Effect.all([parts.get("/x"), Effect.exit(parts.get("/x"))]).pipe(
        Effect.provide(Layer.provideMerge(Credentials.layer(Acme, flow), fake.client)),
        observe
      )
      assert.strictEqual(fake.arrived[0]?.headers["x-acme-token"], canaries.accessToken)
      assertNothingSeen("header", seen)
    }))
})

// -----------------------------------------------------------------------------
// Configuration and defects
// -----------------------------------------------------------------------------

describe("Configuration that is wrong shows no canary", () => {
  it.effect("in a variable", () =>
    Effect.gen(function*() {
      const values = ["\n", " ", "\0", "€"].flatMap((it) => [`${canaries.apiKey}${it}`, `${it}${canaries.apiKey}`])
      const configs: ReadonlyArray<Config.Config<unknown>> = [
        CredentialsConfig.secret("KEY"),
        CredentialsConfig.text("KEY"),
        CredentialsConfig.optionalText("KEY"),
        CredentialsConfig.optionalBaseUrl("KEY"),
        CredentialsConfig.oneOf("KEY", "a", "b")
      ]
      for (const value of values) {
        for (const config of configs) {
          const provider = ConfigProvider.fromMap(new Map([["KEY", value]]))
          const seen = yield* observe(Effect.withConfigProvider(config, provider))
          assert.isTrue(Exit.isFailure(seen.exit))
          assertNothingSeen("config", seen)
        }
      }
    }))

  it.effect("in an option", () =>
    Effect.gen(function*() {
      const bad = Redacted.make(`${canaries.clientSecret}\n`)
      const wrong: ReadonlyArray<Partial<OAuth2.ClientCredentialsOptions>> = [
        { clientSecret: bad },
        { clientId: bad },
        { headers: { "x-acme-key": bad } },
        { headers: { "x-acme-key": `${canaries.apiKey}\n` } },
        { baseUrl: `https://${cores.apiKey}@api.acme.test` },
        { baseUrl: `https://api.acme.test?key=${cores.apiKey}` },
        { tokenUrl: `http://login.acme.test/${cores.apiKey}` },
        { tokenUrl: cores.apiKey }
      ]
      for (const options of wrong) {
        const layer = Credentials.layer(Acme, acme(options))
        const seen = yield* Effect.provide(Acme, layer).pipe(Effect.provide(makeFakeApi({}).client), observe)
        assert.isTrue(Exit.isFailure(seen.exit))
        assertNothingSeen("option", seen)
      }
    }))
})

describe("A flow that dies", () => {
  const defects = [new Error(canaries.clientSecret), canaries.clientSecret, { secret: canaries.clientSecret }]

  it.effect("is a defect of those who wait, and nothing of it reaches logs, events, metrics and our spans", () =>
    Effect.gen(function*() {
      for (const defect of defects) {
        const flow = AuthFlow.make({
          identity: { provider: "acme", clientId: "my-app", grant: "custom" },
          baseUrl: "https://api.acme.test",
          obtain: Effect.die(defect)
        })
        const seen = yield* Effect.flatMap(Acme, (acme) => Effect.exit(acme.token)).pipe(
          Effect.provide(Credentials.layer(Acme, flow)),
          observe
        )
        assert.isTrue(Exit.isSuccess(seen.exit))
        // Callers get the defect as it is, so the span in which they wait ends with it.
        for (const [where, what] of seen.heard) if (where !== "span Credentials.wait") assertNoCanary(where, what)
        assert.isTrue(seen.heard.some(([where]) => where === "span Credentials.renew"))
      }
    }))

  it.effect("says no more than that in the typed failure that others get", () =>
    Effect.gen(function*() {
      for (const reason of ["Defect", "Interrupted", "Closed", "Transport", "Timeout", "Status"] as const) {
        assertNoCanary(reason, new CredentialsError.TokenEndpointUnavailable({ provider: "acme", reason }))
      }
      const seen = yield* observed({ token: hanging, run: (acme) => Effect.timeout(acme.token, "1 second") })
      assertNothingSeen("timeout", seen)
      const interrupted = yield* observed({
        token: hanging,
        run: (acme) => Effect.flatMap(Effect.fork(acme.token), (fiber) => Effect.as(Fiber.interrupt(fiber), acme))
      })
      assertNothingSeen("interruption", interrupted)
    }))
})

it("prints a Redacted in no way", () => {
  for (const value of Object.values(canaries)) assertNoCanary("Redacted", Redacted.make(value))
  assert.notInclude(Util.inspect(Redacted.make(canaries.apiKey), { showHidden: true, customInspect: false }), cores.apiKey)
})
