import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { FetchHttpClient } from "@effect/platform"
import { Console, DateTime, Effect, Layer, Stream } from "effect"
import { CredentialsEvent } from "effect-credentials"

// #region alerts
const describe = CredentialsEvent.$match({
  Acquired: ({ expiresAt }) => `first token, good until ${DateTime.formatIso(expiresAt)}`,
  Renewed: ({ expiresAt, generation }) => `token ${generation}, good until ${DateTime.formatIso(expiresAt)}`,
  RenewalFailed: ({ error, retryAt }) => `no token (${error}), next attempt ${DateTime.formatIso(retryAt)}`,
  Rejected: ({ generation }) => `token ${generation} was refused`,
  ReauthorizationRequired: () => "a person has to log in"
})

const Alerts = Layer.scopedDiscard(Effect.gen(function*() {
  const digikey = yield* DigiKeyApp.DigiKeyApp
  yield* Effect.forkScoped(Stream.runForEach(digikey.events, (event) => Console.log(describe(event))))
}))

const AppLayer = Alerts.pipe(
  Layer.provideMerge(DigiKeyApp.layerConfig()),
  Layer.provideMerge(FetchHttpClient.layer)
)
// #endregion

export const program = Effect.gen(function*() {
  yield* ProductInformation.keywordSearch({ Keywords: "NE555" })
  const digikey = yield* DigiKeyApp.DigiKeyApp
  yield* digikey.refresh
  yield* Effect.yieldNow()
}).pipe(Effect.provide(AppLayer))

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
