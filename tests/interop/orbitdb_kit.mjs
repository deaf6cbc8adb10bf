// What the tests against OrbitDB's programs share, whatever version of them: our side and its databases, comparing, and tests that are the same for all.
// It takes nothing from npm, so that each test brings its own.
import { dirname, join } from 'node:path'
import { Child, equal, sleep, until } from './kit.mjs'

const [program] = process.argv.slice(2)

// ---- our side ----
export class Node extends Child {
  // other: another of our programs, in the same folder.
  static start (other, ...options) { return super.start(other ? join(dirname(program), other) : program, ...options) }

  async ask (...words) {
    this.say(...words)
    const [line, kind, answer] = await this.line(/^(db|entry|done|all|info|error)(?: (.*))?$/)
    if (kind === 'error') throw new Error(line)
    return answer ?? line
  }

  async create (name, type, access) { return new Db(this, (await this.ask('create', name, type, access)).split(' ')) }
  async open (address) { return new Db(this, (await this.ask('open', address)).split(' ')) }
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
async function readerBehind (middle, open, writer, reader) {
  const address = await middle.address(writer)
  const read = await open(reader, address)
  await until('the middle knows the reader', async () => middle.knows(reader))
  await sleep(1500) // each side may open an exchange of its own: both are over; nothing says that no other is to come
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
  await sleep(3000) // what never comes, nothing announces
  const fault = (await order(read)).length === 0
  return fault
}
