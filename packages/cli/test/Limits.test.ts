/** `credentials limits`. */
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, FastCheck, Option, TestClock } from "effect"
import type { RateLimits } from "effect-credentials"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterAll, beforeAll } from "vitest"
import { built } from "../../credentials/test/utils/packaging.js"
import * as LimitsTable from "../src/internal/limitsTable.js"
import * as Table from "../src/internal/table.js"
import * as Bin from "./utils/bin.js"
import { digikey, login, run, temporaryFolder } from "./utils/cli.js"

const { Fault } = DigiKeySimulator

/** The cells of a table's rows. */
const cells = (out: string): ReadonlyArray<ReadonlyArray<string>> =>
  out.trimEnd().split("\n").slice(1).map((line) => line.split(/ {2,}/))

const probes = {
  productInformation: "GET /products/v4/search/{productNumber}/substitutions",
  orderStatus: "GET /orderstatus/v4/orders",
  quotes: "GET /quoting/v4/quotes",
  lists: "GET /mylists/v1/lists"
}

describe("the table", () => {
  it.scoped("has every limit of every product that the application may use", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* TestClock.setTime(Date.UTC(2026, 10, 22, 12))
      const { code, err, out } = yield* run(["limits", "digikey"], { env: world.env })
      assert.strictEqual(code, 0)
      assert.strictEqual(out.split("\n")[0], "PRODUCT              LIMIT  LEFT              REQUESTS     RESETS")
      assert.deepStrictEqual(cells(out), [
        ["Product Information", "burst", "[#############.]", "119 of 120", "in 60 s"],
        ["Product Information", "daily", "[#############.]", "999 of 1000", "2026-11-23 00:00 UTC"],
        ["Order Status", "burst", "[#############.]", "119 of 120", "in 60 s"],
        ["Order Status", "daily", "[#############.]", "999 of 1000", "2026-11-23 00:00 UTC"]
      ])
      assert.match(err, /^Not shown: Quotes, MyLists\. .*\nLog in with: credentials login digikey\n$/)
    }))

  it.scoped("has those of the person who has logged in, too", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world, "--account", "alice")
      const { code, err, out } = yield* run(["limits", "digikey", "--account", "alice"], { env: world.env })
      assert.deepStrictEqual([code, err], [0, ""])
      assert.deepStrictEqual(cells(out).map(([product, limit, , requests]) => [product, limit, requests]), [
        ["Product Information", "burst", "119 of 120"],
        ["Product Information", "daily", "999 of 1000"],
        ["Order Status", "burst", "119 of 120"],
        ["Order Status", "daily", "999 of 1000"],
        ["Quotes", "burst", "9 of 10"],
        ["Quotes", "daily", "999 of 1000"],
        ["MyLists", "burst", "119 of 120"],
        ["MyLists", "daily", "999 of 1000"]
      ])
    }))

  it.scoped("costs one request of each product, with one token for each kind of credentials", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      yield* world.simulator.resetStats
      yield* run(["limits", "digikey"], { env: world.env })
      const { byRoute, tokenCallsByGrant } = yield* world.simulator.stats
      assert.deepStrictEqual(byRoute, {
        [probes.productInformation]: 1,
        [probes.orderStatus]: 1,
        [probes.quotes]: 1,
        [probes.lists]: 1
      })
      assert.deepStrictEqual(tokenCallsByGrant, { client_credentials: 1 })
    }))

  it.scoped("counts down from one command to the next: what the server says is what counts", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const requests = ["limits", "digikey", "--product", "product-information"]
      yield* run(requests, { env })
      assert.deepStrictEqual(cells((yield* run(requests, { env })).out).map((row) => row[3]), ["118 of 120", "998 of 1000"])
    }))

  it.scoped("has bars of blocks for a person, and of ASCII in a pipe and under NO_COLOR", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey({ rateLimits: { burst: { limit: 2 } } })
      const burst = (options: { readonly terminal?: boolean; readonly plain?: boolean }) =>
        Effect.map(run(["limits", "digikey"], { env, ...options }), ({ out }) => cells(out)[0]?.[2])
      assert.strictEqual(yield* burst({ terminal: true }), "████████░░░░░░░░")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* burst({ terminal: true, plain: true }), "[#######.......]")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* burst({}), "[#######.......]")
    }))

  it.scoped("fits into 80 columns", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { out } = yield* run(["limits", "digikey"], { env, terminal: true, columns: 80 })
      assert.match(out, /^PRODUCT +LIMIT +LEFT +REQUESTS +RESETS\n/)
    }))

  it.scoped("says so where a provider announces nothing", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const { code, out } = yield* run(["limits", "digitzs", "--demo", "--folder", folder])
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(cells(out), [["Merchants", "none announced", "-", "-", "-"]])
    }))
})

describe("--product", () => {
  it.scoped("asks the products that it names, in any writing, and no other", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      for (const name of ["order-status", "OrderStatus", "Order Status"]) {
        const { code, err, out } = yield* run(["limits", "digikey", "--product", name], { env: world.env })
        assert.deepStrictEqual([code, err], [0, ""])
        assert.deepStrictEqual(cells(out).map(([product]) => product), ["Order Status", "Order Status"])
      }
      assert.deepStrictEqual((yield* world.simulator.stats).byRoute, { [probes.orderStatus]: 3 })
      const both = yield* run(
        ["limits", "digikey", "--product=order-status, product-information"],
        { env: world.env }
      )
      assert.strictEqual(cells(both.out).length, 4)
    }))

  it.scoped.each(["barcode", "", "nothing"])("of %j is refused with a list, and nothing is sent", (name) =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const args = ["limits", "digikey", "--product", `quotes,${name}`]
      const { code, err, out } = yield* run(args, { env: world.env })
      assert.deepStrictEqual([code, out], [2, ""])
      assert.match(err, / product-information\n +order-status\n +quotes\n +mylists\n$/)
      const { requests, tokenCalls } = yield* world.simulator.stats
      assert.deepStrictEqual([requests, tokenCalls], [0, 0])
    }))

  it.scoped("that needs a login fails without one", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { code, err, out } = yield* run(["limits", "digikey", "--product", "quotes"], { env })
      assert.deepStrictEqual([code, out], [3, ""])
      assert.match(err, /Log in with: credentials login digikey\n/)
    }))
})

describe("a limit that is used up", () => {
  it.scoped("is a row, not a failure, and nobody waits for it", () =>
    Effect.gen(function*() {
      const world = yield* digikey({ rateLimits: { burst: { limit: 1 } } })
      const command = ["limits", "digikey", "--product", "order-status"]
      yield* run(command, { env: world.env })
      const { code, err, out } = yield* run(command, { env: world.env })
      assert.deepStrictEqual([code, err], [0, ""])
      assert.deepStrictEqual(cells(out).map((row) => row.slice(1)), [
        ["burst", "[..............]", "0 of 1", "in 60 s"],
        ["daily", "[#############.]", "999 of 1000", "1970-01-02 00:00 UTC"]
      ])
      assert.deepStrictEqual((yield* world.simulator.stats).byStatus, { 200: 1, 429: 1 })
    }))

  it.scoped("that only a Retry-After tells of has a row of its own", () =>
    Effect.gen(function*() {
      const world = yield* digikey({ rateLimits: "off" })
      yield* world.simulator.failNext(Fault.Respond({ status: 429, headers: { "Retry-After": "3000" } }))
      const { code, out } = yield* run(["limits", "digikey", "--product", "product-information"], { env: world.env })
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(cells(out).at(-1), ["Product Information", "429", "[..............]", "0", "in 50 min"])
    }))

  it.scoped("of which nothing is known ends with 8", () =>
    Effect.gen(function*() {
      const world = yield* digikey({ rateLimits: "off" })
      yield* world.simulator.failNext(Fault.Respond({ status: 429 }))
      const { code, err, out } = yield* run(["limits", "digikey", "--product", "product-information"], { env: world.env })
      assert.deepStrictEqual([code, out], [8, ""])
      assert.match(err, /^Not shown: Product Information\. .*rate limit/)
    }))
})

describe("a product that says no", () => {
  const command = ["limits", "digikey"]

  it.scoped("is left out where the application is not subscribed, and fails where it was asked for by name", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* world.simulator.unsubscribe("/orderstatus/v4")
      const all = yield* run(command, { env: world.env })
      assert.strictEqual(all.code, 0)
      assert.deepStrictEqual(cells(all.out).map(([product]) => product), ["Product Information", "Product Information"])
      assert.match(all.err, /^Not shown: Order Status\. Order Status answered 401/)
      const chosen = yield* run([...command, "--product", "order-status"], { env: world.env })
      assert.deepStrictEqual([chosen.code, chosen.out], [7, ""])
      const both = yield* run([...command, "--product", "order-status,product-information"], { env: world.env })
      assert.strictEqual(both.code, 7)
      assert.strictEqual(cells(both.out).length, 2)
    }))

  it.scoped("fails where there is nothing else to show", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* world.simulator.unsubscribe("/")
      const { code, out } = yield* run(command, { env: world.env })
      assert.deepStrictEqual([code, out], [7, ""])
    }))

  it.scoped("has its row all the same if it says its limits with it", () =>
    Effect.gen(function*() {
      const world = yield* digikey({ accountRequired: true })
      const { code, err, out } = yield* run([...command, "--product", "order-status"], { env: world.env })
      assert.deepStrictEqual((yield* world.simulator.stats).byStatus, { 400: 1 })
      assert.deepStrictEqual([code, err], [0, ""])
      assert.strictEqual(cells(out)[0]?.[3], "119 of 120")
    }))

  it.scoped("does not confirm what it does not mention", () =>
    Effect.gen(function*() {
      const world = yield* digikey({ rateLimits: "off" })
      const headers = { "X-BurstLimit-Limit": "60", "X-BurstLimit-Remaining": "30", "X-BurstLimit-Reset": "20" }
      yield* world.simulator.failNext(Fault.Respond({ status: 404, headers }))
      const { code, out } = yield* run([...command, "--product", "product-information"], { env: world.env })
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(cells(out).map((row) => row.slice(1, 4)), [
        ["burst", "[#######.......]", "30 of 60"],
        ["daily (documented)", "[#############.]", "999 of 1000"]
      ])
    }))

  it.scoped("does not keep the others from being shown, and its code is that of the command", () =>
    Effect.gen(function*() {
      const world = yield* digikey({ rateLimits: "off" })
      yield* world.simulator.failNext(Fault.Respond({ status: 501 }), { path: "/products/v4" })
      const { code, err, out } = yield* run(command, { env: world.env })
      assert.strictEqual(code, 9)
      assert.deepStrictEqual(cells(out), [["Order Status", "none announced", "-", "-", "-"]])
      assert.match(err, /Not shown: Product Information\. Product Information answered 501/)
    }))

  it.scoped("is asked again where it is in trouble for a moment", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* world.simulator.failNext(Fault.Respond({ status: 503, headers: { "Retry-After": "0" } }))
      const { code, out } = yield* run([...command, "--product", "order-status"], { env: world.env })
      assert.deepStrictEqual([code, cells(out)[0]?.[3]], [0, "118 of 120"])
    }))

  it.scoped("is not asked without a token, and that is said once", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* world.simulator.rotateSecret
      const { code, err, out } = yield* run(command, { env: world.env })
      assert.deepStrictEqual([code, out], [6, ""])
      assert.strictEqual(err.trimEnd().split("\n").length, 1)
      assert.strictEqual((yield* world.simulator.stats).requests, 0)
    }))
})

describe("a bar", () => {
  const left = FastCheck.integer({ min: 0, max: 100_000 })
  const pair = FastCheck.tuple(left, left, FastCheck.boolean()).filter(([a, b]) => a + b > 0)

  it("is as wide as any other, empty only where nothing is left, full only where nothing was used", () => {
    FastCheck.assert(FastCheck.property(pair, ([left, used, plain]) => {
      const bar = LimitsTable.bar(left, left + used, plain)
      assert.match(bar, plain ? /^\[#*\.*\]$/ : /^█*[▏▎▍▌▋▊▉]?░*$/)
      assert.strictEqual(bar.length, 16)
      assert.strictEqual(/^\[?[.░]+\]?$/.test(bar), left === 0)
      assert.strictEqual(/^\[?[#█]+\]?$/.test(bar), used === 0)
    }))
  })

  it("has eighths", () => {
    assert.strictEqual(LimitsTable.bar(1, 1000, false), "▏░░░░░░░░░░░░░░░")
    assert.strictEqual(LimitsTable.bar(9, 16, false), "█████████░░░░░░░")
    assert.strictEqual(LimitsTable.bar(19, 32, false), "█████████▌░░░░░░")
  })

  it("is full where more is left than there ever was", () => {
    assert.strictEqual(LimitsTable.bar(7, 5, true), "[##############]")
  })
})

describe("a row", () => {
  const now = DateTime.unsafeMake(Date.UTC(2026, 10, 22, 12))
  const window = (over: Partial<RateLimits.Window>): RateLimits.Window => ({
    name: "X-BurstLimit",
    limit: "burst",
    declared: false,
    requests: Option.some(10),
    remaining: Option.some(5),
    resetAt: Option.some(DateTime.add(now, { seconds: 30 })),
    ...over
  })
  const rows = (...windows: ReadonlyArray<RateLimits.Window>) =>
    LimitsTable.rows({ product: "Parts", windows, closedUntil: Option.none() }, now, true).map((row) => row.slice(1))

  it("has what is known", () => {
    assert.deepStrictEqual(rows(window({ requests: Option.none() })), [["burst", "-", "5", "in 30 s"]])
    assert.deepStrictEqual(rows(window({ remaining: Option.none() })), [["burst", "-", "? of 10", "in 30 s"]])
    assert.deepStrictEqual(rows(window({ resetAt: Option.none() })), [["burst", "[#######.......]", "5 of 10", "-"]])
  })

  it("names limits of one kind", () => {
    const [first, second] = rows(window({ name: "per user" }), window({ name: "per app" }))
    assert.deepStrictEqual([first?.[0], second?.[0]], ["burst (per user)", "burst (per app)"])
  })

  it("says how long to wait, or when to come back", () => {
    const resets = (seconds: number) => rows(window({ resetAt: Option.some(DateTime.add(now, { seconds })) }))[0]?.[3]
    assert.deepStrictEqual(
      [-5, 0.2, 90, 91, 5400, 5401].map(resets),
      ["in 0 s", "in 1 s", "in 90 s", "in 2 min", "in 90 min", "2026-11-22 13:30 UTC"]
    )
  })
})

describe("the documentation", () => {
  it("shows the table as it is", async () => {
    const now = DateTime.unsafeMake(Date.UTC(2026, 10, 22, 12))
    const midnight = Date.UTC(2026, 10, 23)
    const window = (limit: RateLimits.Window["limit"], requests: number, remaining: number, resetAt: number): RateLimits.Window => ({
      name: limit,
      limit,
      declared: false,
      requests: Option.some(requests),
      remaining: Option.some(remaining),
      resetAt: Option.some(DateTime.unsafeMake(resetAt))
    })
    const minute = (requests: number, seconds: number) => window("burst", 120, requests, Date.UTC(2026, 10, 22, 12, 0, seconds))
    const closedUntil = Option.none()
    const rows = [
      { product: "Product Information", windows: [minute(112, 41), window("daily", 1000, 408, midnight)], closedUntil },
      { product: "Order Status", windows: [minute(119, 60), window("daily", 1000, 957, midnight)], closedUntil }
    ].flatMap((snapshot) => LimitsTable.rows(snapshot, now, false))
    const table = Table.render(LimitsTable.titles, rows, 80).join("\n")
    for (const page of ["../README.md", "../../../docs/rate-limits.md"]) {
      assert.include(await Fs.readFile(new URL(page, import.meta.url), "utf8"), `$ credentials limits digikey\n${table}\n`)
    }
  })
})

describe("the built command", { timeout: 120_000 }, () => {
  let home: string

  beforeAll(async () => {
    home = await Fs.mkdtemp(Path.join(Os.tmpdir(), "credentials-limits-"))
    await built("cli")
  }, 120_000)

  afterAll(() => Fs.rm(home, { recursive: true, force: true }))

  it("prints the limits of a simulator, and ends", async () => {
    const { code, err, out } = await Bin.start(home, ["limits", "digikey", "--demo"]).done
    assert.strictEqual(code, 0)
    assert.deepStrictEqual(cells(out).map(([product, limit, bar, requests]) => [product, limit, bar, requests]), [
      ["Product Information", "burst", "[#############.]", "119 of 120"],
      ["Product Information", "daily", "[#############.]", "999 of 1000"],
      ["Order Status", "burst", "[#############.]", "119 of 120"],
      ["Order Status", "daily", "[#############.]", "999 of 1000"]
    ])
    assert.match(err, /^Demo: .*\nNot shown: Quotes, MyLists\. .*\nLog in with: credentials login digikey --demo\n$/)
  })

  it("tells a script what is missing by its code", async () => {
    const { code, err, out } = await Bin.start(home, ["limits", "digikey"]).done
    assert.deepStrictEqual([code, out], [2, ""])
    assert.match(err, /DIGIKEY_CLIENT_ID is not set/)
  })
})
