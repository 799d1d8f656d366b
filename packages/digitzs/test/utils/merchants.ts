import type { Merchants } from "@effect-credentials/digitzs"
import { Redacted } from "effect"

const address = { line1: "1 Harbour Road", city: "San Francisco", state: "CA", zip: "94102", country: "USA" }

export const newMerchant = {
  AVS: "Standard",
  accountType: "business",
  accountName: "Corner Shop",
  personalInfo: {
    firstName: "Ada",
    lastName: "Lovelace",
    email: "ada@example.com",
    dayPhone: "4155551234",
    birthDate: Redacted.make("12-10-1985"),
    socialSecurity: Redacted.make("123456789")
  },
  personalAddress: address,
  businessInfo: {
    businessName: "Corner Shop",
    ein: Redacted.make("987654321"),
    phone: "4155555000",
    email: "shop@example.com"
  },
  businessAddress: address,
  bankInfo: {
    bankName: "Harbour Bank",
    accountOwnership: "business",
    accountType: "checking",
    accountName: Redacted.make("Corner Shop"),
    accountNumber: Redacted.make("1234567890"),
    routingNumber: Redacted.make("026009593")
  },
  verificationData: {
    ipAddress: "192.0.2.1",
    emailVerified: true,
    signature: Redacted.make("Ada Lovelace"),
    signatureTimestamp: "2026-01-15T10:05:00Z",
    termsAccepted: true
  }
} satisfies Merchants.NewMerchant
