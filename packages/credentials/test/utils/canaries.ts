/**
 * Secrets that are easy to recognise, a search for them in every form in which
 * they could come out, and a listener at every place where they could.
 */
import { assert } from "@effect/vitest"
import type { Context, Exit } from "effect"
import { Cause, Console, Effect, Fiber, Inspectable, Logger, LogLevel, Metric, Option, TestClock, Tracer } from "effect"
import * as Util from "node:util"

// -----------------------------------------------------------------------------
// The secrets
// -----------------------------------------------------------------------------

/** Every encoding changes some of these characters; a header and a token may hold all of them. */
const canary = (core: string) => `/+="${core}&%~\\?`

/** In the middle of each canary: letters and digits, which text encodings leave alone. */
export const cores = {
  clientSecret: "cs8Qz3vWk1Rm7TyBn5Lx",
  apiKey: "ak4Hd9sJp6Gc2NvXf0Zu",
  accessToken: "at1Vb7qMw3KeYr5PoSx9",
  refreshToken: "rt6Ug2nCz8FaWj4IlDh0",
  secondToken: "st5Xy9pEk7QtBm1LvRc3"
}

export const canaries = {
  clientSecret: canary(cores.clientSecret),
  apiKey: canary(cores.apiKey),
  accessToken: canary(cores.accessToken),
  refreshToken: canary(cores.refreshToken),
  secondToken: canary(cores.secondToken)
}

const base64 = (text: string) => Buffer.from(text).toString("base64")
const form = (text: string) => new URLSearchParams([["", text]]).toString().slice(1)
const jsonEscaped = (text: string) => JSON.stringify(text).slice(1, -1)

/** The ways in which a server may write one of our secrets into its own text. */
export const writings: Readonly<Record<string, (secret: string) => string>> = {
  "as it is": (secret) => secret,
  "as a bearer token": (secret) => `Bearer ${secret}`,
  "in base64": base64,
  "in base64 without padding": (secret) => base64(secret).replace(/=+$/, ""),
  "in base64url": (secret) => Buffer.from(secret).toString("base64url"),
  "in Basic": (secret) => `Basic ${base64(`my-app:${form(secret)}`)}`,
  "in Basic, not form-encoded": (secret) => `Basic ${base64(`my-app:${secret}`)}`,
  "in base64 of a longer text": (secret) => base64(`a client_secret=${secret}&scope=all`),
  "form-encoded": form,
  "form-encoded, lower case": (secret) => form(secret).replace(/%../g, (code) => code.toLowerCase()),
  "URI-encoded": encodeURIComponent,
  "URI-encoded, lower case": (secret) => encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase()),
  "JSON-escaped": jsonEscaped,
  "JSON-escaped twice": (secret) => jsonEscaped(jsonEscaped(secret)),
  "HTML-escaped": (secret) => secret.replaceAll("&", "&amp;").replaceAll("\"", "&quot;"),
  "in hexadecimal": (secret) => Buffer.from(secret).toString("hex"),
  "as a list of bytes": (secret) => JSON.stringify(Array.from(Buffer.from(secret)))
}

// -----------------------------------------------------------------------------
// The search
// -----------------------------------------------------------------------------

/** Base64 of a text that begins at any of the three offsets: the characters that do not depend on its neighbours. */
const inBase64 = (text: string): ReadonlyArray<string> =>
  [0, 1, 2].map((offset) =>
    base64("\0".repeat(offset) + text).slice(Math.ceil(offset * 8 / 6), Math.floor((offset + text.length) * 8 / 6))
  )

/** A few neighbours are enough: a secret that was cut is still one. */
const pieces = (core: string) => Array.from({ length: core.length - 9 }, (_, at) => core.slice(at, at + 10).toLowerCase())

/** The names of the secrets that a text gives away, with the form. */
export type Find = (text: string) => ReadonlyArray<string>

/** Looks for secrets, given by their names; of those with other characters, the part that encodings leave alone. */
export const finderOf = (secrets: Readonly<Record<string, string>>): Find => {
  const needles = Object.entries(secrets).map(([name, core]) => ({
    name,
    text: pieces(core),
    base64: inBase64(core),
    hex: Buffer.from(core).toString("hex"),
    bytes: Array.from(Buffer.from(core)).join(",")
  }))
  return (text) => findIn(needles, text)
}

interface Needle {
  readonly name: string
  readonly text: ReadonlyArray<string>
  readonly base64: ReadonlyArray<string>
  readonly hex: string
  readonly bytes: string
}

const findIn = (needles: ReadonlyArray<Needle>, text: string): ReadonlyArray<string> => {
  const lower = text.toLowerCase()
  const dense = text.replace(/\s+/g, "")
  const standard = dense.replaceAll("-", "+").replaceAll("_", "/")
  // JSON writes bytes as {"0":115,"1":101}, Effect's inspection with a line for each.
  const bytes = dense.replace(/["']?\d+["']?:(?=\d)/g, "")
  return needles.flatMap(({ base64, bytes: list, hex, name, text: parts }) => [
    ...(parts.some((part) => lower.includes(part)) ? [`${name} as text`] : []),
    ...(base64.some((part) => standard.includes(part)) ? [`${name} in base64`] : []),
    ...(dense.toLowerCase().includes(hex) ? [`${name} in hexadecimal`] : []),
    ...(bytes.includes(list) ? [`${name} as bytes`] : [])
  ])
}

export const findCanaries: Find = finderOf(cores)

const attempt = (f: () => string): string => {
  try {
    return f() ?? ""
  } catch (error) {
    // A text that cannot be made must not hide one that the attempt shows.
    return error instanceof Error ? `${error.message} ${error.stack}` : String(error)
  }
}

const everything = {
  depth: 20,
  showHidden: true,
  maxArrayLength: null,
  maxStringLength: null,
  breakLength: Infinity
} as const

const looks = (value: unknown): ReadonlyArray<readonly [string, () => string]> => [
  ["String", () => String(value)],
  ["JSON.stringify", () => JSON.stringify(value)],
  ["stringifyCircular", () => Inspectable.stringifyCircular(value)],
  ["inspect with getters", () => Util.inspect(value, { ...everything, getters: true })],
  ["inspect of proxies", () => Util.inspect(value, { ...everything, showProxy: true })],
  ["inspect behind custom inspection", () =>
    Util.inspect(value, { ...everything, customInspect: false, showProxy: true, getters: true, depth: 8 })]
]

const isExit = (value: unknown): value is Exit.Exit<unknown, unknown> =>
  typeof value === "object" && value !== null && "_tag" in value && "_op" in value &&
  (value._tag === "Failure" || value._tag === "Success")

/** What is written of an error, and of its causes, wherever it is reported. */
const textsOf = (error: unknown): ReadonlyArray<string> =>
  error instanceof Error
    ? [error.name, error.message, String(error.stack), attempt(() => JSON.stringify(error)), ...textsOf(error.cause)]
    : [String(error)]

/** The value, and what is inside it that printing may pass over. */
const parts = (label: string, value: unknown): ReadonlyArray<readonly [string, unknown]> => {
  if (isExit(value)) {
    return [
      [label, value],
      ...(value._tag === "Success" ? parts(`${label}, value`, value.value) : parts(`${label}, cause`, value.cause))
    ]
  }
  if (Cause.isCause(value)) {
    const reported = [...Cause.prettyErrors(value), ...Cause.failures(value), ...Cause.defects(value)]
    return [
      [label, value],
      [`${label}, pretty`, Cause.pretty(value)],
      [`${label}, pretty with causes`, Cause.pretty(value, { renderErrorCause: true })],
      [`${label}, errors`, reported.flatMap(textsOf).join("\n")]
    ]
  }
  return value instanceof Error ? [[label, value], [`${label}, error`, textsOf(value).join("\n")]] : [[label, value]]
}

/** What gives a canary away, one line each; empty where nothing does. */
export const leaksOf = (label: string, value: unknown, find: Find = findCanaries): ReadonlyArray<string> =>
  parts(label, value).flatMap(([where, part]) =>
    typeof part === "string"
      ? find(part).map((found) => `${where} has ${found}`)
      : looks(part).flatMap(([how, text]) => find(attempt(text)).map((found) => `${where}, by ${how}, has ${found}`))
  )

/** Looks at the value in every way there is, and fails if a canary can be seen. */
export const assertNoCanary = (label: string, value: unknown): void => {
  assert.deepStrictEqual(leaksOf(label, value).slice(0, 10), [])
}

// -----------------------------------------------------------------------------
// The listeners
// -----------------------------------------------------------------------------

/** What OpenTelemetry takes of an error. */
const exportedOf = (error: Error): ReadonlyArray<unknown> => [
  error.name,
  error.message,
  error.stack,
  ...(error.cause instanceof Error ? exportedOf(error.cause) : [])
]

/** A span that keeps everything it is told. */
class Recorded implements Tracer.Span {
  readonly _tag = "Span"
  readonly spanId = "span"
  readonly traceId = "trace"
  readonly sampled = true
  readonly attributes = new Map<string, unknown>()
  readonly events: Array<unknown> = []
  readonly links: Array<Tracer.SpanLink>
  readonly name: string
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly context: Context.Context<never>
  readonly kind: Tracer.SpanKind
  status: Tracer.SpanStatus
  constructor(
    name: string,
    parent: Option.Option<Tracer.AnySpan>,
    context: Context.Context<never>,
    links: ReadonlyArray<Tracer.SpanLink>,
    startTime: bigint,
    kind: Tracer.SpanKind
  ) {
    this.name = name
    this.parent = parent
    this.context = context
    this.links = links.slice()
    this.kind = kind
    this.status = { _tag: "Started", startTime }
  }
  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.status = { _tag: "Ended", startTime: this.status.startTime, endTime, exit }
  }
  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
  }
  event(name: string, startTime: bigint, attributes?: Record<string, unknown>): void {
    this.events.push([name, startTime, attributes])
  }
  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links.push(...links)
  }
  /** What an exporter sends. The exit as OpenTelemetry has it: the messages and stacks of its errors. */
  exported(): unknown {
    const exit = this.status._tag === "Ended" ? this.status.exit : undefined
    const errors = exit?._tag === "Failure" ? Cause.prettyErrors(exit.cause).flatMap(exportedOf) : []
    // The platform's own span ends with the platform's response or error: it stays inside the tracer.
    const own = this.name.startsWith("http.client") ? undefined : exit
    return [this.name, this.attributes, this.events, this.links.map((link) => [link.span.spanId, link.attributes]), errors, own]
  }
}

/** A console that keeps what it is given. */
const recordingConsole = (print: (...what: ReadonlyArray<unknown>) => void): Console.Console => {
  const effect = (...what: ReadonlyArray<unknown>) => Effect.sync(() => print(...what))
  const unsafe: Console.UnsafeConsole = {
    assert: print, clear: print, count: print, countReset: print, debug: print, dir: print, dirxml: print,
    error: print, group: print, groupCollapsed: print, groupEnd: print, info: print, log: print, table: print,
    time: print, timeEnd: print, timeLog: print, trace: print, warn: print
  }
  return {
    [Console.TypeId]: Console.TypeId,
    assert: effect, clear: Effect.void, count: effect, countReset: effect, debug: effect, dir: effect, dirxml: effect,
    error: effect, group: effect, groupEnd: Effect.void, info: effect, log: effect, table: effect, time: effect,
    timeEnd: effect, timeLog: effect, trace: effect, warn: effect,
    unsafe
  }
}

const nextTurn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Runs an effect that waits for the clock and, in between, for promises, whose results the clock does not wait for. */
export const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.exit(effect))
    for (let turn = 0; turn < 300 && Option.isNone(yield* Fiber.poll(fiber)); turn++) {
      yield* nextTurn
      // Nothing may wait for the clock while promises are all that is needed.
      if (turn >= 4) yield* TestClock.adjust("2 seconds")
    }
    return yield* Effect.flatten(Fiber.join(fiber))
  })

/** What was written and told while a program ran, and how it ended. */
export interface Observed<A, E> {
  readonly exit: Exit.Exit<A, E>
  /** Everything but the exit, with where it was seen. */
  readonly heard: ReadonlyArray<readonly [where: string, what: unknown]>
}

/** Runs a program with every logger at every level, a tracer that keeps everything, and its failure logged. */
export const observe = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  options: { readonly logsFailure: boolean } = { logsFailure: true }
): Effect.Effect<Observed<A, E>, never, R> =>
  Effect.gen(function*() {
    const heard: Array<readonly [string, unknown]> = []
    const spans: Array<Recorded> = []
    const keep = <Message>(where: string, logger: Logger.Logger<Message, unknown>) =>
      Logger.map(logger, (output) => void heard.push([where, output]))
    const loggers = Logger.zip(
      Logger.zip(
        Logger.zip(keep("string logger", Logger.stringLogger), keep("logfmt logger", Logger.logfmtLogger)),
        Logger.zip(keep("JSON logger", Logger.jsonLogger), keep("structured logger", Logger.structuredLogger))
      ),
      Logger.zip(
        Logger.zip(Logger.prettyLogger({ colors: false, mode: "tty" }), Logger.prettyLogger({ colors: false, mode: "browser" })),
        Logger.make(({ annotations, cause, message, spans }) =>
          void heard.push(["a logger's input", message], ["a logger's cause", cause], ["a logger's annotations", [annotations, spans]])
        )
      )
    )
    const tracer = Tracer.make({
      span: (name, parent, context, links, startTime, kind, options) => {
        const span = new Recorded(name, parent, context, links, startTime, kind)
        for (const [key, value] of Object.entries(options?.attributes ?? {})) span.attribute(key, value)
        spans.push(span)
        return span
      },
      context: (f) => f()
    })
    const exit = yield* program.pipe(
      Effect.tapErrorCause((cause) => options.logsFailure ? Effect.logError("It failed", cause) : Effect.void),
      Effect.withSpan("program"),
      Effect.exit,
      Effect.provide(Logger.replace(Logger.defaultLogger, loggers)),
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.withConsole(recordingConsole((...what) => void heard.push(["pretty logger", what]))),
      Effect.withTracer(tracer)
    )
    for (const span of spans) {
      // The program's own span ends with the program's exit, which is looked at on its own.
      if (span.name === "program") continue
      heard.push([`span ${span.name}`, span.exported()])
    }
    for (const { metricKey, metricState } of Metric.unsafeSnapshot()) {
      heard.push([`metric ${metricKey.name}`, [metricKey.name, Array.from(metricKey.tags), metricState]])
    }
    return { exit, heard }
  })

/** All that gives a canary away. */
export const leaksOfObserved = <A, E>(
  label: string,
  observed: Observed<A, E>,
  find: Find = findCanaries
): ReadonlyArray<string> => {
  const done = new Set<unknown>()
  return [["the exit", observed.exit] as const, ...observed.heard].flatMap(([where, what]) => {
    // Every logger is given the same objects.
    if (done.has(what)) return []
    done.add(what)
    return leaksOf(`${label}: ${where}`, what, find)
  })
}

export const assertNothingSeen = <A, E>(label: string, observed: Observed<A, E>): void => {
  assert.deepStrictEqual(leaksOfObserved(label, observed).slice(0, 10), [])
}
