/**
 * What the commands know of a provider. A third one is a value of this type.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type { ApiClientError } from "effect-credentials/ApiError"
import type { AuthFlow } from "effect-credentials/AuthFlow"
import * as Credentials from "effect-credentials/Credentials"
import type { AuthorizationCodeFlow } from "effect-credentials/OAuth2"
import type { Config } from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Kind } from "./profiles.js"
import type { Stop } from "./stop.js"

/** The credentials that a command acts with: whose they are is decided when it runs. */
export class Current extends Credentials.Tag("@effect-credentials/cli/Current")<Current>() {}

/** What the command line says instead of a variable. */
export interface Settings {
  readonly account: Option.Option<string>
  readonly environment: Option.Option<string>
}

/** A part of the provider's API, told from the others by its path. */
export interface Product {
  readonly name: string
  readonly path: string
  /** Whose token it takes. */
  readonly kind: Kind
  /** The path of a GET that reads little and changes nothing, to learn the product's limits by; none is known of every product. */
  readonly probe: string | undefined
  /** The request has the full path. */
  readonly execute: (
    request: HttpClientRequest.HttpClientRequest
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, ApiClientError, Current | HttpClient.HttpClient>
}

export interface Login {
  readonly flow: (
    settings: Settings
  ) => Effect.Effect<AuthorizationCodeFlow<HttpClient.HttpClient>, ConfigError | Stop>
  /** Where the provider sends the browser back to; `None` where it is not set. */
  readonly redirectUri: Config<Option.Option<string>>
  /** Where that is said. */
  readonly redirectUriVariable: string
}

/** A simulator that runs, and what leads to it. */
interface Simulated {
  /** Instead of the environment variables. */
  readonly config: ReadonlyMap<string, string>
  /** `None` where it is reached over loopback, like a server. */
  readonly httpClient: Option.Option<HttpClient.HttpClient>
  /** What it is, for a person. */
  readonly description: string
}

export interface Provider {
  /** As in commands, and in what is stored. */
  readonly name: string
  readonly title: string
  /** The application's own credentials. */
  readonly app: (settings: Settings) => Effect.Effect<AuthFlow<HttpClient.HttpClient>, ConfigError | Stop>
  /** `None` where nobody can log in. */
  readonly login: Option.Option<Login>
  readonly products: ReadonlyArray<Product>
  /**
   * Starts a simulator. It ends with the process; `memory` is a file that keeps what the next one must
   * know: what was granted.
   */
  readonly simulate: (memory: string) => Effect.Effect<Simulated, Stop, Scope.Scope | FileSystem.FileSystem>
}

/** Whose token, where nothing else says so. */
export const mainKind = (provider: Provider): Kind => provider.login._tag === "Some" ? "user" : "app"
