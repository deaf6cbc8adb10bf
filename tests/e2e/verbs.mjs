/* The command line against running nodes, and against a folder in which none runs. */
import { execFile } from 'node:child_process'
import { equal, Node, ok, onExit, run, test, tempDir, until } from './kit.mjs'

const HOLDFAST = process.env.HOLDFAST ?? new URL('../../build/holdfast', import.meta.url).pathname

/** Runs the program to its end: {status, out, err}. */
const holdfast = (node, ...args) => new Promise(resolve => {
  const child = execFile(HOLDFAST, [...args, '--dir', node.dir ?? node], { timeout: 90_000 }, (error, out, err) =>
    resolve({ status: error ? error.code ?? error.signal : 0, out, err }))
  onExit(() => child.kill('SIGKILL'))
})

/** The same with --json: what it printed. */
async function json (node, ...args) {
  const { status, out, err } = await holdfast(node, ...args, '--json')
  equal([status, err], [0, ''], `holdfast ${args.join(' ')}`)
  return JSON.parse(out)
}

const refused = async (node, status, pattern, ...args) => {
  const answer = await holdfast(node, ...args)
  equal([answer.status, answer.out], [status, ''], args.join(' '))
  ok(pattern.test(answer.err), `${args.join(' ')}: ${answer.err}`)
}

const a = await Node.make({ flags: ['--no-app'] })
const b = await Node.make({ flags: ['--no-app', '--join', a.multiaddr] })
const rows = async (node, db) => (await json(node, 'db', 'all', db)).map(row => [row.key ?? null, row.value])

test('peers: who is connected, from both sides', async () => {
  await a.start()
  await b.start()
  await until('b is connected', async () => (await json(b, 'peers')).length === 1)
  equal(await json(a, 'peers'), [{ peer: b.peerId, via: 'tcp', direction: 'in' }], 'of a')
  equal(await json(b, 'peers'), [{ peer: a.peerId, via: 'tcp', direction: 'out' }], 'of b')
  equal((await holdfast(a, 'peers')).out, `${b.peerId}\ttcp\tin\n`, 'as text')
})

let events, docs, guarded
test('events: made on one node, opened by its address on the other, written on both', async () => {
  events = (await json(a, 'db', 'create', 'log', '--type', 'events', '--write', '*')).address
  const { hash } = await json(a, 'db', 'add', 'log', '{"n":1}')
  equal(await json(b, 'db', 'open', events), { address: events }, 'opened')
  await until('b has the entry', async () => (await json(b, 'db', 'all', events)).length === 1)
  await json(b, 'db', 'add', events, 'plain words')
  await until('a has both', async () => (await json(a, 'db', 'all', 'log')).length === 2)
  const all = await json(a, 'db', 'all', 'log')
  equal(all.map(row => row.value), [{ n: 1 }, 'plain words'], 'oldest first')
  equal(all[0].hash, hash, 'the hash that add told')
  equal(await json(b, 'db', 'all', 'log'), all, 'the same on b')
  equal(await json(a, 'db', 'heads', 'log'), [all[1].hash], 'one head')
  equal((await json(a, 'db', 'query', 'log', '--amount', '1')).map(row => row.value), ['plain words'], 'the newest')
  equal((await json(a, 'db', 'query', 'log', '--lt', all[1].hash)).map(row => row.value), [{ n: 1 }], 'before the newest')
  const added = await json(a, 'db', 'create', 'many').then(() => json(a, 'db', 'add', 'many', '1', '{"two":2}', 'three'))
  equal((await json(a, 'db', 'all', 'many')).map(row => [row.hash, row.value]), added.map(({ hash }, i) => [hash, [1, { two: 2 }, 'three'][i]]), 'several at once')
  equal((await holdfast(a, 'db', 'export', 'log')).out.trim().split('\n').map(line => JSON.parse(line)), all, 'a line each')
})

test('documents and key-value: put, get, del, from both sides', async () => {
  docs = (await json(a, 'db', 'create', 'docs', '--type', 'documents', '--write', '*')).address
  await json(a, 'db', 'put', docs, '{"_id":"x","v":[1,null,"ü"]}')
  await json(b, 'db', 'open', docs)
  await until('b has it', async () => (await rows(b, docs)).length === 1)
  equal((await json(b, 'db', 'get', docs, 'x')).value, { v: [1, null, 'ü'], _id: 'x' }, 'the document, its keys in dag-cbor order')
  await json(b, 'db', 'put', docs, '{"_id":"y"}')
  await json(b, 'db', 'del', docs, 'x')
  await until('a sees y alone', async () => (await rows(a, docs)).map(([key]) => key).join() === 'y')
  await refused(a, 1, /nothing there/, 'db', 'get', docs, 'x')
  await refused(a, 1, /not written/, 'db', 'put', docs, '{"no":"id"}')
  await refused(a, 2, /usage: holdfast db put DATABASE DOCUMENT/, 'db', 'put', docs, 'k', 'v')
  const values = (await json(a, 'db', 'create', 'values', '--type', 'keyvalue')).address
  await json(a, 'db', 'put', values, 'k', '{"deep":{"er":1}}')
  equal(await rows(a, values), [['k', { deep: { er: 1 } }]], 'a value')
})

test('access: refused, granted, revoked, while both run', async () => {
  guarded = (await json(a, 'db', 'create', 'ours', '--type', 'keyvalue', '--guarded')).address
  const { id } = await json(b, 'db', 'identity')
  await json(a, 'db', 'put', guarded, 'owner', '"a"')
  await json(b, 'db', 'open', guarded)
  await refused(b, 1, /this peer may not write here/, 'db', 'put', guarded, 'k', '1')
  equal((await holdfast(a, 'db', 'grant', guarded, 'write', id)).status, 0, 'granted')
  await until('b may write', async () => (await holdfast(b, 'db', 'put', guarded, 'k', '1')).status === 0)
  await until('a has it', async () => (await rows(a, guarded)).length === 2)
  equal((await holdfast(a, 'db', 'revoke', guarded, 'write', id)).status, 0, 'revoked')
  await until('b may not write', async () => (await holdfast(b, 'db', 'put', guarded, 'k', '2')).status === 1)
  await refused(a, 1, /only a database made with --guarded/, 'db', 'grant', events, 'write', id)
})

test('what was acknowledged survives a SIGKILL, and the folder is open to the command line without a node', async () => {
  const before = await json(a, 'db', 'all', 'log')
  const { hash } = await json(a, 'db', 'add', 'log', 'the last')
  await a.kill()
  const after = await json(a, 'db', 'all', 'log')
  equal(after.map(row => row.hash), [...before.map(row => row.hash), hash], 'all there')
  await json(a, 'db', 'add', 'log', 'written without a node')
  equal((await json(a, 'db', 'ls')).filter(db => db.name === 'log').map(db => [db.type, db.state, db.entries]), [['events', 'open', 4]], 'listed')
  await refused(a, 1, /no node runs that could ask others/, 'db', 'open', '/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3')
  await a.start()
  await until('b hears of it', async () => (await json(b, 'db', 'all', events)).length === 4, 60_000)
})

test('why: where an entry or a peer stands', async () => {
  const [first] = await json(a, 'db', 'heads', 'log')
  const kept = await json(a, 'why', first)
  ok(/joined and durable/.test(kept.state), kept.state)
  equal([kept.database, kept.head, kept.writer.length], [events, 'yes', 66], 'an entry')
  ok(/unknown here/.test((await json(a, 'why', 'zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3')).state), 'an entry of nobody')
  const peer = await json(b, 'why', a.peerId)
  equal([peer.via, peer.direction, peer.sync], ['tcp', 'out', "Holdfast's own"], 'a peer')
  ok(/^state: connected/.test((await holdfast(b, 'why', a.peerId)).out), 'as text')
  equal((await json(b, 'why', b.peerId)).state, 'this node itself', 'itself')
  ok(/no address/.test((await json(a, 'why', '12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN')).state), 'a stranger')
  await refused(a, 2, /neither the hash of an entry/, 'why', 'because')
})

test('a closed database stays closed, and its address opens it again', async () => {
  equal((await holdfast(a, 'db', 'close', 'docs')).status, 0, 'closed')
  equal((await json(a, 'db', 'ls')).some(db => db.name === 'docs'), false, 'not listed')
  await refused(a, 2, /neither the name of an open database nor an address/, 'db', 'all', 'docs')
  equal((await rows(a, docs)).map(([key]) => key), ['y'], 'from the store')
})

test('wrong words are told apart: 2 for usage, 1 for what cannot be done', async () => {
  await refused(a, 2, /usage: holdfast db ls\|/, 'db')
  await refused(a, 2, /usage: holdfast db ls\|/, 'db', 'frobnicate')
  await refused(a, 2, /usage: holdfast db get DATABASE KEY/, 'db', 'get', docs)
  await refused(a, 2, /types are events/, 'db', 'create', 'x', '--type', 'pictures')
  await refused(a, 2, /no such flag of db create/, 'db', 'create', 'x', '--colour', 'red')
  await refused(a, 2, /not a number/, 'db', 'query', 'log', '--amount', 'many')
  await refused(tempDir() + '/none', 1, /no node has run here/, 'db', 'ls')
})

await run()
