/**
 * Whose credentials these are, in a form that may be shown.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { sha256 } from "./internal/sha256.js"

/**
 * Two credentials share a token only if they have the same identity. It holds
 * no secret, and the client id only inside the hash.
 *
 * @since 0.1.0
 * @category models
 */
export interface CredentialsIdentity {
  readonly provider: string
  readonly environment: string
  /** The grant type, for example `client_credentials`. */
  readonly grant: string
  /** Sorted, without duplicates. */
  readonly scopes: ReadonlyArray<string>
  readonly account: Option.Option<string>
  /** SHA-256, hexadecimal, over all parts joined so that no two lists of parts give the same text. */
  readonly hash: string
}

/**
 * What an identity is made of.
 *
 * @since 0.1.0
 * @category models
 */
export interface Parts {
  readonly provider: string
  readonly environment?: string | undefined
  readonly clientId: string | Redacted.Redacted
  readonly grant: string
  /**
   * Where the token is had: whoever names another address, even for the same
   * client, must not have a stored refresh token sent there.
   */
  readonly tokenUrl?: string | undefined
  readonly scopes?: ReadonlyArray<string> | undefined
  /** Which of a person's accounts: required where a flow acts for a person. */
  readonly account?: string | undefined
  /**
   * For flows that act for the application. Its fingerprint is part of the
   * hash: knowing a client id, which is public, must not reach a stored token.
   */
  readonly secret?: Redacted.Redacted | undefined
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (parts: Parts): Effect.Effect<CredentialsIdentity> =>
  Effect.gen(function*() {
    const clientId = Redacted.isRedacted(parts.clientId) ? Redacted.value(parts.clientId) : parts.clientId
    const scopes = Array.from(new Set(parts.scopes ?? [])).sort()
    const environment = parts.environment ?? "default"
    const fingerprint = parts.secret === undefined ? null : yield* sha256(Redacted.value(parts.secret))
    const hash = yield* sha256(
      // JSON quotes every part: "a" + "bc" and "ab" + "c" stay different.
      JSON.stringify([
        parts.provider,
        environment,
        clientId,
        parts.grant,
        parts.tokenUrl ?? null,
        scopes,
        parts.account ?? null,
        fingerprint
      ])
    )
    return {
      provider: parts.provider,
      environment,
      grant: parts.grant,
      scopes,
      account: Option.fromNullable(parts.account),
      hash
    }
  })
