/**
 * The life of one token: `Empty → Renewing → Fresh → Soft → Hard`.
 *
 * Everything a decision needs is one value in one `Ref`, and every decision is
 * one synchronous step on it, so no two fibers can see half a change. A renewal
 * ("flight") runs in a fiber of its own on the Layer's runtime; callers wait for
 * its result and can be interrupted without anyone noticing.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleIntervals from "effect/ScheduleIntervals"
import * as Tracer from "effect/Tracer"
import { TokenEndpointUnavailable, withRetryAt } from "../CredentialsError.js"
import type { CredentialsError } from "../CredentialsError.js"
import type { CredentialsIdentity } from "../CredentialsIdentity.js"
import type { CredentialsEvent } from "../CredentialsEvent.js"
import * as RefreshPolicy from "../RefreshPolicy.js"
import * as Token from "../Token.js"
import * as Metrics from "./metrics.js"
import * as RenewalReport from "./renewalReport.js"

/** A token and when it is due, all in milliseconds since the epoch. */
interface Held {
  readonly token: Token.Token
  readonly generation: number
  readonly softAt: number
  readonly hardAt: number
  readonly expiresAt: number
  /** The answer for everyone who asks, made once. */
  readonly ready: Exit.Exit<Token.Token>
}

/** A renewal under way, or in line for its turn. */
interface Flight {
  readonly result: Deferred.Deferred<Token.Token, CredentialsError>
  readonly fiber: Fiber.RuntimeFiber<void>
}

/** What failed renewals have led to. */
interface Backoff {
  readonly schedule: unknown
  readonly error: CredentialsError
  /** When it began. */
  readonly since: number
  /** No renewal of a token that is still good starts before this. */
  readonly notBefore: number
  /** No call at all before this: the server said so (`Retry-After`). */
  readonly refusedUntil: number
}

interface State {
  readonly held: Held | undefined
  readonly flight: Flight | undefined
  readonly backoff: Backoff | undefined
  readonly closed: boolean
  /** What `token` does in this state: made when the state is made, not at each call. */
  readonly read: Effect.Effect<Token.Token, CredentialsError>
}

type Intent =
  | { readonly _tag: "Use" }
  | { readonly _tag: "Reject"; readonly token: Token.Token }
  | { readonly _tag: "Refresh" }

const use: Intent = { _tag: "Use" }

/** A clock that was put back must not make a pause last until it is where it was; a second is no jump. */
export const lasts = ({ since }: Pick<Backoff, "since">, until: number, now: number): boolean =>
  now < until && now >= since - 1000

/** What a server may ask for at most: a `Retry-After` of a year must not lock us out. */
export const longestRefusal = 3_600_000

/** A token that is due, one that a server refused, or somebody who wants a new one. */
export type RenewalReason = "due" | "rejected" | "asked"

/** What a renewal came to. */
export interface Renewal {
  readonly token: Token.Token
  /** It was renewed by somebody else, and only taken over. */
  readonly adopted: boolean
  /** The token's number in its store, where there is one. */
  readonly generation?: number | undefined
}

/** What is worth keeping of a machine that is closed, for another one of the same identity. */
export interface Memory {
  readonly held: Pick<Held, "token" | "generation"> | undefined
  readonly backoff: Backoff | undefined
}

/** When all that is kept has lost its worth, milliseconds since the epoch. */
export const memoryEnds = ({ backoff, held }: Memory): number =>
  Math.max(held?.token.expiresAt.epochMillis ?? 0, backoff?.notBefore ?? 0)

/** What machines have in common that belong together. */
export interface Surroundings<R> {
  readonly runtime: Runtime.Runtime<R>
  /** Lets a renewal start when it is its turn. To be run where interruption is off; the wait can be interrupted. */
  readonly inTurn: <A, R2>(
    renewal: Effect.Effect<A, CredentialsError, R2>,
    provider: string
  ) => Effect.Effect<A, CredentialsError, R2>
}

export interface Options<R> {
  readonly identity: CredentialsIdentity
  readonly policy: RefreshPolicy.RefreshPolicy
  /**
   * Gets a new token; `previous` is the one held so far. Run where interruption
   * is off: it says itself which of its parts can be interrupted, and limits them.
   */
  readonly renew: (
    previous: Token.Token | undefined,
    reason: RenewalReason
  ) => Effect.Effect<Renewal, CredentialsError, R>
  /** Whether `renew` itself sees to it that no call is made while the server wants none: it may find a token elsewhere. */
  readonly holdsBack: boolean
  /** Whether a renewal is doing what must not be cut off, if it can be helped. */
  readonly finishing: Effect.Effect<boolean>
  readonly closeTimeout: Duration.Duration
  /** Its own runtime, and no waiting for a turn, where there are none. */
  readonly around: Surroundings<R> | undefined
  /** Must not fail or wait. */
  readonly publish: (event: CredentialsEvent) => Effect.Effect<void>
}

export interface StateMachine {
  readonly token: Effect.Effect<Token.Token, CredentialsError>
  readonly reject: (token: Token.Token) => Effect.Effect<Token.Token, CredentialsError>
  readonly refresh: Effect.Effect<Token.Token, CredentialsError>
  /** Nothing works after it, and nobody waits. To be run where interruption is off. */
  readonly close: () => Effect.Effect<void>
  /** Whether a renewal is under way that has had its turn. */
  readonly isCalling: () => boolean
  /** Nothing where nothing is worth it. */
  readonly memory: () => Effect.Effect<Memory | undefined>
}

/** A renewal that nobody can interrupt but `close`, and that only where it allows it. */
const uninterrupted = <R>(runtime: Runtime.Runtime<R>): Runtime.Runtime<R> =>
  Runtime.make({
    ...runtime,
    runtimeFlags: RuntimeFlags.disable(runtime.runtimeFlags, RuntimeFlags.Interruption)
  })

/** What machines share that belong together. */
export const surroundings = <R>(inTurn: Surroundings<R>["inTurn"]): Effect.Effect<Surroundings<R>, never, R> =>
  Effect.map(Effect.runtime<R>(), (runtime) => ({ runtime: uninterrupted(runtime), inTurn }))

const alone = <R>(): Effect.Effect<Surroundings<R>, never, R> => surroundings<R>((renewal) => renewal)

/** Methods, and few fields: a process may have ten thousand of these. */
class Machine<R> implements StateMachine {
  readonly #options: Options<R>
  readonly #around: Surroundings<R>
  readonly #ref: Ref.Ref<State>
  readonly #slow: Effect.Effect<Token.Token, CredentialsError> = Effect.suspend(() => this.#decide(use))
  readonly #closed = Effect.suspend(() => Effect.fail(this.#unavailable("Closed")))
  /** Made when it is first needed: most tokens are renewed before they are stale for anybody. */
  #staleServed: typeof Metrics.staleServed | undefined
  #isCalling = false

  readonly token: Effect.Effect<Token.Token, CredentialsError>
  readonly refresh: Effect.Effect<Token.Token, CredentialsError> = this.#decide({ _tag: "Refresh" })
  readonly reject: (token: Token.Token) => Effect.Effect<Token.Token, CredentialsError> = (token) =>
    this.#decide({ _tag: "Reject", token })

  constructor(options: Options<R>, around: Surroundings<R>, memory: Memory | undefined) {
    this.#options = options
    this.#around = around
    const held = memory?.held === undefined ? undefined : this.#hold(memory.held.token, memory.held.generation)
    this.#ref = Ref.unsafeMake<State>({
      held,
      flight: undefined,
      backoff: memory?.backoff,
      closed: false,
      read: held === undefined ? this.#slow : this.#readHeld(held)
    })
    this.token = Effect.flatMap(Ref.get(this.#ref), (state) => state.read)
  }

  #unavailable(reason: TokenEndpointUnavailable["reason"]): TokenEndpointUnavailable {
    return new TokenEndpointUnavailable({ provider: this.#options.identity.provider, reason })
  }

  #hold(token: Token.Token, generation: number): Held {
    const issuedAt = token.issuedAt.epochMillis
    const due = RefreshPolicy.dueAfter(this.#options.policy, Token.lifetime(token))
    return {
      token,
      generation,
      softAt: issuedAt + due.soft,
      hardAt: issuedAt + due.hard,
      expiresAt: token.expiresAt.epochMillis,
      ready: Exit.succeed(token)
    }
  }
  #readHeld(held: Held): Effect.Effect<Token.Token, CredentialsError> {
    const slow = this.#slow
    return Effect.clockWith((clock) => clock.unsafeCurrentTimeMillis() < held.softAt ? held.ready : slow)
  }

  #stale(held: Held): Effect.Effect<Token.Token> {
    this.#staleServed ??= Metric.tagged(Metrics.staleServed, "provider", this.#options.identity.provider)
    return Effect.zipRight(Metric.update(this.#staleServed, 1), held.ready)
  }

  /**
   * Waits for a flight. Whoever may use the old token while it lives gets it
   * when the flight fails.
   */
  #wait(flight: Flight, fallback: Held | undefined): Effect.Effect<Token.Token, CredentialsError> {
    const { identity: { provider }, policy } = this.#options
    const result = Deferred.await(flight.result)
    const waiting = policy.mode === "foreground" ? Effect.uninterruptible(result) : result
    return waiting.pipe(
      Effect.withSpan("Credentials.wait", { attributes: { provider } }),
      Effect.catchAllCause((cause) =>
        fallback === undefined || Cause.isInterruptedOnly(cause)
          ? Effect.failCause(cause)
          : Effect.clockWith((clock) =>
            clock.unsafeCurrentTimeMillis() < fallback.expiresAt ? this.#stale(fallback) : Effect.failCause(cause)
          )
      )
    )
  }

  /** What to say while the server wants no call. */
  #awaited({ backoff, flight }: State, now: number): CredentialsError | undefined {
    if (this.#options.holdsBack || flight !== undefined || backoff === undefined) return undefined
    return lasts(backoff, backoff.refusedUntil, now) ? backoff.error : undefined
  }

  /** One step: what to answer, and the state after it. */
  #transition(
    state: State,
    intent: Intent,
    now: number,
    caller: Option.Option<Tracer.AnySpan>
  ): readonly [Effect.Effect<Token.Token, CredentialsError>, State] {
    if (state.closed) return [this.#closed, state]
    const { backoff, held } = state
    const pausing = backoff !== undefined && lasts(backoff, backoff.notBefore, now)
    const join = (reason: RenewalReason, fallback: Held | undefined) => {
      const flight = state.flight ?? this.#launch(state, reason, caller)
      return [this.#wait(flight, fallback), { ...state, flight }] as const
    }
    switch (intent._tag) {
      case "Use": {
        if (held !== undefined && now < held.expiresAt) {
          if (now < held.softAt) return [held.ready, state]
          const next = state.flight === undefined && !pausing
            ? { ...state, flight: this.#launch(state, "due", caller) }
            : state
          const waits = now >= held.hardAt || this.#options.policy.mode === "foreground"
          return next.flight !== undefined && waits
            ? [this.#wait(next.flight, held), next]
            : [this.#stale(held), next]
        }
        const turnedAway = this.#awaited(state, now)
        return turnedAway === undefined ? join("due", undefined) : [Effect.fail(turnedAway), state]
      }
      case "Reject": {
        // Someone else's 401 has already replaced it: the current token is the answer.
        if (held === undefined || !Token.sameAccessToken(held.token, intent.token)) {
          return this.#transition(state, use, now, caller)
        }
        if (state.flight === undefined && pausing) return [Effect.fail(backoff.error), state]
        return join("rejected", undefined)
      }
      case "Refresh": {
        // The clock here does not matter; the server's word does.
        const turnedAway = this.#awaited(state, now)
        return turnedAway === undefined ? join("asked", undefined) : [Effect.fail(turnedAway), state]
      }
    }
  }

  #decide(intent: Intent): Effect.Effect<Token.Token, CredentialsError> {
    return Effect.contextWithEffect((context: Context.Context<never>) =>
      Effect.clockWith((clock) => {
        const now = clock.unsafeCurrentTimeMillis()
        const caller = Context.getOption(context, Tracer.ParentSpan)
        // The flight is forked inside the step that installs it: no interruption can come between the two.
        return Effect.flatten(Ref.modify(this.#ref, (state) => this.#transition(state, intent, now, caller)))
      })
    )
  }

  /**
   * Starts a renewal. The fiber begins in a later turn of the scheduler, when
   * the state already holds the flight.
   */
  #launch(
    state: State,
    reason: RenewalReason,
    caller: Option.Option<Tracer.AnySpan>
  ): Flight {
    const { grant, provider } = this.#options.identity
    const result = Deferred.unsafeMake<Token.Token, CredentialsError>(FiberId.none)
    const fly = this.#renewal(state, reason, result).pipe(
      Effect.withSpan("Credentials.renew", {
        // It belongs to the Layer: neither to whoever asked first nor to the span the Layer was built in.
        root: true,
        attributes: { provider, grant, reason },
        links: Option.match(caller, {
          onNone: () => [],
          onSome: (span) => [{ _tag: "SpanLink", span, attributes: {} }]
        })
      }),
      Effect.catchAll(() => Effect.void),
      // Whatever else goes wrong, nobody waits for ever.
      Effect.catchAllCause(() => Effect.asVoid(this.#settleFailure(this.#unavailable("Defect"), result, undefined)))
    )
    return { result, fiber: Runtime.runFork(this.#around.runtime)(fly, { immediate: false }) }
  }

  #renewal(
    before: State,
    reason: RenewalReason,
    result: Flight["result"]
  ): Effect.Effect<void, CredentialsError["_tag"], R> {
    return Effect.gen(this, function*() {
      const { identity, publish, renew } = this.#options
      const report = RenewalReport.make(identity, publish)
      const generation = (before.held?.generation ?? 0) + 1
      if (reason === "rejected") yield* report.rejected(generation - 1)
      let startedAt = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(this.#around.inTurn(
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          startedAt = now
          this.#isCalling = true
          return renew(before.held?.token, reason)
        }),
        identity.provider
      ))
      this.#isCalling = false
      if (Exit.isSuccess(exit)) {
        const { adopted, token } = exit.value
        const held = this.#hold(token, exit.value.generation ?? generation)
        yield* this.#settleSuccess(held, result)
        yield* report.succeeded(held, startedAt, { adopted, first: before.held === undefined })
        return
      }
      const error = this.#errorOf(exit.cause)
      const retryAt = yield* this.#settleFailure(error, result, Option.getOrUndefined(Cause.dieOption(exit.cause)))
      // A Layer that ends is no failure.
      if ((yield* Ref.get(this.#ref)).closed && Cause.isInterruptedOnly(exit.cause)) return
      yield* report.failed(error, exit.cause, generation, startedAt, retryAt, isSameLogin(before.backoff?.error, error))
      // For the span, which ends as the renewal did.
      return yield* Effect.fail(error._tag)
    })
  }

  #errorOf(cause: Cause.Cause<CredentialsError>): CredentialsError {
    return Option.getOrElse(Cause.failureOption(cause), () =>
      this.#unavailable(Cause.isInterruptedOnly(cause) ? "Interrupted" : "Defect"))
  }

  #settleSuccess(held: Held, result: Flight["result"]): Effect.Effect<void> {
    return Ref.update(this.#ref, (state) => {
      Deferred.unsafeDone(result, held.ready)
      if (state.flight?.result !== result) return state
      const read = state.closed ? this.#closed : this.#readHeld(held)
      return { ...state, held, flight: undefined, backoff: undefined, read }
    })
  }

  /**
   * The token that is held stays. `defect` is what the flow died of: those who
   * wait die of it too, it is a mistake in the program.
   */
  #settleFailure(
    error: CredentialsError,
    result: Flight["result"],
    defect: unknown
  ): Effect.Effect<DateTime.Utc> {
    return Effect.gen(this, function*() {
      const { policy } = this.#options
      const now = yield* Clock.currentTimeMillis
      const before = (yield* Ref.get(this.#ref)).backoff
      const stepped = yield* step(policy, error, now, before).pipe(
        // A back-off that dies is a mistake in the program too, and no reason to stampede.
        Effect.catchAllCause(() => Effect.succeed({ schedule: policy.backoff.initial, notBefore: now + 60_000 }))
      )
      const asked = error._tag === "TokenEndpointUnavailable" && error.retryAt !== undefined
        ? Math.min(error.retryAt.epochMillis, now + longestRefusal)
        : 0
      const notBefore = Math.max(stepped.notBefore, asked)
      const backoff: Backoff = {
        schedule: stepped.schedule,
        since: now,
        // Whoever is turned away meanwhile is told until when.
        error: error._tag === "TokenEndpointUnavailable" ? withRetryAt(error, DateTime.unsafeMake(notBefore)) : error,
        notBefore,
        refusedUntil: asked
      }
      return yield* Ref.modify(this.#ref, (state) => {
        Deferred.unsafeDone(result, defect === undefined ? Effect.fail(error) : Effect.die(defect))
        // Only the flight that is in the air lands: one that has landed before cannot undo what came after.
        return [
          DateTime.unsafeMake(backoff.notBefore),
          state.flight?.result !== result ? state : { ...state, flight: undefined, backoff }
        ]
      })
    })
  }

  /**
   * Nobody hangs: who waits for a flight gets its result if it must be
   * finished (a refresh token is being redeemed), else the news that the Layer is closed.
   */
  close(): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const { closeTimeout, finishing } = this.#options
      const closed = this.#closed
      const flight = yield* Ref.modify(this.#ref, (state) => [state.flight, { ...state, closed: true, read: closed }])
      if (flight === undefined) return
      const bounded = <A>(effect: Effect.Effect<A>) =>
        Effect.interruptible(effect).pipe(Effect.timeoutOption(closeTimeout))
      if (yield* finishing) yield* bounded(Fiber.await(flight.fiber))
      Deferred.unsafeDone(flight.result, closed)
      yield* Fiber.interruptFork(flight.fiber)
      yield* bounded(Fiber.await(flight.fiber))
    })
  }

  isCalling(): boolean {
    return this.#isCalling
  }

  memory(): Effect.Effect<Memory | undefined> {
    return Effect.zipWith(Ref.get(this.#ref), Clock.currentTimeMillis, ({ backoff, held }, now) => {
      const isGood = held !== undefined && now < held.expiresAt
      const memory = { held: isGood ? { token: held.token, generation: held.generation } : undefined, backoff }
      return memoryEnds(memory) > now ? memory : undefined
    })
  }
}

/** `memory`: what another one of the same identity has left. */
export const make = <R>(options: Options<R>, memory?: Memory): Effect.Effect<StateMachine, never, R> =>
  Effect.map(
    options.around === undefined ? alone<R>() : Effect.succeed(options.around),
    (around) => new Machine(options, around, memory)
  )

/** Whoever waits for a person finds the same thing at every request: it is news once. */
const isSameLogin = (before: CredentialsError | undefined, error: CredentialsError): boolean =>
  before?._tag === "ReauthorizationRequired" && error._tag === "ReauthorizationRequired" &&
  before.reason === error.reason

const step = (
  policy: RefreshPolicy.RefreshPolicy,
  error: CredentialsError,
  now: number,
  before: Backoff | undefined
): Effect.Effect<{ readonly schedule: unknown; readonly notBefore: number }> =>
  Effect.gen(function*() {
    const { backoff } = policy
    let [schedule, , decision] = yield* backoff.step(now, error, before?.schedule ?? backoff.initial)
    if (ScheduleDecision.isDone(decision)) {
      ;[schedule, , decision] = yield* backoff.step(now, error, backoff.initial)
    }
    return {
      schedule,
      notBefore: ScheduleDecision.isDone(decision) ? now : ScheduleIntervals.start(decision.intervals)
    }
  })
