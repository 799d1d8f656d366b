import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

export const repository = fileURLToPath(new URL("../../..", import.meta.url))

/** `README.md` and everything below `docs`, relative to the repository. */
export const pages: ReadonlyArray<string> = [
  "README.md",
  ...Fs.readdirSync(Path.join(repository, "docs"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md") && !file.split(Path.sep).includes("node_modules"))
    .map((file) => Path.join("docs", file))
].sort()

export const read = (file: string): string => Fs.readFileSync(Path.join(repository, file), "utf8")

export interface Block {
  readonly page: string
  /** Of the fence, from 1. */
  readonly line: number
  readonly language: string
  readonly code: string
  /** What the comment above the fence says: a file of `docs/examples`, then perhaps `#` and a region. */
  readonly source: string | undefined
}

const source = /^<!-- (docs\/examples\/[^ #]+(?:#[\w-]+)?) -->$/

/** Prose and code of a page, taken apart. */
export const parse = (page: string, text: string): { readonly prose: string; readonly blocks: ReadonlyArray<Block> } => {
  const prose: Array<string> = []
  const blocks: Array<Block> = []
  let open: { readonly line: number; readonly language: string; readonly code: Array<string> } | undefined
  text.split("\n").forEach((line, index) => {
    const fence = /^```(\w*)/.exec(line)
    if (open === undefined && fence === null) prose.push(line)
    else if (open === undefined) open = { line: index + 1, language: fence?.[1] ?? "", code: [] }
    else if (fence === null) open.code.push(line)
    else {
      const above = prose.findLast((line) => line.trim() !== "") ?? ""
      blocks.push({
        page,
        line: open.line,
        language: open.language,
        code: open.code.join("\n"),
        source: source.exec(above)?.[1]
      })
      prose.push("")
      open = undefined
    }
  })
  if (open !== undefined) throw new Error(`${page}:${open.line}: this block has no end`)
  return { prose: prose.join("\n"), blocks }
}

/** A file, or the lines between `// #region name` and the `// #endregion` after it. */
export const excerpt = (source: string, text: string): string => {
  const region = source.split("#")[1]
  if (region === undefined) return text.trimEnd()
  const lines = text.split("\n")
  const start = lines.indexOf(`// #region ${region}`)
  const end = lines.indexOf("// #endregion", start)
  if (start === -1 || end === -1) throw new Error(`There is no region for ${source}`)
  return lines.slice(start + 1, end).join("\n")
}

/** The anchors that headings get, as GitHub makes them. */
export const anchors = (prose: string): ReadonlyArray<string> =>
  prose.split("\n").flatMap((line) => {
    const heading = /^#+ (.+)$/.exec(line)?.[1]
    return heading === undefined
      ? []
      : [heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-")]
  })

export const links = (prose: string): ReadonlyArray<string> =>
  Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), (match) => match[1] ?? "")
