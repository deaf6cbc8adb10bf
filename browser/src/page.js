/* page: registers the worker, shows where pages come from, keeps the page live, and lends the worker its connections when it is this tab's turn. */
import { Navigator } from './navigate.js'
import { Peers } from './rtc.js'
import { Badge } from './status.js'
import { Store } from './store.js'

const RELEASE = new URL(import.meta.url).searchParams.get('v') ?? ''
const WORKER = '/_holdfast/sw.js'
const NETWORK_LOCK = 'holdfast-network'
const ALIVE_MS = 5000
const REFRESH_MS = 30 /* several changes that come together are shown together */

const navigator_ = new Navigator({ release: RELEASE })
const badge = new Badge({ override: value => post({ hf: 'override', value }) })
let peers = null
let lending = null /* {stop}: this tab networks, or waits for its turn */
let asked = false /* 'net' was said and not answered yet */
let refreshTimer = 0

const post = (message, transfer = []) => navigator.serviceWorker.controller?.postMessage(message, transfer)

function changed () {
  clearTimeout(refreshTimer)
  refreshTimer = setTimeout(() => navigator_.refresh(), REFRESH_MS)
}

/* Without a worker (private windows, old browsers, no https) the node tells what changes. */
function listen () {
  const events = new EventSource('/events')
  events.addEventListener('change', changed)
  let known = false
  events.addEventListener('open', () => {
    if (known) changed() /* what was missed meanwhile */
    known = true
  })
}

const MESSAGES = {
  welcome: async ({ same }) => {
    navigator_.reloadNext = !same
    if (same) return lend()
    /* The page is of another release than the worker. They do nothing together; either a newer worker takes over, or the page is the older one. */
    stopLending()
    const registration = await navigator.serviceWorker.getRegistration('/')
    if (!registration) return
    promote(registration)
    /* By itself the browser looks for a new worker only when the old one has been idle for a while. */
    if (!registration.waiting && !registration.installing) await registration.update()
  },
  status: status => badge.show(status),
  changed,
  net: async ({ self }) => {
    asked = false
    if (lending && peers?.self === self) return peers.renew()
    peers?.stop()
    if (!lending) return
    const fresh = peers = new Peers({ self, store: await Store.open(), iceServers: [], post })
    await fresh.start()
  },
  /* The worker was restarted and knows nothing of our connections: begin again. */
  'net?': () => { if (peers) net() },
  data: ({ conn, bytes }) => peers?.send(conn, bytes),
  close: ({ conn }) => peers?.close(conn),
  peer: ({ conn, peer }) => peers?.proved(conn, peer),
  introduced: ({ via, peers: list }) => peers?.introduced(via, list),
  signal: ({ from, data }) => peers?.signalled(from, data)
}

function hello () {
  post({ hf: 'hello', release: RELEASE })
  alive()
}

function alive () {
  post({ hf: 'alive', visible: document.visibilityState === 'visible', onLine: navigator.onLine })
}

const hurry = () => { if (document.visibilityState === 'visible') post({ hf: 'hurry', onLine: navigator.onLine }) }

function net () {
  if (asked) return
  asked = true
  post({ hf: 'net' })
}

/* One tab networks; when it closes the lock passes on. */
function lend () {
  if (lending) return peers && net()
  const queue = new AbortController()
  const turn = lending = { stop: () => queue.abort() }
  navigator.locks.request(NETWORK_LOCK, { signal: queue.signal }, () => new Promise(release => {
    turn.stop = release
    net()
  })).catch(() => {})
}

function stopLending () {
  peers?.stop()
  peers = null
  lending?.stop()
  lending = null
  asked = false
}

/* A newer worker takes over as soon as it can: pages of the release before ask it for nothing but the way to the new one. */
function promote (registration) {
  if (!navigator.serviceWorker.controller) return
  registration.waiting?.postMessage({ hf: 'activate' })
  const fresh = registration.installing
  fresh?.addEventListener('statechange', () => { if (fresh.state === 'installed') fresh.postMessage({ hf: 'activate' }) })
}

async function start () {
  if (!('serviceWorker' in navigator) || !navigator.locks) return listen()
  navigator.serviceWorker.addEventListener('message', event => {
    Promise.resolve(MESSAGES[event.data?.hf]?.(event.data)).catch(error => console.warn(`holdfast: ${event.data.hf}: ${error}`))
  })
  try {
    const registration = await navigator.serviceWorker.register(WORKER, { scope: '/', updateViaCache: 'none' })
    promote(registration) /* found before we listened */
    registration.addEventListener('updatefound', () => promote(registration))
  } catch (error) {
    /* Offline with a worker in place there is nothing to register; without one the node's events do. */
    if (!navigator.serviceWorker.controller) return listen()
  }
  if (navigator.serviceWorker.controller) hello()
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    asked = false
    hello()
  })
  setInterval(alive, ALIVE_MS)
  addEventListener('online', hurry)
  addEventListener('offline', alive)
  document.addEventListener('visibilitychange', hurry)
  addEventListener('pageshow', hurry)
  document.addEventListener('submit', () => { navigator.storage?.persist?.() }, { once: true })
}

start()
