import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Data,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Equal,
  Exit,
  FastCheck,
  Fiber,
  FiberRef,
  Hash,
  Layer,
  Option,
  Redacted,
  Ref,
  Scope,
  Stream,
  TestClock
} from "effect"
import { Accounts, AuthFlow, Credentials, CredentialsError, CredentialsIdentity, Token, TokenStore } from "effect-credentials"
import { Acme, Lookup, Merchants, pass, settled, tokenOf, tokenText, until, world } from "./utils/accounts.js"
import { Keeper } from "../src/internal/accountsKeeper.js"
import type { World } from "./utils/accounts.js"

const kept = (it: World, options: Accounts.Options = {}) => Accounts.layer(Merchants, it.flow, options)

const run = <A, E>(
  it: World,
  body: Effect.Effect<A, E, Merchants>,
  options: Accounts.Options = {}
) => Effect.provide(body, kept(it, options))

/** Uses an account until it is told to stop. */
const using = (account: string) =>
  Effect.gen(function*() {
    const stop = yield* Deferred.make<void>()
    const fiber = yield* Effect.fork(
      tokenText.pipe(Effect.zipLeft(Deferred.await(stop)), Accounts.provide(Merchants, account))
    )
    yield* settled
    return { fiber, stop: Effect.zipRight(Deferred.succeed(stop, undefined), Fiber.join(fiber)) }
  })

const snapshot = Accounts.snapshot(Merchants)

const reasonOf = (error: { readonly _tag: string; readonly reason?: unknown }) => `${error._tag} ${error.reason}`

describe("a program for some account", () => {
  it.effect("gets the credentials of the account that it is provided with", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      assert.strictEqual(yield* tokenOf("a"), "a#1")
      assert.strictEqual(yield* tokenOf("b"), "b#1")
      assert.strictEqual(yield* tokenOf("a"), "a#1")
      assert.deepStrictEqual(it.lookups, ["a", "b"])
      assert.deepStrictEqual(it.calls, ["a", "b"])
    }))
  })

  it.effect("gets those of the innermost provide", () =>
    run(world(), Effect.gen(function*() {
      const both = Effect.all([tokenText, tokenOf("b"), tokenText]).pipe(Accounts.provide(Merchants, "a"))
      assert.deepStrictEqual(yield* both, ["a#1", "b#1", "a#1"])
    })))

  it.effect("may have a key with an equality of its own", () => {
    class Shop extends Data.Class<{ readonly country: string; readonly id: number }> {}
    class Shops extends Accounts.Tag("Shops", Acme)<Shops, Shop, Lookup>() {}
    const it = world()
    const layer = Accounts.layer(Shops, ({ country, id }) => it.flow(`${country}${id}`))
    const at = (country: string, id: number) => tokenText.pipe(Accounts.provide(Shops, new Shop({ country, id })))
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.all([at("de", 1), at("fr", 1), at("de", 1)]), ["de1#1", "fr1#1", "de1#1"])
      assert.deepStrictEqual(it.lookups, ["de1", "fr1"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("has its own account's token, whatever hash the keys have", () => {
    class Shop implements Equal.Equal {
      readonly id: string
      constructor(id: string) {
        this.id = id
      }
      [Equal.symbol](that: unknown) {
        return that instanceof Shop && that.id === this.id
      }
      [Hash.symbol]() {
        return 1
      }
    }
    class Shops extends Accounts.Tag("Shops", Acme)<Shops, Shop, Lookup>() {}
    const it = world()
    return Effect.gen(function*() {
      for (let round = 0; round < 3; round += 1) {
        for (const id of ["a", "b", "c", "d"]) {
          const text = yield* tokenText.pipe(Accounts.provide(Shops, new Shop(id)))
          assert.strictEqual(text.split("#")[0], id)
        }
        yield* Accounts.invalidate(Shops, new Shop("b"))
        yield* pass("6 minutes")
      }
      for (let hour = 0; hour < 2; hour += 1) yield* pass("1 hour")
      assert.strictEqual((yield* Accounts.snapshot(Shops)).accounts, 0)
    }).pipe(Effect.provide(Accounts.layer(Shops, ({ id }) => it.flow(id), { maxAccounts: 3 })))
  })

  it.effect("keeps an account open for as long as a scope", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      const scope = yield* Scope.make()
      const acme = yield* Scope.extend(Accounts.get(Merchants, "a"), scope)
      yield* pass("1 day")
      assert.strictEqual((yield* snapshot).inUse, 1)
      assert.strictEqual(Redacted.value((yield* acme.token).accessToken), "a#1")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* snapshot).inUse, 0)
      yield* pass("10 minutes")
      const error = yield* Effect.flip(acme.token)
      assert.strictEqual(reasonOf(error), "TokenEndpointUnavailable Closed")
    }))
  })
})

describe("Accounts.use", () => {
  it.effect("lets go of an account where the program throws before it is one", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      const merchants = yield* Merchants
      const exit = yield* Effect.exit(merchants.use("a", (): Effect.Effect<never> => {
        throw new Error("a mistake")
      }))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDieType(exit.cause))
      assert.strictEqual((yield* snapshot).inUse, 0)
    }))
  })

  it.effect("lets go of an account wherever its user is interrupted", () => {
    const it = world()
    it.lookup = () => Effect.repeatN(Effect.yieldNow(), 5)
    return run(it, Effect.gen(function*() {
      for (let steps = 0; steps < 60; steps += 1) {
        for (const how of ["use", "get"] as const) {
          const merchants = yield* Merchants
          const fiber = yield* Effect.fork(
            how === "use"
              ? merchants.use("a", (acme) => Effect.forever(Effect.zipRight(acme.token, Effect.yieldNow())))
              : Effect.scoped(Effect.zipRight(merchants.get("a"), Effect.never))
          )
          if (steps % 2 === 0) yield* Effect.repeatN(Effect.yieldNow(), steps)
          else yield* Effect.repeatN(settled, steps % 5)
          yield* Fiber.interrupt(fiber)
          assert.strictEqual((yield* snapshot).inUse, 0)
        }
        if (steps % 3 === 0) yield* Accounts.invalidate(Merchants, "a")
      }
      yield* pass("10 minutes")
      yield* pass("2 hours")
      assert.deepInclude(yield* snapshot, { accounts: 0, inUse: 0, renewing: 0, waiting: 0 })
    }))
  })
})

describe("opening an account", () => {
  it.effect("happens once for a thousand callers", () => {
    const it = world()
    it.lookup = () => Effect.sleep("1 second")
    return run(it, Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.all(Array.from({ length: 1000 }, () => tokenOf("a")), { concurrency: "unbounded" }))
      yield* pass("1 second")
      assert.deepStrictEqual(new Set(yield* Fiber.join(fiber)), new Set(["a#1"]))
      assert.deepStrictEqual(it.lookups, ["a"])
      assert.strictEqual((yield* snapshot).inUse, 0)
    }))
  })

  it.effect("that fails, fails for all who wait, and is tried again for the next", () => {
    const it = world()
    const why = new Lookup("no such merchant")
    it.lookup = () => Effect.zipRight(Effect.sleep("1 second"), Effect.fail(why))
    return run(it, Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.all(Array.from({ length: 5 }, () => Effect.flip(tokenOf("a"))), { concurrency: "unbounded" }))
      yield* pass("1 second")
      assert.deepStrictEqual((yield* Fiber.join(fiber)).map((error) => error === why), Array.from({ length: 5 }, () => true))
      assert.strictEqual(it.lookups.length, 1)
      assert.strictEqual((yield* snapshot).accounts, 0)
      it.lookup = () => Effect.void
      assert.strictEqual(yield* tokenOf("a"), "a#1")
    }))
  })

  it.effect("that dies or throws, dies for those who wait", () => {
    const it = world()
    it.lookup = () => {
      throw new Error("a mistake")
    }
    return run(it, Effect.gen(function*() {
      const exit = yield* Effect.exit(tokenOf("a"))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDieType(exit.cause))
      assert.strictEqual((yield* snapshot).accounts, 0)
    }))
  })

  it.effect("that interrupts itself is an error with a name", () => {
    const it = world()
    it.lookup = () => Effect.interrupt
    return run(it, Effect.gen(function*() {
      assert.strictEqual(reasonOf(yield* Effect.flip(tokenOf("a"))), "AccountsUnavailable Interrupted")
    }))
  })

  it.effect("goes on for the others when the first caller is interrupted", () => {
    const it = world()
    it.lookup = () => Effect.sleep("1 second")
    return run(it, Effect.gen(function*() {
      const first = yield* Effect.fork(tokenOf("a"))
      yield* settled
      const second = yield* Effect.fork(tokenOf("a"))
      yield* settled
      yield* Fiber.interrupt(first)
      assert.strictEqual((yield* snapshot).inUse, 1)
      yield* pass("1 second")
      assert.strictEqual(yield* Fiber.join(second), "a#1")
      assert.deepStrictEqual(it.lookups, ["a"])
    }))
  })

  it.effect("that nobody waits for any more is given up after the idle time", () => {
    const it = world()
    const interrupted = Ref.unsafeMake(0)
    it.lookup = () => Effect.onInterrupt(Effect.never, () => Ref.update(interrupted, (n) => n + 1))
    return run(it, Effect.gen(function*() {
      const caller = yield* Effect.fork(tokenOf("a"))
      yield* settled
      yield* Fiber.interrupt(caller)
      yield* pass("4 minutes")
      assert.strictEqual(yield* Ref.get(interrupted), 0)
      yield* pass("2 minutes")
      assert.strictEqual(yield* Ref.get(interrupted), 1)
      assert.strictEqual((yield* snapshot).accounts, 0)
    }))
  })

  it.effect("inherits nothing of the caller", () => {
    const it = world()
    const mark = FiberRef.unsafeMake("the Layer's")
    const seen: Array<string> = []
    const look = Effect.map(FiberRef.get(mark), (value) => void seen.push(value))
    it.lookup = () => look
    it.call = () => look
    return run(it, Effect.gen(function*() {
      yield* tokenOf("a").pipe(Effect.locally(mark, "the caller's"))
      assert.deepStrictEqual(seen, ["the Layer's", "the Layer's"])
    }))
  })

  it.effect("releases what the lookup acquired when it has the flow", () => {
    const it = world()
    const open = Ref.unsafeMake(0)
    const acquired = Effect.acquireRelease(Ref.update(open, (n) => n + 1), () => Ref.update(open, (n) => n - 1))
    const during: Array<number> = []
    const layer = Accounts.layer(Merchants, (account) =>
      acquired.pipe(
        Effect.zipRight(Effect.map(Ref.get(open), (n) => void during.push(n))),
        Effect.zipRight(it.flow(account))
      ))
    return Effect.gen(function*() {
      yield* tokenOf("a")
      assert.deepStrictEqual(during, [1])
      assert.strictEqual(yield* Ref.get(open), 0)
    }).pipe(Effect.provide(layer))
  })
})

describe("an account that nobody uses", () => {
  it.effect("is closed after its idle time, keeps its token, and comes back without a call", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      const acme = yield* Acme.pipe(Effect.tap((acme) => acme.token), Accounts.provide(Merchants, "a"))
      yield* pass("4 minutes")
      assert.deepInclude(yield* snapshot, { accounts: 1, open: 1, idle: 0 })
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(acme.token)))
      yield* pass("2 minutes")
      assert.deepInclude(yield* snapshot, { accounts: 1, open: 0, idle: 1 })
      assert.strictEqual(reasonOf(yield* Effect.flip(acme.token)), "TokenEndpointUnavailable Closed")
      assert.strictEqual(yield* tokenOf("a"), "a#1")
      assert.deepStrictEqual(it.calls, ["a"])
      assert.deepStrictEqual(it.lookups, ["a", "a"])
      assert.deepInclude(yield* snapshot, { accounts: 1, open: 1, idle: 0 })
    }))
  })

  it.effect("is not closed before its idle time, whenever others are", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      yield* tokenOf("a")
      yield* pass("30 seconds")
      yield* tokenOf("b")
      yield* pass("285 seconds")
      assert.deepInclude(yield* snapshot, { open: 1, idle: 1 })
      yield* pass("53 seconds")
      assert.deepInclude(yield* snapshot, { open: 0, idle: 2 })
    }))
  })

  it.effect("is kept open by each new use", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      for (let minute = 0; minute < 40; minute += 4) {
        yield* tokenOf("a")
        yield* pass("4 minutes")
      }
      assert.deepStrictEqual(it.lookups, ["a"])
      assert.strictEqual((yield* snapshot).open, 1)
    }))
  })

  it.effect("is forgotten with its token", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      yield* tokenOf("a")
      yield* pass("50 minutes")
      assert.strictEqual((yield* snapshot).idle, 1)
      yield* pass("11 minutes")
      assert.strictEqual((yield* snapshot).accounts, 0)
      assert.strictEqual(yield* tokenOf("a"), "a#2")
    }))
  })

  it.effect("has a token that is renewed when it is due, as if it had been open all the time", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      yield* tokenOf("a")
      yield* pass("56 minutes")
      assert.strictEqual((yield* snapshot).idle, 1)
      // In the soft window: the old one at once, a new one behind it.
      assert.strictEqual(yield* tokenOf("a"), "a#1")
      yield* settled
      assert.strictEqual(yield* tokenOf("a"), "a#2")
    }))
  })

  it.effect("does not come back with the token of another identity", () => {
    const it = world()
    let secret = "one"
    const layer = Accounts.layer(Merchants, (account) =>
      Effect.map(it.flow(account), (flow) => ({
        ...flow,
        identity: { ...flow.identity, secret: Redacted.make(secret) }
      })))
    return Effect.gen(function*() {
      assert.strictEqual(yield* tokenOf("a"), "a#1")
      yield* pass("6 minutes")
      secret = "two"
      assert.strictEqual(yield* tokenOf("a"), "a#2")
    }).pipe(Effect.provide(layer))
  })

  it.effect("keeps its token through a lookup that fails", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      yield* tokenOf("a")
      yield* pass("6 minutes")
      it.lookup = () => Effect.fail(new Lookup("the database is down"))
      assert.strictEqual((yield* Effect.flip(tokenOf("a")))._tag, "Lookup")
      assert.deepInclude(yield* snapshot, { accounts: 1, inUse: 0, idle: 1 })
      it.lookup = () => Effect.void
      assert.strictEqual(yield* tokenOf("a"), "a#1")
      yield* pass("2 hours")
      assert.strictEqual((yield* snapshot).accounts, 0)
    }))
  })

  it.effect("still does what a server asked it to: no call before Retry-After", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      const retryAt = DateTime.addDuration(yield* DateTime.now, "30 minutes")
      it.call = () => Effect.fail(new CredentialsError.TokenEndpointUnavailable({ provider: "acme", reason: "Status", status: 429, retryAt }))
      yield* Effect.flip(tokenOf("a"))
      yield* pass("6 minutes")
      assert.strictEqual((yield* snapshot).idle, 1)
      yield* Effect.flip(tokenOf("a"))
      assert.deepStrictEqual(it.calls, ["a"])
      yield* pass("25 minutes")
      it.call = () => Effect.void
      assert.strictEqual(yield* tokenOf("a"), "a#1")
    }))
  })

  it.effect("is not closed while its token is being renewed", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      it.call = () => Effect.sleep("25 seconds")
      const caller = yield* Effect.fork(tokenOf("a"))
      yield* until(() => it.calling === 1)
      yield* Fiber.interrupt(caller)
      yield* pass("10 seconds")
      assert.strictEqual((yield* snapshot).open, 1)
      yield* pass("20 seconds")
      assert.strictEqual((yield* snapshot).idle, 1)
      it.call = () => Effect.void
      assert.strictEqual(yield* tokenOf("a"), "a#1")
    }), { idleTimeToLive: "1 second" })
  })

  it.effect("may be kept open for ever", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      yield* tokenOf("a")
      yield* pass("20 days")
      assert.strictEqual((yield* snapshot).open, 1)
      assert.strictEqual((yield* TestClock.sleeps()).pipe((sleeps) => Array.from(sleeps).length), 0)
    }), { idleTimeToLive: Duration.infinity })
  })
})

describe("a keeper that is full", () => {
  it.effect("forgets the account that was used longest ago, idle or not", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      yield* tokenOf("a")
      yield* tokenOf("b")
      yield* tokenOf("c")
      yield* tokenOf("a")
      yield* tokenOf("d")
      assert.strictEqual((yield* snapshot).accounts, 3)
      assert.deepStrictEqual(yield* Effect.all(["a", "c", "d"].map(tokenOf)), ["a#1", "c#1", "d#1"])
      yield* pass("6 minutes")
      assert.deepInclude(yield* snapshot, { accounts: 3, idle: 3 })
      yield* tokenOf("a")
      yield* tokenOf("e")
      assert.deepInclude(yield* snapshot, { accounts: 3, idle: 1 })
      assert.deepStrictEqual(yield* Effect.all(["a", "d", "e"].map(tokenOf)), ["a#1", "d#1", "e#1"])
      assert.strictEqual(yield* tokenOf("c"), "c#2")
    }), { maxAccounts: 3 })
  })

  it.effect("never forgets one in use, and says so where all are", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      const a = yield* using("a")
      const b = yield* using("b")
      const error = yield* Effect.flip(tokenOf("c"))
      assert.strictEqual(reasonOf(error), "AccountsUnavailable AllInUse")
      assert.strictEqual(
        error.message,
        "All 2 accounts that Merchants may keep are in use. Try again later, or raise maxAccounts."
      )
      assert.strictEqual(yield* tokenOf("a"), "a#1")
      assert.strictEqual(yield* a.stop, "a#1")
      assert.strictEqual(yield* tokenOf("c"), "c#1")
      assert.strictEqual(yield* b.stop, "b#1")
      assert.deepStrictEqual(it.lookups, ["a", "b", "c"])
    }), { maxAccounts: 2 })
  })

  it.effect("counts those that are being opened", () => {
    const it = world()
    it.lookup = () => Effect.sleep("1 second")
    return run(it, Effect.gen(function*() {
      const first = yield* Effect.fork(tokenOf("a"))
      yield* settled
      assert.strictEqual(reasonOf(yield* Effect.flip(tokenOf("b"))), "AccountsUnavailable AllInUse")
      yield* pass("1 second")
      assert.strictEqual(yield* Fiber.join(first), "a#1")
    }), { maxAccounts: 1 })
  })

  it.effect("does not take the place of one whose token is being renewed", () => {
    const it = world()
    it.call = () => Effect.sleep("10 seconds")
    return run(it, Effect.gen(function*() {
      const caller = yield* Effect.fork(tokenOf("a"))
      yield* until(() => it.calling === 1)
      yield* Fiber.interrupt(caller)
      assert.strictEqual(reasonOf(yield* Effect.flip(tokenOf("b"))), "AccountsUnavailable AllInUse")
      yield* pass("10 seconds")
      it.call = () => Effect.void
      assert.strictEqual(yield* tokenOf("b"), "b#1")
      assert.strictEqual((yield* snapshot).accounts, 1)
    }), { maxAccounts: 1 })
  })

  it.effect("gives up an opening that nobody waits for", () => {
    const it = world()
    it.lookup = (account) => account === "a" ? Effect.never : Effect.void
    return run(it, Effect.gen(function*() {
      const caller = yield* Effect.fork(tokenOf("a"))
      yield* settled
      yield* Fiber.interrupt(caller)
      assert.strictEqual(yield* tokenOf("b"), "b#1")
      assert.strictEqual((yield* snapshot).accounts, 1)
    }), { maxAccounts: 1 })
  })

  for (const options of [{ maxAccounts: 0 }, { maxAccounts: NaN }, { renewalConcurrency: 0 }]) {
    it.effect(`is a mistake with ${Object.entries(options).join()}`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(run(world(), Effect.void.pipe(Effect.zipLeft(Merchants)), options))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDieType(exit.cause) && String(exit.cause.defect).includes("at least 1"))
      }))
  }
})

describe("Accounts.invalidate", () => {
  it.effect("forgets an account and its token", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      yield* tokenOf("a")
      yield* Accounts.invalidate(Merchants, "a")
      yield* Accounts.invalidate(Merchants, "unknown")
      assert.strictEqual((yield* snapshot).accounts, 0)
      assert.strictEqual(yield* tokenOf("a"), "a#2")
      yield* pass("6 minutes")
      yield* Accounts.invalidate(Merchants, "a")
      assert.strictEqual((yield* snapshot).accounts, 0)
      assert.strictEqual(yield* tokenOf("a"), "a#3")
    }))
  })

  it.effect("lets those who use it go on, and gives others a new one", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      const old = yield* Deferred.make<Credentials.Credentials>()
      const stop = yield* Deferred.make<void>()
      const user = yield* Effect.fork(
        Effect.flatMap(Acme, (acme) =>
          Deferred.succeed(old, acme).pipe(Effect.zipRight(Deferred.await(stop)), Effect.zipRight(tokenText))).pipe(
            Accounts.provide(Merchants, "a")
          )
      )
      const acme = yield* Deferred.await(old)
      yield* acme.token
      yield* Accounts.invalidate(Merchants, "a")
      assert.strictEqual(yield* tokenOf("a"), "a#2")
      assert.deepInclude(yield* snapshot, { accounts: 2, inUse: 1 })
      yield* pass("20 minutes")
      assert.strictEqual(Redacted.value((yield* acme.token).accessToken), "a#1")
      yield* Deferred.succeed(stop, undefined)
      assert.strictEqual(yield* Fiber.join(user), "a#1")
      yield* settled
      assert.strictEqual(reasonOf(yield* Effect.flip(acme.token)), "TokenEndpointUnavailable Closed")
      assert.strictEqual((yield* snapshot).accounts, 1)
    }))
  })

  it.effect("while it is being opened gives those who wait what they wait for, and others a new one", () => {
    const it = world()
    it.lookup = () => Effect.sleep("1 second")
    return run(it, Effect.gen(function*() {
      const first = yield* Effect.fork(tokenOf("a"))
      yield* settled
      yield* Accounts.invalidate(Merchants, "a")
      const second = yield* Effect.fork(tokenOf("a"))
      yield* pass("1 second")
      assert.sameMembers([yield* Fiber.join(first), yield* Fiber.join(second)], ["a#1", "a#2"])
      yield* settled
      assert.strictEqual((yield* snapshot).accounts, 1)
    }))
  })

  it.effect("while it comes back, and cannot, forgets its token too", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      yield* tokenOf("a")
      yield* pass("6 minutes")
      it.lookup = () => Effect.zipRight(Effect.sleep("1 second"), Effect.fail(new Lookup("the database is down")))
      const caller = yield* Effect.fork(Effect.flip(tokenOf("a")))
      yield* settled
      yield* Accounts.invalidate(Merchants, "a")
      yield* pass("1 second")
      assert.strictEqual((yield* Fiber.join(caller))._tag, "Lookup")
      assert.strictEqual((yield* snapshot).accounts, 0)
      it.lookup = () => Effect.void
      assert.strictEqual(yield* tokenOf("a"), "a#2")
    }))
  })
})

describe("renewals of many accounts", () => {
  const accounts = Array.from({ length: 50 }, (_, index) => `account-${index}`)
  const all = Effect.forEach(accounts, tokenOf, { concurrency: "unbounded" })

  it.effect("run so many at a time, in the order in which they were asked for", () => {
    const it = world()
    it.call = () => Effect.sleep("1 second")
    return run(it, Effect.gen(function*() {
      const fiber = yield* Effect.fork(all)
      yield* until(() => it.calling === 4)
      yield* settled
      assert.deepInclude(yield* snapshot, { renewing: 4, waiting: 46 })
      yield* Effect.repeatN(pass("1 second"), 12)
      assert.deepStrictEqual(yield* Fiber.join(fiber), accounts.map((account) => `${account}#1`))
      assert.strictEqual(it.mostCalling, 4)
      assert.deepStrictEqual([...it.calls].sort(), [...accounts].sort())
      assert.deepInclude(yield* snapshot, { renewing: 0, waiting: 0 })
    }), { renewalConcurrency: 4 })
  })

  it.effect("do not wait on the time of a call", () => {
    const it = world()
    it.call = () => Effect.sleep("20 seconds")
    return run(it, Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.forEach(["a", "b", "c", "d"], tokenOf, { concurrency: "unbounded" }))
      yield* Effect.repeatN(pass("20 seconds"), 4)
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["a#1", "b#1", "c#1", "d#1"])
    }), { renewalConcurrency: 1, exchangeTimeout: "30 seconds" })
  })

  it.effect("give up their place when they have waited too long, and the rest goes on", () => {
    const it = world()
    it.call = () => Effect.sleep("40 seconds")
    return run(it, Effect.gen(function*() {
      const fiber = yield* Effect.fork(
        Effect.forEach(["a", "b", "c", "d"], (account) => Effect.either(tokenOf(account)), { concurrency: "unbounded" })
      )
      yield* pass("40 seconds")
      yield* pass("20 seconds")
      assert.deepInclude(yield* snapshot, { renewing: 1, waiting: 0 })
      yield* pass("20 seconds")
      const results = (yield* Fiber.join(fiber)).map((result) => result._tag === "Right" ? result.right : reasonOf(result.left))
      assert.strictEqual(results.filter((result) => result === "TokenEndpointUnavailable Busy").length, 2)
      assert.strictEqual(results.filter((result) => result.endsWith("#1")).length, 2)
    }), { renewalConcurrency: 1, renewalPatience: "1 minute", exchangeTimeout: "1 minute" })
  })

  it.effect("wait for the turn of one that is interrupted no longer", () => {
    const it = world()
    it.call = (account) => account === "a" ? Effect.never : Effect.void
    return run(it, Effect.gen(function*() {
      yield* Effect.fork(tokenOf("a"))
      yield* until(() => it.calling === 1)
      const b = yield* Effect.fork(tokenOf("b"))
      const c = yield* Effect.fork(tokenOf("c"))
      while ((yield* snapshot).waiting < 2) yield* settled
      // Its renewal waits in line; the account goes, and its place with it.
      yield* Fiber.interrupt(b)
      yield* Accounts.invalidate(Merchants, "b")
      yield* settled
      assert.deepInclude(yield* snapshot, { renewing: 1, waiting: 1 })
      yield* pass("30 seconds")
      assert.strictEqual(yield* Fiber.join(c), "c#1")
      assert.deepStrictEqual(it.calls, ["a", "c"])
    }), { renewalConcurrency: 1, exchangeTimeout: "30 seconds" })
  })

  it.effect("hand out tokens that are still good meanwhile", () => {
    const it = world()
    return run(it, Effect.gen(function*() {
      yield* all
      yield* pass("56 minutes")
      it.call = () => Effect.sleep("1 second")
      it.mostCalling = 0
      assert.deepStrictEqual(yield* all, accounts.map((account) => `${account}#1`))
      yield* Effect.repeatN(pass("1 second"), 30)
      assert.strictEqual(it.mostCalling, 2)
      assert.deepStrictEqual(yield* all, accounts.map((account) => `${account}#2`))
    }), { renewalConcurrency: 2, maxAccounts: 100 })
  })
})

describe("the end of the Layer", () => {
  it.effect("closes every account, and lets nobody wait", () => {
    const it = world()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(kept(it, { renewalConcurrency: 2 }), scope)
      const of = (account: string) => Effect.provide(tokenOf(account), context)
      const open = yield* Effect.provide(Acme.pipe(Accounts.provide(Merchants, "open")), context)
      yield* open.token
      it.call = () => Effect.never
      const callers = yield* Effect.forEach(Array.from({ length: 500 }, (_, n) => n), (n) => Effect.fork(Effect.either(of(`calling-${n}`))))
      yield* until(() => it.lookups.length === 501)
      yield* until(() => it.calling === 2)
      yield* settled
      it.lookup = () => Effect.never
      const opening = yield* Effect.fork(Effect.either(of("opening")))
      yield* settled
      // Without the clock: nothing here needs time.
      yield* Scope.close(scope, Exit.void)
      const reasons = new Set<string>()
      for (const caller of [...callers, opening]) {
        const result = yield* Fiber.join(caller)
        reasons.add(result._tag === "Left" ? reasonOf(result.left) : result.right)
      }
      assert.deepStrictEqual(reasons, new Set(["TokenEndpointUnavailable Closed", "AccountsUnavailable Closed"]))
      assert.strictEqual(it.calling, 0)
      // That of `open`, and the two that were under way: nobody's turn came while all were closed.
      assert.strictEqual(it.calls.length, 3)
      assert.strictEqual(reasonOf(yield* Effect.flip(open.token)), "TokenEndpointUnavailable Closed")
      assert.strictEqual(reasonOf(yield* Effect.flip(of("open"))), "AccountsUnavailable Closed")
    })
  })

  it.effect("does not wait for calls that cannot be stopped longer than it must", () => {
    const it = world()
    it.call = () => Effect.uninterruptible(Effect.never)
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(kept(it, { renewalConcurrency: 100 }), scope)
      yield* Effect.forEach(Array.from({ length: 100 }, (_, n) => n), (n) => Effect.fork(Effect.provide(tokenOf(`${n}`), context)))
      yield* until(() => it.calling === 100)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* pass("5 seconds")
      assert.isTrue(Option.isSome(yield* Fiber.poll(closing)))
    })
  })
})

describe("accounts of one store", () => {
  const person = (customer: string, calls: Array<string>) =>
    AuthFlow.make({
      identity: { provider: "acme", clientId: "app", grant: "authorization_code", account: customer },
      baseUrl: "https://api.acme.test",
      lifetimeWhenAbsent: "1 hour",
      renew: (refreshToken) =>
        Effect.sync(() => {
          calls.push(Redacted.value(refreshToken))
          const next = `${customer}-${calls.length}`
          return { accessToken: Redacted.make(`access-${next}`), refreshToken: Redacted.make(`refresh-${next}`) }
        })
    }).pipe(Effect.orDie)

  const login = (customer: string, calls: Array<string>) =>
    Effect.gen(function*() {
      const store = yield* TokenStore.TokenStore
      const identity = yield* CredentialsIdentity.make((yield* person(customer, calls)).identity)
      const now = yield* DateTime.now
      yield* store.withLock(TokenStore.key(identity), ({ save }) =>
        save({
          token: Token.make({
            accessToken: `access-${customer}-0`,
            refreshToken: `refresh-${customer}-0`,
            issuedAt: now,
            expiresAt: DateTime.addDuration(now, "1 hour")
          }),
          generation: 1,
          redeeming: Option.none()
        }))
    })

  it.effect("cost nothing while nobody uses them, and come back without a call", () => {
    const calls: Array<string> = []
    const layer = Accounts.layerShared(Merchants, (customer) => person(customer, calls)).pipe(
      Layer.provideMerge(TokenStore.layerMemory)
    )
    return Effect.gen(function*() {
      assert.strictEqual(reasonOf(yield* Effect.flip(tokenOf("alice"))), "ReauthorizationRequired NothingStored")
      yield* login("alice", calls)
      yield* login("bob", calls)
      assert.strictEqual(yield* tokenOf("alice"), "access-alice-0")
      assert.strictEqual(yield* tokenOf("bob"), "access-bob-0")
      yield* pass("6 minutes")
      assert.strictEqual((yield* snapshot).accounts, 0)
      assert.strictEqual(yield* tokenOf("alice"), "access-alice-0")
      assert.deepStrictEqual(calls, [])
      yield* pass("1 hour")
      assert.strictEqual(yield* tokenOf("alice"), "access-alice-1")
      assert.deepStrictEqual(calls, ["refresh-alice-0"])
    }).pipe(Effect.provide(layer))
  })

  /** A store that may refuse new tokens, or hang. */
  const breakable = () => {
    const it = { state: "well" as "well" | "read-only" | "hanging" | "dying" }
    const layer = Layer.effect(
      TokenStore.TokenStore,
      Effect.map(TokenStore.TokenStore, (store): TokenStore.TokenStore => ({
        ...store,
        withLock: (key, body) =>
          it.state === "hanging" ? Effect.never : it.state === "dying" ? Effect.die("a mistake in a store") : store.withLock(key, (held) =>
            body({
              ...held,
              save: (entry) =>
                it.state === "read-only" && Option.isNone(entry.redeeming)
                  ? Effect.fail(new CredentialsError.TokenStoreError({ operation: "save", description: "read-only" }))
                  : held.save(entry)
            }))
      }))
    ).pipe(Layer.provide(TokenStore.layerMemory))
    return { it, layer }
  }

  const shared = (calls: Array<string>, store: Layer.Layer<TokenStore.TokenStore>, options?: Accounts.SharedOptions) =>
    Accounts.layerShared(Merchants, (customer) => person(customer, calls), options).pipe(Layer.provideMerge(store))

  /** Renews tokens that the store does not take. */
  const renewInVain = (customers: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      yield* pass("2 hours")
      const callers = yield* Effect.forEach(customers, (customer) => Effect.fork(Effect.flip(tokenOf(customer))))
      yield* Effect.repeatN(pass("5 seconds"), 10)
      for (const error of yield* Effect.forEach(callers, (caller) => Fiber.join(caller))) {
        assert.strictEqual(error._tag, "TokenStoreError")
      }
    })

  it.effect("are not closed with a token that the store would not take", () => {
    const calls: Array<string> = []
    const { it, layer } = breakable()
    return Effect.gen(function*() {
      yield* login("alice", calls)
      yield* login("bob", calls)
      it.state = "read-only"
      yield* renewInVain(["alice"])
      for (let minute = 0; minute < 10; minute += 1) yield* pass("1 minute")
      assert.strictEqual((yield* snapshot).open, 1)
      assert.strictEqual(reasonOf(yield* Effect.flip(tokenOf("bob"))), "AccountsUnavailable AllInUse")
      it.state = "well"
      for (let minute = 0; minute < 5; minute += 1) yield* pass("1 minute")
      assert.strictEqual((yield* snapshot).accounts, 0)
      // What the server had answered is what the next one begins with: nothing was redeemed twice.
      assert.strictEqual(yield* tokenOf("alice"), "access-alice-1")
      assert.deepStrictEqual(calls, ["refresh-alice-0"])
    }).pipe(Effect.provide(shared(calls, layer, { maxAccounts: 1 })))
  })

  it.effect("tell whoever listens that they are closed, even where the store dies of the last save", () => {
    const calls: Array<string> = []
    const { it, layer } = breakable()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const built = yield* Layer.buildWithScope(shared(calls, layer), scope)
      yield* Effect.gen(function*() {
        yield* login("alice", calls)
        const acme = yield* Scope.extend(Accounts.get(Merchants, "alice"), scope)
        it.state = "read-only"
        yield* renewInVain(["alice"])
        const listening = yield* Effect.fork(Stream.runDrain(acme.events))
        const watching = yield* Effect.fork(Stream.runDrain(acme.rateLimits?.events ?? Stream.empty))
        yield* settled
        it.state = "dying"
        yield* Scope.close(scope, Exit.void)
        yield* settled
        assert.isTrue(Option.isSome(yield* Fiber.poll(listening)))
        assert.isTrue(Option.isSome(yield* Fiber.poll(watching)))
      }).pipe(Effect.provide(built))
    })
  })

  it.effect("lose nothing that is not saved where they are invalidated", () => {
    const calls: Array<string> = []
    const { it, layer } = breakable()
    return Effect.gen(function*() {
      yield* login("alice", calls)
      it.state = "read-only"
      yield* renewInVain(["alice"])
      yield* Accounts.invalidate(Merchants, "alice")
      yield* pass("1 minute")
      it.state = "well"
      for (let minute = 0; minute < 5; minute += 1) yield* pass("1 minute")
      assert.strictEqual((yield* snapshot).accounts, 0)
      assert.strictEqual(yield* tokenOf("alice"), "access-alice-1")
      assert.deepStrictEqual(calls, ["refresh-alice-0"])
    }).pipe(Effect.provide(shared(calls, layer)))
  })
})

describe("Accounts.layerTest", () => {
  it.effect("gives each account what its Layer gives", () => {
    const layer = Accounts.layerTest(Merchants, (merchant) => Credentials.layerTest(Acme, { token: `token-of-${merchant}` }))
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.all([tokenOf("a"), tokenOf("b")]), ["token-of-a", "token-of-b"])
      yield* Accounts.invalidate(Merchants, "a")
      assert.strictEqual(yield* tokenOf("a"), "token-of-a")
    }).pipe(Effect.provide(layer))
  })
})

describe("a keeper whose accounts take a second to close", () => {
  /** With a log of what is opened and closed. */
  const slow = (
    { keeps = false, settle = () => Effect.void, ...options }: {
      readonly maxAccounts: number
      readonly closing: number
      /** Whether what is closed leaves its token. */
      readonly keeps?: boolean
      readonly settle?: (account: string) => Effect.Effect<void>
    }
  ) =>
    Effect.gen(function*() {
      const log: Array<string> = []
      /** Those that have a token which is not saved. */
      const busy = new Set<string>()
      const now = yield* DateTime.now
      const token = Token.make({ accessToken: "kept", issuedAt: now, expiresAt: DateTime.addDuration(now, "1 hour") })
      const keeper = new Keeper<string, never>(
        {
          ...options,
          name: "slow",
          idleTimeToLive: 60_000,
          open: (account, memory) =>
            Effect.map(Effect.scoped(Layer.build(Credentials.layerTest(Acme, { token: account }))), (context) => {
              log.push(memory === undefined ? `open ${account}` : `open ${account} with its token`)
              return {
                credentials: Context.get(context, Acme),
                isBusy: () => busy.has(account),
                settle: () => settle(account),
                memory: () =>
                  Effect.succeed(keeps ? { identity: account, token: { held: { token, generation: 1 }, backoff: undefined } } : undefined),
                close: () => Effect.zipRight(Effect.sleep("1 second"), Effect.sync(() => void log.push(`closed ${account}`)))
              }
            })
        },
        yield* Effect.runtime<never>(),
        yield* Effect.clock
      )
      const use = (account: string) => keeper.use(account, (effect) => effect)
      const touch = (account: string) => Effect.map(use(account), ({ leave }) => leave())
      return { busy, keeper, log, touch, use }
    })

  it.effect("opens one anew when it is closed, not before", () =>
    Effect.gen(function*() {
      const { keeper, log, touch } = yield* slow({ maxAccounts: 2, closing: 1 })
      for (const account of ["a", "b", "c"]) yield* touch(account)
      const again = yield* Effect.fork(touch("a"))
      yield* pass("1 second")
      yield* Fiber.join(again)
      assert.deepStrictEqual(log, ["open a", "open b", "open c", "closed a", "open a"])
      assert.strictEqual(keeper.counts().accounts, 2)
    }))

  it.effect("keeps one open that is used again while it waits to be closed", () =>
    Effect.gen(function*() {
      const { keeper, log, touch, use } = yield* slow({ maxAccounts: 3, closing: 1 })
      for (const account of ["a", "b", "c"]) yield* touch(account)
      yield* pass("60 seconds")
      const { leave } = yield* use("b")
      yield* touch("c")
      yield* pass("10 seconds")
      assert.deepStrictEqual(log, ["open a", "open b", "open c", "closed a"])
      assert.deepInclude(keeper.counts(), { accounts: 2, inUse: 1 })
      leave()
      yield* pass("2 minutes")
      assert.strictEqual(keeper.counts().accounts, 0)
    }))

  it.effect("keeps no more than it may, whoever comes while others are being closed", () =>
    Effect.gen(function*() {
      const { keeper, touch } = yield* slow({ maxAccounts: 2, closing: 2, keeps: true })
      for (const account of ["a", "b"]) yield* touch(account)
      yield* pass("60 seconds")
      assert.strictEqual(keeper.counts().accounts, 0)
      for (const account of ["c", "d"]) yield* touch(account)
      yield* pass("10 seconds")
      assert.strictEqual(keeper.counts().accounts, 2)
    }))

  it.effect("keeps no token of one that is invalidated while it is being closed", () =>
    Effect.gen(function*() {
      const { keeper, log, touch } = yield* slow({ maxAccounts: 2, closing: 1, keeps: true })
      yield* touch("a")
      // 60 seconds are eight turns of 7.5: it is being closed by then, and will be for a second.
      yield* TestClock.adjust("60 seconds")
      yield* settled
      assert.strictEqual(keeper.counts().accounts, 0)
      keeper.invalidate("a")
      yield* pass("2 seconds")
      assert.deepStrictEqual(log, ["open a", "closed a"])
      assert.deepStrictEqual(keeper.counts(), { accounts: 0, inUse: 0, open: 0, idle: 0 })
      yield* touch("a")
      assert.deepStrictEqual(log, ["open a", "closed a", "open a"])
    }))

  it.effect("closes the others where one dies of being saved, and tries that one again", () =>
    Effect.gen(function*() {
      const { busy, keeper, log, touch } = yield* slow({
        maxAccounts: 3,
        closing: 1,
        settle: () => Effect.die("a mistake in a store")
      })
      for (const account of ["a", "b"]) yield* touch(account)
      busy.add("a")
      yield* pass("2 minutes")
      assert.deepStrictEqual(log, ["open a", "open b", "closed b"])
      busy.clear()
      yield* pass("2 minutes")
      assert.deepStrictEqual(log, ["open a", "open b", "closed b", "closed a"])
      assert.strictEqual(keeper.counts().accounts, 0)
    }))

  it.effect("waits at its end for those that are being closed", () =>
    Effect.gen(function*() {
      const { keeper, log, touch } = yield* slow({ maxAccounts: 1, closing: 2 })
      yield* touch("a")
      yield* touch("b")
      const closing = yield* Effect.fork(keeper.close())
      yield* pass("1 second")
      yield* Fiber.join(closing)
      assert.sameMembers(log, ["open a", "open b", "closed a", "closed b"])
    }))
})

describe("whatever happens", () => {
  const step = FastCheck.oneof(
    FastCheck.record({ do: FastCheck.constant("use" as const), account: FastCheck.integer({ min: 0, max: 7 }), for: FastCheck.integer({ min: 0, max: 90 }) }),
    FastCheck.record({ do: FastCheck.constant("interrupt" as const), account: FastCheck.nat(20) }),
    FastCheck.record({ do: FastCheck.constant("invalidate" as const), account: FastCheck.integer({ min: 0, max: 7 }) }),
    FastCheck.record({ do: FastCheck.constant("wait" as const), for: FastCheck.integer({ min: 1, max: 120 }) }),
    FastCheck.record({ do: FastCheck.constant("break" as const), account: FastCheck.integer({ min: 0, max: 7 }) })
  )

  it.effect("a program has its own account's token, and no account in use is closed", () =>
    Effect.gen(function*() {
      const plans = FastCheck.sample(FastCheck.array(step, { minLength: 10, maxLength: 40 }), { numRuns: 20, seed: 42 })
      for (const plan of plans) {
        const it = world()
        it.expiresIn = "2 minutes"
        const broken = new Set<string>()
        it.lookup = (account) => Effect.zipRight(Effect.sleep("3 seconds"), Effect.suspend(() => broken.has(account) ? Effect.fail(new Lookup("broken")) : Effect.void))
        it.call = () => Effect.sleep("2 seconds")
        const users: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
        const wrong: Array<string> = []
        const use = (account: string, seconds: number) =>
          Effect.gen(function*() {
            const acme = yield* Acme
            for (let second = 0; second <= seconds; second += 30) {
              const token = Redacted.value((yield* acme.token).accessToken)
              if (!token.startsWith(`${account}#`)) wrong.push(`${account} got ${token}`)
              yield* Effect.sleep(Math.min(30, seconds) * 1000)
            }
          }).pipe(
            Accounts.provide(Merchants, account),
            Effect.catchAll((error) => Effect.sync(() => {
              if (!["AccountsUnavailable AllInUse", "Lookup undefined"].includes(reasonOf(error))) wrong.push(reasonOf(error))
            }))
          )
        yield* run(it, Effect.gen(function*() {
          for (const step of plan) {
            switch (step.do) {
              case "use":
                users.push(yield* Effect.fork(use(`account-${step.account}`, step.for)))
                break
              case "interrupt":
                yield* Effect.forEach(users.slice(step.account, step.account + 1), Fiber.interruptFork)
                break
              case "invalidate":
                yield* Accounts.invalidate(Merchants, `account-${step.account}`)
                break
              case "break":
                if (!broken.delete(`account-${step.account}`)) broken.add(`account-${step.account}`)
                break
              case "wait":
                yield* TestClock.adjust(step.for * 1000)
            }
            yield* Effect.yieldNow()
            assert.isAtMost((yield* snapshot).accounts, 4)
          }
          for (let minute = 0; minute < 5; minute += 1) yield* pass("1 minute")
          yield* Fiber.awaitAll(users)
          assert.deepInclude(yield* snapshot, { inUse: 0, renewing: 0, waiting: 0 })
          for (let minute = 0; minute < 3; minute += 1) yield* pass("1 minute")
          assert.strictEqual((yield* snapshot).accounts, 0)
        }), { maxAccounts: 4, idleTimeToLive: "20 seconds", renewalConcurrency: 2 })
        assert.deepStrictEqual(wrong, [])
      }
    }), 120_000)
})
