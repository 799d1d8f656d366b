/**
 * Logs a person in.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as PendingAuthorization from "effect-credentials/PendingAuthorization"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Globals from "../internal/globals.js"
import type * as Help from "../internal/help.js"
import * as Listener from "../internal/listener.js"
import * as Login from "../internal/login.js"
import type { Login as ProviderLogin } from "../internal/provider.js"
import * as Providers from "../internal/providers.js"
import * as Session from "../internal/session.js"
import { usage } from "../internal/stop.js"
import * as Times from "../internal/times.js"
import { Stdio } from "../Stdio.js"

const options = {
  listen: Options.boolean("listen").pipe(
    Options.withDescription("Wait for the browser on a port of this machine instead of asking for its address.")
  ),
  redirectUri: Options.text("redirect-uri").pipe(
    Options.withDescription(
      "Where the provider sends the browser back to, as it is registered there. Default: DIGIKEY_REDIRECT_URI; with --listen, any free port of http://127.0.0.1."
    ),
    Options.optional
  ),
  tlsCert: Options.text("tls-cert").pipe(
    Options.withDescription("With --listen, for an https redirect URI: the file of the certificate, in PEM."),
    Options.optional
  ),
  tlsKey: Options.text("tls-key").pipe(
    Options.withDescription("The file of its private key, in PEM."),
    Options.optional
  )
}

type Chosen = Globals.Globals & {
  readonly listen: boolean
  readonly redirectUri: Option.Option<string>
  readonly tlsCert: Option.Option<string>
  readonly tlsKey: Option.Option<string>
}

const tlsOf = ({ listen, tlsCert, tlsKey }: Chosen) =>
  Effect.gen(function*() {
    if (Option.isNone(tlsCert) && Option.isNone(tlsKey)) return Option.none<Listener.Tls>()
    if (!listen) return yield* usage("--tls-cert and --tls-key belong to --listen.")
    if (Option.isNone(tlsCert) || Option.isNone(tlsKey)) return yield* usage("--tls-cert and --tls-key go together.")
    const fs = yield* FileSystem.FileSystem
    const read = (option: string, file: string) =>
      Effect.mapError(fs.readFileString(file), () => usage(`${option}: the file ${file} cannot be read.`))
    return Option.some<Listener.Tls>({
      cert: yield* read("--tls-cert", tlsCert.value),
      key: yield* read("--tls-key", tlsKey.value)
    })
  })

const redirectUriOf = (chosen: Chosen, login: ProviderLogin, title: string, isTls: boolean) =>
  Effect.gen(function*() {
    if (Option.isSome(chosen.redirectUri)) return chosen.redirectUri.value
    // The variable of a demo is for pasting.
    const configured = chosen.listen && chosen.demo ? Option.none() : yield* login.redirectUri
    if (Option.isSome(configured)) return configured.value
    if (chosen.listen) return Listener.anyPort(isTls)
    return yield* usage(
      `Where does ${title} send the browser back to? Say it as it is registered there, with --redirect-uri or ${login.redirectUriVariable}.`
    )
  })

const body = (chosen: Chosen) => (session: Session.Session) =>
  Effect.gen(function*() {
    const { title } = session.provider
    const login = yield* Session.loginOf(session)
    const tls = yield* tlsOf(chosen)
    const redirectUri = yield* redirectUriOf(chosen, login, title, Option.isSome(tls))
    const flow = yield* login.flow(chosen)
    const profile = yield* Session.profileOf(session, "user")
    // What would keep the store from taking the login is found before a person makes the effort.
    yield* Session.load(profile.key)
    const account = profile.account ?? "default"
    const asked: Login.Asked = { flow, title, environment: profile.environment, account, redirectUri }
    const token = yield* (chosen.listen ? Login.byListening(asked, tls) : Login.byPasting(asked)).pipe(
      Effect.provide(PendingAuthorization.layerMemory),
      Effect.scoped
    )
    yield* Session.register(session, profile)
    const { err } = yield* Stdio
    yield* err(
      `Logged in to ${title} (${profile.environment}) as account "${account}". ` +
        `The access token is good until ${Times.shown(token.expiresAt)} and is renewed as needed.\n`
    )
  })

export const topic: Help.Topic = {
  summary: "Logs a person in, and stores the login. Prints the address to open, and never opens a browser.",
  sections: [{
    title: "Examples",
    lines: [
      "credentials login digikey --redirect-uri https://localhost",
      "    asks for the address that the browser ends at, which is pasted. For DigiKey, whose redirect URIs are https",
      "credentials login digikey --listen --redirect-uri https://localhost:8443/callback \\",
      "    --tls-cert localhost.pem --tls-key localhost-key.pem",
      "    takes it from the browser instead, on a port that is open only for so long",
      "credentials login digikey --account alice --environment sandbox",
      "credentials login digikey --demo --listen",
      "    tries it out: a simulator, no account, nothing that leaves this machine",
      "",
      "A login has to be completed within 10 minutes. An answer that belongs to another login is",
      "refused, and this one goes on. Without a terminal, one line is read from standard input."
    ]
  }]
}

export const command = Command.make("login", { ...Globals.options, ...options, provider: Providers.arg }, (chosen) =>
  Session.run(chosen, chosen.provider, body(chosen))).pipe(
    Command.withDescription(topic.summary)
  )
