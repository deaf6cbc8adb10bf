/* Every *_test.mjs beside this file; `run.mjs NAME` runs the tests whose name contains NAME. */
import { readdirSync } from 'node:fs'
import { runAll } from './kit.mjs'

const here = new URL('.', import.meta.url)
for (const file of readdirSync(here).sort()) if (file.endsWith('_test.mjs')) await import(new URL(file, here))
await runAll(process.argv[2])
