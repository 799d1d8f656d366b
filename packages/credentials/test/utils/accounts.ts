/** Accounts whose token endpoint is the test's, with a log of what was opened and asked for. */
import { Duration, Effect, Redacted, TestClock } from "effect"
import type { CredentialsError } from "effect-credentials"
import { Accounts, AuthFlow, Credentials } from "effect-credentials"

export class Acme extends Credentials.Tag("Acme")<Acme>() {}
export class Lookup extends Error {
  readonly _tag = "Lookup"
}
export class Merchants extends Accounts.Tag("Merchants", Acme)<Merchants, string, Lookup>() {}

/** The text of the token that a program for some account gets. */
export const tokenText = Effect.flatMap(Acme, (acme) => Effect.map(acme.token, (token) => Redacted.value(token.accessToken)))

export const tokenOf = (account: string) => tokenText.pipe(Accounts.provide(Merchants, account))

export interface World {
  /** The accounts, in the order in which they were looked up. */
  readonly lookups: Array<string>
  /** The accounts, in the order in which their tokens were asked for. */
  readonly calls: Array<string>
  /** How many calls are under way, and how many were at most. */
  calling: number
  mostCalling: number
  /** What a lookup does first; nothing by default. */
  lookup: (account: string) => Effect.Effect<void, Lookup>
  /** What a call does first. */
  call: (account: string) => Effect.Effect<void, CredentialsError.CredentialsError>
  expiresIn: Duration.DurationInput
  readonly flow: (account: string) => Effect.Effect<AuthFlow.AuthFlow, Lookup>
}

/** Tokens are called `<account>#<how many it has had>`. */
export const world = (): World => {
  const given = new Map<string, number>()
  const it: World = {
    lookups: [],
    calls: [],
    calling: 0,
    mostCalling: 0,
    lookup: () => Effect.void,
    call: () => Effect.void,
    expiresIn: "1 hour",
    flow: (account) =>
      Effect.suspend(() => {
        it.lookups.push(account)
        return it.lookup(account)
      }).pipe(Effect.zipRight(Effect.orDie(AuthFlow.make({
        identity: { provider: "acme", clientId: account, grant: "test" },
        baseUrl: "https://api.acme.test",
        obtain: Effect.suspend(() => {
          it.calls.push(account)
          it.calling += 1
          it.mostCalling = Math.max(it.mostCalling, it.calling)
          return it.call(account)
        }).pipe(
          Effect.ensuring(Effect.sync(() => void (it.calling -= 1))),
          Effect.map(() => {
            const number = (given.get(account) ?? 0) + 1
            given.set(account, number)
            return { accessToken: Redacted.make(`${account}#${number}`), expiresIn: Duration.decode(it.expiresIn) }
          })
        )
      }))))
  }
  return it
}

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Lets everything run that does not wait for the clock: hashes come from another thread. */
export const settled = Effect.repeatN(Effect.zipRight(turn, Effect.yieldNow()), 30)

/** Waits, without the clock, for what takes turns of the event loop: how many, depends on the machine. */
export const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => condition() ? Effect.void : Effect.zipRight(settled, until(condition)))

/** Lets time pass, and what is due in it happen. */
export const pass = (duration: Duration.DurationInput) =>
  settled.pipe(Effect.zipRight(TestClock.adjust(duration)), Effect.zipRight(settled))
