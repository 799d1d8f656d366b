import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Body from "./body.js"
import * as Reply from "./reply.js"
import type { AppliedPayment, State } from "./state.js"

type Request = HttpServerRequest.HttpServerRequest

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The documented test card that is declined. */
const declined = "4000000000000002"

type Applying = readonly [before: AppliedPayment | undefined, after: ReadonlyArray<AppliedPayment>]

/** `POST /payments` */
export const create = (state: State, request: Request): Reply.Reply =>
  Effect.gen(function*() {
    const { attributes, requestId, type } = yield* Body.read(request)
    const debug = { headers: request.headers, attributes }
    const refuse = (status: number, detail: string, pointer?: string, code?: string) =>
      Reply.refusePayment({ status, detail, pointer, code }, debug)
    if (type !== "payments") {
      return refuse(400, "The type must be payments", "/data/type")
    }
    if (requestId !== undefined && !(typeof requestId === "string" && uuid.test(requestId))) {
      return refuse(400, "The requestId must be a UUID", "/data/requestId")
    }
    const field = (...path: ReadonlyArray<string>) => Body.text(attributes, ...path) ?? ""
    const asked = {
      paymentType: field("paymentType"),
      merchantId: field("merchantId"),
      amount: field("transaction", "amount"),
      currency: field("transaction", "currency"),
      invoice: field("transaction", "invoice")
    }
    if (!/^[1-9]\d*$/.test(asked.amount)) {
      return refuse(400, "The amount must be a number of cents, as text", "/data/attributes/transaction/amount", "58")
    }
    const missing = Object.entries(asked).find(([, value]) => value === "")
    if (missing !== undefined) {
      return refuse(400, `The ${missing[0]} field is required`, "/payments", "58")
    }
    if (field("card", "number") === declined) {
      return refuse(422, "The card was declined", "/payments", "05")
    }
    const id = yield* state.nextId("payment")
    // One step: of two that come at the same time with the same request id, one is applied.
    const before = yield* Ref.modify(state.payments, (payments): Applying => {
      const same = requestId === undefined ? undefined : payments.find((it) => it.requestId === requestId)
      return [same, same === undefined ? [...payments, { id, requestId, ...asked }] : payments]
    })
    return before === undefined
      ? Reply.json(201, { links: { self: "https://api.digitzs.com/payments" }, data: payment({ id, requestId, ...asked }) })
      : Reply.refusePayment(
        {
          status: 409,
          title: "Duplicate transaction attempted error.",
          detail: "A transaction with this requestId was made before",
          pointer: "/data/requestId"
        },
        debug,
        { transactionID: before.id }
      )
  })

const payment = ({ id, merchantId, paymentType, requestId: _, ...transaction }: AppliedPayment) => ({
  type: "payments",
  id,
  attributes: { paymentType, merchantId, status: "completed", transaction: { code: "0", message: "Success", ...transaction } }
})

/** `GET /payments/{id}` */
export const get = (state: State, id: string): Reply.Reply =>
  Effect.map(Ref.get(state.payments), (payments) => {
    const found = payments.find((it) => it.id === id)
    return found === undefined
      ? Reply.refuse({ status: 404, detail: "Payment not found" })
      : Reply.json(200, { data: payment(found) })
  })
