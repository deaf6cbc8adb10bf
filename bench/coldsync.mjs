/* coldsync: a browser that has nothing takes a whole database that OrbitDB's own program wrote. Both kinds of browser take it from the same Holdfast node,
 * over a WebSocket, into a fresh profile: a page of ours, whose worker checks every signature and stores every entry, and a page with @orbitdb/core,
 * which keeps them in memory. From opening the database until all of it is there; the page, its scripts and the connection are there before. */
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { startJs } from './peers/orbitdb4.mjs'
import { bench, browser, compare, HOLDFAST, median, Node, note, onExit, ROOT, rounds, ROUNDS, run, until, visit } from './kit.mjs'

const ENTRIES = Number(process.env.BENCH_ENTRIES ?? 2000)
const HELD = 30 * 60_000

async function bundle () {
  const file = `${ROOT}build/bench/orbitdb_page.js`
  await run(`${ROOT}browser/node_modules/.bin/esbuild`, [`${ROOT}tests/interop/webrtc_page.mjs`, '--bundle', '--format=esm', '--target=es2022',
    '--define:global=globalThis', '--log-level=warning', `--outfile=${file}`])
  return readFileSync(file)
}

/** The page with OrbitDB's program, at an origin of its own. */
async function pages () {
  const script = await bundle()
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js'
    response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' })
    response.end(isScript ? script : '<!doctype html><title>OrbitDB</title><script type=module src=/page.js></script>')
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  onExit(() => server.close())
  return `http://localhost:${server.address().port}/`
}

/* Tasks of the page over 50 ms, from here on. */
const watchTasks = page => page.evaluate(() => {
  globalThis.long = []
  new PerformanceObserver(list => { for (const e of list.getEntries()) globalThis.long.push(Math.round(e.duration)) }).observe({ type: 'longtask' })
})

async function inContext (work) {
  const context = await (await browser()).newContext()
  context.setDefaultTimeout(HELD)
  const result = await work(context)
  await context.close()
  return result
}

const ours = (node, db) => inContext(async context => {
  const page = await visit(context, node.origin)
  await page.waitForFunction(() => document.documentElement.dataset.mode === 'server')
  await watchTasks(page)
  return page.evaluate(async ([db, n]) => {
    const began = performance.now()
    const opened = await holdfast.databases.open(db)
    while ((await opened.info()).entries < n) await new Promise(resolve => setTimeout(resolve, 20))
    return { seconds: (performance.now() - began) / 1000, long: globalThis.long }
  }, [db, ENTRIES])
})

const theirs = (node, db, url) => inContext(async context => {
  const page = await context.newPage()
  await page.goto(url)
  await page.waitForFunction(() => window.peer)
  await page.evaluate(at => window.peer.start(at, false), `/ip4/127.0.0.1/tcp/${node.port}/ws/p2p/${node.peerId}`)
  await watchTasks(page)
  return page.evaluate(async ([db, n]) => {
    const began = performance.now()
    await window.peer.open(db)
    while (await window.peer.newest() < n) await new Promise(resolve => setTimeout(resolve, 20))
    const seconds = (performance.now() - began) / 1000
    const { length } = await window.peer.payloads()
    if (length !== n) throw new Error(`${length} entries are there, ${n} were written`)
    return { seconds, long: globalThis.long }
  }, [db, ENTRIES])
})

await bench('coldsync', async () => {
  const url = await pages()
  const js = await startJs()
  const [db] = await js.ask('create log events')
  await js.ask(`fill ${ENTRIES}`)
  const node = await (await Node.make({ flags: ['--join', js.address, '--log-level', 'error'] })).start()
  const holdfast = (...args) => run(HOLDFAST, [...args, '--dir', node.dir]).then(({ stdout }) => stdout)
  await holdfast('db', 'open', db)
  await until('the node has it', async () => JSON.parse(await holdfast('db', 'ls', '--json')).find(d => d.address === db)?.entries === ENTRIES, HELD, 200)
  await js.stop()
  const results = await rounds({ ours: () => ours(node, db), theirs: () => theirs(node, db, url) }, Math.max(1, Math.ceil(ROUNDS / 2)))
  const seconds = side => median(results[side].map(r => r.seconds))
  const longest = side => median(results[side].map(r => Math.max(0, ...r.long)))
  compare(`coldsync, ${ENTRIES} entries of OrbitDB's own program into a browser, against @orbitdb/core in the page`, ENTRIES / seconds('ours'), ENTRIES / seconds('theirs'), 'entries/s', ['>=', 10])
  note(`${seconds('ours').toFixed(2)} s, ${seconds('theirs').toFixed(1)} s; longest task of the page, 0 if none took 50 ms: ${longest('ours')} ms, ${longest('theirs')} ms`)
  await node.stop()
})
