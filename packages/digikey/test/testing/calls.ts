import type { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { HttpBody, HttpClientRequest, type HttpClientResponse } from "@effect/platform"
import { Effect, Redacted } from "effect"

export type Simulator = DigiKeySimulator.DigiKeySimulator

const host = "https://sandbox-api.digikey.com"

/** A token call of the simulator's own client; `fields` go over its credentials. */
export const tokenCall = (simulator: Simulator, fields: Record<string, string>) =>
  Effect.flatMap(simulator.credentials, ({ clientId, clientSecret }) =>
    simulator.httpClient.execute(
      HttpClientRequest.post(`${host}/v1/oauth2/token`).pipe(
        HttpClientRequest.bodyUrlParams({
          client_id: clientId,
          client_secret: Redacted.value(clientSecret),
          ...fields
        })
      )
    ))

const text = (token: string | Redacted.Redacted) => Redacted.isRedacted(token) ? Redacted.value(token) : token

export const refresh = (
  simulator: Simulator,
  refreshToken: string | Redacted.Redacted,
  fields: Record<string, string> = {}
) => tokenCall(simulator, { grant_type: "refresh_token", refresh_token: text(refreshToken), ...fields })

export const exchange = (
  simulator: Simulator,
  { code, redirectUri }: DigiKeySimulator.Authorized,
  fields: Record<string, string> = {}
) =>
  tokenCall(simulator, {
    grant_type: "authorization_code",
    code: Redacted.value(code),
    redirect_uri: redirectUri,
    ...fields
  })

/** The tokens of a reply; empty where it has none. */
export const tokensOf = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.map(response.json, (json) => {
    const reply = json as { readonly access_token?: string; readonly refresh_token?: string }
    return { accessToken: reply.access_token ?? "", refreshToken: reply.refresh_token ?? "" }
  })

export const statusOf = <E, R>(call: Effect.Effect<HttpClientResponse.HttpClientResponse, E, R>) =>
  Effect.map(call, ({ status }) => status)

/** An API call; a `body` is sent as JSON. */
export const api = (
  simulator: Simulator,
  method: "GET" | "POST" | "DELETE",
  path: string,
  token: string | Redacted.Redacted,
  body?: unknown
) =>
  Effect.flatMap(simulator.credentials, ({ clientId }) =>
    simulator.httpClient.execute(
      HttpClientRequest.make(method)(host + path, {
        headers: { Authorization: `Bearer ${text(token)}`, "X-DIGIKEY-Client-Id": clientId },
        ...(body === undefined ? {} : { body: HttpBody.unsafeJson(body) })
      })
    ))

/** The status of a call that any token of a user may make. */
export const lists = (simulator: Simulator, token: string | Redacted.Redacted) =>
  statusOf(api(simulator, "GET", "/mylists/v1/lists", token))
