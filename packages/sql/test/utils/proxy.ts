/** What lies between a program and its database, and may go away. */
import { Effect, type Scope } from "effect"
import * as Net from "node:net"

export interface Proxy {
  readonly port: number
  /** From now on nothing arrives at either end, and nobody is told. */
  readonly swallow: Effect.Effect<void>
  /** What the program sends arrives; no answer does. */
  readonly mute: Effect.Effect<void>
  /** Every connection is reset, and the next ones are. */
  readonly cut: Effect.Effect<void>
  /** As at first; what was swallowed is gone. */
  readonly heal: Effect.Effect<void>
}

export const makeProxy = (target: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function*() {
    let mode: "passes" | "swallows" | "mutes" | "cuts" = "passes"
    const pairs = new Set<readonly [Net.Socket, Net.Socket]>()
    const server = Net.createServer((near) => {
      near.on("error", () => {})
      if (mode === "cuts") return void near.resetAndDestroy()
      const far = Net.connect(target, "127.0.0.1").on("error", () => {})
      const pair = [near, far] as const
      pairs.add(pair)
      near.on("data", (data) => {
        if (mode === "passes" || mode === "mutes") far.write(data)
      })
      far.on("data", (data) => {
        if (mode === "passes") near.write(data)
      })
      near.on("close", () => {
        pairs.delete(pair)
        // A machine that is gone says nothing to the server either.
        if (mode !== "swallows") far.destroy()
      })
      far.on("close", () => {
        if (mode !== "swallows") near.destroy()
      })
    })
    const end = () => {
      for (const [near, far] of pairs) {
        near.resetAndDestroy()
        far.destroy()
      }
    }
    const port = yield* Effect.acquireRelease(
      Effect.async<number>((resume) => {
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(address === null || typeof address === "string" ? Effect.die("no port") : Effect.succeed(address.port))
        })
      }),
      () =>
        Effect.async<void>((resume) => {
          mode = "cuts"
          end()
          server.close(() => resume(Effect.void))
        })
    )
    const become = (next: typeof mode) =>
      Effect.sync(() => {
        mode = next
        if (next === "cuts") end()
      })
    return {
      port,
      swallow: become("swallows"),
      mute: become("mutes"),
      cut: become("cuts"),
      heal: become("passes")
    }
  })
