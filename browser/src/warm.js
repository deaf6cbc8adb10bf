/* warm: how a replica starts: from a snapshot in IndexedDB and what was stored after it, or from all blocks; and when a new snapshot is made. It is a
 * cache: with its mark it says of which state of the store it is, and one that does not fit, or is of another release, is not used. */

/* A new one when so many entries are new, and a tenth of all, and the last was so long ago. */
const NEW_MIN = 500
const NEW_PART = 10
const APART_MS = 60_000
const IDLE_MS = 1000

export class Warm {
  #timer = 0
  #at = -Infinity /* when one was made last */
  #n = 0 /* entries in it */
  #others = [] /* blocks that are no entries: identities, manifests, lists of databases */

  /** @param {import('./replica.js').Replica} replica */
  constructor (replica) {
    this.replica = replica
    this.stocked = new Set() /* addresses of which the store has entries */
  }

  get #core () { return this.replica.core }
  get #store () { return this.replica.store }

  get #total () {
    let n = 0
    for (let number = 1; number <= this.#core.databases; number++) n += this.#core.entries(number)
    return n
  }

  /** From the snapshot, if there is one that fits, and what came later; else all blocks. Answers up to where blocks are not at hand yet. */
  async load () {
    const saved = await this.#store.get('snapshot')
    const mark = saved && await this.#store.holds(saved.mark) ? saved.mark : { key: 0 }
    const restored = mark.key ? this.#restore(saved) : new Set()
    const all = Array.from({ length: this.#core.databases }, (_, i) => this.#core.address(i + 1)).filter(Boolean)
    const kept = all.every(address => restored.has(address)) ? mark.key : 0
    const others = []
    const entries = []
    for await (const slice of this.#store.slices(kept)) {
      for (const record of slice) {
        const { key, address, cid, block } = record
        if (address) this.stocked.add(address)
        this.#core.keep(cid, block)
        if (key > mark.key || (address && !restored.has(address))) (address ? entries : others).push(record)
      }
    }
    this.#loadOthers(others)
    const numbers = new Map([...this.stocked].map(address => [address, this.replica.numberOf(address)]))
    for (const { address, cid, block } of entries) if (numbers.get(address)) this.#core.load(numbers.get(address), cid, block)
    this.#n = restored.size ? saved.n : 0
    return kept
  }

  /* What is no entry says which databases there are beside the app's. */
  #restore ({ parts, others }) {
    const restored = new Set()
    const take = number => {
      const address = this.#core.address(number)
      const part = parts.find(p => p.address === address)
      if (part && this.#core.restore(number, part.bytes)) restored.add(address)
    }
    const { length } = this.replica.addresses
    for (let number = 1; number <= length; number++) take(number)
    this.#loadOthers(others)
    for (let number = length + 1; number <= this.#core.databases; number++) take(number)
    return restored
  }

  /* Lists of databases among them are read when all is at hand that these name. */
  #loadOthers (others) {
    for (const { cid, block } of others) this.#core.keep(cid, block)
    for (const { cid, block } of others) this.#core.load(0, cid, block)
    this.#others.push(...others.map(({ cid, block }) => ({ cid, block })))
  }

  /** Brings the blocks up to there to hand. False: the store was taken away meanwhile. */
  async fill (upTo) {
    try {
      for await (const slice of this.#store.slices(0, upTo)) {
        if (this.replica.closed) return false
        for (const { address, cid, block } of slice) {
          if (address) this.stocked.add(address)
          this.#core.keep(cid, block)
        }
      }
    } catch {
      return false
    }
    this.soon()
    return true
  }

  /** A block is on its way to the store. */
  storing (address, cid, block) {
    if (address) this.stocked.add(address)
    else this.#others.push({ cid, block })
  }

  /** Something was stored. */
  soon () {
    const isNew = this.#total - this.#n
    if (this.replica.closed || this.#timer || isNew < Math.max(NEW_MIN, this.#n / NEW_PART)) return
    const wait = Math.max(IDLE_MS, this.#at + APART_MS - performance.now())
    this.#timer = setTimeout(() => this.#make().catch(() => {}).then(() => { this.#timer = 0 }), wait)
  }

  /* Everything that the core has is in the store up to the mark, and everything that the store has is in the core. */
  async #make () {
    const { stored } = this.replica
    const mark = this.replica.quiet && await this.#store.mark()
    if (!mark || !this.replica.quiet || stored !== this.replica.stored) return
    const parts = []
    for (let number = 1; number <= this.#core.databases; number++) {
      const bytes = this.#core.address(number) && this.#core.snapshot(number)
      if (bytes) parts.push({ address: this.#core.address(number), bytes })
    }
    this.#n = this.#total
    this.#at = performance.now()
    await this.#store.set('snapshot', { mark, parts, others: this.#others, n: this.#n })
  }

  stop () { clearTimeout(this.#timer) }
}
