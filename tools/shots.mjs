/* shots: every mode, light and dark, on a phone and on a desk, as pictures in build/shots to look at. */
import { mkdirSync } from 'node:fs'
import { addTodo, cleanUp, hasPeers, inMode, Node, profile, settled, showsText, tempDir, visit } from '../tests/e2e/kit.mjs'

const OUT = new URL('../build/shots/', import.meta.url).pathname
const TODOS = ['Find the fuse for the porch light', 'Ask Marta for the big pot', 'Return the ladder',
  'Book the 9:40 ferry, and the cabin with the two beds, unless the weather on Saturday is as bad as they say it will be', 'Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrik', 'لا تنس الخبز']
const SIZES = { 360: 740, 1440: 900 }

async function shoot (page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme })
    for (const [width, height] of Object.entries(SIZES)) {
      await page.setViewportSize({ width: Number(width), height })
      await page.mouse.move(0, 0)
      await page.screenshot({ path: `${OUT}${name}-${colorScheme}-${width}.png`, animations: 'disabled' })
    }
  }
  console.log(name)
}

/* The list, with the badge closed and open. */
async function shootMode (page, name) {
  await inMode(page, name)
  await shoot(page, name)
  await page.click('#hf-status-open')
  await shoot(page, `${name}-panel`)
  await page.click('#hf-status-open')
}

async function shootPages (page, origin) {
  await page.click('.todos a >> nth=0')
  await page.waitForSelector('#edit')
  await shoot(page, 'page-todo')
  await page.goto(origin + '/?q=nothing+like+this')
  await settled(page)
  await shoot(page, 'page-nothing-found')
  await page.goto(origin + '/not-here')
  await settled(page)
  await shoot(page, 'page-404')
  await page.goto(origin + '/')
  await settled(page)
  await page.evaluate(() => document.querySelector('#new-text').removeAttribute('required'))
  await addTodo(page, ' ')
  await page.waitForSelector('[aria-invalid=true]')
  await shoot(page, 'page-refused')
}

async function play () {
  const node = await Node.make()
  await node.start()
  const context = await profile(tempDir())
  const page = await visit(context, node.origin)
  await inMode(page, 'server')
  await shoot(page, 'page-empty')
  for (const [i, text] of TODOS.entries()) {
    await page.fill('#new-assignee', ['Jun', 'Ada', '', 'Noor', 'Jun', ''][i])
    await addTodo(page, text)
    await showsText(page, text)
  }
  await page.click('.todos li:nth-child(2) [formaction$="/toggle"]')
  await page.waitForSelector('[aria-pressed=true]')
  await page.evaluate(() => document.activeElement?.blur())
  const other = await profile(tempDir())
  await visit(other, node.origin)
  await hasPeers(page, 1)
  await shootMode(page, 'server')
  await shootPages(page, node.origin)

  await node.kill()
  await page.goto(node.origin + '/')
  await settled(page)
  await shootMode(page, 'peer')
  await other.close()
  await shootMode(page, 'local')
  await context.setOffline(true)
  await addTodo(page, 'Written with nobody in reach')
  await showsText(page, 'Written with nobody in reach')
  await page.waitForFunction(() => document.documentElement.dataset.pending !== '0')
  await page.evaluate(() => document.activeElement?.blur())
  await shootMode(page, 'offline')
}

try {
  mkdirSync(OUT, { recursive: true })
  await play()
} finally {
  await cleanUp()
}
