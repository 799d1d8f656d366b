/** The built command as a process: what a shell and a script see. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

export const bin = fileURLToPath(new URL("../../dist/bin.js", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A process without a terminal and with a home of its own; its input ends at once unless it is `held`. */
export const start = (
  home: string,
  args: ReadonlyArray<string>,
  options: { readonly held?: boolean; readonly input?: string } = {}
) => {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { PATH: process.env["PATH"], HOME: home },
    stdio: "pipe"
  })
  const written = { out: "", err: "" }
  let changed = () => {}
  child.stdout.on("data", (data) => { written.out += String(data); changed() })
  child.stderr.on("data", (data) => { written.err += String(data); changed() })
  if (options.held !== true) child.stdin.end(options.input ?? "")
  const done = new Promise<Ended>((resolve) => child.on("close", (code) => { resolve({ code, ...written }); changed() }))
  return {
    child,
    done,
    /** What it has written to one of its streams, once that has the pattern in it. */
    until: (stream: "out" | "err", pattern: RegExp) =>
      new Promise<string>((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(written[stream])?.[1]
          if (found !== undefined) return resolve(found)
          if (child.exitCode !== null) return reject(new Error(`It ended: ${written.err}`))
          changed = look
        }
        look()
      })
  }
}
