/**
 * How a command ended, for scripts.
 *
 * @since 0.1.0
 */

/**
 * The numbers do not change their meaning between versions.
 *
 * @since 0.1.0
 * @category constants
 */
export const ExitCode = {
  ok: 0,
  /** Something else than what has a number of its own. */
  failed: 1,
  /** What was asked for, or the configuration, is wrong. Nothing was sent. */
  usage: 2,
  /** A person has to log in. */
  loginNeeded: 3,
  /** The person said no. */
  denied: 4,
  /** The login took too long, or its code had expired or been used. */
  expired: 5,
  /** The provider does not take the client id, the secret or the key. */
  credentialsRejected: 6,
  /** The API said no: another 4xx. */
  refused: 7,
  /** Too many requests. */
  rateLimited: 8,
  /** The provider cannot be reached, or is in trouble: try later. */
  unavailable: 9,
  /** A request that is not repeated got no usable answer: it may have been applied. */
  outcomeUnknown: 10,
  /** The stored tokens cannot be read or written. */
  store: 11,
  /** Ctrl-C, or a signal. */
  interrupted: 130
} as const

/**
 * @since 0.1.0
 * @category models
 */
export type ExitCode = typeof ExitCode[keyof typeof ExitCode]

/**
 * What `--help` says of each.
 *
 * @since 0.1.0
 * @category constants
 */
export const meanings: ReadonlyArray<readonly [ExitCode, string]> = [
  [ExitCode.ok, "done"],
  [ExitCode.failed, "failed for another reason than those below"],
  [ExitCode.usage, "wrong arguments or configuration; nothing was sent"],
  [ExitCode.loginNeeded, "a person has to log in: credentials login <provider>"],
  [ExitCode.denied, "the person denied the access"],
  [ExitCode.expired, "the login took too long, or its code had expired or been used"],
  [ExitCode.credentialsRejected, "the provider refused the client id, secret or key"],
  [ExitCode.refused, "the API refused the request (4xx)"],
  [ExitCode.rateLimited, "too many requests; the message says when to come back"],
  [ExitCode.unavailable, "the provider cannot be reached or is in trouble; try later"],
  [ExitCode.outcomeUnknown, "no usable answer to a request that may have been applied"],
  [ExitCode.store, "the stored tokens cannot be read or written"],
  [ExitCode.interrupted, "interrupted"]
]
