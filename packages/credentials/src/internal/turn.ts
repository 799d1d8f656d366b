/**
 * A request that has to wait for its turn. Nothing of this is on the path of one
 * that is free to go.
 */
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import { Problem, RateLimited } from "../ApiError.js"
import type { TokenEndpointUnavailable } from "../CredentialsError.js"
import * as RateLimits from "../RateLimits.js"
import * as RetryPolicy from "../RetryPolicy.js"
import * as Failure from "./apiFailure.js"
import type { Limiter } from "./limiter.js"
import * as Metrics from "./metrics.js"
import type { Place } from "./pass.js"
import type { Refusal, Waiter } from "./waitingLine.js"

/** One request of the program, as far as its turn is concerned. */
export interface Run {
  /** As the program made it, with the product's path. */
  readonly plain: HttpClientRequest.HttpClientRequest
  /** Its place in the order of all requests of the product. */
  readonly ticket: number
  /** When its first attempt began, milliseconds since the epoch. */
  startedAt: number
  /** Something of it has been sent. */
  sent: boolean
}

const refused = (product: string, { plain }: Run, { limit, retryAt }: Refusal): Effect.Effect<never, RateLimited> =>
  Metric.update(Metrics.rateLimitRefusals.pipe(Metric.tagged("product", product), Metric.tagged("limit", limit)), 1).pipe(
    Effect.zipRight(
      Effect.fail(new RateLimited({ ...Failure.where(product, plain), retryAt, limit, problem: Problem.empty }))
    )
  )

/** In line; then `go` with a place that nobody else can take. */
const wait = <A, E, R>(
  product: string,
  limiter: Limiter,
  run: Run,
  waiter: Waiter,
  go: (place: Place) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | RateLimited | TokenEndpointUnavailable, R> =>
  Effect.gen(function*() {
    const joinedAt = yield* Clock.currentTimeMillis
    yield* limiter.join(waiter).pipe(
      Effect.withSpan("RateLimits.wait", { attributes: { product } }),
      Effect.catchTag("Refusal", (refusal) => refused(product, run, refusal))
    )
    const now = yield* Clock.currentTimeMillis
    yield* Metric.update(Metric.tagged(Metrics.rateLimitWaits, "product", product), 1)
    yield* Metric.update(Metric.tagged(Metrics.rateLimitWaitDuration, "product", product), (now - joinedAt) / 1000)
    if (!run.sent) run.startedAt = now
    return yield* go(waiter)
  })

/**
 * Goes on when its turn has come. `place` is what it went by when it found the
 * gate closed: who had a turn already waits for the rest of its patience.
 */
export const inTurn = <A, E, R>(
  product: string,
  limiter: Limiter,
  policy: RetryPolicy.RetryPolicy<R>,
  run: Run,
  place: Place,
  go: (place: Place) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | RateLimited | TokenEndpointUnavailable, R> =>
  place !== undefined && place !== "unpaced"
    ? wait(product, limiter, run, place, go)
    : Effect.gen(function*() {
      if (!(yield* RateLimits.isPaced)) return yield* go("unpaced")
      const { deadline, patience } = Option.getOrElse(yield* RetryPolicy.currentPolicy, () => policy)
      const now = yield* Clock.currentTimeMillis
      const longest = Duration.toMillis(patience)
      // No attempt after the first starts beyond the deadline, whatever it waits for.
      const left = run.sent ? Math.max(0, run.startedAt + Duration.toMillis(deadline) - now) : longest
      const waiter = limiter.waiter(run.ticket, Math.min(longest, left), now)
      return yield* Effect.ensuring(
        wait(product, limiter, run, waiter, go),
        // Read in the step that uses it: a time that is late by then would look like a clock put back.
        Effect.clockWith((clock) => Effect.sync(() => limiter.leave(waiter, clock.unsafeCurrentTimeMillis())))
      )
    })
