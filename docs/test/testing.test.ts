// The tests that docs/testing.md shows.
import "../examples/testing/failing.test.js"
import "../examples/testing/fixed-token.test.js"
import "../examples/testing/simulator.test.js"
