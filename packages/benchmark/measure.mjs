// Batches of subjects in turn, so that what the machine does meanwhile falls on all of them alike.
import * as Effect from "effect/Effect"

export const batches = 30

/** Batches that are not counted: the compiler is still at work. */
const warmUp = 8

export const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** An Effect, `times` over in the caller's own fiber. */
export const loop = (effect, times) =>
  Effect.suspend(() => {
    let left = times
    return Effect.whileLoop({ while: () => left > 0, body: () => effect, step: () => void left-- })
  })

/** The same for a promise. */
export const asyncLoop = (make, times) =>
  Effect.promise(async () => {
    for (let index = 0; index < times; index++) await make()
  })

/** Microseconds of CPU time of this process alone: what else the machine does is not in it. */
export const cpu = () => {
  const { system, user } = process.cpuUsage()
  return user + system
}

const heap = () => process.memoryUsage().heapUsed

/**
 * Runs every subject once in each batch, the first one first in even batches and last in odd ones. Gives each
 * subject's list of what `meter` grew by, for one operation, batch by batch.
 */
export const interleaved = (subjects, { meter, before = () => {}, times, warmUps = warmUp }) =>
  Effect.gen(function*() {
    const names = Object.keys(subjects)
    const grown = Object.fromEntries(names.map((name) => [name, []]))
    for (let batch = -warmUps; batch < batches; batch++) {
      for (const name of batch % 2 === 0 ? names : [...names].reverse()) {
        before()
        const start = meter()
        yield* subjects[name]
        const used = meter() - start
        if (batch >= 0) grown[name].push(used / times)
      }
    }
    return grown
  })

/** Bytes allocated: the heap's growth from one collection to the next point of reading, with none in between. */
export const bytes = (subjects, times) =>
  interleaved(subjects, { meter: heap, before: () => globalThis.gc({ type: "minor" }), times })

export const difference = (ours, theirs) => median(ours.map((value, index) => value - theirs[index]))

export const ratio = (ours, theirs) => median(ours.map((value, index) => value / theirs[index]))
