/* faulty: a node with tests/faults/shim.c in it, and the handle on that. */
import { accessSync, constants, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Node, onExit } from '../e2e/kit.mjs'

const SHIM = new URL('../../build/faults.so', import.meta.url).pathname
const WORDS = ['allocs', 'allocAt', 'allocTimes', 'allocsFailed', 'writes', 'writeAt', 'writeTimes', 'writesFailed', 'writeWhat', 'clockMs', 'clocksRead', 'diskFree']
export const WHAT = { eio: 1, enospc: 2, short: 3, kill: 4, torn: 5 }
export const FOREVER = 2 ** 53

/** The numbers that a process with the shim shares with us: each is read and written by its name. */
export class Control {
  constructor (path) {
    writeFileSync(path, Buffer.alloc(128))
    const fd = openSync(path, 'r+')
    WORDS.forEach((name, i) => Object.defineProperty(this, name, {
      get: () => { const word = Buffer.alloc(8); readSync(fd, word, 0, 8, i * 8); return Number(word.readBigInt64LE()) },
      set: value => { const word = Buffer.alloc(8); word.writeBigInt64LE(BigInt(value)); writeSync(fd, word, 0, 8, i * 8) }
    }))
  }

  /** Everything is as without it, and counts from nothing. */
  reset () { for (const name of WORDS) if (name !== 'clockMs') this[name] = 0 }

  /** From the `at`-th from now on. */
  failWrites (what, at = 1, times = FOREVER) {
    this.writeAt = 0
    Object.assign(this, { writeTimes: times, writeWhat: WHAT[what] })
    this.writeAt = this.writes + at
  }

  failAllocs (at, times = 1) {
    this.allocTimes = times
    this.allocAt = this.allocs + at
  }

  heal () { this.writeAt = this.allocAt = 0 }
}

/** Folders in memory, if the machine has such a place: what is tested is what the process asks of a disk, not how long that takes. */
export function quickDir () {
  let base = '/dev/shm'
  try { accessSync(base, constants.W_OK) } catch { base = tmpdir() }
  const dir = mkdtempSync(join(base, 'holdfast-faults-'))
  onExit(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A node whose faults are dealt by node.faults. */
export async function faulty (options = {}) {
  const apart = quickDir()
  const node = await Node.make({ dir: quickDir(), ...options })
  node.faults = new Control(join(apart, 'control'))
  node.env = { LD_PRELOAD: SHIM, HOLDFAST_FAULTS_CONTROL: join(apart, 'control'), HOLDFAST_FAULTS_DIR: node.dir, ...process.env.FAULTS_TRACE && { HOLDFAST_FAULTS_TRACE: '1' }, ...node.env }
  return node
}
