/** Arguments, help, and what a script sees. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { ExitCode } from "@effect-credentials/cli"
import * as Fs from "node:fs"
import { prettyJson } from "../src/internal/prettyJson.js"
import * as Pages from "../src/internal/pages.js"
import { run, temporaryFolder } from "./utils/cli.js"

const commands = ["login", "status", "token", "request", "limits", "logout"]

describe("help", () => {
  it.effect("names every command and every exit code", () =>
    Effect.gen(function*() {
      for (const args of [[], ["--help"], ["-h"]]) {
        const { code, err, out } = yield* run(args)
        assert.deepStrictEqual([code, err], [0, ""])
        for (const command of commands) assert.match(out, new RegExp(`^  ${command} +\\S`, "m"))
        for (const exitCode of Object.values(ExitCode.ExitCode)) assert.match(out, new RegExp(`^ +${exitCode} {2}\\S`, "m"))
      }
    }))

  it.effect("of a command has its options, its arguments and examples", () =>
    Effect.gen(function*() {
      for (const command of commands) {
        const { code, err, out } = yield* run([command, "--help"])
        assert.deepStrictEqual([code, err], [0, ""])
        for (const part of [`credentials ${command} [options]`, "--account text", "--folder text", "--environment text", "--demo", "Examples"]) {
          assert.include(out, part)
        }
        assert.notMatch(out, /user-defined|setting is optional|--wizard|\u001b/)
        assert.strictEqual(out.includes("<provider>"), command !== "status")
      }
    }))

  it.effect("every option of an example is one that the command has", () =>
    Effect.gen(function*() {
      for (const command of commands) {
        const { out } = yield* run([command, "--help"])
        const [options = "", examples = ""] = out.split("\nExamples\n")
        for (const [option] of examples.matchAll(/ --[a-z-]+/g)) {
          assert.include(`${options} --help`, option)
        }
      }
    }))

  it.effect("is bold in a terminal only", () =>
    Effect.gen(function*() {
      assert.match((yield* run(["--help"], { terminal: true })).out, /\u001b\[1mUsage/)
    }))
})

describe("the readme", () => {
  it("has every exit code with its meaning, and every command", () => {
    const readme = Fs.readFileSync(new URL("../README.md", import.meta.url), "utf8")
    for (const [code, meaning] of ExitCode.meanings) {
      assert.include(readme, `| ${code} | ${meaning.replace(/: credentials login.*/, "")} |`)
    }
    for (const command of commands) assert.include(readme, `| \`credentials ${command}`)
  })
})

describe("arguments", () => {
  it.effect("the version is that of the package", () =>
    Effect.gen(function*() {
      const { version } = JSON.parse(Fs.readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }
      const { code, out } = yield* run(["--version"])
      assert.deepStrictEqual([code, out.trim()], [0, version])
    }))

  it.effect.each([
    "stauts",
    "token",
    "token acme",
    "status --nothing",
    "request digikey",
    "request digikey /products/v4/x --method BREW",
    "status --account"
  ])("%s is refused with 2, on standard error", (line) =>
    Effect.gen(function*() {
      const { code, err, out } = yield* run(line.split(" "))
      assert.deepStrictEqual([code, out], [2, ""])
      assert.notStrictEqual(err.trim(), "")
      assert.notMatch(err, /\u001b/)
    }))

  it.scoped("options may stand before or behind the command", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      for (
        const args of [
          ["status", "--demo", "--folder", folder],
          ["--demo", "--folder", folder, "status"],
          ["--demo", "status", `--folder=${folder}`],
          ["--account", "token", "--demo", "status", "--folder", folder]
        ]
      ) {
        const { code, err } = yield* run(args)
        assert.strictEqual(code, 0)
        assert.include(err, `Nothing is stored in ${folder}/demo`)
      }
    }))

  it.effect("completions are written for each shell", () =>
    Effect.gen(function*() {
      for (const shell of ["bash", "fish", "zsh"]) {
        const { code, out } = yield* run(["--completions", shell])
        assert.strictEqual(code, 0)
        for (const command of commands) assert.include(out, command)
      }
    }))
})

describe("JSON in lines", () => {
  it("keeps every value as the server wrote it", () => {
    const text = "{\"id\":12345678901234567890,\"price\":1.10,\"price\":1e400,\"text\":\"a\\u00e9, {b}: [\\\"c\\\"]\",\"none\":{},\"list\":[ ],\"deep\":[1,[true,null]]}"
    assert.strictEqual(
      prettyJson(text),
      `{
  "id": 12345678901234567890,
  "price": 1.10,
  "price": 1e400,
  "text": "a\\u00e9, {b}: [\\"c\\"]",
  "none": {},
  "list": [],
  "deep": [
    1,
    [
      true,
      null
    ]
  ]
}`
    )
  })

  it("is what JSON.stringify makes of any value", () => {
    FastCheck.assert(FastCheck.property(FastCheck.json(), (text) => {
      assert.strictEqual(prettyJson(text), JSON.stringify(JSON.parse(text), undefined, 2))
    }))
  })

  it("is nothing for what is no JSON", () => {
    for (const text of ["", "{", "<html>", "{\"a\":}", "'a'"]) assert.isUndefined(prettyJson(text))
  })
})

describe("the pages", () => {
  const hostile = "<img src=x onerror=alert(1)>\"'&"
  const pages = [
    Pages.success({ title: hostile, environment: hostile, account: hostile }),
    Pages.denied(hostile),
    Pages.refused(hostile, hostile),
    Pages.expired(hostile),
    Pages.failed(hostile),
    Pages.malformed(hostile),
    Pages.wrongState,
    Pages.used,
    Pages.notFound,
    Pages.wrongHost,
    Pages.wrongMethod
  ]

  it("escape what they are given, and load nothing", () => {
    for (const { html } of pages) {
      assert.notMatch(html, /<img|<script|<iframe|<form|@import|url\(|https?:/)
      assert.notInclude(html, hostile)
    }
  })

  it("are dark where the person has it dark, and fit a narrow window", () => {
    for (const { html } of pages) {
      assert.include(html, "color-scheme: light dark")
      assert.include(html, "prefers-color-scheme: dark")
      assert.include(html, "width=device-width")
    }
  })

  it("allow their own style, by its hash, and nothing else", async () => {
    for (const { headers, html } of pages) {
      const style = /<style>(.*)<\/style>/s.exec(html)?.[1] ?? ""
      const hash = Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style))).toString("base64")
      assert.include(headers["content-security-policy"], `style-src 'sha256-${hash}'`)
      assert.notMatch(html, /style="/)
    }
  })
})
