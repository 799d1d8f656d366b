import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Ref from "effect/Ref"
import * as ConsentPages from "./consentPages.js"
import * as Consents from "./consents.js"
import * as Grants from "./grants.js"
import * as RedirectUris from "./redirectUris.js"
import * as Reply from "./reply.js"
import type { Settings, State } from "./state.js"

export const path = "/v1/oauth2/authorize"

type Response = Effect.Effect<HttpServerResponse.HttpServerResponse>

/**
 * One call of the authorization endpoint that arrived at `now` (milliseconds): a browser that an
 * application sent here, or a form of the pages that it is shown then: sign in, consent.
 */
export const handle = (state: State, request: HttpServerRequest.HttpServerRequest, now: number): Response => {
  switch (request.method) {
    case "GET":
      return begin(state, request.url, now)
    case "POST":
      return proceed(state, request, now)
    default:
      return refuse(state, 405, "invalid_request", "The authorization endpoint accepts GET and POST only", {
        Allow: "GET, POST"
      })
  }
}

// -----------------------------------------------------------------------------
// The application's request
// -----------------------------------------------------------------------------

const begin = (state: State, url: string, now: number): Response =>
  Effect.flatMap(Ref.get(state.settings), (settings) => {
    const question = url.indexOf("?")
    const asked = read(settings, new URLSearchParams(question === -1 ? "" : url.slice(question)))
    return Either.isRight(asked)
      ? showSignIn(state, asked.right, { account: "simulator" }, now)
      // told here, and never sent to an address that nobody has vouched for (RFC 6749 §4.1.2.1)
      : refuse(state, 400, asked.left.code, asked.left.detail)
  })

interface Refusal {
  readonly code: string
  readonly detail: string
}

const read = (settings: Settings, query: URLSearchParams): Either.Either<Consents.Asked, Refusal> => {
  const wrong = (detail: string, code = "invalid_request") => Either.left({ code, detail })
  const twice = ["client_id", "response_type", "redirect_uri", "state"].find((name) => query.getAll(name).length > 1)
  if (twice !== undefined) {
    return wrong(`${twice} is there more than once`)
  }
  // a parameter without a value is as good as none (RFC 6749 §3.1)
  const parameter = (name: string) => query.get(name) || undefined
  const clientId = parameter("client_id")
  if (clientId === undefined || !settings.clients.has(clientId)) {
    return clientId === undefined ? wrong("client_id is missing") : wrong("Invalid clientId", "invalid_client")
  }
  const redirectUri = parameter("redirect_uri")
  if (redirectUri === undefined) {
    return wrong("redirect_uri is missing")
  }
  const url = RedirectUris.accept(settings.redirectUris, redirectUri)
  if (url === undefined) {
    return wrong(`Invalid redirection uri ${redirectUri}`)
  }
  const responseType = parameter("response_type")
  if (responseType !== "code") {
    return responseType === undefined
      ? wrong("response_type is missing")
      : wrong("response_type is not supported", "unsupported_response_type")
  }
  return Either.right({ clientId, redirectUri, url, state: parameter("state") })
}

const refuse = (state: State, status: number, code: string, detail: string, headers: Reply.Headers = {}): Response =>
  Effect.map(state.nextRequestId, (requestId) =>
    Reply.refuse("D", { status, code, detail, requestId, headers: { ...ConsentPages.privacy, ...headers } }))

// -----------------------------------------------------------------------------
// The person's answers
// -----------------------------------------------------------------------------

const proceed = (state: State, request: HttpServerRequest.HttpServerRequest, now: number): Response =>
  Effect.gen(function*() {
    // a body that cannot be read has no fields
    const form = new URLSearchParams(yield* Effect.orElseSucceed(request.text, () => ""))
    const open = yield* Ref.modify(state.consents, Consents.take(form.get("form_token") ?? "", now))
    if (open === undefined) {
      return ConsentPages.gone()
    }
    const { account, asked } = open
    return yield* account === undefined
      ? signIn(state, asked, form.get("account") ?? "", now)
      : decide(state, asked, account, form.get("decision"), now)
  })

const signIn = (state: State, asked: Consents.Asked, typed: string, now: number): Response => {
  const account = typed.trim()
  return account === ""
    ? showSignIn(state, asked, { account, problem: "Enter an account name." }, now)
    : account.length > ConsentPages.maximumAccountLength
    ? showSignIn(state, asked, {
      account,
      problem: `An account name has at most ${ConsentPages.maximumAccountLength} characters.`
    }, now)
    : showConsent(state, asked, account, now)
}

const decide = (
  state: State,
  { clientId, redirectUri, state: theirs, url }: Consents.Asked,
  account: string,
  decision: string | null,
  now: number
): Response => {
  const sendBack = (answer: Readonly<Record<string, string>>) =>
    HttpServerResponse.empty({
      // the browser goes on with a GET, whatever it did here (RFC 9110 §15.4.4)
      status: 303,
      headers: {
        ...ConsentPages.privacy,
        location: RedirectUris.answer(url, theirs === undefined ? answer : { ...answer, state: theirs })
      }
    })
  switch (decision) {
    case "allow":
      return Effect.map(
        Ref.modify(
          state.grants,
          Grants.authorize({ clientId, account, redirectUri }, state.constants.codeLifetime, now)
        ),
        (code) => sendBack({ code })
      )
    case "deny":
      return Effect.succeed(sendBack({ error: "access_denied" }))
    default:
      return Effect.succeed(ConsentPages.gone())
  }
}

// -----------------------------------------------------------------------------
// The pages
// -----------------------------------------------------------------------------

const showSignIn = (
  state: State,
  asked: Consents.Asked,
  shown: Pick<ConsentPages.SignIn, "account" | "problem">,
  now: number
): Response =>
  Effect.map(
    open(state, { asked, account: undefined }, now),
    (token) => ConsentPages.signIn({ ...shown, token, clientId: asked.clientId })
  )

const showConsent = (state: State, asked: Consents.Asked, account: string, now: number): Response =>
  Effect.map(open(state, { asked, account }, now), (token) =>
    ConsentPages.consent({
      token,
      account,
      clientId: asked.clientId,
      // an address of an app on the device has no host
      host: asked.url.host === "" ? asked.url.protocol : asked.url.host,
      policySource: RedirectUris.policySource(asked.url)
    }))

/** Nobody guesses the token of somebody else's form. */
const open = (state: State, page: Omit<Consents.Open, "expiresAt">, now: number) =>
  Effect.tap(
    Effect.sync(() => crypto.randomUUID()),
    (token) => Ref.update(state.consents, Consents.open(token, page, now))
  )
