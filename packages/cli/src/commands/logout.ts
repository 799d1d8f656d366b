/**
 * Forgets a token on this machine.
 */
import * as Command from "@effect/cli/Command"
import * as TokenStore from "effect-credentials/TokenStore"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Globals from "../internal/globals.js"
import type * as Help from "../internal/help.js"
import * as Profiles from "../internal/profiles.js"
import { mainKind } from "../internal/provider.js"
import * as Providers from "../internal/providers.js"
import * as Session from "../internal/session.js"
import { usage } from "../internal/stop.js"
import { Stdio } from "../Stdio.js"

/** What the index has, and what the configuration leads to: another program may have stored it. */
const profilesOf = (session: Session.Session) =>
  Effect.gen(function*() {
    const { folder, globals, provider } = session
    const kind = mainKind(provider)
    const configured = yield* Effect.option(Session.profileOf(session, kind))
    const account = Option.orElse(globals.account, () => Option.flatMapNullable(configured, ({ account }) => account))
    const environment = Option.orElse(globals.environment, () => Option.map(configured, ({ environment }) => environment))
    const known = (yield* Profiles.load(folder)).filter((profile) =>
      profile.provider === provider.name && profile.kind === kind &&
      (kind === "app" || profile.account === Option.getOrElse(account, () => "default")) &&
      Option.getOrElse(environment, () => profile.environment) === profile.environment
    )
    const others = Option.toArray(configured).filter(({ key }) => known.every((profile) => profile.key !== key))
    return [...known, ...others]
  })

const body = (session: Session.Session) =>
  Effect.gen(function*() {
    const { provider: { login, title } } = session
    const { err } = yield* Stdio
    const store = yield* TokenStore.TokenStore
    const profiles = yield* profilesOf(session)
    const environments = [...new Set(profiles.map(({ environment }) => environment))]
    if (environments.length > 1) {
      return yield* usage(`There are logins to several environments. Say which with --environment: ${environments.join(", ")}.`)
    }
    // What cannot be read can still be removed.
    const stored = yield* Effect.filter(profiles, ({ key }) =>
      Effect.match(store.load(key), { onFailure: () => true, onSuccess: Option.isSome }))
    yield* Effect.forEach(stored, ({ key }) => store.remove(key), { discard: true })
    if (stored.length === 0) return yield* err(`No ${login._tag === "Some" ? "login to" : "token of"} ${title} is stored here.\n`)
    yield* err(
      login._tag === "Some"
        ? `Removed the login to ${title} from this machine. ${title} still knows it: to end it there, use the settings of your account. ` +
          "A program that has the access token can use it until it expires.\n"
        : `Removed the token of ${title} from this machine. A program that has it can use it until it expires.\n`
    )
  })

export const topic: Help.Topic = {
  summary: "Removes a login from this machine. The provider still knows it.",
  sections: [{
    title: "Examples",
    lines: [
      "credentials logout digikey",
      "credentials logout digikey --account alice --environment sandbox",
      "",
      "Works for an entry that cannot be read any more, and needs no secret."
    ]
  }]
}

export const command = Command.make("logout", { ...Globals.options, provider: Providers.arg }, ({ provider, ...globals }) =>
  Session.run(globals, provider, body)).pipe(
    Command.withDescription(topic.summary)
  )
