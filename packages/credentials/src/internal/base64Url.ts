/**
 * Bytes as text, RFC 4648 §5, without padding.
 */
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"

export const encode: (bytes: Uint8Array) => string = Encoding.encodeBase64Url

/** `undefined` for what does not come out again as it went in: one text for the same bytes, and no other. */
export const decode = (text: string): Uint8Array<ArrayBuffer> | undefined => {
  const bytes = Either.getOrUndefined(Encoding.decodeBase64Url(text))
  return bytes !== undefined && encode(bytes) === text ? new Uint8Array(bytes) : undefined
}
