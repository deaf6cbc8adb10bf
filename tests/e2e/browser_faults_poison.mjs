/* Threats 20 and 42: somebody else's bytes where ours belong: from the network, in the cache, and as the worker itself. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aside, caches_, cdpOf, exactly, insist, isOf, newWorker, profileOf, proxyOf, releaseOf, servedBy, start, stored, warm } from './browser_kit.mjs'
import { equal, inMode, Node, ok, settled, showsText, tempDir, test, until, visit } from './kit.mjs'

const EVIL = 'globalThis.poisoned = true; document.title = "poisoned"'
const poison = (type, body, headers = {}) => res => res.writeHead(200, { 'content-type': type, 'x-served-by': 'node', 'cache-control': 'no-cache', ...headers }).end(body)
const isPoisoned = page => page.evaluate(() => globalThis.poisoned === true || /poisoned/.test(document.documentElement.outerHTML))

/* An app with a script and styles of its own. */
async function scripted () {
  const app = join(tempDir(), 'todo')
  cpSync(new URL('../../apps/todo', import.meta.url).pathname, app, { recursive: true })
  writeFileSync(join(app, 'static/app.js'), 'globalThis.appRan = "first"\n')
  const layout = join(app, 'templates/layout.mustache')
  writeFileSync(layout, readFileSync(layout, 'utf8').replace('</head>', '<script type="module" src="/static/app.js?v={{release}}"></script></head>'))
  const node = await Node.make({ flags: [app] })
  node.change = mark => {
    writeFileSync(join(app, 'static/app.js'), `globalThis.appRan = "${mark}"\n`)
    writeFileSync(join(app, 'static/app.css'), `${readFileSync(join(app, 'static/app.css'), 'utf8')}\n/* ${mark} */\n`)
  }
  return node.start()
}

const bytesOf = (page, url) => page.evaluate(async url => {
  const response = await fetch(url)
  return [response.status, response.redirected, await response.text()]
}, url)

test('a poisoned 200 for the app\'s and the worker\'s files while the node is away and while it changes: never the wrong bytes', async () => {
  const node = await scripted()
  const proxy = await proxyOf(node)
  const page = await visit(await profileOf(), proxy.origin)
  const cdp = await cdpOf(page)
  await warm(page)
  await insist(page, 'before')
  const before = await releaseOf(node)
  await page.waitForFunction(() => globalThis.appRan === 'first')
  const [styles, script] = [`/static/app.css?v=${before}`, `/static/app.js?v=${before}`]
  const [[, , css], [, , js]] = [await bytesOf(page, styles), await bytesOf(page, script)]
  const POISON = [['/static/app.js', poison('text/javascript', EVIL)], ['/static/app.css', poison('text/css', 'body { display: none }')], ['/_holdfast/page.js', poison('text/javascript', EVIL)],
    ['/_holdfast/core.wasm', poison('application/wasm', 'poisoned')], ['/_holdfast/app.bundle', poison('application/octet-stream', 'poisoned')],
    ['/_holdfast/sw.js', poison('text/html', '<h1>poisoned</h1>')]]
  const unharmed = async what => {
    await cdp.send('Network.clearBrowserCache')
    for (const step of ['a page', 'a page of a worker that starts']) {
      await page.goto(proxy.origin)
      await settled(page)
      ok(!await isPoisoned(page), `${what}, ${step}: not poisoned`)
      await page.waitForFunction(() => globalThis.appRan === 'first')
      equal(await bytesOf(page, styles), [200, false, css], `${what}, ${step}: styles`)
      equal(await bytesOf(page, script), [200, false, js], `${what}, ${step}: script`)
      await showsText(page, 'before')
      await cdp.send('ServiceWorker.enable')
      await cdp.send('ServiceWorker.stopAllWorkers')
    }
  }
  for (const [path, answer] of POISON) proxy.instead.set(path, answer)
  await unharmed('the node is there')
  proxy.how = 502
  proxy.cut()
  await unharmed('the node is away')
  /* A portal, which answers its own 200 to everything that has no answer yet. */
  proxy.how = 'portal'
  await unharmed('a portal')
  proxy.how = 'pass'
  await inMode(page, 'server')
  /* The node changes, and what belongs to the new release is poisoned: the old one goes on, whole. */
  await node.stop()
  node.change('second')
  await node.start()
  const after = await releaseOf(node)
  proxy.instead.delete('/_holdfast/sw.js')
  await page.evaluate(async () => (await navigator.serviceWorker.getRegistration('/')).update().catch(() => {}))
  await until('the update is over', () => page.evaluate(async () => !(await navigator.serviceWorker.getRegistration()).installing))
  equal(await bytesOf(page, styles), [200, false, css], 'the old styles under their old name')
  proxy.how = 502
  proxy.cut()
  await unharmed('the node of another release is away')
  proxy.how = 'pass'
  proxy.instead.clear()
  await inMode(page, 'server')
  await page.goto(proxy.origin)
  await settled(page)
  await newWorker(page, after)
  await isOf(page, after, 'after')
  await page.waitForFunction(() => globalThis.appRan === 'second')
  ok((await bytesOf(page, `/static/app.css?v=${after}`))[2].includes('second'), 'the new styles')
  /* Nobody has the old ones any more; nobody gives the new ones under their name. */
  equal((await fetch(`${node.origin}${styles}`, { redirect: 'manual' })).status, 302, 'of the node, status')
  equal((await bytesOf(page, styles)).slice(0, 2), [200, true], 'of the worker: sent on to the address without a version')
  await exactly(node, ['before'])
  equal(page.errors, [], 'errors')
})

test('files in the worker\'s cache that were tampered with are not run: they are fetched anew, and without a node it is said', async () => {
  const node = await start()
  const profile = await profileOf()
  const page = await visit(profile, node.origin)
  await warm(page)
  await insist(page, 'before')
  const tab = await aside(profile, node.origin)
  const cdp = await cdpOf(page)
  await cdp.send('ServiceWorker.enable')
  const tamper = name => tab.evaluate(async ({ name, evil }) => {
    const [cacheName] = (await caches.keys()).filter(n => n.startsWith('holdfast-'))
    const cache = await caches.open(cacheName)
    const request = (await cache.keys()).find(r => r.url.includes(name))
    const old = await cache.match(request)
    const bytes = new Uint8Array(await old.arrayBuffer())
    if (name === 'page.js') return cache.put(request, new Response(evil, old))
    bytes[bytes.length >> 1] ^= 1
    return cache.put(request, new Response(bytes, old))
  }, { name, evil: EVIL })
  const isRight = name => tab.evaluate(async name => {
    const [cacheName] = (await caches.keys()).filter(n => n.startsWith('holdfast-'))
    const request = (await (await caches.open(cacheName)).keys()).find(r => r.url.includes(name))
    const hash = async r => [...new Uint8Array(await crypto.subtle.digest('SHA-256', await r.arrayBuffer()))].join()
    const served = await fetch(request.url).catch(() => null)
    return Boolean(served?.ok) && await hash(await caches.match(request)) === await hash(served)
  }, name)
  for (const name of ['page.js', 'core.wasm', 'app.bundle']) {
    await tamper(name)
    await cdp.send('ServiceWorker.stopAllWorkers')
    await page.goto(node.origin)
    await settled(page)
    await warm(page)
    ok(!await isPoisoned(page), `${name}: not poisoned`)
    await until(`${name} was mended`, () => isRight(name))
  }
  /* With nobody to have it from: no replica rather than a wrong one, and the page says so. */
  await tamper('core.wasm')
  await cdp.send('Network.clearBrowserCache')
  await cdp.send('ServiceWorker.stopAllWorkers')
  await node.kill()
  await until('it is said', () => page.evaluate(() => document.documentElement.hasAttribute('data-failed')), 20_000)
  await node.start()
  await until('it is mended', () => page.evaluate(() => !document.documentElement.hasAttribute('data-failed')), 20_000)
  await insist(page, 'after')
  await exactly(node, ['before', 'after'])
  equal(page.errors.filter(e => !/net::ERR/.test(e)), [], 'errors')
})

const TAKEOVER = `self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', event => event.respondWith(new Response('<title>poisoned</title>', { headers: { 'content-type': 'text/html' } })))`

for (const [how, flags] of [['the kill switch', ['--no-worker']], ['a node that is itself again', []]]) {
  test(`somebody else's worker has taken over: ${how} clears it in one reload`, async () => {
    const node = await start()
    const proxy = await proxyOf(node)
    const page = await visit(await profileOf(), proxy.origin)
    await insist(page, 'before')
    const kept = await stored(page)
    await node.stop()
    proxy.instead.set('/_holdfast/sw.js', poison('text/javascript', TAKEOVER, { 'service-worker-allowed': '/' }))
    await page.evaluate(async () => { await (await navigator.serviceWorker.getRegistration('/')).update() })
    await until('it has taken over', async () => {
      await page.goto(proxy.origin)
      return isPoisoned(page)
    })
    proxy.instead.clear()
    await node.start(flags)
    await page.reload() /* the one */
    if (flags.length) await until('the page is the node\'s', async () => !await isPoisoned(page) && await page.locator('#new').count() === 1)
    await until('the worker is not that one', () => page.evaluate(async gone => {
      const registration = await navigator.serviceWorker.getRegistration('/')
      if (gone) return !registration
      return !registration.waiting && !registration.installing && (await fetch('/', { headers: { accept: 'text/html' } })).headers.get('x-served-by') === 'node'
    }, flags.length > 0))
    if (flags.length) equal(await caches_(page), [], 'caches')
    await page.goto(proxy.origin)
    await showsText(page, 'before')
    ok(!await isPoisoned(page), 'not poisoned')
    equal((await stored(page)).self, kept.self, 'the data')
    if (!flags.length) {
      await settled(page)
      equal(await servedBy(page), 'node', 'served by')
    }
    await exactly(node, ['before'])
  })
}
