import * as Data from "effect/Data"
import type { ErrorDialect } from "../../testing/ErrorDialect.js"

/**
 * How the token endpoint behaves.
 *
 * - `Healthy` as documented.
 * - `Down` answers every call with `status`, with a `Retry-After` header if one is given (seconds or
 *   an HTTP date).
 * - `Hanging` accepts the call and never answers.
 * - `Dropping` closes the connection without an answer, before the call takes effect or, with
 *   `applied`, after: a refresh token is replaced then, and nobody is told by what.
 * - `Reply` answers with exactly this. A `body` that is a function is given tokens that were really
 *   issued: the grant takes effect and may be refused as ever. Any other `body` leaves it out.
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
  Dropping: { readonly applied?: boolean }
  Reply: {
    readonly status?: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string | Uint8Array | ((accessToken: string, refreshToken: string | undefined) => string)
  }
}>

const variants = Data.taggedEnum<TokenEndpoint>()

/**
 * @since 0.1.0
 * @category constructors
 */
export const TokenEndpoint = {
  Healthy: variants.Healthy,
  Down: variants.Down,
  Hanging: variants.Hanging,
  Dropping: (options: { readonly applied?: boolean } = {}): TokenEndpoint => variants.Dropping(options),
  Reply: variants.Reply,
  $is: variants.$is,
  $match: variants.$match
}

/** How the endpoint behaves for the next `remaining` calls. */
export interface ArmedTokenEndpoint {
  readonly behaviour: TokenEndpoint
  readonly remaining: number
}

/** How the endpoint behaves for this call, and what stays armed after it. */
export const takeTokenEndpoint = (
  [first, ...rest]: ReadonlyArray<ArmedTokenEndpoint>
): readonly [TokenEndpoint | undefined, ReadonlyArray<ArmedTokenEndpoint>] =>
  first === undefined
    ? [undefined, rest]
    : [first.behaviour, first.remaining > 1 ? [{ ...first, remaining: first.remaining - 1 }, ...rest] : rest]

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
