import * as Data from "effect/Data"
import type { ErrorDialect } from "../../testing/ErrorDialect.js"

/**
 * How the token endpoint behaves.
 *
 * - `Healthy` as documented.
 * - `Down` answers every call with `status`, with a `Retry-After` header if one is given (seconds or
 *   an HTTP date).
 * - `Hanging` accepts the call and never answers.
 * - `Dropping` closes the connection without an answer.
 * - `Reply` answers with exactly this. A `body` that is a function is given a token that was really
 *   issued: the API accepts it.
 *
 * @since 0.1.0
 * @category models
 */
export type TokenEndpoint = Data.TaggedEnum<{
  Healthy: {}
  Down: {
    readonly status: number
    readonly retryAfter?: number | string
    readonly dialect?: ErrorDialect
  }
  Hanging: {}
  Dropping: {}
  Reply: {
    readonly status?: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string | Uint8Array | ((accessToken: string) => string)
  }
}>

/**
 * @since 0.1.0
 * @category constructors
 */
export const TokenEndpoint = Data.taggedEnum<TokenEndpoint>()

/**
 * What goes wrong with an API call that carried a good token and was within the rate limits.
 *
 * - `Respond` answers with `status`: in `dialect` (default: the product's own), or with `body` as it
 *   is. With `applied` the request takes effect first.
 * - `Drop` closes the connection without an answer, before the request takes effect or, with
 *   `applied`, after.
 * - `Hang` never answers.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault = Data.TaggedEnum<{
  Respond: {
    readonly status: number
    readonly dialect?: ErrorDialect
    readonly title?: string
    readonly detail?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string | Uint8Array
    readonly applied?: boolean
  }
  Drop: { readonly applied?: boolean }
  Hang: {}
}>

/**
 * @since 0.1.0
 * @category constructors
 */
export const Fault = Data.taggedEnum<Fault>()

/** A fault with the paths it concerns and how often it is still to happen. */
export interface ArmedFault {
  readonly fault: Fault
  readonly path: string
  readonly remaining: number
}

/** The first fault that concerns `path`, and the faults that stay armed after it. */
export const takeFault = (
  faults: ReadonlyArray<ArmedFault>,
  path: string
): readonly [Fault | undefined, ReadonlyArray<ArmedFault>] => {
  const index = faults.findIndex((armed) => isWithin(path, armed.path))
  const armed = faults[index]
  if (armed === undefined) {
    return [undefined, faults]
  }
  const remaining = armed.remaining - 1
  return [
    armed.fault,
    remaining > 0
      ? faults.map((other, i) => (i === index ? { ...armed, remaining } : other))
      : faults.filter((_, i) => i !== index)
  ]
}

/** Whether `path` is `prefix` or below it; `"/"` has every path below it. */
export const isWithin = (path: string, prefix: string): boolean => {
  const bare = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix
  return path === bare || path.startsWith(`${bare}/`)
}
