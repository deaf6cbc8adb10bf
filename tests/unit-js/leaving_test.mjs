/* When a page may be left: at once with nobody there, after everybody's word, never later than the limit, and whatever the wall clock does. */
import { Leaving } from '../../browser/src/leaving.js'
import { assert, test } from './kit.mjs'

const timed = async promise => {
  const began = performance.now()
  await promise
  return performance.now() - began
}

test('leaving: several tabs at the same moment', async () => {
  const asked = []
  const leaving = new Leaving((peer, message) => asked.push(`${peer} ${message}`))
  const both = Promise.all([leaving.may(['a']), leaving.may(['a'])])
  await new Promise(resolve => setTimeout(resolve, 20))
  leaving.heard('me', 'a', 'stay')
  const ms = await timed(both)
  assert.ok(ms < 200, `waited ${ms} ms after the answer`)
  assert.deepEqual(asked, ['a {"type":"leaving"}'])
  await leaving.may([])
})

test('leaving: a peer that does not answer is not waited for', async () => {
  const leaving = new Leaving(() => {})
  const ms = await timed(leaving.may(['a']))
  assert.ok(ms > 300 && ms < 900, `waited ${ms} ms`)
})

test('leaving: a wall clock that goes back an hour holds nobody up', async () => {
  const { now } = Date
  const leaving = new Leaving(() => {})
  leaving.page(300)
  leaving.heard('me', 'b', 'leaving')
  const going = leaving.may([])
  Date.now = () => now() - 3_600_000
  try {
    const ms = await timed(Promise.race([going, new Promise(resolve => setTimeout(resolve, 3000))]))
    assert.ok(ms < 1500, `waited ${ms} ms`)
  } finally {
    Date.now = now
  }
})
