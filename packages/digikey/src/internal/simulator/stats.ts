/**
 * What the server has seen since it was made, or since `resetStats`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Calls of the token endpoint, whatever became of them. */
  readonly tokenCalls: number
  readonly tokensIssued: number
  /** Token calls answered with a status of 400 or above. */
  readonly tokensRefused: number
  /** API calls, whatever became of them. */
  readonly requests: number
  /** API calls by method and path template: `"GET /products/v4/search/{productNumber}/productdetails"`. */
  readonly byRoute: Readonly<Record<string, number>>
  /** API replies by status. A call without a reply is not in here. */
  readonly byStatus: Readonly<Record<number, number>>
  /** API calls that took effect, by method and path template, also those whose reply was lost. */
  readonly applied: Readonly<Record<string, number>>
  /** Connections closed without an answer, token calls included. */
  readonly dropped: number
  /** Calls that are being served now, token calls included. */
  readonly inFlight: number
  /** The most calls that were ever served at the same time. */
  readonly peakInFlight: number
}

export const empty: Stats = {
  tokenCalls: 0,
  tokensIssued: 0,
  tokensRefused: 0,
  requests: 0,
  byRoute: {},
  byStatus: {},
  applied: {},
  dropped: 0,
  inFlight: 0,
  peakInFlight: 0
}

/** Counters start again; calls that are being served stay counted as such. */
export const reset = (stats: Stats): Stats => ({ ...empty, inFlight: stats.inFlight, peakInFlight: stats.inFlight })

const enter = (stats: Stats): Stats => {
  const inFlight = stats.inFlight + 1
  return { ...stats, inFlight, peakInFlight: Math.max(stats.peakInFlight, inFlight) }
}

export const leave = (stats: Stats): Stats => ({ ...stats, inFlight: stats.inFlight - 1 })

export const enterToken = (stats: Stats): Stats => ({ ...enter(stats), tokenCalls: stats.tokenCalls + 1 })

export const enterRoute = (route: string) => (stats: Stats): Stats => ({
  ...enter(stats),
  requests: stats.requests + 1,
  byRoute: increment(stats.byRoute, route)
})

export const issued = (stats: Stats): Stats => ({ ...stats, tokensIssued: stats.tokensIssued + 1 })

export const answeredToken = (status: number) => (stats: Stats): Stats =>
  status >= 400 ? { ...stats, tokensRefused: stats.tokensRefused + 1 } : stats

export const answered = (status: number) => (stats: Stats): Stats => ({
  ...stats,
  byStatus: increment(stats.byStatus, status)
})

export const applied = (route: string) => (stats: Stats): Stats => ({
  ...stats,
  applied: increment(stats.applied, route)
})

export const dropped = (stats: Stats): Stats => ({ ...stats, dropped: stats.dropped + 1 })

const increment = <K extends string | number>(counts: Readonly<Record<K, number>>, key: K): Record<K, number> => ({
  ...counts,
  [key]: (counts[key] ?? 0) + 1
})
