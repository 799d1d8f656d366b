/**
 * @since 0.1.0
 */
export * as DigiKeySimulator from "./DigiKeySimulator.js"

/**
 * @since 0.1.0
 */
export * as ErrorDialect from "./ErrorDialect.js"
