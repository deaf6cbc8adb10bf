/* browser_kit: what the tests of the browser's half share: profiles of one Chromium, nodes whose app changes, a proxy that lies. Each test has nodes
 * and profiles of its own, so that one that fails spoils no other. */
import { randomUUID } from 'node:crypto'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { browser, equal, freePort, Node, onExit, tempDir, until } from './kit.mjs'

const ROOT = new URL('../..', import.meta.url).pathname

export const start = async options => (await Node.make(options)).start()
export const profileOf = async ({ watched, ...options } = {}) => {
  const context = await (await browser({ watched })).newContext(options)
  context.setDefaultTimeout(20_000)
  return context
}
export const cdpOf = async page => page.context().newCDPSession(page)
export const servedBy = (page, path = '/') => page.evaluate(async path => (await fetch(path, { headers: { accept: 'text/html' } })).headers.get('x-served-by'), path)
export const warm = page => page.evaluate(async () => (await fetch('/', { headers: { accept: 'text/html', 'holdfast-render': 'local' } })).headers.get('x-served-by'))
export const once = async (node, texts) => {
  const all = await node.texts()
  equal(texts.filter(t => all.filter(x => x === t).length !== 1), [], 'not there exactly once')
}
export const caches_ = page => page.evaluate(async () => (await caches.keys()).filter(name => name.startsWith('holdfast-')))
export const stored = page => page.evaluate(() => new Promise((resolve, reject) => {
  const open = indexedDB.open('holdfast')
  open.onupgradeneeded = () => open.transaction.abort() /* there is none, and it is not for us to make one */
  open.onerror = () => open.error.name === 'AbortError' ? resolve({ blocks: 0, self: '' }) : reject(open.error)
  open.onsuccess = () => {
    const db = open.result
    const tx = db.transaction(['blocks', 'meta'])
    const count = tx.objectStore('blocks').count()
    const secrets = tx.objectStore('meta').get('secrets')
    tx.oncomplete = () => { db.close(); resolve({ blocks: count.result, self: secrets.result ? [...secrets.result].join() : '' }) }
  }
}))

/* Which release speaks: the page's script, the worker that controls it, the caches. */
export const releases = async page => ({
  page: await page.evaluate(() => new URL(document.querySelector('script[src^="/_holdfast/page.js"]').src).searchParams.get('v')),
  worker: await page.evaluate(() => new Promise(resolve => {
    const heard = event => {
      if (event.data?.hf !== 'welcome') return
      navigator.serviceWorker.removeEventListener('message', heard)
      navigator.serviceWorker.removeEventListener('controllerchange', ask)
      resolve(event.data.release)
    }
    const release = new URL(document.querySelector('script[src^="/_holdfast/page.js"]').src).searchParams.get('v')
    const ask = () => navigator.serviceWorker.controller.postMessage({ hf: 'hello', release })
    navigator.serviceWorker.addEventListener('message', heard)
    navigator.serviceWorker.addEventListener('controllerchange', ask) /* one that retires does not answer */
    ask()
  })),
  rendered: await page.evaluate(async () => /page\.js\?v=(\w+)/.exec(await (await fetch('/', { headers: { accept: 'text/html', 'holdfast-render': 'local' } })).text())?.[1]),
  caches: await caches_(page)
})
export async function isOf (page, release, what) {
  await until(`${what}: one cache`, async () => (await caches_(page)).length === 1, 5000)
  equal(await releases(page), { page: release, worker: release, rendered: release, caches: [`holdfast-${release}`] }, what)
}
/* Not by asking the worker: Chromium lets a new one take over at a moment at which the old one has nothing to do. */
export const newWorker = (page, release) => until(`the worker is of ${release}`, async () => JSON.stringify(await caches_(page)) === `["holdfast-${release}"]`, 30_000, 200)
export const releaseOf = async node => (await (await node.get('/.well-known/holdfast.json')).json()).release

/* A node whose app can be changed between two starts. */
export async function changeable () {
  const app = join(tempDir(), 'todo')
  cpSync(join(ROOT, 'apps/todo'), app, { recursive: true })
  const node = await Node.make({ flags: [app] })
  node.change = mark => {
    for (const [file, edit] of [
      ['templates/layout.mustache', text => text.replace(/<footer class="foot">(<b>[^<]*<\/b>)?/, `<footer class="foot"><b>${mark}</b>`)],
      ['static/app.css', text => `${text}\n/* ${mark} */\n`]
    ]) writeFileSync(join(app, file), edit(readFileSync(join(app, file), 'utf8')))
  }
  return node.start()
}

/* A proxy in front of a node; `how` changes what it does: pass, a status, hang, portal. `instead`: path -> answer of its own, with the node's where there
 * is one: (res, headers, bytes) => …; `plain`: no WebSockets; muteAll(): the WebSockets that are open stay open, and nothing comes through any more. */
export async function proxyOf (node) {
  const port = await freePort()
  const proxy = { origin: `http://localhost:${port}`, how: 'pass', instead: new Map(), asked: [], answered: [] }
  const changed = async (req, res, answer) => {
    const r = await fetch(`http://127.0.0.1:${node.port}${req.url}`).catch(() => null)
    const headers = Object.fromEntries(r?.headers ?? [])
    for (const name of ['content-length', 'content-encoding', 'connection', 'keep-alive']) delete headers[name]
    answer(res, headers, r ? Buffer.from(await r.arrayBuffer()) : Buffer.alloc(0))
  }
  const pass = (req, res) => {
    const on = http.request({ host: '127.0.0.1', port: node.port, path: req.url, method: req.method, headers: req.headers }, r => {
      res.writeHead(r.statusCode, r.rawHeaders)
      r.pipe(res)
    })
    on.on('error', () => { res.writeHead(502).end() })
    req.pipe(on)
  }
  const server = http.createServer((req, res) => {
    const path = req.url.split('?')[0]
    proxy.asked.push(req.url)
    res.on('finish', () => proxy.answered.push(req.url))
    if (proxy.instead.has(path)) return changed(req, res, proxy.instead.get(path))
    if (proxy.how === 'hang') return
    if (proxy.how === 'portal') return res.writeHead(200, { 'content-type': 'text/html' }).end('<title>Hotel</title><h1>Log in to the hotel</h1>')
    if (typeof proxy.how === 'number') return res.writeHead(proxy.how, { 'content-type': 'text/html' }).end(`<h1>${proxy.how}</h1>`)
    pass(req, res)
  })
  const sockets = new Set()
  server.on('upgrade', (req, socket, head) => {
    if (proxy.how !== 'pass' || proxy.plain) return socket.destroy()
    const on = http.request({ host: '127.0.0.1', port: node.port, path: req.url, headers: req.headers })
    on.on('upgrade', (res, other, first) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${Object.entries(res.headers).map(([k, v]) => `${k}: ${v}`).join('\r\n')}\r\n\r\n`)
      if (first.length) socket.write(first)
      if (head.length) other.write(head)
      for (const [from, to] of [[socket, other], [other, socket]]) from.on('data', chunk => { if (!socket.mute) to.write(chunk) })
      for (const [one, two] of [[socket, other], [other, socket]]) {
        one.on('error', () => two.destroy())
        one.on('close', () => two.destroy())
      }
      sockets.add(socket)
    })
    on.on('error', () => socket.destroy())
    on.end()
  })
  proxy.muteAll = () => { for (const socket of sockets) socket.mute = true }
  proxy.cut = () => { for (const socket of sockets) socket.destroy() }
  await new Promise(resolve => server.listen(port, '127.0.0.1', resolve))
  onExit(() => { server.closeAllConnections(); server.close() })
  return proxy
}

/* A proxy whose worker script begins with a few lines of ours: what happens to a worker's machine happens from its first instant, in each of its lives. */
export async function hauntedBy (node, lines) {
  const proxy = await proxyOf(node)
  proxy.instead.set('/_holdfast/sw.js', (res, headers, bytes) => res.writeHead(bytes.length ? 200 : 502, headers).end(bytes.length ? `${lines}\n${bytes}` : ''))
  return proxy
}

/* ---- forms, as the page's script sends them ---- */

/* true: it was acknowledged. */
export const post = (page, text, op = randomUUID()) => page.evaluate(async ({ text, op }) => {
  const body = new URLSearchParams({ op, text })
  return fetch('/todos', { method: 'POST', body, headers: { accept: 'text/html', 'holdfast-enhanced': '1' } }).then(r => r.ok, () => false)
}, { text, op })

/* Until it is acknowledged, with the same operation ID each time, as a user does it; answers how often it was refused. */
export async function insist (page, text, ms = 20_000) {
  const op = randomUUID()
  let refused = 0
  await until(`${text} is acknowledged`, async () => await post(page, text, op) || (refused++, false), ms, 100)
  return refused
}

/* The node has each of them once, and nothing else. */
export async function exactly (node, texts) {
  await until('the node has all', async () => (await node.texts()).length >= texts.length, 20_000, 100)
  await once(node, texts)
  equal((await node.texts()).length, texts.length, 'items')
}

/* A page of the origin without any script. */
export async function aside (profile, origin) {
  const page = await profile.newPage()
  await page.goto(origin + '/healthz')
  return page
}
