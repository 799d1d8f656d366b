/**
 * The table, and every statement on it.
 *
 * A row is one key. Its name is a hash; a removed row that is made again has
 * another lineage, and every save has another revision. A *mark* is a save that
 * did not raise the generation: somebody is about to use the entry up.
 */
import * as Option from "effect/Option"

/** PostgreSQL cuts off what is longer, and two names could become one. */
const identifier = "[A-Za-z_][A-Za-z0-9_]{0,62}"
const pattern = new RegExp(`^(?:(${identifier})\\.)?(${identifier})$`)

const quote = (name: string): string => `"${name}"`

/** The name as SQL has it, or none where it is no name. */
export const parse = (name: string): Option.Option<string> => {
  const found = pattern.exec(name)
  return found === null ? Option.none() : Option.some(found.slice(1).filter((part) => part !== undefined).map(quote).join("."))
}

export const migration = (table: string): string =>
  `CREATE TABLE IF NOT EXISTS ${table} (
  key text PRIMARY KEY,
  lineage uuid NOT NULL,
  revision uuid NOT NULL,
  generation bigint NOT NULL,
  entry text NOT NULL,
  marked_by text,
  saved_at timestamptz NOT NULL
)`

export const version = "SELECT version() AS version"

/**
 * Whether it is PostgreSQL 13 or later. Others that speak its protocol have no
 * advisory locks, or some that lock nothing (CockroachDB).
 */
export const isPostgres = (version: string): boolean =>
  Number(/^PostgreSQL (\d+)/.exec(version)?.[1]) >= 13 && !/-YB-|Redshift|Cockroach/i.test(version)

/**
 * The full name of a table that may have been given without its schema, and whether it is there. Its locks go by it:
 * `quote_ident` quotes some names in one session and not in another (`quote_all_identifiers`).
 */
export const find = `SELECT '"' || replace(schema.nspname, '"', '""') || '"."' || replace(class.relname, '"', '""') || '"' AS name
FROM pg_class AS class JOIN pg_namespace AS schema ON schema.oid = class.relnamespace
WHERE class.oid = to_regclass($1)`

const started = "pg_postmaster_start_time()"
const recovered = "pg_stat_get_bgwriter_stat_reset_time()"

/**
 * Which run of the server this is: with another one, all sessions and their locks
 * are gone. When one of its processes crashes, the server ends all sessions and
 * recovers without a new start; its statistics begin anew then, unless it was
 * shut down.
 */
const run = `concat_ws('/', extract(epoch FROM ${started}), extract(epoch FROM ${recovered}))`

/** In seconds. A clock may have been set back. */
const since = (time: string): string => `abs(extract(epoch FROM clock_timestamp() - ${time}))`

/** In a transaction that has changed a row: a saved entry is on disk, whatever the database does for others. */
const durably =
  "CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END AS durably"

/**
 * Set in a session that has a lock. A session is given its own lock again, so where a pooler gives it to two of us, both
 * would have it; and where a pooler resets sessions after each statement, nobody has.
 */
export const lockSetting = "effect_credentials.lock"

const hasLock = `current_setting('${lockSetting}', true) = 'held'`

export const takeLock = "SELECT pg_try_advisory_lock($1::bigint)::text AS is_had, pg_backend_pid()::text AS session"

/** And puts settings back, in the same statement. */
export const freeLock = `SELECT pg_advisory_unlock($1::bigint)::text AS was_had,
  (SELECT count(set_config(name, value, false)) FROM json_each_text($2::json) AS setting(name, value))::text AS settings`

export interface Statements {
  readonly check: string
  readonly load: string
  readonly read: string
  readonly insert: string
  readonly update: string
  readonly remove: string
}

export const statements = (table: string): Statements => {
  // $1 key, $2 lineage, $3 revision, $4 generation, $5 entry, $6 whether it is a mark,
  // $7 the revisions that this holder knows of, $8 the generation that it knows of.
  const mark = `CASE WHEN $6::boolean THEN ${run} END`
  /** Nobody else has saved since; or has done no more than to mark what is replaced here by its successor. */
  const isStill = `(saved.revision::text IN (SELECT json_array_elements_text($7::json))
  OR (saved.lineage = $2::uuid AND saved.generation = $8::bigint AND $4::bigint > $8::bigint))`
  return {
    check: `SELECT key, lineage, revision, generation, entry, marked_by, saved_at FROM ${table} LIMIT 0`,
    load: `SELECT entry FROM ${table} WHERE key = $1`,
    // $2: for how long, in milliseconds, a mark from another run of the server is heeded: since it was made, and since the
    // server is back, for its holder could not save an answer before.
    read: `SELECT (${hasLock})::text AS has_lock, saved.lineage::text, saved.revision::text, saved.generation::text, saved.entry,
  (saved.marked_by <> ${run} AND least(${since("saved.saved_at")}, ${since(started)}, ${since(recovered)}) * 1000 < $2::float8)::text AS is_heeded
FROM (SELECT) AS always LEFT JOIN ${table} AS saved ON saved.key = $1`,
    insert: `INSERT INTO ${table} AS saved (key, lineage, revision, generation, entry, marked_by, saved_at)
VALUES ($1, $2::uuid, $3::uuid, $4::bigint, $5, ${mark}, clock_timestamp())
ON CONFLICT (key) DO UPDATE SET lineage = excluded.lineage, revision = excluded.revision, generation = excluded.generation,
  entry = excluded.entry, marked_by = excluded.marked_by, saved_at = excluded.saved_at
WHERE ${isStill}
RETURNING ${durably}`,
    update: `UPDATE ${table} AS saved SET revision = $3::uuid, generation = $4::bigint, entry = $5, marked_by = ${mark}, saved_at = clock_timestamp()
WHERE saved.key = $1 AND ${isStill} AND (${hasLock} OR NOT $6::boolean)
RETURNING ${durably}`,
    remove: `DELETE FROM ${table} WHERE key = $1 RETURNING ${durably}`
  }
}
