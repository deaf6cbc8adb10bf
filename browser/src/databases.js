/* databases: OrbitDB databases for the page's own scripts, opened, read and written through the worker, whose replica keeps and replicates them.
 *
 *     const prices = await holdfast.databases.open('/orbitdb/zdpu…')
 *     await prices.put('tea', 3)
 *     const stop = prices.subscribe(async () => show(await prices.all()))
 *
 * Types: browser/index.d.ts. */

const LATE_MS = 75_000 /* above what the worker itself waits for a database */
const GATHER_MS = 30 /* changes that come together are told together */

export class Database {
  #ask
  #listeners = new Set()
  #timer = 0

  constructor (ask, { address, name, type, identity }) {
    this.#ask = ask
    Object.assign(this, { address, name, type, identity })
  }

  info () { return this.#ask('info', this.address) }
  /** Oldest first. */
  all () { return this.#ask('rows', this.address, { oldestFirst: true }) }
  /** Newest first, as OrbitDB's iterator. */
  query (query = {}) { return this.#ask('rows', this.address, query) }

  async get (key) {
    const row = await this.#ask('row', this.address, key)
    return row?.value
  }

  add (value) { return this.#ask('append', this.address, 'add', undefined, value) }
  /** (key, value), of documents (document) */
  put (...args) {
    if (this.type === 'documents') return this.#ask('append', this.address, 'put', undefined, args[0])
    return this.#ask('append', this.address, 'put', args[0], args[1])
  }

  del (key) { return this.#ask('append', this.address, 'del', key) }
  /** Of databases made with `guarded`: 'write', 'admin' or a word of your own, for an identity id or '*'. Rejects when this browser may not. */
  grant (capability, id) { return this.#ask('grant', this.address, capability, id) }
  revoke (capability, id) { return this.#ask('revoke', this.address, capability, id) }
  granted (capability) { return this.#ask('granted', this.address, capability) }
  close () { return this.#ask('close', this.address) }

  /** @returns {() => void} ends it */
  subscribe (listener) {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  changed () {
    if (!this.#listeners.size) return
    this.#timer ||= setTimeout(() => {
      this.#timer = 0
      for (const listener of this.#listeners) listener(this)
    }, GATHER_MS)
  }
}

export class Databases {
  #open = new Map()

  async open (address) { return this.#keep(await this.#ask('open', address)) }
  async create (name, options = {}) { return this.#keep(await this.#ask('create', { name, ...options })) }
  list () { return this.#ask('list') }

  /** What the worker tells: this one changed; null: the worker was restarted, and may have told nobody. */
  changed (address) {
    for (const database of this.#open.values()) if (address === null || database.address === address) database.changed()
  }

  #keep (info) {
    if (!this.#open.has(info.address)) this.#open.set(info.address, new Database((...args) => this.#ask(...args), info))
    return this.#open.get(info.address)
  }

  async #ask (call, ...args) {
    if (!navigator.serviceWorker) throw new Error('this browser has no service workers here')
    await navigator.serviceWorker.ready
    const worker = navigator.serviceWorker.controller ?? (await navigator.serviceWorker.ready).active
    const { port1, port2 } = new MessageChannel()
    const answer = new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the worker did not answer')), LATE_MS)
      port1.onmessage = ({ data }) => {
        clearTimeout(late)
        if (data.error === undefined) resolve(data.value)
        else reject(new Error(data.error))
      }
    })
    worker.postMessage({ hf: 'db', call, args }, [port2])
    return answer.finally(() => port1.close())
  }
}
