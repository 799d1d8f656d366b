import { HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  Context,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  FiberRef,
  HashMap,
  Layer,
  Logger,
  Metric,
  Option,
  Redacted,
  Scope,
  Stream,
  TestClock
} from "effect"
import type { Tracer } from "effect"
import { AuthFlow, Credentials, CredentialsError, CredentialsIdentity, RefreshPolicy, Token, TokenStore } from "effect-credentials"
import { Acme, type Fake, makeFake, reply } from "./utils/fakeFlow.js"

const unavailable = new CredentialsError.TokenEndpointUnavailable({ provider: "acme", reason: "Transport" })
/** By its fields: a failure inside a span is handed on as a proxy of itself. */
const assertUnavailable = (error: CredentialsError.CredentialsError) =>
  assert.deepInclude({ ...error }, { _tag: "TokenEndpointUnavailable", provider: "acme", reason: "Transport" })
const text = (token: Token.Token) => Redacted.value(token.accessToken)
const provided = <A, E>(
  fake: Fake,
  body: (acme: Credentials.Credentials) => Effect.Effect<A, E>,
  options: Credentials.Options = {}
) => Effect.flatMap(Acme, body).pipe(Effect.provide(Credentials.layer(Acme, fake.flow, options)))

/** Runs an effect that waits for the clock. */
const passing = <A, E, R>(effect: Effect.Effect<A, E, R>, duration: Duration.DurationInput) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(duration)
    return yield* Fiber.join(fiber)
  })

describe("Credentials.token on an empty cache", () => {
  it.effect("asks once for a thousand callers", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const all = Effect.all(Array.from({ length: 1000 }, () => acme.token), { concurrency: "unbounded" })
          const tokens = yield* passing(all, "1 second")
          assert.deepStrictEqual(new Set(tokens.map(text)), new Set(["token-1"]))
          assert.strictEqual(yield* fake.calls, 1)
        }))
    }))

  it.effect("lets the others have the token when the first caller is interrupted", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const first = yield* Effect.fork(acme.token)
          yield* Effect.yieldNow()
          const others = yield* Effect.forEach(Array.from({ length: 999 }), () => Effect.fork(acme.token))
          yield* Effect.yieldNow()
          yield* Fiber.interrupt(first)
          yield* TestClock.adjust("1 second")
          const exits = yield* Effect.forEach(others, Fiber.await)
          assert.isTrue(exits.every(Exit.isSuccess))
          assert.strictEqual(yield* fake.calls, 1)
        }))
    }))

  it.effect("keeps the token for the next caller when all are interrupted", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const callers = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.fork(acme.token))
          yield* Effect.yieldNow()
          yield* Fiber.interruptAll(callers)
          yield* TestClock.adjust("1 second")
          assert.strictEqual(text(yield* acme.token), "token-1")
          assert.strictEqual(yield* fake.calls, 1)
        }))
    }))
})

describe("Credentials.token inside the soft window", () => {
  it.effect("hands out the old token without a wait and renews once", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          yield* passing(acme.token, "1 second")
          yield* TestClock.adjust("26 minutes")
          const tokens = yield* Effect.all(Array.from({ length: 1000 }, () => acme.token), { concurrency: "unbounded" })
          assert.deepStrictEqual(new Set(tokens.map(text)), new Set(["token-1"]))
          yield* TestClock.adjust("1 second")
          assert.strictEqual(text(yield* acme.token), "token-2")
          assert.strictEqual(yield* fake.calls, 2)
        }))
    }))

  it.effect("keeps every caller going while the token endpoint is down for an hour", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ expiresIn: "3 hours" })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          yield* passing(acme.token, "1 second")
          yield* TestClock.adjust("61 minutes")
          yield* fake.behave(() => Effect.fail(unavailable))
          for (let call = 0; call < 360; call++) {
            assert.strictEqual(text(yield* acme.token), "token-1")
            yield* TestClock.adjust("10 seconds")
          }
          const attempts = (yield* fake.calls) - 1
          // Backing off up to a minute: about one attempt a minute, never one a call.
          assert.isAtMost(attempts, 130)
          assert.isAtLeast(attempts, 40)
          yield* fake.behave((call) => Effect.succeed(reply(`token-${call}`, "3 hours")))
          yield* TestClock.adjust("1 minute")
          yield* acme.token
          yield* TestClock.adjust("1 second")
          assert.notStrictEqual(text(yield* acme.token), "token-1")
        }), { refreshPolicy: RefreshPolicy.make({ softMax: "2 hours", softFraction: 1 }) })
    }))

  it.effect("asks once a lifetime for a token of 30 seconds", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ expiresIn: "30 seconds", takes: 0 })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          for (let second = 0; second < 300; second++) {
            yield* acme.token
            yield* TestClock.adjust("1 second")
          }
          // A lifetime ends where its soft window begins: a call at 0, 24, 48, … 288 seconds, and no other.
          assert.strictEqual(yield* fake.calls, 13)
        }))
    }))

  it.effect("does not hand out a token that has expired", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ expiresIn: "10 minutes" })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          yield* passing(acme.token, "1 second")
          yield* TestClock.adjust("10 minutes")
          yield* fake.behave(() => Effect.fail(unavailable))
          assertUnavailable(yield* Effect.flip(acme.token))
        }))
    }))

  it.effect("does not hand out a token that expires while renewals back off", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ expiresIn: "10 minutes", takes: 0 })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          yield* acme.token
          yield* TestClock.adjust(Duration.subtract("10 minutes", "100 millis"))
          yield* fake.behave(() => Effect.fail(unavailable))
          assert.strictEqual(text(yield* acme.token), "token-1")
          // The back-off lasts half a second at least.
          yield* TestClock.adjust("100 millis")
          assertUnavailable(yield* Effect.flip(acme.token))
        }))
    }))

  it.effect("lets callers wait where expiry is too near, and gives them the old token if the renewal fails in time", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ takes: 0 })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          yield* acme.token
          yield* TestClock.adjust(Duration.subtract("30 minutes", "9 seconds"))
          yield* fake.behave(() => Effect.delay(Effect.fail(unavailable), "2 seconds"))
          const waiting = yield* Effect.fork(acme.token)
          yield* TestClock.adjust("1 second")
          assert.isNull(waiting.unsafePoll())
          yield* TestClock.adjust("1 second")
          assert.strictEqual(text(yield* Fiber.join(waiting)), "token-1")
        }))
    }))
})

describe("a reply that gives no usable lifetime", () => {
  for (const expiresIn of [0, -5, Number.POSITIVE_INFINITY, Number.NaN]) {
    it.effect(`does not cost a call at every request (${expiresIn})`, () =>
      Effect.gen(function*() {
        const fake = yield* makeFake()
        yield* fake.behave((call) =>
          Effect.succeed({ accessToken: Redacted.make(`token-${call}`), expiresIn: Duration.millis(expiresIn) })
        )
        yield* provided(fake, (acme) =>
          Effect.gen(function*() {
            yield* Effect.repeatN(acme.token, 99)
            assert.strictEqual(yield* fake.calls, 1)
          }))
      }))
  }
})

describe("a renewal that goes wrong", () => {
  it.effect("times out at a hung endpoint, and the next caller starts afresh", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      yield* fake.behave(() => Effect.never)
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const error = yield* passing(Effect.flip(acme.token), "30 seconds")
          assert.deepInclude(error, { _tag: "TokenEndpointUnavailable", reason: "Timeout" })
          yield* fake.behave((call) => Effect.succeed(reply(`token-${call}`, "1 hour")))
          assert.strictEqual(text(yield* acme.token), "token-2")
        }))
    }))

  it.effect("times out even where the flow cannot be interrupted", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      const gate = yield* Deferred.make<never>()
      yield* fake.behave(() => Effect.uninterruptible(Deferred.await(gate)))
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const error = yield* passing(Effect.flip(acme.token), "30 seconds")
          assert.deepInclude(error, { _tag: "TokenEndpointUnavailable", reason: "Timeout" })
        }))
      yield* Deferred.interrupt(gate)
    }))

  it.effect("shares a failure with those who wait and does not keep it", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      yield* fake.behave((call) =>
        call === 1 ? Effect.delay(Effect.fail(unavailable), "1 second") : Effect.succeed(reply(`token-${call}`, "1 hour"))
      )
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const all = Effect.all(Array.from({ length: 100 }, () => Effect.exit(acme.token)), { concurrency: "unbounded" })
          const exits = yield* passing(all, "1 second")
          assert.isTrue(exits.every(Exit.isFailure))
          assert.strictEqual(yield* fake.calls, 1)
          assert.strictEqual(text(yield* acme.token), "token-2")
        }))
    }))

  it.effect("asks nobody again before the time that the server gave", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      const now = yield* DateTime.now
      const busy = new CredentialsError.TokenEndpointUnavailable({
        provider: "acme",
        reason: "Status",
        status: 429,
        retryAt: DateTime.add(now, { seconds: 60 })
      })
      yield* fake.behave(() => Effect.fail(busy))
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          yield* Effect.repeatN(Effect.flip(acme.token), 9)
          yield* Effect.repeatN(Effect.flip(acme.refresh), 9)
          assert.strictEqual(yield* fake.calls, 1)
          yield* TestClock.adjust("60 seconds")
          yield* Effect.flip(acme.token)
          assert.strictEqual(yield* fake.calls, 2)
        }))
    }))

  for (const [name, layer] of [["alone", Credentials.layer], ["with a store", Credentials.layerShared]] as const) {
    it.effect(`leaves the server alone no longer because the clock is put back, ${name}`, () =>
      Effect.gen(function*() {
        yield* TestClock.adjust("10 hours")
        const fake = yield* makeFake({ takes: 0 })
        const retryAt = DateTime.add(yield* DateTime.now, { seconds: 60 })
        yield* fake.behave((call) =>
          call === 1
            ? Effect.fail(new CredentialsError.TokenEndpointUnavailable({ provider: "acme", reason: "Status", status: 429, retryAt }))
            : Effect.succeed(reply(`token-${call}`, "1 hour"))
        )
        yield* Effect.gen(function*() {
          const acme = yield* Acme
          yield* Effect.flip(acme.token)
          yield* TestClock.setTime(9.5 * 3_600_000)
          assert.strictEqual(text(yield* acme.token), "token-2")
        }).pipe(Effect.provide(Layer.provide(layer(Acme, fake.flow), TokenStore.layerMemory)))
      }))
  }

  for (
    const [what, exchange] of [
      ["a defect", Effect.die(new Error("a bug"))],
      ["an interruption", Effect.interrupt],
      ["a synchronous throw", Effect.suspend((): Effect.Effect<never> => {
        throw new Error("a bug")
      })]
    ] as const
  ) {
    it.effect(`is not wedged by ${what} inside the flow`, () =>
      Effect.gen(function*() {
        const fake = yield* makeFake({ takes: 0 })
        yield* fake.behave(() => exchange)
        yield* provided(fake, (acme) =>
          Effect.gen(function*() {
            const exit = yield* Effect.exit(acme.token)
            assert.isTrue(Exit.isFailure(exit) && !Exit.isInterrupted(exit))
            yield* fake.behave((call) => Effect.succeed(reply(`token-${call}`, "1 hour")))
            assert.strictEqual(text(yield* acme.token), "token-2")
          }))
      }))

    it.effect(`keeps a good token after ${what} inside the flow`, () =>
      Effect.gen(function*() {
        const fake = yield* makeFake({ takes: 0 })
        yield* provided(fake, (acme) =>
          Effect.gen(function*() {
            yield* acme.token
            yield* fake.behave(() => exchange)
            yield* Effect.exit(acme.refresh)
            assert.strictEqual(text(yield* acme.token), "token-1")
          }))
      }))
  }

  it.effect("is not wedged by a logger that throws", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ takes: 0 })
      const throwing = Logger.replace(Logger.defaultLogger, Logger.make(() => {
        throw new Error("a bad logger")
      }))
      const layer = Layer.provide(Credentials.layer(Acme, fake.flow), throwing)
      yield* Effect.gen(function*() {
        const acme = yield* Acme
        const first = yield* acme.token
        // Nothing failed but the logger: a refusal leads to a renewal at once.
        yield* Effect.repeatN(Effect.yieldNow(), 50)
        assert.strictEqual(text(yield* acme.reject(first)), "token-2")
        yield* fake.behave(() => Effect.fail(unavailable))
        yield* Effect.flip(acme.refresh)
        yield* fake.behave((call) => Effect.succeed(reply(`token-${call}`, "1 hour")))
        assert.strictEqual(text(yield* acme.refresh), "token-4")
      }).pipe(Effect.provide(layer))
    }))
})

describe("Credentials.reject", () => {
  it.effect("renews once for fifty refusals of one token, staggered or at once", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const refused = yield* passing(acme.token, "1 second")
          const fibers = yield* Effect.forEach(Array.from({ length: 50 }, (_, i) => i), (i) =>
            Effect.fork(Effect.delay(acme.reject(refused), i * 100)))
          yield* TestClock.adjust("10 seconds")
          const tokens = yield* Effect.forEach(fibers, Fiber.join)
          assert.deepStrictEqual(new Set(tokens.map(text)), new Set(["token-2"]))
          assert.strictEqual(yield* fake.calls, 2)
        }))
    }))

  it.effect("fails those who were refused if the renewal fails; others keep the old token", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ takes: 0 })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const refused = yield* acme.token
          yield* fake.behave(() => Effect.fail(unavailable))
          assertUnavailable(yield* Effect.flip(acme.reject(refused)))
          assert.strictEqual(text(yield* acme.token), "token-1")
          // A sick server is not asked again by every refusal.
          yield* Effect.repeatN(Effect.flip(acme.reject(refused)), 99)
          assert.strictEqual(yield* fake.calls, 2)
        }))
    }))

  it.effect("renews again when the clock is put back, although the back-off was not over", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("10 hours")
      const fake = yield* makeFake({ takes: 0 })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const refused = yield* acme.token
          yield* fake.behave(() => Effect.fail(unavailable))
          yield* Effect.flip(acme.reject(refused))
          yield* fake.behave((call) => Effect.succeed(reply(`token-${call}`, "1 hour")))
          yield* Effect.flip(acme.reject(refused))
          yield* TestClock.setTime(9.5 * 3_600_000)
          assert.strictEqual(text(yield* acme.reject(refused)), "token-3")
        }))
    }))

  it.effect("forgets the back-off as soon as there is a new token", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ takes: 0 })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const first = yield* acme.token
          yield* fake.behave(() => Effect.fail(unavailable))
          yield* Effect.flip(acme.reject(first))
          yield* fake.behave((call) => Effect.succeed(reply(`token-${call}`, "1 hour")))
          const second = yield* acme.refresh
          assert.strictEqual(text(yield* acme.reject(second)), "token-4")
        }))
    }))

  it.effect("knows a token by its text, wherever the object came from", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ takes: 0 })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const { expiresAt, issuedAt } = yield* acme.token
          const copy = Token.make({ accessToken: "token-1", issuedAt, expiresAt })
          assert.strictEqual(text(yield* acme.reject(copy)), "token-2")
          assert.strictEqual(text(yield* acme.reject(copy)), "token-2")
        }))
    }))
})

describe("Credentials.refresh", () => {
  it.effect("renews whatever the clock says, and shares a renewal that is under way", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          yield* passing(acme.token, "1 second")
          const both = Effect.all([acme.refresh, acme.refresh], { concurrency: 2 })
          const [one, two] = yield* passing(both, "1 second")
          assert.strictEqual(text(one), "token-2")
          assert.strictEqual(text(two), "token-2")
          assert.strictEqual(yield* fake.calls, 2)
        }))
    }))
})

describe("a flow that answers without waiting", () => {
  it.effect("is renewed as often as it is asked", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      yield* fake.behave((call) => Effect.succeed(reply(`token-${call}`, "1 hour")))
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          assert.strictEqual(text(yield* acme.token), "token-1")
          assert.strictEqual(text(yield* acme.refresh), "token-2")
          yield* TestClock.adjust("1 hour")
          assert.strictEqual(text(yield* acme.token), "token-3")
        }))
    }))
})

describe("whose a renewal is", () => {
  it.effect("the first caller's log annotations, parent span and fiber refs are not on it", () =>
    Effect.gen(function*() {
      const mine = FiberRef.unsafeMake("nobody's")
      const seen: Array<{ ref: string; annotations: number; parent: string; links: ReadonlyArray<string> }> = []
      const fake = yield* makeFake()
      yield* fake.behave((call) =>
        Effect.gen(function*() {
          const span = yield* Effect.orDie(Effect.currentSpan)
          seen.push({
            ref: yield* FiberRef.get(mine),
            annotations: HashMap.size(yield* Effect.logAnnotations),
            parent: Option.match(span.parent, { onNone: () => "none", onSome: (parent) => parent.spanId }),
            links: span.links.map((link) => link.span._tag === "Span" ? link.span.name : "external")
          })
          return reply(`token-${call}`, "1 hour")
        })
      )
      yield* provided(fake, (acme) =>
        acme.token.pipe(
          Effect.locally(mine, "the caller's"),
          Effect.annotateLogs("request", "the caller's"),
          Effect.withSpan("caller")
        ))
      assert.deepStrictEqual(seen, [{ ref: "nobody's", annotations: 0, parent: "none", links: ["caller"] }])
    }))

  it.effect("a Layer built inside a span does not give that span to its renewals", () =>
    Effect.gen(function*() {
      const parents: Array<boolean> = []
      const fake = yield* makeFake()
      yield* fake.behave((call) =>
        Effect.gen(function*() {
          const span = yield* Effect.orDie(Effect.currentSpan)
          parents.push(Option.isSome(span.parent))
          return reply(`token-${call}`, "1 hour")
        })
      )
      yield* Effect.withSpan(provided(fake, (acme) => acme.token), "building")
      assert.deepStrictEqual(parents, [false])
    }))
})

describe("closing the Layer", () => {
  const closing = (fake: Fake) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Credentials.layer(Acme, fake.flow), scope)
      return { acme: Context.get(context, Acme), close: Scope.close(scope, Exit.void) }
    })

  it.effect("before a renewal: token, reject and refresh fail at once", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      const { acme, close } = yield* closing(fake)
      yield* close
      const stale = Token.make({ accessToken: "x", issuedAt: DateTime.unsafeMake(0), expiresAt: DateTime.unsafeMake(1) })
      for (const ask of [acme.token, acme.refresh, acme.reject(stale)]) {
        assert.deepInclude(yield* Effect.flip(ask), { _tag: "TokenEndpointUnavailable", reason: "Closed" })
      }
      assert.strictEqual(yield* fake.calls, 0)
    }))

  it.effect("during a renewal: the exchange is interrupted and nobody hangs", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      const interrupted = yield* Deferred.make<void>()
      yield* fake.behave(() => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)))
      const { acme, close } = yield* closing(fake)
      const waiting = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.fork(Effect.flip(acme.token)))
      yield* Effect.yieldNow()
      yield* close
      for (const error of yield* Effect.forEach(waiting, Fiber.join)) {
        assert.deepInclude(error, { _tag: "TokenEndpointUnavailable", reason: "Closed" })
      }
      yield* Deferred.await(interrupted)
    }))

  it.effect("in the same step as the first call: nobody hangs", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      const { acme, close } = yield* closing(fake)
      const waiting = yield* Effect.fork(Effect.exit(acme.token))
      const closingNow = yield* Effect.fork(close)
      yield* Fiber.join(closingNow)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
    }))

  it.effect("after a renewal: the token is gone with the Layer, and the events end", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ takes: 0 })
      const { acme, close } = yield* closing(fake)
      const events = yield* Effect.fork(Stream.runDrain(acme.events))
      yield* Effect.yieldNow()
      yield* acme.token
      yield* close
      assert.deepInclude(yield* Effect.flip(acme.token), { reason: "Closed" })
      yield* Fiber.join(events)
    }))

  it.effect("waits for a renewal that replaces a refresh token, and lets its callers have the result", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<AuthFlow.TokenReplyWithExpiry>()
      const flow = yield* AuthFlow.make({
        identity: { provider: "acme", clientId: "client", grant: "authorization_code", account: "me" },
        baseUrl: "https://api.acme.test",
        obtain: Deferred.await(gate)
      })
      const rotating = { ...flow, renew: Option.some(() => Deferred.await(gate)) }
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Credentials.layer(Acme, rotating), scope)
      const waiting = yield* Effect.fork(Context.get(context, Acme).token)
      yield* Effect.yieldNow()
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.yieldNow()
      assert.isNull(closing.unsafePoll())
      yield* Deferred.succeed(gate, reply("token-1", "1 hour"))
      assert.strictEqual(text(yield* Fiber.join(waiting)), "token-1")
      yield* Fiber.join(closing)
    }))
})

describe("RefreshPolicy.foreground", () => {
  it.effect("lets no renewal outlive the caller", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake()
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          yield* passing(acme.token, "1 second")
          yield* TestClock.adjust("26 minutes")
          const inSoftWindow = yield* Effect.fork(acme.token)
          yield* Effect.yieldNow()
          assert.isNull(inSoftWindow.unsafePoll())
          const interrupting = yield* Effect.fork(Fiber.interrupt(inSoftWindow))
          yield* Effect.repeatN(Effect.yieldNow(), 50)
          assert.isNull(interrupting.unsafePoll())
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(interrupting)
          assert.strictEqual(text(yield* acme.token), "token-2")
        }), { refreshPolicy: RefreshPolicy.foreground })
    }))
})

/** A logger that keeps its lines. */
const collecting = () => {
  const lines: Array<string> = []
  const keep = Logger.map(Logger.stringLogger, (line) => {
    lines.push(line)
  })
  return { lines, logger: Logger.replace(Logger.defaultLogger, keep) }
}

describe("what can be seen from outside", () => {
  it.effect("events tell what happened, in order, without a secret", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ takes: 0 })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const collecting = yield* Effect.fork(Stream.runCollect(Stream.take(acme.events, 6)))
          yield* Effect.yieldNow()
          const first = yield* acme.token
          yield* acme.reject(first)
          yield* fake.behave(() => Effect.fail(unavailable))
          yield* Effect.flip(acme.refresh)
          yield* fake.behave(() =>
            Effect.fail(new CredentialsError.ReauthorizationRequired({ provider: "acme", reason: "Refused" }))
          )
          yield* Effect.flip(acme.refresh)
          yield* fake.behave((call) => Effect.succeed(reply(`token-${call}`, "1 hour")))
          yield* acme.refresh
          const events = Array.from(yield* Fiber.join(collecting))
          assert.deepStrictEqual(events.map((event) => event._tag), [
            "Acquired",
            "Rejected",
            "Renewed",
            "RenewalFailed",
            "ReauthorizationRequired",
            "Renewed"
          ])
          assert.isTrue(events.every((event) => event.identity === acme.identity.hash))
          assert.notInclude(JSON.stringify(events), "token-")
        }))
    }))

  it.effect("a reader of events that never reads delays nothing", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ takes: 0 })
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          const stuck = yield* Effect.fork(Stream.runForEach(acme.events, () => Effect.never))
          yield* Effect.yieldNow()
          yield* Effect.repeatN(acme.refresh, 200)
          assert.strictEqual(yield* fake.calls, 201)
          yield* Fiber.interrupt(stuck)
        }))
    }))

  it.effect("one Info line a renewal, one Warning a failure, and no token in either", () =>
    Effect.gen(function*() {
      const { lines, logger } = collecting()
      const fake = yield* makeFake({ takes: 0 })
      yield* Effect.gen(function*() {
        const acme = yield* Acme
        yield* acme.token
        yield* fake.behave(() => Effect.fail(unavailable))
        yield* Effect.flip(acme.refresh)
      }).pipe(Effect.provide(Layer.provide(Credentials.layer(Acme, fake.flow), logger)))
      assert.strictEqual(lines.length, 2)
      assert.include(lines[0], "level=INFO")
      assert.include(lines[0], "provider=acme")
      assert.include(lines[0], "expiresAt=1970-01-01T00:30:00.000Z")
      assert.include(lines[1], "level=WARN")
      assert.notInclude(lines.join(), "token-1")
    }))

  it.effect("the span of a renewal ends as the renewal does", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.Span> = []
      const fake = yield* makeFake({ takes: 0 })
      yield* fake.behave(() =>
        Effect.flatMap(Effect.orDie(Effect.currentSpan), (span) => {
          spans.push(span)
          return spans.length === 1 ? Effect.succeed(reply("token-1", "1 hour")) : Effect.fail(unavailable)
        })
      )
      yield* provided(fake, (acme) => Effect.zipRight(acme.token, Effect.flip(acme.refresh)))
      const exits = spans.map(({ name, status }) =>
        [name, status._tag === "Ended" && Exit.isSuccess(status.exit) ? "success" : "failure"]
      )
      assert.deepStrictEqual(exits, [["Credentials.renew", "success"], ["Credentials.renew", "failure"]])
    }))

  it.effect("a Layer that ends during a renewal reports no failure", () =>
    Effect.gen(function*() {
      const { lines, logger } = collecting()
      const fake = yield* makeFake()
      yield* fake.behave(() => Effect.never)
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.provide(Credentials.layer(Acme, fake.flow), logger), scope)
      const waiting = yield* Effect.fork(Effect.flip(Context.get(context, Acme).token))
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(lines, [])
    }))

  it.effect("renewals are counted by provider, grant and outcome", () =>
    Effect.gen(function*() {
      const fake = yield* makeFake({ takes: 0 })
      const count = (outcome: string) =>
        Metric.value(
          Metric.counter("credentials_renewals_total", {
            description: "Attempts to get a token, by outcome",
            incremental: true
          }).pipe(
            Metric.tagged("outcome", outcome),
            Metric.tagged("provider", "acme"),
            Metric.tagged("grant", "client_credentials")
          )
        ).pipe(Effect.map((state) => state.count))
      const before = [yield* count("success"), yield* count("TokenEndpointUnavailable")] as const
      yield* provided(fake, (acme) =>
        Effect.gen(function*() {
          yield* acme.token
          yield* fake.behave(() => Effect.fail(unavailable))
          yield* Effect.flip(acme.refresh)
        }))
      assert.strictEqual((yield* count("success")) - before[0], 1)
      assert.strictEqual((yield* count("TokenEndpointUnavailable")) - before[1], 1)
    }))
})

describe("whose a token is", () => {
  it.effect("two accounts have two tags and never share a token", () =>
    Effect.gen(function*() {
      class Other extends Credentials.Tag("Other")<Other>() {}
      const one = yield* makeFake({ takes: 0 })
      const two = yield* makeFake({ takes: 0 })
      yield* two.behave((call) => Effect.succeed(reply(`other-${call}`, "1 hour")))
      const layer = Layer.merge(Credentials.layer(Acme, one.flow), Credentials.layer(Other, two.flow))
      yield* Effect.gen(function*() {
        assert.strictEqual(text(yield* (yield* Acme).token), "token-1")
        assert.strictEqual(text(yield* (yield* Other).token), "other-1")
      }).pipe(Effect.provide(layer))
    }))

  it.effect("the identity differs with every part of it, and shows neither client id nor secret", () =>
    Effect.gen(function*() {
      const base = { provider: "p", environment: "e", clientId: "the-client", grant: "g", scopes: ["a", "b"] }
      const parts: ReadonlyArray<CredentialsIdentity.Parts> = [
        base,
        { ...base, provider: "q" },
        { ...base, environment: "f" },
        { ...base, clientId: "the-clien", grant: "tg" },
        { ...base, scopes: ["ab"] },
        { ...base, account: "me" },
        { ...base, secret: Redacted.make("the-secret") },
        { ...base, secret: Redacted.make("the-other-secret") }
      ]
      const identities = yield* Effect.forEach(parts, CredentialsIdentity.make)
      assert.strictEqual(new Set(identities.map((identity) => identity.hash)).size, parts.length)
      assert.notInclude(JSON.stringify(identities), "the-")
      const reordered = yield* CredentialsIdentity.make({ ...base, scopes: ["b", "a", "b"] })
      assert.strictEqual(reordered.hash, identities[0]?.hash)
    }))
})

describe("a token reply that names the base URL", () => {
  const naming = (baseUrl: string) =>
    AuthFlow.make({
      identity: { provider: "acme", clientId: "client", grant: "client_credentials" },
      baseUrl: "https://login.acme.test",
      acceptBaseUrl: ({ origin }) => origin.endsWith(".acme.test"),
      obtain: Effect.succeed({ ...reply("token-1", "1 hour"), baseUrl })
    })
  const get = Effect.gen(function*() {
    const acme = yield* Acme
    return yield* acme.attach(HttpClientRequest.get("/parts"), yield* acme.token)
  })

  it.effect("sends the token there, if the flow accepts it", () =>
    Effect.gen(function*() {
      const request = yield* get
      assert.strictEqual(request.url, "https://eu7.acme.test/v2/parts")
    }).pipe(Effect.provide(Credentials.layer(Acme, naming("https://eu7.acme.test/v2")))))

  for (const baseUrl of ["https://acme.test.evil.com", "http://eu7.acme.test", "https://eu7.acme.test@evil.com", "x"]) {
    it.effect(`is no token reply where it names ${baseUrl}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(get)
        assert.deepInclude({ ...error }, { _tag: "MalformedTokenResponse" })
      }).pipe(Effect.provide(Credentials.layer(Acme, naming(baseUrl)))))
  }

  it.effect("does not send a token elsewhere because a store says so", () =>
    Effect.gen(function*() {
      const acme = yield* Acme
      const { expiresAt, issuedAt } = yield* acme.token
      const planted = Token.make({ accessToken: "token-1", issuedAt, expiresAt, baseUrl: "https://evil.com" })
      const error = yield* Effect.flip(acme.attach(HttpClientRequest.get("/parts"), planted))
      assert.strictEqual(error._tag, "ForeignOrigin")
    }).pipe(Effect.provide(Credentials.layer(Acme, naming("https://eu7.acme.test")))))
})

describe("Credentials.layerTest", () => {
  it.effect("gives a fixed token and no network", () =>
    Effect.gen(function*() {
      const acme = yield* Acme
      assert.strictEqual(text(yield* acme.token), "fixed")
      assert.strictEqual(text(yield* acme.reject(yield* acme.token)), "fixed")
    }).pipe(Effect.provide(Credentials.layerTest(Acme, { token: "fixed" }))))

  it.effect("fails as told", () =>
    Effect.gen(function*() {
      const acme = yield* Acme
      assertUnavailable(yield* Effect.flip(acme.token))
    }).pipe(Effect.provide(Credentials.layerTest(Acme, { token: Effect.fail(unavailable) }))))
})
