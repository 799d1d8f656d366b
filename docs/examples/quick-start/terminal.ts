/** Lines for a person: coloured and aligned in a terminal, plain in a pipe. */
export interface Terminal {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly green: (text: string) => string
  readonly red: (text: string) => string
  readonly yellow: (text: string) => string
  readonly columns: number
}

const plain = (text: string): string => text

const sgr = (code: number) => (text: string): string => `\u001b[${code}m${text}\u001b[0m`

export const make = (options: { readonly colours: boolean; readonly columns: number }): Terminal => ({
  bold: options.colours ? sgr(1) : plain,
  dim: options.colours ? sgr(2) : plain,
  green: options.colours ? sgr(32) : plain,
  red: options.colours ? sgr(31) : plain,
  yellow: options.colours ? sgr(33) : plain,
  columns: options.columns
})

export interface Column {
  readonly title: string
  readonly align: "left" | "right"
}

const gap = "  "

const shorten = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, width - 1)}…`

/** The widest column gives way when the terminal is narrow. */
const widthsOf = (texts: ReadonlyArray<ReadonlyArray<string>>, available: number): ReadonlyArray<number> => {
  const widths = (texts[0] ?? []).map((_, column) => Math.max(...texts.map((row) => row[column]?.length ?? 0)))
  const excess = widths.reduce((sum, width) => sum + width + gap.length, 0) - available
  const widest = widths.indexOf(Math.max(...widths))
  return widths.map((width, column) => column === widest && excess > 0 ? Math.max(12, width - excess) : width)
}

/** The title row and the rows of a table. Colour comes last, so that it does not count as width. */
export const table = (
  terminal: Terminal,
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<string>>
): ReadonlyArray<string> => {
  const titles = columns.map(({ title }) => title)
  const widths = widthsOf([titles, ...rows], terminal.columns)
  const line = (cells: ReadonlyArray<string>): string =>
    columns.map(({ align }, column) => {
      const width = widths[column] ?? 0
      const text = shorten(cells[column] ?? "", width)
      return gap + (align === "left" ? text.padEnd(width) : text.padStart(width))
    }).join("").trimEnd()
  return [terminal.dim(line(titles)), ...rows.map(line)]
}

const count = new Intl.NumberFormat("en-US")

export const number = (value: number): string => count.format(value)

export const millis = (value: number): string => value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(2)} s`
