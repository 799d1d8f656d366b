// Must be reported: check.mjs fails when the linter no longer sees this missing `return`.
import * as Effect from "effect/Effect"

export const canary = Effect.gen(function*() {
  yield* Effect.fail("seen" as const)
})
