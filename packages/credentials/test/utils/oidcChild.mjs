// A process with a stored login, told by its only argument, in JSON, how often to renew it. It imports the built package.
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Credentials from "effect-credentials/Credentials"
import * as OAuth2 from "effect-credentials/OAuth2"
import * as TokenStore from "effect-credentials/TokenStore"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

const { client, fibers, folder, issuer, redemptions } = JSON.parse(process.argv[2])

class User extends Credentials.Tag("User")() {}

const flow = OAuth2.authorizationCode({
  provider: "oidc-provider",
  account: "alice",
  baseUrl: issuer,
  tokenUrl: `${issuer}/token`,
  clientId: client.id,
  clientSecret: client.secret === undefined ? undefined : Redacted.make(client.secret),
  clientAuthentication: client.authentication,
  scopes: ["openid", "offline_access"],
  lifetimeWhenAbsent: "1 minute"
})

let calls = 0
const Counted = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(HttpClient.HttpClient, HttpClient.tapRequest(() => Effect.sync(() => { calls++ })))
).pipe(Layer.provide(FetchHttpClient.layer))

const failed = {}
const tokens = new Set()

const fiber = (user) =>
  Effect.gen(function*() {
    while (calls < redemptions) {
      const result = yield* Effect.either(user.refresh)
      if (Either.isRight(result)) tokens.add(Redacted.value(result.right.accessToken))
      else failed[result.left.message] = (failed[result.left.message] ?? 0) + 1
      yield* Effect.yieldNow()
    }
  })

await User.pipe(
  Effect.flatMap((user) => Effect.all(Array.from({ length: fibers }, () => fiber(user)), { concurrency: "unbounded" })),
  Effect.provide(Credentials.layerShared(User, flow)),
  Effect.provide(TokenStore.layerFile(folder)),
  Effect.provide(Layer.mergeAll(NodeFileSystem.layer, NodePath.layer, Counted)),
  Effect.runPromise
)
console.log(JSON.stringify({ calls, tokens: tokens.size, failed }))
