import * as DateTime from "effect/DateTime"

/** To the minute: `2026-11-22 02:21 UTC`. */
export const shown = (time: DateTime.Utc): string => `${DateTime.formatIso(time).slice(0, 16).replace("T", " ")} UTC`
