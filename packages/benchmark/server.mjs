// A server in a process of its own, so that only the client's CPU time is counted. `GET` answers a page of JSON,
// `POST /token` a token reply; the parent may ask how many tokens were fetched.
import * as Http from "node:http"
import { tokenReply } from "./acme.mjs"

const page = JSON.stringify({
  Products: Array.from({ length: 10 }, (_, index) => ({
    ManufacturerProductNumber: `NE555-${index}`,
    Description: { ProductDescription: "IC OSC SINGLE TIMER 100KHZ 8-SOIC" },
    QuantityAvailable: 1000 + index,
    UnitPrice: 0.42
  })),
  ProductsCount: 10
})
let tokens = 0

const server = Http.createServer((request, response) => {
  const isToken = request.url === "/token"
  if (isToken) tokens += 1
  const body = isToken ? tokenReply : page
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body)
  })
})
server.keepAliveTimeout = 60_000
server.listen({ host: "127.0.0.1", port: 0, backlog: 2048 }, () => {
  process.send({ port: server.address().port })
})
process.on("message", () => {
  process.send({ tokens })
  tokens = 0
})
process.on("disconnect", () => process.exit())
