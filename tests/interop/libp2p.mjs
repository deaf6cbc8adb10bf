// js-libp2p against the swarm, both ways over real TCP and (through a bridge here) WebSocket: connect, identify and push, ping, 1 MB echoes,
// back-pressure, refusals, many streams. `node libp2p.mjs ECHO_NODE` closes with `N passed, N failed`.
import './node22.mjs'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { noise } from '@chainsafe/libp2p-noise'
import { ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { bridge, Child, echo, echoes, equal, ok, pattern, run, test, until } from './kit.mjs'
import { multiaddr, newPeer, tcp } from './js2.mjs'

const program = process.argv[2]
const MB = 1 << 20

// ---- their side ----
async function newJs (options = {}) {
  const js = await newPeer({ transports: [tcp(), webSockets()], ...options, services: { ping: ping() } })
  await js.handle('/test/echo/1', echoes)
  return js
}

// A js peer that names no muxer in its handshake.
function withoutEarlyMuxer (components) {
  const inner = noise()(components)
  const skip = (secure) => (connection, options) => secure.call(inner, connection, { ...options, skipStreamMuxerNegotiation: true })
  return Object.assign(Object.create(inner), { secureOutbound: skip(inner.secureOutbound), secureInbound: skip(inner.secureInbound) })
}

async function useAll (js, node, connection) {
  await node.line(new RegExp(`^identified ${js.peerId}`))
  await until('js identified us', async () => (await js.peerStore.get(connection.remotePeer)).protocols.includes('/test/echo/1'))
  ok(await js.services.ping.ping(connection.remotePeer) >= 0, 'js pings us')
  await echo(await connection.newStream('/test/echo/1'), pattern(MB))
  node.say(`open /test/echo/1 ${MB}`)
  const [, sent, got, rest] = await node.line(/^done sent (\d+) got (\d+)(.*)/)
  equal(Number(sent), MB, 'sent')
  equal(Number(got), MB, 'got')
  ok(!rest.includes('WRONG') && rest.includes('reset 0'), `a clean end:${rest}`)
}

// One of each.
const both = (name, run) => test(name, async () => {
  const node = await Child.start(program)
  await run(await newJs(), node)
})

// ---- the tests ----
both('js dials us over TCP', async (js, node) => {
  const connection = await js.dial(multiaddr(node.address))
  equal(connection.remotePeer.toString(), node.id, 'who we are')
  equal(connection.multiplexer, '/yamux/1.0.0', 'muxer')
  await node.line(new RegExp(`^up ${js.peerId}`))
  await useAll(js, node, connection)
})

both('we dial js over TCP', async (js, node) => {
  node.say(`dial ${js.getMultiaddrs()[0].toOptions().port}`)
  await node.line(new RegExp(`^up ${js.peerId}`))
  await until('js has the connection', () => js.getConnections().length === 1)
  await useAll(js, node, js.getConnections()[0])
})

both('js dials us over WebSocket', async (js, node) => {
  const server = await bridge(node.port)
  const connection = await js.dial(multiaddr(`/ip4/127.0.0.1/tcp/${server.address().port}/ws/p2p/${node.id}`))
  await useAll(js, node, connection)
  await js.hangUp(connection.remotePeer)
})

both('the muxer is negotiated inside Noise when js names none, both ways', async (_, node) => {
  const js = await newJs({ connectionEncrypters: [withoutEarlyMuxer] })
  const connection = await js.dial(multiaddr(node.address))
  await useAll(js, node, connection)
  await js.hangUp(connection.remotePeer)
  await node.line(/^down/)
  node.say(`dial ${js.getMultiaddrs()[0].toOptions().port}`)
  await until('js has the connection', () => js.getConnections().length === 1)
  await useAll(js, node, js.getConnections()[0])
})

both('we want the peer that we dial', async (js, node) => {
  const port = js.getMultiaddrs()[0].toOptions().port
  node.say(`dial ${port} ${node.id}`)
  await node.line(/^close noise: not the peer we dialled/)
  node.say(`dial ${port} ${js.peerId}`)
  await node.line(/^up/)
})

both('an unknown protocol is refused with na, both ways', async (js, node) => {
  const connection = await js.dial(multiaddr(node.address))
  let name
  await connection.newStream('/nobody/knows').catch((err) => { name = err.name })
  equal(name, 'UnsupportedProtocolError', 'what js says')
  await node.line(/^identified/)
  node.say('open /nobody/knows 5')
  ok((await node.line(/^done .*/))[0].includes('does not speak'), 'what we say')
  equal(connection.status, 'open', 'connection')
})

both('identify push reaches the other side, both ways', async (js, node) => {
  const connection = await js.dial(multiaddr(node.address))
  await node.line(/^identified/)
  const [, before] = await node.line(/^agent \S+.* protocols (\d+)/)
  await until('js identified us', async () => (await js.peerStore.get(connection.remotePeer)).protocols.includes('/ipfs/id/push/1.0.0'))
  node.say('protocol /late/1')
  await until('our push', async () => (await js.peerStore.get(connection.remotePeer)).protocols.includes('/late/1'))
  await js.handle('/late/2', () => {})
  const [, after] = await node.line(/^agent \S+.* protocols (\d+)/)
  equal(Number(after), Number(before) + 1, 'protocols of js that we know')
})

both('js takes our signed record of where we are', async (js, node) => {
  const { RecordEnvelope, PeerRecord } = await import('@libp2p/peer-record')
  const connection = await js.dial(multiaddr(node.address))
  let peer
  await until('js has our record', async () => (peer = await js.peerStore.get(connection.remotePeer)).peerRecordEnvelope)
  const record = PeerRecord.createFromProtobuf((await RecordEnvelope.openAndCertify(peer.peerRecordEnvelope, PeerRecord.DOMAIN)).payload)
  equal(record.peerId.toString(), node.id, 'whose record')
  equal(record.multiaddrs.join(' '), `/ip4/127.0.0.1/tcp/${node.port}`, 'its addresses')
  ok(Math.abs(Number(record.seqNumber) - Date.now()) < 60000, 'numbered by the time')
  ok(peer.addresses.some(a => a.isCertified && a.multiaddr.toString().startsWith(`/ip4/127.0.0.1/tcp/${node.port}`)), 'js believes it')
})

both('a js reader that pauses stops us, and then gets everything', async (js, node) => {
  let total = 0, full
  await js.handle('/slow/1', async ({ stream }) => {
    full = Number((await node.line(/^full (\d+)/))[1])
    for await (const chunk of stream.source) total += chunk.byteLength
    await stream.close()
  })
  await js.dial(multiaddr(node.address))
  await node.line(/^identified/)
  node.say(`open /slow/1 ${5 * MB}`)
  await node.line(new RegExp(`^done sent ${5 * MB} `))
  ok(full <= 1.5 * MB, `we stop at the window and the buffer: ${full}`)
  equal(total, 5 * MB, 'bytes that js got')
})

both('our reader that pauses stops js, and then gets everything', async (js, node) => {
  const connection = await js.dial(multiaddr(node.address))
  await echo(await connection.newStream('/test/echo/1'), pattern(8 * MB), node.line(/^echo full/)) // we wait for js, so js must wait for us
})

both('sixty streams at once', async (js, node) => {
  const connection = await js.dial(multiaddr(node.address))
  const streams = await Promise.all(Array.from({ length: 60 }, () => connection.newStream('/test/echo/1', { maxOutboundStreams: 100 })))
  await Promise.all(streams.map((stream, i) => echo(stream, pattern(1000 * (i + 1)))))
})

both('optimistic negotiation of js: header, protocol and data in one frame', async (js, node) => {
  const connection = await js.dial(multiaddr(node.address))
  await echo(await connection.newStream('/test/echo/1', { negotiateFully: false }), pattern(5000))
})

both('keep-alive and pings go on', async (js, node) => {
  let pings = 0
  await js.handle('/ipfs/ping/1.0.0', (data) => { pings++; return echoes(data) }, { force: true })
  const connection = await js.dial(multiaddr(node.address))
  await until('we ping twice', () => pings > 1) // the muxer's pings come in between
  equal(connection.status, 'open', 'connection')
  node.say('rtt')
  ok(Number((await node.line(/^rtt (\d+)/))[1]) < 1000, 'we know the round trip')
})

both('js hangs up', async (js, node) => {
  const connection = await js.dial(multiaddr(node.address))
  await node.line(/^up/)
  await js.hangUp(connection.remotePeer)
  await node.line(/^down/)
})

both('a stranger that speaks HTTP is sent away', async (js, node) => {
  const socket = connectTcp(node.port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  socket.resume()
  await once(socket, 'close')
  await node.line(/^close multistream/)
})

await run(3)
