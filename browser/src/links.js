/* links: WebSockets to the nodes of the app, the own origin's first and its siblings after it, and to relays, each redialled for ever with backoff.
 * Bytes only. */
import { backoffMs, OPTIONS } from './mode.js'

const HIGH_WATER = 1 << 20 /* bytes queued in the socket above which the core is told to wait */
const FRESH_MS = 3000 /* a link that was heard so recently has outlived the sleep */

export class Links {
  /** @param {{opened: (conn: number, url: string, peer: string) => void, data: (conn: number, bytes: Uint8Array) => void,
   *           lost: (conn: number, url: string) => void, busy: (conn: number, busy: boolean) => void}} on
   *  @param {number} first 2 or 4: the number of its first connection, and then every fourth; a page's connections are odd */
  constructor (on, first = 2) {
    this.on = on
    this.nodes = new Map() /* url -> {url, peer, socket, conn, attempt, timer, heardAt} */
    this.nextConn = first
    this.visible = true
  }

  /** The nodes to hold links to: [{url: 'ws://…/', peer: 'expected peer ID or empty'}]. Others are let go. */
  want (list) {
    const urls = new Set(list.map(n => n.url))
    for (const node of this.nodes.values()) if (!urls.has(node.url)) this.#forget(node)
    for (const { url, peer } of list) {
      const known = this.nodes.get(url)
      if (known) known.peer = peer
      else this.#dial(this.#add(url, peer))
    }
  }

  send (conn, bytes) {
    const node = this.#byConn(conn)
    if (!node || node.socket.readyState !== WebSocket.OPEN) return
    node.socket.send(bytes)
    if (node.socket.bufferedAmount > HIGH_WATER) this.#wait(node)
  }

  close (conn) { this.#byConn(conn)?.socket.close() }
  has (conn) { return this.#byConn(conn) !== undefined }
  urlOf (conn) { return this.#byConn(conn)?.url }
  get connected () { return [...this.nodes.values()].filter(n => n.conn).length }

  /** Now is a good moment: the page came to the front, the network is back, somebody asked. `slept`: time has passed that we saw nothing of, or the network
   *  was another one; a socket may look open then that nobody holds at the other end, and to find that out takes longer than to dial anew. */
  hurry (slept = false) {
    for (const node of this.nodes.values()) {
      if (slept && performance.now() - node.heardAt > FRESH_MS) this.#drop(node)
      if (node.socket) continue
      node.attempt = 0
      clearTimeout(node.timer)
      this.#dial(node)
    }
  }

  stop () { for (const node of this.nodes.values()) this.#forget(node) }

  #add (url, peer) {
    const node = { url, peer, socket: null, conn: 0, attempt: 0, timer: 0, heardAt: 0 }
    this.nodes.set(url, node)
    return node
  }

  #byConn (conn) { return conn ? [...this.nodes.values()].find(n => n.conn === conn) : undefined }

  #dial (node) {
    const socket = node.socket = new WebSocket(node.url)
    socket.binaryType = 'arraybuffer'
    node.heardAt = performance.now()
    socket.onopen = () => {
      node.attempt = 0
      node.conn = this.nextConn
      this.nextConn += 4
      this.on.opened(node.conn, node.url, node.peer)
    }
    socket.onmessage = event => {
      node.heardAt = performance.now()
      this.on.data(node.conn, new Uint8Array(event.data))
    }
    socket.onclose = () => this.#closed(node, socket)
  }

  #closed (node, socket) {
    if (node.socket !== socket) return
    const conn = node.conn
    node.socket = null
    node.conn = 0
    if (conn) this.on.lost(conn, node.url)
    if (this.nodes.get(node.url) !== node) return
    const cap = this.visible ? OPTIONS.visibleBackoffMs : OPTIONS.maxBackoffMs
    node.timer = setTimeout(() => this.#dial(node), backoffMs(node.attempt++, Math.random(), cap))
  }

  #forget (node) {
    this.nodes.delete(node.url)
    clearTimeout(node.timer)
    this.#drop(node)
  }

  #drop (node) {
    const { socket, conn } = node
    if (!socket) return
    node.socket = null
    node.conn = 0
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
    if (conn) this.on.lost(conn, node.url)
  }

  /* WebSocket has no event for a drained buffer: look again until it is. */
  #wait (node) {
    const { conn, socket } = node
    this.on.busy(conn, true)
    const timer = setInterval(() => {
      if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount > HIGH_WATER / 4) return
      clearInterval(timer)
      if (node.conn === conn) this.on.busy(conn, false)
    }, 20)
  }
}
