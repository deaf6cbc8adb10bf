/* What the browser's half survives. `faults.mjs FILE [PART]` runs tests/e2e/faults_FILE.mjs, or its tests whose name contains PART. */
import { run } from './kit.mjs'

const [file] = process.argv.splice(2, 1)
await import(`./faults_${file}.mjs`)
await run()
