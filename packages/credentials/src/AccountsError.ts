/**
 * Why credentials of an account are not to be had, apart from what its lookup
 * fails with.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The keeper of accounts gives nobody these credentials now.
 *
 * - `AllInUse`: it has as many accounts as it may keep, and every one is in use.
 *   Try again when a program has ended, or raise `maxAccounts`.
 * - `Interrupted`: the lookup was interrupted, by itself. Try again.
 * - `Closed`: its Layer has ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class AccountsUnavailable extends Schema.TaggedError<AccountsUnavailable>(
  "effect-credentials/AccountsUnavailable"
)("AccountsUnavailable", {
  /** The id of the tag. No account's own name is here: it may be a person's. */
  accounts: Schema.String,
  reason: Schema.Literal("AllInUse", "Interrupted", "Closed"),
  maxAccounts: Schema.Number
}) {
  override get message(): string {
    switch (this.reason) {
      case "AllInUse":
        return `All ${this.maxAccounts} accounts that ${this.accounts} may keep are in use. Try again later, or raise maxAccounts.`
      case "Interrupted":
        return `The lookup of an account of ${this.accounts} was interrupted. Try again.`
      case "Closed":
        return `The Layer that provides ${this.accounts} is closed: it has no credentials any more.`
    }
  }
}
