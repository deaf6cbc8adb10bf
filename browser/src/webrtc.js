/* webrtc: WebRTC connections by libp2p's rules (libp2p/specs webrtc/webrtc.md): every stream is a data channel. The worker's core says what goes over
 * them and speaks with the peer that they are set up with; here are the RTCPeerConnections, which workers do not have.
 * Records from the core: channel u32 big endian, op u8 (1 open, 2 message, 3 close), length u32, bytes. */

const HIGH_WATER = 1 << 20
const DISCONNECTED_MS = 4000
const OPEN = 1
const MESSAGE = 2
const CLOSE = 3

export class WebRtc {
  /** @param {{iceServers: RTCIceServer[], post: (message: object, transfer?: Transferable[]) => void}} options */
  constructor (options) {
    Object.assign(this, options)
    this.links = new Map() /* session -> link: {session, conn, pc, channels, n, early, init, timer} */
    this.byConn = new Map() /* conn -> link that is up */
  }

  has (conn) { return this.byConn.has(conn) }

  stop () {
    const gone = [...this.links.values()]
    this.links.clear()
    this.byConn.clear()
    for (const link of gone) link.pc.close()
  }

  /* ---- setting up ---- */

  /** 'call': offer; 'offer', 'answer', 'candidate': what the peer said; 'ended': it came to nothing. */
  async heard (session, type, text) {
    const link = this.links.get(session)
    try {
      if (type === 'call') await this.#offer(this.#link(session))
      else if (type === 'offer') await this.#answer(this.#link(session), text)
      else if (type === 'answer') await link?.pc.setRemoteDescription({ type: 'answer', sdp: text })
      else if (type === 'candidate') await this.#candidate(link, text)
      else if (link && !link.conn) this.#lost(link)
    } catch (error) {
      const failed = this.links.get(session)
      if (failed && !failed.conn) this.#lost(failed)
    }
  }

  async #offer (link) {
    link.init = link.pc.createDataChannel('init') /* so that there is something to negotiate */
    const offer = await link.pc.createOffer()
    this.post({ hf: 'rtc', session: link.session, type: 'offer', text: offer.sdp }) /* before any candidate */
    await link.pc.setLocalDescription(offer)
  }

  async #answer (link, sdp) {
    await link.pc.setRemoteDescription({ type: 'offer', sdp })
    const answer = await link.pc.createAnswer()
    this.post({ hf: 'rtc', session: link.session, type: 'answer', text: answer.sdp })
    await link.pc.setLocalDescription(answer)
  }

  /* One that does not fit is no reason to give the others up. */
  async #candidate (link, text) {
    const candidate = JSON.parse(text)
    if (!candidate || typeof candidate.candidate !== 'string') return /* there are no more */
    await link?.pc.addIceCandidate({ ...candidate, candidate: candidate.candidate.replace(/^a=/, '') }).catch(() => {})
  }

  #link (session) {
    const pc = new RTCPeerConnection({ iceServers: this.iceServers })
    const link = { session, conn: 0, pc, channels: new Map(), n: 0, early: [], init: null, timer: 0 }
    this.links.set(session, link)
    pc.onicecandidate = ({ candidate }) => {
      if (!link.conn) this.post({ hf: 'rtc', session, type: 'candidate', text: JSON.stringify(candidate?.toJSON() ?? null) })
    }
    pc.ondatachannel = ({ channel }) => {
      if (channel.label === 'init') return channel.close()
      const number = ++link.n /* not channel.id: that is used again, and what the core says of the old one may be on its way */
      this.#channel(link, channel, number)
      this.#tell(link, { op: 'open', channel: number })
    }
    pc.onconnectionstatechange = () => {
      clearTimeout(link.timer)
      if (pc.connectionState === 'connected') this.#up(link)
      if (pc.connectionState === 'failed' || pc.connectionState === 'closed') this.#lost(link)
      if (pc.connectionState === 'disconnected') link.timer = setTimeout(() => this.#lost(link), DISCONNECTED_MS)
    }
    return link
  }

  #up (link) {
    if (link.conn || this.links.get(link.session) !== link) return
    link.conn = crypto.getRandomValues(new Uint32Array(1))[0] >>> 1 | 1 /* odd: the worker's own are even */
    this.byConn.set(link.conn, link)
    link.init?.close()
    this.post({ hf: 'rtcUp', session: link.session, conn: link.conn })
    for (const [message, transfer] of link.early.splice(0)) this.#tell(link, message, transfer)
  }

  /* The peer may open channels before we see that we are connected. */
  #tell (link, message, transfer = []) {
    if (link.conn) this.post({ hf: 'channel', conn: link.conn, ...message }, transfer)
    else link.early.push([message, transfer])
  }

  #lost (link) {
    clearTimeout(link.timer)
    if (this.links.get(link.session) !== link) return
    this.links.delete(link.session)
    this.byConn.delete(link.conn)
    link.pc.close()
    if (link.conn) this.post({ hf: 'lost', conn: link.conn })
    else this.post({ hf: 'rtc', session: link.session, type: 'failed', text: '' })
  }

  /* ---- channels ---- */

  #channel (link, channel, number) {
    const state = { channel, queue: [], busy: false }
    link.channels.set(number, state)
    channel.binaryType = 'arraybuffer'
    channel.bufferedAmountLowThreshold = HIGH_WATER / 4
    channel.onopen = () => { for (const bytes of state.queue.splice(0)) channel.send(bytes) }
    channel.onmessage = ({ data }) => {
      if (typeof data !== 'string' && link.channels.get(number) === state) this.#tell(link, { op: 'message', channel: number, bytes: data }, [data])
    }
    channel.onbufferedamountlow = () => {
      if (!state.busy) return
      state.busy = false
      this.#tell(link, { op: 'busy', channel: number, busy: false })
    }
    channel.onclose = () => {
      if (link.channels.get(number) !== state) return
      link.channels.delete(number)
      this.#tell(link, { op: 'close', channel: number })
    }
  }

  /** Records. */
  send (conn, bytes) {
    const link = this.byConn.get(conn)
    if (!link) return
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < bytes.length;) {
      const [number, op, length] = [view.getUint32(at), view.getUint8(at + 4), view.getUint32(at + 5)]
      this.#record(link, number, op, bytes.subarray(at + 9, at + 9 + length))
      at += 9 + length
    }
  }

  #record (link, number, op, bytes) {
    if (op === OPEN) return this.#channel(link, link.pc.createDataChannel(''), number)
    const state = link.channels.get(number)
    if (!state) return
    const { channel } = state
    if (op === CLOSE) {
      link.channels.delete(number)
      channel.close()
    } else if (op === MESSAGE && channel.readyState === 'connecting') state.queue.push(bytes.slice())
    else if (op === MESSAGE && channel.readyState === 'open') this.#write(link, number, state, bytes)
  }

  #write (link, number, state, bytes) {
    state.channel.send(bytes)
    if (state.busy || state.channel.bufferedAmount <= HIGH_WATER) return
    state.busy = true
    this.#tell(link, { op: 'busy', channel: number, busy: true })
  }

  close (conn) {
    const link = this.byConn.get(conn)
    if (!link) return
    this.links.delete(link.session)
    this.byConn.delete(conn)
    clearTimeout(link.timer)
    link.pc.close()
  }
}
