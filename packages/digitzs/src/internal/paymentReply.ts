/**
 * A payment in an answer.
 */
import * as Schema from "effect/Schema"
import * as Cents from "../Cents.js"
import type { Payment } from "../PaymentSchemas.js"
import { Id, lenient } from "./schemas.js"

const text = lenient(Schema.String)
const cents = lenient(Cents.schema)

export const PaymentReply = Schema.Struct({
  data: Schema.Struct({
    id: Id,
    attributes: lenient(Schema.Struct({
      paymentType: text,
      merchantId: text,
      status: text,
      createdAt: text,
      transaction: lenient(Schema.Struct({
        code: text,
        message: text,
        amount: cents,
        currency: text,
        invoice: text,
        authCode: text,
        avsResult: text,
        gross: cents,
        net: cents
      }))
    }))
  })
})

export const toPayment = ({ data }: typeof PaymentReply.Type): Payment => ({ ...data.attributes, id: data.id })
