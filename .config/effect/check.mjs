// Effect's linter over src, tests and examples. Its command line lints each file with the nearest tsconfig.json,
// whatever --project says, so it is shown the same files below a root that has only the tsconfig.json beside this file.
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

const here = Path.dirname(fileURLToPath(import.meta.url))
const repository = Path.resolve(here, "../..")
const view = Fs.realpathSync(Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-lint-")))

const folders = [
  ...Fs.readdirSync(Path.join(repository, "packages"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [`packages/${name}/src`, `packages/${name}/test`]),
  "docs/examples",
  "docs/test"
].filter((folder) => Fs.existsSync(Path.join(repository, folder)))

const sources = folders.flatMap((folder) =>
  Fs.readdirSync(Path.join(repository, folder)).filter((name) => name !== "tsconfig.json").map((name) => `${folder}/${name}`)
)

const lint = () => {
  for (const file of ["tsconfig.json", "canary.ts"]) Fs.copyFileSync(Path.join(here, file), Path.join(view, file))
  for (const source of ["node_modules", ...sources]) {
    Fs.mkdirSync(Path.dirname(Path.join(view, source)), { recursive: true })
    Fs.symlinkSync(Path.join(repository, source), Path.join(view, source))
  }
  const cli = Path.join(repository, "node_modules/@effect/language-service/cli.js")
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [cli, "diagnostics", "--project", "tsconfig.json", "--format", "json", "--severity", "error,warning"],
    { cwd: view, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }
  )
  try {
    return JSON.parse(stdout)
  } catch {
    throw new Error(`The Effect linter gave no report.\n${stdout}\n${stderr}`)
  }
}

const fail = (message) => {
  console.error(message)
  process.exitCode = 1
}

try {
  const { diagnostics, summary } = lint()
  const isCanary = ({ file }) => Path.basename(file) === "canary.ts"
  if (!diagnostics.some((diagnostic) => isCanary(diagnostic) && diagnostic.name === "missingReturnYieldStar")) {
    fail("The Effect linter did not report .config/effect/canary.ts, so its silence about the rest means nothing.")
  }
  if (summary.filesChecked !== summary.totalFiles) {
    fail(`The Effect linter checked ${summary.filesChecked} of ${summary.totalFiles} files.`)
  }
  for (const found of diagnostics.filter((diagnostic) => !isCanary(diagnostic))) {
    fail(`${Path.relative(view, found.file)}:${found.line}:${found.column} ${found.severity} effect(${found.name}): ${found.message}`)
  }
  if (process.exitCode === undefined) console.log(`Effect: ${summary.filesChecked} files, nothing to report.`)
} finally {
  Fs.rmSync(view, { recursive: true, force: true })
}
