/**
 * Every example in a public docstring compiles against the built packages, as a
 * program of a user's would.
 */
import { assert, describe, it } from "vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const repository = fileURLToPath(new URL("../..", import.meta.url))

const filesBelow = (folder: string): ReadonlyArray<string> =>
  Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => Path.join(folder, file))

const sources = ["credentials", "digikey", "digitzs", "sql"].flatMap((name) =>
  filesBelow(Path.join(repository, "packages", name, "src"))
)

/** Example programs by the name of a file that does not exist, beside this one so that packages resolve. */
const examples = new Map(
  sources.flatMap((source) =>
    Array.from(Fs.readFileSync(source, "utf8").matchAll(/@example\n \* ```ts\n([\s\S]*?)\n \* ```/g), ([, block], index) => {
      const name = Path.relative(repository, source).replace(/[\\/.]/g, "_")
      const code = (block ?? "").replace(/^ \* ?/gm, "")
      return [Path.join(repository, "docs/test", `${name}_${index}.ts`), code] as const
    })
  )
)

describe("the examples in docstrings", () => {
  it("are there", () => {
    assert.isAtLeast(examples.size, 20)
  })

  it("compile", { timeout: 120_000 }, () => {
    const options: ts.CompilerOptions = {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      moduleDetection: ts.ModuleDetectionKind.Force,
      skipLibCheck: true,
      noEmit: true
    }
    const host = ts.createCompilerHost(options)
    const { fileExists, getSourceFile, readFile } = host
    host.fileExists = (file) => examples.has(Path.normalize(file)) || fileExists(file)
    host.readFile = (file) => examples.get(Path.normalize(file)) ?? readFile(file)
    host.getSourceFile = (file, version, ...rest) => {
      const code = examples.get(Path.normalize(file))
      return code === undefined ? getSourceFile(file, version, ...rest) : ts.createSourceFile(file, code, version)
    }
    const program = ts.createProgram(Array.from(examples.keys()), options, host)
    const found = ts.getPreEmitDiagnostics(program).map((it) =>
      `${it.file === undefined ? "" : Path.basename(it.file.fileName)}: ${ts.flattenDiagnosticMessageText(it.messageText, "\n")}`
    )
    assert.deepStrictEqual(found, [])
  })
})
