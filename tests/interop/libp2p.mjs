// js-libp2p against the swarm, both ways over real TCP and (through a bridge here) WebSocket: connect, identify and push, ping, 1 MB echoes,
// back-pressure, refusals, many streams. `node libp2p.mjs ECHO_NODE` closes with `N passed, N failed`.
import './node22.mjs'
import { spawn } from 'node:child_process'
import { createServer, connect as connectTcp } from 'node:net'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify, identifyPush } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'

const program = process.argv[2]
const only = process.argv[3]
const MB = 1 << 20

// ---- the other side: a child whose printed lines can be waited for ----
class EchoNode {
  static async start (seed) {
    const node = new EchoNode()
    node.child = spawn(program, [String(seed)], { stdio: ['pipe', 'pipe', 'inherit'] })
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
    return node
  }

  // The first line that matches, from those already printed on. Each line is handed out once.
  line (pattern) {
    const seen = this.lines.findIndex((l) => pattern.test(l))
    if (seen >= 0) return Promise.resolve(this.lines.splice(seen, 1)[0].match(pattern))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no line like ${pattern}; have ${JSON.stringify(this.lines)}`)), 15000)
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

  async stop () {
    this.say('quit')
    const [code] = await this.exit
    equal(code, 0, 'exit status of the node')
  }
}

// ---- our side ----
async function newJs (options = {}) {
  const node = await createLibp2p({
    addresses: { listen: options.listen ?? ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp(), webSockets()],
    connectionEncrypters: [options.noise ?? noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), push: identifyPush(), ping: ping() },
    connectionManager: { inboundConnectionThreshold: 1000 },
    connectionGater: { denyDialMultiaddr: () => false }
  })
  await node.handle('/test/echo/1', async ({ stream }) => {
    try {
      await stream.sink((async function * () { for await (const chunk of stream.source) yield chunk.subarray() })())
    } catch (err) { stream.abort(err) }
  })
  return node
}

// A js peer that names no muxer in its handshake.
function withoutEarlyMuxer (components) {
  const inner = noise()(components)
  const skip = (secure) => (connection, options) => secure.call(inner, connection, { ...options, skipStreamMuxerNegotiation: true })
  return Object.assign(Object.create(inner), { secureOutbound: skip(inner.secureOutbound), secureInbound: skip(inner.secureInbound) })
}

function equal (got, want, what) { if (got !== want) throw new Error(`${what}: got ${got}, expected ${want}`) }
function isTrue (value, what) { if (!value) throw new Error(`not so: ${what}`) }
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
async function until (what, condition) {
  for (let i = 0; i < 300; i++) {
    if (await condition()) return
    await sleep(50)
  }
  throw new Error(`did not happen: ${what}`)
}

function pattern (length) {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = i * 7 + Math.floor(i / 251)
  return bytes
}

// Writes `bytes`, reads until the end, compares; reads nothing until `ready`.
async function echo (stream, bytes, ready) {
  const writing = stream.sink((async function * () {
    for (let at = 0; at < bytes.length; at += 40000) yield bytes.subarray(at, at + 40000)
  })())
  await ready
  let at = 0
  for await (const chunk of stream.source) {
    const part = chunk.subarray()
    for (let i = 0; i < part.length; i++) if (part[i] !== bytes[at + i]) throw new Error(`wrong byte at ${at + i}`)
    at += part.length
  }
  await writing
  equal(at, bytes.length, 'bytes that came back')
  await stream.close()
}

// A WebSocket in front of the node's TCP port: the binary messages are the plain byte stream.
async function bridge (node) {
  const { WebSocketServer } = await import('ws')
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket) => {
    const channel = connectTcp(node.port, '127.0.0.1')
    channel.on('data', (bytes) => socket.send(bytes))
    channel.on('close', () => socket.close())
    channel.on('error', () => socket.close())
    socket.on('message', (bytes) => channel.write(bytes))
    socket.on('close', () => channel.destroy())
  })
  await once(server, 'listening')
  return server
}

async function useAll (js, node, connection) {
  await node.line(new RegExp(`^identified ${js.peerId}`))
  await until('js identified us', async () => (await js.peerStore.get(connection.remotePeer)).protocols.includes('/test/echo/1'))
  isTrue(await js.services.ping.ping(connection.remotePeer) >= 0, 'js pings us')
  await echo(await connection.newStream('/test/echo/1'), pattern(MB))
  node.say(`open /test/echo/1 ${MB}`)
  const [, sent, got, rest] = await node.line(/^done sent (\d+) got (\d+)(.*)/)
  equal(Number(sent), MB, 'sent')
  equal(Number(got), MB, 'got')
  isTrue(!rest.includes('WRONG') && rest.includes('reset 0'), `a clean end:${rest}`)
}

// ---- the tests ----
const tests = {
  async 'js dials us over TCP' (js, node) {
    const connection = await js.dial(node.address)
    equal(connection.remotePeer.toString(), node.id, 'who we are')
    equal(connection.multiplexer, '/yamux/1.0.0', 'muxer')
    await node.line(new RegExp(`^up ${js.peerId}`))
    await useAll(js, node, connection)
  },
  async 'we dial js over TCP' (js, node) {
    node.say(`dial ${js.getMultiaddrs()[0].toOptions().port}`)
    await node.line(new RegExp(`^up ${js.peerId}`))
    await until('js has the connection', () => js.getConnections().length === 1)
    await useAll(js, node, js.getConnections()[0])
  },
  async 'js dials us over WebSocket' (js, node) {
    const server = await bridge(node)
    const connection = await js.dial(multiaddr(`/ip4/127.0.0.1/tcp/${server.address().port}/ws/p2p/${node.id}`))
    await useAll(js, node, connection)
    await js.hangUp(connection.remotePeer)
    server.close()
  },
  async 'the muxer is negotiated inside Noise when js names none, both ways' (_, node) {
    const js = await newJs({ noise: withoutEarlyMuxer })
    const connection = await js.dial(node.address)
    await useAll(js, node, connection)
    await js.hangUp(connection.remotePeer)
    await node.line(/^down/)
    node.say(`dial ${js.getMultiaddrs()[0].toOptions().port}`)
    await until('js has the connection', () => js.getConnections().length === 1)
    await useAll(js, node, js.getConnections()[0])
    await js.stop()
  },
  async 'we want the peer that we dial' (js, node) {
    const port = js.getMultiaddrs()[0].toOptions().port
    node.say(`dial ${port} ${node.id}`)
    await node.line(/^close noise: not the peer we dialled/)
    node.say(`dial ${port} ${js.peerId}`)
    await node.line(/^up/)
  },
  async 'an unknown protocol is refused with na, both ways' (js, node) {
    const connection = await js.dial(node.address)
    let name
    await connection.newStream('/nobody/knows').catch((err) => { name = err.name })
    equal(name, 'UnsupportedProtocolError', 'what js says')
    await node.line(/^identified/)
    node.say('open /nobody/knows 5')
    isTrue((await node.line(/^done .*/))[0].includes('does not speak'), 'what we say')
    equal(connection.status, 'open', 'connection')
  },
  async 'identify push reaches the other side, both ways' (js, node) {
    const connection = await js.dial(node.address)
    await node.line(/^identified/)
    const [, before] = await node.line(/^agent \S+.* protocols (\d+)/)
    await until('js identified us', async () => (await js.peerStore.get(connection.remotePeer)).protocols.includes('/ipfs/id/push/1.0.0'))
    node.say('protocol /late/1')
    await until('our push', async () => (await js.peerStore.get(connection.remotePeer)).protocols.includes('/late/1'))
    await js.handle('/late/2', () => {})
    const [, after] = await node.line(/^agent \S+.* protocols (\d+)/)
    equal(Number(after), Number(before) + 1, 'protocols of js that we know')
  },
  async 'js takes our signed record of where we are' (js, node) {
    const { RecordEnvelope, PeerRecord } = await import('@libp2p/peer-record')
    const connection = await js.dial(node.address)
    let peer
    await until('js has our record', async () => (peer = await js.peerStore.get(connection.remotePeer)).peerRecordEnvelope)
    const record = PeerRecord.createFromProtobuf((await RecordEnvelope.openAndCertify(peer.peerRecordEnvelope, PeerRecord.DOMAIN)).payload)
    equal(record.peerId.toString(), node.id, 'whose record')
    equal(record.multiaddrs.join(' '), `/ip4/127.0.0.1/tcp/${node.port}`, 'its addresses')
    isTrue(Math.abs(Number(record.seqNumber) - Date.now()) < 60000, 'numbered by the time')
    isTrue(peer.addresses.some(a => a.isCertified && a.multiaddr.toString().startsWith(`/ip4/127.0.0.1/tcp/${node.port}`)), 'js believes it')
  },
  async 'a js reader that pauses stops us, and then gets everything' (js, node) {
    let total = 0, full
    await js.handle('/slow/1', async ({ stream }) => {
      full = Number((await node.line(/^full (\d+)/))[1])
      for await (const chunk of stream.source) total += chunk.byteLength
      await stream.close()
    })
    await js.dial(node.address)
    await node.line(/^identified/)
    node.say(`open /slow/1 ${5 * MB}`)
    await node.line(new RegExp(`^done sent ${5 * MB} `))
    isTrue(full <= 1.5 * MB, `we stop at the window and the buffer: ${full}`)
    equal(total, 5 * MB, 'bytes that js got')
  },
  async 'our reader that pauses stops js, and then gets everything' (js, node) {
    const connection = await js.dial(node.address)
    await echo(await connection.newStream('/test/echo/1'), pattern(8 * MB), node.line(/^echo full/)) // we wait for js, so js must wait for us
  },
  async 'sixty streams at once' (js, node) {
    const connection = await js.dial(node.address)
    const streams = await Promise.all(Array.from({ length: 60 }, () => connection.newStream('/test/echo/1', { maxOutboundStreams: 100 })))
    await Promise.all(streams.map((stream, i) => echo(stream, pattern(1000 * (i + 1)))))
  },
  async 'optimistic negotiation of js: header, protocol and data in one frame' (js, node) {
    const connection = await js.dial(node.address)
    await echo(await connection.newStream('/test/echo/1', { negotiateFully: false }), pattern(5000))
  },
  async 'keep-alive and pings go on' (js, node) {
    const connection = await js.dial(node.address)
    await sleep(7000) // three of our intervals, so both kinds of our pings, too
    equal(connection.status, 'open', 'connection')
    node.say('rtt')
    isTrue(Number((await node.line(/^rtt (\d+)/))[1]) < 1000, 'we know the round trip')
  },
  async 'js hangs up' (js, node) {
    const connection = await js.dial(node.address)
    await node.line(/^up/)
    await js.hangUp(connection.remotePeer)
    await node.line(/^down/)
  },
  async 'a stranger that speaks HTTP is sent away' (js, node) {
    const socket = connectTcp(node.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.resume()
    await once(socket, 'close')
    await node.line(/^close multistream/)
  }
}

let passed = 0
let failed = 0
for (const [name, run] of Object.entries(tests)) {
  if (only && !name.includes(only)) continue
  const js = await newJs()
  const node = await EchoNode.start(1 + passed + failed)
  try {
    await run(js, node)
    await js.stop()
    await node.stop()
    passed++
    console.log(`ok      ${name}`)
  } catch (err) {
    failed++
    console.log(`FAILED  ${name}: ${err.stack}\n        the node said ${JSON.stringify(node.lines)}`)
    node.child.kill('SIGKILL')
    await js.stop().catch(() => {})
  }
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
