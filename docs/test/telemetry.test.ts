/** The trace on the page about operations is the one that a collector gets. */
import { DigiKeyUser } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { FetchHttpClient } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { ConfigProvider, DateTime, Effect, Layer, Logger, LogLevel, Option, Redacted } from "effect"
import { Token, TokenStore } from "effect-credentials"
import { inspect } from "node:util"
import * as Loopback from "../examples/quick-start/loopback.js"
import * as Telemetry from "../examples/telemetry.js"
import * as Markdown from "./utils/markdown.js"

/** The end of the program is the end of the exporter, which would forget what it has. */
class Exporter extends InMemorySpanExporter {
  override shutdown() {
    return Promise.resolve()
  }
}

const nanos = ([seconds, nanos]: ReadableSpan["startTime"]) => BigInt(seconds) * 1_000_000_000n + BigInt(nanos)

const shown = ["provider", "grant", "reason", "url.path", "http.response.status_code"]

/** One line a span, in the order in which they began. */
const tree = (spans: ReadonlyArray<ReadableSpan>): ReadonlyArray<string> => {
  const sorted = [...spans].sort((a, b) => nanos(a.startTime) < nanos(b.startTime) ? -1 : 1)
  const below = (parent: string | undefined, indent: string): ReadonlyArray<string> =>
    sorted.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent).flatMap((span) => {
      const attributes = shown.flatMap((name) => name in span.attributes ? [`${name}=${span.attributes[name]}`] : [])
      const links = span.links.flatMap(({ context: { traceId } }) =>
        sorted.filter((other) => other.spanContext().traceId === traceId && other.parentSpanContext === undefined)
          .map(({ name }) => `link to: ${name}`))
      return [
        [`${indent}${span.name}`, ...attributes, ...links].join("  "),
        ...below(span.spanContext().spanId, `${indent}  `)
      ]
    })
  return below(undefined, "")
}

it.scopedLive("the trace of a renewal is the one on the page, and shows no secret", () =>
  Effect.gen(function*() {
    const simulator = yield* DigiKeySimulator.DigiKeySimulator
    const { clientId, clientSecret } = yield* simulator.credentials
    const variables = ConfigProvider.fromMap(
      new Map([
        ["DIGIKEY_CLIENT_ID", clientId],
        ["DIGIKEY_CLIENT_SECRET", Redacted.value(clientSecret)],
        ["DIGIKEY_ENVIRONMENT", "sandbox"],
        ["DIGIKEY_BASE_URL", yield* Loopback.url]
      ])
    )
    const memory = yield* Effect.provide(TokenStore.TokenStore, TokenStore.layerMemory)
    const store = Layer.succeed(TokenStore.TokenStore, memory)
    const user = DigiKeyUser.layerConfig().pipe(
      Layer.provide(Layer.mergeAll(store, FetchHttpClient.layer, Layer.setConfigProvider(variables)))
    )
    const { identity } = yield* Effect.provide(DigiKeyUser.DigiKeyUser, user)
    const { refreshToken } = yield* simulator.signIn()
    const now = yield* DateTime.now
    yield* memory.withLock(TokenStore.key(identity), ({ save }) =>
      save({
        token: Token.make({ accessToken: "imported", issuedAt: now, expiresAt: now, refreshToken }),
        generation: 1,
        redeeming: Option.none()
      }))

    const exporter = new Exporter()
    yield* Effect.withConfigProvider(Telemetry.program(store, new SimpleSpanProcessor(exporter)), variables)

    const spans = exporter.getFinishedSpans()
    const page = Markdown.parse("docs/operations.md", Markdown.read("docs/operations.md"))
    const block = page.blocks.find(({ code, language }) => language === "text" && code.includes("Credentials.renew"))
    assert.strictEqual(block?.code, tree(spans).join("\n"))

    const everything = inspect(spans.map(({ attributes, events, links, name, resource, status }) => ({
      attributes, events, links, name, status, resource: resource.attributes
    })), { depth: 20 })
    assert.include(everything, "Credentials.renew")
    const renewed = yield* Effect.map(memory.load(TokenStore.key(identity)), Option.getOrThrow)
    const secrets = [clientSecret, refreshToken, renewed.token.accessToken, Option.getOrThrow(renewed.token.refreshToken)]
    for (const secret of secrets) assert.notInclude(everything, Redacted.value(secret))
  }).pipe(Effect.provide(Layer.merge(Loopback.layer({ rateLimits: "off" }), Logger.minimumLogLevel(LogLevel.None)))))
