import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Api from "./api.js"
import * as AuthorizationEndpoint from "./authorizationEndpoint.js"
import type { CompiledProduct } from "./route.js"
import type { State } from "./state.js"
import * as Stats from "./stats.js"
import * as TokenEndpoint from "./tokenEndpoint.js"

/** The authorization endpoint, the token endpoint and the products behind them. */
export const make = (state: State, products: ReadonlyArray<CompiledProduct>): HttpApp.Default =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const question = request.url.indexOf("?")
    const path = question === -1 ? request.url : request.url.slice(0, question)
    if (path === TokenEndpoint.path) {
      return served(state, Stats.enterToken, "tokenLatency", (now) => TokenEndpoint.handle(state, request, now))
    }
    if (path === AuthorizationEndpoint.path) {
      return served(state, Stats.enter, undefined, (now) => AuthorizationEndpoint.handle(state, request, now))
    }
    const target = Api.locate(products, request, path)
    return served(state, Stats.enterRoute(target.name), "apiLatency", (now) =>
      Effect.tap(
        Api.handle(state, request, target, now),
        (response) => Ref.update(state.stats, Stats.answered(response.status))
      ))
  })

/** What every call has in common: it is counted while it lasts, its reply may be late and carries a date. */
const served = <R>(
  state: State,
  enter: (stats: Stats.Counters) => Stats.Counters,
  latencyOf: "tokenLatency" | "apiLatency" | undefined,
  handle: (now: number) => Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> =>
  Effect.acquireUseRelease(
    Ref.update(state.stats, enter),
    () =>
      Effect.gen(function*() {
        const response = yield* Effect.flatMap(Clock.currentTimeMillis, handle)
        const latency = latencyOf === undefined ? 0 : (yield* Ref.get(state.settings))[latencyOf]
        if (latency > 0) {
          yield* Effect.sleep(latency)
        }
        const now = yield* Clock.currentTimeMillis
        return HttpServerResponse.setHeader(response, "date", new Date(now).toUTCString())
      }),
    () => Ref.update(state.stats, Stats.leave)
  )
