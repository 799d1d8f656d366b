/**
 * DigiKey's two environments. Each has its own client ids: what belongs to one
 * is refused by the other.
 *
 * @since 0.1.0
 */

/**
 * `sandbox` answers with example data.
 *
 * @since 0.1.0
 * @category models
 */
export type DigiKeyEnvironment = "production" | "sandbox"

const urls: Readonly<Record<DigiKeyEnvironment, string>> = {
  production: "https://api.digikey.com",
  sandbox: "https://sandbox-api.digikey.com"
}

/**
 * @since 0.1.0
 * @category getters
 */
export const baseUrl = (environment: DigiKeyEnvironment): string => urls[environment]

/**
 * @since 0.1.0
 * @category getters
 */
export const other = (environment: DigiKeyEnvironment): DigiKeyEnvironment =>
  environment === "production" ? "sandbox" : "production"
