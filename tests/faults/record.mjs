/* record: what the shim wrote down of a run, and what a loss of power at any moment of it may have left: of each file what was synced, and of what was
 * written since any part, in sectors; of folders' changes those before some moment since the last sync. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const SECTOR = 512

/** [{kind, name, at, bytes}]: W write, S sync, T truncate, N new, U unlink, R rename (bytes: to), A an answer that acknowledges. */
export function readRecord (path) {
  const all = readFileSync(path)
  const events = []
  for (let at = 0; at < all.length;) {
    const nameLen = all[at + 1]
    const head = at + 2 + nameLen
    const length = Number(all.readBigUInt64LE(head + 8))
    events.push({
      kind: String.fromCharCode(all[at]),
      name: all.toString('utf8', at + 2, head),
      at: Number(all.readBigUInt64LE(head)),
      bytes: all.subarray(head + 16, head + 16 + length)
    })
    at = head + 16 + length
  }
  return events
}

/** Repeatable random numbers: below n. */
export function randomOf (seed) {
  let state = BigInt(seed) * 2654435769n + 1n
  return n => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn
    return Number((state >> 33n) % BigInt(n))
  }
}

class File {
  constructor () {
    this.durable = Buffer.alloc(0)
    this.pending = [] /* writes and truncations since the last sync, as functions of a Buffer */
  }

  apply (content, { kind, at, bytes }) {
    if (kind === 'T') return at <= content.length ? content.subarray(0, at) : Buffer.concat([content, Buffer.alloc(at - content.length)])
    const longer = content.length < at + bytes.length ? Buffer.concat([content, Buffer.alloc(at + bytes.length - content.length)]) : Buffer.from(content)
    bytes.copy(longer, at)
    return longer
  }

  sync () {
    for (const change of this.pending) this.durable = this.apply(this.durable, change)
    this.pending = []
  }

  /** What the disk may have of it. */
  left (random) {
    const mood = random(4) /* 0: nothing since; 1: all; else any part */
    let content = this.durable
    for (const change of this.pending) {
      if (mood === 0 || (mood > 1 && random(2))) continue
      if (mood === 1 || change.kind === 'T' || random(3)) { content = this.apply(content, change); continue }
      for (let from = 0; from < change.bytes.length; from += SECTOR) {
        if (random(2)) content = this.apply(content, { kind: 'W', at: change.at + from, bytes: change.bytes.subarray(from, from + SECTOR) })
      }
    }
    return content
  }
}

/** Writes into `dir` what a loss of power behind the n-th event may have left. Returns how many answers had gone out by then. */
export function leave (events, n, random, dir) {
  const names = new Map() /* as the process sees them */
  let durableNames = new Map()
  let changes = [] /* of names, since the folder was synced */
  let answers = 0
  const change = f => { f(names); changes.push(f) }
  for (const event of events.slice(0, n)) {
    const { kind, name } = event
    if (name.endsWith('-shm')) continue
    if (kind === 'A') answers++
    else if (kind === 'S' && name === '.') { for (const f of changes) f(durableNames); changes = [] } else if (kind === 'S') names.get(name)?.sync()
    else if (kind === 'N') { const file = new File(); change(map => map.set(name, file)) } else if (kind === 'U') change(map => map.delete(name))
    else if (kind === 'R') { const to = event.bytes.toString(); change(map => { const file = map.get(name); map.delete(name); if (file) map.set(to, file) }) } else names.get(name)?.pending.push(event)
  }
  durableNames = new Map(durableNames)
  for (const f of changes.slice(0, random(changes.length + 1))) f(durableNames)
  mkdirSync(dir, { recursive: true })
  for (const [name, file] of durableNames) writeFileSync(join(dir, name), file.left(random), { mode: 0o600 })
  return answers
}
