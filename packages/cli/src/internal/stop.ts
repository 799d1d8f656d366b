/**
 * How a command ends that does not reach its end: with words for a person, and a
 * number for a script.
 */
import { isValidationError } from "@effect/cli/ValidationError"
import type { ValidationError } from "@effect/cli/ValidationError"
import type { PlatformError } from "@effect/platform/Error"
import * as ConfigError from "effect/ConfigError"
import type { ApiClientError } from "effect-credentials/ApiError"
import type { AuthorizationFailed } from "effect-credentials/AuthorizationError"
import * as Data from "effect/Data"
import { ExitCode } from "../ExitCode.js"

export class Stop extends Data.TaggedError("Stop")<{ readonly code: ExitCode; readonly message: string }> {}

export const usage = (message: string): Stop => new Stop({ code: ExitCode.usage, message })

/** What a command may fail with. */
export type Failure =
  | Stop
  | ApiClientError
  | AuthorizationFailed
  | ConfigError.ConfigError
  | PlatformError
  | ValidationError

/** Names the variables. No ConfigError of ours has a value in it. */
const configuration = (error: ConfigError.ConfigError): string => {
  switch (error._op) {
    case "And":
    case "Or":
      return `${configuration(error.left)}\n${configuration(error.right)}`
    case "MissingData":
      return `${error.path.at(-1)} is not set.`
    default:
      return `${error.path.at(-1)}: ${error.message}.`
  }
}

const ofLogin = (reason: AuthorizationFailed["reason"]): ExitCode => {
  switch (reason) {
    case "Denied":
      return ExitCode.denied
    case "Expired":
    case "CodeRefused":
      return ExitCode.expired
    default:
      return ExitCode.failed
  }
}

/** `undefined` for what has been said already. */
export const explain = (error: Failure): { readonly code: ExitCode; readonly message: string | undefined } => {
  // @effect/cli has printed it.
  if (isValidationError(error)) return { code: ExitCode.usage, message: undefined }
  if (ConfigError.isConfigError(error)) return { code: ExitCode.usage, message: configuration(error) }
  return { code: codeOf(error), message: error.message }
}

const codeOf = (error: Exclude<Failure, ValidationError | ConfigError.ConfigError>): ExitCode => {
  switch (error._tag) {
    case "Stop":
      return error.code
    case "AuthorizationFailed":
      return ofLogin(error.reason)
    case "ReauthorizationRequired":
      return ExitCode.loginNeeded
    case "CredentialsRejected":
      return ExitCode.credentialsRejected
    case "TokenEndpointUnavailable":
      return ExitCode.unavailable
    case "TokenStoreError":
      return ExitCode.store
    case "RateLimited":
      return ExitCode.rateLimited
    case "OutcomeUnknown":
      return ExitCode.outcomeUnknown
    case "RequestFailed":
      return error.reason === "InvalidRequest" ? ExitCode.usage : ExitCode.unavailable
    case "ApiError":
      return error.status >= 500 ? ExitCode.unavailable : ExitCode.refused
    case "ForeignOrigin":
    case "MalformedTokenResponse":
    case "UnexpectedResponse":
    case "BadArgument":
    case "SystemError":
      return ExitCode.failed
  }
}
