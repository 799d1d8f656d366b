/** Redirects on real sockets, with every transport: credentials stay at their origin. */
import { FetchHttpClient, type HttpClient, HttpClientRequest } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, FiberRef, Layer, Option, Redacted, type Scope } from "effect"
import { ApiClient, Credentials, OAuth2, RetryPolicy } from "effect-credentials"
import { assertNothingSeen, canaries, observe } from "./utils/canaries.js"
import { makeFakeApi, json, redirectTo } from "./utils/fakeApi.js"
import { type Answer, type Loopback, makeLoopback } from "./utils/loopback.js"

class Acme extends Credentials.Tag("Acme")<Acme>() {}

const secrets = { client: canaries.clientSecret, key: canaries.apiKey, token: canaries.accessToken }

const transports: Readonly<Record<string, Layer.Layer<HttpClient.HttpClient>>> = {
  Fetch: FetchHttpClient.layer,
  Node: NodeHttpClient.layer,
  Undici: NodeHttpClient.layerUndici
}

const statuses = [301, 302, 303, 307, 308]

/** Where a redirect may point; `own` is the server that sends it. */
const locations: Readonly<Record<string, (own: URL, other: URL) => string | undefined>> = {
  "another origin": (_, other) => `${other.origin}/stolen`,
  "another origin without a scheme": (_, other) => `//${other.host}/stolen`,
  "another origin behind a tab": (_, other) => `/\t/${other.host}/stolen`,
  "another origin behind backslashes": (_, other) => `\\\\${other.host}\\stolen`,
  "another origin with our host as its user": (own, other) => `http://${own.hostname}@${other.host}/stolen`,
  "the same host by another name": (own) => `http://localhost:${own.port}/stolen`,
  "the same host by https": (own) => `https://${own.host}/stolen`,
  "a file": () => "file:///etc/passwd",
  "what is no URL": () => "http://[",
  "nothing": () => undefined
}

/** The same for those that stay. */
const staying: Readonly<Record<string, (own: URL) => string>> = {
  "a path": () => "/next",
  "the same origin": (own) => `${own.origin}/next`,
  "the same origin without a scheme": (own) => `//${own.host}/next`,
  "a relative path": () => "next"
}

const foreign = new Set(Object.keys(locations).filter((name) => name !== "nothing"))

const once = RetryPolicy.make({ schedule: RetryPolicy.none })

const layerOf = (base: string, token: string) =>
  Credentials.layer(
    Acme,
    OAuth2.clientCredentials({
      provider: "acme",
      baseUrl: base,
      tokenUrl: `${token}/token`,
      clientId: "my-app",
      clientSecret: Redacted.make(secrets.client),
      headers: { "x-acme-key": Redacted.make(secrets.key) },
      lifetimeWhenAbsent: "1 hour",
      retry: once
    })
  )

const parts = ApiClient.make(Acme, {
  product: "Parts",
  retry: once,
  repetition: () => "always"
})
const post = (path: string) => parts.execute(HttpClientRequest.post(path).pipe(HttpClientRequest.bodyUnsafeJson({ order: 1 })))

/** A server whose answer the test sets, with a token endpoint that works unless the test says otherwise. */
interface Acted extends Loopback {
  answer: (path: string) => Answer
}

const server: Effect.Effect<Acted, never, Scope.Scope> = Effect.gen(function*() {
  const granted: Answer = {
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ access_token: secrets.token, expires_in: 1800 })
  }
  const made: { answer: Acted["answer"] } = { answer: (path) => path === "/token" ? granted : { status: 200, body: "{}" } }
  const loopback = yield* makeLoopback((request) => made.answer(request.path))
  return Object.assign(made, loopback)
})

const redirecting = (own: Acted, path: string, status: number, location: string | undefined): void => {
  const { answer } = own
  own.answer = (asked) => {
    if (asked !== path) return answer(asked)
    return { status, ...(location === undefined ? {} : { headers: { location } }) }
  }
}

const errorOf = <A, E extends { readonly _tag: string }>(exit: Exit.Exit<A, E>): string =>
  Exit.match(exit, { onSuccess: () => "success", onFailure: (cause) => cause._tag === "Fail" ? cause.error._tag : cause._tag })

describe("The control", () => {
  it.live("fetch on its own takes an API key, and after 307 the secret in a body, to another origin", () =>
    Effect.gen(function*() {
      const own = yield* server
      const other = yield* server
      redirecting(own, "/x", 307, `${other.origin}/stolen`)
      yield* Effect.promise(() =>
        fetch(`${own.origin}/x`, { method: "POST", headers: { "x-acme-key": secrets.key }, body: secrets.client })
      )
      assert.strictEqual(other.arrived[0]?.headers["x-acme-key"], secrets.key)
      assert.strictEqual(other.arrived[0]?.body, secrets.client)
    }).pipe(Effect.scoped))
})

for (const [name, transport] of Object.entries(transports)) {
  describe(`With ${name}`, () => {
    for (const status of statuses) {
      it.live(`a token endpoint that answers ${status} gets no second request, nor does anyone else`, () =>
        Effect.gen(function*() {
          const other = yield* server
          const everywhere: typeof locations = { ...locations, ...staying, "itself": () => "/token" }
          for (const [where, to] of Object.entries(everywhere)) {
            const own = yield* server
            const location = to(new URL(own.origin), new URL(other.origin))
            redirecting(own, "/token", status, location)
            const exit = yield* Effect.exit(
              Effect.flatMap(Acme, (acme) => acme.token).pipe(Effect.provide(layerOf(own.origin, own.origin)))
            )
            assert.strictEqual(errorOf(exit), "MalformedTokenResponse", where)
            assert.deepStrictEqual(own.arrived.map((it) => it.path), ["/token"], where)
            assert.deepStrictEqual(other.arrived, [], where)
          }
        }).pipe(Effect.scoped, Effect.provide(transport)))

      it.live(`an API that answers ${status} takes no credentials anywhere else`, () =>
        Effect.gen(function*() {
          const own = yield* server
          const other = yield* server
          yield* Effect.gen(function*() {
            for (const [where, to] of Object.entries(locations)) {
              const location = to(new URL(own.origin), new URL(other.origin))
              redirecting(own, "/x", status, location)
              own.arrived.length = 0
              const get = yield* Effect.exit(parts.get("/x"))
              assert.strictEqual(errorOf(get), foreign.has(where) ? "ForeignOrigin" : "ApiError", `GET ${where}`)
              const posted = yield* Effect.exit(post("/x"))
              assert.strictEqual(errorOf(posted), "ApiError", `POST ${where}`)
              assert.deepStrictEqual(
                own.arrived.filter((it) => it.path !== "/token").map((it) => `${it.method} ${it.path}`),
                ["GET /x", "POST /x"],
                where
              )
              assert.deepStrictEqual(other.arrived, [], where)
            }
          }).pipe(Effect.provide(layerOf(own.origin, own.origin)))
        }).pipe(Effect.scoped, Effect.provide(transport)))

      it.live(`an API that answers ${status} is followed inside its origin for GET and HEAD, with credentials, and never for POST`, () =>
        Effect.gen(function*() {
          const own = yield* server
          yield* Effect.gen(function*() {
            for (const [where, to] of Object.entries(staying)) {
              redirecting(own, "/x", status, to(new URL(own.origin)))
              yield* parts.get("/x", { headers: { "x-mine": "kept" } })
              yield* parts.head("/x")
              assert.strictEqual(errorOf(yield* Effect.exit(post("/x"))), "ApiError", where)
              const seen = own.arrived.splice(0).filter((it) => it.path !== "/token")
              assert.deepStrictEqual(
                seen.map((it) => `${it.method} ${it.path}`),
                ["GET /x", "GET /next", "HEAD /x", "HEAD /next", "POST /x"],
                where
              )
              assert.strictEqual(seen[1]?.headers["x-mine"], "kept", where)
              for (const { headers } of seen) {
                assert.strictEqual(headers.authorization, `Bearer ${secrets.token}`, where)
                assert.strictEqual(headers["x-acme-key"], secrets.key, where)
              }
            }
          }).pipe(Effect.provide(layerOf(own.origin, own.origin)))
        }).pipe(Effect.scoped, Effect.provide(transport)))
    }

    it.live("a loop ends after 5 hops", () =>
      Effect.gen(function*() {
        const own = yield* server
        redirecting(own, "/x", 302, "/x")
        const exit = yield* Effect.exit(parts.get("/x")).pipe(Effect.provide(layerOf(own.origin, own.origin)))
        assert.strictEqual(errorOf(exit), "ApiError")
        assert.strictEqual(own.arrived.filter((it) => it.path === "/x").length, 6)
      }).pipe(Effect.scoped, Effect.provide(transport)))

    it.live("a chain that leaves its origin at the end stops there", () =>
      Effect.gen(function*() {
        const own = yield* server
        const other = yield* server
        redirecting(own, "/x", 302, "/y")
        redirecting(own, "/y", 308, `${other.origin}/stolen`)
        const exit = yield* Effect.exit(parts.get("/x")).pipe(Effect.provide(layerOf(own.origin, own.origin)))
        assert.strictEqual(errorOf(exit), "ForeignOrigin")
        assert.deepStrictEqual(other.arrived, [])
      }).pipe(Effect.scoped, Effect.provide(transport)))

    it.live("a connection that is refused is a failure without secrets", () =>
      Effect.gen(function*() {
        const gone = yield* Effect.scoped(server)
        const own = yield* server
        for (const layer of [layerOf(gone.origin, own.origin), layerOf(own.origin, gone.origin)]) {
          const seen = yield* observe(Effect.provide(parts.get("/x"), layer))
          assert.isTrue(Exit.isFailure(seen.exit))
          assertNothingSeen("refused", seen)
        }
      }).pipe(Effect.scoped, Effect.provide(transport)))
  })
}

describe("From https to http", () => {
  it.effect("nothing is sent", () =>
    Effect.gen(function*() {
      for (const status of statuses) {
        const fake = makeFakeApi({
          "/token": json({ access_token: secrets.token, expires_in: 1800 }),
          "/x": redirectTo(status, "http://api.acme.test/x")
        })
        const layer = Layer.provideMerge(layerOf("https://api.acme.test", "https://api.acme.test"), fake.client)
        const exit = yield* Effect.exit(parts.get("/x")).pipe(Effect.provide(layer))
        assert.strictEqual(errorOf(exit), "ForeignOrigin")
        assert.deepStrictEqual(fake.arrived.map((it) => it.url), ["https://api.acme.test/token", "https://api.acme.test/x"])
      }
    }))
})

// -----------------------------------------------------------------------------
// The fiber's context
// -----------------------------------------------------------------------------

/** A fetch that tells what it was given, and answers as the test wants. */
const listening = (answer: (url: string, init: RequestInit) => Promise<Response>, below?: RequestInit) => {
  const calls: Array<{ readonly url: string; readonly init: RequestInit }> = []
  const fetched: typeof fetch = (input, init = {}) => {
    const url = String(input)
    if (url.endsWith("/token")) {
      return Promise.resolve(new Response(JSON.stringify({ access_token: secrets.token, expires_in: 1800 })))
    }
    calls.push({ url, init })
    return answer(url, init)
  }
  const client = below === undefined
    ? FetchHttpClient.layer
    : Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.RequestInit, below))
  const transport = Layer.provideMerge(client, Layer.succeed(FetchHttpClient.Fetch, fetched))
  return { calls, layer: Layer.provideMerge(layerOf("https://api.acme.test", "https://api.acme.test"), transport) }
}

const answering = () => Promise.resolve(new Response("{}"))
const context = FiberRef.get(FiberRef.currentContext)

/** The context is the same object before and after, and has no options for fetch that the program did not give. */
const unchanged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const before = yield* context
    const exit = yield* Effect.exit(effect)
    assert.strictEqual(yield* context, before)
    return exit
  })

describe("The program's own options for fetch", () => {
  it.effect("reach fetch, all but `redirect`", () =>
    Effect.gen(function*() {
      const { calls, layer } = listening(answering)
      yield* parts.get("/x").pipe(
        Effect.provideService(FetchHttpClient.RequestInit, { keepalive: true, referrerPolicy: "no-referrer", redirect: "follow" }),
        Effect.provide(layer)
      )
      const { init } = calls[0]!
      assert.deepInclude(init, { keepalive: true, referrerPolicy: "no-referrer", redirect: "manual" })
    }))

  it.effect("do not reach fetch where they were given below the client's Layer, as the page on security says", () =>
    Effect.gen(function*() {
      const { calls, layer } = listening(answering, { keepalive: true, redirect: "follow" })
      yield* Effect.provide(parts.get("/x"), layer)
      assert.strictEqual(calls[0]?.init.redirect, "manual")
      assert.isUndefined(calls[0]?.init.keepalive)
    }))

  it.effect("stay with the fiber that has them, however many run at once", () =>
    Effect.gen(function*() {
      const arrived = yield* Deferred.make<void>()
      const { calls, layer } = listening(async (url) => {
        if (url.endsWith("/second")) Effect.runSync(Deferred.succeed(arrived, undefined))
        else await Effect.runPromise(Deferred.await(arrived))
        return new Response("{}")
      })
      const withOptions = Effect.zipRight(
        parts.get("/first"),
        Effect.serviceOption(FetchHttpClient.RequestInit)
      ).pipe(Effect.provideService(FetchHttpClient.RequestInit, { keepalive: true }))
      const without = Effect.zipRight(parts.get("/second"), Effect.serviceOption(FetchHttpClient.RequestInit))
      const [first, second] = yield* Effect.gen(function*() {
        yield* Effect.flatMap(Acme, (acme) => acme.token)
        return yield* Effect.all([withOptions, without], { concurrency: "unbounded" })
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(first, Option.some({ keepalive: true }))
      assert.isTrue(Option.isNone(second))
      const keepalive = Object.fromEntries(calls.map(({ init, url }) => [new URL(url).pathname, init.keepalive]))
      assert.deepStrictEqual(keepalive, { "/first": true, "/second": undefined })
      assert.isTrue(calls.every(({ init }) => init.redirect === "manual"))
    }))
})

describe("The fiber's context is as it was", () => {
  const timed = ApiClient.make(Acme, { product: "Parts", timeout: "1 minute", retry: once })
  const outcomes: Readonly<Record<string, () => Promise<Response>>> = {
    "a success": answering,
    "an error": () => Promise.resolve(new Response(null, { status: 500 })),
    "a redirect that leaves": () => Promise.resolve(new Response(null, { status: 302, headers: { location: "https://other.test" } })),
    "a failed connection": () => Promise.reject(new TypeError("fetch failed"))
  }
  for (const [name, answer] of Object.entries(outcomes)) {
    it.effect(`after ${name}`, () =>
      Effect.gen(function*() {
        for (const client of [parts, timed]) {
          const { layer } = listening(answer)
          const exit = yield* unchanged(client.get("/x")).pipe(Effect.provide(layer))
          assert.strictEqual(Exit.isSuccess(exit), name === "a success")
        }
      }))
  }

  it.effect("after a defect of the transport", () =>
    Effect.gen(function*() {
      const dying = Layer.succeed(FetchHttpClient.Fetch, () => {
        throw new Error("a mistake")
      })
      const { layer } = listening(answering)
      yield* Effect.flatMap(Acme, (acme) =>
        Effect.zipRight(acme.token, Effect.provide(unchanged(parts.get("/x")), dying))).pipe(Effect.provide(layer))
    }))

  it.effect("after an interruption, for whoever cleans up", () =>
    Effect.gen(function*() {
      for (const client of [parts, timed]) {
        const started = yield* Deferred.make<void>()
        const { layer } = listening((_, init) => {
          Effect.runSync(Deferred.succeed(started, undefined))
          return new Promise((_, reject) => init.signal?.addEventListener("abort", () => reject(new Error("aborted"))))
        })
        yield* Effect.gen(function*() {
          yield* Effect.flatMap(Acme, (acme) => acme.token)
          const seen: Array<Context.Context<never>> = []
          const record = Effect.map(context, (it) => void seen.push(it))
          const fiber = yield* record.pipe(Effect.zipRight(client.get("/x")), Effect.ensuring(record), Effect.fork)
          yield* Deferred.await(started)
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(seen.length, 2)
          assert.strictEqual(seen[0], seen[1])
          assert.isTrue(Option.isNone(Context.getOption(seen[1]!, FetchHttpClient.RequestInit)))
        }).pipe(Effect.provide(layer))
      }
    }))
})
