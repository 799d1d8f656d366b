import { NodeRuntime } from "@effect/platform-node"
import { ConfigError, Console, Effect, Logger, LogLevel } from "effect"
import * as Live from "./quick-start/live.js"
import * as Story from "./quick-start/story.js"
import * as Terminal from "./quick-start/terminal.js"

const usage = `Usage: npm start [-- --live]

Without options: serves the simulators of DigiKey and Digitzs on loopback and shows what the token
manager does, what becomes of a payment whose answer is lost, and how a person's login is shared.
No account is needed and nothing leaves this machine.

  --live   makes one search on DigiKey's own server instead. Needs DIGIKEY_CLIENT_ID,
           DIGIKEY_CLIENT_SECRET and DIGIKEY_ENVIRONMENT ("production" or "sandbox").
  --help   shows this text.

Colours are left out when the output is no terminal, or when NO_COLOR is set.`

/** Names the variables; their values are in no ConfigError of the library. */
const configuration = (error: ConfigError.ConfigError): string => {
  switch (error._op) {
    case "And":
    case "Or":
      return `${configuration(error.left)} ${configuration(error.right)}`
    case "MissingData":
      return `${error.path.at(-1)} is not set.`
    default:
      return `${error.path.at(-1)}: ${error.message}.`
  }
}

const explain = (error: Error | ConfigError.ConfigError): string =>
  ConfigError.isConfigError(error) ? `--live cannot start. ${configuration(error)}\n\n${usage}` : error.message

const live = (terminal: Terminal.Terminal) =>
  Live.program(terminal).pipe(
    Effect.as(0),
    Effect.catchAll((error) => Effect.as(Console.error(explain(error)), 1))
  )

const story = (terminal: Terminal.Terminal) =>
  Effect.map(Story.program(terminal), (good) => good ? 0 : 1)

/** The exit code. */
export const main = (args: ReadonlyArray<string>, terminal: Terminal.Terminal) => {
  const [option, ...rest] = args
  const run = rest.length > 0
    ? Effect.as(Console.error(usage), 2)
    : option === undefined
    ? story(terminal)
    : option === "--live"
    ? live(terminal)
    : option === "--help"
    ? Effect.as(Console.log(usage), 0)
    : Effect.as(Console.error(`Unknown option: ${option}\n\n${usage}`), 2)
  // The story tells what the log lines of the library would.
  return Logger.withMinimumLogLevel(run, LogLevel.None)
}

if (import.meta.filename === process.argv[1]) {
  const terminal = Terminal.make({
    colours: process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === "",
    columns: process.stdout.columns || 100 // 0 where a terminal does not say
  })
  // The reader of a pipe may leave early, as `head` does.
  process.stdout.on("error", () => process.exit(0))
  NodeRuntime.runMain(Effect.map(main(process.argv.slice(2), terminal), (code) => {
    process.exitCode = code
  }))
}
