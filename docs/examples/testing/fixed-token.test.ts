import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { InMemoryHttp } from "effect-credentials/testing"

/** A server in memory that wants one particular token. */
const Server = InMemoryHttp.layer(Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) =>
  headers["authorization"] === "Bearer fixed"
    ? HttpServerResponse.unsafeJson({ Products: [], ProductsCount: 0, ExactMatches: [] })
    : HttpServerResponse.empty({ status: 401 })))

it.effect("a search carries the token", () =>
  Effect.gen(function*() {
    const found = yield* ProductInformation.keywordSearch({ Keywords: "NE555" })
    assert.strictEqual(found.ProductsCount, 0)
  }).pipe(Effect.provide([DigiKeyApp.layerTest({ token: "fixed" }), Server])))
