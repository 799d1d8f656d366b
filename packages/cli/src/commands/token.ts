/**
 * The access token, for another program.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Globals from "../internal/globals.js"
import type * as Help from "../internal/help.js"
import { Current, mainKind } from "../internal/provider.js"
import * as Providers from "../internal/providers.js"
import * as Session from "../internal/session.js"
import { Stdio } from "../Stdio.js"

const as = Options.choice("as", ["user", "app"]).pipe(
  Options.withDescription("Whose token: the person's, or the application's own. Default: the person's, where the provider has a login."),
  Options.optional
)

export const topic: Help.Topic = {
  summary: "Prints an access token that is good now, and nothing else, on standard output.",
  sections: [{
    title: "Examples",
    lines: [
      "curl -H @- https://api.digikey.com/... <<< \"Authorization: Bearer $(credentials token digikey)\"",
      "credentials token digikey --as app      the application's own token, for which nobody logs in",
      "",
      "Fetches or renews a token only where that is due. Keep it out of arguments and files: a",
      "header that is read from standard input, as above, is not seen in the list of processes."
    ]
  }]
}

export const command = Command.make("token", { ...Globals.options, as, provider: Providers.arg }, ({ as, provider, ...globals }) =>
  Session.run(globals, provider, (session) =>
    Effect.gen(function*() {
      const { err, out, terminal } = yield* Stdio
      const kind = Option.getOrElse(as, () => mainKind(provider))
      const token = yield* Session.acting(session, kind, Effect.flatMap(Current, ({ token }) => token))
      if (terminal.stdout) {
        yield* err("Warning: an access token follows. Whoever sees this screen, or its scrollback, can use it.\n")
      }
      yield* out(`${Redacted.value(token.accessToken)}\n`)
    }))).pipe(
      Command.withDescription(topic.summary)
    )
