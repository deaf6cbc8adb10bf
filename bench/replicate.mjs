/* replicate: a node that holds 10,000 entries, and an empty one that joins it over TCP on this machine: how long from its start until all is there,
 * checked and shown, against the bare time of checking that many signatures. */
import { bench, BUILD, compare, grow, median, Node, note, processorTime, rounds, run, until } from './kit.mjs'

const ENTRIES = Number(process.env.BENCH_ENTRIES ?? 10_000)
const total = async node => (await (await node.get('/api/v1/todos?limit=1')).json()).total

async function verifying () {
  const { stdout } = await run(`${BUILD}/bench/verify`, [String(ENTRIES)])
  const [seconds, cost] = stdout.split(' ').map(Number)
  return { seconds, cost }
}

async function joining (from) {
  const node = await Node.make({ flags: ['--log-level', 'error', '--join', from.multiaddr] })
  const began = performance.now()
  await node.start()
  await until(`${ENTRIES} entries arrive`, async () => await total(node) === ENTRIES, 120_000, 10)
  const seconds = (performance.now() - began) / 1000
  const cost = processorTime(node.process.pid)
  await node.stop()
  return { seconds, cost }
}

await bench('replicate', async () => {
  const from = await (await Node.make({ flags: ['--log-level', 'error'] })).start()
  await grow(from, ENTRIES)
  const { ours, bare } = await rounds({ ours: () => joining(from), bare: verifying })
  const of = (results, what) => median(results.map(r => r[what]))
  compare(`replicate ${ENTRIES} entries, against checking as many signatures`, of(ours, 'seconds'), of(bare, 'seconds'), 's', ['<=', 1.5])
  note(`${Math.round(ENTRIES / of(ours, 'seconds')).toLocaleString('en-US')} entries/s; processor time: ${of(ours, 'cost').toFixed(2)} s, storing on a thread of its ` +
    `own included, against ${of(bare, 'cost').toFixed(2)} s`)
})
