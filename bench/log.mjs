/* log: entries appended a second, and entries of others checked and joined, against bare libsecp256k1 (bench/log_bench.c measures both in one process)
 * and against @orbitdb/core's log with its storage in memory. */
import { appends } from './peers/orbitdb.mjs'
import { bench, BUILD, compare, median, ROUNDS, run } from './kit.mjs'

/* "append: 20000/s, bare sign: 25000/s, ratio 0.80" */
async function ours () {
  const { stdout } = await run(`${BUILD}/bench/bench/log`)
  const read = what => new RegExp(`^${what}: (\\d+)/s, bare \\w+: (\\d+)/s`, 'm').exec(stdout).slice(1).map(Number)
  return { append: read('append'), join: read('join') }
}

await bench('log', async () => {
  const all = []
  const theirs = []
  for (let i = 0; i < Math.max(1, Math.ceil(ROUNDS / 2)); i++) {
    all.push(await ours())
    theirs.push(await appends())
  }
  const of = (what, which) => median(all.map(r => r[what][which]))
  compare('log, appends against bare signing', of('append', 0), of('append', 1), 'entries/s', ['>=', 0.8])
  compare('log, joins against bare checking', of('join', 0), of('join', 1), 'entries/s', ['>=', 0.8])
  // In memory and closed to the world; bench/orbitdb.mjs compares open databases that store. Fifty times this is more than libsecp256k1 can sign.
  compare('log, appends against the bare log of @orbitdb/core', of('append', 0), median(theirs), 'entries/s')
})
