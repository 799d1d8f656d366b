/**
 * The two halves of a person's login: the address to send the browser to, and
 * what to make of the browser's return.
 */
import * as ConfigError from "effect/ConfigError"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { AuthorizationFailed } from "../AuthorizationError.js"
import * as CredentialsIdentity from "../CredentialsIdentity.js"
import type { CredentialsError } from "../CredentialsError.js"
import * as PendingAuthorization from "../PendingAuthorization.js"
import type { Refusal, TimedReply } from "../TokenEndpoint.js"
import type { AuthFlow } from "../AuthFlow.js"
import type { Token } from "../Token.js"
import * as TokenStore from "../TokenStore.js"
import * as Base64Url from "./base64Url.js"
import * as EncryptedStore from "./encryptedStore.js"
import { exchange, timed } from "./exchange.js"
import * as HttpsUrl from "./httpsUrl.js"
import { scrub } from "./scrub.js"
import { sha256, sha256Base64Url } from "./sha256.js"
import { fingerprintOf, keepSaving } from "./sharedToken.js"
import { answerOf, lockWithin } from "./storeLock.js"

export interface Options<R> {
  readonly identity: CredentialsIdentity.Parts
  readonly authorizeUrl: string | undefined
  readonly pkce: boolean
  /** Expected in `iss`, where the server sends it. */
  readonly issuer: string | undefined
  readonly readError: ((parameters: URLSearchParams) => Option.Option<Refusal>) | undefined
  /** The client's own, where it has one: looked for in the provider's words. */
  readonly secret: Effect.Effect<Redacted.Redacted, CredentialsError, R> | undefined
}

/** What a callback was worth: the code, and what is needed to redeem it. */
export interface Granted {
  readonly code: Redacted.Redacted
  readonly redirectUri: string
  readonly verifier: Option.Option<Redacted.Redacted>
}

/** 256 bits that nobody can guess; Effect's Random is not for secrets. */
const unguessable = Effect.sync(() => Base64Url.encode(crypto.getRandomValues(new Uint8Array(32))))

/** Ours, and those that could stand for ours (RFC 9101) or lead the answer elsewhere. */
const reserved = new Set([
  "response_type",
  "response_mode",
  "client_id",
  "redirect_uri",
  "scope",
  "state",
  "code_challenge",
  "code_challenge_method",
  "request",
  "request_uri"
])

/** RFC 6749 §8.2. Some servers take what is outside it for one of ours: ` state`, `state[]`. */
const parameterName = /^[A-Za-z0-9._-]+$/

/** PHP reads a point as an underscore, and many a server reads no case. */
const mayBeOurs = (name: string): boolean =>
  !parameterName.test(name) || reserved.has(name.toLowerCase().replace(/[.-]/g, "_"))

/** The key of a login under way: who reads the store learns no `state`. Looking a hash up tells a guesser nothing. */
const keyOf = (state: string) => sha256(`state:${state}`)

export const begin = (options: Options<unknown>, asked: {
  readonly redirectUri: string
  readonly parameters?: Readonly<Record<string, string>> | undefined
}): Effect.Effect<
  { readonly url: string; readonly userAgent: Redacted.Redacted; readonly state: string },
  ConfigError.ConfigError | CredentialsError,
  PendingAuthorization.PendingAuthorizations
> =>
  Effect.gen(function*() {
    const url = yield* HttpsUrl.parse(options.authorizeUrl ?? "", "authorizeUrl")
    yield* HttpsUrl.parse(asked.redirectUri, "redirectUri")
    const parameters = Object.entries(asked.parameters ?? {})
    const taken = parameters.find(([name]) => mayBeOurs(name))
    if (taken !== undefined) {
      return yield* Effect.fail(
        ConfigError.InvalidData(
          ["parameters", taken[0]],
          "Expected a name of letters, digits, \".\", \"-\" and \"_\" that is not ours to set"
        )
      )
    }
    const state = yield* unguessable
    const userAgent = yield* unguessable
    const verifier = options.pkce ? Option.some(Redacted.make(yield* unguessable)) : Option.none()
    const { identity } = options
    const scopes = identity.scopes ?? []
    const ours: Record<string, string> = {
      response_type: "code",
      client_id: Redacted.isRedacted(identity.clientId) ? Redacted.value(identity.clientId) : identity.clientId,
      redirect_uri: asked.redirectUri,
      ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
      state,
      ...(Option.isNone(verifier) ? {} : {
        code_challenge: yield* sha256Base64Url(Redacted.value(verifier.value)),
        code_challenge_method: "S256"
      })
    }
    for (const [name, value] of [...parameters, ...Object.entries(ours)]) url.searchParams.set(name, value)
    const { environment, hash, provider } = yield* CredentialsIdentity.make(identity)
    const store = yield* PendingAuthorization.PendingAuthorizations
    yield* store.put(yield* keyOf(state), {
      identity: hash,
      provider,
      environment,
      account: Option.fromNullable(identity.account),
      redirectUri: asked.redirectUri,
      verifier,
      userAgent: yield* sha256(userAgent),
      startedAt: yield* DateTime.now
    })
    return { url: url.href, userAgent: Redacted.make(userAgent), state }
  })

/** A parameter that is there once (RFC 6749 §3.1). */
const single = (parameters: URLSearchParams, name: string): Either.Either<string | undefined, "Malformed"> => {
  const values = parameters.getAll(name)
  return values.length > 1 ? Either.left("Malformed") : Either.right(values[0] === "" ? undefined : values[0])
}

/** RFC 6749 §4.1.2.1 */
const standardError = (parameters: URLSearchParams): Option.Option<Refusal> => {
  const error = parameters.get("error")
  return error === null || error === ""
    ? Option.none()
    : Option.some({ error, description: parameters.get("error_description") ?? undefined })
}

const withoutQuery = (url: URL): string => `${url.origin}${url.pathname}`

/** Of what is read besides: the secret, the store. */
const timeout = Duration.seconds(10)

export const receive = <R>(options: Options<R>, received: {
  readonly callback: string
  readonly userAgent: Redacted.Redacted
}): Effect.Effect<
  Granted,
  AuthorizationFailed | CredentialsError,
  R | PendingAuthorization.PendingAuthorizations
> =>
  Effect.gen(function*() {
    const { account, provider } = options.identity
    const failed = (reason: AuthorizationFailed["reason"]) => new AuthorizationFailed({ provider, account, reason })
    const isRelative = received.callback.startsWith("/")
    const base = "https://callback.invalid"
    if (!URL.canParse(received.callback, isRelative ? base : undefined)) return yield* failed("Malformed")
    const callback = new URL(received.callback, isRelative ? base : undefined)
    const parameters = callback.searchParams

    const state = Either.getOrUndefined(single(parameters, "state"))
    if (state === undefined) return yield* failed("Mismatch")
    const store = yield* PendingAuthorization.PendingAuthorizations
    const taken = yield* store.take(yield* keyOf(state), yield* sha256(Redacted.value(received.userAgent)))
    if (Option.isNone(taken)) return yield* failed("Mismatch")
    const pending = taken.value
    const { hash } = yield* CredentialsIdentity.make(options.identity)
    if (pending.identity !== hash) return yield* failed("Mismatch")
    const age = (yield* Clock.currentTimeMillis) - pending.startedAt.epochMillis
    if (age > Duration.toMillis(PendingAuthorization.maxAge)) return yield* failed("Expired")
    if (!isRelative && withoutQuery(callback) !== withoutQuery(new URL(pending.redirectUri))) {
      return yield* failed("Malformed")
    }
    const issuer = single(parameters, "iss")
    if (Either.isLeft(issuer)) return yield* failed("Malformed")
    if (options.issuer !== undefined && issuer.right !== undefined && issuer.right !== options.issuer) {
      return yield* failed("Issuer")
    }
    const refusal = Option.orElse(standardError(parameters), () => options.readError?.(parameters) ?? Option.none())
    if (Option.isSome(refusal)) {
      const { description, error } = refusal.value
      const secret = options.secret === undefined
        ? Option.none()
        : yield* Effect.option(Effect.sandbox(timed(options.secret, provider, "Secret", timeout)))
      const secrets = [
        received.userAgent,
        ...parameters.getAll("code").map((code) => Redacted.make(code)),
        ...Option.toArray(pending.verifier),
        ...Option.toArray(secret)
      ]
      // It came through the browser: anyone may have written it.
      const clean = (text: string | undefined) => text === undefined ? undefined : scrub(text, secrets) || undefined
      return yield* new AuthorizationFailed({
        provider,
        account,
        reason: error === "access_denied" ? "Denied" : "Refused",
        error: clean(error),
        description: clean(description)
      })
    }
    const code = single(parameters, "code")
    if (Either.isLeft(code) || code.right === undefined) return yield* failed("Malformed")
    return { code: Redacted.make(code.right), redirectUri: pending.redirectUri, verifier: pending.verifier }
  })

/** Of the whole exchange, with its retries. */
const exchangeTimeout = Duration.minutes(1)

const lockTimeout = Duration.seconds(90)

/**
 * Redeems a code and stores what it gave in the place of what is there: the
 * person has decided. From the answer on it cannot be interrupted.
 */
export const redeem = <R>(
  flow: AuthFlow<R>,
  call: Effect.Effect<TimedReply, CredentialsError, R>
): Effect.Effect<Token, AuthorizationFailed | CredentialsError, R | TokenStore.TokenStore> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const { account, provider } = flow.identity
    const identity = yield* CredentialsIdentity.make(flow.identity)
    const key = TokenStore.key(identity)
    const store = EncryptedStore.refuseEncrypted(yield* TokenStore.TokenStore)
    // What would keep the store from taking the login is found before the code is used up.
    yield* answerOf("load", timeout, store.load(key))
    const secretFingerprint = yield* timed(fingerprintOf(flow, key), provider, "Secret", timeout)
    const token = yield* exchange({ ...flow, obtain: call }, undefined, exchangeTimeout).pipe(
      Effect.catchTag("ReauthorizationRequired", () =>
        Effect.fail(new AuthorizationFailed({ provider, account, reason: "CodeRefused" })))
    )
    const stored = lockWithin(store, key, lockTimeout, (held) =>
      Effect.retry(
        answerOf("save", timeout, held.save({
          token,
          generation: Option.match(held.stored, { onNone: () => 1, onSome: (entry) => entry.generation + 1 }),
          redeeming: Option.none(),
          secretFingerprint
        })),
        keepSaving
      ))
    // The wait for a lock can be interrupted: in a fiber that nobody interrupts.
    yield* Effect.flatten(Fiber.await(yield* Effect.forkDaemon(stored)))
    return token
  }))
