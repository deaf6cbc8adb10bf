// @libp2p/kad-dht and our DHT in one network over TCP on loopback: six js peers and six of ours, values, providers and peers both ways, a network of its own name beside it.
// `node kad.mjs KAD_NODE [NAME_PART]` closes with `N passed, N failed`.
import './node22.mjs'
import { createHash } from 'node:crypto'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { peerIdFromString } from '@libp2p/peer-id'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { Child, equal, ok, run, test, until as untilWithin } from './kit.mjs'
import { multiaddr, newPeer } from './js2.mjs'

const program = process.argv[2]
const PUBLIC = '/ipfs/kad/1.0.0'
const PRIVATE = '/holdfast/kad/1.0.0'
const COUNT = 6
const K = 6

// Tables fill and queries are repeated at their own pace.
const until = (what, condition) => untilWithin(what, condition, 60_000)
const text = (t) => new TextEncoder().encode(t)
const hex = (bytes) => Buffer.from(bytes).toString('hex')
async function all (source) {
  const items = []
  for await (const item of source) items.push(item)
  return items
}
function cidOf (name) { return CID.createV1(0x55, Digest.create(0x12, createHash('sha256').update(name).digest())) }

// ---- ours ----
class Ours extends Child {
  static patience = 130_000
  static async start (protocol, mode = 'server') {
    const node = await super.start(program, protocol, mode, String(K))
    if (mode === 'server') node.say(`listen ${node.port}`)
    return node
  }

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
}

// ---- js ----
const newJs = (protocol, options = {}) => newPeer({
  listen: options.clientMode ? [] : undefined,
  services: {
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
  connectionManager: { dialTimeout: 60000 }
})

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
  for (let i = 0; i < COUNT; i++) ours.push(await Ours.start(PUBLIC))
  const port = js[0].getMultiaddrs()[0].toOptions().port
  for (const node of ours) node.say(`dial ${port} ${js[0].peerId}`)
  for (const node of js.slice(1)) await node.dial(multiaddr(ours[0].address))
  await until('our tables fill', async () => (await Promise.all(ours.map((n) => n.size('table')))).every(([n]) => n >= 8))
  await until('js tables fill', () => js.every((n) => dht(n).routingTable.size >= 6))
}

test('js puts, all of ours get', async () => {
  for (const [i, node] of js.entries()) {
    await all(dht(node).put(text(`/test/js${i}`), text(`value${i}`)))
    for (const our of ours) {
      const r = await our.op(`get /test/js${i} 0`)
      equal(r.error, 'OK', `get of ${i}`)
      equal(r.came[0].what, `value${i}`, 'value')
    }
  }
})

test('we put, all js get', async () => {
  for (const [i, our] of ours.entries()) {
    const r = await our.op(`put /test/ours${i} value${i}`)
    equal(r.error, 'OK', 'put')
    equal(r.count, K, 'peers that took it')
    for (const node of js) await jsGets(node, `/test/ours${i}`, `value${i}`)
  }
})

test('what nobody put is not found, both ways', async () => {
  equal((await ours[1].op('get /test/none 0')).error, 'NOT_FOUND', 'ours')
  equal(await jsGet(js[1], '/test/none'), undefined, 'js')
})

test('the better value wins, both ways', async () => {
  await all(dht(js[0]).put(text('/test/race'), text('v1')))
  await ours[2].op('put /test/race v2')
  equal((await ours[4].op('get /test/race 0')).came[0].what, 'v2', 'what we get')
  await jsGets(js[3], '/test/race', 'v2')
  ours[2].say('put /test/race v1')
  await ours[2].line(/^refused DENIED/)
})

test('a value of 30 kB', async () => {
  const big = 'x'.repeat(30000)
  equal((await ours[0].op(`put /test/big ${big}`)).count, K, 'taken')
  await jsGets(js[4], '/test/big', big)
  await all(dht(js[2]).put(text('/test/big2'), text(big)))
  equal((await ours[3].op('get /test/big2 0')).came[0].what, big, 'what we get')
})

test('js provides, all of ours find it', async () => {
  for (const [i, node] of js.entries()) {
    const cid = cidOf(`js ${i}`)
    await all(dht(node).provide(cid))
    for (const our of ours) {
      const r = await our.op(`providers ${hex(cid.multihash.bytes)} 3`)
      equal(r.error, 'OK', `providers of ${i}`)
      ok(r.came.some((p) => p.what === node.peerId.toString() && p.addresses > 0), 'it is js, with addresses')
    }
  }
})

test('we provide, all js find it', async () => {
  for (const [i, our] of ours.entries()) {
    const cid = cidOf(`ours ${i}`)
    equal((await our.op(`provide ${hex(cid.multihash.bytes)}`)).count, K, 'peers told')
    for (const node of js) await until(`js finds ${i}`, async () => (await jsProviders(node, cid)).includes(our.id))
    for (const other of ours) ok((await other.op(`providers ${hex(cid.multihash.bytes)} 3`)).came.some((p) => p.what === our.id), 'we find it')
  }
  equal((await ours[0].op(`providers ${hex(cidOf('nobody').multihash.bytes)} 3`)).error, 'NOT_FOUND', 'what nobody provides')
})

test('each finds each', async () => {
  for (const node of js) {
    for (const our of ours) {
      const r = await our.op(`find_peer ${node.peerId}`)
      equal(r.error, 'OK', 'we find js')
      const found = (await all(dht(node).findPeer(peerIdFromString(our.id)))).find((e) => e.name === 'FINAL_PEER')
      equal(found.peer.id.toString(), our.id, 'js finds us')
    }
  }
})

test('a newcomer that knows one peer finds those it never met, both ways', async () => {
  const our = await Ours.start(PUBLIC)
  our.say(`dial ${ours[0].port} ${ours[0].id}`)
  await our.line(/^identified/)
  const node = await newJs(PUBLIC)
  await node.dial(js[0].getMultiaddrs()[0])
  await until('it is in the network', async () => (await our.size('table'))[0] >= 6 && dht(node).routingTable.size >= 4)
  await until('we find the js newcomer', async () => (await our.op(`find_peer ${node.peerId}`)).error === 'OK')
  await until('js finds our newcomer', async () =>
    (await all(dht(node).findPeer(peerIdFromString(our.id), { useCache: false })).catch(() => [])).some((e) => e.name === 'FINAL_PEER'))
})

test('the closest of a key are the same to all', async () => {
  const key = text('some key')
  const target = createHash('sha256').update(key).digest()
  const ids = [...js.map((n) => n.peerId.toString()), ...ours.map((n) => n.id)]
  const distance = (id) => hex(createHash('sha256').update(peerIdFromString(id).toMultihash().bytes).digest().map((b, i) => b ^ target[i]))
  for (const our of ours) {
    const truth = ids.filter((id) => id !== our.id).sort((a, b) => distance(a) < distance(b) ? -1 : 1).slice(0, K)
    const r = await our.op(`closest ${hex(key)}`)
    equal(r.came.map((p) => p.what).join(), truth.join(), 'closest')
  }
})

test('a client of ours and one of js ask and are in no table', async () => {
  const our = await Ours.start(PUBLIC, 'client')
  our.say(`dial ${js[0].getMultiaddrs()[0].toOptions().port} ${js[0].peerId}`)
  await until('it knows the network', async () => (await our.size('table'))[0] >= 6)
  equal((await our.op('put /test/client hello')).count, K, 'taken')
  const node = await newJs(PUBLIC, { clientMode: true })
  await node.dial(multiaddr(ours[1].address))
  await until('it knows the network', () => dht(node).routingTable.size >= 3)
  await jsGets(node, '/test/client', 'hello')
  for (const server of js) ok(await dht(server).routingTable.find(peerIdFromString(our.id)) == null, 'in no js table')
  const sizes = await Promise.all(ours.map((n) => n.size('table')))
  ok(sizes.every(([n]) => n <= 2 * COUNT - 1 + 2), 'in none of ours')
})

test('a network of its own name is apart', async () => {
  const our = await Ours.start(PRIVATE)
  const node = await newJs(PRIVATE)
  await node.dial(multiaddr(our.address))
  await node.dial(multiaddr(ours[0].address)) // connected to the other network as well
  await our.line(/^identified/)
  await until('they know each other', async () => (await our.size('table'))[0] === 1 && dht(node).routingTable.size >= 1)
  equal((await our.op('put /test/private secret')).count, 1, 'taken')
  await jsGets(node, '/test/private', 'secret')
  equal(await jsGet(js[0], '/test/private'), undefined, 'what the others get')
  await all(dht(node).put(text('/test/private2'), text('secret2')))
  equal((await our.op('get /test/private2 0')).came[0].what, 'secret2', 'what we get')
  equal((await our.size('table'))[0], 1, 'in our table')
})

test('half of the network goes, the rest still finds', async () => {
  await ours[0].op('put /test/stays here')
  for (const node of [js[4], js[5]]) await node.stop()
  for (const node of [ours[4], ours[5]]) await node.stop()
  equal((await ours[1].op('get /test/stays 0')).came[0]?.what, 'here', 'what we get')
  await jsGets(js[1], '/test/stays', 'here')
  const r = await ours[1].op('put /test/after value')
  ok(r.count >= K - 1, `taken by ${r.count}`)
  await jsGets(js[2], '/test/after', 'value')
})

await build()
await run(3)
