/* OrbitDB databases that a page opens at run time: the page, a node and OrbitDB's own program read and write them together; and what a cold start costs. */
import '../interop/node22.mjs'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify, identifyPush } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { Helia } from '@helia/utils'
import { bitswap } from '@helia/block-brokers'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createOrbitDB } from '@orbitdb/core'
import { browser, equal, Node, ok, onExit, run, settled, tempDir, test, until, visit } from './kit.mjs'

const HOLDFAST = process.env.HOLDFAST ?? new URL('../../build/holdfast', import.meta.url).pathname
const node = await Node.make()
const db = (...args) => new Promise((resolve, reject) => {
  execFile(HOLDFAST, ['db', ...args, '--json', '--dir', node.dir], { timeout: 60_000 }, (error, out, err) => error ? reject(new Error(err)) : resolve(out && JSON.parse(out)))
})
const create = async (name, type) => (await db('create', name, '--type', type, '--write', '*')).address
const rows = async address => (await db('all', address)).map(({ key, value }) => key === undefined ? value : [key, value])

let context, page
const open = address => page.evaluate(async address => {
  const opened = await holdfast.databases.open(address)
  globalThis.dbs ??= {}
  globalThis.told ??= {}
  if (!dbs[address]) opened.subscribe(() => { told[address] = (told[address] ?? 0) + 1 })
  dbs[address] = opened
  return { name: opened.name, type: opened.type, entries: (await opened.info()).entries }
}, address)
const call = (address, method, ...args) => page.evaluate(([address, method, args]) => dbs[address][method](...args), [address, method, args])
const inPage = async address => (await call(address, 'all')).map(({ key, value }) => key === undefined ? value : [key, value])
const told = address => page.evaluate(address => told[address] ?? 0, address)
const same = (address, want) => until(`page and node have ${JSON.stringify(want)}`, async () => {
  equal(await inPage(address), want, 'the page')
  equal(await rows(address), want, 'the node')
  return true
})

let js
async function newJs () {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp(), webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), push: identifyPush(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
    connectionGater: { denyDialMultiaddr: () => false }
  })
  const ipfs = new Helia({ libp2p, blockstore: new MemoryBlockstore(), datastore: new MemoryDatastore(), blockBrokers: [bitswap()], routers: [] })
  await ipfs.start()
  const orbitdb = await createOrbitDB({ ipfs, id: 'js', directory: join(tempDir(), 'orbitdb') })
  onExit(async () => { await orbitdb.stop(); await ipfs.stop() })
  const { addresses } = await (await node.get('/.well-known/holdfast.json')).json()
  const overWebSocket = multiaddr(addresses.find(a => a.includes('/ws/')))
  const connection = await libp2p.dial(overWebSocket)
  await until('js knows of both addresses, signed', async () => {
    const known = (await libp2p.peerStore.get(connection.remotePeer)).addresses.filter(a => a.isCertified).map(a => a.multiaddr.toString().replace(/\/p2p\/.*/, ''))
    return node.addresses.every(a => known.includes(a.replace(/\/p2p\/.*/, '')))
  })
  return orbitdb
}

let events, prices, docs
test('a page opens what a node made, reads it, writes to it, and hears of changes', async () => {
  await node.start()
  context = await (await browser()).newContext()
  page = await visit(context, node.origin)
  events = await create('log', 'events')
  await db('add', events, '{"n":1}')
  equal((await open(events)).type, 'events', 'opened')
  await same(events, [{ n: 1 }])
  const hash = await call(events, 'add', 'from the page')
  await same(events, [{ n: 1 }, 'from the page'])
  equal(await call(events, 'get', hash), 'from the page', 'by its hash')
  equal((await call(events, 'query', { amount: 1 })).map(r => r.hash), [hash], 'the newest')
  const before = await told(events)
  await db('add', events, '2')
  await until('the page hears of it', async () => await told(events) > before)
  await same(events, [{ n: 1 }, 'from the page', 2])
})

test('key-value, also the indexed kind, and documents, from both sides', async () => {
  prices = await create('prices', 'keyvalue-indexed')
  equal((await open(prices)).type, 'keyvalue', 'type')
  await db('put', prices, 'tea', '3')
  await same(prices, [['tea', 3]])
  await call(prices, 'put', 'milk', { eur: 1.5 })
  await call(prices, 'put', 'tea', 4)
  await same(prices, [['milk', { eur: 1.5 }], ['tea', 4]])
  await call(prices, 'del', 'milk')
  await same(prices, [['tea', 4]])
  equal([await call(prices, 'get', 'tea'), await call(prices, 'get', 'milk') ?? null], [4, null], 'get')
  docs = await create('docs', 'documents')
  await open(docs)
  await call(docs, 'put', { _id: 'a', n: 1 })
  await db('put', docs, '{"_id":"b","n":2}')
  await until('both', async () => (await inPage(docs)).length === 2 && (await rows(docs)).length === 2)
  ok(await page.evaluate(a => dbs[a].put({ no: 'id' }).then(() => false, e => e.message.length > 0), docs), 'a document without a key is refused')
  const own = await page.evaluate(async () => {
    const made = await holdfast.databases.create('made in the page', { type: 'keyvalue', write: ['*'] })
    await made.put('x', 'y')
    globalThis.dbs[made.address] = made
    return made.address
  })
  await db('open', own)
  await same(own, [['x', 'y']])
  equal(await page.evaluate(() => holdfast.databases.open('/orbitdb/none').catch(e => e.message)), '/orbitdb/none: no address of a database, or too many are open', 'no address')
})

test('with OrbitDB\'s own program on the other side of the node', async () => {
  js = await newJs()
  const theirs = await js.open(prices)
  theirs.events.on('error', () => {})
  await until('js has it', async () => (await theirs.all()).length === 1)
  await theirs.put('salt', 1)
  await until('the page has it', async () => await call(prices, 'get', 'salt') === 1)
  await call(prices, 'put', 'pepper', 2)
  await until('js has that', async () => await theirs.get('pepper') === 2)
  await until('all are the same', async () => {
    const want = (await theirs.all()).map(r => [r.key, r.value])
    equal([await inPage(prices), await rows(prices)], [want, want], 'page, node')
    return true
  })
})

test('a reload, a worker that was stopped, and a node that is gone change nothing', async () => {
  await page.reload()
  await settled(page)
  await page.evaluate(() => { delete globalThis.dbs })
  equal((await page.evaluate(() => holdfast.databases.list())).map(d => d.state), ['open', 'open', 'open', 'open'], 'still open')
  await open(events)
  await open(prices)
  const before = await inPage(prices)
  equal(before.length, 3, 'prices')
  const cdp = await context.newCDPSession(page)
  await cdp.send('ServiceWorker.enable')
  await cdp.send('ServiceWorker.stopAllWorkers')
  equal(await inPage(prices), before, 'after the worker was stopped')
  await node.kill()
  await call(prices, 'put', 'alone', 1)
  await cdp.send('ServiceWorker.stopAllWorkers')
  equal(await call(prices, 'get', 'alone'), 1, 'stored')
  await node.start()
  await db('put', prices, 'meanwhile', '2')
  await until('they come together', async () => await call(prices, 'get', 'meanwhile') === 2 && (await rows(prices)).some(([key]) => key === 'alone'))
  const heard = await told(prices)
  await db('put', prices, 'last', '3')
  await until('the page hears of it', async () => await told(prices) > heard && await call(prices, 'get', 'last') === 3)
})

test('what is closed is neither replicated nor listed, and opens again with all it had', async () => {
  const had = await inPage(events)
  await call(events, 'close')
  equal((await page.evaluate(() => holdfast.databases.list())).some(d => d.name === 'log'), false, 'listed')
  ok(await page.evaluate(a => dbs[a].add(1).then(() => false, () => true), events), 'writing is refused')
  equal(await open(events), { name: 'log', type: 'events', entries: had.length }, 'opened again')
  equal(await inPage(events), had, 'what it shows')
  equal(page.errors.filter(e => !/net::ERR|Failed to fetch/.test(e)), [], 'errors in the page')
})

test('rights are granted and taken back while it is open; what is refused says why', async () => {
  const { id } = await db('identity')
  const made = await page.evaluate(async () => {
    const made = await holdfast.databases.create('guarded in the page', { type: 'keyvalue', guarded: true })
    globalThis.dbs[made.address] = made
    return made
  })
  const refusal = (method, ...args) => page.evaluate(([a, m, args]) => dbs[a][m](...args).then(() => '', e => e.message), [made.address, method, args])
  await db('open', made.address)
  ok(await db('put', made.address, 'x', '1').then(() => false, e => /may not write/.test(e.message)), 'the node may not write yet')
  equal(await refusal('grant', 'write', id), '', 'granted')
  equal(await call(made.address, 'granted', 'write'), [id], 'who has it')
  await until('the node may write', () => db('put', made.address, 'x', '1').then(() => true, () => false))
  await until('the page has it', async () => await call(made.address, 'get', 'x') === 1)
  equal(await refusal('grant', 'write', id), '', 'it is so already')
  equal(await refusal('revoke', 'write', id), '', 'revoked')
  equal(await call(made.address, 'granted', 'write'), [], 'nobody')
  await until('the node may not any more', () => db('put', made.address, 'x', '2').then(() => false, e => /may not write/.test(e.message)))
  equal(await refusal('revoke', 'admin', made.identity), 'not revoked: it may write for another reason, such as the access list that the database was made with', 'its maker')
  const theirs = (await db('create', 'guarded on the node', '--type', 'keyvalue', '--guarded')).address
  for (const [address, problem] of [[theirs, 'this peer may not grant or revoke here'], [prices, 'its access list is fixed: only a database made with guarded can be changed']]) {
    await open(address)
    made.address = address
    equal(await refusal('grant', 'write', made.identity), problem, 'refused')
    equal((await call(address, 'granted', 'write')).length, 0, 'and nothing changed')
  }
})

test('opened again it is read from its snapshot, and after it only what came later', async () => {
  const mine = await (await browser({ watched: true })).newContext()
  const reader = await visit(mine, node.origin)
  const worker = mine.serviceWorkers()[0]
  await worker.evaluate(() => {
    globalThis.blocksRead = 0
    const { getAll } = IDBObjectStore.prototype
    IDBObjectStore.prototype.getAll = function (...args) {
      const request = getAll.apply(this, args)
      request.addEventListener('success', () => { globalThis.blocksRead += request.result.length })
      return request
    }
  })
  const read = () => worker.evaluate(() => { const n = globalThis.blocksRead; globalThis.blocksRead = 0; return n })
  const made = await reader.evaluate(async () => {
    globalThis.kv = await holdfast.databases.create('closed often', { type: 'keyvalue', guarded: true })
    for (let i = 0; i < 60; i++) await kv.put(`key ${i % 20}`, i)
    globalThis.other = await holdfast.databases.create('another', { type: 'events' })
    return kv.all()
  })
  await reader.evaluate(() => kv.close())
  await reader.evaluate(() => other.add('stored after it was closed'))
  await read()
  const again = await reader.evaluate(async () => {
    globalThis.kv = await holdfast.databases.open(kv.address)
    return { rows: await kv.all(), entries: (await kv.info()).entries }
  })
  const n = await read()
  equal(again, { rows: made, entries: 60 }, 'what it shows')
  ok(n > 0 && n < 20, `${n} blocks were read`)
  /* Written, closed and opened once more; then by a worker that starts anew. */
  const want = await reader.evaluate(async () => {
    await kv.put('key 3', 'newer')
    await kv.close()
    globalThis.kv = await holdfast.databases.open(kv.address)
    await kv.del('key 4')
    return kv.all()
  })
  ok((await read()) < 20, 'read')
  equal([want.length, want.find(r => r.key === 'key 3').value], [19, 'newer'], 'what it shows')
  await reader.reload()
  await settled(reader)
  const cdp = await mine.newCDPSession(reader)
  await cdp.send('ServiceWorker.enable')
  await cdp.send('ServiceWorker.stopAllWorkers')
  equal(await reader.evaluate(async () => {
    const { address } = (await holdfast.databases.list()).find(d => d.name === 'closed often')
    return (await holdfast.databases.open(address)).all()
  }), want, 'after a restart')
  equal(reader.errors.filter(e => !/net::ERR|Failed to fetch/.test(e)), [], 'errors in the page')
  await mine.close()
})

/* HOLDFAST_ENTRIES=35000 for the figures in docs/reference/figures.md. */
const N = Number(process.env.HOLDFAST_ENTRIES ?? 3000)
test(`a cold start with ${N} entries: from the snapshot, and no task of the page over 50 ms`, async () => {
  const big = await Node.make()
  await big.start()
  let made = 0
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (made++ < N) equal((await big.post('/todos', { text: `entry ${made}` })).status, 303, 'status')
  }))
  const [{ id }] = (await (await big.get('/api/v1/todos?limit=1')).json()).items
  const mine = await (await browser()).newContext()
  mine.setDefaultTimeout(120_000)
  const reader = await visit(mine, `${big.origin}/todos/${id}`)
  await reader.evaluate(() => {
    globalThis.long = []
    new PerformanceObserver(list => { for (const e of list.getEntries()) globalThis.long.push(Math.round(e.duration)) }).observe({ type: 'longtask' })
  })
  const meta = (mode, value) => reader.evaluate(([mode, value]) => new Promise((resolve, reject) => {
    const opening = indexedDB.open('holdfast')
    opening.onsuccess = () => {
      const tx = opening.result.transaction('meta', mode === 'get' ? 'readonly' : 'readwrite')
      const request = mode === 'get' ? tx.objectStore('meta').get('snapshot') : tx.objectStore('meta').delete('snapshot')
      tx.oncomplete = () => { opening.result.close(); resolve(request.result?.n ?? 0) }
      tx.onerror = reject
    }
  }), [mode, value])
  await until('it has a snapshot of all', async () => await meta('get') >= N, 180_000, 500)
  const first = await reader.evaluate(() => globalThis.long.splice(0)) /* of the first visit, with the page's own first tasks */
  const cdp = await mine.newCDPSession(reader)
  await cdp.send('ServiceWorker.enable')
  /* From a worker that does not run to the first page that it made. */
  const cold = async () => {
    await cdp.send('ServiceWorker.stopAllWorkers')
    return reader.evaluate(async () => {
      const began = performance.now()
      const answer = await fetch(location.href, { headers: { accept: 'text/html', 'holdfast-render': 'local' } })
      await answer.text()
      return answer.headers.get('x-served-by') === 'worker' ? performance.now() - began : NaN
    })
  }
  const median = list => list.sort((a, b) => a - b)[list.length >> 1]
  const after = median([await cold(), await cold(), await cold()])
  const total = () => reader.evaluate(() => fetch('/api/v1/todos?limit=1', { headers: { 'holdfast-render': 'local' } }).then(r => r.json()).then(j => j.total))
  equal(await total(), N, 'todos')
  await reader.waitForTimeout(1000) /* the rest is read meanwhile: that must not be felt either */
  const long = await reader.evaluate(() => globalThis.long)
  const before = []
  for (let i = 0; i < 3; i++) {
    await cdp.send('ServiceWorker.stopAllWorkers')
    await meta('delete')
    before.push(await cold())
  }
  equal(await total(), N, 'todos')
  console.log(`   ${N} entries: usable after ${Math.round(after)} ms with the snapshot, ${Math.round(median(before))} ms without; tasks of the page over 50 ms: ${JSON.stringify(long)}, while it was filled: ${JSON.stringify(first)}`)
  ok(after > 0 && median(before) > 0, 'the worker answered')
  equal(long, [], 'tasks over 50 ms')
  ok(N < 10_000 || after < median(before) / 2, 'the snapshot spares something')
})

await run()
