import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { FetchHttpClient } from "@effect/platform"
import { Clock, Console, Effect, Layer, Schedule } from "effect"
import { RefreshPolicy } from "effect-credentials"
import * as Callers from "./callers.js"
import * as Digitzs from "./digitzs.js"
import * as Login from "./login.js"
import * as Loopback from "./loopback.js"
import { partsTable } from "./parts.js"
import * as Stage from "./stage.js"
import * as Terminal from "./terminal.js"

const together = 50
const callers = 8
/** Milliseconds. */
const tokenLatency = 400

/** The default is made for minutes. With this one, a token of 10 s is due after 1 s. */
const policy = RefreshPolicy.make({ softFraction: 0.9, backoff: Schedule.exponential("250 millis") })

const { TokenEndpoint } = DigiKeySimulator

const story = (terminal: Terminal.Terminal) =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    const digikey = yield* DigiKeyApp.DigiKeyApp
    const next = yield* Stage.listen(digikey)
    const stage = Stage.make(terminal)
    const { bold, dim, green, yellow } = terminal

    const { begin, check, conclude, say } = stage
    const checkAnswered = (searches: Callers.Searches, rest: string) => {
      const answered = Callers.answered(searches)
      const ratio = `${Terminal.number(answered)} of ${Terminal.number(searches.length)}`
      return check(answered === searches.length, `${ratio} searches answered${rest}`)
    }
    const counts = (searches: Callers.Searches) => ({
      requests: searches.length,
      failed: searches.length - Callers.answered(searches)
    })

    /** A token that grows old while one watches; those after it live for half an hour again. */
    const takeShortToken = Effect.gen(function*() {
      yield* simulator.setTokenReply({ expires_in: 10 })
      const { issuedAt } = yield* digikey.refresh
      yield* next("Renewed")
      yield* simulator.setTokenReply({})
      return issuedAt.epochMillis
    })

    const fetchedOnce = Effect.gen(function*() {
      const title = "Fetched once"
      const { millis, result: searches, stats } = yield* Stage.measured(simulator, Callers.together(together))
      yield* partsTable(terminal, yield* ProductInformation.keywordSearch({ Keywords: "NE555" }))
      yield* begin(`1  ${title}`, `${together} such searches started at the same time, with no token yet.`)
      return yield* conclude({ title, ...counts(searches), tokenCalls: stats.tokenCalls, millis }, [
        checkAnswered(searches, ` in ${Terminal.millis(millis)}`),
        check(stats.tokenCalls === 1, Stage.tokenCalls(stats.tokenCalls))
      ])
    })

    const renewed = Effect.gen(function*() {
      const title = "Renewed in the background"
      yield* begin(
        `2  ${title}`,
        `A token of 10 s, due for renewal after 1 s. ${callers} callers go on searching.`,
        `A token call takes ${Terminal.millis(tokenLatency)} now.`
      )
      const issuedAt = yield* takeShortToken
      yield* simulator.setLatency({ token: tokenLatency })
      const { millis, result: { result: at, searches }, stats } = yield* Stage.measured(
        simulator,
        Callers.during(callers, Effect.zipLeft(next("Renewed"), Effect.sleep("200 millis")))
      )
      yield* simulator.setLatency({ token: 0 })
      const meanwhile = Callers.within(searches, at - tokenLatency, at)
      const slowest = Terminal.millis(Callers.slowest(searches))
      return yield* conclude({ title, ...counts(searches), tokenCalls: stats.tokenCalls, millis }, [
        checkAnswered(searches, ""),
        check(
          stats.tokenCalls === 1,
          `${Stage.tokenCalls(stats.tokenCalls)}, over ${Terminal.millis(at - issuedAt)} after the one before`
        ),
        check(meanwhile > 0, `${meanwhile} searches answered during that call; the slowest of all took ${slowest}`)
      ])
    })

    const recovered = Effect.gen(function*() {
      const title = "Recovered from a revoked token"
      yield* begin(`3  ${title}`, `The server revokes the token. ${together} searches go out with it.`)
      yield* simulator.revokeTokens
      const { millis, result: searches, stats } = yield* Stage.measured(simulator, Callers.together(together))
      yield* next("Renewed")
      const refused = stats.byStatus[401] ?? 0
      return yield* conclude({ title, ...counts(searches), tokenCalls: stats.tokenCalls, millis }, [
        check(refused > 0, `${refused} searches refused (401), each sent once more with the new token`),
        checkAnswered(searches, ` in ${Terminal.millis(millis)}`),
        check(stats.tokenCalls === 1, Stage.tokenCalls(stats.tokenCalls))
      ])
    })

    const outage = (issuedAt: number) =>
      Effect.gen(function*() {
        const note = (text: string, at: number) => say(`${dim(`at ${((at - issuedAt) / 1000).toFixed(2)} s`)}  ${text}`)
        for (const which of ["first", "second"]) {
          yield* Effect.flatMap(next("RenewalFailed"), (at) => note(yellow(`${which} renewal failed`), at))
        }
        yield* simulator.setTokenEndpoint(TokenEndpoint.Healthy())
        yield* Effect.flatMap(Clock.currentTimeMillis, (at) => note("the token endpoint is back", at))
        yield* Effect.flatMap(next("Renewed"), (at) => note(green("renewed"), at))
      })

    const survived = Effect.gen(function*() {
      const title = "Survived an outage of the token endpoint"
      yield* begin(
        `4  ${title}`,
        `Again a token of 10 s, due after 1 s; but the token endpoint answers 503. ${callers} callers go on.`,
        "A renewal gives up after 4 token calls. The next one waits 250 ms, then 500 ms."
      )
      const issuedAt = yield* takeShortToken
      yield* simulator.setTokenEndpoint(TokenEndpoint.Down({ status: 503, retryAfter: 0 }))
      const { millis, result: { searches }, stats } = yield* Stage.measured(
        simulator,
        Callers.during(callers, outage(issuedAt))
      )
      const { tokenCalls: calls, tokensIssued: issued, tokensRefused: refused } = stats
      return yield* conclude({ title, ...counts(searches), tokenCalls: calls, millis }, [
        checkAnswered(searches, `, the slowest in ${Terminal.millis(Callers.slowest(searches))}`),
        check(issued === 1 && refused === 8, `${Stage.tokenCalls(calls)}: ${refused} refused, ${issued} answered`)
      ])
    })

    yield* Console.log(bold("effect-credentials: a token manager at work"))
    yield* Console.log(dim(`DigiKey's simulator listens on ${yield* Loopback.url}; every request below is real HTTP.`))
    const acts = [
      yield* fetchedOnce,
      yield* renewed,
      yield* recovered,
      yield* survived,
      ...(yield* Digitzs.acts(terminal, stage)),
      ...(yield* Login.acts(terminal, stage))
    ]

    yield* Console.log(`\n${bold("Summary")}`)
    const summary = Terminal.table(
      terminal,
      [
        { title: "ACT", align: "left" },
        { title: "REQUESTS", align: "right" },
        { title: "FAILED", align: "right" },
        { title: "TOKEN CALLS", align: "right" },
        { title: "TIME", align: "right" }
      ],
      acts.map((act) => [
        act.title,
        Terminal.number(act.requests),
        Terminal.number(act.failed),
        Terminal.number(act.tokenCalls),
        Terminal.millis(act.millis)
      ])
    )
    yield* Console.log(summary.join("\n"))
    return acts.every(({ good }) => good)
  })

const StoryLayer = Loopback.credentials(policy).pipe(
  Layer.provideMerge(Loopback.layer({ rateLimits: "off" })),
  Layer.provideMerge(FetchHttpClient.layer)
)

/** Whether everything went as the story says. Ends by itself in a few seconds. */
export const program = (terminal: Terminal.Terminal) =>
  story(terminal).pipe(Effect.scoped, Effect.provide(StoryLayer), Effect.timeout("45 seconds"))
