/**
 * Shows on standard error that something is being waited for.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { Stdio } from "../Stdio.js"

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]

const clear = "\r\u001b[2K"

const clock = (left: Duration.Duration): string => {
  const seconds = Math.max(0, Math.ceil(Duration.toSeconds(left)))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
}

/** In a terminal, a line that turns until `effect` ends, and leaves nothing behind; otherwise `text` once. */
export const during = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: { readonly text: string; readonly left: Effect.Effect<Duration.Duration> }
): Effect.Effect<A, E, R | Stdio> =>
  Effect.gen(function*() {
    const { columns, err, terminal } = yield* Stdio
    if (!terminal.stderr) return yield* Effect.zipRight(err(`${options.text}\n`), effect)
    let turn = 0
    const draw = Effect.gen(function*() {
      const line = `${frames[turn++ % frames.length]} ${options.text} (${clock(yield* options.left)} left, Ctrl-C stops)`
      // A line that breaks could not be cleared.
      yield* err(clear + line.slice(0, (yield* columns) - 1))
    })
    return yield* Effect.raceFirst(effect, Effect.zipRight(Effect.repeat(draw, Schedule.spaced("100 millis")), Effect.never)).pipe(
      Effect.ensuring(err(clear))
    )
  })
