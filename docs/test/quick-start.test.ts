import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted } from "effect"
import { main } from "../examples/quick-start.js"
import * as Loopback from "../examples/quick-start/loopback.js"
import * as Terminal from "../examples/quick-start/terminal.js"
import { recorded, text } from "./utils/recording.js"

const plain = Terminal.make({ colours: false, columns: 100 })

const start = (args: ReadonlyArray<string>, variables: Record<string, string> = {}) =>
  recorded(main(args, plain)).pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))),
    Effect.map(([code, { err, out }]) => ({ code, out: text(out), err: text(err) }))
  )

describe("npm start", () => {
  it.live("shows parts, then what the token manager did about them", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* start([])
      assert.strictEqual(err, "")
      assert.match(out, /Parts found for "NE555": 7\n {2}PART NUMBER +MAKER +DESCRIPTION +PRICE +STOCK\n/)
      assert.match(out, / {2}NE555P +Texas Instruments +IC OSC SINGLE TIMER 100KHZ 8DIP +0\.47 +48,210\n/)

      const act = (number: number) => out.slice(out.indexOf(`\n${number}  `)).split("\n\n")[0] ?? ""
      assert.match(act(1), /✓ 50 of 50 searches answered in .+\n {3}✓ 1 token call$/)
      assert.match(act(2), /✓ (\d+) of \1 searches answered\n {3}✓ 1 token call, .+\n/)
      assert.match(act(2), /\n {3}✓ \d+ searches answered during that call; the slowest of all took .+$/)
      assert.match(act(3), /✓ \d+ searches refused \(401\).+\n {3}✓ 50 of 50 searches answered in .+\n {3}✓ 1 token call$/)
      assert.match(act(4), /first renewal failed\n.+second renewal failed\n.+is back\n.+renewed\n/)
      assert.match(act(4), /✓ (\d+) of \1 searches answered.+\n {3}✓ 9 token calls: 8 refused, 1 answered$/)

      assert.match(out, /\nDigitzs's simulator listens on http:\/\/127\.0\.0\.1:\d+\.\n/)
      assert.include(
        out,
        [
          "\nMerchants found: 3",
          "  MERCHANT    NAME                 TYPE      SINCE",
          "  merchant-1  Harbour Bakery       business  2024-02-11",
          "  merchant-2  Quayside Cycles      business  2024-06-03",
          "  merchant-3  Ada's Piano Lessons  personal  2025-01-27\n"
        ].join("\n")
      )
      assert.deepStrictEqual(act(5).split("\n").slice(4), [
        "   at 00:00  20 of 20 lists answered; 1 token call so far",
        "   at 54:59  20 of 20 lists answered; 1 token call so far",
        "   at 55:00  20 of 20 lists answered; 2 token calls so far, 1 of them not answered yet",
        "   at 55:02  renewed",
        "   at 60:00  20 of 20 lists answered; 2 token calls so far",
        "   ✓ 54 min 59 s: nothing happens, still 1 token call",
        "   ✓ 55 min: renewed, 2 token calls; 20 lists answered during the second",
        "   ✓ 60 min, where the first token ends: 0 lists refused; 80 of 80 answered in all"
      ])
      const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/
      const payment = /payment-[0-9a-f]+-\d+/
      assert.deepStrictEqual(act(6).replace(uuid, "UUID").replace(payment, "PAYMENT").split("\n").slice(4), [
        "   OutcomeUnknown  request id UUID",
        "   Duplicate       transaction PAYMENT",
        "   ✓ OutcomeUnknown has the request id of the payment",
        "   ✓ Duplicate has the id of the transaction, which is completed",
        "   ✓ sent 2 times, 1 payment made"
      ])
      assert.deepStrictEqual(act(7).split("\n").slice(4), [
        "   A person has to log in to digikey as ada@example.com: no login is stored.",
        "   ada@example.com has logged in.",
        "   ✓ before: ReauthorizationRequired, and no token call",
        "   ✓ after: a quote and a list, without a restart",
        "   ✓ 1 token call, which redeemed the code"
      ])
      assert.deepStrictEqual(act(8).split("\n").slice(4), [
        "   ✓ 40 of 40 lists answered",
        "   ✓ 1 token call: one program redeemed the refresh token, the other took the new token over",
        "   ✓ 0 refresh tokens presented twice, and the login lives"
      ])

      assert.match(out, /\nSummary\n {2}ACT +REQUESTS +FAILED +TOKEN CALLS +TIME\n/)
      assert.match(out, /\n {2}Survived an outage of the token endpoint +\d+ +0 +9 +[\d.]+ s\n/)
      assert.match(out, /\n {2}Renewed 5 minutes early +80 +0 +2 +[\d.]+ m?s\n/)
      assert.match(out, /\n {2}Paid once, though the answer was lost +3 +1 +0 +[\d.]+ m?s\n/)
      assert.match(out, /\n {2}Logged in, for a quote and a list +4 +0 +1 +[\d.]+ m?s\n/)
      assert.match(out, /\n {2}Renewed by one of two programs +\d+ +0 +1 +[\d.]+ m?s$/)
      assert.notMatch(out, /✗|\u001b|level=/)
      assert.strictEqual(code, 0)
    }), 60_000)

  it.effect("tells how it is used, and refuses an option that it does not know", () =>
    Effect.gen(function*() {
      const help = yield* start(["--help"])
      assert.strictEqual(help.code, 0)
      assert.include(help.out, "Usage: npm start")
      const unknown = yield* start(["--livr"])
      assert.strictEqual(unknown.code, 2)
      assert.include(unknown.err, "Unknown option: --livr")
    }))
})

describe("npm start -- --live", () => {
  it.scopedLive("makes one search with the credentials of the environment, and none of the acts", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      const { clientId, clientSecret } = yield* simulator.credentials
      const { code, out } = yield* start(["--live"], {
        DIGIKEY_CLIENT_ID: clientId,
        DIGIKEY_CLIENT_SECRET: Redacted.value(clientSecret),
        DIGIKEY_ENVIRONMENT: "sandbox",
        DIGIKEY_BASE_URL: yield* Loopback.url
      })
      assert.strictEqual(code, 0)
      assert.match(out, /^\nParts found for "NE555": 7\n/)
      assert.notMatch(out, /token call|Digitzs|Merchants/)
      const { requests, tokenCalls } = yield* simulator.stats
      assert.deepStrictEqual({ requests, tokenCalls }, { requests: 1, tokenCalls: 1 })
    }).pipe(Effect.provide(Loopback.layer())))

  it.scopedLive("says what to do when the server refuses the credentials", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* start(["--live"], {
        DIGIKEY_CLIENT_ID: "hidden-id",
        DIGIKEY_CLIENT_SECRET: "hidden-secret",
        DIGIKEY_ENVIRONMENT: "sandbox",
        DIGIKEY_BASE_URL: yield* Loopback.url
      })
      assert.strictEqual(code, 1)
      assert.match(err, /^digikey refused the credentials \(401\).+Check DigiKey's client id/)
      assert.notInclude(err + out, "hidden-")
    }).pipe(Effect.provide(Loopback.layer())))

  it.effect("names a variable that is missing", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* start(["--live"], { DIGIKEY_CLIENT_ID: "hidden-id" })
      assert.strictEqual(code, 1)
      assert.include(err, "DIGIKEY_CLIENT_SECRET is not set.")
      assert.notInclude(err + out, "hidden-id")
    }))

  it.effect("names a variable that is wrong and shows no value", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* start(["--live"], {
        DIGIKEY_CLIENT_ID: "hidden-id",
        DIGIKEY_CLIENT_SECRET: "hidden-secret",
        DIGIKEY_ENVIRONMENT: "hidden-environment"
      })
      assert.strictEqual(code, 1)
      assert.include(err, `DIGIKEY_ENVIRONMENT: Expected "production" or "sandbox".`)
      assert.notInclude(err + out, "hidden-")
    }))
})

describe("a table", () => {
  it("keeps its columns aligned and fits the terminal", () => {
    const columns = [{ title: "A", align: "left" }, { title: "B", align: "right" }] as const
    const rows = [["x".repeat(60), "1"], ["short", "1,000"]]
    assert.deepStrictEqual(Terminal.table(Terminal.make({ colours: false, columns: 40 }), columns, rows), [
      "  A                                    B",
      `  ${"x".repeat(30)}…      1`,
      "  short                            1,000"
    ])
    const [title, ...body] = Terminal.table(Terminal.make({ colours: true, columns: 80 }), columns, rows)
    assert.match(title ?? "", /^\u001b\[2m/)
    assert.notInclude(body.join(""), "\u001b")
  })
})
