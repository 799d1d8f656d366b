/**
 * DigiKey says one thing in several shapes. Each dialect is a pure function from what went wrong to
 * the body that a server of that dialect sends.
 *
 * @since 0.1.0
 */

/**
 * - `A` token endpoint, gateway and v3 products
 * - `B` problem details of the v4 products (RFC 9457)
 * - `C` dialect A in camel case
 * - `D` authorize endpoint
 * - `E` RFC 6749 §5.2
 * - `F` gateway
 * - `Empty` no body at all; `Html` a page of a proxy in between
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorDialect = "A" | "B" | "C" | "D" | "E" | "F" | "Empty" | "Html"

/**
 * @since 0.1.0
 * @category models
 */
export interface ErrorDescription {
  readonly status: number
  readonly title: string
  readonly detail: string
  /** `RequestId` in dialects A and C, `correlationId` in B. The others carry none. */
  readonly requestId: string
  readonly fields?: ReadonlyArray<{ readonly field: string; readonly message: string }> | undefined
  /** The machine-readable code of dialects D and E; derived from the status when absent. */
  readonly code?: string | undefined
}

/**
 * Dialect A.
 *
 * @since 0.1.0
 * @category dialects
 */
export const errorResponse = (error: ErrorDescription) => ({
  ErrorResponseVersion: "3.0.0.0",
  StatusCode: error.status,
  ErrorMessage: error.title,
  ErrorDetails: error.detail,
  RequestId: error.requestId,
  ValidationErrors: (error.fields ?? []).map(({ field, message }) => ({ Field: field, Message: message }))
})

/**
 * Dialect B.
 *
 * @since 0.1.0
 * @category dialects
 */
export const problemDetails = (error: ErrorDescription) => ({
  type: null,
  title: error.title,
  status: error.status,
  detail: error.detail,
  instance: null,
  correlationId: error.requestId,
  errors: messagesByField(error.fields ?? [])
})

/**
 * Dialect C.
 *
 * @since 0.1.0
 * @category dialects
 */
export const camelCaseErrorResponse = (error: ErrorDescription) => ({
  statusCode: error.status,
  errorMessage: error.title,
  errorDetails: error.detail,
  requestId: error.requestId,
  validationErrors: error.fields ?? []
})

/**
 * Dialect D.
 *
 * @since 0.1.0
 * @category dialects
 */
export const authorizeError = (error: ErrorDescription) => ({
  ErrorCode: codeOf(error),
  Error: error.detail
})

/**
 * Dialect E.
 *
 * @since 0.1.0
 * @category dialects
 */
export const oauthError = (error: ErrorDescription) => ({
  error: codeOf(error),
  error_description: error.detail
})

/**
 * Dialect F.
 *
 * @since 0.1.0
 * @category dialects
 */
export const gatewayError = (error: ErrorDescription) => ({
  httpCode: String(error.status),
  httpMessage: error.title,
  moreInformation: error.detail
})

/**
 * The body of a dialect as it goes over the wire.
 *
 * @example
 * ```ts
 * import { ErrorDialect } from "@effect-credentials/digikey/testing"
 *
 * const { body, contentType } = ErrorDialect.render("B", {
 *   status: 401,
 *   title: "Unauthorized",
 *   detail: "Bearer token expired",
 *   requestId: "00000000-0000-4000-8000-000000000001"
 * })
 * ```
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (
  dialect: ErrorDialect,
  error: ErrorDescription
): { readonly contentType: string | undefined; readonly body: string } => {
  switch (dialect) {
    case "A":
      return json(errorResponse(error))
    case "B":
      return { contentType: "application/problem+json", body: JSON.stringify(problemDetails(error)) }
    case "C":
      return json(camelCaseErrorResponse(error))
    case "D":
      return json(authorizeError(error))
    case "E":
      return json(oauthError(error))
    case "F":
      return json(gatewayError(error))
    case "Empty":
      return { contentType: undefined, body: "" }
    case "Html":
      return {
        contentType: "text/html",
        body: `<html><head><title>${error.status} ${error.title}</title></head><body>${error.detail}</body></html>`
      }
  }
}

const json = (value: unknown) => ({ contentType: "application/json", body: JSON.stringify(value) })

const codeOf = (error: ErrorDescription): string =>
  error.code ??
    (error.status === 401 ? "invalid_client" : error.status >= 500 ? "temporarily_unavailable" : "invalid_request")

const messagesByField = (fields: NonNullable<ErrorDescription["fields"]>): Record<string, Array<string>> => {
  const out: Record<string, Array<string>> = {}
  for (const { field, message } of fields) {
    const messages = out[field] ??= []
    messages.push(message)
  }
  return out
}
