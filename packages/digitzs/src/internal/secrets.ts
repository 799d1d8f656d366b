/**
 * What a program gave us as `Redacted` goes into the request and nowhere else.
 * The engine frees a server's words of the secrets that it is told of, in every
 * encoding; here they are freed of a card number as people write one, in groups.
 */
import { ApiError, OutcomeUnknown, Problem, RateLimited } from "effect-credentials/ApiError"
import type { ApiClientError } from "effect-credentials/ApiError"
import { isRecord } from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type { Payment } from "../PaymentSchemas.js"

const placeholder = "<redacted>"

/** Every `Redacted` text inside a value. */
export const secretsIn = (value: unknown): ReadonlyArray<string> => {
  if (Redacted.isRedacted(value)) {
    const secret = Redacted.value(value)
    return typeof secret === "string" && secret !== "" ? [secret] : []
  }
  return Array.isArray(value)
    ? value.flatMap(secretsIn)
    : isRecord(value)
    ? Object.values(value).flatMap(secretsIn)
    : []
}

const base64 = (text: string): string =>
  btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""))

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&")

/** Digits are also written in groups, and a few of them may be part of a longer number, which is none of ours. */
const digits = (text: string): string => {
  const grouped = Array.from(text).join("[ ./-]?")
  return text.length < 6 ? `(?<!\\d)${grouped}(?!\\d)` : grouped
}

const patterns = (secret: string): ReadonlyArray<string> => {
  const encoded = base64(secret).replace(/=+$/, "")
  const inBase64 = secret.length < 6 ? [] : [encoded, encoded.replace(/\+/g, "-").replace(/\//g, "_")].map(escaped)
  return /^[\d-]+$/.test(secret)
    ? [digits(secret.replace(/-/g, "")), ...inBase64]
    : [
      ...[
        secret,
        encodeURIComponent(secret),
        new URLSearchParams([["", secret]]).toString().slice(1),
        JSON.stringify(secret).slice(1, -1)
      ].map(escaped),
      ...inBase64
    ]
}

/** What the engine cut at 2 KB may end inside a secret. Grouped or encoded, it is at most six times as long. */
const cutAt = 2040

const scrubber = (secrets: ReadonlyArray<string>): ((text: string) => string) => {
  // Longest first: one secret may be part of another.
  const sorted = secrets.toSorted((a, b) => b.length - a.length)
  const [longest] = sorted
  if (longest === undefined) return (text) => text
  const expression = new RegExp(Array.from(new Set(sorted.flatMap(patterns))).join("|"), "gi")
  return (text) => {
    const clean = text.replace(expression, placeholder)
    return new TextEncoder().encode(text).length < cutAt ? clean : clean.slice(0, Math.max(0, clean.length - 6 * longest.length))
  }
}

/**
 * A payment as the server describes it. Its message is freed of every secret;
 * its short texts of the long ones only, for three digits may be part of anything;
 * its ids, amounts and currency are left alone: they are what the program acts on.
 */
export const scrubPayment = (payment: Payment, secrets: ReadonlyArray<string>): Payment => {
  const words = scrubber(secrets)
  const short = scrubber(secrets.filter((secret) => secret.length >= 8))
  const texts = <A extends object>(record: A, keys: ReadonlyArray<keyof A>, clean: (text: string) => string): Partial<A> => {
    const cleaned: Partial<A> = {}
    for (const key of keys) {
      const value = record[key]
      // A key of a text gets a text back.
      if (typeof value === "string") cleaned[key] = clean(value) as A[keyof A]
    }
    return cleaned
  }
  const { transaction } = payment
  return {
    ...payment,
    ...texts(payment, ["status", "paymentType"], short),
    ...(transaction === undefined ? {} : {
      transaction: {
        ...transaction,
        ...texts(transaction, ["invoice", "code", "authCode", "avsResult"], short),
        ...texts(transaction, ["message"], words)
      }
    })
  }
}

/** The same error, its words freed of these secrets. */
export const scrub = (error: ApiClientError, secrets: ReadonlyArray<string>): ApiClientError => {
  if (!("problem" in error)) return error
  const clean = scrubber(secrets)
  const { detail, dialect, requestId, title, violations } = error.problem
  const problem = new Problem({
    title: title === undefined ? undefined : clean(title),
    detail: detail === undefined ? undefined : clean(detail),
    requestId: requestId === undefined ? undefined : clean(requestId),
    violations: violations.map(({ field, message }) => ({ field: clean(field), message: clean(message) })),
    dialect
  })
  const { method, path, product } = error
  switch (error._tag) {
    case "ApiError": {
      const { hint, reason, retryAt, status } = error
      return new ApiError({ product, method, path, status, reason, problem, hint, retryAt })
    }
    case "RateLimited":
      return new RateLimited({ product, method, path, retryAt: error.retryAt, limit: error.limit, problem })
    case "OutcomeUnknown": {
      const { code, idempotencyKey, status } = error
      return new OutcomeUnknown({ product, method, path, status, code, problem, idempotencyKey })
    }
  }
}
