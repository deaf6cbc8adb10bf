/* answers: who answers a request, the node or the replica. In server mode the node; when it fails, is late or is known to be gone, the same request goes
 * to the replica: same routes, same forms, same bytes. Forms are written here first, signed by this browser, and carried to the node with the post
 * itself, so that a node that dies at any moment leaves nothing half done: the operation ID makes both one. */
import { OPTIONS } from './mode.js'

const GATEWAY_DOWN = new Set([502, 503, 504])
const POST_LATE_MS = 5000
const REMEMBERED_MS = 1000 /* a store that does not answer holds up no request */
const REFRESH_MAX_S = 5
const ENTRY_HEADER_MAX = 6000 /* servers refuse long headers; a longer entry reaches the node by sync */

export const late = ms => new Promise(resolve => setTimeout(resolve, ms, null))

export class Answers {
  /** @param {{mode: import('./mode.js').Mode, release: string, replica: () => Promise<import('./replica.js').Replica>, remembered: Promise<void>,
   *           opened: () => import('./replica.js').Replica | null, leaving: () => Promise<void>, scored: () => void, kept: () => void}} options
   *  replica() opens it, opened() does not; `remembered`: what the user chose is known; leaving() resolves when a page may be left; scored(): the mode may
   *  have changed; kept(): something was written that a node may not have */
  constructor (options) {
    Object.assign(this, options)
    this.tries = 0 /* to get a page while this worker is retired */
    this.remembered = Promise.race([options.remembered, late(REMEMBERED_MS)])
  }

  /** Does the origin's node judge that form? One on somebody else's page: sent on from here it would look like one of ours. */
  foreignForm (request) { return originOf(request) !== self.location.origin && this.mode.asksNode(performance.now()) }

  /** Of one that is retired: should the node that brought the newer worker be gone again, the browser asks once more, and finds the newer one. */
  async between (event) {
    const response = await Promise.race([event.preloadResponse.then(r => r ?? fetch(event.request)).catch(() => null), late(OPTIONS.lateMs)])
    if (response && !GATEWAY_DOWN.has(response.status)) return response
    return new Response('', { headers: { 'content-type': 'text/html', refresh: String(Math.min(++this.tries, REFRESH_MAX_S)) } })
  }

  async read (event, url) {
    const { request } = event
    const local = async () => {
      if (request.mode === 'navigate') await this.leaving()
      return this.#answer(request, url, null)
    }
    await this.remembered
    if (request.headers.get('holdfast-render') === 'local' || !this.mode.asksNode(performance.now())) return local().catch(() => fetch(request))
    const network = this.#fromNode(event, event.preloadResponse.then(r => r ?? fetch(request)))
    const response = await this.#inTime(network, OPTIONS.lateMs)
    if (response && !this.#isOfAnother(url, response)) return response
    /* A replica that cannot answer leaves only the node. */
    return local().catch(() => network.then(r => r ?? Response.error()))
  }

  async write (event, url) {
    const { request } = event
    const body = new Uint8Array(await request.clone().arrayBuffer())
    await this.remembered
    if (originOf(request) !== self.location.origin) return this.#answer(request, url, body)
    if (!this.mode.asksNode(performance.now())) return this.#answer(request, url, body).catch(() => fetch(postOf(request, body)))
    /* Only a replica that is open already signs here first: the post never waits for a worker to start. */
    const open = this.opened()
    const signed = open && await Promise.race([run(open, request, url, body).catch(() => null), late(POST_LATE_MS)])
    const network = this.#fromNode(event, fetch(postOf(request, body, signed)))
    const response = await this.#inTime(network, POST_LATE_MS)
    if (response) return response
    return (signed ? this.#respond(request, url, signed) : this.#answer(request, url, body)).catch(() => network.then(r => r ?? Response.error()))
  }

  /* A file of the app under this release's name, that the node has no more under that name: it is in our bundle. */
  #isOfAnother (url, response) {
    return /^\/static\//.test(url.pathname) && url.search === `?v=${this.release}` && !/immutable/.test(response.headers.get('cache-control'))
  }

  /* The node's answer; null when it failed. Keeps score. */
  #fromNode (event, response) {
    const scored = response.then(r => {
      if (GATEWAY_DOWN.has(r.status)) throw new Error(`gateway: ${r.status}`)
      if (isForeign(r)) throw new Error('not an answer of a node')
      this.mode.succeeded()
      this.scored()
      return r
    }).catch(() => {
      this.#failed()
      return null
    })
    event.waitUntil(scored)
    return scored
  }

  #failed () {
    this.mode.failed(performance.now())
    this.scored()
  }

  /* null: failed or late, and the lateness is counted. */
  async #inTime (answer, ms) {
    const tooLate = Symbol('late')
    const response = await Promise.race([answer, late(ms).then(() => tooLate)])
    if (response !== tooLate) return response
    this.#failed()
    return null
  }

  async #answer (request, url, body) {
    const handled = await run(await this.replica(), request, url, body)
    if (body) this.scored() /* one more that nobody else has */
    return this.#respond(request, url, handled)
  }

  /* A redirect of a script's fetch is followed here: the browser would not come back to the worker with it. */
  async #respond (request, url, handled) {
    if (handled.seq) this.kept()
    const location = handled.headers.find(([name]) => name === 'location')?.[1]
    if (location && handled.status !== 201 && request.mode !== 'navigate' && request.redirect === 'follow') {
      const next = new URL(location, url)
      const page = await (await this.replica()).handle({ method: 'GET', path: next.pathname, query: next.search.slice(1), accept: request.headers.get('accept') })
      return toResponse(page, next, request.method)
    }
    return toResponse(handled, url, request.method)
  }
}

function run (replica, request, url, body) {
  return replica.handle({
    method: request.method,
    path: url.pathname,
    query: url.search.slice(1),
    contentType: request.headers.get('content-type'),
    body,
    ifNoneMatch: request.headers.get('if-none-match'),
    ifMatch: request.headers.get('if-match'),
    accept: request.headers.get('accept'),
    /* The worker's own requests are same-origin by construction; a navigation from elsewhere shows in its referrer. */
    headerOrigin: originOf(request),
    referer: request.referrer,
    clientOp: request.headers.get('idempotency-key')
  })
}

/* The same post, with the blocks that this browser signed for it. */
function postOf (request, body, signed) {
  const headers = new Headers(request.headers)
  if (signed?.written && signed.written.length < ENTRY_HEADER_MAX) headers.set('holdfast-entry', base64url(signed.written))
  return new Request(request.url, {
    method: request.method, headers, body, credentials: 'same-origin', redirect: request.redirect, mode: 'same-origin', cache: 'no-store'
  })
}

const base64url = bytes => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

/* A page that no node of ours made: of a network that wants its users to log in first, or of a proxy. */
const isForeign = response => response.type === 'basic' && /^text\/html/.test(response.headers.get('content-type') ?? '') && !response.headers.has('x-served-by')

/* A worker is not shown the Origin header: rebuild what it would say, so that a form on another site is refused here as it is by the node. */
function originOf (request) {
  if (request.method === 'GET' || request.method === 'HEAD') return ''
  if (request.mode !== 'navigate') return self.location.origin
  return request.referrer && request.referrer !== 'about:client' ? new URL(request.referrer).origin : 'null'
}

function toResponse (handled, url, method) {
  const headers = new Headers()
  for (const [name, value] of handled.headers) if (name !== 'set-cookie') headers.append(name, value)
  headers.set('x-served-by', 'worker')
  headers.set('holdfast-location', url.pathname + url.search)
  const empty = method === 'HEAD' || handled.status === 204 || handled.status === 303 || handled.status === 304
  return new Response(empty ? null : handled.body, { status: handled.status, headers })
}
