/* pages: what the worker and its pages say to each other. Pages show, and one of them, the networker, lends its connections to other browsers.
 * The messages are listed in docs/reference/browser.md. */
import { Leaving } from './leaving.js'

const RUN = crypto.randomUUID() /* the browser stops and starts workers as it likes: what one knows another does not */
/* A page that is left while it renews its ways to others would cut them for good: with no node to introduce them again its navigation waits a moment. */
const SETTLE_MAX_MS = 1200
/* A networker that says nothing for so long hangs: its turn goes to a page that is looked at. (One with open connections is never throttled as much.) */
const SILENT_MS = 12_000
const DATABASE_CALLS = ['open', 'create', 'close', 'list', 'info', 'rows', 'row', 'append', 'grant', 'revoke', 'granted'] /* of opened.js */

export class Pages {
  #networker = null /* client ID */
  #heardAt = 0 /* from it */
  #borrowed = new Set() /* its connections */
  #shown = '' /* the status last told */
  #changedAt = -Infinity

  /** @param {{mode: import('./mode.js').Mode, release: string, replica: () => Promise<import('./replica.js').Replica>,
   *           opening: () => Promise<import('./replica.js').Replica> | null, retired: () => boolean, broken: () => string, probe: () => Promise<void>,
   *           learnNodes: (open: import('./replica.js').Replica) => Promise<void>}} options
   *  replica() opens it, opening() does not; retired(): a newer worker takes over; broken(): why the replica could not be opened */
  constructor (options) {
    Object.assign(this, options)
    this.leavings = new Leaving((peer, message) => { this.opening()?.then(open => open.signal(peer, message), () => {}) })
    /* A worker that has just started: whoever holds connections for an earlier one shall say so. */
    this.toAll({ hf: 'net?', run: RUN })
  }

  hear (event) {
    const { data, source } = event
    const act = MESSAGES[data?.hf]
    if (!act || this.retired()) return
    if (source.id === this.#networker) this.#heardAt = performance.now()
    event.waitUntil(Promise.resolve(act.call(this, data, source, event.ports[0])).catch(error => source.postMessage({ hf: 'error', of: data.hf, error: String(error) })))
  }

  async toNetworker (message) {
    const client = this.#networker && await self.clients.get(this.#networker)
    if (client) client.postMessage(message)
    return Boolean(client)
  }

  async toAll (message) {
    for (const client of await self.clients.matchAll()) client.postMessage(message)
  }

  changed () {
    this.#changedAt = Date.now()
    this.toAll({ hf: 'changed' })
  }

  async tellStatus () {
    const open = await Promise.resolve(this.opening()).catch(() => null)
    if (this.retired()) return
    const { mode } = this
    const status = {
      hf: 'status',
      mode: mode.mode,
      behind: mode.nodeFirst && !open?.merged, /* what the node shows is more than what the replica shows */
      peers: open?.browsers ?? 0,
      nodes: open?.links.connected ?? 0,
      pending: open?.pending ?? 0,
      copies: open?.copies ?? 0,
      lastSync: open?.lastSync ?? 0,
      override: mode.override,
      failed: open ? String(open.failed ?? '') : this.broken(),
      addresses: open?.meetings.addresses ?? [] /* where libp2p peers reach this browser */
    }
    const text = JSON.stringify(status)
    if (text === this.#shown) return
    this.#shown = text
    await this.toAll(status)
  }

  /** There is another replica now: what pages hold for the last one is nothing to it. */
  renew () {
    this.#borrowed.clear()
    this.toAll({ hf: 'net?', run: RUN })
  }

  /** Resolves when a page may be left. */
  async leaving () {
    const open = await Promise.resolve(this.opening()).catch(() => null)
    await this.leavings.may(open ? open.browserPeers : [])
  }

  /** What browsers say to each other: about leaving it is for us, the rest is the page's business. */
  signalled (from, data) {
    this.opening()?.then(open => {
      const type = /^\{"type":"(leaving|stay)"\}$/.exec(data)?.[1]
      /* Nobody else makes us wait. */
      if (!type) this.toNetworker({ hf: 'signal', from, data })
      else if (open.browserPeers.includes(from)) this.leavings.heard(open.self, from, type)
    }, () => {})
  }

  /* ---- from pages ---- */

  async hello ({ release, at }, client) {
    client.postMessage({ hf: 'welcome', release: this.release, run: RUN, same: release === this.release })
    if (this.#changedAt >= at) client.postMessage({ hf: 'changed' }) /* after its page was made, before it could be told */
    this.#shown = ''
    await this.tellStatus()
  }

  async alive ({ visible, onLine }, client) {
    this.mode.onLine = onLine
    if (!this.#networker) client.postMessage({ hf: 'net?', run: RUN }) /* this worker is new: does that page hold connections for an earlier one? */
    else if (visible && client.id !== this.#networker && performance.now() - this.#heardAt > SILENT_MS) client.postMessage({ hf: 'take', run: RUN })
    const open = await this.replica()
    open.links.visible = visible
    open.tick()
    if (!this.mode.node || !open.links.connected) await this.probe()
    await this.tellStatus()
  }

  async hurry ({ onLine, slept }) {
    this.mode.onLine = onLine
    const open = await this.replica()
    open.links.hurry(slept)
    if (!this.mode.node) await this.probe()
    await this.tellStatus()
  }

  /* This page networks now; what an earlier one held is gone. */
  async net (_, client) {
    const open = await this.replica()
    await open.whole
    this.#return(open)
    this.#networker = client.id
    this.#heardAt = performance.now()
    this.leavings.page(SETTLE_MAX_MS) /* until the page says better */
    client.postMessage({ hf: 'net', self: open.self })
    open.meetings.pageCame()
    for (const [via, peers] of open.introductions) client.postMessage({ hf: 'introduced', via, peers }) /* those that came before the page */
    await this.learnNodes(open)
  }

  /* It networks no more. */
  async away (_, client) {
    if (client.id !== this.#networker) return
    this.#networker = null
    this.leavings.page(0)
    this.#return(await this.replica())
    await this.tellStatus()
  }

  #return (open) {
    for (const conn of this.#borrowed) open.lost(conn)
    this.#borrowed.clear()
  }

  async open ({ conn, dialer, peer }, client) {
    const open = await this.replica()
    if (client.id !== this.#networker) return client.postMessage({ hf: 'net?', run: RUN })
    this.#borrowed.add(conn)
    open.open(conn, dialer, peer)
  }

  async data ({ conn, bytes }, client) {
    const open = await this.replica()
    if (!this.#borrowed.has(conn)) return client.postMessage({ hf: 'net?', run: RUN })
    open.recv(conn, new Uint8Array(bytes))
  }

  settle ({ ms }, client) { if (client.id === this.#networker) this.leavings.page(ms) }
  async lost ({ conn }) { if (this.#borrowed.delete(conn)) (await this.replica()).lost(conn) }
  async busy ({ conn, busy }) { if (this.#borrowed.has(conn)) (await this.replica()).busy(conn, busy) }
  async signal ({ to, data }) { (await this.replica()).signal(to, data) }

  /* An RTCPeerConnection of that page has something to say to the peer that it is set up with; then it is up, with channels. */
  async rtc ({ session, type, text }) { (await this.replica()).meetings.say(session, type, text) }

  async rtcUp ({ session, conn }, client) {
    const open = await this.replica()
    if (client.id === this.#networker) this.#borrowed.add(conn)
    if (client.id === this.#networker && open.meetings.opened(session, conn)) return
    this.#borrowed.delete(conn)
    client.postMessage({ hf: 'close', conn })
  }

  async channel ({ conn, ...told }, client) {
    const open = await this.replica()
    if (!this.#borrowed.has(conn)) return client.postMessage({ hf: 'close', conn })
    open.meetings.channel(conn, told)
  }

  /* Any libp2p peer that waits at a relay: RELAY/p2p-circuit/webrtc/p2p/PEER. */
  async dial ({ address }, client) {
    const open = await this.replica()
    await open.whole
    const reply = await open.meetings.dial(address).then(peer => ({ peer }), error => ({ error: String(error.message ?? error) }))
    client.postMessage({ hf: 'dialled', address, ...reply })
  }

  async override ({ value }) {
    this.mode.override = value === 'local' ? 'local' : 'auto'
    await this.tellStatus()
    await (await this.replica()).store.set('override', this.mode.override)
    await this.tellStatus()
  }

  /* Databases added at run time; the answer goes through a port of the question's own. */
  async db ({ call, args }, _, port) {
    try {
      if (!DATABASE_CALLS.includes(call)) throw new Error(`${call}: no such call`)
      port.postMessage({ value: await (await this.replica()).opened[call](...args) })
    } catch (error) {
      port.postMessage({ error: error.message })
    }
  }

  async backup (_, client) {
    const open = await this.replica()
    client.postMessage({ hf: 'backup', secrets: open.secrets })
  }
}

const { hello, alive, hurry, net, away, open, data, settle, lost, busy, signal, rtc, rtcUp, channel, dial, override, db, backup } = Pages.prototype
const MESSAGES = Object.assign(Object.create(null), { hello, alive, hurry, net, away, open, data, settle, lost, busy, signal, rtc, rtcUp, channel, dial, override, db, backup })
