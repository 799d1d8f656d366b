/**
 * PostgreSQL servers of our own: the one that `npm run services` starts, and those that a test starts to stop them.
 * Each has its own data folder and port, listens on loopback only, and holds nothing that anyone would miss.
 */
import { execFile } from "node:child_process"
import * as Fs from "node:fs/promises"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)

/** Where Debian's package has its programs, newest version first. */
const programs = async () => {
  const root = "/usr/lib/postgresql"
  const versions = await Fs.readdir(root).catch(() => [])
  const [version] = versions.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a))
  return version === undefined ? undefined : { version, folder: Path.join(root, version, "bin") }
}

/** PostgreSQL refuses to run as root: its package comes with a user. */
const owner = async () => {
  if (process.getuid?.() !== 0) return {}
  const id = async (flag) => Number((await run("id", [flag, "postgres"])).stdout)
  return { uid: await id("-u"), gid: await id("-g") }
}

export const isInstalled = async () => (await programs()) !== undefined

/** The server that `npm run services` starts. */
export const shared = {
  folder: Path.join(Os.tmpdir(), `effect-credentials-postgresql-${process.getuid?.() ?? 0}`),
  port: 54817
}

/** A port that nobody listens on now. */
export const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = Net.createServer().once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })

/** Tests lose nothing with the machine, so nothing waits for a disk. */
const settings = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", listen_addresses: "127.0.0.1" }

/** One server: a folder, made by the first start, and a port. */
export const server = ({ folder, port }) => {
  const data = Path.join(folder, "data")

  const command = async (name, args) => {
    const found = await programs()
    if (found === undefined) throw new Error("PostgreSQL is not installed.")
    // Not in a folder that its user may not read.
    return run(Path.join(found.folder, name), args, { ...(await owner()), cwd: folder, env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8", TZ: "UTC" } })
  }
  const control = (action, ...args) => command("pg_ctl", [action, "--pgdata", data, "--wait", "--timeout", "60", ...args])

  const create = async () => {
    await Fs.mkdir(folder, { recursive: true, mode: 0o700 })
    const { gid, uid } = await owner()
    if (uid !== undefined) await Fs.chown(folder, uid, gid)
    if (await Fs.stat(Path.join(data, "PG_VERSION")).then(() => true, () => false)) return
    await command("initdb", ["--pgdata", data, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"])
  }

  const isRunning = () => control("status").then(() => true, () => false)

  /** Answers when it takes connections. What runs already goes on. */
  const start = async (more = {}) => {
    await create()
    if (await isRunning()) return
    const options = Object.entries({ ...settings, port, unix_socket_directories: folder, ...more })
      .map(([name, value]) => `-c ${name}=${value}`).join(" ")
    await control("start", "--log", Path.join(folder, "log"), "--options", options)
  }

  /** `fast` ends sessions, `immediate` is a crash. */
  const stop = async (mode = "fast") => {
    if (await isRunning()) await control("stop", "--mode", mode)
  }

  const remove = async () => {
    await stop("immediate")
    await Fs.rm(folder, { recursive: true, force: true })
  }

  return { port, isRunning, start, stop, remove }
}
