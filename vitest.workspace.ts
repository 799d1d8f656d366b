import { fileURLToPath } from "node:url"
import type { TestProjectConfiguration } from "vitest/config"

/** A new package is one line here. */
const packages = {
  "effect-credentials": "credentials",
  "@effect-credentials/digikey": "digikey",
  "@effect-credentials/digitzs": "digitzs",
  "@effect-credentials/sql": "sql",
  "@effect-credentials/cli": "cli"
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** Tests run against source, not dist: one instance of each module, whoever imports it. `internal/*` stays out of reach. */
const alias = Object.entries(packages).flatMap(([name, folder]) => {
  const src = path(`packages/${folder}/src`)
  return [
    { find: new RegExp(`^${name}$`), replacement: `${src}/index.ts` },
    { find: new RegExp(`^${name}/testing$`), replacement: `${src}/testing/index.ts` },
    { find: new RegExp(`^${name}/(?!internal/|package\\.json$)(.+)$`), replacement: `${src}/$1.ts` }
  ]
})

const project = (name: string, root: string): TestProjectConfiguration => ({
  root: path(root),
  resolve: { alias },
  // A machine that is busy with other things must not fail a test: nothing here asserts how long something takes.
  test: { name, include: ["test/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 120_000 }
})

export default [
  ...Object.entries(packages).map(([name, folder]) => project(name, `packages/${folder}`)),
  project("docs", "docs")
]
