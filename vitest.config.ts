import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import projects from "./vitest.workspace.js"

export default defineConfig({
  test: {
    projects,
    // One file more than there are processors: much of what the tests do is to wait for other processes.
    maxWorkers: availableParallelism() + 1,
    minWorkers: 1
  }
})
