import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Option } from "effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { finderOf, leaksOf } from "../../packages/credentials/test/utils/canaries.js"
import { built } from "../../packages/credentials/test/utils/packaging.js"
import { main } from "../examples/chaos.js"
import * as Progress from "../examples/chaos/progress.js"
import * as Promises from "../examples/chaos/promises.js"
import * as Run from "../examples/chaos/run.js"
import * as Storm from "../examples/chaos/storm.js"
import * as Summary from "../examples/chaos/summary.js"
import { secrets } from "../examples/chaos/world.js"
import * as Terminal from "../examples/quick-start/terminal.js"
import { recorded, text } from "./utils/recording.js"

const plain = Terminal.make({ colours: false, columns: 100 })

const brokenOf = (report: Run.Report) =>
  Promises.check(report).filter(({ broken }) => broken.length > 0).map(({ broken, text }) => `${text}: ${broken.slice(0, 3).join("; ")}`)

/** Fails with how to see the same again. */
const assertKept = (report: Run.Report) =>
  assert.deepStrictEqual(brokenOf(report), [], `To see it again: ${Summary.command(report)}`)

describe("10,000 requests in memory, in simulated time", () => {
  const find = finderOf({
    ...secrets,
    accessToken: "simulated-access-token",
    refreshToken: "simulated-refresh-token"
  })

  it.live("keep every promise while everything goes wrong", () =>
    Effect.gen(function*() {
      const looked = new Map<string, number>()
      const shown: Array<string> = []
      /** In every way in which it can be printed; a few of each kind, because that takes its time. */
      const look = (cause: unknown) => {
        const error = Cause.isCause(cause) ? Option.getOrUndefined(Cause.failureOption(cause)) : undefined
        const kind = error instanceof Error ? error.name : "none"
        looked.set(kind, (looked.get(kind) ?? 0) + 1)
        if ((looked.get(kind) ?? 0) <= 5) shown.push(...leaksOf(kind, cause, find))
      }
      const report = yield* Run.run({ mode: "memory", seed: 7, requests: 10_000, onFailure: look })
      assertKept(report)
      assert.deepStrictEqual(shown.slice(0, 5), [])

      // The storm was one, and most got through it.
      for (const kind of Storm.kinds) assert.isAbove(report.faults[kind], 5, kind)
      assert.isAbove(report.endings["Success"] ?? 0, 5000)
      const expected = [
        "ApiError", "GaveUp", "Interrupted", "OutcomeUnknown", "PaymentNotApplied", "RateLimited",
        "ReauthorizationRequired", "RequestFailed", "TokenEndpointUnavailable"
      ]
      assert.includeMembers(Object.keys(report.endings), expected)
      for (const status of [200, 201, 401, 409, 429, 500, 502, 503, 504]) assert.isAbove(report.answers[status] ?? 0, 20, String(status))
      for (const calls of Object.values(report.tokens)) {
        assert.isAbove(calls.lapsed, 3)
        assert.isAbove(calls.revoked, 3)
        assert.isAbove(calls.lost, 0)
      }
      assert.isAbove(report.book.asked, 50)
      assert.isAbove(report.paced, 100)
    }), 300_000)

  it.live("are the same again with the same seed, and others with another", () =>
    Effect.gen(function*() {
      const seen = (seed: number) =>
        Effect.map(Run.run({ mode: "memory", seed, requests: 300 }), (report) => {
          assertKept(report)
          const { millis: _, ...rest } = report
          return rest
        })
      const first = yield* seen(1)
      assert.deepStrictEqual(yield* seen(1), first)
      assert.notDeepEqual((yield* seen(2)).endings, first.endings)
    }), 300_000)
})

describe("npm run chaos", () => {
  it("keeps every promise over real sockets, and its process ends by itself", { timeout: 300_000 }, async () => {
    await built("../docs")
    // The child is killed if it does not end by itself, and then this rejects; as it does if a promise is broken.
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [fileURLToPath(new URL("../dist/chaos.js", import.meta.url)), "--requests", "1000", "--seed", "11"],
      { timeout: 280_000 }
    ).catch((error: { stdout?: string; stderr?: string }) => assert.fail(`${error.stdout}\n${error.stderr}`))
    assert.match(stdout, /^Chaos: 1,000 requests on loopback, seed 11\n {2}100 of 1,000 requests\n/)
    assert.match(stdout, /\n {2}REQUESTS ENDED IN +COUNT\n/)
    assert.match(stdout, /\n {2}✓ nothing leaked: none of [\d,]+ fibers, no timer, no socket\n/)
    assert.match(stdout, /\n {2}All promises are kept\.\n$/)
    assert.notMatch(stdout, /✗|\u001b/)
  })

  const start = (...args: ReadonlyArray<string>) =>
    Effect.map(recorded(main(args, plain)), ([code, { err, out }]) => ({ code, out: text(out), err: text(err) }))

  it.live("runs in memory too, and says how to see the same again", () =>
    Effect.gen(function*() {
      const { code, out } = yield* start("--in-memory", "--requests", "100", "--seed", "5")
      assert.strictEqual(code, 0)
      assert.match(out, /^Chaos: 100 requests in memory, seed 5\n/)
      assert.match(out, /, seed 5\.\n {2}All promises are kept\.$/)
    }), 120_000)

  it.effect("tells how it is used, and refuses what it does not understand", () =>
    Effect.gen(function*() {
      const help = yield* start("--help")
      assert.strictEqual(help.code, 0)
      assert.include(help.out, "Usage: npm run chaos")
      for (const [args, said] of [
        [["--sede", "1"], "Unknown option: --sede"],
        [["--seed"], "--seed needs a number, and got \"\""],
        [["--requests", "0"], "--requests needs a number, and got \"0\""],
        [["--requests", "many"], "--requests needs a number, and got \"many\""]
      ] as const) {
        const { code, err } = yield* start(...args)
        assert.strictEqual(code, 2)
        assert.include(err, said)
      }
    }))

  it.effect("shows a bar in a terminal, which is gone at the end", () =>
    Effect.gen(function*() {
      const written: Array<string> = []
      const { done, ended } = Progress.bar(1000, plain, (text) => written.push(text))
      for (let requests = 1; requests <= 1000; requests++) yield* ended(requests)
      yield* done
      assert.strictEqual(written.length, 201)
      assert.strictEqual(written[99], `\r  ${"█".repeat(20)}${"░".repeat(20)}  500 of 1,000 requests`)
      assert.strictEqual(written[200], "\r\u001b[K")
    }))
})

describe("a promise", () => {
  const broken: ReadonlyArray<readonly [string, (report: Run.Report) => Partial<Run.Report>, RegExp]> = [
    ["a request without an end", ({ requests }) => ({ requests: requests + 1 }), /ended in a success or a typed error: 100 ends of 101/],
    ["an error that no type declares", ({ endings }) => ({ endings: { ...endings, Success: 0, Surprise: endings["Success"] ?? 0 } }), /ended as Surprise/],
    ["a defect", () => ({ odd: ["TypeError"] }), /typed error: TypeError/],
    ["an error without a reason", ({ endings }) => ({ endings: { ...endings, Success: (endings["Success"] ?? 0) - 1, ForeignOrigin: 1 } }), /1 ended in ForeignOrigin/],
    ["a payment that is applied twice", ({ book }) => ({ book: { ...book, twice: ["INV-1 was applied 2 times"] } }), /twice: .*INV-1 was applied 2 times$/],
    ["an answer that is not true", ({ book }) => ({ book: { ...book, untrue: ["INV-1 was not applied, and an answer said so"] } }), /in the books: INV-1/],
    ["a token that was good", ({ tokens }) => ({ tokens: { ...tokens, DigitzsApp: { ...tokens.DigitzsApp, needless: 1 } } }), /1 tokens of DigitzsApp were replaced without a reason/],
    ["a token of which the wire knows nothing", ({ issued }) => ({ issued: { ...issued, digikey: issued.digikey + 1000 } }), /digikey issued \d+ tokens/],
    ["a refresh token that is presented twice", () => ({ refreshTokensReused: 1000 }), /1000 were presented twice/],
    ["more left than there is", () => ({ illegalLimits: ["Quotes: 11 of 10 left (X-BurstLimit)"] }), /rate limit .*: Quotes: 11 of 10/],
    ["what does not recover", ({ afterwards }) => ({ afterwards: { ...afterwards, failed: ["a request: RateLimited"] } }), /works again, .*: a request/],
    ["a revocation that is not noticed", ({ afterwards }) => ({ afterwards: { ...afterwards, renewals: { ...afterwards.renewals, DigiKeyApp: 0 } } }), /0 token calls of DigiKeyApp after a revocation/],
    ["a request that waits for ever", ({ afterwards }) => ({ afterwards: { ...afterwards, pending: 1 } }), /1 requests were in flight/],
    ["a fiber that sleeps for nobody", ({ afterwards }) => ({ afterwards: { ...afterwards, sleepers: 1 } }), /1 fibers slept/],
    ["a connection that nobody needs", ({ afterwards }) => ({ afterwards: { ...afterwards, busyConnections: 1 } }), /1 connections were busy/],
    ["a fiber, a timer, a socket", () => ({ leaks: { fibers: 1, timers: 1, sockets: 1 } }), /1 fibers were left; 1 timers were left; 1 sockets were left/],
    ["an error that shows a secret", () => ({ leakedSecrets: ["ApiError"] }), /no error showed a secret: an error of kind ApiError did/]
  ]

  it.live("is broken by what it is about, and by nothing else", () =>
    Effect.gen(function*() {
      const report = yield* Run.run({ mode: "memory", seed: 3, requests: 100 })
      assertKept(report)
      for (const [what, change, expected] of broken) {
        const changed = { ...report, ...change(report) }
        const [first = "", ...others] = brokenOf(changed)
        assert.match(first, expected, what)
        assert.deepStrictEqual(others, [], what)
        const lines = Summary.lines(plain, changed, Promises.check(changed)).join("\n")
        assert.match(lines, /\n {2}✗ .*\n {6}/)
        assert.include(lines, "A promise is broken. To see it again: npm run chaos -- --seed 3 --requests 10")
      }
    }), 120_000)
})
