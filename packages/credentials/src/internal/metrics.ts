/**
 * Metric labels say which provider and grant, never whose credentials.
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

export const renewals = Metric.counter("credentials_renewals_total", {
  description: "Attempts to get a token, by outcome",
  incremental: true
})

export const renewalDuration = Metric.histogram(
  "credentials_renewal_duration_seconds",
  MetricBoundaries.fromIterable([0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]),
  "How long an attempt to get a token took, retries included"
)

export const expiresAt = Metric.gauge("credentials_token_expires_at_seconds", {
  description: "When the current token expires, seconds since the epoch"
})

export const staleServed = Metric.counter("credentials_stale_served_total", {
  description: "Tokens handed out inside the renewal window, still good",
  incremental: true
})

export const rateLimitWaits = Metric.counter("ratelimit_waits_total", {
  description: "Waits for a rate limit to pass",
  incremental: true
})

export const rateLimitWaitDuration = Metric.histogram(
  "ratelimit_wait_duration_seconds",
  MetricBoundaries.fromIterable([0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600]),
  "How long requests waited for their turn"
)

export const rateLimitRefusals = Metric.counter("ratelimit_refusals_total", {
  description: "Requests that were not sent because a rate limit is used up for too long",
  incremental: true
})

export const rateLimitExceeded = Metric.counter("ratelimit_exceeded_total", {
  description: "Answers with status 429",
  incremental: true
})

export const replays = Metric.counter("credentials_replays_total", {
  description: "Requests sent again with a new token after a 401",
  incremental: true
})
