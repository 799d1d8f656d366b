// The same two questions to other libraries: what does a cached token cost, and how often do 1,000 callers who find
// no token ask for one?
import { OAuth2Client as Badgateway, OAuth2Fetch } from "@badgateway/oauth2-client"
import { OAuth2Client as Google } from "google-auth-library"
import { ClientCredentials as SimpleOAuth2 } from "simple-oauth2"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import { Acme, onLoopback } from "./acme.mjs"
import { asyncLoop, cpu, interleaved, loop, median, ratio } from "./measure.mjs"
import { report } from "./report.mjs"
import { start } from "./start.mjs"

const times = 5_000
const callers = 1_000
const clientId = "client"
const clientSecret = "secret"

const server = await start()
const baseUrl = `http://127.0.0.1:${server.port}`
const tokenUrl = `${baseUrl}/token`

/** `OAuth2Fetch` keeps the token and shares a fetch under way. */
const badgateway = () => {
  const client = new Badgateway({ server: baseUrl, tokenEndpoint: "/token", clientId, clientSecret })
  const fetcher = new OAuth2Fetch({ client, getNewToken: () => client.clientCredentials(), scheduleRefresh: false })
  return () => fetcher.getAccessToken()
}

/** It has no client credentials grant for other servers; the refresh token grant has the same cache, and shares a fetch. */
const google = () => {
  const client = new Google({ clientId, clientSecret, endpoints: { oauth2TokenUrl: tokenUrl } })
  client.setCredentials({ refresh_token: "refresh" })
  return () => client.getAccessToken()
}

/** It leaves the cache to the program and says when a token is due; this is the few lines that its documentation suggests. */
const simpleOAuth2 = () => {
  const client = new SimpleOAuth2({
    client: { id: clientId, secret: clientSecret },
    auth: { tokenHost: baseUrl, tokenPath: "/token" }
  })
  let current
  return async () => {
    if (current === undefined || current.expired(10)) current = await client.getToken({})
    return current.token.access_token
  }
}

const peers = { "@badgateway/oauth2-client": badgateway, "google-auth-library": google, "simple-oauth2": simpleOAuth2 }

const together = Effect.flatMap(Acme, ({ token }) =>
  Effect.forEach(Array.from({ length: callers }), () => token, { concurrency: "unbounded", discard: true }))

const program = Effect.gen(function*() {
  const counted = (name, callers) =>
    Effect.zipRight(callers, Effect.map(Effect.promise(server.tokenCalls), (value) => ({ name, value, unit: "token calls" })))

  const counts = [
    { ...(yield* counted("1,000 callers, no token: effect-credentials", Effect.provide(together, onLoopback(baseUrl)))), target: 1 }
  ]
  for (const [name, make] of Object.entries(peers)) {
    const get = make()
    const all = Effect.promise(() => Promise.all(Array.from({ length: callers }, get)))
    counts.push(yield* counted(`1,000 callers, no token: ${name}`, all))
  }

  const { token } = yield* Acme
  const runtime = yield* Effect.runtime()
  const run = Runtime.runPromise(runtime)
  const subjects = {
    "effect-credentials, as a step of a fiber": loop(Effect.map(token, ({ accessToken }) => Redacted.value(accessToken)), times),
    "effect-credentials, runPromise": asyncLoop(() => run(token), times)
  }
  for (const [name, make] of Object.entries(peers)) {
    const get = make()
    yield* Effect.promise(get)
    subjects[name] = asyncLoop(get, times)
  }
  yield* token
  const used = yield* interleaved(subjects, { meter: cpu, times })
  const [ours] = Object.keys(subjects)
  const reads = Object.keys(subjects).map((name) => ({
    name: `cached token read: ${name}`,
    value: median(used[name]) * 1000,
    unit: "ns",
    ratio: ratio(used[name], used[ours])
  }))
  return [...reads, ...counts]
})

report(await Effect.runPromise(Effect.provide(program, onLoopback(baseUrl))))
server.stop()
