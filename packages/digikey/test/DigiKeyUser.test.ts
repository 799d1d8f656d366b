import { DigiKeyUser, MyLists, ProductInformation, Quotes } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { HttpClient, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Duration, Effect, Exit, Fiber, Layer, Option, Redacted, Ref, TestClock } from "effect"
import { PendingAuthorization, TokenStore } from "effect-credentials"

const { Fault, TokenEndpoint } = DigiKeySimulator
const redirectUri = "https://app.example/callback"

/** A simulator and a store, without a login. */
const world = (options?: DigiKeySimulator.Options) =>
  Layer.mergeAll(
    DigiKeySimulator.layerHttpClient({ rateLimits: "off", ...options }),
    TokenStore.layerMemory,
    PendingAuthorization.layerMemory
  )

const user = (account: string, clientSecret?: Redacted.Redacted) =>
  Effect.map(Effect.flatMap(DigiKeySimulator.DigiKeySimulator, ({ credentials }) => credentials), (credentials) => ({
    ...credentials,
    ...(clientSecret === undefined ? {} : { clientSecret }),
    environment: "sandbox" as const,
    account
  }))

/** A person goes to the provider and comes back. */
const login = (account: string) =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    const flow = yield* DigiKeyUser.flow(yield* user(account))
    const { state, url, userAgent } = yield* flow.begin({ redirectUri })
    const { code } = yield* simulator.authorize({ account, redirectUri })
    const query = new URLSearchParams({ code: Redacted.value(code), state })
    yield* flow.complete({ callback: `${redirectUri}?${query}`, userAgent })
    return new URL(url)
  })

const asUser = <A, E, R>(account: string, body: Effect.Effect<A, E, R>, clientSecret?: Redacted.Redacted) =>
  Effect.flatMap(user(account, clientSecret), (options) => Effect.provide(body, DigiKeyUser.layer(options)))

const refresh = Effect.flatMap(DigiKeyUser.DigiKeyUser, ({ refresh }) => refresh)
const stats = Effect.flatMap(DigiKeySimulator.DigiKeySimulator, ({ stats }) => stats)

/** Waits for what waits for the clock. */
const passing = <A, E, R>(effect: Effect.Effect<A, E, R>, duration: Duration.DurationInput) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    // In steps: what is tried again waits anew, once it has seen that it failed.
    const steps = 20
    for (let step = 0; step < steps; step++) {
      yield* TestClock.adjust(Duration.times(Duration.decode(duration), 1 / steps))
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    }
    return yield* Fiber.join(fiber)
  })

describe("a DigiKey login", () => {
  it.effect("asks for a code as DigiKey documents it, without PKCE", () =>
    Effect.gen(function*() {
      const url = yield* login("alice")
      assert.strictEqual(url.origin + url.pathname, "https://sandbox-api.digikey.com/v1/oauth2/authorize")
      assert.deepStrictEqual([...url.searchParams.keys()].sort(), ["client_id", "redirect_uri", "response_type", "state"])
    }).pipe(Effect.provide(world())))

  it.effect("makes the requests of a Layer that was waiting for it work", () =>
    asUser("alice", Effect.gen(function*() {
      const error = yield* Effect.flip(Quotes.listQuotes())
      assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", reason: "NothingStored", account: "alice" })
      assert.strictEqual((yield* stats).tokenCalls, 0)
      yield* login("alice")
      const { QuoteId } = (yield* Quotes.createQuote({ QuoteName: "Prototype" })).Quote
      assert.deepStrictEqual((yield* Quotes.listQuotes()).Quotes.map((quote) => quote.QuoteId), [QuoteId])
    })).pipe(Effect.provide(world())))

  it.effect("is renewed by each refresh token once, for a day", () =>
    Effect.gen(function*() {
      yield* login("alice")
      yield* asUser("alice", Effect.gen(function*() {
        for (let hour = 0; hour < 24; hour++) {
          yield* MyLists.lists()
          yield* TestClock.adjust("1 hour")
        }
        yield* MyLists.lists()
      }))
      assert.deepInclude(yield* stats, { refreshTokensRedeemed: 24, refreshTokensReused: 0, familiesAlive: 1 })
    }).pipe(Effect.provide(world())))

  it.effect("keeps the refresh token that a reply leaves out", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* login("alice")
      yield* simulator.setTokenReply({ refresh_token: undefined })
      yield* asUser("alice", Effect.zipRight(refresh, refresh))
      yield* simulator.setTokenReply({})
      yield* asUser("alice", Effect.zipRight(refresh, Quotes.listQuotes()))
      assert.deepInclude(yield* stats, { refreshTokensRedeemed: 3, refreshTokensReused: 0, familiesAlive: 1 })
    }).pipe(Effect.provide(world())))

  it.effect("is not tried with a refresh token that has expired by the server's word", () =>
    Effect.gen(function*() {
      yield* login("alice")
      yield* TestClock.adjust("91 days")
      const { tokenCalls } = yield* stats
      const error = yield* Effect.flip(asUser("alice", Quotes.listQuotes()))
      assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", reason: "Expired" })
      assert.strictEqual((yield* stats).tokenCalls, tokenCalls)
    }).pipe(Effect.provide(world({ refreshTokenExpiresIn: 7775999 }))))

  it.effect("is tried where the server gave its refresh token no expiry", () =>
    Effect.gen(function*() {
      yield* login("alice")
      yield* TestClock.adjust("91 days")
      const { tokenCalls } = yield* stats
      const error = yield* Effect.flip(asUser("alice", Quotes.listQuotes()))
      assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", reason: "Refused" })
      assert.strictEqual((yield* stats).tokenCalls, tokenCalls + 1)
    }).pipe(Effect.provide(world())))
})

describe.each(["A", "B", "C", "E", "F"] as const)("a refused refresh token, in dialect %s", (tokenErrorDialect) => {
  it.effect("means a login, after one more look into the store, and is not sent twice", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* login("alice")
      const loads = yield* Ref.make(0)
      const counted = Layer.effect(TokenStore.TokenStore, Effect.map(TokenStore.TokenStore, (store) => ({
        ...store,
        load: (key: string) => Effect.zipRight(Ref.update(loads, (n) => n + 1), store.load(key))
      })))
      yield* asUser("alice", Effect.gen(function*() {
        yield* Quotes.listQuotes()
        yield* simulator.revokeUser("alice")
        yield* TestClock.adjust("2 hours")
        const before = { calls: (yield* stats).tokenCalls, loads: yield* Ref.get(loads) }
        const error = yield* Effect.flip(Quotes.listQuotes())
        assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", reason: "Refused", account: "alice" })
        assert.strictEqual((yield* stats).tokenCalls - before.calls, 1)
        // Before the lock, and once more after the refusal.
        assert.strictEqual((yield* Ref.get(loads)) - before.loads, 2)
        yield* Effect.flip(Quotes.listQuotes())
        assert.strictEqual((yield* stats).tokenCalls - before.calls, 1)
        yield* login("alice")
        yield* Quotes.listQuotes()
      })).pipe(Effect.provide(counted))
    }).pipe(Effect.provide(world({ tokenErrorDialect }))))
})

describe("a renewal that fails in any other way", () => {
  const cases = {
    "500": TokenEndpoint.Down({ status: 500 }),
    "503": TokenEndpoint.Down({ status: 503 }),
    "429": TokenEndpoint.Down({ status: 429 }),
    "a dropped connection": TokenEndpoint.Dropping(),
    "no answer": TokenEndpoint.Hanging()
  }
  it.effect.each(Object.keys(cases))("with %s, never means a login", (name) =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* login("alice")
      yield* asUser("alice", Effect.gen(function*() {
        yield* TestClock.adjust("2 hours")
        yield* simulator.setTokenEndpoint(cases[name as keyof typeof cases])
        const error = yield* passing(Effect.flip(Quotes.listQuotes()), "1 minute")
        assert.deepInclude({ ...error }, { _tag: "TokenEndpointUnavailable" })
        yield* simulator.setTokenEndpoint(TokenEndpoint.Healthy())
        yield* TestClock.adjust("2 minutes")
        yield* Quotes.listQuotes()
      }))
      assert.deepInclude(yield* stats, { refreshTokensReused: 0, familiesAlive: 1 })
    }).pipe(Effect.provide(world())))

  it.effect("with a refused client, is about the configuration", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* login("alice")
      const old = (yield* simulator.credentials).clientSecret
      const secret = yield* simulator.rotateSecret
      const error = yield* Effect.flip(asUser("alice", refresh, old))
      assert.deepInclude({ ...error }, { _tag: "CredentialsRejected", status: 401 })
      assert.include(error.message, "sandbox credentials")
      // The login has outlived the secret.
      yield* asUser("alice", Effect.zipRight(refresh, Quotes.listQuotes()), secret)
    }).pipe(Effect.provide(world())))
})

describe("a revoked access token", () => {
  it.effect("is renewed once for fifty requests, by the person's refresh token", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* login("alice")
      yield* asUser("alice", Effect.gen(function*() {
        yield* MyLists.lists()
        yield* simulator.revokeTokens
        yield* Effect.all(Array.from({ length: 50 }, () => MyLists.lists()), { concurrency: "unbounded" })
      }))
      assert.deepInclude(yield* stats, { refreshTokensRedeemed: 1, refreshTokensReused: 0 })
    }).pipe(Effect.provide(world())))

  it.effect("is not renewed for a quote, which is sent once", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      yield* login("alice")
      yield* asUser("alice", Effect.gen(function*() {
        yield* Quotes.listQuotes()
        yield* simulator.failNext(Fault.Respond({ status: 500, applied: true }), { path: "/quoting/v4" })
        const error = yield* Effect.flip(Quotes.createQuote({ QuoteName: "Once" }))
        assert.strictEqual(error._tag, "OutcomeUnknown")
        assert.strictEqual((yield* Quotes.listQuotes()).Quotes.length, 1)
      }))
    }).pipe(Effect.provide(world())))
})

describe("two people", () => {
  it.effect("have logins of their own under one client", () =>
    Effect.gen(function*() {
      yield* login("alice")
      yield* asUser("alice", Quotes.createQuote({ QuoteName: "Hers" }))
      const error = yield* Effect.flip(asUser("bob", Quotes.listQuotes()))
      assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", reason: "NothingStored" })
      yield* login("bob")
      assert.deepStrictEqual((yield* asUser("bob", Quotes.listQuotes())).Quotes, [])
      assert.strictEqual((yield* asUser("alice", Quotes.listQuotes())).Quotes.length, 1)
    }).pipe(Effect.provide(world())))
})

describe("DigiKeyUser.layerAsApp", () => {
  it.effect("lets the person's token serve for Product Information, with one token for both", () =>
    Effect.gen(function*() {
      yield* login("alice")
      const { tokenCalls } = yield* stats
      yield* asUser("alice", Effect.zip(
        ProductInformation.keywordSearch({ Keywords: "NE555" }),
        Quotes.listQuotes()
      ).pipe(Effect.provide(DigiKeyUser.layerAsApp)))
      assert.strictEqual((yield* stats).tokenCalls, tokenCalls)
    }).pipe(Effect.provide(world({ accountRequired: true }))))
})

describe("DigiKeyUser.layerConfig", () => {
  const variables = {
    DIGIKEY_CLIENT_ID: "simulator-client-id",
    DIGIKEY_CLIENT_SECRET: "simulator-client-secret",
    DIGIKEY_ENVIRONMENT: "sandbox"
  }
  const configured = (more: Record<string, string>) =>
    DigiKeyUser.layerConfig().pipe(
      Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries({ ...variables, ...more })))))
    )
  const identity = Effect.map(DigiKeyUser.DigiKeyUser, ({ identity }) => identity)

  it.effect("reads whose login it is from DIGIKEY_USER, and has a name for the only one", () =>
    Effect.gen(function*() {
      const named = yield* Effect.provide(identity, configured({ DIGIKEY_USER: "alice" }))
      const only = yield* Effect.provide(identity, configured({}))
      assert.deepStrictEqual([named, only].map(({ account }) => Option.getOrUndefined(account)), ["alice", "default"])
      assert.notStrictEqual(named.hash, only.hash)
      yield* login("alice")
      yield* Effect.provide(Quotes.listQuotes(), configured({ DIGIKEY_USER: "alice" }))
    }).pipe(Effect.provide(world())))

  it.effect.each(Object.keys(variables))("fails when %s is missing, and names it", (name) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.provide(identity, configured({ [name]: "" })))
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) assert.include(Cause.pretty(exit.cause), name)
    }).pipe(Effect.provide(world())))
})

it.effect("DigiKeyUser.layerTest needs no store, and requests carry its token to the sandbox", () =>
  Effect.gen(function*() {
    const sent = yield* Ref.make<ReadonlyArray<string>>([])
    const client = HttpClient.make((request) =>
      Effect.as(
        Ref.update(sent, (all) => [...all, `${request.url} ${request.headers["authorization"]}`]),
        HttpClientResponse.fromWeb(request, Response.json([]))
      ))
    yield* MyLists.lists().pipe(
      Effect.provide(DigiKeyUser.layerTest({ token: "fixed" })),
      Effect.provideService(HttpClient.HttpClient, client)
    )
    assert.deepStrictEqual(yield* Ref.get(sent), ["https://sandbox-api.digikey.com/mylists/v1/lists Bearer fixed"])
  }))

it.effect("DigiKeySimulator.layer has a person who has logged in", () =>
  Effect.gen(function*() {
    const { Quote } = yield* Quotes.createQuote({ QuoteName: "In one line" })
    assert.strictEqual((yield* Quotes.quote(Quote.QuoteId)).Quote.QuoteName, "In one line")
    yield* TestClock.adjust("2 hours")
    yield* Quotes.listQuotes()
    assert.deepInclude(yield* stats, { refreshTokensRedeemed: 1 })
  }).pipe(Effect.provide(DigiKeySimulator.layer())))
