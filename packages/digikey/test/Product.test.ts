import { type HttpClient, HttpClientRequest } from "@effect/platform"
import { DigiKeyApp, DigiKeyUser, Product, ProductInformation } from "@effect-credentials/digikey"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Schedule } from "effect"
import { type ApiError, Credentials, RetryPolicy } from "effect-credentials"
import { empty, json, serving } from "./utils/userServer.js"

/** Credentials of both kinds, told apart by their tokens. */
const both = (...answers: Parameters<typeof serving>) =>
  Effect.map(serving(...answers), (server) => ({
    ...server,
    layer: Layer.mergeAll(server.layer, DigiKeyApp.layerTest({ token: "app-token" }), DigiKeyUser.layerTest({ token: "user-token" }))
  }))

const atOnce = RetryPolicy.make({ schedule: Schedule.recurs(1) })

describe("Product", () => {
  it("names the credentials, the path and the limits of all eleven products", () => {
    const a = DigiKeyApp.DigiKeyApp
    const u = DigiKeyUser.DigiKeyUser
    assert.deepStrictEqual(
      Product.all.map(({ confirmed, limits, name, path, tag }) => [
        name,
        tag,
        path,
        confirmed,
        `${limits.burst.requests} in ${Duration.format(limits.burst.per)}`,
        limits.daily
      ]),
      [
        ["Product Information", a, "/products/v4", true, "120 in 1m", 1000],
        ["Order Status", a, "/orderstatus/v4", true, "120 in 1m", 1000],
        ["Supply Chain", a, "/SupplyChain/v1", false, "120 in 1m", 1000],
        ["Reference APIs", a, undefined, false, "120 in 1m", 1000],
        ["Quotes", u, "/quoting/v4", true, "10 in 1m", undefined],
        ["Ordering", u, "/Ordering/v3", false, "10 in 1m", undefined],
        ["Order Management", u, "/OrderManagement/v1", true, "120 in 1m", 1000],
        ["MyLists", u, "/mylists/v1", true, "120 in 1m", 1000],
        ["Barcode", u, "/Barcoding/v3", true, "120 in 1m", 1000],
        ["Packing List", u, "/packinglist/v1", true, "120 in 1m", 1000],
        ["Product Change Notifications", u, "/ChangeNotifications/v3", true, "120 in 1m", 1000]
      ]
    )
  })

  const get = HttpClientRequest.get("/a?b=c")
  const requests: ReadonlyArray<
    readonly [
      Pick<Product.Product<never, string>, "name" | "path">,
      Effect.Effect<unknown, ApiError.ApiClientError, DigiKeyApp.DigiKeyApp | DigiKeyUser.DigiKeyUser | HttpClient.HttpClient>,
      "app" | "user"
    ]
  > = [
    [Product.ProductInformation, Product.client(Product.ProductInformation).execute(get), "app"],
    [Product.OrderStatus, Product.client(Product.OrderStatus).execute(get), "app"],
    [Product.SupplyChain, Product.client(Product.SupplyChain).execute(get), "app"],
    [{ name: "Reference APIs", path: "/r" }, Product.client(Product.ReferenceApis, { path: "/r" }).execute(get), "app"],
    [Product.Quotes, Product.client(Product.Quotes).execute(get), "user"],
    [Product.Ordering, Product.client(Product.Ordering).execute(get), "user"],
    [Product.OrderManagement, Product.client(Product.OrderManagement).execute(get), "user"],
    [Product.MyLists, Product.client(Product.MyLists).execute(get), "user"],
    [Product.Barcode, Product.client(Product.Barcode).execute(get), "user"],
    [Product.PackingList, Product.client(Product.PackingList).execute(get), "user"],
    [Product.ProductChangeNotifications, Product.client(Product.ProductChangeNotifications).execute(get), "user"]
  ]
  for (const [{ name, path }, request, who] of requests) {
    it.effect(`reaches ${name} with the token of the ${who}, and reads DigiKey's errors`, () =>
      Effect.gen(function*() {
        const { layer, received } = yield* both(json({}), json({ ErrorMessage: "Bad Request", RequestId: "r-1" }, 400))
        yield* Effect.provide(request, layer)
        const error = yield* Effect.provide(Effect.flip(request), layer)
        const [first] = yield* received
        assert.strictEqual(first?.line, `GET ${path}/a?b=c`)
        assert.strictEqual(first?.headers["authorization"], `Bearer ${who}-token`)
        assert.strictEqual(first?.headers["x-digikey-client-id"], "test-client")
        assert.deepInclude({ ...error }, { _tag: "ApiError", product: name, path: `${path}/a` })
        assert.include(error.message, "r-1")
      }))
  }

  it.effect("takes another path, for a product that has moved", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* both(json({}))
      yield* Product.client(Product.Ordering, { path: "/Ordering/v4" }).get("/a").pipe(Effect.provide(layer))
      yield* Product.client(Product.Ordering, { path: undefined }).get("/a").pipe(Effect.provide(layer))
      yield* Product.client({ ...Product.Ordering, path: "/Ordering/v5/" }).get("/a").pipe(Effect.provide(layer))
      assert.deepStrictEqual(yield* lines, ["GET /Ordering/v4/a", "GET /Ordering/v3/a", "GET /Ordering/v5/a"])
    }))

  it.effect("takes another tag, for a second account", () =>
    Effect.gen(function*() {
      class Second extends Credentials.Tag("SecondAccount")<Second>() {}
      const { layer, received } = yield* both(json({}))
      const given = Layer.merge(layer, Credentials.layerTest(Second, { token: "second-token" }))
      yield* Product.client(Product.Ordering, { tag: Second }).get("/a").pipe(Effect.provide(given))
      yield* Product.client(Product.ReferenceApis, { path: "/r", tag: Second }).get("/a").pipe(Effect.provide(given))
      assert.deepStrictEqual((yield* received).map(({ headers, line }) => [line, headers["authorization"]]), [
        ["GET /Ordering/v3/a", "Bearer second-token"],
        ["GET /r/a", "Bearer second-token"]
      ])
    }))

  const search = HttpClientRequest.post("/search/keyword").pipe(HttpClientRequest.bodyUnsafeJson({ Keywords: "NE555" }))
  for (
    const [what, client] of [
      ["at its own path", Product.client(Product.ProductInformation)],
      ["at another path", Product.client(Product.ProductInformation, { path: "/products/v5" })],
      ["at a path that ends in a slash", Product.client(Product.ProductInformation, { path: "/products/v5/" })],
      ["of the typed module", ProductInformation]
    ] as const
  ) {
    it.effect(`tries the search ${what} again, a POST that only reads`, () =>
      Effect.gen(function*() {
        const { layer, received } = yield* both(empty(500), json({}))
        yield* client.execute(search).pipe(RetryPolicy.withPolicy(atOnce), Effect.provide(layer))
        assert.lengthOf(yield* received, 2)
      }))
  }

  it.effect("sends any other POST once", () =>
    Effect.gen(function*() {
      const { layer, received } = yield* both(empty(500), json({}))
      const { execute } = Product.client(Product.Ordering)
      const error = yield* Effect.flip(execute(search)).pipe(RetryPolicy.withPolicy(atOnce), Effect.provide(layer))
      assert.deepInclude({ ...error }, { _tag: "OutcomeUnknown", product: "Ordering" })
      assert.lengthOf(yield* received, 1)
    }))
})
