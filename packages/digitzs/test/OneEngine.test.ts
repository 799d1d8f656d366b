/** The engine is for every provider: it knows none. */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

const packages = fileURLToPath(new URL("../..", import.meta.url))
const engine = Path.join(packages, "credentials/src")

const sources = Fs.readdirSync(engine, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))

/** The other packages, and names that only a provider would know. */
const names = /digi.?key|digitzs|x-digikey|app.?key|app.?token/i

describe("the engine's source", () => {
  it("is there", () => {
    assert.isAbove(sources.length, 20)
  })

  it.each(sources)("%s contains no provider's name", (file) => {
    assert.notMatch(Fs.readFileSync(Path.join(engine, file), "utf8"), names)
  })
})
