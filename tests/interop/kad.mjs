// @libp2p/kad-dht and our DHT in one network over TCP on loopback: six js peers and six of ours, values, providers and peers both ways, a network of its own name beside it.
// `node kad.mjs KAD_NODE [NAME_PART]` closes with `N passed, N failed`.
import './node22.mjs'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify, identifyPush } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'

const program = process.argv[2]
const only = process.argv[3]
const PUBLIC = '/ipfs/kad/1.0.0'
const PRIVATE = '/holdfast/kad/1.0.0'
const COUNT = 6
const K = 6

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const text = (t) => new TextEncoder().encode(t)
const hex = (bytes) => Buffer.from(bytes).toString('hex')
function equal (got, want, what) { if (got !== want) throw new Error(`${what}: got ${got}, expected ${want}`) }
function isTrue (value, what) { if (!value) throw new Error(`not so: ${what}`) }
async function until (what, condition) {
  for (let i = 0; i < 1200; i++) {
    if (await condition()) return
    await sleep(50)
  }
  throw new Error(`did not happen: ${what}`)
}
async function all (source) {
  const items = []
  for await (const item of source) items.push(item)
  return items
}
function cidOf (name) { return CID.createV1(0x55, Digest.create(0x12, createHash('sha256').update(name).digest())) }

// ---- ours: a child whose printed lines can be waited for ----
class Ours {
  static async start (seed, protocol, mode = 'server') {
    const node = new Ours()
    node.child = spawn(program, [String(seed), protocol, mode, String(K)], { stdio: ['pipe', 'pipe', 'inherit'] })
    node.lines = []
    node.waiting = []
    createInterface({ input: node.child.stdout }).on('line', (line) => {
      node.lines.push(line)
      node.waiting = node.waiting.filter((w) => !w(line))
    })
    node.exit = once(node.child, 'exit')
    const [, port, id] = await node.line(/^listening (\d+) (\S+)/)
    node.port = Number(port)
    node.id = id
    node.address = multiaddr(`/ip4/127.0.0.1/tcp/${port}/p2p/${id}`)
    if (mode === 'server') node.say(`listen ${port}`)
    return node
  }

  line (pattern) {
    const seen = this.lines.findIndex((l) => pattern.test(l))
    if (seen >= 0) return Promise.resolve(this.lines.splice(seen, 1)[0].match(pattern))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no line like ${pattern}; have ${JSON.stringify(this.lines.slice(-20))}`)), 130000)
      this.waiting.push((line) => {
        if (!pattern.test(line)) return false
        clearTimeout(timer)
        this.lines.splice(this.lines.indexOf(line), 1)
        resolve(line.match(pattern))
        return true
      })
    })
  }

  say (command) { this.child.stdin.write(command + '\n') }

  // An operation to its end: what came, and how it ended.
  async op (command) {
    this.say(command)
    const [, op] = await this.line(/^op (\d+)/)
    const [, error, count, asked, hops] = await this.line(new RegExp(`^done ${op} (.+) (\\d+) (\\d+) (\\d+)`))
    const mine = new RegExp(`^(peer|provider|value) ${op} (\\S+)\\s*(\\d*)`)
    const came = this.lines.map((l) => l.match(mine)).filter(Boolean).map(([, , what, addresses]) => ({ what, addresses: Number(addresses) }))
    this.lines = this.lines.filter((l) => !mine.test(l))
    return { error, count: Number(count), asked: Number(asked), hops: Number(hops), came }
  }

  async size (what) {
    this.say(what)
    return (await this.line(new RegExp(`^${what} (.*)`)))[1].split(' ').map(Number)
  }

  async stop () {
    this.say('quit')
    const [code] = await this.exit
    equal(code, 0, 'exit status of our node')
  }
}

// ---- js ----
async function newJs (protocol, options = {}) {
  return createLibp2p({
    addresses: { listen: options.clientMode ? [] : ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      push: identifyPush(),
      ping: ping(),
      dht: kadDHT({
        protocol,
        clientMode: false,
        kBucketSize: K,
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
        initialQuerySelfInterval: 500,
        querySelfInterval: 5000,
        validators: { test: async (_, value) => { if (value[0] === 0x21) throw new Error('not valid') } },
        selectors: { test: (_, records) => records.reduce((best, r, i) => Buffer.compare(r, records[best]) > 0 ? i : best, 0) },
        ...options
      })
    },
    connectionManager: { inboundConnectionThreshold: 1000, dialTimeout: 60000 },
    connectionGater: { denyDialMultiaddr: () => false }
  })
}

const dht = (js) => js.services.dht
async function jsGet (js, key) {
  const values = (await all(dht(js).get(text(key)))).filter((e) => e.name === 'VALUE')
  return values.length === 0 ? undefined : new TextDecoder().decode(values.at(-1).value)
}
// js gives a peer little time; when the machine is busy, it asks again.
async function jsGets (js, key, value) { await until(`js gets ${key}`, async () => (await jsGet(js, key)) === value) }
async function jsProviders (js, cid) {
  const ids = new Set()
  for await (const e of dht(js).findProviders(cid)) if (e.name === 'PROVIDER') e.providers.forEach((p) => ids.add(p.id.toString()))
  return [...ids]
}

const js = []
const ours = []

// Everybody meets the first js peer or our first; the network finds itself.
async function build () {
  for (let i = 0; i < COUNT; i++) js.push(await newJs(PUBLIC))
  for (let i = 0; i < COUNT; i++) ours.push(await Ours.start(i + 1, PUBLIC))
  const port = js[0].getMultiaddrs()[0].toOptions().port
  for (const node of ours) node.say(`dial ${port} ${js[0].peerId}`)
  for (const node of js.slice(1)) await node.dial(ours[0].address)
  await until('our tables fill', async () => (await Promise.all(ours.map((n) => n.size('table')))).every(([n]) => n >= 8))
  await until('js tables fill', () => js.every((n) => dht(n).routingTable.size >= 6))
}

const tests = {
  async 'js puts, all of ours get' () {
    for (const [i, node] of js.entries()) {
      await all(dht(node).put(text(`/test/js${i}`), text(`value${i}`)))
      for (const our of ours) {
        const r = await our.op(`get /test/js${i} 0`)
        equal(r.error, 'OK', `get of ${i}`)
        equal(r.came[0].what, `value${i}`, 'value')
      }
    }
  },
  async 'we put, all js get' () {
    for (const [i, our] of ours.entries()) {
      const r = await our.op(`put /test/ours${i} value${i}`)
      equal(r.error, 'OK', 'put')
      equal(r.count, K, 'peers that took it')
      for (const node of js) await jsGets(node, `/test/ours${i}`, `value${i}`)
    }
  },
  async 'what nobody put is not found, both ways' () {
    equal((await ours[1].op('get /test/none 0')).error, 'NOT_FOUND', 'ours')
    equal(await jsGet(js[1], '/test/none'), undefined, 'js')
  },
  async 'the better value wins, both ways' () {
    await all(dht(js[0]).put(text('/test/race'), text('v1')))
    await ours[2].op('put /test/race v2')
    equal((await ours[4].op('get /test/race 0')).came[0].what, 'v2', 'what we get')
    await jsGets(js[3], '/test/race', 'v2')
    ours[2].say('put /test/race v1')
    await ours[2].line(/^refused DENIED/)
  },
  async 'a value of 30 kB' () {
    const big = 'x'.repeat(30000)
    equal((await ours[0].op(`put /test/big ${big}`)).count, K, 'taken')
    await jsGets(js[4], '/test/big', big)
    await all(dht(js[2]).put(text('/test/big2'), text(big)))
    equal((await ours[3].op('get /test/big2 0')).came[0].what, big, 'what we get')
  },
  async 'js provides, all of ours find it' () {
    for (const [i, node] of js.entries()) {
      const cid = cidOf(`js ${i}`)
      await all(dht(node).provide(cid))
      for (const our of ours) {
        const r = await our.op(`providers ${hex(cid.multihash.bytes)} 3`)
        equal(r.error, 'OK', `providers of ${i}`)
        isTrue(r.came.some((p) => p.what === node.peerId.toString() && p.addresses > 0), 'it is js, with addresses')
      }
    }
  },
  async 'we provide, all js find it' () {
    for (const [i, our] of ours.entries()) {
      const cid = cidOf(`ours ${i}`)
      equal((await our.op(`provide ${hex(cid.multihash.bytes)}`)).count, K, 'peers told')
      for (const node of js) await until(`js finds ${i}`, async () => (await jsProviders(node, cid)).includes(our.id))
      for (const other of ours) isTrue((await other.op(`providers ${hex(cid.multihash.bytes)} 3`)).came.some((p) => p.what === our.id), 'we find it')
    }
    equal((await ours[0].op(`providers ${hex(cidOf('nobody').multihash.bytes)} 3`)).error, 'NOT_FOUND', 'what nobody provides')
  },
  async 'each finds each' () {
    for (const node of js) {
      for (const our of ours) {
        const r = await our.op(`find_peer ${node.peerId}`)
        equal(r.error, 'OK', 'we find js')
        const found = (await all(dht(node).findPeer(peerIdFromString(our.id)))).find((e) => e.name === 'FINAL_PEER')
        equal(found.peer.id.toString(), our.id, 'js finds us')
      }
    }
  },
  async 'a newcomer that knows one peer finds those it never met, both ways' () {
    const our = await Ours.start(50, PUBLIC)
    our.say(`dial ${ours[0].port} ${ours[0].id}`)
    await our.line(/^identified/)
    const node = await newJs(PUBLIC)
    await node.dial(js[0].getMultiaddrs()[0])
    await until('it is in the network', async () => (await our.size('table'))[0] >= 6 && dht(node).routingTable.size >= 4)
    await until('we find the js newcomer', async () => (await our.op(`find_peer ${node.peerId}`)).error === 'OK')
    await until('js finds our newcomer', async () =>
      (await all(dht(node).findPeer(peerIdFromString(our.id), { useCache: false })).catch(() => [])).some((e) => e.name === 'FINAL_PEER'))
    await node.stop()
    await our.stop()
  },
  async 'the closest of a key are the same to all' () {
    const key = text('some key')
    const target = createHash('sha256').update(key).digest()
    const ids = [...js.map((n) => n.peerId.toString()), ...ours.map((n) => n.id)]
    const distance = (id) => hex(createHash('sha256').update(peerIdFromString(id).toMultihash().bytes).digest().map((b, i) => b ^ target[i]))
    for (const our of ours) {
      const truth = ids.filter((id) => id !== our.id).sort((a, b) => distance(a) < distance(b) ? -1 : 1).slice(0, K)
      const r = await our.op(`closest ${hex(key)}`)
      equal(r.came.map((p) => p.what).join(), truth.join(), 'closest')
    }
  },
  async 'a client of ours and one of js ask and are in no table' () {
    const our = await Ours.start(60, PUBLIC, 'client')
    our.say(`dial ${js[0].getMultiaddrs()[0].toOptions().port} ${js[0].peerId}`)
    await until('it knows the network', async () => (await our.size('table'))[0] >= 6)
    equal((await our.op('put /test/client hello')).count, K, 'taken')
    const node = await newJs(PUBLIC, { clientMode: true })
    await node.dial(ours[1].address)
    await until('it knows the network', () => dht(node).routingTable.size >= 3)
    await jsGets(node, '/test/client', 'hello')
    for (const server of js) isTrue(await dht(server).routingTable.find(peerIdFromString(our.id)) == null, 'in no js table')
    const sizes = await Promise.all(ours.map((n) => n.size('table')))
    isTrue(sizes.every(([n]) => n <= 2 * COUNT - 1 + 2), 'in none of ours')
    await node.stop()
    await our.stop()
  },
  async 'a network of its own name is apart' () {
    const our = await Ours.start(70, PRIVATE)
    const node = await newJs(PRIVATE)
    await node.dial(our.address)
    await node.dial(ours[0].address) // connected to the other network as well
    await our.line(/^identified/)
    await until('they know each other', async () => (await our.size('table'))[0] === 1 && dht(node).routingTable.size >= 1)
    equal((await our.op('put /test/private secret')).count, 1, 'taken')
    await jsGets(node, '/test/private', 'secret')
    equal(await jsGet(js[0], '/test/private'), undefined, 'what the others get')
    await all(dht(node).put(text('/test/private2'), text('secret2')))
    equal((await our.op('get /test/private2 0')).came[0].what, 'secret2', 'what we get')
    equal((await our.size('table'))[0], 1, 'in our table')
    await node.stop()
    await our.stop()
  },
  async 'half of the network goes, the rest still finds' () {
    await ours[0].op('put /test/stays here')
    for (const node of [js[4], js[5]]) await node.stop()
    for (const node of [ours[4], ours[5]]) await node.stop()
    equal((await ours[1].op('get /test/stays 0')).came[0]?.what, 'here', 'what we get')
    await jsGets(js[1], '/test/stays', 'here')
    const r = await ours[1].op('put /test/after value')
    isTrue(r.count >= K - 1, `taken by ${r.count}`)
    await jsGets(js[2], '/test/after', 'value')
  }
}

let passed = 0
let failed = 0
await build()
for (const [name, run] of Object.entries(tests)) {
  if (only && !name.includes(only)) continue
  const from = Date.now()
  try {
    await run()
    passed++
    console.log(`ok      ${name} (${Date.now() - from} ms)`)
  } catch (err) {
    failed++
    console.log(`FAILED  ${name}: ${err.stack}`)
  }
}
for (const node of ours) node.child.exitCode == null && await node.stop().catch((err) => { failed++; console.log(err.message) })
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
