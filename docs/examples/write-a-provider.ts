import { FetchHttpClient } from "@effect/platform"
import { Config, Console, Effect, Layer, Schema } from "effect"
import { ApiClient, Credentials, CredentialsConfig, OAuth2 } from "effect-credentials"

// #region provider
export class Acme extends Credentials.Tag("acme/Acme")<Acme>() {}

const flow = Effect.gen(function*() {
  const host = yield* Config.withDefault(Config.string("ACME_URL"), "https://api.acme.example")
  return yield* OAuth2.clientCredentials({
    provider: "acme",
    baseUrl: host,
    tokenUrl: `${host}/oauth/token`,
    clientId: yield* CredentialsConfig.text("ACME_CLIENT_ID"),
    clientSecret: yield* CredentialsConfig.secret("ACME_CLIENT_SECRET"),
    clientAuthentication: "client_secret_basic",
    scopes: ["parts:read"],
    lifetimeWhenAbsent: "10 minutes" // what a token is worth when its reply has no expires_in
  })
})

export const AcmeLayer = Credentials.layer(Acme, flow)

const client = ApiClient.make(Acme, { product: "Acme Parts", path: "/v1" })
const Parts = Schema.Array(Schema.Struct({ name: Schema.String, stock: Schema.Int }))

export const parts = Effect.flatMap(client.get("/parts"), ApiClient.decodeJson("Acme Parts", Parts))
// #endregion

export const program = parts.pipe(
  Effect.flatMap((parts) => Console.table(parts)),
  Effect.provide(Layer.provideMerge(AcmeLayer, FetchHttpClient.layer))
)

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
