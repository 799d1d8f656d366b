// Runs every part in a process of its own, prints one table, and with `--gate` exits 1 if a target is missed.
import { fork, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"

const here = fileURLToPath(new URL(".", import.meta.url))
const parts = ["token", "request", "loopback", "accounts", "peers"]

/** Far beyond what a part takes: a part that hangs must not. */
const limit = 240_000

/** A young generation that holds a whole batch: its allocations can be read before they are collected. */
const flags = ["--expose-gc", "--min-semi-space-size=128", "--max-semi-space-size=128"]

const install = () => {
  if (existsSync(`${here}node_modules`)) return
  const { status } = spawnSync("npm", ["ci", "--prefix", here], { stdio: "inherit" })
  if (status !== 0) throw new Error("The libraries to compare with were not installed.")
}

const run = (part) =>
  new Promise((resolve, reject) => {
    const child = fork(`${here}${part}.mjs`, { execArgv: flags })
    const timer = setTimeout(() => child.kill(), limit)
    let rows
    child.on("message", (message) => {
      rows = message
    })
    child.on("exit", (code) => {
      clearTimeout(timer)
      if (rows !== undefined && code === 0) resolve(rows)
      else reject(new Error(`The part "${part}" gave no result.`))
    })
  })

const number = (value, unit) =>
  unit === "ns" || unit === "bytes" || unit === "token calls"
    ? Math.round(value).toLocaleString("en")
    : value.toFixed(2)

const cells = ({ beside, name, ratio, target, unit, value }) => [
  name,
  `${number(value, unit)} ${unit}`,
  target === undefined ? "" : `${target.toLocaleString("en")}`,
  target === undefined ? "" : value <= target ? "ok" : "OVER",
  ratio !== undefined ? `${ratio.toFixed(2)} × ours` : beside !== undefined ? `bare ${beside.toFixed(1)} µs` : ""
]

const print = (rows) => {
  const lines = [["measured", "value", "target", "", "beside"], ...rows.map(cells)]
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)))
  for (const line of lines) {
    console.log(line.map((cell, column) => column === 0 || column > 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])).join("  ").trimEnd())
  }
}

install()
console.log(`Node ${process.version}, ${process.platform} ${process.arch}, ${cpus().length} × ${cpus()[0].model}\n`)
const rows = []
for (const part of parts) rows.push(...await run(part))
print(rows)

const missed = rows.filter(({ target, value }) => target !== undefined && value > target)
if (process.argv.includes("--gate") && missed.length > 0) {
  console.error(`\n${missed.length} over target.`)
  process.exitCode = 1
}
