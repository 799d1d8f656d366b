import { DigiKeyApp, ProductInformation } from "@effect-credentials/digikey"
import { FetchHttpClient } from "@effect/platform"
import { Console, DateTime, Effect, Layer, Option, Stream } from "effect"
import { ApiClient, Credentials, RateLimitEvent, RateLimits, RetryPolicy } from "effect-credentials"

// #region stock
const stockOf = (part: string) =>
  Effect.map(ProductInformation.productDetails(part), ({ Product }) => Product.QuantityAvailable)

/** However many parts there are: what may be sent now is sent, the rest waits for its turn. */
export const stocks = (parts: ReadonlyArray<string>) =>
  Effect.forEach(parts, stockOf, { concurrency: "unbounded" })
// #endregion

// #region come-back
export const report = (parts: ReadonlyArray<string>) =>
  stocks(parts).pipe(
    Effect.flatMap((stock) => Console.log(`In stock: ${stock.join(", ")}`)),
    Effect.catchTag("RateLimited", ({ limit, retryAt }) =>
      Console.log(`The ${limit} limit is used up. Come back at ${DateTime.formatIso(retryAt)}.`))
  )
// #endregion

// #region patience
/** Nobody looks at the clock. */
const patient = RetryPolicy.make({ patience: "1 hour" })

export const nightly = (parts: ReadonlyArray<string>) => RetryPolicy.withPolicy(stocks(parts), patient)
// #endregion

// #region urgent
/** Somebody looks at the screen: ahead of all who wait, and of what is known. */
export const urgent = (part: string) => RateLimits.withoutPacing(stockOf(part))
// #endregion

// #region fits
/** Whether so many requests are left today. Nothing is known of a product that was not asked for anything yet. */
export const fits = (requests: number) =>
  Effect.map(RateLimits.snapshot(DigiKeyApp.DigiKeyApp), (products) =>
    products.flatMap(({ windows }) => windows).every(({ limit, remaining }) =>
      limit === "burst" || Option.getOrElse(remaining, () => requests) >= requests))
// #endregion

// #region dashboard
const windowLine = ({ limit, remaining, requests }: RateLimits.Window): string =>
  `${limit} ${Option.getOrElse(remaining, () => "?")} of ${Option.getOrElse(requests, () => "?")}`

const productLine = ({ inFlight, product, waiting, windows }: RateLimits.Snapshot): string =>
  [product, ...windows.map(windowLine), `${inFlight} on their way`, `${waiting} waiting`].join(", ")

/** A line when something has changed, at most one a second. What is skipped was not the last state. */
export const Dashboard = Layer.scopedDiscard(
  RateLimits.changes(DigiKeyApp.DigiKeyApp).pipe(
    Stream.runForEach((product) => Effect.zipLeft(Console.log(productLine(product)), Effect.sleep("1 second"))),
    Effect.forkScoped
  )
)
// #endregion

// #region alerts
const describe = RateLimitEvent.$match({
  Throttled: ({ limit, product, until }) => `${product}: requests wait for the ${limit} limit, until ${DateTime.formatIso(until)}`,
  Resumed: ({ product }) => `${product}: none waits any more`,
  Refused: ({ limit, product, retryAt }) => `${product}: refused, the ${limit} limit is used up until ${DateTime.formatIso(retryAt)}`,
  Exceeded: ({ limit, product }) => `${product}: the server said 429 (${limit})`
})

export const Alerts = Layer.scopedDiscard(
  RateLimits.events(DigiKeyApp.DigiKeyApp).pipe(
    Stream.runForEach((event) => Console.error(describe(event))),
    Effect.forkScoped
  )
)
// #endregion

// #region provider
export class Acme extends Credentials.Tag("Acme")<Acme>() {}

export const parts = ApiClient.make(Acme, {
  product: "Parts",
  path: "/v1",
  limits: { burst: { requests: 30, per: "1 minute" }, daily: 5000 }
})
// #endregion

const AppLayer = Layer.merge(Dashboard, Alerts).pipe(
  Layer.provideMerge(DigiKeyApp.layerConfig()),
  Layer.provideMerge(FetchHttpClient.layer)
)

export const program = report(["NE555P", "LM358P", "2N7002"]).pipe(Effect.provide(AppLayer))

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
