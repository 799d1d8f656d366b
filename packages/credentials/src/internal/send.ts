/**
 * Sends a request so that no transport follows a redirect on its own: fetch
 * would carry custom secret headers, and on 307 and 308 the body, to wherever
 * the answer points.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Headers from "@effect/platform/Headers"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"

const merged = new WeakMap<Context.Context<never>, Context.Context<never>>()

const withoutRedirects = (context: Context.Context<never>): Context.Context<never> => {
  const known = merged.get(context)
  if (known !== undefined) return known
  const init = Context.getOption(context, FetchHttpClient.RequestInit)
  const given = Option.getOrUndefined(init)
  // A program that says so itself, once at its edge, spares every request the change of context.
  const made: Context.Context<never> = given?.redirect === "manual"
    ? context
    : Context.add(context, FetchHttpClient.RequestInit, { ...given, redirect: "manual" })
  merged.set(context, made)
  return made
}

/**
 * What a request passes when it goes out, and what is told how it came back:
 * each in one step that nothing can interrupt. `clock`: milliseconds since the
 * epoch.
 */
export interface Gate {
  /** `false`: nothing is sent. */
  readonly enter: (clock: number) => boolean
  readonly answered: (response: HttpClientResponse.HttpClientResponse, clock: number) => void
  /** No answer came. */
  readonly lost: (neverSent: boolean, clock: number) => void
}

/** The gate did not let a request pass. */
export class GateClosed extends Data.TaggedClass("GateClosed") {}

const gateClosed = Exit.fail(new GateClosed())

const open: Gate = { enter: () => true, answered: () => {}, lost: () => {} }

const timeOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): number =>
  Context.get(fiber.currentDefaultServices, Clock.Clock).unsafeCurrentTimeMillis()

const unreachable = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"])

/** A failure before anything was sent: the request was certainly not applied. */
export const wasNeverSent = (error: HttpClientError.HttpClientError): boolean =>
  (error._tag === "RequestError" && error.reason !== "Transport") || unreachable.has(transportCode(error) ?? "")

type Sent<E> = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError | E>

/**
 * The fiber's context is changed for this one request and put back, whatever
 * becomes of it. `Effect.provideService` would do the same in more steps.
 *
 * The platform's span and a user's loggers see the headers. The Layer has told
 * them which are secret, but where two Layers are merged, or only the service is
 * passed on, that does not reach the program: then it is told here.
 */
export const send = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  secretHeaders: ReadonlyArray<string> = []
): Sent<never> =>
  Effect.catchTag(sendThrough(open, client, request, secretHeaders), "GateClosed", Effect.die)

export const sendThrough = (
  gate: Gate,
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  secretHeaders: ReadonlyArray<string> = []
): Sent<GateClosed> =>
  Effect.withFiberRuntime((fiber) => {
    const before = fiber.currentContext
    const manual = withoutRedirects(before)
    const names = fiber.getFiberRef(Headers.currentRedactedNames)
    const executed = secretHeaders.every((name) => names.includes(name))
      ? client.execute(request)
      : Effect.locally(client.execute(request), Headers.currentRedactedNames, [...names, ...secretHeaders])
    const putBack = manual === before ? undefined : FiberRef.set(FiberRef.currentContext, before)
    const done = (exit: Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>) => {
      if (Exit.isSuccess(exit)) gate.answered(exit.value, timeOf(fiber))
      else gate.lost(Cause.failures(exit.cause).pipe(Chunk.some(wasNeverSent)), timeOf(fiber))
      return putBack === undefined ? exit : Effect.zipRight(putBack, exit)
    }
    return Effect.uninterruptibleMask((restore): Sent<GateClosed> => {
      if (!gate.enter(timeOf(fiber))) return gateClosed
      const sent = Effect.matchCauseEffect(restore(executed), {
        onFailure: (cause) => done(answered(undying(cause))),
        onSuccess: (response) => done(Exit.succeed(response))
      })
      return manual === before ? sent : Effect.zipRight(FiberRef.set(FiberRef.currentContext, manual), sent)
    })
  })

/** A client that refuses statuses by itself (`filterStatusOk`) has an answer nevertheless, and it is ours to read. */
const answered = (
  cause: Cause.Cause<HttpClientError.HttpClientError>
): Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> => {
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  return error?._tag === "ResponseError" && error.reason === "StatusCode"
    ? Exit.succeed(error.response)
    : Exit.failCause(cause)
}

/** A client that dies of platform's own error (`Effect.orDie`) would hand our headers to whoever sees the defect. */
const undying = (
  cause: Cause.Cause<HttpClientError.HttpClientError>
): Cause.Cause<HttpClientError.HttpClientError> =>
  Option.match(
    Cause.find(cause, (part) =>
      part._tag === "Die" && HttpClientError.isHttpClientError(part.defect)
        // Only platform's own two classes have this type id.
        ? Option.some(part.defect as HttpClientError.HttpClientError)
        : Option.none()),
    { onNone: () => cause, onSome: Cause.fail }
  )

/** The error code of a transport (`ECONNREFUSED`): letters and digits only, so nothing else can hide in it. */
export const transportCode = (error: unknown): string | undefined => {
  let current: unknown = error
  for (let depth = 0; depth < 6 && typeof current === "object" && current !== null; depth++) {
    if ("code" in current && typeof current.code === "string" && /^[A-Z][A-Z0-9_]{2,40}$/.test(current.code)) {
      return current.code
    }
    current = "cause" in current ? current.cause : undefined
  }
  return undefined
}
