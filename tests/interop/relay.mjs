// Circuit relay v2, DCUtR and AutoNAT with js-libp2p over real TCP: we relay for js and js, js relays for us and js, limits, upgrades to
// direct connections, dialling back. `node relay.mjs RELAY_NODE [NAME]` closes with `N passed, N failed`.
import './node22.mjs'
import { autoNAT } from '@libp2p/autonat'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { Message } from '../../node_modules/@libp2p/autonat/dist/src/pb/index.js'
import { Child, echo, echoes, equal, ok, pattern, run, test, until } from './kit.mjs'
import { multiaddr, newPeer, tcp } from './js2.mjs'

const program = process.argv[2]
const MB = 1 << 20

// ---- our side ----
class Node extends Child {
  static start (...options) { return super.start(program, ...options) }

  // Opens an echo stream and sees all of it come back.
  async echo (peer, length, protocol = '/test/echo/1') {
    this.say(`open ${peer} ${protocol} ${length}`)
    const [line] = await this.line(/^done .*/, 30000)
    ok(line.startsWith(`done sent ${length} got ${length} reset 0`), `a clean echo: ${line}`)
  }

  async stats () {
    this.say('stats')
    const [, reservations, circuits, relayed] = await this.line(/^stats reservations (\d+) circuits (\d+) channels \d+ relayed (\d+)/)
    return { reservations: Number(reservations), circuits: Number(circuits), relayed: Number(relayed) }
  }
}

// ---- their side ----
async function newJs ({ listen = [], services } = {}) {
  const js = await newPeer({ listen: ['/ip4/127.0.0.1/tcp/0', ...listen], transports: [tcp(), circuitRelayTransport()], services })
  await js.handle('/test/echo/1', echoes)
  await js.handle('/test/signal/1', echoes, { runOnLimitedConnection: true })
  return js
}

// A js peer that has a reservation at the relay.
async function newListener (relay, options = {}) {
  const js = await newJs({ ...options, listen: [`${relay}/p2p-circuit`] })
  await until('js has a relayed address', () => js.getMultiaddrs().some((a) => a.toString().includes('p2p-circuit')))
  return js
}

const through = (relay, id) => multiaddr(`${relay}/p2p-circuit/p2p/${id}`)
const tcpAddress = (js) => js.getMultiaddrs().find((a) => !a.toString().includes('p2p-circuit'))
const isRelayed = (connection) => connection.remoteAddr.toString().includes('p2p-circuit')

// We are connected to a js relay and have a reservation there.
async function reserveAt (node, js) {
  node.say(`dial ${tcpAddress(js).toOptions().port} ${js.peerId}`)
  await node.line(new RegExp(`^identified ${js.peerId}`))
  node.say(`reserve ${js.peerId}`)
  await node.line(/^reserved/)
  const [, address] = await node.line(/^address (\S+)/)
  return address
}

const newJsRelay = (limited) => newJs({ services: { relay: circuitRelayServer({ reservations: { applyDefaultLimit: limited, defaultDataLimit: 131072n } }) } })

// ---- the tests ----
test('we relay for two js peers without limits: 20 MB', async () => {
  const relay = await Node.start('serve', 'unlimited')
  const listener = await newListener(relay.address)
  const dialer = await newJs()
  const connection = await dialer.dial(through(relay.address, listener.peerId))
  ok(isRelayed(connection), 'relayed')
  equal(connection.limits, undefined, 'limits')
  await echo(await connection.newStream('/test/echo/1'), pattern(MB))
  let total = 0
  await listener.handle('/test/sink/1', async ({ stream }) => {
    for await (const chunk of stream.source) total += chunk.byteLength
    await stream.close()
  })
  const stream = await connection.newStream('/test/sink/1')
  await stream.sink((async function * () { for (let i = 0; i < 320; i++) yield pattern(65536) })())
  await until('all has come', () => total === 20 * MB)
  const stats = await relay.stats()
  ok(stats.reservations === 1 && stats.circuits === 1 && stats.relayed > 22 * MB, JSON.stringify(stats))
  await connection.close()
  await until('the circuit ends', async () => (await relay.stats()).circuits === 0)
})

test('we relay for two js peers with limits: other protocols refused, too many bytes reset', async () => {
  const relay = await Node.start('serve', 'bytes=60000')
  const listener = await newListener(relay.address)
  const dialer = await newJs()
  const connection = await dialer.dial(through(relay.address, listener.peerId))
  ok(connection.limits.bytes > 50000n && connection.limits.bytes <= 60000n, 'limit that js counts down')
  const refusal = await connection.newStream('/test/echo/1').catch((err) => err)
  equal(refusal.name, 'LimitedConnectionError', 'what js says')
  await echo(await connection.newStream('/test/signal/1', { runOnLimitedConnection: true }), pattern(20000))
  const broken = await echo(await connection.newStream('/test/signal/1', { runOnLimitedConnection: true }), pattern(100000)).catch((err) => err)
  ok(broken instanceof Error, 'the stream breaks')
  await until('the connection is gone', () => connection.status !== 'open')
  equal((await relay.stats()).circuits, 0, 'circuits')
})

test('we relay for two js peers for three seconds', async () => {
  const relay = await Node.start('serve', 'seconds=3')
  const listener = await newListener(relay.address)
  const dialer = await newJs()
  const started = Date.now()
  await dialer.dial(through(relay.address, listener.peerId))
  equal((await relay.stats()).circuits, 1, 'at first')
  await until('it is cut off', async () => (await relay.stats()).circuits === 0)
  ok(Date.now() - started > 2900, 'not before its time')
})

test('we tell js that a peer has no reservation', async () => {
  const relay = await Node.start('serve')
  const other = await newJs()
  const dialer = await newJs()
  const err = await dialer.dial(through(relay.address, other.peerId)).catch((err) => err)
  ok(/NO_RESERVATION/.test(String(err.errors ?? '') + err.message), `what js says: ${err.message}`)
})

test('js relays for us without limits: js dials us, we dial js', async () => {
  const relay = await newJsRelay(false)
  const node = await Node.start()
  const address = await reserveAt(node, relay)
  ok(address.endsWith(`/p2p/${relay.peerId}/p2p-circuit/p2p/${node.id}`), address)
  const js = await newJs()
  const connection = await js.dial(multiaddr(address))
  equal(connection.remotePeer.toString(), node.id, 'who we are')
  equal(connection.limits, undefined, 'limits')
  await node.line(new RegExp(`^path ${js.peerId} relayed`))
  await echo(await connection.newStream('/test/echo/1'), pattern(2 * MB))
  await node.echo(js.peerId, 2 * MB)
  await connection.close()
  await node.line(new RegExp(`^down ${js.peerId}`))
  // and the other way about
  const listener = await newListener(tcpAddress(relay).toString())
  node.say(`connect ${relay.peerId} ${listener.peerId}`)
  await node.line(new RegExp(`^path ${listener.peerId} relayed`))
  await node.echo(listener.peerId, 2 * MB)
  ok(listener.getConnections().some((c) => c.remotePeer.toString() === node.id && isRelayed(c)), 'js sees a relayed connection')
})

test('js relays for us with limits: only what opted in runs, both ways', async () => {
  const relay = await newJsRelay(true)
  const node = await Node.start()
  const address = await reserveAt(node, relay)
  const js = await newJs()
  const connection = await js.dial(multiaddr(address))
  ok(connection.limits != null, 'limited')
  await node.line(new RegExp(`^path ${js.peerId} limited`))
  node.say(`open ${js.peerId} /test/echo/1 10`)
  await node.line(/^error .*/)
  await echo(await connection.newStream('/test/signal/1', { runOnLimitedConnection: true }), pattern(10000))
  await node.echo(js.peerId, 10000, '/test/signal/1')
  const forced = await connection.newStream('/test/echo/1', { runOnLimitedConnection: true }).catch((err) => err)
  equal(forced.name, 'UnsupportedProtocolError', 'we refuse what did not opt in')
})

test('js relays for us and us; js tells us that a peer has no reservation', async () => {
  const relay = await newJsRelay(false)
  const a = await Node.start()
  const b = await Node.start()
  await reserveAt(a, relay)
  b.say(`dial ${tcpAddress(relay).toOptions().port} ${relay.peerId}`)
  await b.line(/^identified/)
  b.say(`connect ${relay.peerId} ${a.id}`)
  await b.line(new RegExp(`^path ${a.id} relayed`))
  await b.echo(a.id, MB)
  a.say(`connect ${relay.peerId} ${b.id}`)
  await a.line(/^failed/)
  await a.line(/^because 204/)
})

test('we refresh nothing at a js relay that went away, and come back to it', async () => {
  const relay = await Node.start('serve')
  const node = await Node.start()
  node.say(`dial ${relay.port} ${relay.id}`)
  await node.line(/^identified/)
  node.say(`reserve ${relay.id}`)
  await node.line(/^reserved/)
  relay.say('hangup')
  await node.line(/^lost/)
  await node.line(/^want/)
  node.say(`dial ${relay.port} ${relay.id}`)
  await node.line(/^reserved/)
})

test('DCUtR: js called us, and dials us directly', async () => {
  const relay = await Node.start('serve')
  const node = await Node.start('punch', 'named') // an address that js dials: a name, for loopback is private
  node.say(`dial ${relay.port} ${relay.id}`)
  await node.line(/^identified/)
  node.say(`reserve ${relay.id}`)
  await node.line(/^reserved/)
  const js = await newJs({ services: { dcutr: dcutr() } })
  js.services.dcutr.addressManager.getAddresses = () => [] // js has nothing that we can dial
  await js.dial(through(relay.address, node.id))
  await node.line(new RegExp(`^path ${js.peerId} limited`))
  await node.line(new RegExp(`^path ${js.peerId} direct`), 20000)
  await node.line(/^upgraded/)
  await until('js has only the direct connection', () => {
    const all = js.getConnections().filter((c) => c.remotePeer.toString() === node.id)
    return all.length === 1 && !isRelayed(all[0])
  })
  await echo(await js.getConnections().find((c) => c.remotePeer.toString() === node.id).newStream('/test/echo/1'), pattern(MB))
  await node.echo(js.peerId, MB)
})

test('DCUtR: we called js, and js dials the address that identify told', async () => {
  const relay = await Node.start('serve')
  const listener = await newListener(relay.address, { services: { dcutr: dcutr() } })
  const node = await Node.start('punch', 'named')
  node.say(`dial ${relay.port} ${relay.id}`)
  await node.line(/^identified/)
  node.say(`connect ${relay.id} ${listener.peerId}`)
  await node.line(new RegExp(`^path ${listener.peerId} limited`))
  await node.line(new RegExp(`^path ${listener.peerId} direct`), 20000)
  await node.line(/^upgraded/)
  await node.echo(listener.peerId, MB)
})

test('DCUtR: we called js; CONNECT, CONNECT, SYNC, and we dial js', async () => {
  const relay = await Node.start('serve')
  const listener = await newListener(relay.address, { services: { dcutr: dcutr() } })
  const { port } = tcpAddress(listener).toOptions()
  listener.services.dcutr.addressManager.getAddresses = () => [multiaddr(`/dns4/localhost/tcp/${port}`)]
  listener.services.dcutr.attemptUnilateralConnectionUpgrade = async () => false // as if it had failed
  const node = await Node.start('punch', 'named')
  node.say(`dial ${relay.port} ${relay.id}`)
  await node.line(/^identified/)
  node.say(`connect ${relay.id} ${listener.peerId}`)
  await node.line(new RegExp(`^dialling ${listener.peerId} as dialer`), 20000)
  await node.line(new RegExp(`^path ${listener.peerId} direct`), 20000)
  await node.line(/^upgraded/)
  await node.echo(listener.peerId, MB)
})

test('AutoNAT: js asks us; we dial back what it is seen at, and nothing else', async () => {
  const node = await Node.start()
  const js = await newJs()
  const connection = await js.dial(multiaddr(node.address))
  const { port } = tcpAddress(js).toOptions()
  const ask = async (...addrs) => {
    const stream = await connection.newStream('/libp2p/autonat/1.0.0')
    const message = Message.encode({
      type: Message.MessageType.DIAL,
      dial: { peer: { id: js.peerId.toMultihash().bytes, addrs: addrs.map((a) => multiaddr(a).bytes) } }
    })
    await stream.sink([Uint8Array.from(message.length < 128 ? [message.length] : [message.length & 127 | 128, message.length >> 7]), message])
    const parts = []
    for await (const chunk of stream.source) parts.push(Buffer.from(chunk.subarray()))
    return Message.decode(Buffer.concat(parts).subarray(1)).dialResponse // shorter than 128 bytes
  }
  const filler = `/ip4/127.0.0.2/tcp/1/p2p/${js.peerId}` // not the address that it is seen at
  const answer = await ask(filler, `/ip4/127.0.0.1/tcp/${port}`)
  equal(answer.status, Message.ResponseStatus.OK, 'status')
  equal(multiaddr(answer.addr).toString(), `/ip4/127.0.0.1/tcp/${port}`, 'address')
  equal((await ask(filler, filler)).status, Message.ResponseStatus.E_DIAL_REFUSED, 'status')
  equal((await ask(filler, '/ip4/127.0.0.1/tcp/1')).status, Message.ResponseStatus.E_DIAL_ERROR, 'status')
  equal((await ask(`/ip4/127.0.0.1/tcp/${port}`)).status, Message.ResponseStatus.OK, 'status')
  equal((await ask(filler, `/ip4/127.0.0.1/tcp/${port}`)).status, Message.ResponseStatus.E_DIAL_REFUSED, 'over the budget')
})

test('AutoNAT: we ask js, which answers that it dials no private address', async () => {
  const js = await newJs({ services: { autonat: autoNAT() } })
  let answered
  const { handleAutonatMessage } = js.services.autonat
  js.services.autonat.handleAutonatMessage = async function (...args) {
    const answer = await handleAutonatMessage.apply(this, args)
    answered = { request: args[0], answer }
    return answer
  }
  const node = await Node.start()
  node.say(`dial ${tcpAddress(js).toOptions().port} ${js.peerId}`)
  await until('we asked', () => answered)
  equal(answered.answer.dialResponse.status, Message.ResponseStatus.E_DIAL_REFUSED, 'status')
  equal(multiaddr(answered.request.dial.peer.addrs[0]).toString(), `/ip4/127.0.0.1/tcp/${node.port}`, 'address')
  await node.echo(js.peerId, 1000) // on the same connection, so the answer has come before
  ok(!node.lines.some((line) => line.startsWith('reach')), 'a refusal says nothing')
  await js.services.autonat.stop().catch(() => {})
})

await run(3)
