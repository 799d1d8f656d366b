/**
 * As much of structured fields (RFC 9651) as the rate-limit headers need: lists
 * and dictionaries of bare items with parameters. What does not fit is nothing.
 */
import * as Option from "effect/Option"

export type Bare = string | number | boolean

export interface Member {
  /** Where the field is a dictionary. */
  readonly key: string | undefined
  readonly value: Bare
  readonly parameters: ReadonlyMap<string, Bare>
}

/** Longer than any server has reason to be, and short enough to read at every reply. */
const longest = 2048

const key = /[a-z*][a-z0-9_.*-]*/y
const number = /-?\d{1,12}\.\d{1,3}|-?\d{1,15}/y
const string = /"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/y
const token = /[A-Za-z*][!#$%&'*+.^_`|~:/0-9A-Za-z-]*/y
const bytes = /:([A-Za-z0-9+/=]*):/y
const boolean = /\?([01])/y

export const parse = (text: string): Option.Option<ReadonlyArray<Member>> => {
  if (text.length > longest) return Option.none()
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  const skip = (characters: string): void => {
    while (at < text.length && characters.includes(text.charAt(at))) at++
  }
  const eat = (character: string): boolean => {
    if (text.charAt(at) !== character) return false
    at++
    return true
  }
  const bare = (): Bare | undefined => {
    let match = take(number)
    if (match !== null) return Number(match[0])
    match = take(string)
    if (match !== null) return (match[1] ?? "").replace(/\\(.)/g, "$1")
    match = take(token) ?? take(bytes)
    if (match !== null) return match[0]
    match = take(boolean)
    return match === null ? undefined : match[1] === "1"
  }
  const parameters = (): ReadonlyMap<string, Bare> | undefined => {
    const found = new Map<string, Bare>()
    for (;;) {
      const before = at
      // A space before the semicolon is not in the grammar, and is sent all the same.
      skip(" ")
      if (!eat(";")) {
        at = before
        return found
      }
      skip(" ")
      const name = take(key)
      if (name === null) return undefined
      const value = eat("=") ? bare() : true
      if (value === undefined) return undefined
      found.set(name[0], value)
    }
  }
  const member = (): Member | undefined => {
    const before = at
    const name = take(key)
    const keyed = name !== null && eat("=")
    if (!keyed) at = before
    const value = bare()
    const found = value === undefined ? undefined : parameters()
    return value === undefined || found === undefined
      ? undefined
      : { key: keyed ? name[0] : undefined, value, parameters: found }
  }

  const members: Array<Member> = []
  skip(" \t")
  for (;;) {
    const next = member()
    if (next === undefined) return Option.none()
    members.push(next)
    skip(" \t")
    if (at >= text.length) return Option.some(members)
    if (!eat(",")) return Option.none()
    skip(" \t")
  }
}
