/* opened: OrbitDB databases beside the app's, opened at run time, by address. They stay open until they are closed, in later lives too. */

const OPEN_MS = 60_000 /* for a manifest that nobody has */

export class Opened {
  #waiting = new Map() /* address -> callers that wait for it to be open */

  /** @param {import('./replica.js').Replica} replica */
  constructor (replica) { this.replica = replica }

  get #core () { return this.replica.core }

  /** Resolves to what it is when it is open. */
  async open (address) {
    await this.replica.whole
    return this.#begin(this.#core.dbOpen(address), `${address}: no address of a database, or too many are open`)
  }

  async create (options) {
    await this.replica.whole
    return this.#begin(this.#core.dbCreate(options), 'no name, no such type, or too many databases are open')
  }

  #begin (number, problem) {
    if (!number) throw new Error(problem)
    this.replica.pump()
    return this.#whenOpen(this.#core.address(number))
  }

  async close (address) {
    const { guard } = this.info(address)
    await this.replica.durable(this.replica.lastSeq).catch(() => {})
    for (const each of [address, guard].filter(Boolean)) await this.replica.warm.put(each).catch(() => {}) /* at worst it is read whole */
    this.#core.dbClose(this.#number(address))
    this.replica.pump()
    await this.replica.durable(this.replica.lastSeq)
  }

  list () {
    const numbers = Array.from({ length: this.#core.databases }, (_, i) => i + 1).slice(this.replica.addresses.length)
    return numbers.map(n => this.#core.dbInfo(n)).filter(Boolean)
  }

  info (address) { return this.#core.dbInfo(this.#number(address)) }
  rows (address, query) { return this.replica.whole.then(() => this.#core.dbRows(this.#number(address), query)) }
  row (address, key) { return this.replica.whole.then(() => this.#core.dbGet(this.#number(address), key)) }

  /** op: add, put, del. Resolves to the entry's hash when it is durable. */
  append (address, op, key, value) {
    return this.replica.write(() => this.#core.dbAppend(this.#number(address), op, key, value)).then(({ hash }) => hash)
  }

  grant (address, capability, id) { return this.#change(address, true, capability, id) }
  revoke (address, capability, id) { return this.#change(address, false, capability, id) }
  granted (address, capability) { return this.#core.dbGranted(this.#number(address), String(capability)) }

  #change (address, grants, capability, id) {
    return this.replica.write(() => ({ seq: this.#core.dbChange(this.#number(address), grants, String(capability), String(id)) })).then(() => {})
  }

  #number (address) {
    const number = this.replica.numberOf(address)
    if (number <= this.replica.addresses.length) throw new Error(`${address}: not open`)
    return number
  }

  #whenOpen (address) {
    const info = this.info(address)
    if (info.state === 'open') return info
    if (info.state === 'broken') throw new Error(info.problem)
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => caller({ problem: 'nobody here has what stands under this address' }), OPEN_MS)
      const caller = told => {
        clearTimeout(late)
        this.#waiting.set(address, (this.#waiting.get(address) ?? []).filter(c => c !== caller))
        if (told.state === 'open') resolve(told)
        else reject(new Error(told.problem))
      }
      this.#waiting.set(address, [...this.#waiting.get(address) ?? [], caller])
    })
  }

  /** The core says that its state is another. */
  news (number) {
    const info = this.#core.dbInfo(number)
    if (!info) return
    if (info.state === 'loading') this.#load(number, info.address).catch(() => {})
    if (info.state === 'open' || info.state === 'broken') for (const caller of this.#waiting.get(info.address) ?? []) caller(info)
    this.replica.on.database(info.address)
  }

  /* It was open once, perhaps: what the store has of it comes before what peers have. */
  async #load (number, address) {
    const isLoading = () => !this.replica.closed && this.#core.address(number) === address && this.#core.dbInfo(number)?.state === 'loading'
    if (this.replica.warm.stocked.has(address)) {
      for await (const slice of this.replica.store.slices(await this.replica.warm.reopen(address, number))) {
        if (!isLoading()) return
        for (const record of slice) if (record.address === address) this.#core.load(number, record.cid, record.block)
      }
    }
    if (!isLoading()) return
    this.#core.dbLoaded(number)
    this.replica.pump()
  }
}
