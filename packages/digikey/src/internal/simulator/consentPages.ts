import * as HttpServerResponse from "@effect/platform/HttpServerResponse"

/**
 * What a person sees at the authorization endpoint. No script, nothing from elsewhere, and every value
 * escaped: a client id, an account and an address are whatever somebody wrote there.
 */

/** Of every answer here: nobody may keep it, and the next site does not hear of it. */
export const privacy: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}

/** `token` is the form's: what it is about is known to the server. */
export interface SignIn {
  readonly token: string
  readonly clientId: string
  /** What stands in the field. */
  readonly account: string
  /** What was wrong with it. */
  readonly problem?: string
}

export const maximumAccountLength = 100

export const signIn = ({ account, clientId, problem, token }: SignIn): HttpServerResponse.HttpServerResponse =>
  page({
    status: problem === undefined ? 200 : 400,
    title: "Sign in",
    formAction: "'self'",
    body: `<p>The application ${value(clientId)} asks for access to your account.</p>
${
      form(
        token,
        `<label for="account">Account name</label>
<input id="account" name="account" type="text" value="${escape(account)}" required maxlength="${maximumAccountLength}"
  autocomplete="username" autocapitalize="none" spellcheck="false" aria-describedby="${
          problem === undefined ? "hint" : "problem hint"
        }"${problem === undefined ? "" : " aria-invalid=\"true\""}>
${problem === undefined ? "" : `<p id="problem" class="problem" role="alert">${escape(problem)}</p>\n`}<p id="hint" class="soft">Any name will do, and there is no password.</p>
<div class="buttons"><button type="submit" class="primary">Sign in</button></div>`
      )
    }`
  })

export interface Consent {
  readonly token: string
  readonly clientId: string
  readonly account: string
  /** Where the answer goes: the host, for a person to read. */
  readonly host: string
  /** The same, as a source of a content security policy. */
  readonly policySource: string
}

export const consent = (
  { account, clientId, host, policySource, token }: Consent
): HttpServerResponse.HttpServerResponse =>
  page({
    status: 200,
    title: "Allow access?",
    // Chromium holds the redirect that answers the form to this directive as well
    formAction: `'self' ${policySource}`,
    body: `<p>The application ${value(clientId)} wants to act for your account: quotes, orders, lists and barcodes.</p>
<dl>
<dt>Application</dt><dd>${value(clientId)}</dd>
<dt>Account</dt><dd>${value(account)}</dd>
<dt>Your answer is sent to</dt><dd>${value(host)}</dd>
</dl>
${
      form(
        token,
        `<div class="buttons">
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
<button type="submit" name="decision" value="deny">Deny</button>
</div>`
      )
    }`
  })

/** A form that the server does not know, or not any more. */
export const gone = (): HttpServerResponse.HttpServerResponse =>
  page({
    status: 400,
    title: "This page is no longer valid",
    formAction: "'none'",
    body: `<p>It was answered before, or it was open for too long. Nothing was done.</p>
<p>Go back to the application and begin again.</p>`
  })

// -----------------------------------------------------------------------------
// The page around it
// -----------------------------------------------------------------------------

const page = ({ body, formAction, status, title }: {
  readonly status: number
  readonly title: string
  readonly formAction: string
  readonly body: string
}): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(
    `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escape(title)} · simulated DigiKey</title>
<style>${style}</style>
</head>
<body>
<main>
<p class="notice"><strong>Simulator.</strong> This is not DigiKey: nothing here reaches it.</p>
<h1>${escape(title)}</h1>
${body}
</main>
</body>
</html>
`,
    {
      status,
      contentType: "text/html; charset=utf-8",
      headers: {
        ...privacy,
        "content-security-policy":
          `default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action ${formAction}; frame-ancestors 'none'`,
        "x-frame-options": "DENY"
      }
    }
  )

/** Relative, so that it is right behind a proxy with a path of its own; the address's query is not sent again. */
const form = (token: string, fields: string): string =>
  `<form method="post" action="authorize" autocomplete="on">
<input type="hidden" name="form_token" value="${escape(token)}">
${fields}
</form>`

/** Set apart from the text around it, also where it runs from right to left. */
const value = (text: string): string => `<strong><bdi>${escape(text)}</bdi></strong>`

const escape = (text: string): string => text.replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`)

const style = `
:root { color-scheme: light dark; --back: #f4f5f7; --card: #fff; --text: #1b1f24; --soft: #57606a; --line: #c9d1d9;
  --accent: #0b57d0; --on-accent: #fff; --bad: #b3261e; --notice: #fff4d6; --on-notice: #4d3800 }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --card: #161b22; --text: #e6edf3; --soft: #9aa4af;
  --line: #3d444d; --accent: #a8c7fa; --on-accent: #062e6f; --bad: #ffb4ab; --notice: #3a2f0b; --on-notice: #ffe29a } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif }
main { width: 100%; max-width: 32rem; padding: clamp(1.25rem, 5vw, 2.5rem); background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; overflow-wrap: anywhere }
.notice { margin: 0 0 1.5rem; padding: .625rem .875rem; border-radius: .5rem; background: var(--notice);
  color: var(--on-notice); font-size: .9375rem }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25 }
p { margin: .5rem 0 } .soft { color: var(--soft) } .problem { color: var(--bad) }
dl { margin: 1.25rem 0; border-top: 1px solid var(--line) }
dt { padding-top: .75rem; color: var(--soft); font-size: .875rem }
dd { margin: 0; padding-bottom: .75rem; border-bottom: 1px solid var(--line) }
label { display: block; margin: 1.25rem 0 .25rem; font-weight: 600 }
input, button { width: 100%; min-height: 2.75rem; padding: .5rem .875rem; border: 1px solid var(--soft);
  border-radius: .5rem; background: var(--card); color: var(--text); font: inherit }
button { flex: 1 1 9rem; font-weight: 600; cursor: pointer }
.primary { border-color: var(--accent); background: var(--accent); color: var(--on-accent) }
.buttons { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.5rem }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
`
