import * as NodeUtil from "node:util"
import { FetchHttpClient, HttpBody, HttpClient, HttpClientError, HttpClientRequest } from "@effect/platform"
import type { HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Chunk,
  Clock,
  Context,
  DateTime,
  Duration,
  Effect,
  Either,
  Exit,
  FastCheck,
  Fiber,
  Layer,
  Redacted,
  Schedule,
  Schema,
  Stream,
  TestClock
} from "effect"
import { ApiClient, ApiError, Credentials, OAuth2, RetryPolicy } from "effect-credentials"
import * as Fake from "./utils/fakeApi.js"
import { Acme } from "./utils/fakeFlow.js"

const { passing } = Fake

const base = "https://api.acme.test"
const canary = "canary-token-3f9c+/="
const secretHeader = "canary-api-key-77aa"

type ClientOptions = Partial<ApiClient.Options>
const parts = (options: ClientOptions = {}) => ApiClient.make(Acme, { product: "Parts", ...options })

/** Built before any test: hashing an identity takes real time, in which a TestClock would run ahead of the request. */
const fixed = await Effect.runPromise(Effect.scoped(Layer.build(Credentials.layerTest(Acme, {
  baseUrl: base,
  token: canary,
  headers: { "x-api-key": Redacted.make(secretHeader) }
}))))

/** Fixed credentials beside a fake API: for everything but renewals. */
const against = (api: Fake.FakeApi) => Layer.merge(Layer.succeedContext(fixed), api.client)

const get = (api: Fake.FakeApi, path: string, options?: ClientOptions) =>
  parts(options).get(path).pipe(Effect.provide(against(api)))

const post = (api: Fake.FakeApi, path: string, options?: ClientOptions) =>
  parts(options).post(path, { body: HttpBody.text("{}", "application/json") }).pipe(Effect.provide(against(api)))

/** Everything that a careless program might print of a value. */
const printed = (value: unknown): string =>
  [
    JSON.stringify(value) ?? "",
    NodeUtil.inspect(value, { depth: 20, showHidden: true }),
    NodeUtil.inspect(value, { depth: 20, showHidden: true, customInspect: false, getters: true }),
    String(value),
    value instanceof Error ? `${value.stack} ${value.message}` : "",
    Cause.pretty(Cause.fail(value))
  ].join("\n")

const base64 = (text: string) => Buffer.from(text).toString("base64")

const assertNoSecret = (text: string, secrets: ReadonlyArray<string> = [canary, secretHeader]): void => {
  for (const secret of secrets) {
    for (const form of [secret, base64(secret), encodeURIComponent(secret), encodeURIComponent(secret).toLowerCase()]) {
      assert.notInclude(text, form)
    }
  }
}

/** A server that issues `token-1`, `token-2`, … and accepts the newest one until it is revoked. */
const makeServer = (
  routes: (guard: (answer: Fake.Answer) => (request: Fake.Arrived) => Fake.Answer) => Fake.Routes,
  options: { readonly sameToken?: boolean; readonly tokenTakes?: Duration.DurationInput } = {}
) => {
  let issued = 0
  let valid: string | undefined
  const guard = (answer: Fake.Answer) => (request: Fake.Arrived): Fake.Answer =>
    Effect.suspend(() =>
      request.headers["authorization"] === `Bearer ${valid}` ? answer : Fake.json({ title: "invalid token" }, 401)
    )
  const api = Fake.makeFakeApi({
    "https://login.acme.test/token": () =>
      Effect.suspend(() => {
        issued++
        valid = options.sameToken === true ? "token-1" : `token-${issued}`
        return Fake.json({ access_token: valid, token_type: "Bearer", expires_in: 3600 })
      }).pipe(Effect.delay(options.tokenTakes ?? "100 millis")),
    ...routes(guard)
  })
  const credentials = Credentials.layer(
    Acme,
    OAuth2.clientCredentials({
      provider: "acme",
      baseUrl: base,
      tokenUrl: "https://login.acme.test/token",
      clientId: "client",
      clientSecret: Redacted.make("client-secret"),
      lifetimeWhenAbsent: "1 hour"
    })
  )
  return {
    api,
    credentials,
    layer: Layer.provideMerge(credentials, api.client),
    tokenCalls: () => api.at("/token").length,
    revoke: Effect.sync(() => {
      valid = undefined
    })
  }
}

describe("a request through an ApiClient", () => {
  it.effect("carries the token, the static headers and the base URL, and nothing of it on the program's own request", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/v1/parts": Fake.ok })
      const request = HttpClientRequest.get("/parts", { urlParams: { q: "a b" } })
      const response = yield* parts({ path: "/v1" }).execute(request).pipe(Effect.provide(against(api)))
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(yield* response.json, { ok: true })
      assert.strictEqual(api.arrived[0]?.url, `${base}/v1/parts?q=a+b`)
      assert.strictEqual(api.arrived[0]?.headers["authorization"], `Bearer ${canary}`)
      assert.strictEqual(api.arrived[0]?.headers["x-api-key"], secretHeader)
      assert.strictEqual(request.url, "/parts")
      assert.deepStrictEqual(Object.keys(request.headers), [])
    }))

  it.effect("replaces an Authorization header that the program set itself, in whatever case", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.ok })
      yield* parts().get("/parts", { headers: { AUTHORIZATION: "Basic abc", "X-Api-Key": "mine" } }).pipe(
        Effect.provide(against(api))
      )
      assert.strictEqual(api.arrived[0]?.headers["authorization"], `Bearer ${canary}`)
      assert.strictEqual(api.arrived[0]?.headers["x-api-key"], secretHeader)
    }))

  it.effect("keeps the base URL's own path in front of the product's", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/root/v1/parts": Fake.ok })
      yield* parts({ path: "/v1/" }).get("/parts").pipe(
        Effect.provide(Layer.merge(Credentials.layerTest(Acme, { baseUrl: `${base}/root/` }), api.client))
      )
      assert.strictEqual(api.arrived[0]?.url, `${base}/root/v1/parts`)
    }))

  it.effect("takes a full URL of the allowed origin as it is", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/other/thing": Fake.ok })
      yield* get(api, `${base}/other/thing?x=1`, { path: "/v1" })
      assert.strictEqual(api.arrived[0]?.url, `${base}/other/thing?x=1`)
    }))

  it.effect("tells every transport not to follow redirects, and leaves the caller's own settings as they were", () =>
    Effect.gen(function*() {
      const server = makeServer(() => ({ "/ok": Fake.ok, "/no": Fake.reply(404), "/lost": Fake.dropped() }))
      const before: RequestInit = { redirect: "follow", keepalive: true }
      const seen = Effect.map(
        Effect.context<never>(),
        (context) => Context.getOption(context as Context.Context<RequestInit>, FetchHttpClient.RequestInit)
      )
      yield* Effect.gen(function*() {
        for (const path of ["/ok", "/no", "/lost"]) {
          yield* passing(Effect.exit(parts({ retry: RetryPolicy.make({ schedule: RetryPolicy.none }) }).get(path)))
          const after = yield* seen
          assert.deepStrictEqual(after._tag === "Some" ? after.value : undefined, before)
        }
      }).pipe(Effect.provideService(FetchHttpClient.RequestInit, before), Effect.provide(server.layer))
      assert.deepStrictEqual(server.api.arrived.map((it) => it.redirect), ["manual", "manual", "manual", "manual"])
    }))

  it.effect("fails with the token endpoint's error and sends nothing when there is no token", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({
        "https://login.acme.test/token": Fake.json({ error: "invalid_client" }, 401),
        "/parts": Fake.ok
      })
      const error = yield* passing(Effect.flip(parts().get("/parts"))).pipe(
        Effect.provide(Layer.provideMerge(
          Credentials.layer(
            Acme,
            OAuth2.clientCredentials({
              provider: "acme",
              baseUrl: base,
              tokenUrl: "https://login.acme.test/token",
              clientId: "client",
              clientSecret: Redacted.make("client-secret"),
              lifetimeWhenAbsent: "1 hour"
            })
          ),
          api.client
        ))
      )
      assert.strictEqual(error._tag, "CredentialsRejected")
      assert.lengthOf(api.at("/parts"), 0)
      assert.lengthOf(api.at("/token"), 1)
    }))
})

describe("a 401", () => {
  const staggered = (api: HttpClient.HttpClient.With<ApiError.ApiClientError, Acme | HttpClient.HttpClient>) =>
    Effect.forEach(
      Array.from({ length: 50 }, (_, index) => (index * 37) % 1000),
      (delay) => Effect.delay(api.get("/parts"), delay),
      { concurrency: "unbounded" }
    )

  it.effect("of one token for fifty requests, at fifty times, costs one renewal and fails nobody", () =>
    Effect.gen(function*() {
      const server = makeServer(
        (guard) => ({ "/parts": (request) => Effect.delay(guard(Fake.ok)(request), `${(request.earlier * 53) % 700} millis`) }),
        { tokenTakes: "300 millis" }
      )
      yield* Effect.gen(function*() {
        const client = parts()
        yield* passing(client.get("/parts"))
        yield* server.revoke
        const responses = yield* passing(staggered(client))
        assert.isTrue(responses.every((response) => response.status === 200))
        assert.strictEqual(server.tokenCalls(), 2)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("of a token that this product never got accepted costs one renewal for fifty requests too", () =>
    Effect.gen(function*() {
      const server = makeServer(
        (guard) => ({ "/parts": (request) => Effect.delay(guard(Fake.ok)(request), `${(request.earlier * 53) % 700} millis`) }),
        { tokenTakes: "300 millis" }
      )
      yield* Effect.gen(function*() {
        const client = parts()
        yield* passing(Effect.flatMap(Acme, (acme) => acme.token))
        yield* server.revoke
        const responses = yield* passing(staggered(client))
        assert.isTrue(responses.every((response) => response.status === 200))
        assert.strictEqual(server.tokenCalls(), 2)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("is mended each time when the token is revoked twice, ten seconds apart", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({ "/parts": guard(Fake.ok) }))
      yield* Effect.gen(function*() {
        const client = parts()
        yield* passing(client.get("/parts"), "1 second")
        for (const calls of [2, 3]) {
          yield* server.revoke
          assert.strictEqual((yield* passing(client.get("/parts"), "1 second")).status, 200)
          assert.strictEqual(server.tokenCalls(), calls)
          yield* TestClock.adjust("9 seconds")
        }
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("is mended twice even when no request came between the first renewal and the second revocation", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({ "/parts": guard(Fake.ok) }))
      yield* Effect.gen(function*() {
        const acme = yield* Acme
        const client = parts()
        yield* passing(client.get("/parts"), "1 second")
        yield* server.revoke
        yield* passing(acme.refresh, "1 second")
        yield* server.revoke
        assert.strictEqual((yield* passing(client.get("/parts"), "1 second")).status, 200)
      }).pipe(Effect.provide(server.layer))
    }))

  const minute = (
    good: Effect.Effect<unknown, ApiError.ApiClientError, Acme | HttpClient.HttpClient>,
    bad: Effect.Effect<unknown, ApiError.ApiClientError, Acme | HttpClient.HttpClient>,
    requests: number
  ) =>
    Effect.gen(function*() {
      const outcomes = { good: 0, bad: new Set<string>(), badCalls: 0 }
      for (let tick = 0; tick < 20; tick++) {
        const batch = Effect.all([
          Effect.replicateEffect(Effect.either(good), requests / 20, { concurrency: "unbounded" }),
          Effect.replicateEffect(Effect.either(bad), requests / 20, { concurrency: "unbounded" })
        ], { concurrency: 2 })
        const [fine, refused] = yield* passing(batch, "2950 millis")
        outcomes.good += fine.filter(Either.isRight).length
        for (const it of refused) {
          outcomes.badCalls++
          outcomes.bad.add(
            Either.isRight(it) ? "success" : it.left._tag === "ApiError" ? it.left.reason : it.left._tag
          )
        }
      }
      return outcomes
    })

  it.effect("that one product always gives costs two token calls a minute and does not touch its neighbour", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({ "/good": guard(Fake.ok), "/bad": Fake.json({ title: "not subscribed" }, 401) }))
      yield* Effect.gen(function*() {
        const good = ApiClient.make(Acme, { product: "Good" })
        const bad = ApiClient.make(Acme, { product: "Bad" })
        yield* passing(good.get("/good"), "1 second")
        const before = server.tokenCalls()
        const outcomes = yield* minute(good.get("/good"), bad.get("/bad"), 1000)
        assert.strictEqual(outcomes.good, 1000)
        assert.strictEqual(outcomes.badCalls, 1000)
        assert.deepStrictEqual(outcomes.bad, new Set(["Unauthorized"]))
        assert.isAtMost(server.tokenCalls() - before, 2)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("that one product always gives costs no more when the server keeps handing out the same token", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({ "/good": guard(Fake.ok), "/bad": Fake.reply(401) }), { sameToken: true })
      yield* Effect.gen(function*() {
        const good = ApiClient.make(Acme, { product: "Good" })
        const bad = ApiClient.make(Acme, { product: "Bad" })
        yield* passing(good.get("/good"), "1 second")
        const before = server.tokenCalls()
        const outcomes = yield* minute(good.get("/good"), bad.get("/bad"), 200)
        assert.strictEqual(outcomes.good, 200)
        assert.deepStrictEqual(outcomes.bad, new Set(["Unauthorized"]))
        assert.isAtMost(server.tokenCalls() - before, 2)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("to a token that was accepted before costs few token calls when the server keeps handing out the same token", () =>
    Effect.gen(function*() {
      let subscribed = true
      const server = makeServer(
        (guard) => ({ "/parts": (request) => subscribed ? guard(Fake.ok)(request) : Fake.reply(401) }),
        { sameToken: true }
      )
      yield* Effect.gen(function*() {
        const client = parts()
        yield* passing(client.get("/parts"), "1 second")
        subscribed = false
        const before = server.tokenCalls()
        for (let second = 0; second < 30; second++) {
          const error = yield* passing(Effect.flip(client.get("/parts")), "1 second")
          assert.strictEqual(error._tag === "ApiError" && error.reason, "Unauthorized")
        }
        assert.isAtMost(server.tokenCalls() - before, 2)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("is not replayed when the server gives the same token again", () =>
    Effect.gen(function*() {
      const server = makeServer(() => ({ "/parts": Fake.reply(401) }), { sameToken: true })
      const error = yield* passing(Effect.flip(parts().get("/parts"))).pipe(Effect.provide(server.layer))
      assert.strictEqual(error._tag === "ApiError" && error.reason, "Unauthorized")
      assert.lengthOf(server.api.at("/parts"), 1)
      assert.strictEqual(server.tokenCalls(), 2)
    }))

  it.effect("is replayed once and no more, with the new token", () =>
    Effect.gen(function*() {
      const server = makeServer(() => ({ "/parts": Fake.reply(401) }))
      const error = yield* passing(Effect.flip(parts().get("/parts"))).pipe(Effect.provide(server.layer))
      assert.strictEqual(error._tag === "ApiError" && error.reason, "Unauthorized")
      assert.deepStrictEqual(
        server.api.at("/parts").map((it) => it.headers["authorization"]),
        ["Bearer token-1", "Bearer token-2"]
      )
    }))

  it.effect("is replayed once and no more even where nothing holds renewals back", () =>
    Effect.gen(function*() {
      const server = makeServer(() => ({
        "/parts": (request) => request.earlier < 10 ? Fake.reply(401) : Fake.ok
      }))
      yield* passing(Effect.flip(parts({ unauthorizedCoolDown: 0 }).get("/parts"))).pipe(Effect.provide(server.layer))
      assert.lengthOf(server.api.at("/parts"), 2)
    }))

  it.effect("asks for a new token again once the cool-down is over", () =>
    Effect.gen(function*() {
      const server = makeServer(() => ({ "/parts": Fake.reply(401) }))
      yield* Effect.gen(function*() {
        const client = parts({ unauthorizedCoolDown: "30 seconds" })
        const refused = passing(Effect.flip(client.get("/parts")), "1 second")
        yield* refused
        assert.strictEqual(server.tokenCalls(), 2)
        yield* TestClock.adjust("20 seconds")
        yield* refused
        assert.strictEqual(server.tokenCalls(), 2)
        yield* TestClock.adjust("10 seconds")
        yield* refused
        assert.strictEqual(server.tokenCalls(), 3)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("asks for a new token again when the clock is put back by more than the cool-down", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("10 hours")
      const server = makeServer(() => ({ "/parts": Fake.reply(401) }))
      yield* Effect.gen(function*() {
        const refused = passing(Effect.flip(parts({ unauthorizedCoolDown: "30 seconds" }).get("/parts")), "1 second")
        yield* refused
        assert.strictEqual(server.tokenCalls(), 2)
        yield* TestClock.setTime(9.5 * 3_600_000)
        yield* refused
        assert.strictEqual(server.tokenCalls(), 3)
      }).pipe(Effect.provide(server.layer))
    }))

  /** Uses up the one renewal that may be forced for a token that the product never accepted; `token-2` is current then. */
  const forceOnce = (
    server: ReturnType<typeof makeServer>,
    client: HttpClient.HttpClient.With<ApiError.ApiClientError, Acme | HttpClient.HttpClient>
  ) =>
    Effect.gen(function*() {
      yield* passing(Effect.flatMap(Acme, (acme) => acme.token), "1 second")
      yield* server.revoke
      yield* passing(client.get("/parts"), "1 second")
      assert.strictEqual(server.tokenCalls(), 2)
    })

  it.effect("that comes late, when the token was already renewed, is replayed without another renewal", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({
        "/parts": guard(Fake.ok),
        "/slow": (request) => request.earlier === 0 ? Effect.delay(Fake.reply(401), "20 seconds") : guard(Fake.ok)(request)
      }))
      yield* Effect.gen(function*() {
        const client = parts()
        yield* forceOnce(server, client)
        const slow = yield* Effect.fork(client.get("/slow"))
        yield* TestClock.adjust("1 second")
        yield* server.revoke
        yield* passing(client.get("/parts"), "1 second")
        assert.strictEqual(server.tokenCalls(), 3)
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual((yield* Fiber.join(slow)).status, 200)
        assert.strictEqual(server.tokenCalls(), 3)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("is mended at once although a late success of the older token came in between", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({
        "/parts": guard(Fake.ok),
        "/slow": () => Effect.delay(Fake.ok, "20 seconds")
      }))
      yield* Effect.gen(function*() {
        const client = parts()
        yield* forceOnce(server, client)
        const slow = yield* Effect.fork(client.get("/slow"))
        yield* TestClock.adjust("1 second")
        yield* server.revoke
        yield* passing(client.get("/parts"), "1 second")
        yield* TestClock.adjust("20 seconds")
        yield* Fiber.join(slow)
        // The current token was accepted here, so its refusal is no reason to wait for the cool-down.
        yield* server.revoke
        assert.strictEqual((yield* passing(client.get("/parts"), "1 second")).status, 200)
        assert.strictEqual(server.tokenCalls(), 4)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("to a POST that must not be repeated is one request, and the next request has a good token", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({ "/orders": guard(Fake.ok) }))
      yield* Effect.gen(function*() {
        const client = parts()
        yield* passing(client.post("/orders"), "1 second")
        yield* server.revoke
        const error = yield* passing(Effect.flip(client.post("/orders")), "1 second")
        assert.strictEqual(error._tag === "ApiError" && error.reason, "Unauthorized")
        assert.lengthOf(server.api.at("/orders"), 2)
        assert.strictEqual((yield* passing(client.post("/orders"), "1 second")).status, 200)
        assert.lengthOf(server.api.at("/orders"), 3)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("to a POST that the provider refuses before applying it is replayed", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({ "/orders": guard(Fake.ok) }))
      yield* Effect.gen(function*() {
        const client = parts({ repetition: () => "whenRefused" })
        yield* passing(client.post("/orders"), "1 second")
        yield* server.revoke
        assert.strictEqual((yield* passing(client.post("/orders"), "1 second")).status, 200)
        assert.lengthOf(server.api.at("/orders"), 3)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("fails with the token endpoint's error when the renewal fails, and others keep the old token", () =>
    Effect.gen(function*() {
      const calls = { token: 0 }
      const api = Fake.makeFakeApi({
        "https://login.acme.test/token": () => {
          calls.token++
          return calls.token === 1
            ? Fake.json({ access_token: "token-1", token_type: "Bearer", expires_in: 3600 })
            : Fake.json({ error: "invalid_client" }, 401)
        },
        "/good": Fake.ok,
        "/bad": Fake.reply(401)
      })
      const layer = Layer.provideMerge(
        Credentials.layer(
          Acme,
          OAuth2.clientCredentials({
            provider: "acme",
            baseUrl: base,
            tokenUrl: "https://login.acme.test/token",
            clientId: "client",
            clientSecret: Redacted.make("client-secret"),
            lifetimeWhenAbsent: "1 hour"
          })
        ),
        api.client
      )
      yield* Effect.gen(function*() {
        const error = yield* passing(Effect.flip(ApiClient.make(Acme, { product: "Bad" }).get("/bad")), "1 second")
        assert.strictEqual(error._tag, "CredentialsRejected")
        assert.strictEqual((yield* ApiClient.make(Acme, { product: "Good" }).get("/good")).status, 200)
        assert.lengthOf(api.at("/bad"), 1)
      }).pipe(Effect.provide(layer))
    }))

  it.effect("counts for one Layer only: another account of the same client starts afresh", () =>
    Effect.gen(function*() {
      const first = makeServer(() => ({ "/parts": Fake.reply(401) }))
      const second = makeServer(() => ({ "/parts": Fake.reply(401) }))
      const client = parts()
      yield* passing(Effect.flip(client.get("/parts")), "1 second").pipe(Effect.provide(first.layer))
      yield* passing(Effect.flip(client.get("/parts")), "1 second").pipe(Effect.provide(second.layer))
      assert.strictEqual(first.tokenCalls(), 2)
      assert.strictEqual(second.tokenCalls(), 2)
    }))

  it.effect("does not hold the request beyond its time-out when its body never ends", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.stalledBody(401, "{") })
      const fiber = yield* Effect.fork(Effect.flip(get(api, "/parts", { timeout: "1 second" })))
      yield* TestClock.adjust("5 minutes")
      const done = yield* Fiber.poll(fiber)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(done._tag, "Some")
    }))
})

describe("a 403", () => {
  it.effect("never renews and is not repeated", () =>
    Effect.gen(function*() {
      const server = makeServer(() => ({ "/parts": Fake.json({ title: "Forbidden" }, 403) }))
      yield* Effect.gen(function*() {
        const client = parts()
        for (let call = 1; call <= 3; call++) {
          const error = yield* passing(Effect.flip(client.get("/parts")), "1 second")
          assert.strictEqual(error._tag === "ApiError" && error.reason, "Forbidden")
          assert.lengthOf(server.api.at("/parts"), call)
        }
        assert.strictEqual(server.tokenCalls(), 1)
      }).pipe(Effect.provide(server.layer))
    }))
})

const troubles: ReadonlyArray<readonly [string, Fake.Answer]> = [
  ["a 500", Fake.reply(500)],
  ["a 502", Fake.reply(502)],
  ["a 503", Fake.reply(503)],
  ["a 504", Fake.reply(504)],
  ["a dropped connection", Fake.dropped()]
]

describe("repetition", () => {
  for (const [name, trouble] of troubles) {
    it.effect(`repeats a GET after ${name}`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/parts": [trouble, Fake.ok] })
        const response = yield* passing(get(api, "/parts"))
        assert.strictEqual(response.status, 200)
        assert.lengthOf(api.arrived, 2)
      }))

    it.effect(`sends a POST once and answers OutcomeUnknown after ${name}`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/orders": [trouble, Fake.ok] })
        const error = yield* passing(Effect.flip(post(api, "/orders", { idempotencyKey: () => "key-1" })))
        assert.strictEqual(error._tag, "OutcomeUnknown")
        assert.strictEqual(error._tag === "OutcomeUnknown" && error.idempotencyKey, "key-1")
        assert.include(error.message, "key-1")
        assert.lengthOf(api.arrived, 1)
      }))

    it.effect(`repeats a POST that the product marks as safe after ${name}`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/search": [trouble, Fake.ok] })
        const response = yield* passing(post(api, "/search", { repetition: () => "always" }))
        assert.strictEqual(response.status, 200)
        assert.lengthOf(api.arrived, 2)
        assert.strictEqual(api.arrived[1]?.body, "{}")
      }))

    it.effect(`sends a POST of which only refusals are harmless once after ${name}`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/orders": [trouble, Fake.ok] })
        const error = yield* passing(Effect.flip(post(api, "/orders", { repetition: () => "whenRefused" })))
        assert.strictEqual(error._tag, "OutcomeUnknown")
        assert.lengthOf(api.arrived, 1)
      }))
  }

  for (const status of [408, 425, 429, 400, 401, 403, 404, 409, 418]) {
    it.effect(`sends a POST once after a ${status}`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/orders": [Fake.reply(status), Fake.ok] })
        const error = yield* passing(Effect.flip(post(api, "/orders")))
        assert.strictEqual(error._tag, status === 429 ? "RateLimited" : "ApiError")
        assert.lengthOf(api.arrived, 1)
      }))
  }

  it.effect("sends a POST of which only refusals are harmless once after a 408", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/orders": [Fake.reply(408), Fake.ok] })
      yield* passing(Effect.flip(post(api, "/orders", { repetition: () => "whenRefused" })))
      assert.lengthOf(api.arrived, 1)
    }))

  it.effect("repeats a POST after a 429 where the provider says that such a request was never applied", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/orders": [Fake.reply(429, null, { "retry-after": "2" }), Fake.ok] })
      const response = yield* passing(post(api, "/orders", { repetition: () => "whenRefused" }))
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(Fake.waits(api.arrived), [2000])
    }))

  it.effect("says that a POST was not sent, rather than that its outcome is unknown, when nobody listens", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/orders": [Fake.dropped("ECONNREFUSED"), Fake.ok] })
      const error = yield* passing(Effect.flip(post(api, "/orders")))
      assert.strictEqual(error._tag, "RequestFailed")
      assert.lengthOf(api.arrived, 1)
    }))

  it.effect("answers OutcomeUnknown for a POST that timed out, and sends it once", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/orders": [Fake.hanging, Fake.ok] })
      const error = yield* passing(Effect.flip(post(api, "/orders", { timeout: "1 second" })))
      assert.strictEqual(error._tag, "OutcomeUnknown")
      assert.lengthOf(api.arrived, 1)
    }))

  for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "POST"] as const) {
    const times = method === "PATCH" || method === "POST" ? 1 : 2
    it.effect(`sends ${method} ${times === 1 ? "once" : "again"} when the connection breaks`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/parts": [Fake.dropped(), Fake.reply(204)] })
        yield* passing(Effect.exit(
          parts().execute(HttpClientRequest.make(method)("/parts")).pipe(Effect.provide(against(api)))
        ))
        assert.lengthOf(api.arrived, times)
      }))
  }

  for (const status of [400, 404, 405, 409, 501, 505]) {
    it.effect(`does not repeat a GET after a ${status}`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/parts": [Fake.reply(status), Fake.ok] })
        yield* passing(Effect.flip(get(api, "/parts")))
        assert.lengthOf(api.arrived, 1)
      }))
  }

  it.effect("gives up after three repetitions of a 503, each backed off with full jitter", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(503) })
      const error = yield* passing(Effect.flip(get(api, "/parts")))
      assert.strictEqual(error._tag === "ApiError" && error.reason, "Unavailable")
      const waited = Fake.waits(api.arrived)
      assert.lengthOf(waited, 3)
      waited.forEach((wait, index) => assert.isAtMost(wait, 250 * 2 ** index))
    }))

  it.effect("counts 429s and server errors apart", () =>
    Effect.gen(function*() {
      const busy = Fake.reply(429, null, { "retry-after": "1" })
      const sick = Fake.reply(503)
      const api = Fake.makeFakeApi({ "/parts": [busy, busy, busy, sick, sick, sick, Fake.ok] })
      const response = yield* passing(get(api, "/parts"))
      assert.strictEqual(response.status, 200)
    }))

  it.effect("makes one request where the policy says that nothing is tried again", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": [Fake.reply(503), Fake.ok] })
      yield* passing(Effect.flip(get(api, "/parts", { retry: RetryPolicy.make({ schedule: RetryPolicy.none }) })))
      assert.lengthOf(api.arrived, 1)
    }))

  it.effect("asks the program's own schedule, with what it needs from the environment", () =>
    Effect.gen(function*() {
      class Patience extends Context.Tag("test/Patience")<Patience, { readonly times: number }>() {}
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(503) })
      const counted = Schedule.forever.pipe(
        Schedule.addDelay(() => "3 seconds"),
        Schedule.whileOutputEffect((n) => Effect.map(Patience, ({ times }) => n < times))
      )
      const client = ApiClient.make(Acme, { product: "Parts", retry: RetryPolicy.make({ schedule: counted }) })
      yield* passing(Effect.flip(client.get("/parts"))).pipe(
        Effect.provide(against(api)),
        Effect.provideService(Patience, { times: 2 })
      )
      assert.deepStrictEqual(Fake.waits(api.arrived), [3000, 3000])
    }))

  it.effect("starts no further request when it is interrupted while it waits", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(429, null, { "retry-after": "30" }) })
      const fiber = yield* Effect.fork(get(api, "/parts"))
      yield* TestClock.adjust("10 seconds")
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      yield* TestClock.adjust("5 minutes")
      assert.lengthOf(api.arrived, 1)
    }))

  it.effect("uses the token of now, not of then, in a further attempt", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({
        "/parts": (request) =>
          request.earlier === 0 ? Fake.reply(429, null, { "retry-after": "30" }) : guard(Fake.ok)(request)
      }))
      yield* Effect.gen(function*() {
        const acme = yield* Acme
        const fiber = yield* Effect.fork(parts().get("/parts"))
        yield* TestClock.adjust("10 seconds")
        yield* passing(acme.refresh, "1 second")
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
        assert.deepStrictEqual(
          server.api.at("/parts").map((it) => it.headers["authorization"]),
          ["Bearer token-1", "Bearer token-2"]
        )
      }).pipe(Effect.provide(server.layer))
    }))
})

describe("Retry-After on a 429", () => {
  const sentAt = "Sun, 06 Nov 1994 08:49:37 GMT"
  const forms: ReadonlyArray<readonly [string, string]> = [
    ["an IMF-fixdate", "Sun, 06 Nov 1994 08:49:47 GMT"],
    ["an RFC 850 date", "Sunday, 06-Nov-94 08:49:47 GMT"],
    ["an asctime date", "Sun Nov  6 08:49:47 1994"]
  ]

  const limited = (headers: Readonly<Record<string, string>>) =>
    Fake.makeFakeApi({ "/parts": [Fake.reply(429, null, headers), Fake.ok] })

  it.effect("in seconds is waited for", () =>
    Effect.gen(function*() {
      const api = limited({ "retry-after": "2" })
      yield* passing(get(api, "/parts"))
      assert.deepStrictEqual(Fake.waits(api.arrived), [2000])
    }))

  for (const [name, until] of forms) {
    it.effect(`as ${name} is read relative to the reply's own Date`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(DateTime.unsafeMake("2026-05-01T00:00:00Z").epochMillis)
        const api = limited({ "retry-after": until, date: sentAt })
        yield* passing(get(api, "/parts"))
        assert.deepStrictEqual(Fake.waits(api.arrived), [10_000])
      }))

    it.effect(`as ${name} is read by our clock where the reply has no usable Date`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(DateTime.unsafeMake("1994-11-06T08:49:40Z").epochMillis)
        const api = limited({ "retry-after": until, date: "yesterday" })
        yield* passing(get(api, "/parts"))
        assert.deepStrictEqual(Fake.waits(api.arrived), [7000])
      }))

    it.effect(`as ${name} in the past is no wait at all`, () =>
      Effect.gen(function*() {
        const api = limited({ "retry-after": until, date: "Sun, 06 Nov 1994 09:00:00 GMT" })
        yield* passing(get(api, "/parts"))
        assert.deepStrictEqual(Fake.waits(api.arrived), [0])
      }))
  }

  for (const garbage of ["soon", "-1", "1.5", "2 seconds", "Sun, 31 Feb 1994 08:49:47 GMT", "0x10", "2, 3", "NaN"]) {
    it.effect(`of ${JSON.stringify(garbage)} is ignored: the back-off decides`, () =>
      Effect.gen(function*() {
        const api = limited({ "retry-after": garbage })
        yield* passing(get(api, "/parts"))
        assert.lengthOf(api.arrived, 2)
        assert.isAtMost(Fake.waits(api.arrived)[0] ?? Number.NaN, 250)
      }))
  }

  it.effect("of hours fails at once and says when to come back", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000_000)
      const api = limited({ "retry-after": "12397" })
      // Nobody moves the clock: it must not wait.
      const error = yield* Effect.flip(get(api, "/parts", { limit: () => "daily" }))
      assert.strictEqual(error._tag, "RateLimited")
      if (error._tag === "RateLimited") {
        assert.strictEqual(error.retryAt.epochMillis, 1_000_000 + 12_397_000)
        assert.strictEqual(error.limit, "daily")
        assert.include(error.message, "1970-01-01T03:43:17")
      }
      assert.lengthOf(api.arrived, 1)
    }))

  it.effect("of exactly the caller's patience is waited for, one second more is not", () =>
    Effect.gen(function*() {
      const retry = RetryPolicy.make({ patience: "10 seconds" })
      const patient = limited({ "retry-after": "10" })
      yield* passing(get(patient, "/parts", { retry }))
      assert.deepStrictEqual(Fake.waits(patient.arrived), [10_000])
      const impatient = limited({ "retry-after": "11" })
      const error = yield* Effect.flip(get(impatient, "/parts", { retry }))
      assert.strictEqual(error._tag, "RateLimited")
      assert.lengthOf(impatient.arrived, 1)
    }))

  it.effect("is obeyed on a 503 too, and fails at once when it is beyond patience", () =>
    Effect.gen(function*() {
      const soon = Fake.makeFakeApi({ "/parts": [Fake.reply(503, null, { "retry-after": "7" }), Fake.ok] })
      yield* passing(get(soon, "/parts"))
      assert.deepStrictEqual(Fake.waits(soon.arrived), [7000])
      const late = Fake.makeFakeApi({ "/parts": [Fake.reply(503, null, { "retry-after": "3600" }), Fake.ok] })
      const error = yield* Effect.flip(get(late, "/parts"))
      assert.strictEqual(error._tag === "ApiError" && error.status, 503)
      assert.strictEqual(error._tag === "ApiError" && error.retryAt?.epochMillis, 7000 + 3_600_000 + 293_000)
      assert.lengthOf(late.arrived, 1)
    }))

  it.effect("missing, with every attempt used up, still says when a further request makes sense", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(429) })
      const error = yield* passing(Effect.flip(get(api, "/parts")))
      assert.lengthOf(api.arrived, 6)
      const last = api.arrived[5]?.at ?? 0
      assert.isTrue(error._tag === "RateLimited" && error.retryAt.epochMillis > last)
    }))
})

describe("the limits around repetition", () => {
  const steady = Schedule.spaced("1 second")

  it.effect("start no attempt after the deadline", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(503) })
      yield* passing(Effect.flip(get(api, "/parts", { retry: RetryPolicy.make({ schedule: steady, deadline: "5 seconds" }) })))
      assert.deepStrictEqual(api.arrived.map((it) => it.at), [0, 1000, 2000, 3000, 4000, 5000])
    }))

  it.effect("count the deadline from the start of the first attempt, however long that took", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": [Effect.delay(Fake.reply(503), "10 seconds"), Fake.ok] })
      const error = yield* passing(
        Effect.flip(get(api, "/parts", { retry: RetryPolicy.make({ schedule: steady, deadline: "5 seconds" }) }))
      )
      assert.strictEqual(error._tag, "ApiError")
      assert.lengthOf(api.arrived, 1)
    }))

  it.effect("do not let a schedule's own wait exceed the caller's patience", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": [Fake.reply(503), Fake.ok] })
      const retry = RetryPolicy.make({ schedule: Schedule.spaced("1 minute"), patience: "59 seconds" })
      yield* Effect.flip(get(api, "/parts", { retry }))
      assert.lengthOf(api.arrived, 1)
    }))

  const crowd = (
    callers: number,
    budget: { readonly capacity: number; readonly refill: Duration.DurationInput }
  ) => {
    const client = parts({ retry: RetryPolicy.make({ schedule: steady, deadline: "10 seconds", budget }) })
    return passing(Effect.replicateEffect(Effect.exit(client.get("/parts")), callers, { concurrency: "unbounded" }))
  }

  it.effect("let a crowd of failing callers repeat no more than the budget has", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(503) })
      const exits = yield* crowd(100, { capacity: 7, refill: "1 hour" }).pipe(Effect.provide(against(api)))
      assert.lengthOf(api.arrived, 107)
      assert.isTrue(exits.every(Exit.isFailure))
    }))

  it.effect("fill the budget up again as time goes by, and never beyond its capacity", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(503) })
      yield* Effect.gen(function*() {
        const retry = RetryPolicy.make({
          schedule: Schedule.recurs(100),
          budget: { capacity: 4, refill: "10 seconds" }
        })
        const client = parts({ retry })
        const repetitions = (advance: Duration.DurationInput) =>
          Effect.gen(function*() {
            yield* TestClock.adjust(advance)
            const before = api.arrived.length
            yield* Effect.flip(client.get("/parts"))
            return api.arrived.length - before - 1
          })
        assert.strictEqual(yield* repetitions(0), 4)
        assert.strictEqual(yield* repetitions("9 seconds"), 0)
        assert.strictEqual(yield* repetitions("1 second"), 1)
        assert.strictEqual(yield* repetitions("25 seconds"), 2)
        // The five seconds left over are not lost.
        assert.strictEqual(yield* repetitions("5 seconds"), 1)
        assert.strictEqual(yield* repetitions("1 hour"), 4)
      }).pipe(Effect.provide(against(api)))
    }))

  it.effect("keep one product's failures from using up another product's budget", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/sick": Fake.reply(503), "/parts": [Fake.reply(503), Fake.ok] })
      yield* Effect.gen(function*() {
        const retry = RetryPolicy.make({ schedule: steady, budget: { capacity: 2, refill: "1 hour" } })
        yield* passing(Effect.flip(ApiClient.make(Acme, { product: "Sick", retry }).get("/sick")))
        assert.strictEqual((yield* passing(parts({ retry }).get("/parts"))).status, 200)
      }).pipe(Effect.provide(against(api)))
    }))

  it.effect("can be replaced for one call: the innermost policy counts, and none multiplies another", () =>
    Effect.gen(function*() {
      const policy = (times: number) =>
        RetryPolicy.make({ schedule: Schedule.intersect(steady, Schedule.recurs(times)), deadline: "1 hour" })
      const attempts = (wrap: <A, E, R>(it: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) =>
        Effect.gen(function*() {
          const api = Fake.makeFakeApi({ "/parts": Fake.reply(503) })
          yield* passing(Effect.flip(wrap(get(api, "/parts", { retry: policy(4) }))))
          return api.arrived.length
        })
      assert.strictEqual(yield* attempts((it) => it), 5)
      assert.strictEqual(yield* attempts((it) => RetryPolicy.withPolicy(it, policy(2))), 3)
      assert.strictEqual(yield* attempts((it) => it.pipe(RetryPolicy.withPolicy(policy(1)), RetryPolicy.withPolicy(policy(9)))), 2)
      assert.strictEqual(
        yield* attempts((it) => RetryPolicy.withPolicy(it, RetryPolicy.make({ schedule: RetryPolicy.none }))),
        1
      )
    }))

  it.effect("that one call brings along leave the budget of all other calls alone", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(503) })
      yield* Effect.gen(function*() {
        const schedule = Schedule.recurs(100)
        const client = parts({ retry: RetryPolicy.make({ schedule, budget: { capacity: 10, refill: "1 day" } }) })
        const poor = RetryPolicy.make({ schedule, budget: { capacity: 2, refill: "1 day" } })
        yield* Effect.flip(client.get("/parts")).pipe(RetryPolicy.withPolicy(poor))
        assert.lengthOf(api.arrived, 3)
        yield* Effect.flip(client.get("/parts"))
        assert.lengthOf(api.arrived, 3 + 11)
      }).pipe(Effect.provide(against(api)))
    }))

  it.effect.prop(
    "never make more attempts than callers and budget together",
    [
      FastCheck.integer({ min: 0, max: 20 }),
      FastCheck.integer({ min: 1, max: 30 }),
      FastCheck.array(FastCheck.constantFrom(200, 429, 500, 503), { minLength: 1, maxLength: 5 })
    ],
    ([capacity, callers, statuses]) =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({
          "/parts": (request) => Fake.reply(statuses[request.earlier % statuses.length] ?? 500)
        })
        yield* crowd(callers, { capacity, refill: "1 day" }).pipe(Effect.provide(against(api)))
        assert.isAtMost(api.arrived.length, callers + capacity)
      }),
    { fastCheck: { numRuns: 12 } }
  )
})

describe("a failure", () => {
  const reasons: ReadonlyArray<readonly [number, ApiError.Reason]> = [
    [400, "BadRequest"],
    [422, "BadRequest"],
    [401, "Unauthorized"],
    [403, "Forbidden"],
    [404, "NotFound"],
    [405, "MethodNotAllowed"],
    [409, "Conflict"],
    [418, "Unexpected"],
    [500, "ServerError"],
    [501, "ServerError"],
    [502, "Unavailable"],
    [503, "Unavailable"],
    [504, "Unavailable"]
  ]
  for (const [status, reason] of reasons) {
    it.effect(`with status ${status} has the reason ${reason}`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/v1/parts/7": Fake.json({ title: "No", detail: "because" }, status) })
        const error = yield* passing(Effect.flip(get(api, "/parts/7?key=abc", { path: "/v1" })))
        assert.strictEqual(error._tag, "ApiError")
        if (error._tag !== "ApiError") return
        assert.strictEqual(error.reason, reason)
        assert.strictEqual(error.status, status)
        assert.strictEqual(error.method, "GET")
        assert.strictEqual(error.product, "Parts")
        assert.strictEqual(error.path, "/v1/parts/7")
        assert.strictEqual(error.problem.detail, "because")
        assert.include(error.message, "because")
        assert.notInclude(error.message, "key=abc")
      }))
  }

  it.effect("without an answer names the transport's code, the origin and the path", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.dropped("ECONNRESET") })
      const error = yield* passing(Effect.flip(get(api, "/parts?secret=1")))
      assert.strictEqual(error._tag, "RequestFailed")
      if (error._tag !== "RequestFailed") return
      assert.strictEqual(error.reason, "Transport")
      assert.strictEqual(error.code, "ECONNRESET")
      assert.strictEqual(error.origin, base)
      assert.strictEqual(error.path, "/parts")
      assert.lengthOf(api.arrived, 4)
    }))

  it.effect("keeps no text that pretends to be an error code", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.dropped(`failed with ${canary}`) })
      const error = yield* passing(Effect.flip(get(api, "/parts")))
      assert.strictEqual(error._tag === "RequestFailed" && error.code, undefined)
      assertNoSecret(printed(error))
    }))

  it.effect("of an attempt that takes too long is a Timeout, after the repetitions", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.hanging })
      const error = yield* passing(Effect.flip(get(api, "/parts", { timeout: "2 seconds" })))
      assert.strictEqual(error._tag === "RequestFailed" && error.reason, "Timeout")
      assert.lengthOf(api.arrived, 4)
    }))

  it.effect("of a request that the transport cannot encode is InvalidRequest and is not repeated", () =>
    Effect.gen(function*() {
      let calls = 0
      const client = HttpClient.make((request) => {
        calls++
        return Effect.fail(new HttpClientError.RequestError({ request, reason: "Encode", cause: new Error(canary) }))
      })
      const layer = Layer.merge(
        Credentials.layerTest(Acme, { baseUrl: base, token: canary }),
        Layer.succeed(HttpClient.HttpClient, client)
      )
      for (const request of [HttpClientRequest.get("/parts"), HttpClientRequest.post("/parts")]) {
        calls = 0
        const error = yield* passing(Effect.flip(parts().execute(request))).pipe(Effect.provide(layer))
        assert.strictEqual(error._tag === "RequestFailed" && error.reason, "InvalidRequest")
        assert.strictEqual(calls, 1)
        assertNoSecret(printed(error))
      }
    }))

  it.effect("carries the hint of the provider", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.json({ title: "Nope" }, 403) })
      const error = yield* Effect.flip(get(api, "/parts", {
        hint: (body, problem) => body.status === 403 && problem.title === "Nope" ? "Not subscribed to this product?" : undefined
      }))
      assert.strictEqual(error._tag === "ApiError" && error.hint, "Not subscribed to this product?")
      assert.include(error.message, "Not subscribed to this product?")
    }))
})

describe("an error body", () => {
  const odd: ReadonlyArray<readonly [string, Fake.Answer]> = [
    ["that is empty", Fake.reply(404)],
    ["of zero bytes", Fake.reply(404, "")],
    ["of HTML", Fake.reply(404, "<html><body>Not found</body></html>", { "content-type": "text/html" })],
    ["of truncated JSON", Fake.reply(404, "{\"title\": \"No", { "content-type": "application/json" })],
    ["of JSON null", Fake.json(null, 404)],
    ["of a JSON array", Fake.json([1, 2], 404)],
    ["of fields of other types", Fake.json({ title: 5, detail: { a: 1 } }, 404)],
    ["of invalid UTF-8", Fake.reply(404, new Uint8Array([0xff, 0xfe, 0x80, 0x7b]), { "content-type": "application/json" })],
    ["of JSON nested without end", Fake.reply(404, "[".repeat(200_000))],
    ["that breaks off", Fake.brokenBody(404, "{\"title\":")]
  ]
  for (const [name, answer] of odd) {
    it.effect(`${name} becomes an ApiError with a Problem that says nothing`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/parts": answer })
        const error = yield* passing(Effect.flip(get(api, "/parts")))
        assert.strictEqual(error._tag === "ApiError" && error.reason, "NotFound")
        assert.strictEqual(error._tag === "ApiError" && error.problem.dialect, "none")
      }))
  }

  it.effect("of JSON that is labelled as something else is read all the same", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(404, "{\"title\":\"Gone\"}", { "content-type": "text/html" }) })
      const error = yield* Effect.flip(get(api, "/parts"))
      assert.strictEqual(error._tag === "ApiError" && error.problem.title, "Gone")
    }))

  for (const [name, times] of [["10 MB", 160], ["1 GB", 16_384]] as const) {
    it.effect(`of ${name} is read up to a limit, and the rest is cancelled`, () =>
      Effect.gen(function*() {
        const body = Fake.meteredBody(times * 64 * 1024)
        const api = Fake.makeFakeApi({ "/parts": body.answer(404) })
        const error = yield* Effect.flip(get(api, "/parts"))
        assert.strictEqual(error._tag === "ApiError" && error.reason, "NotFound")
        assert.isAtMost(body.pulled(), 1024 * 1024)
        assert.isTrue(body.cancelled())
      }))
  }

  it.effect("is read or cancelled before every further attempt", () =>
    Effect.gen(function*() {
      const body = Fake.meteredBody(10 * 1024 * 1024)
      const small = Fake.meteredBody(64 * 1024)
      const api = Fake.makeFakeApi({ "/parts": [body.answer(503), small.answer(503), Fake.ok] })
      yield* passing(get(api, "/parts"))
      assert.isTrue(body.cancelled())
      assert.strictEqual(small.pulled(), 64 * 1024)
    }))

  it.effect("with texts of any length keeps 2 KB of each, without control characters", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.json({ title: "a\u0000b\u001b[31mc\r\nd", detail: "x".repeat(100_000) }, 404) })
      const error = yield* Effect.flip(get(api, "/parts"))
      assert.strictEqual(error._tag, "ApiError")
      if (error._tag !== "ApiError") return
      assert.strictEqual(error.problem.title, "a b [31mc d")
      assert.strictEqual(error.problem.detail?.length, 2048)
    }))

  it.effect("keeps the server's words as they are where they happen to contain a header value that is no secret", () =>
    Effect.gen(function*() {
      const detail = "The token is not present when the client sends the request"
      const api = Fake.makeFakeApi({ "/parts": Fake.json({ detail }, 404) })
      const credentials = Credentials.layerTest(Acme, { baseUrl: base, headers: { "x-locale-language": "en" } })
      const error = yield* Effect.flip(parts().get("/parts")).pipe(Effect.provide(Layer.merge(credentials, api.client)))
      assert.strictEqual(error._tag === "ApiError" && error.problem.detail, detail)
    }))

  it.effect("that echoes our secrets does not get them into the error", () =>
    Effect.gen(function*() {
      const forms = (secret: string) => [
        secret,
        `Bearer ${secret}`,
        base64(secret),
        base64(secret).replace(/=+$/, ""),
        Buffer.from(secret).toString("base64url"),
        encodeURIComponent(secret),
        encodeURIComponent(secret).toLowerCase(),
        new URLSearchParams({ a: secret }).toString()
      ].join(" | ")
      const detail = `you sent ${forms(canary)} and ${forms(secretHeader)}`
      for (const status of [400, 401, 403, 404, 429, 500]) {
        const api = Fake.makeFakeApi({ "/parts": Fake.json({ title: detail, detail }, status) })
        for (const request of [get, post]) {
          const error = yield* passing(Effect.flip(request(api, "/parts")))
          assertNoSecret(printed(error))
        }
      }
    }))

  it.effect("that puts a secret across the 2 KB limit does not get a part of it into the error", () =>
    Effect.gen(function*() {
      for (const length of [2040, 8190, 8200, 8210, 8230]) {
        const api = Fake.makeFakeApi({ "/parts": Fake.json({ detail: `${"x".repeat(length)}${canary}` }, 404) })
        const error = yield* Effect.flip(get(api, "/parts"))
        assert.notInclude(printed(error), canary.slice(0, 8))
      }
    }))

  it.effect.prop(
    "of any bytes at all gives a Problem",
    [FastCheck.uint8Array({ maxLength: 2000 }), FastCheck.integer({ min: 400, max: 428 })],
    ([bytes, status]) =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/parts": Fake.reply(status, new Uint8Array(bytes)) })
        const error = yield* passing(Effect.flip(get(api, "/parts", { retry: RetryPolicy.make({ schedule: RetryPolicy.none }) })))
        assert.isTrue(error._tag === "ApiError" && error.problem instanceof ApiError.Problem)
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.effect.prop(
    "of any JSON at all gives a Problem",
    [FastCheck.jsonValue()],
    ([value]) =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({ "/parts": Fake.json(value, 404) })
        const error = yield* Effect.flip(get(api, "/parts"))
        assert.isTrue(error._tag === "ApiError" && error.problem instanceof ApiError.Problem)
      }),
    { fastCheck: { numRuns: 40 } }
  )
})

describe("a redirect", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it.effect(`${status} inside the origin is followed for GET and HEAD, with credentials`, () =>
      Effect.gen(function*() {
        for (const method of ["GET", "HEAD"] as const) {
          const api = Fake.makeFakeApi({ "/old": Fake.redirectTo(status, "/new?page=2"), "/new": Fake.reply(200) })
          const response = yield* parts().execute(
            HttpClientRequest.make(method)("/old", { headers: { "x-mine": "1" } })
          ).pipe(Effect.provide(against(api)))
          assert.strictEqual(response.status, 200)
          assert.strictEqual(api.arrived[1]?.url, `${base}/new?page=2`)
          assert.strictEqual(api.arrived[1]?.method, method)
          assert.strictEqual(api.arrived[1]?.headers["authorization"], `Bearer ${canary}`)
          assert.strictEqual(api.arrived[1]?.headers["x-mine"], "1")
        }
      }))

    it.effect(`${status} to another origin fails with ForeignOrigin and sends nothing there`, () =>
      Effect.gen(function*() {
        for (const location of [
          "https://evil.test/x",
          "//evil.test/x",
          "/\t/evil.test/x",
          "\\\\evil.test\\x",
          "https://api.acme.test.evil.test/x",
          "https://api.acme.test:8443/x",
          "http://api.acme.test/x",
          "https://user:pw@api.acme.test/x",
          "javascript:alert(1)",
          "https://["
        ]) {
          const api = Fake.makeFakeApi({ "/old": Effect.sync(() => new Response(null, { status, headers: [["location", location]] })) })
          const error = yield* Effect.flip(get(api, "/old"))
          assert.strictEqual(error._tag, "ForeignOrigin", location)
          assert.lengthOf(api.arrived, 1)
          assertNoSecret(printed(error))
        }
      }))

    it.effect(`${status} of a POST, PUT or DELETE is not followed`, () =>
      Effect.gen(function*() {
        for (const location of ["/new", "https://evil.test/x"]) {
          for (const method of ["POST", "PUT", "DELETE", "PATCH"] as const) {
            const api = Fake.makeFakeApi({ "/old": Fake.redirectTo(status, location) })
            const error = yield* passing(Effect.flip(
              parts({ repetition: () => "always" }).execute(HttpClientRequest.make(method)("/old")).pipe(
                Effect.provide(against(api))
              )
            ), "1 second")
            assert.strictEqual(error._tag === "ApiError" && error.status, status)
            assert.lengthOf(api.arrived, 1)
          }
        }
      }))
  }

  it.effect("is followed at most five times", () =>
    Effect.gen(function*() {
      const endless = Fake.makeFakeApi({ "/loop": Fake.redirectTo(302, "/loop") })
      const error = yield* Effect.flip(get(endless, "/loop"))
      assert.strictEqual(error._tag === "ApiError" && error.status, 302)
      assert.lengthOf(endless.arrived, 6)
      const hop = Fake.redirectTo(302, "/hop")
      const five = Fake.makeFakeApi({ "/hop": [hop, hop, hop, hop, hop, Fake.ok] })
      assert.strictEqual((yield* get(five, "/hop")).status, 200)
    }))

  it.effect("that leads back to a path above the product's is still inside the origin", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/v1/a/b": Fake.redirectTo(302, "../../../c"), "/c": Fake.ok })
      yield* get(api, "/a/b", { path: "/v1" })
      assert.strictEqual(api.arrived[1]?.url, `${base}/c`)
    }))

  it.effect("shows the request that the program made, not the authorised one, in the response", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/old": Fake.redirectTo(302, "/new"), "/new": Fake.ok })
      const response = yield* get(api, "/old")
      assert.isUndefined(response.request.headers["authorization"])
    }))
})

describe("a target", () => {
  const refused: ReadonlyArray<string> = [
    "//evil.test/x",
    "///evil.test/x",
    "/\\evil.test/x",
    "\\\\evil.test\\x",
    "\\/evil.test/x",
    "@evil.test/x",
    "user@evil.test/x",
    "user:pw@evil.test",
    ".evil.test/x",
    "evil.test/x",
    ":8443/x",
    "",
    "?q=1",
    "#x",
    "https://evil.test/x",
    "https://api.acme.test.evil.test/x",
    "https://api.acme.test@evil.test/x",
    "https://api.acme.test\\@evil.test/x",
    "https://api.acme.test:443@evil.test/x",
    "https://api.acme.test%2f@evil.test/x",
    "https://user@api.acme.test/x",
    "https://user:pw@api.acme.test/x",
    "https://@api.acme.test/x",
    "https://api.acme.test:8443/x",
    "https://api.acme.test\t.evil.test/x",
    "https:\\\\api.acme.test/x",
    "https:api.acme.test/x",
    "https:/api.acme.test/x",
    "http://api.acme.test/x",
    "HTTP://api.acme.test/x",
    "http://127.0.0.1/x",
    "ftp://api.acme.test/x",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/plain,x",
    "blob:https://api.acme.test/x",
    "/\t/evil.test",
    "/\n/evil.test",
    "\t//evil.test",
    " https://api.acme.test/x",
    "/a\tb",
    "/a\nb",
    "/a\r\nHost: evil.test",
    "/a\u0000b",
    "/a b",
    "/a\\..\\b",
    "/.",
    "/..",
    "/./x",
    "/../x",
    "/a/..",
    "/a/../../x",
    "/a/./x",
    "/a/..?q=1",
    "/a/..#x",
    "/%2e%2e/x",
    "/%2E%2E/x",
    "/.%2e/x",
    "/%2e/x",
    "/a/%2e.",
    "https://api.acme.test/../x",
    "https://api.acme.test/a/%2e%2e/x",
    "https://api.acme.test/a\\..\\x"
  ]
  for (const prefix of [undefined, "/v1"]) {
    it.effect(`that could leave the origin or the path is refused before anything is sent, with ${prefix ?? "no"} prefix`, () =>
      Effect.gen(function*() {
        const letThrough: Array<string> = []
        for (const url of refused) {
          for (const method of ["GET", "POST"] as const) {
            const api = Fake.makeFakeApi({})
            const error = yield* Effect.flip(
              parts({ path: prefix }).execute(HttpClientRequest.setUrl(HttpClientRequest.make(method)("/"), url))
            ).pipe(Effect.provide(against(api)))
            const how = error._tag === "RequestFailed" ? error.reason : error._tag
            if ((how !== "ForeignOrigin" && how !== "InvalidRequest") || api.arrived.length > 0) {
              letThrough.push(`${method} ${JSON.stringify(url)}: ${how}`)
            }
            assertNoSecret(printed(error))
          }
        }
        assert.deepStrictEqual(letThrough, [])
      }))
  }

  const accepted: ReadonlyArray<readonly [string, string]> = [
    ["/", "/"],
    ["/a/b", "/a/b"],
    ["/a//b", "/a//b"],
    ["/a/..b", "/a/..b"],
    ["/a/...", "/a/..."],
    ["/.well-known/x", "/.well-known/x"],
    ["/a@b:c", "/a@b:c"],
    ["/a%2Fb", "/a%2Fb"],
    ["/a?to=//evil.test", "/a?to=//evil.test"],
    ["/a?path=x/../y", "/a?path=x/../y"],
    ["/a?path=..", "/a?path=.."],
    ["https://api.acme.test/a", "/a"],
    ["https://api.acme.test", "/"],
    ["https://api.acme.test?x=1", "/?x=1"]
  ]
  it.effect("that is a path or a full URL of the origin is sent there", () =>
    Effect.gen(function*() {
      const sent: Array<readonly [string, string]> = []
      for (const [url] of accepted) {
        const api = Fake.makeFakeApi({})
        yield* Effect.exit(get(api, url))
        sent.push([url, api.arrived[0]?.url.slice(base.length) ?? "not sent"])
      }
      assert.deepStrictEqual(sent, [...accepted])
    }))

  it.effect.prop(
    "of any text either goes to the one origin or nowhere",
    [FastCheck.oneof(
      FastCheck.webUrl(),
      FastCheck.string(),
      FastCheck.array(FastCheck.constantFrom("/", "\\", ".", "..", "@", ":", "%2e", "evil.test", base, "https:", "\t", "?", "#", "a"), {
        maxLength: 6
      }).map((it) => it.join(""))
    )],
    ([url]) =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({})
        const request = HttpClientRequest.setUrl(HttpClientRequest.get("/"), url)
        yield* Effect.exit(parts().execute(request).pipe(Effect.provide(against(api))))
        for (const it of api.arrived) assert.strictEqual(new URL(it.url).origin, base)
      }),
    { fastCheck: { numRuns: 150 } }
  )

  it("is built from parameters without letting one of them change the path", () => {
    assert.strictEqual(ApiClient.path`/search/${"LM317/NOPB"}/productdetails`, "/search/LM317%2FNOPB/productdetails")
    assert.strictEqual(ApiClient.path`/a/${"x?y#z"}/${7}`, "/a/x%3Fy%23z/7")
    assert.strictEqual(ApiClient.path`/a/${"100%"}`, "/a/100%25")
  })

  for (const parameter of ["", ".", "..", "../..", "a/../b", "..\\x", "\ud800"]) {
    it.effect(`with the parameter ${JSON.stringify(parameter)} is refused`, () =>
      Effect.gen(function*() {
        const api = Fake.makeFakeApi({})
        const error = yield* Effect.flip(get(api, ApiClient.path`/search/${parameter}/productdetails`))
        assert.strictEqual(error._tag === "RequestFailed" && error.reason, "InvalidRequest")
        assert.lengthOf(api.arrived, 0)
      }))
  }
})

describe("the response that is handed out", () => {
  it.effect("prints no credentials, however it is printed", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.json({ ok: true }, 200, { "x-request-id": "7" }) })
      const response = yield* get(api, "/parts")
      const text = printed(response)
      assertNoSecret(text)
      assert.include(text, "/parts")
      assert.include(NodeUtil.inspect(response), "200")
    }))

  it.effect("prints no credentials with the errors of its body", () =>
    Effect.gen(function*() {
      const readers: ReadonlyArray<(it: HttpClientResponse.HttpClientResponse) => Effect.Effect<unknown, unknown>> = [
        (it) => it.json,
        (it) => it.formData,
        (it) => Stream.runCollect(it.stream),
        (it) => it.text,
        (it) => it.arrayBuffer,
        (it) => it.urlParamsBody
      ]
      for (const read of readers) {
        const api = Fake.makeFakeApi({ "/parts": Fake.brokenBody(200, `{"a": "${canary}`) })
        const exit = yield* Effect.exit(Effect.flatMap(get(api, "/parts"), read))
        assert.isTrue(Exit.isFailure(exit))
        assertNoSecret(printed(exit))
        if (Exit.isFailure(exit)) {
          assertNoSecret(Cause.pretty(exit.cause, { renderErrorCause: true }))
          for (const error of Chunk.toReadonlyArray(Cause.failures(exit.cause))) assertNoSecret(printed(error))
        }
      }
    }))

  it.effect("does not quote the body in the error when the body is no JSON", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(200, `not JSON ${canary}`) })
      const error = yield* Effect.flip(Effect.flatMap(get(api, "/parts"), (it) => it.json))
      assert.strictEqual(error._tag, "ResponseError")
      assertNoSecret(printed(error))
    }))

  it.effect("gives status, headers, text, bytes and stream as the server sent them", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.reply(201, "a=1", { "x-one": "1", "set-cookie": "c=2" }) })
      assert.strictEqual((yield* get(api, "/parts")).status, 201)
      assert.strictEqual((yield* get(api, "/parts")).headers["x-one"], "1")
      assert.strictEqual(yield* Effect.flatMap(get(api, "/parts"), (it) => it.text), "a=1")
      assert.strictEqual((yield* Effect.flatMap(get(api, "/parts"), (it) => it.arrayBuffer)).byteLength, 3)
      const chunks = yield* Effect.flatMap(get(api, "/parts"), (it) => Stream.runCollect(it.stream))
      assert.strictEqual(new TextDecoder().decode(Chunk.unsafeGet(chunks, 0)), "a=1")
    }))

  it.effect("leaves the body of a success unread: it may be as long as it likes", () =>
    Effect.gen(function*() {
      const body = Fake.meteredBody(10 * 1024 * 1024)
      const api = Fake.makeFakeApi({ "/parts": body.answer(200) })
      const response = yield* get(api, "/parts")
      assert.isAtMost(body.pulled(), 64 * 1024)
      const size = yield* Stream.runFold(response.stream, 0, (sum, chunk) => sum + chunk.byteLength)
      assert.strictEqual(size, 10 * 1024 * 1024)
    }))
})

describe("decodeJson", () => {
  const Parts = Schema.Struct({ Products: Schema.Array(Schema.Struct({ Name: Schema.String, UnitPrice: Schema.Number })) })
  const decode = (answer: Fake.Answer) => {
    const api = Fake.makeFakeApi({ "/parts": answer })
    return Effect.flatMap(get(api, "/parts?q=1"), ApiClient.decodeJson("Parts", Parts))
  }

  it.effect("gives what the schema promises and ignores what it does not name", () =>
    Effect.gen(function*() {
      const body = { Products: [{ Name: "a", UnitPrice: 1.5, More: 1 }], Count: 1 }
      assert.deepStrictEqual(yield* decode(Fake.json(body)), { Products: [{ Name: "a", UnitPrice: 1.5 }] })
    }))

  it.effect("says where a body is wrong and what was expected there, never the value", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        decode(Fake.json({ Products: [{ Name: "a", UnitPrice: 1 }, { Name: "b", UnitPrice: "canary-value" }] }))
      )
      assert.strictEqual(error._tag, "UnexpectedResponse")
      if (error._tag !== "UnexpectedResponse") return
      assert.strictEqual(error.at, "Products[1].UnitPrice")
      assert.strictEqual(error.expected, "a number")
      assert.strictEqual(error.status, 200)
      assert.strictEqual(error.path, "/parts")
      assert.include(error.message, "Products[1].UnitPrice")
      assert.notInclude(printed(error), "canary-value")
    }))

  for (const [name, answer] of [
    ["HTML", Fake.reply(200, "<html>canary-value</html>")],
    ["an empty body", Fake.reply(200)],
    ["truncated JSON", Fake.reply(200, "{\"Products\": [{\"Name\": \"canary-value\"")]
  ] as const) {
    it.effect(`says that ${name} is no JSON, and no more`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(decode(answer))
        assert.strictEqual(error._tag === "UnexpectedResponse" && error.expected, "JSON")
        assert.notInclude(printed(error), "canary-value")
      }))
  }

  it.effect("fails with RequestFailed when the connection breaks while a GET's body is read", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(decode(Fake.brokenBody(200, "{\"Products\": [")))
      assert.strictEqual(error._tag === "RequestFailed" && error.reason, "Transport")
    }))

  it.effect("does not invite a repetition when the connection breaks while the reply to a POST is read", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/orders": Fake.brokenBody(201, "{\"Order\": [") })
      const error = yield* Effect.flip(Effect.flatMap(post(api, "/orders"), ApiClient.decodeJson("Orders", Parts)))
      // The order was placed: "try again later" would place it twice.
      assert.notInclude(error.message, "Try again")
      assert.notStrictEqual(error._tag as string, "RequestFailed")
    }))
})

describe("time", () => {
  it.effect("does not pass for a request that succeeds at once", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.ok })
      const before = yield* Clock.currentTimeMillis
      yield* get(api, "/parts")
      assert.strictEqual(yield* Clock.currentTimeMillis, before)
      assert.lengthOf(api.arrived, 1)
    }))

  it.effect("limits an attempt, and a timed-out attempt is aborted", () =>
    Effect.gen(function*() {
      let aborted = false
      const client = HttpClient.make((request, _url, signal) =>
        Effect.async<never, HttpClientError.RequestError>((resume) => {
          signal.addEventListener("abort", () => {
            aborted = true
            resume(Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport" })))
          })
        })
      )
      const error = yield* passing(Effect.flip(
        parts({ timeout: "1 second", retry: RetryPolicy.make({ schedule: RetryPolicy.none }) }).get("/parts")
      ), Duration.seconds(2)).pipe(
        Effect.provide(Layer.merge(Credentials.layerTest(Acme, { baseUrl: base }), Layer.succeed(HttpClient.HttpClient, client)))
      )
      assert.strictEqual(error._tag === "RequestFailed" && error.reason, "Timeout")
      assert.isTrue(aborted)
    }))
})

describe("a 401 that no renewal mends", () => {
  it.effect("costs a few token calls a minute, on however many paths of a product that otherwise works", () =>
    Effect.gen(function*() {
      const paths = Array.from({ length: 50 }, (_, index) => `/bad/${index}`)
      const refused = Fake.json({ title: "not subscribed" }, 401)
      const server = makeServer((guard) => ({
        "/ok": guard(Fake.ok),
        ...Object.fromEntries(paths.map((path) => [path, refused]))
      }))
      yield* Effect.gen(function*() {
        const client = parts()
        yield* passing(client.get("/ok"))
        for (const path of paths) {
          const error = yield* passing(Effect.flip(client.get(path)), "200 millis")
          assert.strictEqual(error._tag, "ApiError")
          assert.strictEqual((yield* passing(client.get("/ok"), "200 millis")).status, 200)
        }
        assert.isAtMost(server.tokenCalls(), 4)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("costs one token call for a POST that is sent once, however often it comes", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({
        "/ok": guard(Fake.ok),
        "/order": Fake.json({ title: "not subscribed" }, 401)
      }))
      yield* Effect.gen(function*() {
        const client = parts()
        yield* passing(client.get("/ok"))
        for (let time = 0; time < 20; time++) {
          yield* passing(Effect.flip(client.post("/order")), "200 millis")
          yield* passing(client.get("/ok"), "200 millis")
        }
        assert.strictEqual(server.tokenCalls(), 2)
        assert.lengthOf(server.api.at("/order"), 20)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("is forgotten as soon as the same request is accepted", () =>
    Effect.gen(function*() {
      let lagging = 0
      const server = makeServer((guard) => ({
        "/parts": (request) => lagging-- > 0 ? Fake.json({ title: "not yet" }, 401) : guard(Fake.ok)(request)
      }))
      yield* Effect.gen(function*() {
        const client = parts()
        yield* passing(client.get("/parts"), "1 second")
        // The old token, and for a moment the new one too.
        lagging = 2
        yield* passing(Effect.flip(client.get("/parts")), "1 second")
        assert.strictEqual((yield* passing(client.get("/parts"), "1 second")).status, 200)
        yield* TestClock.adjust("5 seconds")
        yield* server.revoke
        assert.strictEqual((yield* passing(client.get("/parts"), "1 second")).status, 200)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("of many requests at once is one vain renewal, and does not keep the next 401 from being mended", () =>
    Effect.gen(function*() {
      const paths = ["/a", "/b", "/c", "/d"]
      const server = makeServer((guard) => ({
        "/ok": guard(Fake.ok),
        ...Object.fromEntries(paths.map((path) => [path, Fake.json({ title: "not subscribed" }, 401)]))
      }))
      yield* Effect.gen(function*() {
        const client = parts()
        yield* passing(client.get("/ok"), "1 second")
        yield* passing(Effect.forEach(paths, (path) => Effect.flip(client.get(path)), { concurrency: "unbounded" }), "1 second")
        assert.strictEqual(server.tokenCalls(), 2)
        yield* server.revoke
        assert.strictEqual((yield* passing(client.get("/ok"), "1 second")).status, 200)
        assert.strictEqual(server.tokenCalls(), 3)
      }).pipe(Effect.provide(server.layer))
    }))

  it.effect("is not waited for long by a POST that is sent once", () =>
    Effect.gen(function*() {
      let hangs = false
      const server = makeServer((guard) => ({ "/ok": guard(Fake.ok), "/order": Fake.json({}, 401) }))
      const hanging = HttpClient.transform(
        Context.get(yield* Layer.build(server.api.client), HttpClient.HttpClient),
        (effect, request) => hangs && request.url.endsWith("/token") ? Effect.never : effect
      )
      const layer = Layer.provideMerge(server.credentials, Layer.succeed(HttpClient.HttpClient, hanging))
      yield* Effect.gen(function*() {
        yield* passing(parts().get("/ok"))
        hangs = true
        const error = yield* passing(Effect.flip(parts({ timeout: "2 seconds" }).post("/order")), "3 seconds")
        assert.strictEqual(error._tag, "ApiError")
      }).pipe(Effect.provide(layer))
    }).pipe(Effect.scoped))
})

describe("a client that refuses statuses by itself", () => {
  it.effect("does not keep a 401 from being mended", () =>
    Effect.gen(function*() {
      const server = makeServer((guard) => ({ "/parts": guard(Fake.ok) }))
      const strict = Layer.map(server.api.client, (context) =>
        Context.add(context, HttpClient.HttpClient, HttpClient.filterStatusOk(Context.get(context, HttpClient.HttpClient))))
      yield* Effect.gen(function*() {
        yield* passing(parts().get("/parts"))
        yield* server.revoke
        assert.strictEqual((yield* passing(parts().get("/parts"))).status, 200)
        assert.strictEqual(server.tokenCalls(), 2)
      }).pipe(Effect.provide(Layer.provideMerge(server.credentials, strict)))
    }))
})

describe("a retry budget", () => {
  const requestsWith = (refill: Duration.DurationInput) =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/parts": Fake.json({}, 503) })
      const client = parts({ retry: RetryPolicy.make({ budget: { capacity: 2, refill } }) })
      for (let call = 0; call < 20; call++) {
        yield* passing(Effect.flip(client.get("/parts")).pipe(Effect.provide(against(api))))
      }
      return api.arrived.length
    })

  it.effect("that never refills allows its capacity and no more", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* requestsWith(Duration.infinity), 22)
    }))

  it.effect("goes on to refill when the clock is put back", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("10 hours")
      const api = Fake.makeFakeApi({ "/parts": Fake.json({}, 503) })
      const client = parts({ retry: RetryPolicy.make({ budget: { capacity: 2, refill: "10 minutes" } }) })
      yield* Effect.gen(function*() {
        const failed = passing(Effect.flip(client.get("/parts")), "2 minutes")
        yield* failed
        assert.strictEqual(api.arrived.length, 3)
        yield* TestClock.setTime(9.5 * 3_600_000)
        yield* failed
        assert.strictEqual(api.arrived.length, 4)
        yield* TestClock.adjust("10 minutes")
        yield* failed
        assert.strictEqual(api.arrived.length, 6)
      }).pipe(Effect.provide(against(api)))
    }))

  it.effect("that refills at once is no limit", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* requestsWith(0), 80)
    }))
})

describe("a body that breaks off", () => {
  it.effect("of a POST that only reads is a failed request, not an unknown outcome", () =>
    Effect.gen(function*() {
      const api = Fake.makeFakeApi({ "/search": Fake.brokenBody(200, "{\"ok\":") })
      const error = yield* post(api, "/search", { repetition: () => "always" }).pipe(
        Effect.flatMap(ApiClient.decodeJson("Parts", Schema.Unknown)),
        Effect.flip
      )
      assert.deepInclude({ ...error }, { _tag: "RequestFailed", reason: "Transport" })
    }))
})
