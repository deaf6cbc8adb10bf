/* Faults of memory, disk and power, dealt to a real node by tests/faults/shim.c. docs/reference/faults.md has the counts. */
import './node_faults_memory.mjs'
import './node_faults_disk.mjs'
import { run } from './kit.mjs'

await run()
