/* How many others a browser meets: RTCPeerConnections that are made up here. */
import { DIALING_MAX, HELD_MAX, Peers, SOUGHT_MAX } from '../../browser/src/rtc.js'
import { assert, test } from './kit.mjs'

class Channel {
  readyState = 'connecting'
  bufferedAmount = 0
  close () { this.readyState = 'closed' }
  open () {
    this.readyState = 'open'
    this.onopen()
  }
}

class Connection {
  iceGatheringState = 'complete'
  connectionState = 'new'
  localDescription = { sdp: 'local' }
  channels = []
  createDataChannel () {
    this.channels.push(new Channel())
    return this.channels.at(-1)
  }

  async setLocalDescription () {}
  async setRemoteDescription () {}
  close () { this.connectionState = 'closed' }
  fail () {
    this.connectionState = 'failed'
    this.onconnectionstatechange()
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

/* Timers run when the test says so. */
async function world (self) {
  const real = [globalThis.setTimeout, globalThis.clearTimeout, globalThis.RTCPeerConnection]
  const timers = new Map()
  let next = 0
  globalThis.RTCPeerConnection = Connection
  globalThis.setTimeout = (run, ms, ...args) => (timers.set(++next, { run, ms, args }), next)
  globalThis.clearTimeout = id => timers.delete(id)
  const posted = []
  const peers = new Peers({
    self, iceServers: [], post: message => posted.push(message),
    store: { get: async key => key === 'certificate' ? { expires: Infinity } : undefined, set: async () => {} }
  })
  await peers.start()
  return {
    peers,
    posted,
    offers: () => posted.filter(message => message.hf === 'signal' && JSON.parse(message.data).type === 'offer').map(message => message.to),
    pass: ms => { for (const [id, timer] of [...timers]) if (timer.ms <= ms) timers.delete(id), timer.run(...timer.args) },
    end: () => {
      peers.stop()
      ;[globalThis.setTimeout, globalThis.clearTimeout, globalThis.RTCPeerConnection] = real
    }
  }
}

const crowd = Array.from({ length: 100 }, (_, i) => `peer-${String(i).padStart(3, '0')}`)
const held = peers => new Set([...peers.ways.values()].map(way => way.peer)).size

test('rtc: of a crowd a few are dialled at a time, and a dozen are enough', async () => {
  const w = await world('a')
  w.peers.introduced('node', crowd)
  await turn()
  assert.equal(w.offers().length, DIALING_MAX)
  for (let most = 0; w.peers.dialing.size; most++) {
    assert.ok(most < 100 && w.peers.dialing.size <= DIALING_MAX && held(w.peers) + w.peers.dialing.size <= SOUGHT_MAX)
    w.peers.introduced('other', crowd) /* said again */
    ;[...w.peers.dialing.values()][0].channels[0].open()
    await turn()
  }
  assert.equal(held(w.peers), SOUGHT_MAX)
  assert.equal(w.offers().length, SOUGHT_MAX)
  const way = [...w.peers.ways.values()][0]
  way.channel.onclose()
  await turn()
  assert.equal(w.offers().length, SOUGHT_MAX + 1, 'for one that goes another is looked for')
  assert.notEqual(w.offers().at(-1), way.peer)
  w.end()
})

test('rtc: those that were met before come first, and who fails makes room for others', async () => {
  const w = await world('a')
  const known = [crowd[50], crowd[70], crowd[99]]
  for (const peer of known) w.peers.invites[peer] = [{ id: 'x' }]
  w.peers.introduced('node', crowd)
  await turn()
  for (const peer of known) assert.ok(w.offers().slice(0, known.length).includes(peer), peer)
  const [failed, pc] = [...w.peers.dialing][DIALING_MAX - 1]
  pc.fail()
  await turn()
  assert.equal(w.offers().length, DIALING_MAX + 1)
  assert.ok(!w.peers.dialing.has(failed), 'not the same at once')
  w.end()
  const few = await world('a')
  few.peers.introduced('node', crowd.slice(0, 2))
  await turn()
  few.peers.dialing.get(crowd[0]).fail()
  few.peers.introduced('node', crowd.slice(0, 2))
  await turn()
  assert.deepEqual(few.offers(), crowd.slice(0, 2).sort((a, b) => few.offers().indexOf(a) - few.offers().indexOf(b)), 'it rests')
  few.pass(500)
  await turn()
  assert.equal(few.offers().at(-1), crowd[0], 'and is tried again')
  few.end()
})

test('rtc: who comes is taken in up to a bound, whoever is there already always', async () => {
  const w = await world('z')
  const sdp = JSON.stringify({ type: 'offer', sdp: 'theirs' })
  const made = []
  globalThis.RTCPeerConnection = class extends Connection { constructor () { super(); made.push(this) } }
  for (const peer of crowd.slice(0, HELD_MAX + 8)) {
    await w.peers.signalled(peer, sdp)
    const pc = made.at(-1)
    const channel = new Channel()
    if (pc.connectionState === 'new' && pc.ondatachannel && !pc.seen) pc.seen = true, pc.ondatachannel({ channel }), channel.open()
  }
  assert.equal(held(w.peers), HELD_MAX)
  assert.equal(made.length, HELD_MAX, 'and no connection is made for others')
  await w.peers.signalled(crowd[0], sdp)
  assert.equal(made.length, HELD_MAX + 1)
  const late = new Channel() /* one that was answered before the place was taken */
  made.at(-1).ondatachannel({ channel: late })
  late.open()
  assert.equal(held(w.peers), HELD_MAX)
  w.end()
})

test('rtc: the higher ID waits for an offer, but not for ever when it has nobody', async () => {
  const w = await world('z')
  w.peers.introduced('node', crowd)
  await turn()
  assert.equal(w.offers().length, 0)
  w.pass(4000)
  await turn()
  assert.equal(w.offers().length, DIALING_MAX)
  w.end()
})
