import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { HttpServerResponse } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { CredentialsError } from "effect-credentials"
import { InMemoryHttp } from "effect-credentials/testing"

const stockOf = (partNumber: string) =>
  ProductInformation.productDetails(partNumber).pipe(
    Effect.map(({ Product }) => Product.QuantityAvailable),
    Effect.catchTag("TokenEndpointUnavailable", () => Effect.succeed("unknown" as const))
  )

const outage = new CredentialsError.TokenEndpointUnavailable({ provider: "digikey", reason: "Status", status: 503 })

it.effect("an outage of the token endpoint makes the stock unknown", () =>
  Effect.gen(function*() {
    assert.strictEqual(yield* stockOf("NE555P"), "unknown")
  }).pipe(Effect.provide([
    DigiKeyApp.layerTest({ token: Effect.fail(outage) }),
    InMemoryHttp.layer(HttpServerResponse.empty({ status: 500 })) // never asked: there is no token to ask with
  ])))
