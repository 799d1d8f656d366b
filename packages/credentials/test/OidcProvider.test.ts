/**
 * Against an authorization server that nobody here wrote: `oidc-provider`, with
 * PKCE, `iss`, rotation and reuse detection.
 */
import { FetchHttpClient, FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Either, Layer, Logger, LogLevel, Option, Redacted } from "effect"
import { Credentials, CredentialsIdentity, OAuth2, PendingAuthorization, TokenStore } from "effect-credentials"
import { spawn } from "node:child_process"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll } from "vitest"
import { type AuthorizationServer, browse, type Client, clients, redirectUri, start } from "./utils/oidcProvider.js"
import { built } from "./utils/packaging.js"

class User extends Credentials.Tag("User")<User>() {}

type Flow = Effect.Effect.Success<ReturnType<typeof flowOf>>

const flowOf = ({ issuer }: AuthorizationServer, client: Client) =>
  OAuth2.authorizationCode({
    provider: "oidc-provider",
    account: "alice",
    baseUrl: issuer,
    authorizeUrl: `${issuer}/auth`,
    tokenUrl: `${issuer}/token`,
    issuer,
    clientId: client.id,
    clientSecret: client.secret === undefined ? undefined : Redacted.make(client.secret),
    clientAuthentication: client.authentication,
    scopes: ["openid", "offline_access"],
    lifetimeWhenAbsent: "1 minute"
  })

const quiet = Logger.minimumLogLevel(LogLevel.None)

const inMemory = Layer.mergeAll(FetchHttpClient.layer, TokenStore.layerMemory, PendingAuthorization.layerMemory, quiet)

const begin = (flow: Flow, person = "alice") =>
  flow.begin({ redirectUri, parameters: { prompt: "consent", login_hint: person } })

/** From the address to the callback, and through it. */
const login = (flow: Flow, person?: string) =>
  Effect.gen(function*() {
    const { url, userAgent } = yield* begin(flow, person)
    const callback = yield* browse(url)
    return yield* flow.complete({ callback, userAgent })
  })

const stored = (flow: Flow) =>
  Effect.gen(function*() {
    const store = yield* TokenStore.TokenStore
    return yield* store.load(TokenStore.key(yield* CredentialsIdentity.make(flow.identity)))
  })

const refreshTokenOf = (entry: Option.Option<TokenStore.Entry>) =>
  Option.getOrThrow(Option.flatMap(entry, ({ token }) => token.refreshToken))

const userOf = (flow: Flow) =>
  Effect.map(Layer.build(Credentials.layerShared(User, flow)), Context.get(User))

describe("a login", () => {
  for (const [name, client] of Object.entries(clients)) {
    it.scopedLive(`of the ${name} client is completed, and its token renewed`, () =>
      Effect.gen(function*() {
        const provider = yield* start
        const flow = yield* flowOf(provider, client)
        const token = yield* login(flow)
        assert.strictEqual(token.expiresAt.epochMillis - token.issuedAt.epochMillis, 600_000)
        const first = refreshTokenOf(yield* stored(flow))
        const user = yield* userOf(flow)
        assert.strictEqual(Redacted.value((yield* user.token).accessToken), Redacted.value(token.accessToken))
        const renewed = yield* user.refresh
        assert.notStrictEqual(Redacted.value(renewed.accessToken), Redacted.value(token.accessToken))
        assert.notStrictEqual(Redacted.value(refreshTokenOf(yield* stored(flow))), Redacted.value(first))
        assert.deepInclude(provider.seen, { codes: 1, redeemed: 1, errors: [], revoked: 0 })
      }).pipe(Effect.provide(inMemory)))
  }

  it.scopedLive("that the person denies is Denied, in the server's words", () =>
    Effect.gen(function*() {
      const provider = yield* start
      const flow = yield* flowOf(provider, clients.post)
      const error = yield* Effect.flip(login(flow, "nobody"))
      assert.deepInclude({ ...error }, {
        _tag: "AuthorizationFailed",
        reason: "Denied",
        error: "access_denied",
        description: "Not today."
      })
      assert.isTrue(Option.isNone(yield* stored(flow)))
    }).pipe(Effect.provide(inMemory)))

  it.scopedLive("from another issuer is refused before the code is sent", () =>
    Effect.gen(function*() {
      const provider = yield* start
      const flow = yield* flowOf({ ...provider, issuer: provider.issuer.replace("127.0.0.1", "localhost") }, clients.post)
      const { url, userAgent } = yield* begin(flow)
      const callback = yield* browse(url.replace("localhost", "127.0.0.1"))
      const error = yield* Effect.flip(flow.complete({ callback, userAgent }))
      assert.deepInclude({ ...error }, { _tag: "AuthorizationFailed", reason: "Issuer" })
      assert.deepInclude(provider.seen, { codes: 0, errors: [] })
    }).pipe(Effect.provide(inMemory)))

  it.scopedLive("whose code another has intercepted is worth nothing to them: their verifier is not ours", () =>
    Effect.gen(function*() {
      const provider = yield* start
      const flow = yield* flowOf(provider, clients.public)
      const ours = yield* begin(flow)
      const theirs = yield* begin(flow)
      const code = new URL(yield* browse(ours.url)).searchParams.get("code") ?? assert.fail("no code")
      const callback = `${redirectUri}?${new URLSearchParams({ code, state: theirs.state })}`
      const error = yield* Effect.flip(flow.complete({ callback, userAgent: theirs.userAgent }))
      assert.deepInclude({ ...error }, { _tag: "AuthorizationFailed", reason: "CodeRefused" })
      assert.deepStrictEqual(provider.seen.errors, ["invalid_grant: PKCE verification failed"])
      assert.isTrue(Option.isNone(yield* stored(flow)))
    }).pipe(Effect.provide(inMemory)))

  it.scopedLive("with a code that was used before is CodeRefused, and the server ends what it gave", () =>
    Effect.gen(function*() {
      const provider = yield* start
      const flow = yield* flowOf(provider, clients.post)
      const { url, userAgent } = yield* begin(flow)
      const callback = yield* browse(url)
      // Two Layers of logins under way that both know this one: two servers, say, one of which was copied.
      const pending = yield* PendingAuthorization.PendingAuthorizations
      const copied: PendingAuthorization.PendingAuthorizations = {
        put: pending.put,
        take: (key, userAgent) =>
          Effect.tap(pending.take(key, userAgent), (taken) => Option.isSome(taken) ? pending.put(key, taken.value) : Effect.void)
      }
      const complete = flow.complete({ callback, userAgent }).pipe(
        Effect.provideService(PendingAuthorization.PendingAuthorizations, copied)
      )
      yield* complete
      assert.deepInclude({ ...yield* Effect.flip(complete) }, { _tag: "AuthorizationFailed", reason: "CodeRefused" })
      assert.strictEqual(provider.seen.revoked, 1)
      const user = yield* userOf(flow)
      assert.deepInclude({ ...yield* Effect.flip(user.refresh) }, { _tag: "ReauthorizationRequired", reason: "Refused" })
    }).pipe(Effect.provide(inMemory)))
})

describe("client credentials", () => {
  const flow = ({ issuer }: AuthorizationServer, client: Client & { readonly secret: string }, secret = client.secret) =>
    OAuth2.clientCredentials({
      provider: "oidc-provider",
      baseUrl: issuer,
      tokenUrl: `${issuer}/token`,
      clientId: client.id,
      clientSecret: Redacted.make(secret),
      clientAuthentication: client === clients.basic ? "client_secret_basic" : "client_secret_post",
      scopes: ["parts"],
      lifetimeWhenAbsent: "1 minute"
    })

  for (const name of ["basic", "post"] as const) {
    it.scopedLive(`with ${name} authentication are given a token, whatever characters id and secret have`, () =>
      Effect.gen(function*() {
        const provider = yield* start
        const reply = yield* (yield* flow(provider, clients[name])).obtain
        assert.isAbove(Redacted.value(reply.accessToken).length, 20)
        assert.strictEqual(reply.scope, "parts")
        assert.isUndefined(reply.refreshToken)
        assert.deepStrictEqual(provider.seen.errors, [])
      }).pipe(Effect.provide(inMemory)))

    it.scopedLive(`with ${name} authentication and a wrong secret are CredentialsRejected`, () =>
      Effect.gen(function*() {
        const provider = yield* start
        const error = yield* Effect.flip((yield* flow(provider, clients[name], "wrong")).obtain)
        assert.deepInclude({ ...error }, { _tag: "CredentialsRejected", status: 401, error: "invalid_client" })
      }).pipe(Effect.provide(inMemory)))
  }
})

// -----------------------------------------------------------------------------

const child = fileURLToPath(new URL("./utils/oidcChild.mjs", import.meta.url))

interface Orders {
  readonly issuer: string
  readonly folder: string
  readonly client: Client
  readonly fibers: number
  /** How many token calls to make, at least. */
  readonly redemptions: number
}

interface Report {
  readonly calls: number
  readonly tokens: number
  readonly failed: Readonly<Record<string, number>>
}

/** Runs a process to its end; it is killed, by its id, when the effect is interrupted. */
const run = (orders: Orders): Effect.Effect<Report> =>
  Effect.async<Report>((resume) => {
    const process_ = spawn(process.execPath, [child, JSON.stringify(orders)], { stdio: ["ignore", "pipe", "pipe"] })
    let out = ""
    let errors = ""
    process_.stdout.on("data", (chunk) => (out += String(chunk)))
    process_.stderr.on("data", (chunk) => (errors += String(chunk)))
    process_.on("close", (code) => {
      const last = out.trimEnd().split("\n").at(-1) ?? ""
      resume(code === 0 && last.startsWith("{\"calls\"") ? Effect.succeed(JSON.parse(last)) : Effect.die(`${code} ${out} ${errors}`))
    })
    return Effect.sync(() => process_.kill("SIGKILL"))
  })

describe("rotation with reuse detection", () => {
  beforeAll(() => built("credentials"), 120_000)

  for (const [client, redemptions] of [[clients.public, 70], [clients.basic, 20]] as const) {
    const title = `${3 * redemptions} forced renewals by 3 processes of 50 fibers each`
    it.scopedLive(`of the client ${client.id}: ${title} present no refresh token twice`, () =>
      Effect.gen(function*() {
        const folder = Path.join(yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()), "store")
        const provider = yield* start
        const flow = yield* flowOf(provider, client)
        const store = TokenStore.layerFile(folder)
        yield* Effect.provide(login(flow), store)

        const orders = { issuer: provider.issuer, folder, client, fibers: 50, redemptions }
        const reports = yield* Effect.all(Array.from({ length: 3 }, () => run(orders)), { concurrency: "unbounded" })
        assert.deepStrictEqual(reports.map(({ failed }) => failed), [{}, {}, {}])
        assert.deepInclude(provider.seen, { errors: [], revoked: 0 })
        const calls = reports.reduce((sum, { calls }) => sum + calls, 0)
        assert.isAtLeast(calls, 3 * redemptions)
        // Every call exchanged one refresh token: none was wasted, and none was sent twice.
        assert.strictEqual(provider.seen.redeemed, calls)
        // What it had for a call, and what another had renewed meanwhile.
        for (const { calls, tokens } of reports) assert.isAtLeast(tokens, calls)

        // The family is alive, and what is stored is its newest member.
        const entry = Effect.provide(stored(flow), store)
        const before = yield* entry
        assert.strictEqual(Option.getOrThrow(before).generation, calls + 1)
        assert.isTrue(Option.isNone(Option.getOrThrow(before).redeeming))
        yield* Effect.provide(Effect.flatMap(userOf(flow), ({ refresh }) => refresh), store)
        assert.deepInclude(provider.seen, { redeemed: calls + 1, errors: [], revoked: 0 })

        // And the server would have noticed: the one before, a second time, ends it.
        const spent = refreshTokenOf(before)
        const renew = Option.getOrThrow(flow.renew)
        assert.isTrue(Either.isLeft(yield* Effect.either(renew(spent))))
        assert.strictEqual(provider.seen.revoked, 1)
        const later = Effect.provide(Effect.flatMap(userOf(flow), ({ refresh }) => refresh), store)
        assert.deepInclude({ ...yield* Effect.flip(later) }, { _tag: "ReauthorizationRequired", reason: "Refused" })
      }).pipe(Effect.provide(Layer.mergeAll(NodeContext.layer, FetchHttpClient.layer, PendingAuthorization.layerMemory, quiet))), 180_000)
  }
})
