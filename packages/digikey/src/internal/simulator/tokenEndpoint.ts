import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Ref from "effect/Ref"
import { InMemoryHttp } from "effect-credentials/testing"
import { takeTokenEndpoint } from "./behaviour.js"
import { authenticate, checkRequest, refuse, type Refusal } from "./clientAuthentication.js"
import * as Grants from "./grants.js"
import * as Reply from "./reply.js"
import type { Settings, State } from "./state.js"
import * as Stats from "./stats.js"
import * as TokenReply from "./tokenReply.js"

export const path = "/v1/oauth2/token"

/** One call of the token endpoint that arrived at `now` (milliseconds). */
export const handle = (
  state: State,
  request: HttpServerRequest.HttpServerRequest,
  now: number
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const settings = yield* Ref.get(state.settings)
    // a body that cannot be read has no fields
    const form = new URLSearchParams(yield* Effect.orElseSucceed(request.text, () => ""))
    yield* Ref.update(state.stats, Stats.calledFor(form.get("grant_type")))
    const response = yield* behave(state, settings, serve(state, settings, request, form, now))
    yield* Ref.update(state.stats, Stats.answeredToken(response.status))
    return response
  })

const behave = (
  state: State,
  settings: Settings,
  served: Effect.Effect<Either.Either<Granted, Refusal>>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const refusal = (reason: Omit<Reply.Refusal, "requestId">, dialect = state.constants.tokenErrorDialect) =>
      Effect.map(state.nextRequestId, (requestId) => Reply.refuse(dialect, { ...reason, requestId }))

    const behaviour = (yield* Ref.modify(state.tokenEndpoints, takeTokenEndpoint)) ?? settings.tokenEndpoint
    switch (behaviour._tag) {
      case "Healthy": {
        const outcome = yield* served
        return Either.isRight(outcome) ? Reply.ok(outcome.right.reply) : yield* refusal(outcome.left)
      }
      case "Hanging":
        return yield* Effect.never
      case "Dropping": {
        if (behaviour.applied === true) {
          yield* served
        }
        yield* Ref.update(state.stats, Stats.dropped)
        return yield* InMemoryHttp.dropConnection
      }
      case "Down":
        return yield* refusal({
          status: behaviour.status,
          detail: "The token endpoint is not available",
          headers: behaviour.retryAfter === undefined ? {} : { "Retry-After": String(behaviour.retryAfter) }
        }, behaviour.dialect)
      case "Reply": {
        const { body = "", headers = {}, status = 200 } = behaviour
        if (typeof body !== "function") {
          return Reply.exactly(status, headers, body)
        }
        const outcome = yield* served
        return Either.isRight(outcome)
          ? Reply.exactly(status, headers, body(outcome.right.accessToken, outcome.right.refreshToken))
          : yield* refusal(outcome.left)
      }
    }
  })

// -----------------------------------------------------------------------------
// The grants
// -----------------------------------------------------------------------------

interface Granted {
  readonly reply: Readonly<Record<string, unknown>>
  readonly accessToken: string
  readonly refreshToken: string | undefined
}

const serve = (
  state: State,
  settings: Settings,
  request: HttpServerRequest.HttpServerRequest,
  form: URLSearchParams,
  now: number
): Effect.Effect<Either.Either<Granted, Refusal>> =>
  Effect.gen(function*() {
    const checked = checkRequest(request, state.constants.allowBasic)
    if (Either.isLeft(checked)) {
      return Either.left(checked.left)
    }
    const grantType = form.get("grant_type") ?? ""
    const grant = Object.hasOwn(grants, grantType) ? grants[grantType] : undefined
    if (grant === undefined) {
      return grantType === ""
        ? refuse(400, "invalid_request", "grant_type is missing")
        : refuse(400, "unsupported_grant_type", "grant_type is not supported")
    }
    const client = authenticate(settings.clients, request.headers.authorization, form)
    if (Either.isLeft(client)) {
      return Either.left(client.left)
    }
    const outcome = yield* grant({ state, settings, clientId: client.right, form, now })
    if (Either.isRight(outcome)) {
      yield* Ref.update(state.stats, Stats.issued)
    }
    return outcome
  })

interface Call {
  readonly state: State
  readonly settings: Settings
  readonly clientId: string
  readonly form: URLSearchParams
  readonly now: number
}

type Grant = (call: Call) => Effect.Effect<Either.Either<Granted, Refusal>>

const clientCredentials: Grant = ({ clientId, now, settings, state }) => {
  const terms = TokenReply.terms(state.constants, settings, TokenReply.applicationLifetime)
  return Effect.map(
    Ref.modify(state.grants, Grants.issueToApplication(clientId, terms.lifetimes.access, now)),
    (accessToken) =>
      Either.right({ accessToken, refreshToken: undefined, reply: TokenReply.ofApplication(terms, accessToken) })
  )
}

const authorizationCode: Grant = (call) => {
  const code = call.form.get("code")
  const redirectUri = call.form.get("redirect_uri")
  if (!code || !redirectUri) {
    return Effect.succeed(refuse(400, "invalid_request", "code or redirect_uri is missing"))
  }
  const terms = TokenReply.terms(call.state.constants, call.settings, TokenReply.userLifetime)
  return Effect.map(
    settle(call, Grants.redeemCode({ code, redirectUri, clientId: call.clientId }, terms.lifetimes, call.now)),
    (outcome) =>
      outcome._tag === "Issued"
        ? Either.right({ ...outcome, reply: TokenReply.ofUser(terms, outcome) })
        : refuse(400, "invalid_grant", "Invalid authorization code")
  )
}

const refreshToken: Grant = (call) =>
  Effect.gen(function*() {
    const refreshToken = call.form.get("refresh_token")
    if (!refreshToken) {
      return refuse(400, "invalid_request", "refresh_token is missing")
    }
    const { state } = call
    const terms = TokenReply.terms(state.constants, call.settings, TokenReply.userLifetime)
    const presented = { refreshToken, clientId: call.clientId }
    const outcome = yield* settle(
      call,
      Grants.redeemRefreshToken(presented, !terms.omitsRefreshToken, terms.lifetimes, call.now)
    )
    if (outcome._tag === "Issued") {
      yield* Ref.update(state.stats, Stats.redeemed)
      return Either.right({ ...outcome, reply: TokenReply.ofUser(terms, outcome) })
    }
    if (outcome.reused) {
      yield* Ref.update(state.stats, Stats.reused)
    }
    // One refusal in two dialects: RFC 6749 §5.2 has 400 and a code, DigiKey 401 and these words.
    return Either.left<Refusal>({
      status: state.constants.tokenErrorDialect === "E" ? 400 : 401,
      code: "invalid_grant",
      title: "Invalid RefreshToken",
      detail: "The refresh token is invalid, expired or was used before"
    })
  })

const grants: Readonly<Record<string, Grant>> = {
  client_credentials: clientCredentials,
  authorization_code: authorizationCode,
  refresh_token: refreshToken
}

const settle = (
  { state }: Call,
  transition: (grants: Grants.Grants) => readonly [Grants.Issued | Grants.Refused, Grants.Grants]
): Effect.Effect<Grants.Issued | Grants.Refused> =>
  Effect.tap(
    Ref.modify(state.grants, transition),
    (outcome) =>
      outcome._tag === "Refused" ? Ref.update(state.stats, Stats.revoked(outcome.familiesRevoked)) : Effect.void
  )
