/* core.js over the real core.wasm, in Node: two cores in one process meet and become equal; nothing that comes in from outside traps. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Core } from '../../browser/src/core.js'
import { assert, randomOf, test } from './kit.mjs'

const ROOT = new URL('../..', import.meta.url).pathname
const module = await WebAssembly.compile(readFileSync(join(ROOT, 'build/browser/core.wasm')))
const bundle = bundleOf(join(ROOT, 'apps/todo'))
const ORIGIN = 'http://localhost:3000'

/* dag-cbor of {"files": {path: bytes}}, keys by length and then by bytes, as core/app/bundle.h has it. */
function bundleOf (folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(f => f.isFile())
    .map(f => join(f.parentPath ?? f.path, f.name)).map(path => [path.slice(folder.length + 1), readFileSync(path)])
    .sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1))
  const head = (major, n) => n < 24 ? [major << 5 | n] : n < 256 ? [major << 5 | 24, n] : n < 65536 ? [major << 5 | 25, n >> 8, n & 255]
    : [major << 5 | 26, n >>> 24, n >> 16 & 255, n >> 8 & 255, n & 255]
  const text = t => Buffer.concat([Buffer.from(head(3, Buffer.byteLength(t))), Buffer.from(t)])
  return Buffer.concat([Buffer.from(head(5, 1)), text('files'), Buffer.from(head(5, files.length)),
    ...files.flatMap(([path, bytes]) => [text(path), Buffer.from(head(2, bytes.length)), bytes])])
}

/* A core with a store of its own, drained into `sent` after every call. */
async function peer ({ secrets, blocks = [] } = {}) {
  const core = await Core.load(module)
  const p = { core, secrets: secrets ?? core.secrets(), blocks, sent: [], seen: [], hold: false }
  core.start({ secrets: p.secrets, release: 'r1', script: '/_holdfast/page.js?v=r1', bundle, agent: 'test' })
  p.loaded = blocks.map(({ database, cid, block }) => core.load(database, cid, block))
  core.ready()
  p.drain = () => {
    let seq = 0
    for (let out = core.next(); out; out = core.next()) {
      if (out.kind === 'store') {
        p.blocks.push({ database: out.database, cid: out.cid.slice(), block: out.bytes.slice() })
        seq = out.seq
      } else if (out.kind === 'send') p.sent.push({ conn: out.conn, bytes: out.bytes.slice() })
      else p.seen.push(out)
    }
    if (!seq || p.hold) return
    core.stored(seq)
    p.drain()
  }
  p.ask = (path, fields, more = {}) => {
    const [pathname, query = ''] = path.split('?')
    const answer = core.handle({
      method: fields ? 'POST' : 'GET', path: pathname, query, origin: ORIGIN, accept: 'text/html', now: 1_700_000_000_000,
      ...fields && { body: new URLSearchParams(fields).toString(), contentType: 'application/x-www-form-urlencoded', headerOrigin: ORIGIN },
      ...more
    })
    answer.text = new TextDecoder().decode(answer.body)
    if (answer.seq) answer.written = core.written(answer.seq)
    p.drain()
    return answer
  }
  p.texts = () => JSON.parse(p.ask('/api/v1/todos?limit=1000', null, { accept: 'application/json' }).text).items.map(item => item.text).sort()
  p.version = () => core.describe().versions.todos
  p.drain()
  return p
}

/* Carries bytes both ways until nobody has any left; cut: in pieces of that size. */
function carry (a, b, conn = 1, cut = Infinity) {
  for (let n = 0; a.sent.length || b.sent.length; n++) {
    assert.ok(n < 10_000, 'they never come to rest')
    for (const [from, to] of [[a, b], [b, a]]) {
      for (const { bytes } of from.sent.splice(0)) {
        for (let at = 0; at < bytes.length; at += cut) {
          to.core.recv(conn, bytes.subarray(at, at + cut))
          to.drain()
        }
      }
    }
  }
}

function connect (a, b, conn = 1) {
  assert.ok(a.core.open(conn, true, '') && b.core.open(conn, false, ''))
  a.drain()
  b.drain()
}

test('core: a page, a form, the page again', async () => {
  const p = await peer()
  const page = p.ask('/')
  assert.equal(page.status, 200)
  assert.match(page.text, /page\.js\?v=r1/)
  assert.equal(page.seq, 0)
  const posted = p.ask('/todos', { text: 'milk <b>', op: 'o1' })
  assert.equal(posted.status, 303)
  assert.ok(posted.seq > 0)
  assert.ok(posted.written.length > 100)
  assert.match(p.ask('/').text, /milk &lt;b&gt;/)
  assert.equal(p.ask('/todos', { text: 'milk <b>', op: 'o1' }).status, 303)
  assert.deepEqual(p.texts(), ['milk <b>'])
})

test('core: two meet, exchange what they have, and what comes after', async () => {
  const [a, b] = [await peer(), await peer()]
  for (let i = 0; i < 20; i++) (i % 2 ? a : b).ask('/todos', { text: `t${i}`, op: `o${i}` })
  assert.notEqual(a.version(), b.version())
  connect(a, b)
  carry(a, b)
  assert.equal(a.texts().length, 20)
  assert.deepEqual(a.texts(), b.texts())
  assert.equal(a.version(), b.version())
  assert.equal(a.ask('/').headers.find(([n]) => n === 'etag')[1], b.ask('/').headers.find(([n]) => n === 'etag')[1])
  assert.ok(a.seen.some(o => o.kind === 'peerUp') && a.seen.some(o => o.kind === 'level') && b.seen.some(o => o.kind === 'changed'))
  assert.equal(a.core.pending, 0)
  a.ask('/todos', { text: 'live', op: 'live' })
  carry(a, b)
  assert.ok(b.texts().includes('live'))
  assert.equal(a.core.pending, 0)
})

test('core: bytes that come one by one are the same bytes', async () => {
  const [a, b] = [await peer(), await peer()]
  a.ask('/todos', { text: 'slow', op: 'o' })
  connect(a, b)
  carry(a, b, 1, 1)
  assert.deepEqual(b.texts(), ['slow'])
})

test('core: nobody else sees an entry before it is durable here', async () => {
  const [a, b] = [await peer(), await peer()]
  connect(a, b)
  carry(a, b)
  a.hold = true
  const { seq } = a.ask('/todos', { text: 'not yet', op: 'o' })
  carry(a, b)
  assert.deepEqual(b.texts(), [])
  assert.equal(a.core.pending, 1)
  a.hold = false
  a.core.stored(seq)
  a.drain()
  carry(a, b)
  assert.deepEqual(b.texts(), ['not yet'])
})

test('core: what was stored is there after a restart, under the same name', async () => {
  const a = await peer()
  for (let i = 0; i < 10; i++) a.ask('/todos', { text: `t${i}`, op: `o${i}` })
  const again = await peer({ secrets: a.secrets, blocks: a.blocks.slice() })
  assert.ok(again.loaded.every(Boolean))
  assert.deepEqual(again.texts(), a.texts())
  assert.equal(again.version(), a.version())
  assert.equal(again.core.describe().peerId, a.core.describe().peerId)
  assert.deepEqual(again.core.describe().databases, a.core.describe().databases)
  const other = await peer()
  connect(again, other)
  carry(again, other)
  assert.deepEqual(other.texts(), a.texts())
})

test('core: blocks that are not what they should be are refused, the rest stays', async () => {
  const a = await peer()
  for (let i = 0; i < 5; i++) a.ask('/todos', { text: `t${i}`, op: `o${i}` })
  const random = randomOf(3)
  const bad = []
  for (let i = 0; i < 300; i++) {
    const { database, cid, block } = a.blocks[Math.floor(random() * a.blocks.length)]
    const broken = block.slice(0, random() < 0.3 ? Math.floor(random() * block.length) : block.length)
    if (broken.length === block.length) broken[Math.floor(random() * broken.length)] ^= 1 << Math.floor(random() * 8)
    bad.push({ database, cid: random() < 0.2 ? cid.slice(0, 7) : cid, block: broken })
  }
  bad.push({ database: 1, cid: new Uint8Array(0), block: new Uint8Array(0) }, { database: 1, cid: a.blocks[0].cid, block: new Uint8Array(70_000).fill(0x9f) })
  const b = await peer({ blocks: bad })
  assert.equal(b.loaded.filter(Boolean).length, 0, 'damaged blocks that were taken')
  assert.deepEqual(b.texts(), [])
  b.ask('/todos', { text: 'still works', op: 'o' })
  assert.deepEqual(b.texts(), ['still works'])
  connect(a, b)
  carry(a, b)
  assert.equal(b.texts().length, 6)
})

test('core: a store that lost blocks gets them back from another', async () => {
  const a = await peer()
  for (let i = 0; i < 12; i++) a.ask('/todos', { text: `t${i}`, op: `o${i}` })
  const witness = await peer()
  connect(a, witness)
  carry(a, witness)
  const holed = await peer({ blocks: witness.blocks.filter((_, i) => i % 3 !== 1) })
  connect(holed, witness, 2)
  carry(holed, witness, 2)
  assert.deepEqual(holed.texts(), a.texts())
})

test('core: a form from elsewhere is refused', async () => {
  const p = await peer()
  for (const headerOrigin of ['https://evil.example', 'null', 'http://localhost:3001', 'http://localhost', 'http://localhost:3000.evil.example']) {
    const { status, seq } = p.ask('/todos', { text: 'x', op: 'o' }, { headerOrigin })
    assert.equal(status, 403, `from ${headerOrigin}`)
    assert.equal(seq, 0)
  }
  assert.deepEqual(p.texts(), [])
})

test('core: a thousand random requests never trap, and are answered', async () => {
  const p = await peer()
  const random = randomOf(1)
  const pick = list => list[Math.floor(random() * list.length)]
  const junk = () => Array.from({ length: Math.floor(random() * 60) }, () => String.fromCharCode(pick([37, 38, 47, 46, 0, 10, 13, 61, 63, 123, 34, 65, 0xe9, 0xffff, 0xd800, 0x1f600 & 0xffff]))).join('')
  let id = 'none'
  const statuses = new Map()
  for (let i = 0; i < 1000; i++) {
    const path = pick(['/', '/todos', `/todos/${id}`, `/todos/${id}/toggle`, `/todos/${id}/delete`, '/api/v1/todos', `/api/v1/todos/${id}`, '/static/app.css',
      '/manifest.webmanifest', '/robots.txt', '/sitemap.xml', `/${junk()}`, junk(), '/todos/', '//', `/static/../${junk()}`])
    const answer = p.core.handle({
      method: pick(['GET', 'GET', 'POST', 'POST', 'HEAD', 'PATCH', 'DELETE', 'PUT', 'OPTIONS', junk()]),
      path,
      query: pick(['', '', 'status=open', 'page=2', `q=${junk()}`, junk()]),
      origin: pick([ORIGIN, ORIGIN, ORIGIN, ORIGIN, ORIGIN, ORIGIN, junk()]),
      contentType: pick(['application/x-www-form-urlencoded', 'application/json', '', junk()]),
      body: pick([`text=${i}&op=${i}`, JSON.stringify({ text: `t${i}` }), junk(), `text=${junk()}`, crypto.getRandomValues(new Uint8Array(Math.floor(random() * 500)))]),
      ifNoneMatch: pick(['', '*', junk()]),
      ifMatch: pick(['', '', '*', junk()]),
      accept: pick(['text/html', 'application/json', '*/*', junk()]),
      headerOrigin: pick([ORIGIN, ORIGIN, ORIGIN, ORIGIN, ORIGIN, '', junk()]),
      secFetchSite: pick(['', '', '', 'same-origin', 'same-origin', 'cross-site', junk()]),
      referer: pick(['', `${ORIGIN}/`, junk()]),
      clientOp: pick(['', junk()]),
      nonce: pick([undefined, new Uint8Array(16), new Uint8Array(3)]),
      now: 1_700_000_000_000 + i
    })
    p.drain()
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    assert.ok(answer.status >= 200 && answer.status < 500, `${answer.status} for ${JSON.stringify(path)}`)
    id = /\/todos\/([a-z2-7]+)/.exec(answer.headers.find(([n]) => n === 'location')?.[1] ?? '')?.[1] ?? id
  }
  assert.ok(statuses.get(200) > 30 && statuses.get(403) > 30 && statuses.get(404) > 50 && statuses.get(415) > 5, JSON.stringify([...statuses]))
  assert.equal(p.ask('/').status, 200)
})

test('core: a stranger that sends noise is cut off; the others are not', async () => {
  const [a, b] = [await peer(), await peer()]
  connect(a, b, 1)
  carry(a, b, 1)
  for (let i = 0; i < 200; i++) {
    const conn = 100 + i
    assert.ok(a.core.open(conn, i % 2 === 0, ''))
    a.drain()
    for (let n = 0; n < 3; n++) {
      a.core.recv(conn, crypto.getRandomValues(new Uint8Array(1 + i * 7)))
      a.drain()
    }
    a.core.lost(conn)
    a.drain()
  }
  a.sent = a.sent.filter(({ conn }) => conn === 1)
  a.ask('/todos', { text: 'after the noise', op: 'o' })
  carry(a, b, 1)
  assert.deepEqual(b.texts(), ['after the noise'])
})

test('core: what it cannot be is said', async () => {
  const core = await Core.load(module)
  const secrets = core.secrets()
  assert.equal(secrets.length, 96)
  assert.throws(() => core.start({ secrets, release: 'r', script: '', bundle: new Uint8Array([1, 2, 3]), agent: '' }), /app:/)
  const other = await Core.load(module)
  assert.throws(() => other.start({ secrets: secrets.slice(1), release: 'r', script: '', bundle, agent: '' }), /app:/)
  const third = await peer()
  assert.equal(third.core.open(7, true, 'no peer ID'), false)
  assert.equal(third.core.recv(99, new Uint8Array(3)), false)
  assert.equal(third.core.signal('no peer ID', 'x'), false)
  assert.equal(third.core.written(12345), null)
})

/* As the worker opens one: what the store has of it first. */
function opened (p, db) {
  p.drain()
  if (p.core.dbInfo(db).state === 'loading') p.core.dbLoaded(db)
  p.drain()
  return db
}

test('core: a database added at run time, written, read, and refused', async () => {
  const a = await peer()
  const db = opened(a, a.core.dbCreate({ name: 'prices', type: 'keyvalue', write: ['*'] }))
  const { seq, hash } = a.core.dbAppend(db, 'put', 'tea', { eur: 1.5, 'ü': [null, true] })
  assert.ok(seq > 0)
  a.drain()
  assert.deepEqual(a.core.dbGet(db, 'tea'), { hash, key: 'tea', value: { eur: 1.5, 'ü': [null, true] } })
  assert.equal(a.core.dbGet(db, 'milk'), null)
  a.core.dbAppend(db, 'put', 'milk', 1)
  a.drain()
  assert.deepEqual(a.core.dbRows(db).map(row => row.key), ['milk', 'tea'])
  assert.deepEqual(a.core.dbRows(db, { amount: 1, oldestFirst: false }).map(row => row.key), ['milk'])
  assert.throws(() => a.core.dbAppend(db, 'add', undefined, 1), /./)
  const { address, state, entries, mayWrite, name, type } = a.core.dbInfo(db)
  assert.deepEqual([state, entries, mayWrite, name, type], ['open', 2, true, 'prices', 'keyvalue'])
  const b = await peer()
  const there = b.core.dbOpen(address)
  assert.ok(there > 0)
  b.drain()
  connect(a, b, 1)
  for (const end = Date.now() + 8000; b.core.dbInfo(there).entries < 2 && Date.now() < end; await new Promise(resolve => setTimeout(resolve, 10))) {
    for (const p of [a, b]) p.core.tick(), p.drain()
    carry(a, b, 1)
    opened(b, there)
  }
  assert.deepEqual(b.core.dbRows(there), a.core.dbRows(db))
  assert.equal(a.core.dbOpen('/orbitdb/none'), 0)
  assert.equal(a.core.dbCreate({ name: 'x', type: 'nothing of ours' }), 0)
  assert.equal(a.core.dbInfo(99), null)
  assert.ok(a.core.dbClose(db) && a.core.dbInfo(db) === null)
})

test('core: from snapshots it is what it was, and goes on; damaged ones are refused', async () => {
  const a = await peer()
  for (let i = 0; i < 20; i++) a.ask('/todos', { text: `todo ${i}`, op: `o${i}` })
  const db = opened(a, a.core.dbCreate({ name: 'log', write: ['*'] }))
  for (let i = 0; i < 5; i++) a.core.dbAppend(db, 'add', undefined, i)
  a.drain()
  const saved = [1, db].map(number => a.core.snapshot(number))
  const from = a.blocks.length
  a.ask('/todos', { text: 'later', op: 'later' })
  const damaged = saved[0].slice()
  damaged[50] ^= 1
  const core = await Core.load(module)
  core.start({ secrets: a.secrets, release: 'r1', script: '/_holdfast/page.js?v=r1', bundle, agent: 'test' })
  assert.equal(core.restore(1, damaged), false)
  assert.equal(core.restore(1, saved[0]), true)
  for (const { cid, block } of a.blocks) core.keep(cid, block)
  for (const { database, cid, block } of a.blocks) if (!database) core.load(0, cid, block)
  assert.equal(core.address(db), a.core.address(db))
  assert.equal(core.restore(db, saved[1]), true)
  for (const { database, cid, block } of a.blocks.slice(from)) if (database) assert.ok(core.load(database, cid, block))
  core.ready()
  assert.deepEqual(core.describe().versions, a.core.describe().versions)
  assert.deepEqual([core.entries(1), core.entries(db), core.databases], [21, 5, a.core.databases])
  for (let out = core.next(); out; out = core.next());
  assert.deepEqual(core.dbRows(db), a.core.dbRows(db))
})

test('core: two browsers never draw the same secrets', async () => {
  const core = await Core.load(module)
  assert.notDeepEqual(core.secrets(), core.secrets())
})
