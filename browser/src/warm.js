/* warm: how a replica starts: from a snapshot in IndexedDB and what was stored after it, or from all blocks; and when a new snapshot is made. It is a
 * cache: with its mark it says of which state of the store it is, and one that does not fit, or is of another release, is not used.
 * A database added at run time has one of its own when it is closed, from which it is opened again. */

/* A new one when so many entries are new, and a tenth of all, and the last was so long ago. */
const NEW_MIN = 500
const NEW_PART = 10
const APART_MS = 60_000
const IDLE_MS = 1000
const CLOSED_MAX = 64 /* snapshots of databases that were closed: the oldest go, those databases are read whole */
const keyOf = address => `snapshot ${address}`

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
    const restored = mark.key ? this.#restore(saved) : new Map() /* address -> up to where nothing of it need be read */
    this.#n = restored.size ? saved.n : 0
    const late = await this.#read(mark.key)
    this.#loadOthers(late.others)
    const all = this.#wanted()
    for (const address of all) if (!restored.has(address)) restored.set(address, await this.reopen(address, this.replica.numberOf(address)))
    const kept = Math.min(mark.key, ...restored.values())
    const early = await this.#read(kept, mark.key)
    const numbers = new Map(all.map(address => [address, this.replica.numberOf(address)]))
    for (const { key, address, cid, block } of [...early.entries, ...late.entries]) {
      if (key > restored.get(address)) this.#core.load(numbers.get(address), cid, block)
    }
    return kept
  }

  /* The app's, and those that are open still, with what guards them: of lists of databases there are older ones in the store, too. */
  #wanted () {
    const { addresses } = this.replica
    const added = Array.from({ length: this.#core.databases }, (_, i) => this.#core.dbInfo(i + 1)).filter(info => info?.listed)
    return [...addresses, ...added.flatMap(info => [info.guard, info.address]).filter(Boolean)]
  }

  async #read (after, upTo) {
    const found = { entries: [], others: [] }
    for await (const slice of this.#store.slices(after, upTo)) {
      for (const record of slice) {
        if (record.address) this.stocked.add(record.address)
        this.#core.keep(record.cid, record.block)
        found[record.address ? 'entries' : 'others'].push(record)
      }
    }
    return found
  }

  /* ---- databases added at run time, closed and opened again ---- */

  /** It is about to be closed: the next time it is opened only what is stored from now on is read. One that is still changing is read whole then. */
  async put (address) {
    const number = this.replica.numberOf(address)
    const mark = number && await this.#store.mark()
    const bytes = mark && this.#core.address(number) === address && this.#core.snapshot(number)
    if (!bytes) return
    const closed = [...(await this.#store.get('closed') ?? []).filter(other => other !== address), address]
    for (const oldest of closed.splice(0, closed.length - CLOSED_MAX)) await this.#store.set(keyOf(oldest))
    await this.#store.set('closed', closed)
    await this.#store.set(keyOf(address), { mark, bytes })
  }

  /** Before anything of it is loaded. Answers up to which place of the store it need not be read. */
  async reopen (address, number) {
    const saved = number > this.replica.addresses.length && await this.#store.get(keyOf(address))
    const fits = saved && await this.#store.holds(saved.mark) && this.#core.address(number) === address && this.#core.restore(number, saved.bytes)
    return fits ? saved.mark.key : 0
  }

  /* What is no entry says which databases there are beside the app's. */
  #restore ({ mark, parts, others }) {
    const restored = new Map()
    const take = number => {
      const address = this.#core.address(number)
      const part = parts.find(p => p.address === address)
      if (part && this.#core.restore(number, part.bytes)) restored.set(address, mark.key)
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
