/** What the headers of a reply say of rate limits: the parser alone. */
import { Headers } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { RateLimits } from "effect-credentials"

const now = Date.UTC(2025, 5, 2, 9)
const seconds = now / 1000

type Fields = Readonly<Record<string, string>>
const parse = (fields: Fields) => RateLimits.parse(Headers.fromInput(fields), now)

const hour = 3_600_000
const day = 24 * hour

describe("X-RateLimit and X-BurstLimit", () => {
  it("are read as DigiKey sends them: what is left of the day and of the minute", () => {
    assert.deepStrictEqual(
      parse({
        "X-RateLimit-Limit": "1000",
        "X-RateLimit-Remaining": "987",
        "X-RateLimit-Reset": String(seconds + 15 * 3600),
        "X-BurstLimit-Limit": "120",
        "X-BurstLimit-Remaining": "119",
        "X-BurstLimit-Reset": "42"
      }),
      [
        { name: "X-BurstLimit", kind: "burst", requests: 120, remaining: 119, resetAfter: 42_000, window: undefined },
        { name: "X-RateLimit", kind: "daily", requests: 1000, remaining: 987, resetAfter: 15 * hour, window: undefined }
      ]
    )
  })

  const resets: ReadonlyArray<readonly [string, Fields, number | undefined]> = [
    ["seconds left", { "X-RateLimit-Reset": "12397" }, 12_397_000],
    ["a fraction of a second", { "X-RateLimit-Reset": "0.25" }, 250],
    ["nothing left", { "X-RateLimit-Reset": "0" }, 0],
    ["a Unix time", { "X-RateLimit-Reset": String(seconds + 60) }, 60_000],
    ["a Unix time in milliseconds", { "X-RateLimit-Reset": String(now + 61_500) }, 61_500],
    ["a Unix time with a fraction", { "X-RateLimit-Reset": `${seconds + 60}.5` }, 60_500],
    ["a Unix time that has passed", { "X-RateLimit-Reset": String(seconds - 60) }, 0],
    ["a Unix time beside a clock an hour behind ours", {
      "X-RateLimit-Reset": String(seconds - 3600 + 90),
      "Date": new Date(now - hour).toUTCString()
    }, 90_000],
    ["a Unix time beside a Date that is none", { "X-RateLimit-Reset": String(seconds + 60), "Date": "soon" }, 60_000],
    ["seconds, whatever the clock of the server says", {
      "X-RateLimit-Reset": "90",
      "Date": new Date(now - hour).toUTCString()
    }, 90_000],
    ["a date", { "X-RateLimit-Reset": "2025-06-02T09:01:00Z" }, 60_000],
    ["a date of its own", { "X-RateLimit-ResetTime": "2025-06-02T09:01:00.500Z" }, 60_500],
    ["a date without a zone, in UTC", { "X-RateLimit-ResetTime": "2025-06-02 09:01:00" }, 60_000],
    ["a date with a zone", { "X-RateLimit-ResetTime": "2025-06-02T11:01:00+02:00" }, 60_000],
    ["a date of HTTP", { "X-RateLimit-ResetTime": "Mon, 02 Jun 2025 09:01:00 GMT" }, 60_000],
    ["a number, with a date that says otherwise", {
      "X-RateLimit-Reset": "30",
      "X-RateLimit-ResetTime": "2025-06-02T09:01:00Z"
    }, 30_000],
    ["a date, beside a number that is none", {
      "X-RateLimit-Reset": "soon",
      "X-RateLimit-ResetTime": "2025-06-02T09:01:00Z"
    }, 60_000],
    ["a number of no known size", { "X-RateLimit-Reset": "99999999" }, undefined],
    ["a number of no known size, that is a date of 1985 by the way", { "X-RateLimit-Reset": "500000000" }, undefined],
    ["a year", { "X-RateLimit-Reset": String(366 * 86_400) }, undefined],
    ["a Unix time in years", { "X-RateLimit-Reset": String(seconds + 366 * 86_400) }, undefined],
    ["a 31st of February", { "X-RateLimit-ResetTime": "2025-02-99T09:01:00Z" }, undefined],
    ["a negative number", { "X-RateLimit-Reset": "-5" }, undefined],
    ["an exponent", { "X-RateLimit-Reset": "1e3" }, undefined],
    ["nothing", {}, undefined]
  ]
  for (const [name, fields, expected] of resets) {
    it(`say the reset as ${name}`, () => {
      const [reading] = parse({ "X-RateLimit-Remaining": "5", ...fields })
      assert.strictEqual(reading?.remaining, 5)
      assert.strictEqual(reading?.resetAfter, expected)
    })
  }

  it("of a burst do not reset later than in an hour", () => {
    assert.strictEqual(parse({ "X-BurstLimit-Remaining": "5", "X-BurstLimit-Reset": "3600" })[0]?.resetAfter, hour)
    assert.strictEqual(parse({ "X-BurstLimit-Remaining": "5", "X-BurstLimit-Reset": "3601" })[0]?.resetAfter, undefined)
  })

  it("alone are about a day where they reset later than in an hour, and else may be about anything", () => {
    const kindOf = (reset: string) => parse({ "X-RateLimit-Remaining": "5", "X-RateLimit-Reset": reset })[0]?.kind
    assert.strictEqual(kindOf("3601"), "daily")
    assert.strictEqual(kindOf("3600"), "unknown")
  })

  for (const value of ["", "-1", "1.5", "0x10", "1e3", "12 ", "12, 12", "NaN", "Infinity", "null", "9".repeat(16)]) {
    it(`with a count of ${JSON.stringify(value)} say nothing`, () => {
      assert.deepStrictEqual(parse({ "X-RateLimit-Remaining": value, "X-BurstLimit-Limit": value }), [])
    })
  }

  it("with a limit of nothing say nothing of the limit", () => {
    assert.deepInclude(parse({ "X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0" })[0], {
      requests: undefined,
      remaining: 0
    })
  })
})

describe("RateLimit and RateLimit-Policy", () => {
  const reading = (fields: Partial<RateLimits.Reading>): RateLimits.Reading => ({
    name: "RateLimit",
    kind: "unknown",
    requests: undefined,
    remaining: undefined,
    resetAfter: undefined,
    window: undefined,
    ...fields
  })

  const burst = reading({
    name: "burst",
    kind: "burst",
    requests: 100,
    remaining: 17,
    resetAfter: 42_000,
    window: 60_000
  })
  const daily = reading({
    name: "daily",
    kind: "daily",
    requests: 1000,
    remaining: 900,
    resetAfter: 30_000,
    window: day
  })

  const cases: ReadonlyArray<readonly [string, Fields, ReadonlyArray<RateLimits.Reading>]> = [
    ["are read as the present draft has them", {
      "RateLimit-Policy": `"burst";q=100;w=60`,
      "RateLimit": `"burst";r=17;t=42`
    }, [burst]],
    ["may name several policies", {
      "RateLimit-Policy": `"burst";q=100;w=60, "daily";q=1000;w=86400`,
      "RateLimit": `"burst";r=17;t=42 ,\t"daily";r=900;t=30`
    }, [burst, daily]],
    ["may have spaces where the grammar has none", {
      "RateLimit-Policy": `"burst"; q=100; w=60`,
      "RateLimit": `"burst" ;r=17; t=42`
    }, [burst]],
    ["may have parameters that nobody knows", {
      "RateLimit-Policy": `burst;q=100;qu="requests";w=60;comment="a, \\"quoted\\"; b";ok;no=?0;pk=:cGs=:`,
      "RateLimit": `burst;r=17;t=42;pk=:cGs=:`
    }, [burst]],
    ["may say that a policy exists and not how it stands", {
      "RateLimit-Policy": `"burst";q=100;w=60`
    }, [reading({ name: "burst", kind: "burst", requests: 100, window: 60_000 })]],
    ["may be about bytes, which are no requests", {
      "RateLimit-Policy": `"bytes";q=65535;qu="content-bytes";w=10`
    }, []],
    ["may say no more than what is left", { "RateLimit": `"x";r=3` }, [reading({ name: "x", remaining: 3 })]],
    ["are read as draft 7 has them", {
      "RateLimit-Policy": "100;w=60",
      "RateLimit": "limit=100, remaining=17, reset=42"
    }, [reading({ ...burst, name: "RateLimit" })]],
    ["are read as draft 7 has them, without a policy", {
      "RateLimit": "limit=100, remaining=17, reset=42"
    }, [reading({ requests: 100, remaining: 17, resetAfter: 42_000 })]],
    ["are read as the older drafts have them", {
      "RateLimit-Policy": "100;w=60",
      "RateLimit-Limit": "100",
      "RateLimit-Remaining": "17",
      "RateLimit-Reset": "42"
    }, [reading({ ...burst, name: "RateLimit" })]],
    ["are read as the oldest draft has them: the limit with its quotas", {
      "RateLimit-Limit": "1000, 100;w=60, 1000;w=86400",
      "RateLimit-Remaining": "900",
      "RateLimit-Reset": "30"
    }, [reading({ ...daily, name: "RateLimit" })]],
    ["are read as the older drafts have them, with the limit in the policy alone", {
      "RateLimit-Policy": "100;w=60",
      "RateLimit-Remaining": "17",
      "RateLimit-Reset": "42"
    }, [reading({ ...burst, name: "RateLimit" })]],
    ["of two drafts are read by the newer", {
      "RateLimit-Policy": `"burst";q=100;w=60`,
      "RateLimit": `"burst";r=17;t=42`,
      "RateLimit-Remaining": "17",
      "RateLimit-Reset": "42"
    }, [burst]],
    ["may tell by its name alone that it is about a day", { "RateLimit": `"daily";r=3` }, [
      reading({ name: "daily", kind: "daily", remaining: 3 })
    ]],
    ["may have a name with quotes in it", { "RateLimit": `"a \\"b\\" c";r=3` }, [reading({ name: `a "b" c`, remaining: 3 })]],
    ["of a quota of nothing say nothing of it", {
      "RateLimit-Policy": `"burst";q=0;w=0`,
      "RateLimit": `"burst";r=0;t=1`
    }, [reading({ name: "burst", remaining: 0, resetAfter: 1000 })]],
    ["with a wait of years say nothing of the wait", {
      "RateLimit": `"burst";r=0;t=99999999`
    }, [reading({ name: "burst", remaining: 0 })]]
  ]
  for (const [name, fields, expected] of cases) it(name, () => assert.deepStrictEqual(parse(fields), expected))

  for (
    const text of [
      "", ",", ";", `"burst`, `"burst";`, `"burst";r=`, `"burst";r=1 x`, `"burst";r=-1;t=5`, `"burst";r=1.5;t=5`,
      `"burst";R=1`, `"a";r=1,`, `("a" "b");r=1`, `"ä";r=1`, `"a\\b";r=1`, `"burst";r=9999999999999999`,
      `"a";r=1;t=1${" ".repeat(3000)}`, `1;r=1;t=5`, `?1;r=1`, "limit=1, remaining=-1, reset=5", "limit=1, reset=5"
    ]
  ) {
    it(`of ${JSON.stringify(text.slice(0, 40))} say nothing`, () => {
      assert.deepStrictEqual(parse({ "RateLimit": text }), [])
    })
  }
})

describe("any headers", () => {
  const bare = FastCheck.oneof(
    FastCheck.nat().map(String),
    FastCheck.integer().map(String),
    FastCheck.double().map(String),
    FastCheck.bigInt({ min: 0n, max: 10n ** 16n }).map(String),
    FastCheck.constantFrom("", " ", "NaN", "-0", "Infinity", "2025-06-02T09:01:00Z", new Date(now).toUTCString(), "\u0000", "0,0"),
    FastCheck.string({ maxLength: 20 })
  )
  const count = FastCheck.nat({ max: 5000 }).map(String)
  const time = FastCheck.oneof(
    FastCheck.nat({ max: 100_000 }).map(String),
    FastCheck.integer({ min: -4_000_000, max: 4_000_000 }).map((off) => String(seconds + off)),
    FastCheck.integer({ min: -40 * day, max: 40 * day }).map((off) => String(now + off)),
    FastCheck.integer({ min: -40 * day, max: 40 * day }).map((off) => new Date(now + off).toISOString()),
    FastCheck.integer({ min: -40 * day, max: 40 * day }).map((off) => new Date(now + off).toUTCString())
  )
  /** Mostly what a server means to say, and often enough not. */
  const mostly = (sound: FastCheck.Arbitrary<string>, weight = 4) =>
    FastCheck.oneof({ weight, arbitrary: sound }, { weight: 1, arbitrary: bare })
  const member = (...keys: ReadonlyArray<string>) =>
    FastCheck.tuple(
      FastCheck.constantFrom(`"burst"`, `"daily"`, "burst", "100"),
      FastCheck.array(FastCheck.tuple(FastCheck.constantFrom(...keys, ...keys, "x"), mostly(count, 20)), { maxLength: 4 })
    ).map(([name, parameters]) => name + parameters.map(([key, value]) => `;${key}=${value}`).join(""))
  const list = (...keys: ReadonlyArray<string>) =>
    FastCheck.array(member(...keys), { minLength: 1, maxLength: 4 }).map((members) => members.join(", "))
  const dictionary = FastCheck.tuple(mostly(count), mostly(count), mostly(count)).map(([limit, remaining, reset]) =>
    `limit=${limit}, remaining=${remaining}, reset=${reset}`
  )
  const family = (prefix: string) => ({
    [`${prefix}-limit`]: mostly(count),
    [`${prefix}-remaining`]: mostly(count),
    [`${prefix}-reset`]: mostly(time),
    [`${prefix}-resettime`]: mostly(time)
  })
  const soup = FastCheck.record({
    ...family("x-ratelimit"),
    ...family("x-burstlimit"),
    ...family("ratelimit"),
    "ratelimit": FastCheck.oneof(mostly(list("r", "t")), dictionary),
    "ratelimit-policy": mostly(list("q", "w")),
    "date": mostly(time)
  }, { requiredKeys: [] })

  it("are tried in which something is said, of every kind", () => {
    const readings = FastCheck.sample(soup, { numRuns: 500, seed: 7 }).flatMap(parse)
    for (const key of ["requests", "remaining", "resetAfter", "window"] as const) {
      assert.isAbove(readings.filter((reading) => reading[key] !== undefined).length, 50, key)
    }
    for (const kind of ["burst", "daily", "unknown"]) {
      assert.isAbove(readings.filter((reading) => reading.kind === kind).length, 50, kind)
    }
  })

  it.prop("give readings that make sense, or none", [soup], ([fields]) => {
    for (const { kind, name, remaining, requests, resetAfter, window } of parse(fields)) {
      const isCount = (value: number | undefined, least: number) =>
        value === undefined || (Number.isSafeInteger(value) && value >= least)
      const isTime = (value: number | undefined) => value === undefined || (value >= 0 && value <= 31 * day)
      assert.isTrue(typeof name === "string" && ["burst", "daily", "unknown"].includes(kind))
      assert.isTrue(isCount(requests, 1), `requests ${requests}`)
      assert.isTrue(isCount(remaining, 0), `remaining ${remaining}`)
      assert.isTrue(isTime(resetAfter), `resetAfter ${resetAfter}`)
      assert.isTrue(isTime(window) && window !== 0, `window ${window}`)
    }
  }, { fastCheck: { numRuns: 2000 } })

  it.prop("that were written in one form are read back from it", [
    FastCheck.record({
      requests: FastCheck.integer({ min: 1, max: 1_000_000 }),
      remaining: FastCheck.integer({ min: 0, max: 1_000_000 }),
      reset: FastCheck.integer({ min: 0, max: 3600 }),
      name: FastCheck.stringMatching(/^[a-z]{1,12}$/)
    })
  ], ([{ name, remaining, requests, reset }]) => {
    const said = { requests, remaining, resetAfter: reset * 1000 }
    for (
      const fields of [
        { "x-ratelimit-limit": `${requests}`, "x-ratelimit-remaining": `${remaining}`, "x-ratelimit-reset": `${reset}` },
        { "x-burstlimit-limit": `${requests}`, "x-burstlimit-remaining": `${remaining}`, "x-burstlimit-reset": `${reset}` },
        { "ratelimit-limit": `${requests}`, "ratelimit-remaining": `${remaining}`, "ratelimit-reset": `${reset}` },
        { "ratelimit": `limit=${requests}, remaining=${remaining}, reset=${reset}` },
        { "ratelimit-policy": `"${name}";q=${requests};w=60`, "ratelimit": `"${name}";r=${remaining};t=${reset}` }
      ]
    ) {
      const readings = parse(fields)
      assert.strictEqual(readings.length, 1)
      assert.deepInclude(readings[0], said)
    }
  })
})
