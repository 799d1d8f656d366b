/**
 * What the server has seen since it was made, or since `resetStats`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Calls of the token endpoint, whatever became of them. */
  readonly tokenCalls: number
  /**
   * The same calls by `grant_type`: `client_credentials`, `authorization_code`, `refresh_token`, and
   * `(other)` for one that is missing or unknown.
   */
  readonly tokenCallsByGrant: Readonly<Record<string, number>>
  /** Access tokens that token calls were granted, also those whose reply was lost. `signIn` is no call. */
  readonly tokensIssued: number
  /** Token calls answered with a status of 400 or above. */
  readonly tokensRefused: number
  /** Token calls that were granted for a refresh token, whether it was replaced or stayed good. */
  readonly refreshTokensRedeemed: number
  /** How many times a refresh token was presented that had been replaced before. */
  readonly refreshTokensReused: number
  /** Logins that were revoked, by whatever: reuse of a refresh token or a code, or a control. */
  readonly familiesRevoked: number
  /** Logins that can be renewed now: not revoked, and their refresh token has not expired. */
  readonly familiesAlive: number
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
  /** Calls that are being served now, those of the token and the authorization endpoint included. */
  readonly inFlight: number
  /** The most calls that were ever served at the same time. */
  readonly peakInFlight: number
}

/** What is counted; the rest is known from elsewhere. */
export type Counters = Omit<Stats, "familiesAlive">

export const empty: Counters = {
  tokenCalls: 0,
  tokenCallsByGrant: {},
  tokensIssued: 0,
  tokensRefused: 0,
  refreshTokensRedeemed: 0,
  refreshTokensReused: 0,
  familiesRevoked: 0,
  requests: 0,
  byRoute: {},
  byStatus: {},
  applied: {},
  dropped: 0,
  inFlight: 0,
  peakInFlight: 0
}

/** Counters start again; calls that are being served stay counted as such. */
export const reset = ({ inFlight }: Counters): Counters => ({ ...empty, inFlight, peakInFlight: inFlight })

/** A call that is counted only while it lasts. */
export const enter = (stats: Counters): Counters => {
  const inFlight = stats.inFlight + 1
  return { ...stats, inFlight, peakInFlight: Math.max(stats.peakInFlight, inFlight) }
}

export const leave = (stats: Counters): Counters => ({ ...stats, inFlight: stats.inFlight - 1 })

export const enterToken = (stats: Counters): Counters => ({ ...enter(stats), tokenCalls: stats.tokenCalls + 1 })

export const enterRoute = (route: string) => (stats: Counters): Counters => ({
  ...enter(stats),
  requests: stats.requests + 1,
  byRoute: increment(stats.byRoute, route)
})

const grants = ["client_credentials", "authorization_code", "refresh_token"]

export const calledFor = (grantType: string | null) => (stats: Counters): Counters => ({
  ...stats,
  tokenCallsByGrant: increment(
    stats.tokenCallsByGrant,
    grantType !== null && grants.includes(grantType) ? grantType : "(other)"
  )
})

export const issued = (stats: Counters): Counters => ({ ...stats, tokensIssued: stats.tokensIssued + 1 })

export const redeemed = (stats: Counters): Counters => ({
  ...stats,
  refreshTokensRedeemed: stats.refreshTokensRedeemed + 1
})

export const reused = (stats: Counters): Counters => ({
  ...stats,
  refreshTokensReused: stats.refreshTokensReused + 1
})

export const revoked = (families: number) => (stats: Counters): Counters => ({
  ...stats,
  familiesRevoked: stats.familiesRevoked + families
})

export const answeredToken = (status: number) => (stats: Counters): Counters =>
  status >= 400 ? { ...stats, tokensRefused: stats.tokensRefused + 1 } : stats

export const answered = (status: number) => (stats: Counters): Counters => ({
  ...stats,
  byStatus: increment(stats.byStatus, status)
})

export const applied = (route: string) => (stats: Counters): Counters => ({
  ...stats,
  applied: increment(stats.applied, route)
})

export const dropped = (stats: Counters): Counters => ({ ...stats, dropped: stats.dropped + 1 })

const increment = <K extends string | number>(counts: Readonly<Record<K, number>>, key: K): Record<K, number> => ({
  ...counts,
  [key]: (counts[key] ?? 0) + 1
})
