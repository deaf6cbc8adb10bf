/* The headline: a form posted at the very moment at which its node is killed, at many different moments, from before the request to after the answer.
 * Every submission appears exactly once after everything merged. Prints how many kills there were and where they hit. */
import { equal, inMode, Node, ok, profile, run, settled, showsText, tempDir, test, until, visit } from './kit.mjs'

const KILLS = Number(process.env.KILLS ?? 200)
const node = await Node.make()
const hits = { node: 0, worker: 0, unsaid: 0 }
let page

test('a browser is ready', async () => {
  await node.start()
  page = await visit(await profile(tempDir()), node.origin)
  await inMode(page, 'server')
  await page.evaluate(() => fetch('/', { headers: { 'holdfast-render': 'local' } })) /* the replica is open */
})

/* Posts as the page does and says who answered; the page does not wait for the test. */
const post = text => page.evaluate(async text => {
  const op = document.querySelector('input[name=op]')?.value ?? ''
  const response = await fetch('/todos', { method: 'POST', body: new URLSearchParams({ op, text }), headers: { accept: 'text/html', 'holdfast-enhanced': '1' } })
  return { by: response.headers.get('x-served-by'), status: response.status }
}, text).catch(() => ({ by: 'unsaid' }))

let usual = 20
test('how long a post takes', async () => {
  const took = []
  for (let i = 0; i < 11; i++) {
    const began = performance.now()
    await post(`calm ${i}`)
    took.push(performance.now() - began)
  }
  usual = took.sort((a, b) => a - b)[5]
  console.log(`  a post takes ${usual.toFixed(1)} ms (median)`)
})

test(`${KILLS} kills at the moment of a form`, async () => {
  for (let i = 0; i < KILLS; i++) {
    /* Spread over the life of a request, finer at its start; a prime stride so that neighbours differ. */
    const delay = usual * 1.5 * ((i * 61) % KILLS) / KILLS
    const answer = post(`kill ${i}`)
    const began = performance.now()
    while (performance.now() - began < delay) await new Promise(resolve => setImmediate(resolve))
    await node.kill()
    const { by } = await answer
    hits[by] = (hits[by] ?? 0) + 1
    await node.start()
    /* Half of the time the node is back in server mode before the next form, half of the time not. */
    if (i % 2) await inMode(page, 'server')
  }
  console.log(`  answered by the node ${hits.node}, by the worker ${hits.worker}, not at all ${hits.unsaid}`)
  ok(hits.unsaid === 0, 'every form was answered')
  ok(hits.node > 0 && hits.worker > 0, 'the kills hit before and after the answer')
})

test('after the merge every submission appears exactly once', async () => {
  await inMode(page, 'server')
  await until('the node has all', async () => (await node.texts()).length >= KILLS + 11, 30_000)
  const texts = await node.texts()
  const count = new Map()
  for (const text of texts) count.set(text, (count.get(text) ?? 0) + 1)
  const wanted = [...Array(11).keys()].map(i => `calm ${i}`).concat([...Array(KILLS).keys()].map(i => `kill ${i}`))
  equal(wanted.filter(text => count.get(text) !== 1).map(text => [text, count.get(text) ?? 0]), [], 'submissions not there exactly once')
  equal(texts.length, wanted.length, 'items')
  await page.goto(node.origin + '/')
  await settled(page)
  await showsText(page, `kill ${KILLS - 1}`)
  console.log(`  ${KILLS} kills, ${wanted.length} submissions, each exactly once`)
})

await run()
