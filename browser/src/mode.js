/* mode: server -> local -> peer -> offline and back. A pure machine: events with their time in, a mode out; the worker asks it, nothing here waits.
 *
 * Down:  a request that failed is answered by the replica at once, whatever the mode; the mode itself falls when a second sign agrees
 *        (another failure, or the link to the node is gone), so that one hiccup changes nothing.
 * Up:    the link to a node is back and level (merged first), or two probes a second apart succeeded while no link can be had.
 * The breaker spares requests that would only wait: while the node is thought dead none is sent but one trial every openStateTimeout, unless
 * a link or a probe says that it is back; 3 successes in a row (halfOpenSuccessThreshold) forget earlier failures. */

export const OPTIONS = {
  failureThreshold: 2,
  openStateTimeout: 60_000,
  halfOpenSuccessThreshold: 3,
  baseBackoffMs: 1000,
  maxBackoffMs: 300_000,
  /* While somebody looks at the page a returning node must be noticed within seconds. */
  visibleBackoffMs: 3000,
  /* A page that takes longer is answered by the replica; the node's late answer is dropped. */
  lateMs: 2500,
  probesApartMs: 1000,
  mergeMs: 10_000 /* a link that is not level by then is not waited for */
}

export class Mode {
  constructor (options = {}) {
    this.options = { ...OPTIONS, ...options }
    this.own = options.own /* the link to the node of our own origin; without it any link is taken for that */
    this.node = true /* is the origin's node believed to be there? */
    this.failures = 0
    this.successes = 0
    this.openedAt = 0
    this.linked = new Set() /* nodes with a live link */
    this.level = new Set() /* of these: merged */
    this.peers = 0
    this.onLine = true
    this.override = 'auto'
    this.probedAt = -Infinity
  }

  /** A request was answered by the node (any status but 502, 503, 504). */
  succeeded () {
    this.successes++
    if (this.successes < this.options.halfOpenSuccessThreshold) return
    this.failures = 0
    if (!this.node) this.#up()
  }

  /** A request failed, came too late, or a gateway said that nobody is behind it. */
  failed (now) {
    this.successes = 0
    this.failures++
    if (this.failures >= this.options.failureThreshold || !this.#ownLinked) this.#down(now)
  }

  /** A look at /healthz: from time to time while the node is thought dead, and when no link to a node is left. */
  probed (now, ok) {
    if (!ok) {
      this.probedAt = -Infinity
      if (this.node && !this.#ownLinked) this.failed(now)
      return
    }
    if (this.probedAt === -Infinity) this.probedAt = now
    /* A link that is merging will say when it has: until then the node's pages may lack what was written here. */
    else if (now - this.probedAt >= (this.#ownLinked ? this.options.mergeMs : this.options.probesApartMs)) this.#up()
  }

  linkUp (link) { this.linked.add(link) }

  linkLevel (link) {
    if (!this.linked.has(link)) return
    this.level.add(link)
    if (!this.own || link === this.own) this.#up()
  }

  linkDown (link, now) {
    this.linked.delete(link)
    this.level.delete(link)
    if (!this.#ownLinked && this.failures > 0) this.#down(now)
  }

  /** Should a request go to the node first? While the breaker is open one trial is let through every openStateTimeout. */
  asksNode (now) {
    if (this.override === 'local') return false
    if (this.node) return true
    if (now - this.openedAt < this.options.openStateTimeout) return false
    this.openedAt = now
    return true
  }

  /** Are pages the node's, while it answers? */
  get nodeFirst () { return this.node && this.override !== 'local' }

  get mode () {
    /* A sibling that has all of ours is a server too: pages are made here then, and what is written reaches it at once. */
    if ((this.node || this.#siblingLevel) && this.override !== 'local') return 'server'
    if (this.peers > 0) return 'peer'
    return this.onLine ? 'local' : 'offline'
  }

  get #ownLinked () { return this.own ? this.linked.has(this.own) : this.linked.size > 0 }

  get #siblingLevel () { return Boolean(this.own) && [...this.level].some(link => link !== this.own) }

  #up () {
    this.node = true
    this.failures = 0
    this.successes = 0
    this.probedAt = -Infinity
  }

  #down (now) {
    if (this.node) this.openedAt = now
    this.node = false
    this.probedAt = -Infinity
  }
}

/** min(base * 2^n, cap), with jitter of half of it, so that many browsers do not come back at once. */
export function backoffMs (attempt, random, capMs = OPTIONS.maxBackoffMs, baseMs = OPTIONS.baseBackoffMs) {
  const full = Math.min(baseMs * 2 ** Math.min(attempt, 30), capMs)
  return full / 2 + random * full / 2
}
