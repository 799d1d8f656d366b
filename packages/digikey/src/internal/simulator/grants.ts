import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Random from "effect/Random"

/**
 * What came of one login. Its tokens are revoked together, because nobody can tell which of two who
 * present the same refresh token is the thief (RFC 9700 §4.14.2).
 */
export interface Family {
  readonly clientId: string
  readonly account: string
  readonly revoked: boolean
  /** The only refresh token of this family that can still be redeemed. */
  readonly refreshToken: string
  readonly refreshExpiresAt: number
}

export interface AccessToken {
  readonly clientId: string
  readonly expiresAt: number
  /** Whose account it represents; a token of an application has none. */
  readonly login?: { readonly account: string; readonly family: number } | undefined
}

export interface Code {
  readonly clientId: string
  readonly account: string
  readonly redirectUri: string
  readonly expiresAt: number
  /** What it was exchanged for. */
  readonly family?: number | undefined
}

/** All that the server has granted. Times are milliseconds since the Unix epoch, lifetimes milliseconds. */
export interface Grants {
  /** Two simulators never issue the same token. */
  readonly salt: string
  readonly minted: number
  readonly families: HashMap.HashMap<number, Family>
  readonly accessTokens: HashMap.HashMap<string, AccessToken>
  /** The family of every refresh token that was ever issued. */
  readonly refreshTokens: HashMap.HashMap<string, number>
  readonly codes: HashMap.HashMap<string, Code>
}

export const empty: Effect.Effect<Grants> = Effect.map(Random.nextIntBetween(0x1000_0000, 0x7fff_ffff), (salt) => ({
  salt: salt.toString(16),
  minted: 0,
  families: HashMap.empty(),
  accessTokens: HashMap.empty(),
  refreshTokens: HashMap.empty(),
  codes: HashMap.empty()
}))

export interface Lifetimes {
  readonly access: number
  readonly refresh: number
}

export interface Issued {
  readonly _tag: "Issued"
  readonly accessToken: string
  readonly refreshToken: string
}

export interface Refused {
  readonly _tag: "Refused"
  /** Whether what was presented had been redeemed before. */
  readonly reused: boolean
  readonly familiesRevoked: number
}

/** For `Ref.modify`. */
type Transition<A> = readonly [A, Grants]

const refused = (grants: Grants): Transition<Refused> => [
  { _tag: "Refused", reused: false, familiesRevoked: 0 },
  grants
]

const mint = (grants: Grants, kind: string): Transition<string> => {
  const minted = grants.minted + 1
  return [`simulated-${kind}-${grants.salt}-${minted}`, { ...grants, minted }]
}

// -----------------------------------------------------------------------------
// Applications
// -----------------------------------------------------------------------------

export const issueToApplication = (clientId: string, lifetime: number, now: number) => (grants: Grants) =>
  issue(grants, { clientId, expiresAt: now + lifetime }, now)

const issue = (grants: Grants, token: AccessToken, now: number): Transition<string> => {
  const [accessToken, next] = mint(grants, "access-token")
  const living = HashMap.filter(next.accessTokens, ({ expiresAt }) => expiresAt > now)
  return [accessToken, { ...next, accessTokens: HashMap.set(living, accessToken, token) }]
}

// -----------------------------------------------------------------------------
// Logins
// -----------------------------------------------------------------------------

/** Who consented, and to which application. */
export interface Consent {
  readonly clientId: string
  readonly account: string
}

/** Starts a family, as the exchange of a code does. */
export const signIn = (consent: Consent, lifetimes: Lifetimes, now: number) => (grants: Grants): Transition<Issued> => {
  const [id, next] = begin(grants, consent)
  return renew(next, id, lifetimes, now)
}

const begin = (grants: Grants, { account, clientId }: Consent): Transition<number> => {
  const id = HashMap.size(grants.families) + 1
  const family: Family = { clientId, account, revoked: false, refreshToken: "", refreshExpiresAt: 0 }
  return [id, { ...grants, families: HashMap.set(grants.families, id, family) }]
}

/** Issues an access token and the refresh token that replaces the family's present one. */
const renew = (grants: Grants, id: number, lifetimes: Lifetimes, now: number): Transition<Issued> => {
  const [refreshToken, next] = mint(grants, "refresh-token")
  return again({
    ...next,
    refreshTokens: HashMap.set(next.refreshTokens, refreshToken, id),
    families: HashMap.modify(next.families, id, (family) => ({
      ...family,
      refreshToken,
      refreshExpiresAt: now + lifetimes.refresh
    }))
  }, id, lifetimes, now)
}

/** Issues an access token; the family's refresh token stays as it is. */
const again = (grants: Grants, id: number, lifetimes: Lifetimes, now: number): Transition<Issued> => {
  const { account, clientId, refreshToken } = HashMap.unsafeGet(grants.families, id)
  const token = { clientId, expiresAt: now + lifetimes.access, login: { account, family: id } }
  const [accessToken, next] = issue(grants, token, now)
  return [{ _tag: "Issued", accessToken, refreshToken }, next]
}

/** Without `rotate` the refresh token stays good, and no other is issued (RFC 6749 §6). */
export const redeemRefreshToken = (
  presented: { readonly refreshToken: string; readonly clientId: string },
  rotate: boolean,
  lifetimes: Lifetimes,
  now: number
) =>
(grants: Grants): Transition<Issued | Refused> => {
  const id = Option.getOrUndefined(HashMap.get(grants.refreshTokens, presented.refreshToken))
  const family = id === undefined ? undefined : Option.getOrUndefined(HashMap.get(grants.families, id))
  if (id === undefined || family === undefined || family.clientId !== presented.clientId) {
    return refused(grants)
  }
  if (family.refreshToken !== presented.refreshToken) {
    return reused(grants, id)
  }
  if (family.revoked || now >= family.refreshExpiresAt) {
    return refused(grants)
  }
  return rotate ? renew(grants, id, lifetimes, now) : again(grants, id, lifetimes, now)
}

const reused = (grants: Grants, id: number): Transition<Refused> => {
  const [familiesRevoked, next] = revoke((_, other) => other === id)(grants)
  return [{ _tag: "Refused", reused: true, familiesRevoked }, next]
}

/** Makes the code that the consent page sends back to the application. */
export const authorize = (
  { redirectUri, ...consent }: Consent & { readonly redirectUri: string },
  lifetime: number,
  now: number
) =>
(grants: Grants): Transition<string> => {
  const [code, next] = mint(grants, "code")
  const value: Code = { ...consent, redirectUri, expiresAt: now + lifetime }
  return [code, { ...next, codes: HashMap.set(next.codes, code, value) }]
}

/** A code that comes a second time takes what it gave with it (RFC 6749 §4.1.2). */
export const redeemCode = (
  presented: { readonly code: string; readonly clientId: string; readonly redirectUri: string },
  lifetimes: Lifetimes,
  now: number
) =>
(grants: Grants): Transition<Issued | Refused> => {
  const code = Option.getOrUndefined(HashMap.get(grants.codes, presented.code))
  if (code === undefined || code.clientId !== presented.clientId) {
    return refused(grants)
  }
  if (code.family !== undefined) {
    return reused(grants, code.family)
  }
  if (code.redirectUri !== presented.redirectUri || now >= code.expiresAt) {
    return refused(grants)
  }
  const [family, next] = begin(grants, code)
  return renew(
    { ...next, codes: HashMap.set(next.codes, presented.code, { ...code, family }) },
    family,
    lifetimes,
    now
  )
}

// -----------------------------------------------------------------------------
// Revocation
// -----------------------------------------------------------------------------

/** Revokes families with their access tokens, and answers how many were not revoked before. */
export const revoke = (which: (family: Family, id: number) => boolean) => (grants: Grants): Transition<number> => {
  const ids = new Set(
    HashMap.keys(HashMap.filter(grants.families, (family, id) => !family.revoked && which(family, id)))
  )
  return [ids.size, {
    ...grants,
    families: HashMap.map(grants.families, (family, id) => (ids.has(id) ? { ...family, revoked: true } : family)),
    accessTokens: HashMap.filter(
      grants.accessTokens,
      ({ login }) => login === undefined || !ids.has(login.family)
    )
  }]
}

/** Revokes the family that an access token or a refresh token belongs to. */
export const revokeByToken = (token: string) => (grants: Grants): Transition<number> => {
  const family = Option.getOrUndefined(HashMap.get(grants.refreshTokens, token)) ??
    Option.getOrUndefined(HashMap.get(grants.accessTokens, token))?.login?.family
  return revoke((_, id) => id === family)(grants)
}

/** Every access token; refresh tokens stay good. */
export const revokeAccessTokens = (grants: Grants): Grants => ({ ...grants, accessTokens: HashMap.empty() })

// -----------------------------------------------------------------------------
// Questions
// -----------------------------------------------------------------------------

export const accessToken = (grants: Grants, token: string): AccessToken | undefined =>
  Option.getOrUndefined(HashMap.get(grants.accessTokens, token))

export const familiesAlive = (grants: Grants, now: number): number =>
  HashMap.size(HashMap.filter(grants.families, (family) => !family.revoked && now < family.refreshExpiresAt))
