/** The package as it is published: installed from its tarball, the command runs. */
import { execFile } from "node:child_process"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { built } from "../../credentials/test/utils/packaging.js"

const repository = fileURLToPath(new URL("../../..", import.meta.url))
const modules = Path.join(repository, "node_modules")
const run = promisify(execFile)

/** By folder: the name under which each package is installed. */
const packages = {
  credentials: "effect-credentials",
  digikey: "@effect-credentials/digikey",
  digitzs: "@effect-credentials/digitzs",
  cli: "@effect-credentials/cli"
}

let project: string
let installed: string
let files: ReadonlyArray<string>

const pack = async (folder: string): Promise<{ readonly path: string; readonly files: ReadonlyArray<string> }> => {
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project], {
    cwd: Path.join(repository, "packages", folder)
  })
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: ReadonlyArray<{ path: string }> }]
  return { path: Path.join(project, packed.filename), files: packed.files.map(({ path }) => path) }
}

/** What the registry would give is linked to what this repository has. */
const link = async (name: string): Promise<void> => {
  const to = Path.join(project, "node_modules", name)
  await Fs.mkdir(Path.dirname(to), { recursive: true })
  await Fs.symlink(Path.join(modules, name), to, "dir")
}

interface Manifest {
  readonly bin: Record<string, string>
  readonly dependencies: Record<string, string>
  readonly peerDependencies: Record<string, string>
}

const manifestOf = async (folder: string): Promise<Manifest> =>
  JSON.parse(await Fs.readFile(Path.join(folder, "package.json"), "utf8")) as Manifest

const credentials = async (...args: ReadonlyArray<string>) => {
  const { bin } = await manifestOf(installed)
  return run(process.execPath, [Path.join(installed, bin["credentials"] ?? ""), ...args], {
    cwd: project,
    env: { PATH: process.env["PATH"], HOME: project }
  })
}

describe("the tarball of the command line", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    project = await Fs.realpath(await Fs.mkdtemp(Path.join(Os.tmpdir(), "packaging-cli-")))
    await built("cli")
    for (const [folder, name] of Object.entries(packages)) {
      const tarball = await pack(folder)
      const to = Path.join(project, "node_modules", name)
      await Fs.mkdir(to, { recursive: true })
      await run("tar", ["-xzf", tarball.path, "-C", to, "--strip-components=1"])
      files = tarball.files
      installed = to
    }
    const { dependencies, peerDependencies } = await manifestOf(installed)
    const ours = new Set(Object.values(packages))
    for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
      if (!ours.has(name)) await link(name)
    }
  }, 120_000)

  afterAll(() => Fs.rm(project, { recursive: true, force: true }))

  it("holds the licence, a readme and the compiled sources, and no test or build state", () => {
    for (const file of ["LICENSE", "README.md", "package.json", "dist/bin.js", "dist/index.js", "dist/index.d.ts"]) {
      assert.include(files, file)
    }
    assert.deepStrictEqual(files.filter((file) => /\.test\.|tsbuildinfo|\.pem|(^|\/)test\//.test(file)), [])
    const compiled = files.filter((file) => file.startsWith("dist/") && file.endsWith(".js")).sort()
    const sources = files.filter((file) => file.startsWith("src/")).map((file) => file.replace(/^src(.*)\.ts$/, "dist$1.js")).sort()
    assert.deepStrictEqual(compiled, sources, "dist is not src compiled: delete packages/cli/dist")
  })

  it("passes publint", async () => {
    const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true })
    assert.deepStrictEqual(messages.map((message) => formatMessage(message, pkg, { color: false })), [])
  })

  it("runs: a simulator and its providers come along", async () => {
    const { version } = JSON.parse(await Fs.readFile(Path.join(installed, "package.json"), "utf8")) as { version: string }
    assert.strictEqual((await credentials("--version")).stdout.trim(), version)
    const { stdout } = await credentials("request", "digikey", "/products/v4/search/categories", "--demo")
    assert.property(JSON.parse(stdout), "Categories")
    assert.match((await credentials("status", "--demo")).stdout, /digikey +sandbox +\(application\)/)
  })
})
