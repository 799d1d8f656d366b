/**
 * `oidc-provider`, an authorization server that nobody here wrote, on loopback:
 * its own grants, client authentication, PKCE, and rotation with reuse
 * detection. Ours are the clients, and a person who needs no browser.
 */
import { Effect, type Scope } from "effect"
import * as Crypto from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import Provider from "oidc-provider"
import MemoryAdapter from "oidc-provider/lib/adapters/memory_adapter.js"

export const redirectUri = "https://app.example/callback"

export interface Client {
  readonly id: string
  readonly secret?: string
  readonly authentication: "client_secret_basic" | "client_secret_post" | "none"
}

/** Every character that client authentication has to encode (RFC 6749 appendix B). */
const awkward = "s3cret:%+ /?&=\"'\\~"

export const clients = {
  basic: { id: "basic:app+1", secret: awkward, authentication: "client_secret_basic" },
  post: { id: "post-app", secret: awkward, authentication: "client_secret_post" },
  public: { id: "public-app", authentication: "none" }
} as const satisfies Readonly<Record<string, Client>>

const web = ["authorization_code", "refresh_token"]

const registrationOf = ({ authentication, id, secret }: Client) => ({
  client_id: id,
  client_secret: secret,
  token_endpoint_auth_method: authentication,
  redirect_uris: [redirectUri],
  response_types: ["code"],
  grant_types: secret === undefined ? web : [...web, "client_credentials"]
})

const { privateKey } = Crypto.generateKeyPairSync("rsa", { modulusLength: 2048 })

const lifetimes = ["AccessToken", "ClientCredentials", "Grant", "IdToken", "Interaction", "RefreshToken", "Session"]

const configuration = {
  // As a function, with a key and cookie keys of our own: the server warns of its defaults on the console.
  adapter: (model: string) => new MemoryAdapter(model),
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "test" }] },
  cookies: { keys: [Crypto.randomBytes(16).toString("hex")] },
  ttl: { AuthorizationCode: 60, ...Object.fromEntries(lifetimes.map((name) => [name, 600])) },
  clients: Object.values(clients).map(registrationOf),
  scopes: ["openid", "offline_access", "parts"],
  features: { devInteractions: { enabled: false }, clientCredentials: { enabled: true } },
  findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => ({ sub }) }),
  pkce: { methods: ["S256"], required: () => true },
  issueRefreshToken: () => true,
  // A refresh token that comes a second time ends its grant.
  rotateRefreshToken: true,
  renderError: (context: { body: unknown }, out: unknown) => {
    context.body = out
  }
}

/** The person: signs in as `login_hint` says and allows what is asked for, or, named `nobody`, denies it. */
const decide = async (provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<object> => {
  const { params, prompt, session } = await provider.interactionDetails(request, response)
  if (params.login_hint === "nobody") return { error: "access_denied", error_description: "Not today." }
  if (prompt.name === "login") return { login: { accountId: params.login_hint } }
  const grant = new provider.Grant({ accountId: session?.accountId, clientId: params.client_id })
  grant.addOIDCScope(params.scope)
  return { consent: { grantId: await grant.save() } }
}

/** What its token endpoint did so far. */
interface Seen {
  /** Refresh tokens that were exchanged. */
  redeemed: number
  /** Codes that were exchanged. */
  codes: number
  readonly errors: Array<string>
  /** Grants that were revoked, since something was presented twice. */
  revoked: number
}

export interface AuthorizationServer {
  readonly issuer: string
  readonly seen: Readonly<Seen>
}

const listening = (server: Server) =>
  Effect.async<string>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(
        address === null || typeof address === "string"
          ? Effect.die("no port")
          : Effect.succeed(`http://127.0.0.1:${address.port}`)
      )
    })
  })

const closed = (server: Server) =>
  Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

const watch = (provider: Provider): Seen => {
  const seen: Seen = { redeemed: 0, codes: 0, errors: [], revoked: 0 }
  provider.on("grant.success", ({ oidc }) => {
    if (oidc.params["grant_type"] === "refresh_token") seen.redeemed++
    if (oidc.params["grant_type"] === "authorization_code") seen.codes++
  })
  provider.on("grant.revoked", () => {
    seen.revoked++
  })
  provider.on("grant.error", (_, error) => {
    seen.errors.push(`${error.error}: ${error.error_detail ?? error.error_description}`)
  })
  provider.on("server_error", (_, error) => {
    seen.errors.push(`server_error: ${error.stack}`)
  })
  return seen
}

export const start: Effect.Effect<AuthorizationServer, never, Scope.Scope> = Effect.gen(function*() {
  const server = createServer()
  const issuer = yield* Effect.acquireRelease(listening(server), () => closed(server))
  const provider = new Provider(issuer, configuration)
  const serve = provider.callback()
  server.on("request", (request, response) => {
    if (request.url?.startsWith("/interaction/") !== true) return serve(request, response)
    decide(provider, request, response).then((result) => provider.interactionFinished(request, response, result)).catch(
      (error) => response.writeHead(500).end(String(error))
    )
  })
  return { issuer, seen: watch(provider) }
})

/** Follows redirects from an authorization URL with a cookie jar, as a browser would, to the one that leaves the server. */
export const browse = (url: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const cookies = new Map<string, string>()
    const { origin } = new URL(url)
    let next = url
    for (let step = 0; step < 20; step++) {
      const response = await fetch(next, {
        redirect: "manual",
        headers: { cookie: Array.from(cookies, ([name, value]) => `${name}=${value}`).join("; ") }
      })
      for (const line of response.headers.getSetCookie()) {
        const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        if (value === "") cookies.delete(name)
        else cookies.set(name, value)
      }
      const location = response.headers.get("location")
      if (location === null) throw new Error(`${next} answered ${response.status} ${await response.text()}`)
      next = new URL(location, next).href
      if (new URL(next).origin !== origin) return next
    }
    throw new Error("there are too many redirects")
  })
