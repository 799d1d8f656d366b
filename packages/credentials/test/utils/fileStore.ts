/** A folder with a store in it, and a file system between them that a test can bend. */
import { Error, FileSystem, Path } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import type { Option } from "effect"
import { Context, Effect, Layer } from "effect"
import { TokenStore } from "effect-credentials"
import * as Fs from "node:fs"
import * as Paths from "node:path"
import { type Around, hooked } from "./fileSystemHooks.mjs"

/** As the platform makes it. */
export const systemError = (code: string, path: string): Error.SystemError =>
  new Error.SystemError({
    module: "FileSystem",
    method: "test",
    reason: code === "ENOENT" ? "NotFound" : code === "EEXIST" ? "AlreadyExists" : code === "EACCES" ? "PermissionDenied" : "Unknown",
    pathOrDescriptor: path,
    cause: Object.assign(new globalThis.Error(code), { code })
  })

/** Fails where `when` says so. */
export const failing = (when: (operation: string, path: string) => boolean, code: string): Around =>
(operation, path, run) => Effect.suspend(() => when(operation, path) ? Effect.fail(systemError(code, path)) : run)

interface Opening extends TokenStore.FileOptions {
  readonly around?: Around
  readonly path?: (path: Path.Path) => Path.Path
  readonly folder?: string
}

export const fixture = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const parent = Fs.realpathSync(yield* fs.makeTempDirectoryScoped())
  const folder = Paths.join(parent, "credentials")

  /** A Layer of its own, as another process would have. */
  const open = ({ around, path: bend, ...options }: Opening = {}) =>
    Layer.build(TokenStore.layerFile(options.folder ?? folder, options)).pipe(
      Effect.map(Context.get(TokenStore.TokenStore)),
      Effect.provideService(FileSystem.FileSystem, around === undefined ? fs : hooked(fs, around)),
      Effect.provideService(Path.Path, bend === undefined ? path : bend(path))
    )

  /** The only key's folder. */
  const keyFolder = () => {
    const [name, ...more] = Fs.readdirSync(folder)
    if (name === undefined || more.length > 0) throw new globalThis.Error(`Expected one folder and found ${more.length + 1}`)
    return Paths.join(folder, name)
  }
  const at = (name: string) => Paths.join(keyFolder(), name)
  const names = (prefix = "") => Fs.readdirSync(keyFolder()).filter((name) => name.startsWith(prefix)).sort()
  const read = (name: string) => Fs.readFileSync(at(name), "utf8")
  const write = (name: string, text: string) => Fs.writeFileSync(at(name), text, { mode: 0o600 })
  const mode = (file: string) => (Fs.statSync(file).mode & 0o7777).toString(8)
  return { parent, folder, open, keyFolder, at, names, read, write, mode }
}).pipe(Effect.provide(NodeContext.layer))

export type Fixture = Effect.Effect.Success<typeof fixture>

export const generationOf = (entry: Option.Option<TokenStore.Entry>): number => entry._tag === "Some" ? entry.value.generation : 0
