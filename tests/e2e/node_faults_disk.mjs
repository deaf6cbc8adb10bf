/* A disk that refuses, a process that is killed at each of its writes, power that fails. What was acknowledged is there exactly once after a restart, and
 * while nothing can be stored, what is there can be read. FAULTS=long: 1,000 forms, and every write in both ways. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { equal, Node, ok, test, until } from './kit.mjs'
import { ask, form, FORM, formsOf, post, Raw } from './wire.mjs'
import { faulty, quickDir } from '../faults/faulty.mjs'
import { leave, randomOf, readRecord } from '../faults/record.mjs'

const LONG = process.env.FAULTS === 'long'
const FORMS = Number(process.env.FAULTS_FORMS ?? (LONG ? 1000 : 60))
const LANES = Number(process.env.FAULTS_LANES ?? 2)
const POWER = Number(process.env.FAULTS_POWER ?? (LONG ? 3000 : 100))

const listed = async node => JSON.parse((await ask(node, '/api/v1/todos?limit=1000')).text).items.map(item => item.text)
const ready = async node => (await ask(node, '/readyz')).status === 200

/** `n` forms in one packet, each answered before the next is looked at: how many were acknowledged before it ended. */
async function send (port, n, name) {
  const raw = new Raw(port)
  raw.send(Array.from({ length: n }, (_, i) => {
    const body = form({ text: `${name} ${i}`, op: `${name}-${i}` })
    return `POST /todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  }).join(''))
  await raw.until(r => r.closed || r.statuses.length >= n, 60_000)
  const { statuses } = raw
  raw.end()
  return statuses.filter(status => status === 303).length
}

/* ---- writes that fail ---- */

for (const [what, why] of [['enospc', /full/], ['eio', /I\/O error/], ['short', /full|I\/O/]]) {
  test(`every write fails (${what}): pages go on, forms come back with what was typed, and work again`, async () => {
    const node = await faulty()
    await node.start()
    equal((await post(node, '/todos', { text: 'before' })).status, 303, 'before')
    node.faults.failWrites(what)
    const typed = { text: 'a <b> & "c"\nd', op: 'typed-once' }
    for (const round of ['held while it is tried', 'refused at once']) {
      const answer = await post(node, '/todos', typed)
      equal([answer.status, answer.headers['content-type'], answer.headers['cache-control']], [503, 'text/html; charset=utf-8', 'no-store'], round)
      const [given] = formsOf(answer.text, '/')
      equal([given.method, given.action, given.fields.op, given.fields.text], ['post', '/todos', typed.op, '\n' + typed.text], `${round}: what was typed`)
    }
    const json = JSON.stringify({ text: 'by the API' })
    const api = await ask(node, '/api/v1/todos', { method: 'POST', body: json, headers: { 'content-type': 'application/json', 'content-length': json.length } })
    equal([api.status, typeof JSON.parse(api.text).error], [503, 'string'], 'the API')
    equal((await ask(node, '/todos', { method: 'POST', body: form(typed), headers: { 'content-type': FORM, 'content-length': form(typed).length, origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' } })).status, 403, 'a foreign form')
    ok((await listed(node)).includes('before'), 'what is there can be read')
    equal(await ready(node), false, 'ready')
    ok(why.test(node.log) && /the store cannot write/.test(node.log), `the log says why: ${node.log}`)
    node.faults.heal()
    await until('it works again', () => ready(node))
    equal((await post(node, '/todos', typed)).status, 303, 'sent again')
    equal((await listed(node)).filter(text => text === typed.text.replace('\n', '\r\n') || text.startsWith('a <b>')).length, 1, 'it counts once')
    const before = await listed(node)
    equal(await node.stop(), 0, 'exit status')
    await node.start()
    equal(await listed(node), before, 'after a restart')
    await node.kill()
  })
}

test('one write fails, each in turn: nothing acknowledged is lost, nothing is doubled', async () => {
  const node = await faulty()
  await node.start()
  await node.stop()
  node.faults.reset()
  await node.start()
  const starting = node.faults.writes
  await send(node.port, 20, 'first')
  const last = node.faults.writes
  await node.stop()
  const wanted = new Set(Array.from({ length: 20 }, (_, i) => `first ${i}`))
  const [ends, bad] = [{}, []]
  for (let at = 1, i = 0; at <= last; at += LONG ? 1 : 2, i++) {
    const what = ['eio', 'enospc', 'short'][i % 3]
    node.faults.reset()
    node.faults.failWrites(what, at, 1)
    try { await node.start() } catch (error) {
      ends[`${what}: did not start`] = (ends[`${what}: did not start`] ?? 0) + 1
      if (typeof (await node.gone) !== 'number' || !/ error /.test(node.log)) bad.push(`${what} at ${at}: ${error.message}`)
      continue
    }
    const name = `at ${at}`
    const n = await send(node.port, 3, name)
    for (let k = 0; k < n; k++) wanted.add(`${name} ${k}`)
    if (at > starting && n < 3) await until('it works again', () => ready(node))
    const status = await node.stop()
    const end = `${what}: ${n === 3 ? 'all' : 'not all'} acknowledged`
    ends[end] = (ends[end] ?? 0) + 1
    if (status !== 0 && !/ error /.test(node.log)) bad.push(`${what} at ${at}: ended with ${status}: ${node.log.slice(-500)}`)
  }
  equal(bad, [], 'ended by a signal, or silently')
  node.faults.reset()
  await node.start()
  const texts = await listed(node)
  equal([...wanted].filter(text => !texts.includes(text)), [], 'lost')
  equal(texts.length, new Set(texts).size, 'twice')
  equal(await node.stop(), 0, 'exit status')
  console.log(`  ${JSON.stringify(ends)}`)
})

test('less than 16 MiB left on the disk: forms are refused before it is full', async () => {
  const node = await faulty()
  await node.start()
  node.faults.diskFree = 8 << 20
  let n = 0 /* a disk is asked once a second */
  await until('it refuses', async () => (await post(node, '/todos', { text: `no room ${++n}`, op: `no-room-${n}` })).status === 503)
  await until('the log says why', () => /MiB are free/.test(node.log))
  node.faults.diskFree = 0
  await until('it works again', () => ready(node))
  equal((await post(node, '/todos', { text: `no room ${n}`, op: `no-room-${n}` })).status, 303, 'sent again')
  equal((await listed(node)).filter(text => text === `no room ${n}`).length, 1, 'once')
  await node.kill()
})

/* ---- kills ---- */

/** Killed at its k-th write, then started again: is what it acknowledged there, once? */
async function killAt (node, k, what) {
  rmSync(node.dir, { recursive: true, force: true })
  node.faults.reset()
  node.faults.failWrites(what, k, 1)
  let n = 0
  try {
    await node.start()
    n = await send(node.port, FORMS, 'form')
  } catch (error) { if (!/the node ended/.test(error.message)) throw error }
  if (!node.faults.writesFailed) return { k, reached: false, done: await node.kill() }
  const end = await node.gone
  ok(end === 'SIGKILL', `${what} at ${k}: ended by itself: ${end} ${node.log}`)
  node.faults.reset()
  await node.start()
  const texts = await listed(node)
  await node.kill()
  const wanted = Array.from({ length: Math.max(n, texts.length) }, (_, i) => `form ${i}`)
  ok(texts.length === n || texts.length === n + 1, `${what} at ${k}: ${n} acknowledged, ${texts.length} there`)
  equal([...texts].sort(), wanted.sort(), `${what} at ${k}`)
  ok(!/ error /.test(node.log), `${what} at ${k}: ${node.log}`)
  return { k, reached: true, n }
}

test(`killed at every write of ${FORMS} forms, before it and in the middle of it`, async () => {
  const nodes = await Promise.all(Array.from({ length: LANES }, () => faulty()))
  nodes[0].faults.reset()
  await nodes[0].start()
  equal(await send(nodes[0].port, FORMS, 'form'), FORMS, 'without faults')
  const last = nodes[0].faults.writes
  await nodes[0].kill()
  const points = Array.from({ length: last }, (_, i) => i + 1).flatMap(k => LONG ? [[k, 'kill'], [k, 'torn']] : [[k, k % 2 ? 'kill' : 'torn']])
  const counts = { kill: 0, torn: 0, acknowledged: 0 }
  await Promise.all(nodes.map(async node => {
    for (let point; (point = points.shift());) {
      const { reached, n } = await killAt(node, ...point)
      if (reached) { counts[point[1]]++; counts.acknowledged += n }
    }
  }))
  ok(counts.kill + counts.torn > (LONG ? 2 : 1) * last * 0.9, `only ${counts.kill + counts.torn} of ${last} writes were reached`)
  console.log(`  ${last} writes; killed before ${counts.kill} and within ${counts.torn} of them; ${counts.acknowledged} forms acknowledged, none lost or doubled`)
})

/* ---- power ---- */

test(`${POWER} losses of power: what was synced is there`, async () => {
  const node = await faulty()
  const record = join(quickDir(), 'record')
  node.env.HOLDFAST_FAULTS_RECORD = record
  await node.start()
  await send(node.port, 30, 'alone')
  await Promise.all([0, 1, 2, 3].map(i => send(node.port, 30, `crowd ${i}`)))
  await node.stop() /* the WAL is emptied into the database */
  await node.start()
  await send(node.port, 30, 'again')
  await node.kill()
  const events = readRecord(record)
  const random = randomOf(Number(process.env.FAULTS_SEED ?? 1))
  const replays = await Promise.all(Array.from({ length: LANES }, () => Node.make()))
  let todo = POWER
  let most = 0
  const folder = quickDir()
  await Promise.all(replays.map(async replay => {
    while (todo-- > 0) {
      const at = 1 + random(events.length)
      replay.dir = join(folder, String(todo))
      const answers = leave(events, at, random, replay.dir)
      most = Math.max(most, answers)
      await replay.start()
      const texts = await listed(replay)
      ok(texts.length >= answers, `power lost after event ${at} of ${events.length}: ${answers} acknowledged, ${texts.length} there`)
      equal(texts.length, new Set(texts).size, `power lost after event ${at}: twice`)
      for (const name of ['alone', 'crowd 0', 'crowd 1', 'crowd 2', 'crowd 3', 'again']) {
        const its = texts.filter(text => text.startsWith(name + ' ')).map(text => Number(text.split(' ').at(-1))).sort((a, b) => a - b)
        equal(its, its.map((_, i) => i), `power lost after event ${at}: ${name}`)
      }
      await replay.kill()
      rmSync(replay.dir, { recursive: true, force: true })
    }
  }))
  equal(most > 100, true, 'answers in the record')
  console.log(`  ${POWER} times, within ${events.length} recorded changes and up to ${most} acknowledged forms`)
})
