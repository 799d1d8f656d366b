import { DigiKeyApp, DigiKeyUser } from "@effect-credentials/digikey"
import { DigitzsApp } from "@effect-credentials/digitzs"
import { Cause, Duration, Effect, Exit, Fiber, Logger, LogLevel, Metric, MetricState, Option, Random } from "effect"
import { RateLimits } from "effect-credentials"
import * as Callers from "./callers.js"
import * as Leaks from "./leaks.js"
import * as Payments from "./payments.js"
import * as Requests from "./requests.js"
import * as Storm from "./storm.js"
import * as Wire from "./wire.js"
import * as World from "./world.js"

export interface Options {
  readonly mode: World.Mode
  readonly seed: number
  readonly requests: number
  readonly onEnd?: ((ended: number) => Effect.Effect<void>) | undefined
  readonly onFailure?: ((failure: unknown) => void) | undefined
}

/** What was seen of a whole run. */
export interface Report {
  readonly mode: World.Mode
  readonly seed: number
  readonly requests: number
  readonly callers: number
  readonly endings: Readonly<Record<string, number>>
  readonly odd: ReadonlyArray<string>
  readonly leakedSecrets: ReadonlyArray<string>
  readonly faults: Storm.Counts
  readonly sent: number
  readonly unanswered: number
  readonly answers: Readonly<Record<number, number>>
  readonly tokens: Readonly<Record<Wire.Holder, Wire.TokenCalls>>
  /** Access tokens that each server says it has issued for a call. */
  readonly issued: Readonly<Record<Wire.Provider, number>>
  readonly logins: number
  readonly refreshTokensReused: number
  readonly paced: number
  readonly book: Payments.Book
  /** States of a limiter that cannot be. */
  readonly illegalLimits: ReadonlyArray<string>
  readonly afterwards: Afterwards
  readonly fibersStarted: number
  readonly leaks: Leaks.Leaks
  /** Of the time that passed in the simulation, and of real time. */
  readonly simulatedMillis: number
  readonly millis: number
}

/** What was found when the storm was over. */
interface Afterwards {
  /** Requests that should have succeeded by then, and did not. */
  readonly failed: ReadonlyArray<string>
  /** Token calls that succeeded after both servers had revoked everything: one for each holder. */
  readonly renewals: Readonly<Record<Wire.Holder, number>>
  /** Of the limiters: requests that are out, or wait. */
  readonly pending: number
  readonly busyConnections: number
  readonly sleepers: number
}

const limits = Effect.map(
  Effect.all([
    RateLimits.snapshot(DigiKeyApp.DigiKeyApp),
    RateLimits.snapshot(DigiKeyUser.DigiKeyUser),
    RateLimits.snapshot(DigitzsApp.DigitzsApp)
  ]),
  (all) => all.flat()
)

const illegal = ({ inFlight, product, waiting, windows }: RateLimits.Snapshot): ReadonlyArray<string> => [
  ...(inFlight < 0 || waiting < 0 ? [`${product}: ${inFlight} in flight, ${waiting} waiting`] : []),
  ...windows.flatMap(({ name, remaining, requests }) => {
    const left = Option.getOrElse(remaining, () => 0)
    const most = Option.getOrElse(requests, () => Number.POSITIVE_INFINITY)
    return left >= 0 && left <= most ? [] : [`${product}: ${left} of ${most} left (${name})`]
  })
]

const paced = Effect.map(Metric.snapshot, (pairs) =>
  pairs.reduce((sum, { metricKey, metricState }) =>
    metricKey.name === "ratelimit_waits_total" && MetricState.isCounterState(metricState)
      ? sum + Number(metricState.count)
      : sum, 0))

/** Some seconds of real time: on a busy machine it takes a moment until a server sees that somebody has left. */
const aWhile = (busy: Effect.Effect<number>) =>
  Effect.delay(busy, "1 second").pipe(Effect.repeat({ until: (busy) => busy === 0, times: 300 }))

/** Nothing goes wrong any more: whatever was out of order is in order again by itself. */
const findAfterwards = (world: World.World, till: Payments.Till) =>
  Effect.gen(function*() {
    const failed: Array<string> = []
    const works = (what: string, request: Requests.Request) =>
      Effect.map(Effect.exit(request), (exit) => {
        if (Exit.isFailure(exit)) failed.push(`${what}: ${Cause.pretty(exit.cause)}`)
      })
    const oneOfEach = (what: string) =>
      Effect.forEach(Requests.oneOfEach, (request) => works(what, request), { concurrency: "unbounded", discard: true })

    yield* lastBlow(world)
    // Longer than any window, any Retry-After and any back-off.
    yield* Effect.sleep("2 minutes")
    yield* works("a login", World.logIn(world))
    yield* oneOfEach("a request")
    for (let left = till.unknown(); left > 0; left--) yield* works("asking for a payment", till.askOrPay)

    // Every token is over by then, and the next one is as fresh as can be.
    yield* Effect.sleep(Duration.sum(Wire.lifetime, "1 second"))
    yield* oneOfEach("a request with a new token")
    const before = successes(world)
    yield* Storm.revokeBoth(world)
    yield* oneOfEach("a request after a revocation")
    const now = successes(world)

    yield* comeAndGo(world)
    yield* Effect.sleep("15 seconds")
    const all = yield* limits
    const found: Afterwards = {
      failed,
      renewals: {
        DigiKeyApp: now.DigiKeyApp - before.DigiKeyApp,
        DigiKeyUser: now.DigiKeyUser - before.DigiKeyUser,
        DigitzsApp: now.DigitzsApp - before.DigitzsApp
      },
      pending: all.reduce((sum, { inFlight, waiting }) => sum + inFlight + waiting, (yield* world.digikey.stats).inFlight),
      busyConnections: yield* aWhile(world.busyConnections),
      sleepers: world.time.sleepers()
    }
    return found
  })

/**
 * No token any more, and none to be had; while the library pauses, its clock is put back: so far that it
 * shows no time again that it has shown before, at which a pause of then would seem to be of now.
 */
const lastBlow = (world: World.World) =>
  Effect.gen(function*() {
    yield* world.clocks.client.setError(600_000)
    yield* Storm.blackOut(world)
    yield* Storm.revokeBoth(world)
    yield* Effect.forEach(Requests.oneOfEach, Effect.exit<unknown, Requests.Failure, World.Services>, { concurrency: "unbounded" })
    yield* world.clocks.client.setError(-7_200_000)
    yield* Storm.calm(world)
  })

/** Many callers wait for a rate limit and for slow replies, and leave all at once: nobody is to wait for them. */
const comeAndGo = (world: World.World) =>
  Effect.gen(function*() {
    yield* Storm.crowded(world)
    const crowd = Effect.replicateEffect(Effect.all(Requests.oneOfEach, { concurrency: "unbounded" }), 10, { concurrency: "unbounded" })
    const first = yield* Effect.fork(crowd)
    yield* Effect.sleep("6 seconds") // the limit is known then
    const second = yield* Effect.fork(crowd)
    yield* Effect.sleep("2 seconds")
    yield* Fiber.interruptAll([first, second])
  })

const successes = ({ wire: { tokens } }: World.World): Record<Wire.Holder, number> => ({
  DigiKeyApp: Wire.successes(tokens.DigiKeyApp),
  DigiKeyUser: Wire.successes(tokens.DigiKeyUser),
  DigitzsApp: Wire.successes(tokens.DigitzsApp)
})

/** Whoever is told that a person has to log in tells a person. */
const person = (world: World.World, endings: Callers.Endings, logins: { count: number }) =>
  Effect.gen(function*() {
    let told = 0
    while (true) {
      yield* Effect.sleep("20 seconds")
      const asked = endings.counts.get("ReauthorizationRequired") ?? 0
      if (asked === told) continue
      const isDone = yield* Effect.isSuccess(World.logIn(world))
      if (!isDone) continue
      told = asked
      logins.count += 1
    }
  })

type Seen = Omit<Report, "leaks" | "fibersStarted" | "millis" | "simulatedMillis">

const story = (world: World.World, { mode, onEnd, onFailure, requests, seed }: Options) =>
  Effect.gen(function*() {
    const till = Payments.make()
    const endings: Callers.Endings = { counts: new Map(), odd: [], leaked: [] }
    const faults = Storm.noCounts()
    const logins = { count: 1 }
    const illegalLimits: Array<string> = []
    const callers = Math.min(60, Math.max(10, Math.ceil(requests / 10)))
    const pacedBefore = yield* paced

    yield* World.logIn(world)
    const storm = yield* Effect.fork(Effect.withRandom(Storm.rage(world, callers, faults), Random.make(`${seed}, storm`)))
    const somebody = yield* Effect.fork(person(world, endings, logins))
    yield* Callers.all({
      seed,
      requests,
      callers,
      till,
      secrets: [...Object.values(World.secrets), "simulated-access-token", "simulated-refresh-token", "tok_visa"],
      onFailure: onFailure ?? (() => {})
    }, endings, (ended) =>
      Effect.gen(function*() {
        if (ended % 25 === 0) illegalLimits.push(...(yield* limits).flatMap(illegal))
        if (onEnd !== undefined) yield* onEnd(ended)
      }))
    yield* Fiber.interruptAll([storm, somebody])
    yield* Storm.calm(world)
    const afterwards = yield* findAfterwards(world, till)

    const { digikey, digitzs, wire } = world
    const { refreshTokensReused, tokensIssued } = yield* digikey.stats
    const seen: Seen = {
      mode,
      seed,
      requests,
      callers,
      endings: Object.fromEntries(endings.counts),
      odd: endings.odd,
      leakedSecrets: endings.leaked,
      faults,
      sent: wire.sent(),
      unanswered: wire.unanswered(),
      answers: Object.fromEntries(wire.answers),
      tokens: wire.tokens,
      issued: { digikey: tokensIssued, digitzs: (yield* digitzs.stats).tokensIssued },
      logins: logins.count,
      refreshTokensReused,
      paced: (yield* paced) - pacedBefore,
      book: till.check(yield* digitzs.payments),
      illegalLimits,
      afterwards
    }
    return seen
  })

const inWorld = (options: Options) =>
  Effect.gen(function*() {
    const { services, world } = yield* World.make(options.mode)
    const seen = yield* story(world, options).pipe(Effect.provide(services), Effect.withClock(world.clocks.client))
    return { seen, simulatedMillis: world.time.now() }
  }).pipe(
    Effect.scoped,
    // Of the library, and of whatever has none of its own.
    Effect.withRandom(Random.make(`${options.seed}`)),
    Effect.withTracerEnabled(false),
    Logger.withMinimumLogLevel(LogLevel.None)
  )

/** The whole run: so many requests in a storm, what is found afterwards, and what is left when everything has ended. */
export const run = (options: Options) =>
  Effect.gen(function*() {
    const fibers = new Leaks.Fibers()
    const [duration, { leaks, result }] = yield* Effect.timed(
      Leaks.after(fibers, Effect.supervised(inWorld(options), fibers))
    )
    const { seen, simulatedMillis } = result
    const report: Report = {
      ...seen,
      simulatedMillis,
      fibersStarted: fibers.started,
      leaks,
      millis: Duration.toMillis(duration)
    }
    return report
  })
