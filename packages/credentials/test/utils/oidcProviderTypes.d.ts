/** `oidc-provider` has no types of its own: those of it that are used here. */
declare module "oidc-provider" {
  import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"

  interface Context {
    readonly oidc: { readonly params: Readonly<Record<string, string | undefined>> }
    body: unknown
  }

  interface Grant {
    addOIDCScope(scope: string): void
    save(): Promise<string>
  }

  interface Interaction {
    readonly params: { readonly client_id: string; readonly login_hint: string; readonly scope: string }
    readonly prompt: { readonly name: string }
    readonly session?: { readonly accountId: string }
  }

  export interface ProviderError extends Error {
    readonly error?: string
    readonly error_detail?: string
    readonly error_description?: string
  }

  export default class Provider {
    constructor(issuer: string, configuration: object)
    readonly Grant: new(of: { readonly accountId: string | undefined; readonly clientId: string }) => Grant
    callback(): RequestListener
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>
    interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
    on(event: "grant.success" | "grant.revoked", listener: (context: Context) => void): this
    on(event: "grant.error" | "server_error", listener: (context: Context, error: ProviderError) => void): this
  }
}

declare module "oidc-provider/lib/adapters/memory_adapter.js" {
  export default class MemoryAdapter {
    constructor(model: string)
  }
}
