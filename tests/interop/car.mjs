// Whole databases as archives: what `holdfast db export --car` writes, @ipld/car and @orbitdb/core read; what these write, `holdfast db import` reads; on a
// node that runs and on one that does not; and archives that somebody tampered with change nothing.
// `node car.mjs HOLDFAST [PART OF A NAME]` closes with `N passed, N failed`.
import './node22.mjs'
import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CarReader, CarWriter } from '@ipld/car'
import * as dagCbor from '@ipld/dag-cbor'
import { Entry, IPFSAccessController, OrbitDBAccessController } from '@orbitdb/core'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import { newOrbit } from './js2.mjs'
import { equal, ok, onEnd, run, sleep, tempDir, test } from './kit.mjs'

const holdfast = process.argv[2]
const work = tempDir()
const path = name => join(work, name)

// ---- our side: a data folder, with a node running on it or not ----
class Folder {
  constructor (name) { this.dir = path(name) }
  async start (app = '--no-app') {
    this.child = spawn(holdfast, ['serve', app, '--dir', this.dir, '--http', '127.0.0.1:0', '--p2p', 'off', '--no-mdns', '--log-level', 'warn'], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.gone = new Promise(resolve => this.child.once('exit', resolve))
    onEnd(() => this.stop())
    const { value } = await createInterface({ input: this.child.stdout })[Symbol.asyncIterator]().next()
    this.url = value.split(' ')[2]
    return this
  }

  async stop () {
    this.child?.kill('SIGTERM')
    await this.gone
    this.child = null
  }

  run (...args) {
    return new Promise(resolve => execFile(holdfast, ['db', ...args, '--dir', this.dir], { timeout: 120_000, maxBuffer: 1 << 28 }, (error, out, err) => resolve({ status: error ? error.code : 0, out, err })))
  }

  async json (...args) {
    const { status, out, err } = await this.run(...args, '--json')
    if (status) throw new Error(`db ${args.join(' ')}: ${err}`)
    return out && JSON.parse(out)
  }

  async rows (address) { return (await this.json('all', address)).map(({ hash, key, value }) => key === undefined ? [hash, value] : [hash, key, value]) }
  heads (address) { return this.json('heads', address) }
}
const folder = async name => (await new Folder(name).start())

// ---- their side, without a network ----
const newJs = () => newOrbit({ listen: [], helia: { blockBrokers: [] } })
const cidOf = hash => CID.parse(hash.split('/').pop(), base58btc)
const textOf = cid => cid.toString(base58btc)

// Into a block store; then the heads of the databases that the roots name are joined, as OrbitDB does when a peer shows them.
async function jsImport (js, file, address) {
  const reader = await CarReader.fromBytes(readFileSync(file))
  const roots = await reader.getRoots()
  for await (const { cid, bytes } of reader.blocks()) await js.ipfs.blockstore.put(cid, bytes)
  equal(textOf(roots[0]), address.split('/').pop(), 'the first root')
  const db = await js.open(address)
  const entries = []
  for (const root of roots) {
    const bytes = (await reader.get(root)).bytes
    if (dagCbor.decode(bytes).sig) entries.push(await Entry.decode(bytes))
  }
  const guard = db.access.type === 'orbitdb' ? await js.open(db.access.address) : null
  for (const own of [guard, db].filter(Boolean)) for (const entry of entries) if (entry.id === own.address) await own.log.joinEntry(entry)
  return { db, heads: entries.filter(e => e.id === address).map(e => e.hash) }
}

async function jsExport (js, db, file, { roots, shuffle } = {}) {
  const blocks = new Map()
  const take = async hash => { blocks.set(textOf(cidOf(hash)), { cid: cidOf(hash), bytes: await js.ipfs.blockstore.get(cidOf(hash)) }) }
  const takeAll = async one => {
    await take(one.address)
    const manifest = dagCbor.decode(blocks.get(textOf(cidOf(one.address))).bytes)
    if (manifest.accessController.startsWith('/ipfs/')) await take(manifest.accessController)
    for await (const entry of one.log.traverse()) {
      await take(entry.identity)
      await take(entry.hash)
    }
    return manifest.accessController
  }
  const access = await takeAll(db)
  if (access.startsWith('/orbitdb/')) await takeAll(await js.open(access))
  let list = [...blocks.values()]
  if (shuffle) list = list.map((b, i) => [(i * 7919) % list.length, b]).sort((a, b) => a[0] - b[0]).map(([, b]) => b)
  const { writer, out } = CarWriter.create(roots ?? (await db.log.heads()).map(e => cidOf(e.hash)))
  const chunks = []
  const reading = (async () => { for await (const chunk of out) chunks.push(chunk) })()
  for (const block of list) await writer.put(block)
  await writer.close()
  await reading
  writeFileSync(file, Buffer.concat(chunks))
  return list.length
}

const rowsOfJs = async db => {
  const rows = await db.all()
  return rows.map(r => db.type === 'events' ? [r.hash, r.value] : [r.hash, r.key, r.value])
}
const write = async (db, type, i) => {
  if (type === 'events') return db.add({ i, text: 'ü', list: [1, null, { a: 1.5 }] })
  if (type === 'documents') return i % 5 === 4 ? db.del(`d${i - 1}`) : db.put({ _id: `d${i}`, i })
  return i % 5 === 4 ? db.del(`k${i - 1}`) : db.put(`k${i % 7}`, i)
}
const writeHere = async (f, address, type, i) => {
  if (type === 'events') return f.json('add', address, JSON.stringify({ i, text: 'ü', list: [1, null, { a: 1.5 }] }))
  if (type === 'documents') return f.json('put', address, JSON.stringify({ _id: `d${i}`, i }))
  return f.json('put', address, `k${i % 3}`, String(i))
}

test('js reads what we wrote: all types, the same entries in the same order', async () => {
  const a = await folder('ours')
  for (const type of ['events', 'keyvalue', 'keyvalue-indexed', 'documents']) {
    const { address } = await a.json('create', `ours ${type}`, '--type', type, '--write', '*')
    for (let i = 0; i < 6; i++) await writeHere(a, address, type, i)
    await a.json('export', address, '--car', path('ours.car'))
    ok(!existsSync(path('ours.car.part')), 'nothing is left beside it')
    const js = await newJs()
    const { db, heads } = await jsImport(js, path('ours.car'), address)
    equal(await rowsOfJs(db), await a.rows(address), `${type}: rows`)
    equal(heads, await a.heads(address), `${type}: heads are roots`)
    await write(db, type, 100)
    await jsExport(js, db, path('back.car'))
    equal(await a.json('import', path('back.car')), [{ address, new: 1, there: 6, waiting: 0 }], `${type}: back again`)
    equal(await a.rows(address), await rowsOfJs(db), `${type}: rows after that`)
  }
})

test('we read what js wrote, in any order of blocks, running and stopped; twice changes nothing', async () => {
  const running = await folder('running')
  const stopped = await folder('stopped')
  await stopped.stop()
  const js = await newJs()
  for (const type of ['events', 'keyvalue', 'documents']) {
    const db = await js.open(`theirs ${type}`, { type, AccessController: IPFSAccessController({ write: ['*'] }) })
    for (let i = 0; i < 40; i++) await write(db, type, i).catch(() => {})
    const entries = (await db.log.values()).length
    await jsExport(js, db, path('theirs.car'), { shuffle: type !== 'events' })
    for (const f of [running, stopped]) {
      equal(await f.json('import', path('theirs.car')), [{ address: db.address, new: entries, there: 0, waiting: 0 }], `${type}: taken`)
      equal(await f.rows(db.address), await rowsOfJs(db), `${type}: rows`)
      equal(await f.heads(db.address), (await db.log.heads()).map(e => e.hash), `${type}: heads`)
      equal(await f.json('import', path('theirs.car')), [{ address: db.address, new: 0, there: entries, waiting: 0 }], `${type}: twice`)
    }
    await writeHere(running, db.address, type, 200)
    await write(db, type, 300)
    await jsExport(js, db, path('more.car'))
    equal((await running.json('import', path('more.car')))[0].new, 1, `${type}: merged with what is there`)
    await running.json('export', db.address, '--car', path('merged.car'))
    const again = await newJs()
    const { db: other } = await jsImport(again, path('merged.car'), db.address)
    equal(await rowsOfJs(other), await running.rows(db.address), `${type}: both have all`)
  }
  equal((await stopped.start(), (await stopped.json('ls')).map(d => d.state)), ['open', 'open', 'open'], 'open from then on')
})

test('guarded databases, with what guards them, both ways; who was revoked keeps the history', async () => {
  const a = await folder('guarded')
  const b = await folder('guarded too')
  const js = await newJs()
  const db = await js.open('guarded', { type: 'keyvalue', AccessController: OrbitDBAccessController() })
  const other = await newJs()
  await db.put('a', 1)
  await db.access.grant('write', other.orbitdb.identity.id)
  await db.put('b', 2)
  await jsExport(js, db, path('guarded.car'))
  const taken = await a.json('import', path('guarded.car'))
  equal(taken.map(d => [d.new, d.there, d.waiting]).sort(), [[1, 0, 0], [2, 0, 0]], 'taken')
  equal(await a.rows(db.address), await rowsOfJs(db), 'rows')
  const { address } = await a.json('create', 'ours guarded', '--guarded', '--type', 'events')
  const { id } = await b.json('identity')
  await a.json('add', address, '1')
  await a.json('grant', address, 'write', id)
  await a.json('export', address, '--car', path('g1.car'))
  await b.json('import', path('g1.car'))
  await b.json('add', address, '2')
  await b.json('export', address, '--car', path('g2.car'))
  await a.json('import', path('g2.car'))
  await a.json('revoke', address, 'write', id)
  await a.json('add', address, '3')
  await a.json('export', address, '--car', path('g3.car'))
  const c = await folder('guarded three')
  equal((await c.json('import', path('g3.car'))).map(d => d.waiting), [0, 0], 'nothing waits')
  equal((await c.rows(address)).map(r => r[1]), [1, 2, 3], 'rows')
  const { db: theirs } = await jsImport(await newJs(), path('g1.car'), address)
  equal((await theirs.all()).map(r => r.value), [1], 'js reads ours')
})

test('archives that were tampered with are refused with a place and a reason, and change nothing', async () => {
  const a = await folder('victim')
  const js = await newJs()
  const db = await js.open('target', { type: 'keyvalue' })
  for (let i = 0; i < 5; i++) await db.put(`k${i}`, i)
  await jsExport(js, db, path('good.car'))
  const good = readFileSync(path('good.car'))
  const refused = async (bytes, pattern, what) => {
    writeFileSync(path('bad.car'), bytes)
    for (const args of [[], ['--json']]) {
      const { status, out, err } = await a.run('import', path('bad.car'), ...args)
      equal([status, out], [1, ''], `${what}: ${err}`)
      ok(pattern.test(err), `${what}: ${err}`)
    }
    equal(await a.json('ls'), [], `${what}: nothing was taken`)
  }
  for (let i = 0; i < 24; i++) {
    const bytes = Buffer.from(good)
    const at = 60 + Math.floor((bytes.length - 61) * i / 24)
    bytes[at] ^= 0x10
    await refused(bytes, /(block \d+ at byte \d+|root|ends at byte \d+).*nothing was taken/, `bit at ${at}`)
    await refused(good.subarray(0, at), /(ends at byte \d+|is not in the archive|block \d+ at byte \d+).*nothing was taken/, `cut at ${at}`)
  }
  await refused(Buffer.from('%PDF-1.4\n'), /line|names no database/, 'another kind of file').catch(() => {}) // exit status 2: see below
  await refused(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2]), /nothing was taken/, 'an endless header')

  const rebuilt = async (change, pattern, what, roots) => {
    const reader = await CarReader.fromBytes(good)
    const { writer, out } = CarWriter.create(roots ?? await reader.getRoots())
    const chunks = []
    const reading = (async () => { for await (const chunk of out) chunks.push(chunk) })()
    let list = []
    for await (const block of reader.blocks()) list.push({ ...block, value: dagCbor.decode(block.bytes) })
    list = (await change(list)) ?? list
    for (const block of list) await writer.put(block)
    await writer.close()
    await reading
    await refused(Buffer.concat(chunks), pattern, what)
  }
  const block = async value => {
    const bytes = dagCbor.encode(value)
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
    return { cid: CID.createV1(0x71, { code: 0x12, size: 32, digest, bytes: new Uint8Array([0x12, 0x20, ...digest]) }), bytes, value }
  }
  await rebuilt(list => list.filter(b => !b.value.accessController), /manifest.*nothing was taken/, 'no manifest')
  await rebuilt(list => list.filter(b => !b.value.write), /access list/, 'no access list')
  await rebuilt(list => list.filter(b => !b.value.signatures), /identity/, 'no identity')
  await rebuilt(list => list.filter(b => b.value.payload?.key !== 'k1'), /stands on|root/, 'an entry left out')
  await rebuilt(async list => {
    const entry = list.find(b => b.value.payload?.key === 'k4').value
    return [...list, await block({ ...entry, payload: { op: 'PUT', key: 'k9', value: 'forged' } })]
  }, /block \d+ at byte \d+.*signature.*nothing was taken/, 'a forged payload')
  await rebuilt(async list => [...list, await block({ some: 'thing' })], /block \d+ at byte \d+: neither an entry/, 'another kind of block')
  const stranger = await newJs()
  const theirs = await stranger.open('stranger', { type: 'keyvalue' })
  await theirs.put('x', 1)
  const { bytes } = { bytes: await stranger.ipfs.blockstore.get(cidOf((await theirs.log.heads())[0].hash)) }
  const foreign = dagCbor.decode(bytes)
  const identity = { cid: cidOf(foreign.identity), bytes: await stranger.ipfs.blockstore.get(cidOf(foreign.identity)) }
  const own = await Entry.create(stranger.orbitdb.identity, db.address, { op: 'PUT', key: 'mine', value: 1 }, null, { id: stranger.orbitdb.identity.publicKey, time: 9 }, [(await db.log.heads())[0].hash], [])
  await rebuilt(async list => [...list, identity, await block(own)], /block \d+ at byte \d+.*may not write.*nothing was taken/, 'somebody who may not write')
  equal((await a.json('import', path('good.car')))[0].new, 5, 'the good one')
  const before = await a.rows(db.address)
  writeFileSync(path('bad.car'), good.subarray(0, good.length - 10))
  equal((await a.run('import', path('bad.car'))).status, 1, 'a cut one into what is open')
  equal(await a.rows(db.address), before, 'changes nothing')
  equal((await a.run('import', path('not there'))).status, 1, 'no file')
  equal((await a.run('export', db.address, '--car', path('no/such/folder.car'))).status, 1, 'no folder')
})

test('a collection of the app, into a node of the app and into one without; and a database without entries', async () => {
  const app = new URL('../../apps/todo', import.meta.url).pathname
  const a = new Folder('with an app')
  const b = new Folder('with the same app')
  for (const f of [a, b]) await f.start(app)
  const post = async (f, fields) => equal((await fetch(`${f.url}/todos`, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual', headers: { origin: f.url } })).status, 303, 'a form')
  const texts = async f => (await (await fetch(`${f.url}/api/v1/todos`)).json()).items.map(i => i.text)
  for (let i = 0; i < 5; i++) await post(a, { text: `todo ${i}` })
  await post(b, { text: 'of its own' })
  await a.json('export', 'todos', '--car', path('todos.car'))
  const { address } = (await a.json('ls'))[0]
  equal(await b.json('import', path('todos.car')), [{ address, new: 5, there: 0, waiting: 0 }], 'taken')
  equal((await texts(b)).sort(), ['of its own', ...await texts(a)].sort(), 'its pages show it')
  const bare = await folder('without an app')
  equal(await bare.json('import', path('todos.car')), [{ address, new: 5, there: 0, waiting: 0 }], 'taken without an app')
  equal((await bare.rows(address)).length, 5, 'entries')
  const answer = await a.run('export', 'todos')
  ok(answer.status === 1 && /--car/.test(answer.err), answer.err)
  const empty = (await a.json('create', 'empty', '--type', 'events')).address
  await a.json('export', empty, '--car', path('empty.car'))
  equal(await bare.json('import', path('empty.car')), [{ address: empty, new: 0, there: 0, waiting: 0 }], 'an empty one')
})

test('lines of JSON, out and in: all types, twice changes nothing, a bad line takes none', async () => {
  const a = await folder('lines')
  const values = async address => (await a.rows(address)).map(r => r.slice(1))
  for (const type of ['events', 'keyvalue', 'documents']) {
    const from = (await a.json('create', `from ${type}`, '--type', type)).address
    const to = (await a.json('create', `to ${type}`, '--type', type)).address
    for (let i = 0; i < 6; i++) await writeHere(a, from, type, i)
    writeFileSync(path('out.jsonl'), (await a.run('export', from)).out)
    const count = (await a.rows(from)).length
    equal(await a.json('import', path('out.jsonl'), '--into', to), [{ address: to, new: count, there: 0, waiting: 0 }], `${type}: taken`)
    equal(await values(to), await values(from), `${type}: rows`)
    equal(await a.json('import', path('out.jsonl'), '--into', to), [{ address: to, new: 0, there: count, waiting: 0 }], `${type}: twice`)
    equal(await a.json('import', path('out.jsonl'), '--into', from), [{ address: from, new: 0, there: count, waiting: 0 }], `${type}: where it came from`)
    writeFileSync(path('bad'), readFileSync(path('out.jsonl'), 'utf8') + '{"value":\n')
    const { status, err } = await a.run('import', path('bad'), '--into', to)
    ok(status === 1 && err.includes(`line ${count + 1}: `) && err.includes('nothing was taken'), err)
    equal((await a.rows(to)).length, count, `${type}: rows after a bad line`)
  }
  const { status, err } = await a.run('import', path('out.jsonl'))
  ok(status === 2 && /--into/.test(err), err)
})

test('ten thousand entries, into a node that goes on answering', async () => {
  const a = await folder('big')
  const b = await folder('big too')
  const { address } = await a.json('create', 'big', '--type', 'events')
  writeFileSync(path('many'), Array.from({ length: 10_000 }, (_, i) => JSON.stringify({ value: { i } })).join('\n'))
  equal((await a.json('import', path('many'), '--into', address))[0].new, 10_000, 'written')
  await a.json('export', address, '--car', path('big.car'))
  let slowest = 0
  let over = false
  const watching = (async () => {
    while (!over) {
      const began = performance.now()
      await (await fetch(`${b.url}/healthz`)).text()
      slowest = Math.max(slowest, performance.now() - began)
      await sleep(5)
    }
  })()
  const began = performance.now()
  const taken = await b.json('import', path('big.car'))
  const ms = Math.round(performance.now() - began)
  over = true
  await watching
  equal(taken, [{ address, new: 10_000, there: 0, waiting: 0 }], 'taken')
  equal((await b.rows(address)).map(r => r[0]), (await a.rows(address)).map(r => r[0]), 'in the same order')
  console.log(`      10,000 entries taken in ${ms} ms; the slowest answer meanwhile ${Math.round(slowest)} ms`)
  ok(slowest < 1000, `the node did not answer for ${slowest} ms`)
  await b.stop()
  const log = await b.run('heads', address)
  equal(log.status, 0, 'opened from its snapshot')
  ok(existsSync(join(b.dir, `snapshot-${address.split('/').pop()}`)), 'the snapshot stands beside the store')
})

await run(3)
