/**
 * The providers that the commands know. A new one is an element of the list.
 */
import * as Args from "@effect/cli/Args"
import { digikey } from "../providers/digikey.js"
import { digitzs } from "../providers/digitzs.js"
import type { Provider } from "./provider.js"

export const all: ReadonlyArray<Provider> = [digikey, digitzs]

export const arg: Args.Args<Provider> = Args.choice(
  all.map((provider): [string, Provider] => [provider.name, provider]),
  { name: "provider" }
).pipe(Args.withDescription(`${all.map(({ name }) => name).join(" or ")}.`))
