/* Damaged files, and what goes wrong around a node. docs/reference/faults.md has the counts. */
import './faults_damage.mjs'
import './faults_around.mjs'
import { run } from './kit.mjs'

await run()
