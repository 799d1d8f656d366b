// Installs what some tests need beside Node and npm, if it is not there: Chromium, from Debian's packages.
// Without it those tests are skipped, or fail where CI=true.
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"

const services = [{ name: "Chromium", package: "chromium", path: "/usr/bin/chromium" }]

const apt = (...args) =>
  execFileSync("apt-get", ["--quiet", "--yes", ...args], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  })

const missing = services.filter(({ path }) => !Fs.existsSync(path))
if (missing.length > 0) {
  if (!Fs.existsSync("/usr/bin/apt-get") || process.getuid?.() !== 0) {
    console.error(`Install ${missing.map(({ name }) => name).join(", ")}: this script does it with apt-get, as root.`)
    process.exit(1)
  }
  apt("update")
  apt("install", "--no-install-recommends", ...missing.map((service) => service.package))
}
for (const { name, path } of services) console.log(`${name}: ${path}`)
