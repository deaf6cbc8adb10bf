// UnixFS, CARs and bitswap between us and helia (its core over js-libp2p and TCP, @helia/unixfs, @ipld/car): the same CIDs, each other's
// archives, a file of 100 MB both ways, the command line. `node files.mjs FILES_NODE FILES_NODE_FAST HOLDFAST` closes with `N passed, N failed`.
import './node22.mjs'
import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { promisify } from 'node:util'
import { unixfs } from '@helia/unixfs'
import { CarReader, CarWriter } from '@ipld/car'
import { CID } from 'multiformats/cid'
import { content } from './content.mjs'
import { MemoryBlockstore, multiaddr, newHelia } from './js2.mjs'
import { Child, equal, run, tempDir, test } from './kit.mjs'

const [checked, fast, holdfast] = process.argv.slice(2)
const MiB = 1 << 20
const BIG = 100_000_000
const folder = tempDir()

// ---- our side: it answers each command with a line ----
class Ours extends Child {
  static patience = 60_000

  async ask (command, pattern) {
    this.say(command)
    return (await this.line(new RegExp(`^(${pattern}|failed|no CID).*`)))[0].split(' ')
  }
}

// Connected, and bitswap knows it.
async function connect (helia, ours) {
  const known = new Promise((resolve) => helia.libp2p.addEventListener('peer:identify', resolve, { once: true }))
  await helia.libp2p.dial(multiaddr(ours.address))
  await known
  await ours.line(/^identified/)
}

const local = () => unixfs({ blockstore: new MemoryBlockstore(), logger: { forComponent: () => Object.assign(() => {}, { error () {}, trace () {} }) } })
const speed = (ms) => `${ms} ms, ${Math.round(BIG / 1e3 / ms)} MB/s`

test('the CIDs of files', async () => {
  const o = await Ours.start(checked)
  for (const n of [0, 1, MiB - 1, MiB, MiB + 1]) {
    const cid = await local().addBytes(content(7, n))
    equal((await o.ask(`import 7 ${n}`, 'imported'))[1], cid.toString(), `${n} bytes`)
  }
})

test('our CAR read by @ipld/car', async () => {
  const o = await Ours.start(checked)
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

test("@ipld/car's CAR read by us", async () => {
  const o = await Ours.start(checked)
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
test('a directory of shards, fetched from helia', async () => {
  const o = await Ours.start(checked)
  const h = await newHelia()
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

test('100 MB by helia from us', async () => {
  const o = await Ours.start(fast)
  const h = await newHelia()
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

test('100 MB by us from helia', async () => {
  const o = await Ours.start(fast)
  const h = await newHelia()
  const root = await unixfs(h).addBytes(content(7, BIG))
  equal((await o.ask(`import 7 ${BIG}`, 'imported'))[1], root.toString(), 'the CID of 100 MB')
  o.say('forget')
  await connect(h, o)
  const done = await o.ask(`fetch ${root}`, 'fetched|stuck')
  equal(done[0], 'fetched', done.join(' '))
  equal((await o.ask(`check ${root} 7`, 'equal|differs|needs')).join(' '), `equal ${BIG}`, 'content')
  return `fetched in ${speed(Number(done[3]))}, ${done[5]} blocks twice`
})

test('100 MB between two of us', async () => {
  const a = await Ours.start(fast)
  const b = await Ours.start(fast)
  const [, root] = await a.ask(`import 7 ${BIG}`, 'imported')
  b.say(`dial ${a.port}`)
  await b.line(/^identified/)
  const done = await b.ask(`fetch ${root}`, 'fetched|stuck')
  equal(done[0], 'fetched', done.join(' '))
  equal((await b.ask(`check ${root} 7`, 'equal|differs|needs')).join(' '), `equal ${BIG}`, 'content')
  return speed(Number(done[3]))
})

// holdfast file, block and car, over folders of data that no node uses.
async function cli (args, input) {
  const child = promisify(execFile)(holdfast, args, { encoding: 'buffer', maxBuffer: 1 << 26 })
  child.child.stdin.end(input)
  return (await child).stdout
}

test('the command line', async () => {
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
  const said = String(await cli(['file', 'add', '--dir', one, tree])).split(/\s+/)
  equal(said[0], root.toString(), 'the CID of a folder')
  equal(Buffer.compare(await cli(['file', 'get', `${root}/sub/ü b`, '--dir', one]), files['sub/ü b']), 0, 'a file by path')
  await cli(['car', 'export', said[0], '-o', join(folder, 'tree.car'), '--dir', one])
  equal(String(await cli(['car', 'import', join(folder, 'tree.car'), '--dir', two])).trim(), said[0], 'the root of the CAR')
  await cli(['file', 'get', said[0], '-o', join(folder, 'again'), '--dir', two])
  for (const [path, bytes] of Object.entries(files)) equal(Buffer.compare(readFileSync(join(folder, 'again', path)), bytes), 0, path)
  const [block] = String(await cli(['block', 'put', '--dir', two], 'a block')).split('\n')
  equal(String(await cli(['block', 'get', block, '--dir', two])), 'a block', 'a block')
  equal(String(await cli(['file', 'drop', said[0], '--dir', two])).includes('2097'), true, 'bytes freed')
  for (const words of [['file', 'get', said[0], '--dir', two], ['file', 'get', 'nocid', '--dir', two], ['file', 'add', join(folder, 'none'), '--dir', two]]) {
    equal(await cli(words).then(() => 0, (err) => err.code), 1, `exit status of ${words.join(' ')}`)
  }
  equal(await cli(['file', 'mend']).then(() => 0, (err) => err.code), 2, 'exit status of wrong usage')
})

await run(5)
