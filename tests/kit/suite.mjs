/* suite: what every suite in js is written with: tests that are declared and run in order, comparing, waiting for a condition, and ends that are not forgotten.
 * Nothing here waits for time: it waits for a condition, with a deadline that fails. It takes nothing from npm. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/* ---- ends ---- */

const cleanups = []
let ends = null /* of the test that runs */

/** Runs `f` when the suite is over. */
export const onExit = f => { cleanups.push(f) }
/** Runs `f(failed)` when this test is over, the newest first; what it throws fails the test. Outside of a test: when the suite is over. */
export const onEnd = f => { (ends ?? cleanups).push(f) }

/** Ends what was started, the newest first. */
export async function cleanUp () {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
}

export function tempDir () {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  onExit(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export async function freePort () {
  const server = createServer()
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}

/* ---- comparing and waiting ---- */

/** For the few moments in which nothing can be waited for: when something must not happen, or must be under way. */
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Polls until `condition` gives something truthy; throws with `what` after `ms`. */
export async function until (what, condition, ms = 30_000, every = 25) {
  const end = Date.now() + ms
  let last
  for (;;) {
    try {
      const value = await condition()
      if (value) return value
      last = undefined
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}${last ? ` (${last.message})` : ''}`)
    await sleep(every)
  }
}

export function equal (got, want, what) {
  const a = JSON.stringify(got)
  const b = JSON.stringify(want)
  if (a !== b) throw new Error(`${what}: got ${a?.slice(0, 500)}, expected ${b?.slice(0, 500)}`)
}

export function ok (condition, what) {
  if (!condition) throw new Error(what)
}

/* ---- running ---- */

const tests = []
/** Declares a test; a text that it returns is shown beside its name. */
export const test = (name, run) => { tests.push({ name, run }) }

async function runOne ({ name, run }) {
  const began = Date.now()
  let failure, said
  ends = []
  try { said = await run() } catch (error) { failure = error }
  for (const end of ends.splice(0).reverse()) {
    try { await end(Boolean(failure)) } catch (error) { failure ??= error }
  }
  ends = null
  if (failure) console.log(`FAILED ${name}\n  ${failure.stack?.split('\n').slice(0, 6).join('\n  ')}`)
  else console.log(`ok ${name} (${Date.now() - began} ms)${typeof said === 'string' ? `: ${said}` : ''}`)
  return !failure
}

/** Runs what was declared, in order, or those whose names match `only`: {passed, failed}. `tries`: a test that races with a browser on a busy machine may be
 * run so often, which is said; such a test makes its own node and profiles. */
export async function runAll (only, tries = 1) {
  const result = { passed: 0, failed: 0 }
  for (const one of tests) {
    if (only && !new RegExp(only).test(one.name)) continue
    let passed = await runOne(one)
    for (let left = tries - 1; left && !passed; left--) {
      console.log('once more:')
      passed = await runOne(one)
    }
    result[passed ? 'passed' : 'failed']++
  }
  return result
}

/** The same as a whole program, whose argument number `at` may be such a part of a name: cleans up and closes with `N passed, N failed`. */
export async function run (at = 2, { tries = 1 } = {}) {
  const result = await runAll(process.argv[at], tries)
  try { await cleanUp() } catch (error) {
    result.failed++
    console.log(`FAILED at the end\n  ${error.stack}`)
  }
  console.log(`${result.passed} passed, ${result.failed} failed`)
  process.exit(result.failed || !result.passed ? 1 : 0)
}
