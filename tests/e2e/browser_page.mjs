/* The page under its user's hands, with less than everything, in several tabs, and under the hands of other people's pages. */
import http from 'node:http'
import { cdpOf, once, profileOf, start, warm } from './browser_kit.mjs'
import { addTodo, equal, freePort, hasPeers, inMode, ok, onExit, showsText, shown, test, until, visit } from './kit.mjs'

const shifts = page => page.evaluate(() => {
  window.shifted = 0
  window.shifts = new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shifted += entry.value })
  window.shifts.observe({ type: 'layout-shift' })
})
/* What was changed has been drawn. */
const drawn = page => page.evaluate(async () => { for (let i = 0; i < 3; i++) await new Promise(resolve => requestAnimationFrame(resolve)) })
const shifted = async page => {
  await drawn(page)
  return page.evaluate(() => window.shifts.takeRecords().reduce((sum, entry) => sum + entry.value, window.shifted))
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
  await page.waitForFunction(() => document.querySelector('[data-hf=synced]').textContent !== 'not yet') /* the panel is open: what it says takes its room */
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
  await drawn(page)
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
  let go
  const gone = new Promise(resolve => { go = resolve })
  await page.route('**/todos', async route => { await gone; await route.continue() })
  const answered = page.waitForResponse(response => response.request().method() === 'POST')
  await addTodo(page, 'first')
  await page.fill('#new-text', 'second')
  go()
  await answered
  await showsText(page, 'first')
  equal(await page.inputValue('#new-text'), 'second', 'typed meanwhile')
  await page.press('#new-text', 'Enter')
  await page.fill('#new-text', 'third')
  await page.press('#new-text', 'Enter')
  await showsText(page, 'third')
  await showsText(page, 'second')
  await until('all three', async () => (await node.texts()).length === 3)
  await once(node, ['first', 'second', 'third'])
})

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
