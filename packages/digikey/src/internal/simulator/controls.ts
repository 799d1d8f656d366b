import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { Fault, TokenEndpoint } from "./behaviour.js"
import * as Grants from "./grants.js"
import * as Logins from "./logins.js"
import { type RateLimitOptions, resolve as resolveLimits } from "./rateLimiter.js"
import * as Snapshot from "./snapshot.js"
import type { Settings, State } from "./state.js"
import { reset as resetStats, type Stats } from "./stats.js"

/**
 * A client id with the secret that the token endpoint accepts for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientCredentials {
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
}

/**
 * What a program tells the server, and asks it.
 *
 * A `path` is a product's base or any path below it: `"/products/v4"`, `"/products/v4/search/keyword"`.
 * It matches itself and everything below it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Controls extends Logins.LoginControls {
  /** The credentials that are accepted now. */
  readonly credentials: Effect.Effect<ClientCredentials>
  /** Accepts these credentials instead of the present ones. */
  readonly setCredentials: (options: {
    readonly clientId?: string
    readonly clientSecret: string | Redacted.Redacted
  }) => Effect.Effect<void>
  /** Accepts a second client beside the present one, with limits of its own. */
  readonly addAccount: (options: {
    readonly clientId: string
    readonly clientSecret: string | Redacted.Redacted
  }) => Effect.Effect<void>
  /** Makes up a new secret, refuses the old one from now on, and answers with the new one. Tokens stay good. */
  readonly rotateSecret: Effect.Effect<Redacted.Redacted>
  /**
   * Registers an address for the browser to come back to, for every client. Once there is one, no other
   * is accepted; until then the authorization endpoint accepts any https address and any http address of
   * this machine (`localhost`, `127.0.0.1`, `[::1]`). Compared as text, the port included.
   */
  readonly registerRedirectUri: (redirectUri: string) => Effect.Effect<void>
  /** Refuses every access token that was issued so far (401). Refresh tokens stay good. */
  readonly revokeTokens: Effect.Effect<void>

  /** From now on, or for the next `times` token calls only: then as before, after what was set for earlier calls. */
  readonly setTokenEndpoint: (
    behaviour: TokenEndpoint,
    options?: { readonly times?: number }
  ) => Effect.Effect<void>
  /**
   * Fields laid over the documented token reply; `undefined` leaves a field out. An `expires_in` above
   * 0 is also how many seconds the access token is accepted, and a `refresh_token_expires_in` above 0
   * the refresh token. While `refresh_token` is left out (or `null` or empty), a refresh token is not
   * replaced when it is redeemed: it stays good.
   */
  readonly setTokenReply: (fields: Readonly<Record<string, unknown>>) => Effect.Effect<void>

  /** The next `times` (default 1) API calls at or below `path` (default: all) meet `fault`. */
  readonly failNext: (
    fault: Fault,
    options?: { readonly times?: number; readonly path?: string }
  ) => Effect.Effect<void>
  /** Every API call at or below `path` (default: all) meets `fault`, until `clearFaults`. */
  readonly failAlways: (fault: Fault, options?: { readonly path?: string }) => Effect.Effect<void>
  readonly clearFaults: Effect.Effect<void>
  /** How long a reply takes. The call takes effect when it arrives; only its reply is late. */
  readonly setLatency: (latency: {
    readonly token?: Duration.DurationInput
    readonly api?: Duration.DurationInput
  }) => Effect.Effect<void>
  readonly setRateLimits: (limits: RateLimitOptions | "off") => Effect.Effect<void>

  /** Answers 401 at or below `path` although the token is good. */
  readonly unsubscribe: (path: string) => Effect.Effect<void>
  /** Takes `unsubscribe(path)` back. */
  readonly subscribe: (path: string) => Effect.Effect<void>
  /** Answers 403 at or below `path`. */
  readonly forbid: (path: string) => Effect.Effect<void>
  /** Takes `forbid(path)` back. */
  readonly permit: (path: string) => Effect.Effect<void>

  /**
   * What was granted and what people made until now, for the `snapshot` of another simulator, as JSON.
   * Its tokens are not redacted, because they are simulated. Credentials, settings, faults, rate limits,
   * statistics and pages that somebody is looking at are not in it.
   */
  readonly snapshot: Effect.Effect<Snapshot.Snapshot>
  readonly stats: Effect.Effect<Stats>
  readonly resetStats: Effect.Effect<void>
}

export const make = (state: State): Controls => {
  const set = (change: (settings: Settings) => Partial<Settings>) =>
    Ref.update(state.settings, (settings) => ({ ...settings, ...change(settings) }))
  const arm = (fault: Fault, path: string, remaining: number) =>
    Ref.update(state.faults, (faults) => [...faults, { fault, path, remaining }])
  const setCredentials: Controls["setCredentials"] = ({ clientId, clientSecret }) =>
    set((settings) => {
      const clients = new Map(settings.clients)
      clients.delete(settings.clientId)
      const next = clientId ?? settings.clientId
      return { clientId: next, clients: clients.set(next, redact(clientSecret)) }
    })
  return {
    ...Logins.make(state),
    credentials: Effect.map(Ref.get(state.settings), ({ clientId, clients }) => ({
      clientId,
      clientSecret: clients.get(clientId) ?? Redacted.make("")
    })),
    setCredentials,
    addAccount: ({ clientId, clientSecret }) =>
      set(({ clients }) => ({ clients: new Map(clients).set(clientId, redact(clientSecret)) })),
    rotateSecret: Effect.map(state.nextSecret, redact).pipe(
      Effect.tap((clientSecret) => setCredentials({ clientSecret }))
    ),
    registerRedirectUri: (redirectUri) =>
      set(({ redirectUris = [] }) => ({ redirectUris: [...redirectUris, redirectUri] })),
    revokeTokens: Ref.update(state.grants, Grants.revokeAccessTokens),
    setTokenEndpoint: (behaviour, { times } = {}) =>
      times === undefined
        ? Effect.zipRight(Ref.set(state.tokenEndpoints, []), set(() => ({ tokenEndpoint: behaviour })))
        : Ref.update(
          state.tokenEndpoints,
          (armed) => (times > 0 ? [...armed, { behaviour, remaining: times }] : armed)
        ),
    setTokenReply: (tokenReply) => set(() => ({ tokenReply })),
    failNext: (fault, { path = "/", times = 1 } = {}) => arm(fault, path, times),
    failAlways: (fault, { path = "/" } = {}) => arm(fault, path, Number.POSITIVE_INFINITY),
    clearFaults: Ref.set(state.faults, []),
    setLatency: ({ api, token }) =>
      set((settings) => ({
        tokenLatency: token === undefined ? settings.tokenLatency : Duration.toMillis(token),
        apiLatency: api === undefined ? settings.apiLatency : Duration.toMillis(api)
      })),
    setRateLimits: (limits) => set(() => ({ rateLimits: resolveLimits(limits) })),
    unsubscribe: (path) => set(({ unsubscribed }) => ({ unsubscribed: [...unsubscribed, path] })),
    subscribe: (path) => set(({ unsubscribed }) => ({ unsubscribed: unsubscribed.filter((other) => other !== path) })),
    forbid: (path) => set(({ forbidden }) => ({ forbidden: [...forbidden, path] })),
    permit: (path) => set(({ forbidden }) => ({ forbidden: forbidden.filter((other) => other !== path) })),
    snapshot: Snapshot.take(state),
    stats: Effect.gen(function*() {
      const familiesAlive = Grants.familiesAlive(yield* Ref.get(state.grants), yield* Clock.currentTimeMillis)
      return { ...yield* Ref.get(state.stats), familiesAlive }
    }),
    resetStats: Ref.update(state.stats, resetStats)
  }
}

export const redact = (secret: string | Redacted.Redacted): Redacted.Redacted =>
  typeof secret === "string" ? Redacted.make(secret) : secret
