import * as DigiKeyApp from "@effect-credentials/digikey/DigiKeyApp"
import type { DigiKeyEnvironment } from "@effect-credentials/digikey/DigiKeyEnvironment"
import * as DigiKeyUser from "@effect-credentials/digikey/DigiKeyUser"
import * as DigiKeyProduct from "@effect-credentials/digikey/Product"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { serve } from "../internal/loopback.js"
import { Current, type Product, type Provider, type Settings } from "../internal/provider.js"
import * as PrivateFile from "../internal/privateFile.js"
import type { Kind } from "../internal/profiles.js"
import { type Stop, usage } from "../internal/stop.js"

const isEnvironment = (text: string): text is DigiKeyEnvironment => text === "production" || text === "sandbox"

const configs = ({ account, environment }: Settings): Effect.Effect<DigiKeyUser.Configs, Stop> => {
  const chosen = Option.getOrUndefined(environment)
  if (chosen !== undefined && !isEnvironment(chosen)) {
    return Effect.fail(usage("DigiKey's environments are \"production\" and \"sandbox\"."))
  }
  return Effect.succeed({
    account: Option.getOrUndefined(Option.map(account, Config.succeed)),
    environment: chosen === undefined ? undefined : Config.succeed(chosen)
  })
}

/** A client puts its product's path before it again. */
const below = (url: string, base: string): string => url.slice(base.length).replace(/^(?!\/)/, "/")

/** One part without its prices, and first pages. A POST that only searches has larger answers. */
const probes: Readonly<Record<string, string>> = {
  [DigiKeyProduct.ProductInformation.name]: "/search/NE555P/substitutions",
  [DigiKeyProduct.OrderStatus.name]: "/orders?PageNumber=1&PageSize=1",
  [DigiKeyProduct.Quotes.name]: "/quotes?offset=0&limit=1",
  [DigiKeyProduct.MyLists.name]: "/lists?startIndex=0&limit=1"
}

const entry = <I>(kind: Kind, product: DigiKeyProduct.Product<I, string | undefined>): ReadonlyArray<Product> => {
  const { name, path } = product
  // The Reference APIs: nobody has said where they are.
  if (path === undefined) return []
  const client = DigiKeyProduct.client(product, { path, tag: Current })
  const probe = probes[name]
  return [{
    name,
    path,
    kind,
    probe: probe === undefined ? undefined : path + probe,
    execute: (request) => client.execute(HttpClientRequest.setUrl(request, below(request.url, path)))
  }]
}

type AnyProduct = typeof DigiKeyProduct.all[number]

const isUsers = (product: AnyProduct): product is DigiKeyProduct.Product<DigiKeyUser.DigiKeyUser> =>
  product.tag.key === DigiKeyUser.DigiKeyUser.key

const products = DigiKeyProduct.all.flatMap((product) =>
  isUsers(product) ? entry("user", product) : entry("app", product))

const simulate: Provider["simulate"] = (memory) =>
  Effect.gen(function*() {
    // Not loaded by who does not ask for a demo.
    // oxlint-disable-next-line no-restricted-imports
    const { DigiKeySimulator } = yield* Effect.promise(() => import("@effect-credentials/digikey/testing"))
    const Snapshot = Schema.parseJson(DigiKeySimulator.Snapshot)
    const remembered = Option.flatMap(yield* PrivateFile.read(memory), Schema.decodeOption(Snapshot))
    const simulator = yield* DigiKeySimulator.make({ snapshot: Option.getOrUndefined(remembered) })
    const fs = yield* FileSystem.FileSystem
    yield* Effect.addFinalizer(() =>
      simulator.snapshot.pipe(
        Effect.flatMap(Schema.encode(Snapshot)),
        Effect.flatMap((text) => PrivateFile.write(memory, text)),
        Effect.provideService(FileSystem.FileSystem, fs),
        // Then the next demo begins with a login.
        Effect.ignore
      )
    )
    const baseUrl = yield* serve(simulator.app)
    const { clientId, clientSecret } = yield* simulator.credentials
    return {
      config: new Map([
        ["DIGIKEY_CLIENT_ID", clientId],
        ["DIGIKEY_CLIENT_SECRET", Redacted.value(clientSecret)],
        ["DIGIKEY_ENVIRONMENT", "sandbox"],
        ["DIGIKEY_BASE_URL", baseUrl],
        ["DIGIKEY_REDIRECT_URI", "https://localhost"]
      ]),
      httpClient: Option.none(),
      description: `a simulator of DigiKey at ${baseUrl}`
    }
  })

export const digikey: Provider = {
  name: "digikey",
  title: "DigiKey",
  app: (settings) => Effect.flatMap(configs(settings), DigiKeyApp.flowConfig),
  login: Option.some({
    flow: (settings) => Effect.flatMap(configs(settings), DigiKeyUser.flowConfig),
    redirectUri: Config.option(Config.nonEmptyString("DIGIKEY_REDIRECT_URI")),
    redirectUriVariable: "DIGIKEY_REDIRECT_URI"
  }),
  products,
  simulate
}
