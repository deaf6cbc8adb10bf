/* browser: what a visitor's browser pays, and what it gets when the node dies. In real Chromium with a real node. */
import { get } from 'node:http'
import { bench, browser, fill, grow, inMode, median, Node, note, profile, quantile, settled, tell, tempDir, until, visit } from './kit.mjs'

const KILLS = Number(process.env.BENCH_KILLS ?? 50)
const NAVIGATIONS = Number(process.env.BENCH_NAVIGATIONS ?? 25)
const ENTRIES = 1000
const QUIET = { flags: ['--log-level', 'error'] }

/* ---- bytes ---- */

const compressed = url => new Promise((resolve, reject) => get(url, { headers: { 'accept-encoding': 'gzip' } }, answer => {
  let bytes = 0
  answer.on('data', chunk => { bytes += chunk.length }).on('end', () => resolve(bytes))
}).on('error', reject))

async function scriptBytes (node) {
  let sum = 0
  for (const name of ['sw.js', 'core.wasm', 'page.js']) {
    const bytes = await compressed(`${node.origin}/_holdfast/${name}`)
    note(`${name}: ${(bytes / 1024).toFixed(1)} KiB compressed`)
    sum += bytes
  }
  tell('browser, worker, WebAssembly and page script, compressed', sum / 1024, 'KiB', ['<=', 244])
}

/* All that comes over the wire until the page of a visitor without scripts is complete. */
async function firstPage (node) {
  const context = await (await browser()).newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  const network = await context.newCDPSession(page)
  let bytes = 0
  network.on('Network.loadingFinished', event => { bytes += event.encodedDataLength })
  await network.send('Network.enable')
  await page.goto(node.origin, { waitUntil: 'networkidle' })
  tell('browser, first page of 100 todos without scripts', bytes / 1024, 'KiB')
  await context.close()
}

/* ---- time ---- */

/** Milliseconds from the start of the navigation to the last byte of its answer. */
async function navigate (page, url) {
  await page.goto(url, { waitUntil: 'domcontentloaded' })
  return page.evaluate(() => performance.getEntriesByType('navigation')[0].responseEnd)
}

/** How many todos the replica in the worker has; 0 while the worker does not answer. */
const replicated = page => page.evaluate(async () => {
  const response = await fetch('/api/v1/todos?limit=1', { headers: { 'holdfast-render': 'local' } })
  return response.headers.get('x-served-by') === 'worker' ? (await response.json()).total : 0
}).catch(() => 0)

async function firstVisits (node, entries) {
  const ready = []
  const longest = []
  for (let i = 0; i < 5; i++) {
    const context = await (await browser()).newContext()
    await context.addInitScript(() => {
      self.longTasks = []
      new PerformanceObserver(list => { for (const entry of list.getEntries()) self.longTasks.push(entry.duration) }).observe({ type: 'longtask', buffered: true })
    })
    const page = await context.newPage()
    const began = performance.now()
    await page.goto(node.origin)
    await until(`the replica has ${entries} todos`, async () => await replicated(page) === entries, 30_000, 5)
    ready.push(performance.now() - began)
    longest.push(Math.max(0, ...await page.evaluate(() => self.longTasks)))
    await context.close()
  }
  tell(`browser, first visit to a replica of ${entries} todos`, median(ready), 'ms')
  const worst = Math.max(...longest)
  if (worst) tell(`browser, longest task of the page while ${entries} arrive`, worst, 'ms')
  else note(`no task of the page took 50 ms while ${entries} arrived`)
}

async function addedByWorker (node) {
  const chromium = await browser()
  const context = await chromium.newContext()
  const plain = await (await chromium.newContext({ serviceWorkers: 'block' })).newPage()
  const page = await visit(context, node.origin)
  const times = { worker: [], none: [] }
  for (let i = 0; i < NAVIGATIONS; i++) {
    times.worker.push(await navigate(page, `${node.origin}/?status=open`))
    await settled(page)
    times.none.push(await navigate(plain, `${node.origin}/?status=open`))
  }
  const [a, b] = [median(times.worker), median(times.none)]
  note(`a navigation with the node alive: ${a.toFixed(1)} ms with the worker, ${b.toFixed(1)} ms without`)
  tell('browser, added to a navigation by the worker', a - b, 'ms')
  await context.close()
  await plain.context().close()
}

async function withoutNode (node) {
  const context = await profile(tempDir())
  const page = await visit(context, node.origin)
  await until('the replica has all', async () => await replicated(page) === 100)
  await node.kill()
  const workers = await context.newCDPSession(page)
  await workers.send('ServiceWorker.enable')
  const cold = []
  const warm = []
  for (let i = 0; i < NAVIGATIONS; i++) {
    await workers.send('ServiceWorker.stopAllWorkers')
    cold.push(await navigate(page, `${node.origin}/?status=open`))
    await settled(page)
    warm.push(await navigate(page, `${node.origin}/`))
    await settled(page)
  }
  tell('browser, a navigation without a node, worker started for it', median(cold), 'ms')
  tell('browser, a navigation without a node, worker running', median(warm), 'ms')
  await context.close()
  await node.start()
}

/* Clicks the link to `status` and waits until its page is shown. */
const click = (page, status) => page.evaluate(status => new Promise(resolve => {
  const began = performance.now()
  const title = { open: 'Open', done: 'Done' }[status]
  const watch = () => document.querySelector('h1')?.textContent === title ? resolve(performance.now() - began) : setTimeout(watch)
  document.querySelector(`a[href="/?status=${status}"]`).click()
  watch()
}), status)

async function kills (node) {
  const page = await visit(await profile(tempDir()), node.origin)
  await until('the replica has all', async () => await replicated(page) === 100)
  const alive = []
  const killed = []
  for (let i = 0; i < KILLS; i++) {
    await inMode(page, 'server')
    alive.push(await click(page, 'done'))
    const began = performance.now()
    node.process.kill('SIGKILL')
    await click(page, 'open')
    killed.push(performance.now() - began)
    await node.gone
    await node.start()
  }
  tell('browser, a click with the node alive', median(alive), 'ms')
  tell(`browser, SIGKILL to the next click answered, median of ${KILLS}`, median(killed), 'ms')
  tell(`browser, SIGKILL to the next click answered, p99 of ${KILLS}`, quantile(killed, 0.99), 'ms')
}

await bench('browser', async () => {
  const node = await (await Node.make(QUIET)).start()
  await fill(node.origin, 100)
  await scriptBytes(node)
  await firstPage(node)
  await addedByWorker(node)
  await withoutNode(node)
  await kills(node)
  await firstVisits(node, 100)
  const long = await (await Node.make(QUIET)).start()
  await grow(long, ENTRIES)
  await firstVisits(long, ENTRIES)
})
