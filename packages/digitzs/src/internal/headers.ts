/**
 * Where Digitzs is, and the headers of every API request after the token's.
 */
import type { HeaderInput } from "effect-credentials/AuthFlow"
import * as Redacted from "effect/Redacted"

export const defaultBaseUrl = "https://api.digitzs.com"

/** The app id is no secret by itself, but with the API key it makes a new app key: it is not logged. */
export const apiHeaders = (apiKey: Redacted.Redacted, appId: string | false): HeaderInput => ({
  "x-api-key": apiKey,
  appId: appId === false ? undefined : Redacted.make(appId)
})
