/**
 * What happens where requests are held back, for dashboards and alerts.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as DateTime from "effect/DateTime"
import type * as Option from "effect/Option"
import type { RateLimited } from "./ApiError.js"

/**
 * - `Throttled`: requests wait from now on; the first of them until `until`, as
 *   far as is known.
 * - `Resumed`: none waits any more.
 * - `Refused`: a request failed with `RateLimited` and was not sent, or not sent
 *   again.
 * - `Exceeded`: the server answered 429 all the same.
 *
 * Every event has the hash of the identity and the name of the API product. None
 * has a secret.
 *
 * @since 0.1.0
 * @category models
 */
export type RateLimitEvent = Data.TaggedEnum<{
  readonly Throttled: {
    readonly identity: string
    readonly product: string
    readonly limit: RateLimited["limit"]
    readonly until: DateTime.Utc
  }
  readonly Resumed: { readonly identity: string; readonly product: string }
  readonly Refused: {
    readonly identity: string
    readonly product: string
    readonly limit: RateLimited["limit"]
    readonly retryAt: DateTime.Utc
  }
  readonly Exceeded: {
    readonly identity: string
    readonly product: string
    readonly limit: RateLimited["limit"]
    /** As its `Retry-After` says. */
    readonly retryAt: Option.Option<DateTime.Utc>
  }
}>

/**
 * @since 0.1.0
 * @category constructors
 */
export const { $is, $match, Exceeded, Refused, Resumed, Throttled } = Data.taggedEnum<RateLimitEvent>()
