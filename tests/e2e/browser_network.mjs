/* Nodes that are there and not there, and who answers then. */
import { cdpOf, once, profileOf, proxyOf, servedBy, start, warm } from './browser_kit.mjs'
import { addTodo, equal, inMode, mode, ok, settled, showsText, sleep, test, until, visit } from './kit.mjs'

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
  await sleep(300) /* in which nobody sends it */
  equal(await node.texts(), [], 'nobody has sent it')
  await cdp.send('ServiceWorker.dispatchSyncEvent', { origin: node.origin, registrationId, tag: 'holdfast-flush', lastChance: false })
  await until('the node has it', async () => (await node.texts()).includes('sent by nobody'))
  await once(node, ['sent by nobody'])
})
