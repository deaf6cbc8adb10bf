/* worker: the service worker. In server mode it only passes requests on; when the node fails, is late or is known to be gone, the same request
 * goes to the replica: same routes, same forms, same bytes. Forms are written here first, signed by this browser, and carried to the node with the
 * post itself, so that a node that dies at any moment leaves nothing half done: the operation ID makes both one.
 *
 * The node puts its build's facts in place of the marker below, so a new release is a new worker script. */
import { Mode, OPTIONS } from './mode.js'
import { Leaving } from './leaving.js'
import { linkOf, Replica } from './replica.js'
import { Store } from './store.js'

const BUILD = __HOLDFAST_BUILD__ /* {release, files: {name: sha256 hex}} */
const CACHE = `holdfast-${BUILD.release}`
const fileUrl = name => `/_holdfast/${name}?v=${BUILD.release}`
const SCRIPT = fileUrl('page.js')
const FLUSH = 'holdfast-flush'
const GATEWAY_DOWN = new Set([502, 503, 504])
/* What only a node can answer: the worker keeps out of it. */
const NODE_ONLY = /^\/(events|healthz|readyz|metrics|\.well-known\/holdfast\.json|gun|peerjs.*|announce|ipfs\/.*|_\/.*)$/
const RUN = crypto.randomUUID() /* the browser stops and starts workers as it likes: what one knows another does not */
const POST_LATE_MS = 5000
const ENTRY_HEADER_MAX = 6000 /* servers refuse long headers; a longer entry reaches the node by sync */

const mode = new Mode({ own: linkOf(self.location.origin) })
let shown = '' /* the status last told to pages */
let changedAt = -Infinity

/* ---- life of the worker ---- */

self.addEventListener('install', event => event.waitUntil(install()))
self.addEventListener('activate', event => event.waitUntil(activate()))

async function install () {
  const cache = await caches.open(CACHE)
  await Promise.all(Object.entries(BUILD.files).map(async ([name, sha256]) => {
    const response = await fetch(fileUrl(name), { cache: 'no-cache' })
    if (!response.ok) throw new Error(`${name}: ${response.status}`)
    const digest = await crypto.subtle.digest('SHA-256', await response.clone().arrayBuffer())
    const hex = [...new Uint8Array(digest)].map(b => b.toString(16).padStart(2, '0')).join('')
    /* Never two releases in one worker, and never bytes that the node did not name. */
    if (hex !== sha256) throw new Error(`${name} is not of release ${BUILD.release}`)
    await cache.put(fileUrl(name), response)
  }))
  siblings.postMessage({ release: BUILD.release })
  await self.skipWaiting()
}

const siblings = new BroadcastChannel('holdfast-workers')

async function activate () {
  siblings.postMessage({ release: BUILD.release })
  await self.registration.navigationPreload?.enable()
  await self.clients.claim()
  for (const name of await caches.keys()) if (name.startsWith('holdfast-') && name !== CACHE) await caches.delete(name)
}

/* A newer worker is installed. It takes over when the browser finds this one with nothing under way; so this one begins nothing any more, ends what it
 * waits for, and leaves the writer's lock to the other. Until then requests go past it to the node that the new release came from. */
siblings.onmessage = event => { if (event.data.release !== BUILD.release) retire() }

/* One that was started anew meanwhile was not told. */
function retired () {
  if (self.registration.waiting && self.serviceWorker?.state === 'activated') retire()
  return superseded
}

function retire () {
  if (superseded) return
  superseded = true
  opening?.then(replica => replica.close(), () => {})
  opening = null
  leaving.end()
  retiring.abort()
}

/* ---- the replica, opened when first needed ---- */

let opening = null
let superseded = false
const retiring = new AbortController()
let broken = '' /* why it could not be opened */

/* Not by caches.open(), which would make the cache again that a newer worker has removed. */
const ofCache = url => caches.match(url, { cacheName: CACHE })

const cached = async name => {
  const response = await ofCache(fileUrl(name)) ?? await fetch(fileUrl(name))
  if (!response.ok) throw new Error(`${name}: ${response.status}`)
  return response
}

function replica () {
  if (superseded) return Promise.reject(new Error('a newer worker has taken over'))
  opening ??= Replica.open({
    release: BUILD.release,
    script: SCRIPT,
    origin: self.location.origin,
    mode,
    module: async () => WebAssembly.compileStreaming(cached('core.wasm')),
    bundle: async () => new Uint8Array(await (await cached('app.bundle')).arrayBuffer()),
    on: {
      send: (conn, bytes) => toNetworker({ hf: 'data', conn, bytes }),
      close: (conn, reason) => toNetworker({ hf: 'close', conn, reason }),
      peer: (conn, peer) => {
        leaving.returned(peer)
        toNetworker({ hf: 'peer', conn, peer })
      },
      introduced: (via, peers) => toNetworker({ hf: 'introduced', via, peers }),
      signal: signalled,
      rtc: async (session, type, text) => {
        if (await toNetworker({ hf: 'rtc', session, type, text }) || type === 'ended') return
        const open = await replica() /* there is no page that could */
        open.meetings.failed(session)
      },
      changed: () => {
        changedAt = Date.now()
        toAll({ hf: 'changed' })
      },
      database: address => { toAll({ hf: 'database', address }) },
      status: () => { tellStatus() },
      linked: () => { relinked() },
      alone: () => { probe().then(tellStatus) },
      lost: startAfresh
    }
  }).then(opened => {
    broken = ''
    opened.connect()
    return opened
  })
  const mine = opening
  mine.catch(error => {
    if (opening !== mine) return
    opening = null
    broken = String(error)
  })
  return mine
}

/* The store was cleared under us (by the user, or by a browser short of room): with a new name, from what others have. */
function startAfresh () {
  opening = null
  mode.peers = 0
  borrowed.clear()
  toAll({ hf: 'net?', run: RUN })
}

/* What the user chose outlives the worker, which the browser stops after half a minute without work. */
const remembered = (async () => {
  const store = await Store.open()
  mode.override = await store.get('override') ?? 'auto'
  store.close()
})().catch(() => {})

/* ---- requests ---- */

self.addEventListener('fetch', event => {
  const { request } = event
  const url = new URL(request.url)
  if (url.origin !== self.location.origin || NODE_ONLY.test(url.pathname)) return
  if (url.pathname.startsWith('/_holdfast/')) return event.respondWith(file(request, url))
  if (retired()) return
  if (request.method === 'GET' || request.method === 'HEAD') return event.respondWith(read(event, url))
  /* A form on somebody else's page: sent on from here it would look like one of ours. The browser itself says where it comes from; the node judges. */
  if (originOf(request) !== self.location.origin && mode.asksNode(Date.now())) return
  event.respondWith(write(event, url))
})

async function file (request, url) {
  return await ofCache(url.pathname + url.search) ?? fetch(request)
}

async function read (event, url) {
  const { request } = event
  const local = async () => {
    if (request.mode === 'navigate') await settled()
    return answer(request, url, null)
  }
  await remembered
  if (request.headers.get('holdfast-render') === 'local' || !mode.asksNode(Date.now())) return local().catch(() => fetch(request))
  const network = fromNode(event, event.preloadResponse.then(r => r ?? fetch(request)))
  /* A replica that cannot answer leaves only the node. */
  return await inTime(network, OPTIONS.lateMs) ?? local().catch(() => network.then(r => r ?? Response.error()))
}

async function write (event, url) {
  const { request } = event
  const body = new Uint8Array(await request.clone().arrayBuffer())
  await remembered
  if (originOf(request) !== self.location.origin) return answer(request, url, body)
  if (!mode.asksNode(Date.now())) return answer(request, url, body).catch(() => fetch(postOf(request, body)))
  /* Only a replica that is open already signs here first: the post never waits for a worker to start. */
  const signed = opening && await Promise.race([opening.then(() => run(request, url, body)).catch(() => null), late(POST_LATE_MS)])
  const network = fromNode(event, fetch(postOf(request, body, signed)))
  const response = await inTime(network, POST_LATE_MS)
  if (response) return response
  return (signed ? respond(request, url, signed) : answer(request, url, body)).catch(() => network.then(r => r ?? Response.error()))
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

/* The node's answer; null when it failed. Keeps score. */
function fromNode (event, response) {
  const scored = response.then(r => {
    if (GATEWAY_DOWN.has(r.status)) throw new Error(`gateway: ${r.status}`)
    if (isForeign(r)) throw new Error('not an answer of a node')
    mode.succeeded()
    tellStatus()
    return r
  }).catch(() => {
    failed()
    return null
  })
  event.waitUntil(scored)
  return scored
}

/* A page that no node of ours made: of a network that wants its users to log in first, or of a proxy. */
const isForeign = response => response.type === 'basic' && /^text\/html/.test(response.headers.get('content-type') ?? '') && !response.headers.has('x-served-by')

function failed () {
  mode.failed(Date.now())
  tellStatus()
}

const late = ms => new Promise(resolve => setTimeout(resolve, ms, null))

/* null: failed or late, and the lateness is counted. */
async function inTime (answer, ms) {
  const tooLate = Symbol('late')
  const response = await Promise.race([answer, late(ms).then(() => tooLate)])
  if (response !== tooLate) return response
  failed()
  return null
}

async function run (request, url, body) {
  const open = await replica()
  return open.handle({
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

/* A worker is not shown the Origin header: rebuild what it would say, so that a form on another site is refused here as it is by the node. */
function originOf (request) {
  if (request.method === 'GET' || request.method === 'HEAD') return ''
  if (request.mode !== 'navigate') return self.location.origin
  return request.referrer && request.referrer !== 'about:client' ? new URL(request.referrer).origin : 'null'
}

async function answer (request, url, body) {
  const handled = await run(request, url, body)
  if (body) tellStatus() /* one more that nobody else has */
  return respond(request, url, handled)
}

/* A redirect of a script's fetch is followed here: the browser would not come back to the worker with it. */
async function respond (request, url, handled) {
  /* Written with no node to tell: should everything be closed now, the browser wakes the worker when there is a network. */
  if (handled.seq) self.registration.sync?.register(FLUSH).catch(() => {})
  const location = handled.headers.find(([name]) => name === 'location')?.[1]
  if (location && handled.status !== 201 && request.mode !== 'navigate' && request.redirect === 'follow') {
    const next = new URL(location, url)
    const page = await (await replica()).handle({ method: 'GET', path: next.pathname, query: next.search.slice(1), accept: request.headers.get('accept') })
    return toResponse(page, next, request.method)
  }
  return toResponse(handled, url, request.method)
}

function toResponse (handled, url, method) {
  const headers = new Headers()
  for (const [name, value] of handled.headers) if (name !== 'set-cookie') headers.append(name, value)
  headers.set('x-served-by', 'worker')
  headers.set('holdfast-location', url.pathname + url.search)
  const empty = method === 'HEAD' || handled.status === 204 || handled.status === 303 || handled.status === 304
  return new Response(empty ? null : handled.body, { status: handled.status, headers })
}

/* ---- pages: they show, and one of them lends its connections to other browsers ---- */

let networker = null /* client ID */
const borrowed = new Set() /* its connections */

/* A page that is left while it renews its ways to others would cut them for good: with no node to introduce them again its navigation waits a moment. */
const SETTLE_MAX_MS = 1200
const leaving = new Leaving((peer, message) => { opening?.then(open => open.signal(peer, message), () => {}) })

async function settled () {
  const open = opening && await opening.catch(() => null)
  await leaving.may(open ? open.browserPeers : [])
}

/* What browsers say to each other: about leaving it is for us, the rest is the page's business. */
function signalled (from, data) {
  opening?.then(open => {
    const type = /^\{"type":"(leaving|stay)"\}$/.exec(data)?.[1]
    /* Nobody else makes us wait. */
    if (!type) toNetworker({ hf: 'signal', from, data })
    else if (open.browserPeers.includes(from)) leaving.heard(open.self, from, type)
  }, () => {})
}

self.addEventListener('message', event => {
  const { data, source } = event
  const act = MESSAGES[data?.hf]
  if (data?.hf === 'activate') event.waitUntil(self.skipWaiting())
  else if (act && !retired()) event.waitUntil(Promise.resolve(act(data, source, event.ports[0])).catch(error => source.postMessage({ hf: 'error', error: String(error) })))
})

const MESSAGES = {
  hello: async ({ release, at }, client) => {
    client.postMessage({ hf: 'welcome', release: BUILD.release, run: RUN, same: release === BUILD.release })
    if (changedAt >= at) client.postMessage({ hf: 'changed' }) /* after its page was made, before it could be told */
    shown = ''
    await tellStatus()
  },
  alive: async ({ visible, onLine }, source) => {
    mode.onLine = onLine
    if (!networker) source.postMessage({ hf: 'net?', run: RUN }) /* this worker is new: does that page hold connections for an earlier one? */
    const open = await replica()
    open.links.visible = visible
    open.tick()
    if (!mode.node || !open.links.connected) await probe()
    await tellStatus()
  },
  hurry: async ({ onLine }) => {
    mode.onLine = onLine
    const open = await replica()
    open.links.hurry()
    if (!mode.node) await probe()
    await tellStatus()
  },
  /* This page networks now; what an earlier one held is gone. */
  net: async (_, client) => {
    const open = await replica()
    await open.whole
    for (const conn of borrowed) open.lost(conn)
    borrowed.clear()
    networker = client.id
    leaving.page(Date.now() + SETTLE_MAX_MS) /* until the page says better */
    client.postMessage({ hf: 'net', self: open.self })
    for (const [via, peers] of open.introductions) client.postMessage({ hf: 'introduced', via, peers }) /* those that came before the page */
    await learnNodes(open)
  },
  open: async ({ conn, dialer, peer }, client) => {
    const open = await replica()
    if (client.id !== networker) return client.postMessage({ hf: 'net?', run: RUN })
    borrowed.add(conn)
    open.open(conn, dialer, peer)
  },
  data: async ({ conn, bytes }, client) => {
    const open = await replica()
    if (!borrowed.has(conn)) return client.postMessage({ hf: 'net?', run: RUN })
    open.recv(conn, new Uint8Array(bytes))
  },
  settle: ({ until }, client) => {
    if (client.id !== networker) return
    leaving.page(until)
  },
  lost: async ({ conn }) => { if (borrowed.delete(conn)) (await replica()).lost(conn) },
  /* An RTCPeerConnection of that page has something to say to the peer that it is set up with; then it is up, with channels. */
  rtc: async ({ session, type, text }) => { (await replica()).meetings.say(session, type, text) },
  rtcUp: async ({ session, conn }, client) => {
    const open = await replica()
    if (client.id === networker) borrowed.add(conn)
    if (client.id === networker && open.meetings.opened(session, conn)) return
    borrowed.delete(conn)
    client.postMessage({ hf: 'close', conn })
  },
  channel: async ({ conn, ...told }, client) => {
    const open = await replica()
    if (!borrowed.has(conn)) return client.postMessage({ hf: 'close', conn })
    open.meetings.channel(conn, told)
  },
  /* Any libp2p peer that waits at a relay: RELAY/p2p-circuit/webrtc/p2p/PEER. */
  dial: async ({ address }, client) => {
    const open = await replica()
    await open.whole
    const reply = await open.meetings.dial(address).then(peer => ({ peer }), error => ({ error: String(error.message ?? error) }))
    client.postMessage({ hf: 'dialled', address, ...reply })
  },
  busy: async ({ conn, busy }) => { if (borrowed.has(conn)) (await replica()).busy(conn, busy) },
  signal: async ({ to, data }) => { (await replica()).signal(to, data) },
  override: async ({ value }) => {
    mode.override = value === 'local' ? 'local' : 'auto'
    await (await replica()).store.set('override', mode.override)
    await tellStatus()
  },
  /* Databases added at run time; the answer goes through a port of the question's own. */
  db: async ({ call, args }, _, port) => {
    try {
      if (!DATABASE_CALLS.includes(call)) throw new Error(`${call}: no such call`)
      port.postMessage({ value: await (await replica()).opened[call](...args) })
    } catch (error) {
      port.postMessage({ error: error.message })
    }
  },
  backup: async (_, client) => {
    const open = await replica()
    client.postMessage({ hf: 'backup', secrets: open.secrets })
  }
}

const DATABASE_CALLS = ['open', 'create', 'close', 'list', 'info', 'rows', 'row', 'append'] /* of opened.js */

async function toNetworker (message) {
  const client = networker && await self.clients.get(networker)
  if (client) client.postMessage(message)
  return Boolean(client)
}

async function toAll (message) {
  for (const client of await self.clients.matchAll()) client.postMessage(message)
}

/* A worker that has just started: whoever holds connections for an earlier one shall say so. */
toAll({ hf: 'net?', run: RUN })

async function tellStatus () {
  const open = opening && await opening.catch(() => null)
  if (superseded) return
  const status = {
    hf: 'status',
    mode: mode.mode,
    behind: mode.nodeFirst && !open?.merged, /* what the node shows is more than what the replica shows */
    peers: open?.browsers ?? 0,
    nodes: open?.links.connected ?? 0,
    pending: open?.pending ?? 0,
    copies: open?.copies ?? 0,
    lastSync: open?.lastSync ?? 0,
    override: mode.override,
    failed: open ? String(open.failed ?? '') : broken,
    addresses: open?.meetings.addresses ?? [] /* where libp2p peers reach this browser */
  }
  const text = JSON.stringify(status)
  if (text === shown) return
  shown = text
  await toAll(status)
}

const within = ms => AbortSignal.any([AbortSignal.timeout(ms), retiring.signal])

async function probe () {
  const ok = await fetch('/healthz', { cache: 'no-store', signal: within(2000) }).then(r => r.ok, () => false)
  mode.probed(Date.now(), ok)
}

/* The node names its siblings while it lives, and its release: of a newer one the browser is told at once, it looks but once a day by itself. */
async function learnNodes (open) {
  const response = await fetch('/.well-known/holdfast.json', { cache: 'no-cache', signal: within(5000) }).catch(() => null)
  if (!response?.ok) return
  const described = await response.json()
  if (described.release !== BUILD.release) self.registration.update().catch(() => {})
  await open.nodes((described.siblings ?? []).map(s => ({ url: linkOf(s.url), peer: s.peerId })), described.relays ?? [])
}

/* A node that went and came back may be of another release. */
let linkedBefore = false
async function relinked () {
  if (linkedBefore) await learnNodes(await replica()).catch(() => {})
  linkedBefore = true
}

/* ---- Background Sync: what was written while nothing could be reached goes out when something can, with no page open ---- */

self.addEventListener('sync', event => { if (event.tag === FLUSH) event.waitUntil(flush()) })

async function flush () {
  const open = await replica()
  open.links.hurry()
  for (let waited = 0; open.pending && waited < 20_000 && !superseded; waited += 250) await late(250)
  if (open.pending) throw new Error('not yet') /* the browser tries again */
}
