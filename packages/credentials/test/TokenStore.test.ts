import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { TokenStore } from "effect-credentials"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { storeSuite } from "./utils/storeSuite.js"

storeSuite("in memory", { make: Effect.succeed({ layer: TokenStore.layerMemory }) })

storeSuite("in a folder", {
  make: Effect.gen(function*() {
    const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
    return { folder, layer: TokenStore.layerFile(folder).pipe(Layer.provide(NodeContext.layer)) }
  }).pipe(Effect.provide(NodeContext.layer)),
  isShared: true,
  // Every file there is: nothing else is stored in that folder.
  spoil: ({ folder }) =>
    Effect.sync(() => {
      for (const name of Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        const file = Path.join(folder, name)
        if (name.includes("entry.")) Fs.writeFileSync(file, Fs.readFileSync(file, "utf8").slice(0, -5))
      }
    })
})
