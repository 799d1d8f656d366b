/** What is registered; `undefined`: nothing was, and any https address and any loopback address will do. */
export type Registered = ReadonlyArray<string> | undefined

/**
 * Where the browser may be sent, or `undefined`. What is registered is compared as text (RFC 9700 §2.1);
 * there is no fragment (RFC 6749 §3.1.2) and no user name, which would hide the host from a reader.
 */
export const accept = (registered: Registered, redirectUri: string): URL | undefined => {
  const url = parse(redirectUri)
  if (url === undefined || redirectUri.includes("#") || url.username !== "" || url.password !== "") {
    return undefined
  }
  const accepted = registered === undefined
    ? url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))
    : registered.includes(redirectUri)
  return accepted ? url : undefined
}

/** A URL is printable ASCII (RFC 3986 §2); `URL` would drop or encode the rest in silence. */
const parse = (text: string): URL | undefined => {
  try {
    return /^[\x21-\x7e]+$/.test(text) ? new URL(text) : undefined
  } catch {
    return undefined
  }
}

const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname)

/** The address with the server's answer; a query of its own stays as it is (RFC 6749 §3.1.2). */
export const answer = (redirectUri: URL, parameters: Readonly<Record<string, string>>): string => {
  const url = new URL(redirectUri)
  const added = new URLSearchParams(parameters).toString()
  url.search = url.search === "" ? added : `${url.search}&${added}`
  return url.href
}

/**
 * The address as a source of a content security policy. The grammar has no IPv6 literal and `URL` lets
 * a `;` into a host: of such an address, and of one that is not http, the scheme stands alone.
 */
export const policySource = ({ origin, protocol }: URL): string =>
  /^https?:\/\/[a-z0-9.-]+(:\d+)?$/.test(origin) ? origin : protocol
