import { Cents, DigitzsApp, Payments } from "@effect-credentials/digitzs"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option, Redacted, TestClock } from "effect"
import { CredentialsError } from "effect-credentials"
import { cardPayment, tokenPayment, unkeyedBody } from "./utils/payments.js"
import { bodyOf, recording } from "./utils/recording.js"

const { Fault } = DigitzsSimulator

const requestId = Payments.RequestId.make("a1b2c3d4-e5f6-4890-abcd-ef1234567890")

const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("3 minutes")
    return yield* Fiber.join(fiber)
  })

const answering = (status: number, body: unknown) =>
  Effect.map(recording(status, body), ({ layer, sent }) => ({ sent, layer: Layer.merge(DigitzsApp.layerTest(), layer) }))

/** What came of it, how often it was sent, and how many payments there are. */
const counted = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const simulator = yield* DigitzsSimulator.DigitzsSimulator
    const result = yield* Effect.merge(passing(effect))
    const sent = (yield* simulator.stats).byRoute["POST /payments"] ?? 0
    return { result, sent, applied: (yield* simulator.payments).length }
  })

describe("a payment", () => {
  it.effect("is created with a request id of its own, and found again", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      const outcome = yield* Payments.create(tokenPayment)
      assert.strictEqual(outcome._tag, "Created")
      const [applied] = yield* simulator.payments
      assert.strictEqual(applied?.requestId, outcome.requestId)
      assert.match(outcome.requestId, /^[0-9a-f-]{36}$/)
      if (outcome._tag !== "Created") return
      assert.strictEqual(outcome.payment.transaction?.amount, tokenPayment.transaction.amount)
      assert.deepStrictEqual(yield* Payments.get(outcome.payment.id), outcome.payment)
      const error = yield* Effect.flip(Payments.get("no-such-payment"))
      assert.deepInclude({ ...error }, { _tag: "ApiError", reason: "NotFound" })
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("never gets the request id of another one, under any seed", () =>
    Effect.gen(function*() {
      const ids = yield* Effect.all(Array.from({ length: 20 }, () => Effect.withRandomFixed(Payments.newRequestId, [1, 2, 3])))
      assert.strictEqual(new Set(ids).size, 20)
    }))

  it.effect("is sent as Digitzs documents it", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* answering(201, { data: { id: "p" } })
      yield* Effect.provide(Payments.create(tokenPayment, { requestId }), layer)
      const [request] = yield* sent
      assert.strictEqual(`${request?.method} ${request?.url}`, "POST https://api.digitzs.com/payments")
      assert.deepStrictEqual(bodyOf(request), {
        data: {
          requestId,
          type: "payments",
          attributes: {
            paymentType: "tokenv3",
            merchantId: "merchant-1",
            token: { tokenId: "tok_visa", holder: "Ada Lovelace", expiry: "0229", useAVS: true },
            transaction: { amount: "2500", currency: "USD", invoice: "INV-1" },
            billingAddress: { zip: "94102", country: "USA" }
          }
        }
      })
    }))

  it.effect("is a duplicate under a request id that was used before, with the transaction's id", () =>
    Effect.gen(function*() {
      const first = yield* Payments.create(tokenPayment, { requestId })
      const second = yield* counted(Payments.create(tokenPayment, { requestId }))
      assert.strictEqual(first._tag === "Created", true)
      assert.deepStrictEqual(second.result, Payments.PaymentOutcome.Duplicate({
        requestId,
        transactionId: Option.some(first._tag === "Created" ? first.payment.id : ""),
        repeated: false
      }))
      assert.deepStrictEqual([second.sent, second.applied], [2, 1])
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  const conflicts: ReadonlyArray<readonly [what: string, body: unknown, tag: string]> = [
    ["without a transaction id", { errors: [{ status: "409", source: { pointer: "/data/requestId" }, title: "Conflict" }] }, "Duplicate"],
    ["by its title", { errors: [{ title: "Duplicate transaction attempted error." }] }, "Duplicate"],
    ["without a body", "", "Duplicate"],
    ["from the gateway", { message: "Conflict" }, "Duplicate"],
    ["about something else", { errors: [{ source: { pointer: "/data/attributes/merchantId" }, title: "Conflict" }] }, "OutcomeUnknown"],
    ["in words that say nothing", { errors: [{ title: "Conflict", detail: "There is an editing conflict" }] }, "OutcomeUnknown"]
  ]
  for (const [what, body, tag] of conflicts) {
    it.effect(`makes ${tag} of a 409 ${what}`, () =>
      Effect.gen(function*() {
        const { layer } = yield* answering(409, body)
        const result = yield* Effect.merge(Effect.provide(Payments.create(tokenPayment, { requestId }), layer))
        assert.strictEqual(result._tag, tag)
        if (result._tag === "OutcomeUnknown") assert.deepInclude({ ...result }, { status: 409, idempotencyKey: requestId })
        if (result._tag === "Duplicate") assert.isTrue(Option.isNone(result.transactionId))
      }))
  }

  it.effect("that was declined is not applied, and the error has Digitzs's words", () =>
    Effect.gen(function*() {
      const { applied, result, sent } = yield* counted(Payments.create(cardPayment("4000000000000002"), { requestId }))
      assert.deepStrictEqual([applied, sent], [0, 1])
      if (result._tag !== "PaymentNotApplied") return assert.fail(result._tag)
      assert.strictEqual(result.requestId, requestId)
      assert.deepNestedInclude(result, {
        "cause._tag": "ApiError",
        "cause.status": 422,
        "cause.problem.title": "Unprocessable Entity (code 05)",
        "cause.problem.detail": "The card was declined",
        "cause.problem.dialect": "json-api"
      })
      assert.include(result.message, requestId)
      assert.include(result.message, "The card was declined")
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("that cannot be right is not sent", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* answering(201, { data: { id: "p" } })
      const { applied: _, ...transaction } = { ...tokenPayment.transaction, applied: 0 }
      for (const payment of [
        cardPayment("4111 1111"),
        { ...tokenPayment, merchantId: "" },
        { ...tokenPayment, transaction: { ...transaction, currency: "usd" } }
      ]) {
        const error = yield* Effect.flip(Effect.provide(Payments.create(payment, { requestId }), layer))
        assert.deepNestedInclude(error, { _tag: "PaymentNotApplied", requestId, "cause.reason": "InvalidRequest" })
      }
      assert.deepStrictEqual(yield* sent, [])
    }))

  it.effect("without credentials is not applied", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* recording(201, { data: { id: "p" } })
      const token = Effect.fail(new CredentialsError.TokenEndpointUnavailable({ provider: "digitzs", reason: "Timeout" }))
      const error = yield* Effect.flip(Payments.create(tokenPayment, { requestId })).pipe(
        Effect.provide(Layer.merge(DigitzsApp.layerTest({ token }), layer))
      )
      assert.deepNestedInclude(error, { _tag: "PaymentNotApplied", requestId, "cause._tag": "TokenEndpointUnavailable" })
      assert.deepStrictEqual(yield* sent, [])
    }))
})

describe("a payment whose answer does not come", () => {
  const lost: ReadonlyArray<readonly [what: string, fault: DigitzsSimulator.Fault, applied: number]> = [
    ["dropped after it was applied", Fault.Drop({ applied: true }), 1],
    ["dropped before", Fault.Drop({}), 0],
    ["a 500 after it was applied", Fault.Respond({ status: 500, applied: true }), 1],
    ["a 503 before", Fault.Respond({ status: 503 }), 0],
    ["a 408", Fault.Respond({ status: 408, applied: true }), 1],
    ["a redirect", Fault.Respond({ status: 303, headers: { location: "/payments/1" }, applied: true }), 1],
    ["a body that breaks off", Fault.Break(), 1],
    ["a body that is no payment", Fault.Respond({ status: 201, body: "{}", applied: true }), 1]
  ]
  for (const [what, fault, applied] of lost) {
    it.effect(`has an unknown outcome, and is sent once: ${what}`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigitzsSimulator.DigitzsSimulator
        yield* simulator.failNext(fault, { path: "/payments" })
        const { result, ...counts } = yield* counted(Payments.create(tokenPayment, { requestId }))
        assert.deepInclude({ ...result }, { _tag: "OutcomeUnknown", idempotencyKey: requestId })
        assert.deepStrictEqual(counts, { sent: 1, applied })
        // How the program finds out.
        const after = yield* counted(Payments.create(tokenPayment, { requestId }))
        assert.strictEqual(after.result._tag, applied === 1 ? "Duplicate" : "Created")
        assert.strictEqual(after.applied, 1)
      }).pipe(Effect.provide(DigitzsSimulator.layer())))
  }

  for (const [what, fault, applied] of lost.slice(0, 4)) {
    it.effect(`is sent again where the program says so: ${what}`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigitzsSimulator.DigitzsSimulator
        yield* simulator.failNext(fault, { path: "/payments" })
        const { result, ...counts } = yield* counted(Payments.create(tokenPayment, { requestId, repeat: true }))
        assert.deepStrictEqual(counts, { sent: 2, applied: 1 })
        if (applied === 0) return assert.strictEqual(result._tag, "Created")
        assert.deepInclude({ ...result }, { _tag: "Duplicate", repeated: true, requestId })
      }).pipe(Effect.provide(DigitzsSimulator.layer())))
  }

  it.effect("is given up at last, with an unknown outcome", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.failAlways(Fault.Respond({ status: 503 }), { path: "/payments" })
      const { result, ...counts } = yield* counted(Payments.create(tokenPayment, { requestId, repeat: true }))
      assert.deepInclude({ ...result }, { _tag: "OutcomeUnknown", status: 503, idempotencyKey: requestId })
      assert.deepStrictEqual(counts, { sent: 4, applied: 0 })
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  const afterwards: ReadonlyArray<readonly [what: string, fault: DigitzsSimulator.Fault]> = [
    ["a 429", Fault.Respond({ status: 429, headers: { "retry-after": "3600" } })],
    ["a 400", Fault.Respond({ status: 400 })],
    ["a 422", Fault.Respond({ status: 422 })]
  ]
  for (const [what, fault] of afterwards) {
    it.effect(`stays unknown where the repetition is refused with ${what}`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigitzsSimulator.DigitzsSimulator
        yield* simulator.failNext(Fault.Drop({ applied: true }), { path: "/payments" })
        yield* simulator.failNext(fault, { path: "/payments" })
        const { applied, result } = yield* counted(Payments.create(tokenPayment, { requestId, repeat: true }))
        assert.deepInclude({ ...result }, { _tag: "OutcomeUnknown", idempotencyKey: requestId })
        assert.strictEqual(applied, 1)
      }).pipe(Effect.provide(DigitzsSimulator.layer())))
  }

  it.effect("stays unknown where there is no token for the repetition", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.failNext(Fault.Drop({ applied: true }), { path: "/payments" })
      const app = yield* DigitzsApp.DigitzsApp
      yield* app.token
      yield* simulator.rotateAppKey
      const revoked = HttpClient.tapRequest(simulator.httpClient, () =>
        Effect.flatMap(simulator.payments, (payments) => payments.length === 1 ? simulator.revokeTokens : Effect.void))
      const { applied, result } = yield* counted(Payments.create(tokenPayment, { requestId, repeat: true })).pipe(
        Effect.provideService(HttpClient.HttpClient, revoked)
      )
      assert.deepInclude({ ...result }, { _tag: "OutcomeUnknown", idempotencyKey: requestId })
      assert.strictEqual(applied, 1)
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("has an unknown outcome after its timeout, once it was sent", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      const pay = counted(Payments.create(tokenPayment, { requestId, timeout: "10 seconds" }))
      yield* simulator.failNext(Fault.Hang({}), { path: "/auth/token", times: 2 })
      const waiting = yield* pay
      assert.deepNestedInclude(waiting.result, { _tag: "PaymentNotApplied", requestId, "cause.reason": "Timeout" })
      assert.deepStrictEqual([waiting.sent, waiting.applied], [0, 0])
      yield* simulator.clearFaults
      yield* simulator.failNext(Fault.Hang({ applied: true }), { path: "/payments" })
      const sent = yield* pay
      assert.deepInclude({ ...sent.result }, { _tag: "OutcomeUnknown", idempotencyKey: requestId })
      assert.deepStrictEqual([sent.sent, sent.applied], [1, 1])
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("was never sent where the server cannot be reached", () =>
    Effect.gen(function*() {
      const unreachable = HttpClient.make((request) =>
        Effect.fail(new HttpClientError.RequestError({
          request,
          reason: "Transport",
          cause: new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } })
        }))
      )
      for (const repeat of [false, true]) {
        const error = yield* passing(Effect.flip(Payments.create(tokenPayment, { requestId, repeat }))).pipe(
          Effect.provide(DigitzsApp.layerTest()),
          Effect.provideService(HttpClient.HttpClient, unreachable)
        )
        assert.deepNestedInclude(error, { _tag: "PaymentNotApplied", "cause.code": "ECONNREFUSED" })
      }
    }))

  it.effect("keeps its status and id, whatever else the answer says", () =>
    Effect.gen(function*() {
      const attributes = { status: 7, transaction: { amount: 12.5, code: null, message: "ok" }, merchantId: {} }
      const { layer } = yield* answering(201, { data: { id: 42, attributes } })
      const outcome = yield* Effect.provide(Payments.create(tokenPayment), layer)
      assert.strictEqual(outcome._tag === "Created" ? outcome.payment.id : "", "42")
      assert.strictEqual(outcome._tag === "Created" ? outcome.payment.transaction?.message : "", "ok")
    }))
})

describe("a payment that was refused for now", () => {
  it.effect("is sent again with a new token after a 401", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* Payments.create(tokenPayment)
      yield* simulator.revokeTokens
      const { applied, result, sent } = yield* counted(Payments.create(tokenPayment, { requestId }))
      assert.deepStrictEqual([result._tag, sent, applied], ["Created", 3, 2])
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("is sent again after a 429 without Retry-After", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.failNext(Fault.Respond({ status: 429 }), { path: "/payments" })
      const { applied, result, sent } = yield* counted(Payments.create(tokenPayment, { requestId }))
      assert.deepStrictEqual([result._tag, sent, applied], ["Created", 2, 1])
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("was not applied where the gateway stays throttled", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.failAlways(Fault.Respond({ status: 429 }), { path: "/payments" })
      const { applied, result } = yield* counted(Payments.create(tokenPayment, { requestId }))
      assert.strictEqual(applied, 0)
      assert.deepNestedInclude(result, {
        _tag: "PaymentNotApplied",
        "cause._tag": "RateLimited",
        "cause.limit": "unknown",
        "cause.problem.title": "Too Many Requests",
        "cause.problem.dialect": "gateway"
      })
    }).pipe(Effect.provide(DigitzsSimulator.layer())))
})

describe("a duplicate", () => {
  for (const [what, prepare] of [
    ["a 429", (simulator: DigitzsSimulator.DigitzsSimulator) => simulator.failNext(Fault.Respond({ status: 429 }), { path: "/payments" })],
    ["a 401", (simulator: DigitzsSimulator.DigitzsSimulator) => simulator.revokeTokens]
  ] as const) {
    it.effect(`is not of our own making where the attempt before was refused with ${what}`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigitzsSimulator.DigitzsSimulator
        yield* Payments.create(tokenPayment, { requestId })
        yield* prepare(simulator)
        const { result, sent } = yield* counted(Payments.create(tokenPayment, { requestId, repeat: true }))
        assert.deepInclude({ ...result }, { _tag: "Duplicate", repeated: false })
        assert.strictEqual(sent, 3)
      }).pipe(Effect.provide(DigitzsSimulator.layer())))
  }
})

describe("Payments.execute", () => {
  const post = HttpClientRequest.post("/payments").pipe(HttpClientRequest.bodyUnsafeJson(unkeyedBody))

  it.effect("sends a payment without a request id once, also on a 401", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* Payments.execute(HttpClientRequest.get("/payments/1")).pipe(Effect.ignore)
      yield* simulator.revokeTokens
      const { applied, result, sent } = yield* counted(Payments.execute(post))
      assert.deepInclude({ ...result }, { _tag: "ApiError", status: 401, reason: "Unauthorized" })
      assert.deepStrictEqual([sent, applied], [1, 0])
      // The next request has a good token nevertheless.
      assert.deepStrictEqual((yield* counted(Payments.execute(post))).sent, 2)
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  for (const status of [401, 408, 425, 429, 500, 503]) {
    it.effect(`sends it once on a ${status}`, () =>
      Effect.gen(function*() {
        const simulator = yield* DigitzsSimulator.DigitzsSimulator
        yield* simulator.failNext(Fault.Respond({ status }), { path: "/payments" })
        assert.strictEqual((yield* counted(Payments.execute(post))).sent, 1)
      }).pipe(Effect.provide(DigitzsSimulator.layer())))
  }

  it.effect("sends a PUT, a PATCH and a DELETE once, and a GET as often as it takes", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.failAlways(Fault.Respond({ status: 503 }), { path: "/payments" })
      for (const method of ["PUT", "PATCH", "DELETE", "GET"] as const) {
        yield* Effect.merge(passing(Payments.execute(HttpClientRequest.make(method)("/payments/1"))))
      }
      const { byRoute } = yield* simulator.stats
      assert.deepInclude(byRoute, {
        "PUT (unknown)": 1,
        "PATCH (unknown)": 1,
        "DELETE (unknown)": 1,
        "GET /payments/{id}": 4
      })
    }).pipe(Effect.provide(DigitzsSimulator.layer())))
})

describe("a card", () => {
  it("is Redacted all over", () => {
    const { card } = cardPayment("4111111111111111") as Extract<Payments.NewPayment, { paymentType: "card" }>
    assert.isTrue(Object.values(card).every(Redacted.isRedacted))
  })
})

describe("a program that sends a payment again by itself", () => {
  it.effect("pays once, although it gave no request id", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      yield* simulator.failNext(Fault.Drop({ applied: true }), { path: "/payments" })
      const { applied, result } = yield* counted(Effect.retry(Payments.create(tokenPayment), { times: 2 }))
      assert.strictEqual(applied, 1)
      assert.strictEqual(result._tag, "Duplicate")
    }).pipe(Effect.provide(DigitzsSimulator.layer())))

  it.effect("is not told that a payment was not applied, where it says that an earlier call may have done it", () =>
    Effect.gen(function*() {
      const { layer } = yield* answering(422, { errors: [{ title: "Bad Request" }] })
      const error = yield* Effect.flip(Payments.create(tokenPayment, { requestId, sentBefore: true })).pipe(
        Effect.provide(layer)
      )
      assert.deepInclude({ ...error }, { _tag: "OutcomeUnknown", idempotencyKey: requestId })
    }))

  it("may use a request id in lower case only", () => {
    assert.throws(() => Payments.RequestId.make("A1B2C3D4-E5F6-4890-ABCD-EF1234567890"))
  })

  it.effect("with what is no request id sends nothing", () =>
    Effect.gen(function*() {
      const { layer, sent } = yield* answering(201, { data: { id: "p" } })
      // As a program without types could.
      const wrong = { requestId: "" as Payments.RequestId }
      const exit = yield* Effect.exit(Payments.create(tokenPayment, wrong)).pipe(Effect.provide(layer))
      assert.strictEqual(exit._tag, "Failure")
      assert.deepStrictEqual(yield* sent, [])
    }))
})

describe("a 409 to a payment", () => {
  it.effect("is no duplicate where it says that it is about something else", () =>
    Effect.gen(function*() {
      const { layer } = yield* answering(409, {
        errors: [{ title: "Duplicate", detail: "Duplicate invoice", source: { pointer: "/data/attributes/transaction/invoice" } }]
      })
      const error = yield* Effect.flip(Payments.create(tokenPayment, { requestId })).pipe(Effect.provide(layer))
      assert.strictEqual(error._tag, "OutcomeUnknown")
    }))

  it.effect("stands, also where its body never comes and the call times out", () =>
    Effect.gen(function*() {
      const http = HttpClient.make((request) =>
        Effect.succeed(HttpClientResponse.fromWeb(request, new Response(new ReadableStream(), { status: 409 })))
      )
      const layer = Layer.merge(DigitzsApp.layerTest(), Layer.succeed(HttpClient.HttpClient, http))
      const timed = yield* passing(Effect.flip(Payments.create(tokenPayment, { requestId, timeout: "1 second" })).pipe(
        Effect.provide(layer)
      ))
      assert.strictEqual(timed._tag, "OutcomeUnknown")
      const waited = yield* passing(Payments.create(tokenPayment, { requestId }).pipe(Effect.provide(layer)))
      assert.strictEqual(waited._tag, "Duplicate")
    }))

  it.effect("gives a transaction id only where it looks like one", () =>
    Effect.gen(function*() {
      const { layer } = yield* answering(409, { errors: [], transactionID: "card 4929 8172 6543 0918\n" })
      const outcome = yield* Payments.create(tokenPayment, { requestId }).pipe(Effect.provide(layer))
      assert.strictEqual(outcome._tag, "Duplicate")
      // Not by deepInclude: to chai every Some equals None.
      assert.isTrue(outcome._tag === "Duplicate" && Option.isNone(outcome.transactionId))
    }))
})

describe("a client that refuses statuses by itself", () => {
  it.effect("does not make a declined payment an unknown one", () =>
    Effect.gen(function*() {
      const { layer } = yield* answering(422, { errors: [{ title: "Declined" }] })
      const strict = Layer.map(layer, (context) =>
        Context.add(context, HttpClient.HttpClient, HttpClient.filterStatusOk(Context.get(context, HttpClient.HttpClient))))
      const error = yield* Effect.flip(Payments.create(tokenPayment, { requestId })).pipe(Effect.provide(strict))
      assert.strictEqual(error._tag, "PaymentNotApplied")
    }))
})

describe("what Digitzs says of a payment", () => {
  it.effect("holds no card in an error, also where the whole request comes back encoded", () =>
    Effect.gen(function*() {
      const number = "4929817265430918"
      const echo = Buffer.from(JSON.stringify({ data: { attributes: { card: { number } } } }))
      for (const detail of [echo.toString("base64"), echo.toString("hex"), Array.from(echo).join(", ")]) {
        const { layer } = yield* answering(422, { errors: [{ title: "Bad Request", detail }] })
        const error = yield* Effect.flip(Payments.create(cardPayment(number), { requestId })).pipe(Effect.provide(layer))
        const said = error._tag === "PaymentNotApplied" && error.cause._tag === "ApiError" ? error.cause.problem.detail : ""
        assert.include(said, "<redacted>")
        assert.notInclude(Buffer.from(said ?? "", "base64").toString(), number)
        assert.notInclude(said, Buffer.from(number).toString("hex"))
        assert.notInclude(said, Array.from(Buffer.from(number)).join(", "))
      }
    }))

  it.effect("keeps its ids and amounts, although a card's code is a part of them", () =>
    Effect.gen(function*() {
      const id = "pay-739-17"
      const { layer } = yield* answering(201, {
        data: { id, attributes: { merchantId: "m-739", transaction: { amount: "73900", message: "code 739" } } }
      })
      const outcome = yield* Payments.create(cardPayment("4929817265430918"), { requestId }).pipe(Effect.provide(layer))
      assert.strictEqual(outcome._tag, "Created")
      if (outcome._tag !== "Created") return
      assert.deepInclude(outcome.payment, { id, merchantId: "m-739" })
      assert.strictEqual(outcome.payment.transaction?.amount, Cents.unsafeMake(73900))
      assert.strictEqual(outcome.payment.transaction?.message, "code <redacted>")
    }))
})
