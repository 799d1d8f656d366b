/**
 * What DigiKey's API products have in common.
 */
import type * as Headers from "@effect/platform/Headers"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as ApiClient from "effect-credentials/ApiClient"
import type { ErrorBody, Options } from "effect-credentials/ApiClient"
import { RequestFailed } from "effect-credentials/ApiError"
import type { Problem, RateLimited } from "effect-credentials/ApiError"
import type { Limits } from "effect-credentials/RateLimits"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Dialects from "./dialects.js"

/** Known only by its words, which come as the title, the detail or a violation. */
const isAboutAccount = ({ detail, title, violations }: Problem): boolean =>
  [title, detail, ...violations.flatMap(({ field, message }) => [field, message])].some((text) =>
    text !== undefined && /account.?id/i.test(text)
  )

/** By the status alone where the body says nothing: a product that takes users' tokens only answers an empty 401. */
const hint = ({ status }: ErrorBody, problem: Problem): string | undefined => {
  if (status === 401 || status === 403) {
    return "Is the application subscribed to this product, and does the product take this kind of token?"
  }
  if (status === 400 && isAboutAccount(problem)) {
    return "This call needs an account: set accountId (DIGIKEY_ACCOUNT_ID), or check the one that is set."
  }
  return undefined
}

/** The daily limit is told from the burst limit by which of the two counts has run out. */
const limit = (headers: Headers.Headers): RateLimited["limit"] =>
  headers["x-ratelimit-remaining"] === "0"
    ? "daily"
    : headers["x-burstlimit-remaining"] === "0"
    ? "burst"
    : "unknown"

export const options = (product: {
  readonly product: string
  readonly path: string
  /** Paths of POSTs that only read. */
  readonly reads: ReadonlyArray<string>
  readonly limits: Limits
}): Options => {
  const base = product.path.replace(/\/$/, "")
  const reads = new Set(product.reads.map((path) => base + path))
  return {
    product: product.product,
    path: product.path,
    problem: Dialects.problem,
    hint,
    limit,
    limits: product.limits,
    repetition: (request) => reads.has(request.url) ? "always" : ApiClient.repetitionByMethod(request)
  }
}

/** What DigiKey is known to refuse. Nothing was sent, and the error says no value. */
export const invalid = (product: string, method: string, path: string): RequestFailed =>
  new RequestFailed({ product, method, path, reason: "InvalidRequest" })

/** A whole number above 0, such as a quantity or an id. */
export const isPositiveInteger = (value: number): boolean => Number.isSafeInteger(value) && value > 0

type Checked = Either.Either<HttpClientRequest.HttpClientRequest, RequestFailed>

/** A POST with a checked JSON body. */
export const postJson = <A, I>(product: string, schema: Schema.Schema<A, I>) => {
  const encode = Schema.encodeEither(schema)
  return (path: string, input: A): Checked =>
    Either.mapBoth(encode(input), {
      onLeft: () => invalid(product, "POST", path),
      onRight: (body) => HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post(path), body)
    })
}

/** A GET with a checked query; what is `undefined` is left out. */
export const getQuery = <A, I extends Readonly<Record<string, string | number | undefined>>>(
  product: string,
  schema: Schema.Schema<A, I>
) => {
  const encode = Schema.encodeEither(schema)
  return (path: string, input: A): Checked =>
    Either.mapBoth(encode(input), {
      onLeft: () => invalid(product, "GET", path),
      onRight: (query) => HttpClientRequest.get(path, { urlParams: query })
    })
}
