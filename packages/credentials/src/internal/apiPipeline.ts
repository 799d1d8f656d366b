/**
 * One request of a program on its way: its turn, token, target, send, and what
 * follows from the answer. The path of a request that succeeds at once has few steps on
 * purpose: each interpreted step costs a fifth of a microsecond.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import { RequestFailed } from "../ApiError.js"
import type { ApiClientError, RateLimited } from "../ApiError.js"
import type { Credentials } from "../Credentials.js"
import { ForeignOrigin } from "../CredentialsError.js"
import type { CredentialsError } from "../CredentialsError.js"
import * as RateLimits from "../RateLimits.js"
import * as RetryPolicy from "../RetryPolicy.js"
import * as Token from "../Token.js"
import * as Failure from "./apiFailure.js"
import type { ErrorBody, Options, Repetition } from "./apiModel.js"
import * as Body from "./body.js"
import type { Limiter } from "./limiter.js"
import * as Metrics from "./metrics.js"
import { Pass } from "./pass.js"
import type { Place } from "./pass.js"
import { limiterOf } from "./rateLimitRegistry.js"
import * as Response from "./response.js"
import * as Retry from "./retry.js"
import { scrub } from "./scrub.js"
import * as Send from "./send.js"
import * as Target from "./target.js"
import * as Turn from "./turn.js"
import * as Unauthorized from "./unauthorized.js"

/** What one product remembers, for one Layer instance. */
interface Memory {
  readonly unauthorized: Unauthorized.Memory
  readonly limiter: Limiter
  /** A policy brought along by one call must not use up another's budget. */
  readonly budgets: WeakMap<RetryPolicy.Budget, Retry.BudgetState>
}

/** One request of the program. */
interface Run extends Turn.Run {
  readonly credentials: Credentials
  readonly client: HttpClient.HttpClient
  readonly memory: Memory
}

type Answer<E, R> = Effect.Effect<
  HttpClientResponse.HttpClientResponse,
  E | CredentialsError | ForeignOrigin | RateLimited,
  R
>

/** What becomes of an attempt that did not succeed. */
type OnFailed<E, R> = (run: Run, failed: Failure.AttemptFailed) => Answer<E, R>

/** One attempt: the request itself, or where a redirect leads. */
interface Attempt<E, R> {
  readonly request: HttpClientRequest.HttpClientRequest
  /** The token that was refused, where this is the replay. */
  readonly replaced: Token.Token | undefined
  readonly hops: number
  readonly onFailed: OnFailed<E, R>
}

const redirects = new Set([301, 302, 303, 307, 308])
const maxRedirects = 5

const canFollow = (request: HttpClientRequest.HttpClientRequest): boolean =>
  request.method === "GET" || request.method === "HEAD"

/** The next hop as a full URL, which `attach` then checks like any other. */
const redirected = (
  request: HttpClientRequest.HttpClientRequest,
  authorised: HttpClientRequest.HttpClientRequest,
  location: string
): HttpClientRequest.HttpClientRequest => {
  const url = URL.canParse(location, authorised.url) ? new URL(location, authorised.url).href : "invalid"
  return HttpClientRequest.make(request.method)(url, { headers: request.headers })
}

const firstOf = <E, R>(request: HttpClientRequest.HttpClientRequest, onFailed: OnFailed<E, R>): Attempt<E, R> => ({
  request,
  replaced: undefined,
  hops: 0,
  onFailed
})

/** What a request is known by when a renewal did not help it. */
const nameOf = (request: HttpClientRequest.HttpClientRequest): string =>
  `${request.method} ${Failure.pathOf(request.url)}`

/** An effect that is its own result needs no step to be read. */
const isDone = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Success<A, E> =>
  Exit.isExit(effect) && Exit.isSuccess(effect)

export const make = <R>(options: Options<R>) => {
  const { isAnswer, product } = options
  const prefix = (options.path ?? "").replace(/\/$/, "")
  const repetitionOf = options.repetition ?? Failure.byMethod
  const policy: RetryPolicy.RetryPolicy<R> = options.retry ?? RetryPolicy.make<R>()
  const isPaced = options.pacing !== false
  const coolDown = Duration.toMillis(options.unauthorizedCoolDown ?? "1 minute")
  const timeout = options.timeout === undefined ? undefined : Duration.decode(options.timeout)
  const bodyTimeout = timeout === undefined ? Failure.bodyTimeout : Duration.min(timeout, Failure.bodyTimeout)

  const memories = new WeakMap<Credentials, Memory>()
  const memoryOf = (credentials: Credentials): Memory => {
    let memory = memories.get(credentials)
    if (memory === undefined) {
      memory = {
        unauthorized: Unauthorized.make(),
        limiter: limiterOf(credentials, { product, limits: options.limits, limitOf: options.limit }),
        budgets: new WeakMap()
      }
      memories.set(credentials, memory)
    }
    return memory
  }
  const budgetOf = (memory: Memory, budget: RetryPolicy.Budget): Retry.BudgetState => {
    let state = memory.budgets.get(budget)
    if (state === undefined) {
      state = Retry.untouchedBudget()
      memory.budgets.set(budget, state)
    }
    return state
  }

  const sendTimed = (
    { client, credentials: { secretHeaders }, memory }: Run,
    request: HttpClientRequest.HttpClientRequest,
    token: Token.Token,
    place: Place
  ): Effect.Effect<
    HttpClientResponse.HttpClientResponse,
    HttpClientError.HttpClientError | Failure.TimedOut | Send.GateClosed
  > => {
    const sent = Send.sendThrough(new Pass(memory.limiter, place, request, token, secretHeaders), client, request, secretHeaders)
    return timeout === undefined
      ? sent
      : Effect.timeoutFail(sent, { duration: timeout, onTimeout: () => new Failure.TimedOut() })
  }

  const inTurn = <E>(run: Run, it: Attempt<E, R>, place: Place): Answer<E, R> =>
    Turn.inTurn(product, run.memory.limiter, policy, run, place, (place) => attempt(run, it, place))

  /**
   * Waits before a token is taken: one that is taken now may have expired by
   * then. No token is fetched for what is refused.
   */
  const paced = <E>(run: Run, it: Attempt<E, R>, now: number): Answer<E, R> =>
    isPaced
      ? run.memory.limiter.isOpen(now) ? attempt(run, it, undefined) : inTurn(run, it, undefined)
      : attempt(run, it, "unpaced")

  const pacedNow = <E>(run: Run, it: Attempt<E, R>): Answer<E, R> =>
    Effect.clockWith((clock) => paced(run, it, clock.unsafeCurrentTimeMillis()))

  const attempt = <E>(run: Run, it: Attempt<E, R>, place: Place): Answer<E, R> =>
    Effect.flatMap(run.credentials.token, (token) => {
      const attached = run.credentials.attach(it.request, token)
      return isDone(attached)
        ? exchange(run, it, attached.value, token, place)
        : Effect.flatMap(attached, (authorised) => exchange(run, it, authorised, token, place))
    })

  const exchange = <E>(
    run: Run,
    it: Attempt<E, R>,
    authorised: HttpClientRequest.HttpClientRequest,
    token: Token.Token,
    place: Place
  ): Answer<E, R> =>
    Effect.matchEffect(sendTimed(run, authorised, token, place), {
      onFailure: (error) => {
        // It closed while the token was fetched.
        if (error._tag === "GateClosed") return inTurn(run, it, place)
        run.sent = true
        return it.onFailed(run, Failure.notSent(options, repetitionOf(run.plain), run.plain, authorised, error))
      },
      onSuccess: (response) => {
        run.sent = true
        const { status } = response
        if (Unauthorized.shows(status)) {
          const { unauthorized } = run.memory
          Unauthorized.accept(unauthorized, token)
          if (unauthorized.unmended.size > 0) Unauthorized.forgive(unauthorized, nameOf(run.plain))
        }
        return (status >= 200 && status < 300) || isAnswer?.(status, run.plain) === true
          ? Exit.succeed(Response.make(response, run.plain, repetitionOf))
          : notOk(run, it, authorised, token, response)
      }
    })

  const notOk = <E>(
    run: Run,
    it: Attempt<E, R>,
    authorised: HttpClientRequest.HttpClientRequest,
    token: Token.Token,
    response: HttpClientResponse.HttpClientResponse
  ): Answer<E, R> =>
    Effect.gen(function*() {
      const { credentials, plain } = run
      const { hops, onFailed, replaced, request } = it
      const { headers, status } = response
      // Read whatever becomes of it: an unread body keeps its connection.
      const read = yield* Effect.option(Body.read(response)).pipe(Effect.timeoutOption(bodyTimeout))
      const json = Option.flatten(read).pipe(
        Option.filter((body) => !body.truncated),
        Option.flatMap((body) => Body.parseJson(body.text)),
        Option.getOrUndefined
      )
      const tokens = replaced === undefined ? [token] : [token, replaced]
      const attached = Failure.secretsOf(authorised, tokens, credentials.secretHeaders)
      const secrets = options.secrets === undefined ? attached : [...attached, ...options.secrets(plain)]
      const location = headers["location"]
      if (redirects.has(status) && location !== undefined && hops < maxRedirects && canFollow(request)) {
        return yield* Effect.mapError(
          pacedNow(run, { ...it, request: redirected(request, authorised, location), hops: hops + 1 }),
          // The address is the server's text too.
          (error) =>
            error instanceof ForeignOrigin
              ? new ForeignOrigin({ provider: error.provider, origin: scrub(error.origin, secrets), allowed: error.allowed })
              : error
        )
      }
      if (status === 429) {
        yield* Metric.update(Metric.tagged(Metrics.rateLimitExceeded, "product", product), 1)
      }
      const repetition = repetitionOf(plain)
      if (status === 401 && replaced === undefined && (yield* renewed(run, token, repetition))) {
        yield* Metric.update(Metric.tagged(Metrics.replays, "provider", credentials.identity.provider), 1)
        return yield* pacedNow(run, { ...it, replaced: token })
      }
      const now = yield* Clock.currentTimeMillis
      if (status === 401 && replaced !== undefined) {
        Unauthorized.notMended(run.memory.unauthorized, nameOf(plain), token, now)
      }
      const body: ErrorBody = { status, headers, json }
      return yield* onFailed(run, Failure.classify(options, repetition, plain, body, secrets, now))
    })

  /** Whether a request that was refused may go out again with another token. */
  const renewed = (run: Run, token: Token.Token, repetition: Repetition): Effect.Effect<boolean, CredentialsError> =>
    repetition !== "never"
      ? renewAfter401(run, token)
      // Sent once, but the next request shall have a good token. Whoever waits for the error waits a little for it.
      : renewAfter401(run, token).pipe(
        Effect.tap((renewed) =>
          renewed
            ? Effect.map(Clock.currentTimeMillis, (now) =>
              Unauthorized.notMended(run.memory.unauthorized, nameOf(run.plain), token, now))
            : Effect.void
        ),
        Effect.timeoutOption(bodyTimeout),
        Effect.ignore,
        Effect.as(false)
      )

  /** Whether there is another token now, so that a replay makes sense. */
  const renewAfter401 = (run: Run, token: Token.Token): Effect.Effect<boolean, CredentialsError> =>
    Effect.gen(function*() {
      const current = yield* run.credentials.token
      if (!Token.sameAccessToken(current, token)) return true
      const now = yield* Clock.currentTimeMillis
      const memory = run.memory.unauthorized
      if (!Unauthorized.mayRenew(memory, token, nameOf(run.plain), now, coolDown)) return false
      const fresh = yield* run.credentials.reject(token)
      if (!Token.sameAccessToken(fresh, token)) return true
      memory.unchanged = { token, at: now }
      return false
    })

  /**
   * After a 429. Where the gate is closed for as long it is waited for in the
   * queue, before all who came later: they would take every place at its opening.
   */
  const afterTooMany = (run: Run, wait: number): Effect.Effect<void> =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      if (isPaced && (yield* RateLimits.isPaced) && run.memory.limiter.isClosedFor(wait, now)) return
      yield* Metric.update(Metric.tagged(Metrics.rateLimitWaits, "product", product), 1)
      yield* Effect.sleep(wait)
    })

  /** The Schedule begins here: a request that succeeds at once never builds one. */
  const onFirstFailed: OnFailed<ApiClientError, R> = (run, first) =>
    Option.isNone(first.retry)
      ? Effect.fail(first.error)
      : Effect.gen(function*() {
        const inForce = Option.getOrElse(yield* RetryPolicy.currentPolicy, () => policy)
        return yield* Retry.repeat<HttpClientResponse.HttpClientResponse, ApiClientError, R, Failure.AttemptFailed, R>({
          policy: inForce,
          budget: budgetOf(run.memory, inForce.budget),
          first,
          startedAt: run.startedAt,
          attempt: Effect.mapError(
            pacedNow(run, firstOf(run.plain, (_, failed) => Effect.fail(failed))),
            (error) => error._tag === "AttemptFailed" ? error : Failure.final(error)
          ),
          retryable: (failure) => failure.retry,
          giveUp: (failure) => Effect.fail(failure.error),
          rest: (failure, wait) => failure.error._tag === "RateLimited" ? afterTooMany(run, wait) : Effect.sleep(wait)
        })
      })

  return (
    original: HttpClientRequest.HttpClientRequest,
    credentials: Credentials,
    client: HttpClient.HttpClient,
    startedAt: number
  ): Answer<ApiClientError, R> => {
    const { url } = original
    if (Target.hasDotSegment(url)) {
      return Effect.fail(new RequestFailed({ ...Failure.where(product, original), reason: "InvalidRequest" }))
    }
    // What is no plain path stays as it is, for `attach` to refuse.
    const plain = prefix !== "" && Target.isPlainPath(url)
      ? HttpClientRequest.setUrl(original, prefix + url)
      : original
    const memory = memoryOf(credentials)
    const run: Run = { plain, credentials, client, memory, ticket: memory.limiter.ticket(), startedAt, sent: false }
    return paced(run, firstOf(plain, onFirstFailed), startedAt)
  }
}
