/**
 * The three streams of a command, and which of them a person is looking at.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { stderr, stdin, stdout } from "node:process"
import { createInterface } from "node:readline"
import { isatty } from "node:tty"

/**
 * @since 0.1.0
 * @category models
 */
export interface Stdio {
  /** To standard output. Done when the system has it; a reader that has gone away is no failure. */
  readonly out: (text: string | Uint8Array) => Effect.Effect<void>
  /** To standard error. */
  readonly err: (text: string) => Effect.Effect<void>
  /** One line of standard input without its end; `None` at the end of input. A person is shown the prompt. */
  readonly line: (prompt: string) => Effect.Effect<Option.Option<string>>
  /** All of standard input. */
  readonly all: Effect.Effect<string>
  readonly terminal: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean }
  /** Width of the terminal; 80 where there is none. */
  readonly columns: Effect.Effect<number>
  /** Whether a person has asked for no colours (`NO_COLOR`). */
  readonly plain: boolean
}

/**
 * @since 0.1.0
 * @category tags
 */
export const Stdio: Context.Tag<Stdio, Stdio> = Context.GenericTag<Stdio>("@effect-credentials/cli/Stdio")

const write = (stream: typeof stdout | typeof stderr) => (text: string | Uint8Array): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    stream.write(text, () => resume(Effect.void))
  })

/**
 * In a terminal, readline takes over the line: the system's own line buffer cuts
 * lines at 4,096 characters (1,024 on macOS), and a code can be longer.
 */
const line = (isTerminal: boolean) => (prompt: string): Effect.Effect<Option.Option<string>> =>
  Effect.async((resume) => {
    const lines = createInterface(isTerminal ? { input: stdin, output: stderr, terminal: true } : { input: stdin })
    // The first answer counts. What has not been closed keeps the process alive.
    lines.once("line", (text) => {
      resume(Effect.succeedSome(text))
      lines.close()
    })
    lines.once("close", () => resume(Effect.succeedNone))
    // Ctrl-C is a key here, not a signal.
    lines.once("SIGINT", () => {
      stderr.write("\n")
      resume(Effect.interrupt)
    })
    if (isTerminal) {
      lines.setPrompt(prompt)
      lines.prompt()
    }
    return Effect.sync(() => lines.close())
  })

const all: Effect.Effect<string> = Effect.async((resume) => {
  const chunks: Array<Buffer> = []
  stdin.on("data", (chunk) => chunks.push(Buffer.from(chunk)))
  stdin.once("end", () => resume(Effect.succeed(Buffer.concat(chunks).toString("utf8"))))
  stdin.once("error", () => resume(Effect.succeed("")))
})

/**
 * The streams of this process.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Stdio> = Layer.effect(
  Stdio,
  Effect.gen(function*() {
    // The reader of a pipe may leave early, as `head` does.
    for (const stream of [stdout, stderr]) stream.on("error", constVoid)
    const noColour = yield* Effect.option(Config.nonEmptyString("NO_COLOR"))
    const terminal = { stdin: isatty(0), stdout: isatty(1), stderr: isatty(2) }
    return {
      out: write(stdout),
      err: write(stderr),
      line: line(terminal.stdin),
      all,
      terminal,
      columns: Effect.sync(() => stdout.columns || stderr.columns || 80),
      plain: Option.isSome(noColour)
    }
  })
)
