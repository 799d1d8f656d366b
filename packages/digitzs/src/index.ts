/**
 * @since 0.1.0
 */
export * as AppKey from "./AppKey.js"
export * as Cents from "./Cents.js"
export * as DigitzsApp from "./DigitzsApp.js"
export * as Merchants from "./Merchants.js"
export * as Payments from "./Payments.js"
