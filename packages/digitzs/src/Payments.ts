/**
 * Payments, each under a request id, so that none is applied twice.
 *
 * @since 0.1.0
 */
import type * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as ApiClient from "effect-credentials/ApiClient"
import { OutcomeUnknown, Problem, RequestFailed } from "effect-credentials/ApiError"
import type { ApiClientError } from "effect-credentials/ApiError"
import type { Credentials } from "effect-credentials/Credentials"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { DigitzsApp } from "./DigitzsApp.js"
import * as Attempts from "./internal/attempts.js"
import * as Dialects from "./internal/dialects.js"
import { PaymentReply, toPayment } from "./internal/paymentReply.js"
import * as ApiProduct from "./internal/product.js"
import * as Secrets from "./internal/secrets.js"
import * as Schemas from "./PaymentSchemas.js"

export * from "./PaymentSchemas.js"

const product = "Payments"
const path = "/payments"

/**
 * @since 0.1.0
 * @category models
 */
export interface CreateOptions {
  /** Made by `newRequestId` if absent. Every outcome and every error has it. */
  readonly requestId?: Schemas.RequestId | undefined
  /**
   * Sends the payment again, under the same request id, after a 5xx or a
   * connection that broke, as the retry policy says. `false` by default: it then
   * fails with `OutcomeUnknown`.
   */
  readonly repeat?: boolean | undefined
  /**
   * An earlier call under the same request id may have been applied: it ended in
   * `OutcomeUnknown`, or the program does not know how. A refusal of this call is
   * then `OutcomeUnknown` too, and no `PaymentNotApplied`.
   */
  readonly sentBefore?: boolean | undefined
  /**
   * Of the whole call. None by default. Better than `Effect.timeout` around it,
   * whose error has no request id: this one is `OutcomeUnknown`, or
   * `PaymentNotApplied` where nothing was sent yet.
   */
  readonly timeout?: Duration.DurationInput | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Payments<I> {
  /**
   * Makes a payment. Whatever happens, it is applied at most once, and the result
   * says which of four things is true:
   *
   * - `Created`: Digitzs made it.
   * - `Duplicate`: Digitzs already has one under this request id (409).
   * - `PaymentNotApplied`: this call did not apply it; its `cause` says why.
   * - `OutcomeUnknown`: no usable answer; its `idempotencyKey` is the request id.
   *   To send it again under that request id is how to find out.
   *
   * A request id that is not given is made once for this Effect value: to run the
   * value again (`Effect.retry`) is to send the same payment again.
   *
   * The `HttpClient` must not repeat requests by itself: what it does behind this
   * function's back cannot be counted.
   *
   * A 401 or a 429 was not applied: the payment is sent again with a new token,
   * or after a pause.
   */
  readonly create: (
    payment: Schemas.NewPayment,
    options?: CreateOptions
  ) => Effect.Effect<
    Schemas.PaymentOutcome,
    Schemas.PaymentNotApplied | OutcomeUnknown,
    I | HttpClient.HttpClient
  >
  /** One that Digitzs does not know is an `ApiError` with reason `NotFound`. */
  readonly get: (id: string) => Effect.Effect<Schemas.Payment, ApiClientError, I | HttpClient.HttpClient>
  /**
   * Any other request below `/payments`, through the same pipeline. What is no
   * read is sent once, whatever its body says, also on a 401.
   */
  readonly execute: (
    request: HttpClientRequest.HttpClientRequest
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, ApiClientError, I | HttpClient.HttpClient>
}

const isRequestId = Schema.is(Schemas.RequestId)

/** What `create` knows of a request, for the callbacks of the client. */
interface Keyed {
  readonly requestId: Schemas.RequestId
  readonly repeat: boolean
}

/**
 * The product for other credentials than `DigitzsApp`, for example those of a
 * second account.
 *
 * @example
 * ```ts
 * import { Payments } from "@effect-credentials/digitzs"
 * import { Credentials } from "effect-credentials"
 *
 * class Second extends Credentials.Tag("SecondAccount")<Second>() {}
 *
 * export const second = Payments.make(Second)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I>(tag: Context.Tag<I, Credentials>): Payments<I> => {
  // By its body, which is the same object in every form that a request takes on its way.
  const keyed = new WeakMap<HttpBody.HttpBody, Keyed>()
  const client = ApiClient.make(tag, {
    ...ApiProduct.options(product),
    repetition: (request) => {
      const key = keyed.get(request.body)
      return key === undefined ? ApiProduct.repetition(request) : key.repeat ? "always" : "whenRefused"
    },
    isAnswer: (status, request) => status === 409 && keyed.has(request.body),
    idempotencyKey: (request) => keyed.get(request.body)?.requestId
  })
  const post = ApiProduct.post(product, path, "payments", Schemas.NewPayment)
  const decode = ApiClient.decodeJson(product, PaymentReply)

  const unknown = (
    requestId: Schemas.RequestId,
    fields: { readonly status?: number | undefined; readonly code?: string | undefined; readonly problem?: Problem | undefined }
  ): OutcomeUnknown =>
    new OutcomeUnknown({
      product,
      method: "POST",
      path,
      status: fields.status,
      code: fields.code,
      problem: fields.problem ?? Problem.empty,
      idempotencyKey: requestId
    })

  /** Whatever is wrong with the body of an answer, its status stands. */
  const outcome = (
    response: HttpClientResponse.HttpClientResponse,
    requestId: Schemas.RequestId,
    attempts: Attempts.Attempts,
    secrets: ReadonlyArray<string>
  ): Effect.Effect<Schemas.PaymentOutcome, OutcomeUnknown> =>
    response.status === 409
      ? Effect.flatMap(Effect.timeoutOption(Effect.option(response.json), "5 seconds"), (json) => {
        const { duplicate, transactionId } = Dialects.conflict(Option.getOrUndefined(Option.flatten(json)))
        return duplicate
          ? Effect.succeed(Schemas.PaymentOutcome.Duplicate({
            requestId,
            transactionId,
            repeated: Attempts.uncertain(attempts)
          }))
          : Effect.fail(unknown(requestId, { status: 409 }))
      })
      : Effect.mapBoth(decode(response), {
        onFailure: () => unknown(requestId, { status: response.status }),
        onSuccess: (reply) =>
          Schemas.PaymentOutcome.Created({ requestId, payment: Secrets.scrubPayment(toPayment(reply), secrets) })
      })

  const failure = (
    error: ApiClientError,
    requestId: Schemas.RequestId,
    attempts: Attempts.Attempts
  ): Schemas.PaymentNotApplied | OutcomeUnknown =>
    error._tag === "OutcomeUnknown"
      ? error
      : error._tag === "UnexpectedResponse" || attempts.conflict || Attempts.uncertain(attempts)
      ? unknown(requestId, {
        status: "status" in error ? error.status : undefined,
        code: "code" in error ? error.code : undefined,
        problem: "problem" in error ? error.problem : undefined
      })
      : new Schemas.PaymentNotApplied({ requestId, cause: error })

  const send = (payment: Schemas.NewPayment, requestId: Schemas.RequestId, options: CreateOptions) =>
    Effect.gen(function*() {
      const http = yield* HttpClient.HttpClient
      const attempts = Attempts.make(options.sentBefore === true)
      const secrets = Secrets.secretsIn(payment)
      const call = Effect.flatMap(post(payment, { requestId }), (request) => {
        keyed.set(request.body, { requestId, repeat: options.repeat === true })
        return client.execute(request)
      }).pipe(
        Effect.provideService(HttpClient.HttpClient, Attempts.watch(http, attempts)),
        Effect.mapError((error) => failure(Secrets.scrub(error, secrets), requestId, attempts)),
        Effect.flatMap((response) => outcome(response, requestId, attempts, secrets))
      )
      return yield* options.timeout === undefined ? call : Effect.timeoutFail(call, {
        duration: options.timeout,
        onTimeout: () => failure(new RequestFailed({ product, method: "POST", path, reason: "Timeout" }), requestId, attempts)
      })
    })

  return {
    create: (payment, options = {}) => {
      let requestId = options.requestId
      return Effect.gen(function*() {
        if (requestId === undefined) requestId = yield* Schemas.newRequestId
        // Before anything is sent: a mistake that is found after money has moved is found too late.
        if (!isRequestId(requestId)) return yield* Effect.dieMessage("The requestId of a payment must be a UUID in lower case")
        return yield* send(payment, requestId, options)
      })
    },
    get: (id) => Effect.map(Effect.flatMap(client.get(ApiClient.path`/payments/${id}`), decode), toPayment),
    execute: client.execute
  }
}

/**
 * @since 0.1.0
 * @category operations
 */
export const { create, execute, get }: Payments<DigitzsApp> = make(DigitzsApp)
