import { execFile } from "node:child_process"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

/** What is tested: a folder in `packages`, and the other folders in `packages` that it depends on. */
export interface Subject {
  readonly folder: string
  readonly needs?: ReadonlyArray<string>
  /** What the package asks of its user besides `effect` and `@effect/platform`. */
  readonly peers?: ReadonlyArray<string>
}

interface Manifest {
  readonly name: string
  readonly exports: Record<string, string | null>
  readonly dependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
}

interface Tarball {
  readonly path: string
  readonly files: ReadonlyArray<string>
}

const repository = fileURLToPath(new URL("../../../..", import.meta.url))
const tool = (path: string) => Path.join(repository, "node_modules", path)
const tsc = tool("typescript/bin/tsc")

/** Both streams and the exit code: a failure is an answer here, not an exception. */
const run = async (cwd: string, command: string, ...args: ReadonlyArray<string>) => {
  const options = { cwd, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1" } }
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, options)
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

const succeed = async (cwd: string, command: string, ...args: ReadonlyArray<string>) => {
  const result = await run(cwd, command, ...args)
  expect(result.code, `${command} ${args.join(" ")}\n${result.stdout}\n${result.stderr}`).toBe(0)
  return result.stdout
}

const node = (cwd: string, ...args: ReadonlyArray<string>) => run(cwd, process.execPath, ...args)

/** Test files run side by side, and two builds must not write one `dist` at the same time. */
export const built = async (folder: string) => {
  const lock = Path.join(repository, "node_modules/.cache/packaging.lock")
  await Fs.mkdir(Path.dirname(lock), { recursive: true })
  for (;;) {
    try {
      await Fs.mkdir(lock)
      break
    } catch {
      const age = await Fs.stat(lock).then(({ mtimeMs }) => Date.now() - mtimeMs, () => 0)
      if (age > 60_000) await Fs.rm(lock, { recursive: true, force: true })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  try {
    await succeed(repository, process.execPath, tsc, "-b", `packages/${folder}`)
  } finally {
    await Fs.rm(lock, { recursive: true, force: true })
  }
}

const pack = async (folder: string, destination: string): Promise<Tarball> => {
  await built(folder)
  const stdout = await succeed(
    Path.join(repository, "packages", folder),
    "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", destination
  )
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: ReadonlyArray<{ path: string }> }]
  return { path: Path.join(destination, packed.filename), files: packed.files.map(({ path }) => path) }
}

/** The import paths that the package offers, read from what it ships. */
const entryPoints = ({ exports, name }: Manifest, files: ReadonlyArray<string>) =>
  Object.entries(exports).flatMap(([key, target]) => {
    if (target === null || key === "./package.json") return []
    const path = target.replace("./", "")
    if (!key.includes("*")) return [name + key.slice(1)]
    const [before = "", after = ""] = path.split("*")
    return files
      .filter((file) => file.startsWith(before) && file.endsWith(after))
      .map((file) => file.slice(before.length, -after.length))
      .filter((module) => !module.includes("/") && module !== "index")
      .map((module) => name + key.slice(1).replace("*", module))
  })

const peersOf = ({ peers = [] }: Subject) => ["@effect/platform", "effect", ...peers].sort()

/** The suite that every published package must pass. */
export const packaging = (subject: Subject) => {
  const { folder, needs = [] } = subject
  let project: string
  let tarball: Tarball
  let manifest: Manifest
  let modules: ReadonlyArray<string>

  const compile = async (moduleResolution: "NodeNext" | "Bundler", lines: ReadonlyArray<string>) => {
    await Fs.writeFile(Path.join(project, "program.ts"), lines.join("\n"))
    await Fs.writeFile(
      Path.join(project, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "ES2022",
          lib: ["ES2023", "DOM", "DOM.Iterable"],
          types: [],
          module: moduleResolution === "Bundler" ? "ESNext" : moduleResolution,
          moduleResolution,
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true
        },
        files: ["program.ts"]
      })
    )
    return node(project, tsc, "-p", "tsconfig.json")
  }

  const useEveryModule = () => [
    ...modules.map((module, index) => `import * as module${index} from ${JSON.stringify(module)}`),
    `export const modules = [${modules.map((_, index) => `module${index}`).join(", ")}]`
  ]

  /** One that exists, if there is any: an unknown name would fail for the wrong reason. */
  const internalModule = () => {
    const file = tarball.files.find((file) => /^dist\/internal\/[^/]+\.js$/.test(file))
    return `${manifest.name}/internal/${Path.basename(file ?? "anything.js", ".js")}`
  }

  describe(`the tarball of packages/${folder}`, { timeout: 120_000 }, () => {
    beforeAll(async () => {
      project = await Fs.realpath(await Fs.mkdtemp(Path.join(Os.tmpdir(), `packaging-${folder}-`)))
      const tarballs: Array<Tarball> = []
      for (const each of [...needs, folder]) tarballs.push(await pack(each, project))
      tarball = tarballs[tarballs.length - 1]!
      await Fs.writeFile(Path.join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))
      await succeed(
        project, "npm", "install", "--offline", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund",
        ...tarballs.map(({ path }) => path)
      )
      for (const peer of peersOf(subject)) {
        const link = Path.join(project, "node_modules", peer)
        await Fs.mkdir(Path.dirname(link), { recursive: true })
        await Fs.symlink(tool(peer), link, "dir")
      }
      const { name } = JSON.parse(
        await Fs.readFile(Path.join(repository, "packages", folder, "package.json"), "utf8")
      ) as Manifest
      manifest = JSON.parse(await Fs.readFile(Path.join(project, "node_modules", name, "package.json"), "utf8"))
      modules = entryPoints(manifest, tarball.files)
    }, 120_000)

    afterAll(() => Fs.rm(project, { recursive: true, force: true }))

    it("holds the licence, a readme and the compiled sources, and no test or build state", () => {
      const { files } = tarball
      expect(files).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json", "dist/index.js", "dist/index.d.ts"]))
      expect(files.filter((file) => /\.(test|tst)\.|tsbuildinfo|(^|\/)(test|typetest)\//.test(file))).toEqual([])
      const compiled = files.filter((file) => file.startsWith("dist/") && file.endsWith(".js"))
      const sources = files.filter((file) => file.startsWith("src/")).map((file) =>
        file.replace(/^src/, "dist").replace(/\.ts$/, ".js")
      )
      expect(compiled.sort(), `dist is not src compiled: delete packages/${folder}/dist`).toEqual(sources.sort())
    })

    it("leaves Effect to its user, and depends on nothing but packages of this repository", async () => {
      const workspace = await Promise.all(needs.map(async (need) =>
        JSON.parse(await Fs.readFile(Path.join(repository, "packages", need, "package.json"), "utf8")) as Manifest
      ))
      expect(Object.keys(manifest.peerDependencies ?? {}).sort()).toEqual(peersOf(subject))
      expect(Object.keys(manifest.dependencies ?? {}).sort()).toEqual(workspace.map(({ name }) => name).sort())
    })

    it("passes publint", async () => {
      const { messages, pkg } = await publint({
        pkgDir: Path.join(project, "node_modules", manifest.name),
        pack: false,
        strict: true
      })
      expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
    })

    it("passes attw for every module", async () => {
      const entries = modules.map((module) => module === manifest.name ? "." : module.slice(manifest.name.length + 1))
      await succeed(
        project,
        process.execPath, tool("@arethetypeswrong/cli/dist/index.js"), tarball.path,
        "--profile", "esm-only", "--no-definitely-typed", "--format", "ascii", "--no-emoji", "--entrypoints", ...entries
      )
    })

    it.each(["NodeNext", "Bundler"] as const)("compiles in a program with %s, and hides internal modules", async (resolution) => {
      const { code, stdout } = await compile(resolution, [
        ...useEveryModule(),
        `export * as internal from ${JSON.stringify(internalModule())}`
      ])
      expect(stdout).toMatch(/^program\.ts\(\d+,\d+\): error TS2307: Cannot find module '[^']+\/internal\/[^\n]+\n$/)
      expect(code).not.toBe(0)
    })

    it("runs in node with import", async () => {
      await Fs.writeFile(Path.join(project, "uses.mjs"), useEveryModule().join("\n"))
      expect(await node(project, "uses.mjs")).toEqual({ code: 0, stdout: "", stderr: "" })
    })

    it("runs in node with require", async () => {
      const lines = modules.map((module) => `if (!require(${JSON.stringify(module)})) throw new Error()`)
      await Fs.writeFile(Path.join(project, "uses.cjs"), lines.join("\n"))
      const { code, stderr } = await node(project, "uses.cjs")
      expect(code, stderr).toBe(0)
    })

    it("hides internal modules at run time", async () => {
      await Fs.writeFile(Path.join(project, "internal.mjs"), `import ${JSON.stringify(internalModule())}`)
      const { code, stderr } = await node(project, "internal.mjs")
      expect(stderr).toContain("ERR_PACKAGE_PATH_NOT_EXPORTED")
      expect(code).toBe(1)
    })
  })
}
