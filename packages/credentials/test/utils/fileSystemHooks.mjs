// A file system that asks before everything it does, for tests and for child processes, which cannot load TypeScript.
import * as Effect from "effect/Effect"

/**
 * The same file system; `decide(operation, path, run)` says what each operation does. A file is written in two steps,
 * and closing it is a step too, so that one can come between.
 */
export const hooked = (fs, decide) => {
  const around = (operation, path, run) => Effect.suspend(() => decide(operation, path, run))
  const hookedFile = (path, file) => ({
    ...file,
    fd: file.fd,
    seek: (...args) => file.seek(...args),
    get stat() {
      return around("file.stat", path, file.stat)
    },
    get sync() {
      return around("file.sync", path, file.sync)
    },
    truncate: (length) => around("file.truncate", path, file.truncate(length)),
    writeAll: (bytes) => {
      const half = Math.ceil(bytes.length / 2)
      return Effect.zipRight(
        around("file.write", path, file.writeAll(bytes.subarray(0, half))),
        around("file.write", path, file.writeAll(bytes.subarray(half)))
      )
    }
  })
  const plain = (name) => (path, ...rest) => around(name, path, fs[name](path, ...rest))
  return {
    ...fs,
    ...Object.fromEntries(
      [
        "access", "chmod", "exists", "link", "makeDirectory", "readDirectory", "readFile", "readFileString", "readLink",
        "realPath", "remove", "rename", "stat"
      ].map((name) => [name, plain(name)])
    ),
    open: (path, options) =>
      around("open", path, fs.open(path, options)).pipe(
        // A file that cannot be closed is a defect of the platform's, and so it is here.
        Effect.tap(() => Effect.addFinalizer(() => Effect.orDie(around("file.close", path, Effect.void)))),
        Effect.map((file) => hookedFile(path, file))
      )
  }
}
