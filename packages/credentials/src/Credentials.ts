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
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AuthFlow from "./AuthFlow.js"
import type { CredentialsError, ForeignOrigin } from "./CredentialsError.js"
import type { CredentialsEvent } from "./CredentialsEvent.js"
import * as CredentialsIdentity from "./CredentialsIdentity.js"
import * as Engine from "./internal/engine.js"
import * as Place from "./internal/place.js"
import { Registry } from "./internal/rateLimitRegistry.js"
import type { RateLimits } from "./RateLimits.js"
import type * as RefreshPolicy from "./RefreshPolicy.js"
import * as Token from "./Token.js"
import type * as TokenStore from "./TokenStore.js"

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

/** What the program is to know of a Layer's flow for as long as the Layer lives. */
const announced = <R>(flow: AuthFlow.AuthFlow<R>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.locallyScopedWith(Headers.currentRedactedNames, Arr.union(flow.secretHeaders))

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
  flow: Engine.FlowInput<R, E, R2>,
  options: Options = {}
): Layer.Layer<I, E, R | R2> =>
  Layer.scoped(
    tag,
    Effect.gen(function*() {
      const built = yield* Engine.built(flow)
      yield* announced(built)
      const { credentials } = yield* Effect.acquireRelease(Engine.open(built, options), (opened) => opened.close())
      return credentials
    })
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
  flow: Engine.FlowInput<R, E, R2>,
  options: SharedOptions = {}
): Layer.Layer<I, E, R | R2 | TokenStore.TokenStore> =>
  Layer.scoped(
    tag,
    Effect.gen(function*() {
      const built = yield* Engine.built(flow)
      yield* announced(built)
      const { credentials } = yield* Effect.acquireRelease(Engine.openShared(built, options), (opened) => opened.close())
      return credentials
    })
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
      yield* announced(flow)
      return {
        token,
        reject: options.reject ?? (() => token),
        refresh: token,
        attach: Place.attach(flow),
        events: Stream.empty,
        identity,
        secretHeaders: flow.secretHeaders,
        rateLimits: yield* Effect.acquireRelease(
          Effect.sync(() => new Registry(identity)),
          (rateLimits) => Effect.sync(() => rateLimits.end())
        )
      }
    }).pipe(Effect.orDie)
  )
