import { DigiKeyUser, Quotes } from "@effect-credentials/digikey"
import {
  FetchHttpClient,
  type HttpClient,
  HttpMiddleware,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { NodeContext, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, type ConfigError, Context, Data, Effect, Layer, LayerMap, Redacted } from "effect"
import { type AuthorizationError, PendingAuthorization, TokenStore } from "effect-credentials"
import { createServer } from "node:http"

// #region session
export class NotSignedIn extends Data.TaggedError("NotSignedIn") {}

/** Who is signed in to this application, from its own session. Nothing that a request can choose. */
export class Session extends Context.Tag("Session")<Session, {
  readonly account: Effect.Effect<string, NotSignedIn, HttpServerRequest.HttpServerRequest>
}>() {}

const account = Effect.flatMap(Session, (session) => session.account)
// #endregion

// #region users
const configOf = (account: string) => ({ account: Config.succeed(account) })

/** The credentials of each person, for as long as they are used. */
class Users extends LayerMap.Service<Users>()("Users", {
  lookup: (account: string) => DigiKeyUser.layerConfig(configOf(account)),
  idleTimeToLive: "10 minutes"
}) {}
// #endregion

/** Where browsers reach this application: `https://app.example`. */
const PublicUrl = Config.url("PUBLIC_URL")

// #region pages
const headers = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'"
}

/** `text` is ours, never the provider's. */
const page = (status: number, text: string) =>
  HttpServerResponse.text(`<!doctype html><html lang="en"><title>Quotes</title><p>${text}</p></html>`, {
    status,
    headers,
    contentType: "text/html; charset=utf-8"
  })

/** To an address of ours, always the same one. */
const redirect = (path: "/quotes") => HttpServerResponse.redirect(path, { status: 303, headers })

const loginLink = "<a href=\"/login\">Log in to DigiKey</a>"
const signInFirst = page(401, "Sign in to this application first.")
const tryLater = page(503, "That did not work. Try again in a minute.")
// #endregion

// #region login
const cookie = "__Host-digikey-login"
const cookieOptions = { path: "/", httpOnly: true, secure: true, sameSite: "lax" } as const

const login = Effect.gen(function*() {
  const flow = yield* DigiKeyUser.flowConfig(configOf(yield* account))
  const { url, userAgent } = yield* flow.begin({ redirectUri: new URL("/callback", yield* PublicUrl).href })
  return HttpServerResponse.redirect(url, { status: 303, headers }).pipe(
    HttpServerResponse.unsafeSetCookie(cookie, Redacted.value(userAgent), {
      ...cookieOptions,
      maxAge: PendingAuthorization.maxAge
    })
  )
})
// #endregion

// #region callback
const explain: Readonly<Record<AuthorizationError.AuthorizationFailed["reason"], string>> = {
  Denied: "You did not allow it.",
  Expired: "That took more than 10 minutes.",
  CodeRefused: "DigiKey did not take the answer: it was used before, or it took too long.",
  Refused: "DigiKey refused it.",
  Mismatch: "This answer belongs to no login of this browser.",
  Malformed: "This is no answer that DigiKey gives.",
  Issuer: "This is no answer of DigiKey's."
}

const forgetCookie = HttpServerResponse.expireCookie(cookie, cookieOptions)

const callback = Effect.gen(function*() {
  const request = yield* HttpServerRequest.HttpServerRequest
  const { origin } = yield* PublicUrl
  const flow = yield* DigiKeyUser.flowConfig(configOf(yield* account))
  yield* flow.complete({
    callback: origin + request.url,
    userAgent: Redacted.make(request.cookies[cookie] ?? "")
  })
  // Away from the address that has the code in it.
  return forgetCookie(redirect("/quotes"))
}).pipe(
  Effect.catchTag("AuthorizationFailed", ({ reason }) => {
    const failed = page(400, `${explain[reason]} ${loginLink}`)
    // A stranger's answer must not end the login that this browser has begun.
    return Effect.succeed(reason === "Mismatch" ? failed : forgetCookie(failed))
  })
)
// #endregion

// #region quotes
const quotes = Effect.gen(function*() {
  const { Quotes: list } = yield* Effect.provide(Quotes.listQuotes(), Users.get(yield* account))
  return HttpServerResponse.unsafeJson(list.map(({ QuoteName }) => QuoteName), { headers })
}).pipe(
  Effect.catchTag("ReauthorizationRequired", () => Effect.succeed(page(401, loginLink)))
)
// #endregion

// #region app
const router = HttpRouter.empty.pipe(
  HttpRouter.get("/login", login),
  HttpRouter.get("/callback", callback),
  HttpRouter.get("/quotes", quotes)
)

/** For `HttpMiddleware.logger`, which writes whole URLs, and a callback has the code in its own. */
const logger = HttpMiddleware.make((app) =>
  Effect.gen(function*() {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const response = yield* app
    yield* Effect.log(`${method} ${url.replace(/[?;].*/s, "")} ${response.status}`)
    return response
  })
)

const app = (host: string) =>
  router.pipe(
    // As it is, "//Callback/" would do too.
    HttpRouter.withRouterConfig({ caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false }),
    Effect.catchTags({
      RouteNotFound: () => Effect.succeed(page(404, "There is no such page.")),
      NotSignedIn: () => Effect.succeed(signInFirst)
    }),
    // No error of the library holds a secret.
    Effect.tapError((error) => Effect.logError(String(error))),
    Effect.catchAll(() => Effect.succeed(tryLater)),
    (app) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        request.headers["host"] === host ? app : Effect.succeed(HttpServerResponse.empty({ status: 421 }))),
    logger
  )

export const AppLayer: Layer.Layer<
  never,
  ConfigError.ConfigError,
  HttpClient.HttpClient | HttpServer.HttpServer | PendingAuthorization.PendingAuthorizations | Session | TokenStore.TokenStore
> = Layer.unwrapEffect(Effect.map(PublicUrl, ({ host }) => HttpServer.serve(app(host)))).pipe(
  // A server's span has the whole URL too: none but of requests that have nothing to hide.
  HttpMiddleware.withTracerDisabledWhen(({ url }) => url !== "/quotes"),
  Layer.provide(Users.Default)
)
// #endregion

// #region main
/** An application for one person. Yours has sessions. */
const OnePerson = Layer.succeed(Session, { account: Effect.succeed("me") })

const Main = AppLayer.pipe(
  Layer.provide(OnePerson),
  Layer.provide(TokenStore.layerFile(".tokens")),
  Layer.provide(PendingAuthorization.layerMemory),
  Layer.provide(FetchHttpClient.layer),
  // Behind a proxy that does TLS and keeps the Host header.
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 3000 })),
  Layer.provide(NodeContext.layer)
)
// #endregion

if (import.meta.filename === process.argv[1]) NodeRuntime.runMain(Layer.launch(Main))
