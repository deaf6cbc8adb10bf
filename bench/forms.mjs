/* forms: POST /todos, answered when it is on the disk, against SvelteKit over SQLite (WAL, synchronous=FULL). Both start every round with an empty
 * database, so that both lists grow alike. With one connection the disk and the way between the two programs set the pace of both; the last lines compare
 * with that alone: a server that writes the body to a file, waits for the disk and answers. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { bench, BUILD, compare, median, Node, onExit, rounds, sveltekit, tempDir, wrk } from './kit.mjs'

async function oursFor (connections) {
  const node = await (await Node.make({ flags: ['--log-level', 'error'] })).start()
  const { rate } = await wrk(node, { connections, script: 'forms.lua' })
  await node.stop()
  return rate
}

async function svelteFor (connections) {
  const peer = await sveltekit()
  await wrk(peer, { connections, seconds: 1, script: 'forms.lua', env: { RUN: 'warm' } })
  const { rate } = await wrk(peer, { connections, script: 'forms.lua' })
  await peer.stop()
  return rate
}

/* The least that one connection can cost here: bench/floor.c writes the body, waits for the disk and answers. */
async function floorFor () {
  const child = spawn(`${BUILD}/bench/floor`, [tempDir()], { stdio: ['pipe', 'pipe', 'inherit'] })
  onExit(() => child.kill('SIGKILL'))
  const gone = new Promise(resolve => child.once('exit', resolve))
  const [line] = await once(child.stdout, 'data')
  const { rate } = await wrk({ origin: `http://127.0.0.1:${Number(line)}`, process: child }, { connections: 1, script: 'forms.lua' })
  child.stdin.end()
  await gone
  return rate
}

await bench('forms', async () => {
  for (const [connections, goal] of [[64, 8], [1, 3]]) {
    const one = connections === 1
    const { ours, svelte, floor } = await rounds({ ours: () => oursFor(connections), svelte: () => svelteFor(connections), ...one && { floor: floorFor } })
    compare(`forms, durable, ${connections} connection${connections > 1 ? 's' : ''}, against SvelteKit`, median(ours), median(svelte), 'forms/s', ['>=', goal])
    if (!one) continue
    compare('forms, durable, 1 connection, against a server that only writes and answers', median(ours), median(floor), 'forms/s')
    compare('that server itself against SvelteKit', median(floor), median(svelte), 'forms/s')
  }
})
