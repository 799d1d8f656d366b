import type { ProductInformation } from "@effect-credentials/digikey"
import { Console } from "effect"
import * as Terminal from "./terminal.js"

const price = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 5 })

export const partsTable = (
  terminal: Terminal.Terminal,
  { Products, ProductsCount }: ProductInformation.KeywordResponse
) => {
  const rows = Products.map((part) => [
    part.ManufacturerProductNumber,
    part.Manufacturer?.Name ?? "",
    part.Description.ProductDescription,
    price.format(part.UnitPrice),
    Terminal.number(part.QuantityAvailable)
  ])
  const table = Terminal.table(terminal, [
    { title: "PART NUMBER", align: "left" },
    { title: "MAKER", align: "left" },
    { title: "DESCRIPTION", align: "left" },
    { title: "PRICE", align: "right" },
    { title: "STOCK", align: "right" }
  ], rows)
  const title = `Parts found for "NE555": ${Terminal.number(ProductsCount)}`
  return Console.log(`\n${terminal.bold(title)}\n${table.join("\n")}`)
}
