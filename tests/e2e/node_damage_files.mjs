/* Files that are damaged where they lie: bits that turn, pages that become zeros, files cut short. It is harmless, or found and said; nothing crashes; what is
 * whole is served, and the rest comes back from a peer. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { equal, Node, ok, test, until } from './kit.mjs'
import { ask, post } from './wire.mjs'
import { quickDir } from '../faults/faulty.mjs'
import { randomOf } from '../faults/record.mjs'

const LONG = process.env.FAULTS === 'long'
const FLIPS = Number(process.env.FAULTS_FLIPS ?? (LONG ? 1000 : 60))
const N = 40
const random = randomOf(Number(process.env.FAULTS_SEED ?? 1))
const listed = async node => JSON.parse((await ask(node, '/api/v1/todos?limit=1000')).text).items.map(item => item.text)
const texts = Array.from({ length: N }, (_, i) => `text ${i} ${'x'.repeat(i % 8 === 7 ? 400 : 30)}`)
const sorted = list => [...list].sort()
let closed, killed, other, folder, serial = 0

function copy (from) {
  const dir = join(folder, String(++serial))
  mkdirSync(dir)
  for (const name of readdirSync(from)) if (statSync(join(from, name)).isFile()) copyFileSync(join(from, name), join(dir, name))
  return dir
}

/* A store that was closed, and one whose newest entries stand in the WAL; and a peer that has all of it. */
test('stores to be damaged', async () => {
  folder = quickDir()
  const node = await Node.make({ dir: join(folder, 'origin') })
  await node.start()
  other = await Node.make({ dir: join(folder, 'other') })
  await other.start(['--join', node.multiaddr])
  for (const text of texts.slice(0, N / 2)) equal((await post(node, '/todos', { text })).status, 303, 'a form')
  await node.stop()
  await node.start()
  for (const text of texts.slice(N / 2)) equal((await post(node, '/todos', { text })).status, 303, 'a form')
  await until('the other has all', async () => (await listed(other)).length === N)
  await node.kill()
  killed = copy(node.dir)
  await node.start()
  await node.stop()
  closed = copy(node.dir)
  ok(statSync(join(killed, 'holdfast.db-wal')).size > 100_000 && !existsSync(join(closed, 'holdfast.db-wal')), 'a WAL')
})

/** Starts on that folder, as itself. It may start anew by itself, to repair. */
async function startOn (dir, join = []) {
  const node = await Node.make({ dir })
  try { await node.start(join) } catch (error) {
    const end = await node.gone
    if (typeof end !== 'number' || !/ error /.test(node.log)) throw error
    return { node, refused: true }
  }
  return { node, refused: false }
}

const SAID = /the store (is|was) damaged/

function flip (dir, name) {
  const path = join(dir, name)
  const bytes = readFileSync(path)
  const at = random(bytes.length)
  bytes[at] ^= 1 << random(8)
  writeFileSync(path, bytes)
  return `bit at ${at} of ${name} (${bytes.length})`
}

function zeroPage (dir, name, page) {
  const path = join(dir, name)
  const bytes = readFileSync(path)
  const at = (page ?? random(Math.ceil(bytes.length / 4096))) * 4096
  bytes.fill(0, at, at + 4096)
  writeFileSync(path, bytes)
  return `page at ${at} of ${name}`
}

/** Alone: what is served is whole and once, and if anything is missing that was said. Returns what became of it. */
async function judge (dir, what) {
  const { node, refused } = await startOn(dir)
  ok(!refused, `${what}: it does not start: ${node.log}`)
  const had = await listed(node)
  equal(had.filter(text => !texts.includes(text)), [], `${what}: something else is shown`)
  equal(had.length, new Set(had).size, `${what}: something is there twice`)
  if (had.length < N) await until(`${what}: what is missing was said (${had.length} of ${N}): ${node.log}`, () => SAID.test(node.log), 4000)
  await node.kill()
  return had.length === N ? (SAID.test(node.log) ? 'repaired whole' : 'harmless') : 'said, in part'
}

/** With a peer: all of it comes back. */
async function heal (dir, what) {
  const { node } = await startOn(dir, ['--join', other.multiaddr])
  await until(`${what}: all is back: ${node.log}`, async () => (await listed(node)).length >= N, 15_000, 50)
  equal(sorted(await listed(node)), sorted(texts), `${what}: healed`)
  await node.kill()
}

const CASES = [
  ['bits of a closed database', () => closed, dir => flip(dir, 'holdfast.db'), FLIPS],
  ['bits of a database with a WAL', () => killed, dir => flip(dir, random(2) ? 'holdfast.db-wal' : 'holdfast.db'), FLIPS],
  ['pages of a closed database become zeros', () => closed, dir => zeroPage(dir, 'holdfast.db'), LONG ? 100 : 8],
  ['a database is cut short', () => closed, dir => { const at = random(statSync(join(dir, 'holdfast.db')).size); truncateSync(join(dir, 'holdfast.db'), at); return `cut at ${at}` }, LONG ? 100 : 5]
]

for (const [name, from, damage, n] of CASES) {
  test(`${name}, ${n} times: harmless, or said; and a peer brings back what is missing`, async () => {
    const ends = {}
    let healed = 0
    for (let i = 0; i < n; i++) {
      const dir = copy(from())
      const what = damage(dir)
      const again = copy(dir)
      const end = await judge(dir, what)
      ends[end] = (ends[end] ?? 0) + 1
      if (end === 'said, in part') { await heal(again, what); healed++ }
      for (const gone of [dir, again]) rmSync(gone, { recursive: true, force: true })
    }
    console.log(`  ${JSON.stringify(ends)}; ${healed} healed by the peer`)
  })
}

test('the first page becomes zeros: all the rest is found without it, and the old file is set aside', async () => {
  const dir = copy(closed)
  zeroPage(dir, 'holdfast.db', 0)
  const { node } = await startOn(dir)
  equal(sorted(await listed(node)), sorted(texts), 'found')
  ok(/the store was damaged.*aside=holdfast\.db\.damaged-1 blocks=/.test(node.log), node.log)
  ok(existsSync(join(dir, 'holdfast.db.damaged-1')), 'set aside')
  ok(!/keys were damaged/.test(node.log), 'it is who it was')
  equal((await post(node, '/todos', { text: 'and on' })).status, 303, 'it is written to')
  await node.stop()
  await node.start()
  equal((await listed(node)).length, N + 1, 'the new store holds')
  await node.kill()
})

test('keys that are damaged are told, and not taken for others', async () => {
  const dir = copy(closed)
  const path = join(dir, 'holdfast.db')
  const bytes = readFileSync(path)
  for (let at = -1; (at = bytes.indexOf('secrets', at + 1)) >= 0;) bytes[at + 7 + 40] ^= 1
  writeFileSync(path, bytes)
  const { node } = await startOn(dir, ['--join', other.multiaddr])
  ok(/keys were damaged, too: it makes new ones/.test(node.log), node.log)
  equal(sorted(await listed(node)), sorted(texts), 'the entries are there')
  await node.kill()
})

test('snapshot, lock, and what does not belong there: never in the way', async () => {
  const dir = copy(closed)
  for (const name of ['snapshot', 'snapshot.new', 'holdfast.db.new', 'holdfast.db-shm', 'lock']) writeFileSync(join(dir, name), Buffer.alloc(5000, serial))
  const { node } = await startOn(dir)
  equal(sorted(await listed(node)), sorted(texts), 'all is there')
  await node.kill()
})

test('a block that is damaged while the node runs is found, and the node repairs itself', async () => {
  const dir = copy(closed)
  const node = await Node.make({ dir })
  await node.start(['--join', other.multiaddr])
  await node.stop()
  const path = join(dir, 'holdfast.db')
  const bytes = readFileSync(path)
  const at = bytes.indexOf('text 3 ')
  ok(at > 0, 'where it is')
  bytes[at] ^= 1
  writeFileSync(path, bytes)
  await node.start(['--join', other.multiaddr])
  await until(`it was said: ${node.log}`, () => /the store was damaged; what is whole/.test(node.log))
  await until('all is back', async () => (await listed(node)).length === N)
  equal(await node.stop(), 0, 'exit status')
})
