import type * as Grants from "./grants.js"
import type { Constants, Settings } from "./state.js"

/** Seconds, as documented: 30 minutes for an application's token, 60 for a user's. */
export const applicationLifetime = 1800
export const userLifetime = 3600
/** 30 days. */
const refreshLifetime = 2_592_000

/** What a token reply says, and what is true. */
export interface Terms {
  readonly lifetimes: Grants.Lifetimes
  readonly expiresIn: unknown
  readonly refreshExpiresIn: unknown
  /** A reply without a new refresh token is one that did not replace it (RFC 6749 §6). */
  readonly omitsRefreshToken: boolean
  readonly overlay: Settings["tokenReply"]
}

export const terms = (constants: Constants, { tokenReply }: Settings, documentedLifetime: number): Terms => {
  const expiresIn = constants.expiresIn === undefined ? documentedLifetime : constants.expiresIn
  const seconds = (documented: number, ...told: ReadonlyArray<unknown>) =>
    told.map(Number).find((lifetime) => lifetime > 0) ?? documented
  return {
    lifetimes: {
      access: 1000 * seconds(documentedLifetime, tokenReply.expires_in, expiresIn),
      refresh: 1000 * seconds(refreshLifetime, tokenReply.refresh_token_expires_in, constants.refreshTokenExpiresIn)
    },
    expiresIn,
    refreshExpiresIn: constants.refreshTokenExpiresIn,
    omitsRefreshToken: "refresh_token" in tokenReply && (tokenReply.refresh_token ?? "") === "",
    overlay: tokenReply
  }
}

export const ofApplication = ({ expiresIn, overlay }: Terms, accessToken: string): Record<string, unknown> => ({
  access_token: accessToken,
  token_type: "Bearer",
  expires_in: expiresIn,
  ...overlay
})

export const ofUser = (terms: Terms, { accessToken, refreshToken }: Grants.Issued): Record<string, unknown> => ({
  access_token: accessToken,
  token_type: "Bearer",
  expires_in: terms.expiresIn,
  ...(terms.omitsRefreshToken ? {} : {
    refresh_token: refreshToken,
    refresh_token_expires_in: terms.refreshExpiresIn
  }),
  ...terms.overlay
})
