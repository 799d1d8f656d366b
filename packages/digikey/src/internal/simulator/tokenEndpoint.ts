import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import { InMemoryHttp } from "effect-credentials/testing"
import type { TokenEndpoint } from "./behaviour.js"
import * as Reply from "./reply.js"
import type { AcceptedToken, Settings, State } from "./state.js"
import * as Stats from "./stats.js"

export const path = "/v1/oauth2/token"

/** DigiKey's 2-legged lifetime: 30 minutes. */
const documentedLifetime = 1800

/** One call of the token endpoint that arrived at `now` (milliseconds). */
export const handle = (state: State, request: HttpServerRequest.HttpServerRequest, now: number) =>
  Effect.gen(function*() {
    const settings = yield* Ref.get(state.settings)
    const response = yield* behave(state, settings, request, now)
    yield* Ref.update(state.stats, Stats.answeredToken(response.status))
    return response
  })

const behave = (
  state: State,
  settings: Settings,
  request: HttpServerRequest.HttpServerRequest,
  now: number
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> => {
  const behaviour = settings.tokenEndpoint
  switch (behaviour._tag) {
    case "Healthy":
      return grant(state, settings, request, now)
    case "Hanging":
      return Effect.never
    case "Dropping":
      return Effect.zipRight(Ref.update(state.stats, Stats.dropped), InMemoryHttp.dropConnection)
    case "Down":
      return Effect.map(state.nextRequestId, (requestId) =>
        Reply.refuse(behaviour.dialect ?? state.constants.tokenErrorDialect, {
          status: behaviour.status,
          detail: "The token endpoint is not available",
          requestId,
          headers: behaviour.retryAfter === undefined ? {} : { "Retry-After": String(behaviour.retryAfter) }
        }))
    case "Reply":
      return replyAsTold(state, settings, behaviour, now)
  }
}

const replyAsTold = (
  state: State,
  settings: Settings,
  { body = "", headers = {}, status = 200 }: TokenEndpoint & { readonly _tag: "Reply" },
  now: number
) =>
  typeof body === "function"
    ? Effect.map(
      issue(state, settings.clientId, documentedLifetime, now),
      (accessToken) => Reply.exactly(status, headers, body(accessToken))
    )
    : Effect.succeed(Reply.exactly(status, headers, body))

// -----------------------------------------------------------------------------
// The client credentials grant
// -----------------------------------------------------------------------------

interface Refusal {
  readonly status: 400 | 401 | 405
  readonly code: string
  readonly detail: string
}

const grant = (state: State, settings: Settings, request: HttpServerRequest.HttpServerRequest, now: number) =>
  Effect.gen(function*() {
    // a body that cannot be read has no fields
    const body = yield* Effect.orElseSucceed(request.text, () => "")
    const client = authenticate(state, settings, request, new URLSearchParams(body))
    if (Either.isLeft(client)) {
      return Reply.refuse(state.constants.tokenErrorDialect, {
        ...client.left,
        requestId: yield* state.nextRequestId
      })
    }
    const expiresIn = settings.tokenReply.expires_in ?? documentedLifetime
    const lifetime = Number(expiresIn)
    const accessToken = yield* issue(state, client.right, lifetime > 0 ? lifetime : documentedLifetime, now)
    return Reply.ok({
      access_token: accessToken,
      token_type: "Bearer",
      expires_in: documentedLifetime,
      ...settings.tokenReply
    })
  })

/** The client id, once its secret has been checked. */
const authenticate = (
  state: State,
  settings: Settings,
  request: HttpServerRequest.HttpServerRequest,
  form: URLSearchParams
): Either.Either<string, Refusal> => {
  const refuse = (status: Refusal["status"], code: string, detail: string) => Either.left({ status, code, detail })
  const { authorization } = request.headers
  if (request.method !== "POST") {
    return refuse(405, "invalid_request", "The token endpoint accepts POST only")
  }
  if (authorization !== undefined && !(state.constants.allowBasic && authorization.startsWith("Basic "))) {
    return refuse(400, "invalid_request", "The token endpoint accepts no Authorization header")
  }
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(request.headers["content-type"] ?? "")) {
    return refuse(400, "invalid_request", "The Content-Type must be application/x-www-form-urlencoded")
  }
  const grantType = form.get("grant_type")
  if (grantType === null || grantType === "") {
    return refuse(400, "invalid_request", "grant_type is missing")
  }
  if (grantType !== "client_credentials") {
    return refuse(400, "unsupported_grant_type", "grant_type is not supported")
  }
  const [clientId, clientSecret] = authorization === undefined
    ? [form.get("client_id"), form.get("client_secret")]
    : readBasic(authorization)
  if (!clientId || !clientSecret) {
    return refuse(400, "invalid_request", "client_id or client_secret is missing")
  }
  const accepted = settings.clients.get(clientId)
  return accepted !== undefined && Redacted.value(accepted) === clientSecret
    ? Either.right(clientId)
    : refuse(401, "invalid_client", "Invalid clientId or clientSecret")
}

/** RFC 6749 §2.3.1: both parts are form-encoded before they are joined. */
const readBasic = (authorization: string): readonly [string | null, string | null] => {
  const text = Either.getOrElse(Encoding.decodeBase64String(authorization.slice("Basic ".length).trim()), () => "")
  const colon = text.indexOf(":")
  const decode = (part: string) => new URLSearchParams(`part=${part}`).get("part")
  return colon === -1 ? [null, null] : [decode(text.slice(0, colon)), decode(text.slice(colon + 1))]
}

/** Issues a token that the APIs accept for `lifetime` seconds. */
const issue = (state: State, clientId: string, lifetime: number, now: number): Effect.Effect<string> =>
  Effect.gen(function*() {
    const accessToken = yield* state.nextAccessToken
    yield* Ref.update(state.tokens, (tokens): ReadonlyMap<string, AcceptedToken> => {
      const living = [...tokens].filter(([, token]) => token.expiresAt > now)
      return new Map([...living, [accessToken, { clientId, expiresAt: now + lifetime * 1000 }]])
    })
    yield* Ref.update(state.stats, Stats.issued)
    return accessToken
  })
