/* Clocks that are an hour off, and clocks that jump under a running worker. */
import { exactly, hauntedBy, insist, once, profileOf, start, warm } from './browser_kit.mjs'
import { equal, hasPeers, inMode, ok, settled, showsText, shown, test, until, visit } from './kit.mjs'

const HOUR = 3_600_000

/* `self.off` is how far the wall clock is off; everything else is real. */
const clockOff = ms => `{
  const Real = Date
  self.off = ${ms}
  self.Date = class Date extends Real {
    constructor (...given) { given.length ? super(...given) : super(Real.now() + self.off) }
    static now () { return Real.now() + self.off }
  }
}`

/* A browser whose clock is off, in its pages and its worker. */
async function browserOf (node, ms) {
  const proxy = await hauntedBy(node, clockOff(ms))
  const profile = await profileOf({ watched: true })
  await profile.addInitScript(clockOff(ms))
  const page = await visit(profile, proxy.origin)
  page.proxy = proxy
  await warm(page)
  const off = await profile.serviceWorkers()[0].evaluate(() => Date.now())
  ok(Math.abs(off - Date.now() - ms) < 5000, `the clock of the worker is ${Math.round((off - Date.now()) / 1000)} s off`)
  return page
}

const edit = (page, id, fields) => page.evaluate(async ({ id, fields }) => {
  const body = new URLSearchParams({ op: crypto.randomUUID(), ...fields })
  return fetch(`/todos/${id}`, { method: 'POST', body, headers: { accept: 'text/html', 'holdfast-enhanced': '1' } }).then(r => r.ok, () => false)
}, { id, fields })

test('an hour ahead, an hour behind, and right: all merge, whoever writes last wins, nobody is refused', async () => {
  const node = await start()
  const [ahead, behind] = [await browserOf(node, HOUR), await browserOf(node, -HOUR)]
  const right = await visit(await profileOf(), node.origin)
  const all = [ahead, behind, right]
  for (const page of all) await hasPeers(page, 2)
  const texts = ['of the one ahead', 'of the one behind', 'of the one that is right']
  for (const [i, page] of all.entries()) await insist(page, texts[i])
  for (const page of all) for (const text of texts) await showsText(page, text)
  const { id } = (await node.items()).find(item => item.text === texts[0])
  /* In turn, each after it has seen what the one before wrote: the last word counts, whatever clock it has. */
  const chain = async name => {
    for (const [i, page] of [ahead, behind, right, behind, ahead, behind].entries()) {
      texts[0] = `${name}, edit ${i}`
      ok(await edit(page, id, { text: texts[0] }), `${texts[0]} was taken`)
      for (const reader of all) await showsText(reader, texts[0], 45_000)
    }
  }
  await chain('with the node')
  await node.kill()
  for (const page of [ahead, behind]) {
    page.proxy.how = 502
    page.proxy.cut()
  }
  for (const page of all) await page.waitForFunction(() => document.documentElement.dataset.mode !== 'server')
  await chain('without')
  await node.start()
  for (const page of [ahead, behind]) page.proxy.how = 'pass'
  for (const page of all) await inMode(page, 'server')
  await exactly(node, texts)
  for (const page of all) await until('it shows what the node has', async () => JSON.stringify((await shown(page)).sort()) === JSON.stringify([...texts].sort()))
  equal(all.flatMap(page => page.errors), [], 'errors')
})

test('the clock jumps an hour back and forth under a running worker: it still falls over, returns, lets its page go', async () => {
  const node = await start()
  const page = await browserOf(node, 0)
  const { proxy } = page
  const jump = ms => Promise.all([page, page.context().serviceWorkers()[0]].map(place => place.evaluate(ms => { self.off = ms }, ms)))
  const texts = []
  for (const [from, to] of [[0, -HOUR], [-HOUR, HOUR]]) {
    await jump(from)
    await inMode(page, 'server')
    proxy.how = 502
    proxy.cut()
    const text = `from ${from / HOUR} to ${to / HOUR}`
    texts.push(text)
    await insist(page, text)
    await inMode(page, 'local')
    const began = Date.now()
    await page.goto(proxy.origin)
    await settled(page)
    ok(Date.now() - began < 4000, `a page took ${Date.now() - began} ms`)
    await showsText(page, text)
    /* Back, found by looks at /healthz alone; between two of them the clock jumps. */
    proxy.plain = true
    proxy.answered.length = 0
    proxy.how = 'pass'
    await until('the first look', () => proxy.answered.includes('/healthz'))
    await jump(to)
    await inMode(page, 'server', 15_000)
    proxy.plain = false
  }
  await exactly(node, texts)
  await once(node, texts)
  equal(page.errors, [], 'errors')
})
