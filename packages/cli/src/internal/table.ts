/**
 * Rows of text for a person: side by side where there is room, one below the
 * other where there is not.
 */
import { visible } from "./visible.js"

const gap = "  "

export const render = (
  titles: ReadonlyArray<string>,
  texts: ReadonlyArray<ReadonlyArray<string>>,
  columns: number
): ReadonlyArray<string> => {
  const rows = texts.map((row) => row.map((text) => visible(text).replace(/\s+/g, " ")))
  const widths = titles.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>) =>
    widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(gap).trimEnd()
  if (widths.reduce((sum, width) => sum + width + gap.length, 0) - gap.length <= columns) {
    return [line(titles), ...rows.map(line)]
  }
  const widest = Math.max(...titles.map(({ length }) => length))
  return rows.flatMap((row, index) => [
    ...(index === 0 ? [] : [""]),
    ...titles.map((title, column) => `${title.padEnd(widest)}${gap}${row[column] ?? ""}`)
  ])
}
