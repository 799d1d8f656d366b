import { Clock, Console, Duration, Effect, Queue, Stream } from "effect"
import type { Credentials, CredentialsEvent } from "effect-credentials"
import type { Terminal } from "./terminal.js"

/** What an act showed, for the table at the end. */
export interface Act {
  readonly title: string
  readonly requests: number
  readonly failed: number
  readonly tokenCalls: number
  readonly millis: number
  readonly good: boolean
}

/** The lines of an act. */
export const make = ({ bold, dim, green, red }: Terminal) => {
  const say = (text: string) => Console.log(`   ${text}`)
  return {
    say,
    begin: (title: string, ...lines: ReadonlyArray<string>) =>
      Effect.zipRight(
        Console.log(`\n${bold(title)}`),
        Effect.forEach(lines, (line) => say(dim(line)), { discard: true })
      ),
    check: (good: boolean, text: string) => Effect.as(say(`${good ? green("✓") : red("✗")} ${text}`), good),
    conclude: (act: Omit<Act, "good">, checks: ReadonlyArray<Effect.Effect<boolean>>) =>
      Effect.map(Effect.all(checks), (results): Act => ({ ...act, good: results.every((good) => good) }))
  }
}

export type Stage = ReturnType<typeof make>

export const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`

export const tokenCalls = (count: number) => counted(count, "token call")

/** Runs an act and reads from the server what it took. */
export const measured = <S, A, E, R>(
  simulator: { readonly resetStats: Effect.Effect<void>; readonly stats: Effect.Effect<S> },
  act: Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    yield* simulator.resetStats
    const [duration, result] = yield* Effect.timed(act)
    return { millis: Duration.toMillis(duration), result, stats: yield* simulator.stats }
  })

type Tag = CredentialsEvent.CredentialsEvent["_tag"]

/** Answers with when the next event of a kind happens, or happened. */
export const listen = ({ events }: Credentials.Credentials) =>
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<readonly [Tag, number]>()
    yield* events.pipe(
      Stream.runForEach(({ _tag }) => Effect.flatMap(Clock.currentTimeMillis, (now) => Queue.offer(queue, [_tag, now]))),
      Effect.forkScoped
    )
    yield* Effect.yieldNow() // lets the reader subscribe before anything happens
    return (tag: Tag) =>
      Queue.take(queue).pipe(
        Effect.repeat({ until: ([seen]) => seen === tag }),
        Effect.map(([, at]) => at)
      )
  })
