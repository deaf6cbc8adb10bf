/* core: the C core in WebAssembly, as an object. Mirrors core/core.h through browser/wasm/exports.c; adds nothing of its own.
 * Everything is synchronous; drain with next() after each call, as the header says. */

const KINDS = ['none', 'store', 'send', 'close', 'changed', 'peerUp', 'peerKnown', 'peerDown', 'level', 'introduced', 'signal', 'refused',
  'database', 'reachable', 'rtcCall', 'rtcHeard', 'rtcEnded']
const RTC_TYPES = ['offer', 'answer', 'candidate']
const ERRORS = ['ok', 'no memory', 'malformed', 'truncated', 'limit', 'denied', 'not found', 'missing', 'exists', 'wrong state']
const REQUEST_FIELDS = ['method', 'path', 'query', 'origin', 'contentType', 'body', 'ifNoneMatch', 'ifMatch', 'accept', 'headerOrigin',
  'secFetchSite', 'referer', 'clientOp', 'session', 'nonce']

const utf8 = new TextEncoder()
const text = new TextDecoder()
const toBytes = value => value == null ? new Uint8Array(0) : typeof value === 'string' ? utf8.encode(value) : value

export class Core {
  /** @param {WebAssembly.Module} module */
  static async load (module) {
    const core = new Core()
    const instance = await WebAssembly.instantiate(module, {
      env: { random: (ptr, len) => { crypto.getRandomValues(new Uint8Array(core.wasm.memory.buffer, ptr, len)) } }
    })
    core.wasm = instance.exports
    core.wasm._initialize?.()
    return core
  }

  #input (...pieces) {
    const parts = pieces.map(toBytes)
    const len = parts.reduce((n, p) => n + 4 + p.length, 0)
    const ptr = this.wasm.hf_w_input(len)
    const view = new DataView(this.wasm.memory.buffer)
    const bytes = new Uint8Array(this.wasm.memory.buffer)
    let at = ptr
    for (const p of parts) {
      view.setUint32(at, p.length, true)
      bytes.set(p, at + 4)
      at += 4 + p.length
    }
  }

  /** A copy of the result. */
  #result () {
    const ptr = this.wasm.hf_w_result()
    return new Uint8Array(this.wasm.memory.buffer, ptr, this.wasm.hf_w_result_len()).slice()
  }

  static check (err, what) {
    if (err) throw new Error(`${what}: ${ERRORS[err] ?? err}`)
  }

  /** 96 fresh secret bytes: what makes this browser itself. */
  secrets () {
    Core.check(this.wasm.hf_w_secrets(), 'secrets')
    return this.#result()
  }

  start ({ secrets, release, script, bundle, agent }) {
    this.#input(secrets, release, script, bundle, agent)
    const err = this.wasm.hf_w_new(Date.now() - performance.now())
    if (err) throw new Error(`app: ${text.decode(this.#result())}`)
  }

  /** A stored block; false: it does not fit what was loaded before (a damaged store), peers will bring it again. */
  load (database, cid, block) {
    this.#input(cid, block)
    return this.wasm.hf_w_load(database) === 0
  }

  /** A stored block that need not be read now, because a snapshot holds what it means. */
  keep (cid, block) {
    this.#input(cid, block)
    Core.check(this.wasm.hf_w_keep(), 'keep')
  }

  /** All that a database is, but its blocks; null while something of it is not stored. */
  snapshot (database) { return this.wasm.hf_w_snapshot(database) ? null : this.#result() }

  /** Before any entry of it is loaded. false: it is damaged, or of another release or app; then all entries are to be loaded. */
  restore (database, saved) {
    const ptr = this.wasm.hf_w_input(saved.length)
    new Uint8Array(this.wasm.memory.buffer).set(saved, ptr)
    return this.wasm.hf_w_restore(database, saved.length) === 0
  }

  /** The highest number in use; and the address of a number, empty when there is none. */
  get databases () { return this.wasm.hf_w_databases() }
  address (database) { return this.wasm.hf_w_address(database) ? '' : text.decode(this.#result()) }
  entries (database) { return this.wasm.hf_w_entries(database) }

  ready () { Core.check(this.wasm.hf_w_start(performance.now()), 'start') }

  /** @returns {{status: number, seq: number, headers: [string, string][], body: Uint8Array}} */
  handle (request) {
    this.#input(...REQUEST_FIELDS.map(name => request[name]))
    Core.check(this.wasm.hf_w_handle(performance.now(), request.now ?? Date.now()), 'handle')
    const reader = new Reader(this.#result())
    const status = reader.u32()
    const seq = reader.u32()
    const headers = Array.from({ length: reader.u32() }, () => [reader.text(), reader.text()])
    return { status, seq, headers, body: reader.bytes() }
  }

  /** The blocks that write `seq` made, framed for the Holdfast-Entry header; null when there are none. */
  written (seq) { return this.wasm.hf_w_written(seq) ? null : this.#result() }

  open (conn, dialer, peer) {
    this.#input(peer)
    return this.wasm.hf_w_conn_open(performance.now(), conn, dialer ? 1 : 0) === 0
  }

  /** false: the core knows no such connection. */
  recv (conn, bytes) {
    const ptr = this.wasm.hf_w_input(bytes.length)
    new Uint8Array(this.wasm.memory.buffer).set(bytes, ptr)
    return this.wasm.hf_w_conn_recv(performance.now(), conn, bytes.length) === 0
  }

  lost (conn) { this.wasm.hf_w_conn_lost(performance.now(), conn) }
  busy (conn, busy) { this.wasm.hf_w_conn_busy(performance.now(), conn, busy ? 1 : 0) }

  /** false: nobody can reach that peer now. */
  signal (to, data) {
    this.#input(to, data)
    return this.wasm.hf_w_signal(performance.now()) === 0
  }

  /** Keeps a reservation at this relay, or lets it run out. */
  reserve (relay, on = true) {
    this.#input(relay)
    return this.wasm.hf_w_reserve(performance.now(), on ? 1 : 0) === 0
  }

  /** '' or why not: calls a peer through a connected relay, to set up a WebRTC connection. */
  meet (relay, peer) {
    this.#input(relay, peer)
    const err = this.wasm.hf_w_meet(performance.now())
    return err ? ERRORS[err] : ''
  }

  /** What the RTCPeerConnection of a session says: 'offer', 'answer', 'candidate'. */
  rtcSay (session, type, data) {
    this.#input(data)
    return this.wasm.hf_w_rtc_say(performance.now(), session, RTC_TYPES.indexOf(type)) === 0
  }

  /** It is connected: its data channels are connection `conn`. false: not one that can be; close it. */
  rtcUp (session, conn) { return this.wasm.hf_w_rtc_up(performance.now(), session, conn) === 0 }
  rtcFailed (session) { this.wasm.hf_w_rtc_failed(performance.now(), session) }

  /** false: the number is taken; close it. */
  channelOpened (conn, channel) { return this.wasm.hf_w_channel_opened(performance.now(), conn, channel) === 0 }

  channelRecv (conn, channel, bytes) {
    const ptr = this.wasm.hf_w_input(bytes.length)
    new Uint8Array(this.wasm.memory.buffer).set(bytes, ptr)
    return this.wasm.hf_w_channel_recv(performance.now(), conn, channel, bytes.length) === 0
  }

  channelClosed (conn, channel) { this.wasm.hf_w_channel_closed(performance.now(), conn, channel) }
  channelBusy (conn, channel, busy) { this.wasm.hf_w_channel_busy(performance.now(), conn, channel, busy ? 1 : 0) }

  /* ---- OrbitDB databases added at run time; see core.h ---- */

  /** The number of what stands under an address, which may be on its way from peers. 0: no address, or too many are open. */
  dbOpen (address) {
    this.#input(address)
    return this.wasm.hf_w_db_open(performance.now())
  }

  dbCreate ({ name, type = 'events', guarded = false, write = [] }) {
    this.#input(name, type, guarded ? 'guarded' : '', ...write)
    return this.wasm.hf_w_db_create(performance.now())
  }

  /** In state `loading`: its blocks were loaded. */
  dbLoaded (db) { Core.check(this.wasm.hf_w_db_loaded(performance.now(), db), 'loaded') }
  dbClose (db) { return this.wasm.hf_w_db_close(performance.now(), db) === 0 }
  dbInfo (db) { return this.wasm.hf_w_db_info(db) ? null : JSON.parse(text.decode(this.#result())) }

  /** @returns {{seq: number, hash: string}} seq must be durable before it is acknowledged. Throws why it was not written. */
  dbAppend (db, op, key, value) {
    this.#input(key === undefined ? null : JSON.stringify(key), value === undefined ? null : JSON.stringify(value))
    const err = this.wasm.hf_w_db_append(performance.now(), db, ['add', 'put', 'del'].indexOf(op))
    const result = this.#result()
    if (err) throw new Error(text.decode(result) || ERRORS[err])
    return { seq: new DataView(result.buffer).getUint32(0, true), hash: JSON.parse(text.decode(result.subarray(4))) }
  }

  /** Gives `capability` to an identity, or takes it back. 0: it was so already; else the seq that must be durable. Throws why it was refused. */
  dbChange (db, grants, capability, id) {
    this.#input(capability, id)
    const err = this.wasm.hf_w_db_change(performance.now(), db, grants ? 1 : 0)
    const result = this.#result()
    if (err) throw new Error(text.decode(result) || ERRORS[err])
    return new DataView(result.buffer).getUint32(0, true)
  }

  /** The ids that have it. */
  dbGranted (db, capability) {
    this.#input(capability)
    Core.check(this.wasm.hf_w_db_granted(db), 'granted')
    return JSON.parse(text.decode(this.#result()))
  }

  dbRows (db, { amount = 0xffffffff, oldestFirst = false, lt, lte, gt, gte } = {}) {
    this.#input(lt, lte, gt, gte)
    Core.check(this.wasm.hf_w_db_rows(db, amount, oldestFirst ? 1 : 0), 'rows')
    return JSON.parse(text.decode(this.#result()))
  }

  /** One row, or null. */
  dbGet (db, key) {
    this.#input(JSON.stringify(key))
    const err = this.wasm.hf_w_db_get(db)
    if (ERRORS[err] === 'not found') return null
    Core.check(err, 'get')
    return JSON.parse(text.decode(this.#result()))
  }

  stored (seq) { this.wasm.hf_w_stored(performance.now(), seq) }
  tick () { this.wasm.hf_w_tick(performance.now()) }
  /** On performance.now()'s clock; Infinity: no need. */
  get deadline () { return this.wasm.hf_w_deadline() }
  get pending () { return this.wasm.hf_w_pending() }

  /** The next output, or null. */
  next () {
    const kind = this.wasm.hf_w_next(performance.now())
    if (!kind) return null
    const reader = new Reader(this.#result())
    return {
      kind: KINDS[kind],
      seq: reader.u32(),
      conn: reader.u32(),
      database: reader.u32(),
      last: reader.u32() !== 0,
      cid: reader.bytes(),
      bytes: reader.bytes(),
      peer: reader.text(),
      reason: reader.text(),
      peers: Array.from({ length: reader.u32() }, () => reader.text()),
      protocols: Array.from({ length: reader.u32() }, () => reader.text()),
      agent: reader.text(),
      session: reader.u32(),
      type: RTC_TYPES[reader.u32()]
    }
  }

  describe () {
    Core.check(this.wasm.hf_w_describe(), 'describe')
    return JSON.parse(text.decode(this.#result()))
  }
}

/** Reads a record of exports.c. */
class Reader {
  constructor (bytes) {
    this.data = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = 0
  }

  u32 () {
    this.at += 4
    return this.view.getUint32(this.at - 4, true)
  }

  bytes () {
    const len = this.u32()
    this.at += len
    return this.data.subarray(this.at - len, this.at)
  }

  text () { return text.decode(this.bytes()) }
}
