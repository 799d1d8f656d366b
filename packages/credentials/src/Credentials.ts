/**
 * The service that a request program asks for, and the Layers that give it.
 *
 * @since 0.1.0
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Headers from "@effect/platform/Headers"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AuthFlow from "./AuthFlow.js"
import * as BaseUrl from "./BaseUrl.js"
import { ForeignOrigin, MalformedTokenResponse } from "./CredentialsError.js"
import type { CredentialsError } from "./CredentialsError.js"
import type { CredentialsEvent } from "./CredentialsEvent.js"
import * as CredentialsIdentity from "./CredentialsIdentity.js"
import { toToken } from "./internal/lifetime.js"
import * as StateMachine from "./internal/stateMachine.js"
import * as Target from "./internal/target.js"
import * as RefreshPolicy from "./RefreshPolicy.js"
import * as Token from "./Token.js"

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
  /** Of a whole exchange with its retries; 30 seconds by default. */
  readonly exchangeTimeout?: Duration.DurationInput | undefined
  /** How long closing the Layer waits for a renewal that must not be lost; 5 seconds by default. */
  readonly closeTimeout?: Duration.DurationInput | undefined
  /** How many events a slow reader may be behind; 64 by default. */
  readonly eventsCapacity?: number | undefined
}

type Place = Pick<AuthFlow.AuthFlow<unknown>, "attach" | "baseUrl" | "origins" | "acceptBaseUrl" | "identity">

/** The base URL of a token, if it names one that the flow believes. */
const namedBaseUrl = (flow: Place, baseUrl: string): Option.Option<BaseUrl.BaseUrl> =>
  Option.filter(Either.getRight(BaseUrl.parse(baseUrl, "baseUrl")), flow.acceptBaseUrl)

const locate = (flow: Place): Credentials["attach"] => {
  const foreign = (origin: string) =>
    Effect.fail(new ForeignOrigin({ provider: flow.identity.provider, origin, allowed: flow.origins }))
  const put = (
    request: HttpClientRequest.HttpClientRequest,
    token: Token.Token,
    baseUrl: BaseUrl.BaseUrl,
    origins: ReadonlyArray<string>
  ) => {
    const target = Target.resolve(request.url, baseUrl, origins)
    return target._tag === "Url"
      ? Exit.succeed(flow.attach(HttpClientRequest.setUrl(request, target.url), token))
      : foreign(target.origin)
  }
  let last: Token.Token | undefined
  let named: Option.Option<BaseUrl.BaseUrl> = Option.none()
  return (request, token) => {
    if (Option.isNone(token.baseUrl)) return put(request, token, flow.baseUrl, flow.origins)
    if (token !== last) {
      named = namedBaseUrl(flow, token.baseUrl.value)
      last = token
    }
    return Option.isNone(named)
      ? foreign("invalid")
      : put(request, token, named.value, [named.value.origin, ...flow.origins])
  }
}

const make = <R>(
  flow: AuthFlow.AuthFlow<R>,
  options: Options
): Effect.Effect<Credentials, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const identity = yield* CredentialsIdentity.make(flow.identity)
    yield* Effect.locallyScopedWith(
      Headers.currentRedactedNames,
      Arr.appendAll(flow.secretHeaders)
    )
    const events = yield* Effect.acquireRelease(
      PubSub.sliding<CredentialsEvent>(options.eventsCapacity ?? 64),
      PubSub.shutdown
    )
    const machine = yield* StateMachine.make({
      identity,
      policy: options.refreshPolicy ?? Option.getOrElse(flow.refreshPolicy, () => RefreshPolicy.default),
      exchange: (previous) => exchange(flow, previous),
      rotates: Option.isSome(flow.renew),
      exchangeTimeout: Duration.decode(options.exchangeTimeout ?? "30 seconds"),
      closeTimeout: Duration.decode(options.closeTimeout ?? "5 seconds"),
      publish: (event) => PubSub.publish(events, event)
    })
    return {
      ...machine,
      attach: locate(flow),
      events: Stream.fromPubSub(events),
      identity,
      secretHeaders: flow.secretHeaders
    }
  })

const exchange = <R>(
  flow: AuthFlow.AuthFlow<R>,
  previous: Token.Token | undefined
): Effect.Effect<Token.Token, CredentialsError, R> =>
  Effect.gen(function*() {
    const startedAt = yield* Clock.currentTimeMillis
    const refreshToken = Option.flatMap(Option.fromNullable(previous), (token) => token.refreshToken)
    const reply = yield* Option.isSome(flow.renew) && Option.isSome(refreshToken)
      ? flow.renew.value(refreshToken.value)
      : flow.obtain
    // A flow of the user's may not have looked; fetch would quote the header in its own error.
    if (!isSecret(reply.accessToken)) {
      return yield* new MalformedTokenResponse({
        provider: flow.identity.provider,
        expected: "visible ASCII characters at accessToken"
      })
    }
    if (reply.baseUrl !== undefined && Option.isNone(namedBaseUrl(flow, reply.baseUrl))) {
      return yield* new MalformedTokenResponse({
        provider: flow.identity.provider,
        expected: "a base URL that this flow accepts"
      })
    }
    return toToken(reply, flow, startedAt, previous)
  })

const isSecret = Schema.is(Token.Secret)

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
  flow: AuthFlow.AuthFlow<R> | Effect.Effect<AuthFlow.AuthFlow<R>, E, R2>,
  options: Options = {}
): Layer.Layer<I, E, R | R2> =>
  Layer.scoped(
    tag,
    Effect.flatMap(Effect.isEffect(flow) ? flow : Effect.succeed(flow), (flow) => make(flow, options))
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
        attach: locate(flow),
        events: Stream.empty,
        identity,
        secretHeaders: flow.secretHeaders
      }
    }).pipe(Effect.orDie)
  )
