/**
 * @since 0.1.0
 */
export * as DigiKeyApp from "./DigiKeyApp.js"
export * as DigiKeyEnvironment from "./DigiKeyEnvironment.js"
export * as OrderStatus from "./OrderStatus.js"
export * as ProductInformation from "./ProductInformation.js"
