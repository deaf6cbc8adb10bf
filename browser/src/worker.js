/* worker: the service worker: its life, from installed to retired, and the one replica that it opens when it is first needed. What it answers to requests
 * stands in answers.js, what it says to pages in pages.js, what it is made of in files.js.
 *
 * The node puts its build's facts in place of the marker below, so a new release is a new worker script. */
import { Answers, late } from './answers.js'
import { Files } from './files.js'
import { Mode } from './mode.js'
import { Pages } from './pages.js'
import { linkOf, Replica } from './replica.js'
import { Store } from './store.js'

const BUILD = __HOLDFAST_BUILD__ /* {release, files: {name: sha256 hex}} */
const FLUSH = 'holdfast-flush'
/* What only a node can answer: the worker keeps out of it. */
const NODE_ONLY = /^\/(events|healthz|readyz|metrics|\.well-known\/holdfast\.json|gun|peerjs.*|announce|ipfs\/.*|_\/.*)$/

const files = new Files(BUILD, retired)
const mode = new Mode({ own: linkOf(self.location.origin) })

/* ---- life of the worker ---- */

self.addEventListener('install', event => event.waitUntil(install()))
self.addEventListener('activate', event => event.waitUntil(activate()))

const siblings = new BroadcastChannel('holdfast-workers')

async function install () {
  await files.install()
  siblings.postMessage({ release: BUILD.release })
  await self.skipWaiting()
}

async function activate () {
  siblings.postMessage({ release: BUILD.release })
  await self.registration.navigationPreload?.enable()
  await self.clients.claim()
  await files.forgetOthers()
}

/* A newer worker is installed. It takes over when the browser finds this one with nothing under way; so this one begins nothing any more, ends what it
 * waits for, and leaves the writer's lock to the other. Until then requests go past it to the node that the new release came from. */
siblings.onmessage = event => { if (event.data.release !== BUILD.release) retire() }

let superseded = false
const retiring = new AbortController()

/* One that was started anew meanwhile was not told. */
function retired () {
  if (self.registration.waiting && self.serviceWorker?.state === 'activated') retire()
  return superseded
}

function retire () {
  if (superseded) return
  superseded = true
  opening?.then(replica => replica.close(), () => {})
  opening = opened = null
  pages.leavings.end()
  retiring.abort()
}

/* ---- the replica, opened when first needed ---- */

let opening = null
let opened = null /* what came of it */
let broken = '' /* why it could not be opened */

function replica () {
  if (superseded) return Promise.reject(new Error('a newer worker has taken over'))
  opening ??= Replica.open({
    release: BUILD.release,
    script: files.url('page.js'),
    origin: self.location.origin,
    mode,
    module: () => files.module(),
    bundle: () => files.bundle(),
    on: {
      send: (conn, bytes) => pages.toNetworker({ hf: 'data', conn, bytes }),
      close: (conn, reason) => pages.toNetworker({ hf: 'close', conn, reason }),
      peer: (conn, peer) => {
        pages.leavings.returned(peer)
        pages.toNetworker({ hf: 'peer', conn, peer })
      },
      introduced: (via, peers) => pages.toNetworker({ hf: 'introduced', via, peers }),
      signal: (from, data) => pages.signalled(from, data),
      rtc: async (session, type, text) => {
        if (await pages.toNetworker({ hf: 'rtc', session, type, text }) || type === 'ended') return
        const open = await replica() /* there is no page that could */
        open.meetings.failed(session)
      },
      changed: () => pages.changed(),
      database: address => { pages.toAll({ hf: 'database', address }) },
      status: () => { pages.tellStatus() },
      linked: () => { relinked() },
      alone: () => { probe().then(() => pages.tellStatus()) },
      lost: startAfresh
    }
  })
  const mine = opening
  mine.then(open => {
    broken = ''
    if (opening === mine) opened = open
    open.connect()
    files.mend().catch(() => {}) /* the next life tries again */
  }, error => {
    if (opening !== mine) return
    opening = null
    broken = String(error)
    pages.tellStatus()
  })
  return mine
}

/* The store was cleared under us (by the user, or by a browser short of room): with a new name, from what others have. */
function startAfresh () {
  opening = opened = null
  mode.peers = 0
  pages.renew()
}

/* What the user chose outlives the worker, which the browser stops after half a minute without work. */
const remembered = (async () => {
  const store = await Store.open()
  mode.override = await store.get('override') ?? 'auto'
  store.close()
})().catch(() => {})

/* ---- the node ---- */

const within = ms => AbortSignal.any([AbortSignal.timeout(ms), retiring.signal])

/* Some networks answer everything with a page of their own. */
const fromNode = response => response?.ok && response.headers.has('x-served-by')

async function probe () {
  const ok = await fetch('/healthz', { cache: 'no-store', signal: within(2000) }).then(fromNode, () => false)
  mode.probed(performance.now(), ok)
}

/* The node names its siblings while it lives, and its release: of a newer one the browser is told at once, it looks but once a day by itself. */
async function learnNodes (open) {
  const response = await fetch('/.well-known/holdfast.json', { cache: 'no-cache', signal: within(5000) }).catch(() => null)
  if (!fromNode(response)) return
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

/* ---- pages and their requests ---- */

const pages = new Pages({ mode, release: BUILD.release, replica, opening: () => opening, retired, broken: () => broken, probe, learnNodes })
const answers = new Answers({
  mode,
  release: BUILD.release,
  replica,
  opened: () => opened,
  remembered,
  leaving: () => pages.leaving(),
  scored: () => { pages.tellStatus() },
  /* Should everything be closed now, the browser wakes the worker when there is a network. */
  kept: () => { self.registration.sync?.register(FLUSH).catch(() => {}) }
})

self.addEventListener('message', event => {
  if (event.data?.hf === 'activate') event.waitUntil(self.skipWaiting())
  else pages.hear(event)
})

self.addEventListener('fetch', event => {
  const { request } = event
  const url = new URL(request.url)
  if (url.origin !== self.location.origin || NODE_ONLY.test(url.pathname)) return
  if (url.pathname.startsWith('/_holdfast/')) return event.respondWith(files.answer(request, url))
  if (retired()) {
    if (request.mode === 'navigate' && request.method === 'GET') event.respondWith(answers.between(event))
    return
  }
  if (request.method === 'GET' || request.method === 'HEAD') return event.respondWith(answers.read(event, url))
  if (!answers.foreignForm(request)) event.respondWith(answers.write(event, url)) /* the browser itself says where that comes from; the node judges */
})

/* ---- Background Sync: what was written while nothing could be reached goes out when something can, with no page open ---- */

self.addEventListener('sync', event => { if (event.tag === FLUSH) event.waitUntil(flush()) })

async function flush () {
  const open = await replica()
  open.links.hurry()
  for (let waited = 0; open.pending && waited < 20_000 && !retired(); waited += 250) await late(250)
  if (open.pending) throw new Error('not yet') /* the browser tries again */
}
