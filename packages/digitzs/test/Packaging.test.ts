import { packaging } from "../../credentials/test/utils/packaging.js"

packaging({ folder: "digitzs", needs: ["credentials"] })
