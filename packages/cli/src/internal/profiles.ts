/**
 * The index of what is stored: the store's own names are hashes, and do not say
 * whose tokens they are. It holds no secret.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { CredentialsIdentity } from "effect-credentials/CredentialsIdentity"
import type { TokenStoreError } from "effect-credentials/CredentialsError"
import * as TokenStore from "effect-credentials/TokenStore"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExitCode } from "../ExitCode.js"
import * as PrivateFile from "./privateFile.js"
import { Stop } from "./stop.js"

/** Who is behind a token: a person, or the application itself. */
export type Kind = "user" | "app"

const Profile = Schema.Struct({
  provider: Schema.String,
  environment: Schema.String,
  kind: Schema.Literal("user", "app"),
  /** As the application names it. Not there for a token of the application. */
  account: Schema.optional(Schema.String),
  /** Under which key the store has it. */
  key: Schema.String
})

export interface Profile extends Schema.Schema.Type<typeof Profile> {}

const File = Schema.parseJson(Schema.Struct({ version: Schema.Literal(1), profiles: Schema.Array(Profile) }), { space: 2 })

export const of = (kind: Kind, identity: CredentialsIdentity): Profile => ({
  provider: identity.provider,
  environment: identity.environment,
  kind,
  ...(kind === "user" && Option.isSome(identity.account) ? { account: identity.account.value } : {}),
  key: TokenStore.key(identity)
})

const fileOf = (folder: string) => Effect.map(Path.Path, (path) => path.join(folder, "profiles.json"))

/** Empty where nothing was ever stored. */
export const load = (
  folder: string
): Effect.Effect<ReadonlyArray<Profile>, Stop, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const file = yield* fileOf(folder)
    const text = yield* PrivateFile.read(file)
    if (Option.isNone(text)) return []
    const decoded = yield* Effect.mapError(Schema.decode(File)(text.value), () =>
      new Stop({
        code: ExitCode.store,
        message: `${file} is damaged, or of another version. The tokens are not in it: move it away, and each command adds what it uses again.`
      }))
    return decoded.profiles
  })

const save = (folder: string, profiles: ReadonlyArray<Profile>) =>
  Effect.gen(function*() {
    const text = yield* Effect.orDie(Schema.encode(File)({ version: 1, profiles }))
    yield* PrivateFile.write(yield* fileOf(folder), `${text}\n`)
  })

/** Adds what is not there yet. The store's lock keeps two commands from writing over each other. */
export const add = (
  folder: string,
  profile: Profile
): Effect.Effect<void, Stop | TokenStoreError, FileSystem.FileSystem | Path.Path | TokenStore.TokenStore> =>
  Effect.gen(function*() {
    const has = (profiles: ReadonlyArray<Profile>) => profiles.some(({ key }) => key === profile.key)
    if (has(yield* load(folder))) return
    const store = yield* TokenStore.TokenStore
    yield* store.withLock("profiles", () =>
      Effect.flatMap(load(folder), (profiles) => has(profiles) ? Effect.void : save(folder, [...profiles, profile])))
  })
