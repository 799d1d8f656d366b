/** What a login needs besides a person: a token endpoint in memory, a token store, and logins under way, all open to view. */
import type { HttpClient } from "@effect/platform"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { CredentialsIdentity, OAuth2, PendingAuthorization, TokenStore } from "effect-credentials"
import * as Fake from "./fakeApi.js"
import { memoryStore } from "./fakeLogin.js"

const tokenUrl = "https://login.acme.test/token"
const authorizeUrl = "https://login.acme.test/authorize"
export const redirectUri = "https://app.example/callback"

/** Nothing in it looks like any other text. */
export const secrets = {
  clientSecret: "CsHxQz3vWk1Rm7TyBn5LxA",
  code: "CdJfPa9sUp6Gc2NvXf0ZuB",
  accessToken: "AtVb7qMw3KeYr5PoSx9ZcD",
  refreshToken: "RtUg2nCz8FaWj4IlDh0QeF"
} as const

export type Options = Partial<OAuth2.AuthorizationCodeOptions>

export const acme = (options: Options = {}) =>
  OAuth2.authorizationCode({
    provider: "acme",
    account: "alice",
    baseUrl: "https://api.acme.test",
    tokenUrl,
    authorizeUrl,
    clientId: "my-app",
    clientSecret: Redacted.make(secrets.clientSecret),
    lifetimeWhenAbsent: "1 hour",
    ...options
  })

/** Without `clientSecret`: one that cannot keep it. */
export const publicClient = OAuth2.authorizationCode({
  provider: "acme",
  account: "alice",
  baseUrl: "https://api.acme.test",
  tokenUrl,
  authorizeUrl,
  clientId: "my-app",
  lifetimeWhenAbsent: "1 hour"
})

export const tokenReply = (fields: Readonly<Record<string, unknown>> = {}): Fake.Answer =>
  Fake.json({
    access_token: secrets.accessToken,
    token_type: "Bearer",
    expires_in: 1800,
    refresh_token: secrets.refreshToken,
    ...fields
  })

export const refused = (error: string, status = 400): Fake.Answer => Fake.json({ error, error_description: "No." }, status)

/** One login under way, as it was remembered. */
interface Remembered {
  readonly key: string
  readonly pending: PendingAuthorization.PendingAuthorization
}

/** Answers are those of the token endpoint, one a call, the last one for ever. */
export const makeWorld = (
  answers: Fake.Answer | ReadonlyArray<Fake.Answer> | ((request: Fake.Arrived) => Fake.Answer) = tokenReply(),
  given: { readonly store?: TokenStore.TokenStore } = {}
) =>
  Effect.gen(function*() {
    const api = Fake.makeFakeApi({ [tokenUrl]: answers })
    const store = given.store ?? (yield* memoryStore)
    const memory = Context.get(
      yield* Layer.build(PendingAuthorization.layerMemory),
      PendingAuthorization.PendingAuthorizations
    )
    const remembered: Array<Remembered> = []
    const pending: PendingAuthorization.PendingAuthorizations = {
      put: (key, it) => Effect.zipRight(Effect.sync(() => remembered.push({ key, pending: it })), memory.put(key, it)),
      take: memory.take
    }
    const layer = Layer.mergeAll(
      api.client,
      Layer.succeed(TokenStore.TokenStore, store),
      Layer.succeed(PendingAuthorization.PendingAuthorizations, pending)
    )
    return {
      api,
      store,
      pending,
      remembered,
      layer,
      /** The token calls that arrived, as forms. */
      forms: () => api.arrived.map(({ body }) => Object.fromEntries(new URLSearchParams(body))),
      /** What is stored for a flow. */
      stored: (flow: OAuth2.AuthorizationCodeFlow<HttpClient.HttpClient>) =>
        Effect.flatMap(CredentialsIdentity.make(flow.identity), (identity) => store.load(TokenStore.key(identity)))
    }
  })

export type World = Effect.Effect.Success<ReturnType<typeof makeWorld>>

/** A callback with these parameters, in this order; a list gives one several times. */
export const callback = (
  parameters: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>,
  path = "/callback"
): string => {
  const query = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : typeof value === "string" ? [[name, value]] : value.map((each) => [name, each])
  )
  return `${path}?${new URLSearchParams(query)}`
}

export const refreshTokenOf = (entry: Option.Option<TokenStore.Entry>): string | undefined =>
  Option.getOrUndefined(Option.map(Option.flatMap(entry, ({ token }) => token.refreshToken), Redacted.value))
