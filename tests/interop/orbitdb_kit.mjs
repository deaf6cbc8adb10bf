// What the tests against OrbitDB's programs share, whatever version of them: our side as a child process, comparing, and tests that are the same for all.
// It takes nothing from npm, so that each test brings its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'

const [program, only] = process.argv.slice(2)
const nodes = []
let seeds = 1

// ---- our side: a child whose printed lines can be waited for ----
export class Node {
  // other: another of our programs, in the same folder.
  static async start (other, ...options) {
    const node = new Node()
    nodes.push(node)
    node.child = spawn(other ? join(dirname(program), other) : program, [String(seeds++), ...options], { stdio: ['pipe', 'pipe', 'inherit'] })
    node.lines = []
    node.waiting = []
    createInterface({ input: node.child.stdout }).on('line', (line) => {
      const at = node.waiting.findIndex((w) => w.pattern.test(line))
      if (at >= 0) node.waiting.splice(at, 1)[0].resolve(line)
      else node.lines.push(line)
    })
    node.exit = once(node.child, 'exit')
    const [, port, id, identity] = (await node.line(/^listening/)).match(/^listening (\d+) (\S+) ?(\S*)/)
    Object.assign(node, { port, id, identity })
    return node
  }

  line (pattern) {
    const seen = this.lines.findIndex((l) => pattern.test(l))
    if (seen >= 0) return Promise.resolve(this.lines.splice(seen, 1)[0])
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no line like ${pattern}; have ${JSON.stringify(this.lines.slice(-8))}`)), 20000)
      this.waiting.push({ pattern, resolve: (line) => { clearTimeout(timer); resolve(line) } })
    })
  }

  async ask (...words) {
    this.child.stdin.write(words.join('\t') + '\n')
    const line = await this.line(/^(db|entry|done|all|info|error)( |$)/)
    if (line.startsWith('error')) throw new Error(line)
    return line.slice(line.indexOf(' ') + 1)
  }

  async create (name, type, access) { return new Db(this, (await this.ask('create', name, type, access)).split(' ')) }
  async open (address) { return new Db(this, (await this.ask('open', address)).split(' ')) }
  say (...words) { this.child.stdin.write(words.join('\t') + '\n') }
  async stop () {
    this.say('quit')
    const [code] = await this.exit
    if (code !== 0) throw new Error(`our side ended with status ${code}`)
  }
}

export class Db {
  constructor (node, [number, address]) { Object.assign(this, { node, number, address }) }
  add (value) { return this.node.ask('add', this.number, JSON.stringify(value)) }
  put (key, value) { return this.node.ask('put', this.number, key === undefined ? '' : JSON.stringify(key), JSON.stringify(value)) }
  del (key) { return this.node.ask('del', this.number, JSON.stringify(key)) }
  grant (capability, id) { return this.node.ask('grant', this.number, capability, id) }
  revoke (capability, id) { return this.node.ask('revoke', this.number, capability, id) }
  async all () { return JSON.parse(await this.node.ask('all', this.number)) }
  async info () { return JSON.parse(await this.node.ask('info', this.number)) }
  isOpen () { return until('our side has it open', async () => (await this.info()).phase === 3) }
}

// ---- comparing ----
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
export async function until (what, condition, ms = 30000) {
  let last
  for (const end = Date.now() + ms; Date.now() < end; await sleep(100)) {
    try { if (await condition()) return } catch (err) { last = err }
  }
  throw new Error(`did not happen: ${what}${last ? ` (${last.message})` : ''}`)
}
export function isTrue (value, what) { if (!value) throw new Error(`not so: ${what}`) }
export function equal (got, want, what) { if (!isDeepStrictEqual(got, want)) throw new Error(`${what}: got ${JSON.stringify(got)}, expected ${JSON.stringify(want)}`) }

const plain = (rows) => rows.map(({ hash, key, value }) => JSON.parse(JSON.stringify({ hash, key, value })))
export async function order (db) {
  const list = []
  for await (const entry of db.log.traverse()) list.unshift(entry.hash)
  return list
}

// Entries, order, heads and state are the same; n: how many entries there must be.
export async function same (js, ours, n) {
  const compare = async () => {
    const info = await ours.info()
    const entries = await order(js)
    equal(entries.length, n, 'entries of js')
    equal(info.entries, n, 'our entries')
    equal((await js.log.heads()).map((e) => e.hash).sort(), info.heads.sort(), 'heads')
    equal(plain(await ours.all()), plain(await js.all()), 'state')
    return true
  }
  await until(`both have ${n} entries and the same state`, compare)
}

export async function refused (promise, what) {
  try { await promise } catch { return }
  throw new Error(`was taken: ${what}`)
}

// ---- tests that every version goes through ----

// Some types of database: both write, at once too; same entries, order and state. make(node, js, type): [theirs, ours].
export async function bothWrite (node, js, types, make) {
  const dbs = {}
  for (const type of types) dbs[type] = await make(js, node, type)
  for (let i = 0; i < 8; i++) {
    const [events, ourEvents] = dbs.events ?? []
    const [kv, ourKv] = dbs.keyvalue ?? []
    const [docs, ourDocs] = dbs.documents ?? []
    if (events) await Promise.all([events.add({ from: 'js', i }), ourEvents.add(['us', i, null, 1.5, 'ü'])])
    if (kv) await Promise.all([kv.put(`k${i % 3}`, { js: i }), ourKv.put(`k${i % 4}`, i)])
    if (docs) await Promise.all([docs.put({ _id: `d${i % 3}`, js: i }), ourDocs.put(undefined, { _id: `d${i % 4}`, us: i })])
  }
  for (const [theirs, ours] of Object.values(dbs)) await same(theirs, ours, 16)
  if (dbs.keyvalue) {
    const [kv, ourKv] = dbs.keyvalue
    await kv.del('k0')
    await ourKv.del('k1')
    await same(kv, ourKv, 18)
  }
  if (dbs.documents) {
    const [docs, ourDocs] = dbs.documents
    await ourDocs.del('d1')
    await docs.del('d2')
    await same(docs, ourDocs, 18)
    await refused(ourDocs.put(undefined, { no: 'id' }), 'a document without its index field')
  }
}

// orbitdb/orbitdb#1255: the reader knows only the one in the middle and has exchanged heads with it while there was nothing. The writer, which
// knows only the middle too, brings what it wrote before it took part. What the middle learns so, js tells to nobody, and does not compare again.
// A relay that carries the database is such a middle.
export async function readerBehind (middle, open, writer, reader) {
  const address = await middle.address(writer)
  const read = await open(reader, address)
  await until('the middle knows the reader', async () => middle.knows(reader))
  await sleep(1500) // each side opens an exchange of its own: both are over
  const written = await open(writer, address, { sync: false })
  await written.add('first')
  await written.sync.start()
  await until('the middle has the entry', async () => (await middle.n()) === 1)
  return { read, written }
}

export async function readerBehindUs (newJs, joinNode) {
  const node = await Node.start()
  const ours = await node.create('star', 'events', 'any')
  const [writer, reader] = [await newJs(), await newJs()]
  for (const js of [writer, reader]) await joinNode(js, node)
  let joined = false
  const open = async (js, address, options) => {
    const db = await js.open(address, options)
    if (js === reader) db.events.on('join', () => { joined = true })
    return db
  }
  const middle = { address: async () => ours.address, knows: () => joined, n: async () => (await ours.info()).entries }
  const { read, written } = await readerBehind(middle, open, writer, reader)
  equal(writer.libp2p.getPeers().length, 1, 'peers of the writer')
  await same(read, ours, 1)
  await written.add('second')
  await same(read, ours, 2)
  for (const js of [writer, reader]) await js.stop()
  await node.stop()
}

// Not our side: it shows what is meant. True: the fault is there.
export async function readerBehindJs (newJs, address) {
  const [center, writer, reader] = [await newJs(), await newJs(), await newJs()]
  for (const js of [writer, reader]) await js.libp2p.dial(center.libp2p.getMultiaddrs()[0])
  const carried = await address(center)
  let joined = 0
  carried.events.on('join', () => joined++)
  const middle = { address: async () => carried.address, knows: () => joined > 0, n: async () => (await order(carried)).length }
  const { read } = await readerBehind(middle, (js, at, options) => js.open(at, options), writer, reader)
  await sleep(3000)
  const fault = (await order(read)).length === 0
  for (const js of [writer, reader, center]) await js.stop()
  return fault
}

// ---- running them ----
export async function run (tests, end) {
  let passed = 0
  let failed = 0
  for (const [name, test] of Object.entries(tests)) {
    if (only && !name.includes(only)) continue
    const began = Date.now()
    try {
      await test()
      passed++
      console.log(`ok ${name} (${Date.now() - began} ms)`)
    } catch (err) {
      failed++
      console.log(`FAILED ${name}: ${err.stack}`)
      for (const node of nodes) if (node.child.exitCode === null) console.log(`  our side said: ${node.lines.slice(-12).join(' | ')}`)
    }
  }
  await end()
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed ? 1 : 0)
}
