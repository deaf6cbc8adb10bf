// What libp2p's suite does not ask of a daemon: `own.mjs HOLDFAST` closes with `N passed, N failed`. Two of us over unix sockets: requests sent
// ahead, errors, disconnecting, the peer store, weights, 16 MB through a handler that reads slowly, wrong usage.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { ConnManagerRequest, PeerstoreRequest, Request, Response, StreamInfo } from '@libp2p/daemon-protocol'
import { multiaddr } from '@multiformats/multiaddr'
import { equal, ok, onExit, run, tempDir, test, until } from '../kit.mjs'

const program = process.argv[2]
const dir = tempDir()

// ---- framed messages over a socket ----

function frame (bytes) {
  const head = []
  for (let n = bytes.length; ; n >>>= 7) {
    head.push(n > 127 ? (n & 127) | 128 : n)
    if (n <= 127) break
  }
  return Buffer.concat([Buffer.from(head), bytes])
}

class Socket {
  constructor (socket) {
    this.socket = socket
    this.got = Buffer.alloc(0)
    this.ended = false
    this.wake = () => {}
    socket.on('data', (data) => { this.got = Buffer.concat([this.got, data]); this.wake() })
    socket.on('close', () => { this.ended = true; this.wake() })
    socket.on('error', () => {})
  }

  async message () {
    for (;;) {
      let length = 0
      for (let i = 0, shift = 1; i < this.got.length; i++, shift *= 128) {
        length += (this.got[i] & 127) * shift
        if (this.got[i] > 127) continue
        if (this.got.length < i + 1 + length) break
        const bytes = this.got.subarray(i + 1, i + 1 + length)
        this.got = this.got.subarray(i + 1 + length)
        return bytes
      }
      if (this.ended) throw new Error('the socket was closed')
      await new Promise((resolve) => { this.wake = resolve })
    }
  }

  write (...requests) { this.socket.write(Buffer.concat(requests.map((r) => frame(Request.encode(r))))) }
  async response () { return Response.decode(await this.message()) }

  async ask (request) {
    this.write(request)
    return this.response()
  }
}

class Daemon {
  static async start (name, ...flags) {
    const d = new Daemon()
    d.path = `${dir}/${name}.sock`
    d.child = spawn(program, ['p2pd', '-listen', `/unix${d.path}`, '-hostAddrs', '/ip4/127.0.0.1/tcp/0', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
    d.exit = once(d.child, 'exit')
    onExit(() => d.child.kill('SIGKILL'))
    const lines = createInterface({ input: d.child.stdout })
    await new Promise((resolve) => lines.on('line', (line) => line.startsWith('/ip4/') && resolve()))
    d.identity = (await (await d.open()).ask({ type: Request.Type.IDENTIFY })).identify
    return d
  }

  async open () {
    const socket = connect(this.path)
    await once(socket, 'connect')
    return new Socket(socket)
  }

  async ask (request) {
    const s = await this.open()
    const response = await s.ask(request)
    s.socket.end()
    return response
  }

  async stop () {
    this.child.kill()
    equal((await this.exit)[0], 0, 'exit status')
  }
}

const a = await Daemon.start('a')
const b = await Daemon.start('b', '-connManager', '-connGrace=0s', '-connLo=0', '-connHi=100')
const peer = b.identity.id
const connectToB = { type: Request.Type.CONNECT, connect: { peer, addrs: b.identity.addrs } }
const openOn = (protocol) => ({ type: Request.Type.STREAM_OPEN, streamOpen: { peer, proto: protocol } })

test('requests sent ahead are answered in order', async () => {
  const s = await a.open()
  s.write({ type: Request.Type.IDENTIFY }, connectToB, { type: Request.Type.LIST_PEERS })
  equal((await s.response()).identify.addrs.length, 1, 'addresses')
  equal((await s.response()).type, Response.Type.OK, 'connect')
  const { peers } = await s.response()
  equal(Buffer.from(peers[0].id).equals(Buffer.from(peer)), true, 'the peer')
  equal(multiaddr(peers[0].addrs[0]).toString(), multiaddr(b.identity.addrs[0]).toString(), 'its address')
  s.socket.end()
})

test('the peer store knows what the peer speaks, and where it is', async () => {
  const known = await a.ask({ type: Request.Type.PEERSTORE, peerStore: { type: PeerstoreRequest.Type.GET_PROTOCOLS, id: peer, protos: [] } })
  equal(known.peerStore.protos.includes('/echo/1.0.0'), true, 'echo')
  const info = await a.ask({ type: Request.Type.PEERSTORE, peerStore: { type: PeerstoreRequest.Type.GET_PEER_INFO, id: peer, protos: [] } })
  equal(multiaddr(info.peerStore.peer.addrs[0]).toString(), multiaddr(b.identity.addrs[0]).toString(), 'address')
})

test('a protocol that the peer does not speak is an error, the next of the list is tried', async () => {
  equal((await a.ask(openOn(['/nothing/1']))).type, Response.Type.ERROR, 'type')
  const s = await a.open()
  equal((await s.ask(openOn(['/nothing/1', '/echo/1.0.0']))).streamInfo.proto, '/echo/1.0.0', 'protocol')
  s.socket.end('hello')
  await once(s.socket, 'end')
  equal(s.got.toString(), 'hello', 'echo')
})

test('16 MB reach a handler that reads slowly, and the sender waits', async () => {
  const total = 16 << 20
  let info
  let received = 0
  let wrong = false
  let waiting = false
  const done = new Promise((resolve) => {
    createServer(async (socket) => {
      const s = new Socket(socket)
      info = StreamInfo.decode(await s.message())
      socket.pause()
      await until('the sender has to wait', () => waiting)
      const count = (data) => {
        for (let i = 0; i < data.length; i += 997) wrong ||= data[i] !== ((received + i) & 255)
        received += data.length
      }
      count(s.got)
      socket.removeAllListeners('data')
      socket.on('data', count).on('end', () => { socket.end('done'); resolve() }).resume()
    }).listen(`${dir}/handler.sock`).unref()
  })
  const path = Buffer.from(`${dir}/handler.sock`)
  const addr = Buffer.concat([Buffer.from([0x90, 0x03, path.length]), path]) // /unix/…
  equal((await b.ask({ type: Request.Type.STREAM_HANDLER, streamHandler: { addr, proto: ['/slow/1'] } })).type, Response.Type.OK, 'handler')
  const s = await a.open()
  equal((await s.ask(openOn(['/slow/1']))).type, Response.Type.OK, 'open')
  const block = Buffer.from(Array.from({ length: 65536 }, (_, i) => i & 255))
  for (let sent = 0; sent < total; sent += block.length) {
    if (s.socket.write(block)) continue
    const timer = setTimeout(() => { waiting = true }, 100)
    await once(s.socket, 'drain')
    clearTimeout(timer)
  }
  s.socket.end()
  await done
  await once(s.socket, 'close')
  equal(info.proto, '/slow/1', 'protocol')
  equal(received, total, 'bytes')
  equal(wrong, false, 'a byte that differs')
  equal(s.got.toString(), 'done', 'answer')
  ok(waiting, 'the sender waited')
})

test('weights, and trimming', async () => {
  const tag = { type: ConnManagerRequest.Type.TAG_PEER, peer: a.identity.id, tag: 'friend', weight: 5n }
  equal((await b.ask({ type: Request.Type.CONNMANAGER, connManager: tag })).type, Response.Type.OK, 'tag')
  equal((await b.ask({ type: Request.Type.CONNMANAGER, connManager: { ...tag, type: ConnManagerRequest.Type.UNTAG_PEER } })).type, Response.Type.OK, 'untag')
  equal((await b.ask({ type: Request.Type.CONNMANAGER, connManager: { type: ConnManagerRequest.Type.TRIM } })).type, Response.Type.OK, 'trim')
  equal((await b.ask({ type: Request.Type.LIST_PEERS })).peers.length, 0, 'peers left')
})

test('disconnecting', async () => {
  equal((await a.ask(connectToB)).type, Response.Type.OK, 'connect again')
  equal((await a.ask({ type: Request.Type.DISCONNECT, disconnect: { peer } })).type, Response.Type.OK, 'disconnect')
  equal((await a.ask({ type: Request.Type.LIST_PEERS })).peers.length, 0, 'peers')
})

test('what cannot be done is an error', async () => {
  for (const request of [
    { type: Request.Type.CONNECT, connect: { peer, addrs: [multiaddr('/ip4/127.0.0.1/tcp/1').bytes] } },
    { type: Request.Type.CONNECT, connect: { peer: Buffer.from('x'), addrs: [] } },
    { type: Request.Type.CONNECT },
    { type: Request.Type.DHT, dht: { type: 0, peer } },
    { type: Request.Type.PUBSUB, pubsub: { type: 0 } },
    { type: Request.Type.STREAM_HANDLER, streamHandler: { addr: Buffer.from('x'), proto: ['/ipfs/ping/1.0.0'] } }
  ]) equal((await b.ask(request)).type, Response.Type.ERROR, JSON.stringify(request.type))
})

test('a program that talks nonsense is hung up on, the others are not', async () => {
  const s = await a.open()
  s.socket.write(Buffer.from('\xff'.repeat(12), 'latin1'))
  await once(s.socket, 'close')
  equal((await a.ask({ type: Request.Type.IDENTIFY })).type, Response.Type.OK, 'another')
})

test('wrong usage', async () => {
  for (const flags of [['-nothing'], ['-muxer=mplex'], ['-noise=false'], ['-pubsubRouter=x'], ['-connLo=x'], ['x'], ['-gossipsubHeartbeatInterval=1']]) {
    equal(spawnSync(program, ['p2pd', ...flags]).status, 2, flags.join(' '))
  }
  equal(spawnSync(program, ['p2pd', '-listen=/ip4/127.0.0.1/tcp/0', '-id=/nowhere']).status, 1, 'no key')
})

test('it stops cleanly, and takes its socket along', async () => {
  await a.stop()
  await b.stop()
  equal(existsSync(a.path), false, 'the socket is there')
})

await run(3)
