/**
 * DigiKey's server as far as its documentation describes it: the pages where a person signs in and
 * consents, the token endpoint and the APIs behind them, as one `HttpApp`. Use it in memory, where a `TestClock` governs it, or serve it on loopback with
 * any `HttpServer`.
 *
 * It does not know who calls it or why. Tokens expire and rate-limit windows turn on Effect's `Clock`;
 * what a test wants to go wrong is told to it through the controls, never over HTTP.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { InMemoryHttp } from "effect-credentials/testing"
import type { Credentials } from "effect-credentials/Credentials"
import * as Token from "effect-credentials/Token"
import * as TokenStore from "effect-credentials/TokenStore"
import * as DigiKeyApp from "../DigiKeyApp.js"
import * as DigiKeyUser from "../DigiKeyUser.js"
import { barcodes, product2DBarcode, productBarcode } from "../internal/simulator/barcodes.js"
import { Fault, TokenEndpoint } from "../internal/simulator/behaviour.js"
import { defaultParts, type SimulatedPart } from "../internal/simulator/catalogue.js"
import { type ClientCredentials, type Controls, make as makeControls, redact } from "../internal/simulator/controls.js"
import type { Authorized, LoginControls, LoginOptions, SignedIn } from "../internal/simulator/logins.js"
import { myLists } from "../internal/simulator/myLists.js"
import { orderStatus } from "../internal/simulator/orders.js"
import { productInformation } from "../internal/simulator/products.js"
import { quotes } from "../internal/simulator/quotes.js"
import { type RateLimitOptions, resolve as resolveLimits } from "../internal/simulator/rateLimiter.js"
import * as Route from "../internal/simulator/route.js"
import * as Server from "../internal/simulator/server.js"
import { Snapshot } from "../internal/simulator/snapshot.js"
import * as State from "../internal/simulator/state.js"
import type { Stats } from "../internal/simulator/stats.js"
import type { ErrorDialect } from "./ErrorDialect.js"

export {
  /**
   * @since 0.1.0
   * @category fixtures
   */
  defaultParts,
  /**
   * @since 0.1.0
   * @category models
   */
  Fault,
  /**
   * @since 0.1.0
   * @category fixtures
   */
  product2DBarcode,
  /**
   * @since 0.1.0
   * @category fixtures
   */
  productBarcode,
  /**
   * @since 0.1.0
   * @category models
   */
  Snapshot,
  /**
   * @since 0.1.0
   * @category models
   */
  TokenEndpoint
}

export type {
  /**
   * @since 0.1.0
   * @category models
   */
  Authorized,
  /**
   * @since 0.1.0
   * @category models
   */
  ClientCredentials,
  /**
   * @since 0.1.0
   * @category models
   */
  Controls,
  /**
   * @since 0.1.0
   * @category models
   */
  LoginControls,
  /**
   * @since 0.1.0
   * @category models
   */
  LoginOptions,
  /**
   * @since 0.1.0
   * @category models
   */
  RateLimitOptions,
  /**
   * @since 0.1.0
   * @category models
   */
  SignedIn,
  /**
   * @since 0.1.0
   * @category models
   */
  SimulatedPart,
  /**
   * @since 0.1.0
   * @category models
   */
  Stats
}

// -----------------------------------------------------------------------------
// Model
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default `"simulator-client-id"`. */
  readonly clientId?: string | undefined
  /** Default `"simulator-client-secret"`. */
  readonly clientSecret?: string | Redacted.Redacted | undefined
  /**
   * `expires_in` of every token reply in seconds, as a number or as any odd JSON value; above 0 it is
   * true. Default 1800 for an application's token and 3600 for a user's.
   */
  readonly expiresIn?: number | string | null | undefined
  /**
   * `refresh_token_expires_in` of a user's token reply in seconds; above 0 it is true. Default: the
   * reply has none, as documented, and a refresh token is accepted for 30 days.
   */
  readonly refreshTokenExpiresIn?: number | string | null | undefined
  /**
   * The addresses that the authorization endpoint sends a browser back to, compared as text. Default:
   * any https address and any http address of this machine, until `registerRedirectUri` names one.
   */
  readonly redirectUris?: ReadonlyArray<string> | undefined
  /** How long an authorization code is accepted. Default 10 minutes; 1 minute was observed. */
  readonly codeLifetime?: Duration.DurationInput | undefined
  /** Default: 120 requests a minute (10 for Quotes) and 1,000 a day, for each product subscription. */
  readonly rateLimits?: RateLimitOptions | "off" | undefined
  /** Product details, pricing and order calls of an application need `X-DIGIKEY-Account-Id`. Default `false`. */
  readonly accountRequired?: boolean | undefined
  /** Accept HTTP Basic at the token endpoint: observed, not documented. Default `false`. */
  readonly allowBasic?: boolean | undefined
  /** Default `"A"`. A refused refresh token is 400 `invalid_grant` in dialect E, and 401 in any other. */
  readonly tokenErrorDialect?: ErrorDialect | undefined
  /** Of every product. Default `"B"`, and `"A"` for Barcode v3. */
  readonly apiErrorDialect?: ErrorDialect | undefined
  /** What MyLists answers a new list with: its id as a bare string, or the list. Default `"id"`. */
  readonly createdList?: "id" | "object" | undefined
  /** Default `defaultParts`. */
  readonly parts?: ReadonlyArray<SimulatedPart> | undefined
  /**
   * What another simulator had granted, and what people had made there: its `snapshot`. Its tokens and
   * codes are good here, for as long as they were there. Default: nothing.
   */
  readonly snapshot?: Snapshot | undefined
}

/**
 * A simulated DigiKey server and its controls.
 *
 * @since 0.1.0
 * @category models
 */
export interface DigiKeySimulator extends Controls {
  /** The whole server: authorization endpoint, token endpoint and APIs. For an `HttpServer` to serve. */
  readonly app: HttpApp.Default
  /** The server in memory, as `https://api.digikey.com` and `https://sandbox-api.digikey.com`. */
  readonly httpClient: HttpClient.HttpClient
}

/**
 * @since 0.1.0
 * @category tags
 */
export const DigiKeySimulator: Context.Tag<DigiKeySimulator, DigiKeySimulator> = Context.GenericTag<DigiKeySimulator>(
  "@effect-credentials/digikey/DigiKeySimulator"
)

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * @example
 * ```ts
 * import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const simulator = yield* DigiKeySimulator.make({ rateLimits: "off" })
 *   yield* simulator.setTokenEndpoint(DigiKeySimulator.TokenEndpoint.Down({ status: 503 }))
 *   const response = yield* simulator.httpClient.get("https://sandbox-api.digikey.com/v1/oauth2/token")
 *   return response.status // 503
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<DigiKeySimulator> =>
  Effect.gen(function*() {
    const clientId = options.clientId ?? "simulator-client-id"
    const state = yield* State.make({
      allowBasic: options.allowBasic ?? false,
      accountRequired: options.accountRequired ?? false,
      tokenErrorDialect: options.tokenErrorDialect ?? "A",
      apiErrorDialect: options.apiErrorDialect,
      expiresIn: options.expiresIn,
      refreshTokenExpiresIn: options.refreshTokenExpiresIn,
      codeLifetime: Duration.toMillis(options.codeLifetime ?? "10 minutes")
    }, {
      clientId,
      redirectUris: options.redirectUris,
      clients: new Map([[clientId, redact(options.clientSecret ?? "simulator-client-secret")]]),
      tokenEndpoint: TokenEndpoint.Healthy(),
      tokenReply: {},
      tokenLatency: 0,
      apiLatency: 0,
      unsubscribed: [],
      forbidden: [],
      rateLimits: resolveLimits(options.rateLimits)
    }, options.snapshot)
    const parts = options.parts ?? defaultParts
    const products = [
      productInformation(parts),
      orderStatus,
      quotes(state.quotes),
      myLists(state.lists, parts, options.createdList ?? "id"),
      barcodes(parts)
    ]
    const app = Server.make(state, products.map(Route.compile))
    return {
      // `HttpServer.serve` runs an app uninterruptibly: without this a call that hangs would outlive its connection
      app: Effect.interruptible(app),
      httpClient: yield* InMemoryHttp.makeByOrigin({
        "https://api.digikey.com": app,
        "https://sandbox-api.digikey.com": app
      }),
      ...makeControls(state)
    }
  })

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * A simulator, for programs that serve its `app` themselves.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerApp = (options?: Options): Layer.Layer<DigiKeySimulator> =>
  Layer.effect(DigiKeySimulator, make(options))

/**
 * A simulator and the `HttpClient` that reaches it in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHttpClient = (options?: Options): Layer.Layer<DigiKeySimulator | HttpClient.HttpClient> =>
  Layer.provideMerge(
    Layer.effect(HttpClient.HttpClient, Effect.map(DigiKeySimulator, (simulator) => simulator.httpClient)),
    layerApp(options)
  )

/**
 * The simulator in memory, with the credentials that it accepts, those of an
 * application and those of a person who has logged in there (account
 * `"simulator"`), and the `HttpClient` that reaches it: all that a program
 * needs, in one line.
 *
 * @example
 * ```ts
 * import { ProductInformation, Quotes } from "@effect-credentials/digikey"
 * import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
 * import { Effect } from "effect"
 *
 * export const program = Effect.zip(
 *   ProductInformation.keywordSearch({ Keywords: "NE555" }),
 *   Quotes.listQuotes()
 * ).pipe(Effect.provide(DigiKeySimulator.layer()))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options?: Options
): Layer.Layer<
  | DigiKeySimulator
  | DigiKeyApp.DigiKeyApp
  | DigiKeyUser.DigiKeyUser
  | TokenStore.TokenStore
  | HttpClient.HttpClient
> =>
  Layer.mergeAll(application(), user()).pipe(
    Layer.provideMerge(memory()),
    Layer.provideMerge(layerHttpClient(options))
  )

// Functions: a constant would be built once for two simulators. The simulator's own credentials are good: a failure
// here is a defect.

/** Not `Layer.fresh`, which would be built twice: once for the credentials, and once for the program. */
const memory = () =>
  Layer.scoped(TokenStore.TokenStore, Effect.map(Layer.build(TokenStore.layerMemory), Context.get(TokenStore.TokenStore)))

const application = () =>
  Layer.unwrapEffect(Effect.gen(function*() {
    const credentials = yield* (yield* DigiKeySimulator).credentials
    return Layer.orDie(DigiKeyApp.layer({ ...credentials, environment: "sandbox" }))
  }))

const user = () =>
  Layer.unwrapEffect(Effect.gen(function*() {
    const credentials = yield* (yield* DigiKeySimulator).credentials
    return DigiKeyUser.layer({ ...credentials, environment: "sandbox", account: "simulator" })
  })).pipe(
    Layer.tap((context) => login(Context.get(context, DigiKeyUser.DigiKeyUser))),
    Layer.orDie
  )

/** As a login would have left it. */
const login = ({ identity }: Credentials) =>
  Effect.gen(function*() {
    const { accessToken, expiresIn, refreshExpiresIn, refreshToken } = yield* (yield* DigiKeySimulator).signIn()
    const issuedAt = yield* DateTime.now
    const token = Token.make({
      accessToken,
      issuedAt,
      expiresAt: DateTime.add(issuedAt, { seconds: expiresIn }),
      refreshToken,
      refreshExpiresAt: refreshExpiresIn === undefined ? undefined : DateTime.add(issuedAt, { seconds: refreshExpiresIn })
    })
    const store = yield* TokenStore.TokenStore
    yield* store.withLock(TokenStore.key(identity), ({ save }) =>
      save({ token, generation: 1, redeeming: Option.none() }))
  })
