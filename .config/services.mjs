// Installs what some tests need beside Node and npm, if it is not there, from Debian's packages: Chromium, and
// PostgreSQL, which it starts. Without them those tests are skipped, or fail where CI=true.
// `npm run services stop` stops what was started and removes its data.
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as PostgresServer from "../packages/sql/test/utils/postgresServer.mjs"

const postgres = PostgresServer.server(PostgresServer.shared)

const services = [
  { name: "Chromium", package: "chromium", isThere: () => Fs.existsSync("/usr/bin/chromium") },
  { name: "PostgreSQL", package: "postgresql", isThere: PostgresServer.isInstalled }
]

const apt = (...args) =>
  execFileSync("apt-get", ["--quiet", "--yes", ...args], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  })

const install = async () => {
  const missing = []
  for (const service of services) if (!(await service.isThere())) missing.push(service)
  if (missing.length === 0) return
  if (!Fs.existsSync("/usr/bin/apt-get") || process.getuid?.() !== 0) {
    throw new Error(`Install ${missing.map(({ name }) => name).join(", ")}: this script does it with apt-get, as root.`)
  }
  apt("update")
  apt("install", "--no-install-recommends", ...missing.map((service) => service.package))
}

/** One that a crash has spoiled is made anew: nothing in it is worth keeping. */
const startPostgres = () =>
  postgres.start({ max_connections: 200 }).catch(async () => {
    await postgres.remove()
    await postgres.start({ max_connections: 200 })
  })

if (process.argv[2] === "stop") {
  await postgres.remove()
  console.log("PostgreSQL: stopped, its data removed")
} else {
  await install()
  await startPostgres()
  console.log("Chromium: installed")
  console.log(`PostgreSQL: 127.0.0.1:${postgres.port}, data in ${PostgresServer.shared.folder}`)
}
