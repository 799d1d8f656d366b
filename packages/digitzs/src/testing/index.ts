/**
 * @since 0.1.0
 */
export * as DigitzsSimulator from "./DigitzsSimulator.js"
