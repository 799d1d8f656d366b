/**
 * What a 401 means for one API product. A server answers 401 to a token that
 * was revoked, and some answer 401 when the application is not subscribed to the
 * product. The first is mended by a new token; the second would cost a new token
 * at every request.
 */
import * as Token from "../Token.js"

/** Lives as long as the Layer instance it belongs to. Times are milliseconds since the epoch. */
export interface Memory {
  /** The newest token that this product accepted. */
  accepted: Token.Token | undefined
  /** The token, never accepted here, for which a renewal was last forced. */
  forced: { readonly token: Token.Token; readonly at: number } | undefined
  /** The token that a renewal did not replace: the server gave it again. */
  unchanged: { readonly token: Token.Token; readonly at: number } | undefined
  /** Requests (method and path) that got a 401 with a fresh token too, and when. */
  readonly unmended: Map<string, number>
  /** The renewals that did not help, whichever request they were for, by the token they are known by: the newest few. */
  vain: ReadonlyArray<{ readonly token: Token.Token; readonly at: number }>
}

export const make = (): Memory => ({
  accepted: undefined,
  forced: undefined,
  unchanged: undefined,
  unmended: new Map(),
  vain: []
})

/** Whether an answer shows that the token itself was good. A 429 or 5xx may come from a gateway that never looked. */
export const shows = (status: number): boolean => status < 500 && status !== 401 && status !== 429

export const accept = (memory: Memory, token: Token.Token): void => {
  // A late answer to an older token says nothing about the newer one.
  if (memory.accepted === token) return
  if (memory.accepted !== undefined && memory.accepted.issuedAt.epochMillis > token.issuedAt.epochMillis) return
  memory.accepted = token
}

/** A request (method and path) that got a 401 with a fresh token is accepted after all. */
export const forgive = (memory: Memory, request: string): void => {
  memory.unmended.delete(request)
}

const isFor = (it: { readonly token: Token.Token } | undefined, token: Token.Token): boolean =>
  it !== undefined && Token.sameAccessToken(it.token, token)

const most = 64

/** How many renewals a product may have in a cool-down that help none of its requests. */
const mostInVain = 3

/** A renewal, known by `token`, did not help this request. However many requests it did not help, it is one. */
export const notMended = (memory: Memory, request: string, token: Token.Token, now: number): void => {
  memory.vain = [...memory.vain.filter((it) => !isFor(it, token)), { token, at: now }].slice(-mostInVain)
  memory.unmended.delete(request)
  memory.unmended.set(request, now)
  for (const oldest of memory.unmended.keys()) {
    if (memory.unmended.size <= most) break
    memory.unmended.delete(oldest)
  }
}

/**
 * Whether the refusal of `token`, which is the current one, is worth a renewal:
 * always if this product accepted it before, else once in a cool-down. Requests
 * that were refused with the same token share that one renewal. A renewal that
 * gave the same token again, or did not help this very request, is not repeated
 * within the cool-down either; and where three have helped no request of this
 * product, none is tried for a while: some of its operations are not ours to use.
 */
export const mayRenew = (
  memory: Memory,
  token: Token.Token,
  request: string,
  now: number,
  coolDown: number
): boolean => {
  // A clock that was put back must not make a cool-down last until it is where it was.
  const recent = (at: number | undefined) => at !== undefined && Math.abs(now - at) < coolDown
  if (isFor(memory.unchanged, token) && recent(memory.unchanged?.at)) return false
  if (recent(memory.unmended.get(request))) return false
  if (memory.vain.length === mostInVain && memory.vain.every(({ at }) => recent(at))) return false
  if (memory.accepted !== undefined && Token.sameAccessToken(memory.accepted, token)) return true
  if (isFor(memory.forced, token)) return true
  if (recent(memory.forced?.at)) return false
  memory.forced = { token, at: now }
  return true
}
