/**
 * The tables of docs/errors.md are what the pipeline makes of the corpus. After a
 * change: `npx vitest run packages/digikey/test/ErrorsPage.test.ts -u`
 */
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import { Array as Arr, Effect } from "effect"
import type { ApiError } from "effect-credentials"
import { account, apiCases, client, clientSecret, environment, subscription, token, tokenCases } from "./fixtures/errorCorpus.js"
import { failing, failingOnce } from "./utils/errorPipeline.js"

const page = fileURLToPath(new URL("../../../docs/errors.md", import.meta.url))

const row = (...cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`

const table = (heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>) =>
  [row(...heads), row(...heads.map(() => "---")), ...rows.map((cells) => row(...cells))].join("\n")

const got = (error: ApiError.ApiClientError): string =>
  `\`${error._tag}\`` + (error._tag === "ApiError" || error._tag === "RequestFailed" ? ` \`${error.reason}\`` : "")

/** The names under which the page explains the hints. */
const hintNames = new Map([
  [subscription, "subscription"],
  [account, "account"],
  [environment, "environment"],
  [client, "client"],
  ["", ""]
])

const hintOf = (error: ApiError.ApiClientError): string => {
  const hint = "hint" in error ? error.hint ?? "" : ""
  const name = hintNames.get(hint)
  expect(name, `docs/errors.md does not explain the hint "${hint}"`).toBeDefined()
  return name ?? ""
}

const kept = (error: ApiError.ApiClientError): string => {
  const names = "problem" in error
    ? [
      error.problem.title === undefined ? "" : "title",
      error.problem.detail === undefined ? "" : "detail",
      error.problem.requestId === undefined ? "" : "id",
      error.problem.violations.length === 0 ? "" : "violations"
    ]
    : error._tag === "CredentialsRejected"
    ? [
      error.error === undefined ? "" : "code",
      error.description === undefined ? "" : "words",
      error.requestId === undefined ? "" : "id"
    ]
    : error._tag === "TokenEndpointUnavailable" && error.requestId !== undefined
    ? ["id"]
    : []
  return names.filter((name) => name !== "").join(", ") || "–"
}

/** As short as a wide table needs it: the initials of what was kept. */
const initials = (error: ApiError.ApiClientError): string =>
  kept(error).split(", ").map((name) => name === "id" ? "R" : name.slice(0, 1).toUpperCase()).join(" ")

const unique = (texts: ReadonlyArray<string>) => Arr.dedupe(texts).filter((text) => text !== "").join(" or ")

interface Outcome {
  readonly name: string
  readonly status: number
  readonly column?: string
  readonly error: ApiError.ApiClientError
}

/** A row for each status, a column for each dialect. */
const matrix = (
  outcomes: ReadonlyArray<Outcome>,
  cell: (error: ApiError.ApiClientError) => string,
  heads: ReadonlyArray<string>
) => {
  const inMatrix = outcomes.filter(({ column }) => column !== undefined)
  const columns = Arr.dedupe(inMatrix.map(({ column }) => column ?? ""))
  return table(
    ["Status", ...heads, ...columns],
    Arr.dedupe(inMatrix.map(({ status }) => status)).map((status) => {
      const ofStatus = inMatrix.filter((outcome) => outcome.status === status)
      return [
        String(status),
        unique(ofStatus.map(({ error }) => got(error))),
        ...(heads.length > 1 ? [unique(ofStatus.map(({ error }) => hintOf(error)))] : []),
        ...columns.map((column) => unique(ofStatus.filter((it) => it.column === column).map(({ error }) => cell(error))))
      ]
    })
  )
}

const others = (outcomes: ReadonlyArray<Outcome>, dialect: (error: ApiError.ApiClientError) => string) =>
  outcomes.filter(({ column }) => column === undefined).map(({ error, name, status }) =>
    [name, String(status), got(error), dialect(error), kept(error), hintOf(error)]
  )

const good = { status: 200, headers: {}, body: "{}" }

const tables = Effect.gen(function*() {
  const api = yield* Effect.forEach(apiCases, (given) =>
    Effect.map(failingOnce(given, given.method), (error): Outcome => ({ ...given, error })))
  const tokens = yield* Effect.forEach(tokenCases, (given) =>
    Effect.map(failing({ token: () => given, api: () => good }), ({ error }): Outcome => ({ ...given, error })))

  const attempts = yield* Effect.forEach([undefined, 400, 401, 403, 404, 409, 429, 500, 501, 502, 503, 504], (status) => {
    const answer = status === undefined ? undefined : { status, headers: {}, body: "" }
    return Effect.gen(function*() {
      const read = yield* failing({ api: () => answer }, "GET")
      const order = yield* failing({ api: () => answer }, "POST")
      return [
        status === undefined ? "no answer" : String(status),
        got(read.error),
        String(read.calls.api),
        got(order.error),
        String(order.calls.api)
      ]
    })
  })

  return {
    attempts: table(["Status", "A read fails with", "Sent", "An order fails with", "Sent"], attempts),
    api: matrix(api, initials, ["You get", "Hint"]),
    others: table(
      ["Answer", "Status", "You get", "`dialect`", "`problem` has", "Hint"],
      others(api, (error) => "problem" in error ? `\`${error.problem.dialect}\`` : "")
    ),
    token: matrix(
      tokens,
      (error) => [kept(error), hintOf(error)].filter((it) => it !== "").join("; hint: "),
      ["You get"]
    ),
    tokenOthers: table(
      ["Answer", "Status", "You get", "Kept", "Hint"],
      others(tokens, () => "").map((cells) => cells.filter((_, i) => i !== 3))
    )
  }
})

it.effect("docs/errors.md says what the pipeline does", () =>
  Effect.gen(function*() {
    let text = Fs.readFileSync(page, "utf8")
    for (const [name, made] of Object.entries(yield* tables)) {
      const block = new RegExp(`(<!-- generated: ${name} -->\n)[^]*?(\n<!-- end -->)`)
      expect(text, `docs/errors.md has no block "${name}"`).toMatch(block)
      text = text.replace(block, (_, begin: string, end: string) => begin + made + end)
    }
    expect(text).not.toContain(token)
    expect(text).not.toContain(clientSecret)
    yield* Effect.promise(() => expect(text).toMatchFileSnapshot(page))
  }), 60_000)
