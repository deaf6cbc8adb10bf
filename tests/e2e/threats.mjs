/* What attackers try on a real node who know how such nodes are built: docs/explanation/threat-model.md says which attack each test is of. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { equal, freePort, Node, ok, onExit, run, tempDir, test, until } from './kit.mjs'
import { ask, form, FORM, frame, MULTISTREAM, post, Raw, rssKiB, upgrade } from './wire.mjs'

const HOLDFAST = process.env.HOLDFAST ?? new URL('../../build/holdfast', import.meta.url).pathname
const ROOT = new URL('../..', import.meta.url).pathname
const node = await Node.make({ flags: ['--log-level', 'debug'] })
const items = async () => JSON.parse((await ask(node, '/api/v1/todos?limit=1000')).text).items

test('a node starts', async () => { await node.start() })

/* ---- injection ---- */

test('what is typed is text: in templates, in headers, in events, in the log', async () => {
  const payloads = ['{{op}}', '{{{text}}}', '{{#todos}}x{{/todos}}', '{{> index}}', '{{=<% %>=}}<% text %>', '${7*7}', '{%7*7%}', '<?php 1?>', '#{7*7}',
    'a\r\nSet-Cookie: evil=1', 'a\nevent: change\ndata: x', '\u2028\u2029\u202e\u0000x', '%0d%0aSet-Cookie:%20evil=1', 'x'.repeat(500)]
  for (const text of payloads) {
    const answer = await post(node, '/todos', { text, assignee: text.slice(0, 40) })
    ok([303, 400, 422].includes(answer.status) && !answer.headers.evil && !/evil/.test(String(answer.headers['set-cookie'] ?? '')), `a form: ${JSON.stringify(text)}: ${answer.status}`)
  }
  const page = (await ask(node, '/')).text
  ok(page.includes('{{{text}}}') && page.includes('{{=&lt;% %&gt;=}}&lt;% text %&gt;') && page.includes('${7*7}') && !page.includes('<?php'), 'shown as they were typed')
  ok(!node.log.split('\n').some(line => line && !/^(\d{4}-\d\d-\d\dT|ready )/.test(line)), 'each line of the log is the node\'s')
})

test('no header of an answer can be made from outside', async () => {
  const cr = ['%0d%0aevil:%201', '%0aevil:1', '%E5%98%8A%E5%98%8Devil:1', '%00', '%c4%8d%c4%8aevil:1']
  for (const inject of cr) {
    for (const path of [`/${inject}`, `/?q=${inject}`, `/todos?return=/${inject}`, `/todos/x${inject}/toggle`, `/_holdfast/page.js?v=${inject}`, `/static/${inject}`, `/ipfs/${inject}`]) {
      const { headers } = await ask(node, path)
      ok(!('evil' in headers), path)
    }
  }
  for (const back of ['//evil.example', 'https://evil.example', '/\\evil.example', '/%0d%0aevil:1', 'javascript:alert(1)', '\t//evil.example']) {
    const answer = await post(node, '/todos', { text: 'goes back', return: back }, { referer: back.startsWith('http') ? back : 'http://localhost/' })
    ok(!answer.headers.evil && /^\/(?![/\\])/.test(answer.headers.location ?? '/'), `back to ${JSON.stringify(back)}: ${answer.headers.location}`)
  }
})

/* ---- caches ---- */

test('what a cache does not see changes nothing, and what is one person\'s is kept by nobody', async () => {
  const plain = (await ask(node, '/')).text.replace(/name="op" value="[^"]*"/g, '')
  const probes = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'gopher', 'x-forwarded-for': '6.6.6.6', forwarded: 'host=evil.example', 'x-original-url': '/admin', 'x-rewrite-url': '/admin',
    'x-host': 'evil.example', 'x-http-method-override': 'DELETE', 'x-forwarded-prefix': '/evil', 'accept-language': 'evil', 'user-agent': 'evil', origin: 'https://evil.example', referer: 'https://evil.example/',
    cookie: 'holdfast_session=evil; a=evil' }
  for (const [name, value] of Object.entries(probes)) {
    const answer = await ask(node, '/', { headers: { [name]: value } })
    equal(answer.text.replace(/name="op" value="[^"]*"/g, '') === plain, true, `the same page with ${name}`)
    ok(!JSON.stringify(answer.headers).includes('evil'), `${name} is not told back`)
  }
  const { id } = (await items())[0]
  for (const path of ['/', `/todos/${id}`, '/?q=a']) ok(/no-cache|no-store|private/.test((await ask(node, path)).headers['cache-control']), `${path} is asked for anew`)
  for (const path of ['/x.css', `/todos/${id}/x.css`, `/todos/${id}.css`, `/todos/${id}%2fx.css`, `/todos/${id};x.css`, `/todos/${id}%00.css`, '/index.php/x.js', `/api/v1/todos/${id}/x.png`]) {
    const answer = await ask(node, path)
    ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`)
    ok(!/public|max-age=[1-9]/.test(answer.headers['cache-control'] ?? ''), `${path}: not for caches`)
  }
  const first = await post(node, '/todos', { text: 'with a cookie' })
  ok(first.headers['set-cookie'] && /no-store/.test(first.headers['cache-control']), 'an answer with a cookie is stored nowhere')
})

/* ---- other sites' pages ---- */

const shake = async (path, headers) => {
  const raw = new Raw(node.port)
  raw.send(upgrade(path).replace('\r\n\r\n', `\r\n${headers}\r\n\r\n`))
  await raw.until(r => r.closed || r.statuses.length)
  return raw
}

test('a page of another site opens no WebSocket to a node of this machine', async () => {
  for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example', 'http://192.168.1.1', 'file://', 'https://evil.example:3000']) {
    const raw = await shake('/p2p', `Origin: ${origin}`)
    equal(raw.statuses, [403], origin)
    raw.end()
  }
  for (const origin of [`Origin: http://localhost:${node.port}`, 'Origin: http://127.0.0.1:9', 'Origin: https://todo.localhost', 'X-None: 1']) {
    const raw = await shake('/p2p', origin)
    equal(raw.statuses, [101], origin)
    raw.end()
  }
})

test('no WebSocket is compressed, whatever is offered', async () => {
  const raw = await shake('/p2p', 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits')
  ok(raw.statuses[0] === 101 && !/sec-websocket-extensions/i.test(raw.got), 'no extension')
  const compressed = frame(gzipSync(Buffer.alloc(1 << 20)), { first: 0xc2 })
  raw.send(compressed)
  ok(await raw.until(r => r.closed, 5000), 'a compressed frame ends it')
})

test('a form that says it is compressed is not unpacked', async () => {
  const bomb = gzipSync(Buffer.concat([Buffer.from('text='), Buffer.alloc(32 << 20, 'a')]))
  ok(bomb.length < 100_000, 'it is small')
  const before = rssKiB(node)
  const length = (await items()).length
  for (const encoding of ['gzip', 'deflate', 'br', 'gzip, gzip']) {
    const answer = await ask(node, '/todos', { method: 'POST', body: bomb, headers: { 'content-type': FORM, 'content-length': bomb.length, 'content-encoding': encoding } })
    ok(answer.status >= 400 && answer.status < 500, `${encoding}: ${answer.status}`)
  }
  const small = form({ text: 'not what it says' })
  equal((await ask(node, '/todos', { method: 'POST', body: small, headers: { 'content-type': FORM, 'content-length': small.length, 'content-encoding': 'gzip' } })).status, 415, 'whatever it holds')
  equal((await ask(node, '/todos', { method: 'POST', body: small, headers: { 'content-type': FORM, 'content-length': small.length, 'content-encoding': 'identity' } })).status, 303, 'identity is none')
  ok(rssKiB(node) - before < 16 << 10, `${rssKiB(node) - before} KiB more`)
  equal((await items()).length, length + 1, 'nothing else was written')
})

/* ---- the folder ---- */

test('the folder and the control socket are the owner\'s alone', async () => {
  const modes = [[node.dir, statSync(node.dir)], ...readdirSync(node.dir).map(name => [name, statSync(join(node.dir, name))])]
  const made = modes.slice(1)
  ok(made.length >= 3 && made.some(([, info]) => info.isSocket()), made.map(([name]) => name).join(' '))
  for (const [name, info] of made) equal(info.mode & 0o077, 0, name)
})

test('a control socket that is told nonsense, or nothing, stays of use', async () => {
  const socket = readdirSync(node.dir).find(name => statSync(join(node.dir, name)).isSocket())
  const talk = bytes => new Promise(resolve => {
    const wire = connect(join(node.dir, socket))
    wire.on('error', resolve).on('close', resolve).on('data', () => {})
    wire.end(bytes)
  })
  const nonsense = [Buffer.alloc(0), randomBytes(5), randomBytes(5000), Buffer.alloc(5, 255), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(100_000, 65), Buffer.from([0, 0, 0, 0, 1, 65]),
    Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0])]
  for (const bytes of nonsense) await talk(bytes)
  const silent = Array.from({ length: 80 }, () => connect(join(node.dir, socket)).on('error', () => {}))
  onExit(() => silent.forEach(wire => wire.destroy()))
  await Promise.all(silent.map(wire => new Promise(resolve => wire.once('connect', resolve).once('error', resolve))))
  equal((await ask(node, '/healthz')).status, 200, 'served meanwhile')
  silent.forEach(wire => wire.destroy())
  equal((await post(node, '/todos', { text: 'still here' })).status, 303, 'and written')
  ok(/todos/.test((await promisify(execFile)(HOLDFAST, ['db', 'ls', '--dir', node.dir], { timeout: 20_000 })).stdout), 'and the command line is answered')
})

test('an app folder leads nowhere else', async () => {
  for (const [what, change] of [
    ['a link to a file outside', dir => symlinkSync('/etc/passwd', join(dir, 'static/passwd.txt'))],
    ['a link to a folder outside', dir => symlinkSync('/etc', join(dir, 'static/etc'))],
    ['a link to its own file', dir => symlinkSync('app.css', join(dir, 'static/b.css'))]
  ]) {
    const dir = join(tempDir(), 'app')
    cpSync(join(ROOT, 'apps/todo'), dir, { recursive: true })
    change(dir)
    const other = await Node.make({ flags: [dir] })
    const problem = await other.start().then(() => '', error => error.message)
    ok(/neither a file nor a folder/.test(problem), `${what}: ${problem.slice(0, 200)}`)
  }
})

/* ---- doors that nobody should knock at ---- */

test('a relay without a reservation carries nobody, and a WebSocket speaks to no other port', async () => {
  let knocked = 0
  const port = await freePort()
  const listener = createServer(socket => { knocked++; socket.destroy() }).listen(port, '127.0.0.1')
  onExit(() => listener.close())
  for (const path of [`/p2p?to=127.0.0.1:${port}`, `http://127.0.0.1:${port}/`, `//127.0.0.1:${port}/`, `/ipfs/http://127.0.0.1:${port}`, `/api/v1/todos?url=http://127.0.0.1:${port}`]) {
    const raw = new Raw(node.port)
    raw.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    await raw.until(r => r.closed)
  }
  await post(node, '/todos', { text: `http://127.0.0.1:${port}/`, assignee: `http://127.0.0.1:${port}/` })
  await ask(node, '/')
  equal(knocked, 0, 'connections')
})

test('every address of a node is safe to ask for, with databases that came at run time as well', async () => {
  const verb = (...args) => promisify(execFile)(HOLDFAST, [...args, '--dir', node.dir])
  const address = (await verb('db', 'create', 'extra')).stdout.trim()
  await verb('db', 'add', 'extra', '"a"')
  const told = (await ask(node, '/metrics')).text
  ok(told.includes(`holdfast_entries{database="${address}"} 1`) && told.includes('holdfast_equivocations{collection="todos"} 0'), 'the metrics name it')
  for (const path of ['/', '/events', '/metrics', '/healthz', '/readyz', '/.well-known/holdfast.json', '/api/v1/extra', '/api/v1/todos', '/sitemap.xml', '/robots.txt', '/manifest.webmanifest',
    '/static/', '/_holdfast/', '/_/', '/gun', '/peerjs', '/announce', '/p2p', '/ipfs/', '/api', '/api/v1', '/api/v2/todos']) {
    for (const method of ['HEAD', 'OPTIONS', 'POST', 'PATCH']) await ask(node, path, { method, headers: { 'content-length': 0 } })
    equal((await ask(node, '/healthz')).status, 200, `after ${path}`)
  }
  await verb('db', 'close', 'extra')
  ok((await ask(node, '/metrics')).text.endsWith('# EOF\n'), 'closed, it is told of no more')
})

/* ---- strangers fill nothing ---- */

test('strangers who connect, say hello and go leave nothing behind', async () => {
  const count = async () => Number(/holdfast_connections\{kind="websocket"\} (\d+)/.exec((await ask(node, '/metrics')).text)[1])
  const size = () => readdirSync(node.dir).reduce((sum, name) => sum + statSync(join(node.dir, name)).size, 0)
  const [disk, memory] = [size(), rssKiB(node)]
  for (let round = 0; round < 5; round++) {
    const raws = await Promise.all(Array.from({ length: 60 }, () => shake('/p2p', 'X-A: b')))
    for (const raw of raws) raw.send(frame(Buffer.concat([Buffer.from(MULTISTREAM), randomBytes(2000)])))
    for (const raw of raws) raw.end()
    await until('all are gone', async () => await count() === 0)
  }
  equal(size(), disk, 'bytes on disk')
  ok(rssKiB(node) - memory < 16 << 10, `${rssKiB(node) - memory} KiB of memory more`)
})

test('a store as large as it may be: strangers are turned away first, own forms then; what is there is read, and it ends with room', async () => {
  const [small, other] = [await Node.make({ flags: ['--max-store', '2M'] }), await Node.make()]
  const file = async (...args) => (await promisify(execFile)(HOLDFAST, ['file', ...args, '--dir', small.dir])).stdout.split(' ')[0].trim()
  const fill = async bytes => {
    const path = join(tempDir(), 'fill')
    writeFileSync(path, randomBytes(bytes))
    return file('add', path)
  }
  const texts = async of => JSON.parse((await ask(of, '/api/v1/todos?limit=1000')).text).items.map(item => item.text).sort()
  await other.start()
  await small.start(['--join', other.multiaddr])
  equal((await post(other, '/todos', { text: 'early' })).status, 303, 'a stranger writes')
  await until('it comes', async () => (await texts(small)).includes('early'))
  const first = await fill(1_750_000)
  await until('others are turned away', () => /entries of others are turned away/.test(small.log))
  for (let i = 0; i < 5; i++) equal((await post(other, '/todos', { text: `late ${i}`, op: `late-${i}` })).status, 303, 'a stranger writes')
  equal((await post(small, '/todos', { text: 'own' })).status, 303, 'an own form')
  await until('the other has it', async () => (await texts(other)).includes('own'))
  equal(await texts(small), ['early', 'own'], 'no stranger was let in')
  ok(/entry refused.*no room for others/.test(small.log), `the log says why: ${small.log.slice(-400)}`)
  const second = await fill(300_000)
  const typed = { text: 'too much', op: 'too-much' }
  let n = 0 /* it looks once a second */
  await until('own forms are refused', async () => (await post(small, '/todos', { text: `much ${++n}`, op: `much-${n}` })).status === 503)
  const answer = await post(small, '/todos', typed)
  ok(answer.status === 503 && /Not saved/.test(answer.text) && answer.text.includes('too much'), 'with what was typed')
  ok(/--max-store/.test(small.log), 'the log says why')
  ok((await texts(small)).includes('early') && /holdfast_peers 1\n/.test((await ask(small, '/metrics')).text), 'it is read, and peers stay')
  for (const cid of [first, second]) await file('drop', cid)
  await until('it works again', async () => (await ask(small, '/readyz')).status === 200)
  equal((await post(small, '/todos', typed)).status, 303, 'sent again')
  await until('all comes', async () => String(await texts(small)) === String(await texts(other)))
  const all = await texts(small)
  for (const text of ['early', 'own', 'too much', 'late 0', 'late 4']) equal(all.filter(one => one === text).length, 1, text)
  equal(await small.stop(), 0, 'exit status')
  await small.start(['--join', other.multiaddr])
  equal(await texts(small), all, 'after a restart')
  await small.stop()
  await other.stop()
})

test('nothing that is secret stands in the log, nor in what the node says of itself', async () => {
  const cookie = /holdfast_session=([^;]+)/.exec(String((await post(node, '/todos', { text: 'whose is it' })).headers['set-cookie']))[1]
  await post(node, '/todos', { text: 'whose is it, again' }, { cookie: `holdfast_session=${cookie}` })
  const seen = [node.log]
  for (const path of ['/', '/metrics', '/.well-known/holdfast.json', '/api/v1/todos']) seen.push((await ask(node, path)).text)
  for (const secret of [cookie, 'whose is it, again']) ok(!node.log.includes(secret), 'the log tells it')
  ok(seen.every(text => !text.includes(cookie)), 'a page tells the cookie')
  ok(!seen.slice(1).some(text => text.includes(node.dir)), 'a page tells where the folder is')
})

test('it is still the node it was', async () => {
  equal((await ask(node, '/readyz')).text, 'ready\n', 'ready')
  equal(await node.stop(), 0, 'exit status')
})

await run()
