/* forms: POST /todos, answered when it is on the disk, against SvelteKit over SQLite (WAL, synchronous=FULL). Both start every round with an empty
 * database, so that both lists grow alike. With one connection the disk sets the pace of both; the last line compares ours with the disk itself: blocks
 * like ours, a commit each, in a loop. */
import Database from 'better-sqlite3'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { bench, compare, median, Node, rounds, SECONDS, sveltekit, tempDir, wrk } from './kit.mjs'

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

function commits () {
  const db = new Database(join(tempDir(), 'bare.db'))
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec('CREATE TABLE blocks (seq INTEGER PRIMARY KEY, cid BLOB NOT NULL UNIQUE, address TEXT NOT NULL, block BLOB NOT NULL)')
  const insert = db.prepare('INSERT INTO blocks (cid, address, block) VALUES (?, ?, ?)')
  const block = randomBytes(1000)
  const address = 'a'.repeat(60)
  let n = 0
  const began = performance.now()
  while (performance.now() - began < SECONDS * 1000) {
    insert.run(randomBytes(36), address, block)
    n++
  }
  const rate = n * 1000 / (performance.now() - began)
  db.close()
  return rate
}

await bench('forms', async () => {
  for (const [connections, goal] of [[64, 8], [1, 3]]) {
    const { ours, svelte, bare } = await rounds({ ours: () => oursFor(connections), svelte: () => svelteFor(connections), bare: commits })
    compare(`forms, durable, ${connections} connection${connections > 1 ? 's' : ''}, against SvelteKit`, median(ours), median(svelte), 'forms/s', ['>=', goal])
    if (connections === 1) compare('forms, durable, 1 connection, against bare commits', median(ours), median(bare), 'forms/s')
  }
})
