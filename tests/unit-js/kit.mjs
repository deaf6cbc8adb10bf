/* kit: the smallest thing that runs tests of the browser's modules in Node. Files declare; run.mjs runs. */
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'

globalThis.crypto ??= webcrypto /* Node 18 has it only as a module */

const tests = []
export const test = (name, run) => { tests.push({ name, run }) }
export { assert }

export async function runAll (only) {
  let passed = 0
  let failed = 0
  for (const { name, run } of tests) {
    if (only && !name.includes(only)) continue
    try {
      await run()
      passed++
    } catch (error) {
      failed++
      console.log(`FAILED ${name}\n  ${error.stack.split('\n').slice(0, 12).join('\n  ')}`)
    }
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed || !passed ? 1 : 0)
}

/** Numbers in [0, 1) that are the same for the same seed. */
export function randomOf (seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
