/**
 * One call of a flow: timed, and its reply made into a token.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type { AuthFlow, TokenReply } from "../AuthFlow.js"
import { MalformedTokenResponse, TokenEndpointUnavailable } from "../CredentialsError.js"
import type { CredentialsError } from "../CredentialsError.js"
import * as Token from "../Token.js"
import { toToken } from "./lifetime.js"
import { namedBaseUrl } from "./place.js"

const isSecret = Schema.is(Token.Secret)

/**
 * Obtains a token, or renews `previous` where it has a refresh token and the
 * flow knows what to do with it. To be run where interruption is off; the call
 * itself can be interrupted.
 */
export const exchange = <R>(
  flow: AuthFlow<R>,
  previous: Token.Token | undefined,
  timeout: Duration.Duration
): Effect.Effect<Token.Token, CredentialsError, R> =>
  Effect.gen(function*() {
    const startedAt = yield* Clock.currentTimeMillis
    const refreshToken = Option.flatMap(Option.fromNullable(previous), (token) => token.refreshToken)
    const asked = Option.isSome(flow.renew) && Option.isSome(refreshToken)
      ? flow.renew.value(refreshToken.value)
      : flow.obtain
    // A reply that came together with the time-out or an interruption counts: its refresh token is the only one.
    const arrived = yield* Ref.make(Option.none<TokenReply>())
    const kept = Effect.tap(asked, (reply) => Ref.set(arrived, Option.some(reply)))
    const reply = yield* Effect.catchAllCause(timed(kept, flow.identity.provider, "Timeout", timeout), (cause) =>
      Effect.flatMap(Ref.get(arrived), Option.match({
        onNone: () => Effect.failCause(cause),
        onSome: Effect.succeed
      })))
    return yield* read(flow, reply, previous, startedAt)
  })

/** Within its limit, even if it cannot be interrupted; it can be, wherever this is run. */
export const timed = <A, R>(
  asked: Effect.Effect<A, CredentialsError, R>,
  provider: string,
  reason: "Timeout" | "Secret",
  timeout: Duration.Duration
): Effect.Effect<A, CredentialsError, R> =>
  asked.pipe(
    // As a value: the next step runs it in a fiber of its own, and Effect logs what such a fiber dies of.
    Effect.exit,
    // A flow that cannot be interrupted would hold the time-out back.
    Effect.disconnect,
    Effect.timeoutFail({
      duration: timeout,
      onTimeout: () => new TokenEndpointUnavailable({ provider, reason })
    }),
    Effect.interruptible,
    Effect.flatten
  )

/** A reply as a token, if it can be one; `startedAt`: milliseconds since the epoch, before it was asked for. */
const read = (
  flow: Pick<AuthFlow<unknown>, "identity" | "acceptBaseUrl" | "lifetimeWhenAbsent">,
  reply: TokenReply,
  previous: Token.Token | undefined,
  startedAt: number
): Effect.Effect<Token.Token, CredentialsError> => {
  const malformed = (expected: string) =>
    Effect.fail(new MalformedTokenResponse({ provider: flow.identity.provider, expected }))
  // A flow of the user's may not have looked; fetch would quote the header in its own error.
  if (!isSecret(reply.accessToken)) return malformed("visible ASCII characters at accessToken")
  if (reply.baseUrl !== undefined && Option.isNone(namedBaseUrl(flow, reply.baseUrl))) {
    return malformed("a base URL that this flow accepts")
  }
  return Effect.succeed(toToken(reply, flow, startedAt, previous))
}
