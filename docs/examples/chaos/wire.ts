import { HttpClient, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Duration, Effect, Exit } from "effect"
import { RefreshPolicy } from "effect-credentials"
import type { JumpingClock, Time } from "./clocks.js"

/** Whose tokens there are. */
export const holders = ["DigiKeyApp", "DigiKeyUser", "DigitzsApp"] as const

export type Holder = typeof holders[number]

export type Provider = "digikey" | "digitzs"

export const providerOf = (holder: Holder): Provider => holder === "DigitzsApp" ? "digitzs" : "digikey"

/** How long each token lives. */
export const lifetime = Duration.minutes(3)

/** When a token is due for renewal: the default of the library. */
export const refreshPolicy = RefreshPolicy.make()

/** The library reads its clock a moment before or after we do: milliseconds. */
const tolerance = 5000

/** A token as its holder got it. */
interface Held {
  /** When it was asked for: of the time that passes, and as the two clocks showed it. */
  readonly at: number
  readonly atClient: number
  readonly atServer: number
}

/** The token calls of one holder. */
export interface TokenCalls {
  calls: number
  /** Answered with a token, for want of one. */
  first: number
  /** Answered with a token, in place of one whose lifetime was over, or nearly. */
  lapsed: number
  /** In place of one that the server had revoked. */
  revoked: number
  /** In place of one that was good: there is no reason for that. */
  needless: number
  /** Answered with an error. */
  refused: number
  /** No answer came: the connection broke, or it took too long. The server may have issued a token all the same. */
  lost: number
}

/** What goes over the wire, seen between the library and the transport: it is told nothing by either. */
export interface Wire {
  readonly watch: (http: HttpClient.HttpClient) => HttpClient.HttpClient
  /** The server refuses its tokens from now on. */
  readonly revoked: (provider: Provider) => void
  /** A person has logged in: this holder has a new token without a call. */
  readonly loggedIn: (holder: Holder) => void
  readonly tokens: Readonly<Record<Holder, Readonly<TokenCalls>>>
  readonly answers: ReadonlyMap<number, number>
  /** API requests that were sent, and those that no answer came to. */
  readonly sent: () => number
  readonly unanswered: () => number
}

/** Tokens that arrived. */
export const successes = ({ first, lapsed, needless, revoked }: TokenCalls): number => first + lapsed + revoked + needless

const holderOf = ({ body, url }: HttpClientRequest.HttpClientRequest): Holder | undefined => {
  if (url.endsWith("/auth/token")) return "DigitzsApp"
  if (!url.endsWith("/oauth2/token")) return undefined
  const form = body._tag === "Uint8Array" ? new URLSearchParams(new TextDecoder().decode(body.body)) : undefined
  return form?.get("grant_type") === "client_credentials" ? "DigiKeyApp" : "DigiKeyUser"
}

const none = (): TokenCalls => ({ calls: 0, first: 0, lapsed: 0, revoked: 0, needless: 0, refused: 0, lost: 0 })

export const make = (time: Time, client: JumpingClock, servers: Readonly<Record<Provider, JumpingClock>>): Wire => {
  const tokens = { DigiKeyApp: none(), DigiKeyUser: none(), DigitzsApp: none() }
  const held = new Map<Holder, Held>()
  const revocations: Record<Provider, Array<number>> = { digikey: [], digitzs: [] }
  const answers = new Map<number, number>()
  let sent = 0
  let unanswered = 0

  const asked = (holder: Holder): Held => ({
    at: time.now(),
    atClient: client.unsafeCurrentTimeMillis(),
    atServer: servers[providerOf(holder)].unsafeCurrentTimeMillis()
  })

  /** Why a token was replaced by one that was asked for at `to`. */
  const reason = (holder: Holder, before: Held | undefined, to: number): "first" | "lapsed" | "revoked" | "needless" => {
    if (before === undefined) return "first"
    const { at, atClient, atServer } = before
    const due = RefreshPolicy.dueAfter(refreshPolicy, lifetime).soft - tolerance
    const end = Duration.toMillis(lifetime) - tolerance
    const provider = providerOf(holder)
    return client.latest(at, to) >= atClient + due || servers[provider].latest(at, to) >= atServer + end
      ? "lapsed"
      : revocations[provider].some((revoked) => revoked >= at && revoked <= to)
      ? "revoked"
      : "needless"
  }

  const tokenCall = <E, R>(
    holder: Holder,
    request: HttpClientRequest.HttpClientRequest,
    answer: Effect.Effect<HttpClientResponse.HttpClientResponse, E, R>
  ) =>
    Effect.suspend(() => {
      const calls = tokens[holder]
      const asking = asked(holder)
      calls.calls += 1
      return answer.pipe(
        // Read here, so that what counts as an answer is one that has arrived.
        Effect.flatMap((response) =>
          Effect.map(response.text, (text) => {
            if (response.status < 300) {
              calls[reason(holder, held.get(holder), asking.at)] += 1
              held.set(holder, asking)
            } else calls.refused += 1
            const { headers, status } = response
            return HttpClientResponse.fromWeb(request, new Response(text, { status, headers }))
          })
        ),
        Effect.onExit((exit) => Effect.sync(() => {
          if (Exit.isFailure(exit)) calls.lost += 1
        }))
      )
    })

  const apiCall = <E, R>(answer: Effect.Effect<HttpClientResponse.HttpClientResponse, E, R>) =>
    Effect.suspend(() => {
      sent += 1
      return Effect.onExit(answer, (exit) => Effect.sync(() => {
        if (Exit.isFailure(exit)) unanswered += 1
        else answers.set(exit.value.status, (answers.get(exit.value.status) ?? 0) + 1)
      }))
    })

  return {
    watch: HttpClient.transform((answer, request) => {
      const holder = holderOf(request)
      return holder === undefined ? apiCall(answer) : tokenCall(holder, request, answer)
    }),
    revoked: (provider) => void revocations[provider].push(time.now()),
    loggedIn: (holder) => void held.set(holder, asked(holder)),
    tokens,
    answers,
    sent: () => sent,
    unanswered: () => unanswered
  }
}
