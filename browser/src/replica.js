/* replica: the browser's peer: the core over IndexedDB, links to nodes of its own, and the ways to other browsers that a page lends it.
 * One in a browser profile: it runs only while it holds the writer's lock, since one identity must never write in two places. */
import { Core } from './core.js'
import { Links } from './links.js'
import { Meetings, readRelay } from './meetings.js'
import { Opened } from './opened.js'
import { Store } from './store.js'
import { Warm } from './warm.js'

const WRITER_LOCK = 'holdfast-writer'
const UNSAID_MAX = 8
const RETRY_MS = 250 /* a store that refused is asked again, then after twice as long, */
const CLOSE_MS = 2000 /* what is being committed is not waited for any longer when the replica is closed */
const RETRY_MAX_MS = 5000 /* and at least so often */

/** The WebSocket of the node at an http(s) address. */
export const linkOf = address => address.replace(/^http/, 'ws').replace(/\/$/, '') + '/p2p'

export class Replica {
  /** @param {{module: () => Promise<WebAssembly.Module>, bundle: () => Promise<Uint8Array>, release: string, script: string,
   *           origin: string, mode: import('./mode.js').Mode, on: object}} options
   *  on: send(conn, bytes) and close(conn, reason) for connections that a page holds, changed(), peer(conn, peer), introduced(via, peers),
   *  signal(from, text), database(address) of one added at run time, whose state or content changed, rtc(session, type, text) for RTCPeerConnections that a page holds,
   *  status(), linked() when the link to the origin's node is up, alone() when the last link to a node is gone, lost() when its store was taken away */
  static async open (options) {
    const replica = new Replica()
    Object.assign(replica, options)
    replica.unlock = await replica.#lock()
    try {
      await replica.#open(options)
    } catch (error) {
      replica.store?.close()
      replica.unlock()
      throw error
    }
    return replica
  }

  async #open (options) {
    this.store = await Store.open()
    const [module, bundle, secrets, nodes, unsent, relays, dialled] = await Promise.all([
      options.module(), options.bundle(), this.store.get('secrets'), this.store.get('nodes'), this.store.get('unsent'), this.store.get('relays'), this.store.get('dialled')
    ])
    this.core = await Core.load(module)
    /* Durable before it is used: a browser that forgot who it was would write under two names. */
    this.secrets = secrets ?? await this.store.setOnce('secrets', this.core.secrets())
    this.core.start({ secrets: this.secrets, release: options.release, script: options.script, bundle, agent: 'holdfast/0.1.0 browser' })
    this.#describe()
    const kept = await this.warm.load()
    this.core.ready()
    this.siblings = nodes ?? []
    this.carried = unsent ?? {}
    this.store.lost = () => this.#storeLost()
    if (this.store.gone) throw new Error('the database was taken away while it was read')
    this.links = new Links({
      opened: (conn, url, peer) => this.open(conn, true, peer),
      data: (conn, bytes) => this.recv(conn, bytes),
      lost: (conn, url) => {
        this.mode.linkDown(url, performance.now())
        this.lost(conn)
        if (!this.links.connected) this.on.alone()
      },
      busy: (conn, busy) => { this.core.busy(conn, busy); this.pump() }
    })
    this.meetings = new Meetings(this, relays ?? [], dialled)
    this.pump()
    /** Resolves when all blocks are at hand. Pages are made before that; peers, who may ask for any block, are met after it. */
    this.whole = this.warm.fill(kept).then(done => { if (!done) this.#storeLost() }) /* then it is opened anew when somebody needs it */
  }

  constructor () {
    this.waiting = [] /* {seq, resolve, reject}: callers that wait for a write to be durable */
    this.batch = [] /* records that no transaction has taken yet */
    this.committing = false
    this.stored = 0
    this.lastSeq = 0
    this.closed = false
    this.idle = () => {} /* called when nothing waits for the store any more */
    this.conns = new Map() /* conn -> {peer, node: boolean, level: boolean, merged: databases that were level once} */
    this.unsaid = new Map() /* peer -> signals for it that wait */
    this.introductions = new Map() /* peer -> peers that it can introduce us to */
    this.timer = 0
    this.timerAt = Infinity
    this.lastSync = 0
    this.refusals = 0 /* in a row */
    this.failed = null /* the store refuses to write: until it does, nothing of ours is written or acknowledged */
    this.carried = {} /* database address -> own entries of an earlier life that nobody may have yet */
    this.written = {} /* the same, of this life: what is kept for the next */
    this.warm = new Warm(this)
    this.opened = new Opened(this)
  }

  #lock () {
    return new Promise(resolve => {
      navigator.locks.request(WRITER_LOCK, () => new Promise(release => resolve(release)))
    })
  }

  #describe () {
    const described = this.core.describe()
    this.self = described.peerId
    this.addresses = Object.values(described.databases) /* database number n is addresses[n - 1] */
  }

  /* The number of a database; 0: of a collection that this release does not have, or closed: its blocks are kept, not shown. */
  numberOf (address) {
    const app = this.addresses.indexOf(address) + 1
    for (let n = app || this.addresses.length + 1; n <= this.core.databases; n++) if (this.core.address(n) === address) return n
    return 0
  }

  addressOf (number) { return this.addresses[number - 1] ?? this.core.address(number) }

  /** Remembers the other nodes of the app, and the relays where others may find us, and holds links to all of them. */
  async nodes (list, relays) {
    this.siblings = list
    this.meetings.relays = relays.filter(readRelay)
    this.connect()
    await this.store.set('nodes', list)
    await this.store.set('relays', this.meetings.relays)
  }

  connect () {
    const own = { url: linkOf(this.origin), peer: '' }
    const others = this.siblings.map(n => ({ url: n.url, peer: n.peer })).filter(n => n.url !== own.url)
    this.whole.then(() => {
      if (this.closed) return
      this.links.want([own, ...others])
      this.meetings.connect()
    })
  }

  /* ---- requests ---- */

  /** @returns {Promise<{status: number, headers: [string, string][], body: Uint8Array, seq: number, written: Uint8Array | null}>} resolved when durable */
  async handle (request) {
    const writes = request.method !== 'GET' && request.method !== 'HEAD'
    const handle = () => {
      const answer = this.core.handle({ origin: this.origin, ...request })
      if (answer.seq) answer.written = this.core.written(answer.seq)
      return answer
    }
    if (writes) return this.write(handle)
    if (this.closed) throw this.failed ?? new Error('this replica is closed')
    const answer = handle()
    this.pump()
    if (answer.seq) await this.durable(answer.seq)
    return answer
  }

  /** `act` writes, and answers with the sequence number of what it wrote, or 0. Resolves to its answer when that is durable. */
  async write (act) {
    if (this.closed || this.failed) throw this.failed ?? new Error('this replica is closed')
    this.writing = true
    try {
      const answer = act()
      this.pump()
      this.writing = false
      if (answer.seq) await this.durable(answer.seq)
      return answer
    } finally {
      this.writing = false
    }
  }

  /** Nothing is on its way to the store. */
  get quiet () { return !this.closed && !this.committing && !this.failed && this.batch.length === 0 }

  durable (seq) {
    if (seq <= this.stored) return Promise.resolve()
    if (this.failed) return Promise.reject(this.failed)
    return new Promise((resolve, reject) => this.waiting.push({ seq, resolve, reject }))
  }

  /* ---- connections ---- */

  open (conn, dialer, peer) {
    this.core.open(conn, dialer, peer)
    this.pump()
  }

  recv (conn, bytes) {
    const known = this.core.recv(conn, bytes)
    this.pump()
    return known
  }

  lost (conn) {
    this.core.lost(conn)
    this.pump()
    this.on.status()
  }

  busy (conn, busy) {
    this.core.busy(conn, busy)
    this.pump()
  }

  /** Who is connected but not identified yet hears it a moment later. */
  signal (to, data) {
    if (!this.core.signal(to, data) && this.browserPeers.includes(to)) {
      this.unsaid.set(to, [...this.unsaid.get(to) ?? [], data].slice(-UNSAID_MAX))
    }
    this.pump()
  }

  /* Its list is the first thing that comes over the stream that signals take. */
  #introduced (peer, peers) {
    this.introductions.set(peer, peers)
    this.on.introduced(peer, peers)
    const unsaid = this.unsaid.get(peer) ?? []
    this.unsaid.delete(peer)
    for (const data of unsaid) this.core.signal(peer, data)
  }

  tick () {
    this.core.tick()
    this.pump()
  }

  /** Other browsers that are connected now. */
  get browserPeers () { return [...new Set([...this.conns.values()].filter(c => !c.node && c.ours).map(c => c.peer))] }
  get browsers () { return this.browserPeers.length }
  /** Replicas elsewhere that have all of ours. */
  get copies () { return new Set([...this.conns.values()].filter(c => c.level).map(c => c.peer)).size }

  /** Has all been merged that the node of our origin had when the link to it came up? */
  get merged () {
    return [...this.conns].some(([number, c]) => c.node && c.merged.size === this.addresses.length && this.links.urlOf(number) === linkOf(this.origin))
  }

  /** Own entries that no other replica is known to have. */
  get pending () { return this.core.pending + sum(this.carried) }

  /* ---- the core's outputs ---- */

  pump () {
    if (this.closed) return
    for (let out = this.core.next(); out; out = this.core.next()) this.#take(out)
    this.#commit()
    this.#schedule()
  }

  #take (out) {
    switch (out.kind) {
      case 'store':
        this.#keep(out.seq, out.database ? this.addressOf(out.database) : '', out.cid, out.bytes)
        break
      case 'send':
        if (this.links.has(out.conn)) this.links.send(out.conn, out.bytes)
        else if (this.meetings.links.has(out.conn)) this.meetings.links.send(out.conn, out.bytes)
        else this.on.send(out.conn, out.bytes)
        break
      case 'close':
        if (this.links.has(out.conn)) this.links.close(out.conn)
        else if (this.meetings.links.has(out.conn)) this.meetings.links.close(out.conn)
        else this.on.close(out.conn, out.reason)
        break
      case 'peerUp':
        /* ours: of this kind; of those that were met by libp2p's own ways identify tells */
        this.conns.set(out.conn, { peer: out.peer, node: this.links.has(out.conn), ours: !this.meetings.has(out.conn), level: false, merged: new Set() })
        if (this.links.has(out.conn)) this.#linkUp(this.links.urlOf(out.conn))
        else if (this.meetings.has(out.conn)) this.meetings.up(out.conn, out.peer)
        else this.on.peer(out.conn, out.peer)
        this.#peersChanged()
        break
      case 'peerKnown':
        if (this.meetings.has(out.conn) && !this.meetings.links.has(out.conn)) this.#known(out)
        break
      case 'reachable':
      case 'rtcCall':
      case 'rtcHeard':
      case 'rtcEnded':
        this.meetings.take(out)
        break
      case 'peerDown':
        this.conns.delete(out.conn)
        this.meetings.down(out.conn, out.peer)
        if (![...this.conns.values()].some(c => c.peer === out.peer)) for (const map of [this.introductions, this.unsaid]) map.delete(out.peer)
        this.#peersChanged()
        break
      case 'level':
        this.lastSync = Date.now()
        this.#confirmed(this.addressOf(out.database))
        if (out.database > this.addresses.length) break /* pages do not wait for those */
        for (const [number, c] of this.conns) {
          if (c.peer !== out.peer) continue
          c.level = true
          c.merged.add(out.database)
          if (c.node && c.merged.size === this.addresses.length) this.mode.linkLevel(this.links.urlOf(number))
        }
        this.on.status()
        break
      case 'changed':
        for (const c of this.conns.values()) if (this.core.pending) c.level = false
        if (out.database > this.addresses.length) this.on.database(this.core.address(out.database))
        else this.on.changed()
        break
      case 'database':
        this.opened.news(out.database)
        break
      case 'introduced':
        this.#introduced(out.peer, out.peers)
        break
      case 'signal':
        this.on.signal(out.peer, new TextDecoder().decode(out.bytes))
        break
    }
  }

  #known ({ conn, protocols }) {
    const c = this.conns.get(conn)
    if (c) c.ours = protocols.some(name => name.startsWith('/holdfast/'))
    this.#peersChanged()
  }

  #linkUp (url) {
    this.mode.linkUp(url)
    if (url === linkOf(this.origin)) this.on.linked()
  }

  #peersChanged () {
    this.mode.peers = this.browsers
    this.on.status()
  }

  #keep (seq, address, cid, block) {
    this.batch.push({ seq, address, cid, block })
    this.lastSeq = seq
    this.warm.storing(address, cid, block)
    if (this.writing && address) this.written[address] = (this.written[address] ?? 0) + 1
  }

  /* Somebody else has all of that database. */
  #confirmed (address) {
    if (!this.carried[address] && !this.written[address]) return
    delete this.carried[address]
    delete this.written[address]
    this.store.set('unsent', this.#unsent()).catch(() => {}) /* at worst it is sent once more */
  }

  #unsent () {
    const all = { ...this.carried }
    for (const [address, n] of Object.entries(this.written)) all[address] = (all[address] ?? 0) + n
    return all
  }

  /* One transaction at a time; what comes meanwhile goes into the next: group commit. */
  async #commit () {
    if (this.committing || this.failed || this.batch.length === 0) return
    this.committing = true
    const records = this.batch
    this.batch = []
    const put = () => this.store.put(records.map(({ address, cid, block }) => ({ address, cid, block })), { unsent: this.#unsent() }).then(() => null, e => e)
    /* A transaction that was aborted for a reason of its moment does not concern anybody. */
    const error = await put() && await put()
    this.committing = false
    if (error) this.#refused(records, error)
    else this.#committed(records[records.length - 1].seq)
  }

  #committed (seq) {
    this.stored = seq
    this.refusals = 0
    this.core.stored(seq)
    this.waiting = this.waiting.filter(w => w.seq > seq || w.resolve())
    if (this.closed) this.#commit()
    else this.pump()
    if (!this.committing && this.batch.length === 0) this.idle()
    this.warm.soon()
  }

  /* In order or not at all: what was refused stays first in line. Whoever waits for it is told that it was not kept; should it be later, the same form
   * sent again finds it done. */
  #refused (records, error) {
    this.failed = error
    this.batch = records.concat(this.batch)
    for (const w of this.waiting) w.reject(error)
    this.waiting = []
    this.idle()
    this.on.status()
    if (!this.closed) this.retryTimer = setTimeout(() => this.#retry(), Math.min(RETRY_MS * 2 ** this.refusals++, RETRY_MAX_MS))
  }

  async #retry () {
    this.failed = null
    await this.#commit()
    if (!this.failed) this.on.status()
  }

  #storeLost () {
    if (this.closed) return
    this.close()
    this.on.lost()
  }

  #schedule () {
    const at = this.core.deadline
    if (at === this.timerAt) return
    clearTimeout(this.timer)
    this.timerAt = at
    if (at === Infinity) return
    this.timer = setTimeout(() => {
      this.timerAt = Infinity
      this.tick()
    }, Math.max(0, Math.ceil(at - performance.now())))
  }

  /** Resolves when another worker may write: what was signed here is durable first, since what is read next goes on from it. */
  async close () {
    if (this.closed) return
    this.closed = true
    this.links.stop()
    this.meetings.stop()
    clearTimeout(this.timer)
    clearTimeout(this.retryTimer)
    this.warm.stop()
    if (this.committing) await new Promise(resolve => { this.idle = resolve; setTimeout(resolve, CLOSE_MS) })
    for (const w of this.waiting) w.reject(new Error('this replica was closed'))
    this.store.close()
    this.unlock()
  }
}

const sum = counts => Object.values(counts).reduce((a, b) => a + b, 0)
