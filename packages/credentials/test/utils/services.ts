/** Tests that need what `npm run services` brings. */
import { describe } from "vitest"

/** Skipped without it, with one line that says so; where `CI=true` the tests fail instead. */
export const describeWith = (isThere: boolean, missing: string) => (name: string, body: () => void): void => {
  if (isThere || process.env["CI"] === "true") return void describe(name, { timeout: 120_000 }, body)
  console.log(`Skipped: ${name}. ${missing}: run "npm run services".`)
  describe.skip(name, body)
}
