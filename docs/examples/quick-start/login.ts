import { DigiKeyUser, MyLists, Quotes } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer, Redacted } from "effect"
import { PendingAuthorization, TokenStore } from "effect-credentials"
import * as Loopback from "./loopback.js"
import * as Stage from "./stage.js"
import type { Terminal } from "./terminal.js"

const account = "ada@example.com"
const redirectUri = "https://shop.example/callback"
const together = 20

/** What a program of the shop knows of its application at DigiKey. */
const options = Effect.gen(function*() {
  const { credentials } = yield* DigiKeySimulator.DigiKeySimulator
  return { ...yield* credentials, environment: "sandbox" as const, baseUrl: yield* Loopback.url, account }
})

/** One program: credentials of its own on a store that it shares. */
const inProgram = <A, E, R>(body: Effect.Effect<A, E, R>) =>
  Effect.flatMap(options, (options) => Effect.provide(body, DigiKeyUser.layer(options)))

/** The simulator is the browser and the person: it follows the address, and allows. */
const consent = (address: string) =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    const asked = new URL(address).searchParams
    const { code } = yield* simulator.authorize({ account, redirectUri: asked.get("redirect_uri") ?? "" })
    return `${redirectUri}?${new URLSearchParams({ code: Redacted.value(code), state: asked.get("state") ?? "" })}`
  })

const loggedIn = (terminal: Terminal, stage: Stage.Stage) =>
  Effect.gen(function*() {
    const title = "Logged in, for a quote and a list"
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    yield* stage.begin(
      `7  ${title}`,
      "Quotes and lists belong to a person. A program that runs already waits for the login;",
      "the store is a folder, and what is in it would outlive both."
    )
    const { millis, result, stats } = yield* Stage.measured(
      simulator,
      inProgram(Effect.gen(function*() {
        const before = yield* Effect.flip(Quotes.listQuotes())
        yield* stage.say(terminal.yellow(before.message))
        const flow = yield* DigiKeyUser.flow(yield* options)
        const { url, userAgent } = yield* flow.begin({ redirectUri })
        yield* flow.complete({ callback: yield* consent(url), userAgent })
        yield* stage.say(terminal.green(`${account} has logged in.`))
        const { Quote } = yield* Quotes.createQuote({ QuoteName: "Prototype" })
        const list = yield* MyLists.createList({ ListName: "Prototype" })
        yield* MyLists.addParts(list, [{ RequestedPartNumber: "NE555P", Quantities: [{ Quantity: 100 }] }])
        const { Quotes: quotes } = yield* Quotes.listQuotes()
        return { before: before._tag, known: quotes.some(({ QuoteId }) => QuoteId === Quote.QuoteId) }
      }))
    )
    const { requests, tokenCalls } = stats
    return yield* stage.conclude({ title, requests, failed: 0, tokenCalls, millis }, [
      stage.check(result.before === "ReauthorizationRequired", "before: ReauthorizationRequired, and no token call"),
      stage.check(result.known, "after: a quote and a list, without a restart"),
      stage.check(tokenCalls === 1, `${Stage.tokenCalls(tokenCalls)}, which redeemed the code`)
    ])
  })

const renewedOnce = (stage: Stage.Stage) =>
  Effect.gen(function*() {
    const title = "Renewed by one of two programs"
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    yield* stage.begin(
      `8  ${title}`,
      "Two programs share the login. The server revokes the access token. A refresh token that is",
      `presented twice would revoke the login too. Each program has ${together} callers.`
    )
    const lists = Effect.replicateEffect(Effect.isSuccess(MyLists.lists()), together, { concurrency: "unbounded" })
    const { millis, result, stats } = yield* Stage.measured(
      simulator,
      Effect.gen(function*() {
        const program = Layer.build(DigiKeyUser.layer(yield* options))
        const programs = yield* Effect.all([program, program])
        yield* Effect.forEach(programs, (program) => Effect.provide(MyLists.lists(), program))
        yield* simulator.revokeTokens
        const answers = yield* Effect.forEach(programs, (program) => Effect.provide(lists, program), { concurrency: 2 })
        return answers.flat()
      })
    )
    const answered = result.filter((good) => good).length
    const { familiesAlive, refreshTokensRedeemed, refreshTokensReused, requests, tokenCalls } = stats
    return yield* stage.conclude({ title, requests, failed: result.length - answered, tokenCalls, millis }, [
      stage.check(answered === 2 * together, `${answered} of ${2 * together} lists answered`),
      stage.check(
        refreshTokensRedeemed === 1 && tokenCalls === 1,
        `${Stage.tokenCalls(tokenCalls)}: one program redeemed the refresh token, the other took the new token over`
      ),
      stage.check(
        refreshTokensReused === 0 && familiesAlive === 1,
        `${refreshTokensReused} refresh tokens presented twice, and the login lives`
      )
    ])
  })

/** What a login is good for, with its token in a folder that is gone at the end. */
export const acts = (terminal: Terminal, stage: Stage.Stage) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped({ prefix: "effect-credentials-" })
    const store = Layer.merge(TokenStore.layerFile(folder), PendingAuthorization.layerMemory)
    return yield* Effect.provide(Effect.all([loggedIn(terminal, stage), renewedOnce(stage)]), store)
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
