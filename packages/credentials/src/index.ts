/**
 * @since 0.1.0
 */
export * as ApiClient from "./ApiClient.js"
export * as ApiError from "./ApiError.js"
export * as AuthFlow from "./AuthFlow.js"
export * as BaseUrl from "./BaseUrl.js"
export * as Credentials from "./Credentials.js"
export * as CredentialsConfig from "./CredentialsConfig.js"
export * as CredentialsError from "./CredentialsError.js"
export * as CredentialsEvent from "./CredentialsEvent.js"
export * as CredentialsIdentity from "./CredentialsIdentity.js"
export * as Jwt from "./Jwt.js"
export * as OAuth2 from "./OAuth2.js"
export * as RefreshPolicy from "./RefreshPolicy.js"
export * as RetryPolicy from "./RetryPolicy.js"
export * as Token from "./Token.js"
export * as TokenEndpoint from "./TokenEndpoint.js"
