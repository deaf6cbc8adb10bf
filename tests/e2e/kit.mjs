/* kit: real nodes and real browsers for the end-to-end suites. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { freePort, onExit, tempDir } from '../kit/suite.mjs'

export * from '../kit/suite.mjs'

const ROOT = new URL('../..', import.meta.url).pathname
const HOLDFAST = process.env.HOLDFAST ?? join(ROOT, 'build/holdfast')
export const CHROMIUM = '/usr/bin/chromium'
export const CHROMIUM_FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync']

/** A node with fixed ports, so that it can be killed and come back as itself. */
export class Node {
  static async make (options = {}) {
    const node = new Node()
    node.port = options.port ?? await freePort()
    node.p2p = await freePort()
    node.dir = options.dir ?? tempDir()
    node.flags = options.flags ?? []
    node.env = options.env ?? {}
    node.origin = `http://localhost:${node.port}`
    onExit(() => node.process?.kill('SIGKILL'))
    return node
  }

  get multiaddr () { return `/ip4/127.0.0.1/tcp/${this.p2p}` }
  /** What it tells of itself: where it takes peers, over TCP and over WebSocket at the HTTP port. */
  get addresses () { return [this.multiaddr, `/ip4/127.0.0.1/tcp/${this.port}/ws`].map(a => `${a}/p2p/${this.peerId}`) }

  /** Resolves when it is ready; `ms`: how long that took. */
  async start (extra = []) {
    const began = performance.now()
    this.process = spawn(HOLDFAST, ['serve', '--http', `127.0.0.1:${this.port}`, '--p2p', `127.0.0.1:${this.p2p}`, '--dir', this.dir, '--no-mdns',
      ...this.flags, ...extra], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.env } })
    this.log = ''
    this.process.stderr.on('data', chunk => { this.log = (this.log + chunk).slice(-20_000) })
    this.gone = new Promise(resolve => this.process.once('exit', (code, signal) => resolve(signal ?? code)))
    let out = ''
    await new Promise((resolve, reject) => {
      this.process.stdout.on('data', chunk => {
        out += chunk
        if (out.includes('\n')) resolve()
      })
      this.gone.then(code => reject(new Error(`the node ended (${code}): ${this.log}`)))
    })
    this.peerId = out.split(' ')[1]
    this.ms = performance.now() - began
    return this
  }

  async kill () {
    this.process.kill('SIGKILL')
    return this.gone
  }

  async stop () {
    this.process.kill('SIGTERM')
    return this.gone
  }

  async get (path, init) { return fetch(this.origin + path, init) }

  async post (path, fields) {
    return fetch(this.origin + path, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' })
  }

  /** [{id, text, done}] as the page shows them, all pages of it. */
  async items () {
    const items = []
    for (let path = '/'; path;) {
      const html = await (await this.get(path)).text()
      items.push(...itemsOf(html))
      path = /<a[^>]*rel="next"[^>]*href="([^"]+)"/.exec(html)?.[1]?.replaceAll('&amp;', '&')
    }
    return items
  }

  async texts () { return (await this.items()).map(item => item.text) }
}

/** The items of a list page. */
export function itemsOf (html) {
  return html.split(/<li id="todo-/).slice(1).map(part => ({
    id: /^([^"]+)"/.exec(part)[1],
    text: unescapeHtml(/<a [^>]*href="\/todos\/[^"]+"[^>]*>([\s\S]*?)<\/a>/.exec(part)?.[1].replace(/<[^>]+>/g, '').trim() ?? ''),
    done: /aria-pressed="true"/.test(part)
  }))
}

const unescapeHtml = text => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&')

/* Without a debugger at the workers, as people have it; with one for a test that must run something inside a worker. */
const UNWATCHED = { executablePath: join(ROOT, 'tests/e2e/unwatched.mjs'), args: CHROMIUM_FLAGS }
const WATCHED = { executablePath: CHROMIUM, args: CHROMIUM_FLAGS }
const shared = new Map()

/** One Chromium for a suite; each context is a user's profile of its own. `watched`: its workers can be seen (context.serviceWorkers()). */
export async function browser ({ watched = false } = {}) {
  const how = watched ? WATCHED : UNWATCHED
  if (!shared.has(how)) {
    shared.set(how, await chromium.launch(how))
    onExit(async () => {
      await shared.get(how).close()
      shared.delete(how)
    })
  }
  return shared.get(how)
}

/** A profile on disk, that can be closed and opened again. */
export async function profile (dir, options = {}) {
  const context = await chromium.launchPersistentContext(dir, { ...UNWATCHED, ...options })
  onExit(() => context.close().catch(() => {}))
  return context
}

/** Opens a page and waits until its worker speaks. */
export async function visit (context, url) {
  const page = await context.newPage()
  page.errors = []
  page.on('pageerror', error => page.errors.push(String(error)))
  page.on('console', message => { if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text())) page.errors.push(message.text()) })
  await page.goto(url)
  await settled(page)
  return page
}

/** The worker controls the page and told it the mode. */
export async function settled (page) {
  await page.waitForFunction(() => navigator.serviceWorker.controller && document.getElementById('hf-status')?.hidden === false)
}

export const mode = page => page.evaluate(() => document.documentElement.dataset.mode)
export const peers = page => page.evaluate(() => Number(document.documentElement.dataset.peers))
export const shown = async page => itemsOf(await page.content()).map(item => item.text)
export const inMode = (page, wanted, ms) => page.waitForFunction(m => document.documentElement.dataset.mode === m, wanted, { timeout: ms ?? 20_000 })
export const hasPeers = (page, n) => page.waitForFunction(m => Number(document.documentElement.dataset.peers) >= m, n, { timeout: 20_000 })
export const showsText = (page, text, ms) => page.waitForFunction(t => document.querySelector('main')?.innerText.includes(t), text, { timeout: ms ?? 15_000 })

/** To be evaluated in a page: of how many others it keeps a standing invitation, so that it comes back to them without anybody's help. */
export const nInvitations = () => new Promise(resolve => {
  const open = indexedDB.open('holdfast')
  open.onsuccess = () => {
    const get = open.result.transaction('meta').objectStore('meta').get('invites')
    get.onsuccess = () => {
      open.result.close()
      resolve(Object.values(get.result ?? {}).filter(list => list.length).length)
    }
  }
})

export async function addTodo (page, text) {
  await page.fill('input[name=text]', text)
  await page.press('input[name=text]', 'Enter')
}
