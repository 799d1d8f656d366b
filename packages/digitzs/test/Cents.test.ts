import { Cents } from "@effect-credentials/digitzs"
import { assert, describe, it } from "@effect/vitest"
import { FastCheck, Option } from "effect"

describe("Cents", () => {
  it.prop("keeps every whole number of cents", [FastCheck.integer({ min: 0, max: 999_999_999_999_999 })], ([cents]) => {
    const made = Cents.unsafeMake(cents)
    assert.strictEqual(made, String(cents))
    assert.strictEqual(Cents.toNumber(made), cents)
  })

  for (const wrong of [12.99, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e15, 2 ** 60]) {
    it(`does not take ${wrong}`, () => {
      assert.isTrue(Option.isNone(Cents.make(wrong)))
      assert.throws(() => Cents.unsafeMake(wrong), RangeError)
    })
  }
})
