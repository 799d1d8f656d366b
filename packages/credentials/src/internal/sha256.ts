import * as Effect from "effect/Effect"
import * as Base64Url from "./base64Url.js"

const digest = (text: string): Effect.Effect<Uint8Array> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
    (bytes) => new Uint8Array(bytes)
  )

/** In one piece: what `Encoding.encodeHex` adds up byte by byte stays in pieces, twelve times the size. */
const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** SHA-256 of the text's UTF-8, hexadecimal. */
export const sha256 = (text: string): Effect.Effect<string> => Effect.map(digest(text), hex)

/** The same in base64url, without padding. */
export const sha256Base64Url = (text: string): Effect.Effect<string> => Effect.map(digest(text), Base64Url.encode)
