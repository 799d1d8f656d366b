import type { HttpClient } from "@effect/platform"
import {
  Barcode,
  DigiKeyApp,
  DigiKeyUser,
  MyLists,
  type OrderStatus,
  Product,
  ProductInformation,
  Quotes
} from "@effect-credentials/digikey"
import type { Layer } from "effect"
import { Effect } from "effect"
import type { ApiClientError } from "effect-credentials/ApiError"
import * as Credentials from "effect-credentials/Credentials"
import { describe, expect, test } from "tstyche"

class Second extends Credentials.Tag("SecondPerson")<Second>() {}

declare const http: Layer.Layer<HttpClient.HttpClient>

type User = DigiKeyUser.DigiKeyUser | HttpClient.HttpClient
type App = DigiKeyApp.DigiKeyApp | HttpClient.HttpClient

describe("a program that lists quotes", () => {
  const quotes = Quotes.listQuotes().pipe(Effect.provide(http))

  test("needs DigiKeyUser", () => {
    expect<Effect.Effect.Context<typeof quotes>>().type.toBe<DigiKeyUser.DigiKeyUser>()
  })

  test("does not run without a layer, and the error names DigiKeyUser", () => {
    // @ts-expect-error Type 'DigiKeyUser' is not assignable to type 'never'
    void Effect.runPromise(quotes)
  })

  test("does not run with the credentials of an application, and the error names DigiKeyUser", () => {
    const given = Effect.provide(quotes, DigiKeyApp.layerTest())
    // @ts-expect-error Type 'DigiKeyUser' is not assignable to type 'never'
    void Effect.runPromise(given)
  })

  test("runs with those of a person", () => {
    const given = Effect.provide(quotes, DigiKeyUser.layerTest())
    expect<Effect.Effect.Context<typeof given>>().type.toBe<never>()
  })
})

describe("a program that also searches", () => {
  const both = Effect.zip(Quotes.quote(1), ProductInformation.categories).pipe(Effect.provide(http))

  test("needs both kinds of credentials", () => {
    expect<Effect.Effect.Context<typeof both>>().type.toBe<DigiKeyApp.DigiKeyApp | DigiKeyUser.DigiKeyUser>()
  })

  test("does not run with one of them", () => {
    // @ts-expect-error Type 'DigiKeyApp' is not assignable to type 'never'
    void Effect.runPromise(Effect.provide(both, DigiKeyUser.layerTest()))
  })
})

describe("each operation of a 3-legged product", () => {
  test("needs DigiKeyUser and an HttpClient, and fails with ApiClientError", () => {
    expect(Quotes.createQuote).type.toBe<
      (request: Quotes.CreateQuoteRequest) => Effect.Effect<Quotes.QuoteResponse, ApiClientError, User>
    >()
    expect(Quotes.listQuotes).type.toBe<
      (request?: Quotes.ListQuotesRequest) => Effect.Effect<Quotes.ListQuotesResponse, ApiClientError, User>
    >()
    expect(Quotes.quote).type.toBe<
      (quoteId: number) => Effect.Effect<Quotes.QuoteResponse, ApiClientError, User>
    >()
    expect(Quotes.addDetails).type.toBe<
      (
        quoteId: number,
        details: ReadonlyArray<Quotes.QuoteDetail>
      ) => Effect.Effect<Quotes.AddDetailsResponse, ApiClientError, User>
    >()
    expect(MyLists.lists).type.toBe<
      (request?: MyLists.PageRequest) => Effect.Effect<ReadonlyArray<MyLists.List>, ApiClientError, User>
    >()
    expect(MyLists.createList).type.toBe<
      (request: MyLists.CreateListRequest) => Effect.Effect<string, ApiClientError, User>
    >()
    expect(MyLists.parts).type.toBe<
      (listId: string, request?: MyLists.PageRequest) => Effect.Effect<MyLists.PartsResponse, ApiClientError, User>
    >()
    expect(MyLists.addParts).type.toBe<
      (listId: string, parts: ReadonlyArray<MyLists.RequestedPart>) => Effect.Effect<void, ApiClientError, User>
    >()
    expect(MyLists.deleteList).type.toBe<(listId: string) => Effect.Effect<void, ApiClientError, User>>()
    expect(Barcode.productBarcode).type.toBe<
      (barcode: string) => Effect.Effect<Barcode.LabelledProduct, ApiClientError, User>
    >()
    expect(Barcode.product2DBarcode).type.toBe<
      (barcode: string) => Effect.Effect<Barcode.LabelledProduct, ApiClientError, User>
    >()
  })

  test("and so does any other request of it", () => {
    expect<Effect.Effect.Context<ReturnType<typeof Quotes.execute>>>().type.toBe<User>()
    expect<Effect.Effect.Context<ReturnType<typeof MyLists.execute>>>().type.toBe<User>()
    expect<Effect.Effect.Context<ReturnType<typeof Barcode.execute>>>().type.toBe<User>()
  })

  test("needs the second person's for the second person", () => {
    expect<Effect.Effect.Context<ReturnType<ReturnType<typeof Quotes.make<Second>>["quote"]>>>().type.toBe<
      Second | HttpClient.HttpClient
    >()
    expect(MyLists.make(Second)).type.toBe<MyLists.MyLists<Second>>()
    expect(Barcode.make(Second)).type.toBe<Barcode.Barcode<Second>>()
  })

  test("does not take what it would refuse to write", () => {
    expect(Quotes.quote).type.not.toBeCallableWith("7")
    expect(Quotes.createQuote).type.not.toBeCallableWith({})
    expect(Quotes.addDetails).type.not.toBeCallableWith(7, [{ ProductNumber: "NE555P", Quantities: ["1"] }])
    expect(MyLists.addParts).type.not.toBeCallableWith("A", [{ RequestedPartNumber: "NE555P" }])
    expect(MyLists.addParts).type.toBeCallableWith("A", [{ RequestedPartNumber: "NE555P", Quantities: [{ Quantity: 1 }] }])
  })
})

describe("the pipeline of a product", () => {
  test("needs what the product takes", () => {
    expect(Product.client(Product.ProductInformation)).type.toBe<HttpClient.HttpClient.With<ApiClientError, App>>()
    expect(Product.client(Product.OrderStatus)).type.toBe<HttpClient.HttpClient.With<ApiClientError, App>>()
    expect(Product.client(Product.SupplyChain)).type.toBe<HttpClient.HttpClient.With<ApiClientError, App>>()
    expect(Product.client(Product.ReferenceApis, { path: "/x" })).type.toBe<
      HttpClient.HttpClient.With<ApiClientError, App>
    >()
    expect(Product.client(Product.Quotes)).type.toBe<HttpClient.HttpClient.With<ApiClientError, User>>()
    expect(Product.client(Product.Ordering)).type.toBe<HttpClient.HttpClient.With<ApiClientError, User>>()
    expect(Product.client(Product.OrderManagement)).type.toBe<HttpClient.HttpClient.With<ApiClientError, User>>()
    expect(Product.client(Product.MyLists)).type.toBe<HttpClient.HttpClient.With<ApiClientError, User>>()
    expect(Product.client(Product.Barcode)).type.toBe<HttpClient.HttpClient.With<ApiClientError, User>>()
    expect(Product.client(Product.PackingList)).type.toBe<HttpClient.HttpClient.With<ApiClientError, User>>()
    expect(Product.client(Product.ProductChangeNotifications)).type.toBe<
      HttpClient.HttpClient.With<ApiClientError, User>
    >()
  })

  test("needs the same at another path", () => {
    expect(Product.client(Product.Ordering, { path: "/Ordering/v4" })).type.toBe<
      HttpClient.HttpClient.With<ApiClientError, User>
    >()
    expect(Product.client(Product.SupplyChain, { path: undefined })).type.toBe<
      HttpClient.HttpClient.With<ApiClientError, App>
    >()
  })

  test("needs the credentials of another tag instead", () => {
    expect(Product.client(Product.Ordering, { tag: Second })).type.toBe<
      HttpClient.HttpClient.With<ApiClientError, Second | HttpClient.HttpClient>
    >()
    expect(Product.client(Product.ReferenceApis, { tag: Second, path: "/x" })).type.toBe<
      HttpClient.HttpClient.With<ApiClientError, Second | HttpClient.HttpClient>
    >()
  })

  test("asks for the path where none is known", () => {
    // @ts-expect-error Property 'path' is missing
    Product.client(Product.ReferenceApis, {})
    expect(Product.client).type.not.toBeCallableWith(Product.ReferenceApis)
    expect(Product.client).type.not.toBeCallableWith(Product.ReferenceApis, { path: undefined })
    expect(Product.client).type.not.toBeCallableWith(Product.ReferenceApis, { tag: Second })
  })

  test("is not known by a tag that may or may not be there", () => {
    const options: { readonly path?: string; readonly tag?: typeof Second } = {}
    expect(Product.client).type.not.toBeCallableWith(Product.Ordering, options)
  })
})

describe("the typed modules of the 2-legged products", () => {
  test("still need DigiKeyApp", () => {
    expect<Effect.Effect.Context<ReturnType<typeof OrderStatus.listOrders>>>().type.toBe<App>()
    expect<Effect.Effect.Context<typeof ProductInformation.manufacturers>>().type.toBe<App>()
  })
})
