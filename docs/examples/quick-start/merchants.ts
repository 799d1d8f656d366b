import type { Merchants } from "@effect-credentials/digitzs"
import { Console } from "effect"
import * as Terminal from "./terminal.js"

export const merchantsTable = (terminal: Terminal.Terminal, { merchants }: Merchants.MerchantPage) => {
  const rows = merchants.map(({ accountName = "", accountType = "", created = "", id }) => [
    id,
    accountName,
    accountType,
    created.slice(0, 10)
  ])
  const table = Terminal.table(terminal, [
    { title: "MERCHANT", align: "left" },
    { title: "NAME", align: "left" },
    { title: "TYPE", align: "left" },
    { title: "SINCE", align: "left" }
  ], rows)
  return Console.log(`\n${terminal.bold(`Merchants found: ${Terminal.number(merchants.length)}`)}\n${table.join("\n")}`)
}
