/**
 * The error bodies of DigiKey's products, gateway, token endpoint and authorize
 * endpoint. One meaning in many dialects; all become one `Problem`.
 *
 * Each field is read by itself: one that is absent, `null` or of another type
 * costs nothing but itself.
 */
import type { ErrorBody } from "effect-credentials/ApiClient"
import { Problem } from "effect-credentials/ApiError"
import type { Refusal } from "effect-credentials/TokenEndpoint"
import * as Option from "effect/Option"
import { isRecord } from "effect/Predicate"

type Violation = Problem["violations"][number]

/** Where a dialect says what. */
interface Dialect {
  readonly name: string
  readonly title: string
  readonly detail: string
  readonly requestId?: string | undefined
  /** Whether the title is a code for programs, such as `invalid_client`. */
  readonly coded?: boolean | undefined
  readonly violations?: ((body: Readonly<Record<PropertyKey, unknown>>) => ReadonlyArray<Violation>) | undefined
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() !== ""
    ? value
    : typeof value === "number"
    ? String(value)
    : undefined

const violation = (field: string | undefined, message: string | undefined): ReadonlyArray<Violation> =>
  field === undefined && message === undefined ? [] : [{ field: field ?? "", message: message ?? "" }]

const asArray = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

/** `[{"Field":"…","Message":"…"}]` */
const pairs = (errors: unknown, field: string, message: string): ReadonlyArray<Violation> =>
  asArray(errors).flatMap((error) =>
    isRecord(error) ? violation(text(error[field]), text(error[message])) : violation(undefined, text(error))
  )

/** `{"Field":["…"]}`, or `{"Field":"…"}` */
const byField = (errors: unknown): ReadonlyArray<Violation> =>
  isRecord(errors)
    ? Object.entries(errors).flatMap(([field, messages]) => {
      const texts = [messages, ...asArray(messages)].flatMap((message) => text(message) ?? [])
      return texts.length === 0 ? violation(text(field), undefined) : texts.map((message) => ({ field, message }))
    })
    : []

const dialects: ReadonlyArray<Dialect> = [
  // A. Token endpoint, gateway and v3 products
  {
    name: "digikey",
    title: "ErrorMessage",
    detail: "ErrorDetails",
    requestId: "RequestId",
    violations: (body) => pairs(body["ValidationErrors"], "Field", "Message")
  },
  // C. A in camel case
  {
    name: "digikey-camel",
    title: "errorMessage",
    detail: "errorDetails",
    requestId: "requestId",
    violations: (body) => pairs(body["validationErrors"], "field", "message")
  },
  // F. Gateway
  { name: "gateway", title: "httpMessage", detail: "moreInformation" },
  // E. RFC 6749 §5.2
  { name: "oauth2", title: "error", detail: "error_description", coded: true },
  // D. Authorize endpoint
  { name: "digikey-authorize", title: "ErrorCode", detail: "Error", coded: true },
  // B. Problem details (RFC 9457), v4 products
  {
    name: "problem-details",
    title: "title",
    detail: "detail",
    requestId: "correlationId",
    violations: (body) => byField(body["errors"])
  }
]

interface Said {
  readonly dialect: Dialect
  readonly title: string | undefined
  readonly detail: string | undefined
  readonly requestId: string | undefined
  readonly violations: ReadonlyArray<Violation>
}

/** A request id alone is kept too, unless another dialect has words. */
const said = (json: unknown): Option.Option<Said> => {
  let silent: Option.Option<Said> = Option.none()
  if (!isRecord(json)) return silent
  // Support asks for it, whichever dialect the words are in.
  const requestId = text(json["RequestId"]) ?? text(json["requestId"]) ?? text(json["correlationId"])
  for (const dialect of dialects) {
    const it: Said = {
      dialect,
      title: text(json[dialect.title]),
      detail: text(json[dialect.detail]),
      requestId,
      violations: dialect.violations?.(json) ?? []
    }
    if (hasWords(it)) return Option.some(it)
    if (Option.isNone(silent) && dialect.requestId !== undefined && text(json[dialect.requestId]) !== undefined) {
      silent = Option.some(it)
    }
  }
  return silent
}

const hasWords = ({ detail, title, violations }: Said): boolean =>
  title !== undefined || detail !== undefined || violations.length > 0

/** What an API product said. */
export const problem = ({ json }: ErrorBody): Problem =>
  Option.match(said(json), {
    onNone: () => Problem.empty,
    onSome: ({ detail, dialect, requestId, title, violations }) =>
      new Problem({ title, detail, requestId, violations, dialect: dialect.name })
  })

/**
 * Observed for a refresh token that has been redeemed, revoked or has expired: with
 * a 401, and no error code in any dialect. An authorization code may fare the same.
 */
const isAboutLogin = ({ detail, title, violations }: Said): boolean =>
  [title, detail, ...violations.map(({ message }) => message)].some((words) =>
    words !== undefined && /invalid\s*(refresh[\s_]*token|(authorization\s*)?code\b)/i.test(words)
  )

/** What the token endpoint said. A request id alone is no refusal: a token reply could carry one. */
export const refusal = (json: unknown): Option.Option<Refusal> =>
  Option.map(Option.filter(said(json), hasWords), (said) => {
    const { detail, dialect, requestId, title, violations } = said
    return {
      error: dialect.coded === true ? title : undefined,
      description: [
        // Where the title is the code, it is said already.
        [dialect.coded === true ? undefined : title, detail].flatMap((words) => words ?? []).join(": "),
        ...violations.map(({ field, message }) => `${field}: ${message}`)
      ].filter((words) => words !== "").join("; "),
      requestId,
      loginRequired: isAboutLogin(said) ? true : undefined
    }
  })

/** Dialect D, where it comes back with the browser. */
export const authorizationError = (parameters: URLSearchParams): Option.Option<Refusal> => {
  const error = text(parameters.get("ErrorCode"))
  const description = text(parameters.get("Error"))
  return error === undefined && description === undefined ? Option.none() : Option.some({ error, description })
}
