// An authorised request beside the same request on the bare client, in memory: no socket, one canned answer.
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as ApiClient from "effect-credentials/ApiClient"
import * as Effect from "effect/Effect"
import { accessToken, Acme, headers, inMemory } from "./acme.mjs"
import { bytes, cpu, difference, interleaved, loop, median } from "./measure.mjs"
import { report } from "./report.mjs"

const baseUrl = "https://api.acme.example"
const times = 1_000
const few = 500

/**
 * An answer whose body is text at once. The body is read: a response that is dropped unread is aborted when it is
 * collected, which costs more than everything that is measured here.
 */
const answer = (request) => ({ ...template, request })
const template = {
  [HttpClientResponse.TypeId]: HttpClientResponse.TypeId,
  status: 200,
  headers: Headers.fromInput({ "content-type": "application/json" }),
  text: Effect.succeed("{}")
}
const bare = HttpClient.make((request) => Effect.succeed(answer(request)))

/** What DigiKey says with every answer; never used up here. */
const limitHeaders = Headers.fromInput({
  "content-type": "application/json",
  "x-ratelimit-limit": "9000000",
  "x-ratelimit-remaining": "8999999",
  "x-ratelimit-reset": "86400",
  "x-burstlimit-limit": "9000000",
  "x-burstlimit-remaining": "8999999",
  "x-burstlimit-reset": "3600"
})
const limiting = HttpClient.make((request) => Effect.succeed({ ...answer(request), headers: limitHeaders }))
const read = Effect.flatMap((response) => response.text)

const acme = ApiClient.make(Acme, { product: "Parts", path: "/products/v4" })
const request = HttpClientRequest.get("/search/NE555/productdetails")
const bareRequest = HttpClientRequest.get(`${baseUrl}/products/v4/search/NE555/productdetails`, {
  headers: { authorization: `Bearer ${accessToken}`, ...headers }
})

/** A program that wants no transport of its own to follow redirects may say so once, at its edge. */
const manual = Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })

const compare = (tracer, client = bare) =>
  Effect.gen(function*() {
    const subjects = (times) => ({
      acme: loop(read(acme.execute(request)), times),
      bare: loop(read(client.execute(bareRequest)), times)
    })
    const time = yield* interleaved(subjects(times), { meter: cpu, times })
    const memory = yield* bytes(subjects(few), few)
    return {
      micros: difference(time.acme, time.bare),
      bare: median(time.bare),
      bytes: difference(memory.acme, memory.bare)
    }
  }).pipe(
    Effect.provideService(HttpClient.HttpClient, client),
    Effect.locally(HttpClient.currentTracerDisabledWhen, () => !tracer)
  )

const program = Effect.gen(function*() {
  const plain = yield* compare(false)
  const traced = yield* compare(true)
  const limited = yield* compare(false, limiting)
  const atTheEdge = yield* manual(compare(false))
  return [
    { name: "authorised request in memory, added", value: plain.micros, unit: "µs", target: 8, beside: plain.bare },
    { name: "its allocations, added", value: plain.bytes, unit: "bytes", target: 2048 },
    { name: "the same, paced by six headers of the answer", value: limited.micros, unit: "µs", target: 8, beside: limited.bare },
    { name: "its allocations, added", value: limited.bytes, unit: "bytes", target: 2048 },
    { name: "the same, redirect: \"manual\" at the edge", value: atTheEdge.micros, unit: "µs", target: 8, beside: atTheEdge.bare },
    { name: "its allocations, added", value: atTheEdge.bytes, unit: "bytes", target: 2048 },
    { name: "the same, traced", value: traced.micros, unit: "µs", target: 8, beside: traced.bare },
    { name: "its allocations, added", value: traced.bytes, unit: "bytes", target: 2048 }
  ]
})

report(await Effect.runPromise(Effect.provide(program, inMemory(baseUrl))))
