import { packaging } from "../../credentials/test/utils/packaging.js"

packaging({ folder: "sql", needs: ["credentials"], peers: ["@effect/sql"] })
