/**
 * The headers of every API request, after the token's.
 */
import type { HeaderInput } from "effect-credentials/AuthFlow"
import type * as Redacted from "effect/Redacted"

export interface Options {
  /** `X-DIGIKEY-Account-Id`: with an application's token, needed for prices and orders of an account. */
  readonly accountId?: string | undefined
  /** `X-DIGIKEY-Locale-Site`, for example `US`. */
  readonly localeSite?: string | undefined
  /** `X-DIGIKEY-Locale-Language`, for example `en`. */
  readonly localeLanguage?: string | undefined
  /** `X-DIGIKEY-Locale-Currency`, for example `USD`. */
  readonly localeCurrency?: string | undefined
}

/** The client id is no secret by itself, but it is half of one: it is not logged. */
export const make = (clientId: Redacted.Redacted, options: Options): HeaderInput => ({
  "X-DIGIKEY-Client-Id": clientId,
  "X-DIGIKEY-Account-Id": options.accountId,
  "X-DIGIKEY-Locale-Site": options.localeSite,
  "X-DIGIKEY-Locale-Language": options.localeLanguage,
  "X-DIGIKEY-Locale-Currency": options.localeCurrency
})
