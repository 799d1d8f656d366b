/**
 * How many requests are left, of each API product.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as RateLimits from "effect-credentials/RateLimits"
import * as RetryPolicy from "effect-credentials/RetryPolicy"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ExitCode } from "../ExitCode.js"
import * as Globals from "../internal/globals.js"
import * as Help from "../internal/help.js"
import * as LimitsTable from "../internal/limitsTable.js"
import type { Kind } from "../internal/profiles.js"
import { Current, type Product, type Provider } from "../internal/provider.js"
import * as Providers from "../internal/providers.js"
import * as Session from "../internal/session.js"
import { explain, type Failure, Stop, usage } from "../internal/stop.js"
import * as Table from "../internal/table.js"
import { Stdio } from "../Stdio.js"

/** A product that can be asked. */
interface Askable extends Product {
  readonly probe: string
}

const isAskable = (product: Product): product is Askable => product.probe !== undefined

const askable = ({ products }: Provider): ReadonlyArray<Askable> => products.filter(isAskable)

const argumentOf = ({ name }: Product): string => name.toLowerCase().replaceAll(" ", "-")

const only = Options.text("product").pipe(
  Options.withDescription("Only this one, by its name in the list below; several with commas between them. Default: all of the list."),
  Options.optional
)

const letters = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, "")

const chosen = (provider: Provider, names: string) => {
  const all = askable(provider)
  const wanted = names.split(",")
  const unknown = wanted.find((name) => !all.some((product) => letters(product.name) === letters(name)))
  return unknown === undefined
    ? Effect.succeed(all.filter(({ name }) => wanted.some((it) => letters(it) === letters(name))))
    : Effect.fail(usage(
      `No product of ${provider.title} that can be asked for its limits is called "${unknown}". There are:\n` +
        all.map((product) => `  ${argumentOf(product)}`).join("\n")
    ))
}

/** A 429 is an answer, and not waited for. */
const policy = RetryPolicy.make({ schedule: RetryPolicy.serverErrors })

const ask = ({ execute, probe }: Askable) =>
  execute(HttpClientRequest.get(probe, { acceptJson: true })).pipe(
    // It is the headers that count; an unread body would keep its connection.
    Effect.flatMap((response) => Effect.ignore(response.arrayBuffer)),
    RetryPolicy.withPolicy(policy),
    Effect.as(Option.none()),
    // What the credentials fail with is no word on a product.
    Effect.catchAll((error) => "product" in error ? Effect.succeedSome(error) : Effect.fail(error))
  )

/** What became of one product. */
interface Standing {
  readonly product: Askable
  readonly snapshot: Option.Option<RateLimits.Snapshot>
  readonly failure: Option.Option<Failure>
}

/** Whether the server has said something of limits, if only in a refusal. */
const saysSomething = ({ closedUntil, windows }: RateLimits.Snapshot): boolean =>
  Option.isSome(closedUntil) || windows.some(({ declared }) => !declared)

const standingsOf = (products: ReadonlyArray<Askable>) =>
  Effect.gen(function*() {
    const failures = yield* Effect.forEach(products, ask, { concurrency: "unbounded" })
    const snapshots = yield* RateLimits.snapshot(Current)
    return products.map((product, index): Standing => {
      const snapshot = Option.fromNullable(snapshots.find((it) => it.product === product.name))
      const failure = Option.flatten(Option.fromNullable(failures[index]))
      return Option.isNone(failure) || Option.exists(snapshot, saysSomething)
        ? { product, snapshot, failure: Option.none() }
        : { product, snapshot: Option.none(), failure }
    })
  })

const kinds: ReadonlyArray<Kind> = ["app", "user"]

const standings = (session: Session.Session, products: ReadonlyArray<Askable>) =>
  Effect.forEach(kinds, (kind) => {
    const ofKind = products.filter((product) => product.kind === kind)
    return ofKind.length === 0 ? Effect.succeed([]) : Session.acting(session, kind, standingsOf(ofKind)).pipe(
      Effect.catchIf(
        (error) => error._tag === "Stop" && error.code === ExitCode.loginNeeded,
        (failure) => Effect.succeed(ofKind.map((product): Standing =>
          ({ product, snapshot: Option.none(), failure: Option.some(failure) })))
      )
    )
  }).pipe(Effect.map((all) => all.flat()))

interface Missing {
  readonly product: string
  readonly code: ExitCode
  readonly message: string
  /** This account cannot use the product: no failure where nobody has asked for it by name. */
  readonly unavailable: boolean
}

const missing = ({ failure, product }: Standing): ReadonlyArray<Missing> =>
  Option.match(failure, {
    onNone: () => [],
    onSome: (error) => {
      const { code, message = "" } = explain(error)
      const unavailable = error._tag === "Stop" || (error._tag === "ApiError" && (error.status === 401 || error.status === 403))
      return [{ product: product.name, code, message, unavailable }]
    }
  })

/** One line for all products that lack the same. */
const words = (missing: ReadonlyArray<Missing>): string =>
  Array.from(new Set(missing.map(({ message }) => message)), (message) =>
    `Not shown: ${missing.filter((it) => it.message === message).map(({ product }) => product).join(", ")}. ${message}`
  ).join("\n")

const show = (found: ReadonlyArray<Standing>, isChosen: boolean) =>
  Effect.gen(function*() {
    const { columns, err, out, plain, terminal } = yield* Stdio
    const now = yield* DateTime.now
    const rows = found.flatMap(({ snapshot }) =>
      Option.match(snapshot, { onNone: () => [], onSome: (it) => LimitsTable.rows(it, now, plain || !terminal.stdout) }))
    if (rows.length > 0) {
      const width = terminal.stdout ? yield* columns : Number.POSITIVE_INFINITY
      yield* out(`${Table.render(LimitsTable.titles, rows, width).join("\n")}\n`)
    }
    const isExpected = ({ unavailable }: Missing): boolean => unavailable && !isChosen && rows.length > 0
    const lacking = found.flatMap(missing)
    const expected = lacking.filter(isExpected)
    if (expected.length > 0) yield* err(`${words(expected)}\n`)
    const failed = lacking.filter((it) => !isExpected(it))
    const [first] = failed
    if (first !== undefined) return yield* new Stop({ code: first.code, message: words(failed) })
  })

export const topic: Help.Topic = {
  summary: "Asks a provider how many requests are left, and prints a table with bars.",
  sections: [
    {
      title: "Examples",
      lines: [
        "credentials limits digikey",
        "credentials limits digikey --product product-information,quotes",
        "credentials limits digikey --demo",
        "",
        "A provider says in the headers of each answer how many requests are left, and has no",
        "other way to ask. So one request is sent to each product, and it counts as any other.",
        "\"none announced\": the answer says nothing of limits. \"(documented)\": the provider's",
        "documentation says it, and the answer does not."
      ]
    },
    {
      title: "What it sends",
      lines: Providers.all.flatMap((provider) => [
        `${provider.title}, with the credentials that the product takes:`,
        ...Help.pairs(askable(provider).map((product) => [`  ${argumentOf(product)}`, `GET ${product.probe}`]))
      ])
    }
  ]
}

export const command = Command.make(
  "limits",
  { ...Globals.options, only, provider: Providers.arg },
  ({ only, provider, ...globals }) =>
    Effect.gen(function*() {
      const products = Option.isNone(only) ? askable(provider) : yield* chosen(provider, only.value)
      yield* Session.run(globals, provider, (session) =>
        Effect.flatMap(standings(session, products), (found) => show(found, Option.isSome(only))))
    })
).pipe(
  Command.withDescription(topic.summary)
)
