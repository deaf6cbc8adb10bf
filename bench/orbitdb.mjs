/* orbitdb: `holdfast serve` beside @orbitdb/core 4 (js-libp2p 3, Node 22, everything on disk in Level as it comes), both with the same events in an open
 * database that is kept on disk: entries written a second, entries of others verified and joined, how soon a program that starts shows all of a long
 * log, and a log that goes from one to the other. Where one end is js whichever the other is, js decides how long it takes; so what our end costs is
 * set beside what js's costs in the same role. */
import { joins } from './peers/orbitdb.mjs'
import { startJs } from './peers/orbitdb4.mjs'
import { bench, BUILD, compare, HOLDFAST, median, Node, note, processorTime, ROUNDS, rounds, run, tempDir, until } from './kit.mjs'

const SHORT = Number(process.env.BENCH_ENTRIES ?? 10_000)
const LONG = Number(process.env.BENCH_ENTRIES_LONG ?? 35_000)
const OURS = Number(process.env.BENCH_APPENDS ?? 40_000)
const EACH = 200 // events that one ask of ours brings: js takes one add after the other, however they are asked for
const FEW = Math.max(1, Math.ceil(ROUNDS / 2))
const ONCE = Math.max(1, ROUNDS >> 2) // a way with js at an end takes minutes
const HELD = 30 * 60_000

/* ---- ours ---- */

const startOurs = async (options = {}) => (await Node.make({ ...options, flags: ['--no-app', '--log-level', 'error', ...options.flags ?? []] })).start()
const holdfast = (node, ...args) => run(HOLDFAST, [...args, '--dir', node.dir], { maxBuffer: 1 << 28 }).then(({ stdout }) => stdout)
const entriesOf = async (node, db) => JSON.parse(await holdfast(node, 'db', 'ls', '--json')).find(d => d.address === db)?.entries
const addressOf = node => `${node.multiaddr}/p2p/${node.peerId}`

async function fillOurs (node, db, n) {
  const atOnce = Math.min(8, n / EACH)
  const { stdout } = await run(`${BUILD}/bench/db_adds`, [node.dir, db, String(n), String(atOnce), String(EACH)])
  return n / Number(stdout.split(' ')[1])
}

async function oursWith (n) {
  const node = await startOurs()
  const db = (await holdfast(node, 'db', 'create', 'log', '--write', '*')).trim()
  await fillOurs(node, db, n)
  return { node, db }
}

/* ---- what is measured ---- */

/* From the start of the program to all its entries. */
async function coldOurs (dir, db, n) {
  const began = performance.now()
  const node = await startOurs({ dir })
  const rows = (await holdfast(node, 'db', 'all', db)).split('\n').length - 1
  const seconds = (performance.now() - began) / 1000
  if (rows !== n) throw new Error(`${rows} rows are there, ${n} were written`)
  await node.stop()
  return seconds
}

async function coldJs (dir, db, n) {
  const began = performance.now()
  const js = await startJs(dir)
  await js.ask(`open ${db}`)
  const [, rows] = await js.ask('all')
  const seconds = (performance.now() - began) / 1000
  if (Number(rows) !== n) throw new Error(`${rows} rows are there, ${n} were written`)
  await js.stop()
  return seconds
}

/** {seconds, writer, reader: processor time of each end, without its start}. `from` has the entries; `to` is empty. */
async function going (from, to, join) {
  const used = () => [from, to].map(p => processorTime(p.process.pid))
  const before = used()
  const began = performance.now()
  await join()
  const seconds = (performance.now() - began) / 1000
  const [writer, reader] = used().map((t, i) => t - before[i])
  return { seconds, writer, reader }
}

async function toJs (from, address, db) {
  const js = await startJs()
  const result = await going(from, js, async () => {
    await js.ask(`dial ${address}`)
    await js.ask(`open ${db}`)
    await js.ask(`have ${SHORT}`)
  })
  await js.stop()
  return result
}

async function toOurs (from, address, db) {
  const node = await startOurs({ flags: ['--join', address] })
  await until('they are connected', async () => (await holdfast(node, 'peers')).length > 0)
  const result = await going(from, node, async () => {
    await holdfast(node, 'db', 'open', db)
    await until('all is there', async () => await entriesOf(node, db) === SHORT, HELD, 100)
  })
  await node.stop()
  return result
}

const perSecond = n => Math.round(n).toLocaleString('en-US')

async function appending () {
  const js = await startJs()
  const [jsDb] = await js.ask('create log events')
  const [seconds] = await js.ask(`fill ${SHORT}`)
  const rate = SHORT / Number(seconds)
  const results = []
  for (let i = 0; i < FEW; i++) {
    const node = await startOurs()
    const db = (await holdfast(node, 'db', 'create', 'log')).trim()
    results.push(await fillOurs(node, db, OURS))
    await node.stop()
  }
  compare('orbitdb, appends into an open, stored database', median(results), rate, 'entries/s', ['>=', 50])
  note('ours are durable when they are answered; js leaves that to the system')
  return { js, db: jsDb }
}

async function joining () {
  const ours = []
  const theirs = []
  for (let i = 0; i < FEW; i++) {
    const { stdout } = await run(`${BUILD}/bench/bench/log`)
    ours.push(Number(/^join on all processors: (\d+)\/s/m.exec(stdout)[1]))
    theirs.push(await joins())
  }
  // As a node joins what came together; on one processor it is bench/log.mjs that compares.
  compare('orbitdb, entries of others verified and joined, in memory', median(ours), median(theirs), 'entries/s', ['>=', 50])
}

async function replicating (js, jsDb) {
  const { node, db } = await oursWith(SHORT)
  const results = await rounds({
    jsToJs: () => toJs(js, js.address, jsDb),
    jsToOurs: () => toOurs(js, js.address, jsDb),
    oursToJs: () => toJs(node, addressOf(node), db),
    oursToOurs: () => toOurs(node, node.multiaddr, db)
  }, ONCE)
  const of = (way, what) => median(results[way].map(r => r[what]))
  const rate = (way, what) => SHORT / of(way, what)
  compare(`orbitdb, ${SHORT} entries from a js peer, for a second of the reader's processor time`, rate('jsToOurs', 'reader'), rate('jsToJs', 'reader'), 'entries', ['>=', 50])
  compare(`orbitdb, ${SHORT} entries to a js peer, for a second of the writer's processor time`, rate('oursToJs', 'writer'), rate('jsToJs', 'writer'), 'entries', ['>=', 50])
  compare(`orbitdb, ${SHORT} entries from one to another of its kind`, rate('oursToOurs', 'seconds'), rate('jsToJs', 'seconds'), 'entries/s', ['>=', 50])
  note(`entries/s: from js to ours ${perSecond(rate('jsToOurs', 'seconds'))}, from ours to js ${perSecond(rate('oursToJs', 'seconds'))}`)
  await node.stop()
  return { dir: node.dir, db }
}

async function opening (n, jsDir, jsDb, dir, db) {
  const { ours, js } = await rounds({ ours: () => coldOurs(dir, db, n), js: () => coldJs(jsDir, jsDb, n) }, FEW)
  compare(`orbitdb, from the start of the program to all of ${n} entries`, n / median(ours), n / median(js), 'entries/s', ['>=', 50])
  note(`${median(ours).toFixed(3)} s, ${median(js).toFixed(1)} s`)
}

await bench('orbitdb', async () => {
  await joining()
  let { js, db: jsDb } = await appending()
  const { dir, db } = await replicating(js, jsDb)
  await js.stop()
  await opening(SHORT, js.dir, jsDb, dir, db)
  js = await startJs(js.dir)
  await js.ask(`open ${jsDb}`)
  await js.ask(`fill ${LONG - SHORT}`)
  await js.stop()
  const node = await startOurs({ dir })
  await fillOurs(node, db, LONG - SHORT)
  await node.stop()
  await opening(LONG, js.dir, jsDb, dir, db)
})
