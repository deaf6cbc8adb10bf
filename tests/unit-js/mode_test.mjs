/* The mode machine: tables of events with the mode after each, then random sequences against what must always hold. */
import { backoffMs, Mode, OPTIONS } from '../../browser/src/mode.js'
import { assert, randomOf, test } from './kit.mjs'

/* An event is `name[argument]@ms`, then, after a colon, the mode that must follow. Time stays where it was without @. */
const TABLE = [
  ['starts with the node', ':server'],

  ['one failure with a link up is a hiccup', 'up[a] level[a] fail:server ok:server'],
  ['two failures are not', 'up[a] level[a] fail:server fail:local'],
  ['an answer between two failures does not make them one', 'up[a] fail ok:server fail:local'],
  ['three answers in a row forget a failure', 'up[a] fail ok ok ok fail:server fail:local'],
  ['a failure and the loss of the only link are two signs', 'up[a] fail:server down[a]:local'],
  ['the loss of the link and then a failure, too', 'up[a] down[a]:server fail:local'],
  ['without any link one failure is enough', 'fail:local'],
  ['a lost link alone is none: the node may be restarting its sockets', 'up[a] level[a] down[a]:server'],
  ['a lost link and a probe that fails', 'up[a] down[a] probe[no]:local'],
  ['a probe that fails says nothing while a link is up', 'up[a] probe[no]:server probe[no]:server'],
  ['one of two links lost', 'up[a] up[b] down[a]:server fail:server fail:local'],
  ['both of two links lost, and a failure before', 'up[a] up[b] fail down[a]:server down[b]:local'],
  ['a link that was never up is lost', 'down[a]:server up[a] level[a]:server'],

  ['a link that is up is not yet level', 'fail:local up[a]:local level[a]:server'],
  ['level of a link that is not up counts for nothing', 'fail:local level[a]:local'],
  ['level of a link that was lost again counts for nothing', 'fail up[a] down[a] level[a]:local'],
  ['level forgets the failures', 'fail fail up[a] level[a]:server fail:server fail:local'],
  ['two probes a second apart', 'fail@1000 probe[yes]@2000:local probe[yes]@3000:server'],
  ['two probes too close', 'fail@1000 probe[yes]@2000:local probe[yes]@2900:local probe[yes]@3000:server'],
  ['a probe that fails begins anew', 'fail@1000 probe[yes]@2000 probe[no]@2500 probe[yes]@3500:local probe[yes]@4500:server'],
  ['a failed request begins anew', 'fail@1000 probe[yes]@2000 fail@2500 probe[yes]@3500:local probe[yes]@4500:server'],
  ['probes wait for a link that is merging', 'fail@1000 up[a] probe[yes]@2000:local probe[yes]@5000:local level[a]:server'],
  ['but not for ever', 'fail@1000 up[a] probe[yes]@2000:local probe[yes]@11999:local probe[yes]@12000:server'],
  ['three answers bring the node back', 'fail ok:local ok:local ok:server'],
  ['a failure among them does not', 'fail ok ok fail:local ok ok:local ok:server'],

  ['flapping: answer, failure, answer, failure', 'fail ok:local fail:local ok:local fail:local ok ok:local fail:local'],
  ['flapping of a link', 'up[a] level[a] fail:server down[a]:local up[a]:local down[a]:local up[a] level[a]:server down[a]:server up[a] level[a]:server'],

  ['peers when the node is gone', 'peers[2]:server fail:peer peers[0]:local'],
  ['offline when there is neither node, peer nor network', 'fail:local line[no]:offline peers[1]:peer peers[0]:offline line[yes]:local'],
  ['a network that is off says nothing while the node answers', 'line[no]:server'],
  ['the user says local', 'stay[local]:local peers[1]:peer stay[auto]:server'],
  ['the user says local: a level link changes nothing', 'stay[local] up[a] level[a]:local stay[auto]:server'],
  ['the user lifts it while the node is gone', 'fail stay[local]:local stay[auto]:local'],

  ['the breaker: nothing is asked but one trial a minute', 'ask[yes] fail@1000 ask[no]@2000 ask[no]@60999 ask[yes]@61000 ask[no]@61001 ask[no]@120999 ask[yes]@121000'],
  ['a failed trial does not put the next one off', 'fail@0 ask[yes]@60000 fail@62500 ask[no]@119999 ask[yes]@120000'],
  ['once the node is back all is asked', 'fail@0 ask[no]@1 up[a] level[a] ask[yes]@2 ask[yes]@3'],
  ['a new outage is a new minute', 'fail@0 up[a] level[a]@50000 fail@55000 fail@56000:local ask[no]@60001 ask[no]@115999 ask[yes]@116000'],
  ['the user says local: nothing is asked, not even a trial', 'stay[local] ask[no] fail@0 ask[no]@70000 stay[auto] ask[yes]@70001']
]

/* With links of two kinds: `own` is the origin's, b a sibling's. */
const SIBLINGS = [
  ['a sibling that is level keeps the server mode while the origin fails', 'up[own] level[own] up[b] level[b] fail down[own]:server fail:server ask[no]'],
  ['it does not make us ask a dead origin again', 'fail@0 up[b] level[b]:server ask[no]@1 fail@2:server ask[no]@3'],
  ['its loss is a loss', 'fail up[b] level[b]:server down[b]:local'],
  ['a link to a sibling does not excuse the origin', 'up[b]:server fail:local'],
  ['the origin comes back by its own link', 'fail@0 up[b] level[b] up[own] ask[no]@1 level[own]:server ask[yes]@2'],
  ['the user says local', 'fail up[b] level[b] stay[local]:local']
]

function play (mode, step, clock) {
  const [, name, argument, at] = /^(\w+)(?:\[(\w+)\])?(?:@(\d+))?$/.exec(step)
  if (at) clock.now = Number(at)
  const yes = argument === 'yes'
  switch (name) {
    case 'ok': return mode.succeeded()
    case 'fail': return mode.failed(clock.now)
    case 'probe': return mode.probed(clock.now, yes)
    case 'up': return mode.linkUp(argument)
    case 'level': return mode.linkLevel(argument)
    case 'down': return mode.linkDown(argument, clock.now)
    case 'peers': mode.peers = Number(argument); return
    case 'line': mode.onLine = yes; return
    case 'stay': mode.override = argument; return
    case 'ask': return assert.equal(mode.asksNode(clock.now), yes, step)
    default: throw new Error(`no such event: ${step}`)
  }
}

for (const [name, events, options] of [...TABLE, ...SIBLINGS.map(row => [...row, { own: 'own' }])]) {
  test(`mode: ${name}`, () => {
    const mode = new Mode(options)
    const clock = { now: 0 }
    let before = ''
    for (const part of events.split(' ')) {
      const [step, wanted] = part.split(':')
      if (step) play(mode, step, clock)
      before += ` ${step}`
      if (wanted) assert.equal(mode.mode, wanted, `after${before}`)
    }
  })
}

test('mode: what always holds, over random sequences', () => {
  const EVENTS = ['ok', 'fail', 'probe[yes]', 'probe[no]', 'up[a]', 'level[a]', 'down[a]', 'up[b]', 'level[b]', 'down[b]', 'peers[0]', 'peers[2]', 'line[no]', 'line[yes]',
    'stay[local]', 'stay[auto]']
  const random = randomOf(7)
  for (let round = 0; round < 400; round++) {
    const mode = new Mode()
    const clock = { now: 0 }
    for (let i = 0; i < 60; i++) {
      const step = EVENTS[Math.floor(random() * EVENTS.length)]
      clock.now += Math.floor(random() * 3000)
      const was = mode.node
      const failures = mode.failures
      play(mode, step, clock)
      assert.ok(['server', 'local', 'peer', 'offline'].includes(mode.mode))
      if (mode.override === 'local') assert.notEqual(mode.mode, 'server')
      if (mode.mode === 'peer') assert.ok(mode.peers > 0)
      if (was && !mode.node) assert.ok(/^(fail|probe\[no\]|down)/.test(step), `${step} took the node away`)
      if (was && !mode.node && mode.linked.size) assert.ok(failures + 1 >= OPTIONS.failureThreshold, 'one hiccup with a link up')
      if (!was && mode.node) assert.ok(/^(ok|probe\[yes\]|level)/.test(step), `${step} brought the node back`)
      for (const link of mode.level) assert.ok(mode.linked.has(link))
    }
    /* Whatever happened: a link that comes back and is level ends it. */
    for (const step of ['stay[auto]', 'up[a]', 'level[a]']) play(mode, step, clock)
    assert.equal(mode.mode, 'server')
  }
})

test('mode: options are taken', () => {
  const mode = new Mode({ failureThreshold: 5, openStateTimeout: 10 })
  mode.linkUp('a')
  for (let i = 0; i < 4; i++) mode.failed(0)
  assert.equal(mode.mode, 'server')
  mode.failed(0)
  assert.equal(mode.mode, 'local')
  assert.equal(mode.asksNode(9), false)
  assert.equal(mode.asksNode(10), true)
})

const BACKOFF = [
  /* attempt, cap, least, most */
  [0, undefined, 500, 1000],
  [1, undefined, 1000, 2000],
  [5, undefined, 16_000, 32_000],
  [8, undefined, 128_000, 256_000],
  [9, undefined, 150_000, 300_000],
  [1000, undefined, 150_000, 300_000],
  [0, 3000, 500, 1000],
  [7, 3000, 1500, 3000]
]
for (const [attempt, cap, least, most] of BACKOFF) {
  test(`backoff: attempt ${attempt}${cap ? `, at most ${cap}` : ''}`, () => {
    assert.equal(backoffMs(attempt, 0, cap), least)
    assert.ok(Math.abs(backoffMs(attempt, 1 - 2 ** -32, cap) - most) < 1)
    const random = randomOf(attempt)
    for (let i = 0; i < 200; i++) {
      const ms = backoffMs(attempt, random(), cap)
      assert.ok(ms >= least && ms < most, `${ms}`)
    }
  })
}
test('backoff: a base of its own', () => assert.equal(backoffMs(2, 0, 60_000, 250), 500))
