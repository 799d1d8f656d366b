import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { ErrorDialect } from "../../testing/ErrorDialect.js"

/** What a product answers when it does not do what was asked. */
export interface Failure {
  readonly status: number
  readonly detail: string
  readonly fields?: ReadonlyArray<{ readonly field: string; readonly message: string }>
}

export interface Call {
  /** Decoded path parameters. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** The parsed body; `undefined` for a method without one. */
  readonly json: unknown
  /** Whose account the token represents; empty for a token of an application. */
  readonly account: string
  /** When the call arrived: milliseconds since the Unix epoch. */
  readonly now: number
}

/** The JSON of a reply, or why there is none. An `Either` is one. */
export type Outcome = Effect.Effect<unknown, Failure>

interface Route {
  readonly method: "GET" | "POST" | "DELETE"
  /** Below the product's base: `/search/{productNumber}/productdetails`. */
  readonly path: string
  /** Of a reply to a call that did what was asked. Default 200; a 204 has no body. */
  readonly status?: 200 | 201 | 204
  /** Whether a token of an application must come with `X-DIGIKEY-Account-Id`. */
  readonly needsAccount?: boolean
  readonly handle: (call: Call) => Outcome
}

/** An API product: what an application subscribes to, and what has rate limits of its own. */
export interface Product {
  readonly base: string
  /** Accepts the token of a user only (3-legged OAuth). */
  readonly userOnly?: boolean
  /** Requests a minute, unless a simulator is made with another limit. Default 120. */
  readonly burstLimit?: number
  /** Default `"B"`, that of the v4 products. */
  readonly dialect?: ErrorDialect
  readonly routes: ReadonlyArray<Route>
}

/** A route with its path taken apart, once. */
interface CompiledRoute extends Route {
  /** As it appears in `Stats`: `"GET /products/v4/search/categories"`. */
  readonly name: string
  readonly segments: ReadonlyArray<string>
}

export interface CompiledProduct extends Product {
  readonly routes: ReadonlyArray<CompiledRoute>
}

export const compile = (product: Product): CompiledProduct => ({
  ...product,
  routes: product.routes.map((route) => ({
    ...route,
    name: `${route.method} ${product.base}${route.path}`,
    segments: route.path.split("/")
  }))
})

export type Match =
  | { readonly _tag: "Found"; readonly route: CompiledRoute; readonly params: Readonly<Record<string, string>> }
  | { readonly _tag: "WrongMethod"; readonly allow: string }
  | { readonly _tag: "Malformed" }
  | { readonly _tag: "NotFound" }

/** `path` starts with the product's base and is still percent-encoded. */
export const match = (product: CompiledProduct, method: string, path: string): Match => {
  const segments = path.slice(product.base.length).split("/")
  const fitting = product.routes.filter((route) => fits(route.segments, segments))
  const route = fitting.find((route) => route.method === method)
  if (route === undefined) {
    return fitting.length === 0
      ? { _tag: "NotFound" }
      : { _tag: "WrongMethod", allow: fitting.map((route) => route.method).join(", ") }
  }
  try {
    const params: Record<string, string> = {}
    route.segments.forEach((segment, i) => {
      if (isParameter(segment)) {
        params[segment.slice(1, -1)] = decodeURIComponent(segments[i] ?? "")
      }
    })
    return { _tag: "Found", route, params }
  } catch {
    return { _tag: "Malformed" }
  }
}

const isParameter = (segment: string): boolean => segment.startsWith("{")

const fits = (pattern: ReadonlyArray<string>, segments: ReadonlyArray<string>): boolean =>
  pattern.length === segments.length &&
  pattern.every((segment, i) => (isParameter(segment) ? segments[i] !== "" : segment === segments[i]))

export type Fields = NonNullable<Failure["fields"]>

export const badRequest = (fields: Fields): Either.Either<never, Failure> =>
  Either.left({ status: 400, detail: "The request has invalid parameters", fields })

export const notFound = (detail: string): Either.Either<never, Failure> => Either.left({ status: 404, detail })
