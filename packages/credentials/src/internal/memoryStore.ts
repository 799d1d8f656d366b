/**
 * A store in memory: a cell and a lock a key.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { TokenStoreError } from "../CredentialsError.js"
import type { Entry, StoreKey, TokenStore } from "../TokenStore.js"

interface Cell {
  readonly lock: Effect.Semaphore
  entry: Option.Option<Entry>
}

export const make = (): TokenStore => {
  const cells = new Map<StoreKey, Cell>()
  const at = (key: StoreKey): Cell => {
    const known = cells.get(key)
    if (known !== undefined) return known
    const cell: Cell = { lock: Effect.unsafeMakeSemaphore(1), entry: Option.none() }
    cells.set(key, cell)
    return cell
  }
  const locked = <A, E, R>(key: StoreKey, body: (cell: Cell) => Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const cell = at(key)
      return cell.lock.withPermits(1)(Effect.suspend(() => body(cell)))
    })
  const put = (cell: Cell, entry: Option.Option<Entry>) =>
    Effect.sync(() => {
      cell.entry = entry
    })
  return {
    load: (key) => Effect.sync(() => cells.get(key)?.entry ?? Option.none()),
    withLock: (key, body) =>
      locked(key, (cell) => {
        let isHolder = true
        return body({
          stored: cell.entry,
          save: (entry) =>
            Effect.suspend(() =>
              isHolder
                ? put(cell, Option.some(entry))
                : Effect.fail(new TokenStoreError({ operation: "save", description: "the lock has been given back" })))
        }).pipe(Effect.ensuring(Effect.sync(() => {
          isHolder = false
        })))
      }),
    remove: (key) => locked(key, (cell) => put(cell, Option.none()))
  }
}
