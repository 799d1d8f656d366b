/**
 * Small files that only their owner may read, beside the stored tokens.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import { ExitCode } from "../ExitCode.js"
import { Stop } from "./stop.js"

const isMissing = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "NotFound"

/** Why, without the system's own words: they may repeat what they were given. */
const failed = (what: string, file: string) => (error: PlatformError): Stop =>
  new Stop({
    code: ExitCode.store,
    message: `${what} ${file} failed: ${error._tag === "SystemError" ? error.reason : error._tag}.`
  })

/** `None` where there is no such file. */
export const read = (file: string): Effect.Effect<Option.Option<string>, Stop, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.asSome(fs.readFileString(file))).pipe(
    Effect.catchIf(isMissing, () => Effect.succeedNone),
    Effect.mapError(failed("Reading", file))
  )

/** Whole or not at all. Its folder must be there. */
export const write = (file: string, text: string): Effect.Effect<void, Stop, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const temporary = `${file}.${crypto.randomUUID()}`
    yield* Effect.scoped(
      Effect.flatMap(fs.open(temporary, { flag: "wx", mode: 0o600 }), (opened) =>
        Effect.zipRight(opened.writeAll(new TextEncoder().encode(text)), opened.sync))
    ).pipe(
      Effect.zipRight(fs.rename(temporary, file)),
      Effect.tapError(() => Effect.ignore(fs.remove(temporary))),
      Effect.mapError(failed("Writing", file)),
      Effect.uninterruptible
    )
  })
