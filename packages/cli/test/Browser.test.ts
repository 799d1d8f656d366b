/** `credentials login --demo --listen` with the browser of a person: the provider's pages, the way back, and ours. */
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import type { Browser, Page } from "playwright-core"
import { afterAll, afterEach, assert, beforeAll, beforeEach, it } from "vitest"
import { built } from "../../credentials/test/utils/packaging.js"
import * as Bin from "./utils/bin.js"
import { describeBrowser, launch } from "./utils/chromium.js"

describeBrowser("a login with Chromium", () => {
  let browser: Browser
  let home: string
  let login: ReturnType<typeof Bin.start>
  let page: Page
  let address: string

  beforeAll(async () => {
    await built("cli")
    browser = await launch()
  }, 120_000)
  afterAll(() => browser?.close())

  beforeEach(async () => {
    home = await Fs.mkdtemp(Path.join(Os.tmpdir(), "credentials-browser-"))
    login = Bin.start(home, ["login", "digikey", "--demo", "--listen", "--account", "ada"], { held: true })
    address = await login.until("out", /(http\S+)\n/)
    page = await browser.newPage()
  })
  afterEach(async () => {
    await page.close()
    login.child.kill("SIGKILL")
    await login.done
    await Fs.rm(home, { recursive: true, force: true })
  })

  const redirectUri = () => new URL(new URL(address).searchParams.get("redirect_uri") ?? "")
  const isClosed = () => fetch(redirectUri()).then(() => false, () => true)
  const heading = () => page.locator("h1").innerText()

  /** As far as the question. */
  const signIn = async () => {
    await page.goto(address)
    await page.getByLabel(/account/i).fill("ada@example.com")
    await page.getByRole("button", { name: /sign in/i }).click()
  }

  /** Nothing is cut off or hangs over the side, and there is something to read. */
  const assertFits = async () => {
    const { client, scroll } = await page.evaluate(() => ({
      client: document.documentElement.clientWidth,
      scroll: document.documentElement.scrollWidth
    }))
    assert.isAtMost(scroll, client)
    assert.isAbove((await page.locator("body").innerText()).length, 40)
  }

  /** The page's lightness, from 0 to 255, behind and in its heading. */
  const lightness = () =>
    page.evaluate(() => {
      const of = (color: string) => (color.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part) / 3, 0)
      const heading = document.querySelector("h1")
      return {
        back: of(getComputedStyle(document.body).backgroundColor),
        text: heading === null ? 0 : of(getComputedStyle(heading).color)
      }
    })

  const looks = [
    { width: 320, height: 640, colorScheme: "light" },
    { width: 320, height: 640, colorScheme: "dark" },
    { width: 1280, height: 800, colorScheme: "light" },
    { width: 1280, height: 800, colorScheme: "dark" }
  ] as const

  /** In every look, on the page that is open. Kept where somebody wants to see it. */
  const assertLooksRight = async (name: string) => {
    for (const { colorScheme, height, width } of looks) {
      await page.setViewportSize({ width, height })
      await page.emulateMedia({ colorScheme })
      await assertFits()
      const { back, text } = await lightness()
      assert.isTrue(colorScheme === "light" ? back > 200 : back < 60, `${name}, ${colorScheme}: ${back}`)
      assert.isAbove(Math.abs(back - text), 150, `${name}, ${colorScheme}`)
      const folder = process.env["SCREENSHOTS"]
      if (folder !== undefined) await page.screenshot({ path: Path.join(folder, `${name}-${width}-${colorScheme}.png`) })
    }
  }

  it("that is allowed ends on a page that says so, is in the table, and closes the port", async () => {
    await page.goto(address)
    await assertLooksRight("sign-in")
    await signIn()
    await assertLooksRight("consent")
    await page.getByRole("button", { name: /allow/i }).click()
    assert.strictEqual(await heading(), "Logged in to DigiKey")
    await assertLooksRight("success")
    const { code, err } = await login.done
    assert.strictEqual(code, 0)
    assert.isTrue(await isClosed())
    const status = await Bin.start(home, ["status", "--demo"]).done
    assert.match(status.out, /^digikey +sandbox +ada +until .* 1 +stored/m)
    for (const text of [err, status.out, status.err]) {
      assert.notMatch(text, /simulated-(access|refresh)-token|simulator-client-secret|code=/)
    }
  })

  it("that is denied says so, ends with 4, and stores nothing", async () => {
    await signIn()
    await page.getByRole("button", { name: /deny/i }).click()
    assert.strictEqual(await heading(), "Access denied")
    await assertLooksRight("denied")
    assert.strictEqual((await login.done).code, 4)
    assert.isTrue(await isClosed())
    assert.strictEqual((await Bin.start(home, ["token", "digikey", "--demo", "--account", "ada"]).done).code, 3)
  })

  it("whose code the provider no longer takes says that it has expired, and ends with 5", async () => {
    const callback = redirectUri()
    callback.search = String(
      new URLSearchParams({ code: "a-code-of-yesterday", state: new URL(address).searchParams.get("state") ?? "" })
    )
    await page.goto(callback.href)
    assert.strictEqual(await heading(), "This login has expired")
    await assertLooksRight("expired")
    assert.strictEqual((await login.done).code, 5)
    assert.isTrue(await isClosed())
  })

  it("goes on waiting after an answer with a wrong state, which gets a 400", async () => {
    const callback = redirectUri()
    callback.search = "?code=somebody-elses&state=somebody-elses"
    const response = await page.goto(callback.href)
    assert.strictEqual(response?.status(), 400)
    assert.strictEqual(await heading(), "This belongs to another login")
    await assertLooksRight("wrong-state")
    await signIn()
    await page.getByRole("button", { name: /allow/i }).click()
    assert.strictEqual(await heading(), "Logged in to DigiKey")
    assert.strictEqual((await login.done).code, 0)
  })

  it("cannot be replayed: the port is closed, and the next login takes no answer of this one", async () => {
    await signIn()
    const returned = page.waitForRequest((request) => request.url().startsWith(redirectUri().href))
    await page.getByRole("button", { name: /allow/i }).click()
    const callback = new URL((await returned).url())
    await page.locator("h1").waitFor()
    assert.strictEqual((await login.done).code, 0)
    await page.goto(callback.href).then(() => assert.fail("somebody answered"), (error) =>
      assert.include(String(error), "ERR_CONNECTION_REFUSED"))
    const next = Bin.start(home, ["login", "digikey", "--demo", "--listen", "--account", "eve"], { held: true })
    try {
      const port = new URL(new URL(await next.until("out", /(http\S+)\n/)).searchParams.get("redirect_uri") ?? "").port
      callback.port = port
      assert.strictEqual((await page.goto(callback.href))?.status(), 400)
      const status = await Bin.start(home, ["status", "--demo"]).done
      assert.notInclude(status.out, "eve")
    } finally {
      next.child.kill("SIGINT")
      assert.strictEqual((await next.done).code, 130)
    }
  })

  it("from which the person walks away ends when the command is stopped, with 130 and a closed port", async () => {
    await signIn()
    await page.close()
    assert.isFalse(await isClosed())
    login.child.kill("SIGINT")
    assert.strictEqual((await login.done).code, 130)
    assert.isTrue(await isClosed())
  })
})
