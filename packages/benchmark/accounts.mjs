// What an account costs in memory, with ten thousand of them: open with a token, and idle. And what it takes to use one.
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as DigiKeyApp from "@effect-credentials/digikey/DigiKeyApp"
import * as DigitzsApp from "@effect-credentials/digitzs/DigitzsApp"
import * as Accounts from "effect-credentials/Accounts"
import * as ApiClient from "effect-credentials/ApiClient"
import * as Credentials from "effect-credentials/Credentials"
import * as OAuth2 from "effect-credentials/OAuth2"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { bytes, cpu, difference, interleaved, loop, median } from "./measure.mjs"
import { report } from "./report.mjs"

class Acme extends Credentials.Tag("Acme")() {}

/** 200 characters that no two accounts share. */
const accessToken = (number) => `${number}.`.padEnd(200, "t")

const acme = (account) =>
  OAuth2.clientCredentials({
    provider: "acme",
    baseUrl: "https://api.acme.example",
    tokenUrl: "https://login.acme.example/token",
    clientId: account,
    clientSecret: Redacted.make(`secret-of-${account}`),
    lifetimeWhenAbsent: "30 minutes",
    headers: { "x-acme-client-id": Redacted.make(account), "x-acme-locale-site": "US" }
  })

const digikey = (account) =>
  DigiKeyApp.flow({ clientId: account, clientSecret: Redacted.make(`secret-of-${account}`), environment: "sandbox" })

const digitzs = (account) =>
  DigitzsApp.flow({ apiKey: Redacted.make(account), appKey: Redacted.make(`app-key-of-${account}`), appId: account })

const few = { many: 2_000, runs: 1, target: 10 * 1024 }

const token = (tag) => Effect.flatMap(tag, (credentials) => credentials.token)

/** One API product with what is known of its rate limits. */
const request = Effect.flatMap(ApiClient.make(Acme, { product: "Parts" }).get("/parts"), ApiClient.decodeVoid)

let calls = 0
const server = HttpClient.make((request) =>
  Effect.sync(() => {
    const text = accessToken(calls++)
    const reply = request.url.includes("digitzs")
      ? { data: { attributes: { appToken: text } } }
      : { access_token: text, token_type: "Bearer", expires_in: 3600 }
    return HttpClientResponse.fromWeb(request, new Response(JSON.stringify(reply)))
  })
)

/** A clock that stands still until it is moved: nothing becomes idle while it is measured. */
const manual = () => {
  const sleeping = new Set()
  let now = 0
  return {
    clock: {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: () => now,
      unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n,
      currentTimeMillis: Effect.sync(() => now),
      currentTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n),
      sleep: () =>
        Effect.async((resume) => {
          const wake = () => resume(Effect.void)
          sleeping.add(wake)
          return Effect.sync(() => sleeping.delete(wake))
        })
    },
    move: (millis) => {
      now += millis
      for (const wake of sleeping) {
        sleeping.delete(wake)
        wake()
      }
    }
  }
}

const turns = Effect.promise(async () => {
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
})

const heap = Effect.zipRight(
  turns,
  Effect.sync(() => {
    for (let time = 0; time < 3; time++) globalThis.gc()
    return process.memoryUsage().heapUsed
  })
)

/** Bytes of heap for one account that has done `program`, as medians of several runs. */
const sizes = (name, tag, flow, { many, program, runs, target }) => {
  class Many extends Accounts.Tag(name, tag)() {}
  const once = (count) =>
    Effect.suspend(() => {
      const { clock, move } = manual()
      return Effect.gen(function*() {
        const empty = yield* heap
        yield* Effect.forEach(
          Array.from({ length: count }, (_, index) => `account-${index}`),
          (account) => program.pipe(Accounts.provide(Many, account)),
          { concurrency: 64, discard: true }
        )
        const open = yield* heap
        move(6 * 60_000)
        while ((yield* Accounts.snapshot(Many)).idle < count) yield* turns
        const idle = yield* heap
        return { active: (open - empty) / count, idle: (idle - empty) / count }
      }).pipe(Effect.provide(Accounts.layer(Many, flow)), Effect.withClock(clock))
    })
  return Effect.gen(function*() {
    // What is made once is not an account's.
    yield* once(500)
    const all = []
    for (let run = 0; run < runs; run++) all.push(yield* once(many))
    return [
      { name: `active account, ${name}`, value: median(all.map(({ active }) => active)), unit: "bytes", target },
      { name: `idle account, ${name}`, value: median(all.map(({ idle }) => idle)), unit: "bytes", target: 3 * 1024 }
    ]
  })
}

const use = Effect.gen(function*() {
  class Many extends Accounts.Tag("Many", Acme)() {}
  const layer = Accounts.layer(Many, acme)
  const provided = Effect.void.pipe(Accounts.provide(Many, "account-1"))
  const credentials = yield* Effect.provide(Accounts.get(Many, "account-1"), layer)
  const bare = Effect.provideService(Effect.void, Acme, credentials)
  return yield* Effect.gen(function*() {
    yield* provided
    const subjects = (times) => ({ provided: loop(provided, times), bare: loop(bare, times) })
    const time = yield* interleaved(subjects(5_000), { meter: cpu, times: 5_000 })
    const memory = yield* bytes(subjects(1_000), 1_000)
    return [
      {
        name: "Accounts.provide of an open account, above provideService",
        value: difference(time.provided, time.bare) * 1000,
        unit: "ns"
      },
      { name: "its allocations", value: difference(memory.provided, memory.bare), unit: "bytes" }
    ]
  }).pipe(Effect.provide(layer))
}).pipe(Effect.scoped)

const program = Effect.gen(function*() {
  return [
    ...yield* sizes("OAuth2.clientCredentials", Acme, acme, { program: token(Acme), many: 10_000, runs: 3, target: 10 * 1024 }),
    ...yield* sizes("after a request", Acme, acme, { program: request, ...few, target: undefined }),
    ...yield* sizes("DigiKeyApp", DigiKeyApp.DigiKeyApp, digikey, { program: token(DigiKeyApp.DigiKeyApp), ...few }),
    ...yield* sizes("DigitzsApp", DigitzsApp.DigitzsApp, digitzs, { program: token(DigitzsApp.DigitzsApp), ...few }),
    ...yield* use
  ]
})

report(await Effect.runPromise(program.pipe(
  Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, server), Logger.remove(Logger.defaultLogger)))
)))
