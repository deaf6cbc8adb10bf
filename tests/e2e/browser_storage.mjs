/* Storage that is taken away, or has no room. */
import { cdpOf, once, profileOf, start, stored, warm } from './browser_kit.mjs'
import { addTodo, equal, inMode, ok, settled, showsText, test, until, visit } from './kit.mjs'

test('evicted: everything comes back from the node, under a new name', async () => {
  const node = await start()
  const page = await visit(await profileOf(), node.origin)
  await addTodo(page, 'before the eviction')
  await showsText(page, 'before the eviction')
  await until('the node has it', async () => (await node.texts()).length === 1)
  const before = await stored(page)
  await (await cdpOf(page)).send('Storage.clearDataForOrigin', { origin: node.origin, storageTypes: 'all' })
  await page.goto(node.origin)
  await settled(page)
  await warm(page)
  await until('the blocks are back', async () => (await stored(page)).blocks > 0)
  ok((await stored(page)).self !== before.self, 'a new identity')
  await node.kill()
  await page.goto(node.origin)
  await settled(page)
  await showsText(page, 'before the eviction')
  await addTodo(page, 'after it')
  await showsText(page, 'after it')
  await node.start()
  await until('the node has both', async () => (await node.texts()).length === 2)
})

test('only the database deleted, under a running worker: it starts afresh', async () => {
  const node = await start()
  const page = await visit(await profileOf(), node.origin)
  await addTodo(page, 'one')
  await showsText(page, 'one')
  await until('the node has it', async () => (await node.texts()).length === 1)
  const before = await stored(page)
  await page.evaluate(() => new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase('holdfast')
    request.onsuccess = resolve
    request.onerror = reject
  }))
  await until('it is back', async () => {
    await warm(page)
    const now = await stored(page)
    return now.blocks > 0 && now.self !== before.self
  })
  await node.kill()
  await page.goto(node.origin)
  await settled(page)
  await showsText(page, 'one')
  await addTodo(page, 'two')
  await showsText(page, 'two')
  await node.start()
  await until('the node has both', async () => (await node.texts()).length === 2)
  await once(node, ['one', 'two'])
})

test('no room: it is said, nothing is acknowledged that was not kept, and it ends when there is room', async () => {
  const node = await start()
  const page = await visit(await profileOf({ watched: true }), node.origin)
  await addTodo(page, 'there was room')
  await showsText(page, 'there was room')
  const kept = await stored(page)
  await node.kill()
  await page.goto(node.origin)
  await settled(page)
  await inMode(page, 'local')
  /* Chromium asks for room only every half minute, so the refusal is made: each transaction that writes is aborted, as a full disk does it. */
  const worker = page.context().serviceWorkers()[0]
  await worker.evaluate(() => {
    const { transaction } = IDBDatabase.prototype
    self.roomAgain = () => { IDBDatabase.prototype.transaction = transaction }
    IDBDatabase.prototype.transaction = function (...how) {
      const tx = transaction.apply(this, how)
      if (how[1] === 'readwrite') queueMicrotask(() => tx.abort())
      return tx
    }
  })
  await page.fill('#new-text', 'there is none')
  await page.press('#new-text', 'Enter')
  await page.waitForSelector('.hf-unsent')
  equal(await page.inputValue('#new-text'), 'there is none', 'typed')
  ok(await page.evaluate(() => document.documentElement.hasAttribute('data-failed')), 'it is said')
  const refused = await page.evaluate(async () => {
    const form = text => fetch('/todos', { method: 'POST', body: new URLSearchParams({ text }), headers: { accept: 'text/html' } }).then(r => r.status, () => 'refused')
    return [await form('a'), await form('b')]
  })
  equal(refused, ['refused', 'refused'], 'more of it')
  equal((await stored(page)).blocks, kept.blocks, 'blocks')
  await worker.evaluate(() => self.roomAgain())
  await page.waitForFunction(() => !document.documentElement.hasAttribute('data-failed'))
  await page.press('#new-text', 'Enter')
  await until('it was sent', async () => await page.inputValue('#new-text') === '')
  equal(await page.locator('.hf-unsent').count(), 0, 'the note is gone')
  await showsText(page, 'there is none')
  await node.start()
  await until('the node has it', async () => (await node.texts()).includes('there is none'))
  await once(node, ['there was room', 'there is none'])
})
