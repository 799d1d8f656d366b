import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Ref from "effect/Ref"
import { InMemoryHttp } from "effect-credentials/testing"
import { isWithin, takeFault } from "./behaviour.js"
import * as Grants from "./grants.js"
import * as RateLimiter from "./rateLimiter.js"
import * as Reply from "./reply.js"
import * as Route from "./route.js"
import type { Settings, State } from "./state.js"
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
    const grants = yield* Ref.get(state.grants)
    const requestId = yield* state.nextRequestId
    const dialect = state.constants.apiErrorDialect ?? product?.dialect ?? "B"
    const refuse = (refusal: Omit<Reply.Refusal, "requestId">) => Reply.refuse(dialect, { ...refusal, requestId })

    if (product === undefined) {
      return refuse({ status: 404, detail: "The requested resource was not found" })
    }
    const identified = identify(settings, grants, request, now)
    if (Either.isLeft(identified)) {
      return refuse({ status: 401, detail: identified.left })
    }
    const caller = identified.right
    if (product.userOnly === true && caller.account === undefined) {
      // observed: without a word
      return Reply.exactly(401, {}, "")
    }
    if (settings.unsubscribed.some((prefix) => isWithin(path, prefix))) {
      return refuse({ status: 401, detail: "The client is not authorized to access this API" })
    }
    const { headers, refusedBy } = yield* spend(state, settings, caller, product, now)
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
      const outcome = yield* Effect.either(perform(state, match, request, caller, now))
      if (Either.isRight(outcome)) {
        yield* Ref.update(state.stats, Stats.applied(name))
        return Reply.success(match.route.status ?? 200, outcome.right, headers)
      }
      return refuse({ ...outcome.left, headers })
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
      ? Reply.refuse(fault.dialect ?? dialect, {
        status: fault.status,
        title: fault.title,
        detail: fault.detail ?? "The request could not be served",
        requestId,
        headers: faultHeaders
      })
      : Reply.exactly(fault.status, faultHeaders, fault.body)
  })

interface Caller {
  readonly clientId: string
  /** The person's; `undefined` for an application that calls for itself. */
  readonly account: string | undefined
}

/** Who is behind the token, or why nobody is. */
const identify = (
  settings: Settings,
  grants: Grants.Grants,
  request: HttpServerRequest.HttpServerRequest,
  now: number
): Either.Either<Caller, string> => {
  const { authorization } = request.headers
  if (authorization === undefined) {
    return Either.left("Bearer token is missing")
  }
  // DigiKey takes the scheme literally: a lower-case `bearer` is no token
  const token = authorization.startsWith("Bearer ")
    ? Grants.accessToken(grants, authorization.slice("Bearer ".length))
    : undefined
  if (token === undefined) {
    return Either.left("Invalid token")
  }
  if (now >= token.expiresAt) {
    return Either.left("Bearer token expired")
  }
  return request.headers["x-digikey-client-id"] === token.clientId && settings.clients.has(token.clientId)
    ? Either.right({ clientId: token.clientId, account: token.login?.account })
    : Either.left("The clientId is missing or invalid")
}

const spend = (state: State, settings: Settings, { clientId }: Caller, product: Route.Product, now: number) => {
  if (settings.rateLimits === "off") {
    return unlimited
  }
  const limits = RateLimiter.forProduct(settings.rateLimits, product.burstLimit)
  const subscription = `${clientId} ${product.base}`
  return Ref.modify(state.subscriptions, (subscriptions) => {
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
  request: HttpServerRequest.HttpServerRequest,
  { account }: Caller,
  now: number
): Route.Outcome => {
  // a user's token represents an account already
  if (route.needsAccount === true && state.constants.accountRequired && account === undefined) {
    const header = request.headers["x-digikey-account-id"] ?? ""
    if (header === "" || header === "0") {
      return Either.left({ status: 400, detail: "Account ID must not be 0" })
    }
  }
  const question = request.url.indexOf("?")
  const query = new URLSearchParams(question === -1 ? "" : request.url.slice(question))
  const call = (json: unknown) => route.handle({ params, query, json, account: account ?? "", now })
  if (route.method !== "POST") {
    return Effect.suspend(() => call(undefined))
  }
  if (!/^application\/json\s*(;|$)/i.test(request.headers["content-type"] ?? "")) {
    return Route.badRequest([{ field: "Content-Type", message: "The Content-Type must be application/json" }])
  }
  return Effect.matchEffect(request.json, {
    onFailure: () => Route.badRequest([{ field: "$", message: "The body is not valid JSON" }]),
    onSuccess: call
  })
}
