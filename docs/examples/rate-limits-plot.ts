/** Draws docs/rate-limits.svg: `npm run plot`. */
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { Array, Effect } from "effect"
import { fileURLToPath } from "node:url"
import * as Simulation from "./rate-limits-simulation.js"

const left = 56
const width = 720
const second = 5
const request = 10
const panelHeight = 120
const panels = { unpaced: 106, paced: 286 }
const height = panels.paced + panelHeight + 54

const total = (run: Simulation.Run, what: keyof Simulation.Second): number =>
  run.reduce((sum, second) => sum + second[what], 0)

const doneAfter = (run: Simulation.Run): number => run.findLastIndex(({ answered }) => answered > 0) + 1

const summary = (run: Simulation.Run): string => {
  const [answered, refused] = [total(run, "answered"), total(run, "refused")]
  const count = new Intl.NumberFormat("en-US")
  return `${count.format(answered + refused)} requests, ${refused === 0 ? "none" : count.format(refused)} refused, done after ${doneAfter(run)} seconds`
}

/** One bar for each second, on top of `below`. */
const bars = (run: Simulation.Run, what: keyof Simulation.Second, below: (second: Simulation.Second) => number, floor: number) =>
  run.flatMap((it, index) => {
    const height = it[what] * request
    return height === 0 ? [] : [`M${left + index * second} ${floor - below(it) * request}v${-height}h${second - 1}v${height}z`]
  }).join("")

const text = (x: number, y: number, of: string, words: string): string => `<text x="${x}" y="${y}"${of}>${words}</text>`

const panel = (title: string, run: Simulation.Run, top: number): ReadonlyArray<string> => {
  const floor = top + panelHeight
  const right = left + Simulation.seconds * second
  return [
    text(left, top - 14, "", `<tspan class="strong">${title}</tspan>: ${summary(run)}`),
    ...Array.range(0, 3).flatMap((n) => {
      const y = floor - n * 4 * request
      return [
        `<path class="${n === 0 ? "axis" : "grid"}" d="M${left} ${y}H${right}"/>`,
        text(left - 8, y + 4, ` class="muted" text-anchor="end"`, String(n * 4))
      ]
    }),
    ...Array.range(0, 4).flatMap((n) => {
      const x = left + n * 30 * second
      return [
        `<path class="axis" d="M${x} ${floor}v5"/>`,
        text(x, floor + 20, ` class="muted" text-anchor="middle"`, String(n * 30))
      ]
    }),
    `<path class="answered" d="${bars(run, "answered", () => 0, floor)}"/>`,
    `<path class="refused" d="${bars(run, "refused", ({ answered }) => answered, floor)}"/>`
  ]
}

const style = `
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
.heading{font-size:16px}.heading,.strong{font-weight:600}
.card{fill:#fff}.muted{fill:#59636e}
.grid,.axis{fill:none;stroke:#d1d9e0}.axis{stroke:#818b98}
.answered{fill:#0969da}.refused{fill:#d9680d}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}.card{fill:#0d1117}.muted{fill:#9198a1}.grid{stroke:#2a313c}.axis{stroke:#656c76}
.answered{fill:#4493f8}.refused{fill:#f0883e}
}`

/** The picture, as text: the same for the same runs. */
export const draw = ({ paced, unpaced }: { readonly paced: Simulation.Run; readonly unpaced: Simulation.Run }): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${total(paced, "answered")} searches under a limit of 120 requests a minute, without pacing and with it</title>`,
    `<desc id="desc">Two charts of the requests in each second. Without pacing: ${summary(unpaced)}; once the limit is reached, refused requests go on until the minute is over. With pacing: ${summary(paced)}; once the limit is reached, nothing is sent until the minute is over.</desc>`,
    `<style>${style}\n</style>`,
    `<rect class="card" width="${width}" height="${height}" rx="6"/>`,
    text(left, 32, ` class="heading"`, `${total(paced, "answered")} searches by ${Simulation.fibers} fibers, 120 requests a minute allowed`),
    `<path class="answered" d="M${left} 49h11v11h-11z"/>`,
    text(left + 18, 59, "", "answered"),
    `<path class="refused" d="M${left + 96} 49h11v11h-11z"/>`,
    text(left + 114, 59, "", "refused (429)"),
    ...panel("Without pacing", unpaced, panels.unpaced),
    ...panel("With pacing", paced, panels.paced),
    `<text class="muted" text-anchor="middle" transform="translate(18 ${(panels.unpaced + panels.paced + panelHeight) / 2})rotate(-90)">requests in each second</text>`,
    text(left + (Simulation.seconds * second) / 2, height - 14, ` class="muted" text-anchor="middle"`, "seconds since the first search"),
    "</svg>",
    ""
  ].join("\n")

export const file = fileURLToPath(new URL("../rate-limits.svg", import.meta.url))

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  yield* fs.writeFileString(file, draw(yield* Simulation.runs))
}).pipe(Effect.provide(NodeContext.layer))

if (import.meta.filename === process.argv[1]) Effect.runPromise(program)
