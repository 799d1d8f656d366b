/**
 * Where a token may go, and how it gets there.
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { AuthFlow } from "../AuthFlow.js"
import * as BaseUrl from "../BaseUrl.js"
import type { Credentials } from "../Credentials.js"
import { ForeignOrigin } from "../CredentialsError.js"
import type * as Token from "../Token.js"
import * as Target from "./target.js"

type Place = Pick<AuthFlow<unknown>, "attach" | "baseUrl" | "origins" | "acceptBaseUrl" | "identity">

/** The base URL of a token, if it names one that the flow believes. */
export const namedBaseUrl = (
  flow: Pick<Place, "acceptBaseUrl">,
  baseUrl: string
): Option.Option<BaseUrl.BaseUrl> =>
  Option.filter(Either.getRight(BaseUrl.parse(baseUrl, "baseUrl")), flow.acceptBaseUrl)

export const attach = (flow: Place): Credentials["attach"] => {
  const foreign = (origin: string) =>
    Effect.fail(new ForeignOrigin({ provider: flow.identity.provider, origin, allowed: flow.origins }))
  const put = (
    request: HttpClientRequest.HttpClientRequest,
    token: Token.Token,
    baseUrl: BaseUrl.BaseUrl,
    origins: ReadonlyArray<string>
  ) => {
    const target = Target.resolve(request.url, baseUrl, origins)
    return target._tag === "Url"
      ? Exit.succeed(flow.attach(HttpClientRequest.setUrl(request, target.url), token))
      : foreign(target.origin)
  }
  let last: Token.Token | undefined
  let named: Option.Option<BaseUrl.BaseUrl> = Option.none()
  return (request, token) => {
    if (Option.isNone(token.baseUrl)) return put(request, token, flow.baseUrl, flow.origins)
    if (token !== last) {
      named = namedBaseUrl(flow, token.baseUrl.value)
      last = token
    }
    return Option.isNone(named)
      ? foreign("invalid")
      : put(request, token, named.value, [named.value.origin, ...flow.origins])
  }
}
