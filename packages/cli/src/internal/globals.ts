/**
 * The options that every command takes, and the folder that they lead to.
 */
import * as Options from "@effect/cli/Options"
import * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Stop, usage } from "./stop.js"

export interface Globals {
  readonly account: Option.Option<string>
  readonly environment: Option.Option<string>
  readonly folder: Option.Option<string>
  readonly demo: boolean
}

export const options = {
  account: Options.text("account").pipe(
    Options.withDescription("Whose login, in your own words: a name under which it is stored. Default: \"default\"."),
    Options.optional
  ),
  environment: Options.text("environment").pipe(
    Options.withDescription("Of the provider. For DigiKey \"production\" or \"sandbox\"; default: DIGIKEY_ENVIRONMENT."),
    Options.optional
  ),
  folder: Options.text("folder").pipe(
    Options.withDescription("Where tokens are stored. Default: effect-credentials in your state folder."),
    Options.optional
  ),
  demo: Options.boolean("demo").pipe(
    Options.withDescription("Use a simulator of the provider on this machine, and a folder of its own. Needs no account.")
  )
}

/** Those with a value, for who looks for the command among them. */
export const withValue: ReadonlyArray<string> = ["--account", "--environment", "--folder", "--log-level"]

const optional = (name: string) => Config.option(Config.nonEmptyString(name))

/** The XDG Base Directory Specification, which passes over relative paths; on Windows, the profile's local data. */
const stateFolder: Effect.Effect<string, Stop | ConfigError, Path.Path> = Effect.gen(function*() {
  const path = yield* Path.Path
  const name = "effect-credentials"
  if (path.sep === "\\") {
    const local = yield* optional("LOCALAPPDATA")
    if (Option.isSome(local)) return path.join(local.value, name)
    return yield* usage("LOCALAPPDATA is not set: say where tokens are stored with --folder.")
  }
  const state = Option.filter(yield* optional("XDG_STATE_HOME"), path.isAbsolute)
  if (Option.isSome(state)) return path.join(state.value, name)
  const home = yield* optional("HOME")
  if (Option.isSome(home)) return path.join(home.value, ".local", "state", name)
  return yield* usage("Neither XDG_STATE_HOME nor HOME is set: say where tokens are stored with --folder.")
})

/** An absolute path. A demo never meets the tokens of a provider. */
export const folder = (globals: Globals): Effect.Effect<string, Stop | ConfigError, Path.Path> =>
  Effect.gen(function*() {
    const path = yield* Path.Path
    const root = Option.isSome(globals.folder) ? path.resolve(globals.folder.value) : yield* stateFolder
    return globals.demo ? path.join(root, "demo") : root
  })

const quoted = (text: string): string => /^[\w@.:/+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/** The options as a person would write them, for a command to suggest. */
export const written = (globals: Globals): string =>
  [
    ...(["account", "environment", "folder"] as const).flatMap((name) =>
      Option.match(globals[name], { onNone: () => [], onSome: (value) => [` --${name} ${quoted(value)}`] })
    ),
    ...(globals.demo ? [" --demo"] : [])
  ].join("")
