/* Damaged files, and what goes wrong around a node. docs/reference/faults.md has the counts. */
import './node_damage_files.mjs'
import './node_damage_around.mjs'
import { run } from './kit.mjs'

await run()
