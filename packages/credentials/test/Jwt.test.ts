import { assert, describe, it } from "@effect/vitest"
import { Duration, FastCheck, Option, Redacted } from "effect"
import { Jwt } from "effect-credentials"

const base64url = (text: string) => Buffer.from(text).toString("base64url")
const jwt = (claims: unknown) =>
  Redacted.make(`${base64url('{"alg":"HS256"}')}.${base64url(JSON.stringify(claims))}.signature`)

const now = Date.UTC(2026, 0, 1)
const seconds = now / 1000
const lifetime = (claims: unknown, at = now) =>
  Option.getOrUndefined(Option.map(Jwt.lifetime(jwt(claims), at), Duration.toSeconds))

describe("Jwt.lifetime", () => {
  it("is exp - iat, whatever the clock here says", () => {
    const claims = { iat: seconds, exp: seconds + 3600 }
    for (const skew of [-600_000, 0, 600_000, 400 * 86_400_000]) assert.strictEqual(lifetime(claims, now + skew), 3600)
  })

  it("is what is left until exp, where there is no iat", () => {
    assert.strictEqual(lifetime({ exp: seconds + 1800 }), 1800)
  })

  it("is what is left until exp, where exp - iat cannot be a lifetime", () => {
    assert.strictEqual(lifetime({ iat: seconds - 90_000, exp: seconds + 1800 }), 1800)
    assert.strictEqual(lifetime({ iat: seconds + 9000, exp: seconds + 1800 }), 1800)
  })

  for (const exp of ["1", 1e300, -1, null, "soon", {}, [], true, seconds - 1, seconds + 86_401]) {
    it(`is not known from an exp of ${JSON.stringify(exp)}`, () => {
      assert.isUndefined(lifetime({ exp }))
    })
  }

  it("is not known from a token with iat alone", () => {
    assert.isUndefined(lifetime({ iat: 1_516_239_022 }))
  })

  it("is not known from what is no JWT, and asking is safe", () => {
    for (const text of ["", ".", "..", "a.b.c", "opaque", "a.!!!.c", `a.${base64url("[1]")}.c`, `a.${base64url("{")}.c`]) {
      assert.isTrue(Option.isNone(Jwt.lifetime(Redacted.make(text), now)))
    }
  })

  it("of any text is none, or more than nothing and at most a day", () => {
    FastCheck.assert(FastCheck.property(FastCheck.jsonValue(), FastCheck.jsonValue(), FastCheck.string(), (exp, iat, text) => {
      for (const token of [Redacted.make(text), jwt({ exp, iat })]) {
        const found = Option.map(Jwt.lifetime(token, now), Duration.toSeconds)
        assert.isTrue(Option.isNone(found) || (found.value > 0 && found.value <= 86_400))
      }
    }))
  })
})
