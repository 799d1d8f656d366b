import { ProductInformation } from "@effect-credentials/digikey"
import { Clock, Effect, Ref } from "effect"

/** One search: when it began and ended (milliseconds), and whether it was answered. */
export interface Search {
  readonly from: number
  readonly to: number
  readonly answered: boolean
}

export type Searches = ReadonlyArray<Search>

export const answered = (searches: Searches): number => searches.filter((search) => search.answered).length

/** In milliseconds. */
export const slowest = (searches: Searches): number => Math.max(0, ...searches.map(({ from, to }) => to - from))

/** Those that began and were answered in a span of time. */
export const within = (searches: Searches, from: number, to: number): number =>
  answered(searches.filter((search) => search.from >= from && search.to <= to))

const searchOnce = Effect.gen(function*() {
  const from = yield* Clock.currentTimeMillis
  const answered = yield* Effect.isSuccess(ProductInformation.keywordSearch({ Keywords: "NE555", Limit: 1 }))
  return { from, to: yield* Clock.currentTimeMillis, answered }
})

/** So many searches, all at the same time. */
export const together = (count: number) => Effect.replicateEffect(searchOnce, count, { concurrency: "unbounded" })

/** So many callers, each searching again and again, for as long as `something` takes. */
export const during = <A, E, R>(callers: number, something: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const searches: Array<Search> = []
    const done = yield* Ref.make(false)
    const caller = Effect.delay(searchOnce, "20 millis").pipe(
      Effect.tap((search) => Effect.sync(() => searches.push(search))),
      Effect.repeat({ until: () => Ref.get(done) })
    )
    const [result] = yield* Effect.all([
      Effect.ensuring(something, Ref.set(done, true)),
      Effect.replicateEffect(caller, callers, { concurrency: "unbounded", discard: true })
    ], { concurrency: "unbounded" })
    return { searches: searches as Searches, result }
  })
