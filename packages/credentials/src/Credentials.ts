/**
 * The service that a request program asks for, and the Layers that give it.
 *
 * @since 0.1.0
 */
import * as Headers from "@effect/platform/Headers"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import type * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AuthFlow from "./AuthFlow.js"
import type { CredentialsError, ForeignOrigin } from "./CredentialsError.js"
import type { CredentialsEvent } from "./CredentialsEvent.js"
import * as CredentialsIdentity from "./CredentialsIdentity.js"
import * as EncryptedStore from "./internal/encryptedStore.js"
import { exchange } from "./internal/exchange.js"
import * as Place from "./internal/place.js"
import * as RateLimitRegistry from "./internal/rateLimitRegistry.js"
import * as SharedToken from "./internal/sharedToken.js"
import * as StateMachine from "./internal/stateMachine.js"
import type { RateLimits } from "./RateLimits.js"
import * as RefreshPolicy from "./RefreshPolicy.js"
import * as Token from "./Token.js"
import * as TokenStore from "./TokenStore.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Credentials {
  /**
   * The token to use now. Cached; starts a renewal when one is due; never hands
   * out an expired token.
   */
  readonly token: Effect.Effect<Token.Token, CredentialsError>
  /**
   * A server refused this token (401). Renews only if it is still the current
   * one; answers with the token that is current then.
   */
  readonly reject: (token: Token.Token) => Effect.Effect<Token.Token, CredentialsError>
  /** Renews now, whatever the clock says. Shares a renewal that is under way. */
  readonly refresh: Effect.Effect<Token.Token, CredentialsError>
  /**
   * Puts token, static headers and base URL on a request. Its URL is a path
   * that starts with one `/`, or a full URL of an allowed origin; anything else
   * fails with `ForeignOrigin`.
   */
  readonly attach: (
    request: HttpClientRequest.HttpClientRequest,
    token: Token.Token
  ) => Effect.Effect<HttpClientRequest.HttpClientRequest, ForeignOrigin>
  /**
   * What happens from now on. A slow reader loses the oldest events and never
   * delays a renewal. Ends when the Layer does.
   */
  readonly events: Stream.Stream<CredentialsEvent>
  readonly identity: CredentialsIdentity.CredentialsIdentity
  /**
   * Lower-case names of the headers in which `attach` puts a secret: never logged
   * or traced, and looked for in what a server says. Those that platform hides
   * anyway (`authorization`, `x-api-key`) where absent.
   */
  readonly secretHeaders?: ReadonlyArray<string> | undefined
  /** What is known of the rate limits of the API products that these credentials are used for. */
  readonly rateLimits?: RateLimits | undefined
}

/**
 * Declares credentials. Two tags are two credentials as long as their ids
 * differ: the id is what the type goes by.
 *
 * @example
 * ```ts
 * import { Credentials } from "effect-credentials"
 *
 * export class Acme extends Credentials.Tag("Acme")<Acme>() {}
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export const Tag = <const Id extends string>(id: Id) => <Self>(): Context.TagClass<Self, Id, Credentials> =>
  Context.Tag(id)<Self, Credentials>()

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Wins over the flow's own policy. */
  readonly refreshPolicy?: RefreshPolicy.RefreshPolicy | undefined
  /**
   * Of a whole exchange with its retries; 30 seconds by default, 50 where a
   * refresh token is redeemed.
   */
  readonly exchangeTimeout?: Duration.DurationInput | undefined
  /**
   * How long closing the Layer waits for a renewal that must not be lost; 5
   * seconds by default. As long again for it to stop, and for what could not be
   * saved before.
   */
  readonly closeTimeout?: Duration.DurationInput | undefined
  /** How many events a slow reader may be behind; 64 by default. */
  readonly eventsCapacity?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SharedOptions extends Options {
  /** How long to wait for another process that is renewing the same token; 90 seconds by default. */
  readonly lockTimeout?: Duration.DurationInput | undefined
  /** Of each time the store is read or written; 10 seconds by default. */
  readonly storeTimeout?: Duration.DurationInput | undefined
}

type Renewing<R> = Pick<StateMachine.Options<R>, "renew" | "finishing" | "holdsBack">

/** What a Layer is made of besides the way in which it renews. */
interface Parts {
  readonly identity: CredentialsIdentity.CredentialsIdentity
  readonly policy: RefreshPolicy.RefreshPolicy
  readonly exchangeTimeout: Duration.Duration
  readonly closeTimeout: Duration.Duration
}

const make = <R, R2>(
  flow: AuthFlow.AuthFlow<R>,
  options: Options,
  renewing: (parts: Parts) => Effect.Effect<Renewing<R>, never, R2>
): Effect.Effect<Credentials, never, R | R2 | Scope.Scope> =>
  Effect.gen(function*() {
    const parts: Parts = {
      identity: yield* CredentialsIdentity.make(flow.identity),
      policy: options.refreshPolicy ?? Option.getOrElse(flow.refreshPolicy, () => RefreshPolicy.default),
      // Room for a second attempt of its full length: one that is cut short takes the refresh token with it.
      exchangeTimeout: Duration.decode(
        options.exchangeTimeout ?? (Option.isSome(flow.renew) ? "50 seconds" : "30 seconds")
      ),
      closeTimeout: Duration.decode(options.closeTimeout ?? "5 seconds")
    }
    yield* Effect.locallyScopedWith(
      Headers.currentRedactedNames,
      Arr.appendAll(flow.secretHeaders)
    )
    const events = yield* Effect.acquireRelease(
      PubSub.sliding<CredentialsEvent>(options.eventsCapacity ?? 64),
      PubSub.shutdown
    )
    const rateLimits = yield* RateLimitRegistry.make(parts.identity)
    const machine = yield* StateMachine.make({
      ...parts,
      ...(yield* renewing(parts)),
      publish: (event) => PubSub.publish(events, event)
    })
    return {
      ...machine,
      attach: Place.attach(flow),
      events: Stream.fromPubSub(events),
      identity: parts.identity,
      secretHeaders: flow.secretHeaders,
      rateLimits
    }
  })

type FlowInput<R, E, R2> = AuthFlow.AuthFlow<R> | Effect.Effect<AuthFlow.AuthFlow<R>, E, R2>

const built = <R, E, R2>(flow: FlowInput<R, E, R2>): Effect.Effect<AuthFlow.AuthFlow<R>, E, R2> =>
  Effect.isEffect(flow) ? flow : Effect.succeed(flow)

/**
 * Credentials with a cache of their own, gone when the Layer ends.
 *
 * A Layer is built once in a Layer graph; every separate `Effect.provide`
 * builds it, and fetches a token, again. Build it once at the edge of the
 * program, or use a `ManagedRuntime`.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Effect, Layer, Redacted } from "effect"
 * import { Credentials, OAuth2 } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 *
 * const AcmeLive = Credentials.layer(
 *   Acme,
 *   OAuth2.clientCredentials({
 *     provider: "acme",
 *     baseUrl: "https://api.acme.example",
 *     tokenUrl: "https://login.acme.example/token",
 *     clientId: "my-app",
 *     clientSecret: Redacted.make("secret"),
 *     lifetimeWhenAbsent: "1 hour"
 *   })
 * ).pipe(Layer.provide(FetchHttpClient.layer))
 *
 * export const program = Effect.flatMap(Acme, (acme) => acme.token).pipe(Effect.provide(AcmeLive))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <I, R, E = never, R2 = never>(
  tag: Context.Tag<I, Credentials>,
  flow: FlowInput<R, E, R2>,
  options: Options = {}
): Layer.Layer<I, E, R | R2> =>
  Layer.scoped(
    tag,
    Effect.flatMap(built(flow), (flow) =>
      make(flow, options, ({ exchangeTimeout }) =>
        Effect.map(Ref.make(false), (redeeming): Renewing<R> => {
          const renew: Renewing<R>["renew"] = (previous) =>
            Effect.map(exchange(flow, previous, exchangeTimeout), (token) => ({ token, adopted: false }))
          return {
            renew: Option.isNone(flow.renew) ? renew : (previous, reason) =>
              Ref.set(redeeming, true).pipe(
                Effect.zipRight(renew(previous, reason)),
                Effect.ensuring(Ref.set(redeeming, false))
              ),
            holdsBack: false,
            finishing: Ref.get(redeeming)
          }
        })))
  )

/**
 * Credentials whose token is kept in a `TokenStore`, and shared with every Layer
 * and process that uses the same store: one of them renews it, the others take
 * it over. A refresh token that the server replaces at every use is redeemed
 * once, and its successor is stored before anybody sees the new token.
 *
 * Needed by flows that act for a person, and of use to others: a fleet with one
 * store fetches one token.
 *
 * While nothing is stored, `token` fails with `ReauthorizationRequired`, and
 * works as soon as a login has been stored, whichever process stored it.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Layer, Redacted } from "effect"
 * import { Credentials, OAuth2, TokenStore } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 *
 * export const layer = Credentials.layerShared(
 *   Acme,
 *   OAuth2.authorizationCode({
 *     provider: "acme",
 *     account: "alice",
 *     baseUrl: "https://api.acme.example",
 *     tokenUrl: "https://login.acme.example/token",
 *     clientId: "my-app",
 *     clientSecret: Redacted.make("secret"),
 *     lifetimeWhenAbsent: "1 hour"
 *   })
 * ).pipe(
 *   Layer.provide(TokenStore.layerFile(".tokens")),
 *   Layer.provide(NodeContext.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerShared = <I, R, E = never, R2 = never>(
  tag: Context.Tag<I, Credentials>,
  flow: FlowInput<R, E, R2>,
  options: SharedOptions = {}
): Layer.Layer<I, E, R | R2 | TokenStore.TokenStore> =>
  Layer.scoped(
    tag,
    Effect.flatMap(built(flow), (flow) =>
      make(flow, options, ({ closeTimeout, exchangeTimeout, identity, policy }) =>
        Effect.gen(function*() {
          const shared = yield* SharedToken.make({
            flow,
            identity,
            key: TokenStore.key(identity),
            store: EncryptedStore.refuseEncrypted(yield* TokenStore.TokenStore),
            policy,
            exchangeTimeout,
            lockTimeout: Duration.decode(options.lockTimeout ?? "90 seconds"),
            storeTimeout: Duration.decode(options.storeTimeout ?? "10 seconds")
          })
          // Added before the state machine's, so it runs after: nothing is being renewed then.
          yield* Effect.addFinalizer(() =>
            shared.flush.pipe(Effect.disconnect, Effect.timeoutOption(closeTimeout), Effect.interruptible)
          )
          return { ...shared, holdsBack: true }
        })))
  )

/**
 * @since 0.1.0
 * @category models
 */
export interface TestOptions {
  /** A token, its text, or an Effect that is run whenever a token is asked for. `"test-token"` by default. */
  readonly token?: string | Redacted.Redacted | Token.Token | Effect.Effect<Token.Token, CredentialsError> | undefined
  /** What a refused token leads to; the same as `token` by default. */
  readonly reject?: ((token: Token.Token) => Effect.Effect<Token.Token, CredentialsError>) | undefined
  /** `https://api.test.invalid` by default. */
  readonly baseUrl?: string | undefined
  readonly headers?: AuthFlow.HeaderInput | undefined
  readonly provider?: string | undefined
}

const testToken = (
  token: NonNullable<TestOptions["token"]>
): Effect.Effect<Token.Token, CredentialsError> =>
  Effect.isEffect(token)
    ? token
    : Token.isToken(token)
    ? Effect.succeed(token)
    : Effect.succeed(Token.make({
      accessToken: token,
      issuedAt: DateTime.unsafeMake(0),
      expiresAt: DateTime.unsafeMake("2999-01-01T00:00:00Z")
    }))

/**
 * Credentials for tests: no network, any token, any failure. Requests get the
 * token and the headers as in production, so that what was sent can be checked.
 *
 * Dies at build if `baseUrl` is no URL that `BaseUrl.parse` accepts.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Credentials, CredentialsError } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 *
 * export const works = Credentials.layerTest(Acme, { token: "fixed" })
 * export const fails = Credentials.layerTest(Acme, {
 *   token: Effect.fail(new CredentialsError.ReauthorizationRequired({ provider: "acme", reason: "NothingStored" }))
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = <I>(tag: Context.Tag<I, Credentials>, options: TestOptions = {}): Layer.Layer<I> =>
  Layer.scoped(
    tag,
    Effect.gen(function*() {
      const token = testToken(options.token ?? "test-token")
      const flow = yield* AuthFlow.make({
        identity: { provider: options.provider ?? "test", clientId: "test", grant: "test" },
        baseUrl: options.baseUrl ?? "https://api.test.invalid",
        headers: options.headers,
        obtain: Effect.map(token, (token) => ({ accessToken: token.accessToken, expiresIn: Token.lifetime(token) }))
      })
      const identity = yield* CredentialsIdentity.make(flow.identity)
      yield* Effect.locallyScopedWith(Headers.currentRedactedNames, Arr.appendAll(flow.secretHeaders))
      return {
        token,
        reject: options.reject ?? (() => token),
        refresh: token,
        attach: Place.attach(flow),
        events: Stream.empty,
        identity,
        secretHeaders: flow.secretHeaders,
        rateLimits: yield* RateLimitRegistry.make(identity)
      }
    }).pipe(Effect.orDie)
  )
