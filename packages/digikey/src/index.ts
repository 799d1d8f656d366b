/**
 * @since 0.1.0
 */
export * as Barcode from "./Barcode.js"
export * as DigiKeyApp from "./DigiKeyApp.js"
export * as DigiKeyEnvironment from "./DigiKeyEnvironment.js"
export * as DigiKeyUser from "./DigiKeyUser.js"
export * as MyLists from "./MyLists.js"
export * as OrderStatus from "./OrderStatus.js"
export * as Product from "./Product.js"
export * as ProductInformation from "./ProductInformation.js"
export * as Quotes from "./Quotes.js"
