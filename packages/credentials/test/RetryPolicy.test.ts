import { Headers } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FastCheck, Option, Random, Schedule, ScheduleDecision, ScheduleIntervals } from "effect"
import { RetryPolicy } from "effect-credentials"

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
const longDays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
const two = (n: number) => String(n).padStart(2, "0")

/** The three forms of RFC 9110 §5.6.7. */
const dateForms = {
  imf: (at: Date) => at.toUTCString(),
  rfc850: (at: Date) =>
    `${longDays[at.getUTCDay()]}, ${two(at.getUTCDate())}-${months[at.getUTCMonth()]}-${two(at.getUTCFullYear() % 100)} ` +
    `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} GMT`,
  asctime: (at: Date) =>
    `${days[at.getUTCDay()]} ${months[at.getUTCMonth()]} ${String(at.getUTCDate()).padStart(2, " ")} ` +
    `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} ${at.getUTCFullYear()}`
}

const read = (retryAfter: string | undefined, now = 0, date?: string): Option.Option<number> =>
  Option.map(
    RetryPolicy.retryAfter(
      Headers.fromInput({
        ...(retryAfter === undefined ? {} : { "Retry-After": retryAfter }),
        ...(date === undefined ? {} : { Date: date })
      }),
      now
    ),
    Duration.toMillis
  )

const year = 31_536_000_000
const second = FastCheck.integer({ min: 0, max: 4_000_000_000 })

describe("retryAfter", () => {
  it("reads seconds", () => {
    assert.deepStrictEqual(read("0"), Option.some(0))
    assert.deepStrictEqual(read("2"), Option.some(2000))
    assert.deepStrictEqual(read(" 2 "), Option.some(2000))
    assert.deepStrictEqual(read("007"), Option.some(7000))
    assert.deepStrictEqual(read("12397"), Option.some(12_397_000))
  })

  it("never says more than a year", () => {
    assert.deepStrictEqual(read("99999999999999999999"), Option.some(year))
    assert.deepStrictEqual(read("9".repeat(500)), Option.some(year))
    assert.deepStrictEqual(read("Fri, 31 Dec 9999 23:59:59 GMT"), Option.some(year))
  })

  it("ignores what is neither seconds nor a date", () => {
    for (
      const garbage of [
        undefined,
        "",
        "  ",
        "soon",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "0x10",
        "Infinity",
        "NaN",
        "2 s",
        "2, 3",
        "2;q=1",
        "2026-01-01T00:00:00Z",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Tue, 29 Feb 2023 08:49:37 GMT"
      ]
    ) {
      assert.isTrue(Option.isNone(read(garbage)), String(garbage))
    }
  })

  it("reads the three dates of RFC 9110", () => {
    const at = Date.UTC(1994, 10, 6, 8, 49, 37)
    for (const text of ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]) {
      assert.deepStrictEqual(read(text, at - 90_000), Option.some(90_000))
    }
  })

  it("takes the 29th of February of a leap year and a leap second", () => {
    assert.deepStrictEqual(read("Thu, 29 Feb 2024 00:00:00 GMT", Date.UTC(2024, 1, 28)), Option.some(86_400_000))
    assert.deepStrictEqual(read("Sat, 31 Dec 2016 23:59:60 GMT", Date.UTC(2016, 11, 31, 23, 59, 59)), Option.some(1000))
  })

  it("counts a date from the reply's own Date, and from our clock where that is missing or no date", () => {
    const until = "Sun, 06 Nov 1994 08:49:37 GMT"
    const now = Date.UTC(1994, 10, 6, 8, 49, 0)
    assert.deepStrictEqual(read(until, now, "Sun, 06 Nov 1994 08:49:30 GMT"), Option.some(7000))
    assert.deepStrictEqual(read(until, Date.UTC(2030, 0, 1), "Sunday, 06-Nov-94 08:49:30 GMT"), Option.some(7000))
    assert.deepStrictEqual(read(until, now, "today"), Option.some(37_000))
    assert.deepStrictEqual(read(until, now), Option.some(37_000))
    // Seconds are seconds, whatever the Date.
    assert.deepStrictEqual(read("5", now, "Sun, 06 Nov 1994 08:49:30 GMT"), Option.some(5000))
  })

  it("takes a date in the past for no wait", () => {
    for (const form of Object.values(dateForms)) {
      assert.deepStrictEqual(read(form(new Date(Date.UTC(1994, 0, 1))), Date.UTC(1994, 10, 6)), Option.some(0))
    }
  })

  it("reads two digits of a year as the nearest year that is not more than 50 years ahead", () => {
    const now = Date.UTC(2026, 5, 1)
    assert.deepStrictEqual(read("Monday, 01-Jun-26 00:01:00 GMT", now), Option.some(60_000))
    assert.deepStrictEqual(read("Sunday, 01-Jun-75 00:00:00 GMT", now), Option.some(year)) // 2075
    assert.deepStrictEqual(read("Wednesday, 01-Jun-77 00:00:00 GMT", now), Option.some(0)) // 1977
    // Across the turn of a century.
    assert.deepStrictEqual(read("Friday, 01-Jan-00 00:00:00 GMT", Date.UTC(2099, 11, 31, 23, 59)), Option.some(60_000))
  })

  it.prop("parses any text or ignores it, and is never negative", [FastCheck.string(), second, FastCheck.string()], ([text, now, date]) => {
    const wait = Option.getOrElse(read(text.replace(/[\r\n\0]/g, ""), now * 1000, date.replace(/[\r\n\0]/g, "")), () => 0)
    assert.isTrue(wait >= 0 && wait <= year)
  }, { fastCheck: { numRuns: 300 } })

  it.prop(
    "parses or ignores texts that look like dates",
    [
      FastCheck.array(
        FastCheck.constantFrom("Sun", "Sunday", ",", " ", "-", ":", "06", "6", "99", "Nov", "1994", "94", "00", "24", "60", "GMT"),
        { maxLength: 18 }
      ),
      second
    ],
    ([tokens, now]) => {
      const wait = Option.getOrElse(read(tokens.join(""), now * 1000), () => 0)
      assert.isTrue(wait >= 0 && wait <= year)
    },
    { fastCheck: { numRuns: 300 } }
  )

  it.prop("reads back any second in each form of a date", [
    FastCheck.integer({ min: 0, max: 4_000_000_000 }),
    FastCheck.integer({ min: -40_000_000, max: 40_000_000 })
  ], ([at, away]) => {
    const now = at * 1000
    const until = new Date(now + away * 1000)
    const expected = Option.some(Math.min(year, Math.max(0, away * 1000)))
    if (until.getUTCFullYear() < 1970) return
    for (const [name, form] of Object.entries(dateForms)) {
      assert.deepStrictEqual(read(form(until), now), expected, `${name}: ${form(until)}`)
    }
    // The century of a two-digit year hangs on our clock; the other two forms need no clock but the reply's own.
    for (const form of [dateForms.imf, dateForms.asctime]) {
      assert.deepStrictEqual(read(form(until), 0, new Date(now).toUTCString()), expected)
    }
  }, { fastCheck: { numRuns: 300 } })

  it.prop("reads any number of seconds", [FastCheck.integer({ min: 0, max: 31_536_000 }), second], ([seconds, now]) => {
    assert.deepStrictEqual(read(String(seconds), now * 1000), Option.some(seconds * 1000))
  })
})

const failure = (status: number | undefined): RetryPolicy.RetryableFailure => ({
  reason: status === undefined ? "Transport" : "Status",
  status: Option.fromNullable(status),
  retryAfter: Option.none()
})

/** Steps a schedule by hand: the delays before each further attempt, in milliseconds, until it ends. */
const delays = (
  schedule: Schedule.Schedule<unknown, RetryPolicy.RetryableFailure>,
  failures: Iterable<RetryPolicy.RetryableFailure>,
  startedAt = 0
): Effect.Effect<ReadonlyArray<number>> =>
  Effect.gen(function*() {
    const out: Array<number> = []
    let state: unknown = schedule.initial
    let now = startedAt
    for (const input of failures) {
      const [next, , decision] = yield* schedule.step(now, input, state)
      if (ScheduleDecision.isDone(decision)) break
      const wait = ScheduleIntervals.start(decision.intervals) - now
      out.push(wait)
      now += Math.max(0, wait)
      state = next
    }
    return out
  })

const always = (status: number | undefined, times = 50) => Array.from({ length: times }, () => failure(status))

/** Full jitter at its upper end: what is waited at most. */
const slowest = Effect.withRandom(Random.fixed([0.999_999_999]))

describe("the schedules", () => {
  it.effect("try a 429 five times more and nothing else", () =>
    Effect.gen(function*() {
      assert.lengthOf(yield* delays(RetryPolicy.rateLimited, always(429)), 5)
      for (const status of [500, 503, 408, undefined]) {
        assert.lengthOf(yield* delays(RetryPolicy.rateLimited, always(status)), 0)
      }
    }))

  it.effect("try a server error and a lost connection three times more, and no 429", () =>
    Effect.gen(function*() {
      for (const status of [500, 502, 503, 504, 408, undefined]) {
        assert.lengthOf(yield* delays(RetryPolicy.serverErrors, always(status)), 3)
      }
      assert.lengthOf(yield* delays(RetryPolicy.serverErrors, always(429)), 0)
    }))

  it.effect("together try each kind as often as it would be tried alone", () =>
    Effect.gen(function*() {
      assert.lengthOf(yield* delays(RetryPolicy.default, always(429)), 5)
      assert.lengthOf(yield* delays(RetryPolicy.default, always(503)), 3)
      assert.lengthOf(yield* delays(RetryPolicy.default, [...always(429, 3), ...always(503)]), 6)
      assert.lengthOf(yield* delays(RetryPolicy.default, [...always(503, 3), ...always(429)]), 8)
    }))

  it.effect("try nothing where the schedule is none", () =>
    Effect.gen(function*() {
      for (const status of [429, 503, undefined]) assert.lengthOf(yield* delays(RetryPolicy.none, always(status)), 0)
    }))

  it.effect("double the wait from a quarter of a second", () =>
    Effect.gen(function*() {
      const waits = yield* slowest(delays(RetryPolicy.rateLimited, always(429)))
      waits.forEach((wait, index) => assert.closeTo(wait, 250 * 2 ** index, 1))
    }))

  it.effect("use full jitter: anything between no wait and all of it", () =>
    Effect.gen(function*() {
      const shortest = yield* Effect.withRandom(delays(RetryPolicy.rateLimited, always(429)), Random.fixed([0]))
      assert.deepStrictEqual(shortest, [0, 0, 0, 0, 0])
      const firsts: Array<number> = []
      for (let seed = 0; seed < 100; seed++) {
        const [first] = yield* Effect.withRandom(delays(RetryPolicy.default, always(503)), Random.make(`seed ${seed}`))
        firsts.push(first ?? Number.NaN)
      }
      assert.isBelow(Math.min(...firsts), 25)
      assert.isAbove(Math.max(...firsts), 225)
      const mean = firsts.reduce((sum, it) => sum + it, 0) / firsts.length
      assert.closeTo(mean, 125, 30)
    }))

  it.effect("compose like any other Schedule", () =>
    Effect.gen(function*() {
      const once = Schedule.intersect(RetryPolicy.serverErrors, Schedule.recurs(1))
      assert.lengthOf(yield* delays(once, always(503)), 1)
      const patient = Schedule.andThen(RetryPolicy.serverErrors, Schedule.recurs(2))
      assert.lengthOf(yield* delays(patient, always(503)), 5)
      const only503 = RetryPolicy.default.pipe(
        Schedule.whileInput((it: RetryPolicy.RetryableFailure) => Option.contains(it.status, 503))
      )
      assert.lengthOf(yield* delays(only503, always(500)), 0)
      assert.lengthOf(yield* delays(only503, always(503)), 3)
      const slow = Schedule.addDelay(RetryPolicy.serverErrors, () => "1 minute")
      for (const wait of yield* delays(slow, always(503))) assert.isAtLeast(wait, 60_000)
    }))

  it.effect.prop(
    "never wait a negative time or more than the cap, whatever the failures, the clock and the dice",
    [
      FastCheck.array(FastCheck.constantFrom(429, 408, 500, 502, 503, 504, undefined), { maxLength: 12 }),
      second,
      FastCheck.integer()
    ],
    ([statuses, at, seed]) =>
      Effect.gen(function*() {
        for (const schedule of [RetryPolicy.default, RetryPolicy.rateLimited, RetryPolicy.serverErrors]) {
          const waits = yield* Effect.withRandom(
            delays(schedule, statuses.map(failure), at * 1000),
            Random.make(seed)
          )
          assert.isAtMost(waits.length, 8)
          for (const wait of waits) assert.isTrue(wait >= 0 && wait <= 30_000, `${wait}`)
        }
      }),
    { fastCheck: { numRuns: 40 } }
  )
})

describe("isTransient", () => {
  it("is what time may mend, and nothing else", () => {
    const transient = Array.from({ length: 500 }, (_, index) => 100 + index).filter(RetryPolicy.isTransient)
    const expected = [408, 425, 429, ...Array.from({ length: 100 }, (_, index) => 500 + index)].filter(
      (status) => status !== 501 && status !== 505
    )
    assert.deepStrictEqual(transient, expected)
  })
})

describe("make", () => {
  it("has the limits that the documentation promises", () => {
    const policy = RetryPolicy.make()
    assert.deepStrictEqual(policy.patience, Duration.seconds(60))
    assert.deepStrictEqual(policy.deadline, Duration.minutes(2))
    assert.deepStrictEqual(policy.budget, { capacity: 100, refill: Duration.seconds(1) })
    assert.strictEqual(policy.schedule, RetryPolicy.default)
  })

  it("takes each limit as any duration", () => {
    const policy = RetryPolicy.make({ patience: 0, deadline: "1 hour", budget: { capacity: 1, refill: 500 } })
    assert.deepStrictEqual(policy.patience, Duration.zero)
    assert.deepStrictEqual(policy.deadline, Duration.hours(1))
    assert.deepStrictEqual(policy.budget, { capacity: 1, refill: Duration.millis(500) })
  })
})
