import * as Data from "effect/Data"

/**
 * What goes wrong with a call that came with good credentials.
 *
 * - `Respond` answers with `status`: a 429 as the gateway does, anything else as JSON:API, or with
 *   `body` as it is. With `applied` the call takes effect first.
 * - `Drop` closes the connection without an answer, before the call takes effect or, with `applied`,
 *   after.
 * - `Break` lets the call take effect and answers, but the connection breaks inside the body.
 * - `Hang` never answers, and the call takes effect only with `applied`.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault = Data.TaggedEnum<{
  Respond: {
    readonly status: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
    readonly applied?: boolean
  }
  Drop: { readonly applied?: boolean }
  Break: {}
  Hang: { readonly applied?: boolean }
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
  return [
    armed.fault,
    armed.remaining > 1
      ? faults.map((other, i) => (i === index ? { ...armed, remaining: armed.remaining - 1 } : other))
      : faults.filter((_, i) => i !== index)
  ]
}

/** Whether `path` is `prefix` or below it; `"/"` has every path below it. */
const isWithin = (path: string, prefix: string): boolean => {
  const bare = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix
  return path === bare || path.startsWith(`${bare}/`)
}
