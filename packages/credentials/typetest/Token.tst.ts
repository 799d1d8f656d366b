import type { Redacted } from "effect"
import { DateTime } from "effect"
import * as Token from "effect-credentials/Token"
import { describe, expect, test } from "tstyche"

const issuedAt = DateTime.unsafeMake(0)

describe("Token", () => {
  test("is not made without an expiry", () => {
    expect(Token.make).type.toBeCallableWith({ accessToken: "a", issuedAt, expiresAt: issuedAt })
    expect(Token.make).type.not.toBeCallableWith({ accessToken: "a", issuedAt })
  })

  test("gives its secret as Redacted only", () => {
    expect<Token.Token["accessToken"]>().type.toBe<Redacted.Redacted>()
    expect<Token.Token["accessToken"]>().type.not.toBeAssignableTo<string>()
  })
})
