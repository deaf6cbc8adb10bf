/* The browser's database under what browsers, disks and other programs do to it, while it is written to. */
import { aside, cdpOf, exactly, hauntedBy, insist, post, profileOf, servedBy, start, stored, warm } from './browser_kit.mjs'
import { equal, hasPeers, inMode, mode, ok, settled, showsText, shown, test, until, visit } from './kit.mjs'

const failed = page => page.evaluate(() => document.documentElement.hasAttribute('data-failed'))
const isFailed = (page, wanted) => until(`data-failed is ${wanted}`, async () => await failed(page) === wanted)

/* On its own: everything is shown that is there, each once. */
async function onItsOwn (node, page, texts) {
  await page.goto(page.url())
  await settled(page)
  const all = await shown(page)
  equal(texts.filter(t => all.filter(x => x === t).length !== 1), [], 'not shown exactly once')
}

/* ---- evicted ---- */

test('storage is evicted four times in mid-write, with a node: each acknowledged form is there once', async () => {
  const node = await start()
  const profile = await profileOf()
  const page = await visit(profile, node.origin)
  await warm(page)
  const cdp = await cdpOf(await aside(profile, node.origin))
  const texts = []
  const write = async () => {
    for (let i = 0; i < 30; i++) {
      texts.push(`mid ${i}`)
      await insist(page, `mid ${i}`)
    }
  }
  const evict = async () => {
    for (const [i, storageTypes] of ['indexeddb', 'indexeddb', 'cache_storage', 'indexeddb,cache_storage'].entries()) {
      await until('some more are written', () => texts.length > 6 * (i + 1), 60_000, 5)
      await cdp.send('Storage.clearDataForOrigin', { origin: node.origin, storageTypes })
    }
  }
  await Promise.all([write(), evict()])
  await exactly(node, texts)
  await until('the replica is whole again', async () => (await stored(page)).blocks >= 30, 45_000)
  await node.kill()
  await page.goto(node.origin)
  await settled(page)
  await onItsOwn(node, page, texts)
  equal(page.errors, [], 'errors')
})

test('storage is evicted with no node: what another browser has comes back, what is written next is kept', async () => {
  const node = await start()
  const [profile, other] = [await profileOf(), await profileOf()]
  const page = await visit(profile, node.origin)
  const far = await visit(other, node.origin)
  await hasPeers(page, 1)
  await warm(page)
  await warm(far)
  const cdp = await cdpOf(await aside(profile, node.origin))
  await node.kill()
  await insist(page, 'seen by the other')
  await showsText(far, 'seen by the other')
  await cdp.send('Storage.clearDataForOrigin', { origin: node.origin, storageTypes: 'indexeddb' })
  await until('it writes again', async () => await post(page, 'after it', 'after'), 20_000, 200)
  await insist(far, 'by the other')
  await node.start()
  await exactly(node, ['seen by the other', 'after it', 'by the other'])
  for (const tab of [page, far]) for (const text of ['seen by the other', 'after it', 'by the other']) await showsText(tab, text)
  equal([...page.errors, ...far.errors], [], 'errors')
})

/* Chromium says no more of what was under way on a database that it takes away; so it is here, in the first life of a worker, at the first read and in a commit. */
const TAKEN = `{
  const { get, add } = IDBObjectStore.prototype
  const taken = (call, name) => {
    let times = 1
    IDBObjectStore.prototype[name] = function (...how) {
      if (!times || (name === 'get' && how[0] !== 'secrets')) return call.apply(this, how)
      times--
      const { db } = this.transaction
      setTimeout(() => { db.close(); db.dispatchEvent(new Event('close')) }, 20)
      call.apply(this, how)
      Object.defineProperties(this.transaction, { oncomplete: { set () {} }, onabort: { set () {} } })
      return {}
    }
  }
  taken(get, 'get')
  taken(add, 'add')
}`

test('the database is taken away while the replica is opened, and in a commit: the next is opened by itself', async () => {
  const node = await start()
  const proxy = await hauntedBy(node, TAKEN)
  const page = await visit(await profileOf(), proxy.origin)
  await insist(page, 'one')
  await until('the next one is level', () => page.evaluate(async () => {
    const local = await fetch('/', { headers: { accept: 'text/html', 'holdfast-render': 'local' } })
    return local.headers.get('x-served-by') === 'worker' && (await local.text()).includes('>one<')
  }), 20_000)
  proxy.how = 502
  proxy.cut()
  await page.goto(proxy.origin)
  await inMode(page, 'local')
  await insist(page, 'two')
  await insist(page, 'three')
  await onItsOwn(node, page, ['one', 'two', 'three'])
  proxy.how = 'pass'
  await exactly(node, ['one', 'two', 'three'])
  equal(page.errors, [], 'errors')
})

/* ---- no room: Chromium's own quota, reached at three places ---- */

test('the quota is reached while the worker is installed: the node serves, nothing is said to be kept here', async () => {
  const node = await start()
  const profile = await profileOf()
  const page = await aside(profile, node.origin)
  const cdp = await cdpOf(page)
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: node.origin, quotaSize: 200_000 })
  const errors = []
  const tab = await profile.newPage()
  tab.on('pageerror', error => errors.push(String(error)))
  await tab.goto(node.origin)
  await until('the installation has failed', () => tab.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration('/')
    return !registration?.installing && !registration?.active
  }))
  equal(await insist(tab, 'through the node'), 0, 'refused')
  await showsText(tab, 'through the node')
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: node.origin, quotaSize: 1e9 })
  await tab.reload()
  await settled(tab)
  await warm(tab)
  await exactly(node, ['through the node'])
  equal(errors, [], 'errors')
})

/* How much the worker and its files take. */
async function roomOf (node) {
  const page = await visit(await profileOf(), node.origin)
  const { caches, serviceWorkerRegistrations } = await page.evaluate(async () => (await navigator.storage.estimate()).usageDetails)
  await page.context().close()
  return caches + serviceWorkerRegistrations
}

const ROOM = 100_000 /* for the database, which takes 74 KB while it is empty */
const long = i => `${i} ${'x'.repeat(450)}`

async function narrow () {
  const node = await start()
  const profile = await profileOf()
  const cdp = await cdpOf(await aside(profile, node.origin))
  const grant = quotaSize => cdp.send('Storage.overrideQuotaForOrigin', { origin: node.origin, quotaSize })
  await grant(await roomOf(node) + ROOM)
  const page = await visit(profile, node.origin)
  return { node, page, grant }
}

test('the quota is reached in mid-write, with a node: no form is refused, it is said, and it ends when there is room', async () => {
  const { node, page, grant } = await narrow()
  await warm(page)
  const texts = []
  while (!await failed(page)) {
    ok(texts.length < 90, 'the quota is reached')
    texts.push(long(texts.length))
    equal(await insist(page, texts.at(-1)), 0, 'refused')
  }
  texts.push(long(texts.length))
  equal(await insist(page, texts.at(-1)), 0, 'refused without room')
  await grant(1e9)
  await isFailed(page, false)
  await exactly(node, texts)
  equal(page.errors, [], 'errors')
})

test('the quota is reached in mid-write, with no node: what is refused is said, what was acknowledged is there, browsers still meet', async () => {
  const { node, page, grant } = await narrow()
  await warm(page)
  await node.kill()
  const texts = []
  const refused = []
  for (let i = 0; refused.length < 3; i++) {
    ok(i < 90, 'the quota is reached')
    const taken = await post(page, long(i), `op${i}`)
    texts.push(long(i))
    if (!taken) refused.push(i)
  }
  await isFailed(page, true)
  await node.start()
  const far = await visit(await profileOf(), node.origin)
  await hasPeers(far, 1)
  await grant(1e9)
  await isFailed(page, false)
  /* What was refused is sent again, with the ID that it had. */
  for (const i of refused) await until('taken', () => post(page, long(i), `op${i}`), 20_000, 100)
  await exactly(node, texts)
  equal([...page.errors, ...far.errors], [], 'errors')
})

/* ---- transactions that are aborted ---- */

/* Each transaction that writes may be aborted: at its beginning, after its first request, with its last one, or it cannot be had at all. */
const ABORTS = `{
  const { transaction } = IDBDatabase.prototype
  self.aborts = { rate: 0, dealt: [0, 0, 0, 0], since: 0 }
  IDBDatabase.prototype.transaction = function (...how) {
    const which = Math.floor(Math.random() * 4)
    /* A low rate never deals two near each other. */
    const hit = how[1] === 'readwrite' && (self.aborts.since++ > 2 || self.aborts.rate >= 0.5) && Math.random() < self.aborts.rate
    if (hit) {
      self.aborts.dealt[which]++
      self.aborts.since = 0
    }
    if (hit && which === 3) throw new DOMException('none can be had now', 'InvalidStateError')
    const tx = transaction.apply(this, how)
    const abort = () => { try { tx.abort() } catch {} }
    if (hit && which === 0) queueMicrotask(abort)
    if (hit && which > 0) {
      const { objectStore } = tx
      let open = 0
      const watched = request => {
        open++
        request.addEventListener('success', () => { if (--open === 0 || which === 1) abort() })
        return request
      }
      tx.objectStore = name => {
        const store = objectStore.call(tx, name)
        for (const act of ['put', 'add']) store[act] = (...values) => watched(IDBObjectStore.prototype[act].apply(store, values))
        return store
      }
    }
    return tx
  }
}`

test('transactions are aborted at random, with a node and without: each acknowledged form is there once', async () => {
  const node = await start()
  const proxy = await hauntedBy(node, ABORTS)
  const page = await visit(await profileOf({ watched: true }), proxy.origin)
  await warm(page)
  const haunt = rate => page.context().serviceWorkers()[0].evaluate(rate => {
    self.aborts.rate = rate
    return self.aborts.dealt
  }, rate)
  const texts = []
  let refused = 0
  const storm = async (name, rate, n) => {
    await haunt(rate)
    for (let i = 0; i < n; i++) {
      texts.push(`${name} ${i}`)
      refused += await insist(page, `${name} ${i}`)
    }
  }
  await storm('with the node', 0.5, 20)
  equal(refused, 0, 'refused while there was a node')
  await node.kill()
  proxy.how = 502
  proxy.cut()
  await page.goto(proxy.origin)
  await inMode(page, 'local')
  await haunt(0)
  await isFailed(page, false) /* what could not be kept of the node's is kept now */
  await storm('without', 0.4, 20)
  equal(refused, 0, 'refused for one aborted transaction alone')
  await storm('badly', 0.6, 20)
  const dealt = await haunt(0)
  console.log(`  aborted: ${dealt.join(' + ')} transactions at four places; ${refused} forms refused and sent again`)
  ok(dealt.every(n => n > 0), 'at each place')
  await isFailed(page, false)
  await onItsOwn(node, page, texts)
  await node.start()
  proxy.how = 'pass'
  await exactly(node, texts)
  equal(page.errors, [], 'errors')
})

/* ---- other programs of the site ---- */

test('the database is held back by another program: pages and forms come from the node, and it is said', async () => {
  const node = await start()
  const profile = await profileOf()
  const page = await visit(profile, node.origin)
  await insist(page, 'before')
  const holder = await aside(profile, node.origin)
  await holder.evaluate(() => new Promise(resolve => {
    const open = indexedDB.open('holdfast')
    open.onsuccess = () => {
      window.held = open.result
      indexedDB.deleteDatabase('holdfast').onblocked = resolve
    }
  }))
  const timed = async act => {
    const began = Date.now()
    await act()
    return Date.now() - began
  }
  const cdp = await cdpOf(page)
  await cdp.send('ServiceWorker.enable')
  await cdp.send('ServiceWorker.stopAllWorkers')
  const took = [await timed(() => page.goto(node.origin)), await timed(() => insist(page, 'while it is held')), await timed(() => page.reload())]
  ok(took.every(ms => ms < 3000), `a page, a form and a page took ${took} ms`)
  equal(await servedBy(page), 'node', 'served by')
  await settled(page)
  await isFailed(page, true)
  await holder.evaluate(() => window.held.close())
  await isFailed(page, false)
  await warm(page)
  await exactly(node, ['before', 'while it is held'])
  equal(page.errors, [], 'errors')
})

test('the database is of a later version: the node serves, it is said, and nothing is overwritten', async () => {
  const node = await start()
  const profile = await profileOf()
  const page = await visit(profile, node.origin)
  await insist(page, 'before')
  const later = await aside(profile, node.origin)
  await later.evaluate(() => new Promise((resolve, reject) => {
    const open = indexedDB.open('holdfast', 2)
    open.onerror = reject
    open.onsuccess = () => {
      open.result.close()
      resolve()
    }
  }))
  await isFailed(page, true)
  equal(await insist(page, 'meanwhile'), 0, 'refused')
  await page.reload()
  await settled(page)
  equal(await mode(page), 'server', 'mode')
  equal(await later.evaluate(async () => (await indexedDB.databases()).find(d => d.name === 'holdfast').version), 2, 'version')
  await later.evaluate(() => new Promise(resolve => { indexedDB.deleteDatabase('holdfast').onsuccess = resolve }))
  await isFailed(page, false)
  await exactly(node, ['before', 'meanwhile'])
  equal(page.errors, [], 'errors')
})
