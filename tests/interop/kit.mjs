// What the tests against other people's programs share: our test programs as child processes, makers of js peers, echoes. It takes nothing from npm: each
// version of js brings its packages (js2.mjs, p2pd/js3.mjs).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { equal, onEnd, tempDir } from '../kit/suite.mjs'

export * from '../kit/suite.mjs'

/** One of our programs here (*_node.c): told by lines what to do, it says by lines what happens. It ends with the test, and must end well. */
export class Child {
  static n = 0
  static patience = 20_000

  static async start (program, ...words) {
    const node = new this()
    node.lines = []
    node.waiting = []
    node.child = spawn(program, [String(1 + Child.n++ % 250), ...words], { stdio: ['pipe', 'pipe', 'inherit'] })
    node.child.stdin.on('error', () => {}) // it has ended: its exit says how
    node.gone = once(node.child, 'exit')
    node.gone.then(() => { for (const one of node.waiting.splice(0)) one.reject(new Error('our node ended')) })
    createInterface({ input: node.child.stdout }).on('line', (line) => {
      const at = node.waiting.findIndex((one) => one.pattern.test(line))
      if (at >= 0) node.waiting.splice(at, 1)[0].resolve(line)
      else node.lines.push(line)
    })
    onEnd((failed) => node.#end(failed))
    const [, port, id, identity] = await node.line(/^listening (\d+) (\S+) ?(\S*)/)
    return Object.assign(node, { port: Number(port), id, identity, address: `/ip4/127.0.0.1/tcp/${port}/p2p/${id}` })
  }

  /** The first line that matches, of those printed already or soon, as the match. Each line is handed out once. */
  async line (pattern, ms = this.constructor.patience) {
    const seen = this.lines.findIndex((line) => pattern.test(line))
    if (seen >= 0) return this.lines.splice(seen, 1)[0].match(pattern)
    let timer
    const line = new Promise((resolve, reject) => {
      const one = { pattern, resolve, reject }
      this.waiting.push(one)
      timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(one), 1)
        reject(new Error(`no line like ${pattern}; have ${JSON.stringify(this.lines.slice(-20))}`))
      }, ms)
    })
    try { return (await line).match(pattern) } finally { clearTimeout(timer) }
  }

  /** How many lines match that nobody has taken. */
  count (pattern) { return this.lines.filter((line) => pattern.test(line)).length }
  say (...words) { this.child.stdin.write(words.join('\t') + '\n') }

  async stop () {
    if (this.stopped) return
    this.stopped = true
    this.say('quit')
    equal((await this.gone)[0], 0, 'exit status of our node')
  }

  #end (failed) {
    if (!failed) return this.stop()
    if (!this.stopped) console.log(`  ${this.id ?? 'our node'} said ${JSON.stringify(this.lines.slice(-12))}`)
    this.child.kill('SIGKILL')
  }
}

/** A WebSocket in front of a TCP port: its binary messages are the plain byte stream. The server; it ends with the test. */
export async function bridge (port) {
  const { WebSocketServer } = await import('ws')
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket) => {
    const channel = connect(port, '127.0.0.1')
    channel.on('data', (bytes) => socket.send(bytes))
    for (const event of ['close', 'error']) channel.on(event, () => socket.close())
    socket.on('message', (bytes) => channel.write(bytes))
    socket.on('close', () => channel.destroy())
  })
  onEnd(() => server.close())
  await once(server, 'listening')
  return server
}

// ---- js peers ----

/** Makers of js peers out of the packages of one version. What they make ends with the test, or as `end` is told. */
export function peersOf (packages, end = onEnd) {
  const { createLibp2p, tcp, noise, yamux, identify, identifyPush, gossipsub, multiaddr, Helia, bitswap, MemoryBlockstore, MemoryDatastore, createOrbitDB } = packages

  /** A js-libp2p that speaks TCP. `listen`: where; `services`: beside identify; the rest: options of libp2p. */
  async function newPeer ({ listen = ['/ip4/127.0.0.1/tcp/0'], services, connectionManager, ...options } = {}) {
    const libp2p = await createLibp2p({
      addresses: { listen },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify(), push: identifyPush(), ...services },
      connectionManager: { inboundConnectionThreshold: 1000, ...connectionManager },
      connectionGater: { denyDialMultiaddr: () => false },
      ...options
    })
    end(() => libp2p.stop())
    return libp2p
  }

  /** A helia in memory that has blocks by bitswap; options of Helia. */
  async function newHelia (options = {}) {
    const libp2p = options.libp2p ?? await newPeer()
    const ipfs = new Helia({ blockstore: new MemoryBlockstore(), datastore: new MemoryDatastore(), blockBrokers: [bitswap()], routers: [], ...options, libp2p })
    await ipfs.start()
    end(() => ipfs.stop())
    return ipfs
  }

  let n = 0
  /** An OrbitDB: its parts, its `id`, and dial, open, stop. `helia`: options of Helia; the rest: as of newPeer. */
  async function newOrbit ({ name = `js${n++}`, directory = join(tempDir(), name), helia, ...options } = {}) {
    const libp2p = await newPeer({ ...options, services: { pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }), ...options.services } })
    const ipfs = await newHelia({ ...helia, libp2p })
    const orbitdb = await createOrbitDB({ ipfs, id: name, directory })
    const dial = (address) => libp2p.dial(multiaddr(address))
    const open = async (...args) => {
      const db = await orbitdb.open(...args)
      db.events.on('error', () => {}) // without a listener a failed exchange of heads would end this process
      return db
    }
    let stopped
    const stop = () => (stopped ??= orbitdb.stop().then(() => ipfs.stop()))
    end(stop)
    return { libp2p, ipfs, orbitdb, id: orbitdb.identity.id, dial, open, stop }
  }

  return { newPeer, newHelia, newOrbit }
}

// ---- streams of js-libp2p 2 ----

/** Bytes that differ along the way, so that a piece lost or swapped shows. */
export function pattern (length) {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = i * 7 + Math.floor(i / 251)
  return bytes
}

/** Handles a stream: what comes goes back. */
export async function echoes ({ stream }) {
  try {
    await stream.sink((async function * () { for await (const chunk of stream.source) yield chunk.subarray() })())
  } catch (err) { stream.abort(err) }
}

/** Writes `bytes` and reads the same back, to the end; reads nothing until `ready`. */
export async function echo (stream, bytes, ready) {
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
