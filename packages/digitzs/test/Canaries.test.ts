/** Recognisable secrets go through every failure and every success, to a server that repeats all it is given. */
import { AppKey, DigitzsApp, Merchants, Payments } from "@effect-credentials/digitzs"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { HttpClient, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option, Redacted } from "effect"
import * as Util from "node:util"
import {
  assertNothingSeen,
  canaries,
  type Observed,
  observe,
  whileTimePasses
} from "../../credentials/test/utils/canaries.js"
import { newMerchant } from "./utils/merchants.js"
import { cardPayment } from "./utils/payments.js"

const apiKey = Redacted.make(canaries.apiKey)
const appKey = Redacted.make(canaries.clientSecret)
const numbers = ["4929817265430918", "8613097254", "021000089", "514829037", "836472915", "11-23-1971"]
const [cardNumber = "", accountNumber = "", routingNumber = "", socialSecurity = "", ein = "", birthDate = ""] = numbers

const card = cardPayment(cardNumber)

const bank: Payments.NewPayment = {
  paymentType: "ACH",
  merchantId: "merchant-1",
  StandardEntryClassCode: "WEB",
  bank: {
    bankName: "Harbour Bank",
    accountType: "checking",
    accountName: Redacted.make(canaries.refreshToken),
    accountNumber: Redacted.make(accountNumber),
    routingNumber: Redacted.make(routingNumber)
  },
  transaction: card.transaction
}

const token: Payments.NewPayment = {
  paymentType: "tokenv3",
  merchantId: "merchant-1",
  token: {
    tokenId: Redacted.make(canaries.secondToken),
    holder: Redacted.make(canaries.refreshToken),
    expiry: Redacted.make("0229"),
    useAVS: true
  },
  transaction: card.transaction,
  billingAddress: { country: "USA" }
}

const merchant: Merchants.NewMerchant = {
  ...newMerchant,
  personalInfo: {
    ...newMerchant.personalInfo,
    socialSecurity: Redacted.make(socialSecurity),
    birthDate: Redacted.make(birthDate)
  },
  businessInfo: { ...newMerchant.businessInfo, ein: Redacted.make(ein) },
  bankInfo: {
    ...newMerchant.bankInfo,
    accountName: Redacted.make(canaries.refreshToken),
    accountNumber: Redacted.make(accountNumber),
    routingNumber: Redacted.make(routingNumber)
  }
}

const textsIn = (value: unknown): ReadonlyArray<string> =>
  typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : typeof value === "string" ? [value] : []

/** Everything that the request holds, in every place of an answer. */
const echo = (request: HttpClientRequest.HttpClientRequest) => {
  const body = request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : "{}"
  const texts = [request.headers["x-api-key"] ?? "", request.headers["authorization"] ?? "", ...textsIn(JSON.parse(body))]
  const said = [
    ...texts,
    ...texts.map(btoa),
    ...texts.map(encodeURIComponent),
    ...texts.filter((text) => numbers.includes(text)).map((text) => text.match(/.{1,4}/g)?.join(" ")),
    JSON.stringify(request.headers),
    body
  ]
  const all = said.join(" ; ")
  return {
    message: all,
    meta: { debug: all },
    errors: [
      { status: "400", title: all, detail: `${body} ; ${all}`, code: texts.join("-"), source: { pointer: all }, meta: { debug: all } },
      { detail: said.slice(texts.length).join("") }
    ],
    data: { id: request.headers["x-api-key"] }
  }
}

/** `/auth/token` works, all else answers with this status and repeats what it was given. */
const hostile = (status: number, tokenStatus = 201) =>
  Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make((request) =>
      Effect.succeed(HttpClientResponse.fromWeb(
        request,
        request.url.endsWith("/auth/token") && tokenStatus === 201
          ? Response.json({ data: { id: canaries.apiKey, attributes: { appToken: canaries.accessToken } } }, { status: 201 })
          : Response.json(echo(request), { status: request.url.endsWith("/auth/token") ? tokenStatus : status })
      ))
    )
  )

const layer = DigitzsApp.layer({ apiKey, appKey, appId: "canary-app" })

const programs: Readonly<Record<string, Effect.Effect<unknown, unknown, DigitzsApp.DigitzsApp | HttpClient.HttpClient>>> = {
  "a card payment": Payments.create(card),
  "a card payment that repeats": Payments.create(card, { repeat: true }),
  "a bank payment": Payments.create(bank),
  "a token payment": Payments.create(token),
  "a new merchant": Merchants.create(merchant),
  "a list of merchants": Merchants.list(),
  "a new app key": AppKey.create({ apiKey, appId: "canary-app" })
}

const printed = (value: unknown): string =>
  [
    Util.inspect(value, { depth: 20, showHidden: true, getters: true, maxStringLength: null }),
    JSON.stringify(value, (_, it: unknown) => typeof it === "bigint" ? String(it) : it) ?? "",
    String(value)
  ].join("\n")

const assertSafe = <A, E>(label: string, observed: Observed<A, E>) => {
  assertNothingSeen(label, observed)
  const pretty = Exit.isFailure(observed.exit) ? Cause.pretty(observed.exit.cause, { renderErrorCause: true }) : ""
  const text = [pretty, printed(observed.exit), ...observed.heard.map(([, what]) => printed(what))].join("\n")
  for (const number of numbers) {
    assert.notMatch(text, new RegExp(Array.from(number.replaceAll("-", "")).join("[ .-]?")), `${label}: ${number}`)
    assert.notInclude(text, btoa(number), label)
  }
}

const seen = (program: Effect.Effect<unknown, unknown, DigitzsApp.DigitzsApp | HttpClient.HttpClient>, http: Layer.Layer<HttpClient.HttpClient>) =>
  program.pipe(Effect.provide(layer), whileTimePasses, Effect.provide(http), observe)

describe("no secret is seen", () => {
  for (const status of [400, 401, 409, 429, 500]) {
    it.effect(`where a server repeats everything in a ${status}`, () =>
      Effect.gen(function*() {
        for (const [what, program] of Object.entries(programs)) {
          const observed = yield* seen(program, hostile(status))
          assertSafe(`${what}, ${status}`, observed)
          if (!(status === 409 && what.includes("payment"))) assert.isTrue(Exit.isFailure(observed.exit), `${what}, ${status}`)
        }
      }), 60_000)

    it.effect(`where /auth/token repeats everything in a ${status}`, () =>
      Effect.gen(function*() {
        assertSafe(`/auth/token, ${status}`, yield* seen(Merchants.list(), hostile(200, status)))
      }), 60_000)
  }

  it.effect("where a success repeats the card", () =>
    Effect.gen(function*() {
      const http = Layer.succeed(
        HttpClient.HttpClient,
        HttpClient.make((request) => {
          const attributes = { transaction: { message: `card ${cardNumber}`, invoice: canaries.refreshToken }, status: canaries.secondToken }
          return Effect.succeed(HttpClientResponse.fromWeb(request, Response.json({ data: { id: "p", attributes } }, { status: 201 })))
        })
      )
      for (const payment of [card, bank, token]) {
        const observed = yield* Payments.create(payment).pipe(Effect.provide(Layer.merge(DigitzsApp.layerTest(), http)), observe)
        assert.isTrue(Exit.isSuccess(observed.exit))
        if (payment === token) assertNothingSeen("a token payment", observed)
        if (payment === card) assert.notInclude(printed(observed.exit), cardNumber)
      }
    }))

  it.effect("in the words of an error, which are kept otherwise", () =>
    Effect.gen(function*() {
      const http = Layer.succeed(
        HttpClient.HttpClient,
        HttpClient.make((request) =>
          Effect.succeed(HttpClientResponse.fromWeb(
            request,
            Response.json({ errors: [{ title: "Bad Request", detail: `The card 4929-8172-6543-0918 has expired (02/29), code 739 of order 17390` }] }, { status: 422 })
          ))
        )
      )
      const error = yield* Effect.flip(Payments.create(card)).pipe(Effect.provide(Layer.merge(DigitzsApp.layerTest(), http)))
      assert.include(
        error.message,
        "Bad Request; The card <redacted> has expired (<redacted>), code <redacted> of order 17390"
      )
    }))

  it.effect("in all that a good day leaves behind", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make({ apiKey, appKey, appId: "canary-app" })
      const http = Layer.succeed(HttpClient.HttpClient, simulator.httpClient)
      for (const [what, program] of Object.entries(programs)) {
        const observed = yield* seen(program, http)
        assertSafe(what, observed)
        assert.isTrue(Exit.isSuccess(observed.exit), what)
      }
    }))

  it.effect("although the simulator, too, says more than it should", () =>
    Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.make({ apiKey, appKey, appId: "canary-app" })
      const http = Layer.succeed(HttpClient.HttpClient, simulator.httpClient)
      const requestId = yield* Payments.newRequestId
      const twice = Effect.zipRight(Payments.create(card, { requestId }), Payments.create(card, { requestId }))
      const duplicate = yield* seen(twice, http)
      assertSafe("a duplicate", duplicate)
      const declined = yield* seen(Payments.create(cardPayment("4000000000000002")), http)
      assertSafe("a declined card", declined)
      const error = Exit.isFailure(declined.exit) ? Option.getOrUndefined(Cause.failureOption(declined.exit.cause)) : undefined
      assert.propertyVal(error, "_tag", "PaymentNotApplied")
    }))
})
