// js-libp2p 3 against running `holdfast serve` nodes, from a network namespace with a public address (tests/suites/51-serve-p2p.sh):
// `serve.mjs OWN_IP PUBLIC V1 V2 DATABASE`. PUBLIC: a node that was told that it is reachable; V1, V2: nodes that must find out; DATABASE: its
// address. Prints `ok NAME` or `FAILED NAME: why`.
import { autoNAT } from '@libp2p/autonat'
import { autoNATv2 } from '@libp2p/autonat-v2'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { kadDHT } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { CID } from 'multiformats/cid'
import { cleanUp, ok, onExit, peersOf, runAll, sleep, test, until as untilMs } from '../kit.mjs'
import { multiaddr, packages, tcp } from './js3.mjs'

const [ip, publicNode, v1Node, v2Node, database] = process.argv.slice(2)
const cid = CID.parse(database.split('/')[2])
const peerOf = (address) => address.split('/').pop()
const until = (what, condition, seconds = 60) => untilMs(what, condition, seconds * 1000, 100)
const { newPeer } = peersOf(packages, onExit) // what they see goes on after their tests

let nextPort = 5000
// What js is told to announce it takes for reachable; what it only listens on it wants to have tried by AutoNAT first.
async function newJs ({ listen = [`/ip4/${ip}/tcp/${++nextPort}`], services = {}, announce = true, shuns } = {}) {
  const js = await newPeer({
    addresses: { listen, announce: announce ? listen : [] },
    transports: [tcp(), circuitRelayTransport()],
    services: { ping: ping(), ...services },
    connectionGater: { denyDialPeer: (id) => id.toString() === shuns }
  })
  await js.handle('/test/echo/1', async (stream) => {
    try {
      for await (const chunk of stream) if (!stream.send(chunk.subarray())) await stream.onDrain()
      await stream.close()
    } catch (err) { stream.abort(err) }
  }, { runOnLimitedConnection: true })
  return js
}

// Writes so many bytes, a piece once the last has come back, and counts those that do until the stream ends.
async function echo (js, address, length) {
  const connection = await js.dial(address)
  const stream = await connection.newStream('/test/echo/1', { runOnLimitedConnection: true })
  let got = 0
  let over = false
  const reading = (async () => { for await (const chunk of stream) got += chunk.byteLength })().catch(() => {}).finally(() => { over = true })
  try {
    for (let sent = 0; sent < length && !over;) {
      const piece = new Uint8Array(Math.min(16384, length - sent))
      stream.send(piece)
      sent += piece.length
      await until('the piece comes back', () => got >= sent || over, 20)
    }
    await stream.close()
  } catch (err) { stream.abort(err) }
  await reading
  return { got, limited: connection.limits != null }
}

const dht = (options = {}) => kadDHT({ protocol: '/holdfast/kad/1.0.0', clientMode: false, allowQueryWithZeroPeers: true, ...options })
const isRelayed = (a) => a.toString().includes('p2p-circuit')

async function newListener () {
  const js = await newJs({ listen: [`${publicNode}/p2p-circuit`], announce: false })
  await until('js has a reservation', () => js.getMultiaddrs().some(isRelayed))
  return js
}

test('js finds by the DHT who keeps the database', async () => {
  const js = await newJs({ services: { dht: dht() } })
  await js.dial(multiaddr(publicNode))
  await until('js has it in its table', () => js.services.dht.routingTable.size > 0)
  const provider = await until('the node is found', async () => {
    for await (const p of js.contentRouting.findProviders(cid)) if (p.id.toString() === peerOf(publicNode)) return p
  }, 90)
  ok(provider.multiaddrs.some((a) => publicNode.startsWith(a.toString().split('/p2p/')[0])), `its address: ${provider.multiaddrs}`)
})

test('the node finds by the DHT a js peer that keeps the database, and dials it', async () => {
  const known = await newJs({ services: { dht: dht() } })
  const keeper = await newJs({ services: { dht: dht() }, shuns: peerOf(publicNode) }) // which would else tell the node itself
  await known.dial(multiaddr(publicNode))
  await keeper.dial(known.getMultiaddrs()[0])
  await until('they have each other in their tables', () => keeper.services.dht.routingTable.size > 0 && known.services.dht.routingTable.size > 1)
  await keeper.contentRouting.provide(cid)
  await until('the node dials it', () => keeper.getConnections().some((c) => c.remotePeer.toString() === peerOf(publicNode) && c.direction === 'inbound'), 120)
})

test('two js peers talk through the node', async () => {
  const [listener, dialer] = [await newListener(), await newJs()]
  const { got, limited } = await echo(dialer, multiaddr(`${publicNode}/p2p-circuit/p2p/${listener.peerId}`), 50000)
  ok(got === 50000, `${got} of 50000 bytes came back`)
  ok(limited, 'strangers are limited')
})

test('strangers have no more than 128 KiB through the node', async () => {
  const [listener, dialer] = [await newListener(), await newJs()]
  const { got } = await echo(dialer, multiaddr(`${publicNode}/p2p-circuit/p2p/${listener.peerId}`), 1 << 20)
  ok(got > 0 && got <= 1 << 17, `${got} bytes came back`)
})

test('peers that keep the database have no limit', async () => {
  const heads = `/orbitdb/heads${database}`
  const [listener, dialer] = [await newJs({ listen: [], announce: false }), await newJs()]
  for (const js of [listener, dialer]) await js.handle(heads, (stream) => stream.abort(new Error('nothing to say')))
  for (const js of [listener, dialer]) await js.dial(multiaddr(publicNode))
  await sleep(3000) // identify has told what they speak: only the node knows when
  await listener.components.transportManager.listen([multiaddr(`${publicNode}/p2p-circuit`)])
  await until('js has a reservation', () => listener.getMultiaddrs().some(isRelayed))
  const { got, limited } = await echo(dialer, multiaddr(`${publicNode}/p2p-circuit/p2p/${listener.peerId}`), 1 << 20)
  ok(got === 1 << 20, `${got} bytes came back`)
  ok(!limited, 'an ordinary connection')
})

test('js sees that the node punches holes, relays, and tries addresses', async () => {
  const js = await newJs({ services: { dcutr: dcutr() } })
  await js.dial(multiaddr(publicNode))
  for (const protocol of ['/libp2p/dcutr', '/libp2p/circuit/relay/0.2.0/hop', '/libp2p/autonat/1.0.0', '/libp2p/autonat/2/dial-request', '/holdfast/kad/1.0.0']) {
    await until(protocol, async () => (await js.peerStore.get(js.getPeers()[0])).protocols.includes(protocol), 10)
  }
})

test('AutoNAT v2: the node dials js, which learns that it can be reached', async () => {
  const js = await newJs({ services: { autonat: autoNATv2() }, announce: false })
  ok(js.components.addressManager.getAddressesWithMetadata().every((a) => !a.verified), 'js is not sure')
  await js.dial(multiaddr(publicNode))
  await until('js is sure', () => js.components.addressManager.getAddressesWithMetadata().some((a) => a.verified), 30)
})

test('AutoNAT v1: the node dials js, which learns that it can be reached', async () => {
  const js = await newJs({ services: { autonat: autoNAT() }, announce: false })
  await js.dial(multiaddr(publicNode))
  await until('js is sure', () => js.components.addressManager.getAddressesWithMetadata().some((a) => a.verified), 30)
})

// js closes the connection that it is asked over by version 1; by version 2 it answers. What the nodes then think is looked at from outside.
test('AutoNAT v1 of js, which would hang up, is not asked', async () => {
  const peers = []
  for (let i = 0; i < 4; i++) peers.push(await newJs({ services: { autonat: autoNAT() } }))
  for (const js of peers) await js.dial(multiaddr(v1Node))
  await sleep(20000) // long enough to ask all of them: that nobody was asked, nothing says
  ok(peers.every((js) => js.getConnections().length === 1), 'all are connected')
})

test('AutoNAT v2 of js dials the node that asks', async () => {
  const peers = []
  for (let i = 0; i < 4; i++) peers.push(await newJs({ services: { autonat: autoNATv2() } }))
  for (const js of peers) await js.dial(multiaddr(v2Node))
})

await runAll()
console.log('asked')
await new Promise((resolve) => process.stdin.on('data', resolve).on('end', resolve))
await cleanUp()
process.exit(0)
