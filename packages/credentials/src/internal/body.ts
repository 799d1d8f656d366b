/**
 * Reads a body up to a limit, and leaves no connection hanging.
 */
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Send from "./send.js"

/** The most that is read of an error body or a token reply, in bytes. */
const limit = 256 * 1024

export interface Text {
  readonly text: string
  /** Whether there was more than the limit; the rest was cancelled. */
  readonly truncated: boolean
}

export class BodyFailed extends Data.TaggedClass("BodyFailed")<{
  readonly empty: boolean
  readonly code: string | undefined
}> {}

/** What had no body reads as the empty text. */
export const read = (
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<Text, BodyFailed> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let text = ""
    let size = 0
    return response.stream.pipe(
      // Before the stream runs: it does so in a fiber of its own, whose failure Effect logs with all that is in it.
      Stream.mapError((error) =>
        new BodyFailed({ empty: error.reason === "EmptyBody", code: Send.transportCode(error) })
      ),
      Stream.takeUntil((chunk) => {
        const room = limit - size
        size += chunk.byteLength
        text += decoder.decode(chunk.byteLength > room ? chunk.subarray(0, Math.max(0, room)) : chunk, { stream: true })
        return size > limit
      }),
      Stream.runDrain,
      Effect.map((): Text => ({ text: text + decoder.decode(), truncated: size > limit })),
      Effect.catchIf((error) => error.empty, () => Effect.succeed<Text>({ text: "", truncated: false }))
    )
  })

/** Empties a body whose content does not matter, so that its connection can be used again. */
export const drain = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  Effect.ignore(read(response))

/** `None` for what is no JSON. */
export const parseJson = (text: string): Option.Option<unknown> => {
  try {
    const value: unknown = JSON.parse(text)
    return Option.some(value)
  } catch {
    return Option.none()
  }
}
