/**
 * A fleet: processes of one program, one account, one store, and a simulator
 * that revokes a login whose refresh token is presented twice.
 */
import { DigiKeyUser } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { FetchHttpClient, type FileSystem, HttpServer, type Path } from "@effect/platform"
import { NodeContext, NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, Logger, LogLevel, Redacted } from "effect"
import { type CredentialsError, PendingAuthorization, TokenStore } from "effect-credentials"
import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"

/** The store that all share: as it is built here, and the source of the same Layer in the processes. */
export interface Store {
  readonly layer: Layer.Layer<
    TokenStore.TokenStore,
    CredentialsError.TokenStoreError,
    FileSystem.FileSystem | Path.Path
  >
  readonly imports: string
  /** May use `CountedFiles`, and `counted(store, names)`, whose named functions can be died before. */
  readonly source: string
}

export const fileStore = (folder: string): Store => ({
  layer: TokenStore.layerFile(folder),
  imports: "",
  source: `TokenStore.layerFile(${JSON.stringify(folder)}).pipe(Layer.provide(CountedFiles))`
})

/** What a process of the fleet is told. */
export interface Orders {
  readonly baseUrl: string
  readonly account: string
  readonly clientId: string
  readonly clientSecret: string
  /** For how long it makes requests; `0`: one request that renews its token first. */
  readonly seconds: number
  /** Die by `SIGKILL` at some moment, but not between the token call and the save of its answer. */
  readonly mayDie?: boolean
  /** Die by `SIGKILL` before the n-th thing that touches the world, counted from 0. */
  readonly dieBefore?: number
}

/** What it has to say at the end. */
interface Report {
  readonly requests: number
  /** How many of them failed, by the tag of the error. */
  readonly failed: Readonly<Record<string, number>>
  /** How many of those failed that were begun and ended while the last token was good. */
  readonly failedInVain: number
  /** How many things touched the world, for `dieBefore`. */
  readonly steps: number
  /** The generations of the tokens that it had, in their order. */
  readonly generations: ReadonlyArray<number>
}

const program = (store: Store) => `
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as DigiKeyUser from "@effect-credentials/digikey/DigiKeyUser"
import * as Quotes from "@effect-credentials/digikey/Quotes"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TokenStore from "effect-credentials/TokenStore"
${store.imports}

const orders = JSON.parse(process.env.ORDERS)
let steps = 0
const die = () => process.kill(process.pid, "SIGKILL")
const step = (name) => Effect.sync(() => {
  if (steps++ === orders.dieBefore) {
    process.stdout.write("died before " + name + "\\n")
    die()
  }
})
// Every operation of the file system, and of a file that it opened, is a step.
const counted = (target, name, value) =>
  Effect.isEffect(value)
    ? Effect.zipRight(step(name), value)
    : typeof value === "function"
    ? (...args) => {
      const result = value.apply(target, args)
      return Effect.isEffect(result)
        ? Effect.zipRight(step(name), Effect.map(result, (it) => name === "open" ? wrapped(it) : it))
        : result
    }
    : value
const wrapped = (target) => new Proxy(target, { get: (it, name) => counted(it, String(name), Reflect.get(it, name)) })
const CountedFiles = Layer.effect(FileSystem.FileSystem, Effect.map(FileSystem.FileSystem, wrapped)).pipe(
  Layer.provideMerge(Layer.merge(NodeFileSystem.layer, NodePath.layer))
)

let redeeming = false
const MarkedStore = Layer.effect(TokenStore.TokenStore, Effect.map(TokenStore.TokenStore, (store) => ({
  ...store,
  withLock: (key, body) => store.withLock(key, (held) => body({
    ...held,
    save: (entry) => Effect.tap(held.save(entry), () => { redeeming = Option.isSome(entry.redeeming) })
  }))
}))).pipe(Layer.provide(${store.source}))

const CountedClient = Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, (client) =>
  HttpClient.transform(client, (response, request) => request.url.endsWith("/token")
    ? step("send").pipe(Effect.zipRight(response), Effect.tap(() => step("answer")))
    : response))).pipe(Layer.provide(FetchHttpClient.layer))

const credentials = DigiKeyUser.layer({
  clientId: orders.clientId,
  clientSecret: Redacted.make(orders.clientSecret),
  environment: "sandbox",
  baseUrl: orders.baseUrl,
  account: orders.account
}).pipe(Layer.provide(MarkedStore), Layer.provideMerge(CountedClient))

if (orders.mayDie) {
  const soon = () => redeeming ? setImmediate(soon) : die()
  setTimeout(soon, Math.random() * orders.seconds * 1000)
}

const failed = {}
let failedInVain = 0
let goodUntil = 0
let requests = 0
const one = Quotes.listQuotes().pipe(
  Effect.catchAll((error) => Effect.map(Clock.currentTimeMillis, (now) => {
    failed[error._tag] = (failed[error._tag] ?? 0) + 1
    if (now < goodUntil) failedInVain++
  })),
  Effect.tap(() => { requests++ })
)
const many = Effect.gen(function*() {
  const end = (yield* Clock.currentTimeMillis) + orders.seconds * 1000
  while ((yield* Clock.currentTimeMillis) < end) {
    yield* one
    yield* Effect.sleep(40 + Math.random() * 80)
  }
})
const renewed = Effect.zipRight(Effect.flatMap(DigiKeyUser.DigiKeyUser, (user) => user.refresh), one)
const generations = []
const watched = (work) => Effect.gen(function*() {
  const { events } = yield* DigiKeyUser.DigiKeyUser
  yield* Effect.forkScoped(Stream.runForEach(events, (event) => Effect.sync(() => {
    if (event._tag !== "Acquired" && event._tag !== "Renewed") return
    generations.push(event.generation)
    goodUntil = event.expiresAt.epochMillis
  })))
  yield* Effect.yieldNow()
  yield* work
})
await Effect.runPromise(Effect.scoped(Effect.provide(watched(orders.seconds === 0 ? renewed : many), credentials)))
console.log(JSON.stringify({ requests, failed, failedInVain, steps, generations }))
`

const here = fileURLToPath(new URL("../..", import.meta.url))

/** How a process of the fleet ended. */
export interface Ended {
  readonly signal: NodeJS.Signals | null
  readonly report: Report | undefined
  readonly printed: string
}

/** Runs one process to its end; it is killed when the effect is interrupted. */
export const run = (store: Store, orders: Orders): Effect.Effect<Ended> =>
  Effect.async<Ended>((resume) => {
    const child: ChildProcess = spawn(process.execPath, ["--input-type=module", "--eval", program(store)], {
      cwd: here,
      env: { ...process.env, ORDERS: JSON.stringify(orders) },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let printed = ""
    child.stdout?.on("data", (chunk) => (printed += String(chunk)))
    child.stderr?.on("data", (chunk) => (printed += String(chunk)))
    child.on("close", (_, signal) => {
      const last = printed.trimEnd().split("\n").at(-1) ?? ""
      resume(Effect.succeed({ signal, printed, report: last.startsWith("{\"requests\"") ? JSON.parse(last) : undefined }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** The simulator on loopback. */
export const server = (options: DigiKeySimulator.Options) =>
  Layer.unwrapEffect(Effect.map(DigiKeySimulator.DigiKeySimulator, ({ app }) => HttpServer.serve(app))).pipe(
    Layer.provideMerge(NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(DigiKeySimulator.layerApp(options))
  )

/** What the processes are told of the simulator and its client. */
export const address = Effect.gen(function*() {
  const simulator = yield* DigiKeySimulator.DigiKeySimulator
  const { clientId, clientSecret } = yield* simulator.credentials
  const baseUrl = yield* HttpServer.addressFormattedWith(Effect.succeed)
  return { baseUrl, clientId, clientSecret: Redacted.value(clientSecret) }
})

const redirectUri = "https://app.example/callback"

const outside = Layer.mergeAll(NodeContext.layer, FetchHttpClient.layer, Logger.minimumLogLevel(LogLevel.None))

/** A person logs in, and the login is stored. */
export const login = (store: Store, account: string) =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    const { clientSecret, ...client } = yield* address
    const flow = yield* DigiKeyUser.flow({
      ...client,
      clientSecret: Redacted.make(clientSecret),
      environment: "sandbox",
      account
    })
    const { state, userAgent } = yield* flow.begin({ redirectUri })
    const { code } = yield* simulator.authorize({ account, redirectUri })
    const callback = `${redirectUri}?${new URLSearchParams({ code: Redacted.value(code), state })}`
    return yield* flow.complete({ callback, userAgent })
  }).pipe(
    Effect.provide(
      Layer.merge(store.layer, PendingAuthorization.layerMemory).pipe(Layer.provideMerge(outside))
    )
  )

/** Credentials as one process has them, for as long as the scope is open. */
export const member = (store: Store, account: string) =>
  Effect.gen(function*() {
    const { clientSecret, ...client } = yield* address
    return yield* Effect.map(
      Layer.build(
        DigiKeyUser.layer({ ...client, clientSecret: Redacted.make(clientSecret), environment: "sandbox", account }).pipe(
          Layer.provide(Layer.fresh(store.layer)),
          Layer.provide(outside)
        )
      ),
      Context.get(DigiKeyUser.DigiKeyUser)
    )
  })

/** Asks once, as a new process would that comes later. */
export const askLater = <A, E>(store: Store, account: string, request: Effect.Effect<A, E, DigiKeyUser.DigiKeyUser>) =>
  Effect.scoped(Effect.flatMap(member(store, account), (user) =>
    Effect.provideService(request, DigiKeyUser.DigiKeyUser, user)))
