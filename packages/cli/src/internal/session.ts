/**
 * One run of a command: which provider, whose credentials, and where they are
 * stored.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Path from "@effect/platform/Path"
import type { AuthFlow } from "effect-credentials/AuthFlow"
import * as Credentials from "effect-credentials/Credentials"
import { TokenStoreError } from "effect-credentials/CredentialsError"
import * as CredentialsIdentity from "effect-credentials/CredentialsIdentity"
import * as Keyring from "effect-credentials/Keyring"
import * as TokenStore from "effect-credentials/TokenStore"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { ExitCode } from "../ExitCode.js"
import { Stdio } from "../Stdio.js"
import * as Globals from "./globals.js"
import * as Profiles from "./profiles.js"
import { Current, type Login, type Provider } from "./provider.js"
import { type Failure, Stop, usage } from "./stop.js"

export interface Session {
  readonly provider: Provider
  readonly globals: Globals.Globals
  readonly folder: string
}

/** What `bin` gives to every command. */
export type Environment = Stdio | FileSystem.FileSystem | Path.Path | HttpClient.HttpClient

/** What a session adds. */
type Within = Environment | TokenStore.TokenStore | Scope.Scope

/** The store of a folder; encrypted where there are keys for it, except for what a simulator gave. */
export const store = (
  folder: string,
  globals: Globals.Globals
): Layer.Layer<TokenStore.TokenStore, TokenStoreError | ConfigError, FileSystem.FileSystem | Path.Path> =>
  Layer.unwrapEffect(
    Effect.map(Config.option(Config.string("CREDENTIALS_KEYRING")), (keyring) =>
      Option.isNone(keyring) || globals.demo
        ? TokenStore.layerFile(folder)
        : TokenStore.layerFile(folder).pipe(TokenStore.encrypted(Keyring.fromConfig())))
  )

/** Without its keys, an encrypted entry reads as a token that expired long ago. */
const isEncrypted = ({ token }: TokenStore.Entry): boolean => Redacted.value(token.accessToken).startsWith("encrypted:")

/** What is stored under a key, as far as it can be used. */
export const load = (
  key: TokenStore.StoreKey
): Effect.Effect<Option.Option<TokenStore.Entry>, TokenStoreError, TokenStore.TokenStore> =>
  Effect.flatMap(TokenStore.TokenStore, (store) => store.load(key)).pipe(
    Effect.filterOrFail(
      (stored) => !Option.exists(stored, isEncrypted),
      () => new TokenStoreError({ operation: "load", description: "the entry is encrypted: set CREDENTIALS_KEYRING, or log out first" })
    )
  )

/** With `--demo`, the simulator runs for as long as the effect does, and no variable of the provider is read. */
const simulated = <A, R>(session: Session, effect: Effect.Effect<A, Failure, R>) =>
  Effect.gen(function*() {
    const { folder, provider } = session
    const { err } = yield* Stdio
    const path = yield* Path.Path
    const simulator = yield* provider.simulate(path.join(folder, `${provider.name}.json`))
    yield* err(`Demo: ${simulator.description}, tokens in ${folder}\n`)
    const http = Option.isSome(simulator.httpClient) ? simulator.httpClient.value : yield* HttpClient.HttpClient
    return yield* effect.pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(simulator.config))),
      Effect.provideService(HttpClient.HttpClient, http)
    )
  })

export const run = (
  globals: Globals.Globals,
  provider: Provider,
  body: (session: Session) => Effect.Effect<void, Failure, Within>
): Effect.Effect<void, Failure, Environment> =>
  Effect.gen(function*() {
    const folder = yield* Globals.folder(globals)
    const session: Session = { provider, globals, folder }
    const effect = body(session)
    yield* Effect.provide(globals.demo ? simulated(session, effect) : effect, store(folder, globals))
  }).pipe(Effect.scoped)

/** How a person logs in, where one can. */
export const loginOf = ({ provider: { login, name, title } }: Session): Effect.Effect<Login, Stop> =>
  Effect.mapError(login, () =>
    usage(
      `${title} has no login: its application gets a token with its own keys. ` +
        `Use "credentials token ${name}" or "credentials request ${name} <path>".`
    ))

const flowOf = (
  session: Session,
  kind: Profiles.Kind
): Effect.Effect<AuthFlow<HttpClient.HttpClient>, ConfigError | Stop> =>
  kind === "app"
    ? session.provider.app(session.globals)
    : Effect.flatMap(loginOf(session), ({ flow }) => flow(session.globals))

/** Whose credentials the configuration leads to, as the index has it. */
export const profileOf = (session: Session, kind: Profiles.Kind): Effect.Effect<Profiles.Profile, ConfigError | Stop> =>
  flowOf(session, kind).pipe(
    Effect.flatMap((flow) => CredentialsIdentity.make(flow.identity)),
    Effect.map((identity) => Profiles.of(kind, identity))
  )

/** A command that did what it was asked for has not failed because the index could not be written. */
export const register = (session: Session, profile: Profiles.Profile) =>
  Profiles.add(session.folder, profile).pipe(
    Effect.catchAll(({ message }) =>
      Effect.flatMap(Stdio, ({ err }) => err(`Warning: "credentials status" will not list this login. ${message}\n`)))
  )

const registerIfStored = (session: Session, profile: Profiles.Profile) =>
  Effect.gen(function*() {
    // The command says itself what is wrong with the store.
    const stored = yield* Effect.orElseSucceed(load(profile.key), Option.none)
    if (Option.isSome(stored)) yield* register(session, profile)
  })

/** Runs `effect` with the credentials of that kind. */
export const acting = <A>(
  session: Session,
  kind: Profiles.Kind,
  effect: Effect.Effect<A, Failure, Within | Current>
): Effect.Effect<A, Failure, Within> =>
  Effect.gen(function*() {
    const flow = yield* flowOf(session, kind)
    const profile = yield* profileOf(session, kind)
    return yield* effect.pipe(
      Effect.provide(Credentials.layerShared(Current, flow)),
      Effect.ensuring(registerIfStored(session, profile)),
      Effect.catchTag("ReauthorizationRequired", ({ message }) =>
        Effect.fail(
          new Stop({
            code: ExitCode.loginNeeded,
            message: `${message}\nLog in with: credentials login ${session.provider.name}${Globals.written(session.globals)}`
          })
        ))
    )
  })
