/** A real browser, where there is one: `npm run services` installs it. */
import * as Fs from "node:fs"
import { chromium } from "playwright-core"
import { describe } from "vitest"

const executablePath = "/usr/bin/chromium"
const isThere = Fs.existsSync(executablePath)

/** Skipped without a browser, with one line that says so; where `CI=true` the tests fail instead. */
export const describeBrowser = (name: string, body: () => void): void => {
  if (isThere || process.env["CI"] === "true") return void describe(name, { timeout: 120_000 }, body)
  console.log(`Skipped: ${name}. There is no ${executablePath}: run "npm run services".`)
  describe.skip(name, body)
}

// The sandbox of Chromium does not work for root, and nothing but this machine's own pages is opened.
export const launch = () => chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] })
