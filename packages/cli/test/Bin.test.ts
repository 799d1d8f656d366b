/** The built command as a process: what a shell and a script see. */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterAll, beforeAll } from "vitest"
import { built } from "../../credentials/test/utils/packaging.js"
import * as Bin from "./utils/bin.js"

let home: string

const start = (args: ReadonlyArray<string>, options?: Parameters<typeof Bin.start>[2]) => Bin.start(home, args, options)

/** What a person does at the provider's pages; answers with where the browser is sent back to. */
const decide = async (url: string, account: string, decision: "allow" | "deny"): Promise<string> => {
  const formToken = async (page: Response) => /name="form_token" value="([^"]+)"/.exec(await page.text())?.[1] ?? ""
  const endpoint = url.replace(/\?.*$/, "")
  const send = async (page: Response, fields: Record<string, string>) =>
    fetch(endpoint, { method: "POST", redirect: "manual", body: new URLSearchParams({ form_token: await formToken(page), ...fields }) })
  const answer = await send(await send(await fetch(url), { account }), { decision })
  return answer.headers.get("location") ?? ""
}

const run = (args: ReadonlyArray<string>, input?: string): Promise<Bin.Ended> =>
  start(args, input === undefined ? {} : { input }).done

describe("the built command", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    home = await Fs.mkdtemp(Path.join(Os.tmpdir(), "credentials-bin-"))
    await built("cli")
  }, 120_000)

  afterAll(() => Fs.rm(home, { recursive: true, force: true }))

  it("has a first line for a shell", async () => {
    assert.match(await Fs.readFile(Bin.bin, "utf8"), /^#!\/usr\/bin\/env node\n/)
  })

  it("ends with the exit code, and keeps its streams apart", async () => {
    const status = await run(["status"])
    assert.deepStrictEqual([status.code, status.out], [0, ""])
    assert.match(status.err, /Nothing is stored in .*\.local\/state\/effect-credentials\./)
    const token = await run(["token", "digikey"])
    assert.deepStrictEqual([token.code, token.out], [2, ""])
    assert.match(token.err, /DIGIKEY_CLIENT_ID is not set/)
  })

  it("a request with a body from standard input goes through", async () => {
    const body = JSON.stringify({ Keywords: "NE555", Limit: 1 })
    const { code, out } = await run(
      ["request", "digikey", "/products/v4/search/keyword", "--method", "POST", "--data", "-", "--demo"],
      body
    )
    assert.strictEqual(code, 0)
    assert.property(JSON.parse(out), "Products")
  })

  it("a script without a login is told so, and no browser is started", async () => {
    const { code, err } = await run(["token", "digikey", "--demo"])
    assert.strictEqual(code, 3)
    assert.match(err, /Log in with: credentials login digikey --demo/)
  })

  it("a login without anybody to paste it fails", async () => {
    const { code, err } = await run(["login", "digikey", "--demo"])
    assert.strictEqual(code, 2)
    assert.match(err, /standard input has ended/)
  })

  it("an interrupted login closes its port and ends with 130", async () => {
    const { child, done, until } = start(["login", "digikey", "--demo", "--listen"], { held: true })
    const port = await until("err", /comes back to http:\/\/127\.0\.0\.1:(\d+)/)
    assert.strictEqual((await fetch(`http://127.0.0.1:${port}/callback`)).status, 400)
    child.kill("SIGINT")
    assert.strictEqual((await done).code, 130)
    assert.strictEqual(await fetch(`http://127.0.0.1:${port}/callback`).then(() => "open", () => "closed"), "closed")
  })

  it("a reader that leaves early is no failure", async () => {
    const { child, done } = start(["request", "digitzs", "/merchants", "--demo"])
    child.stdout.destroy()
    assert.strictEqual((await done).code, 0)
  })

  it("a token of one process is the next one's", async () => {
    const first = await run(["token", "digitzs", "--demo"])
    const second = await run(["token", "digitzs", "--demo"])
    assert.strictEqual(first.code, 0)
    assert.strictEqual(first.out, second.out)
    assert.match((await run(["status", "--demo"])).out, /^digitzs .* 1 +stored/m)
    const request = await run(["request", "digitzs", "/merchants", "--demo"])
    assert.strictEqual(request.code, 0)
  })

  it("a demo goes on from one process to the next", async () => {
    const login = start(["login", "digikey", "--demo", "--listen", "--account", "alice"], { held: true })
    const callback = await decide(await login.until("out", /(http\S+)\n/), "ada@example.com", "allow")
    const page = await fetch(callback)
    assert.strictEqual(page.status, 200)
    assert.include(await page.text(), "Logged in to DigiKey")
    assert.deepStrictEqual((await login.done).code, 0)
    assert.match((await run(["status", "--demo"])).out, /^digikey +sandbox +alice +until .* 1 +stored/m)
    const created = await run(
      ["request", "digikey", "/quoting/v4/quotes", "--demo", "--account", "alice", "-X", "POST", "-d", "{\"QuoteName\":\"Prototype\"}"]
    )
    assert.deepStrictEqual([created.code, created.err.split("\n")[1]], [0, "201 Created"])
    const listed = await run(["request", "digikey", "/quoting/v4/quotes", "--demo", "--account", "alice"])
    assert.strictEqual(listed.code, 0)
    assert.include(listed.out, "Prototype")
    const token = await run(["token", "digikey", "--demo", "--account", "alice"])
    assert.match(token.out, /^simulated-access-token-\S+\n$/)
    // The same login all along: no other was made, and nothing was renewed.
    assert.match((await run(["status", "--demo"])).out, /alice .* 1 +stored/)
    const logout = await run(["logout", "digikey", "--demo", "--account", "alice"])
    assert.match(logout.err, /Removed the login/)
    assert.strictEqual((await run(["token", "digikey", "--demo", "--account", "alice"])).code, 3)
    for (const { err } of [created, listed, token, logout]) assert.notMatch(err, /simulated-|simulator-client-secret/)
  })

  it("a demo takes a pasted address from a pipe", async () => {
    const login = start(["login", "digikey", "--demo"], { held: true })
    const callback = await decide(await login.until("out", /(http\S+)\n/), "ada@example.com", "allow")
    assert.match(callback, /^https:\/\/localhost\/\?code=/)
    login.child.stdin.write(`${callback}\n`)
    // Its input stays open, and it ends all the same.
    const { code, err } = await login.done
    assert.strictEqual(code, 0)
    assert.notInclude(err, new URL(callback).searchParams.get("code") ?? "")
  })

  it("a person who says no at the provider ends it with 4", async () => {
    const login = start(["login", "digikey", "--demo", "--listen"], { held: true })
    const callback = await decide(await login.until("out", /(http\S+)\n/), "ada@example.com", "deny")
    const page = await fetch(callback)
    assert.strictEqual(page.status, 403)
    assert.include(await page.text(), "Access denied")
    assert.strictEqual((await login.done).code, 4)
    assert.strictEqual(await fetch(callback).then(() => "open", () => "closed"), "closed")
  })
})
