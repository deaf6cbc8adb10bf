/* A worker that is killed at any moment, and its replacement by another one while things go wrong. */
import { caches_, cdpOf, changeable, exactly, insist, isOf, newWorker, post, profileOf, proxyOf, releaseOf, servedBy, start, warm } from './browser_kit.mjs'
import { equal, hasPeers, inMode, itemsOf, ok, settled, shown, showsText, sleep, test, until, visit } from './kit.mjs'

const KILLS = Number(process.env.WORKER_KILLS ?? 60)

/* Of the browser's own switch. */
async function killerOf (page) {
  const cdp = await cdpOf(page)
  await cdp.send('ServiceWorker.enable')
  return () => cdp.send('ServiceWorker.stopAllWorkers')
}

test(`${KILLS} times the worker is killed at the moment of a form, half of them with no node: each acknowledged form is there once`, async () => {
  const node = await start()
  const page = await visit(await profileOf(), node.origin)
  await warm(page)
  const kill = await killerOf(page)
  const texts = []
  const said = { acknowledged: 0, refused: 0, again: 0, under: 0 }
  const storm = async (name, n) => {
    const began = performance.now()
    for (let i = 0; i < 5; i++) await post(page, `${name}, calm ${i}`) && texts.push(`${name}, calm ${i}`)
    const usual = (performance.now() - began) / 5
    for (let i = 0; i < n; i++) {
      const [text, op] = [`${name} ${i}`, `${name}-${i}`]
      /* From before the request to after the answer; a prime stride so that neighbours differ. */
      const delay = usual * (1.5 * ((i * 17) % n) / n - 0.5)
      if (delay < 0) await Promise.race([kill(), sleep(-delay)])
      let answered = 0
      const answer = post(page, text, op).finally(() => { answered = performance.now() })
      await sleep(Math.max(0, delay))
      const killed = performance.now()
      if (delay >= 0) await kill()
      if (i % 3 === 0) await kill() /* the browser itself asks a second time */
      const first = await answer
      said[first ? 'acknowledged' : 'refused']++
      if (answered > killed) said.under++
      if (!first) await until('sent again', async () => (said.again++, post(page, text, op)), 20_000, 50)
      texts.push(text)
    }
  }
  await storm('with the node', KILLS / 2)
  await until('all of it is here', async () => {
    const all = await page.evaluate(async () => (await fetch('/', { headers: { accept: 'text/html', 'holdfast-render': 'local' } })).text())
    return texts.every(text => itemsOf(all).some(item => item.text === text))
  })
  await node.kill()
  await storm('without', KILLS / 2)
  console.log(`  ${KILLS} kills, ${said.under} of them before the answer: ${said.acknowledged} forms acknowledged all the same, ${said.refused} refused and sent again ${said.again} times`)
  ok(said.acknowledged > 0, 'some were acknowledged')
  await page.goto(node.origin)
  await settled(page)
  const all = await shown(page)
  equal(texts.filter(t => all.filter(x => x === t).length !== 1), [], 'shown exactly once, with no node')
  await node.start()
  await exactly(node, texts)
  equal(page.errors, [], 'errors')
})

test('the worker is killed again and again under a page that is typed in, with a node and without', async () => {
  const node = await start()
  const [profile, other] = [await profileOf(), await profileOf()]
  const page = await visit(profile, node.origin)
  const far = await visit(other, node.origin)
  await hasPeers(page, 1)
  const kill = await killerOf(page)
  const wanted = []
  const storm = async (name, n) => {
    let going = true
    const stopping = (async () => {
      while (going) {
        await kill()
        await sleep(60 + Math.random() * 240)
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
  await storm('with the node', 6)
  await node.kill()
  await storm('without', 6)
  await page.goto(node.origin)
  await settled(page)
  await hasPeers(page, 1)
  await showsText(far, 'without 5')
  await node.start()
  await exactly(node, wanted)
  equal([...page.errors, ...far.errors], [], 'errors')
})

/* ---- releases that arrive badly ---- */

const cut = (res, headers, bytes) => {
  res.writeHead(200, { ...headers, 'content-length': bytes.length })
  res.write(bytes.subarray(0, bytes.length / 2), () => res.destroy())
}
const half = (res, headers, bytes) => res.writeHead(200, headers).end(bytes.subarray(0, bytes.length / 2))
const flipped = (res, headers, bytes) => {
  bytes[bytes.length >> 1] ^= 1
  res.writeHead(200, headers).end(bytes)
}
const portal = res => res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Log in to the hotel</h1>')
const status = code => res => res.writeHead(code).end()
const silent = res => { setTimeout(() => res.destroy(), 1000) } /* the update waits as long */
const BAD = [
  ['/_holdfast/sw.js', { cut, half, portal, 500: status(500), 404: status(404), silent }],
  ['/_holdfast/core.wasm', { cut, half, flipped, portal, 503: status(503) }],
  ['/_holdfast/page.js', { half, flipped }],
  ['/_holdfast/app.bundle', { cut, flipped, 404: status(404) }]
]

test('a release arrives broken in 16 ways: the old one goes on, with a node and on its own; then the whole one is taken', async () => {
  const node = await changeable()
  const proxy = await proxyOf(node)
  const page = await visit(await profileOf(), proxy.origin)
  const before = await releaseOf(node)
  const cdp = await cdpOf(page)
  await warm(page)
  await insist(page, 'before')
  await isOf(page, before, 'before')
  /* The old worker asks by itself, too, when it has heard of a new release: it shall not have it whole before the test is through. */
  const barred = status(500)
  proxy.instead.set('/_holdfast/sw.js', barred)
  await node.stop()
  node.change('second release')
  await node.start()
  const after = await releaseOf(node)
  const texts = ['before']
  const tries = BAD.flatMap(([path, ways]) => Object.entries(ways).map(([name, way]) => [path, name, way]))
  const update = () => page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration('/')
    const first = await registration.update().then(() => 'told', () => 'refused')
    const fresh = registration.installing
    if (fresh) await new Promise(resolve => fresh.addEventListener('statechange', () => { if (fresh.state !== 'installing') resolve() }))
    return [first, registration.waiting?.state, registration.active?.state].join()
  })
  for (const [path, name, way] of tries) {
    proxy.instead.delete('/_holdfast/sw.js')
    proxy.instead.set(path, way)
    await cdp.send('Network.clearBrowserCache')
    const since = proxy.asked.length
    /* One that is under way already stands for ours, and is answered as the last was. */
    await until(`${path} ${name} was asked for`, async () => {
      const outcome = await update()
      ok(/^(told|refused),,activated$/.test(outcome), `${path} ${name}: ${outcome}`)
      return proxy.asked.slice(since).some(url => url.startsWith(path))
    })
    proxy.instead.set('/_holdfast/sw.js', barred)
    texts.push(`${path} ${name}`)
    equal(await insist(page, `${path} ${name}`), 0, 'refused')
    if (path !== '/_holdfast/sw.js') proxy.instead.delete(path)
  }
  console.log(`  ${tries.length} broken arrivals`)
  await until('the old one is there alone', async () => JSON.stringify(await caches_(page)) === `["holdfast-${before}"]` || (await caches_(page)).includes(`holdfast-${before}`))
  /* On its own it is whole, and of the old release. */
  proxy.how = 502
  proxy.cut()
  await page.goto(proxy.origin)
  await settled(page)
  await inMode(page, 'local')
  equal(await page.locator('footer b').count(), 0, 'the old page')
  equal(await servedBy(page), 'worker', 'served by')
  texts.push('on its own')
  await insist(page, 'on its own')
  proxy.instead.clear()
  proxy.how = 'pass'
  await inMode(page, 'server')
  await page.goto(proxy.origin)
  await settled(page)
  await newWorker(page, after)
  await isOf(page, after, 'after')
  await exactly(node, texts)
  equal(page.errors, [], 'errors')
})

test('the node of a new release dies again while its worker is installed: whichever goes on is whole, and has everything', async () => {
  const node = await changeable()
  const page = await visit(await profileOf(), node.origin)
  await warm(page)
  const texts = ['of the first release']
  await insist(page, texts[0])
  const seen = new Set()
  /* It may be reloading itself at that moment; that the node is gone must not show. */
  const go = () => page.goto(node.origin).catch(error => { if (!/ERR_ABORTED|interrupted/.test(error.message)) throw error })
  for (let i = 0; i < 8; i++) {
    await node.kill()
    node.change(`release ${i}`)
    await node.start()
    const told = page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration('/')
      await registration.update().catch(() => {})
    }).catch(() => {})
    await sleep(i * 25)
    await node.kill()
    await told
    const text = `after ${i}`
    await go()
    await settled(page)
    texts.push(text)
    await insist(page, text)
    /* A page stays of its release; the next one is of that of the worker, which has all of it. */
    await go()
    await until('page and worker are of one release', async () => {
      const { script, rendered, kept } = await page.evaluate(async () => ({
        script: new URL(document.querySelector('script[src^="/_holdfast/page.js"]').src).searchParams.get('v'),
        rendered: /page\.js\?v=(\w+)/.exec(await (await fetch('/', { headers: { accept: 'text/html' } })).text())?.[1],
        kept: await caches.keys()
      }))
      seen.add(script)
      return script === rendered && kept.includes(`holdfast-${script}`)
    }, 20_000, 100)
    for (const one of texts) await showsText(page, one)
  }
  console.log(`  ${seen.size} releases were in use over 8 kills`)
  await node.start()
  await inMode(page, 'server')
  await exactly(node, texts)
  await page.goto(node.origin)
  await newWorker(page, await releaseOf(node))
  equal(page.errors, [], 'errors')
})
