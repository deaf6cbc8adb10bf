// What drives a js-libp2p peer as bench/p2p_peer.c is driven (see there), command for command, with the same answers; peer.mjs (js-libp2p 2) and
// p2pd/peer.mjs (js-libp2p 3) bring the packages and what their streams look like. Roles on the command line: ws pubsub relay.
import { createInterface } from 'node:readline'
import { until } from './kit.mjs'

const is = (word) => process.argv.includes(word)
const FLOW = '/bench/flow/1'
const TOPIC = 'bench'
const CHUNK = 64 * 1024
const MANY = 100_000

const number = (n) => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(n))
  return bytes
}

// A flow: how many bytes come, the bytes; and back how many were read, as soon as they were.
function * chunks (n) {
  yield number(n)
  const chunk = new Uint8Array(CHUNK)
  for (let left = n; left > 0; left -= CHUNK) yield left < CHUNK ? chunk.subarray(0, left) : chunk
}

// Its other end: take(bytes) gives the answer once all is there.
function counter () {
  let head = new Uint8Array(0)
  let seen = 0
  let all
  return (piece) => {
    if (all === undefined) {
      head = Uint8Array.from([...head, ...piece.subarray(0, 8 - head.length)])
      if (head.length === 8) all = Number(new DataView(head.buffer).getBigUint64(0)) + 8
    }
    seen += piece.byteLength
    if (seen === all) return head
  }
}

// `streams`: handler(counter) makes a stream handler; flow(stream, chunks) gives the other side's answer.
export async function drive (packages, streams) {
  const { createLibp2p, tcp, webSockets, noise, yamux, circuitRelayServer, circuitRelayTransport, gossipsub, identify, ping, multiaddr } = packages
  const services = { identify: identify(), ping: ping() }
  if (is('pubsub')) services.pubsub = gossipsub({ allowPublishToZeroTopicPeers: true })
  if (is('relay')) services.relay = circuitRelayServer({ reservations: { applyDefaultLimit: false } })
  const node = await createLibp2p({
    addresses: { listen: [`/ip4/127.0.0.1/tcp/0${is('ws') ? '/ws' : ''}`] },
    transports: [tcp(), webSockets(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { maxConnections: MANY, inboundConnectionThreshold: MANY, maxIncomingPendingConnections: MANY, inboundUpgradeTimeout: 60_000 },
    connectionMonitor: { enabled: false }, // else it ends connections whose pings are late, and a busy machine's are
    connectionGater: { denyDialMultiaddr: () => false },
    services
  })

  const say = (line) => process.stdout.write(line + '\n')
  const answer = (what, from) => say(`${what} ${((performance.now() - from) / 1000).toFixed(6)}`)

  // ---- the other side's wishes ----

  await node.handle(FLOW, streams.handler(counter))

  let expected = 0
  let got = 0
  let first = 0
  if (is('pubsub')) {
    node.services.pubsub.addEventListener('message', () => {
      if (got++ === 0) first = performance.now()
      if (got === expected) answer('got', first)
    })
    node.services.pubsub.subscribe(TOPIC)
  }

  // ---- ours ----

  const commands = {
    async connect (address, n) {
      const from = performance.now()
      for (let i = 0; i < Number(n); i++) await (await node.dial(multiaddr(address))).close()
      answer('connected', from)
    },
    async flow (address, n) {
      const connection = await node.dial(multiaddr(address))
      const from = performance.now()
      const bytes = await streams.flow(await connection.newStream(FLOW), chunks(Number(n)))
      if (new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0) !== BigInt(n)) throw new Error('the other side read something else')
      answer('flowed', from)
    },
    expect (n) { [expected, got] = [Number(n), 0] },
    async publish (n, size) {
      const data = new Uint8Array(Number(size))
      for (let i = 0; i < Number(n); i++) await node.services.pubsub.publish(TOPIC, data)
      say('published')
    },
    async join (address) {
      await node.dial(multiaddr(address))
      say('joined')
    },
    async reserve (address) {
      await node.dial(multiaddr(address))
      await node.components.transportManager.listen([multiaddr(`${address}/p2p-circuit`)])
      const own = await until('a place at the relay', () => node.getMultiaddrs().map(String).find((a) => a.includes('/p2p-circuit')))
      say(`reserved ${own}`)
    },
    count () { say(`count ${node.getConnections().length}`) }
  }

  say(`ready ${node.getMultiaddrs()[0]}`)
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...args] = line.split(' ')
    Promise.resolve(commands[name](...args)).catch((error) => {
      console.error(error)
      process.exit(1)
    })
  }
  process.exit(0)
}
