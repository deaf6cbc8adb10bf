// What the tests of collections share, whatever version of OrbitDB is at the other end: the node, comparing, and js and a node that edit one collection at
// the same time. It takes nothing from npm, so that each test brings its own.
import { spawn } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { equal, onEnd, tempDir, until } from './kit.mjs'

// The todo app, with votes.
function makeApp () {
  const dir = join(tempDir(), 'app')
  cpSync(new URL('../../apps/todo', import.meta.url).pathname, dir, { recursive: true })
  const app = JSON.parse(readFileSync(join(dir, 'app.json'), 'utf8'))
  app.collections.todos.fields.votes = { type: 'counter' }
  app.actions.push({ path: '/todos/:id/vote', do: 'increment', in: 'todos', field: 'votes', by: 1, then: '/' })
  writeFileSync(join(dir, 'app.json'), JSON.stringify(app))
  return { dir, app }
}

async function startNode (holdfast, app) {
  const child = spawn(holdfast, ['serve', app, '--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--dir', tempDir(), '--no-mdns', '--log-level', 'warn'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const gone = new Promise(resolve => child.once('exit', resolve))
  onEnd(async () => { child.kill('SIGTERM'); await gone })
  const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
  const [, peer, url, address] = value.split(' ')
  const post = async (path, fields = {}) => {
    const answer = await fetch(url + path, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual', headers: { origin: url } })
    equal(answer.status, 303, path)
  }
  const items = async () => (await (await fetch(`${url}/api/v1/todos?limit=1000`)).json()).items
  return { peer, url, address, post, items, about: async () => (await fetch(`${url}/.well-known/holdfast.json`)).json() }
}

/** A js peer and a node edit one collection at the same time; a late js peer sees the same. newOrbit: as of kit.mjs; canonical: documents to bytes. */
export async function editTogether ({ holdfast, newOrbit, useDatabaseType, collections, canonical }) {
  const { dir, app } = makeApp()
  const node = await startNode(holdfast, dir)
  const address = (await node.about()).databases.todos
  useDatabaseType(collections(app))
  const js = await newOrbit()
  await js.dial(node.address)
  const todos = await js.open(address)
  equal([todos.type, todos.name], ['collection', 'todo/todos'], 'what was opened')
  await node.post('/todos', { text: 'from the node' })
  await until('js sees it', async () => (await todos.all()).length === 1)
  const own = await todos.create({ text: 'from js', done: true })
  await until('the node shows it', async () => (await node.items()).length === 2)
  const [theirs] = (await todos.all()).filter(d => d.id !== own)
  const both = [own, theirs.id]
  await Promise.all([
    (async () => {
      for (let i = 0; i < 25; i++) {
        await node.post(`/todos/${both[i % 2]}`, { assignee: `node ${i}` })
        await node.post(`/todos/${own}/vote`)
        if (i % 8 === 3) await node.post('/todos', { text: `node made ${i}` })
      }
    })(),
    (async () => {
      for (let i = 0; i < 25; i++) {
        await todos.set(both[i % 2], { text: `js ${i}` })
        await todos.increment(own, { votes: 2 })
        if (i % 8 === 5) await todos.del(await todos.create({ text: 'short of life' }))
      }
    })()
  ])
  const same = async db => {
    const shown = (await db.all()).map(d => ({ id: d.id, ...d.value })).sort((a, b) => a.id < b.id ? -1 : 1)
    const items = (await node.items()).sort((a, b) => a.id < b.id ? -1 : 1)
    const asIs = items.map(item => Object.fromEntries(Object.keys(shown[0]).map(k => [k, typeof shown[0][k] === 'number' && typeof item[k] === 'string' ? Date.parse(item[k]) : item[k]])))
    equal(shown, asIs, 'js and the node')
    return true
  }
  const votes = async () => (await todos.get(own))?.value.votes
  await until('all votes count', async () => await votes() === 75)
  await until('both show the same', () => same(todos))
  equal([(await todos.get(own)).value.text, (await todos.get(theirs.id)).value.text], ['js 24', 'js 23'], 'fields that js changed')
  equal([(await todos.get(own)).value.assignee, (await todos.get(theirs.id)).value.assignee], ['node 24', 'node 23'], 'fields that the node changed')

  equal(await todos.increment(own, { votes: 5 }, { opid: 'once' }) !== null, true, 'once')
  equal(await todos.increment(own, { votes: 5 }, { opid: 'once' }), null, 'twice')
  await todos.del(theirs.id)
  await until('it is gone on the node', async () => (await node.items()).every(i => i.id !== theirs.id))
  await node.post(`/todos/${own}`, { assignee: 'last' })
  await until('the last word', async () => (await todos.get(own)).value.assignee === 'last')
  equal((await todos.history(own)).filter(c => c.opid === 'once').length, 1, 'in its history')

  const late = await newOrbit()
  await late.dial(node.address)
  const again = await late.open(address)
  await until('the late one sees the same', () => same(again))
  equal(canonical(await again.all()), canonical(await todos.all()), 'state')
  await todos.close()
  const reopened = await js.open(address)
  equal(canonical(await reopened.all()), canonical(await again.all()), 'read from its own store')
}
