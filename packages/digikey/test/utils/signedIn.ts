import { DigiKeyUser } from "@effect-credentials/digikey"
import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { Effect, Layer } from "effect"

/** A simulator, and the credentials of a person who has logged in there. */
export const signedIn = (options?: DigiKeySimulator.Options) =>
  Layer.provideMerge(
    Layer.unwrapEffect(Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.DigiKeySimulator
      const { clientId } = yield* simulator.credentials
      const { accessToken } = yield* simulator.signIn()
      return DigiKeyUser.layerTest({ token: accessToken, headers: { "X-DIGIKEY-Client-Id": clientId } })
    })),
    DigiKeySimulator.layerHttpClient(options)
  )
