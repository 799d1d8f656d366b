// Adds to package-lock.json the optional packages that it lacks: native binaries for other platforms, when the registry
// that wrote the lock does not carry them. Without them `npm ci` refuses the lock. Run it after `npm install`; it has no
// integrity to write, so a lock from a complete registry is better.
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"

const path = fileURLToPath(new URL("../package-lock.json", import.meta.url))
const lock = JSON.parse(Fs.readFileSync(path, "utf8"))

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm64", "arm", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"]

/** Such packages say in their name where they belong: `@scope/binding-linux-x64-musl`. */
const platform = (name) => {
  const words = name.split("/").pop().split("-")
  const os = systems.find((system) => words.includes(system))
  const cpu = processors.find((processor) => words.includes(processor))
  const libc = words.some((word) => word.startsWith("musl")) ? "musl" : words.some((word) => word.startsWith("gnu")) ? "glibc" : undefined
  if (os === undefined || cpu === undefined) throw new Error(`${name} does not name its platform.`)
  return { os: [os], cpu: [cpu], libc: os === "linux" && libc !== undefined ? [libc] : undefined }
}

const added = {}
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    if (Object.keys(lock.packages).some((key) => key.endsWith(`node_modules/${name}`))) continue
    if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`${name} is asked for as ${version}, not as one version.`)
    const { cpu, libc, os } = platform(name)
    added[`node_modules/${name}`] = { version, cpu, dev: parent.dev, libc, optional: true, os }
  }
}

const [[root, workspace], ...others] = Object.entries({ ...lock.packages, ...added })
others.sort(([a], [b]) => a.localeCompare(b, "en"))
lock.packages = Object.fromEntries([[root, workspace], ...others])
Fs.writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${Object.keys(added).length} packages added to package-lock.json.`)
