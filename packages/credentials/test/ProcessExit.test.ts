/**
 * A program that makes one request and ends lets its process exit at once. A
 * child process is the only place where nothing else holds a timer.
 */
import { assert, describe, it } from "vitest"
import { execFile } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { built } from "./utils/packaging.js"

/** Leaves its runtime, and so its Layer, open on purpose, and says what would keep the process alive. */
const program = (origin: string) => `
import { FetchHttpClient } from "@effect/platform"
import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { ApiClient, Credentials, OAuth2 } from "effect-credentials"

class Acme extends Credentials.Tag("Acme")() {}
const runtime = ManagedRuntime.make(Credentials.layer(Acme, OAuth2.clientCredentials({
  provider: "acme",
  baseUrl: "${origin}",
  tokenUrl: "${origin}/token",
  clientId: "id",
  clientSecret: Redacted.make("secret"),
  lifetimeWhenAbsent: "1 hour"
})).pipe(Layer.provideMerge(FetchHttpClient.layer)))
const response = await runtime.runPromise(ApiClient.make(Acme, { product: "Parts" }).get("/parts"))
await runtime.runPromise(response.text)
console.log(response.status, JSON.stringify(process.getActiveResourcesInfo().filter((it) => it === "Timeout")))
`

describe("a program that makes one request and ends", () => {
  it("leaves no timer behind, and its process exits by itself", { timeout: 120_000 }, async () => {
    await built("credentials")
    const server = createServer((request, response) => {
      response.setHeader("content-type", "application/json")
      response.end(request.url === "/token" ? JSON.stringify({ access_token: "t", expires_in: 3600 }) : "{}")
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    try {
      const { port } = server.address() as AddressInfo // it listens on a port, not on a pipe
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--input-type=module", "--eval", program(`http://127.0.0.1:${port}`)],
        // The child is killed if it does not exit by itself, and then this rejects.
        { cwd: fileURLToPath(new URL("..", import.meta.url)), timeout: 60_000 }
      )
      assert.match(stdout, /^200 \[\]$/m)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
