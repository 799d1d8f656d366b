/**
 * What the browser shows when it comes back. One page in several words: no
 * script, nothing from elsewhere, light or dark as the person has it.
 */
import { createHash } from "node:crypto"

export interface Page {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly html: string
}

type Tone = "good" | "bad" | "neutral"

const escape = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const style = `
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #1b1f24; --soft: #57606a; --line: #d8dee4;
  --good: #1a7f37; --bad: #cf222e; --neutral: #57606a }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --card: #161b22; --text: #e6edf3; --soft: #9198a1;
  --line: #30363d; --good: #3fb950; --bad: #ff7b72; --neutral: #9198a1 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif }
main { width: 100%; max-width: 34rem; padding: clamp(1.25rem, 5vw, 2.5rem); background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; overflow-wrap: anywhere }
.mark { display: grid; place-items: center; width: 3rem; height: 3rem; border-radius: 50%; border: 2px solid;
  font-size: 1.5rem; line-height: 1 }
.good { color: var(--good) } .bad { color: var(--bad) } .neutral { color: var(--neutral) }
h1 { margin: 1rem 0 .5rem; font-size: 1.5rem; line-height: 1.25 }
p { margin: .5rem 0 } .soft { color: var(--soft) }
code { font: .9em ui-monospace, monospace }
`

const styleHash = createHash("sha256").update(style).digest("base64")

/** For every answer: the address has a code in it, and nobody may keep it, frame it or hear of it. */
const headers: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy":
    `default-src 'none'; style-src 'sha256-${styleHash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "content-type": "text/html; charset=utf-8",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}

const marks: Readonly<Record<Tone, string>> = { good: "✓", bad: "✕", neutral: "!" }

const page = (status: number, tone: Tone, title: string, ...paragraphs: ReadonlyArray<string>): Page => ({
  status,
  headers,
  // The empty icon keeps the browser from asking for one.
  html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<div class="mark ${tone}" aria-hidden="true">${marks[tone]}</div>
<h1>${escape(title)}</h1>
${paragraphs.map((text, index) => `<p${index === 0 ? "" : " class=\"soft\""}>${escape(text)}</p>`).join("\n")}
</main>
</body>
</html>
`
})

const back = "You can close this page and go back to the terminal."
const again = "Nothing was stored. To try again, run the command in the terminal once more."

export const success = (login: { readonly title: string; readonly environment: string; readonly account: string }): Page =>
  page(
    200,
    "good",
    `Logged in to ${login.title}`,
    `The login is stored as account “${login.account}” (${login.environment}).`,
    back
  )

export const denied = (title: string): Page =>
  page(403, "bad", "Access denied", `You did not allow the access to ${title}.`, again)

/** `said`: the provider's words, which came through the browser. */
export const refused = (title: string, said: string | undefined): Page =>
  page(403, "bad", `${title} refused the login`, ...(said === undefined ? [] : [`It said: ${said}`]), again)

export const expired = (title: string): Page =>
  page(
    400,
    "bad",
    "This login has expired",
    `It took too long, or ${title} did not take the code: it has expired, or was used before.`,
    again
  )

export const failed = (title: string): Page =>
  page(502, "bad", `The login to ${title} failed`, "The terminal says why.", again)

export const malformed = (title: string): Page =>
  page(400, "bad", "This is no answer to a login", `It is not one that ${title} gives.`, again)

export const wrongState: Page = page(
  400,
  "neutral",
  "This belongs to another login",
  "It is not the answer to the login that the terminal is waiting for, so nothing was done with it.",
  "The terminal is still waiting. Open the address that it shows, in this browser."
)

export const used: Page = page(
  400,
  "neutral",
  "This login was used before",
  "The answer to a login counts once. The terminal says what became of it.",
  back
)

export const notFound: Page = page(404, "neutral", "There is nothing here", "This address only takes the answer to a login.")

export const wrongHost: Page = page(
  400,
  "neutral",
  "Wrong address",
  "This is not the address that the login comes back to."
)

export const wrongMethod: Page = {
  ...page(405, "neutral", "There is nothing here", "A browser comes back with GET."),
  headers: { ...headers, allow: "GET" }
}
