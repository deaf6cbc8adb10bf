/* page: registers the worker, shows where pages come from, keeps the page live, and lends the worker its connections when it is this tab's turn. */
import { Databases } from './databases.js'
import { Navigator } from './navigate.js'
import { Peers } from './rtc.js'
import { Badge } from './status.js'
import { Store } from './store.js'
import { WebRtc } from './webrtc.js'

const RELEASE = new URL(import.meta.url).searchParams.get('v') ?? ''
const WORKER = '/_holdfast/sw.js'
const NETWORK_LOCK = 'holdfast-network'
const ALIVE_MS = 5000
const REFRESH_MS = 30 /* several changes that come together are shown together */
const HANDOVER_MS = 4000 /* a step into another release waits for its worker no longer than this */
const PROMOTE_MS = 100
const SLEPT_MS = 20_000 /* a visible page whose clock has not struck for so long was asleep, with its machine */
const SWAP_MS = 5000 /* a page that is younger does not reload by itself: two nodes of two releases would keep it at that */

const navigator_ = new Navigator({ release: RELEASE, handover })
const badge = new Badge({ override: value => post({ hf: 'override', value }) })
const databases = new Databases()
let peers = null
let webrtc = null /* RTCPeerConnections by libp2p's own rules, lent as well */
let lending = null /* {stop, held}: this tab networks, or waits for its turn */
let asked = '' /* the run of the worker that was told 'net' and has not answered yet */
let ready = Promise.resolve() /* when `peers` can take what the worker says */
let registration = null
let promoting = 0
let refreshTimer = 0
let missed = false /* something changed before the worker's first status */
let told = null /* the worker's last status */
let events = null /* EventSource: the node tells what changes */
let swapped = false /* another worker took over while this page was open */
let controlled = Boolean('serviceWorker' in navigator && navigator.serviceWorker.controller)
const began = Date.now() - performance.now()

/* A worker that is about to be exchanged is left in peace: the browser exchanges it when it has nothing to do. */
const post = (message, transfer = []) => {
  if (!registration?.waiting) navigator.serviceWorker.controller?.postMessage(message, transfer)
}

function changed () {
  refreshTimer ||= setTimeout(() => {
    refreshTimer = 0
    navigator_.refresh()
  }, REFRESH_MS)
}

/* Without a worker (first visits, private windows, old browsers, no https), and until its replica has all that the node has, the node tells what changes. */
function listen () {
  if (events) return
  events = new EventSource('/events')
  events.addEventListener('change', changed)
  events.addEventListener('open', changed) /* what came after the page was made, or was missed meanwhile */
}

function deafen () {
  events?.close()
  events = null
}

/* A half-filled replica would show half of the list, and every batch that arrives would show another half: the page keeps what the node made of it. */
function follow (status) {
  const { behind, mode } = status
  const was = told?.behind
  told = status
  navigator_.behind = behind
  if (behind && document.visibilityState === 'visible') return listen()
  deafen()
  if (behind) return
  /* When the node died before the replica had all, what it made is more than what we could make. */
  if (was ? mode === 'server' : missed) changed()
  missed = false
}

const MESSAGES = {
  welcome: async ({ same, run }) => {
    navigator_.reloadNext = !same
    if (same) return lend(run)
    /* The page is of another release than the worker. They do nothing together: either the worker is new and the page changes at its next step, at once
     * when nobody is at work in it, or a newer worker is on its way. */
    stopLending()
    navigator_.behind = true
    if (swapped) return setTimeout(() => navigator_.swap(), Math.max(0, SWAP_MS - performance.now()))
    await registration?.update()
  },
  status: status => {
    badge.show(status)
    if (!navigator_.reloadNext) follow(status)
  },
  changed: () => {
    if (navigator_.reloadNext && swapped) navigator_.swap()
    else if (navigator_.behind) missed = true
    else changed()
  },
  net: ({ self }) => {
    asked = ''
    ready = ready.then(() => network(self)).catch(error => console.warn(`holdfast: ${error}`))
    return ready
  },
  /* The worker was restarted and knows nothing of our connections: begin again. */
  'net?': ({ run }) => {
    databases.changed(null)
    if (lending?.held) net(run)
  },
  take: ({ run }) => take(run),
  error: ({ of }) => { if (of === 'net') asked = '' }, /* no replica could be opened: it is asked again when there is one */
  database: ({ address }) => databases.changed(address),
  data: ({ conn, bytes }) => (webrtc?.has(conn) ? webrtc : peers)?.send(conn, bytes),
  close: ({ conn }) => (webrtc?.has(conn) ? webrtc : peers)?.close(conn),
  rtc: ({ session, type, text }) => webrtc?.heard(session, type, text),
  peer: ({ conn, peer }) => peers?.proved(conn, peer),
  introduced: async ({ via, peers: list }) => {
    await ready
    peers?.introduced(via, list)
  },
  signal: async ({ from, data }) => {
    await ready
    await peers?.signalled(from, data)
  }
}

function hello () {
  const [{ responseStart = 0 } = {}] = performance.getEntriesByType('navigation')
  post({ hf: 'hello', release: RELEASE, at: began + responseStart })
  alive()
}

let aliveAt = Date.now()
let seenAwake = false

/* The wall clock, since others stand still while the machine sleeps. */
function alive () {
  const visible = document.visibilityState === 'visible'
  if (visible && seenAwake && Math.abs(Date.now() - aliveAt) > SLEPT_MS) hurry(true)
  seenAwake = visible
  aliveAt = Date.now()
  post({ hf: 'alive', visible: document.visibilityState === 'visible', onLine: navigator.onLine })
}

const hurry = slept => { if (document.visibilityState === 'visible' || slept) post({ hf: 'hurry', onLine: navigator.onLine, slept }) }

/* A worker that was stopped takes what it was asked with it: its next run is asked anew. */
function net (run) {
  if (asked === run) return
  asked = run
  post({ hf: 'net' })
}

async function network (self) {
  webrtc?.stop() /* an earlier run of the worker knew what they carry */
  webrtc = lending ? new WebRtc({ iceServers: [], post }) : null
  if (lending && peers?.self === self) return peers.renew()
  peers?.stop()
  peers = null
  if (!lending) return
  const fresh = new Peers({ self, store: await Store.open(), iceServers: [], post })
  await fresh.start()
  if (lending) peers = fresh
  else fresh.stop()
}

/* One tab networks; when it closes the lock passes on. */
function lend (run) {
  if (lending) return lending.held && net(run)
  const queue = new AbortController()
  const turn = lending = { stop: () => queue.abort(), held: false, run }
  request(turn, { signal: queue.signal })
}

function request (turn, how) {
  navigator.locks.request(NETWORK_LOCK, how, () => new Promise(release => {
    turn.stop = release
    turn.held = true
    net(turn.run)
  })).catch(() => {
    if (lending !== turn || !turn.held) return
    stopLending() /* this page was not heard of for so long that another one took its turn */
    lend(turn.run)
  })
}

/* The page whose turn it is hangs. */
function take (run) {
  if (!lending || lending.held) return
  lending.stop()
  lending = { stop: () => {}, held: false, run }
  request(lending, { steal: true })
}

/* A page that the browser freezes keeps its locks and answers nobody: another tab shall have its turn. It has another run of the worker to ask, perhaps,
 * when it comes to, and the worker says so. */
function freeze () {
  if (lending?.held) post({ hf: 'away' })
  stopLending()
}

function resume () {
  hurry(true)
  hello()
}

function stopLending () {
  peers?.stop()
  peers = null
  webrtc?.stop()
  webrtc = null
  lending?.stop()
  lending = null
  asked = ''
}

/* The browser looks once whether the old worker has nothing to do; asked again, it looks again. */
function promote () {
  const fresh = registration.installing
  fresh?.addEventListener('statechange', () => { if (fresh.state === 'installed') promote() })
  if (!registration.waiting || promoting) return
  promoting = setInterval(() => {
    if (registration.waiting) return registration.waiting.postMessage({ hf: 'activate' })
    clearInterval(promoting)
    promoting = 0
  }, PROMOTE_MS)
}

/* The next page is of another release: let its worker take over first, so that page and worker are of one again. By itself the browser looks for a new
 * worker only when the old one has been idle for a while. */
async function handover () {
  const before = navigator.serviceWorker?.controller
  if (!registration || !before) return
  await new Promise(resolve => {
    navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true })
    setTimeout(resolve, HANDOVER_MS)
    registration.update().catch(() => {}).then(() => { if (!registration.installing && !registration.waiting && registration.active === before) resolve() })
  })
}

async function start () {
  if (!navigator.serviceWorker?.controller || !navigator.locks) listen()
  if (!('serviceWorker' in navigator) || !navigator.locks) return
  navigator.serviceWorker.addEventListener('message', event => {
    Promise.resolve(MESSAGES[event.data?.hf]?.(event.data)).catch(error => console.warn(`holdfast: ${event.data.hf}: ${error}`))
  })
  try {
    registration = await navigator.serviceWorker.getRegistration('/') /* one that is there already need not wait for a node that may be gone */
    registration = await navigator.serviceWorker.register(WORKER, { scope: '/', updateViaCache: 'none' })
    registration?.addEventListener('updatefound', promote)
    if (registration) promote()
  } catch (error) {
    /* Offline with a worker in place there is nothing to register; without one the node's events do. */
    if (!navigator.serviceWorker.controller) return
  }
  if (navigator.serviceWorker.controller) hello()
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    swapped = controlled
    controlled = true
    asked = ''
    hello()
  })
  setInterval(alive, ALIVE_MS)
  addEventListener('online', () => hurry(true))
  addEventListener('offline', alive)
  document.addEventListener('visibilitychange', () => {
    hurry()
    if (told) follow(told)
  })
  addEventListener('pageshow', event => hurry(event.persisted))
  document.addEventListener('freeze', freeze)
  document.addEventListener('resume', resume)
  document.addEventListener('submit', () => { navigator.storage?.persist?.() }, { once: true })
}

globalThis.holdfast = Object.freeze({ databases })
start()
