#!/usr/bin/env node
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { argv, exit } from "node:process"
import { run } from "./Cli.js"
import { ExitCode } from "./ExitCode.js"
import * as Stdio from "./Stdio.js"

run(argv.slice(2)).pipe(
  Effect.provide(Layer.mergeAll(NodeContext.layer, FetchHttpClient.layer, Stdio.layer)),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    disablePrettyLogger: true,
    // At once, and on success too: who keeps our standard input open would keep the process. All is written by now.
    teardown: (end) => exit(Exit.isFailure(end) ? ExitCode.interrupted : Number(end.value))
  })
)
