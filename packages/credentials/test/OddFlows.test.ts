/** Five providers that do something their own way: what the kit has for each. */
import { HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, Redacted, Schema, TestClock } from "effect"
import { ApiClient, AuthFlow, Credentials, OAuth2, Token, TokenEndpoint } from "effect-credentials"
import { type FakeApi, json, makeFakeApi, ok, reply, type Routes } from "./utils/fakeApi.js"

class Odd extends Credentials.Tag("Odd")<Odd>() {}

const parts = ApiClient.make(Odd, { product: "Parts", path: "/v1" })

const tokenUrl = "https://login.odd.test/token"
const baseUrl = "https://api.odd.test"
const identity = { provider: "odd", clientId: "me", grant: "odd" }

/** Runs a program with credentials of a flow, against an API in memory. */
const withFlow = <A, E, R, F>(
  flow: Effect.Effect<AuthFlow.AuthFlow<R>, F>,
  routes: Routes,
  program: (fake: FakeApi) => Effect.Effect<A, E, Odd | Layer.Layer.Success<FakeApi["client"]>>
) => {
  const fake = makeFakeApi(routes)
  return program(fake).pipe(Effect.provide(Layer.provideMerge(Credentials.layer(Odd, flow), fake.client)))
}

/** Of the token that is had now, in seconds. */
const lifetime = Effect.gen(function*() {
  const odd = yield* Odd
  return Duration.toSeconds(Token.lifetime(yield* odd.token))
})

describe("HTTP Basic, and expires_in as a text", () => {
  const flow = OAuth2.clientCredentials({
    provider: "odd",
    baseUrl,
    tokenUrl,
    clientId: "me:too",
    clientSecret: Redacted.make("s p/c"),
    clientAuthentication: "client_secret_basic",
    lifetimeWhenAbsent: "1 hour"
  })

  it.effect("is OAuth2.clientCredentials", () =>
    withFlow(flow, {
      "/token": ({ headers }) =>
        headers["authorization"] === `Basic ${btoa("me%3Atoo:s+p%2Fc")}`
          ? json({ access_token: "t", token_type: "BearerToken", expires_in: "900" })
          : reply(401),
      "/v1/parts": ok
    }, (fake) =>
      Effect.gen(function*() {
        yield* parts.get("/parts")
        assert.strictEqual(fake.at("/v1/parts")[0]?.headers["authorization"], "Bearer t")
        assert.strictEqual(yield* lifetime, 900)
      })))
})

describe("a renewal whose reply has no refresh_token", () => {
  const endpoint = TokenEndpoint.make({ provider: "odd", reply: OAuth2.TokenReply, refusal: OAuth2.refusal })
  const call = (form: Record<string, string>) =>
    endpoint({ request: Effect.succeed(HttpClientRequest.post(tokenUrl).pipe(HttpClientRequest.bodyUrlParams(form))) })

  const flow = Effect.map(
    AuthFlow.make({
      identity,
      baseUrl,
      lifetimeWhenAbsent: "1 hour",
      obtain: call({ grant_type: "authorization_code", code: "c" })
    }),
    (flow) => ({
      ...flow,
      renew: Option.some((refreshToken: Redacted.Redacted) =>
        call({ grant_type: "refresh_token", refresh_token: Redacted.value(refreshToken) }))
    })
  )

  it.effect("leaves the refresh token as it was (RFC 6749 §6)", () =>
    withFlow(flow, {
      "/token": [
        json({ access_token: "t1", refresh_token: "r", expires_in: 600 }),
        json({ access_token: "t2", expires_in: 600 }),
        json({ access_token: "t3", refresh_token: "", expires_in: 600 })
      ],
      "/v1/parts": ok
    }, (fake) =>
      Effect.gen(function*() {
        for (let n = 0; n < 3; n++) {
          yield* parts.get("/parts")
          yield* TestClock.adjust("11 minutes")
        }
        assert.deepStrictEqual(fake.at("/token").map(({ body }) => body), [
          "grant_type=authorization_code&code=c",
          "grant_type=refresh_token&refresh_token=r",
          "grant_type=refresh_token&refresh_token=r"
        ])
        assert.deepStrictEqual(fake.at("/v1/parts").map(({ headers }) => headers["authorization"]), [
          "Bearer t1",
          "Bearer t2",
          "Bearer t3"
        ])
      })))
})

/** A reply of no standard's shape. */
const sessionReply = Schema.transform(
  Schema.Struct({ session: Token.Secret, host: Schema.optional(Schema.String) }),
  TokenEndpoint.TokenReplyFromSelf,
  {
    strict: true,
    decode: ({ host, session }) => ({ accessToken: session, baseUrl: host }),
    encode: ({ accessToken, baseUrl }) => ({ session: accessToken, host: baseUrl })
  }
)

const session = (options: Partial<AuthFlow.Options<never>> = {}) => {
  const endpoint = TokenEndpoint.make({ provider: "odd", reply: sessionReply })
  return AuthFlow.make({
    identity,
    baseUrl,
    lifetimeWhenAbsent: "20 minutes",
    ...options,
    obtain: endpoint({ request: Effect.succeed(HttpClientRequest.post(tokenUrl)) })
  })
}

describe("a token in a header of its own", () => {
  it.effect("is put there, and nowhere else", () =>
    withFlow(session({ tokenHeader: { name: "X-Session", prefix: "" } }), {
      "/token": json({ session: "s1" }),
      "/v1/parts": ok
    }, (fake) =>
      Effect.gen(function*() {
        yield* parts.get("/parts")
        const headers = fake.at("/v1/parts")[0]?.headers ?? {}
        assert.strictEqual(headers["x-session"], "s1")
        assert.notProperty(headers, "authorization")
        const odd = yield* Odd
        assert.deepStrictEqual(odd.secretHeaders, ["x-session"])
      })))

  it.effect("is renewed after a 401 like any other", () =>
    withFlow(session({ tokenHeader: { name: "X-Session", prefix: "v2 " } }), {
      "/token": [json({ session: "s1" }), json({ session: "s2" })],
      "/v1/parts": ({ headers }) => headers["x-session"] === "v2 s2" ? ok : reply(401)
    }, (fake) =>
      Effect.gen(function*() {
        yield* parts.get("/parts")
        assert.strictEqual(fake.at("/v1/parts").length, 2)
      })))
})

describe("a reply without any expiry", () => {
  it.effect("lives as long as the flow declares", () =>
    withFlow(session(), { "/token": json({ session: "s" }), "/v1/parts": ok }, (fake) =>
      Effect.gen(function*() {
        yield* parts.get("/parts")
        assert.strictEqual(yield* lifetime, 1200)
        yield* TestClock.adjust("15 minutes")
        yield* parts.get("/parts")
        assert.strictEqual(fake.at("/token").length, 1)
        yield* TestClock.adjust("6 minutes")
        yield* parts.get("/parts")
        assert.strictEqual(fake.at("/token").length, 2)
      })))
})

describe("a reply that names the base URL", () => {
  const flow = session({ acceptBaseUrl: ({ origin }) => /^https:\/\/[a-z0-9]+\.odd\.test$/.test(origin) })

  it.effect("sends the requests there, and follows it when it moves", () =>
    withFlow(flow, {
      "/token": [
        json({ session: "s1", host: "https://eu1.odd.test" }),
        json({ session: "s2", host: "https://us7.odd.test/shard/3/" })
      ],
      "/v1/parts": ok,
      "/shard/3/v1/parts": ok
    }, (fake) =>
      Effect.gen(function*() {
        yield* parts.get("/parts")
        yield* TestClock.adjust("21 minutes")
        yield* parts.get("/parts")
        assert.deepStrictEqual(fake.arrived.filter(({ method }) => method === "GET").map(({ headers, url }) => [url, headers["authorization"]]), [
          ["https://eu1.odd.test/v1/parts", "Bearer s1"],
          ["https://us7.odd.test/shard/3/v1/parts", "Bearer s2"]
        ])
      })))

  for (const host of ["https://evil.test", "http://eu1.odd.test", "https://eu1.odd.test@evil.test", "nonsense"]) {
    it.effect(`is not believed when it names ${host}`, () =>
      withFlow(flow, { "/token": json({ session: "canary", host }), "/v1/parts": ok }, (fake) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(parts.get("/parts"))
          assert.strictEqual(error._tag, "MalformedTokenResponse")
          assert.notInclude(error.message, host)
          assert.deepStrictEqual(fake.arrived.map(({ path }) => path), ["/token"])
        })))
  }

  it.effect("is believed by no flow that does not expect it", () =>
    withFlow(session(), { "/token": json({ session: "s", host: "https://eu1.odd.test" }), "/v1/parts": ok }, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(parts.get("/parts"))
        assert.strictEqual(error._tag, "MalformedTokenResponse")
      })))
})
