/* What the browser's half survives. `browser_faults.mjs FILE [PART]` runs tests/e2e/browser_faults_FILE.mjs, or its tests whose name contains PART. */
import { run } from './kit.mjs'

await import(`./browser_faults_${process.argv[2]}.mjs`)
await run(3, { tries: 2 })
