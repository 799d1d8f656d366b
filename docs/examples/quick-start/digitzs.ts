import { Cents, DigitzsApp, Merchants, Payments } from "@effect-credentials/digitzs"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { Clock, Console, Duration, Effect, Either, Option, Redacted } from "effect"
import type { ApiError } from "effect-credentials"
import * as HandClock from "./hand-clock.js"
import * as Loopback from "./loopback.js"
import { merchantsTable } from "./merchants.js"
import * as Stage from "./stage.js"
import type { Terminal } from "./terminal.js"

const together = 20

/** So many lists of merchants, all at the same time: how many were answered. */
const lists = Effect.replicateEffect(Effect.isSuccess(Merchants.list()), together, { concurrency: "unbounded" }).pipe(
  Effect.map((results) => results.filter((answered) => answered).length)
)

const payment = (merchantId: string): Payments.NewPayment => ({
  paymentType: "tokenv3",
  merchantId,
  token: {
    tokenId: Redacted.make("tok_visa"),
    holder: Redacted.make("Ada Lovelace"),
    expiry: Redacted.make("0229"),
    useAVS: true
  },
  transaction: { amount: Cents.unsafeMake(2500), currency: "USD", invoice: "INV-2026-001" },
  billingAddress: { zip: "94102", country: "USA" }
})

/** What is said of a payment, whether it is an outcome or an error. */
const tagOf = (result: Either.Either<Payments.PaymentOutcome, Payments.PaymentNotApplied | ApiError.OutcomeUnknown>) =>
  Either.merge(result)._tag

const renewedEarly = (terminal: Terminal, stage: Stage.Stage) =>
  Effect.gen(function*() {
    const title = "Renewed 5 minutes early"
    yield* stage.begin(
      `5  ${title}`,
      "An app token lives an hour. This server and its callers have a clock that is moved by hand,",
      `and a token call takes 2 s of it. ${together} callers list merchants, again and again.`
    )
    const wall = yield* Effect.clock // still goes: so that what was sent can arrive
    const clock = HandClock.make(Date.UTC(2026, 0, 1))

    const anHour = Effect.gen(function*() {
      const simulator = yield* DigitzsSimulator.DigitzsSimulator
      const next = yield* Stage.listen(yield* DigitzsApp.DigitzsApp)
      const start = yield* Clock.currentTimeMillis
      const note = (text: string) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const seconds = Math.floor((now - start) / 1000)
          const at = [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, "0"))
          return stage.say(`${terminal.dim(`at ${at.join(":")}`)}  ${text}`)
        })
      /** What came of the lists of this moment, and of all token calls until now. */
      const listed = (expected: number) =>
        Effect.gen(function*() {
          const answered = yield* lists
          // A renewal, if there is one, reaches the server: long enough where none is expected, and as long as it takes.
          const stats = yield* Effect.zipRight(wall.sleep(Duration.millis(50)), simulator.stats).pipe(
            Effect.repeat({ until: ({ tokenCalls }) => tokenCalls >= expected, times: 100 })
          )
          const { byStatus, tokenCalls } = stats
          const open = tokenCalls - (byStatus[201] ?? 0)
          const rest = open === 0 ? "" : `, ${open} of them not answered yet`
          yield* note(`${answered} of ${together} lists answered; ${Stage.tokenCalls(tokenCalls)} so far${rest}`)
          return { answered, tokenCalls, open, refused: byStatus[401] ?? 0 }
        })

      const fetched = yield* listed(1)
      yield* simulator.setLatency({ auth: "2 seconds" })
      yield* clock.move(Duration.subtract("55 minutes", "1 second"))
      const before = yield* listed(1)
      yield* clock.move("1 second")
      const during = yield* listed(2)
      yield* clock.move("2 seconds")
      yield* next("Renewed")
      yield* note(terminal.green("renewed"))
      yield* clock.move(Duration.subtract("5 minutes", "2 seconds")) // the first token ends
      const after = yield* listed(2)
      const answered = [fetched, before, during, after].reduce((sum, step) => sum + step.answered, 0)
      return { before, during, after, answered }
    }).pipe(Effect.scoped, Effect.provide(Loopback.digitzs()), Effect.withClock(clock))

    const [duration, { after, answered, before, during }] = yield* Effect.timed(anHour)
    const requests = 4 * together
    return yield* stage.conclude({
      title,
      requests,
      failed: requests - answered,
      tokenCalls: after.tokenCalls,
      millis: Duration.toMillis(duration)
    }, [
      stage.check(before.tokenCalls === 1, `54 min 59 s: nothing happens, still ${Stage.tokenCalls(before.tokenCalls)}`),
      stage.check(
        during.tokenCalls === 2 && during.open === 1 && during.answered === together,
        `55 min: renewed, ${Stage.tokenCalls(during.tokenCalls)}; ${during.answered} lists answered during the second`
      ),
      stage.check(
        answered === requests && after.refused === 0 && after.tokenCalls === 2 && after.open === 0,
        `60 min, where the first token ends: ${after.refused} lists refused; ${answered} of ${requests} answered in all`
      )
    ])
  })

const askedAgain = (terminal: Terminal, stage: Stage.Stage, { id, accountName }: Merchants.Merchant) =>
  Effect.gen(function*() {
    const title = "Paid once, though the answer was lost"
    const simulator = yield* DigitzsSimulator.DigitzsSimulator
    yield* stage.begin(
      `6  ${title}`,
      `25.00 USD for ${accountName}. The server makes the payment; then the connection breaks.`,
      "The library does not send it again by itself. The program does, under the same request id."
    )
    yield* simulator.failNext(DigitzsSimulator.Fault.Drop({ applied: true }), { path: "/payments" })
    const requestId = yield* Payments.newRequestId
    const pay = Effect.either(Payments.create(payment(id), { requestId }))

    const { millis, result: { duplicate, found, lost }, stats } = yield* Stage.measured(
      simulator,
      Effect.gen(function*() {
        const first = yield* pay
        const lost = Either.isLeft(first) && first.left._tag === "OutcomeUnknown" ? first.left.idempotencyKey : undefined
        yield* stage.say(terminal.yellow(`${tagOf(first).padEnd(14)}  request id ${lost}`))
        const second = yield* pay
        const duplicate = Either.isRight(second) && second.right._tag === "Duplicate"
          ? Option.getOrUndefined(second.right.transactionId)
          : undefined
        yield* stage.say(terminal.green(`${tagOf(second).padEnd(14)}  transaction ${duplicate}`))
        const found = yield* Effect.option(Payments.get(duplicate ?? ""))
        return { lost, duplicate, found: Option.getOrUndefined(found) }
      })
    )
    const applied = yield* simulator.payments
    const { dropped: failed, requests, tokenCalls } = stats
    const posts = stats.byRoute["POST /payments"] ?? 0
    return yield* stage.conclude({ title, requests, failed, tokenCalls, millis }, [
      stage.check(lost === requestId, "OutcomeUnknown has the request id of the payment"),
      stage.check(
        duplicate !== undefined && duplicate === applied[0]?.id && found?.status === "completed",
        `Duplicate has the id of the transaction, which is ${found?.status ?? "not found"}`
      ),
      stage.check(
        posts === 2 && applied.length === 1,
        `sent ${posts} times, ${Stage.counted(applied.length, "payment")} made`
      )
    ])
  })

/** Serves Digitzs's simulator, and shows what only a provider of payments can. */
export const acts = (terminal: Terminal, stage: Stage.Stage) =>
  Effect.gen(function*() {
    yield* Console.log(terminal.dim(`\nDigitzs's simulator listens on ${yield* Loopback.url}.`))
    const page = yield* Merchants.list()
    yield* merchantsTable(terminal, page)
    const [merchant = { id: "", accountName: "nobody" }] = page.merchants
    return [yield* renewedEarly(terminal, stage), yield* askedAgain(terminal, stage, merchant)]
  }).pipe(Effect.provide(Loopback.digitzs()))
