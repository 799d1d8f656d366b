import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Ref from "effect/Ref"
import { digiKeyNumber, partByNumber, type SimulatedPart } from "./catalogue.js"
import * as Input from "./input.js"
import { type Call, notFound, type Outcome, type Product } from "./route.js"

interface Part {
  readonly requested: string
  readonly quantities: ReadonlyArray<number>
}

interface List {
  readonly account: string
  readonly id: string
  readonly name: string
  /** Milliseconds since the Unix epoch. */
  readonly created: number
  readonly parts: ReadonlyArray<Part>
}

export interface Lists {
  /** How many there ever were: an id is not given twice. */
  readonly made: number
  readonly all: ReadonlyArray<List>
}

type State = Ref.Ref<Lists>

/** MyLists v1: each account has its own. A created list is answered with its id alone, or whole. */
export const myLists = (
  state: State,
  catalogue: ReadonlyArray<SimulatedPart>,
  created: "id" | "object"
): Product => ({
  base: "/mylists/v1",
  userOnly: true,
  routes: [
    { method: "GET", path: "/lists", handle: list(state) },
    { method: "POST", path: "/lists", handle: create(state, created) },
    { method: "DELETE", path: "/lists/{listId}", status: 204, handle: remove(state) },
    { method: "GET", path: "/lists/{listId}/parts", handle: parts(state, partByNumber(catalogue)) },
    { method: "POST", path: "/lists/{listId}/parts", handle: addParts(state) }
  ]
})

const show = ({ created, id, name, parts }: List) => ({
  Id: id,
  ListName: name,
  TotalParts: parts.length,
  DateCreated: new Date(created).toISOString(),
  Tags: [],
  CanEdit: true
})

const list = (state: State) => ({ account, query }: Call): Outcome =>
  Effect.flatMap(Ref.get(state), ({ all }) =>
    Either.map(
      Input.page(query, all.filter((list) => list.account === account), {
        start: "startIndex",
        limit: "limit",
        defaultLimit: 50
      }),
      (page) => page.map(show)
    ))

const create = (state: State, created: "id" | "object") => ({ account, json, now }: Call): Outcome =>
  Effect.flatMap(Input.finish(Input.name(Input.object(json).ListName, "ListName")), (name) =>
    Ref.modify(state, ({ all, made }) => {
      const id = `SIM${String(made + 1).padStart(7, "0")}`
      const list: List = { account, id, name, created: now, parts: [] }
      return [created === "id" ? id : show(list), { made: made + 1, all: [...all, list] }]
    }))

const find = (state: State, { account, params }: Call) =>
  Effect.flatMap(Ref.get(state), ({ all }) => {
    const found = all.find((list) => list.account === account && list.id === params.listId)
    return found === undefined ? notFound("The list was not found") : Either.right(found)
  })

const remove = (state: State) => (call: Call): Outcome =>
  Effect.flatMap(find(state, call), ({ id }) =>
    Ref.update(state, ({ all, made }) => ({ made, all: all.filter((list) => list.id !== id) })))

const parts = (state: State, partOf: ReturnType<typeof partByNumber>) => (call: Call): Outcome =>
  Effect.flatMap(find(state, call), ({ id, parts }) => {
    const shown = parts.map(({ quantities, requested }, i) => ({
      UniqueId: uniqueId(id, i),
      RequestedPartNumber: requested,
      ...describe(partOf(requested)),
      Quantities: quantities.map((quantity) => ({ QuantityRequested: quantity, PackOptions: [] }))
    }))
    return Either.map(
      Input.page(call.query, shown, { start: "startIndex", limit: "limit", defaultLimit: 200 }),
      (page) => ({ TotalParts: shown.length, PartsList: page })
    )
  })

const uniqueId = (listId: string, index: number): string => `${listId}-${index + 1}`

/** A number that is not in the catalogue stays in the list, unmatched. */
const describe = (part: SimulatedPart | undefined) =>
  part === undefined ? { Flags: { IsMatched: false } } : {
    DigiKeyPartNumber: digiKeyNumber(part),
    ManufacturerPartNumber: part.manufacturerProductNumber,
    Manufacturer: part.manufacturer,
    Description: part.description,
    QuantityAvailable: part.quantityAvailable,
    Flags: { IsMatched: true }
  }

const addParts = (state: State) => (call: Call): Outcome =>
  Effect.gen(function*() {
    const { id } = yield* find(state, call)
    const added = yield* Input.finish(Input.items(call.json, "", part))
    return yield* Ref.modify(state, ({ all, made }) => {
      const before = all.find((list) => list.id === id)?.parts ?? []
      const grown = all.map((list) => (list.id === id ? { ...list, parts: [...before, ...added] } : list))
      return [added.map((_, i) => uniqueId(id, before.length + i)), { made, all: grown }]
    })
  })

const part = (json: unknown, at: string): Input.Read<Part> => {
  const { Quantities, RequestedPartNumber } = Input.object(json)
  const requested = Input.name(RequestedPartNumber, `${at}.RequestedPartNumber`)
  const quantities = Input.items(
    Quantities,
    `${at}.Quantities`,
    (quantity, at) => Input.quantity(Input.object(quantity).Quantity, `${at}.Quantity`)
  )
  return {
    value: { requested: requested.value, quantities: quantities.value },
    problems: [...requested.problems, ...quantities.problems]
  }
}
