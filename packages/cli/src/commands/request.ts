/**
 * One request to a provider's API.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as ApiClient from "effect-credentials/ApiClient"
import { OutcomeUnknown, Problem, RequestFailed } from "effect-credentials/ApiError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { STATUS_CODES } from "node:http"
import * as Globals from "../internal/globals.js"
import type * as Help from "../internal/help.js"
import { prettyJson } from "../internal/prettyJson.js"
import type { Product, Provider } from "../internal/provider.js"
import * as Providers from "../internal/providers.js"
import * as Session from "../internal/session.js"
import { type Failure, usage } from "../internal/stop.js"
import { visible } from "../internal/visible.js"
import { Stdio } from "../Stdio.js"

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const

const options = {
  method: Options.choice("method", methods).pipe(
    Options.withAlias("X"),
    Options.withDescription("Default: GET. A POST or PATCH is sent once: it is not repeated where its answer is lost, unless it only searches."),
    Options.withDefault("GET" as const)
  ),
  data: Options.text("data").pipe(
    Options.withAlias("d"),
    Options.withDescription("The body, in JSON: the text itself, @ and the name of a file, or - for standard input. What is secret belongs in the latter two."),
    Options.optional
  )
}

const args = {
  provider: Providers.arg,
  path: Args.text({ name: "path" }).pipe(
    Args.withDescription("The path at the provider, with its query: /products/v4/search/categories")
  )
}

type Method = typeof methods[number]

/** The path alone: it is the provider's own address that the credentials go to. */
const checkPath = (path: string) =>
  /^[a-z][a-z0-9+.-]*:/i.test(path) || /^[/\\]{2}/.test(path) || /[\\\s#]/.test(path)
    ? Effect.fail(usage("The path must be one at the provider, such as /products/v4/search/categories, and no URL."))
    // A shell on Windows may take a leading slash for a folder, so it can be left out.
    : Effect.succeed(path.startsWith("/") ? path : `/${path}`)

const isBelow = (path: string, base: string): boolean => {
  const [start = "", next = ""] = [path.slice(0, base.length), path.charAt(base.length)]
  return start.toLowerCase() === base.toLowerCase() && (next === "" || next === "/" || next === "?")
}

const productOf = ({ products, title }: Provider, path: string) => {
  const product = products.find((product) => isBelow(path, product.path))
  return product !== undefined ? Effect.succeed(product) : Effect.fail(usage(
    `${path.replace(/\?.*$/s, "")} is at no product of ${title} that is known here:\n` +
      products.map(({ kind, name, path }) => `  ${path}  ${name} (${kind === "user" ? "needs a login" : "the application's own"})`).join("\n")
  ))
}

const readData = (data: string) =>
  Effect.gen(function*() {
    if (data === "-") return yield* Effect.flatMap(Stdio, ({ all }) => all)
    if (!data.startsWith("@")) return data
    const fs = yield* FileSystem.FileSystem
    return yield* Effect.mapError(fs.readFileString(data.slice(1)), () => usage(`--data: the file ${data.slice(1)} cannot be read.`))
  })

const requestOf = (method: Method, path: string, data: Option.Option<string>) =>
  Effect.gen(function*() {
    const request = HttpClientRequest.make(method)(path, { acceptJson: true })
    if (Option.isNone(data)) return request
    if (method === "GET" || method === "HEAD") return yield* usage(`A ${method} has no body: say --method POST, or leave --data out.`)
    const text = yield* readData(data.value)
    if (prettyJson(text) === undefined) return yield* usage("--data is no JSON. Nothing was sent.")
    // As it was written: reading it could change its numbers.
    return HttpClientRequest.bodyText(request, text, "application/json")
  })

const statusLine = (status: number): string => `${status} ${STATUS_CODES[status] ?? ""}`.trimEnd()

const decoder = new TextDecoder("utf-8", { fatal: true })
const textOf = Option.liftThrowable((bytes: ArrayBuffer) => decoder.decode(bytes))

/** The answer began, so what was not to be repeated has probably been applied. */
const brokenOff = ({ name }: Product, { request, status }: HttpClientResponse.HttpClientResponse) => {
  const where = { product: name, method: request.method, path: request.url.replace(/\?.*$/s, "") }
  return ApiClient.repetitionByMethod(request) === "always"
    ? new RequestFailed({ ...where, reason: "Transport" })
    : new OutcomeUnknown({ ...where, status, problem: Problem.empty })
}

const show = (product: Product, response: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function*() {
    const { err, out, terminal } = yield* Stdio
    yield* err(`${statusLine(response.status)}\n`)
    const bytes = yield* Effect.mapError(response.arrayBuffer, () => brokenOff(product, response))
    if (bytes.byteLength === 0) return
    const text = textOf(bytes)
    const pretty = Option.flatMapNullable(text, prettyJson)
    if (Option.isSome(pretty)) return yield* out(`${terminal.stdout ? visible(pretty.value) : pretty.value}\n`)
    if (!terminal.stdout) return yield* out(new Uint8Array(bytes))
    yield* Option.isSome(text)
      ? out(`${visible(text.value)}\n`)
      : err(`${bytes.byteLength} bytes that are no text: send them to a file with > or a pipe.\n`)
  })

/** The status first, as for a success. */
const showFailure = (error: Failure) =>
  Effect.flatMap(Stdio, ({ err }) =>
    "status" in error && error.status !== undefined && error._tag !== "CredentialsRejected"
      ? err(`${statusLine(error.status)}\n`)
      : Effect.void)

export const topic: Help.Topic = {
  summary: "Sends one request with the credentials that its product takes, and prints the answer.",
  sections: [{
    title: "Examples",
    lines: [
      "credentials request digikey /products/v4/search/categories",
      "credentials request digikey /quoting/v4/quotes | jq '.Quotes[].QuoteId'",
      "credentials request digikey /products/v4/search/keyword --method POST --data '{\"Keywords\":\"NE555\"}'",
      "credentials request digitzs '/merchants?limit=5'",
      "credentials request digitzs /payments --method POST --data @payment.json",
      "",
      "The body of the answer goes to standard output, JSON in lines and anything else as it is;",
      "its status goes to standard error. The exit code says what became of the request: see",
      "credentials --help."
    ]
  }]
}

export const command = Command.make(
  "request",
  { ...Globals.options, ...options, ...args },
  ({ data, method, path: given, provider, ...globals }) =>
    Effect.gen(function*() {
      const path = yield* checkPath(given)
      const product = yield* productOf(provider, path)
      const request = yield* requestOf(method, path, data)
      yield* Session.run(globals, provider, (session) =>
        Session.acting(
          session,
          product.kind,
          Effect.flatMap(product.execute(request), (response) => show(product, response)).pipe(Effect.tapError(showFailure))
        ))
    })
).pipe(
  Command.withDescription(topic.summary)
)
