// UnixFS, CARs and bitswap between us and helia (its core over js-libp2p and TCP, @helia/unixfs, @ipld/car): the same CIDs, each other's
// archives, a file of 100 MB both ways, the command line. `node files.mjs FILES_NODE FILES_NODE_FAST HOLDFAST` closes with `N passed, N failed`.
import './node22.mjs'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { Helia } from '@helia/utils'
import { bitswap } from '@helia/block-brokers'
import { unixfs } from '@helia/unixfs'
import { CarReader, CarWriter } from '@ipld/car'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import { content } from './content.mjs'

const [, , checked, fast, holdfast, only] = process.argv
const MiB = 1 << 20
const BIG = 100_000_000
const folder = mkdtempSync(join(tmpdir(), 'holdfast-files-'))

// ---- our side: a child that answers each command with a line ----
class Ours {
  static async start (seed, program = checked) {
    const o = new Ours()
    o.child = spawn(program, [String(seed)], { stdio: ['pipe', 'pipe', 'inherit'] })
    o.lines = []
    o.waiting = []
    createInterface({ input: o.child.stdout }).on('line', (line) => {
      const i = o.waiting.findIndex((w) => w.pattern.test(line))
      if (i >= 0) o.waiting.splice(i, 1)[0].resolve(line)
      else o.lines.push(line)
    })
    o.exit = once(o.child, 'exit')
    const [, port, id] = (await o.line(/^listening/)).match(/^listening (\d+) (\S+)/)
    o.port = Number(port)
    o.address = multiaddr(`/ip4/127.0.0.1/tcp/${port}/p2p/${id}`)
    return o
  }

  line (pattern) {
    const i = this.lines.findIndex((l) => pattern.test(l))
    if (i >= 0) return Promise.resolve(this.lines.splice(i, 1)[0])
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no line like ${pattern}; have ${JSON.stringify(this.lines)}`)), 60000)
      this.waiting.push({ pattern, resolve: (line) => { clearTimeout(timer); resolve(line) } })
    })
  }

  say (command) { this.child.stdin.write(command + '\n') }

  async ask (command, pattern) {
    this.say(command)
    return (await this.line(new RegExp(`^(${pattern}|failed|no CID)`))).split(' ')
  }

  async stop () {
    this.say('quit')
    const [code] = await this.exit
    equal(code, 0, 'exit status of our side')
  }
}

async function newHelia () {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
    connectionGater: { denyDialMultiaddr: () => false }
  })
  const helia = new Helia({ libp2p, blockstore: new MemoryBlockstore(), datastore: new MemoryDatastore(), blockBrokers: [bitswap()], routers: [] })
  await helia.start()
  return helia
}

// Connected, and bitswap knows it.
async function connect (helia, ours) {
  const known = new Promise((resolve) => helia.libp2p.addEventListener('peer:identify', resolve, { once: true }))
  await helia.libp2p.dial(ours.address)
  await known
  await ours.line(/^identified/)
}

function equal (got, want, what) { if (got !== want) throw new Error(`${what}: got ${got}, expected ${want}`) }
const local = () => unixfs({ blockstore: new MemoryBlockstore(), logger: { forComponent: () => Object.assign(() => {}, { error () {}, trace () {} }) } })
const speed = (ms) => `${ms} ms, ${Math.round(BIG / 1e3 / ms)} MB/s`

let nPassed = 0
let nFailed = 0
async function test (name, run) {
  if (only && !name.includes(only)) return
  const from = Date.now()
  const stops = []
  const ours = async (...args) => { const o = await Ours.start(...args); stops.push(o); return o }
  const helia = async () => { const h = await newHelia(); stops.push(h); return h }
  try {
    const said = await run(ours, helia)
    for (const s of stops.splice(0)) await s.stop()
    nPassed++
    console.log(`ok ${name} (${Date.now() - from} ms)${said ? ': ' + said : ''}`)
  } catch (err) {
    nFailed++
    console.log(`FAILED ${name}: ${err.stack}`)
  }
  for (const s of stops) await s.stop().catch(() => s.child?.kill('SIGKILL'))
}

await test('the CIDs of files', async (ours) => {
  const o = await ours(1)
  for (const n of [0, 1, MiB - 1, MiB, MiB + 1]) {
    const cid = await local().addBytes(content(7, n))
    equal((await o.ask(`import 7 ${n}`, 'imported'))[1], cid.toString(), `${n} bytes`)
  }
})

await test('our CAR read by @ipld/car', async (ours) => {
  const o = await ours(1)
  const file = join(folder, 'ours.car')
  const [, root] = await o.ask(`import 7 ${3 * MiB + 5}`, 'imported')
  equal((await o.ask(`export ${root} ${file}`, 'exported'))[1], '5', 'blocks')
  const car = await CarReader.fromIterable(createReadStream(file))
  const [got] = await car.getRoots()
  equal(got.toString(), root, 'root')
  const blockstore = new MemoryBlockstore()
  for await (const { cid, bytes } of car.blocks()) await blockstore.put(cid, bytes)
  const parts = []
  for await (const part of unixfs({ blockstore, logger: { forComponent: () => () => {} } }).cat(got)) parts.push(part)
  equal(Buffer.compare(Buffer.concat(parts), content(7, 3 * MiB + 5)), 0, 'content')
})

await test("@ipld/car's CAR read by us", async (ours) => {
  const o = await ours(1)
  const file = join(folder, 'theirs.car')
  const blocks = []
  const fs = local()
  const put = fs.components.blockstore.put.bind(fs.components.blockstore)
  fs.components.blockstore.put = (cid, bytes, options) => { blocks.push({ cid, bytes }); return put(cid, bytes, options) }
  const root = await fs.addBytes(content(11, 2 * MiB + 7))
  const { writer, out } = CarWriter.create([root])
  const writing = finished(Readable.from(out).pipe(createWriteStream(file)))
  for (const block of blocks) await writer.put(block)
  await writer.close()
  await writing
  equal((await o.ask(`read ${file}`, 'read')).join(' '), `read ${root} 4`, 'what was read')
  equal((await o.ask(`check ${root} 11`, 'equal|differs|needs')).join(' '), `equal ${2 * MiB + 7}`, 'content')
})

// Files in a plain directory within a directory of shards: their CIDs by path, fetched from helia.
await test('a directory of shards, fetched from helia', async (ours, helia) => {
  const o = await ours(1)
  const h = await helia()
  const fs = unixfs(h)
  const source = [{ path: 'inner/deep.txt', content: new TextEncoder().encode('deep') }]
  for (let i = 0; i < 6000; i++) source.push({ path: `a name that takes some bytes of its node ${i}`, content: new TextEncoder().encode(`n${i}`) })
  let root
  for await (const entry of fs.addAll(source, { wrapWithDirectory: true })) root = entry.cid
  await connect(h, o)
  const done = await o.ask(`fetch ${root}`, 'fetched|stuck')
  equal(done[0], 'fetched', done.join(' '))
  for (const path of ['inner/deep.txt', 'a name that takes some bytes of its node 4711']) {
    equal((await o.ask(`path ${root}/${path}`, 'found|not found|needs')).join(' '), `found ${(await fs.stat(root, { path })).cid}`, path)
  }
  equal((await o.ask(`path ${root}/inner/none`, 'found|not found|needs'))[0], 'not', 'a name that is not there')
  return `${done[1]} blocks in ${done[3]} ms, ${done[5]} twice`
})

await test('100 MB by helia from us', async (ours, helia) => {
  const o = await ours(1, fast)
  const h = await helia()
  const [, root, , took] = await o.ask(`import 7 ${BIG}`, 'imported')
  await connect(h, o)
  const want = content(7, BIG)
  const begun = Date.now()
  let at = 0
  for await (const part of unixfs(h).cat(CID.parse(root))) {
    if (Buffer.compare(part, want.subarray(at, at + part.length)) !== 0) throw new Error(`differs at ${at}`)
    at += part.length
  }
  equal(at, BIG, 'bytes')
  return `imported in ${took} ms; fetched in ${speed(Date.now() - begun)}`
})

await test('100 MB by us from helia', async (ours, helia) => {
  const o = await ours(1, fast)
  const h = await helia()
  const root = await unixfs(h).addBytes(content(7, BIG))
  equal((await o.ask(`import 7 ${BIG}`, 'imported'))[1], root.toString(), 'the CID of 100 MB')
  o.say('forget')
  await connect(h, o)
  const done = await o.ask(`fetch ${root}`, 'fetched|stuck')
  equal(done[0], 'fetched', done.join(' '))
  equal((await o.ask(`check ${root} 7`, 'equal|differs|needs')).join(' '), `equal ${BIG}`, 'content')
  return `fetched in ${speed(Number(done[3]))}, ${done[5]} blocks twice`
})

await test('100 MB between two of us', async (ours) => {
  const a = await ours(1, fast)
  const b = await ours(2, fast)
  const [, root] = await a.ask(`import 7 ${BIG}`, 'imported')
  b.say(`dial ${a.port}`)
  await b.line(/^identified/)
  const done = await b.ask(`fetch ${root}`, 'fetched|stuck')
  equal(done[0], 'fetched', done.join(' '))
  equal((await b.ask(`check ${root} 7`, 'equal|differs|needs')).join(' '), `equal ${BIG}`, 'content')
  return speed(Number(done[3]))
})

// holdfast file, block and car, over folders of data that no node uses.
async function run (args, input) {
  const child = promisify(execFile)(holdfast, args, { encoding: 'buffer', maxBuffer: 1 << 26 })
  child.child.stdin.end(input)
  return (await child).stdout
}

await test('the command line', async () => {
  const tree = join(folder, 'tree')
  const [one, two] = [join(folder, 'data-1'), join(folder, 'data-2')]
  const files = { 'a.txt': content(1, 10), 'empty': content(1, 0), 'sub/deep/big.bin': content(2, 2 * MiB + 1), 'sub/ü b': content(3, 300) }
  mkdirSync(join(tree, 'sub/deep'), { recursive: true })
  const source = []
  for (const [path, bytes] of Object.entries(files)) {
    writeFileSync(join(tree, path), bytes)
    source.push({ path: `tree/${path}`, content: bytes })
  }
  writeFileSync(join(tree, '.hidden'), 'not this')
  let root
  for await (const entry of local().addAll(source)) root = entry.cid
  const said = String(await run(['file', 'add', '--dir', one, tree])).split(/\s+/)
  equal(said[0], root.toString(), 'the CID of a folder')
  equal(Buffer.compare(await run(['file', 'get', `${root}/sub/ü b`, '--dir', one]), files['sub/ü b']), 0, 'a file by path')
  await run(['car', 'export', said[0], '-o', join(folder, 'tree.car'), '--dir', one])
  equal(String(await run(['car', 'import', join(folder, 'tree.car'), '--dir', two])).trim(), said[0], 'the root of the CAR')
  await run(['file', 'get', said[0], '-o', join(folder, 'again'), '--dir', two])
  for (const [path, bytes] of Object.entries(files)) equal(Buffer.compare(readFileSync(join(folder, 'again', path)), bytes), 0, path)
  const [block] = String(await run(['block', 'put', '--dir', two], 'a block')).split('\n')
  equal(String(await run(['block', 'get', block, '--dir', two])), 'a block', 'a block')
  equal(String(await run(['file', 'drop', said[0], '--dir', two])).includes('2097'), true, 'bytes freed')
  for (const words of [['file', 'get', said[0], '--dir', two], ['file', 'get', 'nocid', '--dir', two], ['file', 'add', join(folder, 'none'), '--dir', two]]) {
    equal(await run(words).then(() => 0, (err) => err.code), 1, `exit status of ${words.join(' ')}`)
  }
  equal(await run(['file', 'mend']).then(() => 0, (err) => err.code), 2, 'exit status of wrong usage')
})

rmSync(folder, { recursive: true })
console.log(`${nPassed} passed, ${nFailed} failed`)
process.exit(nFailed ? 1 : 0)
