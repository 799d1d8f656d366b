/**
 * HTTP-date, RFC 9110 §5.6.7: the three forms that a recipient must accept.
 */
import * as Option from "effect/Option"

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

const imf = /^\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const rfc850 = /^\w{6,9}, (\d{2})-(\w{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const asctime = /^\w{3} (\w{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/

/** A two-digit year more than 50 years ahead is in the past (§5.6.7). */
const fullYear = (twoDigits: number, now: number): number => {
  const current = 1970 + Math.floor(now / 31_556_952_000)
  const year = current - (current % 100) + twoDigits
  return year > current + 50 ? year - 100 : year < current - 49 ? year + 100 : year
}

const utc = (
  year: number,
  monthName: string | undefined,
  day: string | undefined,
  time: ReadonlyArray<string | undefined>
): Option.Option<number> => {
  const month = months.indexOf(monthName ?? "")
  const [hour, minute, second] = time.map(Number)
  if (month < 0 || hour === undefined || minute === undefined || second === undefined) return Option.none()
  if (hour > 23 || minute > 59 || second > 60) return Option.none()
  const dayOfMonth = Number(day)
  const millis = Date.UTC(year, month, dayOfMonth, hour, minute, second)
  // Date.UTC rolls 31 February over into March; a second of 60 may roll over.
  const midnight = Date.UTC(year, month, dayOfMonth)
  const lastDay = (Date.UTC(year, month + 1, 1) - Date.UTC(year, month, 1)) / 86_400_000
  if (dayOfMonth < 1 || dayOfMonth > lastDay || !Number.isFinite(midnight)) return Option.none()
  return Option.some(millis)
}

/**
 * Milliseconds since the epoch. `now` (milliseconds) decides the century of a
 * two-digit year.
 */
export const parse = (text: string, now: number): Option.Option<number> => {
  const value = text.trim()
  let match = imf.exec(value)
  if (match !== null) return utc(Number(match[3]), match[2], match[1], [match[4], match[5], match[6]])
  match = rfc850.exec(value)
  if (match !== null) return utc(fullYear(Number(match[3]), now), match[2], match[1], [match[4], match[5], match[6]])
  match = asctime.exec(value)
  if (match !== null) return utc(Number(match[6]), match[1], match[2]?.trim(), [match[3], match[4], match[5]])
  return Option.none()
}
