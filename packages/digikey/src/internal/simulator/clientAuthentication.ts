import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Redacted from "effect/Redacted"

/** What the token endpoint answers when it issues nothing. */
export interface Refusal {
  readonly status: 400 | 401 | 405
  /** Of RFC 6749 §5.2. */
  readonly code: string
  readonly detail: string
  readonly title?: string
}

export const refuse = (status: Refusal["status"], code: string, detail: string): Either.Either<never, Refusal> =>
  Either.left({ status, code, detail })

/** Whether this is a token call at all, whatever it asks for. */
export const checkRequest = (
  request: HttpServerRequest.HttpServerRequest,
  allowBasic: boolean
): Either.Either<void, Refusal> => {
  const { authorization } = request.headers
  if (request.method !== "POST") {
    return refuse(405, "invalid_request", "The token endpoint accepts POST only")
  }
  if (authorization !== undefined && !(allowBasic && authorization.startsWith("Basic "))) {
    return refuse(400, "invalid_request", "The token endpoint accepts no Authorization header")
  }
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(request.headers["content-type"] ?? "")) {
    return refuse(400, "invalid_request", "The Content-Type must be application/x-www-form-urlencoded")
  }
  return Either.void
}

/** The client id, once its secret has been checked. */
export const authenticate = (
  clients: ReadonlyMap<string, Redacted.Redacted>,
  authorization: string | undefined,
  form: URLSearchParams
): Either.Either<string, Refusal> => {
  const [clientId, clientSecret] = authorization === undefined
    ? [form.get("client_id"), form.get("client_secret")]
    : readBasic(authorization)
  if (!clientId || !clientSecret) {
    return refuse(400, "invalid_request", "client_id or client_secret is missing")
  }
  const accepted = clients.get(clientId)
  return accepted !== undefined && Redacted.value(accepted) === clientSecret
    ? Either.right(clientId)
    : refuse(401, "invalid_client", "Invalid clientId or clientSecret")
}

/** RFC 6749 §2.3.1: both parts are form-encoded before they are joined. */
const readBasic = (authorization: string): readonly [string | null, string | null] => {
  const text = Either.getOrElse(Encoding.decodeBase64String(authorization.slice("Basic ".length).trim()), () => "")
  const colon = text.indexOf(":")
  const decode = (part: string) => new URLSearchParams(`part=${part}`).get("part")
  return colon === -1 ? [null, null] : [decode(text.slice(0, colon)), decode(text.slice(colon + 1))]
}
