// Files out of a running node: @helia/verified-fetch through its HTTP gateway (it checks every block), plain HTTP with ranges, slow and vanishing readers,
// helia over bitswap; and the command line, which works on the node's folder meanwhile. `node verified_fetch.mjs HOLDFAST` closes with
// `N passed, N failed`.
import './node22.mjs'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { trustlessGateway } from '@helia/block-brokers'
import { httpGatewayRouting } from '@helia/routers'
import { unixfs } from '@helia/unixfs'
import { CarReader } from '@ipld/car'
import { CID } from 'multiformats/cid'
// The class alone: the package's front door also loads a WebRTC stack for a libp2p of its own,
// which package.json overrides with something small.
import { VerifiedFetch } from '../../node_modules/@helia/verified-fetch/dist/src/verified-fetch.js'
import { content } from './content.mjs'
import { MemoryBlockstore, multiaddr, newHelia } from './js2.mjs'
import { equal, onExit, run, sleep, tempDir, test, until } from './kit.mjs'

const holdfast = process.argv[2]
const BIG = 20_000_000
const folder = tempDir()
const dir = join(folder, 'node')
const big = content(7, BIG)
const inner = content(8, 3_000_000)
const HELLO = 'a file in a folder\n'

function same (got, want, what) { if (Buffer.compare(Buffer.from(got), want) !== 0) throw new Error(`${what}: other bytes`) }

// ---- the node, and the command line beside it ----
const node = spawn(holdfast, ['serve', '--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--no-mdns', '--dir', dir], { stdio: ['ignore', 'pipe', 'inherit'] })
const nodeExit = once(node, 'exit')
onExit(() => node.kill('SIGKILL'))
const [line] = await once(node.stdout.setEncoding('utf8'), 'data')
const [, , url, p2p] = line.trim().split(' ')
const port = Number(new URL(url).port)
const cli = async (...words) => (await promisify(execFile)(holdfast, [...words, '--dir', dir], { encoding: 'buffer', maxBuffer: 64 << 20 })).stdout
const cidOf = (out) => out.toString().split(/\s/)[0]

writeFileSync(join(folder, 'big.bin'), big)
mkdirSync(join(folder, 'site/sub'), { recursive: true })
writeFileSync(join(folder, 'site/hello.txt'), HELLO)
writeFileSync(join(folder, 'site/sub/b.bin'), inner)
const bigCid = cidOf(await cli('file', 'add', join(folder, 'big.bin')))
const siteCid = cidOf(await cli('file', 'add', join(folder, 'site')))

// ---- helpers ----
async function metric (name) {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(text.split('\n').find((line) => line.startsWith(name + ' ')).split(' ')[1])
}

const heldBytes = () => metric('holdfast_http_held_bytes')
const memory = () => Number(readFileSync(`/proc/${node.pid}/status`, 'utf8').match(/VmHWM:\s+(\d+)/)[1]) * 1024

/** One request on a kept connection. */
function ask (agent, path, options = {}) {
  return new Promise((resolve, reject) => {
    const r = request(url + path, { agent, ...options }, async (res) => {
      const parts = []
      for await (const part of res) parts.push(part)
      resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(parts), reused: r.reusedSocket })
    })
    r.on('error', reject)
    r.end()
  })
}

/** They ask for the large file and do not read. */
async function slowReaders (n) {
  const before = await metric('holdfast_requests_total{class="2xx"}')
  const sockets = Array.from({ length: n }, () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.pause()
    socket.write(`GET /ipfs/${bigCid} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
    return socket
  })
  for (let asked = 1; ; asked++) { // each look at the figures counts as well
    const now = await metric('holdfast_requests_total{class="2xx"}')
    if (now - before - asked >= n) return sockets
    if (asked > 5000) throw new Error(`${now - before - asked} of ${n} are answered`)
  }
}

async function withVerifiedFetch (run) {
  const helia = await newHelia({ blockBrokers: [trustlessGateway({ allowInsecure: true, allowLocal: true })], routers: [httpGatewayRouting({ gateways: [url] })] })
  const verified = new VerifiedFetch({ helia })
  try {
    await run((what, init) => verified.fetch(what, init))
  } finally {
    await verified.stop()
    await helia.stop()
  }
}

// ---- verified fetch ----
test('verified-fetch: 20 MB', () => withVerifiedFetch(async (get) => {
  const res = await get(`ipfs://${bigCid}`)
  equal(res.status, 200, 'status')
  same(await res.arrayBuffer(), big, 'the file')
}))

test('verified-fetch: files within a folder', () => withVerifiedFetch(async (get) => {
  equal(await (await get(`ipfs://${siteCid}/hello.txt`)).text(), HELLO, 'hello.txt')
  same(await (await get(`ipfs://${siteCid}/sub/b.bin`)).arrayBuffer(), inner, 'sub/b.bin')
}))

test('verified-fetch: a range', () => withVerifiedFetch(async (get) => {
  const res = await get(`ipfs://${bigCid}`, { headers: { range: 'bytes=1048570-3145800' } })
  equal(res.status, 206, 'status')
  same(await res.arrayBuffer(), big.subarray(1048570, 3145801), 'the range')
}))

test('verified-fetch: what is not here', () => withVerifiedFetch(async (get) => {
  const res = await get('ipfs://bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy', { signal: AbortSignal.timeout(2000) }).catch((err) => err)
  if (res.ok) throw new Error('it was answered')
}))

// ---- HTTP ----
test('ranges are the bytes of the file', async () => {
  for (const [from, to] of [[0, 0], [0, 65535], [65535, 65536], [1048575, 1048576], [BIG - 1, BIG - 1], [5_000_000, 9_999_999], [0, BIG - 1]]) {
    const res = await fetch(`${url}/ipfs/${bigCid}`, { headers: { range: `bytes=${from}-${to}` } })
    equal(res.status, 206, 'status')
    equal(res.headers.get('content-range'), `bytes ${from}-${to}/${BIG}`, 'content-range')
    same(await res.arrayBuffer(), big.subarray(from, to + 1), `${from}-${to}`)
  }
  const tail = await fetch(`${url}/ipfs/${bigCid}`, { headers: { range: 'bytes=-100' } })
  same(await tail.arrayBuffer(), big.subarray(BIG - 100), 'the last 100')
  equal((await fetch(`${url}/ipfs/${bigCid}`, { headers: { range: `bytes=${BIG}-` } })).status, 416, 'behind the end')
})

test('statuses', async () => {
  const first = await fetch(`${url}/ipfs/${bigCid}`, { method: 'HEAD' })
  equal(first.headers.get('content-length'), String(BIG), 'length')
  equal((await fetch(`${url}/ipfs/${bigCid}`, { headers: { 'if-none-match': first.headers.get('etag') } })).status, 304, 'known already')
  equal((await fetch(`${url}/ipfs/${siteCid}/none`)).status, 404, 'no such name')
  equal((await fetch(`${url}/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy`)).status, 404, 'not here')
  equal((await fetch(`${url}/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy`, { headers: { 'cache-control': 'only-if-cached' } })).status, 412, 'only if cached')
  equal((await fetch(`${url}/ipfs/nonsense`)).status, 400, 'not a CID')
  equal((await fetch(`${url}/ipfs/${bigCid}?format=tar`)).status, 406, 'another format')
  equal((await fetch(`${url}/ipfs/${bigCid}`, { method: 'POST', body: 'x' })).status, 405, 'POST')
  equal((await fetch(`${url}/ipfs/${siteCid}`, { redirect: 'manual' })).status, 301, 'a folder without its slash')
  equal((await fetch(`${url}/ipfs/${siteCid}/hello.txt`, { headers: { 'service-worker': 'script' } })).status, 400, 'a script of a service worker')
  equal((await fetch(`${url}/ipfs/${bigCid}`, { method: 'OPTIONS' })).headers.get('access-control-allow-methods'), 'GET, HEAD, OPTIONS', 'OPTIONS')
  const listing = await (await fetch(`${url}/ipfs/${siteCid}/`)).text()
  if (!listing.includes('hello.txt')) throw new Error('hello.txt is not in the list')
})

test('raw blocks and CARs', async () => {
  const raw = await fetch(`${url}/ipfs/${siteCid}`, { headers: { accept: 'application/vnd.ipld.raw' } })
  equal(raw.headers.get('content-type'), 'application/vnd.ipld.raw', 'type')
  same(await raw.arrayBuffer(), await cli('block', 'get', siteCid), 'the block')
  const res = await fetch(`${url}/ipfs/${siteCid}?format=car`)
  const bytes = Buffer.from(await res.arrayBuffer())
  same(bytes, await cli('car', 'export', siteCid), 'the CAR')
  const car = await CarReader.fromBytes(bytes)
  const blockstore = new MemoryBlockstore()
  for await (const block of car.blocks()) await blockstore.put(block.cid, block.bytes)
  const parts = []
  for await (const part of unixfs({ blockstore, logger: { forComponent: () => () => {} } }).cat(CID.parse(siteCid), { path: 'sub/b.bin' })) parts.push(part)
  same(Buffer.concat(parts), inner, 'sub/b.bin')
})

test('one connection for many requests', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let i = 0; i < 3; i++) {
    const head = await ask(agent, `/ipfs/${bigCid}`, { method: 'HEAD' })
    equal(`${head.status} ${head.headers['content-length']} ${head.body.length}`, `200 ${BIG} 0`, 'HEAD')
    const file = await ask(agent, `/ipfs/${siteCid}/sub/b.bin`)
    same(file.body, inner, 'the file')
    const car = await ask(agent, `/ipfs/${siteCid}?format=car`)
    equal(car.headers['transfer-encoding'], 'chunked', 'a CAR')
    equal((await ask(agent, '/healthz')).body.toString(), 'ok\n', 'healthz')
    equal([file.reused, car.reused].join(), 'true,true', 'the same connection')
  }
  agent.destroy()
})

test('requests that are asked ahead are answered in their order', async () => {
  const socket = connect(port, '127.0.0.1')
  const of = (path, more = '') => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${more}\r\n`
  socket.write(of(`/ipfs/${siteCid}/sub/b.bin`) + of(`/ipfs/${siteCid}/hello.txt`) + of('/healthz', 'connection: close\r\n'))
  const parts = []
  for await (const part of socket) parts.push(part)
  const all = Buffer.concat(parts)
  const at = all.indexOf('\r\n\r\n') + 4
  same(all.subarray(at, at + inner.length), inner, 'the first')
  const rest = all.subarray(at + inner.length).toString()
  equal(rest.split('\r\n\r\n')[1].slice(0, HELLO.length), HELLO, 'the second')
  if (!rest.endsWith('\r\n\r\nok\n')) throw new Error('the third is missing')
})

test('a slow reader costs a piece, not the file', async () => {
  const sockets = await slowReaders(20)
  const other = await fetch(`${url}/ipfs/${siteCid}/hello.txt`)
  equal(await other.text(), HELLO, 'others are answered meanwhile')
  const held = await heldBytes()
  if (held > 20 * (80 << 10)) throw new Error(`${held} bytes are held`)
  const rss = memory()
  if (rss > 100 << 20) throw new Error(`${rss} bytes of memory`)
  const parts = []
  const last = sockets.pop()
  for (const s of sockets) s.destroy()
  for await (const part of last) parts.push(part)
  const all = Buffer.concat(parts)
  same(all.subarray(all.indexOf('\r\n\r\n') + 4), big, 'the one that goes on reading gets all')
  await until('nothing is held', async () => await heldBytes() < 4096)
  return `${held} bytes held for 20, ${Math.round(rss / 1e6)} MB of memory at most so far`
})

test('more answers than there are places', async () => {
  const sockets = await slowReaders(128)
  const res = await fetch(`${url}/ipfs/${siteCid}/hello.txt`)
  equal(res.status, 503, 'one too many')
  equal((await fetch(`${url}/healthz`)).status, 200, 'pages are answered')
  sockets.pop().destroy()
  await until('the place is free', async () => (await fetch(`${url}/ipfs/${siteCid}/hello.txt`)).status === 200)
  for (const s of sockets) s.destroy()
})

test('readers that vanish in the middle', async () => {
  for (let i = 0; i < 200; i++) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(`GET /ipfs/${bigCid}${i % 2 ? '?format=car' : ''} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
    await once(socket, 'data')
    socket.resetAndDestroy()
  }
  await until('nothing is held', async () => await heldBytes() < 4096)
  same(await (await fetch(`${url}/ipfs/${bigCid}`)).arrayBuffer(), big, 'the file afterwards')
})

test('a file of which a block is missing breaks off', async () => {
  // Its root alone is here: the status can be sent, the bytes cannot.
  const root = join(folder, 'root')
  const lost = content(9, 3 << 20)
  writeFileSync(join(folder, 'lost.bin'), lost)
  const cid = cidOf(await cli('file', 'add', join(folder, 'lost.bin')))
  writeFileSync(root, await cli('block', 'get', cid))
  await cli('file', 'drop', cid)
  equal(cidOf(await cli('block', 'put', '--codec', 'dag-pb', root)), cid, 'its root')
  const got = await fetch(`${url}/ipfs/${cid}`).then(async (res) => res.status + ' ' + (await res.arrayBuffer()).byteLength).catch((err) => err)
  if (!(got instanceof Error)) throw new Error(`it was answered: ${got}`)
  const car = await fetch(`${url}/ipfs/${cid}?format=car`).then(async (res) => (await res.arrayBuffer()).byteLength).catch((err) => err)
  if (!(car instanceof Error)) throw new Error(`a CAR of it was answered: ${car}`)
})

// ---- bitswap ----
test('helia over bitswap: 20 MB', async () => {
  const helia = await newHelia()
  const known = new Promise((resolve) => helia.libp2p.addEventListener('peer:identify', resolve, { once: true }))
  await helia.libp2p.dial(multiaddr(p2p))
  await known
  const parts = []
  for await (const part of unixfs(helia).cat(CID.parse(bigCid), { signal: AbortSignal.timeout(30_000) })) parts.push(part)
  same(Buffer.concat(parts), big, 'the file')
  const late = content(10, 100_000)
  writeFileSync(join(folder, 'late.bin'), late)
  // Asked for before it is here: whoever waits for a block gets it when the command line has brought it.
  const name = CID.parse((await cidHere(late)).toString())
  const wait = helia.blockstore.get(name, { signal: AbortSignal.timeout(15_000) })
  wait.catch(() => {})
  await sleep(300) // it has asked: neither side says so
  equal(cidOf(await cli('file', 'add', join(folder, 'late.bin'))), name.toString(), 'its CID')
  same(await wait, late, 'what was waited for')
})

async function cidHere (bytes) {
  return unixfs({ blockstore: new MemoryBlockstore(), logger: { forComponent: () => () => {} } }).addBytes(bytes)
}

// ---- the command line while the node runs ----
test('the command line works beside the node', async () => {
  const out = join(folder, 'again.bin')
  await cli('file', 'get', bigCid, '-o', out)
  same(readFileSync(out), big, 'file get')
  const list = (await cli('file', 'list')).toString()
  if (!list.includes(bigCid) || !list.includes(siteCid)) throw new Error(`file list: ${list}`)
  writeFileSync(join(folder, 'gone.txt'), 'here today\n')
  const cid = cidOf(await cli('file', 'add', join(folder, 'gone.txt')))
  equal(await (await fetch(`${url}/ipfs/${cid}`)).text(), 'here today\n', 'at once')
  await cli('file', 'drop', cid)
  equal((await fetch(`${url}/ipfs/${cid}`)).status, 404, 'dropped')
  // Two that write at the same time wait for each other.
  const files = [11, 12, 13, 14].map((seed) => {
    const file = join(folder, `many-${seed}`)
    writeFileSync(file, content(seed, 4_000_000))
    return file
  })
  const cids = (await Promise.all(files.map((file) => cli('file', 'add', file)))).map(cidOf)
  for (const [i, c] of cids.entries()) same(await (await fetch(`${url}/ipfs/${c}`)).arrayBuffer(), readFileSync(files[i]), files[i])
})

test('the node stops clean', async () => {
  node.kill('SIGTERM')
  const [code] = await nodeExit
  equal(code, 0, 'exit status')
})

await run(3)
