/**
 * When a token is due for renewal.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import type { CredentialsError } from "./CredentialsError.js"

/**
 * A window before expiry: `max`, or `fraction` of the token's lifetime where
 * that is shorter, so that a token that lives 30 seconds is not due at birth.
 *
 * @since 0.1.0
 * @category models
 */
export interface Window {
  readonly max: Duration.Duration
  /** Between 0 and 1. */
  readonly fraction: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RefreshPolicy {
  /** Inside it the old token is handed out at once and a renewal runs in the background. */
  readonly soft: Window
  /** Inside it callers wait for the renewal. */
  readonly hard: Window
  /**
   * `foreground` treats the soft window like the hard one and lets no fiber
   * outlive the caller: for serverless functions, which are frozen between
   * requests. A caller that is interrupted while it waits is released when the
   * exchange ends or times out, for which one of many accounts may have to wait
   * for its turn.
   */
  readonly mode: "background" | "foreground"
  /**
   * How long to leave the token endpoint alone after failed renewals while the
   * old token is still good. It is stepped once a failure and starts over after
   * a success; when it ends, it starts over too.
   */
  readonly backoff: Schedule.Schedule<unknown, CredentialsError>
}

const fiveMinutes: Window = { max: Duration.minutes(5), fraction: 0.2 }
const tenSeconds: Window = { max: Duration.seconds(10), fraction: 0.05 }

/**
 * One second, doubling, at most a minute, each between half and all of it.
 */
const defaultBackoff: Schedule.Schedule<unknown, CredentialsError> = Schedule.exponential("1 second").pipe(
  Schedule.union(Schedule.spaced("1 minute")),
  Schedule.jitteredWith({ min: 0.5, max: 1 })
)

const window = (
  base: Window,
  max: Duration.DurationInput | undefined,
  fraction: number | undefined
): Window => ({
  max: max === undefined ? base.max : Duration.decode(max),
  fraction: fraction === undefined || Number.isNaN(fraction) ? base.fraction : Math.min(1, Math.max(0, fraction))
})

/**
 * Soft window: 5 minutes or 20 % of the lifetime. Hard window: 10 seconds or
 * 5 %. Each the shorter of the two.
 *
 * @example
 * ```ts
 * import { RefreshPolicy } from "effect-credentials"
 *
 * const policy = RefreshPolicy.make({ softMax: "2 minutes", mode: "foreground" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly softMax?: Duration.DurationInput | undefined
  readonly softFraction?: number | undefined
  readonly hardMax?: Duration.DurationInput | undefined
  readonly hardFraction?: number | undefined
  readonly mode?: "background" | "foreground" | undefined
  readonly backoff?: Schedule.Schedule<unknown, CredentialsError> | undefined
} = {}): RefreshPolicy => ({
  soft: window(fiveMinutes, options.softMax, options.softFraction),
  hard: window(tenSeconds, options.hardMax, options.hardFraction),
  mode: options.mode ?? "background",
  backoff: options.backoff ?? defaultBackoff
})

const default_: RefreshPolicy = make()

export {
  /**
   * @since 0.1.0
   * @category constructors
   */
  default_ as default
}

/**
 * The default windows, with renewals in the foreground.
 *
 * @since 0.1.0
 * @category constructors
 */
export const foreground: RefreshPolicy = make({ mode: "foreground" })

const millisBefore = (window: Window, lifetime: number): number =>
  Math.min(Duration.toMillis(window.max), window.fraction * lifetime)

/**
 * When a token is due, as milliseconds after it was issued.
 *
 * @since 0.1.0
 * @category getters
 */
export const dueAfter = (
  self: RefreshPolicy,
  lifetime: Duration.Duration
): { readonly soft: number; readonly hard: number } => {
  const millis = Duration.toMillis(lifetime)
  const hard = millis - millisBefore(self.hard, millis)
  return { soft: Math.min(hard, millis - millisBefore(self.soft, millis)), hard }
}
