import * as DigitzsApp from "@effect-credentials/digitzs/DigitzsApp"
import * as Merchants from "@effect-credentials/digitzs/Merchants"
import * as Payments from "@effect-credentials/digitzs/Payments"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Current, type Provider } from "../internal/provider.js"
import { usage } from "../internal/stop.js"

export const digitzs: Provider = {
  name: "digitzs",
  title: "Digitzs",
  app: ({ environment }) =>
    Option.isSome(environment)
      ? Effect.fail(usage("Digitzs has no environments. Where an account has another address, set DIGITZS_BASE_URL."))
      : DigitzsApp.flowConfig(),
  login: Option.none(),
  products: [
    { name: "Merchants", path: "/merchants", kind: "app", probe: "/merchants?limit=1", execute: Merchants.make(Current).execute },
    { name: "Payments", path: "/payments", kind: "app", probe: undefined, execute: Payments.make(Current).execute }
  ],
  // In memory: its address is a part of what tokens are stored under, and a port would be another one at each run.
  // It keeps nothing: a token that it does not know is got anew.
  simulate: () =>
    Effect.gen(function*() {
      // oxlint-disable-next-line no-restricted-imports
      const { DigitzsSimulator } = yield* Effect.promise(() => import("@effect-credentials/digitzs/testing"))
      const simulator = yield* DigitzsSimulator.make()
      const { apiKey, appId, appKey } = yield* simulator.accepted
      return {
        config: new Map([
          ["DIGITZS_API_KEY", Redacted.value(apiKey)],
          ["DIGITZS_APP_KEY", Redacted.value(appKey)],
          ["DIGITZS_APP_ID", appId]
        ]),
        httpClient: Option.some(simulator.httpClient),
        description: "a simulator of Digitzs in this process"
      }
    })
}
