/**
 * Why a login came to nothing.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A person's login came to nothing, and nothing was stored. Let the person
 * begin again.
 *
 * - `Mismatch`: no login was begun in this browser that the callback belongs
 *   to: it came to another browser, was used before, or is a forgery.
 * - `Expired`: more than 10 minutes have passed.
 * - `Denied`: the person said no (`access_denied`, RFC 6749 §4.1.2.1).
 * - `Refused`: the provider said no, in `error` and `description`.
 * - `Malformed`: the callback has neither a code nor an error, or has one twice,
 *   or came to another address than was registered.
 * - `Issuer`: the callback is from another authorization server (RFC 9207).
 * - `CodeRefused`: the provider did not take the code: it has expired, or was
 *   used before.
 *
 * @since 0.1.0
 * @category errors
 */
export class AuthorizationFailed extends Schema.TaggedError<AuthorizationFailed>(
  "effect-credentials/AuthorizationFailed"
)("AuthorizationFailed", {
  provider: Schema.String,
  reason: Schema.Literal("Mismatch", "Expired", "Denied", "Refused", "Malformed", "Issuer", "CodeRefused"),
  account: Schema.optional(Schema.String),
  /** The provider's code, for example `access_denied`. */
  error: Schema.optional(Schema.String),
  /** The provider's words, which came through the browser: without our secrets and at most 2 KB. Escape it in a page. */
  description: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const code = this.error === undefined ? "" : ` (${this.error})`
    const words = this.description === undefined ? "" : `: ${this.description}`
    const why = {
      Mismatch: "the answer belongs to no login that was begun here: it came to another browser, or was used before",
      Expired: "it took more than 10 minutes",
      Denied: `access was denied${code}${words}`,
      Refused: `the provider refused it${code}${words}`,
      Malformed: "the answer is not one that the provider gives",
      Issuer: "the answer came from another authorization server",
      CodeRefused: `the provider did not take the code: it has expired, or was used before${words}`
    }[this.reason]
    return `The login to ${this.provider}${this.account === undefined ? "" : ` for ${this.account}`} failed: ${why}.`
  }
}
