import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Ref from "effect/Ref"
import * as Input from "./input.js"
import { type Call, notFound, type Outcome, type Product } from "./route.js"

interface Line {
  readonly ProductNumber: string
  readonly CustomerReference?: string | undefined
  readonly Quantities: ReadonlyArray<number>
}

export interface Quote {
  readonly account: string
  readonly id: number
  readonly name: string
  /** Milliseconds since the Unix epoch. */
  readonly created: number
  readonly lines: ReadonlyArray<Line>
}

type Quotes = Ref.Ref<ReadonlyArray<Quote>>

/** Quotes v4: each account has its own. */
export const quotes = (quotes: Quotes): Product => ({
  base: "/quoting/v4",
  userOnly: true,
  // observed: Quoting has a smaller burst than the other products
  burstLimit: 10,
  routes: [
    { method: "POST", path: "/quotes", status: 201, handle: create(quotes) },
    { method: "GET", path: "/quotes", handle: list(quotes) },
    { method: "GET", path: "/quotes/{quoteId}", handle: (call) => Effect.map(find(quotes, call), one) },
    { method: "POST", path: "/quotes/{quoteId}/details", handle: addDetails(quotes) }
  ]
})

const show = ({ created, id, lines, name }: Quote) => ({
  QuoteId: id,
  QuoteName: name,
  DateCreated: new Date(created).toISOString(),
  Currency: "USD",
  TotalProducts: lines.length
})

const one = (quote: Quote) => ({ Quote: show(quote) })

const create = (quotes: Quotes) => ({ account, json, now }: Call): Outcome =>
  Effect.flatMap(Input.finish(Input.name(Input.object(json).QuoteName, "QuoteName")), (name) =>
    Ref.modify(quotes, (all) => {
      const quote: Quote = { account, id: 5_000_001 + all.length, name, created: now, lines: [] }
      return [one(quote), [...all, quote]]
    }))

const list = (quotes: Quotes) => ({ account, query }: Call): Outcome =>
  Effect.flatMap(Ref.get(quotes), (all) => {
    const mine = all.filter((quote) => quote.account === account)
    return Either.map(
      Input.page(query, mine, { start: "offset", limit: "limit", defaultLimit: 10 }),
      (page) => ({ TotalQuotes: mine.length, Quotes: page.map(show) })
    )
  })

const find = (quotes: Quotes, { account, params }: Call) =>
  Effect.flatMap(Ref.get(quotes), (all) => {
    const found = all.find((quote) => quote.account === account && String(quote.id) === params.quoteId)
    return found === undefined ? notFound("The quote was not found") : Either.right(found)
  })

const addDetails = (quotes: Quotes) => (call: Call): Outcome =>
  Effect.gen(function*() {
    const { id } = yield* find(quotes, call)
    const lines = yield* Input.finish(Input.items(call.json, "", line))
    yield* Ref.update(quotes, (all) =>
      all.map((quote) => (quote.id === id ? { ...quote, lines: [...quote.lines, ...lines] } : quote)))
    return { QuoteId: id, Errors: [], Comments: [] }
  })

const line = (json: unknown, at: string): Input.Read<Line> => {
  const { CustomerReference, ProductNumber, Quantities } = Input.object(json)
  const number = Input.name(ProductNumber, `${at}.ProductNumber`)
  const quantities = Input.items(Quantities, `${at}.Quantities`, Input.quantity)
  return {
    value: {
      ProductNumber: number.value,
      CustomerReference: typeof CustomerReference === "string" ? CustomerReference : undefined,
      Quantities: quantities.value
    },
    problems: [...number.problems, ...quantities.problems]
  }
}
