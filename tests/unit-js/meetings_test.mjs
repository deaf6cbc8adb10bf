/* Relays' addresses, and the records of data channels against RTCPeerConnections that are made up here. */
import { readRelay } from '../../browser/src/meetings.js'
import { WebRtc } from '../../browser/src/webrtc.js'
import { assert, test } from './kit.mjs'

const ID = '12D3KooWQvzZ9R7yNsyG7MzEKtXNJ1bUuPK1X2mB4vVw8tCrMy6E'

test('relays: what a browser can reach', () => {
  const cases = [
    [`/ip4/192.0.2.7/tcp/4001/ws/p2p/${ID}`, 'ws://192.0.2.7:4001/'],
    [`/dns4/relay.example/tcp/443/wss/p2p/${ID}`, 'wss://relay.example:443/'],
    [`/dns4/relay.example/tcp/443/tls/ws/p2p/${ID}`, 'wss://relay.example:443/'],
    [`/dns/relay.example/tcp/443/tls/sni/relay.example/ws/p2p/${ID}`, 'wss://relay.example:443/'],
    [`/ip6/2001:db8::1/tcp/80/ws/p2p/${ID}`, 'ws://[2001:db8::1]:80/']
  ]
  for (const [address, url] of cases) assert.deepEqual(readRelay(address), { url, peer: ID })
  for (const address of ['', `/ip4/192.0.2.7/tcp/4001/p2p/${ID}`, '/ip4/192.0.2.7/tcp/4001/ws', `/ip4/192.0.2.7/udp/1/webrtc-direct/p2p/${ID}`, `x/ip4/1.2.3.4/tcp/1/ws/p2p/${ID}`]) {
    assert.equal(readRelay(address), null, address)
  }
})

class Channel {
  readyState = 'connecting'
  bufferedAmount = 0
  sent = []
  label = ''
  send (bytes) {
    this.sent.push([...bytes])
    this.bufferedAmount += bytes.length
  }

  close () { this.readyState = 'closed' }
}

class Connection {
  static last
  channels = []
  candidates = []
  connectionState = 'new'
  constructor () { Connection.last = this }
  createDataChannel (label) {
    const channel = Object.assign(new Channel(), { label })
    this.channels.push(channel)
    return channel
  }

  async createOffer () { return { type: 'offer', sdp: 'an offer' } }
  async createAnswer () { return { type: 'answer', sdp: 'an answer' } }
  async setLocalDescription (d) { this.local = d }
  async setRemoteDescription (d) { this.remote = d }
  async addIceCandidate (c) { this.candidates.push(c) }
  close () { this.connectionState = 'closed' }
  become (state) {
    this.connectionState = state
    this.onconnectionstatechange()
  }
}

function connected () {
  globalThis.RTCPeerConnection = Connection
  const posted = []
  const webrtc = new WebRtc({ iceServers: [], post: message => posted.push(message) })
  return { webrtc, posted, last: () => posted[posted.length - 1] }
}

const record = (number, op, ...bytes) => {
  const view = new DataView(new ArrayBuffer(9))
  view.setUint32(0, number)
  view.setUint8(4, op)
  view.setUint32(5, bytes.length)
  return [...new Uint8Array(view.buffer), ...bytes]
}

test('webrtc: a call, its answer, candidates', async () => {
  const { webrtc, posted, last } = connected()
  await webrtc.heard(1, 'call', '')
  const pc = Connection.last
  assert.deepEqual(posted, [{ hf: 'rtc', session: 1, type: 'offer', text: 'an offer' }])
  await webrtc.heard(1, 'answer', 'theirs')
  assert.deepEqual(pc.remote, { type: 'answer', sdp: 'theirs' })
  await webrtc.heard(1, 'candidate', '{"candidate":"a=candidate:1 1 UDP 1 192.0.2.7 1 typ host","sdpMid":"0"}')
  for (const text of ['null', '""', '{}', '7']) await webrtc.heard(1, 'candidate', text)
  assert.deepEqual(pc.candidates, [{ candidate: 'candidate:1 1 UDP 1 192.0.2.7 1 typ host', sdpMid: '0' }])
  pc.onicecandidate({ candidate: null })
  assert.deepEqual(last(), { hf: 'rtc', session: 1, type: 'candidate', text: 'null' })
  pc.become('connected')
  assert.equal(last().hf, 'rtcUp')
  assert.equal(pc.channels[0].readyState, 'closed') /* init */
  pc.become('failed')
  assert.equal(last().hf, 'lost')
})

test('webrtc: what does not come to stand', async () => {
  const { webrtc, last } = connected()
  await webrtc.heard(2, 'offer', 'theirs')
  assert.deepEqual(last(), { hf: 'rtc', session: 2, type: 'answer', text: 'an answer' })
  await webrtc.heard(2, 'candidate', 'not JSON')
  assert.deepEqual(last(), { hf: 'rtc', session: 2, type: 'failed', text: '' })
  await webrtc.heard(2, 'ended', '')
  await webrtc.heard(9, 'answer', 'of nobody')
  assert.equal(Connection.last.connectionState, 'closed')
})

test('webrtc: records become channels and messages', async () => {
  const { webrtc, posted, last } = connected()
  await webrtc.heard(3, 'offer', 'theirs')
  const pc = Connection.last
  const early = Object.assign(new Channel(), { id: 2 })
  pc.ondatachannel({ channel: Object.assign(new Channel(), { label: 'init' }) })
  pc.ondatachannel({ channel: early })
  early.onmessage({ data: new ArrayBuffer(3) })
  early.onmessage({ data: 'text is nothing that we take' })
  pc.become('connected')
  const { conn } = posted.find(m => m.hf === 'rtcUp')
  assert.deepEqual(posted.slice(-2).map(m => [m.op, m.channel, m.conn]), [['open', 1, conn], ['message', 1, conn]])

  const ours = 0x80000000
  webrtc.send(conn, new Uint8Array([...record(ours, 1), ...record(ours, 2, 1, 2, 3), ...record(ours, 2, 4)]))
  const channel = pc.channels[0]
  assert.deepEqual([channel.label, channel.sent], ['', []])
  channel.readyState = 'open'
  channel.onopen()
  assert.deepEqual(channel.sent, [[1, 2, 3], [4]])
  channel.bufferedAmount = 2 << 20
  webrtc.send(conn, new Uint8Array(record(ours, 2, 5)))
  assert.deepEqual(last(), { hf: 'channel', conn, op: 'busy', channel: ours, busy: true })
  channel.onbufferedamountlow()
  assert.deepEqual(last(), { hf: 'channel', conn, op: 'busy', channel: ours, busy: false })
  const before = posted.length
  webrtc.send(conn, new Uint8Array([...record(ours, 3), ...record(ours, 2, 6)]))
  channel.onclose()
  assert.deepEqual([channel.readyState, posted.length], ['closed', before]) /* what the core closes it is not told of */
  early.onclose()
  assert.deepEqual(last(), { hf: 'channel', conn, op: 'close', channel: 1 })
  webrtc.close(conn)
  assert.equal(webrtc.has(conn), false)
})

test('webrtc: an id that is used again is another channel', async () => {
  const { webrtc, posted, last } = connected()
  await webrtc.heard(4, 'offer', 'theirs')
  const pc = Connection.last
  pc.become('connected')
  const { conn } = posted.find(m => m.hf === 'rtcUp')
  const [old, young] = [Object.assign(new Channel(), { id: 2, readyState: 'open' }), Object.assign(new Channel(), { id: 2, readyState: 'open' })]
  pc.ondatachannel({ channel: old })
  const first = last().channel
  pc.ondatachannel({ channel: young })
  const second = last().channel
  assert.notEqual(first, second)
  webrtc.send(conn, new Uint8Array(record(first, 3))) /* said before the core knew of the second */
  assert.deepEqual([old.readyState, young.readyState], ['closed', 'open'])
  webrtc.send(conn, new Uint8Array(record(second, 2, 9)))
  assert.deepEqual(young.sent, [[9]])
})
