/**
 * @since 0.1.0
 */
export * as InMemoryHttp from "./InMemoryHttp.js"
