/** A real browser, where there is one: `npm run services` installs it. */
import * as Fs from "node:fs"
import { chromium } from "playwright-core"
import { describeWith } from "../../../credentials/test/utils/services.js"

const executablePath = "/usr/bin/chromium"

export const describeBrowser = describeWith(Fs.existsSync(executablePath), `There is no ${executablePath}`)

// The sandbox of Chromium does not work for root, and nothing but this machine's own pages is opened.
export const launch = () => chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] })
