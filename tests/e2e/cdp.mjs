/* cdp: Chromium without playwright, which keeps every tab in front. Here a tab that another one covers is hidden, as it is for people, and can be frozen. */
import { spawn } from 'node:child_process'
import WebSocket from 'ws'
import { CHROMIUM, CHROMIUM_FLAGS, onExit, tempDir, until } from './kit.mjs'

export class Chromium {
  #waiting = new Map() /* id -> {resolve, reject} */
  #id = 0

  static async start () {
    const chromium = new Chromium()
    const dir = tempDir()
    const process = spawn(CHROMIUM, ['--headless', '--remote-debugging-port=0', `--user-data-dir=${dir}`, ...CHROMIUM_FLAGS, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'pipe'] })
    const gone = new Promise(resolve => process.once('exit', resolve))
    onExit(async () => {
      await Promise.race([chromium.send('Browser.close').catch(() => {}), gone])
      await gone
    })
    let said = ''
    process.stderr.on('data', chunk => { said = (said + chunk).slice(-4000) })
    const url = await until('Chromium listens', () => /ws:\S+/.exec(said)?.[0])
    chromium.socket = new WebSocket(url)
    chromium.socket.on('message', text => chromium.#heard(JSON.parse(text)))
    await new Promise((resolve, reject) => chromium.socket.once('open', resolve).once('error', reject))
    return chromium
  }

  send (method, params = {}, sessionId) {
    const id = ++this.#id
    this.socket.send(JSON.stringify({ id, method, params, sessionId }))
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  #heard ({ id, result, error }) {
    const call = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error) call?.reject(new Error(error.message))
    else call?.resolve(result)
  }

  /** A tab, in front of the others. */
  async tab (url) {
    const { targetId } = await this.send('Target.createTarget', { url })
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true })
    const tab = new Tab()
    Object.assign(tab, { chromium: this, targetId, sessionId })
    await tab.front()
    await until('a worker speaks', () => tab.run('Boolean(navigator.serviceWorker.controller) && document.getElementById("hf-status")?.hidden === false'))
    return tab
  }
}

export class Tab {
  send (method, params) { return this.chromium.send(method, params, this.sessionId) }
  front () { return this.chromium.send('Target.activateTarget', { targetId: this.targetId }) }
  close () { return this.chromium.send('Target.closeTarget', { targetId: this.targetId }) }
  freeze () { return this.send('Page.setWebLifecycleState', { state: 'frozen' }) }
  thaw () { return this.send('Page.setWebLifecycleState', { state: 'active' }) }

  async run (expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }

  /* The same names as playwright's, for the tests' own helpers. */
  evaluate (f, value) { return this.run(`(${f})(${JSON.stringify(value)})`) }
  shows (text) { return until(`it shows ${text}`, () => this.evaluate(t => document.querySelector('main').innerText.includes(t), text)) }
  peers (n) { return until(`it has ${n} peers`, () => this.evaluate(m => Number(document.documentElement.dataset.peers) >= m, n), 20_000) }
  mode (wanted) { return until(`it is in mode ${wanted}`, () => this.evaluate(m => document.documentElement.dataset.mode === m, wanted), 20_000) }
}
