// Makes unixfs.json beside it, with js's own packages: `node tests/vectors/unixfs/make.mjs`. The C tests make the same bytes from the same seeds.
import '../../interop/node22.mjs'
import { writeFileSync } from 'node:fs'
import { unixfs } from '@helia/unixfs'
import { MemoryBlockstore } from 'blockstore-core'
import { CarWriter } from '@ipld/car'
import * as dagPb from '@ipld/dag-pb'
import { balanced } from 'ipfs-unixfs-importer/layout'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { murmur3128 } from '@multiformats/murmur3'
import { CID } from 'multiformats/cid'
import { content } from '../../interop/content.mjs'

const KUBO = { layout: balanced({ maxChildrenPerNode: 174 }), chunker: fixedSize({ chunkSize: 262144 }) }
const tiny = (chunkSize, maxChildrenPerNode) => ({ layout: balanced({ maxChildrenPerNode }), chunker: fixedSize({ chunkSize }) })
const hex = (bytes) => Buffer.from(bytes).toString('hex')
const MiB = 1 << 20

async function withStore (use) {
  const blockstore = new MemoryBlockstore()
  return use(unixfs({ blockstore, logger: { forComponent: () => Object.assign(() => {}, { error () {}, trace () {} }) } }), blockstore)
}

async function file (bytes, chunkBytes, linksMax, options) {
  return withStore(async (fs, store) => {
    const cid = await fs.addBytes(content(7, bytes), options)
    let blocks = 0
    for await (const _ of store.getAll()) blocks++
    return { bytes, chunkBytes, linksMax, blocks, cid: cid.toString() }
  })
}

const files = []
for (const n of [0, 1, MiB - 1, MiB, MiB + 1, 5 * MiB + 3]) files.push(await file(n, MiB, 1024, {}))
for (const n of [0, 1, 262144, 262145, 3 * MiB]) files.push(await file(n, 262144, 174, KUBO))
for (const links of [2, 3]) for (let n = 0; n < 1500; n += 37) files.push(await file(n, 16, links, tiny(16, links)))
files.push(await file(300000, 256, 1024, tiny(256, 1024)), await file(256 * 1025, 256, 1024, tiny(256, 1024)))

// A directory of n files "PREFIX<i>" that hold their own number.
async function directory (n, prefix) {
  return withStore(async (fs) => {
    const source = []
    for (let i = 0; i < n; i++) source.push({ path: `${prefix}${i}`, content: new TextEncoder().encode(String(i)) })
    let root
    for await (const entry of fs.addAll(source, { wrapWithDirectory: true })) root = entry
    if (n === 0) root = { cid: await fs.addDirectory() }
    return { n, prefix, cid: root.cid.toString(), bytes: Number(root.size ?? 0) }
  })
}
const directories = []
for (const [n, prefix] of [[0, 'x'], [1, 'a'], [12, 'file '], [200, 'ü'], [3000, 'p'.repeat(60)], [20000, 'shard-']]) directories.push(await directory(n, prefix))

// A CAR with two roots: a file of two leaves, and a directory.
const car = await withStore(async (fs, store) => {
  const blocks = [] // the store itself forgets codecs
  const put = store.put.bind(store)
  store.put = (cid, bytes, options) => { blocks.push({ cid, bytes }); return put(cid, bytes, options) }
  const a = await fs.addBytes(content(9, 40), tiny(32, 2))
  const dir = await fs.cp(a, await fs.addDirectory(), 'a')
  const { writer, out } = CarWriter.create([a, dir])
  const collected = (async () => { const parts = []; for await (const p of out) parts.push(p); return Buffer.concat(parts) })()
  for (const block of blocks) await writer.put(block)
  await writer.close()
  return { roots: [a.toString(), dir.toString()], blocks: blocks.map((b) => b.cid.toString()), hex: hex(await collected) }
})

const hashes = []
for (let n = 0; n < 40; n++) {
  const name = content(n + 1, n)
  hashes.push({ hex: hex(name), hash: hex((await murmur3128.encode(name)).slice(0, 8)) })
}

// What js reads and what it refuses.
const cid = CID.parse('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku').bytes
const link = Buffer.concat([Buffer.from([0x0a, cid.length]), cid])
const wrap = (l) => Buffer.concat([Buffer.from([0x12, l.length]), l])
const nodes = [
  wrap(link), Buffer.concat([wrap(link), wrap(link)]), Buffer.from([0x0a, 0]), Buffer.alloc(0),
  Buffer.concat([Buffer.from([0x0a, 1, 5]), wrap(link)]), Buffer.concat([wrap(link), Buffer.from([0x0a, 1, 5])]),
  Buffer.concat([wrap(link), Buffer.from([0x0a, 1, 5]), wrap(link)]), Buffer.from([0x0a, 1, 5, 0x0a, 1, 5]),
  wrap(Buffer.concat([link, Buffer.from([0x12, 1, 0x61, 0x18, 9])])), wrap(Buffer.concat([link, Buffer.from([0x18, 9, 0x12, 1, 0x61])])),
  wrap(Buffer.concat([Buffer.from([0x12, 1, 0x61]), link])), wrap(Buffer.from([0x12, 1, 0x61])), wrap(Buffer.concat([link, link])),
  wrap(Buffer.concat([link, Buffer.from([0x20, 9])])), Buffer.from([0x18, 1]), Buffer.from([0x0a, 4, 1]), Buffer.from([0x12, 3, 0x0a, 1, 0]),
  wrap(link.subarray(0, 20))
].map((bytes) => {
  try {
    const node = dagPb.decode(bytes)
    return { hex: hex(bytes), links: node.Links.length, data: node.Data ? hex(node.Data) : null }
  } catch {
    return { hex: hex(bytes), refused: true }
  }
})

const rows = (name, list) => `"${name}": [\n${list.map((x) => JSON.stringify(x)).join(',\n')}\n]`
writeFileSync(new URL('unixfs.json', import.meta.url), `{\n${[rows('files', files), rows('directories', directories), rows('cars', [car]), rows('hashes', hashes), rows('nodes', nodes)].join(',\n')}\n}\n`)
