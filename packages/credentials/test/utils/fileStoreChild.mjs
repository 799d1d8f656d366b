// A process with a file store, told by its only argument, in JSON, what to do. It imports the built package.
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Token from "effect-credentials/Token"
import * as TokenStore from "effect-credentials/TokenStore"
import * as Fs from "node:fs"
import { hooked } from "./fileSystemHooks.mjs"

const { folder, leaseDuration, task, times, killAt } = JSON.parse(process.argv[2])

const issuedAt = DateTime.unsafeMake("2026-03-01T10:00:00Z")
const entryOf = (generation, redeeming = Option.none()) => ({
  token: Token.make({ accessToken: `access-${generation}`, refreshToken: `refresh-${generation}`, issuedAt, expiresAt: issuedAt }),
  generation,
  redeeming
})

const generationOf = Option.match({ onNone: () => 0, onSome: ({ generation }) => generation })

let operations = 0
let counting = false

/** Stops the process as nothing else does: no finalizer runs, and nothing is flushed. */
const killing = (_, __, run) => {
  if (counting && ++operations === killAt) process.kill(process.pid, "SIGKILL")
  return run
}

const say = (text) => Effect.sync(() => Fs.writeSync(1, `${text}\n`))

/** Anything on standard input. */
const told = Effect.async((resume) => {
  process.stdin.once("data", () => resume(Effect.void))
})

const renewal = (store) =>
  store.withLock("key", ({ save, stored }) =>
    Effect.gen(function*() {
      const generation = generationOf(stored)
      yield* save(entryOf(generation, Option.some(issuedAt)))
      yield* save(entryOf(generation + 1))
    }))

const tasks = {
  increment: (store) => Effect.repeatN(renewal(store), times - 1),
  renew: (store) =>
    Effect.sync(() => {
      counting = true
    }).pipe(Effect.zipRight(renewal(store)), Effect.zipRight(Effect.suspend(() => say(operations)))),
  hold: (store) =>
    store.withLock("key", ({ save }) =>
      Effect.gen(function*() {
        yield* say("held")
        yield* told
        const exit = yield* Effect.either(save(entryOf(100)))
        yield* say(exit._tag === "Right" ? "saved" : `${exit.left._tag}: ${exit.left.message}`)
        const again = yield* Effect.either(save(entryOf(101)))
        yield* say(again._tag === "Right" ? "saved" : again.left._tag)
      }))
}

const file = Layer.effect(
  FileSystem.FileSystem,
  Effect.map(FileSystem.FileSystem, (fs) => killAt === undefined ? fs : hooked(fs, killing))
).pipe(Layer.provide(NodeFileSystem.layer))

await TokenStore.TokenStore.pipe(
  Effect.flatMap(tasks[task]),
  Effect.provide(TokenStore.layerFile(folder, { leaseDuration }).pipe(Layer.provide(Layer.merge(file, NodePath.layer)))),
  Effect.runPromise
)
process.stdin.unref()
