/* store: IndexedDB. `blocks` in the order in which the core stored them; `meta` for what makes this browser itself and whom it remembers.
 * put() answers when the transaction has committed with strict durability: what it says is stored survives closing the browser. */

const NAME = 'holdfast'
const SLICE = 500
const OPEN_MS = 5000 /* a database that somebody else holds back is not waited for any longer; it is tried again when it is needed */

const done = request => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
})

/* Somebody who wants to delete the database, or to have it in another version, stands before us in the browser's queue, and behind whoever does not
 * let go of it. */
const inTime = request => new Promise((resolve, reject) => {
  const timer = setTimeout(() => {
    request.onsuccess = () => request.result.close() /* too late */
    reject(new Error('the database is held back by another program of this site'))
  }, OPEN_MS)
  const settle = act => value => {
    clearTimeout(timer)
    act(value)
  }
  done(request).then(settle(resolve), settle(reject))
})

export class Store {
  #underWay = new Set() /* what ends each call that has not been answered */

  static async open () {
    const store = new Store()
    const request = indexedDB.open(NAME, 1)
    request.onupgradeneeded = () => {
      const blocks = request.result.createObjectStore('blocks', { autoIncrement: true })
      blocks.createIndex('cid', 'cid', { unique: true })
      request.result.createObjectStore('meta')
    }
    store.db = await inTime(request)
    /* A later release that wants to change the schema, or a user who clears the data, must not wait for us. */
    const lost = () => {
      store.gone = true
      for (const end of store.#underWay) end(new Error('the database was taken away'))
      store.lost()
    }
    store.db.onversionchange = () => {
      store.db.close()
      lost()
    }
    store.db.onclose = lost
    return store
  }

  /** The database was taken away under us. */
  lost () {}

  close () { this.db.close() }

  /* Of what is under way when a database is taken away nothing is heard any more: it fails then. */
  #heard (promise) {
    return new Promise((resolve, reject) => {
      this.#underWay.add(reject)
      const end = settle => value => {
        this.#underWay.delete(reject)
        settle(value)
      }
      promise.then(end(resolve), end(reject))
    })
  }

  /** All blocks behind place `after` up to `upTo` in stored order, some at a time: [{key, address, cid, block}]. */
  async * slices (after = 0, upTo = Infinity) {
    for (let from = after; from < upTo;) {
      const blocks = this.db.transaction('blocks').objectStore('blocks')
      const range = upTo === Infinity ? IDBKeyRange.lowerBound(from, true) : IDBKeyRange.bound(from, upTo, true, false)
      const [keys, slice] = await this.#heard(Promise.all([done(blocks.getAllKeys(range, SLICE)), done(blocks.getAll(range, SLICE))]))
      if (!keys.length) return
      yield slice.map((record, i) => ({ key: keys[i], ...record }))
      from = keys[keys.length - 1]
    }
  }

  /** Where the store ends now: what is derived from it can tell later whether it is still so. null: it is empty. */
  async mark () {
    const blocks = this.db.transaction('blocks').objectStore('blocks')
    const [last, n] = await this.#heard(Promise.all([done(blocks.openCursor(null, 'prev')), done(blocks.count())]))
    return last && { key: last.key, cid: last.value.cid, n }
  }

  /** Are all those blocks there? */
  async holds ({ key, cid, n }) {
    const blocks = this.db.transaction('blocks').objectStore('blocks')
    const [last, count] = await this.#heard(Promise.all([done(blocks.get(key)), done(blocks.count(IDBKeyRange.upperBound(key)))]))
    return count === n && last !== undefined && String(last.cid) === String(cid)
  }

  /** All of it or nothing. `meta`: what is to stand beside the records.
   * @param {{address: string, cid: Uint8Array, block: Uint8Array}[]} records */
  async put (records, meta = {}) {
    const tx = this.db.transaction(['blocks', 'meta'], 'readwrite', { durability: 'strict' })
    for (const [key, value] of Object.entries(meta)) tx.objectStore('meta').put(value, key)
    const blocks = tx.objectStore('blocks')
    for (const record of records) {
      /* A block that is there already (an identity met twice) is no error. */
      blocks.add(record).onerror = event => {
        if (event.target.error.name !== 'ConstraintError') return
        event.preventDefault()
        event.stopPropagation()
      }
    }
    return this.#committed(tx)
  }

  async get (key) { return this.#heard(done(this.db.transaction('meta').objectStore('meta').get(key))) }

  /** undefined: nothing is kept there any more. */
  async set (key, value) {
    const tx = this.db.transaction('meta', 'readwrite', { durability: 'strict' })
    if (value === undefined) tx.objectStore('meta').delete(key)
    else tx.objectStore('meta').put(value, key)
    return this.#committed(tx)
  }

  /** Sets only when nothing is there; answers what stands then. Two workers that start at once agree. */
  async setOnce (key, value) {
    const tx = this.db.transaction('meta', 'readwrite', { durability: 'strict' })
    const meta = tx.objectStore('meta')
    const there = await this.#heard(done(meta.get(key)))
    if (there === undefined) meta.put(value, key)
    await this.#committed(tx)
    return there === undefined ? value : there
  }

  #committed (tx) {
    return this.#heard(new Promise((resolve, reject) => {
      tx.oncomplete = () => resolve()
      tx.onabort = () => reject(tx.error ?? new Error('the transaction was aborted'))
    }))
  }
}
