import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Markdown from "./utils/markdown.js"

const code = new Set(["ts", "tsx", "typescript", "js", "jsx", "mjs", "javascript"])

const pages = Markdown.pages.map((page) => ({ page, ...Markdown.parse(page, Markdown.read(page)) }))
const blocks = pages.flatMap(({ blocks }) => blocks).filter(({ language }) => code.has(language))

describe("code in the documentation", () => {
  it("is there", () => {
    assert.isAbove(blocks.length, 10)
  })

  it.each(blocks)("$page:$line is what its source says", ({ code, line, page, source }) => {
    if (source === undefined) {
      assert.fail(`${page}:${line}: the line above must be a comment like <!-- docs/examples/search.ts#region -->`)
    }
    assert.strictEqual(code, Markdown.excerpt(source, Markdown.read(source.replace(/#.*/, ""))))
  })

  it("would be found out when it drifts from its source", () => {
    const { blocks: [block] } = Markdown.parse("a.md", "<!-- docs/examples/a.ts#b -->\n```ts\nconst a = 2\n```")
    assert.strictEqual(block?.source, "docs/examples/a.ts#b")
    assert.notStrictEqual(block?.code, Markdown.excerpt("docs/examples/a.ts#b", "// #region b\nconst a = 1\n// #endregion\n"))
    assert.throws(() => Markdown.excerpt("docs/examples/a.ts#c", "// #region b\n// #endregion\n"))
  })
})

describe("links in the documentation", () => {
  const links = pages.flatMap(({ page, prose }) =>
    Markdown.links(prose).filter((link) => !/^[a-z]+:/.test(link)).map((link) => ({ page, link }))
  )

  it.each(links)("$page reaches $link", ({ link, page }) => {
    const [path = "", anchor] = link.split("#")
    const target = path === "" ? page : Path.join(Path.dirname(page), path)
    assert.isTrue(Fs.existsSync(Path.join(Markdown.repository, target)), `${target} does not exist`)
    if (anchor !== undefined) {
      assert.include(Markdown.anchors(Markdown.parse(target, Markdown.read(target)).prose), anchor)
    }
  })

  it("start at the index, which has every page", () => {
    const index = pages.find(({ page }) => page === "docs/README.md")
    const listed = Markdown.links(index?.prose ?? "").map((link) => Path.join("docs", link))
    for (const { page } of pages.filter(({ page }) => page.startsWith("docs/") && page !== "docs/README.md")) {
      assert.include(listed, page)
    }
  })
})
