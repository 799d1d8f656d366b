/**
 * Credentials for many accounts: a program says that it needs those of some
 * account, and whoever knows which one provides them.
 *
 * @since 0.1.0
 */
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { AccountsUnavailable } from "./AccountsError.js"
import type * as Credentials from "./Credentials.js"
import { Gate } from "./internal/accountsGate.js"
import { Keeper } from "./internal/accountsKeeper.js"
import * as Engine from "./internal/engine.js"
import * as StateMachine from "./internal/stateMachine.js"
import type { TokenStore } from "./TokenStore.js"

/**
 * How many accounts are kept.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot {
  /** All of them: at most `maxAccounts`, apart from those that are being closed. */
  readonly accounts: number
  /** Somebody uses their credentials now. */
  readonly inUse: number
  /** Their credentials are there, used or not. */
  readonly open: number
  /** Nobody has used them for a while: nothing is kept of them but a token that is still good. */
  readonly idle: number
  /** Renewals under way: at most `renewalConcurrency`. */
  readonly renewing: number
  /** Renewals that wait for their turn. */
  readonly waiting: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Accounts<in Account, out E> {
  /**
   * The credentials of an account, opened if they are not. They stay open until
   * the scope is closed, and work no longer than they are open.
   */
  readonly get: (account: Account) => Effect.Effect<Credentials.Credentials, E | AccountsUnavailable, Scope.Scope>
  /** The same for as long as one effect runs, in fewer steps. */
  readonly use: <A, E2, R>(
    account: Account,
    effect: (credentials: Credentials.Credentials) => Effect.Effect<A, E2, R>
  ) => Effect.Effect<A, E | E2 | AccountsUnavailable, R>
  readonly invalidate: (account: Account) => Effect.Effect<void>
  readonly snapshot: Effect.Effect<Snapshot>
}

/**
 * The class of a tag made by `Tag`.
 *
 * @since 0.1.0
 * @category tags
 */
export interface TagClass<Self, Id extends string, I, Account, E>
  extends Context.TagClass<Self, Id, Accounts<Account, E>>
{
  /** The tag that programs for one account require. */
  readonly credentials: Context.Tag<I, Credentials.Credentials>
}

/**
 * Declares accounts: `credentials` is the tag that the programs require.
 * `Account` is what an account is known by, a text by default. It may be a value
 * with an equality of its own (`Data`, `Schema.Class`); two plain objects that
 * look alike would be two accounts. `E` is what looking one up fails with,
 * `ConfigError` by default.
 *
 * @example
 * ```ts
 * import { Accounts, Credentials } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 *
 * export class Merchants extends Accounts.Tag("Merchants", Acme)<Merchants>() {}
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export const Tag = <const Id extends string, I>(id: Id, credentials: Context.Tag<I, Credentials.Credentials>) =>
<Self, Account = string, E = ConfigError>(): TagClass<Self, Id, I, Account, E> =>
  Object.assign(Context.Tag(id)<Self, Accounts<Account, E>>(), { credentials })

/**
 * Runs a program for one account: it gets that account's credentials and no
 * other's. They are opened once, however many ask, and not closed while it runs.
 *
 * Fails with what the lookup of the account fails with; with
 * `AccountsUnavailable` where as many accounts are in use as may be kept.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Accounts, Credentials } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 * class Merchants extends Accounts.Tag("Merchants", Acme)<Merchants>() {}
 *
 * // Effect<Token, CredentialsError, Acme>: for some account
 * const token = Effect.flatMap(Acme, (acme) => acme.token)
 *
 * // Effect<Token, CredentialsError | ConfigError | AccountsUnavailable, Merchants>: for this one
 * export const tokenOf = (merchant: string) => token.pipe(Accounts.provide(Merchants, merchant))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const provide = <Self, Id extends string, I, Account, E>(
  tag: TagClass<Self, Id, I, Account, E>,
  account: NoInfer<Account>
) =>
<A, E2, R>(self: Effect.Effect<A, E2, R>): Effect.Effect<A, E | E2 | AccountsUnavailable, Self | Exclude<R, I>> =>
  Effect.flatMap(tag, (accounts) =>
    accounts.use(account, (credentials) => Effect.provideService(self, tag.credentials, credentials)))

/**
 * The credentials of an account, for as long as the scope is open.
 *
 * @since 0.1.0
 * @category getters
 */
export const get = <Self, Id extends string, I, Account, E>(
  tag: TagClass<Self, Id, I, Account, E>,
  account: NoInfer<Account>
): Effect.Effect<Credentials.Credentials, E | AccountsUnavailable, Self | Scope.Scope> =>
  Effect.flatMap(tag, (accounts) => accounts.get(account))

/**
 * Forgets an account and its token: whoever uses it now goes on with what it
 * has, whoever comes from now on gets it looked up anew. What is in a
 * `TokenStore` stays there.
 *
 * @since 0.1.0
 * @category combinators
 */
export const invalidate = <Self, Id extends string, I, Account, E>(
  tag: TagClass<Self, Id, I, Account, E>,
  account: NoInfer<Account>
): Effect.Effect<void, never, Self> => Effect.flatMap(tag, (accounts) => accounts.invalidate(account))

/**
 * How many accounts are kept now.
 *
 * @since 0.1.0
 * @category getters
 */
export const snapshot = <Self, Id extends string, I, Account, E>(
  tag: TagClass<Self, Id, I, Account, E>
): Effect.Effect<Snapshot, never, Self> => Effect.flatMap(tag, (accounts) => accounts.snapshot)

/**
 * Those of `Credentials` hold for every account. A number below its least, or that
 * is none, is a mistake in the program: the Layer dies of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Credentials.Options {
  /**
   * How many accounts are kept at most, those that are idle too; 10,000 by
   * default. For one more, the one that was used longest ago is forgotten; where
   * all are in use, a program fails with `AccountsUnavailable`. At least 1.
   */
  readonly maxAccounts?: number | undefined
  /**
   * How long credentials stay open that nobody uses; 5 minutes by default, and
   * up to an eighth of it more (between a second and a minute).
   */
  readonly idleTimeToLive?: Duration.DurationInput | undefined
  /** How many tokens are renewed at a time, over all accounts; 16 by default. At least 1. */
  readonly renewalConcurrency?: number | undefined
  /**
   * How long a renewal waits for its turn, before it fails with
   * `TokenEndpointUnavailable` reason `Busy`; 5 minutes by default. This wait is
   * no part of `exchangeTimeout`.
   */
  readonly renewalPatience?: Duration.DurationInput | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SharedOptions extends Options, Credentials.SharedOptions {}

const atLeastOne = (value: number, name: string): Effect.Effect<number> =>
  value >= 1 ? Effect.succeed(value) : Effect.die(new RangeError(`${name} must be at least 1`))

const make = <Account, E, R>(
  name: string,
  options: Options,
  open: (surroundings: StateMachine.Surroundings<R>) => (
    account: Account,
    memory: Engine.Memory | undefined
  ) => Effect.Effect<Engine.Opened, E, R>
): Effect.Effect<Accounts<Account, E>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    const runtime: Runtime.Runtime<R> = yield* Effect.runtime<R>()
    const renewalConcurrency = yield* atLeastOne(options.renewalConcurrency ?? 16, "renewalConcurrency")
    const gate = new Gate(renewalConcurrency, Duration.toMillis(options.renewalPatience ?? "5 minutes"), clock)
    const surroundings = yield* StateMachine.surroundings<R>((renewal, provider) => gate.inTurn(renewal, provider))
    const opening = open(surroundings)
    const keeper = yield* Effect.acquireRelease(
      Effect.map(atLeastOne(options.maxAccounts ?? 10_000, "maxAccounts"), (maxAccounts) =>
        new Keeper<Account, E>(
          {
            name,
            open: (account, memory) => Effect.provide(opening(account, memory), runtime.context),
            maxAccounts,
            idleTimeToLive: Duration.toMillis(options.idleTimeToLive ?? "5 minutes"),
            // Those that take their time to close are those that renew.
            closing: Math.max(64, renewalConcurrency)
          },
          runtime,
          clock
        )),
      (keeper) => Effect.suspend(() => {
        gate.close()
        return keeper.close()
      })
    )
    return {
      get: (account) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.tap(keeper.use(account, restore), ({ leave }) => Effect.addFinalizer(() => Effect.sync(leave)))
        ).pipe(Effect.map(({ credentials }) => credentials)),
      use: (account, effect) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(keeper.use(account, restore), ({ credentials, leave }) =>
            // It may throw before it is an effect.
            Effect.ensuring(restore(Effect.suspend(() => effect(credentials))), Effect.sync(leave)))
        ),
      invalidate: (account) => Effect.sync(() => keeper.invalidate(account)),
      snapshot: Effect.sync(() => ({ ...keeper.counts(), renewing: gate.going, waiting: gate.waiting }))
    }
  })

/**
 * Accounts whose tokens are kept in this process. `flow` says how an account
 * gets its tokens; it is run when the account is opened, in a fiber of the
 * Layer's, and what it acquires in its scope is released when it ends.
 *
 * An account that nobody uses for `idleTimeToLive` is closed. Its token is kept
 * while it is good, so to come back costs no token call; what was known of rate
 * limits is forgotten.
 *
 * The number of timers does not depend on the number of accounts. When the Layer
 * ends, all accounts are closed, in bounded time.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { Accounts, Credentials, OAuth2 } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 * class Merchants extends Accounts.Tag("Merchants", Acme)<Merchants>() {}
 *
 * declare const secretOf: (merchant: string) => Redacted.Redacted
 *
 * export const layer = Accounts.layer(Merchants, (merchant) =>
 *   OAuth2.clientCredentials({
 *     provider: "acme",
 *     baseUrl: "https://api.acme.example",
 *     tokenUrl: "https://login.acme.example/token",
 *     clientId: merchant,
 *     clientSecret: secretOf(merchant),
 *     lifetimeWhenAbsent: "1 hour"
 *   }), { maxAccounts: 20_000 })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <Self, Id extends string, I, Account, E, R, E2 extends E, R2>(
  tag: TagClass<Self, Id, I, Account, E>,
  flow: (account: Account) => Engine.FlowInput<R, E2, R2>,
  options: Options = {}
): Layer.Layer<Self, never, R | Exclude<R2, Scope.Scope>> =>
  Layer.scoped(
    tag,
    make<Account, E, R | Exclude<R2, Scope.Scope>>(tag.key, options, (around) => (account, memory) =>
      Effect.flatMap(
        Effect.scoped(Effect.suspend(() => Engine.built(flow(account)))),
        (flow) => Engine.open(flow, options, { around, memory })
      ))
  )

/**
 * Accounts whose tokens are kept in a `TokenStore`, and shared with whoever uses
 * the same store, as in `Credentials.layerShared`. Needed where accounts are
 * persons: their logins outlive the process.
 *
 * An account that nobody uses for `idleTimeToLive` is closed, and nothing is
 * kept of it here: to come back costs one look into the store. One with a token
 * that the store would not take stays open until it is saved.
 *
 * The flows must differ in their identity where their tokens do: give each
 * person's flow the account's own label.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { Accounts, Credentials, OAuth2 } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 * class Customers extends Accounts.Tag("Customers", Acme)<Customers>() {}
 *
 * export const layer = Accounts.layerShared(Customers, (customer) =>
 *   OAuth2.authorizationCode({
 *     provider: "acme",
 *     account: customer,
 *     baseUrl: "https://api.acme.example",
 *     tokenUrl: "https://login.acme.example/token",
 *     clientId: "my-app",
 *     clientSecret: Redacted.make("secret"),
 *     lifetimeWhenAbsent: "1 hour"
 *   }))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerShared = <Self, Id extends string, I, Account, E, R, E2 extends E, R2>(
  tag: TagClass<Self, Id, I, Account, E>,
  flow: (account: Account) => Engine.FlowInput<R, E2, R2>,
  options: SharedOptions = {}
): Layer.Layer<Self, never, R | Exclude<R2, Scope.Scope> | TokenStore> =>
  Layer.scoped(
    tag,
    make<Account, E, R | Exclude<R2, Scope.Scope> | TokenStore>(tag.key, options, (around) => (account, memory) =>
      Effect.flatMap(
        Effect.scoped(Effect.suspend(() => Engine.built(flow(account)))),
        (flow) => Engine.openShared(flow, options, { around, memory })
      ))
  )

/**
 * Accounts for tests: each has the credentials that a Layer gives it. Nothing is
 * closed before the test's Layer is.
 *
 * @example
 * ```ts
 * import { Accounts, Credentials } from "effect-credentials"
 *
 * class Acme extends Credentials.Tag("Acme")<Acme>() {}
 * class Merchants extends Accounts.Tag("Merchants", Acme)<Merchants>() {}
 *
 * export const layer = Accounts.layerTest(Merchants, (merchant) =>
 *   Credentials.layerTest(Acme, { token: `token-of-${merchant}` }))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = <Self, Id extends string, I, Account, E, E2 extends E, R>(
  tag: TagClass<Self, Id, I, Account, E>,
  lookup: (account: Account) => Layer.Layer<I, E2, R>
): Layer.Layer<Self, never, Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    tag,
    Effect.flatMap(Effect.scope, (scope) =>
      make<Account, E, R>(tag.key, { maxAccounts: Infinity, idleTimeToLive: Duration.infinity }, () => (account) =>
        Effect.map(Layer.buildWithScope(lookup(account), scope), (context): Engine.Opened => ({
          credentials: Context.get(context, tag.credentials),
          isBusy: () => false,
          settle: () => Effect.void,
          memory: () => Effect.succeed(undefined),
          close: () => Effect.void
        }))))
  )
