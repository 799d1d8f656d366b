/**
 * Who keeps the credentials of many accounts: opens them when they are needed,
 * closes them when they are not, and knows at any time who uses which.
 *
 * Every decision is one synchronous step on an account's seat, so no two fibers
 * can see half a change. What takes time (opening, closing) runs in a fiber of
 * its own on the Layer's runtime; users wait for its result.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import { AccountsUnavailable } from "../AccountsError.js"
import type { Credentials } from "../Credentials.js"
import { Wheel } from "./accountsWheel.js"
import type { Memory, Opened } from "./engine.js"
import { memoryEnds } from "./stateMachine.js"

interface Opening<E> {
  readonly _tag: "Opening"
  readonly result: Deferred.Deferred<Credentials, E | AccountsUnavailable>
  readonly fiber: Fiber.RuntimeFiber<void>
}

type State<E> =
  | Opening<E>
  | { readonly _tag: "Open"; readonly opened: Opened }
  | { readonly _tag: "Closing"; readonly done: Deferred.Deferred<void> }
  | { readonly _tag: "Idle"; readonly memory: Memory }
  | { readonly _tag: "Gone" }

/** One account. */
interface Seat<Account, E> {
  readonly account: Account
  users: number
  /** New users get another one. */
  retired: boolean
  state: State<E>
}

/** Somebody who uses an account, until `leave`. */
export interface Use {
  readonly credentials: Credentials
  readonly leave: () => void
}

export interface Options<Account, E> {
  /** What the keeper is called where something is wrong with it. */
  readonly name: string
  readonly open: (account: Account, memory: Memory | undefined) => Effect.Effect<Opened, E>
  readonly maxAccounts: number
  /** Milliseconds. */
  readonly idleTimeToLive: number
  /** How many accounts are closed at a time. */
  readonly closing: number
}

export interface Counts {
  readonly accounts: number
  readonly inUse: number
  /** Being opened, and those of `inUse`, too. */
  readonly open: number
  readonly idle: number
}

/** What `Effect.uninterruptibleMask` gives: as interruptible as the caller is. */
type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const gone: { readonly _tag: "Gone" } = { _tag: "Gone" }

const second = 1000

/** How late a release may be, in milliseconds. */
const widthOf = (idleTimeToLive: number): number => Math.min(Math.max(idleTimeToLive / 8, second), 60 * second)

export class Keeper<Account, E> {
  readonly #options: Options<Account, E>
  readonly #runtime: Runtime.Runtime<never>
  readonly #clock: Clock.Clock
  readonly #seats = MutableHashMap.empty<Account, Seat<Account, E>>()
  /** Those that were invalidated while somebody used them. */
  readonly #retired = new Set<Seat<Account, E>>()
  /** Those that nobody uses, the one used last at the end. */
  readonly #unused = new Set<Seat<Account, E>>()
  readonly #sweeper: Wheel<Seat<Account, E>>
  #closingNow = 0
  #closed = false

  constructor(options: Options<Account, E>, runtime: Runtime.Runtime<never>, clock: Clock.Clock) {
    this.#options = options
    this.#runtime = runtime
    this.#clock = clock
    this.#sweeper = new Wheel(widthOf(options.idleTimeToLive), clock, (due) => this.#sweep(due))
  }

  // ---------------------------------------------------------------------------
  // Use
  // ---------------------------------------------------------------------------

  /**
   * To be run where interruption is off; `restore` is where a user can be
   * interrupted. Whoever gets a `Use` has to leave.
   */
  use(
    account: Account,
    restore: Restore
  ): Effect.Effect<Use, E | AccountsUnavailable> {
    return Effect.suspend(() => {
      if (this.#closed) return this.#unavailable("Closed")
      const seat = Option.getOrUndefined(MutableHashMap.get(this.#seats, account))
      if (seat === undefined) return this.#admit(account, restore)
      const { state } = seat
      switch (state._tag) {
        case "Open":
          this.#enter(seat)
          return Exit.succeed(this.#useOf(seat, state.opened.credentials))
        case "Opening":
          this.#enter(seat)
          return this.#wait(seat, state.result, restore)
        case "Idle":
          this.#enter(seat)
          return this.#wait(seat, this.#open(seat, state.memory), restore)
        case "Closing":
          return Effect.zipRight(restore(Deferred.await(state.done)), this.use(account, restore))
        case "Gone":
          // It is taken out in the step that makes it so.
          return Effect.dieMessage("an account that is gone is still kept")
      }
    })
  }

  /** A seat for an account that has none, if there is room for it. */
  #admit(
    account: Account,
    restore: Restore
  ): Effect.Effect<Use, E | AccountsUnavailable> {
    if (this.#size >= this.#options.maxAccounts && !this.#evict()) return this.#unavailable("AllInUse")
    const seat: Seat<Account, E> = { account, users: 0, retired: false, state: gone }
    MutableHashMap.set(this.#seats, account, seat)
    this.#enter(seat)
    return this.#wait(seat, this.#open(seat, undefined), restore)
  }

  #unavailable(reason: AccountsUnavailable["reason"]): Effect.Effect<never, AccountsUnavailable> {
    const { maxAccounts, name } = this.#options
    return Effect.fail(new AccountsUnavailable({ accounts: name, reason, maxAccounts }))
  }

  #useOf(seat: Seat<Account, E>, credentials: Credentials): Use {
    return { credentials, leave: () => this.#leave(seat) }
  }

  #wait(
    seat: Seat<Account, E>,
    result: Opening<E>["result"],
    restore: Restore
  ): Effect.Effect<Use, E | AccountsUnavailable> {
    return restore(Deferred.await(result)).pipe(
      Effect.map((credentials) => this.#useOf(seat, credentials)),
      Effect.onError(() => Effect.sync(() => this.#leave(seat)))
    )
  }

  #enter(seat: Seat<Account, E>): void {
    seat.users += 1
    if (seat.users > 1) return
    this.#unused.delete(seat)
    this.#sweeper.delete(seat)
  }

  #leave(seat: Seat<Account, E>): void {
    seat.users -= 1
    if (seat.users > 0 || seat.state._tag === "Gone" || this.#closed) return
    if (seat.retired) return this.#release(seat)
    this.#unused.add(seat)
    this.#schedule(seat)
  }

  #schedule(seat: Seat<Account, E>): void {
    const { state } = seat
    const wait = state._tag === "Idle"
      ? memoryEnds(state.memory.token) - this.#clock.unsafeCurrentTimeMillis()
      : this.#options.idleTimeToLive
    this.#sweeper.add(seat, wait)
  }

  // ---------------------------------------------------------------------------
  // Open and close
  // ---------------------------------------------------------------------------

  /** The fiber begins in a later turn of the scheduler, when the seat already holds it. */
  #open(seat: Seat<Account, E>, memory: Memory | undefined): Opening<E>["result"] {
    const result = Deferred.unsafeMake<Credentials, E | AccountsUnavailable>(FiberId.none)
    const opening = Effect.suspend(() => this.#options.open(seat.account, memory)).pipe(
      Effect.interruptible,
      Effect.exit,
      Effect.flatMap((exit) => this.#opened(seat, result, memory, exit)),
      Effect.uninterruptible
    )
    seat.state = { _tag: "Opening", result, fiber: Runtime.runFork(this.#runtime)(opening, { immediate: false }) }
    return result
  }

  #opened(
    seat: Seat<Account, E>,
    result: Opening<E>["result"],
    memory: Memory | undefined,
    exit: Exit.Exit<Opened, E>
  ): Effect.Effect<void> {
    const { state } = seat
    const isWanted = state._tag === "Opening" && state.result === result
    if (Exit.isSuccess(exit)) {
      if (!isWanted) return exit.value.close()
      seat.state = { _tag: "Open", opened: exit.value }
      Deferred.unsafeDone(result, Exit.succeed(exit.value.credentials))
      return Effect.void
    }
    if (!isWanted) return Effect.void
    // Not the token of whoever could not be looked up for a moment.
    if (memory === undefined || !this.#rest(seat, memory)) this.#drop(seat)
    // A user must not take it for an interruption of its own.
    Deferred.unsafeDone(result, Cause.isInterrupted(exit.cause) ? this.#unavailable("Interrupted") : Exit.failCause(exit.cause))
    return Effect.void
  }

  /** Whether there is anything left that is worth it. */
  #rest(seat: Seat<Account, E>, memory: Memory): boolean {
    if (seat.retired || this.#closed || memoryEnds(memory.token) <= this.#clock.unsafeCurrentTimeMillis()) return false
    // What is being closed is not counted: others may have taken its place.
    if (this.#size > this.#options.maxAccounts) return false
    seat.state = { _tag: "Idle", memory }
    if (seat.users === 0) this.#schedule(seat)
    return true
  }

  /** Closes what nobody uses. `keeps`: whether its token is kept. */
  #close(seat: Seat<Account, E>, opened: Opened, keeps: boolean): Effect.Effect<void> {
    const done = Deferred.unsafeMake<void>(FiberId.none)
    seat.state = { _tag: "Closing", done }
    this.#sweeper.delete(seat)
    this.#closingNow += 1
    return opened.close().pipe(
      Effect.zipRight(opened.memory()),
      Effect.exit,
      Effect.map((exit) => {
        this.#closingNow -= 1
        const memory = keeps && Exit.isSuccess(exit) ? exit.value : undefined
        if (memory === undefined || !this.#rest(seat, memory)) this.#drop(seat)
        Deferred.unsafeDone(done, Exit.void)
      }),
      Effect.uninterruptible
    )
  }

  /** Nobody uses it, and nobody shall have it again. */
  #release(seat: Seat<Account, E>): void {
    const { state } = seat
    if (state._tag === "Open") {
      // What is not saved is saved first, by and by.
      if (state.opened.isBusy()) return this.#sweeper.add(seat, 0)
      Runtime.runFork(this.#runtime)(this.#close(seat, state.opened, false))
      return
    }
    if (state._tag === "Closing") return
    if (state._tag === "Opening") Runtime.runFork(this.#runtime)(Fiber.interruptFork(state.fiber))
    this.#drop(seat)
  }

  #drop(seat: Seat<Account, E>): void {
    seat.state = gone
    this.#sweeper.delete(seat)
    this.#unused.delete(seat)
    this.#retired.delete(seat)
    if (Option.getOrUndefined(MutableHashMap.get(this.#seats, seat.account)) === seat) {
      MutableHashMap.remove(this.#seats, seat.account)
    }
  }

  /** Makes room for one: whoever was used longest ago goes. */
  #evict(): boolean {
    for (const seat of this.#unused) {
      const { state } = seat
      if (state._tag === "Closing" || (state._tag === "Open" && state.opened.isBusy())) continue
      this.#release(seat)
      return true
    }
    return false
  }

  #sweep(due: ReadonlyArray<Seat<Account, E>>): void {
    const open: Array<Seat<Account, E>> = []
    for (const seat of due) {
      if (seat.state._tag === "Open") open.push(seat)
      else this.#release(seat)
    }
    if (open.length === 0) return
    Runtime.runFork(this.#runtime)(
      Effect.forEach(open, (seat) => this.#retire(seat), { concurrency: this.#options.closing, discard: true })
    )
  }

  #retire(seat: Seat<Account, E>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { state } = seat
      // Somebody has come since, and perhaps gone again.
      if (state._tag !== "Open" || seat.users > 0 || this.#sweeper.has(seat) || this.#closed) return Effect.void
      if (!state.opened.isBusy()) return this.#close(seat, state.opened, !seat.retired)
      // Whatever a store does, the next one has its turn.
      return Effect.map(Effect.exit(state.opened.settle()), () => {
        if (seat.state === state && seat.users === 0) this.#sweeper.add(seat, 0)
      })
    })
  }

  // ---------------------------------------------------------------------------
  // All of them
  // ---------------------------------------------------------------------------

  /** Who uses it goes on to; who comes from now on gets it opened anew. */
  invalidate(account: Account): void {
    const seat = Option.getOrUndefined(MutableHashMap.get(this.#seats, account))
    if (seat === undefined) return
    MutableHashMap.remove(this.#seats, account)
    seat.retired = true
    this.#retired.add(seat)
    this.#unused.delete(seat)
    if (seat.users === 0) this.#release(seat)
  }

  get #size(): number {
    return MutableHashMap.size(this.#seats) + this.#retired.size - this.#closingNow
  }

  *#all(): Iterable<Seat<Account, E>> {
    for (const [, seat] of this.#seats) yield seat
    yield* this.#retired
  }

  counts(): Counts {
    let inUse = 0
    let idle = 0
    for (const { state, users } of this.#all()) {
      if (users > 0) inUse += 1
      if (state._tag === "Idle") idle += 1
    }
    const accounts = this.#size
    return { accounts, inUse, open: accounts - idle, idle }
  }

  /** Nobody gets anything any more, and nobody hangs. To be run where interruption is off. */
  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#closed = true
      this.#sweeper.stop()
      const ending: Array<Effect.Effect<void>> = []
      for (const seat of Array.from(this.#all())) {
        const { state } = seat
        if (state._tag === "Open") ending.push(Effect.suspend(() => this.#close(seat, state.opened, false)))
        else if (state._tag === "Closing") ending.push(Deferred.await(state.done))
        else {
          if (state._tag === "Opening") {
            Deferred.unsafeDone(state.result, this.#unavailable("Closed"))
            ending.push(Fiber.interruptFork(state.fiber))
          }
          this.#drop(seat)
        }
      }
      return Effect.forEach(ending, (end) => end, { concurrency: this.#options.closing, discard: true })
    })
  }
}
