import { Console, Effect } from "effect"

export interface Recorded {
  readonly out: ReadonlyArray<unknown>
  readonly err: ReadonlyArray<unknown>
}

/** Runs an effect with a console that keeps what is written: texts, and the data of tables. */
export const recorded = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, Recorded], E, R> =>
  Effect.gen(function*() {
    const out: Array<unknown> = []
    const err: Array<unknown> = []
    const into = (lines: Array<unknown>) => (...args: ReadonlyArray<unknown>) => Effect.sync(() => void lines.push(...args))
    const recording = {
      ...(yield* Effect.console),
      log: into(out),
      table: (data: unknown) => into(out)(data),
      error: into(err)
    }
    const result = yield* Console.withConsole(effect, recording)
    return [result, { out, err }]
  })

export const text = (lines: ReadonlyArray<unknown>): string => lines.map(String).join("\n")
