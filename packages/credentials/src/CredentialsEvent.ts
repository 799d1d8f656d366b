/**
 * What happened to the credentials, for dashboards and alerts.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as DateTime from "effect/DateTime"
import type { CredentialsError } from "./CredentialsError.js"

/**
 * - `Acquired`: the first token of this Layer.
 * - `Renewed`: a later one.
 * - `RenewalFailed`: no token came; `retryAt` is when the next attempt may start.
 * - `Rejected`: a server refused the current token, and a renewal starts.
 * - `ReauthorizationRequired`: a person has to log in.
 *
 * Every event has the hash of the identity and the generation of the token it
 * is about (1 for the first). None has a secret.
 *
 * @since 0.1.0
 * @category models
 */
export type CredentialsEvent = Data.TaggedEnum<{
  readonly Acquired: { readonly identity: string; readonly generation: number; readonly expiresAt: DateTime.Utc }
  readonly Renewed: { readonly identity: string; readonly generation: number; readonly expiresAt: DateTime.Utc }
  readonly RenewalFailed: {
    readonly identity: string
    readonly generation: number
    readonly error: CredentialsError["_tag"]
    readonly retryAt: DateTime.Utc
  }
  readonly Rejected: { readonly identity: string; readonly generation: number }
  readonly ReauthorizationRequired: { readonly identity: string; readonly generation: number }
}>

/**
 * @since 0.1.0
 * @category constructors
 */
export const { $is, $match, Acquired, ReauthorizationRequired, Rejected, RenewalFailed, Renewed } = Data.taggedEnum<
  CredentialsEvent
>()
