/**
 * What is stored, for whom and until when.
 */
import * as Command from "@effect/cli/Command"
import type * as TokenStore from "effect-credentials/TokenStore"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { ExitCode } from "../ExitCode.js"
import * as Globals from "../internal/globals.js"
import type * as Help from "../internal/help.js"
import * as Profiles from "../internal/profiles.js"
import * as Session from "../internal/session.js"
import { Stop } from "../internal/stop.js"
import * as Table from "../internal/table.js"
import * as Times from "../internal/times.js"
import { Stdio } from "../Stdio.js"

const titles = ["PROVIDER", "ENVIRONMENT", "ACCOUNT", "ACCESS TOKEN", "REFRESH TOKEN", "GENERATION", "STATE", "KEY"]

interface Row {
  readonly cells: ReadonlyArray<string>
  /** What is wrong with the entry, and what to do. */
  readonly problem?: string
}

const until = (time: DateTime.Utc, now: DateTime.Utc): string =>
  `${DateTime.lessThanOrEqualTo(time, now) ? "expired" : "until"} ${Times.shown(time)}`

const rowOf = (
  { account, environment, key, provider }: Profiles.Profile,
  stored: Either.Either<Option.Option<TokenStore.Entry>, { readonly message: string }>,
  now: DateTime.Utc
): Row => {
  const row = (access: string, refresh: string, generation: string, state: string) => [
    provider,
    environment,
    account ?? "(application)",
    access,
    refresh,
    generation,
    state,
    // Enough to tell two clients of one account apart.
    key.slice(0, 8)
  ]
  if (Either.isLeft(stored)) return { cells: row("-", "-", "-", "unreadable"), problem: stored.left.message }
  if (Option.isNone(stored.right)) return { cells: row("-", "-", "-", "logged out") }
  const { generation, redeeming, token } = stored.right.value
  const refresh = Option.isNone(token.refreshToken)
    ? "none"
    : Option.match(token.refreshExpiresAt, { onNone: () => "until unknown", onSome: (time) => until(time, now) })
  const state = Option.match(redeeming, { onNone: () => "stored", onSome: (since) => `being renewed since ${Times.shown(since)}` })
  return { cells: row(until(token.expiresAt, now), refresh, String(generation), state) }
}

const isWanted = ({ account, environment }: Globals.Globals) => (profile: Profiles.Profile): boolean =>
  Option.getOrElse(account, () => profile.account) === profile.account &&
  Option.getOrElse(environment, () => profile.environment) === profile.environment

const body = (globals: Globals.Globals) =>
  Effect.gen(function*() {
    const { columns, err, out, terminal } = yield* Stdio
    const folder = yield* Globals.folder(globals)
    const profiles = (yield* Profiles.load(folder)).filter(isWanted(globals))
    if (profiles.length === 0) return yield* err(`Nothing is stored in ${folder}. To log in: credentials login <provider>\n`)
    const now = yield* DateTime.now
    const rows = yield* Effect.forEach(profiles, (profile) =>
      Effect.map(Effect.either(Session.load(profile.key)), (stored) => rowOf(profile, stored, now))).pipe(
        Effect.provide(Session.store(folder, globals))
      )
    const width = terminal.stdout ? yield* columns : Number.POSITIVE_INFINITY
    yield* out(`${Table.render(titles, rows.map(({ cells }) => cells), width).join("\n")}\n`)
    const problems = rows.flatMap(({ cells, problem }) =>
      problem === undefined ? [] : [`${cells.slice(0, 3).join(" ")}: ${problem}`]
    )
    if (problems.length > 0) {
      return yield* new Stop({ code: ExitCode.store, message: problems.join("\n") })
    }
  })

export const topic: Help.Topic = {
  summary: "Shows what is stored, for whom and until when. Never a secret.",
  sections: [{
    title: "Examples",
    lines: [
      "credentials status",
      "credentials status --account alice",
      "",
      "GENERATION counts the tokens of one login. An access token that has expired is renewed when",
      "it is needed. \"until unknown\": the provider did not say, so the refresh token is tried."
    ]
  }]
}

export const command = Command.make("status", Globals.options, body).pipe(
  Command.withDescription(topic.summary)
)
