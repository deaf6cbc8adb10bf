/* rtc: the ways to other browsers. RTCPeerConnection exists only in pages, so the page that networks holds them and lends their bytes to the worker.
 *
 * First meeting: SDP carried by whoever introduced the two (a node, or a browser that both know).
 * Meeting again after a page was reloaded and nobody is left to introduce: by standing invitation. While two are connected each prepares a spare
 * connection for the other and hands over its answer together with the ICE credentials that the other shall use; the certificate of a browser is kept,
 * so the fingerprint in a spare's offer stays true. A fresh page needs nothing but what it remembered to dial the spare: one round of ICE and DTLS.
 * A page that leaves in the middle of this would leave both sides without a spare, so the worker holds a navigation back until the ways are settled
 * (at most a second). Two pages that reload in the very same instant need somebody to introduce them again.
 *
 * A worker that is restarted (browsers stop them when they like) has forgotten what was said, but the page still holds the connections: a fresh channel
 * on each is all that is needed.
 *
 * A crowd is not met one by one: what is written goes from hand to hand, and a dozen neighbours each keep thousands together (a random graph holds with
 * about ln n). Who has more leaves it to others to come. An RTCPeerConnection costs a page some hundred KiB, two sockets and ICE's packets, and with the
 * spares there are three a peer. Those whom we met before come first, then anybody, by chance, so that a crowd does not run to the same few.
 *
 * Who the other really is, Noise proves within the channel; the fingerprints only carry it. */
import { backoffMs } from './mode.js'

const REMEMBERED_MAX = 16
const INVITE_DAYS = 7
const CERTIFICATE_DAYS = 30
const FOUND_MS = 20 /* the addresses of a machine are found within so long of each other; that there are no more is said 100 ms later */
const GATHER_MS = 1500 /* non-trickle: host candidates come at once; a slow STUN server is not waited for longer */
const CONNECT_MS = 8000
const ANSWERING_MAX = 16 /* strangers whose offers are being answered */
const SDP_MAX = 16_384
export const SOUGHT_MAX = 12 /* peers, until we look for no more */
export const HELD_MAX = 24 /* peers, with those who came to us */
export const DIALING_MAX = 6 /* first meetings under way: each may take CONNECT_MS */
const FEW = 2 /* who has fewer offers though its ID is the higher: those who should may have enough */
const PATIENCE_MS = 4000
const DISCONNECTED_MS = 4000
const STOCK = 2 /* spares a peer: a page that dies while it dials burns one */
const HEDGE_MS = 700 /* after this the next invitation is tried beside the first */
const TWINS_MS = 2000
const SETTLE_MS = 1500 /* how long a peer that reloads, or an invitation that is being made, may take */
const CHANNELS_MAX = 8 /* on one connection, while workers come and go */
const PIECE = 64 * 1024
const HIGH_WATER = 1 << 20
const DAY = 86_400_000

export class Peers {
  /** @param {{self: string, store: import('./store.js').Store, iceServers: RTCIceServer[], post: (message: object, transfer?: Transferable[]) => void}} options */
  constructor (options) {
    Object.assign(this, options)
    this.ways = new Map() /* conn -> way: {conn, peer, pc, channel, dialer, up, since, retired}; several may share a pc for a moment */
    this.coming = new Set() /* ways whose channel is not open yet */
    this.dialing = new Map() /* peer -> pc being set up by us */
    this.answering = new Map() /* peer -> pc being set up by it */
    this.spares = new Map() /* invitation ID -> {peer, pc, invitation}: waits for that peer */
    this.redialing = new Map() /* peer -> its connections being set up by invitation */
    this.epoch = crypto.randomUUID() /* of this page: what an earlier one invited to is gone */
    this.around = new Map() /* introducer -> peers it can introduce us to */
    this.met = new WeakSet() /* connections over which Noise has proved the peer */
    this.attempts = new Map() /* peer -> failed tries */
    this.resting = new Set() /* peers that are tried again in a while */
    this.patience = 0
    this.invites = {}
    this.unsettled = new Map() /* peer -> until when its return or its invitation is waited for */
    this.closed = false
  }

  async start () {
    this.certificate = await this.#certificate()
    this.invites = await this.store.get('invites') ?? {} /* peer -> invitations, the newest first */
    for (const [peer, list] of Object.entries(this.invites)) {
      this.invites[peer] = list.filter(invite => Date.now() - invite.at < INVITE_DAYS * DAY)
      this.#redial(peer)
    }
    this.#settle()
  }

  stop () {
    this.closed = true
    clearTimeout(this.patience)
    for (const pc of [...this.dialing.values(), ...this.answering.values()]) pc.close()
    for (const { pc } of this.spares.values()) pc.close()
    for (const tries of this.redialing.values()) for (const pc of tries) pc.close()
    for (const way of this.coming) way.pc.close()
    for (const way of [...this.ways.values()]) this.#lost(way)
  }

  /** The worker begins anew. */
  renew () {
    this.around.clear()
    const open = new Map() /* pc -> peer */
    for (const way of this.ways.values()) {
      if (way.retired) continue
      way.retired = true
      if (way.channel.readyState === 'open') open.set(way.pc, way.peer)
    }
    for (const [pc, peer] of open) this.#channel(pc, pc.createDataChannel('holdfast'), peer, true)
    if (!open.size) this.#settle() /* nothing is being renewed: the page may be left at once */
  }

  connected (peer) { return [...this.ways.values()].some(way => way.up && way.peer === peer) }

  /* Connected, or open and about to be proved: another way would only use up an invitation. */
  #reached (peer) { return [...this.ways.values()].some(way => !way.retired && way.peer === peer) }

  /* ---- from the worker ---- */

  introduced (via, peers) {
    this.around.set(via, peers)
    this.#seek()
  }

  /* Whoever can be introduced may write anything here. */
  async signalled (from, text) {
    const message = readSignal(text)
    if (this.closed || !message) return
    if (message.type === 'offer') await this.#answer(from, message)
    else if (message.type === 'answer') await this.dialing.get(from)?.setRemoteDescription({ type: 'answer', sdp: message.sdp }).catch(() => {})
    else if (message.type === 'invite' && this.connected(from)) await this.#remember(from, message)
  }

  send (conn, bytes) {
    const way = this.ways.get(conn)
    if (way?.channel.readyState !== 'open') return
    for (let at = 0; at < bytes.length; at += PIECE) way.channel.send(bytes.subarray(at, at + PIECE))
    if (way.channel.bufferedAmount > HIGH_WATER && !way.busy) {
      way.busy = true
      this.post({ hf: 'busy', conn, busy: true })
    }
  }

  close (conn) {
    const way = this.ways.get(conn)
    if (!way) return
    this.ways.delete(conn)
    this.#release(way)
  }

  /** Noise proved who is at the other end. */
  async proved (conn, peer) {
    const way = this.ways.get(conn)
    if (!way) return
    way.peer = peer
    way.up = true
    way.since = performance.now()
    /* The page at the other end is the same as before: what it was invited to, and we, holds. */
    if (this.met.has(way.pc)) this.#arrived(peer)
    else this.#await(peer)
    this.met.add(way.pc)
    this.attempts.delete(peer)
    for (const pc of this.redialing.get(peer) ?? []) if (pc !== way.pc) pc.close()
    this.redialing.delete(peer)
    if (way.invitation) {
      this.invites[peer] = (this.invites[peer] ?? []).filter(invite => invite.id !== way.invitation) /* used up */
      await this.#keep('invites', this.invites)
    }
    if (this.#settleTwins(way)) await this.#invite(peer, way.pc)
  }

  /* One way to a peer: the newer. When both sides dialed at the same moment each would keep another one: then that of the lower ID. false: not this one. */
  #settleTwins (way) {
    const opener = w => w.dialer ? this.self : w.peer
    for (const other of [...this.ways.values()]) {
      if (other === way || !other.up || other.peer !== way.peer) continue
      const twins = !other.retired && way.since - other.since < TWINS_MS && opener(other) < opener(way)
      this.#lost(twins ? way : other)
      if (twins) return false
    }
    return true
  }

  /* ---- first meeting ---- */

  #held () { return new Set([...this.ways.values()].filter(way => !way.retired).map(way => way.peer)).size }

  /* The lower ID offers; the other waits, and is patient only for so long. */
  #seek (patient = false) {
    if (this.closed || this.#held() >= SOUGHT_MAX) return
    const open = [...new Set([...this.around.values()].flat())].filter(peer => peer !== this.self && !this.#reached(peer) && !this.dialing.has(peer) && !this.resting.has(peer))
    const chance = new Map(open.map(peer => [peer, (this.invites[peer]?.length ? 0 : 1) + Math.random()]))
    const few = this.#held() < FEW
    for (const peer of open.sort((a, b) => chance.get(a) - chance.get(b))) {
      if (this.dialing.size >= DIALING_MAX || this.#held() + this.dialing.size >= SOUGHT_MAX) return
      if (this.self < peer || (patient && few)) this.#meet(peer)
    }
    if (few && !this.patience && open.some(peer => this.self > peer)) {
      this.patience = setTimeout(() => {
        this.patience = 0
        this.#seek(true)
      }, PATIENCE_MS)
    }
  }

  async #meet (peer) {
    const pc = this.#connection(peer)
    this.dialing.set(peer, pc)
    this.#channel(pc, pc.createDataChannel('holdfast'), peer, true)
    try {
      await pc.setLocalDescription()
      await gathered(pc)
      this.post({ hf: 'signal', to: peer, data: JSON.stringify({ type: 'offer', sdp: pc.localDescription.sdp }) })
      this.#orGiveUp(peer, pc)
    } catch (error) {
      this.#failed(peer, pc)
    }
  }

  async #answer (peer, { sdp }) {
    /* One at a time from each, and not more than there is room for. */
    this.answering.get(peer)?.close()
    this.answering.delete(peer)
    if (this.answering.size >= ANSWERING_MAX || (!this.#reached(peer) && this.#held() >= HELD_MAX)) return
    const pc = this.#connection(peer)
    this.answering.set(peer, pc)
    const done = () => { if (this.answering.get(peer) === pc) this.answering.delete(peer) }
    const giveUp = () => {
      done()
      pc.close()
    }
    const timer = setTimeout(giveUp, CONNECT_MS)
    pc.ondatachannel = event => {
      clearTimeout(timer)
      done()
      this.#channel(pc, event.channel, peer, false)
    }
    try {
      await pc.setRemoteDescription({ type: 'offer', sdp })
      await pc.setLocalDescription()
      await gathered(pc)
      this.post({ hf: 'signal', to: peer, data: JSON.stringify({ type: 'answer', sdp: pc.localDescription.sdp }) })
    } catch (error) {
      giveUp()
    }
  }

  /* ---- meeting again ---- */

  /* Spares for `peer`: each answers, in advance, the offer that its next page will make with the credentials that we choose here. */
  async #invite (peer, current) {
    const fingerprint = /a=fingerprint:(\S+ \S+)/.exec(current.remoteDescription?.sdp ?? '')?.[1]
    if (!fingerprint) return
    const mine = () => [...this.spares.values()].filter(spare => spare.peer === peer)
    await Promise.all(Array.from({ length: STOCK - mine().length }, () => this.#spare(peer, fingerprint)))
    this.#dropOldest()
    /* All of them each time: one that was sent while the other's page was changing may have reached nobody. */
    if (!this.closed) for (const spare of mine()) this.post({ hf: 'signal', to: peer, data: JSON.stringify(spare.invitation) })
  }

  async #spare (peer, fingerprint) {
    const [id, ufrag, pwd] = [randomText(8), randomText(8), randomText(24)]
    const pc = this.#connection(peer)
    const spare = { peer, pc, invitation: { type: 'invite', id, epoch: this.epoch, ufrag, pwd, sdp: '' } }
    this.spares.set(id, spare)
    pc.ondatachannel = event => {
      this.spares.delete(id)
      this.#channel(pc, event.channel, peer, false)
    }
    await pc.setRemoteDescription({ type: 'offer', sdp: offerOf(fingerprint, ufrag, pwd) })
    await pc.setLocalDescription()
    await found(pc)
    spare.invitation.sdp = pc.localDescription.sdp
    this.#complete(id, spare)
  }

  /* A page may go at any moment after it has met another: so it has the invitation at once, and once more should more addresses turn up. */
  async #complete (id, { peer, pc, invitation }) {
    await gathered(pc)
    if (this.spares.get(id)?.pc !== pc || pc.localDescription.sdp === invitation.sdp) return
    invitation.sdp = pc.localDescription.sdp
    if (this.connected(peer)) this.post({ hf: 'signal', to: peer, data: JSON.stringify(invitation) })
  }

  #dropOldest () {
    if (this.spares.size <= REMEMBERED_MAX * STOCK) return
    const [id, { pc }] = this.spares.entries().next().value
    pc.close()
    this.spares.delete(id)
  }

  async #remember (peer, { id, epoch, ufrag, pwd, sdp }) {
    if (![id, epoch, ufrag, pwd].every(word => typeof word === 'string' && /^[\w-]{1,64}$/.test(word))) return
    const others = (this.invites[peer] ?? []).filter(invite => invite.epoch === epoch && invite.id !== id)
    this.invites[peer] = [{ id, epoch, ufrag, pwd, sdp, at: Date.now() }, ...others].slice(0, STOCK)
    const all = Object.entries(this.invites).filter(([, list]) => list.length).sort((a, b) => b[1][0].at - a[1][0].at)
    this.invites = Object.fromEntries(all.slice(0, REMEMBERED_MAX))
    await this.#keep('invites', this.invites)
    if (this.invites[peer]?.length === STOCK) this.#arrived(peer)
  }

  #await (peer) {
    this.unsettled.set(peer, performance.now() + SETTLE_MS)
    this.#settle()
  }

  #arrived (peer) {
    this.unsettled.delete(peer)
    this.#settle()
  }

  /* Tells the worker for how long this page had better not be left. */
  #settle () { this.post({ hf: 'settle', ms: Math.max(0, ...[...this.unsettled.values()].map(until => until - performance.now())) }) }

  /* By invitation: the newest first, the next beside it when that takes long. */
  #redial (peer) {
    const list = this.invites[peer] ?? []
    if (this.closed || !list.length || this.#reached(peer) || this.redialing.has(peer)) return
    const tries = new Set()
    this.redialing.set(peer, tries)
    this.#await(peer)
    const next = invite => { if (this.redialing.get(peer) === tries && !this.#reached(peer)) this.#dial(peer, invite, tries) }
    list.forEach((invite, i) => setTimeout(next, i * HEDGE_MS, invite))
    setTimeout(() => {
      if (this.redialing.get(peer) !== tries) return
      this.redialing.delete(peer)
      for (const pc of tries) pc.close()
      this.#again(peer)
    }, list.length * HEDGE_MS + CONNECT_MS)
  }

  async #dial (peer, { id, ufrag, pwd, sdp }, tries) {
    const pc = this.#connection(peer)
    tries.add(pc)
    this.#channel(pc, pc.createDataChannel('holdfast'), peer, true, id)
    try {
      const offer = await pc.createOffer()
      await pc.setLocalDescription({ type: 'offer', sdp: withCredentials(offer.sdp, ufrag, pwd) })
      await pc.setRemoteDescription({ type: 'answer', sdp })
    } catch (error) {
      pc.close()
    }
  }

  /* ---- a connection ---- */

  #connection (peer) {
    const pc = new RTCPeerConnection({ certificates: [this.certificate], iceServers: this.iceServers })
    let timer = 0
    pc.ondatachannel = event => this.#channel(pc, event.channel, peer, false) /* its worker was restarted */
    pc.onconnectionstatechange = () => {
      clearTimeout(timer)
      if (pc.connectionState === 'failed') this.#failed(peer, pc)
      if (pc.connectionState === 'disconnected') timer = setTimeout(() => this.#failed(peer, pc), DISCONNECTED_MS)
    }
    return pc
  }

  #channel (pc, channel, peer, dialer, invitation = null) {
    /* Odd: the worker's own connections are even. */
    const way = { conn: crypto.getRandomValues(new Uint32Array(1))[0] >>> 1 | 1, peer, pc, channel, dialer, invitation, up: false, since: 0, retired: false, busy: false }
    this.coming.add(way)
    channel.binaryType = 'arraybuffer'
    channel.bufferedAmountLowThreshold = HIGH_WATER / 4
    channel.onopen = () => {
      this.coming.delete(way)
      if (this.dialing.get(peer) === pc) this.dialing.delete(peer)
      if (this.closed || (!this.#reached(peer) && this.#held() >= HELD_MAX)) return pc.close()
      if ([...this.ways.values()].filter(other => other.pc === pc).length >= CHANNELS_MAX) return channel.close()
      this.ways.set(way.conn, way)
      /* Its worker was restarted: whatever it said before on that connection is over. (It is not for the side that opens to say so: its close may overtake
       * the opening, and the connection would go with its last channel.) */
      if (!dialer) for (const other of [...this.ways.values()]) if (other !== way && other.pc === pc && (other.up || !other.dialer)) this.#lost(other)
      this.post({ hf: 'open', conn: way.conn, dialer, peer })
      this.#seek() /* a place among those under way is free */
      setTimeout(() => { if (!way.up && !way.retired) this.#silent(way) }, CONNECT_MS)
    }
    channel.onmessage = event => { if (!way.retired) this.post({ hf: 'data', conn: way.conn, bytes: event.data }, [event.data]) }
    channel.onbufferedamountlow = () => {
      if (!way.busy) return
      way.busy = false
      this.post({ hf: 'busy', conn: way.conn, busy: false })
    }
    channel.onclose = () => {
      this.coming.delete(way)
      this.#lost(way)
    }
  }

  /* The connection goes with the last channel on it; one that is opening counts: the close of the one before may overtake it. */
  #release (way) {
    way.channel.close()
    if (![...this.ways.values(), ...this.coming].some(other => other.pc === way.pc)) way.pc.close()
  }

  /* Open, and nobody there who proves who it is. */
  #silent (way) {
    for (const other of [...this.ways.values()]) if (other === way || (other.retired && other.pc === way.pc)) this.#lost(other)
  }

  #lost (way) {
    const known = this.ways.delete(way.conn)
    this.#release(way)
    if (!known) return
    this.post({ hf: 'lost', conn: way.conn })
    if (this.closed || this.connected(way.peer)) return
    if (way.up && !way.retired) this.#await(way.peer)
    this.#again(way.peer)
  }

  #failed (peer, pc) {
    pc.close()
    for (const way of this.coming) if (way.pc === pc) this.coming.delete(way)
    for (const [id, spare] of this.spares) if (spare.pc === pc) this.spares.delete(id)
    for (const way of [...this.ways.values()]) if (way.pc === pc) this.#lost(way)
    if (this.dialing.get(peer) !== pc) return
    this.dialing.delete(peer)
    if (!this.closed) this.#again(peer)
  }

  /* Later, with patience: through whoever introduces us then, or by invitation. */
  #again (peer) {
    const attempt = this.attempts.get(peer) ?? 0
    this.attempts.set(peer, attempt + 1)
    this.resting.add(peer)
    this.#seek() /* others meanwhile */
    setTimeout(() => {
      this.resting.delete(peer)
      if (this.closed || this.#reached(peer)) return
      if (!this.invites[peer]?.length && ![...this.around.values()].some(peers => peers.includes(peer))) this.attempts.delete(peer) /* nobody knows it any more */
      this.#seek()
      this.#redial(peer) /* whoever introduced us may be gone, too */
    }, backoffMs(attempt, Math.random(), 60_000, 250))
  }

  #orGiveUp (peer, pc) {
    setTimeout(() => { if (this.dialing.get(peer) === pc) this.#failed(peer, pc) }, CONNECT_MS)
  }

  async #certificate () {
    const kept = await this.store.get('certificate')
    if (kept && kept.expires > Date.now() + INVITE_DAYS * DAY) return kept
    const fresh = await RTCPeerConnection.generateCertificate({ name: 'ECDSA', namedCurve: 'P-256', expires: CERTIFICATE_DAYS * DAY })
    await this.#keep('certificate', fresh)
    return fresh
  }

  /* Where there is no room to remember, this page meets others all the same. */
  #keep (key, value) { return this.store.set(key, value).catch(() => {}) }
}

async function found (pc) {
  await Promise.race([gathered(pc), new Promise(resolve => pc.addEventListener('icecandidate', resolve, { once: true }))])
  if (pc.iceGatheringState !== 'complete') await new Promise(resolve => setTimeout(resolve, FOUND_MS))
}

function gathered (pc) {
  if (pc.iceGatheringState === 'complete') return Promise.resolve()
  return new Promise(resolve => {
    const timer = setTimeout(resolve, GATHER_MS)
    pc.addEventListener('icegatheringstatechange', () => {
      if (pc.iceGatheringState !== 'complete') return
      clearTimeout(timer)
      resolve()
    })
  })
}

const randomText = bytes => [...crypto.getRandomValues(new Uint8Array(bytes))].map(b => b.toString(16).padStart(2, '0')).join('')

const withCredentials = (sdp, ufrag, pwd) =>
  sdp.replace(/a=ice-ufrag:.*/g, `a=ice-ufrag:${ufrag}`).replace(/a=ice-pwd:.*/g, `a=ice-pwd:${pwd}`)

/* null: nothing that we understand. */
function readSignal (text) {
  try {
    const message = JSON.parse(text)
    return typeof message?.sdp === 'string' && message.sdp.length <= SDP_MAX ? message : null
  } catch {
    return null
  }
}

/* RFC 8841: the smallest offer of a data channel. No candidates: the dialer's address shows in its first packet. */
const offerOf = (fingerprint, ufrag, pwd) => [
  'v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0', 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0',
  `a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`, `a=fingerprint:${fingerprint}`, 'a=setup:actpass', 'a=mid:0', 'a=sctp-port:5000',
  'a=max-message-size:262144', ''
].join('\r\n')
