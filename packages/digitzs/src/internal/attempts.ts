/**
 * What became of the attempts of one request. The engine tells how the last one
 * ended; whether a payment may have been applied depends on all of them.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Effect from "effect/Effect"

export interface Attempts {
  sent: number
  /** Those that certainly were not applied: answered with a refusal, or never sent. */
  refused: number
}

export const make = (): Attempts => ({ sent: 0, refused: 0 })

/** Whether an attempt may have been applied. */
export const uncertain = ({ refused, sent }: Attempts): boolean => sent > refused

/** A 408 may come from a server that took too long, and a redirect from one that is done; 501 and 505 are refusals. */
const isRefusal = (status: number): boolean =>
  (status >= 400 && status < 500 && status !== 408) || status === 501 || status === 505

/** Failures before anything was sent. */
const unreachable = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"])

const neverSent = (error: HttpClientError.HttpClientError): boolean => {
  if (error._tag === "RequestError" && error.reason !== "Transport") return true
  let cause: unknown = error
  for (let depth = 0; depth < 6 && typeof cause === "object" && cause !== null; depth++) {
    if ("code" in cause && typeof cause.code === "string") return unreachable.has(cause.code)
    cause = "cause" in cause ? cause.cause : undefined
  }
  return false
}

/** The same client, with every attempt counted. One that is interrupted stays uncertain. */
export const watch = (client: HttpClient.HttpClient, attempts: Attempts): HttpClient.HttpClient =>
  HttpClient.transform(client, (response) =>
    Effect.suspend(() => {
      attempts.sent += 1
      return Effect.tapBoth(response, {
        onFailure: (error) => Effect.sync(() => void (attempts.refused += neverSent(error) ? 1 : 0)),
        onSuccess: ({ status }) => Effect.sync(() => void (attempts.refused += isRefusal(status) ? 1 : 0))
      })
    }))
