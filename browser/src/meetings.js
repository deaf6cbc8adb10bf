/* meetings: other libp2p peers, met at circuit relays: links to the relays, a reservation at each, calls, and the WebRTC connections that come of them.
 * The core speaks; a page holds the RTCPeerConnections (webrtc.js). */
import { Again } from './again.js'
import { Links } from './links.js'

const DIAL_MS = 30_000
const LINGER_MS = 10_000 /* a relay that was only there to dial over is kept while the other side ends what was said over it */
const TRIES = 2 /* a first try of two peers that have just met fails now and then */

const THROUGH_RELAY = 2 ** 31 /* connections from here on are the core's own */

const RELAY = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d+)\/(ws|wss|tls\/ws|tls\/sni\/[^/]+\/ws)\/p2p\/(\w+)$/

/** The WebSocket of a relay's multiaddr, {url, peer}; null: not one that a browser can reach. */
export function readRelay (address) {
  const [, family, host, port, carrier, peer] = RELAY.exec(address) ?? []
  if (!peer) return null
  return { url: `${carrier === 'ws' ? 'ws' : 'wss'}://${family === 'ip6' ? `[${host}]` : host}:${port}/`, peer }
}

export class Meetings {
  /** @param {import('./replica.js').Replica} replica
   *  @param {string[]} relays multiaddrs
   *  @param {{peer: string, address: string, at: number}[]} dialled whom pages dialled in earlier lives */
  constructor (replica, relays, dialled = []) {
    this.replica = replica
    this.relays = relays
    this.borrowed = new Map() /* address of a relay that is only there to dial over -> dials */
    this.addresses = [] /* where others reach us */
    this.conns = new Map() /* conn of channels -> session */
    this.dials = new Map() /* peer -> {relay, tries, done(error?), promise}, until it is up */
    this.sessions = new Set() /* that a page is setting up */
    this.again = new Again(address => this.#reach(address), list => { replica.store.set('dialled', list).catch(() => {}) }, dialled)
    this.links = new Links({
      opened: (conn, url, peer) => this.replica.open(conn, true, peer),
      data: (conn, bytes) => this.replica.recv(conn, bytes),
      lost: (conn) => this.replica.lost(conn),
      busy: (conn, busy) => this.replica.busy(conn, busy)
    }, 4)
  }

  get core () { return this.replica.core }

  connect () {
    const all = [...new Set([...this.relays, ...this.borrowed.keys()])]
    this.links.want(all.map(readRelay))
  }

  /** Is it a connection to a relay, through one, or of channels? */
  has (conn) { return this.conns.has(conn) || this.links.has(conn) || conn >= THROUGH_RELAY }

  /** Another page holds the connections from now on. What the one before it was setting up comes to nothing. */
  pageCame () {
    for (const session of this.sessions) this.core.rtcFailed(session)
    this.sessions.clear()
    this.again.now()
    this.replica.pump()
  }

  stop () {
    this.again.stop()
    this.links.stop()
    for (const dial of this.dials.values()) dial.done(new Error('this replica was closed'))
  }

  /* ---- from the core ---- */

  up (conn, peer) {
    if (this.links.has(conn)) {
      if (this.relays.some(address => readRelay(address).peer === peer)) this.core.reserve(peer)
      for (const [target, dial] of this.dials) if (dial.relay.peer === peer) this.#meet(target, dial)
    } else if (this.conns.has(conn)) this.dials.get(peer)?.done()
  }

  down (conn, peer) {
    this.conns.delete(conn)
    this.again.lost(peer)
  }

  take (out) {
    if (out.kind === 'rtcEnded') this.sessions.delete(out.session)
    else if (out.session) this.sessions.add(out.session)
    if (out.kind === 'reachable') {
      this.addresses = new TextDecoder().decode(out.bytes).split('\n').filter(Boolean)
      this.replica.on.status()
    } else if (out.kind === 'rtcCall') this.replica.on.rtc(out.session, 'call', '')
    else if (out.kind === 'rtcHeard') this.replica.on.rtc(out.session, out.type, new TextDecoder().decode(out.bytes))
    else {
      if (out.session) this.replica.on.rtc(out.session, 'ended', '')
      this.#again(out.peer, out.reason)
    }
  }

  /* ---- dialling ---- */

  /** "RELAY/p2p-circuit/webrtc/p2p/PEER": resolves with the peer when it is connected. It is kept so, then. */
  async dial (address) {
    const peer = await this.#reach(address)
    this.again.add(peer, address)
    return peer
  }

  async #reach (address) {
    const [, at, peer] = /^(.+)\/p2p-circuit\/webrtc\/p2p\/(\w+)$/.exec(address) ?? []
    const relay = at && readRelay(at)
    if (!relay) throw new Error('not the address of a peer at a relay that a browser can reach')
    const under = this.dials.get(peer)?.promise
    if (under) return under
    if ([...this.replica.conns].some(([conn, c]) => c.peer === peer && conn < THROUGH_RELAY)) return peer
    this.borrowed.set(at, (this.borrowed.get(at) ?? 0) + 1)
    const dial = { relay, tries: 0 }
    dial.promise = new Promise((resolve, reject) => {
      const timer = setTimeout(() => dial.done(new Error('it took too long')), DIAL_MS)
      dial.done = error => {
        clearTimeout(timer)
        this.dials.delete(peer)
        setTimeout(() => this.#giveBack(at), LINGER_MS)
        if (error) reject(error)
        else resolve(peer)
      }
    })
    this.dials.set(peer, dial)
    this.connect()
    if ([...this.replica.conns].some(([conn, c]) => c.peer === relay.peer && this.links.has(conn))) this.#meet(peer, dial)
    this.replica.pump()
    return dial.promise
  }

  #meet (peer, dial) {
    dial.tries++
    const why = this.core.meet(dial.relay.peer, peer)
    if (why === 'exists') dial.done()
    else if (why) dial.done(new Error(why))
  }

  #again (peer, reason) {
    const dial = this.dials.get(peer)
    if (!dial) return
    if (dial.tries < TRIES) this.#meet(peer, dial)
    else dial.done(new Error(reason))
  }

  #giveBack (at) {
    const n = this.borrowed.get(at) - 1
    if (n) this.borrowed.set(at, n)
    else this.borrowed.delete(at)
    if (!this.replica.closed) this.connect()
  }

  /* ---- from the page ---- */

  /* A candidate that cannot be said any more may not be needed. */
  say (session, type, text) {
    const said = type !== 'failed' && this.core.rtcSay(session, type, text)
    if (!said && type !== 'candidate') this.core.rtcFailed(session)
    this.replica.pump()
  }

  failed (session) { this.say(session, 'failed', '') }

  /** false: the page closes it. */
  opened (session, conn) {
    this.sessions.delete(session)
    this.conns.set(conn, session) /* before the core tells that the peer is up */
    const known = this.core.rtcUp(session, conn)
    if (!known) this.conns.delete(conn)
    this.replica.pump()
    return known
  }

  channel (conn, { op, channel, bytes, busy }) {
    if (op === 'open') this.core.channelOpened(conn, channel)
    else if (op === 'message') this.core.channelRecv(conn, channel, new Uint8Array(bytes))
    else if (op === 'close') this.core.channelClosed(conn, channel)
    else if (op === 'busy') this.core.channelBusy(conn, channel, busy)
    this.replica.pump()
  }
}
