import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import projects from "./vitest.workspace.js"

export default defineConfig({
  test: {
    projects,
    // At least two files at a time: much of what the tests do is to wait for other processes.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    minWorkers: 1
  }
})
