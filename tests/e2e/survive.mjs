/* The list goes on: two browsers, node A killed, then B; navigation, forms, peers, return. */
import { addTodo, equal, hasPeers, inMode, itemsOf, Node, ok, peers, profile, run, settled, showsText, shown, tempDir, test, until, visit } from './kit.mjs'

const a = await Node.make()
const b = await Node.make()
a.flags = ['--sibling', b.origin]
b.flags = ['--sibling', a.origin]

let first, second, one, two
const dirs = [tempDir(), tempDir()]

test('two nodes start and replicate', async () => {
  await a.start()
  await b.start(['--join', a.multiaddr])
  equal((await a.post('/todos', { text: 'written on A' })).status, 303, 'status')
  await until('B shows what A has', async () => (await b.texts()).includes('written on A'))
})

test('two browsers of node A find each other while it lives', async () => {
  first = await profile(dirs[0])
  second = await profile(dirs[1])
  one = await visit(first, a.origin)
  two = await visit(second, a.origin)
  await inMode(one, 'server')
  await hasPeers(one, 1)
  await hasPeers(two, 1)
})

test('a change in one shows in the other in server mode, signed by the browser', async () => {
  await addTodo(one, 'from one, node alive')
  await showsText(one, 'from one, node alive')
  await showsText(two, 'from one, node alive', 5000)
  ok((await a.texts()).filter(t => t === 'from one, node alive').length === 1, 'node A has it once')
})

test('both nodes killed: both browsers go on, and know it', async () => {
  await Promise.all([a.kill(), b.kill()])
  for (const page of [one, two]) {
    await page.goto(a.origin + '/?status=open')
    await settled(page)
    await showsText(page, 'from one, node alive')
    await inMode(page, 'peer')
  }
})

test('a change reaches the other browser in under a second, with no server anywhere', async () => {
  await one.goto(a.origin + '/')
  await two.goto(a.origin + '/')
  await Promise.all([settled(one), settled(two)])
  await hasPeers(one, 1)
  await hasPeers(two, 1)
  const took = []
  for (let i = 0; i < 5; i++) {
    const text = `no server ${i}`
    const [writer, reader] = i % 2 ? [two, one] : [one, two]
    const began = Date.now()
    await addTodo(writer, text)
    await showsText(reader, text, 5000)
    took.push(Date.now() - began)
  }
  took.sort((x, y) => x - y)
  console.log(`  peer to peer: median ${took[2]} ms, slowest ${took[4]} ms`)
  ok(took[4] < 1000, `slowest took ${took[4]} ms`)
})

test('links, back, reload and a new tab work without a server', async () => {
  await one.click('text=no server 0')
  await one.waitForURL(/\/todos\//)
  await one.waitForSelector('form#edit [name=text]')
  await one.goBack()
  await showsText(one, 'no server 4')
  await one.reload()
  await settled(one)
  await showsText(one, 'no server 4')
  const tab = await first.newPage()
  await tab.goto(a.origin + '/?q=server+3')
  await settled(tab)
  equal(await shown(tab), ['no server 3'], 'search')
  await tab.close()
  await hasPeers(one, 1)
})

test('every form works without a server: edit, toggle, delete, and bad input is told', async () => {
  await one.goto(a.origin + '/')
  await settled(one)
  await one.click('text=no server 1')
  await one.waitForURL(/\/todos\//)
  await one.fill('form#edit [name=text]', 'no server 1, edited')
  await one.click('form#edit button')
  await showsText(two, 'no server 1, edited', 5000)
  await one.goto(a.origin + '/')
  const item = one.locator('li', { hasText: 'no server 2' })
  await item.locator('[formaction$="/toggle"]').click()
  await until('toggled on two', async () => itemsOf(await two.content()).find(i => i.text === 'no server 2')?.done)
  await one.locator('li', { hasText: 'no server 3' }).locator('[formaction$="/delete"]').click()
  await until('deleted on two', async () => !(await shown(two)).includes('no server 3'))
  await one.fill('input[name=text]', '   ')
  await one.evaluate(() => document.querySelector('input[name=text]').removeAttribute('required'))
  await one.press('input[name=text]', 'Enter')
  await one.waitForSelector('[aria-invalid=true]')
})

test('a browser closed and opened again with everything dead shows all its data', async () => {
  const before = await shown(await (async () => { await two.goto(a.origin + '/'); await settled(two); return two })())
  await second.close()
  second = await profile(dirs[1])
  two = await second.newPage()
  await two.goto(a.origin + '/')
  await settled(two)
  equal(await shown(two), before, 'items')
  /* It finds the browser that stayed, by its standing invitation. */
  await hasPeers(two, 1)
})

test('node A returns: server mode within seconds, everything merged once', async () => {
  await addTodo(two, 'last words without a server')
  await a.start()
  await Promise.all([inMode(one, 'server', 15_000), inMode(two, 'server', 15_000)])
  await until('A has all', async () => (await a.texts()).includes('last words without a server'))
  const texts = await a.texts()
  equal(new Set(texts).size, texts.length, 'nothing twice')
  await b.start(['--join', a.multiaddr])
  await until('B shows the same page as A', async () => JSON.stringify(await b.items()) === JSON.stringify(await a.items()))
  for (const page of [one, two]) {
    await page.goto(a.origin + '/')
    await settled(page)
    await until('the browser shows the same', async () => JSON.stringify(await shown(page)) === JSON.stringify((await a.items()).slice(0, 100).map(i => i.text)))
  }
})

test('node and worker give the same bytes and the same ETag', async () => {
  const pages = await one.evaluate(async () => {
    const plain = text => text.replace(/name="op" value="[^"]*"/g, '')
    const result = []
    for (const path of ['/', '/?status=done', '/?q=server', '/nothing-here']) {
      const [node, worker] = await Promise.all([fetch(path, { headers: { accept: 'text/html' } }), fetch(path, { headers: { accept: 'text/html', 'holdfast-render': 'local' } })])
      result.push({
        path,
        by: [node.headers.get('x-served-by'), worker.headers.get('x-served-by')],
        etags: [node.headers.get('etag'), worker.headers.get('etag')],
        same: plain(await node.text()) === plain(await worker.text()),
        status: [node.status, worker.status]
      })
    }
    return result
  })
  for (const page of pages) {
    equal(page.by, ['node', 'worker'], `${page.path} served by`)
    equal(page.etags[0], page.etags[1], `${page.path} etag`)
    equal(page.status[0], page.status[1], `${page.path} status`)
    ok(page.same, `${page.path}: bytes differ`)
  }
})

test('A dead, B alive: the browser of A reaches B', async () => {
  await a.kill()
  await addTodo(one, 'through B')
  await until('B has it', async () => (await b.texts()).includes('through B'))
  equal((await b.post('/todos', { text: 'written on B' })).status, 303, 'status')
  await showsText(one, 'written on B')
  /* Its link to B may still have been waiting to be redialled when A died. */
  await inMode(one, 'server')
  await one.reload()
  await settled(one)
  await showsText(one, 'written on B')
  await inMode(one, 'server')
  await a.start()
})

test('manual override keeps the browser local until it is lifted', async () => {
  await inMode(one, 'server', 15_000)
  await one.evaluate(() => { const r = document.querySelector('[name=hf-mode][value=local]'); r.checked = true; r.dispatchEvent(new Event('change', { bubbles: true })) })
  await one.waitForFunction(() => document.documentElement.dataset.mode !== 'server')
  const by = await one.evaluate(async () => (await fetch('/', { headers: { accept: 'text/html' } })).headers.get('x-served-by'))
  equal(by, 'worker', 'served by')
  await one.evaluate(() => { const r = document.querySelector('[name=hf-mode][value=auto]'); r.checked = true; r.dispatchEvent(new Event('change', { bubbles: true })) })
  await inMode(one, 'server', 15_000)
})

test('when the tab that networks closes, another takes over', async () => {
  const tab = await first.newPage()
  await tab.goto(a.origin + '/')
  await settled(tab)
  /* Its own way, not what is left of the other's. */
  const took = tab.evaluate(() => new Promise(resolve => {
    navigator.serviceWorker.addEventListener('message', event => { if (event.data.hf === 'peer') resolve() })
  }))
  await one.close()
  await took
  one = tab
  await a.kill()
  await b.kill()
  await one.goto(a.origin + '/')
  await settled(one)
  await hasPeers(one, 1)
  await addTodo(one, 'the second tab networks')
  await showsText(two, 'the second tab networks', 5000)
})

test('no page said an error', async () => {
  equal([...(one.errors ?? []), ...(two.errors ?? [])], [], 'errors')
  ok(await peers(one) >= 1, 'still connected')
})

await run()

