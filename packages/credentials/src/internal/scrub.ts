/**
 * A server may repeat our own secrets in its error text. What we keep of it is
 * freed of them, of control characters, and of everything past 2 KB.
 */
import * as Redacted from "effect/Redacted"

const limit = 2048
const placeholder = "<redacted>"

const base64 = (text: string): string => {
  let binary = ""
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")

const entities: Readonly<Record<string, string>> = { "&": "amp", "<": "lt", ">": "gt", "\"": "quot", "'": "apos" }

/**
 * One character as text encodings write it: percent, JSON (three times over), HTML. A
 * run of backslashes is one: each on its own would let a hostile text take minutes.
 */
const character = (char: string): string => {
  if (/[a-z0-9]/i.test(char)) return char
  if (char.startsWith("\\")) {
    const times = char.length
    return `(?:\\\\{${times},${8 * times}}|(?:%(?:25)?5c){${times}}|(?:&#0*92;){${times}}|(?:&#x0*5c;){${times}})`
  }
  const code = char.codePointAt(0) ?? 0
  const bytes = Array.from(new TextEncoder().encode(char), (byte) => byte.toString(16).padStart(2, "0"))
  const ways = [
    `\\\\{0,7}${literal(char)}`,
    bytes.map((byte) => `%(?:25)?${byte}`).join(""),
    `\\\\{1,7}u${code.toString(16).padStart(4, "0")}`,
    `&#0*${code};`,
    `&#x0*${code.toString(16)};`
  ]
  if (char === " ") ways.push("\\+", "\\s")
  const entity = entities[char]
  if (entity !== undefined) ways.push(`&${entity};`)
  return `(?:${ways.join("|")})`
}

const digit = "[A-Za-z0-9+/_-]?"

/** Base64 at each of the three offsets at which a text may begin in a longer one; the digits at its ends depend on its neighbours. */
const inBase64 = (secret: string): ReadonlyArray<string> => {
  const size = new TextEncoder().encode(secret).length
  return [0, 1, 2].map((offset) =>
    (offset === 0 ? "" : digit) + literal(base64("\0".repeat(offset) + secret).slice(Math.ceil(offset * 4 / 3), Math.floor((offset + size) * 4 / 3)))
      .replaceAll("\\+", "[+-]").replaceAll("\\/", "[/_]") + `${digit}={0,2}`
  )
}

/** Every form in which a secret may come back. One that is short is looked for as text only: else ordinary words would go. */
const patternOf = (secret: string): string => {
  const text = Array.from(secret.matchAll(/\\+|[^\\]/gu), ([char]) => character(char)).join("")
  if (secret.length < 8) return text
  const bytes = Array.from(new TextEncoder().encode(secret))
  // HTTP Basic encodes what is form-encoded already.
  const inner = new Set([secret, new URLSearchParams([["", secret]]).toString().slice(1), encodeURIComponent(secret)])
  return [
    text,
    ...Array.from(inner).flatMap(inBase64),
    bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("[\\s:]?"),
    bytes.join("\\s*,\\s*")
  ].join("|")
}

/** Control characters, and those that reorder or hide text. */
const controls = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g

/** A pattern is dear to make, and a token meets many texts. It lives as long as what it is for. */
const patterns = new WeakMap<Redacted.Redacted, RegExp>()

const patternFor = (secret: Redacted.Redacted): RegExp => {
  let pattern = patterns.get(secret)
  if (pattern === undefined) {
    pattern = new RegExp(patternOf(Redacted.value(secret)), "gi")
    patterns.set(secret, pattern)
  }
  return pattern
}

const sizeOf = (secret: Redacted.Redacted): number => Redacted.value(secret).length

export const scrub = (text: string, secrets: ReadonlyArray<Redacted.Redacted>): string => {
  // Longest first: a secret may contain another one.
  const sorted = secrets.filter((secret) => sizeOf(secret) > 0).sort((a, b) => sizeOf(b) - sizeOf(a))
  // The first cut may leave the beginning of a secret at the end: no form is more than six times as long.
  const longest = sorted[0] === undefined ? 0 : 6 * sizeOf(sorted[0])
  const long = text.length > 4 * limit + longest
  // Before the search: a secret may have white space where the server has a line break.
  let clean = text.slice(0, 4 * limit + longest).replace(controls, " ")
  for (const secret of sorted) {
    // No form of a secret is shorter than the secret.
    if (sizeOf(secret) <= clean.length) clean = clean.replace(patternFor(secret), placeholder)
  }
  if (long) clean = clean.slice(0, Math.max(0, clean.length - longest))
  return cut(clean.trim())
}

/** At most 2 KB as UTF-8, and no half of a character. */
const cut = (text: string): string => {
  const bytes = new Uint8Array(limit)
  const { read } = new TextEncoder().encodeInto(text, bytes)
  return text.slice(0, read)
}
