/** `Credentials.layerShared`: the rotation protocol, over a store in memory. */
import { HttpClient, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  Clock,
  Context,
  DateTime,
  Duration,
  Effect,
  FastCheck,
  Fiber,
  FiberRef,
  Layer,
  Logger,
  Option,
  Redacted,
  Ref,
  Stream,
  TestClock
} from "effect"
import {
  ApiClient,
  AuthFlow,
  Credentials,
  CredentialsError,
  CredentialsIdentity,
  Token,
  TokenStore
} from "effect-credentials"
import { Acme, reply } from "./utils/fakeFlow.js"
import {
  assertUnmarked,
  type Client,
  entryOf,
  type FakeLogin,
  makeLogin,
  memoryStore,
  refreshTokenOf,
  type Settings,
  start,
  text,
  unavailable,
  within
} from "./utils/fakeLogin.js"
import { makeFaulty } from "./utils/faultyStore.js"

const outOfOrder = new CredentialsError.TokenStoreError({ operation: "save", description: "out of order" })

/** One process on a store with a login, whose access token has not expired yet. */
const loggedIn = (settings: Partial<Settings> = {}, options: Credentials.SharedOptions = {}) =>
  Effect.gen(function*() {
    const memory = yield* memoryStore
    const { faults, store } = makeFaulty(memory)
    const server = makeLogin(settings)
    const flow = server.flow()
    yield* server.login(memory)
    const first = yield* start(flow, store, options)
    return {
      server,
      flow,
      memory,
      store,
      faults,
      first,
      another: start(flow, store, options),
      entry: Effect.flatten(entryOf(memory, flow)).pipe(Effect.orDie)
    }
  })

/** By its fields: a failure inside a span is handed on as a proxy of itself. */
const assertRequired = (error: CredentialsError.CredentialsError, reason: CredentialsError.ReauthorizationRequired["reason"]) =>
  assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", provider: "acme", account: "alice", reason })

const assertTag = (error: CredentialsError.CredentialsError, tag: CredentialsError.CredentialsError["_tag"]) =>
  assert.strictEqual(error._tag, tag)

const keyOf = (flow: Effect.Effect<AuthFlow.AuthFlow>) =>
  Effect.gen(function*() {
    return TokenStore.key(yield* CredentialsIdentity.make((yield* flow).identity))
  })

/** Changes what is stored, as the holder of the lock. */
const change = (
  store: TokenStore.TokenStore,
  flow: Effect.Effect<AuthFlow.AuthFlow>,
  to: (entry: TokenStore.Entry) => TokenStore.Entry
) =>
  Effect.flatMap(keyOf(flow), (key) =>
    store.withLock(key, ({ save, stored }) => Effect.flatMap(Effect.orDie(stored), (entry) => save(to(entry)))))

const assertEveryTokenRedeemedOnce = (server: FakeLogin) => {
  assert.deepStrictEqual(server.reused, [])
  assert.isTrue(server.family().alive)
  assert.isTrue([...server.redemptions.values()].every((count) => count === 1))
  assert.lengthOf(server.presented, server.redemptions.size)
}

// The clock of a test moves in real turns of the event loop, of which these need hundreds.
describe.concurrent("for up to two hours, with a token of 30 seconds,", () => {
  for (const [count, takes, lifetimes] of [[2, "0 seconds", 300], [3, "2 seconds", 150], [10, "1 second", 40]] as const) {
    it.effect(`${count} processes redeem each refresh token once, with a server that takes ${takes}`, () =>
      Effect.gen(function*() {
        const memory = yield* memoryStore
        const server = makeLogin({ expiresIn: "30 seconds", takes })
        const flow = server.flow()
        yield* server.login(memory)
        const processes = yield* Effect.forEach(Array.from({ length: count }), () => start(flow, memory))
        const ask = Effect.forEach(processes, ({ acme }) => acme.token, { concurrency: "unbounded" })
        for (let n = 0; n < lifetimes; n++) {
          const now = yield* Clock.currentTimeMillis
          for (const token of yield* ask) assert.isAbove(token.expiresAt.epochMillis, now)
          yield* TestClock.adjust("24 seconds")
        }
        // A lifetime ends where its soft window begins, after 24 seconds; those who take over call nobody.
        assert.lengthOf(server.presented, lifetimes - 1)
        assertEveryTokenRedeemedOnce(server)
        const entry = Option.getOrThrow(yield* entryOf(memory, flow))
        assertUnmarked(entry, lifetimes)
        assert.isTrue((yield* ask).every((token) => token.expiresAt.epochMillis === entry.token.expiresAt.epochMillis))
      }), 60_000)
  }
})

describe("several processes on one store", () => {
  it.effect("that start at the same moment redeem an expired login once", () =>
    Effect.gen(function*() {
      const { another, server } = yield* loggedIn({ takes: "1 second" })
      yield* TestClock.adjust("1 hour")
      const processes = yield* Effect.forEach(Array.from({ length: 10 }), () => another)
      const tokens = yield* within(
        "1 minute",
        Effect.forEach(processes, ({ acme }) => Effect.all(Array.from({ length: 10 }, () => acme.token), { concurrency: "unbounded" }), {
          concurrency: "unbounded"
        })
      )
      assert.deepStrictEqual(new Set(tokens.flat().map(text)), new Set(["access-a-2"]))
      assert.deepStrictEqual(server.presented, ["refresh-a-1"])
    }))

  it.effect("take over what another has renewed without the lock, and hand out a good stored token without a call", () =>
    Effect.gen(function*() {
      const { another, faults, first, server } = yield* loggedIn()
      assert.strictEqual(text(yield* first.acme.token), "access-a-1")
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* first.acme.token), "access-a-2")
      const locks = faults.passed("before lock")
      const second = yield* another
      assert.strictEqual(text(yield* second.acme.token), "access-a-2")
      assert.strictEqual(faults.passed("before lock"), locks)
      assert.lengthOf(server.presented, 1)
    }))

  it.effect("do not take over a stored token that is about to expire", () =>
    Effect.gen(function*() {
      const { first, server } = yield* loggedIn()
      yield* TestClock.adjust("1795 seconds")
      assert.strictEqual(text(yield* first.acme.token), "access-a-2")
      assert.lengthOf(server.presented, 1)
    }))

  it.effect("count one generation more in the store for each renewal, whoever renews", () =>
    Effect.gen(function*() {
      const { another, entry, first } = yield* loggedIn()
      const second = yield* another
      assert.strictEqual((yield* entry).generation, 1)
      for (let n = 1; n <= 6; n++) {
        yield* TestClock.adjust("31 minutes")
        yield* (n % 2 === 0 ? first : second).acme.token
        assert.strictEqual((yield* entry).generation, n + 1)
      }
    }))
})

describe("the refresh token", () => {
  it.effect("that the server replaces is never sent again", () =>
    Effect.gen(function*() {
      const { entry, first, server } = yield* loggedIn()
      for (let n = 2; n <= 5; n++) {
        yield* TestClock.adjust("31 minutes")
        assert.strictEqual(text(yield* first.acme.token), `access-a-${n}`)
        assert.strictEqual(refreshTokenOf(Option.some(yield* entry)), `refresh-a-${n}`)
      }
      assert.deepStrictEqual(server.presented, ["refresh-a-1", "refresh-a-2", "refresh-a-3", "refresh-a-4"])
    }))

  it.effect("is kept, with its expiry, where the reply has none", () =>
    Effect.gen(function*() {
      const { another, entry, first, server } = yield* loggedIn({ refreshExpiresIn: "90 days" })
      server.settings.omitsRefreshToken = true
      server.settings.refreshExpiresIn = undefined
      for (let n = 2; n <= 3; n++) {
        yield* TestClock.adjust("31 minutes")
        assert.strictEqual(text(yield* first.acme.token), `access-a-${n}`)
        assert.strictEqual(refreshTokenOf(Option.some(yield* entry)), "refresh-a-1")
        assert.strictEqual(Option.getOrThrow((yield* entry).token.refreshExpiresAt).epochMillis, 7_776_000_000)
      }
      const second = yield* another
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* second.acme.token), "access-a-4")
      assert.deepStrictEqual(server.presented, ["refresh-a-1", "refresh-a-1", "refresh-a-1"])
    }))

  it.effect("that has expired by the server's own word is not sent: a person has to log in", () =>
    Effect.gen(function*() {
      const { another, faults, first, server } = yield* loggedIn({ refreshExpiresIn: "10 days" })
      yield* first.acme.token
      yield* TestClock.adjust("10 days")
      const second = yield* another
      for (const { acme } of [first, second]) {
        for (const ask of [acme.token, acme.refresh]) assertRequired(yield* Effect.flip(ask), "Expired")
      }
      assert.deepStrictEqual(server.presented, [])
      assert.strictEqual(faults.passed("before lock"), 0)
    }))

  it.effect("is redeemed until the last moment before its expiry", () =>
    Effect.gen(function*() {
      const { first, server } = yield* loggedIn({ refreshExpiresIn: "10 days" })
      yield* TestClock.adjust(Duration.subtract("10 days", "1 millis"))
      assert.strictEqual(text(yield* first.acme.token), "access-a-2")
      assert.deepStrictEqual(server.presented, ["refresh-a-1"])
    }))

  it.effect("that replaces one with an expiry, and says nothing of its own, is tried", () =>
    Effect.gen(function*() {
      const { entry, first, server } = yield* loggedIn({ refreshExpiresIn: "10 days" })
      server.settings.refreshExpiresIn = undefined
      yield* TestClock.adjust("9 days")
      yield* first.acme.token
      assert.isTrue(Option.isNone((yield* entry).token.refreshExpiresAt))
      yield* TestClock.adjust("400 days")
      assert.strictEqual(text(yield* first.acme.token), "access-a-3")
    }))

  it.effect("of which no expiry is known is tried, however old it is, and refused by the server alone", () =>
    Effect.gen(function*() {
      const { first, server } = yield* loggedIn()
      yield* TestClock.adjust("400 days")
      assert.strictEqual(text(yield* first.acme.token), "access-a-2")
      server.revoke()
      yield* TestClock.adjust("400 days")
      assertRequired(yield* Effect.flip(first.acme.token), "Refused")
      assert.deepStrictEqual(server.presented, ["refresh-a-1", "refresh-a-2"])
    }))

  it.effect("that was never given leaves the login with its access token only", () =>
    Effect.gen(function*() {
      const { first, flow, memory, server } = yield* loggedIn()
      yield* change(memory, flow, (entry) => ({
        ...entry,
        token: Token.make({ accessToken: "alone", issuedAt: entry.token.issuedAt, expiresAt: entry.token.expiresAt })
      }))
      assert.strictEqual(text(yield* first.acme.token), "alone")
      yield* TestClock.adjust("30 minutes")
      assertRequired(yield* Effect.flip(first.acme.token), "Expired")
      assert.deepStrictEqual(server.presented, [])
    }))
})

describe("a token endpoint in trouble", () => {
  const troubles: ReadonlyArray<readonly [string, CredentialsError.CredentialsError]> = [
    ["answers 500", unavailable("Status")],
    ["does not answer in time", unavailable("Timeout")],
    ["drops the connection", unavailable("Transport")],
    ["answers with what is no token reply", new CredentialsError.MalformedTokenResponse({ provider: "acme", expected: "JSON" })]
  ]
  for (const [name, trouble] of troubles) {
    it.effect(`that ${name} sends nobody to log in, and gets the old refresh token again`, () =>
      Effect.gen(function*() {
        const { another, entry, first, server } = yield* loggedIn()
        yield* first.acme.token
        yield* TestClock.adjust("31 minutes")
        server.settings.refuses = trouble
        for (let n = 0; n < 5; n++) {
          assert.strictEqual((yield* Effect.flip(first.acme.token))._tag, trouble._tag)
          yield* TestClock.adjust("1 minute")
        }
        // Nobody knows what the server has done.
        assert.isTrue(Option.isSome((yield* entry).redeeming))
        server.settings.refuses = undefined
        const second = yield* another
        assert.strictEqual(text(yield* second.acme.token), "access-a-2")
        assert.strictEqual(text(yield* first.acme.token), "access-a-2")
        assert.deepStrictEqual(new Set(server.presented), new Set(["refresh-a-1"]))
        assertUnmarked(yield* entry, 2)
      }))
  }

  it.effect("that hangs is given up after fifty seconds, and the old token is used meanwhile", () =>
    Effect.gen(function*() {
      const { first, server } = yield* loggedIn()
      server.faults.always("before send", server.faults.hang)
      yield* first.acme.token
      yield* TestClock.adjust("26 minutes")
      for (let second = 0; second < 60; second++) {
        assert.strictEqual(text(yield* first.acme.token), "access-a-1")
        yield* TestClock.adjust("1 second")
      }
      yield* TestClock.adjust("4 minutes")
      const error = yield* within("51 seconds", Effect.flip(first.acme.token))
      assert.deepInclude({ ...error }, { _tag: "TokenEndpointUnavailable", reason: "Timeout" })
      yield* server.faults.heal
      assert.strictEqual(text(yield* first.acme.token), "access-a-2")
    }))

  it.effect("that answers together with the time-out has answered", () =>
    Effect.gen(function*() {
      const { first, server } = yield* loggedIn({ takes: "50 seconds" })
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* within("1 minute", first.acme.token)), "access-a-2")
      assert.deepStrictEqual(server.presented, ["refresh-a-1"])
    }))

  it.effect("that refuses the client clears the mark: the refresh token was not looked at", () =>
    Effect.gen(function*() {
      const { entry, first, server } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      server.settings.refuses = new CredentialsError.CredentialsRejected({ provider: "acme", status: 401, error: "invalid_client" })
      assertTag(yield* Effect.flip(first.acme.token), "CredentialsRejected")
      assertUnmarked(yield* entry, 1)
      assert.strictEqual(refreshTokenOf(Option.some(yield* entry)), "refresh-a-1")
      server.settings.refuses = undefined
      assert.strictEqual(text(yield* first.acme.token), "access-a-2")
    }))

  it.effect("that refuses the client while the mark cannot be cleared says what it says", () =>
    Effect.gen(function*() {
      const { entry, faults, first, server } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      faults.always("before mark cleared", Effect.fail(outOfOrder))
      server.settings.refuses = new CredentialsError.CredentialsRejected({ provider: "acme", status: 401, error: "invalid_client" })
      assertTag(yield* within("1 minute", Effect.flip(first.acme.token)), "CredentialsRejected")
      assert.isTrue(Option.isSome((yield* entry).redeeming))
    }))
})

describe("a mark that a dead holder has left", () => {
  const marked = Effect.gen(function*() {
    const it = yield* loggedIn()
    yield* TestClock.adjust("31 minutes")
    const redeeming = Option.some(yield* DateTime.now)
    yield* change(it.memory, it.flow, (entry) => ({ ...entry, redeeming }))
    yield* TestClock.adjust("1 minute")
    return it
  })

  it.effect("before it had sent anything costs nothing: the old token is tried once, and accepted", () =>
    Effect.gen(function*() {
      const { entry, first, server } = yield* marked
      assert.strictEqual(text(yield* first.acme.token), "access-a-2")
      assert.deepStrictEqual(server.presented, ["refresh-a-1"])
      assertUnmarked(yield* entry, 2)
    }))

  it.effect("after the server had answered says Interrupted: the old token is tried once, and refused", () =>
    Effect.gen(function*() {
      const { another, entry, first, flow, server } = yield* marked
      const { renew } = yield* flow
      yield* Option.getOrThrow(renew)(Redacted.make("refresh-a-1"))
      for (let n = 0; n < 5; n++) assertRequired(yield* Effect.flip(first.acme.token), "Interrupted")
      assert.deepStrictEqual(server.presented, ["refresh-a-1", "refresh-a-1"])
      assert.isTrue(Option.isSome((yield* entry).redeeming))
      const second = yield* another
      assertRequired(yield* Effect.flip(second.acme.token), "Interrupted")
    }))

  it.effect("stays where the client is refused: nobody has looked at the refresh token yet", () =>
    Effect.gen(function*() {
      const { entry, first, server } = yield* marked
      server.settings.refuses = new CredentialsError.CredentialsRejected({ provider: "acme", status: 401, error: "invalid_client" })
      assertTag(yield* Effect.flip(first.acme.token), "CredentialsRejected")
      assert.isTrue(Option.isSome((yield* entry).redeeming))
    }))

  it.effect("does not keep a good token from being handed out", () =>
    Effect.gen(function*() {
      const { first, flow, memory, server } = yield* loggedIn()
      yield* change(memory, flow, (entry) => ({ ...entry, redeeming: Option.some(entry.token.issuedAt) }))
      assert.strictEqual(text(yield* first.acme.token), "access-a-1")
      assert.deepStrictEqual(server.presented, [])
    }))
})

/** A store whose lock keeps nobody out: as for a holder that was stopped for longer than its lease. */
const lockless: Effect.Effect<TokenStore.TokenStore> = Effect.sync(() => {
  const entries = new Map<string, TokenStore.Entry>()
  const load = (key: string) => Effect.sync(() => Option.fromNullable(entries.get(key)))
  return {
    load,
    withLock: (key, body) =>
      Effect.flatMap(load(key), (stored) =>
        body({
          stored,
          save: (entry) =>
            Effect.suspend(() => {
              if ((entries.get(key)?.generation ?? 0) > entry.generation) return Effect.fail(outOfOrder)
              entries.set(key, entry)
              return Effect.void
            })
        })),
    remove: (key) => Effect.sync(() => void entries.delete(key))
  }
})

describe("invalid_grant", () => {
  /** The first is stopped before it sends, until another has taken the lock over and renewed the token. */
  const stopped = (settings: Partial<Settings>) =>
    Effect.gen(function*() {
      const store = yield* lockless
      const server = makeLogin({ revokesOnReuse: false, ...settings })
      const flow = server.flow()
      yield* server.login(store)
      yield* TestClock.adjust("31 minutes")
      const first = yield* start(flow, store)
      const second = yield* start(flow, store)
      server.faults.once("before send", Effect.sleep("20 seconds"))
      const waiting = yield* Effect.fork(Effect.either(first.acme.token))
      yield* TestClock.adjust("10 seconds")
      yield* second.acme.token
      return { server, entry: Effect.flatten(entryOf(store, flow)), waiting }
    })

  it.effect("is believed after the store was read once more: what another holder has stored is taken over", () =>
    Effect.gen(function*() {
      const { entry, server, waiting } = yield* stopped({})
      yield* TestClock.adjust("10 seconds")
      const token = yield* Effect.flatten(Fiber.join(waiting))
      assert.strictEqual(text(token), "access-a-2")
      assert.deepStrictEqual(server.presented, ["refresh-a-1", "refresh-a-1"])
      assertUnmarked(yield* entry, 2)
    }))

  it.effect("sends nobody to log in where another holder has a newer refresh token, even if its access token is due", () =>
    Effect.gen(function*() {
      const { entry, waiting } = yield* stopped({ expiresIn: "5 seconds" })
      yield* TestClock.adjust("10 seconds")
      const error = yield* Effect.flip(Effect.flatten(Fiber.join(waiting)))
      assert.deepInclude({ ...error }, { _tag: "TokenStoreError", operation: "lock" })
      assertUnmarked(yield* entry, 2)
    }))

  it.effect("asks a person once, and is not asked for again at every request", () =>
    Effect.gen(function*() {
      const { entry, first, server } = yield* loggedIn()
      server.revoke()
      yield* TestClock.adjust("31 minutes")
      for (let n = 0; n < 20; n++) {
        const error = yield* Effect.flip(first.acme.token)
        assertRequired(error, "Refused")
        assert.strictEqual(error._tag === "ReauthorizationRequired" && error.requestId, "request-7")
        yield* TestClock.adjust("1 minute")
      }
      assert.deepStrictEqual(server.presented, ["refresh-a-1"])
      // It is known what the server has done: no mark.
      assertUnmarked(yield* entry, 1)
    }))

  it.effect("is asked for again by who says refresh", () =>
    Effect.gen(function*() {
      const { first, server } = yield* loggedIn()
      server.revoke()
      yield* TestClock.adjust("31 minutes")
      for (let n = 1; n <= 3; n++) {
        assertRequired(yield* Effect.flip(first.acme.refresh), "Refused")
        assert.lengthOf(server.presented, n)
      }
    }))

  it.effect("does not take a token away that is still good", () =>
    Effect.gen(function*() {
      const { first, server } = yield* loggedIn()
      yield* first.acme.token
      server.revoke()
      yield* TestClock.adjust("26 minutes")
      for (let n = 0; n < 3; n++) {
        assert.strictEqual(text(yield* first.acme.token), "access-a-1")
        yield* TestClock.adjust("1 minute")
      }
      assert.deepStrictEqual(server.presented, ["refresh-a-1"])
    }))
})

describe("a login that is stored by another process", () => {
  it.effect("is waited for without a call of the server and without the lock", () =>
    Effect.gen(function*() {
      const { faults, store } = makeFaulty(yield* memoryStore)
      const server = makeLogin()
      const { acme } = yield* start(server.flow(), store)
      for (const ask of [acme.token, acme.token, acme.refresh]) assertRequired(yield* Effect.flip(ask), "NothingStored")
      assert.deepStrictEqual(server.presented, [])
      assert.strictEqual(faults.passed("before lock"), 0)
      yield* server.login(store)
      assert.strictEqual(text(yield* acme.token), "access-a-1")
      assert.deepStrictEqual(server.presented, [])
    }))

  it.effect("is picked up after the server has refused the one before", () =>
    Effect.gen(function*() {
      const { first, memory, server } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      server.revoke()
      assertRequired(yield* Effect.flip(first.acme.token), "Refused")
      yield* server.login(memory)
      assert.strictEqual(text(yield* first.acme.token), "access-b-1")
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* first.acme.token), "access-b-2")
    }))

  it.effect("is redeemed, where its access token has expired before it was picked up", () =>
    Effect.gen(function*() {
      const { first, memory, server } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      server.revoke()
      assertRequired(yield* Effect.flip(first.acme.token), "Refused")
      yield* server.login(memory)
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* first.acme.token), "access-b-2")
    }))

  it.effect("is picked up while the old token is still good, when that is due", () =>
    Effect.gen(function*() {
      const { first, memory, server } = yield* loggedIn()
      yield* first.acme.token
      yield* TestClock.adjust("20 minutes")
      yield* server.login(memory)
      assert.strictEqual(text(yield* first.acme.token), "access-a-1")
      yield* TestClock.adjust("6 minutes")
      yield* first.acme.token
      yield* TestClock.adjust("1 second")
      assert.strictEqual(text(yield* first.acme.token), "access-b-1")
      assert.deepStrictEqual(server.presented, [])
    }))

  it.effect("is missed at once after a logout", () =>
    Effect.gen(function*() {
      const { first, flow, memory, server } = yield* loggedIn()
      yield* first.acme.token
      yield* memory.remove(yield* keyOf(flow))
      yield* TestClock.adjust("31 minutes")
      assertRequired(yield* Effect.flip(first.acme.token), "NothingStored")
      assert.deepStrictEqual(server.presented, [])
    }))

  it.effect("is asked for in one event and one line of the log, not in one a request", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.map(Logger.stringLogger, (line) => void lines.push(line))
      const memory = yield* memoryStore
      const server = makeLogin()
      const flow = server.flow()
      const layer = Credentials.layerShared(Acme, flow).pipe(
        Layer.provide(Layer.succeed(TokenStore.TokenStore, memory)),
        Layer.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      yield* Effect.gen(function*() {
        const acme = yield* Acme
        const events: Array<string> = []
        yield* Effect.fork(Stream.runForEach(acme.events, ({ _tag }) => Effect.sync(() => events.push(_tag))))
        yield* Effect.yieldNow()
        const askOften = Effect.repeatN(Effect.zipRight(Effect.flip(acme.token), TestClock.adjust("1 minute")), 9)
        yield* askOften
        assert.deepStrictEqual(events, ["ReauthorizationRequired"])
        assert.lengthOf(lines, 1)
        assert.include(lines[0], "level=WARN")
        assert.include(lines[0], "as alice: no login is stored.")
        yield* server.login(memory)
        yield* acme.token
        yield* TestClock.adjust("31 minutes")
        server.revoke()
        // Another reason is other news.
        yield* askOften
        assert.deepStrictEqual(events, ["ReauthorizationRequired", "Acquired", "ReauthorizationRequired"])
        assert.lengthOf(lines.filter((line) => line.includes("level=WARN")), 2)
        assert.notInclude(lines.join(), "access-")
        assert.notInclude(lines.join(), "refresh-a")
      }).pipe(Effect.provide(layer))
    }))
})

describe("refresh and reject, with a store", () => {
  it.effect("refresh redeems now, though the token is good, and whether one is held or not", () =>
    Effect.gen(function*() {
      const { another, first, server } = yield* loggedIn()
      assert.strictEqual(text(yield* first.acme.refresh), "access-a-2")
      assert.strictEqual(text(yield* first.acme.refresh), "access-a-3")
      const second = yield* another
      assert.strictEqual(text(yield* second.acme.refresh), "access-a-4")
      assert.deepStrictEqual(server.presented, ["refresh-a-1", "refresh-a-2", "refresh-a-3"])
    }))

  it.effect("refresh takes over what another has renewed meanwhile", () =>
    Effect.gen(function*() {
      const { another, first, server } = yield* loggedIn()
      const second = yield* another
      yield* first.acme.token
      yield* second.acme.refresh
      assert.strictEqual(text(yield* first.acme.refresh), "access-a-2")
      assert.lengthOf(server.presented, 1)
    }))

  it.effect("refresh by all at once redeems once", () =>
    Effect.gen(function*() {
      const { another, server } = yield* loggedIn({ takes: "1 second" })
      const processes = yield* Effect.forEach(Array.from({ length: 5 }), () => another)
      for (const { acme } of processes) yield* acme.token
      const tokens = yield* within(
        "1 minute",
        Effect.forEach(processes, ({ acme }) => acme.refresh, { concurrency: "unbounded" })
      )
      assert.deepStrictEqual(new Set(tokens.map(text)), new Set(["access-a-2"]))
      assertEveryTokenRedeemedOnce(server)
    }))

  it.effect("reject of the current token redeems once, for whoever was refused in whichever process", () =>
    Effect.gen(function*() {
      const { another, server } = yield* loggedIn({ takes: "1 second" })
      const processes = yield* Effect.forEach(Array.from({ length: 3 }), () => another)
      const tokens = yield* Effect.forEach(processes, ({ acme }) => acme.token)
      const rejecting = Effect.forEach(
        processes,
        ({ acme }, index) =>
          Effect.all(Array.from({ length: 10 }, (_, n) => Effect.delay(acme.reject(tokens[index] ?? assert.fail()), n * 300)), {
            concurrency: "unbounded"
          }),
        { concurrency: "unbounded" }
      )
      const replaced = yield* within("1 minute", rejecting)
      assert.deepStrictEqual(new Set(replaced.flat().map(text)), new Set(["access-a-2"]))
      assert.deepStrictEqual(server.presented, ["refresh-a-1"])
    }))

  it.effect("reject of a token that another has replaced already takes that over, without a call and without the lock", () =>
    Effect.gen(function*() {
      const { another, faults, first, server } = yield* loggedIn()
      const old = yield* first.acme.token
      const second = yield* another
      yield* second.acme.refresh
      const locks = faults.passed("before lock")
      assert.strictEqual(text(yield* first.acme.reject(old)), "access-a-2")
      assert.strictEqual(text(yield* first.acme.reject(old)), "access-a-2")
      assert.lengthOf(server.presented, 1)
      assert.strictEqual(faults.passed("before lock"), locks)
    }))

  it.effect("reject fails as the renewal does, and others keep the old token", () =>
    Effect.gen(function*() {
      const { faults, first } = yield* loggedIn()
      const old = yield* first.acme.token
      faults.always("before mark saved", Effect.fail(outOfOrder))
      assertTag(yield* within("1 minute", Effect.flip(first.acme.reject(old))), "TokenStoreError")
      assert.strictEqual(text(yield* first.acme.token), "access-a-1")
    }))
})

describe("a new token that cannot be saved", () => {
  it.effect("is seen by nobody before it is stored", () =>
    Effect.gen(function*() {
      const { entry, faults, first } = yield* loggedIn()
      yield* first.acme.token
      faults.always("before new saved", faults.hang)
      const waiting = yield* Effect.fork(Effect.either(first.acme.refresh))
      yield* TestClock.adjust("5 seconds")
      assert.isNull(waiting.unsafePoll())
      assert.strictEqual(text(yield* first.acme.token), "access-a-1")
      assert.strictEqual((yield* entry).generation, 1)
      yield* faults.heal
      assert.strictEqual(text(yield* Effect.flatten(Fiber.join(waiting))), "access-a-2")
      assert.strictEqual((yield* entry).generation, 2)
    }))

  it.effect("is kept, and saved by the next renewal before anything else: no second call", () =>
    Effect.gen(function*() {
      const { entry, faults, first, server } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      faults.always("before new saved", Effect.fail(outOfOrder))
      assertTag(yield* within("1 minute", Effect.flip(first.acme.token)), "TokenStoreError")
      assertTag(yield* within("1 minute", Effect.flip(first.acme.token)), "TokenStoreError")
      assert.strictEqual((yield* entry).generation, 1)
      yield* faults.heal
      assert.strictEqual(text(yield* first.acme.token), "access-a-2")
      assertUnmarked(yield* entry, 2)
      assert.deepStrictEqual(server.presented, ["refresh-a-1"])
    }))

  it.effect("is saved first, and then renewed itself if it has expired meanwhile", () =>
    Effect.gen(function*() {
      const { entry, faults, first, server } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      faults.always("before new saved", Effect.fail(outOfOrder))
      yield* within("1 minute", Effect.flip(first.acme.token))
      yield* faults.heal
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* first.acme.token), "access-a-3")
      assert.strictEqual((yield* entry).generation, 3)
      assertEveryTokenRedeemedOnce(server)
    }))

  it.effect("is saved when the Layer ends", () =>
    Effect.gen(function*() {
      const { another, entry, faults, first, server } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      faults.always("before new saved", Effect.fail(outOfOrder))
      yield* within("1 minute", Effect.flip(first.acme.token))
      yield* faults.heal
      yield* within("10 seconds", first.close)
      assert.strictEqual(refreshTokenOf(Option.some(yield* entry)), "refresh-a-2")
      const second = yield* another
      assert.strictEqual(text(yield* second.acme.token), "access-a-2")
      assert.deepStrictEqual(server.presented, ["refresh-a-1"])
    }))

  it.effect("does not keep the Layer from ending where the store never comes back", () =>
    Effect.gen(function*() {
      const { faults, first } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      faults.always("before new saved", Effect.uninterruptible(faults.hang))
      yield* within("3 minutes", Effect.flip(first.acme.token))
      yield* within("10 seconds", first.close)
      yield* faults.heal
    }))

  it.effect("is not lost to another process that comes first when a store of some seconds' outage is back", () =>
    Effect.gen(function*() {
      const { another, faults, first, server } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      const second = yield* another
      // Between the first one's mark and its new token the store goes away for five seconds, for everyone.
      faults.once(
        "after mark saved",
        Effect.sync(() => {
          for (const point of ["load", "lock had", "before mark saved", "before new saved"] as const) {
            faults.always(point, Effect.fail(outOfOrder))
          }
        })
      )
      const waiting = yield* Effect.fork(Effect.either(first.acme.token))
      yield* TestClock.adjust("5 seconds")
      yield* faults.heal
      yield* within("1 minute", Effect.either(second.acme.token))
      yield* within("1 minute", Fiber.join(waiting))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(text(yield* within("1 minute", second.acme.token)), "access-a-2")
      assert.strictEqual(text(yield* within("1 minute", first.acme.token)), "access-a-2")
      assertEveryTokenRedeemedOnce(server)
    }))

  const unsaved = Effect.gen(function*() {
    const it = yield* loggedIn()
    yield* TestClock.adjust("31 minutes")
    it.faults.always("before new saved", Effect.fail(outOfOrder))
    yield* within("1 minute", Effect.flip(it.first.acme.token))
    yield* it.faults.heal
    return it
  })

  it.effect("is dropped where somebody has logged in meanwhile", () =>
    Effect.gen(function*() {
      const { entry, first, memory, server } = yield* unsaved
      yield* server.login(memory)
      assert.strictEqual(text(yield* first.acme.token), "access-b-1")
      yield* first.close
      assert.strictEqual(refreshTokenOf(Option.some(yield* entry)), "refresh-b-1")
    }))

  it.effect("is dropped where somebody has logged out meanwhile", () =>
    Effect.gen(function*() {
      const { first, flow, memory } = yield* unsaved
      yield* memory.remove(yield* keyOf(flow))
      assertRequired(yield* Effect.flip(first.acme.token), "NothingStored")
      yield* first.close
      assert.isTrue(Option.isNone(yield* entryOf(memory, flow)))
    }))

  it.effect("is dropped where somebody has logged out and in again meanwhile, which starts the generations afresh", () =>
    Effect.gen(function*() {
      const { entry, first, flow, memory, server } = yield* unsaved
      yield* memory.remove(yield* keyOf(flow))
      yield* server.login(memory)
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* first.acme.token), "access-b-2")
      yield* first.close
      assert.strictEqual(refreshTokenOf(Option.some(yield* entry)), "refresh-b-2")
    }))

  it.effect("is dropped at the end of the Layer where somebody has logged out and in again meanwhile", () =>
    Effect.gen(function*() {
      const { entry, first, flow, memory, server } = yield* unsaved
      yield* memory.remove(yield* keyOf(flow))
      yield* server.login(memory)
      yield* first.close
      assert.strictEqual(refreshTokenOf(Option.some(yield* entry)), "refresh-b-1")
    }))
})

describe("a save that comes late", () => {
  it.effect("from a holder whose lock was had by another since changes nothing", () =>
    Effect.gen(function*() {
      const { entry, first, flow, memory } = yield* loggedIn()
      const key = yield* keyOf(flow)
      const leaked = yield* memory.withLock(key, Effect.succeed)
      const old = yield* entry
      yield* first.acme.refresh
      assertTag(yield* Effect.flip(leaked.save(old)), "TokenStoreError")
      assert.strictEqual((yield* entry).generation, 2)
    }))

  it.effect("because the store was stuck does not undo what was saved after it", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      const { faults } = makeFaulty(memory)
      const store: TokenStore.TokenStore = {
        ...memory,
        withLock: (key, body) =>
          memory.withLock(key, ({ save, stored }) =>
            body({
              stored,
              save: (entry) => Effect.uninterruptible(Effect.zipRight(Effect.orDie(faults.at("before mark saved")), save(entry)))
            }))
      }
      const server = makeLogin()
      const flow = server.flow()
      yield* server.login(memory)
      yield* TestClock.adjust("31 minutes")
      const { acme } = yield* start(flow, store)
      // The mark's first save is given up after ten seconds, and done when the store wakes up.
      faults.once("before mark saved", faults.hang)
      assert.strictEqual(text(yield* within("1 minute", acme.token)), "access-a-2")
      yield* faults.heal
      yield* TestClock.adjust("1 second")
      assertUnmarked(Option.getOrThrow(yield* entryOf(memory, flow)), 2)
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* acme.token), "access-a-3")
      assertEveryTokenRedeemedOnce(server)
    }))
})

describe("a lock that never comes", () => {
  for (const [how, never] of [["", Effect.never], [" and cannot be interrupted", Effect.uninterruptible(Effect.never)]] as const) {
    it.effect(`is given up after its time limit, and the old token used while it lives${how}`, () =>
      Effect.gen(function*() {
        const { faults, first, server } = yield* loggedIn({}, { lockTimeout: "20 seconds" })
        yield* first.acme.token
        faults.always("before lock", never)
        yield* TestClock.adjust("26 minutes")
        for (let n = 0; n < 23; n++) {
          assert.strictEqual(text(yield* first.acme.token), "access-a-1")
          yield* TestClock.adjust("10 seconds")
        }
        yield* TestClock.adjust("10 seconds")
        const waiting = yield* Effect.fork(Effect.flip(first.acme.token))
        yield* TestClock.adjust("19999 millis")
        assert.isNull(waiting.unsafePoll())
        yield* TestClock.adjust("1 millis")
        assert.deepInclude({ ...(yield* Fiber.join(waiting)) }, { _tag: "TokenStoreError", operation: "lock" })
        assert.deepStrictEqual(server.presented, [])
        yield* faults.heal
        assert.strictEqual(text(yield* first.acme.token), "access-a-2")
      }))
  }

  it.effect("is given up after ninety seconds unless told otherwise", () =>
    Effect.gen(function*() {
      const { faults, first } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      faults.always("before lock", Effect.never)
      const waiting = yield* Effect.fork(Effect.flip(first.acme.token))
      yield* TestClock.adjust("89999 millis")
      assert.isNull(waiting.unsafePoll())
      yield* TestClock.adjust("1 millis")
      assertTag(yield* Fiber.join(waiting), "TokenStoreError")
    }))

  it.effect("and comes after all is given back unused", () =>
    Effect.gen(function*() {
      const { faults, first, flow, server, store } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      const late = yield* start(flow, {
        ...store,
        withLock: (key, body) => Effect.uninterruptible(Effect.zipRight(Effect.sleep("3 minutes"), store.withLock(key, body)))
      })
      assertTag(yield* within("2 minutes", Effect.flip(late.acme.token)), "TokenStoreError")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(faults.passed("lock had"), 1)
      assert.strictEqual(faults.passed("unlocking"), 1)
      assert.deepStrictEqual(server.presented, [])
      assert.strictEqual(text(yield* first.acme.token), "access-a-2")
    }))

  it.effect("does not keep the Layer from ending", () =>
    Effect.gen(function*() {
      const { faults, first } = yield* loggedIn()
      yield* TestClock.adjust("31 minutes")
      faults.always("before lock", Effect.never)
      const waiting = yield* Effect.fork(Effect.flip(first.acme.token))
      yield* TestClock.adjust("1 second")
      yield* within("1 second", first.close)
      assert.deepInclude({ ...(yield* Fiber.join(waiting)) }, { _tag: "TokenEndpointUnavailable", reason: "Closed" })
    }))
})

describe("a store that does not answer", () => {
  it.effect("is given up after its time limit, and the old token used while it lives", () =>
    Effect.gen(function*() {
      const { faults, first } = yield* loggedIn({}, { storeTimeout: "3 seconds" })
      yield* first.acme.token
      faults.always("load", faults.hang)
      yield* TestClock.adjust("26 minutes")
      assert.strictEqual(text(yield* first.acme.token), "access-a-1")
      yield* TestClock.adjust("4 minutes")
      const waiting = yield* Effect.fork(Effect.flip(first.acme.token))
      yield* TestClock.adjust("2999 millis")
      assert.isNull(waiting.unsafePoll())
      yield* TestClock.adjust("1 millis")
      assert.deepInclude({ ...(yield* Fiber.join(waiting)) }, { _tag: "TokenStoreError", operation: "load" })
    }))

  it.effect("fails the callers with its own error, and is asked again by the next", () =>
    Effect.gen(function*() {
      const { faults, first } = yield* loggedIn()
      const spoiled = new CredentialsError.TokenStoreError({ operation: "load", description: "the file is spoiled" })
      faults.once("load", Effect.fail(spoiled))
      assert.deepInclude({ ...(yield* Effect.flip(first.acme.token)) }, { ...spoiled })
      assert.strictEqual(text(yield* first.acme.token), "access-a-1")
    }))
})

describe("a secret that is read at each renewal", () => {
  it.effect("and cannot be read keeps the old token, sends nothing and is read again", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      const server = makeLogin()
      const secret = yield* Ref.make<Effect.Effect<Redacted.Redacted, CredentialsError.CredentialsError>>(
        Effect.succeed(Redacted.make("s"))
      )
      const flow = server.flow({ secret: Effect.flatten(Ref.get(secret)) })
      yield* server.login(memory)
      const { acme } = yield* start(flow, memory)
      yield* acme.token
      yield* Ref.set(secret, Effect.fail(unavailable("Secret")))
      yield* TestClock.adjust("26 minutes")
      assert.strictEqual(text(yield* acme.token), "access-a-1")
      yield* TestClock.adjust("5 minutes")
      assert.deepInclude({ ...(yield* Effect.flip(acme.token)) }, { _tag: "TokenEndpointUnavailable", reason: "Secret" })
      assert.deepStrictEqual(server.presented, [])
      yield* Ref.set(secret, Effect.succeed(Redacted.make("s")))
      assert.strictEqual(text(yield* acme.token), "access-a-2")
    }))

  it.effect("and hangs does not hang those who wait for a token", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      const server = makeLogin()
      const flow = server.flow({ secret: Effect.never })
      yield* server.login(memory)
      const { acme } = yield* start(flow, memory)
      const error = yield* within("1 minute", Effect.flip(acme.token))
      assertTag(error, "TokenEndpointUnavailable")
    }))
})

describe("an application's own token, shared", () => {
  const makeApp = (secret: Redacted.Redacted | Effect.Effect<Redacted.Redacted, CredentialsError.CredentialsError>) => {
    let calls = 0
    const flow = Effect.orDie(AuthFlow.make({
      identity: {
        provider: "acme",
        clientId: "client",
        grant: "client_credentials",
        secret: Redacted.isRedacted(secret) ? secret : undefined
      },
      baseUrl: "https://api.acme.test",
      secret: Redacted.isRedacted(secret) ? undefined : secret,
      obtain: Effect.suspend(() => {
        calls += 1
        return Effect.delay(Effect.succeed(reply(`app-${calls}`, "30 minutes")), "1 second")
      })
    }))
    return { flow, calls: () => calls }
  }

  it.effect("is one for a fleet, and one more for each lifetime", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      const { calls, flow } = makeApp(Redacted.make("secret"))
      const processes = yield* Effect.forEach(Array.from({ length: 10 }), () => start(flow, memory))
      const ask = Effect.forEach(processes, ({ acme }) => acme.token, { concurrency: "unbounded" })
      for (let n = 1; n <= 4; n++) {
        const tokens = yield* within("1 minute", ask)
        assert.deepStrictEqual(new Set(tokens.map(text)), new Set([`app-${n}`]))
        assert.strictEqual(calls(), n)
        assert.deepInclude(Option.getOrUndefined(yield* entryOf(memory, flow)), { generation: n })
        yield* TestClock.adjust("31 minutes")
      }
    }))

  it.effect("that could not be saved is saved by the next renewal", () =>
    Effect.gen(function*() {
      const { faults, store } = makeFaulty(yield* memoryStore)
      const { calls, flow } = makeApp(Redacted.make("secret"))
      const { acme } = yield* start(flow, store)
      faults.always("before new saved", Effect.fail(outOfOrder))
      assertTag(yield* within("1 minute", Effect.flip(acme.token)), "TokenStoreError")
      yield* faults.heal
      assert.strictEqual(text(yield* within("1 minute", acme.token)), "app-1")
      assert.strictEqual(calls(), 1)
    }))

  it.effect("of which the store was emptied is obtained again", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      const { flow } = makeApp(Redacted.make("secret"))
      const { acme } = yield* start(flow, memory)
      yield* within("1 minute", acme.token)
      yield* memory.remove(yield* keyOf(flow))
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* within("1 minute", acme.token)), "app-2")
    }))

  it.effect("with a refresh token that has expired is obtained again: nobody has to log in", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      let obtained = 0
      const flow = Effect.orDie(AuthFlow.make({
        identity: { provider: "acme", clientId: "client", grant: "password" },
        baseUrl: "https://api.acme.test",
        obtain: Effect.sync(() => {
          obtained += 1
          return {
            ...reply(`app-${obtained}`, "30 minutes"),
            refreshToken: Redacted.make(`refresh-${obtained}`),
            refreshExpiresIn: Duration.days(1)
          }
        }),
        renew: () => Effect.succeed(reply("renewed", "30 minutes"))
      }))
      const { acme } = yield* start(flow, memory)
      yield* acme.token
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual(text(yield* acme.token), "renewed")
      yield* TestClock.adjust("2 days")
      assert.strictEqual(text(yield* acme.token), "app-2")
    }))

  it.effect("is not handed to who has another secret for the same client id", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      const secrets = [
        Redacted.make("mine"),
        Redacted.make("another's"),
        Effect.succeed(Redacted.make("mine")),
        Effect.succeed(Redacted.make("another's"))
      ]
      const seen: Array<string> = []
      for (const [index, secret] of secrets.entries()) {
        const { calls, flow } = makeApp(secret)
        const { acme } = yield* start(flow, memory)
        yield* within("1 minute", acme.token)
        // A call of its own, whatever the others have stored.
        assert.strictEqual(calls(), 1)
        seen.push(`${index}`)
      }
      assert.lengthOf(seen, 4)
      const again = makeApp(Effect.succeed(Redacted.make("another's")))
      const { acme } = yield* start(again.flow, memory)
      assert.strictEqual(text(yield* acme.token), "app-1")
      assert.strictEqual(again.calls(), 0)
    }))
})

/** As `@effect/sql` has it: what runs inside joins the transaction that it finds around it. */
class Transaction extends Context.Tag("Transaction")<Transaction, { readonly undo: Array<Effect.Effect<void>> }>() {}
const currentTransaction = FiberRef.unsafeMake(Option.none<Context.Tag.Service<Transaction>>())

describe("a renewal that begins inside a caller's transaction", () => {
  const rolledBack = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function*() {
      const transaction = { undo: [] as Array<Effect.Effect<void>> }
      const exit = yield* Effect.exit(
        effect.pipe(
          Effect.provideService(Transaction, transaction),
          Effect.locally(currentTransaction, Option.some(transaction))
        )
      )
      yield* Effect.forEach(transaction.undo.reverse(), (undo) => undo)
      return yield* exit
    })

  const transactional = (memory: TokenStore.TokenStore) => {
    const seen: Array<boolean> = []
    const ambient = Effect.gen(function*() {
      const fromContext = Context.getOption(yield* Effect.context<never>(), Transaction)
      const fromRef = yield* FiberRef.get(currentTransaction)
      const found = Option.orElse(fromContext, () => fromRef)
      seen.push(Option.isSome(found))
      return found
    })
    const store: TokenStore.TokenStore = {
      ...memory,
      load: (key) => Effect.zipRight(ambient, memory.load(key)),
      withLock: (key, body) =>
        Effect.zipRight(
          ambient,
          memory.withLock(key, (held) =>
            body({
              stored: held.stored,
              save: (entry) =>
                Effect.gen(function*() {
                  const before = yield* memory.load(key)
                  const transaction = yield* ambient
                  yield* held.save(entry)
                  if (Option.isNone(transaction)) return
                  transaction.value.undo.push(Option.match(before, {
                    onNone: () => Effect.ignore(memory.remove(key)),
                    onSome: (before) => Effect.ignore(memory.withLock(key, ({ save }) => save(before)))
                  }))
                })
            }))
        )
    }
    return { seen, store }
  }

  it.effect("keeps the new refresh token when that is rolled back", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      const { seen, store } = transactional(memory)
      const server = makeLogin()
      const flow = server.flow()
      yield* server.login(memory)
      yield* TestClock.adjust("31 minutes")
      const { acme, close } = yield* start(flow, store)
      // The store does join a transaction that it finds.
      yield* rolledBack(change(store, flow, (entry) => ({ ...entry, generation: 7 })))
      assert.deepInclude(Option.getOrUndefined(yield* entryOf(memory, flow)), { generation: 1 })
      assert.isTrue(seen.splice(0).every((inside) => inside))

      const token = yield* rolledBack(Effect.zipLeft(acme.token, acme.refresh))
      assert.strictEqual(text(token), "access-a-2")
      assert.isTrue(seen.length > 0 && seen.every((inside) => !inside))
      assert.strictEqual(refreshTokenOf(yield* entryOf(memory, flow)), "refresh-a-3")
      yield* close
    }))

  it.effect("keeps it too where the Layer ends inside the transaction with a token that could not be saved", () =>
    Effect.gen(function*() {
      const memory = yield* memoryStore
      const { faults, store: faulty } = makeFaulty(memory)
      const { store } = transactional(faulty)
      const server = makeLogin()
      const flow = server.flow()
      yield* server.login(memory)
      yield* TestClock.adjust("31 minutes")
      const { acme, close } = yield* start(flow, store)
      faults.always("before new saved", Effect.fail(outOfOrder))
      yield* within("1 minute", Effect.flip(acme.token))
      yield* faults.heal
      yield* rolledBack(close)
      assert.strictEqual(refreshTokenOf(yield* entryOf(memory, flow)), "refresh-a-2")
    }))
})

describe("whose a stored token is", () => {
  /** A tenant with a login, who has renewed it once: the store knows which secret it was got with. */
  const tenant = (server: FakeLogin, store: TokenStore.TokenStore, client: Client) =>
    Effect.gen(function*() {
      yield* server.login(store, client)
      const flow = server.flow(client)
      const { acme } = yield* start(flow, store)
      return { acme, flow, token: text(yield* acme.refresh) }
    })

  const secret = Redacted.make("the tenant's own")

  it.effect("another account label of the same client has another row", () =>
    Effect.gen(function*() {
      const store = yield* memoryStore
      const server = makeLogin()
      yield* tenant(server, store, { account: "alice", secret })
      for (const account of ["bob", "Alice", "alice ", "alic\u0435", "null", "undefined"]) {
        const other = yield* start(server.flow({ account, secret }), store)
        const error = yield* Effect.flip(other.acme.token)
        assert.deepInclude({ ...error }, { _tag: "ReauthorizationRequired", reason: "NothingStored", account })
      }
      assert.lengthOf(server.presented, 1)
    }))

  const thieves: ReadonlyArray<readonly [string, Client]> = [
    ["another secret", { secret: Redacted.make("a guess") }],
    ["another secret that is an Effect", { secret: Effect.succeed(Redacted.make("a guess")) }],
    ["no secret", {}]
  ]
  for (const [name, client] of thieves) {
    it.effect(`who has ${name} for the same client and label is not handed the stored token`, () =>
      Effect.gen(function*() {
        const { faults, store } = makeFaulty(yield* memoryStore)
        const server = makeLogin()
        const owner = yield* tenant(server, store, { secret })
        const before = Option.getOrThrow(yield* entryOf(store, owner.flow))
        server.settings.refuses = new CredentialsError.CredentialsRejected({ provider: "acme", status: 401, error: "invalid_client" })
        const thief = yield* start(server.flow(client), store)
        for (const ask of [thief.acme.token, thief.acme.refresh]) {
          assertTag(yield* Effect.flip(ask), "CredentialsRejected")
        }
        // Nothing has changed for the owner.
        server.settings.refuses = undefined
        const after = Option.getOrThrow(yield* entryOf(store, owner.flow))
        assertUnmarked(after, before.generation)
        assert.strictEqual(after.secretFingerprint, before.secretFingerprint)
        const restarted = yield* start(owner.flow, store)
        const locks = faults.passed("before lock")
        assert.strictEqual(text(yield* restarted.acme.token), owner.token)
        assert.strictEqual(faults.passed("before lock"), locks)
      }))
  }

  it.effect("who has a new secret that the server accepts renews the token, and keeps the login", () =>
    Effect.gen(function*() {
      const store = yield* memoryStore
      const server = makeLogin()
      const owner = yield* tenant(server, store, { secret })
      const rotated = yield* start(server.flow({ secret: Effect.succeed(Redacted.make("the new one")) }), store)
      assert.strictEqual(text(yield* rotated.acme.token), "access-a-3")
      // Who still has the old one finds a token that is not for them, and renews it in turn.
      const late = yield* start(owner.flow, store)
      assert.strictEqual(text(yield* late.acme.token), "access-a-4")
      assertEveryTokenRedeemedOnce(server)
    }))

  it.effect("a token that a secret which is read at each renewal has got is handed to who reads the same one", () =>
    Effect.gen(function*() {
      const store = yield* memoryStore
      const server = makeLogin()
      const owner = yield* tenant(server, store, { secret })
      for (const same of [secret, Redacted.make("the tenant's own"), Effect.succeed(secret)]) {
        const { acme } = yield* start(server.flow({ secret: same }), store)
        assert.strictEqual(text(yield* acme.token), owner.token)
      }
      assert.lengthOf(server.presented, 1)
    }))

  it.effect("the fingerprint of a secret is of no use in another row", () =>
    Effect.gen(function*() {
      const store = yield* memoryStore
      const server = makeLogin()
      const fingerprints = new Set<string | undefined>()
      for (const account of ["alice", "bob"]) {
        const { flow } = yield* tenant(server, store, { account, secret })
        fingerprints.add(Option.getOrThrow(yield* entryOf(store, flow)).secretFingerprint)
      }
      assert.strictEqual(fingerprints.size, 2)
      assert.isFalse(fingerprints.has(undefined))
    }))

  const part = FastCheck.oneof(
    FastCheck.constantFrom("", "a", "b", "ab", "null", "[]", "\"", "\\", ",", "default", "a\",\"b"),
    FastCheck.string({ unit: "binary", maxLength: 6 })
  )
  const parts = FastCheck.record({
    provider: part,
    environment: FastCheck.option(part, { nil: undefined }),
    clientId: part,
    grant: part,
    scopes: FastCheck.option(FastCheck.array(part, { maxLength: 3 }), { nil: undefined }),
    account: FastCheck.option(part, { nil: undefined }),
    secret: FastCheck.option(FastCheck.string({ maxLength: 4 }), { nil: undefined })
  })
  type Drawn = typeof parts extends FastCheck.Arbitrary<infer A> ? A : never
  const identityOf = ({ secret, ...drawn }: Drawn) =>
    CredentialsIdentity.make({ ...drawn, secret: secret === undefined ? undefined : Redacted.make(secret) })
  /** What an identity says, in a form that can be compared. */
  const normal = ({ environment, scopes, ...drawn }: Drawn) => [
    environment ?? "default",
    [...new Set(scopes ?? [])].sort(),
    drawn.provider,
    drawn.clientId,
    drawn.grant,
    drawn.account,
    drawn.secret
  ]

  it.effect.prop("two identities have one key only if they say the same", [parts, parts], ([one, two]) =>
    Effect.gen(function*() {
      // Near misses: the same but for one part, and a text that has moved from one part to the next.
      const near: ReadonlyArray<Drawn> = [
        two,
        { ...one, provider: two.provider },
        { ...one, environment: two.environment },
        { ...one, clientId: two.clientId },
        { ...one, grant: two.grant },
        { ...one, scopes: two.scopes },
        { ...one, account: two.account },
        { ...one, secret: two.secret },
        { ...one, provider: one.provider + one.clientId, clientId: "" },
        { ...one, clientId: one.clientId + one.grant, grant: "" },
        { ...one, scopes: [(one.scopes ?? []).join(" ")] },
        { ...one, account: one.secret, secret: one.account },
        { ...one, scopes: [...(one.scopes ?? []), ...(one.scopes ?? [])].reverse() }
      ]
      const { hash } = yield* identityOf(one)
      for (const other of near) {
        const isSame = JSON.stringify(normal(one)) === JSON.stringify(normal(other))
        assert.strictEqual((yield* identityOf(other)).hash === hash, isSame, JSON.stringify([one, other]))
      }
    }), { fastCheck: { numRuns: 100 } })
})

describe("two tenants of one client id on one store", () => {
  class Other extends Credentials.Tag("Other")<Other>() {}

  /** An API where everyone has a path of their own, and which knows whose a token is. It answers in a later turn. */
  const makeApi = (server: FakeLogin) => {
    const seen = { ok: 0, expired: 0, foreign: 0 }
    const client = HttpClient.make((request, url) =>
      Effect.zipRight(
        Effect.yieldNow(),
        Effect.clockWith((clock) => {
          const owner = server.ownerOf((request.headers["authorization"] ?? "").replace(/^Bearer /, ""))
          const isForeign = owner === undefined || !url.pathname.startsWith(`/${owner.account}/`)
          const isExpired = owner === undefined || owner.expiresAt <= clock.unsafeCurrentTimeMillis()
          seen[isForeign ? "foreign" : isExpired ? "expired" : "ok"] += 1
          return Effect.succeed(
            HttpClientResponse.fromWeb(request, new Response(null, { status: isForeign ? 403 : isExpired ? 401 : 204 }))
          )
        })
      )
    )
    return { seen, layer: Layer.succeed(HttpClient.HttpClient, client) }
  }

  const scene = Effect.gen(function*() {
    const store = yield* memoryStore
    const server = makeLogin({ expiresIn: "30 seconds" })
    yield* server.login(store, { account: "alice" })
    yield* server.login(store, { account: "bob" })
    const shared = <I>(tag: Context.Tag<I, Credentials.Credentials>, account: string) =>
      Layer.provide(Credentials.layerShared(tag, server.flow({ account })), Layer.succeed(TokenStore.TokenStore, store))
    return { server, shared, ...makeApi(server) }
  })

  /** 50,000 requests, 400 at once, between which the clock moves. */
  const traffic = <E, R>(both: (n: number) => Effect.Effect<unknown, E, R>) =>
    Effect.gen(function*() {
      for (let turn = 0; turn < 125; turn++) {
        const requests = Array.from({ length: 200 }, (_, n) => both(turn * 200 + n))
        yield* Effect.all(requests, { concurrency: "unbounded", discard: true })
        yield* TestClock.adjust("8 seconds")
      }
    })

  const assertAllGood = ({ seen, server }: Effect.Effect.Success<typeof scene>) => {
    assert.strictEqual(seen.foreign, 0)
    assert.strictEqual(seen.ok, 50_000)
    assert.strictEqual(seen.expired, 0)
    // Each of the two has been renewed once in 24 to 32 seconds, of a thousand.
    assert.isAbove(server.presented.length, 60)
    assert.deepStrictEqual(server.reused, [])
  }

  it.effect("with a tag each never use each other's token, in 50,000 requests", () =>
    Effect.gen(function*() {
      const it = yield* scene
      const alice = ApiClient.make(Acme, { product: "Parts" })
      const bob = ApiClient.make(Other, { product: "Parts" })
      yield* traffic((n) => Effect.zip(alice.get(`/alice/${n}`), bob.get(`/bob/${n}`), { concurrent: n % 2 === 0 })).pipe(
        Effect.provide(Layer.mergeAll(it.shared(Acme, "alice"), it.shared(Other, "bob"), it.layer))
      )
      assertAllGood(it)
    }), 60_000)

  it.effect("with a runtime each, and one client of the API, never use each other's token, in 50,000 requests", () =>
    Effect.gen(function*() {
      const it = yield* scene
      const parts = ApiClient.make(Acme, { product: "Parts" })
      const runtimeFor = (account: string) => Layer.toRuntime(Layer.merge(it.shared(Acme, account), it.layer))
      const alice = yield* runtimeFor("alice")
      const bob = yield* runtimeFor("bob")
      yield* traffic((n) =>
        Effect.zip(
          Effect.provide(parts.get(`/alice/${n}`), alice),
          Effect.provide(parts.get(`/bob/${n}`), bob),
          { concurrent: n % 2 === 0 }
        )
      )
      assertAllGood(it)
    }).pipe(Effect.scoped), 60_000)
})
