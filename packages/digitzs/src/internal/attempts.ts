/**
 * What became of the attempts of one request. The engine tells how the last one
 * ended; whether a payment may have been applied depends on all of them.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as ApiClient from "effect-credentials/ApiClient"
import * as Effect from "effect/Effect"

export interface Attempts {
  sent: number
  /** Those that certainly were not applied: answered with a refusal, or never sent. */
  refused: number
  /** Whether a 409 came: Digitzs has something under this request id, whatever becomes of the rest of the answer. */
  conflict: boolean
}

/** `sentBefore`: an earlier call under the same request id may have been applied. */
export const make = (sentBefore: boolean): Attempts => ({ sent: sentBefore ? 1 : 0, refused: 0, conflict: false })

/** Whether an attempt may have been applied. */
export const uncertain = ({ refused, sent }: Attempts): boolean => sent > refused

/** A 408 may come from a server that took too long, and a redirect from one that is done; 501 and 505 are refusals. */
const isRefusal = (status: number): boolean =>
  (status >= 400 && status < 500 && status !== 408) || status === 501 || status === 505

/** The same client, with every attempt counted. One that is interrupted stays uncertain. */
export const watch = (client: HttpClient.HttpClient, attempts: Attempts): HttpClient.HttpClient =>
  HttpClient.transform(client, (response) =>
    Effect.suspend(() => {
      attempts.sent += 1
      const answered = (status: number) => {
        if (isRefusal(status)) attempts.refused += 1
        if (status === 409) attempts.conflict = true
      }
      return Effect.tapBoth(response, {
        onFailure: (error) =>
          Effect.sync(() => {
            // A client that refuses statuses by itself has an answer nevertheless.
            if (error._tag === "ResponseError") answered(error.response.status)
            else if (ApiClient.wasNeverSent(error)) attempts.refused += 1
          }),
        onSuccess: ({ status }) => Effect.sync(() => answered(status))
      })
    }))
