/**
 * Where tokens outlive the process, and the lock that lets one process at a
 * time renew one of them.
 *
 * A refresh token that is replaced at every use must be redeemed once, by one
 * process, and its successor must be on disk before anyone relies on it. So a
 * store is asked for two things: that a saved entry is durable, and that one
 * holder at a time has a key.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type { CredentialsIdentity } from "./CredentialsIdentity.js"
import type { TokenStoreError } from "./CredentialsError.js"
import * as EncryptedStore from "./internal/encryptedStore.js"
import * as FileStore from "./internal/fileStore.js"
import * as MemoryStore from "./internal/memoryStore.js"
import * as StoredEntry from "./internal/storedEntry.js"
import type { Keyring } from "./Keyring.js"
import type { Token } from "./Token.js"

/**
 * Under which key an entry is stored: the hash of an identity. A store may be
 * given any text; it must not show it, or use it as a name as it is.
 *
 * @since 0.1.0
 * @category models
 */
export type StoreKey = string

/**
 * What is stored under one key.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly token: Token
  /** 1 for the first token, one more for each that replaces it. */
  readonly generation: number
  /**
   * Since when somebody has been redeeming the refresh token. Where it is found
   * by a later holder of the lock, that holder died, or never had an answer.
   */
  readonly redeeming: Option.Option<DateTime.Utc>
  /**
   * A hash of the client secret with which the token was got. Who has another
   * one may renew the token, which proves the new secret to the server, but is
   * not given it.
   */
  readonly secretFingerprint?: string | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface EncodedEntry extends StoredEntry.EncodedEntry {}

/**
 * The text of an entry. The encoded side holds secrets in plain text: it belongs
 * in a store and nowhere else.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Entry: Schema.Schema<Entry, EncodedEntry> = StoredEntry.Entry

/**
 * What the holder of a lock can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Held {
  /** The entry as it was when the lock was had. */
  readonly stored: Option.Option<Entry>
  /**
   * Replaces the entry. Durable when it returns; when it fails, it may or may
   * not have happened. Fails with `TokenStoreError`, and changes nothing, where
   * another holder has saved since: one who was stopped for longer than its
   * lease never overwrites what came after. May be called more than once.
   */
  readonly save: (entry: Entry) => Effect.Effect<void, TokenStoreError>
}

/**
 * One holder of a key at a time, across every process that shares the store.
 *
 * What is saved stays saved: a store in a database takes no part in a
 * transaction of its caller, or of the program in which its Layer was built.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenStore {
  /** Does not wait for the lock. What cannot be read is a `TokenStoreError`, never `None`. */
  readonly load: (key: StoreKey) => Effect.Effect<Option.Option<Entry>, TokenStoreError>
  /**
   * Runs `body` as the only holder of the key, as interruptible as the caller
   * is. The wait for the lock can be interrupted. The lock is freed however
   * `body` ends, and when its process dies.
   */
  readonly withLock: <A, E, R>(
    key: StoreKey,
    body: (held: Held) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | TokenStoreError, R>
  /** Forgets the entry, once the lock is free. Needs no readable entry: it is the way out where one is spoiled. */
  readonly remove: (key: StoreKey) => Effect.Effect<void, TokenStoreError>
}

/**
 * @since 0.1.0
 * @category tags
 */
export const TokenStore: Context.Tag<TokenStore, TokenStore> = Context.GenericTag("effect-credentials/TokenStore")

/**
 * The key of an identity.
 *
 * @since 0.1.0
 * @category getters
 */
export const key = (identity: CredentialsIdentity): StoreKey => identity.hash

/**
 * Keeps tokens in memory: for tests, and for programs in which every login may
 * end with the process. Two Layers built from one memory share it.
 *
 * @example
 * ```ts
 * import { TokenStore } from "effect-credentials"
 *
 * export const layer = TokenStore.layerMemory
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<TokenStore> = Layer.sync(TokenStore, MemoryStore.make)

/**
 * @since 0.1.0
 * @category models
 */
export interface FileOptions {
  /**
   * For how long a holder of the lock may show no sign of life before another
   * takes over. Only needed where the death of a process cannot be seen: see
   * `layerFile`. 20 seconds by default.
   */
  readonly leaseDuration?: Duration.DurationInput | undefined
}

/**
 * Keeps tokens in a folder, for any number of processes of one user on one
 * machine. The folder is made where there is none.
 *
 * - **Private**: files have mode 0600, folders 0700. A folder that others can
 *   write to, or that is somebody else's, is refused, and so is an entry that
 *   others can read. Names are hashes. The secrets are in plain text.
 * - **Durable**: a save writes a new file, flushes it, gives it its name in one
 *   step, and flushes the folder. A file is there whole or not at all. The entry
 *   before is kept beside it.
 * - **Spoiled files**: what is damaged, or another program's, is a
 *   `TokenStoreError` that names the file and says what to do. It is never
 *   changed, and never passed over for an older entry, whose refresh token has
 *   been used. `remove` works all the same.
 * - **The lock** is freed when its holder dies: at once on Linux, where the death
 *   of a process in the same container can be seen, and otherwise after
 *   `leaseDuration`. A holder that was stopped for longer, and goes on, cannot
 *   overwrite what was saved in the meantime: its `save` fails. Neither can one
 *   whose thread was blocked for that long.
 * - A `save` that has begun is not interrupted, and the lock is given back after
 *   it; to stop waiting for one, use `Effect.disconnect`.
 * - **Not for network file systems** whose listings are not up to date at once,
 *   and not for file systems without hard links (FAT, exFAT): the latter are
 *   found out, and refused.
 * - **On Windows** there are no modes to set or to check: the folder must be one
 *   that only its user can read, such as one below the profile. Folders cannot
 *   be flushed there, so a power cut may undo the last save. The file system
 *   must be NTFS, and `Path` the one of Windows (`NodePath`, not `Path.layer`).
 *
 * Fails with `TokenStoreError`, operation `open`, where the folder cannot be
 * made or is refused.
 *
 * @example
 * ```ts
 * import { NodeFileSystem, NodePath } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { TokenStore } from "effect-credentials"
 *
 * export const layer = TokenStore.layerFile("/var/lib/parts-search/credentials").pipe(
 *   Layer.provide(Layer.merge(NodeFileSystem.layer, NodePath.layer))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFile = (
  folder: string,
  options?: FileOptions
): Layer.Layer<TokenStore, TokenStoreError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(TokenStore, FileStore.make(folder, options))

/**
 * Encrypts whatever a store keeps, whichever store it is: AES-256-GCM by the
 * platform's WebCrypto, a random nonce for each save. The whole entry is one
 * ciphertext; only its generation and the id of the key stay outside. It opens
 * under the store key and the generation it was saved with, and nowhere else.
 *
 * Everything is saved with the current key of the keyring and read with the key
 * it was saved with. An entry that does not open is a `TokenStoreError` of the
 * operation `load` that says what to do, and stays as it is: its key is gone or
 * another one, it was changed, damaged or copied from another row, or it is not
 * encrypted at all (anyone who can write to the store could have made it).
 * `remove` works without opening it.
 *
 * What this does not do: notice that an older copy of an entry, or of the whole
 * store, was put back, or that an entry was taken away; hide how long an entry
 * is, how often and when it is saved; keep anything from who can read this
 * process's memory or its keys. One key is good for 2³² saves (NIST SP 800-38D
 * §8.3).
 *
 * The Layer fails with what `keyring` fails with, before the store is opened.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { Keyring, TokenStore } from "effect-credentials"
 *
 * // The tokens are in the folder, the key is in CREDENTIALS_KEYRING: neither is of use alone.
 * export const layer = TokenStore.layerFile("/var/lib/parts-search/credentials").pipe(
 *   TokenStore.encrypted(Keyring.fromConfig()),
 *   Layer.provide(NodeContext.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const encrypted = <E2 = never, R2 = never>(keyring: Keyring | Effect.Effect<Keyring, E2, R2>) =>
<E, R>(store: Layer.Layer<TokenStore, E, R>): Layer.Layer<TokenStore, E | E2, R | R2> =>
  Layer.unwrapEffect(
    Effect.map(Effect.isEffect(keyring) ? keyring : Effect.succeed(keyring), (keyring) =>
      Layer.map(store, (context) =>
        Context.make(TokenStore, EncryptedStore.make(Context.get(context, TokenStore), keyring))))
  )
