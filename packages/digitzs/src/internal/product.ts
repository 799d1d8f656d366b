/**
 * What Digitzs's API products have in common.
 */
import type * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as ApiClient from "effect-credentials/ApiClient"
import { RequestFailed } from "effect-credentials/ApiError"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Dialects from "./dialects.js"
import * as Secrets from "./secrets.js"

/** What a request carries, by its body, which is the same object in every form that the request takes on its way. */
const carried = new WeakMap<HttpBody.HttpBody, ReadonlyArray<Redacted.Redacted>>()

const reads = new Set(["GET", "HEAD", "OPTIONS"])

/** Money is moved by the rest: that is sent once, even where HTTP calls the method idempotent. */
export const repetition = (request: HttpClientRequest.HttpClientRequest): ApiClient.Repetition =>
  reads.has(request.method) ? "always" : "never"

export const options = (product: string): ApiClient.Options => ({
  product,
  repetition,
  problem: Dialects.problem,
  secrets: (request) => carried.get(request.body) ?? [],
  hint: Dialects.hint
})

/** What Digitzs is known to refuse. Nothing was sent, and the error says no value. */
export const invalid = (product: string, method: string, path: string): RequestFailed =>
  new RequestFailed({ product, method, path, reason: "InvalidRequest" })

type Checked = Either.Either<HttpClientRequest.HttpClientRequest, RequestFailed>

/** A POST with a checked JSON:API body. Secrets leave their wrapping here. */
export const post = <A, I>(product: string, path: string, type: string, schema: Schema.Schema<A, I>) => {
  const encode = Schema.encodeEither(schema)
  return (input: A, extra: { readonly requestId?: string } = {}): Checked =>
    Either.mapBoth(encode(input), {
      onLeft: () => invalid(product, "POST", path),
      onRight: (attributes) => {
        const request = HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post(path, { acceptJson: true }), {
          data: { ...extra, type, attributes }
        })
        // Three digits are a part of anything: what is short is looked for here, as a word of its own.
        const long = Secrets.secretsIn(input).filter((secret) => secret.length >= 8)
        carried.set(request.body, long.map((secret) => Redacted.make(secret)))
        return request
      }
    })
}
