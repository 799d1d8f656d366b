import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Body from "./body.js"
import * as Reply from "./reply.js"
import type { State } from "./state.js"
import * as Stats from "./stats.js"

type Request = HttpServerRequest.HttpServerRequest

/** The envelope of both answers: the `id` is the caller's own API key. */
const envelope = (request: Request, attributes: Readonly<Record<string, string>>) => ({
  links: { self: `https://api.digitzs.com${request.url}` },
  data: { type: "auth", id: request.headers["x-api-key"], attributes }
})

/** `POST /auth/token`, at `now` (milliseconds). */
export const token = (state: State, request: Request, now: number): Reply.Reply =>
  Effect.gen(function*() {
    if (request.headers["authorization"] !== undefined) {
      return Reply.refuse({ status: 400, detail: "This call takes no Authorization header" })
    }
    const { attributes } = yield* Body.read(request)
    const appKey = Body.text(attributes, "appKey")
    if (appKey === undefined) {
      return Reply.refuse({ status: 400, detail: "The appKey field is required" })
    }
    const settings = yield* Ref.get(state.settings)
    if (appKey !== Redacted.value(settings.appKey)) {
      return Reply.refuse({ status: 401, detail: "The appKey is invalid" })
    }
    const part = (claims: unknown) => Encoding.encodeBase64Url(JSON.stringify(claims))
    const signature = Encoding.encodeBase64Url(yield* state.nextId("signature"))
    const appToken = [
      part({ alg: "HS256", typ: "JWT" }),
      part(settings.claims(Math.floor(now / 1000))),
      signature
    ].join(".")
    yield* Ref.update(state.tokens, (tokens) => new Map(tokens).set(appToken, now + settings.tokenLifetime))
    yield* Ref.update(state.stats, Stats.issued)
    return Reply.json(201, envelope(request, { appToken }))
  })

/** `POST /auth/key`: the previous app key ends here. Tokens that were issued with it stay good. */
export const key = (state: State, request: Request): Reply.Reply =>
  Effect.gen(function*() {
    const { attributes } = yield* Body.read(request)
    const appId = Body.text(attributes, "appId")
    if (appId === undefined) {
      return Reply.refuse({ status: 400, detail: "The appId field is required", pointer: "/data/attributes/appId" })
    }
    if (appId !== (yield* Ref.get(state.settings)).appId) {
      return Reply.refuse({ status: 400, detail: "The appId is invalid", pointer: "/data/attributes/appId" })
    }
    return Reply.json(201, envelope(request, { appKey: Redacted.value(yield* rotate(state)) }))
  })

export const rotate = (state: State): Effect.Effect<Redacted.Redacted> =>
  Effect.gen(function*() {
    const appKey = Redacted.make(yield* state.nextId("simulated-app-key"))
    yield* Ref.update(state.settings, (settings) => ({ ...settings, appKey }))
    return appKey
  })
