/* Browsers that introduce browsers, with every node dead: who has a way to two others is the one through whom they meet. */
import { addTodo, browser, equal, hasPeers, inMode, nInvitations, Node, ok, profile, run, settled, shown, showsText, tempDir, test, until, visit } from './kit.mjs'

const node = await Node.make()
const URL = node.origin + '/'
const dirs = { middle: tempDir(), left: tempDir(), right: tempDir() }
const people = {}

/** Somebody comes, with the profile of that name: {context, page}. */
async function comes (name) {
  const context = await profile(dirs[name])
  people[name] = { context, page: await visit(context, URL) }
  return people[name].page
}
async function goes (name) {
  await people[name].context.close()
  delete people[name]
}

/** It could come back to so many others without anybody's help. */
const invited = ({ page }, n) => until(`invitations of ${n} others`, async () => await page.evaluate(nInvitations) >= n)

/** What one writes, all the others show. */
async function allHear (writer, text) {
  await addTodo(people[writer].page, text)
  await Promise.all(Object.values(people).map(({ page }) => showsText(page, text)))
}

/* Here no browser ever says that it has found all its addresses, and a second and a half go by before it is not waited for any longer. */
test('who has just met can come back at once', async () => {
  const theirs = await Node.make()
  await theirs.start()
  const two = []
  for (let i = 0; i < 2; i++) {
    const context = await (await browser()).newContext()
    await context.addInitScript(`
      Object.defineProperty(RTCPeerConnection.prototype, 'iceGatheringState', { get: () => 'gathering' })
      const look = async met => {
        met ||= Number(document.documentElement?.dataset.peers) >= 1 && performance.now()
        if (met && await (${nInvitations})()) window.invitedAfter = performance.now() - met
        else setTimeout(look, 5, met)
      }
      look(0)`)
    two.push(await visit(context, theirs.origin))
  }
  for (const page of two) {
    const ms = await until('an invitation', () => page.evaluate(() => window.invitedAfter))
    ok(ms < 1000, `invited ${Math.round(ms)} ms after they met`)
  }
  for (const page of two) await page.context().close()
  await theirs.kill()
})

test('two who never met: one was here when the other was not', async () => {
  await node.start()
  await inMode(await comes('middle'), 'server')
  await inMode(await comes('left'), 'server')
  await invited(people.left, 1)
  await goes('left')
  await inMode(await comes('right'), 'server')
  await Promise.all(['middle', 'right'].map(name => hasPeers(people[name].page, 1)))
})

test('with the node dead a newcomer comes back, and meets through the one that both know', async () => {
  await node.kill()
  await comes('left')
  await Promise.all(Object.values(people).map(({ page }) => hasPeers(page, 2)))
  for (const name of Object.keys(people)) await allHear(name, `from ${name}, no node`)
})

test('and goes on with the other when the one in the middle leaves', async () => {
  await Promise.all([invited(people.middle, 2), invited(people.left, 2), invited(people.right, 2)])
  await goes('middle')
  await allHear('left', 'without the middle')
  await allHear('right', 'heard on the left')
  await comes('middle')
  await Promise.all(Object.values(people).map(({ page }) => hasPeers(page, 2)))
  await showsText(people.middle.page, 'heard on the left')
})

test('two that reload in the same instant find each other again through the third', async () => {
  for (let i = 0; i < 3; i++) {
    const both = [people.left.page, people.right.page]
    await Promise.all(both.map(page => page.reload()))
    await Promise.all(both.map(settled))
    await Promise.all(Object.values(people).map(({ page }) => hasPeers(page, 2)))
    await allHear('left', `after reload ${i}`)
  }
})

test('the node returns: all show the same, each thing once, and no page said an error', async () => {
  await node.start()
  const pages = Object.values(people).map(({ page }) => page)
  await Promise.all(pages.map(page => inMode(page, 'server')))
  const texts = async () => (await node.texts()).sort()
  await until('the node has all', async () => (await texts()).includes('after reload 2'))
  const all = await texts()
  equal(new Set(all).size, all.length, 'nothing twice')
  ok(all.length >= 8, 'all that was written')
  for (const page of pages) {
    await until('a browser shows the same', async () => JSON.stringify((await shown(page)).sort()) === JSON.stringify(all))
    equal(page.errors, [], 'errors')
  }
})

await run()
