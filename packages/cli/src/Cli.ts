/**
 * The command line: what `bin` runs, as an Effect that answers with the exit
 * code.
 *
 * @since 0.1.0
 */
import type * as CliApp from "@effect/cli/CliApp"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { fileURLToPath } from "node:url"
import * as Limits from "./commands/limits.js"
import * as Login from "./commands/login.js"
import * as Logout from "./commands/logout.js"
import * as Request from "./commands/request.js"
import * as Status from "./commands/status.js"
import * as TokenCommand from "./commands/token.js"
import { ExitCode, meanings } from "./ExitCode.js"
import * as Globals from "./internal/globals.js"
import * as Help from "./internal/help.js"
import type { Environment } from "./internal/session.js"
import { explain, type Failure } from "./internal/stop.js"
import { Stdio } from "./Stdio.js"

const described = <Name extends string, R, E, A>(
  command: Command.Command<Name, R, E, A>,
  topic: Help.Topic
) => ({ topic, doc: Command.getHelp(command, { ...CliConfig.defaultConfig, showBuiltIns: false }) })

const commands = {
  login: described(Login.command, Login.topic),
  status: described(Status.command, Status.topic),
  token: described(TokenCommand.command, TokenCommand.topic),
  request: described(Request.command, Request.topic),
  limits: described(Limits.command, Limits.topic),
  logout: described(Logout.command, Logout.topic)
}

const rootTopic: Help.Topic = {
  summary: "Logs in to an API, shows what is stored, and calls it.",
  sections: [
    {
      title: "Examples",
      lines: [
        "credentials login digikey --demo --listen     try it: a simulator, no account needed",
        "credentials login digikey                     prints an address to open, takes the one you end at",
        "credentials status                            what is stored, for whom, until when",
        "credentials request digikey /quoting/v4/quotes",
        "credentials limits digikey                    how many requests are left, and until when",
        "credentials <command> --help                  all about one command"
      ]
    },
    {
      title: "Environment",
      lines: Help.pairs([
        ["DIGIKEY_CLIENT_ID, DIGIKEY_CLIENT_SECRET", "the application at DigiKey"],
        ["DIGIKEY_ENVIRONMENT", "production or sandbox; --environment instead"],
        ["DIGIKEY_REDIRECT_URI", "as it is registered there; --redirect-uri instead"],
        ["DIGIKEY_USER", "the account, where --account does not say"],
        ["DIGITZS_API_KEY, DIGITZS_APP_KEY, DIGITZS_APP_ID", "the application at Digitzs"],
        ["CREDENTIALS_KEYRING", "encrypts what is stored: <id>:<openssl rand -base64 32>"],
        ["XDG_STATE_HOME", "where the folder is; --folder instead"],
        ["NO_COLOR", "no colours"]
      ])
    },
    { title: "Exit codes", lines: Help.pairs(meanings.map(([code, meaning]) => [String(code).padStart(3), meaning])) }
  ]
}

const root = Command.make("credentials").pipe(
  Command.withDescription(rootTopic.summary),
  Command.withSubcommands([Login.command, Status.command, TokenCommand.command, Request.command, Limits.command, Logout.command])
)

type Topic = keyof typeof commands

const isTopic = (text: string): text is Topic => Object.hasOwn(commands, text)

/** Which of the arguments is the command: the first that is no option, and no option's value. */
const commandIndex = (args: ReadonlyArray<string>): number =>
  args.findIndex((arg, index) => isTopic(arg) && !Globals.withValue.includes(args[index - 1] ?? ""))

/** The command goes first: the options of all commands may be written before it. */
const commandFirst = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const index = commandIndex(args)
  return index <= 0 ? args : [...args.slice(index, index + 1), ...args.slice(0, index), ...args.slice(index + 1)]
}

/** As @effect/cli has it: wherever it stands, and where there is nothing at all. */
const wantsHelp = (args: ReadonlyArray<string>): boolean => args.length === 0 || args.includes("--help") || args.includes("-h")

const helpFor = (topic: Topic | undefined): string =>
  topic === undefined
    ? Help.ofRoot(
      rootTopic,
      Object.entries(commands).map(([name, { topic: { summary } }]) => [name, summary]),
      Command.getHelp(root, CliConfig.defaultConfig)
    )
    : Help.ofCommand(topic, commands[topic].topic, commands[topic].doc)

const Manifest = Schema.parseJson(Schema.Struct({ version: Schema.String }))

const version = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.readFileString(fileURLToPath(new URL("../package.json", import.meta.url)))).pipe(
    Effect.flatMap(Schema.decode(Manifest)),
    Effect.map(({ version }) => version),
    Effect.orDie
  )

/** What @effect/cli prints: help on standard output, what is wrong on standard error, colours where they are seen. */
const withConsole = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Stdio> =>
  Effect.flatMap(Stdio, ({ err, out, plain, terminal }) => {
    const text = (isTerminal: boolean, words: ReadonlyArray<unknown>) => {
      const joined = `${words.join(" ")}\n`
      return isTerminal && !plain ? joined : Help.withoutColours(joined)
    }
    return Console.consoleWith((console) =>
      Effect.withConsole(effect, {
        ...console,
        log: (...words) => out(text(terminal.stdout, words)),
        error: (...words) => err(text(terminal.stderr, words))
      })
    )
  })

const report = (error: Failure) =>
  Effect.gen(function*() {
    const { err } = yield* Stdio
    const { code, message } = explain(error)
    if (message !== undefined) yield* err(`${message}\n`)
    return code
  })

/** A message may repeat what it was about; where it happened does not. */
const frames = (defect: unknown): string =>
  defect instanceof Error ? `${defect.name}\n${(defect.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)).join("\n")}` : typeof defect

const died = (cause: Cause.Cause<never>) =>
  Option.match(Cause.dieOption(cause), {
    onNone: () => Effect.succeed(ExitCode.interrupted),
    onSome: (defect) =>
      Effect.flatMap(Stdio, ({ err }) => err(`This is a mistake in the program; please report it. ${frames(defect)}\n`)).pipe(
        Effect.as(ExitCode.failed)
      )
  })

/**
 * Runs the command that the arguments name, without those of Node, and answers
 * with the exit code. It fails with nothing, and has said on standard error why
 * a command failed. An interruption stays one.
 *
 * @example
 * ```ts
 * import { Cli, Stdio } from "@effect-credentials/cli"
 * import { FetchHttpClient } from "@effect/platform"
 * import { NodeContext } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 *
 * export const exitCode = Cli.run(["status"]).pipe(
 *   Effect.provide(Layer.mergeAll(NodeContext.layer, FetchHttpClient.layer, Stdio.layer))
 * )
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const run = (
  given: ReadonlyArray<string>
): Effect.Effect<ExitCode, never, Environment | CliApp.CliApp.Environment> =>
  Effect.gen(function*() {
    const args = commandFirst(given)
    if (wantsHelp(args)) return yield* Effect.as(Console.log(helpFor(args.find(isTopic))), ExitCode.ok)
    const app = Command.run(root, { name: "credentials", version: yield* version })
    return yield* app(["node", "credentials", ...args]).pipe(Effect.as(ExitCode.ok), Effect.catchAll(report))
  }).pipe(
    Effect.catchAllCause((cause) => Cause.isInterruptedOnly(cause) ? Effect.failCause(cause) : died(cause)),
    withConsole,
    // Silent but for --log-level, which is set further inside. Standard output is for answers.
    Logger.withMinimumLogLevel(LogLevel.None),
    Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)))
  )
