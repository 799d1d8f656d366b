import { HttpClientRequest } from "@effect/platform"
import { OrderStatus, ProductInformation } from "@effect-credentials/digikey"
import { DigiKeySimulator, ErrorDialect } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, FastCheck, Layer } from "effect"
import { ApiClient, ApiError } from "effect-credentials"
import { apiCases, subscription, tokenCases } from "./fixtures/errorCorpus.js"
import { app, failing, failingOnce, httpClient, summary } from "./utils/errorPipeline.js"

describe("an error of an API product", () => {
  for (const given of apiCases) {
    it.effect(`is told apart: ${given.name}`, () =>
      Effect.gen(function*() {
        const error = yield* failingOnce(given, given.method)
        assert.deepStrictEqual(summary(error), { ...given.expected })
      }))
  }

  it.effect("reads a body that never ends no further than a little", () =>
    Effect.gen(function*() {
      let pulled = 0
      let cancelled = false
      const endless = new ReadableStream<Uint8Array>({
        pull: (controller) => {
          pulled += 1
          controller.enqueue(new Uint8Array(16 * 1024).fill(120))
        },
        cancel: () => {
          cancelled = true
        }
      }, { highWaterMark: 0 })
      const error = yield* failingOnce({ status: 400, headers: {}, body: endless })
      assert.deepInclude(summary(error), { _tag: "ApiError", reason: "BadRequest" })
      assert.isAtMost(pulled, 20)
      assert.isTrue(cancelled)
    }))

  it.effect("keeps its status when the connection breaks inside the body", () =>
    Effect.gen(function*() {
      const broken = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.error(new Error("reset"))
      })
      const error = yield* failingOnce({ status: 404, headers: {}, body: broken })
      assert.deepInclude(summary(error), { _tag: "ApiError", reason: "NotFound" })
    }))

  it.effect("hints at the subscription in its message, although a 401 for the wrong kind of token has no body", () =>
    Effect.gen(function*() {
      const { calls, error } = yield* failing({ api: () => ({ status: 401, headers: {}, body: "" }) })
      assert.include(error.message, subscription)
      assert.deepStrictEqual(calls, { token: 2, api: 2 })
    }))

  for (const dialect of ["A", "B", "C", "D", "E", "F"] as const) {
    it.effect(`is understood in the simulator's dialect ${dialect}, with the hint at the account`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(OrderStatus.listOrders())
        assert.include(error.message, "DIGIKEY_ACCOUNT_ID")
        assert.include(error.message, "Account ID must not be 0")
      }).pipe(Effect.provide(DigiKeySimulator.layer({ accountRequired: true, apiErrorDialect: dialect }))))
  }

  it.effect("has the request id of whoever answered, in every dialect that carries one", () =>
    Effect.gen(function*() {
      for (const dialect of ["A", "B", "C"] as const) {
        const { body, contentType } = ErrorDialect.render(dialect, {
          status: 404,
          title: "Not Found",
          detail: "No such part",
          requestId: "the-id"
        })
        const error = yield* failingOnce({ status: 404, headers: { "content-type": contentType ?? "" }, body })
        assert.include(error.message, "No such part")
        assert.include(error.message, "the-id")
      }
    }))
})

describe("an error of the token endpoint", () => {
  for (const given of tokenCases) {
    it.effect(`is told apart: ${given.name}`, () =>
      Effect.gen(function*() {
        const { calls, error } = yield* failing({ token: () => given })
        assert.deepStrictEqual(summary(error), { ...given.expected })
        assert.strictEqual(calls.api, 0)
      }))
  }
})

describe("any error body", () => {
  const control = /[\u0000-\u001f\u007f-\u009f]/
  const texts = ({ detail, requestId, title, violations }: ApiError.Problem) =>
    [title, detail, requestId, ...violations.flatMap(({ field, message }) => [field, message])]
      .filter((text) => text !== undefined)

  const assertProblem = (status: number, body: string | Uint8Array) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(failingOnce({ status, headers: {}, body }))
      assert.isTrue(Exit.isSuccess(exit), Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "")
      if (Exit.isFailure(exit)) return
      const error = exit.value
      assert.property(error, "problem")
      if (!("problem" in error)) return
      assert.instanceOf(error.problem, ApiError.Problem)
      assert.isAtMost(error.problem.violations.length, 50)
      for (const text of texts(error.problem)) {
        assert.isAtMost(text.length, 2048)
        assert.notMatch(text, control)
      }
    })

  const status = FastCheck.integer({ min: 400, max: 599 })
  const often = { fastCheck: { numRuns: 200 }, timeout: 60_000 }

  it.effect.prop(
    "of any bytes gives a problem, bounded and without control characters",
    [status, FastCheck.uint8Array({ maxLength: 4096 })],
    ([status, body]) => assertProblem(status, body),
    often
  )

  // Bytes are hardly ever JSON, and JSON is hardly ever one of the dialects.
  const keys = FastCheck.constantFrom(
    ..."ErrorMessage,ErrorDetails,RequestId,ValidationErrors,errorMessage,errorDetails,requestId,validationErrors".split(","),
    ..."title,detail,correlationId,errors,ErrorCode,Error,error,error_description,httpMessage,moreInformation".split(","),
    ..."Field,Message,field,message,__proto__,constructor,toString".split(",")
  )
  const words = FastCheck.string({ unit: "binary", maxLength: 5000 })
  const { value } = FastCheck.letrec<{ value: unknown }>((tie) => ({
    value: FastCheck.oneof(
      { maxDepth: 4 },
      words,
      FastCheck.constantFrom(null, true, 0, -1.5, ""),
      FastCheck.array(tie("value"), { maxLength: 60 }),
      FastCheck.dictionary(keys, tie("value"))
    )
  }))

  it.effect.prop(
    "of any JSON in the keys of the dialects gives a problem, bounded and without control characters",
    [status, FastCheck.dictionary(keys, value)],
    ([status, body]) => assertProblem(status, JSON.stringify(body)),
    often
  )
})

describe("a success without a body", () => {
  const deleted = (body: BodyInit | null, status = 204) =>
    Effect.gen(function*() {
      const { layer } = yield* httpClient({ api: () => ({ status, headers: {}, body: body ?? "" }) })
      return yield* ProductInformation.execute(HttpClientRequest.del("/lists/1")).pipe(
        Effect.flatMap(ApiClient.decodeVoid),
        Effect.provide(Layer.provideMerge(app(), layer))
      )
    })

  it.effect("decodes a 204 to nothing", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* deleted(null))
    }))

  it.effect("empties a body that comes nevertheless, and does not mind one that breaks", () =>
    Effect.gen(function*() {
      let ended = false
      const body = (chunks: number, end: (controller: ReadableStreamDefaultController) => void) => {
        let left = chunks
        return new ReadableStream<Uint8Array>({
          pull: (controller) => left-- > 0 ? controller.enqueue(new Uint8Array(1024)) : end(controller)
        })
      }
      assert.isUndefined(yield* deleted(
        body(5, (controller) => {
          ended = true
          controller.close()
        }),
        200
      ))
      assert.isTrue(ended)
      assert.isUndefined(yield* deleted(body(1, (controller) => controller.error(new Error("reset"))), 200))
    }))
})
