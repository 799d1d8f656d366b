/**
 * An authorization server in memory that replaces the refresh token at every
 * use: whoever presents a replaced one ends the whole family (RFC 9700 §4.14.2).
 */
import { assert } from "@effect/vitest"
import {
  Clock,
  Context,
  DateTime,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Redacted,
  Scope,
  TestClock
} from "effect"
import { AuthFlow, Credentials, CredentialsError, CredentialsIdentity, Token, TokenStore } from "effect-credentials"
import { Acme } from "./fakeFlow.js"
import { type Faults, makeFaults } from "./faultyStore.js"

export const serverPoints = ["before send", "rotated", "answered"] as const

/** What the server does from now on. */
export interface Settings {
  /** Of an access token. */
  expiresIn: Duration.DurationInput
  /** Of a refresh token; nothing is said about it where absent. */
  refreshExpiresIn: Duration.DurationInput | undefined
  /** Leaves the refresh token out of its replies: the old one stays good. */
  omitsRefreshToken: boolean
  /** How long it takes to answer. */
  takes: Duration.DurationInput
  /** Whether a replaced refresh token that is presented again ends the family; it is refused either way. */
  revokesOnReuse: boolean
  /** Refuses before it has looked at the refresh token. */
  refuses: CredentialsError.CredentialsError | undefined
}

/** Whose login, and who the client is. */
export interface Client {
  readonly account?: string
  readonly clientId?: string
  readonly secret?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, CredentialsError.CredentialsError>
}

interface Family {
  readonly name: string
  readonly account: string
  readonly clientId: string
  newest: string
  count: number
  alive: boolean
}

export interface FakeLogin {
  readonly settings: Settings
  readonly faults: Faults<typeof serverPoints[number], CredentialsError.CredentialsError>
  readonly flow: (client?: Client) => Effect.Effect<AuthFlow.AuthFlow>
  /** A person logs in, in some other process: a new family, whose first token is stored. */
  readonly login: (store: TokenStore.TokenStore, client?: Client) => Effect.Effect<void, CredentialsError.TokenStoreError>
  /** The newest family that was begun. */
  readonly family: () => Readonly<Family>
  /** The person takes back what they have granted. */
  readonly revoke: () => void
  /** The refresh tokens that arrived, in order. */
  readonly presented: ReadonlyArray<string>
  /** How often each was exchanged for a new token. */
  readonly redemptions: ReadonlyMap<string, number>
  /** Those that arrived after they had been replaced. */
  readonly reused: ReadonlyArray<string>
  readonly ownerOf: (accessToken: string) => { readonly account: string; readonly expiresAt: number } | undefined
}

const provider = "acme"

export const unavailable = (reason: CredentialsError.TokenEndpointUnavailable["reason"] = "Transport") =>
  new CredentialsError.TokenEndpointUnavailable({ provider, reason })

const invalidGrant = new CredentialsError.ReauthorizationRequired({ provider, reason: "Refused", requestId: "request-7" })

export const makeLogin = (options: Partial<Settings> = {}): FakeLogin => {
  const settings: Settings = {
    expiresIn: "30 minutes",
    refreshExpiresIn: undefined,
    omitsRefreshToken: false,
    takes: 0,
    revokesOnReuse: true,
    refuses: undefined,
    ...options
  }
  const faults = makeFaults<typeof serverPoints[number], CredentialsError.CredentialsError>()
  const families: Array<Family> = []
  const familyOf = new Map<string, Family>()
  const owners = new Map<string, { readonly account: string; readonly expiresAt: number }>()
  const presented: Array<string> = []
  const redemptions = new Map<string, number>()
  const reused: Array<string> = []

  const newest = (): Family => {
    const family = families.at(-1)
    if (family === undefined) throw new Error("nobody has logged in")
    return family
  }

  const issue = (family: Family, now: number): AuthFlow.TokenReplyWithExpiry => {
    family.count += 1
    const accessToken = `access-${family.name}-${family.count}`
    const expiresIn = Duration.decode(settings.expiresIn)
    owners.set(accessToken, { account: family.account, expiresAt: now + Duration.toMillis(expiresIn) })
    const omits = settings.omitsRefreshToken && family.newest !== ""
    if (!omits) {
      family.newest = `refresh-${family.name}-${family.count}`
      familyOf.set(family.newest, family)
    }
    return {
      accessToken: Redacted.make(accessToken),
      expiresIn,
      refreshToken: omits ? undefined : Redacted.make(family.newest),
      refreshExpiresIn: settings.refreshExpiresIn === undefined ? undefined : Duration.decode(settings.refreshExpiresIn)
    }
  }

  const redeem = (refreshToken: string, now: number): Effect.Effect<AuthFlow.TokenReplyWithExpiry, CredentialsError.CredentialsError> =>
    Effect.suspend(() => {
      presented.push(refreshToken)
      if (settings.refuses !== undefined) return Effect.fail(settings.refuses)
      const family = familyOf.get(refreshToken)
      if (family === undefined) return Effect.fail(invalidGrant)
      const isReused = family.newest !== refreshToken
      if (isReused) {
        reused.push(refreshToken)
        family.alive = family.alive && !settings.revokesOnReuse
      }
      if (isReused || !family.alive) return Effect.fail(invalidGrant)
      redemptions.set(refreshToken, (redemptions.get(refreshToken) ?? 0) + 1)
      return Effect.succeed(issue(family, now))
    })

  const identityOf = ({ account = "alice", clientId = "client" }: Client): CredentialsIdentity.Parts => ({
    provider,
    clientId,
    grant: "authorization_code",
    account
  })

  const flow = (client: Client = {}) =>
    Effect.orDie(AuthFlow.make({
      identity: identityOf(client),
      baseUrl: "https://api.acme.test",
      lifetimeWhenAbsent: "30 minutes",
      secret: Redacted.isRedacted(client.secret) ? Effect.succeed(client.secret) : client.secret,
      renew: (refreshToken) =>
        Effect.gen(function*() {
          yield* faults.at("before send")
          const reply = yield* redeem(Redacted.value(refreshToken), yield* Clock.currentTimeMillis)
          yield* Effect.sleep(settings.takes)
          yield* faults.at("rotated")
          return reply
        }).pipe(Effect.zipLeft(faults.at("answered")))
    }))

  const login: FakeLogin["login"] = (store, client = {}) =>
    Effect.gen(function*() {
      const { account = "alice", clientId = "client" } = client
      const name = String.fromCharCode(97 + families.length)
      const family: Family = { name, account, clientId, newest: "", count: 0, alive: true }
      families.push(family)
      const issuedAt = yield* DateTime.now
      const reply = issue(family, issuedAt.epochMillis)
      const token = Token.make({
        accessToken: reply.accessToken,
        issuedAt,
        expiresAt: DateTime.addDuration(issuedAt, reply.expiresIn),
        refreshToken: reply.refreshToken,
        refreshExpiresAt: reply.refreshExpiresIn && DateTime.addDuration(issuedAt, reply.refreshExpiresIn)
      })
      const key = TokenStore.key(yield* CredentialsIdentity.make(identityOf(client)))
      yield* store.withLock(key, ({ save, stored }) =>
        save({
          token,
          generation: Option.match(stored, { onNone: () => 1, onSome: ({ generation }) => generation + 1 }),
          redeeming: Option.none()
        }))
    })

  return {
    settings,
    faults,
    flow,
    login,
    family: newest,
    revoke: () => {
      newest().alive = false
    },
    presented,
    redemptions,
    reused,
    ownerOf: (accessToken) => owners.get(accessToken)
  }
}

export const memoryStore: Effect.Effect<TokenStore.TokenStore> = Effect.scoped(
  Effect.map(Layer.build(TokenStore.layerMemory), Context.get(TokenStore.TokenStore))
)

/** A Layer of its own on a store: what another process would be. */
export interface Process {
  readonly acme: Credentials.Credentials
  readonly close: Effect.Effect<void>
}

export const start = (
  flow: Effect.Effect<AuthFlow.AuthFlow>,
  store: TokenStore.TokenStore,
  options: Credentials.SharedOptions = {}
): Effect.Effect<Process> =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const layer = Layer.provide(
      Credentials.layerShared(Acme, flow, options),
      Layer.succeed(TokenStore.TokenStore, store)
    )
    const context = yield* Layer.buildWithScope(layer, scope)
    return { acme: Context.get(context, Acme), close: Scope.close(scope, Exit.void) }
  })

/** What is stored for a flow. */
export const entryOf = (store: TokenStore.TokenStore, flow: Effect.Effect<AuthFlow.AuthFlow>) =>
  Effect.gen(function*() {
    const identity = yield* CredentialsIdentity.make((yield* flow).identity)
    return yield* store.load(TokenStore.key(identity))
  })

export const text = (token: Token.Token): string => Redacted.value(token.accessToken)

export const refreshTokenOf = (entry: Option.Option<TokenStore.Entry>): string | undefined =>
  Option.getOrUndefined(Option.map(Option.flatMap(entry, ({ token }) => token.refreshToken), Redacted.value))

/** Nobody is redeeming it. Not by `deepInclude`: to chai every `Option.some` equals `Option.none()`. */
export const assertUnmarked = (entry: TokenStore.Entry, generation: number): void => {
  assert.strictEqual(entry.generation, generation)
  assert.isTrue(Option.isNone(entry.redeeming), "somebody is redeeming it")
}

/** Moves the clock until an effect ends, which must be within `limit`: nobody hangs. */
export const within = <A, E, R>(limit: Duration.DurationInput, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    const before = yield* Clock.currentTimeMillis
    const end = before + Duration.toMillis(limit)
    yield* TestClock.adjust(0)
    while (fiber.unsafePoll() === null && (yield* Clock.currentTimeMillis) < end) yield* TestClock.adjust("1 second")
    assert.isNotNull(fiber.unsafePoll(), `it had not ended after ${Duration.format(limit)}`)
    return yield* Fiber.join(fiber)
  })
