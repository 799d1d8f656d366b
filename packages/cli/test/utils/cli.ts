/** The command line in this process: its streams are kept, everything else is real. */
import { FetchHttpClient, HttpServer } from "@effect/platform"
import { NodeContext, NodeHttpServer } from "@effect/platform-node"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert } from "@effect/vitest"
import { ConfigProvider, Console, Effect, Exit, Fiber, Layer, Option, Queue, Redacted, type Scope } from "effect"
import * as Fs from "node:fs/promises"
import { createServer } from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { Cli, Stdio } from "@effect-credentials/cli"

export interface Options {
  readonly env?: Readonly<Record<string, string>>
  /** Lines of standard input, then its end. */
  readonly stdin?: ReadonlyArray<string>
  /** Standard input that never says anything, like the pipe of a parent that forgot it. */
  readonly silent?: boolean
  /** Somebody sits there. */
  readonly terminal?: boolean
  readonly columns?: number
  /** `NO_COLOR` is set. */
  readonly plain?: boolean
}

export interface Result {
  /** `undefined` for one that was interrupted. */
  readonly code: number | undefined
  readonly out: string
  readonly err: string
}

/** Tokens, codes and secrets of the simulators, and what the tests use as secrets. */
const secrets = /simulated-(access-token|refresh-token|code|client-secret)|simulator-(client-secret|api-key|app-key)|canary|eyJ/

/** No command shows a secret, except the one that is for it. */
const checkSecrets = (args: ReadonlyArray<string>, { err, out }: Result): void => {
  assert.notMatch(err, secrets, `standard error of ${args.join(" ")}`)
  if (!args.includes("token")) assert.notMatch(out, secrets, `standard output of ${args.join(" ")}`)
}

/** Starts a command; `firstLine` is what it first writes to standard output, `done` its end. */
export const start = (
  args: ReadonlyArray<string>,
  options: Options = {}
): Effect.Effect<{
  readonly firstLine: Effect.Effect<string>
  /** What standard error has so far. */
  readonly err: () => string
  /** Writes a line to standard input. */
  readonly type: (line: string) => Effect.Effect<void>
  readonly interrupt: Effect.Effect<void>
  readonly done: Effect.Effect<Result>
}> =>
  Effect.gen(function*() {
    const written = { out: "", err: "" }
    const lines = yield* Queue.unbounded<string>()
    const input = yield* Queue.unbounded<Option.Option<string>>()
    for (const line of options.stdin ?? []) yield* Queue.offer(input, Option.some(line))
    if (options.silent !== true) yield* Queue.offer(input, Option.none())
    const isTerminal = options.terminal === true
    const stdio: Stdio.Stdio = {
      out: (text) =>
        Effect.suspend(() => {
          const added = typeof text === "string" ? text : Buffer.from(text).toString("latin1")
          written.out += added
          return Queue.offer(lines, added)
        }),
      err: (text) => Effect.sync(() => { written.err += text }),
      line: () => Queue.take(input),
      all: Effect.succeed((options.stdin ?? []).join("\n")),
      terminal: { stdin: isTerminal, stdout: isTerminal, stderr: isTerminal },
      columns: Effect.succeed(options.columns ?? 200),
      plain: options.plain === true
    }
    // Where log lines go.
    const logging = Console.consoleWith((console) =>
      Effect.succeed({ ...console, unsafe: { ...console.unsafe, error: (text: unknown) => { written.err += `${String(text)}\n` } } }))
    const fiber = yield* Effect.flatMap(logging, (console) => Effect.withConsole(Cli.run(args), console)).pipe(
      Effect.provide(Layer.mergeAll(NodeContext.layer, FetchHttpClient.layer, Layer.succeed(Stdio.Stdio, stdio))),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(options.env ?? {})))),
      Effect.forkDaemon
    )
    return {
      firstLine: Effect.map(Queue.take(lines), (text) => text.trim()),
      err: () => written.err,
      type: (line: string) => Queue.offer(input, Option.some(line)),
      interrupt: Fiber.interrupt(fiber),
      done: Effect.map(Fiber.await(fiber), (exit) => {
        if (Exit.isFailure(exit) && !Exit.isInterrupted(exit)) throw new Error(String(exit.cause))
        const result = { ...written, code: Exit.isSuccess(exit) ? exit.value : undefined }
        checkSecrets(args, result)
        return result
      })
    }
  })

export const run = (args: ReadonlyArray<string>, options: Options = {}): Effect.Effect<Result> =>
  Effect.flatMap(start(args, options), ({ done }) => done)

export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "credentials-cli-"))),
  (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true, force: true }))
)

/** A simulated DigiKey on loopback, an empty folder, and the variables that lead there. */
export const digikey = (options?: DigiKeySimulator.Options) =>
  Effect.gen(function*() {
    const home = yield* temporaryFolder
    const simulator = yield* DigiKeySimulator.make({ clientSecret: "canary-client-secret", ...options })
    const server = yield* NodeHttpServer.make(() => createServer(), { port: 0, host: "127.0.0.1" })
    yield* server.serve(simulator.app)
    const env = {
      HOME: home,
      DIGIKEY_CLIENT_ID: "simulator-client-id",
      DIGIKEY_CLIENT_SECRET: "canary-client-secret",
      DIGIKEY_ENVIRONMENT: "sandbox",
      DIGIKEY_BASE_URL: HttpServer.formatAddress(server.address),
      DIGIKEY_REDIRECT_URI: "https://localhost"
    }
    return { simulator, env, folder: Path.join(home, ".local", "state", "effect-credentials") }
  })

export type DigiKey = Effect.Effect.Success<ReturnType<typeof digikey>>

export const stateOf = (url: string): string => new URL(url).searchParams.get("state") ?? ""

/** Where the browser of a person who allows the access comes back to. */
export const allowed = ({ simulator }: DigiKey, url: string, account?: string) =>
  Effect.gen(function*() {
    const redirectUri = new URL(url).searchParams.get("redirect_uri") ?? ""
    const { code } = yield* simulator.authorize({ redirectUri, account })
    const callback = new URL(redirectUri)
    callback.searchParams.set("code", Redacted.value(code))
    callback.searchParams.set("state", stateOf(url))
    return callback.href
  })

/** A login by pasting, as a person in a terminal makes it. */
export const login = (world: DigiKey, ...args: ReadonlyArray<string>): Effect.Effect<Result> =>
  Effect.gen(function*() {
    const command = yield* start(["login", "digikey", ...args], { env: world.env, silent: true, terminal: true })
    yield* command.type(yield* allowed(world, yield* command.firstLine))
    return yield* command.done
  })
