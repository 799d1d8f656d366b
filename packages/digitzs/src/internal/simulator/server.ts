import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { InMemoryHttp } from "effect-credentials/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Auth from "./auth.js"
import { takeFault } from "./behaviour.js"
import * as Merchants from "./merchants.js"
import * as Payments from "./payments.js"
import * as Reply from "./reply.js"
import type { State } from "./state.js"
import * as Stats from "./stats.js"

type Request = HttpServerRequest.HttpServerRequest

interface Route {
  /** The key of `Stats.byRoute`. */
  readonly name: string
  /** Whether it takes an app token, and the `appId` that belongs to it. */
  readonly authorised: boolean
  readonly handle: (state: State, request: Request, now: number) => Reply.Reply
}

const routes: ReadonlyArray<Route> = [
  { name: "POST /auth/token", authorised: false, handle: Auth.token },
  { name: "POST /auth/key", authorised: false, handle: Auth.key },
  { name: "GET /merchants", authorised: true, handle: Merchants.list },
  { name: "POST /merchants", authorised: true, handle: Merchants.create },
  { name: "POST /payments", authorised: true, handle: Payments.create }
]

const routeOf = (method: string, path: string): Route => {
  const id = /^\/payments\/([^/]+)$/.exec(path)?.[1]
  return routes.find(({ name }) => name === `${method} ${path}`) ?? (id !== undefined && method === "GET"
    ? { name: "GET /payments/{id}", authorised: true, handle: (state) => Payments.get(state, id) }
    : {
      name: `${method} (unknown)`,
      authorised: true,
      handle: () => Effect.succeed(Reply.refuse({ status: 404, detail: "The resource cannot be found" }))
    })
}

/** `/auth` and the API behind it. */
export const make = (state: State): HttpApp.Default =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const path = request.url.replace(/\?.*$/s, "")
    const route = routeOf(request.method, path)
    yield* Ref.update(state.stats, Stats.called(route.name))
    const response = yield* answer(state, request, path, route)
    const { apiLatency, authLatency } = yield* Ref.get(state.settings)
    const latency = path.startsWith("/auth/") ? authLatency : apiLatency
    if (latency > 0) {
      yield* Effect.sleep(latency)
    }
    yield* Ref.update(state.stats, Stats.answered(response.status))
    return response
  })

/** In the order of the real thing: the gateway, then the token, then what was asked. */
const answer = (
  state: State,
  request: Request,
  path: string,
  route: Route
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, Request> =>
  Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const settings = yield* Ref.get(state.settings)
    if (request.headers["x-api-key"] !== Redacted.value(settings.apiKey)) {
      return Reply.gateway(403, "Forbidden")
    }
    if (route.authorised) {
      const token = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1] ?? ""
      const expiresAt = (yield* Ref.get(state.tokens)).get(token)
      if (expiresAt === undefined || now >= expiresAt) {
        return Reply.refuse({ status: 401, detail: "Invalid or expired app token" })
      }
      if (request.headers["appid"] !== settings.appId) {
        return Reply.refuse({ status: 400, detail: "The appId header is required" })
      }
    }
    const fault = yield* Ref.modify(state.faults, (faults) => takeFault(faults, path))
    const apply = route.handle(state, request, now)
    switch (fault?._tag) {
      case undefined:
        return yield* apply
      case "Break":
        return Reply.broken(request, yield* apply)
      case "Hang":
        yield* fault.applied === true ? apply : Effect.void
        return yield* Effect.never
      case "Drop":
        yield* fault.applied === true ? apply : Effect.void
        yield* Ref.update(state.stats, Stats.dropped)
        return yield* InMemoryHttp.dropConnection
      case "Respond":
        yield* fault.applied === true ? apply : Effect.void
        return Reply.fault(fault.status, fault.headers ?? {}, fault.body)
    }
  })
