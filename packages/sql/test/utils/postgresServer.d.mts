export interface PostgresServer {
  readonly port: number
  readonly isRunning: () => Promise<boolean>
  /** Answers when it takes connections. Settings are PostgreSQL's own names (`max_connections`). */
  readonly start: (settings?: Record<string, string | number>) => Promise<void>
  /** `fast` ends sessions, `immediate` is a crash. */
  readonly stop: (mode?: "smart" | "fast" | "immediate") => Promise<void>
  /** Stops it, and removes all that it held. */
  readonly remove: () => Promise<void>
}

export interface Place {
  /** Made by the first start. */
  readonly folder: string
  readonly port: number
}

export declare const isInstalled: () => Promise<boolean>
/** The server that `npm run services` starts. */
export declare const shared: Place
/** A port that nobody listens on now. */
export declare const freePort: () => Promise<number>
export declare const server: (place: Place) => PostgresServer
