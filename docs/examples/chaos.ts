import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Random } from "effect"
import * as Progress from "./chaos/progress.js"
import * as Promises from "./chaos/promises.js"
import * as Run from "./chaos/run.js"
import * as Summary from "./chaos/summary.js"
import * as Terminal from "./quick-start/terminal.js"

const usage = `Usage: npm run chaos [-- --seed N] [--requests N] [--in-memory]

Sends requests to the simulators of DigiKey and Digitzs while all kinds of things go wrong: 429, 500
and 503, connections that break, replies that are late or never come, revoked tokens, other rate
limits, clocks that jump, callers that lose patience. Then it looks at what the library has promised.
No account is needed and nothing leaves this machine.

  --seed N      repeats a run: the same requests, and the same things go wrong. Any number by default.
  --requests N  how many requests; 10,000 by default.
  --in-memory   without sockets, in simulated time: then the same seed gives the same run exactly.
                By default the servers listen on loopback, and time goes 30 times as fast.
  --help        shows this text.

The exit code is 1 if a promise is broken. Colours are left out when the output is no terminal, or
when NO_COLOR is set.`

interface Settings {
  readonly seed: number | undefined
  readonly requests: number
  readonly mode: Run.Options["mode"]
}

/** What the options say; a text where they cannot be understood. */
const parse = (
  [option, ...rest]: ReadonlyArray<string>,
  settings: Settings = { seed: undefined, requests: 10_000, mode: "loopback" }
): Settings | string => {
  if (option === undefined) return settings
  if (option === "--in-memory") return parse(rest, { ...settings, mode: "memory" })
  if (option !== "--seed" && option !== "--requests") return `Unknown option: ${option}`
  const [text = "", ...further] = rest
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1
  return option === "--seed" && value >= 0
    ? parse(further, { ...settings, seed: value })
    : option === "--requests" && value > 0
    ? parse(further, { ...settings, requests: value })
    : `${option} needs a number, and got "${text}"`
}

const chaos = ({ mode, requests, seed }: Settings, terminal: Terminal.Terminal, write: ((text: string) => void) | undefined) =>
  Effect.gen(function*() {
    const options = { mode, requests, seed: seed ?? (yield* Random.nextIntBetween(0, 1_000_000)) }
    const progress = write === undefined ? Progress.lines(requests) : Progress.bar(requests, terminal, write)
    const where = mode === "memory" ? "in memory" : "on loopback"
    yield* Console.log(terminal.bold(`Chaos: ${Terminal.number(requests)} requests ${where}, seed ${options.seed}`))
    const report = yield* Run.run({ ...options, onEnd: progress.ended })
    yield* progress.done
    const promises = Promises.check(report)
    yield* Console.log(Summary.lines(terminal, report, promises).join("\n"))
    return Promises.areKept(promises) ? 0 : 1
  })

/** The exit code. `write` is given where the progress can be a bar: a terminal. */
export const main = (args: ReadonlyArray<string>, terminal: Terminal.Terminal, write?: (text: string) => void) => {
  if (args.includes("--help")) return Effect.as(Console.log(usage), 0)
  const settings = parse(args)
  return typeof settings === "string"
    ? Effect.as(Console.error(`${settings}\n\n${usage}`), 2)
    : chaos(settings, terminal, write)
}

if (import.meta.filename === process.argv[1]) {
  const isTerminal = process.stdout.isTTY === true
  const terminal = Terminal.make({
    colours: isTerminal && (process.env["NO_COLOR"] ?? "") === "",
    columns: process.stdout.columns || 100 // 0 where a terminal does not say
  })
  // The reader of a pipe may leave early, as `head` does.
  process.stdout.on("error", () => process.exit(0))
  NodeRuntime.runMain(Effect.map(
    main(process.argv.slice(2), terminal, isTerminal ? (text) => process.stdout.write(text) : undefined),
    (code) => {
      process.exitCode = code
    }
  ))
}
