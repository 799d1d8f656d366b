/**
 * Credentials made of a flow: what the Layers of one account and the keeper of
 * many have in common.
 */
import * as Headers from "@effect/platform/Headers"
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as AuthFlow from "../AuthFlow.js"
import type { Credentials, Options, SharedOptions } from "../Credentials.js"
import type { CredentialsEvent } from "../CredentialsEvent.js"
import * as CredentialsIdentity from "../CredentialsIdentity.js"
import * as RefreshPolicy from "../RefreshPolicy.js"
import * as TokenStore from "../TokenStore.js"
import * as EncryptedStore from "./encryptedStore.js"
import { EventHub } from "./eventHub.js"
import { exchange } from "./exchange.js"
import * as Place from "./place.js"
import { Registry } from "./rateLimitRegistry.js"
import * as SharedToken from "./sharedToken.js"
import * as StateMachine from "./stateMachine.js"

/** What is kept of credentials that were closed, for when they are opened again. */
export interface Memory {
  /** The hash of their identity. */
  readonly identity: string
  readonly token: StateMachine.Memory
}

export interface Opened {
  readonly credentials: Credentials
  /** Whether it would be a pity to close them now: a call is under way, or a token is not saved. */
  readonly isBusy: () => boolean
  /** Saves what is not saved, if it can be. */
  readonly settle: () => Effect.Effect<void>
  /** What is worth keeping of them. */
  readonly memory: () => Effect.Effect<Memory | undefined>
  /** In bounded time; nothing of them runs after it, and nobody waits. To be run where interruption is off. */
  readonly close: () => Effect.Effect<void>
}

/** Where credentials are opened that have neighbours, and what is kept of when they were open before. */
export interface Surroundings<R> {
  readonly around: StateMachine.Surroundings<R>
  readonly memory: Memory | undefined
}

export type FlowInput<R, E, R2> = AuthFlow.AuthFlow<R> | Effect.Effect<AuthFlow.AuthFlow<R>, E, R2>

export const built = <R, E, R2>(flow: FlowInput<R, E, R2>): Effect.Effect<AuthFlow.AuthFlow<R>, E, R2> =>
  Effect.isEffect(flow) ? flow : Effect.succeed(flow)

interface Renewing<R> extends Pick<StateMachine.Options<R>, "renew" | "finishing" | "holdsBack"> {
  /** Where the token is to be had elsewhere, should these credentials be opened again. */
  readonly stored?: Pick<SharedToken.SharedToken<R>, "flush" | "isUnsaved"> | undefined
}

/** What is decided before it is known how they renew. */
interface Parts {
  readonly identity: CredentialsIdentity.CredentialsIdentity
  readonly policy: RefreshPolicy.RefreshPolicy
  readonly exchangeTimeout: Duration.Duration
  readonly closeTimeout: Duration.Duration
}

const make = <R, R2>(
  flow: AuthFlow.AuthFlow<R>,
  options: Options,
  inPlace: Surroundings<R> | undefined,
  renewing: (parts: Parts) => Effect.Effect<Renewing<R>, never, R2>
): Effect.Effect<Opened, never, R | R2> =>
  Effect.gen(function*() {
    const parts: Parts = {
      identity: yield* CredentialsIdentity.make(flow.identity),
      policy: options.refreshPolicy ?? Option.getOrElse(flow.refreshPolicy, () => RefreshPolicy.default),
      // Room for a second attempt of its full length: one that is cut short takes the refresh token with it.
      exchangeTimeout: Duration.decode(
        options.exchangeTimeout ?? (Option.isSome(flow.renew) ? "50 seconds" : "30 seconds")
      ),
      closeTimeout: Duration.decode(options.closeTimeout ?? "5 seconds")
    }
    const { renew, finishing, holdsBack, stored } = yield* renewing(parts)
    const { closeTimeout, identity, policy } = parts
    const events = new EventHub<CredentialsEvent>(options.eventsCapacity ?? 64)
    const machine = yield* StateMachine.make({
      identity,
      policy,
      closeTimeout,
      // The Layer of one account has told the fibers that it starts; a keeper does not know what it will open.
      renew: inPlace === undefined ? renew : (previous, reason) =>
        Effect.locallyWith(renew(previous, reason), Headers.currentRedactedNames, Arr.union(flow.secretHeaders)),
      finishing,
      holdsBack,
      around: inPlace?.around,
      publish: (event) => events.publish(event)
    }, inPlace?.memory?.identity === identity.hash ? inPlace.memory.token : undefined)
    return new Engine(flow, identity, machine, events, stored, closeTimeout)
  })

class Engine<R> implements Opened {
  readonly #machine: StateMachine.StateMachine
  readonly #events: EventHub<CredentialsEvent>
  readonly #rateLimits: Registry
  readonly #stored: Renewing<R>["stored"]
  readonly #closeTimeout: Duration.Duration
  readonly credentials: Credentials

  constructor(
    flow: AuthFlow.AuthFlow<R>,
    identity: CredentialsIdentity.CredentialsIdentity,
    machine: StateMachine.StateMachine,
    events: EventHub<CredentialsEvent>,
    stored: Renewing<R>["stored"],
    closeTimeout: Duration.Duration
  ) {
    this.#machine = machine
    this.#events = events
    this.#rateLimits = new Registry(identity)
    this.#stored = stored
    this.#closeTimeout = closeTimeout
    this.credentials = {
      token: machine.token,
      reject: machine.reject,
      refresh: machine.refresh,
      attach: Place.attach(flow),
      // A stream costs more than all the rest, and few are read.
      get events() {
        return events.stream()
      },
      identity,
      secretHeaders: flow.secretHeaders,
      rateLimits: this.#rateLimits
    }
  }

  isBusy(): boolean {
    return this.#machine.isCalling() || this.#stored?.isUnsaved() === true
  }

  settle(): Effect.Effect<void> {
    return this.#stored?.isUnsaved() !== true ? Effect.void : this.#stored.flush.pipe(
      Effect.disconnect,
      Effect.timeoutOption(this.#closeTimeout),
      Effect.interruptible
    )
  }

  memory(): Effect.Effect<Memory | undefined> {
    const identity = this.credentials.identity.hash
    return this.#stored !== undefined
      ? Effect.succeed(undefined)
      : Effect.map(this.#machine.memory(), (token) => token === undefined ? undefined : { identity, token })
  }

  close(): Effect.Effect<void> {
    return this.#machine.close().pipe(
      // Nothing is being renewed any more.
      Effect.ensuring(Effect.suspend(() => this.settle())),
      // Whoever waits or listens is told, even where a store dies.
      Effect.ensuring(Effect.sync(() => this.#rateLimits.end())),
      Effect.ensuring(Effect.suspend(() => this.#events.end()))
    )
  }
}

/** With a token of their own, which nobody else knows. */
export const open = <R>(
  flow: AuthFlow.AuthFlow<R>,
  options: Options,
  inPlace?: Surroundings<R>
): Effect.Effect<Opened, never, R> =>
  make(flow, options, inPlace, ({ exchangeTimeout }) =>
    Effect.map(Ref.make(false), (redeeming): Renewing<R> => {
      const renew: Renewing<R>["renew"] = (previous) =>
        Effect.map(exchange(flow, previous, exchangeTimeout), (token) => ({ token, adopted: false }))
      return {
        renew: Option.isNone(flow.renew) ? renew : (previous, reason) =>
          Ref.set(redeeming, true).pipe(
            Effect.zipRight(renew(previous, reason)),
            Effect.ensuring(Ref.set(redeeming, false))
          ),
        holdsBack: false,
        finishing: Ref.get(redeeming)
      }
    }))

/** With the token that is stored under their identity. */
export const openShared = <R>(
  flow: AuthFlow.AuthFlow<R>,
  options: SharedOptions,
  inPlace?: Surroundings<R>
): Effect.Effect<Opened, never, R | TokenStore.TokenStore> =>
  make(flow, options, inPlace, ({ exchangeTimeout, identity, policy }) =>
    Effect.gen(function*() {
      const shared = yield* SharedToken.make({
        flow,
        identity,
        key: TokenStore.key(identity),
        store: EncryptedStore.refuseEncrypted(yield* TokenStore.TokenStore),
        policy,
        exchangeTimeout,
        lockTimeout: Duration.decode(options.lockTimeout ?? "90 seconds"),
        storeTimeout: Duration.decode(options.storeTimeout ?? "10 seconds")
      })
      return { renew: shared.renew, finishing: shared.finishing, holdsBack: true, stored: shared }
    }))
