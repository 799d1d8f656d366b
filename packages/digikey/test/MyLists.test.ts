import { type HttpClient, HttpClientRequest } from "@effect/platform"
import { DigiKeyApp, type DigiKeyUser, MyLists } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { type ApiError, Credentials, RetryPolicy } from "effect-credentials"
import { InMemoryHttp } from "effect-credentials/testing"
import { signedIn } from "./utils/signedIn.js"
import { empty, json, serving } from "./utils/userServer.js"

const part = { RequestedPartNumber: "296-1411-5-ND", Quantities: [{ Quantity: 10 }] }

describe("MyLists against the simulator", () => {
  for (const createdList of ["id", "object"] as const) {
    it.effect(`makes a list, fills it, reads it and deletes it, where a new list is answered with its ${createdList}`, () =>
      Effect.gen(function*() {
        const id = yield* MyLists.createList({ ListName: "Bench" })
        yield* MyLists.addParts(id, [
          { RequestedPartNumber: "NE555P", Quantities: [{ Quantity: 10 }, { Quantity: 100 }] },
          { RequestedPartNumber: "NO-SUCH-PART", Quantities: [{ Quantity: 1 }] }
        ])
        assert.deepStrictEqual(yield* MyLists.lists(), [{ Id: id, ListName: "Bench", TotalParts: 2 }])
        const { PartsList, TotalParts } = yield* MyLists.parts(id)
        assert.strictEqual(TotalParts, 2)
        assert.deepInclude({ ...PartsList[0] }, {
          RequestedPartNumber: "NE555P",
          ManufacturerPartNumber: "NE555P",
          Quantities: [{ QuantityRequested: 10 }, { QuantityRequested: 100 }]
        })
        assert.notProperty(PartsList[1], "DigiKeyPartNumber")
        yield* MyLists.deleteList(id)
        assert.deepStrictEqual(yield* MyLists.lists(), [])
      }).pipe(Effect.provide(signedIn({ createdList }))))
  }

  it.effect("reads lists and parts page by page", () =>
    Effect.gen(function*() {
      const first = yield* MyLists.createList({ ListName: "a" })
      const second = yield* MyLists.createList({ ListName: "b" })
      const page = yield* MyLists.lists({ startIndex: 1, limit: 1 })
      assert.deepStrictEqual(page.map(({ Id }) => Id), [second])
      assert.deepStrictEqual(yield* MyLists.lists({ startIndex: 2 }), [])
      yield* MyLists.addParts(first, [part, { ...part, RequestedPartNumber: "NE555P" }])
      const { PartsList, TotalParts } = yield* MyLists.parts(first, { startIndex: 1, limit: 1 })
      assert.deepStrictEqual(PartsList.map((it) => it.RequestedPartNumber), ["NE555P"])
      assert.strictEqual(TotalParts, 2)
    }).pipe(Effect.provide(signedIn())))

  it.effect("says that a list is not there", () =>
    Effect.gen(function*() {
      for (const operation of [Effect.asVoid(MyLists.parts("A")), MyLists.deleteList("A"), MyLists.addParts("A", [part])]) {
        const error = yield* Effect.flip(operation)
        assert.deepInclude({ ...error }, { _tag: "ApiError", reason: "NotFound", product: "MyLists" })
      }
    }).pipe(Effect.provide(signedIn())))

  it.effect("is refused the token of an application, and says why that may be", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(MyLists.make(DigiKeyApp.DigiKeyApp).lists())
      assert.deepInclude({ ...error }, { _tag: "ApiError", reason: "Unauthorized", product: "MyLists" })
      assert.include(error.message, "does the product take this kind of token?")
    }).pipe(Effect.provide(DigiKeySimulator.layer())))
})

describe("MyLists", () => {
  it.effect("sends each operation to its path, with the id encoded", () =>
    Effect.gen(function*() {
      const { layer, received } = yield* serving(
        json([]),
        json([]),
        json("YVF169DUPI"),
        json({ TotalParts: 0 }),
        json({ TotalParts: 0 }),
        json(["unique"]),
        empty(204)
      )
      yield* Effect.gen(function*() {
        yield* MyLists.lists()
        yield* MyLists.lists({ startIndex: 50, limit: 100 })
        yield* MyLists.createList({ ListName: "Bench" })
        yield* MyLists.parts("a/b c")
        yield* MyLists.parts("a/b c", { startIndex: 0, limit: 1 })
        yield* MyLists.addParts("a/b c", [part])
        yield* MyLists.deleteList("a/b c")
      }).pipe(Effect.provide(layer))
      const all = yield* received
      assert.deepStrictEqual(all.map(({ body, line }) => [line, body]), [
        ["GET /mylists/v1/lists", undefined],
        ["GET /mylists/v1/lists?startIndex=50&limit=100", undefined],
        ["POST /mylists/v1/lists", { ListName: "Bench" }],
        ["GET /mylists/v1/lists/a%2Fb%20c/parts", undefined],
        ["GET /mylists/v1/lists/a%2Fb%20c/parts?startIndex=0&limit=1", undefined],
        ["POST /mylists/v1/lists/a%2Fb%20c/parts", [part]],
        ["DELETE /mylists/v1/lists/a%2Fb%20c", undefined]
      ])
      for (const { headers } of all) assert.strictEqual(headers["authorization"], "Bearer test-token")
    }))

  it.effect("reads the bare list of lists, and does not mind fields that are null, absent or unknown", () =>
    Effect.gen(function*() {
      const { layer } = yield* serving(
        json([{ Id: "A", ListName: "Bench", TotalParts: 26, CanEdit: true }, { Id: "B", ListName: null }])
      )
      assert.deepStrictEqual(yield* Effect.provide(MyLists.lists(), layer), [
        { Id: "A", ListName: "Bench", TotalParts: 26 },
        { Id: "B" }
      ])
    }))

  for (
    const [what, created] of [
      ["a bare id", "YVF169DUPI"],
      ["the list", { Id: "YVF169DUPI", ListName: "Bench", TotalParts: 0 }],
      ["an object with the list's id", { ListId: "YVF169DUPI" }]
    ] as const
  ) {
    it.effect(`answers with the id of a new list, where DigiKey answers with ${what}`, () =>
      Effect.gen(function*() {
        const { layer } = yield* serving(json(created, 201))
        assert.strictEqual(yield* Effect.provide(MyLists.createList({ ListName: "Bench" }), layer), "YVF169DUPI")
      }))
  }

  for (const created of [{}, "", 7, null, { Id: "" }, { Id: null }, ["canary"]]) {
    it.effect(`finds no id in ${JSON.stringify(created)}`, () =>
      Effect.gen(function*() {
        const { layer } = yield* serving(json(created))
        const error = yield* Effect.flip(MyLists.createList({ ListName: "Bench" })).pipe(Effect.provide(layer))
        assert.deepInclude({ ...error }, { _tag: "UnexpectedResponse", product: "MyLists", status: 200 })
        assert.notInclude(error.message, "canary")
      }))
  }

  it.effect("reads the parts of a list", () =>
    Effect.gen(function*() {
      const { layer } = yield* serving(
        json({
          TotalParts: 2,
          PartsList: [
            {
              UniqueId: "u1",
              RequestedPartNumber: "NE555P",
              DigiKeyPartNumber: "296-1411-5-ND",
              ManufacturerPartNumber: "NE555P",
              Notes: "…",
              Quantities: [{ QuantityRequested: 10, PackOptions: [] }]
            },
            { UniqueId: "u2", RequestedPartNumber: "?", DigiKeyPartNumber: null, Quantities: null }
          ]
        }),
        json({ TotalParts: 0, PartsList: null }),
        json([]),
        json({ PartsList: [] })
      )
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* MyLists.parts("A"), {
          TotalParts: 2,
          PartsList: [
            {
              UniqueId: "u1",
              RequestedPartNumber: "NE555P",
              DigiKeyPartNumber: "296-1411-5-ND",
              ManufacturerPartNumber: "NE555P",
              Quantities: [{ QuantityRequested: 10 }]
            },
            { UniqueId: "u2", RequestedPartNumber: "?", Quantities: [] }
          ]
        })
        assert.deepStrictEqual(yield* MyLists.parts("A"), { TotalParts: 0, PartsList: [] })
        assert.deepInclude({ ...yield* Effect.flip(MyLists.parts("A")) }, { _tag: "UnexpectedResponse", at: "" })
        assert.deepInclude({ ...yield* Effect.flip(MyLists.parts("A")) }, { _tag: "UnexpectedResponse", at: "TotalParts" })
      }).pipe(Effect.provide(layer))
    }))

  it.effect("takes any success as an answer to what adds or deletes, with a body or without", () =>
    Effect.gen(function*() {
      const { layer } = yield* serving(json(["unique"], 201), empty(204), json("no list", 200), empty(204))
      yield* Effect.gen(function*() {
        assert.isUndefined(yield* MyLists.addParts("A", [part]))
        assert.isUndefined(yield* MyLists.addParts("A", [part]))
        assert.isUndefined(yield* MyLists.deleteList("A"))
        assert.isUndefined(yield* MyLists.deleteList("A"))
      }).pipe(Effect.provide(layer))
    }))

  const bad: ReadonlyArray<
    readonly [string, Effect.Effect<unknown, ApiError.ApiClientError, DigiKeyUser.DigiKeyUser | HttpClient.HttpClient>]
  > = [
    ["an empty name", MyLists.createList({ ListName: "" })],
    ["a blank name", MyLists.createList({ ListName: "  " })],
    ["a negative index", MyLists.lists({ startIndex: -1 })],
    ["a limit of 0", MyLists.lists({ limit: 0 })],
    ["half a limit", MyLists.parts("A", { limit: 1.5 })],
    ["an empty id", MyLists.parts("")],
    ["a dot as an id", MyLists.parts(".")],
    ["an id that would climb", MyLists.addParts("../lists", [part])],
    ["two dots as an id", MyLists.deleteList("..")],
    ["an empty id to delete", MyLists.deleteList("")],
    ["an empty id to add to", MyLists.addParts("", [part])],
    ["no parts", MyLists.addParts("A", [])],
    ["a blank part number", MyLists.addParts("A", [part, { ...part, RequestedPartNumber: " " }])],
    ["no quantities", MyLists.addParts("A", [{ ...part, Quantities: [] }])],
    ["a quantity of 0", MyLists.addParts("A", [{ ...part, Quantities: [{ Quantity: 0 }] }])],
    ["half a quantity", MyLists.addParts("A", [{ ...part, Quantities: [{ Quantity: 0.5 }] }])]
  ]
  for (const [what, operation] of bad) {
    it.effect(`refuses ${what}, and sends nothing`, () =>
      Effect.gen(function*() {
        const { layer, received } = yield* serving(json([]))
        const error = yield* Effect.flip(operation).pipe(Effect.provide(layer))
        assert.deepInclude({ ...error }, {
          _tag: "RequestFailed",
          reason: "InvalidRequest",
          product: "MyLists"
        })
        assert.deepStrictEqual(yield* received, [])
      }))
  }

  for (
    const [what, answer] of [["a 500", empty(500)], ["a connection that breaks", InMemoryHttp.dropConnection]] as const
  ) {
    it.effect(`sends what creates once, also after ${what}`, () =>
      Effect.gen(function*() {
        const { layer, lines } = yield* serving(answer)
        const create = yield* Effect.flip(MyLists.createList({ ListName: "Bench" })).pipe(Effect.provide(layer))
        const add = yield* Effect.flip(MyLists.addParts("A", [part])).pipe(Effect.provide(layer))
        for (const error of [create, add]) assert.deepInclude({ ...error }, { _tag: "OutcomeUnknown" })
        assert.deepStrictEqual(yield* lines, ["POST /mylists/v1/lists", "POST /mylists/v1/lists/A/parts"])
      }))
  }

  it.effect("deletes again after a 500", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* serving(empty(500), empty(204))
      yield* MyLists.deleteList("A").pipe(
        RetryPolicy.withPolicy(RetryPolicy.make({ schedule: Schedule.recurs(1) })),
        Effect.provide(layer)
      )
      assert.deepStrictEqual(yield* lines, ["DELETE /mylists/v1/lists/A", "DELETE /mylists/v1/lists/A"])
    }))

  it.effect("sends any other request of the product through the same pipeline", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* serving(json({ Id: "A" }))
      yield* Effect.provide(MyLists.execute(HttpClientRequest.get("/lists/A")), layer)
      assert.deepStrictEqual(yield* lines, ["GET /mylists/v1/lists/A"])
    }))

  it.effect("serves a second person with a second tag", () =>
    Effect.gen(function*() {
      class Second extends Credentials.Tag("SecondPerson")<Second>() {}
      const { layer, received } = yield* serving(json([]))
      yield* MyLists.make(Second).lists().pipe(
        Effect.provide(Layer.merge(layer, Credentials.layerTest(Second, { token: "second-token" })))
      )
      assert.deepStrictEqual((yield* received).map(({ headers }) => headers["authorization"]), ["Bearer second-token"])
    }))
})
