// A page that runs js-libp2p: WebSocket to a relay, circuit relay, WebRTC. Bundled by tests/suites/48-webrtc.sh; the suite drives it through window.peer.
import { createLibp2p } from 'libp2p'
import { webRTC } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { all } from '@libp2p/websockets/filters'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify, identifyPush } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { Helia } from '@helia/utils'
import { bitswap } from '@helia/block-brokers'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createOrbitDB, Database, useDatabaseType } from '@orbitdb/core'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'

const ECHO = '/test/echo/1'

const all_ = async (source) => {
  const parts = []
  for await (const chunk of source) parts.push(chunk.subarray())
  const joined = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return { joined, parts }
}

// A collection is an OrbitDB database of a type of its own, to which any operation can be added.
const Collection = () => (options) => Database(options)
Collection.type = 'collection'

let node, database
const peer = {
  // Connects to the relay and, when asked to, waits there to be reached.
  async start (relay, listen) {
    node = await createLibp2p({
      addresses: { listen: listen ? ['/p2p-circuit', '/webrtc'] : [] },
      transports: [webSockets({ filter: all }), webRTC({ rtcConfiguration: { iceServers: [] } }), circuitRelayTransport()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      services: { identify: identify(), push: identifyPush(), ping: ping({ maxInboundStreams: 1000, maxOutboundStreams: 1000 }),
        pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) }
    })
    await node.handle(ECHO, ({ stream }) => { stream.sink(stream.source).catch(() => {}) })
    await node.dial(multiaddr(relay))
    return node.peerId.toString()
  },
  // Where others reach us by WebRTC.
  addresses: () => node.getMultiaddrs().map(String).filter((a) => a.includes('/p2p-circuit/webrtc/')),
  dial: async (address) => { await node.dial(multiaddr(address), { signal: AbortSignal.timeout(20_000) }) },
  // Connections to the peer, as "WebRTC" or "relayed".
  connections: (id) => node.getConnections(peerIdFromString(id)).map((c) => (/\/webrtc\/?/.test(c.remoteAddr.toString()) && c.limits == null ? 'WebRTC' : 'relayed')),
  ping: (id) => node.services.ping.ping(peerIdFromString(id), { signal: AbortSignal.timeout(10_000) }),
  // What identify told: waits until it did.
  async speaks (id) {
    const known = await node.peerStore.get(peerIdFromString(id)).catch(() => null)
    return known ? { protocols: known.protocols, agent: new TextDecoder().decode(known.metadata.get('AgentVersion')) } : null
  },
  // Sends `size` bytes to the peer's echo (ping is one, too) and looks whether they come back.
  async echo (id, size, protocol = ECHO) {
    const stream = await webrtcTo(id).newStream(protocol, { signal: AbortSignal.timeout(20_000) })
    const bytes = Uint8Array.from({ length: size }, (_, i) => i * 7)
    stream.sink([bytes]).catch(() => {})
    const { joined } = await all_(stream.source)
    return joined.length === size && joined.every((b, i) => b === bytes[i])
  },
  // The heads that the peer tells of an OrbitDB database, each as it came, in base64.
  async heads (id, address) {
    const stream = await webrtcTo(id).newStream(`/orbitdb/heads${address}`, { signal: AbortSignal.timeout(10_000) })
    stream.sink([]).catch(() => {})
    const { parts } = await all_(stream.source)
    return parts.map((part) => btoa(String.fromCharCode(...part)))
  },
  // Opens an OrbitDB database with OrbitDB's own program, which replicates it from whoever is connected.
  async open (address) {
    useDatabaseType(Collection)
    const ipfs = new Helia({ libp2p: node, blockstore: new MemoryBlockstore(), datastore: new MemoryDatastore(), blockBrokers: [bitswap()], routers: [] })
    await ipfs.start()
    const orbitdb = await createOrbitDB({ ipfs, id: 'page', directory: 'page' })
    database = await orbitdb.open(address)
    database.events.on('error', (error) => console.error(`orbitdb: ${error}`))
    return database.address
  },
  async payloads () {
    const list = []
    for await (const entry of database.log.traverse()) list.push(entry.payload)
    return list
  },
  // The newest entry's clock: of a log of one writer, how many it has.
  async newest () { return Math.max(0, ...(await database.log.heads()).map((entry) => entry.clock.time)) },
  add: (payload) => database.addOperation(payload),
  // A stream of a protocol that the peer does not speak.
  refused: (id) => webrtcTo(id).newStream('/test/nobody/1').then(() => false, () => true),
  // Opens many streams at once and pings over each by hand.
  async pings (id, n) {
    const answers = await Promise.all(Array.from({ length: n }, async (_, i) => {
      const stream = await webrtcTo(id).newStream('/ipfs/ping/1.0.0')
      const sent = Uint8Array.from({ length: 32 }, (_, k) => i + k)
      stream.sink([sent]).catch(() => {})
      const { joined } = await all_(stream.source)
      return joined.length === 32 && joined.every((b, k) => b === sent[k])
    }))
    return answers.filter(Boolean).length
  },
  async resets (id, n) {
    for (let i = 0; i < n; i++) (await webrtcTo(id).newStream('/ipfs/ping/1.0.0')).abort(new Error('reset'))
  },
  hangUp: (id) => node.hangUp(peerIdFromString(id)),
  stop: () => node?.stop()
}

function webrtcTo (id) {
  const found = node.getConnections(peerIdFromString(id)).find((c) => c.limits == null && c.status === 'open')
  if (!found) throw new Error('no WebRTC connection')
  return found
}

window.peer = peer
