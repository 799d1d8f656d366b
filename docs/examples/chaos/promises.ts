import { number } from "../quick-start/terminal.js"
import * as Callers from "./callers.js"
import * as Requests from "./requests.js"
import type { Report } from "./run.js"
import * as Wire from "./wire.js"

/** What must be true of every run. */
export interface Promised {
  readonly text: string
  /** What breaks it: nothing, if it is kept. */
  readonly broken: ReadonlyArray<string>
}

const unless = (good: boolean, otherwise: string): ReadonlyArray<string> => good ? [] : [otherwise]

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((sum, count) => sum + count, 0)

const everyEnd = ({ endings, odd, requests }: Report): Promised => ({
  text: `${number(requests)} requests ended in a success or a typed error`,
  broken: [
    ...unless(sum(endings) === requests, `${sum(endings)} ends of ${requests} requests`),
    ...Object.keys(endings)
      .filter((ending) => ending !== "Success" && !Callers.isOwn(ending) && !Object.hasOwn(Requests.declared, ending))
      .map((ending) => `${endings[ending]} ended as ${ending}`),
    ...odd,
    ...Requests.unreasonable.filter((tag) => endings[tag] !== undefined).map((tag) => `${endings[tag]} ended in ${tag}, without a reason`)
  ]
})

const payments = ({ book }: Report): Promised => ({
  text: `no payment was applied twice: ${number(book.applied)} for ${number(book.purchases)} purchases`,
  broken: book.twice
})

const answers = ({ book }: Report): Promised => ({
  text: `${number(book.answered)} payments were said to be applied, and each of them is in the books`,
  broken: book.untrue
})

/** `needless` is what there is no reason for; the rest is lifetimes that began, and revocations. */
const tokenCalls = ({ issued, tokens }: Report): Promised => {
  const count = (of: (calls: Wire.TokenCalls) => number) => Wire.holders.reduce((sum, holder) => sum + of(tokens[holder]), 0)
  const [lifetimes, revocations] = [count(({ first, lapsed }) => first + lapsed), count(({ revoked }) => revoked)]
  const successes = count(Wire.successes)
  return {
    text: `${successes} token calls succeeded = ${lifetimes} lifetimes begun + ${revocations} revocations`,
    broken: [
      ...Wire.holders.flatMap((holder) =>
        unless(tokens[holder].needless === 0, `${tokens[holder].needless} tokens of ${holder} were replaced without a reason`)
      ),
      ...unless(successes === lifetimes + revocations, `${successes} is not ${lifetimes} + ${revocations}`),
      // What a server counts besides: tokens whose answer was lost on its way.
      ...(["digikey", "digitzs"] as const).flatMap((provider) => {
        const own = Wire.holders.filter((holder) => Wire.providerOf(holder) === provider)
        const arrived = own.reduce((sum, holder) => sum + Wire.successes(tokens[holder]), 0)
        const lost = own.reduce((sum, holder) => sum + tokens[holder].lost, 0)
        return unless(
          issued[provider] >= arrived && issued[provider] <= arrived + lost,
          `${provider} issued ${issued[provider]} tokens, ${arrived} arrived, and no more than ${lost} can have been lost`
        )
      })
    ]
  }
}

const logins = ({ refreshTokensReused, tokens }: Report): Promised => ({
  text: "no refresh token was presented twice, but where the answer to the first time was lost",
  broken: unless(
    refreshTokensReused <= tokens.DigiKeyUser.lost,
    `${refreshTokensReused} were presented twice, and ${tokens.DigiKeyUser.lost} answers lost`
  )
})

const limits = ({ illegalLimits }: Report): Promised => ({
  text: "what is left of every rate limit was never below nothing, and never more than all of it",
  broken: illegalLimits
})

const recovery = ({ afterwards }: Report): Promised => ({
  text: "after the storm everything works again, and a revocation costs each holder one token call",
  broken: [
    ...afterwards.failed,
    ...Wire.holders.flatMap((holder) =>
      unless(afterwards.renewals[holder] === 1, `${afterwards.renewals[holder]} token calls of ${holder} after a revocation`)
    )
  ]
})

const leaks = ({ afterwards, fibersStarted, leaks }: Report): Promised => ({
  text: `nothing leaked: none of ${number(fibersStarted)} fibers, no timer, no socket`,
  broken: [
    ...unless(afterwards.pending === 0, `${afterwards.pending} requests were in flight or in line when all had ended`),
    ...unless(afterwards.sleepers === 0, `${afterwards.sleepers} fibers slept when nobody had anything to do`),
    ...unless(afterwards.busyConnections === 0, `${afterwards.busyConnections} connections were busy when nobody had anything to do`),
    ...unless(leaks.fibers === 0, `${leaks.fibers} fibers were left`),
    ...unless(leaks.timers === 0, `${leaks.timers} timers were left`),
    ...unless(leaks.sockets === 0, `${leaks.sockets} sockets were left`)
  ]
})

const secrets = ({ leakedSecrets }: Report): Promised => ({
  text: "no error showed a secret",
  broken: leakedSecrets.map((ending) => `an error of kind ${ending} did`)
})

export const check = (report: Report): ReadonlyArray<Promised> =>
  [everyEnd, payments, answers, tokenCalls, logins, limits, recovery, leaks, secrets].map((promise) => promise(report))

export const areKept = (promises: ReadonlyArray<Promised>): boolean => promises.every(({ broken }) => broken.length === 0)
