import { DigiKeyUser, Quotes } from "@effect-credentials/digikey"
import { FetchHttpClient } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { Config, Console, DateTime, Effect, Layer, Option } from "effect"
import { CredentialsConfig, Keyring, Token, TokenStore } from "effect-credentials"

// #region layer
const Stored = Layer.unwrapEffect(Effect.map(Config.string("CREDENTIALS_FOLDER"), (folder) =>
  TokenStore.layerFile(folder).pipe(
    TokenStore.encrypted(Keyring.fromConfig("CREDENTIALS_KEYRING")),
    Layer.provide(NodeContext.layer)
  )))

const AppLayer = DigiKeyUser.layerConfig().pipe(
  Layer.provideMerge(Stored),
  Layer.provideMerge(FetchHttpClient.layer)
)
// #endregion

// #region program
// Effect<void, ApiClientError, DigiKeyUser | HttpClient>
const listQuotes = Quotes.listQuotes().pipe(
  Effect.flatMap(({ Quotes }) => Console.log(`${Quotes.length} quotes`)),
  Effect.catchTag("ReauthorizationRequired", (error) => Console.log(error.message))
)
// #endregion

// #region import
/** Takes over a login that another program made. That program must not use the refresh token again. */
const importLogin = Effect.gen(function*() {
  const store = yield* TokenStore.TokenStore
  const { identity } = yield* DigiKeyUser.DigiKeyUser
  const refreshToken = yield* CredentialsConfig.secret("OLD_REFRESH_TOKEN")
  const now = yield* DateTime.now
  yield* store.withLock(TokenStore.key(identity), ({ save, stored }) =>
    save({
      // An access token that has expired: the first request renews it.
      token: Token.make({ accessToken: "imported", issuedAt: now, expiresAt: now, refreshToken }),
      generation: Option.match(stored, { onNone: () => 1, onSome: ({ generation }) => generation + 1 }),
      redeeming: Option.none()
    }))
})
// #endregion

// #region logout
const logout = Effect.gen(function*() {
  const store = yield* TokenStore.TokenStore
  const { identity } = yield* DigiKeyUser.DigiKeyUser
  yield* store.remove(TokenStore.key(identity))
})
// #endregion

export const program = Effect.gen(function*() {
  yield* listQuotes
  yield* importLogin
  yield* listQuotes
  yield* logout
}).pipe(Effect.provide(AppLayer))

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
