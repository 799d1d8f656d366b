import * as Duration from "effect/Duration"

/**
 * The limits of each product subscription. Defaults are DigiKey's: 120 requests a minute (10 for
 * Quotes) and 1,000 a day.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimitOptions {
  /**
   * A window of `window` (default 1 minute) that begins with the first request in it. A `limit` holds for
   * every product.
   */
  readonly burst?: { readonly limit?: number; readonly window?: Duration.DurationInput } | undefined
  /** A window of `window` (default 1 day) counted from the Unix epoch: a day is a UTC day. */
  readonly daily?: { readonly limit?: number; readonly window?: Duration.DurationInput } | undefined
  /** `X-RateLimit-Reset` as documented (a Unix time in seconds, the default) or as observed (seconds left). */
  readonly dailyReset?: "unixTime" | "secondsLeft" | undefined
  /** Also send `X-RateLimit-ResetTime` and `X-BurstLimit-ResetTime` (ISO dates). Default `false`. */
  readonly resetTimes?: boolean | undefined
}

/** Resolved limits: windows in milliseconds. */
export interface RateLimits {
  /** A `limit` of `undefined` is the product's own. */
  readonly burst: { readonly limit: number | undefined; readonly window: number }
  readonly daily: { readonly limit: number; readonly window: number }
  readonly dailyReset: "unixTime" | "secondsLeft"
  readonly resetTimes: boolean
}

export const resolve = (options: RateLimitOptions | "off" = {}): RateLimits | "off" =>
  options === "off" ? options : {
    burst: {
      limit: options.burst?.limit,
      window: Duration.toMillis(options.burst?.window ?? "1 minute")
    },
    daily: {
      limit: options.daily?.limit ?? 1000,
      window: Duration.toMillis(options.daily?.window ?? "1 day")
    },
    dailyReset: options.dailyReset ?? "unixTime",
    resetTimes: options.resetTimes ?? false
  }

/** What one product's subscription is held to. */
interface ProductLimits extends RateLimits {
  readonly burst: { readonly limit: number; readonly window: number }
}

export const forProduct = (limits: RateLimits, burstLimit = 120): ProductLimits => ({
  ...limits,
  burst: { ...limits.burst, limit: limits.burst.limit ?? burstLimit }
})

/** How much of the current window is used; `startsAt` in milliseconds. */
interface Usage {
  readonly startsAt: number
  readonly used: number
}

export interface Subscription {
  readonly burst: Usage
  readonly daily: Usage
}

export interface Decision {
  readonly next: Subscription
  readonly refusedBy: "burst" | "daily" | undefined
  readonly headers: Record<string, string>
}

/** Counts one request at `now` (milliseconds). A refused request uses up nothing. */
export const take = (limits: ProductLimits, subscription: Subscription | undefined, now: number): Decision => {
  const burst = current(subscription?.burst, limits.burst.window, now, now)
  const daily = current(
    subscription?.daily,
    limits.daily.window,
    Math.floor(now / limits.daily.window) * limits.daily.window,
    now
  )
  const refusedBy = daily.used >= limits.daily.limit
    ? "daily"
    : burst.used >= limits.burst.limit
    ? "burst"
    : undefined
  const next = refusedBy === undefined
    ? { burst: { ...burst, used: burst.used + 1 }, daily: { ...daily, used: daily.used + 1 } }
    : { burst, daily }
  return { next, refusedBy, headers: headers(limits, next, refusedBy, now) }
}

const current = (usage: Usage | undefined, window: number, startsAt: number, now: number): Usage =>
  usage !== undefined && now >= usage.startsAt && now < usage.startsAt + window ? usage : { startsAt, used: 0 }

const headers = (
  limits: ProductLimits,
  { burst, daily }: Subscription,
  refusedBy: Decision["refusedBy"],
  now: number
): Record<string, string> => {
  const burstEnd = burst.startsAt + limits.burst.window
  const dailyEnd = daily.startsAt + limits.daily.window
  const secondsUntil = (end: number) => Math.ceil((end - now) / 1000)
  const out: Record<string, string> = {
    "X-RateLimit-Limit": String(limits.daily.limit),
    "X-RateLimit-Remaining": String(Math.max(0, limits.daily.limit - daily.used)),
    "X-RateLimit-Reset": String(
      limits.dailyReset === "unixTime" ? Math.ceil(dailyEnd / 1000) : secondsUntil(dailyEnd)
    ),
    "X-BurstLimit-Limit": String(limits.burst.limit),
    "X-BurstLimit-Remaining": String(Math.max(0, limits.burst.limit - burst.used)),
    "X-BurstLimit-Reset": String(secondsUntil(burstEnd))
  }
  if (limits.resetTimes) {
    out["X-RateLimit-ResetTime"] = new Date(dailyEnd).toISOString()
    out["X-BurstLimit-ResetTime"] = new Date(burstEnd).toISOString()
  }
  if (refusedBy !== undefined) {
    out["Retry-After"] = String(secondsUntil(refusedBy === "daily" ? dailyEnd : burstEnd))
  }
  return out
}
