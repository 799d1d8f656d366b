import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

/** The server of `server.mjs`, until `stop`. */
export const start = async () => {
  const child = fork(fileURLToPath(new URL("server.mjs", import.meta.url)), { execArgv: [] })
  const [{ port }] = await once(child, "message")
  return {
    port,
    /** How many tokens were fetched since the last time this was asked. */
    tokenCalls: async () => {
      child.send("tokens")
      const [{ tokens }] = await once(child, "message")
      return tokens
    },
    stop: () => child.disconnect()
  }
}
