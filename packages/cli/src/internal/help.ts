/**
 * The text of `--help`: what @effect/cli knows of options and arguments, in
 * fewer lines, and what a person wants to know besides.
 */
import * as HelpDoc from "@effect/cli/HelpDoc"
import type { Span } from "@effect/cli/HelpDoc/Span"

interface Section {
  readonly title: string
  readonly lines: ReadonlyArray<string>
}

const indent = (lines: ReadonlyArray<string>): ReadonlyArray<string> => lines.map((line) => line === "" ? "" : `  ${line}`)

/** Two columns. */
export const pairs = (rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`)
}

const escapeSequence = new RegExp("\u001b\\[[0-9;]*m", "g")

export const withoutColours = (text: string): string => text.replace(escapeSequence, "")

const textOf = (span: Span): string => withoutColours(HelpDoc.toAnsiText(HelpDoc.p(span))).trim()

/** What @effect/cli says of every text, switch, choice and option. */
const isNoise = (text: string): boolean =>
  /^(A user-defined piece of text\.|A true or false value\.|This setting is optional\.|One of the following: .*)$/.test(text)

const wrap = (text: string, width: number): ReadonlyArray<string> =>
  text.split(" ").reduce<ReadonlyArray<string>>((lines, word) => {
    const last = lines.at(-1)
    return last !== undefined && last.length + 1 + word.length <= width
      ? [...lines.slice(0, -1), `${last} ${word}`]
      : [...lines, word]
  }, [])

const paragraphs = (doc: HelpDoc.HelpDoc): ReadonlyArray<string> => {
  switch (doc._tag) {
    case "Paragraph":
      return [textOf(doc.value)].filter((text) => text !== "" && !isNoise(text))
    case "Sequence":
      return [...paragraphs(doc.left), ...paragraphs(doc.right)]
    default:
      return []
  }
}

interface Described {
  readonly name: string
  readonly lines: ReadonlyArray<string>
}

/** The parts of a command's help by their titles. */
const described = (doc: HelpDoc.HelpDoc): ReadonlyMap<string, ReadonlyArray<Described>> => {
  const found = new Map<string, ReadonlyArray<Described>>()
  let title = ""
  const walk = (doc: HelpDoc.HelpDoc): void => {
    if (doc._tag === "Header") title = textOf(doc.value)
    if (doc._tag === "Sequence") {
      walk(doc.left)
      walk(doc.right)
    }
    if (doc._tag === "DescriptionList") {
      const definitions = doc.definitions.map(([span, about]) => ({
        name: textOf(span).replace(/^\((.*)\)$/, "$1"),
        lines: paragraphs(about).flatMap((text) => wrap(text, 88))
      }))
      found.set(title, [...found.get(title) ?? [], ...definitions])
    }
  }
  walk(doc)
  return found
}

const bold = (text: string): string => `\u001b[1m${text}\u001b[0m`

const render = (introduction: string, sections: ReadonlyArray<Section>): string =>
  [
    introduction,
    ...sections.flatMap(({ lines, title }) => lines.length === 0 ? [] : ["", bold(title), ...indent(lines)])
  ].join("\n")

const optionLines = (options: ReadonlyArray<Described>): ReadonlyArray<string> =>
  options.flatMap(({ lines, name }) => [name, ...lines.map((line) => `    ${line}`)])

export interface Topic {
  readonly summary: string
  readonly sections: ReadonlyArray<Section>
}

export const ofCommand = (name: string, topic: Topic, doc: HelpDoc.HelpDoc): string => {
  const parts = described(doc)
  const args = parts.get("ARGUMENTS") ?? []
  const usage = ["credentials", name, "[options]", ...args.map(({ name }) => name)].join(" ")
  return render(topic.summary, [
    { title: "Usage", lines: [usage] },
    { title: "Arguments", lines: optionLines(args.filter(({ lines }) => lines.length > 0)) },
    { title: "Options", lines: optionLines(parts.get("OPTIONS") ?? []) },
    ...topic.sections
  ])
}

export const ofRoot = (
  topic: Topic,
  commands: ReadonlyArray<readonly [string, string]>,
  doc: HelpDoc.HelpDoc
): string => {
  const builtIn = described(doc).get("OPTIONS") ?? []
  return render(topic.summary, [
    { title: "Usage", lines: ["credentials <command> [options]"] },
    { title: "Commands", lines: pairs(commands) },
    { title: "Options", lines: pairs(builtIn.map(({ lines, name }): [string, string] => [name, lines.join(" ")])) },
    ...topic.sections
  ])
}
