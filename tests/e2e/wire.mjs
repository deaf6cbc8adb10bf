/* wire: what the node's suites need below and beside fetch: requests with any header, raw sockets, a browser without scripts, a process's memory. */
import { request } from 'node:http'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'

/** One request with exactly these headers, on a connection of its own: {status, headers, body: Buffer, text}. */
export function ask (node, path, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: node.port, path, method, headers, agent: false, timeout: 20_000 }, answer => {
      const chunks = []
      answer.on('data', chunk => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const all = Buffer.concat(chunks)
        resolve({ status: answer.statusCode, headers: answer.headers, body: all, text: all.toString() })
      })
    })
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)))
    sent.on('error', reject)
    sent.end(body)
  })
}

export const form = fields => new URLSearchParams(fields).toString()
export const FORM = 'application/x-www-form-urlencoded'

export function post (node, path, fields, headers = {}) {
  const body = form(fields)
  return ask(node, path, { method: 'POST', body, headers: { 'content-type': FORM, 'content-length': Buffer.byteLength(body), ...headers } })
}

/** A raw socket: `send`, `got` (text so far), `closed` (by them), `until(test)`. */
export class Raw {
  constructor (port, host = '127.0.0.1') {
    this.got = ''
    this.closed = false
    this.waiting = []
    this.socket = connect({ port, host, allowHalfOpen: false })
    this.socket.setNoDelay(true)
    this.socket.on('data', chunk => { this.got += chunk.toString('latin1'); this.#look() })
    this.socket.on('error', () => {})
    this.socket.on('close', () => { this.closed = true; this.#look() })
    this.opened = new Promise(resolve => { this.socket.once('connect', resolve); this.socket.once('close', resolve) })
  }

  #look () {
    for (const one of [...this.waiting]) if (one.test(this) || this.closed) one.done()
  }

  send (bytes) { if (!this.closed) this.socket.write(bytes); return this }

  /** True as soon as test(this) holds; false when it never did before the end or within ms. */
  until (test, ms = 15_000) {
    if (test(this) || this.closed) return Promise.resolve(Boolean(test(this)))
    return new Promise(resolve => {
      const one = { test, done: () => { clearTimeout(timer); this.waiting.splice(this.waiting.indexOf(one), 1); resolve(Boolean(test(this))) } }
      const timer = setTimeout(one.done, ms)
      this.waiting.push(one)
    })
  }

  end () { this.socket.destroy() }

  get statuses () { return [...this.got.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(found => Number(found[1])) }
}

/** Says it and waits for an answer or the end: {statuses, closed, hung}. */
export async function say (port, bytes, { ms = 12_000, answers = 1 } = {}) {
  const raw = new Raw(port)
  raw.send(bytes)
  await raw.until(r => r.statuses.length >= answers && complete(r.got, answers), ms)
  const said = { statuses: raw.statuses, closed: raw.closed, hung: !raw.closed && raw.statuses.length < answers, got: raw.got }
  raw.end()
  return said
}

/** The n-th answer's head has come, and its body if it tells a length. */
function complete (text, n) {
  let at = 0
  for (let i = 0; i < n; i++) {
    const end = text.indexOf('\r\n\r\n', at)
    if (end < 0) return false
    const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(at, end))
    at = end + 4 + Number(length?.[1] ?? 0)
  }
  return text.length >= at
}

/* ---- WebSockets and the first thing that peers say ---- */

export const MULTISTREAM = '\x13/multistream/1.0.0\n'

export const upgrade = (path, headers = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Key: ${Buffer.alloc(16, 1).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n${headers}\r\n`

/** A masked frame; `told` is the length that it claims. */
export function frame (payload, { first = 0x82, told, masked = true } = {}) {
  const bytes = Buffer.from(payload, 'latin1')
  const length = told ?? bytes.length
  const size = Buffer.alloc(length < 126 ? 1 : length < 65536 ? 3 : 9)
  size[0] = length < 126 ? length : length < 65536 ? 126 : 127
  if (size.length === 3) size.writeUInt16BE(length, 1)
  if (size.length === 9) size.writeBigUInt64BE(BigInt(length), 1)
  if (!masked) return Buffer.concat([Buffer.of(first), size, bytes])
  size[0] |= 0x80
  return Buffer.concat([Buffer.of(first), size, Buffer.of(1, 2, 3, 4), bytes.map((byte, i) => byte ^ (i % 4 + 1))])
}

/* ---- a browser without scripts ---- */

const plain = text => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&#x3D;', '=').replaceAll('&amp;', '&')
const attribute = (tag, name) => {
  const found = new RegExp(`\\s${name}(?:="([^"]*)")?(?=[\\s>])`).exec(tag)
  return found ? plain(found[1] ?? '') : undefined
}

/** The forms of a page: {id, method, action, fields, buttons}; a button by its id, or what it does. */
export function formsOf (html, path = '/') {
  return [...html.matchAll(/<form[^>]*>[\s\S]*?<\/form>/g)].map(([text]) => {
    const head = /<form[^>]*>/.exec(text)[0]
    const fields = {}
    for (const [tag] of text.matchAll(/<input[^>]*>/g)) fields[attribute(tag, 'name')] = attribute(tag, 'value') ?? ''
    for (const [, tag, value] of text.matchAll(/(<textarea[^>]*>)([\s\S]*?)<\/textarea>/g)) fields[attribute(tag, 'name')] = plain(value)
    const buttons = [...text.matchAll(/<button[^>]*>/g)].map(([tag]) => ({ id: attribute(tag, 'id'), action: attribute(tag, 'formaction') }))
    return { id: attribute(head, 'id'), method: attribute(head, 'method') ?? 'get', action: attribute(head, 'action') ?? path, fields, buttons }
  })
}

/** Follows links, submits forms, keeps its cookie; the page it is on is `html`. */
export class Reader {
  constructor (node) { Object.assign(this, { node, cookie: '', cookies: 0 }) }

  async go (path) {
    const answer = await ask(this.node, path, { headers: this.cookie ? { cookie: this.cookie } : {} })
    return this.#show(path, answer)
  }

  #show (path, answer) {
    if (answer.headers['set-cookie']) {
      this.cookies++
      this.setCookie = answer.headers['set-cookie'][0]
      this.cookie = this.setCookie.split(';')[0]
    }
    return Object.assign(this, { path, html: answer.text, status: answer.status, answer })
  }

  /** `which`: a form's id, or a button's formaction. Fields over what the form holds. */
  async submit (which, fields = {}) {
    const forms = formsOf(this.html, this.path)
    const found = forms.find(f => f.id === which || (f.method === 'post' && f.action === which)) ?? forms.find(f => f.buttons.some(b => b.action === which))
    if (!found) throw new Error(`no form ${which} on ${this.path}`)
    const action = found.buttons.some(b => b.action === which) ? which : found.action
    const all = { ...found.fields, ...fields }
    if (found.method !== 'post') return this.go(action + '?' + form(all))
    this.posted = { action, fields: all }
    this.#show(action, await post(this.node, action, all, this.cookie ? { cookie: this.cookie } : {}))
    this.submitted = this.status
    if (this.status === 303) await this.go(this.answer.headers.location.replace(this.node.origin, ''))
    return this
  }
}

/** What is wrong with a page's tags; null: nothing. */
export function malformed (html) {
  const open = []
  const ids = new Set()
  if (!/^<!doctype html>/i.test(html)) return 'no doctype'
  const body = html.replace(/<script[\s\S]*?<\/script>/g, '').replace(/<!--[\s\S]*?-->/g, '')
  for (const [tag, slash, name, rest] of body.matchAll(/<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[^\s=>"']+(?:="[^"<]*")?)*)\s*>|<(?!!doctype)/gi)) {
    if (!name) return `a < that is no tag: ${body.slice(body.indexOf(tag), body.indexOf(tag) + 60)}`
    if (/^(meta|link|input|br|hr|img)$/.test(name) && !slash) continue
    if (slash && open.pop() !== name) return `</${name}> closes another`
    if (!slash) open.push(name)
    const id = attribute(`<x${rest}>`, 'id')
    if (id !== undefined && ids.size === ids.add(id).size) return `id ${id} twice`
  }
  return open.length ? `open: ${open}` : null
}

/* ---- a process ---- */

export const rssKiB = node => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.process.pid}/status`, 'utf8'))[1])
