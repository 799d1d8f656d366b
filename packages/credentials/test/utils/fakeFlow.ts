/** A flow whose token endpoint is an Effect that the test holds. */
import { Duration, Effect, Redacted, Ref } from "effect"
import { AuthFlow, Credentials } from "effect-credentials"
import type { CredentialsError } from "effect-credentials"

export class Acme extends Credentials.Tag("Acme")<Acme>() {}

type Exchange = Effect.Effect<AuthFlow.TokenReplyWithExpiry, CredentialsError.CredentialsError>

export const reply = (accessToken: string, expiresIn: Duration.DurationInput): AuthFlow.TokenReplyWithExpiry => ({
  accessToken: Redacted.make(accessToken),
  expiresIn: Duration.decode(expiresIn)
})

export interface Fake {
  readonly flow: Effect.Effect<AuthFlow.AuthFlow>
  readonly calls: Effect.Effect<number>
  /** What the next calls do; `token-1`, `token-2`, … after one second by default. */
  readonly behave: (exchange: (call: number) => Exchange) => Effect.Effect<void>
}

export const makeFake = (options: {
  readonly expiresIn?: Duration.DurationInput
  readonly takes?: Duration.DurationInput
} = {}): Effect.Effect<Fake> =>
  Effect.gen(function*() {
    const calls = yield* Ref.make(0)
    const behaviour = yield* Ref.make<(call: number) => Exchange>((call) =>
      Effect.delay(Effect.succeed(reply(`token-${call}`, options.expiresIn ?? "30 minutes")), options.takes ?? "1 second")
    )
    const flow = AuthFlow.make({
      identity: { provider: "acme", clientId: "client", grant: "client_credentials" },
      baseUrl: "https://api.acme.test",
      obtain: Effect.gen(function*() {
        const call = yield* Ref.updateAndGet(calls, (n) => n + 1)
        return yield* (yield* Ref.get(behaviour))(call)
      })
    })
    return { flow: Effect.orDie(flow), calls: Ref.get(calls), behave: (exchange) => Ref.set(behaviour, exchange) }
  })
