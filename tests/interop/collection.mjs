// Collections for OrbitDB's peers (browser/src/collection.js, orbitdb.js) against the core: random histories show the same, byte for byte, and a js peer
// and a node that edit one collection at the same time, over real sockets, come to the same.
// `node collection.mjs FOLD HOLDFAST [PART OF A NAME]` closes with `N passed, N failed`.
import './node22.mjs'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { inspect } from 'node:util'
import * as dagCbor from '@ipld/dag-cbor'
import { useDatabaseType } from '@orbitdb/core'
import { CollectionState } from '../../browser/src/collection.js'
import { collections } from '../../browser/src/orbitdb.js'
import { editTogether } from './collection_kit.mjs'
import { newOrbit } from './js2.mjs'
import { equal, run, test } from './kit.mjs'

const [fold, holdfast] = process.argv.slice(2)

// ---- the core ----
class Fold {
  constructor () {
    this.child = spawn(fold, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  say (line) { this.child.stdin.write(line + '\n') }
  async dump () {
    this.say('dump')
    return (await this.lines.next()).value
  }
}

const hex = bytes => Buffer.from(bytes).toString('hex')
const canonical = docs => hex(dagCbor.encode(docs.map(d => [d.id, d.created, d.updated, d.value])))

// ---- random histories: few documents, names and writers, times that tie, values on both sides of each rule ----
function random (seed) {
  let state = seed >>> 0
  const next = () => { // mulberry32
    state = state + 0x6d2b79f5 | 0
    let t = Math.imul(state ^ state >>> 15, 1 | state)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return (t ^ t >>> 14) >>> 0
  }
  const pick = list => list[next() % list.length]
  return { next, pick, chance: n => next() % n === 0, below: n => next() % n }
}

const SCHEMAS = [
  { title: { type: 'text', required: true, max: 5 }, done: { type: 'bool', default: false }, votes: { type: 'counter', default: 3 }, made: { type: 'time', auto: 'created' }, seen: { type: 'time', auto: 'updated' }, who: { type: 'text', auto: 'creator' } },
  { n: { type: 'int', min: -2, max: 9, default: 1 }, f: { type: 'number', min: -1.5 }, at: { type: 'time' }, c: { type: 'choice', choices: ['a', 'ä', 'ab'], required: true }, hits: { type: 'counter' }, more: { type: 'counter', default: -5 } },
  { note: { type: 'text', multiline: true, min: 2 }, title: { type: 'text', default: 'ab', required: true, min: 1 }, big: { type: 'int' }, sum: { type: 'counter', default: 9007199254740990 } }
]
const VALUES = ['a', 'ab', 'abcdef', '', ' ', '\u2003', 'ä', '😀😀😀😀😀', '😀😀😀😀😀😀', 'x\ny', 'x\ty', 'x\u0085', '\u2028', '\u0007', 'a\u00a0', 0, 1, -1, -2, -3, 4, 9, 10, 1.5, -1.5, -1.6, 0.1, 1e300,
  9007199254740991, -9007199254740991, 9007199254740992, -9007199254740992, 9007199254740993n, 18446744073709551615n, 8640000000000000, 8640000000000001, true, false, null, [], ['a'], {}, new Uint8Array([1])]
const WRITERS = ['02aa', '02ab', '03aa0123456789abcdef', '03Ü']

function randomPayload (r, fields) {
  const names = [...Object.keys(fields), ...Object.keys(fields), 'unknown', '__proto__']
  const payload = { op: r.pick(['NEW', 'NEW', 'SET', 'SET', 'SET', 'INC', 'INC', 'DEL']), key: r.pick(['d1', 'd2', 'd3']), opid: `o${r.below(14)}`, at: 1 + r.below(50) }
  payload.value = payload.op === 'DEL' ? null : {}
  const put = (name, value) => Object.defineProperty(payload.value, name, { value, enumerable: true, configurable: true, writable: true })
  const likely = field => ({ text: ['a', 'ab', 'ä'], bool: [true, false], int: [0, 1, 5], number: [0.5, 2, -1], time: [5, 1e12], choice: ['a', 'ä'], counter: [1, -1, 2] })[field.type]
  for (let n = 1 + r.below(4); payload.value && n > 0; n--) {
    const name = r.pick(names)
    if (name === '__proto__') continue // how a reader of dag-cbor sees that name differs between versions of it
    put(name, fields[name] && !r.chance(3) ? r.pick(likely(fields[name])) : r.pick(VALUES))
  }
  if (payload.op === 'INC') for (const [name, f] of Object.entries(fields)) if (f.type === 'counter' && !r.chance(2)) put(name, r.pick([1, -1, 2, 3, 9007199254740991, -9007199254740991]))
  if (payload.op === 'NEW' && !r.chance(4)) for (const [name, f] of Object.entries(fields)) if (f.required) put(name, r.pick(likely(f)))
  if (r.chance(4)) payload.by = r.pick(['ann', 'Ö', 'x'.repeat(128)])
  if (r.chance(12)) Object.assign(payload, r.pick([{ op: 'PUT' }, { key: '' }, { key: 'ü'.repeat(65) }, { opid: 'o'.repeat(65) }, { at: -1 }, { at: 1.5 }, { at: 8640000000000001 }, { by: '' }, { by: null }, { by: 'ü'.repeat(65) }, { value: null }, { value: [] }, { value: 1 }, { key: 5 }, { opid: 'ü'.repeat(32) }]))
  if (r.chance(40)) delete payload[r.pick(Object.keys(payload))]
  return r.chance(60) ? r.pick([1, null, [], 'NEW', {}]) : payload
}

const shuffled = (r, list) => {
  const all = [...list]
  for (let i = all.length - 1; i > 0; i--) {
    const j = r.below(i + 1)
    ;[all[i], all[j]] = [all[j], all[i]]
  }
  return all
}

async function compareHistories (n, from) {
  const core = new Fold()
  let shown = 0
  for (let seed = from; seed < from + n; seed++) {
    const r = random(seed)
    const fields = SCHEMAS[seed % SCHEMAS.length]
    const ops = Array.from({ length: 5 + r.below(60) }, (_, i) => {
      const digest = new Uint8Array(32)
      digest[0] = r.below(256)
      digest[31] = i
      return { order: { time: 1 + r.below(25), writer: r.pick(WRITERS), digest }, bytes: dagCbor.encode(randomPayload(r, fields)) }
    })
    const state = new CollectionState(fields)
    core.say(`schema ${JSON.stringify({ write: ['*'], fields })}`)
    for (const { order, bytes } of shuffled(r, ops)) core.say(`op ${order.time} ${order.writer} ${hex(order.digest)} ${hex(bytes)}`)
    for (const { order, bytes } of shuffled(r, [...ops, ...ops.slice(0, 5)])) {
      state.apply(order, dagCbor.decode(bytes))
      if (r.chance(5)) state.all() // readers in between
    }
    const want = await core.dump()
    const got = canonical(state.all())
    shown += state.all().length
    if (got !== want) throw new Error(`seed ${seed}: the core shows ${inspect(dagCbor.decode(Buffer.from(want, 'hex')), { depth: 5 })}, js ${inspect(state.all(), { depth: 5 })}`)
    for (const doc of state.all()) equal(state.get(doc.id), doc, `seed ${seed}: get`)
  }
  if (shown < n) throw new Error(`only ${shown} documents showed: the histories are too dull`)
  core.child.stdin.end()
}

// ---- the tests ----
test('random histories show the same in script and in the core, byte for byte', async () => {
  await compareHistories(3000, 1)
})

test('what the rules forbid is not written', async () => {
  const state = new CollectionState(SCHEMAS[0])
  const fails = (operation, pattern) => {
    try { state.write({ opid: 'o', at: 1, key: 'k', ...operation }) } catch (error) {
      if (!pattern.test(error.message)) throw new Error(`${error.message} is not ${pattern}`)
      return
    }
    throw new Error(`${JSON.stringify(operation)} was written`)
  }
  fails({ op: 'NEW', value: {} }, /required/)
  fails({ op: 'NEW', value: { title: 'toolong' } }, /longer/)
  fails({ op: 'SET', value: { votes: 1 } }, /increment alone/)
  fails({ op: 'INC', value: { title: 'a' } }, /no counter/)
  fails({ op: 'SET', value: { made: 1 } }, /fills itself/)
  fails({ op: 'SET', value: { nobody: 1 } }, /no field/)
  fails({ op: 'SET', value: {} }, /nothing to write/)
  fails({ op: 'DEL', key: '' }, /1 to 128/)
  equal(Object.keys(state.write({ op: 'NEW', key: 'k', opid: 'o', at: 1, value: { title: 'ä' } })), ['op', 'key', 'value', 'opid', 'at'], 'a payload')
})

test('a js peer and a node edit one collection at the same time, and a late js peer sees the same', async () => {
  await editTogether({ holdfast, newOrbit, useDatabaseType, collections, canonical })
})

await run(4)
