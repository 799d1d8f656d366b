/**
 * Error bodies: JSON:API from Digitzs itself, one line from the gateway before
 * it. Fields are picked by name: a `data.id` is our own API key, and a
 * `meta.debug` may hold anything.
 */
import type { ErrorBody } from "effect-credentials/ApiClient"
import { Problem } from "effect-credentials/ApiError"
import type { Refusal } from "effect-credentials/TokenEndpoint"
import * as Option from "effect/Option"
import { isRecord } from "effect/Predicate"

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() !== ""
    ? value
    : typeof value === "number"
    ? String(value)
    : undefined

/** One member of `errors`. */
interface JsonApiError {
  readonly title: string | undefined
  readonly detail: string | undefined
  /** The code of the processor, for example `58`. */
  readonly code: string | undefined
  /** Of the field that it is about, for example `/data/requestId`. */
  readonly pointer: string | undefined
}

const jsonApiErrors = (json: unknown): ReadonlyArray<JsonApiError> =>
  isRecord(json) && Array.isArray(json["errors"])
    ? json["errors"].filter(isRecord).map((error) => ({
      title: text(error["title"]),
      detail: text(error["detail"]),
      code: text(error["code"]),
      pointer: isRecord(error["source"]) ? text(error["source"]["pointer"]) : undefined
    })).filter(({ code, detail, pointer, title }) =>
      title !== undefined || detail !== undefined || code !== undefined || pointer !== undefined
    )
    : []

const titleOf = ({ code, title }: JsonApiError): string | undefined =>
  code === undefined ? title : title === undefined ? `code ${code}` : `${title} (code ${code})`

const read = (json: unknown): Problem => {
  const errors = jsonApiErrors(json)
  const [first] = errors
  if (first !== undefined) {
    return new Problem({
      title: titleOf(first),
      detail: first.detail,
      violations: errors.length === 1 && first.pointer === undefined ? [] : errors.map((error) => ({
        field: error.pointer ?? "",
        message: error.detail ?? titleOf(error) ?? ""
      })),
      dialect: "json-api"
    })
  }
  const message = isRecord(json) ? text(json["message"]) : undefined
  return message === undefined ? Problem.empty : new Problem({ title: message, violations: [], dialect: "gateway" })
}

export const problem = ({ json }: ErrorBody): Problem => read(json)

const checkApiKey = "Digitzs's gateway does not know the API key: check DIGITZS_API_KEY."

export const hint = ({ status }: ErrorBody, { dialect, title }: Problem): string | undefined => {
  if (status === 403 && dialect === "gateway" && title === "Forbidden") return checkApiKey
  if (status === 401) {
    return "Digitzs did not accept the app token: do the API key, the app key and the app id (DIGITZS_APP_ID) belong together?"
  }
  return undefined
}

const newAppKey = "create a new one with AppKey.create, which ends the present one at once"

const remedies: Readonly<Record<number, string>> = {
  400: `Digitzs could not read the app key: check DIGITZS_APP_KEY, or ${newAppKey}.`,
  401: `The app key is wrong, or a newer one has replaced it: check DIGITZS_APP_KEY, or ${newAppKey}.`,
  403: checkApiKey
}

/** What `/auth/token` said. A 2xx is a refusal only where it has `errors`. */
export const refusal = (json: unknown, status: number): Option.Option<Refusal> => {
  if (status < 400 && jsonApiErrors(json).length === 0) return Option.none()
  const { detail, title, violations } = read(json)
  return Option.some({
    description: [
      [title, detail].flatMap((words) => words ?? []).join(": "),
      ...violations.filter(({ message }) => message !== detail).map(({ field, message }) => `${field}: ${message}`)
    ].filter((words) => words !== "").join("; "),
    hint: remedies[status]
  })
}

/** What a 409 to a keyed payment says. */
export interface Conflict {
  /** Whether it is about the request id, or about nothing in particular, rather than about something else. */
  readonly duplicate: boolean
  readonly transactionId: Option.Option<string>
}

export const conflict = (json: unknown): Conflict => {
  const errors = jsonApiErrors(json)
  // The server's text: only what an id looks like is one.
  const transactionId = Option.fromNullable(isRecord(json) ? text(json["transactionID"]) : undefined).pipe(
    Option.filter((id) => /^[\w.:-]{1,100}$/.test(id))
  )
  return {
    duplicate: Option.isSome(transactionId) || errors.length === 0 || errors.some(({ detail, pointer, title }) =>
      // Its words count only where it does not say what it is about: an invoice number can be a duplicate too.
      pointer === undefined ? /duplicate/i.test(`${title} ${detail}`) : pointer.endsWith("/requestId")
    ),
    transactionId
  }
}
