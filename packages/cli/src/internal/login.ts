/**
 * The two ways in which a browser's return reaches a login: it is caught on a
 * port, or a person pastes it.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type { AuthorizationFailed } from "effect-credentials/AuthorizationError"
import type { CredentialsError } from "effect-credentials/CredentialsError"
import type { AuthorizationCodeFlow, AuthorizationRequest } from "effect-credentials/OAuth2"
import * as PendingAuthorization from "effect-credentials/PendingAuthorization"
import type * as Token from "effect-credentials/Token"
import type { TokenStore } from "effect-credentials/TokenStore"
import * as Clock from "effect/Clock"
import type { ConfigError } from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { ExitCode } from "../ExitCode.js"
import { Stdio } from "../Stdio.js"
import * as Listener from "./listener.js"
import * as Pages from "./pages.js"
import * as Spinner from "./spinner.js"
import { Stop, usage } from "./stop.js"

export interface Asked {
  readonly flow: AuthorizationCodeFlow<HttpClient.HttpClient>
  /** The provider's name, for a person. */
  readonly title: string
  readonly environment: string
  readonly account: string
  readonly redirectUri: string
}

type Ended = AuthorizationFailed | CredentialsError | ConfigError | Stop

type Needs = PendingAuthorization.PendingAuthorizations | HttpClient.HttpClient | TokenStore | Stdio

const say = (text: string) => Effect.flatMap(Stdio, ({ err }) => err(`${text}\n`))

/** A login that has begun: until when it is waited for, and how it is completed. */
const begin = ({ account, environment, flow, title }: Asked, redirectUri: string) =>
  Effect.gen(function*() {
    const endsAt = (yield* Clock.currentTimeMillis) + Duration.toMillis(PendingAuthorization.maxAge)
    const request = yield* flow.begin({ redirectUri })
    const { out } = yield* Stdio
    yield* say(`Logging in to ${title} (${environment}) as account "${account}".\nOpen this address in a browser, log in there and allow the access:\n`)
    // Alone on standard output, so that a program can read it.
    yield* out(`${request.url}\n`)
    yield* say("")
    const left = Effect.map(Clock.currentTimeMillis, (now) => Duration.millis(Math.max(0, endsAt - now)))
    return {
      request,
      left,
      /** The time ends while the browser is waited for, never while a code is being redeemed. */
      waiting: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        Effect.flatMap(left, (duration) =>
          Effect.timeoutFail(effect, {
            duration,
            onTimeout: () =>
              new Stop({
                code: ExitCode.expired,
                message: `Nobody came back from ${title} within ${Duration.format(PendingAuthorization.maxAge)}: nothing was stored. Run the command again.`
              })
          })),
      complete: (callback: string) => flow.complete({ callback, userAgent: request.userAgent })
    }
  })

/** It belongs to another login, so this one goes on. */
const isForeign = (error: Ended): boolean => error._tag === "AuthorizationFailed" && error.reason === "Mismatch"

const pageOf = ({ title }: Asked, error: Ended): Pages.Page => {
  if (error._tag !== "AuthorizationFailed") return Pages.failed(title)
  switch (error.reason) {
    case "Mismatch":
      return Pages.wrongState
    case "Expired":
    case "CodeRefused":
      return Pages.expired(title)
    case "Denied":
      return Pages.denied(title)
    case "Refused":
      return Pages.refused(title, error.description ?? error.error)
    case "Malformed":
    case "Issuer":
      return Pages.malformed(title)
  }
}

const stateOf = (target: string): string | null => new URLSearchParams(target.replace(/^[^?]*/, "")).get("state")

/** Browsers that came while the login ended: a second tab, a page that was reloaded. */
const answerLate = (callbacks: Queue.Dequeue<Listener.Callback>, request: AuthorizationRequest) =>
  Effect.flatMap(Queue.takeAll(callbacks), (late) =>
    Effect.forEach(
      late,
      ({ answer, target }) => answer(stateOf(target) === request.state ? Pages.used : Pages.wrongState),
      { concurrency: "unbounded", discard: true }
    ))

/** Waits on a port for the browser's return. The port is closed when this ends, however it ends. */
export const byListening = (
  asked: Asked,
  tls: Option.Option<Listener.Tls>
): Effect.Effect<Token.Token, Ended, Needs | Scope.Scope> =>
  Effect.gen(function*() {
    const { callbacks, redirectUri } = yield* Listener.open(asked.redirectUri, tls)
    const login = yield* begin(asked, redirectUri)
    yield* say(`The browser then comes back to ${redirectUri}`)
    const next = Spinner.during(login.waiting(Queue.take(callbacks)), { text: "Waiting for the browser", left: login.left })
    for (;;) {
      const { answer, target } = yield* next
      const ended = yield* Effect.either(login.complete(target))
      if (Either.isRight(ended)) {
        yield* answer(Pages.success(asked))
      } else {
        yield* answer(pageOf(asked, ended.left))
        if (isForeign(ended.left)) {
          yield* say("A browser came back with the answer to another login: it was refused. Still waiting.")
          continue
        }
      }
      yield* answerLate(callbacks, login.request)
      return yield* ended
    }
  })

/** As it was copied: with quotes or angle brackets around it, perhaps. */
const unwrapped = (line: string): string => line.trim().replace(/^["'<]+|["'>]+$/g, "")

const hasState = (text: string): boolean => URL.canParse(text) && new URL(text).searchParams.has("state")

/** Takes the address that the browser came back to from a person, or from whoever writes to standard input. */
export const byPasting = (asked: Asked): Effect.Effect<Token.Token, Ended, Needs> =>
  Effect.gen(function*() {
    const { line, terminal } = yield* Stdio
    const login = yield* begin(asked, asked.redirectUri)
    yield* say(
      `The browser then comes back to ${asked.redirectUri}, where it may find nothing: that is all right.\n` +
        "Copy the whole address from its address bar, and paste it here:"
    )
    for (;;) {
      const pasted = yield* login.waiting(line("> "))
      if (Option.isNone(pasted)) {
        return yield* usage(
          "Nothing was pasted, for standard input has ended. Run this in a terminal, write the address to its standard input, or use --listen."
        )
      }
      const callback = unwrapped(pasted.value)
      const isAddress = hasState(callback)
      const ended = isAddress ? yield* Effect.either(login.complete(callback)) : undefined
      if (ended !== undefined && (Either.isRight(ended) || !isForeign(ended.left) || !terminal.stdin)) return yield* ended
      const why = isAddress
        ? "That is the answer to another login, or was used before."
        : `That is not the address: it begins with ${asked.redirectUri} and has "state=" in it.`
      if (!terminal.stdin) return yield* usage(why)
      yield* say(`${why} Try again:`)
    }
  })
