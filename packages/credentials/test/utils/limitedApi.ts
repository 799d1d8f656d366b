/** An API with rate limits of its own, which others may use as well. */
import { Clock, Duration, Effect } from "effect"
import type * as Fake from "./fakeApi.js"

export interface LimitedOptions {
  readonly burst?: { readonly requests: number; readonly per: Duration.DurationInput } | undefined
  readonly daily?: number | undefined
  /** Windows begin at multiples of their length; with the first request in them by default. */
  readonly aligned?: boolean
  /** How long the reply to request number `n` (from 0) takes, milliseconds. */
  readonly latency?: (n: number) => number
  readonly headers?: boolean
}

export interface Limited {
  readonly answer: (request: Fake.Arrived) => Fake.Answer
  /** Requests of another process that uses the same account; or another product that uses its day alone. */
  readonly use: (times: number, of?: "daily") => Effect.Effect<void>
  /** The status of every request, in the order of arrival. */
  readonly statuses: ReadonlyArray<number>
}

interface Counter {
  readonly limit: number
  readonly window: number
  startsAt: number
  used: number
}

export const makeLimited = (options: LimitedOptions): Limited => {
  const counter = (limit: number, window: number): Counter => ({ limit, window, startsAt: Number.NEGATIVE_INFINITY, used: 0 })
  const burst = options.burst === undefined ? undefined : counter(options.burst.requests, Duration.toMillis(options.burst.per))
  const daily = options.daily === undefined ? undefined : counter(options.daily, 86_400_000)
  const all = [burst, daily].filter((it) => it !== undefined)
  const statuses: Array<number> = []

  const roll = (now: number): void => {
    for (const it of all) {
      if (now < it.startsAt + it.window) continue
      it.startsAt = options.aligned === true || it === daily ? Math.floor(now / it.window) * it.window : now
      it.used = 0
    }
  }
  const take = (): Counter | undefined => {
    const full = all.find((it) => it.used >= it.limit)
    if (full === undefined) for (const it of all) it.used += 1
    return full
  }
  const left = (it: Counter, now: number): string => String(Math.ceil((it.startsAt + it.window - now) / 1000))
  const headersOf = (prefix: string, it: Counter | undefined, now: number): Record<string, string> =>
    it === undefined || options.headers === false ? {} : {
      [`${prefix}-limit`]: String(it.limit),
      [`${prefix}-remaining`]: String(it.limit - it.used),
      [`${prefix}-reset`]: left(it, now)
    }

  return {
    statuses,
    use: (times, of) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        roll(now)
        if (of === "daily" && daily !== undefined) daily.used += times
        else for (let n = 0; n < times; n++) take()
      }),
    answer: () =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        roll(now)
        const full = take()
        const status = full === undefined ? 200 : 429
        const number = statuses.push(status) - 1
        const headers = {
          ...headersOf("x-burstlimit", burst, now),
          ...headersOf("x-ratelimit", daily, now),
          ...(full === undefined ? {} : { "retry-after": left(full, now) })
        }
        const latency = options.latency?.(number) ?? 0
        if (latency > 0) yield* Effect.sleep(latency)
        return new Response("{}", { status, headers })
      })
  }
}
