import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import { isRecord } from "effect/Predicate"

/** The member `data` of a JSON:API body; empty where there is none. */
export interface Data {
  readonly type: unknown
  readonly requestId: unknown
  readonly attributes: Readonly<Record<PropertyKey, unknown>>
}

export const read = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<Data> =>
  Effect.map(Effect.orElseSucceed(request.json, () => undefined), (json) => {
    const data = isRecord(json) && isRecord(json["data"]) ? json["data"] : {}
    return {
      type: data["type"],
      requestId: data["requestId"],
      attributes: isRecord(data["attributes"]) ? data["attributes"] : {}
    }
  })

export const text = (value: unknown, ...path: ReadonlyArray<string>): string | undefined => {
  const found = path.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), value)
  return typeof found === "string" && found !== "" ? found : undefined
}
