// Real HTTP on loopback: the CPU time of this process with the library and without it.
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as ApiClient from "effect-credentials/ApiClient"
import * as Effect from "effect/Effect"
import { accessToken, Acme, headers, onLoopback } from "./acme.mjs"
import { cpu, interleaved, loop, median, ratio } from "./measure.mjs"
import { report } from "./report.mjs"
import { start } from "./start.mjs"

const times = 100
const path = "/search/NE555/productdetails"
const acme = ApiClient.make(Acme, { product: "Parts", path: "/products/v4" })

const compare = (baseUrl) =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const request = HttpClientRequest.get(path)
    const bareRequest = HttpClientRequest.get(`${baseUrl}/products/v4${path}`, {
      headers: { authorization: `Bearer ${accessToken}`, ...headers }
    })
    const read = Effect.flatMap((response) => response.json)
    const used = yield* interleaved(
      { acme: loop(read(acme.execute(request)), times), bare: loop(read(client.execute(bareRequest)), times) },
      { meter: cpu, times, warmUps: 15 }
    )
    return { ratio: ratio(used.acme, used.bare), beside: median(used.bare) }
  })

const server = await start()
const baseUrl = `http://127.0.0.1:${server.port}`
const program = Effect.gen(function*() {
  const fetch = yield* Effect.provide(compare(baseUrl), FetchHttpClient.layer)
  const undici = yield* Effect.provide(compare(baseUrl), NodeHttpClient.layerUndici)
  return [
    { name: "CPU of a loopback request, fetch", value: fetch.ratio, unit: "× bare", target: 1.05, beside: fetch.beside },
    { name: "CPU of a loopback request, undici", value: undici.ratio, unit: "× bare", target: 1.05, beside: undici.beside }
  ]
})
report(await Effect.runPromise(Effect.provide(program, onLoopback(baseUrl))))
server.stop()
