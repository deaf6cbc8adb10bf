/* again: libp2p peers that a page dialled at relays are dialled again when they are lost: their connections go with the page that holds them, and a relay
 * may be away for a while. Where they are is kept over restarts, for so long as they were met within a week. */
import { backoffMs } from './mode.js'

const KEPT_MAX = 16
const KEPT_MS = 7 * 86_400_000
const CAP_MS = 60_000

export class Again {
  #kept = new Map() /* peer -> {address, at (met last, epoch ms), attempt, timer, busy}, the one that was dialled last at the end */
  #stopped = false

  /** @param {(address: string) => Promise<string>} reach resolves with the peer when it is connected
   *  @param {(list: {peer: string, address: string, at: number}[]) => void} save what is to be given as `list` to the next one */
  constructor (reach, save, list = []) {
    Object.assign(this, { reach, save })
    for (const { peer, address, at } of list.slice(-KEPT_MAX)) if (Date.now() - at < KEPT_MS) this.#kept.set(peer, { address, at, attempt: 0, timer: 0, busy: false })
  }

  /** It was dialled, and is connected. */
  add (peer, address) {
    this.#forget(peer)
    this.#kept.set(peer, { address, at: Date.now(), attempt: 0, timer: 0, busy: false })
    for (const oldest of [...this.#kept.keys()].slice(0, -KEPT_MAX)) this.#forget(oldest)
    this.#save()
  }

  /** One of its connections is gone. */
  lost (peer) {
    const kept = this.#kept.get(peer)
    if (kept && !kept.busy) this.#soon(peer, kept)
  }

  /** There is a page, now, that can hold connections. */
  now () {
    for (const [peer, kept] of this.#kept) {
      kept.attempt = 0
      this.#dial(peer, kept)
    }
  }

  stop () {
    this.#stopped = true
    for (const { timer } of this.#kept.values()) clearTimeout(timer)
  }

  async #dial (peer, kept) {
    clearTimeout(kept.timer)
    if (kept.busy) return
    kept.busy = true
    const reached = await this.reach(kept.address).then(() => true, () => false)
    kept.busy = false
    if (this.#stopped || this.#kept.get(peer) !== kept) return
    if (!reached) return this.#soon(peer, kept)
    kept.attempt = 0
    kept.at = Date.now()
    this.#save()
  }

  #soon (peer, kept) {
    clearTimeout(kept.timer)
    if (this.#stopped) return
    if (Date.now() - kept.at >= KEPT_MS) {
      this.#forget(peer)
      return this.#save()
    }
    kept.timer = setTimeout(() => this.#dial(peer, kept), backoffMs(kept.attempt++, Math.random(), CAP_MS))
  }

  #forget (peer) {
    clearTimeout(this.#kept.get(peer)?.timer)
    this.#kept.delete(peer)
  }

  #save () { this.save([...this.#kept].map(([peer, { address, at }]) => ({ peer, address, at }))) }
}
