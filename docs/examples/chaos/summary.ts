import * as Terminal from "../quick-start/terminal.js"
import type { Promised } from "./promises.js"
import type { Report } from "./run.js"
import * as Storm from "./storm.js"
import * as Wire from "./wire.js"

const { number } = Terminal

type Rows = ReadonlyArray<readonly [string, ...ReadonlyArray<number>]>

const table = (terminal: Terminal.Terminal, titles: ReadonlyArray<string>, rows: Rows): ReadonlyArray<string> => [
  "",
  ...Terminal.table(
    terminal,
    titles.map((title, column) => ({ title, align: column === 0 ? "left" : "right" })),
    rows.map(([name, ...counts]) => [name, ...counts.map((count) => number(count))])
  )
]

/** The largest first. */
const sorted = (counts: Readonly<Record<string, number>>): ReadonlyArray<readonly [string, number]> =>
  Object.entries(counts).toSorted(([, a], [, b]) => b - a)

const minutes = (millis: number): string => `${(millis / 60_000).toFixed(1)} min`

/** How to see the same again. */
export const command = ({ mode, requests, seed }: Pick<Report, "mode" | "requests" | "seed">): string =>
  `npm run chaos -- --seed ${seed} --requests ${requests}${mode === "memory" ? " --in-memory" : ""}`

const details = 5

const promise = ({ bold, green, red }: Terminal.Terminal) => ({ broken, text }: Promised): ReadonlyArray<string> =>
  broken.length === 0
    ? [`  ${green("✓")} ${text}`]
    : [
      `  ${red("✗")} ${bold(text)}`,
      ...broken.slice(0, details).map((line) => `      ${line}`),
      ...(broken.length > details ? [`      and ${number(broken.length - details)} more`] : [])
    ]

/** The lines of what happened, and of what was kept of the promises. */
export const lines = (terminal: Terminal.Terminal, report: Report, promises: ReadonlyArray<Promised>): ReadonlyArray<string> => {
  const { answers, book, endings, faults, sent, tokens, unanswered } = report
  const isKept = promises.every(({ broken }) => broken.length === 0)
  return [
    ...table(terminal, ["REQUESTS ENDED IN", "COUNT"], sorted(endings)),
    ...table(terminal, ["WENT WRONG", "TIMES"], Storm.kinds.map((kind) => [kind, faults[kind]])),
    ...table(terminal, ["ON THE WIRE", "COUNT"], [
      ["requests sent", sent],
      ...Object.entries(answers).map(([status, count]) => [`answered ${status}`, count] as const),
      ["not answered", unanswered],
      ["waits for a rate limit", report.paced]
    ]),
    ...table(terminal, ["TOKEN CALLS OF", "FIRST", "LAPSED", "REVOKED", "NEEDLESS", "REFUSED", "LOST"], Wire.holders.map((holder) => {
      const { first, lapsed, lost, needless, refused, revoked } = tokens[holder]
      return [holder, first, lapsed, revoked, needless, refused, lost] as const
    })),
    ...table(terminal, ["PAYMENTS", "COUNT"], [
      ["purchases", book.purchases],
      ["applied by the server", book.applied],
      ["of which an answer said so", book.answered],
      ["asked for again", book.asked]
    ]),
    "",
    ...promises.flatMap(promise(terminal)),
    "",
    terminal.dim(
      `  ${minutes(report.simulatedMillis)} of the servers' time in ${Terminal.millis(report.millis)}, ` +
        `${report.callers} callers, ${report.logins} logins, seed ${report.seed}.`
    ),
    isKept ? "  All promises are kept." : `  ${terminal.red("A promise is broken.")} To see it again: ${command(report)}`
  ]
}
