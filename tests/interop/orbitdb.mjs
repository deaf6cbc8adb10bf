// OrbitDB's own program against ours, over real TCP and (through a bridge here) WebSocket: each opens what the other made, each writes, both come to
// the same entries, order and state; late joiners, writers who left, partitions, access granted and revoked while others write.
// `node orbitdb.mjs DB_NODE [PART OF A NAME]` closes with `N passed, N failed`.
import './node22.mjs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify, identifyPush } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { Helia } from '@helia/utils'
import { bitswap } from '@helia/block-brokers'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createOrbitDB, IPFSAccessController, OrbitDBAccessController } from '@orbitdb/core'

const [program, only] = process.argv.slice(2)
const nodes = []
const work = mkdtempSync(join(tmpdir(), 'orbitdb-'))
let seeds = 1

// ---- our side: a child whose printed lines can be waited for ----
class Node {
  static async start () {
    const node = new Node()
    nodes.push(node)
    node.child = spawn(program, [String(seeds++)], { stdio: ['pipe', 'pipe', 'inherit'] })
    node.lines = []
    node.waiting = []
    createInterface({ input: node.child.stdout }).on('line', (line) => {
      const at = node.waiting.findIndex((w) => w.pattern.test(line))
      if (at >= 0) node.waiting.splice(at, 1)[0].resolve(line)
      else node.lines.push(line)
    })
    node.exit = once(node.child, 'exit')
    const [, port, id, identity] = (await node.line(/^listening/)).match(/^listening (\d+) (\S+) (\S+)/)
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

class Db {
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

// ---- their side ----
const peers = []
async function newJs () {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp(), webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), push: identifyPush(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
    connectionManager: { inboundConnectionThreshold: 1000 },
    connectionGater: { denyDialMultiaddr: () => false }
  })
  const ipfs = new Helia({ libp2p, blockstore: new MemoryBlockstore(), datastore: new MemoryDatastore(), blockBrokers: [bitswap()], routers: [] })
  await ipfs.start()
  const orbitdb = await createOrbitDB({ ipfs, id: `js${peers.length}`, directory: join(work, String(peers.length)) })
  const js = { libp2p, ipfs, orbitdb, id: orbitdb.identity.id }
  js.open = async (...args) => {
    const db = await orbitdb.open(...args)
    db.events.on('error', () => {}) // without a listener a failed exchange of heads would end this process
    return db
  }
  js.stop = async () => {
    if (js.stopped) return
    js.stopped = true
    await orbitdb.stop()
    await ipfs.stop()
  }
  peers.push(js)
  return js
}

async function join2 (js, node, ws) {
  const where = ws ? `/ip4/127.0.0.1/tcp/${(ws.server = await bridge(node)).address().port}/ws` : `/ip4/127.0.0.1/tcp/${node.port}`
  await js.libp2p.dial(multiaddr(`${where}/p2p/${node.id}`))
}
const joinNode = (js, node) => join2(js, node, null)

// A WebSocket in front of our TCP port.
async function bridge (node) {
  const { WebSocketServer } = await import('ws')
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket) => {
    const channel = connectTcp(Number(node.port), '127.0.0.1')
    channel.on('data', (bytes) => socket.send(bytes))
    for (const event of ['close', 'error']) channel.on(event, () => socket.close())
    socket.on('message', (bytes) => channel.write(bytes))
    socket.on('close', () => channel.destroy())
  })
  await once(server, 'listening')
  return server
}

// ---- comparing ----
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
async function until (what, condition, ms = 30000) {
  let last
  for (const end = Date.now() + ms; Date.now() < end; await sleep(100)) {
    try { if (await condition()) return } catch (err) { last = err }
  }
  throw new Error(`did not happen: ${what}${last ? ` (${last.message})` : ''}`)
}
function isTrue (value, what) { if (!value) throw new Error(`not so: ${what}`) }
function equal (got, want, what) { if (!isDeepStrictEqual(got, want)) throw new Error(`${what}: got ${JSON.stringify(got)}, expected ${JSON.stringify(want)}`) }

const plain = (rows) => rows.map(({ hash, key, value }) => JSON.parse(JSON.stringify({ hash, key, value })))
async function order (db) {
  const list = []
  for await (const entry of db.log.traverse()) list.unshift(entry.hash)
  return list
}

// Entries, order, heads and state are the same; n: how many entries there must be.
async function same (js, ours, n) {
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

async function refused (promise, what) {
  try { await promise } catch { return }
  throw new Error(`was taken: ${what}`)
}

// Made anew each time: it keeps the block store of the peer that used it first.
const anyone = () => IPFSAccessController({ write: ['*'] })

const tests = {
  async 'js opens what we made, all types, over TCP' () {
    await bothWrite(null, (node) => node, async (js, node, type) => {
      const ours = await node.create(`made here ${type}`, type, 'any')
      return [await js.open(ours.address), ours]
    })
  },
  async 'we open what js made, all types, over WebSocket' () {
    await bothWrite({}, (node) => node, async (js, node, type) => {
      const theirs = await js.open(`made there ${type}`, { type, AccessController: anyone() })
      const ours = await node.open(theirs.address)
      await ours.isOpen()
      return [theirs, ours]
    })
  },
  async 'a late joiner gets it all from us after the js writer left' () {
    const node = await Node.start()
    const writer = await newJs()
    await joinNode(writer, node)
    const theirs = await writer.open('left behind', { type: 'events', AccessController: anyone() })
    for (let i = 0; i < 40; i++) await theirs.add({ i })
    const ours = await node.open(theirs.address)
    await same(theirs, ours, 40)
    await writer.stop()
    for (let i = 40; i < 50; i++) await ours.add({ i })
    const late = await newJs()
    await joinNode(late, node)
    const again = await late.open(ours.address)
    await same(again, ours, 50)
    equal((await again.all()).map((e) => e.value.i), [...Array(50).keys()], 'order')
    await late.stop()
    await node.stop()
  },
  async 'we come late, and get from js what was written before, while it goes on writing' () {
    const js = await newJs()
    const theirs = await js.open('early', { type: 'documents', AccessController: anyone() })
    for (let i = 0; i < 60; i++) await theirs.put({ _id: `d${i % 20}`, i })
    for (let i = 0; i < 5; i++) await theirs.del(`d${i}`)
    const node = await Node.start()
    await joinNode(js, node)
    const ours = await node.open(theirs.address)
    for (let i = 0; i < 20; i++) await theirs.put({ _id: `e${i}`, i })
    await same(theirs, ours, 85)
    isTrue((await ours.all()).length === 35, 'documents that are left')
    await js.stop()
    await node.stop()
  },
  async 'parted, both write, and come together: forks, one order' () {
    const node = await Node.start()
    const js = await newJs()
    await joinNode(js, node)
    const ours = await node.create('parted', 'keyvalue', 'any')
    const theirs = await js.open(ours.address)
    let n = 0
    for (let round = 0; round < 3; round++) {
      await Promise.all(js.libp2p.getPeers().map((p) => js.libp2p.hangUp(p)))
      for (let i = 0; i < 7; i++) {
        await ours.put(`k${i % 3}`, { by: 'us', round, i })
        if (i % 2) await theirs.put(`k${i % 4}`, { by: 'them', round, i })
      }
      await theirs.del('k1')
      n += 7 + 3 + 1
      isTrue((await ours.info()).entries < n, 'they are parted')
      await joinNode(js, node)
      await same(theirs, ours, n)
    }
    await js.stop()
    await node.stop()
  },
  async 'two js peers that know only us get each other\'s entries through us' () {
    const node = await Node.start()
    const [one, two] = [await newJs(), await newJs()]
    const ours = await node.create('between', 'events', 'any')
    await joinNode(one, node)
    await joinNode(two, node)
    const a = await one.open(ours.address)
    const b = await two.open(ours.address)
    for (let i = 0; i < 10; i++) {
      await a.add({ a: i })
      await b.add({ b: i })
    }
    await same(a, ours, 20)
    await same(b, ours, 20)
    await one.stop()
    await two.stop()
    await node.stop()
  },
  async 'we guard it: access granted and revoked while others write' () {
    const node = await Node.start()
    const js = await newJs()
    await joinNode(js, node)
    const ours = await node.create('guarded here', 'keyvalue', 'guarded')
    await ours.put('first', 1)
    const theirs = await js.open(ours.address)
    await same(theirs, ours, 1)
    equal(theirs.access.type, 'orbitdb', 'access controller')
    await refused(theirs.put('x', 1), 'js writes without a grant')
    await ours.grant('write', js.id)
    await ours.put('second', 2)
    await until('js may write', async () => theirs.put('x', 2))
    await same(theirs, ours, 3)
    await ours.put('third', 3)
    await same(theirs, ours, 4)
    await ours.revoke('write', js.id)
    await until('js may not write', async () => { try { await theirs.put('x', 3); return false } catch { return true } })
    isTrue((await ours.all()).some((r) => r.key === 'x'), 'what was written while it was allowed stays')
    await js.stop()
    await node.stop()
  },
  async 'js guards it: we are granted access, and refused when it is taken away' () {
    const node = await Node.start()
    const js = await newJs()
    await joinNode(js, node)
    const theirs = await js.open('guarded there', { type: 'events', AccessController: OrbitDBAccessController() })
    await theirs.add('one')
    const ours = await node.open(theirs.address)
    await ours.isOpen()
    await same(theirs, ours, 1)
    await refused(ours.add('mine'), 'we write without a grant')
    await theirs.access.grant('write', node.identity)
    await until('we may write', async () => (await ours.info()).mayWrite)
    await ours.add('two')
    await theirs.add('three')
    await same(theirs, ours, 3)
    await theirs.access.revoke('write', node.identity)
    await until('we may not write', async () => !(await ours.info()).mayWrite)
    await refused(ours.add('mine'), 'we write after it was taken away')
    await theirs.access.grant('admin', node.identity)
    await until('we may write as admin', async () => (await ours.info()).mayWrite)
    await ours.add('four')
    await same(theirs, ours, 4)
    await js.stop()
    await node.stop()
  },
  async 'an entry that comes before its grant waits for it' () {
    const node = await Node.start()
    const [owner, writer] = [await newJs(), await newJs()]
    await owner.libp2p.dial(writer.libp2p.getMultiaddrs()[0])
    const theirs = await owner.open('grants late', { type: 'keyvalue', AccessController: OrbitDBAccessController() })
    await theirs.put('a', 1)
    const ours = await node.open(theirs.address)
    await joinNode(owner, node)
    await same(theirs, ours, 1)
    node.say('hangup')
    await until('the owner lost us', async () => owner.libp2p.getPeers().length === 1)
    await theirs.access.grant('write', writer.id)
    const second = await writer.open(theirs.address)
    await until('the writer may write', async () => second.put('b', 2))
    // The writer has the access database closed to us until we have seen the entry.
    await joinNode(writer, node)
    await same(second, ours, 2)
    await owner.stop()
    await writer.stop()
    await node.stop()
  }
}

// Every type of database: both write, at once too; same entries, order and state.
async function bothWrite (ws, _, make) {
  const node = await Node.start()
  const js = await newJs()
  await join2(js, node, ws)
  const [events, ourEvents] = await make(js, node, 'events')
  const [kv, ourKv] = await make(js, node, 'keyvalue')
  const [docs, ourDocs] = await make(js, node, 'documents')
  for (let i = 0; i < 8; i++) {
    await Promise.all([events.add({ from: 'js', i }), ourEvents.add(['us', i, null, 1.5, 'ü'])])
    await Promise.all([kv.put(`k${i % 3}`, { js: i }), ourKv.put(`k${i % 4}`, i)])
    await Promise.all([docs.put({ _id: `d${i % 3}`, js: i }), ourDocs.put(undefined, { _id: `d${i % 4}`, us: i })])
  }
  await same(events, ourEvents, 16)
  await same(kv, ourKv, 16)
  await same(docs, ourDocs, 16)
  await kv.del('k0')
  await ourKv.del('k1')
  await ourDocs.del('d1')
  await docs.del('d2')
  await same(kv, ourKv, 18)
  await same(docs, ourDocs, 18)
  await refused(ourDocs.put(undefined, { no: 'id' }), 'a document without its index field')
  ws?.server.close()
  await js.stop()
  await node.stop()
}

let passed = 0
let failed = 0
for (const [name, run] of Object.entries(tests)) {
  if (only && !name.includes(only)) continue
  const began = Date.now()
  try {
    await run()
    passed++
    console.log(`ok ${name} (${Date.now() - began} ms)`)
  } catch (err) {
    failed++
    console.log(`FAILED ${name}: ${err.stack}`)
    for (const node of nodes) if (node.child.exitCode === null) console.log(`  our side said: ${node.lines.slice(-12).join(' | ')}`)
  }
}
for (const js of peers) await js.stop().catch(() => {})
rmSync(work, { recursive: true, force: true })
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
