// A cached `token` read beside a step that does nothing.
import * as Effect from "effect/Effect"
import { Acme, inMemory } from "./acme.mjs"
import { bytes, cpu, difference, interleaved, loop } from "./measure.mjs"
import { report } from "./report.mjs"

const times = 20_000
const few = 2_000

const program = Effect.gen(function*() {
  const { token } = yield* Acme
  yield* token
  const subjects = (times) => ({ token: loop(token, times), empty: loop(Effect.void, times) })
  const time = yield* interleaved(subjects(times), { meter: cpu, times })
  const memory = yield* bytes(subjects(few), few)
  return [
    {
      name: "cached token read, above an empty step",
      value: difference(time.token, time.empty) * 1000,
      unit: "ns",
      target: 350
    },
    { name: "its allocations", value: difference(memory.token, memory.empty), unit: "bytes" }
  ]
})

report(await Effect.runPromise(Effect.provide(program, inMemory("http://127.0.0.1:9"))))
