/**
 * How long a token lives, where nothing but the token itself says so.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const day = 86_400

const Claims = Schema.Struct({ exp: Schema.Unknown, iat: Schema.optional(Schema.Unknown) })
const decodeClaims = Schema.decodeUnknownOption(Schema.parseJson(Claims))

/** The middle part, as text; `None` where it is no base64url. */
const payload = (token: string): Option.Option<string> => {
  const part = token.split(".")[1]
  if (part === undefined || !/^[A-Za-z0-9_-]+$/.test(part)) return Option.none()
  try {
    const binary = atob(part.replace(/-/g, "+").replace(/_/g, "/"))
    return Option.some(new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0))))
  } catch {
    return Option.none()
  }
}

/** A second is the least that a lifetime can be. */
const within = (seconds: number): boolean => seconds >= 1 && seconds <= day

/** NumericDate, RFC 7519 §2; a numeric string is none. */
const numericDate = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined

/**
 * The lifetime of a JSON Web Token (RFC 7519 §4.1): `exp - iat` if that is more
 * than nothing and at most a day, so that a clock that is wrong here or there
 * changes nothing; else `exp` alone if it is within a day of `now` (milliseconds
 * since the epoch); else `None`.
 *
 * The signature is not checked and nothing else is read: this is for planning a
 * renewal and proves nothing. Any text is safe to ask about.
 *
 * @since 0.1.0
 * @category parsing
 */
export const lifetime = (token: Redacted.Redacted, now: number): Option.Option<Duration.Duration> =>
  Option.flatMap(Option.flatMap(payload(Redacted.value(token)), decodeClaims), (claims) => {
    const exp = numericDate(claims.exp)
    const iat = numericDate(claims.iat)
    if (exp === undefined) return Option.none()
    if (iat !== undefined && within(exp - iat)) return Option.some(Duration.seconds(exp - iat))
    const left = exp - now / 1000
    return within(left) ? Option.some(Duration.seconds(left)) : Option.none()
  })
