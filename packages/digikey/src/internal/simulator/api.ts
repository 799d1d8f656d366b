import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Ref from "effect/Ref"
import { InMemoryHttp } from "effect-credentials/testing"
import { isWithin, takeFault } from "./behaviour.js"
import * as RateLimiter from "./rateLimiter.js"
import * as Reply from "./reply.js"
import * as Route from "./route.js"
import type { AcceptedToken, Settings, State } from "./state.js"
import * as Stats from "./stats.js"

/** What a call is for, as far as its path tells. */
export interface Target {
  readonly path: string
  readonly product: Route.CompiledProduct | undefined
  readonly match: Route.Match
  /** The key of `Stats.byRoute`. */
  readonly name: string
}

export const locate = (
  products: ReadonlyArray<Route.CompiledProduct>,
  request: HttpServerRequest.HttpServerRequest,
  path: string
): Target => {
  const product = products.find(({ base }) => isWithin(path, base))
  const match: Route.Match = product === undefined
    ? { _tag: "NotFound" }
    : Route.match(product, request.method, path)
  const name = match._tag === "Found"
    ? match.route.name
    : `${request.method} ${product === undefined ? "" : product.base}/(unknown)`
  return { path, product, match, name }
}

/**
 * One API call that arrived at `now` (milliseconds), in the order of a gateway: who is it, may it call
 * this product, is it within its limits; then the product itself.
 */
export const handle = (
  state: State,
  request: HttpServerRequest.HttpServerRequest,
  { match, name, path, product }: Target,
  now: number
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const settings = yield* Ref.get(state.settings)
    const tokens = yield* Ref.get(state.tokens)
    const requestId = yield* state.nextRequestId
    const refuse = (refusal: Omit<Reply.Refusal, "requestId">) =>
      Reply.refuse(state.constants.apiErrorDialect, { ...refusal, requestId })

    if (product === undefined) {
      return refuse({ status: 404, detail: "The requested resource was not found" })
    }
    const caller = identify(settings, tokens, request, now)
    if (Either.isLeft(caller)) {
      return refuse({ status: 401, detail: caller.left })
    }
    if (settings.unsubscribed.some((prefix) => isWithin(path, prefix))) {
      return refuse({ status: 401, detail: "The client is not authorized to access this API" })
    }
    const { headers, refusedBy } = yield* spend(state, settings, `${caller.right} ${product.base}`, now)
    if (refusedBy !== undefined) {
      const detail = refusedBy === "daily" ? "Daily Ratelimit exceeded" : "Burst Ratelimit exceeded"
      return refuse({ status: 429, detail, headers })
    }
    if (settings.forbidden.some((prefix) => isWithin(path, prefix))) {
      return refuse({ status: 403, detail: "The client is not permitted to do this", headers })
    }
    if (match._tag === "NotFound") {
      return refuse({ status: 404, detail: "The requested resource was not found", headers })
    }
    if (match._tag === "WrongMethod") {
      return refuse({ status: 405, detail: "The method is not allowed", headers: { ...headers, Allow: match.allow } })
    }
    if (match._tag === "Malformed") {
      return refuse({ status: 400, detail: "The path is not percent-encoded", headers })
    }

    const fault = yield* Ref.modify(state.faults, (faults) => takeFault(faults, path))
    const apply = Effect.gen(function*() {
      const outcome = yield* perform(state, match, request)
      if (Either.isRight(outcome)) {
        yield* Ref.update(state.stats, Stats.applied(name))
        return Reply.ok(outcome.right, headers)
      }
      return refuse({ ...outcome.left, headers: { ...headers, ...outcome.left.headers } })
    })
    if (fault === undefined) {
      return yield* apply
    }
    if (fault._tag === "Hang") {
      return yield* Effect.never
    }
    if (fault.applied === true) {
      yield* Effect.asVoid(apply)
    }
    if (fault._tag === "Drop") {
      yield* Ref.update(state.stats, Stats.dropped)
      return yield* InMemoryHttp.dropConnection
    }
    const faultHeaders = { ...headers, ...fault.headers }
    return fault.body === undefined
      ? Reply.refuse(fault.dialect ?? state.constants.apiErrorDialect, {
        status: fault.status,
        title: fault.title,
        detail: fault.detail ?? "The request could not be served",
        requestId,
        headers: faultHeaders
      })
      : Reply.exactly(fault.status, faultHeaders, fault.body)
  })

/** The client id behind the token, or why there is none. */
const identify = (
  settings: Settings,
  tokens: ReadonlyMap<string, AcceptedToken>,
  request: HttpServerRequest.HttpServerRequest,
  now: number
): Either.Either<string, string> => {
  const { authorization } = request.headers
  if (authorization === undefined) {
    return Either.left("Bearer token is missing")
  }
  // DigiKey takes the scheme literally: a lower-case `bearer` is no token
  const token = authorization.startsWith("Bearer ") ? tokens.get(authorization.slice("Bearer ".length)) : undefined
  if (token === undefined) {
    return Either.left("Invalid token")
  }
  if (now >= token.expiresAt) {
    return Either.left("Bearer token expired")
  }
  return request.headers["x-digikey-client-id"] === token.clientId && settings.clients.has(token.clientId)
    ? Either.right(token.clientId)
    : Either.left("The clientId is missing or invalid")
}

const spend = (state: State, settings: Settings, subscription: string, now: number) => {
  const limits = settings.rateLimits
  return limits === "off" ? unlimited : Ref.modify(state.subscriptions, (subscriptions) => {
    const decision = RateLimiter.take(limits, subscriptions.get(subscription), now)
    return [decision, new Map(subscriptions).set(subscription, decision.next)]
  })
}

const unlimited: Effect.Effect<Pick<RateLimiter.Decision, "headers" | "refusedBy">> = Effect.succeed({
  headers: {},
  refusedBy: undefined
})

const perform = (
  state: State,
  { params, route }: Route.Match & { readonly _tag: "Found" },
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<Route.Outcome> => {
  if (route.needsAccount && state.constants.accountRequired) {
    const account = request.headers["x-digikey-account-id"] ?? ""
    if (account === "" || account === "0") {
      return Effect.succeed(Either.left({ status: 400, detail: "Account ID must not be 0" }))
    }
  }
  const question = request.url.indexOf("?")
  const query = new URLSearchParams(question === -1 ? "" : request.url.slice(question))
  if (route.method === "GET") {
    return Effect.sync(() => route.handle({ params, query, json: undefined }))
  }
  if (!/^application\/json\s*(;|$)/i.test(request.headers["content-type"] ?? "")) {
    return Effect.succeed(
      Route.badRequest([{ field: "Content-Type", message: "The Content-Type must be application/json" }])
    )
  }
  return Effect.match(request.json, {
    onFailure: () => Route.badRequest([{ field: "$", message: "The body is not valid JSON" }]),
    onSuccess: (json) => route.handle({ params, query, json })
  })
}
