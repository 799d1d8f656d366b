/** What an application asked for, once it was found to be allowed to ask. */
export interface Asked {
  readonly clientId: string
  /** As the application wrote it: the token call must name the same text. */
  readonly redirectUri: string
  /** Where that is. */
  readonly url: URL
  /** The application's own; given back as it came. */
  readonly state: string | undefined
}

/** A page that somebody is looking at. */
export interface Open {
  readonly asked: Asked
  /** Who signed in; `undefined` while nobody has. */
  readonly account: string | undefined
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
}

/** By the token in the form of each page: the form says nothing else of what it is about. */
export type Consents = ReadonlyMap<string, Open>

export const empty: Consents = new Map()

/** How long a page can be looked at: as long as a code would be good. Milliseconds. */
const lifetime = 600_000

export const open = (token: string, page: Omit<Open, "expiresAt">, now: number) => (consents: Consents): Consents => {
  const living = [...consents].filter(([, { expiresAt }]) => expiresAt > now)
  return new Map(living).set(token, { ...page, expiresAt: now + lifetime })
}

/** For `Ref.modify`: a form is sent once. */
export const take = (token: string, now: number) => (consents: Consents): readonly [Open | undefined, Consents] => {
  const found = consents.get(token)
  const rest = new Map(consents)
  rest.delete(token)
  return [found !== undefined && now < found.expiresAt ? found : undefined, rest]
}
