/**
 * From what a server said to the times of a token.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { AuthFlow, TokenReply } from "../AuthFlow.js"
import * as Token from "../Token.js"

const year = 31_536_000_000

/** A length of time that can be used, in milliseconds; what cannot, or is less than a second, counts as not said. */
const usable = (duration: Duration.Duration | undefined): number | undefined => {
  if (duration === undefined) return undefined
  const millis = Duration.toMillis(duration)
  return Number.isFinite(millis) && millis >= 1000 ? Math.min(millis, year) : undefined
}

/**
 * Expiry counts from before the request was sent: the server's own clock
 * started later, so a token is never believed to live longer than it does. A
 * reply without a refresh token keeps the one we have (RFC 6749 §6).
 */
export const toToken = (
  reply: TokenReply,
  flow: Pick<AuthFlow<unknown>, "lifetimeWhenAbsent">,
  startedAt: number,
  previous: Token.Token | undefined
): Token.Token => {
  const issuedAt = reply.requestedAt ?? DateTime.unsafeMake(startedAt)
  const lifetime = usable(reply.expiresIn) ?? usable(flow.lifetimeWhenAbsent) ?? 60_000
  const refreshLifetime = usable(reply.refreshExpiresIn)
  const kept = reply.refreshToken === undefined ? previous : undefined
  return Token.make({
    accessToken: reply.accessToken,
    issuedAt,
    expiresAt: DateTime.addDuration(issuedAt, Duration.millis(lifetime)),
    refreshToken: reply.refreshToken ?? (kept && Option.getOrUndefined(kept.refreshToken)),
    refreshExpiresAt: refreshLifetime === undefined
      ? kept && Option.getOrUndefined(kept.refreshExpiresAt)
      : DateTime.addDuration(issuedAt, Duration.millis(refreshLifetime)),
    scope: reply.scope,
    baseUrl: reply.baseUrl
  })
}
