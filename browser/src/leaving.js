/* leaving: when a page may be left. Leaving cuts its ways to other browsers; with no node to introduce them again, one side must stay until the other is
 * back. So a navigation waits while this page's ways are being renewed, then tells the others `leaving` and goes when each said `stay` (or was too slow).
 * Who said `stay` holds its own navigations until that peer is back. Two that ask at the same moment: the lower ID goes first. */

const WAIT_MS = 1200 /* a navigation is held no longer than this, whatever the others do */
const ASK_MS = 400 /* an answer that takes longer is not waited for */
const BACK_MS = 1500 /* a peer that left is expected back within this */
const RENEW_MS = 300 /* and then takes this long to hand over its invitation */

export class Leaving {
  /** @param {(peer: string, message: string) => void} send */
  constructor (send) {
    this.send = send
    this.pageUntil = 0 /* until when the page says that its ways are being renewed */
    this.holds = new Map() /* peer that left -> until when it is waited for */
    this.asked = null /* peers that have not answered us yet, while we ask */
    this.going = null /* while somebody waits */
    this.ended = false
    this.wake = () => {}
  }

  /** The page's own word: its ways are renewed within that time. */
  page (ms) {
    this.pageUntil = performance.now() + ms
    this.wake()
  }

  /** Nothing is waited for any more. */
  end () {
    this.ended = true
    this.wake()
  }

  /** A peer's message; false: not one of ours. */
  heard (self, from, type) {
    if (type === 'stay') {
      this.asked?.delete(from)
      this.wake()
      return true
    }
    if (type !== 'leaving') return false
    const first = this.asked?.has(from) && self < from
    if (!first) {
      this.holds.set(from, performance.now() + BACK_MS)
      this.send(from, JSON.stringify({ type: 'stay' }))
      this.wake()
    }
    return true
  }

  /** That peer is connected (again). */
  returned (peer) {
    if (this.holds.has(peer)) this.holds.set(peer, performance.now() + RENEW_MS)
    this.wake()
  }

  /** Resolves when this page may be left. Several tabs that go at the same moment wait for one answer. */
  may (peers) {
    this.going ??= this.#may(peers).finally(() => { this.going = null })
    return this.going
  }

  async #may (peers) {
    const giveUp = performance.now() + WAIT_MS
    await this.#until(() => this.#busyUntil(), giveUp)
    this.asked = new Set(peers)
    for (const peer of peers) this.send(peer, JSON.stringify({ type: 'leaving' }))
    const answered = performance.now() + ASK_MS
    await this.#until(() => this.asked.size ? answered : 0, giveUp)
    /* Somebody with a lower ID may have asked meanwhile: it goes first. */
    await this.#until(() => this.#busyUntil(), giveUp)
    this.asked = null
  }

  #busyUntil () { return Math.max(this.pageUntil, ...this.holds.values()) }

  async #until (busyUntil, giveUp) {
    for (let now = performance.now(); !this.ended && now < Math.min(busyUntil(), giveUp); now = performance.now()) {
      await new Promise(resolve => {
        const timer = setTimeout(resolve, Math.min(busyUntil(), giveUp) - now)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}
