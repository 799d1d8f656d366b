import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted } from "effect"
import type { Config } from "effect"
import { CredentialsConfig } from "effect-credentials"

const read = <A>(config: Config.Config<A>, value: string) =>
  Effect.withConfigProvider(config, ConfigProvider.fromMap(new Map([["ACME", value]])))

const configs: Readonly<Record<string, Config.Config<unknown>>> = {
  secret: CredentialsConfig.secret("ACME"),
  text: CredentialsConfig.text("ACME"),
  optionalText: CredentialsConfig.optionalText("ACME"),
  optionalBaseUrl: CredentialsConfig.optionalBaseUrl("ACME"),
  oneOf: CredentialsConfig.oneOf("ACME", "production", "sandbox")
}

describe.each(Object.entries(configs))("CredentialsConfig.%s", (_, config) => {
  it.effect("names the variable once and does not show its value", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(read(config, " a-value\n"))
      const text = String(error)
      assert.strictEqual(text.split("ACME").length, 2, text)
      assert.notInclude(text, "a-value")
    }))
})

it.effect("CredentialsConfig.secret reads a secret", () =>
  Effect.gen(function*() {
    const secret = yield* read(CredentialsConfig.secret("ACME"), "a-value")
    assert.strictEqual(Redacted.value(secret), "a-value")
    assert.notInclude(String(secret), "a-value")
  }))
