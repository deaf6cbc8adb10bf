/* Who was dialled is dialled again, with patience and within bounds. */
import { Again } from '../../browser/src/again.js'
import { assert, test } from './kit.mjs'

const WEEK = 7 * 86_400_000
const turn = () => new Promise(resolve => setImmediate(resolve))

/* Timers that the test lets run. */
function world (list, reaches = () => true) {
  const timers = []
  const dialled = []
  const saved = []
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout }
  globalThis.setTimeout = (act, ms) => timers.push({ act, ms })
  globalThis.clearTimeout = n => { if (timers[n - 1]) timers[n - 1].act = null }
  const reach = async address => {
    dialled.push(address)
    if (!reaches(address)) throw new Error('nobody there')
    return address
  }
  const again = new Again(reach, list => { saved.push(list) }, list)
  const ring = async () => {
    const due = timers.filter(t => t.act)
    for (const timer of due) {
      const { act } = timer
      timer.act = null
      act()
    }
    await turn()
    return due.map(t => t.ms)
  }
  return { again, dialled, saved, ring, end: () => { again.stop(); Object.assign(globalThis, real) } }
}

test('again: a page that comes has all dialled that were met within a week', async () => {
  const now = Date.now()
  const w = world([{ peer: 'a', address: 'at a', at: now - WEEK - 1 }, { peer: 'b', address: 'at b', at: now - 1000 }])
  w.again.now()
  w.again.now() /* the first is not through yet */
  await turn()
  assert.deepEqual(w.dialled, ['at b'])
  assert.deepEqual(w.saved.at(-1).map(k => k.peer), ['b'])
  assert.ok(w.saved.at(-1)[0].at >= now)
  w.end()
})

test('again: what is lost is dialled later and later, until it is reached', async () => {
  let there = false
  const w = world([], () => there)
  w.again.add('a', 'at a')
  w.again.lost('stranger')
  w.again.lost('a')
  const waits = []
  for (let i = 0; i < 12; i++) waits.push(...await w.ring())
  assert.equal(w.dialled.length, 12)
  for (const [i, ms] of waits.entries()) assert.ok(ms >= Math.min(500 * 2 ** i, 30_000) && ms <= Math.min(1000 * 2 ** i, 60_000), `${i}: ${ms}`)
  there = true
  await w.ring()
  assert.deepEqual(await w.ring(), [])
  w.again.lost('a')
  assert.ok((await w.ring())[0] <= 1000)
  w.end()
})

test('again: sixteen, the newest', async () => {
  const w = world([])
  for (let i = 0; i < 20; i++) w.again.add(`p${i}`, `at ${i}`)
  w.again.add('p5', 'at 5 now')
  const kept = w.saved.at(-1)
  assert.deepEqual([kept.length, kept[0].peer, kept.at(-1).address], [16, 'p4', 'at 5 now'])
  w.end()
})

test('again: nothing is dialled any more when it was stopped, or a week has passed', async () => {
  const w = world([], () => false)
  const { now } = Date
  w.again.add('a', 'at a')
  Date.now = () => now() + WEEK
  w.again.lost('a')
  Date.now = now
  assert.deepEqual([await w.ring(), w.saved.at(-1)], [[], []])
  w.again.add('b', 'at b')
  w.again.lost('b')
  w.again.stop()
  w.again.lost('b')
  assert.deepEqual(await w.ring(), [])
  w.end()
})
