import { packaging } from "../../credentials/test/utils/packaging.js"

packaging({ folder: "digikey", needs: ["credentials"] })
