import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Body from "./body.js"
import * as Reply from "./reply.js"
import type { SimulatedMerchant, State } from "./state.js"

type Request = HttpServerRequest.HttpServerRequest

/** `GET /merchants`: `limit` comes back as the text that it was. */
export const list = (state: State, request: Request): Reply.Reply =>
  Effect.map(Ref.get(state.merchants), (merchants) => {
    const query = new URLSearchParams(request.url.replace(/^[^?]*/, ""))
    const limit = Number(query.get("limit") ?? 25)
    const offset = Number(query.get("offset") ?? 0)
    if (!Number.isInteger(limit) || limit < 1 || limit > 100 || !Number.isInteger(offset) || offset < 0) {
      return Reply.refuse({ status: 400, detail: "The limit must be between 1 and 100" })
    }
    const page = merchants.slice(offset, offset + limit)
    return Reply.json(200, {
      links: { self: `https://api.digitzs.com${request.url}` },
      meta: { limit: query.get("limit") ?? limit, items: page.length, more: offset + limit < merchants.length },
      data: page.map(({ id, ...attributes }) => ({ id, type: "merchants", attributes }))
    })
  })

/** `POST /merchants` */
export const create = (state: State, request: Request, now: number): Reply.Reply =>
  Effect.gen(function*() {
    const { attributes, type } = yield* Body.read(request)
    const accountName = Body.text(attributes, "accountName")
    const accountType = Body.text(attributes, "accountType")
    if (type !== "merchants" || accountName === undefined || (accountType !== "personal" && accountType !== "business")) {
      return Reply.refuse({ status: 400, detail: "The accountName and accountType fields are required" })
    }
    if (Body.text(attributes, "bankInfo", "accountNumber") === undefined) {
      return Reply.refuse({ status: 400, detail: "The bankInfo field is required", pointer: "/data/attributes/bankInfo" })
    }
    const id = yield* state.nextId("merchant")
    const merchant: SimulatedMerchant = {
      id,
      accountName,
      accountType,
      created: DateTime.formatIso(DateTime.unsafeMake(now))
    }
    yield* Ref.update(state.merchants, (merchants) => [...merchants, merchant])
    return Reply.json(201, { links: { self: `https://api.digitzs.com${request.url}` }, data: { type: "merchants", id } })
  })
