import { Console, Effect } from "effect"
import { number, type Terminal } from "../quick-start/terminal.js"

/** How far a run is. */
export interface Progress {
  readonly ended: (requests: number) => Effect.Effect<void>
  readonly done: Effect.Effect<void>
}

/** Ten lines: for a file, a pipe and a test. */
export const lines = (total: number): Progress => ({
  ended: (requests) =>
    Math.floor(requests * 10 / total) === Math.floor((requests - 1) * 10 / total)
      ? Effect.void
      : Console.log(`  ${number(requests)} of ${number(total)} requests`),
  done: Effect.void
})

const width = 40

/** One line that is written again and again: for a terminal. */
export const bar = (total: number, { dim, green }: Terminal, write: (text: string) => void): Progress => ({
  ended: (requests) =>
    Math.floor(requests * 200 / total) === Math.floor((requests - 1) * 200 / total)
      ? Effect.void
      : Effect.sync(() => {
        const full = Math.floor(requests * width / total)
        write(`\r  ${green("█".repeat(full))}${dim("░".repeat(width - full))}  ${number(requests)} of ${number(total)} requests`)
      }),
  done: Effect.sync(() => write("\r\u001b[K"))
})
