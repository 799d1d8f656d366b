/**
 * What the server has seen since it was made, or since `resetStats`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Calls of `/auth/token`, whatever became of them. */
  readonly tokenCalls: number
  readonly tokensIssued: number
  /** Calls of anything else, whatever became of them. */
  readonly requests: number
  /** All calls by method and path template: `"GET /payments/{id}"`. */
  readonly byRoute: Readonly<Record<string, number>>
  /** All replies by status. A call without a reply is not in here. */
  readonly byStatus: Readonly<Record<number, number>>
  /** Connections closed without an answer. */
  readonly dropped: number
}

export const empty: Stats = { tokenCalls: 0, tokensIssued: 0, requests: 0, byRoute: {}, byStatus: {}, dropped: 0 }

export const called = (route: string) => (stats: Stats): Stats => ({
  ...stats,
  ...(route === "POST /auth/token" ? { tokenCalls: stats.tokenCalls + 1 } : { requests: stats.requests + 1 }),
  byRoute: increment(stats.byRoute, route)
})

export const issued = (stats: Stats): Stats => ({ ...stats, tokensIssued: stats.tokensIssued + 1 })

export const answered = (status: number) => (stats: Stats): Stats => ({
  ...stats,
  byStatus: increment(stats.byStatus, status)
})

export const dropped = (stats: Stats): Stats => ({ ...stats, dropped: stats.dropped + 1 })

const increment = <K extends string | number>(counts: Readonly<Record<K, number>>, key: K): Record<K, number> => ({
  ...counts,
  [key]: (counts[key] ?? 0) + 1
})
