/* Two tabs that fight, and tabs that the browser freezes or that hang. */
import { Chromium } from './cdp.mjs'
import { exactly, insist, post, profileOf, proxyOf, start, warm } from './browser_kit.mjs'
import { equal, hasPeers, nInvitations, ok, settled, shown, showsText, sleep, test, until, visit } from './kit.mjs'

const LOCKS = 'navigator.locks.query().then(q => q.held.filter(l => l.name === "holdfast-network").map(l => l.clientId).join())'

test('two tabs post at the same time, and are reloaded meanwhile, with a node and without: one peer, each form once', async () => {
  const node = await start()
  const [profile, other] = [await profileOf(), await profileOf()]
  const tabs = [await visit(profile, node.origin), await visit(profile, node.origin)]
  const far = await visit(other, node.origin)
  await hasPeers(tabs[0], 1)
  await warm(tabs[0])
  const texts = []
  const fight = name => Promise.all(tabs.map(async (tab, t) => {
    for (let i = 0; i < 8; i++) {
      const text = `${name}, tab ${t}, ${i}`
      texts.push(text)
      await insist(tab, text)
      if (i % 4 === 3 - t) {
        await tab.reload()
        await settled(tab)
      }
    }
  }))
  await fight('with the node')
  await until('all of it is here', async () => (await shown(tabs[0])).length === texts.length)
  await hasPeers(far, 1)
  equal(await far.evaluate(() => document.documentElement.dataset.peers), '1', 'two tabs are one peer')
  await node.kill()
  await fight('without')
  for (const tab of tabs) await until('it shows all', async () => (await shown(tab)).length === texts.length, 20_000)
  const held = await tabs[0].evaluate(async () => (await navigator.locks.query()).held.map(l => l.name).sort().join())
  equal(held, 'holdfast-network,holdfast-writer', 'locks held')
  await node.start()
  await exactly(node, texts)
  /* Two tabs that leave one after the other use up their invitations: without a third the far one may be out of reach until now. */
  await until('the far one shows all', async () => (await shown(far)).length === texts.length, 20_000)
  equal([...tabs, far].flatMap(page => page.errors), [], 'errors')
})

test('the tab that networks is frozen: another takes over at once; thawed, it is one of two again', async () => {
  const node = await start()
  const chromium = await Chromium.start()
  const far = await visit(await profileOf(), node.origin)
  const [one, two] = [await chromium.tab(node.origin), await chromium.tab(node.origin)]
  await two.peers(1)
  await insist(two, 'before')
  await two.evaluate(async () => fetch('/', { headers: { accept: 'text/html', 'holdfast-render': 'local' } }))
  const holder = await two.run(LOCKS)
  equal(await one.run('document.visibilityState'), 'hidden', 'the first tab')
  for (const side of [far, two]) await until('an invitation', () => side.evaluate(nInvitations))
  await node.kill()
  await two.mode('peer')
  await one.freeze()
  await until('the lock was handed over', async () => ![holder, ''].includes(await two.run(LOCKS)))
  await hasPeers(far, 1)
  const began = Date.now()
  await insist(far, 'to the one that is awake')
  await two.shows('to the one that is awake')
  await insist(two, 'from the one that is awake')
  await showsText(far, 'from the one that is awake')
  console.log(`  both ways ${Date.now() - began} ms after it`)
  await one.thaw()
  await one.front()
  await one.shows('from the one that is awake')
  await insist(one, 'thawed')
  await showsText(far, 'thawed')
  await two.close()
  await until('the lock came back', async () => await one.run(LOCKS) === holder)
  await one.peers(1)
  await insist(one, 'alone again')
  await showsText(far, 'alone again')
  await node.start()
  await exactly(node, ['before', 'to the one that is awake', 'from the one that is awake', 'thawed', 'alone again'])
  equal(far.errors, [], 'errors')
})

test('the tab that networks hangs: the one that is looked at takes its turn; when it comes to it waits in line', async () => {
  const node = await start()
  const [profile, other] = [await profileOf(), await profileOf()]
  const hung = await visit(profile, node.origin)
  const tab = await visit(profile, node.origin)
  const far = await visit(other, node.origin)
  await hasPeers(tab, 1)
  await insist(tab, 'before')
  await warm(tab)
  for (const page of [tab, far]) await until('an invitation', () => page.evaluate(nInvitations))
  await node.kill()
  const locks = () => tab.evaluate(LOCKS)
  const holder = await locks()
  const cdp = await hung.context().newCDPSession(hung)
  await cdp.send('Debugger.enable')
  const paused = new Promise(resolve => cdp.once('Debugger.paused', resolve))
  await cdp.send('Debugger.pause')
  hung.evaluate(() => 1).catch(() => {}) /* something to be stopped in */
  await paused
  const began = Date.now()
  await until('the lock was taken over', async () => await locks() !== holder, 30_000)
  const took = Date.now() - began
  await hasPeers(tab, 1)
  await insist(tab, 'past the one that hangs')
  await showsText(far, 'past the one that hangs')
  console.log(`  taken over after ${took} ms, ${Date.now() - began} ms until a form had reached the other browser`)
  await cdp.send('Debugger.disable')
  await until('it waits in line', () => tab.evaluate(async () => (await navigator.locks.query()).pending.filter(l => l.name === 'holdfast-network').length === 1))
  await insist(hung, 'came to')
  await showsText(far, 'came to')
  await node.start()
  await exactly(node, ['before', 'past the one that hangs', 'came to'])
  equal([...hung.errors, ...tab.errors, ...far.errors], [], 'errors')
})

test('a tab is frozen, and its connections die without a word: thawed, it is level again within seconds', async () => {
  const node = await start()
  const proxy = await proxyOf(node)
  const chromium = await Chromium.start()
  const tab = await chromium.tab(proxy.origin)
  await insist(tab, 'before')
  await tab.evaluate(async () => fetch('/', { headers: { accept: 'text/html', 'holdfast-render': 'local' } }))
  await until('it is level', () => tab.run('document.querySelector("[data-hf=copies]").textContent === "2"'))
  const blank = await chromium.send('Target.createTarget', { url: 'about:blank' })
  await chromium.send('Target.activateTarget', { targetId: blank.targetId })
  await until('it is hidden', () => tab.run('document.visibilityState === "hidden"'))
  await tab.freeze()
  /* Every socket that is open now stays open for ever, and nothing comes through. */
  proxy.muteAll()
  await node.post('/todos', { text: 'while it was frozen' })
  await sleep(4000) /* long enough for what counts seconds */
  await tab.thaw()
  await tab.front()
  const began = Date.now()
  await tab.shows('while it was frozen')
  const shown = Date.now() - began
  ok(await post(tab, 'thawed'), 'a form is taken')
  await until('it is level again', () => tab.run('document.documentElement.dataset.pending === "0" && document.querySelector("[data-hf=copies]").textContent === "2"'), 10_000)
  console.log(`  shown after ${shown} ms, level after ${Date.now() - began} ms`)
  ok(Date.now() - began < 10_000, 'within seconds')
  await tab.mode('server')
  await exactly(node, ['before', 'while it was frozen', 'thawed'])
})
