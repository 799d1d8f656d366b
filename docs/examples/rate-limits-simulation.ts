import { ProductInformation } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { Array, Duration, Effect, Fiber, Layer, Logger, LogLevel, Random, Schedule, TestClock, TestContext } from "effect"
import { RateLimits, RetryPolicy } from "effect-credentials"

/** What the server did in one second. */
export interface Second {
  readonly answered: number
  /** With 429. */
  readonly refused: number
}

export type Run = ReadonlyArray<Second>

export const fibers = 12

// #region job
const search = ProductInformation.keywordSearch({ Keywords: "NE555", Limit: 1 })

/** As by a program that reads no headers: it sends at once, and again about a second after a 429. */
const unpaced = search.pipe(
  RateLimits.withoutPacing,
  RetryPolicy.withPolicy(RetryPolicy.make({ schedule: RetryPolicy.none })),
  Effect.retry(Schedule.jitteredWith(Schedule.spaced("1 second"), { min: 0.5, max: 1.5 }))
)

/** 25 searches by each of 12 fibers, which begin within a second. */
const job = <A, E, R>(search: Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.range(1, fibers), (n) => Effect.delay(Effect.repeatN(search, 24), Duration.millis(80 * n)), {
    concurrency: "unbounded",
    discard: true
  })
// #endregion

export const seconds = 130

/** Two minutes take as long as the machine needs for them: time is that of `TestClock`. */
const simulate = <A, E, R>(search: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    yield* simulator.setLatency({ api: "1 second" })
    const fiber = yield* Effect.fork(job(search))
    const second = Effect.gen(function*() {
      yield* simulator.resetStats
      yield* TestClock.adjust("1 second")
      const { byStatus } = yield* simulator.stats
      return { answered: byStatus[200] ?? 0, refused: byStatus[429] ?? 0 }
    })
    const run = yield* Effect.replicateEffect(second, seconds)
    yield* Fiber.join(fiber)
    return run
  }).pipe(
    Effect.provide(Layer.provideMerge(DigiKeySimulator.layer(), TestContext.TestContext)),
    Effect.withRandom(Random.make("the same every time")),
    Logger.withMinimumLogLevel(LogLevel.None)
  )

export const runs = Effect.all({ unpaced: simulate(unpaced), paced: simulate(search) }, { concurrency: 2 })
