/** `credentials request`. */
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { digikey, login, run } from "./utils/cli.js"

const { Fault } = DigiKeySimulator

const quotes = "/quoting/v4/quotes"
const categories = "/products/v4/search/categories"

describe("an answer", () => {
  it.scoped("goes to standard output in lines, and its status to standard error", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      const { code, err, out } = yield* run(["request", "digikey", quotes], { env: world.env })
      assert.strictEqual(code, 0)
      assert.strictEqual(err, "200 OK\n")
      assert.match(out, /^\{\n {2}"/)
      assert.property(JSON.parse(out), "Quotes")
    }))

  it.scoped("that is no JSON goes out byte for byte", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* world.simulator.failNext(Fault.Respond({ status: 200, body: "a,b\u001b[2J\r\n", headers: { "content-type": "text/csv" } }))
      const piped = yield* run(["request", "digikey", categories], { env: world.env })
      assert.strictEqual(piped.out, "a,b\u001b[2J\r\n")
      yield* world.simulator.failNext(Fault.Respond({ status: 200, body: "a,b\u001b[2J\r\n", headers: { "content-type": "text/csv" } }))
      const shown = yield* run(["request", "digikey", categories], { env: world.env, terminal: true })
      assert.strictEqual(shown.out, "a,b\ufffd[2J\ufffd\n\n")
    }))

  it.scoped("shows a terminal no control character that JSON allows", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const body = "{\"a\":\"\u009b2J\"}"
      yield* world.simulator.failNext(Fault.Respond({ status: 200, body }), { times: 2 })
      const piped = yield* run(["request", "digikey", categories], { env: world.env })
      assert.include(piped.out, "\u009b2J")
      const shown = yield* run(["request", "digikey", categories], { env: world.env, terminal: true })
      assert.strictEqual(shown.out, "{\n  \"a\": \"\ufffd2J\"\n}\n")
    }))

  it.scoped("without a body prints nothing", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* world.simulator.failNext(Fault.Respond({ status: 204, body: "" }))
      const { err, out } = yield* run(["request", "digikey", categories], { env: world.env })
      assert.deepStrictEqual([err, out], ["204 No Content\n", ""])
    }))
})

describe("credentials", () => {
  it.scoped("are those of the path's product", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      assert.strictEqual((yield* run(["request", "digikey", categories], { env: world.env })).code, 0)
      const { code, err } = yield* run(["request", "digikey", quotes], { env: world.env })
      assert.strictEqual(code, 3)
      assert.match(err, /Log in with: credentials login digikey\n/)
      const { byRoute } = yield* world.simulator.stats
      assert.deepStrictEqual(Object.keys(byRoute), ["GET /products/v4/search/categories"])
    }))

  it.scoped("a token that has expired is renewed on the way", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      yield* TestClock.adjust("2 hours")
      assert.strictEqual((yield* run(["request", "digikey", quotes], { env: world.env })).code, 0)
      assert.match((yield* run(["status"], { env: world.env })).out, / 2 +stored/)
    }))
})

describe("a path", () => {
  it.scoped.each([
    "https://evil.example/quoting/v4/quotes",
    "HTTP://evil.example/",
    "//evil.example/quoting/v4/quotes",
    "\\\\evil.example\\x",
    "/quoting/v4/quotes#there",
    "/quoting/v4/quo tes",
    "/quoting/v4/../../v1/oauth2/token",
    "/quoting/v4/%2e%2e/x",
    "/v1/oauth2/token",
    "/quoting/v4beta/quotes",
    "@evil.example/x"
  ])("%s is refused, and nothing is sent", (path) =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      yield* world.simulator.resetStats
      const { code, err, out } = yield* run(["request", "digikey", path], { env: world.env })
      assert.deepStrictEqual([code, out], [2, ""])
      assert.strictEqual(/and no URL/.test(err), !/^(@|\/[^/#\s]+\/[^#\s]*$)/.test(path), err)
      const { requests, tokenCalls } = yield* world.simulator.stats
      assert.deepStrictEqual([requests, tokenCalls], [0, 0])
    }))

  it.scoped("outside of all products gets the list of them", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { err } = yield* run(["request", "digikey", "/nothing?secret=canary"], { env })
      assert.match(err, /^\/nothing is at no product of DigiKey/)
      assert.match(err, /\/quoting\/v4 {2}Quotes \(needs a login\)/)
      assert.match(err, /\/products\/v4 {2}Product Information \(the application's own\)/)
    }))

  it.scoped("needs no leading slash, keeps its query, and finds its product in any case", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      for (const path of ["quoting/v4/quotes?limit=1&offset=0", "/Quoting/V4/quotes"]) {
        assert.strictEqual((yield* run(["request", "digikey", path], { env: world.env })).code, 0, path)
      }
      const { code, err } = yield* run(["request", "digikey", `${quotes}?limit=nonsense`], { env: world.env })
      assert.strictEqual(code, 7, "the query arrived")
      assert.match(err, /limit/i)
    }))
})

describe("a body", () => {
  const search = ["request", "digikey", "/products/v4/search/keyword", "--method", "POST", "--data"]
  const body = "{\"Keywords\": \"NE555\", \"Limit\": 1}"

  it.scoped("comes from the argument, a file or standard input", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const file = Path.join(env.HOME, "body.json")
      Fs.writeFileSync(file, body)
      for (const [data, stdin] of [[body, []], [`@${file}`, []], ["-", [body]]] as const) {
        const { code, out } = yield* run([...search, data], { env, stdin })
        assert.strictEqual(code, 0)
        assert.property(JSON.parse(out), "Products")
      }
    }))

  it.scoped("that is no JSON, or belongs to a GET, is refused without being shown", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      const noJson = yield* run([...search, "{canary"], { env: world.env })
      assert.deepStrictEqual([noJson.code, noJson.err], [2, "--data is no JSON. Nothing was sent.\n"])
      const noFile = yield* run([...search, "@/nowhere"], { env: world.env })
      assert.deepStrictEqual([noFile.code, noFile.err], [2, "--data: the file /nowhere cannot be read.\n"])
      const get = yield* run(["request", "digikey", categories, "--data", body], { env: world.env })
      assert.deepStrictEqual([get.code, get.err], [2, "A GET has no body: say --method POST, or leave --data out.\n"])
      assert.strictEqual((yield* world.simulator.stats).requests, 0)
    }))

  it.scoped("is sent once, and a lost answer ends with 10", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* login(world)
      yield* world.simulator.failNext(Fault.Respond({ status: 500, applied: true }))
      const { code, err } = yield* run(
        ["request", "digikey", quotes, "-X", "POST", "-d", "{\"QuoteName\":\"Prototype\"}"],
        { env: world.env }
      )
      assert.strictEqual(code, 10)
      assert.match(err, /^500 Internal Server Error\n.*may or may not have been applied/s)
      assert.strictEqual((yield* world.simulator.stats).byRoute["POST /quoting/v4/quotes"], 1)
    }))
})

describe("an exit code", () => {
  it.scoped.each([
    [404, 7, "404 Not Found"],
    [403, 7, "403 Forbidden"],
    [400, 7, "400 Bad Request"],
    [501, 9, "501 Not Implemented"]
  ] as const)("of a %d is %d", ([status, expected, line]) =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* world.simulator.failAlways(Fault.Respond({ status, detail: "just words" }))
      const { code, err, out } = yield* run(["request", "digikey", categories], { env: world.env })
      assert.deepStrictEqual([code, out], [expected, ""])
      assert.isTrue(err.startsWith(`${line}\n`), err)
    }))

  it.scoped("of a rate limit that is hours away is 8, at once", () =>
    Effect.gen(function*() {
      const world = yield* digikey()
      yield* world.simulator.failAlways(Fault.Respond({ status: 429, headers: { "retry-after": "12397" } }))
      const { code, err } = yield* run(["request", "digikey", categories], { env: world.env })
      assert.strictEqual(code, 8)
      assert.match(err, /Come back at 1970-01-01T03:26:37/)
    }))

  it.scoped("of a client secret that is refused is 6", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey({ clientSecret: "another" })
      const { code, err } = yield* run(["request", "digikey", categories], { env })
      assert.strictEqual(code, 6)
      assert.match(err, /Check DigiKey's client id and client secret/)
    }))
})

describe("Digitzs", () => {
  it.scoped("takes requests with its application's token", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { code, out } = yield* run(["request", "digitzs", "/merchants?limit=2", "--demo"], { env })
      assert.strictEqual(code, 0)
      assert.property(JSON.parse(out), "data")
    }))

  it.scoped("has no environments", () =>
    Effect.gen(function*() {
      const { env } = yield* digikey()
      const { code, err } = yield* run(["request", "digitzs", "/merchants", "--environment", "sandbox"], { env })
      assert.strictEqual(code, 2)
      assert.match(err, /DIGITZS_BASE_URL/)
    }))
})
