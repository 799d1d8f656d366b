import type { Error, FileSystem } from "@effect/platform"
import type { Effect } from "effect"

export type Around = <A, R>(
  operation: string,
  path: string,
  run: Effect.Effect<A, Error.PlatformError, R>
) => Effect.Effect<A, Error.PlatformError, R>

export declare const hooked: (fs: FileSystem.FileSystem, decide: Around) => FileSystem.FileSystem
