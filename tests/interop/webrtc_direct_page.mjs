// The page of webrtc_direct.mjs: js-libp2p with @libp2p/webrtc in a real browser, and webrtc-direct by hand where js-libp2p does not go: version 2,
// and what nobody should send. Everything hangs on `window.lab`.
import { createLibp2p } from 'libp2p'
import { webRTCDirect } from '@libp2p/webrtc'
import { ping } from '@libp2p/ping'
import { identify, identifyPush } from '@libp2p/identify'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { noise } from '@chainsafe/libp2p-noise'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { defaultLogger } from '@libp2p/logger'
import { multiaddr } from '@multiformats/multiaddr'
import { Helia } from '@helia/utils'
import { bitswap } from '@helia/block-brokers'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createOrbitDB, Database, useDatabaseType } from '@orbitdb/core'

const limits = { peersToReconnect: 0, maxPeerAddrsToDial: 25 }
const nodes = []
let node

async function make () {
  const made = await createLibp2p({
    transports: [webRTCDirect()],
    connectionEncrypters: [noise()],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: limits,
    services: { ping: ping(), identify: identify(), push: identifyPush(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) }
  })
  nodes.push(made)
  return made
}

const bytesOf = item => item.subarray ? item.subarray() : item

/** Bytes that differ along the way, so that a piece lost or swapped shows. */
function pattern (at, length) {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = ((at + i) * 2654435761) >>> 13
  return bytes
}

/** Sends `total` bytes of the pattern and takes them back. */
async function echo (connection, total, piece = 60_000, protocol = '/echo/1.0.0') {
  const stream = await connection.newStream(protocol, { maxOutboundStreams: 1000 })
  const began = performance.now()
  let got = 0
  let wrong = false
  const read = (async () => {
    for await (const item of stream.source) {
      const bytes = bytesOf(item)
      const want = pattern(got, bytes.length)
      for (let i = 0; i < bytes.length && !wrong; i++) wrong = bytes[i] !== want[i]
      got += bytes.length
      if (got >= total) break
    }
  })()
  await stream.sink((function * () {
    for (let at = 0; at < total; at += piece) yield pattern(at, Math.min(piece, total - at))
  })())
  await read
  await stream.close()
  return { got, wrong, ms: performance.now() - began }
}

async function dial (address) {
  node ??= await make()
  const connection = await node.dial(multiaddr(address))
  return connection
}

// A collection is an OrbitDB database of a type of its own, to which any operation can be added.
const Collection = () => options => Database(options)
Collection.type = 'collection'
let database

// ---- by hand ----

function fingerprintOf (address) {
  const hash = /\/certhash\/u([^/]+)/.exec(address)[1]
  const bytes = Uint8Array.from(atob(hash.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0))
  return [...bytes.subarray(2)].map(b => b.toString(16).padStart(2, '0').toUpperCase()).join(':')
}

function answer (address, ufrag) {
  const [, ip, port] = /^\/ip4\/([^/]+)\/udp\/(\d+)/.exec(address)
  return {
    type: 'answer',
    sdp: ['v=0', `o=- 0 0 IN IP4 ${ip}`, 's=-', 't=0 0', 'a=ice-lite', `m=application ${port} UDP/DTLS/SCTP webrtc-datachannel`, `c=IN IP4 ${ip}`, 'a=mid:0',
      'a=ice-options:ice2', `a=ice-ufrag:${ufrag}`, `a=ice-pwd:${ufrag}`, `a=fingerprint:sha-256 ${fingerprintOf(address)}`, 'a=setup:passive', 'a=sctp-port:5000',
      'a=max-message-size:262144', `a=candidate:1 1 UDP 1 ${ip} ${port} typ host`, 'a=end-of-candidates', ''].join('\r\n')
  }
}

/** Version 2: our own description stays as the browser made it; its password is told in the listener's ufrag. */
async function open2 (address, prefix = 'libp2p+webrtc+v2/') {
  const pc = new RTCPeerConnection()
  const channel = pc.createDataChannel('', { negotiated: true, id: 0 })
  channel.binaryType = 'arraybuffer'
  const queue = queueOf(channel)
  await pc.setLocalDescription(await pc.createOffer())
  const password = /a=ice-pwd:(.*)\r\n/.exec(pc.localDescription.sdp)[1]
  await pc.setRemoteDescription(answer(address, prefix + password))
  await new Promise((resolve, reject) => {
    channel.onopen = resolve
    setTimeout(() => reject(new Error('no data channel within 8 s')), 8000)
  })
  return { pc, channel, queue }
}

function queueOf (channel) {
  const items = []
  let wake = () => {}
  let closed = false
  channel.addEventListener('message', event => { items.push(new Uint8Array(event.data)); wake() })
  channel.addEventListener('close', () => { closed = true; wake() })
  return async function next () {
    while (items.length === 0 && !closed) await new Promise(resolve => { wake = resolve })
    return items.shift()
  }
}

function varint (n) {
  const out = []
  for (; n > 127; n >>>= 7) out.push((n & 127) | 128)
  return [...out, n]
}

/** A message of libp2p's data channels: flag and payload, each may be left out. */
function frame (flag, payload) {
  const body = []
  if (flag != null) body.push(8, flag)
  if (payload != null) body.push(0x12, ...varint(payload.length), ...payload)
  return Uint8Array.from([...varint(body.length), ...body])
}

function unframe (message) {
  let at = 0
  const number = () => {
    let n = 0
    for (let shift = 0; ; shift += 7) {
      const b = message[at++]
      n |= (b & 127) << shift
      if (b < 128) return n
    }
  }
  const end = number() + at
  const out = { flag: undefined, payload: new Uint8Array(0) }
  while (at < end) {
    const tag = number()
    if (tag === 8) out.flag = number()
    else {
      const length = number()
      out.payload = message.subarray(at, at + length)
      at += length
    }
  }
  return out
}

/** Noise as js-libp2p's client does it: the listener begins. Gives who it is. */
async function secure2 ({ pc, channel, queue }, address) {
  const ours = /a=fingerprint:sha-256 (.*)\r\n/.exec(pc.localDescription.sdp)[1]
  const digest = text => text.split(':').map(h => parseInt(h, 16))
  const prologue = Uint8Array.from([...new TextEncoder().encode('libp2p-webrtc-noise:'), 0x12, 32, ...digest(ours), 0x12, 32, ...digest(fingerprintOf(address))])
  const privateKey = await generateKeyPair('Ed25519')
  const encrypter = noise({ prologueBytes: prologue })({
    privateKey, peerId: peerIdFromPrivateKey(privateKey), logger: defaultLogger(), upgrader: { getStreamMuxers: () => new Map() }
  })
  const stream = {
    source: (async function * () { for (let m; (m = await queue()) != null;) yield unframe(m).payload })(),
    sink: async source => { for await (const item of source) channel.send(frame(undefined, bytesOf(item))) },
    log: defaultLogger().forComponent('v2')
  }
  const secured = await encrypter.secureInbound(stream, { skipStreamMuxerNegotiation: true })
  return secured.remotePeer.toString()
}

/** A stream on a channel of its own: multistream-select for one protocol, in one go. */
async function stream2 (pc, protocol) {
  const channel = pc.createDataChannel('')
  channel.binaryType = 'arraybuffer'
  const queue = queueOf(channel)
  await new Promise(resolve => { channel.onopen = resolve })
  const line = text => { const bytes = new TextEncoder().encode(text + '\n'); return [...varint(bytes.length), ...bytes] }
  const want = line('/multistream/1.0.0').length + line(protocol).length
  channel.send(frame(undefined, [...line('/multistream/1.0.0'), ...line(protocol)]))
  let got = new Uint8Array(0)
  const more = async () => {
    const message = await queue()
    if (message == null) return null
    const m = unframe(message)
    got = Uint8Array.from([...got, ...m.payload])
    return m
  }
  while (got.length < want) if (await more() == null) throw new Error('the stream ended during negotiation')
  if (new TextDecoder().decode(got.subarray(0, want)) !== new TextDecoder().decode(Uint8Array.from([...line('/multistream/1.0.0'), ...line(protocol)]))) throw new Error('refused')
  got = got.subarray(want)
  return { channel, queue, more, take: () => { const all = got; got = new Uint8Array(0); return all } }
}

window.lab = {
  async dial (address) {
    const connection = await dial(address)
    return { peer: connection.remotePeer.toString(), remote: connection.remoteAddr.toString(), muxer: connection.multiplexer }
  },
  connections: id => node.getConnections().filter(c => c.remotePeer.toString() === id).length,
  async ping (address) { return node.services.ping.ping((await dial(address)).remotePeer) },
  async identify (address) {
    const { agentVersion, protocols, listenAddrs, observedAddr } = await node.services.identify.identify(await dial(address))
    return { agentVersion, protocols, listenAddrs: listenAddrs.map(String), observedAddr: observedAddr?.toString() }
  },
  async echo (address, total, piece) { return echo(await dial(address), total, piece) },
  /** `count` streams at once, `rounds` times one after another: channels' numbers are used again. */
  async many (address, count, rounds) {
    const connection = await dial(address)
    let good = 0
    for (let round = 0; round < rounds; round++) {
      const results = await Promise.all(Array.from({ length: count }, (_, i) => echo(connection, 1000 + i)))
      good += results.filter((r, i) => r.got === 1000 + i && !r.wrong).length
    }
    return good
  },
  /** How many streams are open. */
  async streams (address) { return (await dial(address)).streams.length },
  /** Ours ends, theirs goes on: all that was sent comes back, then their end. */
  async halfClose (address) {
    const stream = await (await dial(address)).newStream('/echo/1.0.0')
    await stream.sink([pattern(0, 50_000)])
    await stream.closeWrite()
    let got = 0
    for await (const item of stream.source) got += bytesOf(item).length
    const began = performance.now()
    await stream.close()
    return { got, status: stream.status, closedIn: performance.now() - began }
  },
  /** Ours resets: the connection goes on. */
  async reset (address) {
    const connection = await dial(address)
    const stream = await connection.newStream('/echo/1.0.0')
    void stream.sink((async function * () { yield pattern(0, 100); await new Promise(() => {}) })()).catch(() => {})
    for await (const item of stream.source) { if (bytesOf(item).length > 0) break }
    stream.abort(new Error('enough'))
    return { after: (await echo(connection, 5000)).got, status: stream.status }
  },
  /** They reset: a protocol that nobody speaks is refused, and one that is spoken is not harmed. */
  async refused (address) {
    const connection = await dial(address)
    let error
    try { await connection.newStream('/nobody/speaks/this') } catch (err) { error = err.name }
    return { error, after: (await echo(connection, 5000)).got }
  },
  /** OrbitDB's own program replicates a database of the node's app, with nothing but this connection. */
  async open (address, name) {
    await dial(address)
    useDatabaseType(Collection)
    const ipfs = new Helia({ libp2p: node, blockstore: new MemoryBlockstore(), datastore: new MemoryDatastore(), blockBrokers: [bitswap()], routers: [] })
    await ipfs.start()
    const orbitdb = await createOrbitDB({ ipfs, id: 'page', directory: 'page' })
    database = await orbitdb.open(name)
    return database.address
  },
  async texts () {
    const texts = []
    for await (const entry of database.log.traverse()) texts.push(entry.payload.value?.text)
    return texts
  },
  add: payload => database.addOperation(payload),
  async close () { await Promise.all(nodes.splice(0).map(n => n.stop())); node = undefined },
  /** Several peers at once, each with a connection of its own. */
  async crowd (address, count) {
    const made = await Promise.all(Array.from({ length: count }, make))
    const results = await Promise.all(made.map(async n => {
      const connection = await n.dial(multiaddr(address))
      return (await echo(connection, 20_000)).got
    }))
    await Promise.all(made.map(n => n.stop()))
    return results.filter(got => got === 20_000).length
  },
  async version2 (address) {
    const opened = await open2(address)
    const before = /a=ice-ufrag:(.*)\r\n/.exec(opened.pc.localDescription.sdp)[1]
    const peer = await secure2(opened, address)
    const s = await stream2(opened.pc, '/ipfs/ping/1.0.0')
    const sent = crypto.getRandomValues(new Uint8Array(32))
    s.channel.send(frame(undefined, [...sent]))
    let got = s.take()
    while (got.length < 32 && await s.more() != null) got = Uint8Array.from([...got, ...s.take()])
    s.channel.send(frame(0))
    for (let m; (m = await s.more()) != null && m.flag !== 3;);
    opened.pc.close()
    return { peer, same: got.length === 32 && got.every((b, i) => b === sent[i]), rewritten: before.startsWith('libp2p') }
  },
  async otherVersion (address) {
    try { (await open2(address, 'libp2p+webrtc+v3/')).pc.close(); return 'open' } catch (err) { return err.message }
  },
  /** What a browser can be made to send, each over a connection of its own. Tells what became of it. */
  async misbehave (address, how) {
    const opened = await open2(address)
    const { pc, channel } = opened
    const gone = new Promise(resolve => {
      channel.addEventListener('close', () => resolve('closed'))
      setTimeout(() => resolve('open'), 15_000)
    })
    if (how === 'garbage for Noise') channel.send(new Uint8Array(100).fill(255))
    else if (how !== 'silence instead of Noise') {
      if (how !== 'a stream before Noise') await secure2(opened, address)
      if (how === 'a message of 200 KB') channel.send(new Uint8Array(200_000))
      if (how === 'a message of 40 KB') {
        const s = await stream2(pc, '/ipfs/ping/1.0.0')
        s.channel.send(frame(undefined, new Uint8Array(40_000)))
        return Promise.race([s.queue().then(() => 'stream'), gone])
      }
      if (how === 'an unreliable channel') pc.createDataChannel('', { maxRetransmits: 0 })
      if (how === 'an unordered channel') pc.createDataChannel('', { ordered: false })
      if (how === 'a long label') pc.createDataChannel('x'.repeat(5000))
      if (how === 'a stream before Noise') pc.createDataChannel('').onopen = event => event.target.send(new Uint8Array(16_000))
      if (how === 'a flood of channels') for (let i = 0; i < 500; i++) pc.createDataChannel('').onopen = event => event.target.send(new Uint8Array(1000))
    }
    const how2 = await gone
    pc.close()
    return how2
  },
  /** A connection that is open, and then nothing more is heard of it. */
  async leave (address) {
    const opened = await open2(address)
    await secure2(opened, address)
    window.left = [...window.left ?? [], opened]
    return opened.pc.connectionState
  }
}
