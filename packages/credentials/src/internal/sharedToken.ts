/**
 * The renewal of a token that is stored, and shared with whoever uses the same
 * store: adopt what another has renewed; else, as the only holder of the lock,
 * mark, redeem, save, and only then let it be seen.
 *
 * Whatever goes wrong, the newest refresh token is in the store or, if the
 * store would not take it, here, to be saved before anything else is done.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import type { AuthFlow } from "../AuthFlow.js"
import { ReauthorizationRequired, TokenStoreError, withRetryAt } from "../CredentialsError.js"
import type { CredentialsError, TokenEndpointUnavailable } from "../CredentialsError.js"
import type { CredentialsIdentity } from "../CredentialsIdentity.js"
import * as RefreshPolicy from "../RefreshPolicy.js"
import * as Token from "../Token.js"
import type { Entry, Held, StoreKey, TokenStore } from "../TokenStore.js"
import { exchange, timed } from "./exchange.js"
import { sha256 } from "./sha256.js"
import { lasts, longestRefusal, type Renewal, type RenewalReason } from "./stateMachine.js"
import { answerOf, lockWithin } from "./storeLock.js"

export interface Options<R> {
  readonly flow: AuthFlow<R>
  readonly identity: CredentialsIdentity
  readonly key: StoreKey
  readonly store: TokenStore
  readonly policy: RefreshPolicy.RefreshPolicy
  readonly exchangeTimeout: Duration.Duration
  readonly lockTimeout: Duration.Duration
  readonly storeTimeout: Duration.Duration
}

export interface SharedToken<R> {
  readonly renew: (
    previous: Token.Token | undefined,
    reason: RenewalReason
  ) => Effect.Effect<Renewal, CredentialsError, R>
  /** Whether a refresh token is being redeemed, or its successor saved. */
  readonly finishing: Effect.Effect<boolean>
  /** Whether there is a token that could not be saved so far. */
  readonly isUnsaved: () => boolean
  /** Saves what could not be saved so far. */
  readonly flush: Effect.Effect<void>
}

/** What a renewal is asked for, with what was known when it began. */
interface Ask {
  readonly previous: Token.Token | undefined
  readonly reason: RenewalReason
  readonly fingerprint: string | undefined
}

/** A refresh token that the server no longer takes, and what was said about it. */
interface Refused {
  readonly refreshToken: Redacted.Redacted
  readonly error: ReauthorizationRequired
}

/** What the server wants no call before, and what it said (`Retry-After`). */
interface HeldBack {
  /** When it said so, and until when: milliseconds since the epoch. */
  readonly since: number
  readonly until: number
  readonly error: TokenEndpointUnavailable
}

/** A token that could not be saved, and what was stored when it was got. */
interface Unsaved {
  readonly entry: Entry
  readonly replaces: Option.Option<Entry>
}

/** After a save that failed: what is to be saved cannot be had a second time. */
const saveAgain = Schedule.intersect(Schedule.exponential("50 millis"), Schedule.recurs(3))

/**
 * For a token that replaces a refresh token: whoever has the lock next redeems
 * the old one again, so the lock is kept for as long as a store may need to come
 * back, and not for as long as others wait for it.
 */
export const keepSaving = Schedule.exponential("50 millis").pipe(
  Schedule.union(Schedule.spaced("1 second")),
  Schedule.upTo("30 seconds")
)

export const make = <R>(options: Options<R>): Effect.Effect<SharedToken<R>> =>
  Effect.gen(function*() {
    const { exchangeTimeout, flow, identity, key, lockTimeout, policy, store, storeTimeout } = options
    const rotates = Option.isSome(flow.renew)
    const unsaved = yield* Ref.make(Option.none<Unsaved>())
    const refused = yield* Ref.make(Option.none<Refused>())
    const redeeming = yield* Ref.make(false)
    const heldBack = yield* Ref.make(Option.none<HeldBack>())

    const loginRequired = (reason: ReauthorizationRequired["reason"], requestId?: string) =>
      new ReauthorizationRequired({
        provider: identity.provider,
        account: Option.getOrUndefined(identity.account),
        reason,
        requestId
      })

    const within = <A>(operation: TokenStoreError["operation"], effect: Effect.Effect<A, TokenStoreError>) =>
      answerOf(operation, storeTimeout, effect)
    const fingerprint = timed(fingerprintOf(flow, key), identity.provider, "Secret", exchangeTimeout)
    const load = within("load", store.load(key))
    const locked = <A, E, R>(body: (held: Held) => Effect.Effect<A, E, R>) =>
      lockWithin(store, key, lockTimeout, body)
    const save = (held: Held, entry: Entry) => Effect.retry(within("save", held.save(entry)), saveAgain)

    /** It is in nobody's hands but ours until it is stored. */
    const saveNew = (
      held: Held,
      entry: Entry,
      replaces: Option.Option<Entry>
    ): Effect.Effect<Renewal, TokenStoreError> =>
      Ref.set(unsaved, Option.some({ entry, replaces })).pipe(
        Effect.zipRight(Effect.retry(within("save", held.save(entry)), {
          schedule: rotates ? keepSaving : saveAgain,
          while: () => isStill(replaces)
        })),
        Effect.zipRight(Ref.set(unsaved, Option.none())),
        Effect.as({ token: entry.token, adopted: false, generation: entry.generation })
      )

    /** Whether nobody else has saved meanwhile: then ours is refused, however often it is tried. What cannot be read may be. */
    const isStill = (before: Option.Option<Entry>) =>
      Effect.match(load, {
        onFailure: () => true,
        onSuccess: (stored) =>
          Option.isNone(stored) || Option.isNone(before) || stored.value.generation <= before.value.generation
      })

    /** The stored token, if it may be handed out as it is: renewed by somebody else, and not due. */
    const adopt = (entry: Entry, ask: Ask, now: number): Option.Option<Renewal> => {
      const { token } = entry
      const isNew = ask.previous === undefined ? ask.reason !== "asked" : !Token.sameAccessToken(token, ask.previous)
      const hardAt = token.issuedAt.epochMillis + RefreshPolicy.dueAfter(policy, Token.lifetime(token)).hard
      const isOurs = entry.secretFingerprint === undefined || entry.secretFingerprint === ask.fingerprint
      return isNew && isOurs && now < hardAt
        ? Option.some({ token, adopted: true, generation: entry.generation })
        : Option.none()
    }

    /** The refresh token of an entry, or why it is pointless to redeem it. */
    const redeemable = (
      entry: Option.Option<Entry>,
      ask: Ask,
      now: number
    ): Effect.Effect<Either.Either<Redacted.Redacted, ReauthorizationRequired>> =>
      Effect.map(Ref.get(refused), (known) => {
        if (Option.isNone(entry)) return Either.left(loginRequired("NothingStored"))
        const { refreshExpiresAt, refreshToken } = entry.value.token
        if (!rotates || Option.isNone(refreshToken)) return Either.left(loginRequired("Expired"))
        if (Option.isSome(refreshExpiresAt) && refreshExpiresAt.value.epochMillis <= now) {
          return Either.left(loginRequired("Expired"))
        }
        // Whoever asks in so many words gets another try.
        return Option.isSome(known) && ask.reason !== "asked" && sameSecret(known.value.refreshToken, refreshToken.value)
          ? Either.left(known.value.error)
          : Either.right(refreshToken.value)
      })

    /** Fails while the server wants no call. */
    const heed = (now: number): Effect.Effect<void, TokenEndpointUnavailable> =>
      Effect.flatMap(Ref.get(heldBack), (back) =>
        Option.isSome(back) && lasts(back.value, back.value.until, now) ? Effect.fail(back.value.error) : Effect.void)

    const call = (previous: Token.Token | undefined): Effect.Effect<Token.Token, CredentialsError, R> =>
      Effect.tapError(exchange(flow, previous, exchangeTimeout), (error) =>
        error._tag !== "TokenEndpointUnavailable" || error.retryAt === undefined
          ? Effect.void
          : Effect.flatMap(Clock.currentTimeMillis, (now) => {
            const until = Math.min(error.retryAt?.epochMillis ?? 0, now + longestRefusal)
            return Ref.set(heldBack, Option.some({ since: now, until, error: withRetryAt(error, DateTime.unsafeMake(until)) }))
          }))

    const renew = (
      previous: Token.Token | undefined,
      reason: RenewalReason
    ): Effect.Effect<Renewal, CredentialsError, R> =>
      Effect.gen(function*() {
        const ask: Ask = { previous, reason, fingerprint: yield* fingerprint }
        // Without the lock: most often somebody else has renewed it, or nobody can.
        const seen = yield* load
        const now = yield* Clock.currentTimeMillis
        const adopted = Option.flatMap(seen, (entry) => adopt(entry, ask, now))
        if (Option.isSome(adopted)) return adopted.value
        if (Option.isNone(yield* Ref.get(unsaved))) {
          const refreshToken = yield* redeemable(seen, ask, now)
          if (flow.requiresLogin && Either.isLeft(refreshToken)) return yield* refreshToken.left
          yield* heed(now)
        }
        return yield* locked((held) => underLock(held, ask))
      })

    const underLock = (held: Held, ask: Ask): Effect.Effect<Renewal, CredentialsError, R> =>
      Effect.gen(function*() {
        const stored = yield* settle(held)
        const now = yield* Clock.currentTimeMillis
        const adopted = Option.flatMap(stored, (entry) => adopt(entry, ask, now))
        if (Option.isSome(adopted)) return adopted.value
        const refreshToken = yield* redeemable(stored, ask, now)
        if (flow.requiresLogin && Either.isLeft(refreshToken)) return yield* refreshToken.left
        yield* heed(now)
        return Option.isSome(stored) && Either.isRight(refreshToken)
          ? yield* redeem(held, stored.value, refreshToken.right, ask)
          : yield* obtain(held, stored, ask)
      })

    const obtain = (held: Held, stored: Option.Option<Entry>, ask: Ask): Effect.Effect<Renewal, CredentialsError, R> =>
      Effect.flatMap(call(undefined), (token) =>
        saveNew(held, {
          token,
          generation: Option.match(stored, { onNone: () => 1, onSome: (entry) => entry.generation + 1 }),
          redeeming: Option.none(),
          secretFingerprint: ask.fingerprint
        }, stored))

    /** What is stored, once the token that could not be saved before is there, or is known to be of no use. */
    const settle = (held: Held): Effect.Effect<Option.Option<Entry>, TokenStoreError> =>
      Effect.flatMap(Ref.get(unsaved), (left) => {
        if (Option.isNone(left)) return Effect.succeed(held.stored)
        const { entry, replaces } = left.value
        const outdated = Option.match(held.stored, {
          // Somebody has logged out meanwhile.
          onNone: () => flow.requiresLogin,
          // It had been saved after all, or somebody has logged in, perhaps after a logout: then from generation 1.
          onSome: (stored) => !Option.exists(replaces, (replaced) => isSameEntry(replaced, stored))
        })
        return outdated
          ? Effect.as(Ref.set(unsaved, Option.none()), held.stored)
          : Effect.as(saveNew(held, entry, replaces), Option.some(entry))
      })

    const redeem = (
      held: Held,
      entry: Entry,
      refreshToken: Redacted.Redacted,
      ask: Ask
    ): Effect.Effect<Renewal, CredentialsError, R> =>
      Effect.gen(function*() {
        // Not cleared by its holder: the server may have answered somebody who could not save the answer.
        const cutOff = Option.isSome(entry.redeeming)
        yield* save(held, { ...entry, redeeming: Option.some(yield* DateTime.now) })
        const exit = yield* Effect.exit(call(entry.token))
        if (Exit.isSuccess(exit)) {
          return yield* saveNew(held, {
            token: exit.value,
            generation: entry.generation + 1,
            redeeming: Option.none(),
            secretFingerprint: ask.fingerprint
          }, Option.some(entry))
        }
        const error = Cause.failureOption(exit.cause)
        const failed = Effect.failCause(exit.cause)
        if (Option.isNone(error)) return yield* failed
        const unmark = cutOff ? Effect.void : Effect.ignore(save(held, entry))
        switch (error.value._tag) {
          case "CredentialsRejected":
            // The client was refused, so the refresh token was not looked at.
            yield* unmark
            return yield* failed
          case "ReauthorizationRequired": {
            // Once more, before a person is asked: somebody may have taken the lock over while we were stopped.
            const present = yield* load
            const now = yield* Clock.currentTimeMillis
            const adopted = Option.flatMap(present, (entry) => adopt(entry, ask, now))
            if (Option.isSome(adopted)) return adopted.value
            const current = Option.flatMap(present, (entry) => entry.token.refreshToken)
            if (Option.isSome(current) && !sameSecret(current.value, refreshToken)) {
              return yield* new TokenStoreError({ operation: "lock", description: "another holder has taken it over" })
            }
            if (!flow.requiresLogin) return yield* obtain(held, Option.some(entry), ask)
            const lost = cutOff || error.value.reason === "Interrupted"
            yield* lost ? Effect.void : unmark
            const required = loginRequired(lost ? "Interrupted" : "Refused", error.value.requestId)
            yield* Ref.set(refused, Option.some({ refreshToken, error: required }))
            return yield* required
          }
          default:
            // Nobody knows whether the server has replaced it: the mark stays.
            return yield* failed
        }
      }).pipe(
        Effect.ensuring(Ref.set(redeeming, false)),
        (redeemed) => Effect.zipRight(Ref.set(redeeming, true), redeemed)
      )

    return {
      renew,
      finishing: Ref.get(redeeming),
      isUnsaved: () => Option.isSome(Effect.runSync(Ref.get(unsaved))),
      flush: Effect.flatMap(Ref.get(unsaved), (left) =>
        Option.isNone(left) ? Effect.void : Effect.ignore(locked((held) => settle(held))))
    }
  })

/** A hash of the secret with which an entry was got, of no use for another key. */
export const fingerprintOf = <R>(
  flow: Pick<AuthFlow<R>, "secret">,
  key: StoreKey
): Effect.Effect<string | undefined, CredentialsError, R> =>
  Option.match(flow.secret, {
    onNone: () => Effect.succeed(undefined),
    onSome: Effect.flatMap((secret) => sha256(JSON.stringify([key, Redacted.value(secret)])))
  })

const isSameEntry = (self: Entry, that: Entry): boolean =>
  self.generation === that.generation && Token.sameAccessToken(self.token, that.token)

const sameSecret = (self: Redacted.Redacted, that: Redacted.Redacted): boolean =>
  Redacted.value(self) === Redacted.value(that)
