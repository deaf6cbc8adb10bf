/* Allocations that fail, one a life: of the node's, the core's, SQLite's, libuv's. The node may refuse something, or end and say why; it is never ended by a
 * signal, and what it acknowledged is there exactly once. FAULTS=long: each of them, one after the other. */
import { execFileSync } from 'node:child_process'
import { equal, Node, ok, test, until } from './kit.mjs'
import { ask, frame, MULTISTREAM, post, Raw, upgrade } from './wire.mjs'
import { faulty } from '../faults/faulty.mjs'
import { randomOf } from '../faults/record.mjs'

const LONG = process.env.FAULTS === 'long'
const SAMPLES = Number(process.env.FAULTS_ALLOCATIONS ?? 130)
const acked = []
let other, node, nAllocs, nFirst /* of them: libraries that are made ready, much of the same */, serial = 0

const HANDLED = error => /ECONN|socket hang up|the node ended|no answer/.test(error.message)

/** Forms, pages, a WebSocket peer, replication both ways, a stop. Returns its exit status, or the signal. */
async function life () {
  let gone = false
  try {
    await node.start(['--join', other.multiaddr])
    node.gone.then(() => { gone = true })
    const peer = new Raw(node.port)
    peer.send(upgrade('/p2p'))
    for (let i = 0; i < 5 && !gone; i++) {
      const text = `typed ${++serial}`
      const answer = await post(node, '/todos', { text })
      if (answer.status === 303) acked.push(text)
      else ok(answer.status >= 500, `a form was answered ${answer.status}`)
      if (i === 0) peer.send(frame(MULTISTREAM))
      const page = await ask(node, '/')
      ok(page.status === 200 || page.status >= 500, `a page was answered ${page.status}`)
    }
    await post(other, '/todos', { text: `from the other ${serial}` })
    peer.end()
  } catch (error) {
    if (!HANDLED(error)) throw error
    /* It ends, or goes on answering. */
    await Promise.race([node.gone, until('it answers', () => ask(node, '/healthz')).catch(() => {})])
  }
  if (!gone) node.process.kill('SIGTERM')
  const late = setTimeout(() => node.process.kill('SIGABRT'), 15_000)
  const end = await node.gone
  clearTimeout(late)
  return end
}

test('a node and another one that it replicates with', async () => {
  other = await (await Node.make()).start()
  node = await faulty()
  equal(await life(), 0, 'a life without faults')
  node.faults.reset()
  equal(await life(), 0, 'a second one')
  nAllocs = node.faults.allocs
  node.faults.reset()
  execFileSync(process.env.HOLDFAST ?? new URL('../../build/holdfast', import.meta.url).pathname, ['version'], { env: { ...process.env, ...node.env } })
  nFirst = node.faults.allocs
  ok(nFirst > 0 && nFirst < nAllocs, 'what is made before anything else')
})

test('each allocation that fails leaves a node that refuses, or ends and says why', async () => {
  const random = randomOf(1)
  const ends = { 'went on': 0, 'ended with a message': 0, 'not reached': 0 }
  const bad = []
  const n = LONG ? nAllocs : SAMPLES
  for (let i = 0; i < n; i++) {
    const few = Math.floor(n / 5)
    const [from, size] = i < few ? [Math.floor(i * nFirst / few), nFirst / few] : [nFirst + Math.floor((i - few) * (nAllocs - nFirst) / (n - few)), (nAllocs - nFirst) / (n - few)]
    const at = LONG ? i + 1 : from + 1 + random(Math.max(1, Math.floor(size)))
    node.faults.reset()
    node.faults.failAllocs(at)
    const end = await life()
    const said = / (error|warn) |^holdfast: |: cannot |memory/m.test(node.log)
    if (!node.faults.allocsFailed) ends['not reached']++
    else if (end === 0) ends['went on']++
    else if (typeof end === 'number' && said) ends['ended with a message']++
    else bad.push(`allocation ${at}: ${end}: ${node.log.slice(-700)}`)
  }
  console.log(`  ${n} of ${nAllocs} allocations failed: ${JSON.stringify(ends)}`)
  equal(bad, [], 'ended by a signal, or silently')
  ok(ends['not reached'] < n / 10, 'faults were dealt')
})

test('a node that has no memory at all for a while', async () => {
  node.faults.reset()
  await node.start(['--join', other.multiaddr])
  for (const times of [3, 10, 30, 100]) {
    node.faults.failAllocs(1, times)
    await ask(node, '/').catch(() => {})
    await post(node, '/todos', { text: `meanwhile ${times}` }).then(answer => { if (answer.status === 303) acked.push(`meanwhile ${times}`) }, () => {})
    node.faults.heal()
    if (node.process.exitCode !== null || node.process.signalCode !== null) {
      equal(node.process.signalCode, null, `ended by a signal after ${times}: ${node.log.slice(-700)}`)
      await node.start(['--join', other.multiaddr])
    }
  }
  await node.stop()
})

test('what was acknowledged is there exactly once, here and at the other', async () => {
  node.faults.reset()
  await node.start(['--join', other.multiaddr])
  for (const [who, its] of [['the node', node], ['the other', other]]) {
    let missing
    await until(`${who} has all`, async () => {
      const texts = new Set(await its.texts())
      missing = acked.filter(text => !texts.has(text))
      return !missing.length
    }, 20_000, 200).catch(error => { throw new Error(`${error.message}: not there are ${missing}: ${its.log.slice(-900)}`) })
    const texts = await its.texts()
    equal(texts.length, new Set(texts).size, `${who}: something is there twice`)
  }
  console.log(`  ${acked.length} forms were acknowledged`)
  equal(await node.stop(), 0, 'exit status')
  await other.kill()
})
