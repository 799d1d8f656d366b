import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Grants from "./grants.js"
import type { State } from "./state.js"
import * as Stats from "./stats.js"
import * as TokenReply from "./tokenReply.js"

/**
 * Who logs in, and to which application.
 *
 * @since 0.1.0
 * @category models
 */
export interface LoginOptions {
  /** The person's account at the provider. Default `"simulator"`. */
  readonly account?: string | undefined
  /** Default: the client id of `credentials`. */
  readonly clientId?: string | undefined
}

/**
 * What the token endpoint answers with after a login.
 *
 * @since 0.1.0
 * @category models
 */
export interface SignedIn {
  readonly accessToken: Redacted.Redacted
  /** How long the access token is accepted, in seconds. */
  readonly expiresIn: number
  readonly refreshToken: Redacted.Redacted
  /** How long the refresh token is accepted, in seconds, where a token reply says so. */
  readonly refreshExpiresIn?: number
}

/**
 * What the consent page sends the browser back with.
 *
 * @since 0.1.0
 * @category models
 */
export interface Authorized {
  readonly code: Redacted.Redacted
  /** The token call must name the same one. */
  readonly redirectUri: string
}

/**
 * Controls for what people do at the provider. One login is one family of tokens: each refresh token
 * replaces the one before, and all of them are revoked together.
 *
 * @since 0.1.0
 * @category models
 */
export interface LoginControls {
  /** As if a person had logged in and consented, and the code had been exchanged: for a token store. */
  readonly signIn: (options?: LoginOptions) => Effect.Effect<SignedIn>
  /** As if a person had consented: a code for the token endpoint. `redirectUri` is `"https://localhost"` by default. */
  readonly authorize: (
    options?: LoginOptions & { readonly redirectUri?: string | undefined }
  ) => Effect.Effect<Authorized>
  /**
   * Revokes the login that this access token or refresh token came of, with its other tokens. An unknown
   * token changes nothing.
   */
  readonly revokeFamily: (token: string | Redacted.Redacted) => Effect.Effect<void>
  /** Revokes all logins of this account with their tokens, as the person can at the provider. */
  readonly revokeUser: (account: string) => Effect.Effect<void>
}

export const make = (state: State): LoginControls => {
  const consent = (options: LoginOptions): Effect.Effect<Grants.Consent> =>
    Effect.map(Ref.get(state.settings), ({ clientId }) => ({
      account: options.account ?? "simulator",
      clientId: options.clientId ?? clientId
    }))
  const revoke = (transition: (grants: Grants.Grants) => readonly [number, Grants.Grants]) =>
    Effect.flatMap(
      Ref.modify(state.grants, transition),
      (families) => Ref.update(state.stats, Stats.revoked(families))
    )
  return {
    signIn: (options = {}) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        const terms = TokenReply.terms(state.constants, yield* Ref.get(state.settings), TokenReply.userLifetime)
        const issued = yield* Ref.modify(
          state.grants,
          Grants.signIn(yield* consent(options), terms.lifetimes, now)
        )
        const told = Number(TokenReply.ofUser(terms, issued).refresh_token_expires_in)
        return {
          accessToken: Redacted.make(issued.accessToken),
          expiresIn: terms.lifetimes.access / 1000,
          refreshToken: Redacted.make(issued.refreshToken),
          ...(told > 0 ? { refreshExpiresIn: told } : {})
        }
      }),
    authorize: ({ redirectUri = "https://localhost", ...options } = {}) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        const code = yield* Ref.modify(
          state.grants,
          Grants.authorize({ ...yield* consent(options), redirectUri }, state.constants.codeLifetime, now)
        )
        return { code: Redacted.make(code), redirectUri }
      }),
    revokeFamily: (token) => revoke(Grants.revokeByToken(Redacted.isRedacted(token) ? Redacted.value(token) : token)),
    revokeUser: (account) => revoke(Grants.revoke((family) => family.account === account))
  }
}
