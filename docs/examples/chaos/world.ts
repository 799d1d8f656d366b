import { DigiKeyApp, DigiKeyUser } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { DigitzsApp } from "@effect-credentials/digitzs"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { FetchHttpClient, FileSystem, type HttpApp, HttpClient, HttpServer } from "@effect/platform"
import { NodeContext, NodeHttpServer } from "@effect/platform-node"
import { Context, DateTime, Duration, Effect, Layer, Option, Redacted } from "effect"
import { type AuthFlow, Credentials, Token, TokenStore } from "effect-credentials"
import { InMemoryHttp } from "effect-credentials/testing"
import { createServer, type Server } from "node:http"
import * as Clocks from "./clocks.js"
import * as Wire from "./wire.js"

/** `memory`: no socket, and time that moves by itself. `loopback`: real sockets and files, and time that hurries. */
export type Mode = "memory" | "loopback"

/** What no error may show. */
export const secrets = {
  clientSecret: "cs7Wd2nRq9LkTz4YbVf1",
  apiKey: "ak3Mx8vHp5GcJs6QeZu0",
  appKey: "pk5Rt1yBw7FnDa9XoKi2"
}

/** How many times as fast time passes where sockets are real. */
export const speed = 30

/** A quarter of an hour before a day ends, in no year in which a Unix time could be taken for a number of seconds. */
const start = Date.UTC(2026, 0, 15, 23, 45)

const account = "ada@example.com"

export interface World {
  readonly time: Clocks.Time
  readonly clocks: { readonly client: Clocks.JumpingClock } & Readonly<Record<Wire.Provider, Clocks.JumpingClock>>
  readonly digikey: DigiKeySimulator.DigiKeySimulator
  readonly digitzs: DigitzsSimulator.DigitzsSimulator
  readonly wire: Wire.Wire
  /** Connections in which the servers still have something to do. */
  readonly busyConnections: Effect.Effect<number>
}

export type Services =
  | DigiKeyApp.DigiKeyApp
  | DigiKeyUser.DigiKeyUser
  | DigitzsApp.DigitzsApp
  | TokenStore.TokenStore
  | HttpClient.HttpClient

/** Where the servers are, for the library, and how it gets there. */
interface Network {
  readonly http: HttpClient.HttpClient
  readonly baseUrl: Readonly<Record<Wire.Provider, string | undefined>>
  readonly servers: ReadonlyArray<Server>
}

type Apps = Readonly<Record<Wire.Provider, HttpApp.Default>>

const inMemory = (apps: Apps) =>
  Effect.map(
    InMemoryHttp.makeByOrigin({ "https://sandbox-api.digikey.com": apps.digikey, "https://api.digitzs.com": apps.digitzs }),
    (http): Network => ({ http, baseUrl: { digikey: undefined, digitzs: undefined }, servers: [] })
  )

const serve = (app: HttpApp.Default) =>
  Effect.gen(function*() {
    const server = createServer()
    const context = yield* Layer.build(NodeHttpServer.layerServer(() => server, { port: 0, host: "127.0.0.1" }))
    yield* Effect.provide(HttpServer.serveEffect(app), context)
    return { server, url: yield* Effect.provide(HttpServer.addressFormattedWith(Effect.succeed), context) }
  })

const onLoopback = (apps: Apps) =>
  Effect.gen(function*() {
    const digikey = yield* serve(apps.digikey)
    const digitzs = yield* serve(apps.digitzs)
    const http = Context.get(yield* Layer.build(FetchHttpClient.layer), HttpClient.HttpClient)
    const network: Network = {
      http,
      baseUrl: { digikey: digikey.url, digitzs: digitzs.url },
      servers: [digikey.server, digitzs.server]
    }
    return network
  })

const inFolder = Layer.unwrapScoped(Effect.gen(function*() {
  const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "effect-credentials-chaos-" })
  // A disk is no faster because time is.
  return TokenStore.layerFile(folder, { leaseDuration: "10 minutes" })
})).pipe(Layer.provide(NodeContext.layer))

/** Connections that are left when those that wait for a next request have been closed. */
const busy = (server: Server) =>
  Effect.async<number>((resume) => {
    server.closeIdleConnections()
    setImmediate(() => server.getConnections((error, count) => resume(Effect.succeed(error === null ? count : -1))))
  })

/**
 * With a store each renewal hashes the client's secret, in a thread of its own for which simulated time
 * does not wait: in memory there is nothing to hash, so that the same seed gives the same run.
 */
const user = (mode: Mode, options: DigiKeyUser.Options) =>
  Credentials.layerShared(
    DigiKeyUser.DigiKeyUser,
    Effect.map(DigiKeyUser.flow(options), (flow): AuthFlow.AuthFlow<HttpClient.HttpClient> =>
      mode === "memory" ? { ...flow, secret: Option.none() } : flow),
    { refreshPolicy: Wire.refreshPolicy, storeTimeout: "10 minutes", lockTimeout: "15 minutes" }
  )

/** Both servers, three clocks, the credentials of the library, and the wire between them. */
export const make = (mode: Mode) =>
  Effect.gen(function*() {
    const time = mode === "memory" ? Clocks.simulated() : Clocks.hurried(yield* Effect.clock, speed)
    const clocks = {
      client: Clocks.jumping(time, start),
      digikey: Clocks.jumping(time, start),
      digitzs: Clocks.jumping(time, start)
    }
    const seconds = Duration.toSeconds(Wire.lifetime)
    const digikey = yield* DigiKeySimulator.make({ clientSecret: secrets.clientSecret, expiresIn: seconds })
    const digitzs = yield* DigitzsSimulator.make({
      apiKey: Redacted.make(secrets.apiKey),
      appKey: Redacted.make(secrets.appKey),
      tokenLifetime: Wire.lifetime,
      claims: (now) => ({ iat: now, exp: now + seconds })
    })
    const wire = Wire.make(time, clocks.client, clocks)
    const { baseUrl, http, servers } = yield* (mode === "memory" ? inMemory : onLoopback)({
      digikey: Effect.withClock(digikey.app, clocks.digikey),
      digitzs: Effect.withClock(digitzs.app, clocks.digitzs)
    })
    const world: World = {
      time,
      clocks,
      digikey,
      digitzs,
      wire,
      busyConnections: Effect.map(Effect.forEach(servers, busy), (counts) => counts.reduce((sum, count) => sum + count, 0))
    }

    const { refreshPolicy } = Wire
    const client = { ...(yield* digikey.credentials), environment: "sandbox", baseUrl: baseUrl.digikey, refreshPolicy } as const
    const credentials = Layer.mergeAll(
      DigiKeyApp.layer(client),
      user(mode, { ...client, account }),
      DigitzsApp.layer({ ...(yield* digitzs.accepted), baseUrl: baseUrl.digitzs, refreshPolicy })
    ).pipe(
      Layer.provideMerge(mode === "memory" ? TokenStore.layerMemory : inFolder),
      Layer.provideMerge(Layer.succeed(HttpClient.HttpClient, wire.watch(http)))
    )
    const services = yield* Layer.build(credentials).pipe(Effect.withClock(clocks.client))
    return { world, services }
  })

/** A person logs in, as if a browser had been there. */
export const logIn = ({ clocks, digikey, wire }: World) =>
  Effect.gen(function*() {
    const store = yield* TokenStore.TokenStore
    const { identity } = yield* DigiKeyUser.DigiKeyUser
    yield* store.withLock(TokenStore.key(identity), ({ save, stored }) =>
      Effect.gen(function*() {
        const signedIn = yield* Effect.withClock(digikey.signIn({ account }), clocks.digikey)
        const issuedAt = yield* DateTime.now
        const token = Token.make({
          accessToken: signedIn.accessToken,
          issuedAt,
          expiresAt: DateTime.add(issuedAt, { seconds: signedIn.expiresIn }),
          refreshToken: signedIn.refreshToken,
          refreshExpiresAt: undefined
        })
        const generation = Option.match(stored, { onNone: () => 1, onSome: (entry) => entry.generation + 1 })
        yield* save({ token, generation, redeeming: Option.none() })
        wire.loggedIn("DigiKeyUser")
      }))
  })
