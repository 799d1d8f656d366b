import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import { badRequest, type Failure, type Fields } from "./route.js"

/** What was read, and everything that is wrong with it: a value is there even so. */
export interface Read<A> {
  readonly value: A
  readonly problems: Fields
}

export const finish = <A>({ problems, value }: Read<A>): Either.Either<A, Failure> =>
  problems.length === 0 ? Either.right(value) : badRequest(problems)

/** A name that must be there. `field` is where it stands, such as `[0].ProductNumber`. */
export const name = (value: unknown, field: string): Read<string> =>
  typeof value === "string" && value.trim() !== ""
    ? { value, problems: [] }
    : { value: "", problems: [{ field, message: `The ${field} field is required.` }] }

export const quantity = (value: unknown, field: string): Read<number> =>
  typeof value === "number" && Number.isSafeInteger(value) && value > 0
    ? { value, problems: [] }
    : { value: 0, problems: [{ field, message: `The field ${field} must be a whole number above 0.` }] }

/** One item at least, each read by `item`, which is told where it stands. The body itself has no `field`: `""`. */
export const items = <A>(
  value: unknown,
  field: string,
  item: (value: unknown, field: string) => Read<A>
): Read<ReadonlyArray<A>> => {
  if (!Array.isArray(value) || value.length === 0) {
    const problem = field === ""
      ? { field: "$", message: "The body must be a JSON array that is not empty." }
      : { field, message: `The ${field} field is required.` }
    return { value: [], problems: [problem] }
  }
  const read = value.map((element: unknown, i) => item(element, `${field}[${i}]`))
  return { value: read.map(({ value }) => value), problems: read.flatMap(({ problems }) => problems) }
}

/** The fields of a JSON object; none of anything else, so that what is required is missing. */
export const object = (value: unknown): Readonly<Record<PropertyKey, unknown>> => isRecord(value) ? value : {}

/** A page of `all`: how many to leave out, and how many to answer with. */
export const page = <A>(
  query: URLSearchParams,
  all: ReadonlyArray<A>,
  names: { readonly start: string; readonly limit: string; readonly defaultLimit: number }
): Either.Either<ReadonlyArray<A>, Failure> => {
  const start = whole(query, names.start, 0, 0)
  const limit = whole(query, names.limit, names.defaultLimit, 1)
  return Either.map(
    finish({ value: undefined, problems: [...start.problems, ...limit.problems] }),
    () => all.slice(start.value, start.value + limit.value)
  )
}

const whole = (query: URLSearchParams, field: string, fallback: number, min: number): Read<number> => {
  const text = query.get(field)
  const value = text === null ? fallback : /^\d{1,6}$/.test(text) ? Number(text) : -1
  return value >= min
    ? { value, problems: [] }
    : { value, problems: [{ field, message: `The field ${field} must be ${min} or more.` }] }
}
