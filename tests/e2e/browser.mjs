/* The browser's half under what happens to it in the world: updates, the kill switch, proxies that lie, storage that is taken away, workers that are
 * stopped, other people's pages. Each test has nodes and profiles of its own, so that one that fails spoils no other. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { addTodo, browser, cleanUp, equal, freePort, hasPeers, inMode, mode, Node, ok, onExit, run, settled, showsText, shown, tempDir, test, until, visit } from './kit.mjs'

const ROOT = new URL('../..', import.meta.url).pathname

/* ---- what the tests share ---- */

const start = async options => (await Node.make(options)).start()
const profileOf = async options => {
  const context = await (await browser()).newContext(options)
  context.setDefaultTimeout(20_000)
  return context
}
const cdpOf = async page => page.context().newCDPSession(page)
const servedBy = (page, path = '/') => page.evaluate(async path => (await fetch(path, { headers: { accept: 'text/html' } })).headers.get('x-served-by'), path)
const warm = page => page.evaluate(async () => (await fetch('/', { headers: { accept: 'text/html', 'holdfast-render': 'local' } })).headers.get('x-served-by'))
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
const once = async (node, texts) => {
  const all = await node.texts()
  equal(texts.filter(t => all.filter(x => x === t).length !== 1), [], 'not there exactly once')
}
const caches_ = page => page.evaluate(async () => (await caches.keys()).filter(name => name.startsWith('holdfast-')))
const stored = page => page.evaluate(() => new Promise((resolve, reject) => {
  const open = indexedDB.open('holdfast')
  open.onerror = () => reject(open.error)
  open.onsuccess = () => {
    const db = open.result
    if (!db.objectStoreNames.contains('blocks')) { db.close(); return resolve({ blocks: 0, self: '' }) }
    const tx = db.transaction(['blocks', 'meta'])
    const count = tx.objectStore('blocks').count()
    const secrets = tx.objectStore('meta').get('secrets')
    tx.oncomplete = () => { db.close(); resolve({ blocks: count.result, self: secrets.result ? [...secrets.result].join() : '' }) }
  }
}))

/* Which release speaks: the page's script, the worker that controls it, the caches. */
const releases = async page => ({
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
async function isOf (page, release, what) {
  await until(`${what}: one cache`, async () => (await caches_(page)).length === 1, 5000)
  equal(await releases(page), { page: release, worker: release, rendered: release, caches: [`holdfast-${release}`] }, what)
}
/* Not by asking the worker: Chromium lets a new one take over at a moment at which the old one has nothing to do. */
const newWorker = (page, release) => until(`the worker is of ${release}`, async () => JSON.stringify(await caches_(page)) === `["holdfast-${release}"]`, 30_000, 200)
const releaseOf = async node => (await (await node.get('/.well-known/holdfast.json')).json()).release

/* A node whose app can be changed between two starts. */
async function changeable () {
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

/* A proxy in front of a node; `how` changes what it does: pass, a status, hang, portal. */
async function proxyOf (node) {
  const port = await freePort()
  const proxy = { origin: `http://localhost:${port}`, how: 'pass' }
  const pass = (req, res) => {
    const on = http.request({ host: '127.0.0.1', port: node.port, path: req.url, method: req.method, headers: req.headers }, r => {
      res.writeHead(r.statusCode, r.rawHeaders)
      r.pipe(res)
    })
    on.on('error', () => { res.writeHead(502).end() })
    req.pipe(on)
  }
  const server = http.createServer((req, res) => {
    if (proxy.how === 'hang') return
    if (proxy.how === 'portal') return res.writeHead(200, { 'content-type': 'text/html' }).end('<title>Hotel</title><h1>Log in to the hotel</h1>')
    if (typeof proxy.how === 'number') return res.writeHead(proxy.how, { 'content-type': 'text/html' }).end(`<h1>${proxy.how}</h1>`)
    pass(req, res)
  })
  const sockets = new Set()
  server.on('upgrade', (req, socket, head) => {
    if (proxy.how !== 'pass') return socket.destroy()
    const on = http.request({ host: '127.0.0.1', port: node.port, path: req.url, headers: req.headers })
    on.on('upgrade', (res, other, first) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${Object.entries(res.headers).map(([k, v]) => `${k}: ${v}`).join('\r\n')}\r\n\r\n`)
      if (first.length) socket.write(first)
      if (head.length) other.write(head)
      socket.pipe(other).pipe(socket)
      for (const [one, two] of [[socket, other], [other, socket]]) {
        one.on('error', () => two.destroy())
        one.on('close', () => two.destroy())
      }
      sockets.add(socket)
    })
    on.on('error', () => socket.destroy())
    on.end()
  })
  proxy.cut = () => { for (const socket of sockets) socket.destroy() }
  await new Promise(resolve => server.listen(port, '127.0.0.1', resolve))
  onExit(() => { server.closeAllConnections(); server.close() })
  return proxy
}

/* ---- (1) updates ---- */

test('an update while the node is alive: old pages stay whole, the next step is of the new release', async () => {
  const node = await changeable()
  const before = await releaseOf(node)
  const profile = await profileOf()
  const [one, two] = [await visit(profile, node.origin), await visit(profile, node.origin + '/?status=open')]
  await addTodo(one, 'kept over the update')
  await showsText(two, 'kept over the update')
  await isOf(one, before, 'before')
  await two.fill('input[name=text]', 'half typed')
  await node.stop()
  node.change('second release')
  await node.start()
  const after = await releaseOf(node)
  ok(after !== before, 'the release changed')
  await inMode(one, 'server')
  /* A page of the old release that asks for the next one gets all of the new one. */
  await one.click('text=kept over the update')
  await one.waitForURL(/\/todos\//)
  await showsText(one, 'kept over the update')
  equal(await one.innerText('footer b'), 'second release', 'footer')
  ok(await one.evaluate(v => document.querySelector(`link[rel=stylesheet][href*="${v}"]`) !== null, after), 'styles of the new release')
  /* Its worker was there first. */
  await isOf(one, after, 'after')
  /* The other tab was not touched, and was not mixed. */
  equal(await two.inputValue('input[name=text]'), 'half typed', 'typed')
  equal(await two.locator('footer b').count(), 0, 'the old page is the old page')
  await node.post('/todos', { text: 'while the old page is open' })
  await pause(300)
  equal(await two.locator('footer b').count(), 0, 'no morph over releases')
  equal(await two.inputValue('input[name=text]'), 'half typed', 'typed')
  await two.press('input[name=text]', 'Enter')
  await showsText(two, 'half typed')
  equal(await two.innerText('footer b'), 'second release', 'footer')
  await settled(two)
  await isOf(two, after, 'the other tab')
  await once(node, ['kept over the update', 'half typed', 'while the old page is open'])
})

test('an update that comes while the browser is on its own', async () => {
  const node = await changeable()
  const before = await releaseOf(node)
  const page = await visit(await profileOf(), node.origin)
  await addTodo(page, 'before')
  await showsText(page, 'before')
  await warm(page)
  await node.kill()
  await page.goto(node.origin + '/')
  await settled(page)
  await inMode(page, 'local')
  await addTodo(page, 'on its own')
  await showsText(page, 'on its own')
  await isOf(page, before, 'local')
  node.change('third release')
  await node.start()
  const after = await releaseOf(node)
  await inMode(page, 'server')
  await until('the node has it', async () => (await node.texts()).includes('on its own'))
  await page.goto(node.origin + '/')
  await settled(page)
  await newWorker(page, after)
  await isOf(page, after, 'after')
  equal(await page.innerText('footer b'), 'third release', 'footer')
  await node.kill()
  await page.goto(node.origin + '/')
  await settled(page)
  await showsText(page, 'before')
  await isOf(page, after, 'the new release on its own')
  equal(await page.innerText('footer b'), 'third release', 'footer')
  await node.start()
  await once(node, ['before', 'on its own'])
})

/* ---- (2) the kill switch ---- */

test('the kill switch removes the worker and its caches, not the data', async () => {
  const node = await start()
  const page = await visit(await profileOf(), node.origin)
  await addTodo(page, 'written under the worker')
  await showsText(page, 'written under the worker')
  const kept = await stored(page)
  ok(kept.blocks > 0 && kept.self, 'something is stored')
  await node.stop()
  await node.start(['--no-worker'])
  await page.goto(node.origin + '/')
  await until('the worker is gone', () => page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length === 0 && !navigator.serviceWorker.controller))
  await until('the caches are gone', async () => (await caches_(page)).length === 0)
  equal(await stored(page), kept, 'the data')
  await page.goto(node.origin + '/')
  await addTodo(page, 'without a worker')
  await showsText(page, 'without a worker')
  await node.stop()
  await node.start()
  await page.goto(node.origin + '/')
  await settled(page)
  ok((await stored(page)).self === kept.self, 'the same identity as before')
  await once(node, ['written under the worker', 'without a worker'])
})

/* ---- (3) nodes that are there and not there ---- */

test('a proxy that says 502, 503, 504: the worker answers, then the mode follows; and back', async () => {
  const node = await start()
  const proxy = await proxyOf(node)
  const page = await visit(await profileOf(), proxy.origin)
  await warm(page)
  for (const status of [502, 503, 504]) {
    await inMode(page, 'server')
    proxy.how = status
    proxy.cut()
    equal(await servedBy(page), 'worker', `at ${status} served by`)
    await addTodo(page, `through ${status}`)
    await showsText(page, `through ${status}`)
    await inMode(page, 'local')
    proxy.how = 'pass'
    await inMode(page, 'server')
    equal(await servedBy(page), 'node', 'after it served by')
  }
  await until('the node has all', async () => (await node.texts()).filter(t => t.startsWith('through')).length === 3)
  await once(node, ['through 502', 'through 503', 'through 504'])
})

test('a node that accepts and never answers: the page comes within 3.5 s, the next ones at once', async () => {
  const node = await start()
  const proxy = await proxyOf(node)
  const page = await visit(await profileOf(), proxy.origin)
  await warm(page)
  proxy.how = 'hang'
  let began = Date.now()
  await page.goto(proxy.origin + '/?status=open', { waitUntil: 'commit' })
  const took = Date.now() - began
  ok(took > 2000 && took < 4500, `took ${took} ms`)
  await page.waitForLoadState()
  await settled(page)
  await until('the mode is local', async () => await mode(page) === 'local')
  began = Date.now()
  equal(await servedBy(page), 'worker', 'served by')
  ok(Date.now() - began < 1000, `the next one took ${Date.now() - began} ms`)
  await addTodo(page, 'nobody listens')
  await showsText(page, 'nobody listens')
  proxy.how = 'pass'
  await inMode(page, 'server')
  await until('the node has it', async () => (await node.texts()).includes('nobody listens'))
  await once(node, ['nobody listens'])
})

test('a network that answers everything with its own page is no node', async () => {
  const node = await start()
  const proxy = await proxyOf(node)
  const page = await visit(await profileOf(), proxy.origin)
  await warm(page)
  proxy.how = 'portal'
  proxy.cut()
  await page.goto(proxy.origin + '/')
  ok(!(await page.content()).includes('Hotel'), 'the app, not the portal')
  await addTodo(page, 'in the hotel')
  await showsText(page, 'in the hotel')
  proxy.how = 'pass'
  await until('the node has it', async () => (await node.texts()).includes('in the hotel'), 20_000)
  await once(node, ['in the hotel'])
})

/* ---- (4) under the user's hands ---- */

const shifts = page => page.evaluate(() => {
  window.shifted = 0
  new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shifted += entry.value }).observe({ type: 'layout-shift' })
})
const shifted = async page => {
  await pause(120) /* the observer is told after the frame */
  return page.evaluate(() => window.shifted)
}

test('text, focus, selection, open details and scroll stay when somebody else changes the list', async () => {
  const node = await start()
  for (let i = 0; i < 40; i++) await node.post('/todos', { text: `item ${i}` })
  const page = await visit(await profileOf({ viewport: { width: 800, height: 500 } }), node.origin)
  await page.fill('#new-text', 'half a sentence')
  await page.fill('#new-assignee', 'Ann')
  await page.evaluate(() => { document.querySelector('#new-text').focus(); document.querySelector('#new-text').setSelectionRange(2, 6) })
  await page.click('#hf-status-open')
  await page.focus('#new-text')
  await page.evaluate(() => document.querySelector('#new-text').setSelectionRange(2, 6))
  await shifts(page)
  const items = await node.items()
  /* What changes in place moves nothing. */
  await node.post(`/todos/${items[0].id}/toggle`, {})
  await page.waitForFunction(id => document.querySelector(`#todo-${id} [aria-pressed=true]`), items[0].id)
  await node.post(`/todos/${items[1].id}`, { text: 'edited' })
  await showsText(page, 'edited')
  equal(await shifted(page), 0, 'layout shift')
  await node.post('/todos', { text: 'from somebody else' })
  await showsText(page, 'from somebody else')
  equal(await page.inputValue('#new-text'), 'half a sentence', 'text')
  equal(await page.inputValue('#new-assignee'), 'Ann', 'assignee')
  equal(await page.evaluate(() => [document.activeElement.id, document.activeElement.selectionStart, document.activeElement.selectionEnd]), ['new-text', 2, 6], 'focus and selection')
  ok(await page.evaluate(() => document.querySelector('#hf-status-details').open), 'details')
  await page.keyboard.type('XY')
  equal(await page.inputValue('#new-text'), 'haXY sentence', 'typing goes on')
  /* Scrolled down: what is read stays where it is, whatever comes above it. */
  await page.click('#hf-status-open')
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 700) })
  await pause(200)
  const read = await page.evaluate(() => document.elementFromPoint(400, 250).closest('li')?.id)
  const where = () => page.evaluate(id => Math.round(document.getElementById(id).getBoundingClientRect().top), read)
  const was = await where()
  await page.evaluate(() => { window.shifted = 0 })
  for (const i of [1, 2, 3]) {
    await node.post('/todos', { text: `above ${i}` })
    await showsText(page, `above ${i}`)
  }
  ok(Math.abs(await where() - was) <= 1, `moved by ${await where() - was}`)
  equal(await shifted(page), 0, 'layout shift when scrolled')
})

test('typed while a slow node takes the form: nothing is wiped, both forms arrive', async () => {
  const node = await start()
  const page = await visit(await profileOf(), node.origin)
  await page.route('**/todos', async route => { await pause(600); await route.continue() })
  await addTodo(page, 'first')
  await page.fill('#new-text', 'second')
  await pause(900)
  equal(await page.inputValue('#new-text'), 'second', 'typed meanwhile')
  await page.press('#new-text', 'Enter')
  await page.fill('#new-text', 'third')
  await page.press('#new-text', 'Enter')
  await showsText(page, 'third')
  await showsText(page, 'second')
  await until('all three', async () => (await node.texts()).length === 3)
  await once(node, ['first', 'second', 'third'])
})

/* ---- (7), (8) less than everything ---- */

test('without scripts every form works', async () => {
  const node = await start()
  const page = await (await profileOf({ javaScriptEnabled: false })).newPage()
  await page.goto(node.origin)
  await page.fill('#new-text', 'plain')
  await page.click('#new-add')
  await page.click('text=plain')
  await page.fill('#edit-text', 'plain, edited')
  await page.click('#edit-save')
  ok((await page.content()).includes('plain, edited'), 'edited')
  await page.click('#toggle')
  equal(await page.getAttribute('#toggle', 'aria-pressed'), 'true', 'toggled')
  await page.click('#delete-open')
  await page.click('#delete-yes')
  equal(await node.texts(), [], 'deleted')
  await page.goto(node.origin)
  await page.fill('#new-text', '   ')
  await page.click('#new-add')
  ok(await page.locator('[aria-invalid=true]').count() > 0, 'bad input is told')
  await page.fill('#find-q', 'nothing')
  await page.click('#find-go')
  ok(page.url().includes('q=nothing'), 'search')
})

test('without service workers the page is live by events, and says nothing wrong', async () => {
  const node = await start()
  const profile = await profileOf({ serviceWorkers: 'block' })
  const page = await profile.newPage()
  const errors = []
  page.on('pageerror', error => errors.push(String(error)))
  await page.goto(node.origin)
  await until('it listens', async () => {
    await node.post('/todos', { text: 'told by an event', op: 'one' })
    return (await shown(page)).includes('told by an event')
  })
  await addTodo(page, 'posted without a worker')
  await showsText(page, 'posted without a worker')
  await node.kill()
  await page.fill('#new-text', 'not lost')
  await page.press('#new-text', 'Enter')
  await page.waitForSelector('.hf-unsent')
  equal(await page.inputValue('#new-text'), 'not lost', 'typed')
  await node.start()
  await page.press('#new-text', 'Enter')
  await showsText(page, 'not lost')
  await node.post('/todos', { text: 'after the return' })
  await showsText(page, 'after the return')
  equal(errors, [], 'errors')
})

/* ---- (5) several tabs ---- */

test('three tabs are one peer: one networker, handed over; one identity', async () => {
  const node = await start()
  const [profile, other] = [await profileOf(), await profileOf()]
  const tabs = []
  for (let i = 0; i < 3; i++) tabs.push(await visit(profile, node.origin))
  const far = await visit(other, node.origin)
  for (const tab of tabs) await hasPeers(tab, 1)
  const locks = page => page.evaluate(async () => {
    const { held, pending } = await navigator.locks.query()
    const count = list => name => list.filter(lock => lock.name === name).length
    return ['holdfast-network', 'holdfast-writer'].map(name => [count(held)(name), count(pending)(name)])
  })
  equal(await locks(tabs[0]), [[1, 2], [1, 0]], 'locks held and waited for')
  equal(await far.evaluate(() => document.documentElement.dataset.peers), '1', 'three tabs are one peer')
  for (const [i, tab] of tabs.entries()) {
    await addTodo(tab, `of tab ${i}`)
    for (const shows of [...tabs, far]) await showsText(shows, `of tab ${i}`)
  }
  await node.kill()
  for (let left = 3; left > 1; left--) {
    await tabs.shift().close()
    const text = `with ${left - 1} tabs left`
    await until('the lock was handed over', async () => (await locks(tabs[0]))[0][0] === 1)
    await hasPeers(tabs[0], 1)
    await addTodo(far, text)
    for (const tab of tabs) await showsText(tab, text)
  }
  equal((await locks(tabs[0]))[1], [1, 0], 'one writer')
  await addTodo(tabs[0], 'the last tab')
  await showsText(far, 'the last tab')
  /* Every own entry was signed by one key: the store of the profile has one identity besides the node's and the other's. */
  const writers = await tabs[0].evaluate(() => new Promise(resolve => {
    const open = indexedDB.open('holdfast')
    open.onsuccess = () => {
      const all = open.result.transaction('blocks').objectStore('blocks').getAll()
      all.onsuccess = () => { open.result.close(); resolve(all.result.filter(r => r.address === '').length) }
    }
  }))
  ok(writers <= 3, `${writers} identities in the store`)
})

/* ---- (6), (12), (15) who answers ---- */

test('while the node lives it serves every page, and nothing breaks the policy', async () => {
  const node = await start()
  const page = await (await profileOf()).newPage()
  const errors = []
  page.on('pageerror', error => errors.push(String(error)))
  page.on('console', message => { if (message.type() === 'error') errors.push(message.text()) })
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', event => { (window.violations ??= []).push(`${event.violatedDirective} ${event.blockedURI}`) })
  })
  const by = []
  page.on('response', response => { if (response.request().isNavigationRequest() || response.request().headers()['holdfast-enhanced']) by.push([new URL(response.url()).pathname, response.headers()['x-served-by'] ?? '']) })
  const violations = []
  const look = async () => violations.push(...await page.evaluate(() => window.violations ?? []))
  await page.goto(node.origin)
  await settled(page)
  for (const path of ['/', '/?status=open', '/?q=x', '/']) {
    await look()
    await page.goto(node.origin + path)
    await settled(page)
  }
  await addTodo(page, 'a page of its own')
  await page.click('text=a page of its own')
  await page.waitForURL(/\/todos\//)
  await page.waitForSelector('#edit')
  await page.reload()
  await settled(page)
  await page.goBack()
  await showsText(page, 'a page of its own')
  await look()
  equal(by.filter(([, who]) => who !== 'node' && who !== ''), by.filter(([path, who]) => who === 'worker' && path === '/'), 'pages not served by the node')
  const navigations = await page.evaluate(() => performance.getEntriesByType('navigation').map(e => e.name))
  ok(navigations.length > 0, 'navigated')
  equal(await servedBy(page), 'node', 'served by')
  equal(violations, [], 'violations')
  equal(errors, [], 'errors')
})

test('on its own the worker answers as the node does: HEAD, JSON API, redirects, unknown pages', async () => {
  const node = await start()
  const page = await visit(await profileOf(), node.origin)
  await addTodo(page, 'first of all')
  await showsText(page, 'first of all')
  const ask = () => page.evaluate(async () => {
    const answers = []
    const plain = text => text.replace(/name="op" value="[^"]*"/g, '')
    for (const [method, path, accept] of [['GET', '/', 'text/html'], ['HEAD', '/', 'text/html'], ['GET', '/api/v1/todos', 'application/json'], ['HEAD', '/api/v1/todos', '*/*'],
      ['GET', '/todos/', 'text/html'], ['GET', '/nothing', 'text/html'], ['GET', '/api/v1/nothing', 'application/json'], ['GET', '/static/app.css', 'text/css'],
      ['HEAD', '/static/app.css', '*/*'], ['GET', '/manifest.webmanifest', '*/*'], ['GET', '/sitemap.xml', '*/*'], ['PUT', '/todos', '*/*']]) {
      const r = await fetch(path, { method, headers: { accept } })
      answers.push([method, path, r.status, r.headers.get('content-type'), r.headers.get('etag'), plain(await r.text())])
    }
    return answers
  })
  const byNode = await ask()
  equal(await servedBy(page), 'node', 'served by')
  await warm(page)
  await node.kill()
  await page.goto(node.origin)
  await inMode(page, 'local')
  equal(await servedBy(page), 'worker', 'served by')
  const byWorker = await ask()
  for (const [i, answer] of byNode.entries()) equal(byWorker[i], answer, `${answer[0]} ${answer[1]}`)
  const api = await page.evaluate(async () => {
    const json = { 'content-type': 'application/json' }
    const made = await fetch('/api/v1/todos', { method: 'POST', headers: { ...json, 'idempotency-key': 'k1' }, body: JSON.stringify({ text: 'by API' }) })
    const again = await fetch('/api/v1/todos', { method: 'POST', headers: { ...json, 'idempotency-key': 'k1' }, body: JSON.stringify({ text: 'by API' }) })
    const doc = await made.json()
    const url = `/api/v1/todos/${doc.id}`
    const patched = await fetch(url, { method: 'PATCH', headers: { ...json, 'if-match': made.headers.get('etag') ?? '*' }, body: JSON.stringify({ done: true }) })
    const stale = await fetch(url, { method: 'PATCH', headers: { ...json, 'if-match': '"old"' }, body: JSON.stringify({ done: false }) })
    const bad = await fetch('/api/v1/todos', { method: 'POST', headers: json, body: '{"text":' })
    const gone = await fetch(url, { method: 'DELETE' })
    return {
      statuses: [made, again, patched, stale, bad, gone].map(r => r.status),
      by: made.headers.get('x-served-by'),
      same: (await again.json()).id === doc.id,
      location: made.headers.get('location')?.endsWith(doc.id),
      done: (await patched.json()).done,
      problem: bad.headers.get('content-type')
    }
  })
  equal(api, { statuses: [201, 201, 200, 412, 400, 204], by: 'worker', same: true, location: true, done: true, problem: 'application/problem+json' }, 'API')
})

/* ---- (9) an app to install ---- */

test('it can be installed: manifest, icons, scope', async () => {
  const node = await start()
  const page = await visit(await profileOf(), node.origin)
  const cdp = await cdpOf(page)
  const { url, data, errors } = await cdp.send('Page.getAppManifest')
  equal(errors, [], 'errors of the manifest')
  ok(url.startsWith(node.origin), url)
  const manifest = JSON.parse(data)
  for (const key of ['name', 'start_url', 'display', 'icons']) ok(manifest[key], `manifest has ${key}`)
  ok(new URL(manifest.start_url, url).href.startsWith(new URL(manifest.scope ?? '.', url).href), 'start_url in scope')
  const icons = await page.evaluate(async list => Promise.all(list.map(async ({ src, sizes, type }) => {
    const response = await fetch(src)
    if (!response.ok) return `${src}: ${response.status}`
    if (!response.headers.get('content-type').startsWith(type ?? '')) return `${src}: ${response.headers.get('content-type')}`
    if (sizes === 'any') return ''
    const image = await createImageBitmap(await response.blob())
    return `${image.width}x${image.height}` === sizes ? '' : `${src} is ${image.width}x${image.height}, not ${sizes}`
  })), manifest.icons)
  equal(icons.filter(Boolean), [], 'icons')
  ok(manifest.icons.some(i => i.sizes === '192x192') && manifest.icons.some(i => i.sizes === '512x512'), 'sizes that are asked for')
  const { installabilityErrors } = await cdp.send('Page.getInstallabilityErrors')
  /* A context of a test is a private window to the browser, which installs nothing there. */
  equal(installabilityErrors.map(e => e.errorId).filter(id => id !== 'in-incognito'), [], 'why it cannot be installed')
})

/* ---- (10) storage that is taken away ---- */

test('evicted: everything comes back from the node, under a new name', async () => {
  const node = await start()
  const page = await visit(await profileOf(), node.origin)
  await addTodo(page, 'before the eviction')
  await showsText(page, 'before the eviction')
  await until('the node has it', async () => (await node.texts()).length === 1)
  const before = await stored(page)
  await (await cdpOf(page)).send('Storage.clearDataForOrigin', { origin: node.origin, storageTypes: 'all' })
  await page.goto(node.origin)
  await settled(page)
  await warm(page)
  await until('the blocks are back', async () => (await stored(page)).blocks > 0)
  ok((await stored(page)).self !== before.self, 'a new identity')
  await node.kill()
  await page.goto(node.origin)
  await settled(page)
  await showsText(page, 'before the eviction')
  await addTodo(page, 'after it')
  await showsText(page, 'after it')
  await node.start()
  await until('the node has both', async () => (await node.texts()).length === 2)
})

test('only the database deleted, under a running worker: it starts afresh', async () => {
  const node = await start()
  const page = await visit(await profileOf(), node.origin)
  await addTodo(page, 'one')
  await showsText(page, 'one')
  await until('the node has it', async () => (await node.texts()).length === 1)
  const before = await stored(page)
  await page.evaluate(() => new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase('holdfast')
    request.onsuccess = resolve
    request.onerror = reject
  }))
  await until('it is back', async () => {
    await warm(page)
    const now = await stored(page)
    return now.blocks > 0 && now.self !== before.self
  })
  await node.kill()
  await page.goto(node.origin)
  await settled(page)
  await showsText(page, 'one')
  await addTodo(page, 'two')
  await showsText(page, 'two')
  await node.start()
  await until('the node has both', async () => (await node.texts()).length === 2)
  await once(node, ['one', 'two'])
})

test('no room: it is said, nothing is acknowledged that was not kept, and it ends when there is room', async () => {
  const node = await start()
  const page = await visit(await profileOf(), node.origin)
  await addTodo(page, 'there was room')
  await showsText(page, 'there was room')
  const kept = await stored(page)
  await node.kill()
  await page.goto(node.origin)
  await settled(page)
  await inMode(page, 'local')
  /* Chromium asks for room only every half minute, so the refusal is made: each transaction that writes is aborted, as a full disk does it. */
  const worker = page.context().serviceWorkers()[0]
  await worker.evaluate(() => {
    const { transaction } = IDBDatabase.prototype
    self.roomAgain = () => { IDBDatabase.prototype.transaction = transaction }
    IDBDatabase.prototype.transaction = function (...how) {
      const tx = transaction.apply(this, how)
      if (how[1] === 'readwrite') queueMicrotask(() => tx.abort())
      return tx
    }
  })
  await page.fill('#new-text', 'there is none')
  await page.press('#new-text', 'Enter')
  await page.waitForSelector('.hf-unsent')
  equal(await page.inputValue('#new-text'), 'there is none', 'typed')
  ok(await page.evaluate(() => document.documentElement.hasAttribute('data-failed')), 'it is said')
  const refused = await page.evaluate(async () => {
    const form = text => fetch('/todos', { method: 'POST', body: new URLSearchParams({ text }), headers: { accept: 'text/html' } }).then(r => r.status, () => 'refused')
    return [await form('a'), await form('b')]
  })
  equal(refused, ['refused', 'refused'], 'more of it')
  equal((await stored(page)).blocks, kept.blocks, 'blocks')
  await worker.evaluate(() => self.roomAgain())
  await page.waitForFunction(() => !document.documentElement.hasAttribute('data-failed'))
  await page.press('#new-text', 'Enter')
  await until('it was sent', async () => await page.inputValue('#new-text') === '')
  equal(await page.locator('.hf-unsent').count(), 0, 'the note is gone')
  await showsText(page, 'there is none')
  await node.start()
  await until('the node has it', async () => (await node.texts()).includes('there is none'))
  await once(node, ['there was room', 'there is none'])
})

/* ---- (11) workers that are stopped ---- */

test('the worker is stopped again and again while forms are posted, with a node and without', async () => {
  const node = await start()
  const [profile, other] = [await profileOf(), await profileOf()]
  const page = await visit(profile, node.origin)
  const far = await visit(other, node.origin)
  await hasPeers(page, 1)
  const cdp = await cdpOf(page)
  await cdp.send('ServiceWorker.enable')
  const wanted = []
  const storm = async (name, n) => {
    let going = true
    const stopping = (async () => {
      while (going) {
        await cdp.send('ServiceWorker.stopAllWorkers')
        await pause(60 + Math.random() * 240)
      }
    })()
    for (let i = 0; i < n; i++) {
      const text = `${name} ${i}`
      wanted.push(text)
      await page.fill('#new-text', text)
      await page.press('#new-text', 'Enter')
      /* A worker that dies with the request in its hands is the one thing that a page cannot hide: it says so and keeps the text. */
      await until(`${text} is taken`, async () => {
        if (await page.inputValue('#new-text') !== text) return true
        if (await page.locator('.hf-unsent').count()) await page.press('#new-text', 'Enter')
        return false
      }, 20_000, 50)
    }
    going = false
    await stopping
  }
  await storm('with the node', 12)
  await node.kill()
  await storm('without', 12)
  await page.goto(node.origin)
  await settled(page)
  await hasPeers(page, 1)
  await showsText(far, 'without 11')
  await node.start()
  await until('the node has all', async () => (await node.texts()).length >= wanted.length, 20_000)
  await once(node, wanted)
  equal((await node.texts()).length, wanted.length, 'items')
})

/* ---- (13) other people's pages ---- */

test('a form on another site is refused, by the node and by the worker', async () => {
  const node = await start()
  const port = await freePort()
  const evil = http.createServer((req, res) => {
    const policy = new URL(req.url, 'http://x').searchParams.get('policy') ?? 'unsafe-url'
    res.writeHead(200, { 'content-type': 'text/html', 'referrer-policy': policy })
      .end(`<form method="post" action="${node.origin}/todos"><input name="text" value="forged"><button>Win</button></form>`)
  }).listen(port, '127.0.0.1')
  onExit(() => evil.close())
  const profile = await profileOf()
  const page = await visit(profile, node.origin)
  await warm(page)
  const attack = async (host, policy) => {
    const tab = await profile.newPage()
    await tab.goto(`http://${host}:${port}/?policy=${policy}`)
    const answered = tab.waitForResponse(r => r.request().method() === 'POST', { timeout: 8000 }).then(r => r.status(), () => 'no answer')
    await tab.click('button')
    const status = await answered
    await tab.close()
    return status
  }
  for (const host of ['localhost', '127.0.0.1']) {
    for (const policy of ['unsafe-url', 'no-referrer', 'origin']) equal(await attack(host, policy), 403, `node alive, from ${host}, ${policy}`)
  }
  await node.kill()
  await page.goto(node.origin)
  await inMode(page, 'local')
  for (const policy of ['unsafe-url', 'no-referrer', 'origin']) equal(await attack('127.0.0.1', policy), 403, `node dead, ${policy}`)
  equal(await shown(page), [], 'nothing was written')
  /* A form of our own, sent by the browser itself, is not one of them. */
  await page.evaluate(() => { document.querySelector('#new-text').value = 'our own'; HTMLFormElement.prototype.submit.call(document.querySelector('#new')) })
  await showsText(page, 'our own')
  await node.start()
  await until('the node has it', async () => (await node.texts()).includes('our own'))
  equal(await node.texts(), ['our own'], 'items')
})

/* ---- (14) with no page open ---- */

test('what was written without a node goes out with no page open', async () => {
  const node = await start()
  const profile = await profileOf()
  await profile.grantPermissions(['background-sync'], { origin: node.origin }).catch(() => {})
  const page = await visit(profile, node.origin)
  await warm(page)
  await node.kill()
  await page.goto(node.origin)
  await settled(page)
  await inMode(page, 'local')
  await addTodo(page, 'sent by nobody')
  await showsText(page, 'sent by nobody')
  await until('a sync is registered', () => page.evaluate(async () => (await (await navigator.serviceWorker.ready).sync.getTags()).includes('holdfast-flush')))
  const aside = await profile.newPage()
  await aside.goto('about:blank')
  const cdp = await cdpOf(page)
  const ids = new Promise(resolve => cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => resolve(registrations[0].registrationId)))
  await cdp.send('ServiceWorker.enable')
  const registrationId = await ids
  /* The page leaves, the worker is stopped: what is left is the store and the registration. */
  await cdp.send('ServiceWorker.stopAllWorkers')
  await page.goto('about:blank')
  await node.start()
  await pause(300)
  equal(await node.texts(), [], 'nobody has sent it')
  await cdp.send('ServiceWorker.dispatchSyncEvent', { origin: node.origin, registrationId, tag: 'holdfast-flush', lastChance: false })
  await until('the node has it', async () => (await node.texts()).includes('sent by nobody'))
  await once(node, ['sent by nobody'])
})

await run()
