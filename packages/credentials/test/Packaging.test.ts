import { packaging } from "./utils/packaging.js"

packaging({ folder: "credentials" })
