/** An API and a token endpoint in memory: scripted answers, and a log of what arrived. */
import { FetchHttpClient, HttpClient, HttpClientError, HttpClientResponse } from "@effect/platform"
import type { HttpClientRequest } from "@effect/platform"
import type { Duration } from "effect"
import { Clock, Context, Effect, Fiber, Layer, Option, TestClock } from "effect"

/** A request as a server receives it. */
export interface Arrived {
  readonly method: string
  readonly url: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The clock at arrival, milliseconds. */
  readonly at: number
  /** What the transport was told about redirects. */
  readonly redirect: string | undefined
  /** How many requests of the same method and path came before. */
  readonly earlier: number
}

/** What a server does with a request. */
export type Answer = Effect.Effect<Response, Dropped>

/** The connection fails with the code that a socket would report. */
class Dropped {
  readonly _tag = "Dropped"
  readonly code: string
  constructor(code: string) {
    this.code = code
  }
}

/** Answers by path, `METHOD path` or full URL without its query; a list is one answer a request, the last one for ever. */
export type Routes = Readonly<Record<string, Answer | ReadonlyArray<Answer> | ((request: Arrived) => Answer)>>

export interface FakeApi {
  readonly client: Layer.Layer<HttpClient.HttpClient>
  /** What arrived so far, anywhere. */
  readonly arrived: ReadonlyArray<Arrived>
  /** Those of one path. */
  readonly at: (path: string) => ReadonlyArray<Arrived>
}

export const reply = (
  status: number,
  body: BodyInit | null = null,
  headers: Readonly<Record<string, string>> = {}
): Answer => Effect.sync(() => new Response(body, { status, headers: { ...headers } }))

export const json = (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Answer =>
  reply(status, JSON.stringify(body), { "content-type": "application/json", ...headers })

export const ok: Answer = json({ ok: true })

export const redirectTo = (status: number, location: string): Answer => reply(status, null, { location })

export const dropped = (code = "ECONNRESET"): Answer => Effect.fail(new Dropped(code))

export const hanging: Answer = Effect.never

const textOf = (request: HttpClientRequest.HttpClientRequest): string =>
  request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""

const lookUp = (routes: Routes, request: Arrived): Answer => {
  const bare = request.url.replace(/[?#].*$/s, "")
  const found = routes[bare] ?? routes[`${request.method} ${request.path}`] ?? routes[request.path]
  if (found === undefined) return reply(404, "no such route")
  if (typeof found === "function") return found(request)
  if (Effect.isEffect(found)) return found
  return found[Math.min(request.earlier, found.length - 1)] ?? reply(404, "nothing left")
}

export const makeFakeApi = (routes: Routes): FakeApi => {
  const arrived: Array<Arrived> = []
  const counts = new Map<string, number>()
  const client = HttpClient.make((request, url, _signal, fiber) =>
    Effect.gen(function*() {
      const init = Context.getOption(fiber.currentContext, FetchHttpClient.RequestInit)
      const { method } = request
      const path = url.pathname
      const earlier = counts.get(`${method} ${path}`) ?? 0
      counts.set(`${method} ${path}`, earlier + 1)
      const it: Arrived = {
        method,
        url: url.href,
        path,
        headers: { ...request.headers },
        body: textOf(request),
        at: yield* Clock.currentTimeMillis,
        redirect: Option.isSome(init) ? init.value.redirect : undefined,
        earlier
      }
      arrived.push(it)
      const response = yield* Effect.mapError(lookUp(routes, it), (cause) =>
        new HttpClientError.RequestError({ request, reason: "Transport", cause }))
      return HttpClientResponse.fromWeb(request, response)
    })
  )
  return {
    client: Layer.succeed(HttpClient.HttpClient, client),
    arrived,
    at: (path) => arrived.filter((it) => it.path === path)
  }
}

/** A body of `bytes` bytes that counts what is pulled from it and knows whether it was cancelled. */
export const meteredBody = (
  bytes: number,
  fill = 0x20
): { readonly answer: (status: number) => Answer; readonly pulled: () => number; readonly cancelled: () => boolean } => {
  let pulled = 0
  let cancelled = false
  const chunk = new Uint8Array(64 * 1024).fill(fill)
  const stream = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulled >= bytes) return controller.close()
        pulled += chunk.byteLength
        controller.enqueue(chunk)
      },
      cancel() {
        cancelled = true
      }
    }, { highWaterMark: 0 })
  return {
    answer: (status) => Effect.sync(() => new Response(stream(), { status })),
    pulled: () => pulled,
    cancelled: () => cancelled
  }
}

/** A body that breaks off after `text`. */
export const brokenBody = (status: number, text: string): Answer =>
  Effect.sync(() =>
    new Response(
      new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(text))
        },
        pull(controller) {
          controller.error(new Error("the connection broke"))
        }
      }, { highWaterMark: 0 }),
      { status }
    )
  )

/** A body that never ends and sends nothing after `text`. */
export const stalledBody = (status: number, text = ""): Answer =>
  Effect.sync(() =>
    new Response(
      new ReadableStream<Uint8Array>({
        start(controller) {
          if (text !== "") controller.enqueue(new TextEncoder().encode(text))
        }
      }),
      { status }
    )
  )

/** Runs an effect that waits for the clock. */
export const passing = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  duration: Duration.DurationInput = "5 minutes"
): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(duration)
    return yield* Fiber.join(fiber)
  })

/** The times between requests, milliseconds. */
export const waits = (requests: ReadonlyArray<Arrived>): ReadonlyArray<number> =>
  requests.slice(1).map((request, index) => request.at - (requests[index]?.at ?? 0))
