import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { DigitzsSimulator } from "@effect-credentials/digitzs/testing"
import { Effect, Random } from "effect"
import type { Provider } from "./wire.js"
import type { World } from "./world.js"

const { Fault, TokenEndpoint } = DigiKeySimulator
const AtDigitzs = DigitzsSimulator.Fault

/** What can go wrong, as the summary names it. */
export const kinds = [
  "429",
  "500",
  "503",
  "reset",
  "no answer",
  "slow replies",
  "token endpoint",
  "payment",
  "revoked tokens",
  "other limits",
  "clock jump"
] as const

export type Kind = typeof kinds[number]

export type Counts = Record<Kind, number>

/** How often each is chosen, of all. */
const shares: Readonly<Record<Kind, number>> = {
  "429": 4,
  "500": 4,
  "503": 4,
  "reset": 5,
  "no answer": 1,
  "slow replies": 1,
  "token endpoint": 3,
  "payment": 6,
  "revoked tokens": 3,
  "other limits": 2,
  "clock jump": 2
}

const oneOf = <const A>(first: A, ...others: ReadonlyArray<A>): Effect.Effect<A> =>
  Effect.map(Random.nextIntBetween(0, others.length + 1), (index) => index === 0 ? first : others[index - 1] ?? first)

const retryAfter = Effect.flatMap(
  oneOf<number | undefined>(undefined, 1, 3, 8),
  (seconds) => Effect.succeed(seconds === undefined ? {} : { headers: { "retry-after": String(seconds) } })
)

const either = oneOf<Provider>("digikey", "digitzs")

const times = Random.nextIntBetween(1, 8)

const respond = (world: World, ...statuses: readonly [number, ...ReadonlyArray<number>]) =>
  Effect.gen(function*() {
    const fault = { status: yield* oneOf(...statuses), ...(yield* retryAfter) }
    yield* world.digikey.failNext(Fault.Respond(fault), { times: yield* times })
    yield* world.digitzs.failNext(AtDigitzs.Respond(fault), { times: yield* oneOf(1, 2), path: yield* oneOf("/merchants", "/payments") })
  })

/** A payment may have been applied, whatever its answer says. */
const paymentFaults = [
  ...[500, 502, 503, 504].flatMap((status) => [AtDigitzs.Respond({ status }), AtDigitzs.Respond({ status, applied: true })]),
  AtDigitzs.Respond({ status: 500, body: "<html>", applied: true }),
  AtDigitzs.Drop({ applied: true }),
  AtDigitzs.Drop({ applied: true }),
  AtDigitzs.Hang({ applied: true })
]

const tokenEndpoint = ({ digikey, digitzs }: World, provider: Provider) =>
  Effect.gen(function*() {
    if (provider === "digitzs") {
      return yield* digitzs.failNext(
        yield* oneOf<DigitzsSimulator.Fault>(
          AtDigitzs.Respond({ status: 503 }),
          AtDigitzs.Respond({ status: 429, headers: { "retry-after": "5" } }),
          AtDigitzs.Drop({}),
          AtDigitzs.Drop({ applied: true }),
          AtDigitzs.Break(),
          AtDigitzs.Hang({})
        ),
        { times: yield* oneOf(1, 2, 5), path: "/auth/token" }
      )
    }
    yield* digikey.setTokenEndpoint(
      yield* oneOf<DigiKeySimulator.TokenEndpoint>(
        TokenEndpoint.Down({ status: 503 }),
        TokenEndpoint.Down({ status: 500, retryAfter: 2 }),
        TokenEndpoint.Down({ status: 429, retryAfter: 5 }),
        TokenEndpoint.Dropping(),
        TokenEndpoint.Dropping({ applied: true }),
        TokenEndpoint.Hanging()
      ),
      { times: yield* oneOf(1, 2, 5) }
    )
  })

/** Slower than a token call may be (10 seconds), and than a caller waits for an answer. */
const slow = ({ digikey, digitzs }: World) =>
  Effect.gen(function*() {
    const api = yield* oneOf("8 seconds", "20 seconds", "50 seconds")
    const auth = yield* oneOf("3 seconds", "15 seconds")
    yield* digikey.setLatency({ api, token: auth })
    yield* digitzs.setLatency({ api, auth })
  })

const usual = ({ digikey, digitzs }: World) =>
  Effect.gen(function*() {
    const api = yield* Random.nextIntBetween(50, 800)
    const auth = yield* Random.nextIntBetween(50, 800)
    yield* digikey.setLatency({ api, token: auth })
    yield* digitzs.setLatency({ api, auth })
  })

const revoke = ({ digikey, digitzs, wire }: World, provider: Provider) =>
  Effect.zipRight(
    provider === "digikey" ? digikey.revokeTokens : digitzs.revokeTokens,
    Effect.sync(() => wire.revoked(provider))
  )

/** Refuses the tokens of both. */
export const revokeBoth = (world: World) => Effect.zipRight(revoke(world, "digikey"), revoke(world, "digitzs"))

const setLimits = ({ digikey }: World) =>
  Effect.gen(function*() {
    const burst = { limit: yield* oneOf(30, 120, 200, 500), window: yield* oneOf("20 seconds", "1 minute") } as const
    const dailyReset = yield* oneOf("unixTime", "secondsLeft")
    yield* digikey.setRateLimits({ burst, daily: { limit: 1_000_000 }, dailyReset })
  })

/** Up to ten minutes wrong, in either direction: so a jump is of twenty at most. */
const jump = ({ clocks }: World) =>
  Effect.gen(function*() {
    const clock = yield* oneOf(clocks.client, clocks.digikey, clocks.digitzs)
    yield* clock.setError(yield* Random.nextIntBetween(-600_000, 600_001))
  })

const strike = (world: World, kind: Kind): Effect.Effect<void> => {
  const { digikey, digitzs } = world
  switch (kind) {
    case "429":
      return respond(world, 429)
    case "500":
      return respond(world, 500)
    case "503":
      return respond(world, 503, 502, 504)
    case "reset":
      return Effect.gen(function*() {
        yield* digikey.failNext(Fault.Drop({ applied: yield* Random.nextBoolean }), { times: yield* times })
        yield* digitzs.failNext(yield* oneOf<DigitzsSimulator.Fault>(AtDigitzs.Drop({}), AtDigitzs.Break()), { times: 2 })
      })
    case "no answer":
      return Effect.zipRight(digikey.failNext(Fault.Hang()), digitzs.failNext(AtDigitzs.Hang({}), { path: "/merchants" }))
    case "slow replies":
      return slow(world)
    case "token endpoint":
      return Effect.flatMap(either, (provider) => tokenEndpoint(world, provider))
    case "payment":
      return Effect.flatMap(Random.nextIntBetween(0, paymentFaults.length), (index) =>
        digitzs.failNext(paymentFaults[index] ?? AtDigitzs.Drop({ applied: true }), { path: "/payments" }))
    case "revoked tokens":
      return Effect.flatMap(either, (provider) => revoke(world, provider))
    case "other limits":
      return setLimits(world)
    case "clock jump":
      return jump(world)
  }
}

const all = kinds.flatMap((kind) => Array.from({ length: shares[kind] }, () => kind))

/** Milliseconds between one thing that goes wrong and the next, at most, where 60 callers are at work. */
const pause = 5000

/** As often, for a number of callers, until it is interrupted. */
export const rage = (world: World, callers: number, counts: Counts): Effect.Effect<never> =>
  Effect.gen(function*() {
    const kind = all[yield* Random.nextIntBetween(0, all.length)] ?? "reset"
    counts[kind] += 1
    yield* strike(world, kind)
    yield* Effect.sleep((60 / callers) * (yield* Random.nextIntBetween(0, pause)))
    yield* usual(world)
  }).pipe(Effect.forever)

/** Nothing more goes wrong, and what was still to come does not. Clocks stay as they are. */
export const calm = (world: World) =>
  Effect.all([
    world.digikey.clearFaults,
    world.digitzs.clearFaults,
    world.digikey.setTokenEndpoint(TokenEndpoint.Healthy()),
    world.digikey.setRateLimits("off"),
    usual(world)
  ], { discard: true })

/** Neither server gives tokens, and both ask to be left alone. */
export const blackOut = ({ digikey, digitzs }: World) =>
  Effect.zipRight(
    digikey.setTokenEndpoint(TokenEndpoint.Down({ status: 503, retryAfter: 30 })),
    digitzs.failAlways(AtDigitzs.Respond({ status: 503, headers: { "retry-after": "30" } }), { path: "/auth/token" })
  )

/** Five requests a minute, and each takes a while. */
export const crowded = ({ digikey, digitzs }: World) =>
  Effect.all([
    digikey.setRateLimits({ burst: { limit: 5 } }),
    digikey.setLatency({ api: "3 seconds" }),
    digitzs.setLatency({ api: "3 seconds" })
  ], { discard: true })

export const noCounts = (): Counts => ({
  "429": 0, "500": 0, "503": 0, "reset": 0, "no answer": 0, "slow replies": 0, "token endpoint": 0,
  "payment": 0, "revoked tokens": 0, "other limits": 0, "clock jump": 0
})
