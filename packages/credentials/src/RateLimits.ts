/**
 * What the replies of a server say of its rate limits. It is kept for each API
 * product of each Layer instance, shared by all fibers, and every request of an
 * `ApiClient` is paced by it.
 *
 * @since 0.1.0
 */
import type * as Headers from "@effect/platform/Headers"
import type * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { globalValue } from "effect/GlobalValue"
import type * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Credentials } from "./Credentials.js"
import type { Reading } from "./internal/rateLimitHeaders.js"
import * as RateLimitHeaders from "./internal/rateLimitHeaders.js"
import type { RateLimitEvent } from "./RateLimitEvent.js"

export type {
  /**
   * @since 0.1.0
   * @category models
   */
  Reading
}

/**
 * What is known of a product's limits before the server has said anything. It
 * holds until the first reply: a success that says nothing of a limit means that
 * there is none.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** At most so many requests (at least 1) in any such time. */
  readonly burst?: { readonly requests: number; readonly per: Duration.DurationInput } | undefined
  /** Requests in a day: at least 1. */
  readonly daily?: number | undefined
}

/**
 * One limit of a product, and what is left of its present window.
 *
 * @since 0.1.0
 * @category models
 */
export interface Window {
  /** As the server calls it: the name of its policy, or of the family of headers (`X-BurstLimit`). */
  readonly name: string
  /** `daily` has a window of more than an hour: nobody waits for its end. */
  readonly limit: "burst" | "daily"
  /** No reply has confirmed it yet. */
  readonly declared: boolean
  /** Requests in a window; none where the server has not said. */
  readonly requests: Option.Option<number>
  /** How many may still be sent in this window: between 0 and `requests`. */
  readonly remaining: Option.Option<number>
  /** When the window ends at the latest; none where no request was sent in it. */
  readonly resetAt: Option.Option<DateTime.Utc>
}

/**
 * How one API product of one account stands.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot {
  /** The hash of the identity whose credentials are used. */
  readonly identity: string
  readonly provider: string
  /** The name of the product, as its `ApiClient` was made with. */
  readonly product: string
  readonly windows: ReadonlyArray<Window>
  /** Requests whose answers are still out. */
  readonly inFlight: number
  /** Requests that wait for their turn. */
  readonly waiting: number
  /** Where a 429 asked to be left alone: until then. */
  readonly closedUntil: Option.Option<DateTime.Utc>
}

/**
 * The limits of all API products of one Layer instance; a field of `Credentials`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimits {
  /** The products of which a request was made, in the order of their first one. */
  readonly snapshot: Effect.Effect<ReadonlyArray<Snapshot>>
  /**
   * How every product stands now, and then each one that changes. A slow reader
   * skips states, is never behind, and never delays a request. Ends with the Layer.
   */
  readonly changes: Stream.Stream<Snapshot>
  /** What happens from now on. A slow reader loses the oldest. Ends with the Layer. */
  readonly events: Stream.Stream<RateLimitEvent>
}

/**
 * How the API products of these credentials stand. Empty for credentials that
 * were made by hand, without `rateLimits`.
 *
 * @example
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Credentials, RateLimits } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 *
 * // "Parts burst 17", for each limit that is known
 * export const lines = Effect.map(RateLimits.snapshot(Acme), (products) =>
 *   products.flatMap(({ product, windows }) =>
 *     windows.map(({ limit, remaining }) =>
 *       `${product} ${limit} ${Option.getOrElse(remaining, () => "?")}`)))
 * ```
 *
 * @since 0.1.0
 * @category getters
 */
export const snapshot = <I>(
  tag: Context.Tag<I, Credentials>
): Effect.Effect<ReadonlyArray<Snapshot>, never, I> =>
  Effect.flatMap(tag, ({ rateLimits }) => rateLimits?.snapshot ?? Effect.succeed([]))

/**
 * How the API products of these credentials stand now, and then each one that
 * changes. Ends with the Layer.
 *
 * @since 0.1.0
 * @category getters
 */
export const changes = <I>(tag: Context.Tag<I, Credentials>): Stream.Stream<Snapshot, never, I> =>
  Stream.unwrap(Effect.map(tag, ({ rateLimits }) => rateLimits?.changes ?? Stream.empty))

/**
 * Requests that are held back, refused and let go again, from now on. Ends with
 * the Layer.
 *
 * @since 0.1.0
 * @category getters
 */
export const events = <I>(tag: Context.Tag<I, Credentials>): Stream.Stream<RateLimitEvent, never, I> =>
  Stream.unwrap(Effect.map(tag, ({ rateLimits }) => rateLimits?.events ?? Stream.empty))

const paced: FiberRef.FiberRef<boolean> = globalValue(
  Symbol.for("effect-credentials/RateLimits/paced"),
  () => FiberRef.unsafeMake(true)
)

/**
 * Sends the API requests of one effect at once, whatever is known of limits:
 * they wait for nobody and may be answered with 429. They are counted like any
 * others.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { RateLimits } from "effect-credentials"
 *
 * declare const search: Effect.Effect<void>
 *
 * export const probe = search.pipe(RateLimits.withoutPacing)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withoutPacing = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.locally(effect, paced, false)

/**
 * Whether requests are paced here: `false` inside `withoutPacing`.
 *
 * @since 0.1.0
 * @category getters
 */
export const isPaced: Effect.Effect<boolean> = FiberRef.get(paced)

/**
 * Reads the rate limits in the headers of a reply: `X-RateLimit-*` and
 * `X-BurstLimit-*`, and `RateLimit` with `RateLimit-Policy` in all drafts of the
 * IETF. A reset may be seconds left, a Unix time in seconds or milliseconds, or a
 * date; dates count from the reply's own `Date`, else from `now` (milliseconds
 * since the epoch). Anything malformed is ignored.
 *
 * @example
 * ```ts
 * import { Headers } from "@effect/platform"
 * import { RateLimits } from "effect-credentials"
 *
 * const headers = Headers.fromInput({
 *   "RateLimit-Policy": `"burst";q=100;w=60`,
 *   "RateLimit": `"burst";r=17;t=42`
 * })
 * const [burst] = RateLimits.parse(headers, 0)
 * console.log(burst?.remaining, burst?.resetAfter) // 17 42000
 * ```
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (headers: Headers.Headers, now: number): ReadonlyArray<Reading> =>
  RateLimitHeaders.read(headers, now)
