// Circuit relay v2, DCUtR and AutoNAT with js-libp2p over real TCP: we relay for js and js, js relays for us and js, limits, upgrades to
// direct connections, dialling back. `node relay.mjs RELAY_NODE [NAME]` closes with `N passed, N failed`.
import './node22.mjs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify, identifyPush } from '@libp2p/identify'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { autoNAT } from '@libp2p/autonat'
import { multiaddr } from '@multiformats/multiaddr'
import { Message } from '../../node_modules/@libp2p/autonat/dist/src/pb/index.js'

const program = process.argv[2]
const only = process.argv[3]
const MB = 1 << 20
const cleanups = []

// ---- our side: a child whose printed lines can be waited for ----
class Node {
  static seeds = 0

  static async start (...options) {
    const node = new Node()
    node.child = spawn(program, [String(++Node.seeds), ...options], { stdio: ['pipe', 'pipe', 'inherit'] })
    node.lines = []
    node.waiting = []
    createInterface({ input: node.child.stdout }).on('line', (line) => {
      node.lines.push(line)
      node.waiting = node.waiting.filter((w) => !w(line))
    })
    node.exit = once(node.child, 'exit')
    cleanups.push(() => node.stop())
    const [, port, id] = await node.line(/^listening (\d+) (\S+)/)
    node.id = id
    node.port = port
    node.address = multiaddr(`/ip4/127.0.0.1/tcp/${port}/p2p/${id}`)
    return node
  }

  // The first line that matches, from those already printed on. Each line is handed out once.
  line (pattern, ms = 15000) {
    const found = this.lines.findIndex((line) => pattern.test(line))
    if (found >= 0) return Promise.resolve(this.lines.splice(found, 1)[0].match(pattern))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no line like ${pattern}; have ${JSON.stringify(this.lines)}`)), ms)
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

  // Opens an echo stream and sees all of it come back.
  async echo (peer, length, protocol = '/test/echo/1') {
    this.say(`open ${peer} ${protocol} ${length}`)
    const [line] = await this.line(/^done .*/, 30000)
    isTrue(line.startsWith(`done sent ${length} got ${length} reset 0`), `a clean echo: ${line}`)
  }

  async stats () {
    this.say('stats')
    const [, reservations, circuits, relayed] = await this.line(/^stats reservations (\d+) circuits (\d+) channels \d+ relayed (\d+)/)
    return { reservations: Number(reservations), circuits: Number(circuits), relayed: Number(relayed) }
  }

  async stop () {
    this.say('quit')
    const [code] = await this.exit
    equal(code, 0, 'exit status of the node')
  }
}

// ---- their side ----
async function newJs ({ listen = [], services = {} } = {}) {
  const js = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0', ...listen] },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), push: identifyPush(), ...services },
    connectionManager: { inboundConnectionThreshold: 1000 },
    connectionGater: { denyDialMultiaddr: () => false }
  })
  cleanups.push(() => js.stop())
  const echo = async ({ stream }) => {
    try {
      await stream.sink((async function * () { for await (const chunk of stream.source) yield chunk.subarray() })())
    } catch (err) { stream.abort(err) }
  }
  await js.handle('/test/echo/1', echo)
  await js.handle('/test/signal/1', echo, { runOnLimitedConnection: true })
  return js
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

async function echo (stream, bytes) {
  const writing = stream.sink((async function * () {
    for (let at = 0; at < bytes.length; at += 40000) yield bytes.subarray(at, at + 40000)
  })())
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
const tests = {
  async 'we relay for two js peers without limits: 20 MB' () {
    const relay = await Node.start('serve', 'unlimited')
    const listener = await newListener(relay.address)
    const dialer = await newJs()
    const connection = await dialer.dial(through(relay.address, listener.peerId))
    isTrue(isRelayed(connection), 'relayed')
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
    isTrue(stats.reservations === 1 && stats.circuits === 1 && stats.relayed > 22 * MB, JSON.stringify(stats))
    await connection.close()
    await until('the circuit ends', async () => (await relay.stats()).circuits === 0)
  },
  async 'we relay for two js peers with limits: other protocols refused, too many bytes reset' () {
    const relay = await Node.start('serve', 'bytes=60000')
    const listener = await newListener(relay.address)
    const dialer = await newJs()
    const connection = await dialer.dial(through(relay.address, listener.peerId))
    isTrue(connection.limits.bytes > 50000n && connection.limits.bytes <= 60000n, 'limit that js counts down')
    const refusal = await connection.newStream('/test/echo/1').catch((err) => err)
    equal(refusal.name, 'LimitedConnectionError', 'what js says')
    await echo(await connection.newStream('/test/signal/1', { runOnLimitedConnection: true }), pattern(20000))
    const broken = await echo(await connection.newStream('/test/signal/1', { runOnLimitedConnection: true }), pattern(100000)).catch((err) => err)
    isTrue(broken instanceof Error, 'the stream breaks')
    await until('the connection is gone', () => connection.status !== 'open')
    equal((await relay.stats()).circuits, 0, 'circuits')
  },
  async 'we relay for two js peers for three seconds' () {
    const relay = await Node.start('serve', 'seconds=3')
    const listener = await newListener(relay.address)
    const dialer = await newJs()
    const started = Date.now()
    await dialer.dial(through(relay.address, listener.peerId))
    await sleep(1500)
    equal((await relay.stats()).circuits, 1, 'half way')
    await until('it is cut off', async () => (await relay.stats()).circuits === 0)
    isTrue(Date.now() - started > 2900, 'not before its time')
  },
  async 'we tell js that a peer has no reservation' () {
    const relay = await Node.start('serve')
    const other = await newJs()
    const dialer = await newJs()
    const err = await dialer.dial(through(relay.address, other.peerId)).catch((err) => err)
    isTrue(/NO_RESERVATION/.test(String(err.errors ?? '') + err.message), `what js says: ${err.message}`)
  },
  async 'js relays for us without limits: js dials us, we dial js' () {
    const relay = await newJsRelay(false)
    const node = await Node.start()
    const address = await reserveAt(node, relay)
    isTrue(address.endsWith(`/p2p/${relay.peerId}/p2p-circuit/p2p/${node.id}`), address)
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
    isTrue(listener.getConnections().some((c) => c.remotePeer.toString() === node.id && isRelayed(c)), 'js sees a relayed connection')
  },
  async 'js relays for us with limits: only what opted in runs, both ways' () {
    const relay = await newJsRelay(true)
    const node = await Node.start()
    const address = await reserveAt(node, relay)
    const js = await newJs()
    const connection = await js.dial(multiaddr(address))
    isTrue(connection.limits != null, 'limited')
    await node.line(new RegExp(`^path ${js.peerId} limited`))
    node.say(`open ${js.peerId} /test/echo/1 10`)
    await node.line(/^error .*/)
    await echo(await connection.newStream('/test/signal/1', { runOnLimitedConnection: true }), pattern(10000))
    await node.echo(js.peerId, 10000, '/test/signal/1')
    const forced = await connection.newStream('/test/echo/1', { runOnLimitedConnection: true }).catch((err) => err)
    equal(forced.name, 'UnsupportedProtocolError', 'we refuse what did not opt in')
  },
  async 'js relays for us and us; js tells us that a peer has no reservation' () {
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
  },
  async 'we refresh nothing at a js relay that went away, and come back to it' () {
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
  },
  async 'DCUtR: js called us, and dials us directly' () {
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
  },
  async 'DCUtR: we called js, and js dials the address that identify told' () {
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
  },
  async 'DCUtR: we called js; CONNECT, CONNECT, SYNC, and we dial js' () {
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
  },
  async 'AutoNAT: js asks us; we dial back what it is seen at, and nothing else' () {
    const node = await Node.start()
    const js = await newJs()
    const connection = await js.dial(node.address)
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
    const ok = await ask(filler, `/ip4/127.0.0.1/tcp/${port}`)
    equal(ok.status, Message.ResponseStatus.OK, 'status')
    equal(multiaddr(ok.addr).toString(), `/ip4/127.0.0.1/tcp/${port}`, 'address')
    equal((await ask(filler, filler)).status, Message.ResponseStatus.E_DIAL_REFUSED, 'status')
    equal((await ask(filler, '/ip4/127.0.0.1/tcp/1')).status, Message.ResponseStatus.E_DIAL_ERROR, 'status')
    equal((await ask(`/ip4/127.0.0.1/tcp/${port}`)).status, Message.ResponseStatus.OK, 'status')
    equal((await ask(filler, `/ip4/127.0.0.1/tcp/${port}`)).status, Message.ResponseStatus.E_DIAL_REFUSED, 'over the budget')
  },
  async 'AutoNAT: we ask js, which answers that it dials no private address' () {
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
    await sleep(200)
    isTrue(!node.lines.some((line) => line.startsWith('reach')), 'a refusal says nothing')
    await js.services.autonat.stop().catch(() => {})
  }
}

let passed = 0
let failed = 0
for (const [name, run] of Object.entries(tests)) {
  if (only && !name.includes(only)) continue
  const started = Date.now()
  let failure
  try { await run() } catch (err) { failure = err }
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup().catch((err) => { failure ??= err })
  if (failure) failed++
  else passed++
  console.log(failure ? `FAILED  ${name}: ${failure.stack}` : `ok      ${name} (${Date.now() - started} ms)`)
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
