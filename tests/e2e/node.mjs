/* A node as programs and browsers without scripts see it: pages, forms, addresses, rules about who may write, the command line, TLS. */
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect as connectTls } from 'node:tls'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { equal, freePort, itemsOf, Node, ok, onExit, run, tempDir, test, until } from './kit.mjs'
import { ask, form, FORM, formsOf, frame, malformed, MULTISTREAM, post, Raw, Reader, rssKiB, upgrade } from './wire.mjs'

const HOLDFAST = process.env.HOLDFAST ?? new URL('../../build/holdfast', import.meta.url).pathname
const node = await Node.make({ flags: ['--log-level', 'debug'] })
const texts = html => itemsOf(html).map(item => item.text)

/** Runs the program to its end: {status, out, err}. */
const holdfast = (...args) => new Promise(resolve => {
  const child = execFile(HOLDFAST, args, { timeout: 20_000 }, (error, out, err) => resolve({ status: error ? error.code ?? error.signal : 0, out, err }))
  onExit(() => child.kill('SIGKILL'))
})

/* ---- pages ---- */

test('100 items show on one page, with scripts off, well-formed', async () => {
  await node.start()
  console.log(`  ready after ${node.ms.toFixed(0)} ms, ${rssKiB(node)} KiB resident`)
  for (let i = 0; i < 100; i++) equal((await post(node, '/todos', { text: `item ${i} <b>"&'`, assignee: i % 3 ? '' : 'Ann' })).status, 303, 'status')
  const page = await ask(node, '/')
  equal(page.status, 200, 'status')
  equal(malformed(page.text), null, 'tags')
  equal(texts(page.text), [...Array(100).keys()].map(i => `item ${99 - i} <b>"&'`), 'texts, newest first')
  ok(!/<script(?![^>]*\b(src|type="application\/ld\+json"))/.test(page.text), 'no script between the lines')
  equal(page.headers['x-served-by'], 'node', 'x-served-by')
  const item = await ask(node, '/todos/' + itemsOf(page.text)[0].id)
  equal([item.status, malformed(item.text)], [200, null], 'an item')
})

test('every form works by plain HTTP: create, toggle, edit, assign, delete', async () => {
  const ann = new Reader(node)
  await ann.go('/')
  await ann.submit('new', { text: 'write tests', assignee: 'Bob', creator: 'Ann' })
  equal([ann.submitted, ann.status, ann.path], [303, 200, '/'], 'created')
  const { id } = itemsOf(ann.html)[0]
  equal(itemsOf(ann.html)[0], { id, text: 'write tests', done: false }, 'shown')

  await ann.go('/?q=tests')
  await ann.submit(`/todos/${id}/toggle`)
  equal([ann.submitted, ann.path, itemsOf(ann.html)[0].done], [303, '/?q=tests', true], 'ticked off, and back where it was')

  await ann.go(`/todos/${id}`)
  await ann.submit(`/todos/${id}/toggle`)
  ok(/id="toggle" aria-pressed="false"/.test(ann.html), 'not done again')
  await ann.submit('edit', { text: 'write more tests' })
  await ann.submit('edit', { assignee: 'Zoë <i>' })
  equal(ann.submitted, 303, 'assigned')
  const edit = formsOf(ann.html, ann.path).find(f => f.id === 'edit')
  equal([edit.fields.text, edit.fields.assignee], ['write more tests', 'Zoë <i>'], 'the form shows what is')
  equal(malformed(ann.html), null, 'tags')
  ok(['write tests', 'Bob', 'write more tests', 'Zoë &lt;i&gt;'].every(value => ann.html.includes(`<bdi>${value}</bdi>`)), 'the history has each')

  await ann.submit(`/todos/${id}/delete`)
  equal([ann.submitted, ann.path], [303, '/'], 'deleted')
  ok(!itemsOf(ann.html).some(item => item.id === id), 'not shown any more')
  equal((await ann.go(`/todos/${id}`)).status, 410, 'gone')
  equal((await post(node, `/todos/${id}/toggle`, {})).status, 410, 'gone for forms')
})

test('filters by status, person and words', async () => {
  const reader = new Reader(node)
  await post(node, '/todos', { text: 'Äpfel und Birnen', assignee: 'Cleo' })
  const { id } = itemsOf((await reader.go('/')).html)[0]
  await reader.submit(`/todos/${id}/toggle`)
  equal(texts((await reader.go('/?status=done')).html), ['Äpfel und Birnen'], 'done')
  equal(itemsOf((await reader.go('/?status=open')).html).length, 100, 'open')
  equal(itemsOf((await reader.go('/?assignee=Ann')).html).length, 34, 'for Ann')
  equal(texts((await reader.go('/?q=' + encodeURIComponent('äpfel'))).html), ['Äpfel und Birnen'], 'words, whatever the case')
  equal(texts((await reader.go('/?q=cleo&status=open')).html), [], 'both')
  ok(/name="robots" content="noindex/.test(reader.html), 'not for indexes')
  await (await reader.go('/')).submit('find', { q: 'item 7', assignee: 'Ann' })
  equal(texts(reader.html).map(text => text.slice(0, 7)), ['item 78', 'item 75', 'item 72'], 'the search form')
  equal(itemsOf((await reader.go('/?status=nonsense')).html).length, 100, 'an unknown word is not in force')
})

test('bad input: 422, the message beside the field, what was typed kept, nothing written', async () => {
  const before = (await ask(node, '/api/v1/todos')).text
  const reader = new Reader(node)
  await (await reader.go('/')).submit('new', { text: '', assignee: 'keep <me>' })
  equal(reader.status, 422, 'status')
  ok(/<input id="new-text"[^>]*aria-invalid="true"[^>]*>\s*<strong id="new-text-error">[^<]+<\/strong>/.test(reader.html), 'message beside it')
  equal(formsOf(reader.html).find(f => f.id === 'new').fields.assignee, 'keep <me>', 'kept')
  await (await reader.go('/')).submit('new', { text: 'x'.repeat(501) })
  equal([reader.status, formsOf(reader.html).find(f => f.id === 'new').fields.text], [422, 'x'.repeat(501)], 'too long, and kept')
  equal((await ask(node, '/api/v1/todos')).text, before, 'the list')
})

test('what is not there, not allowed, too long or no form', async () => {
  const { id } = itemsOf((await ask(node, '/')).text)[0]
  const long = 'text=' + 'x'.repeat(256 * 1024)
  const table = [
    ['/nowhere', {}, 404], ['/todos/aaaaaaaaaaaaaaaaaaaaaaaaaa', {}, 404], [`/todos/${id}`, {}, 200],
    ['/', { method: 'DELETE' }, 405], ['/', { method: 'PUT', headers: { 'content-length': 0 } }, 405], ['/todos', {}, 405], ['/healthz', { method: 'DELETE' }, 405],
    ['/todos', { method: 'POST', body: long, headers: { 'content-type': FORM, 'content-length': long.length } }, 413],
    ['/todos', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json', 'content-length': 2 } }, 415],
    ['/todos', { method: 'POST', body: 'text=a', headers: { 'content-type': 'multipart/form-data; boundary=x', 'content-length': 6 } }, 415],
    ['/todos/nobody/toggle', { method: 'POST', body: 'a=b', headers: { 'content-type': FORM, 'content-length': 3 } }, 404],
    ['/todos', { method: 'POST', headers: { 'content-type': FORM, 'content-length': 0 } }, 422]
  ]
  for (const [path, init, status] of table) {
    const answer = await ask(node, path, init)
    equal(answer.status, status, `${init.method ?? 'GET'} ${path}`)
    if (status === 405) ok(answer.headers.allow, `${path} says what it allows`)
    if (status === 404 && path !== '/healthz') equal([malformed(answer.text), answer.headers['cache-control']], [null, 'no-store'], path)
  }
})

test('the same form twice has one effect', async () => {
  const reader = new Reader(node)
  await (await reader.go('/')).submit('new', { text: 'once only' })
  const { action, fields } = reader.posted
  const again = await Promise.all([1, 2, 3].map(() => post(node, action, fields)))
  equal(again.map(answer => answer.status), [303, 303, 303], 'answers')
  equal(texts((await ask(node, '/')).text).filter(text => text === 'once only').length, 1, 'items')
  await post(node, action, { ...fields, text: 'another from a stale page' })
  equal(texts((await ask(node, '/')).text)[0], 'another from a stale page', 'another text is another action')
})

test('the session cookie comes with the first write only, and is named in history without being told', async () => {
  const [one, two] = [new Reader(node), new Reader(node)]
  await one.go('/')
  equal(one.cookies, 0, 'cookies for reading')
  await one.submit('new', { text: 'by one' })
  ok(/^holdfast_session=[a-z2-7]{26}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/.test(one.setCookie), one.setCookie)
  const { id } = itemsOf(one.html)[0]
  await (await one.go(`/todos/${id}`)).submit('edit', { text: 'by one again' })
  equal(one.cookies, 1, 'cookies after two writes')
  await (await two.go(`/todos/${id}`)).submit('edit', { text: 'by two' })
  const by = [...two.html.matchAll(/<p class="by">by <span dir="auto">([^<]+)<\/span>/g)].map(found => found[1])
  equal([by.length, by[0] === by[1], by[1] === by[2]], [3, true, false], `names in history: ${by}`)
  ok(!two.html.includes(one.cookie.slice(17)), 'the cookie is nowhere in it')
})

/* ---- addresses ---- */

test('/healthz, /readyz, /.well-known/holdfast.json and the app’s own addresses', async () => {
  equal([(await ask(node, '/healthz')).text, (await ask(node, '/readyz')).text], ['ok\n', 'ready\n'], 'health')
  const described = await ask(node, '/.well-known/holdfast.json')
  const { peerId, addresses, databases, release, siblings } = JSON.parse(described.text)
  equal([peerId, addresses, siblings], [node.peerId, node.addresses, []], 'described')
  ok(/^\/orbitdb\/zdpu\w+$/.test(databases.todos) && /^[a-z2-7]{13}$/.test(release), described.text)
  for (const path of ['/manifest.webmanifest', '/api/v1/todos']) JSON.parse((await ask(node, path)).text)
  for (const path of ['/robots.txt', '/sitemap.xml', '/static/app.css', '/static/icon.svg']) equal((await ask(node, path)).status, 200, path)
})

test('/events: a change is told within a second, and to one who comes back', async () => {
  for (let i = 0; i < 2; i++) {
    const stop = new AbortController()
    const events = await fetch(node.origin + '/events', { signal: stop.signal })
    equal([events.status, events.headers.get('content-type')], [200, 'text/event-stream'], 'stream')
    let heard = ''
    let at
    ;(async () => { for await (const chunk of events.body) { heard += Buffer.from(chunk); if (/event: change/.test(heard)) at ??= performance.now() } })().catch(() => {})
    const began = performance.now()
    await post(node, '/todos', { text: `told ${i}` })
    await until('a change', () => at, 5000)
    ok(at - began < 1000, `told after ${at - began} ms`)
    ok(/retry: \d+\n\n/.test(heard) && /event: change\ndata: {"collection":"todos"}\n\n/.test(heard), heard)
    stop.abort()
  }
})

test('HEAD is GET without a body, and If-None-Match is answered 304', async () => {
  const { id } = itemsOf((await ask(node, '/')).text)[0]
  for (const path of ['/', `/todos/${id}`, '/static/app.css', '/api/v1/todos', '/_holdfast/page.js', '/healthz', '/.well-known/holdfast.json']) {
    const [whole, head] = [await ask(node, path), await ask(node, path, { method: 'HEAD' })]
    equal([head.status, head.headers['content-length'], head.headers.etag, head.body.length], [200, String(whole.body.length), whole.headers.etag, 0], `HEAD ${path}`)
    ok(Math.abs(Date.parse(whole.headers.date) - Date.now()) < 60_000 && head.headers.date.endsWith(' GMT'), `Date of ${path}: ${whole.headers.date}`)
    if (!whole.headers.etag) continue
    const known = await ask(node, path, { headers: { 'if-none-match': whole.headers.etag } })
    equal([known.status, known.headers.etag, known.body.length], [304, whole.headers.etag, 0], `304 ${path}`)
  }
  const { etag } = (await ask(node, '/')).headers
  await post(node, '/todos', { text: 'changes the tag' })
  equal((await ask(node, '/', { headers: { 'if-none-match': etag } })).status, 200, 'after a change')
})

test('the browser’s files: compressed, kept for ever under their release, gone under another', async () => {
  const { release } = JSON.parse((await ask(node, '/.well-known/holdfast.json')).text)
  const files = [['page.js', /javascript/], ['core.wasm', /application\/wasm/], ['app.bundle', /octet-stream/], ['sw.js', /javascript/]]
  let total = 0
  for (const [name, type] of files) {
    const whole = await ask(node, `/_holdfast/${name}`)
    const small = await ask(node, `/_holdfast/${name}?v=${release}`, { headers: { 'accept-encoding': 'br, gzip' } })
    equal([whole.status, small.status, small.headers['content-encoding'], whole.headers['content-encoding']], [200, 200, 'gzip', undefined], name)
    if (name !== 'app.bundle') total += small.body.length
    ok(type.test(whole.headers['content-type']) && gunzipSync(small.body).equals(whole.body), `${name}: the same bytes`)
    equal([whole.headers['cache-control'], small.headers['cache-control'], small.headers.vary], ['no-cache', 'public, max-age=31536000, immutable', 'accept-encoding'], name)
    equal((await ask(node, `/_holdfast/${name}?v=aaaaaaaaaaaaa`)).status, 404, `${name} of another release`)
  }
  ok(total < 250_000, `what every browser loads: ${total} bytes`)
  const worker = await ask(node, '/_holdfast/sw.js')
  equal(worker.headers['service-worker-allowed'], '/', 'scope')
  ok(/default-src 'none'/.test(worker.headers['content-security-policy']) && worker.text.includes(release) && !worker.text.includes('__HOLDFAST'), 'the worker knows its release')
  equal((await ask(node, '/_holdfast/none.js')).status, 404, 'no such file')
})

test('paths do not lead out', async () => {
  const up = ['../', '..%2f', '%2e%2e/', '%2e%2e%2f', '..%5c', '....//', '%252e%252e%252f', '..;/', './../', '..%00/']
  for (const base of ['/static/', '/_holdfast/', '/', '/todos/']) {
    for (const step of up) {
      for (const target of ['app.json', 'templates/index.mustache', 'etc/passwd']) {
        const { status, text } = await ask(node, base + step.repeat(target === 'etc/passwd' ? 9 : 1) + target)
        ok(status >= 400 && status < 500 && !/root:|"collections"|\{\{/.test(text), `${base + step + target}: ${status}`)
      }
    }
  }
  for (const path of ['/app.json', '/templates/index.mustache', '/static/', '/static', '/static/../app.json', '/holdfast.db']) ok((await ask(node, path)).status >= 400, path)
})

test('connections: kept when asked to be, closed when not, and 100 Continue before a body that waits for it', async () => {
  const get = (version, headers = '') => `GET /healthz HTTP/${version}\r\nHost: localhost\r\n${headers}\r\n`
  const kept = new Raw(node.port)
  for (let n = 1; n <= 3; n++) {
    kept.send(get('1.1'))
    ok(await kept.until(r => r.got.split('ok\n').length > n), `request ${n}`)
  }
  kept.send(get('1.1', 'Connection: close\r\n') + get('1.1'))
  ok(await kept.until(r => r.closed), 'closed after the last')
  equal([kept.statuses, kept.got.match(/connection: close/g).length], [[200, 200, 200, 200], 1], 'answers')
  const old = new Raw(node.port)
  old.send(get('1.0'))
  ok(await old.until(r => r.closed) && old.got.includes('connection: close'), 'HTTP/1.0')
  const head = `POST /todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\nContent-Length: 9\r\n`
  const waiting = new Raw(node.port)
  waiting.send(head + 'Expect: 100-continue\r\n\r\n')
  ok(await waiting.until(r => r.got === 'HTTP/1.1 100 Continue\r\n\r\n'), '100')
  waiting.send('text=wait')
  ok(await waiting.until(r => r.statuses.length === 2) && waiting.statuses[1] === 303, 'and then the answer')
  const hasty = new Raw(node.port)
  hasty.send(head + 'Expect: 100-continue\r\n\r\ntext=wait')
  ok(await hasty.until(r => r.statuses.length) && hasty.statuses[0] === 303, 'no 100 when the body is there')
  const strange = new Raw(node.port)
  strange.send(head + 'Expect: wonders\r\n\r\n')
  ok(await strange.until(r => r.closed) && strange.statuses[0] === 417, '417')
  for (const raw of [waiting, hasty]) raw.end()
})

/** The samples of /metrics. */
async function metrics () {
  const answer = await ask(node, '/metrics')
  equal([answer.status, answer.headers['content-type'], answer.text.endsWith('\n# EOF\n')], [200, 'application/openmetrics-text; version=1.0.0; charset=utf-8', true], '/metrics')
  const lines = answer.text.trim().split('\n')
  for (const line of lines) ok(/^(# (TYPE|HELP) [a-z_]+ .+|# EOF|[a-z_]+(\{[a-z]+="[^"]*"\})? \d+)$/.test(line), line)
  return Object.fromEntries(lines.filter(line => !line.startsWith('#')).map(line => line.split(' ')).map(([name, value]) => [name, Number(value)]))
}

test('/metrics counts what happens', async () => {
  const tcp = 'holdfast_connections{kind="tcp"}'
  const idle = await metrics()
  const peer = new Raw(node.p2p)
  await until('a peer is counted', async () => (await metrics())[tcp] === idle[tcp] + 1)
  const before = await metrics()
  const now = Date.now() / 1000
  ok(before.process_start_time_seconds <= now && before.process_start_time_seconds > now - 600, 'start time')
  ok(before.holdfast_uptime_seconds <= now - before.process_start_time_seconds + 1, 'uptime')
  const raw = new Raw(node.port)
  raw.send('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const socket = new Raw(node.port)
  socket.send(upgrade('/p2p'))
  for (const one of [raw, socket]) ok(await one.until(r => r.statuses.length), 'answered')
  await post(node, '/todos', { text: 'counted' })
  await ask(node, '/nowhere')
  const after = await metrics()
  const more = name => after[name] - before[name]
  const kind = name => more(`holdfast_connections{kind="${name}"}`)
  equal([kind('events'), kind('websocket')], [1, 1], 'connections')
  ok(after['holdfast_connections{kind="page"}'] >= 1, 'this one')
  const answers = name => more(`holdfast_requests_total{class="${name}"}`)
  equal([answers('1xx'), answers('2xx'), answers('3xx'), answers('4xx'), answers('5xx')], [1, 2, 1, 1, 0], 'answers, with the first look itself')
  equal([more('holdfast_entries{collection="todos"}'), after.holdfast_peers, after.holdfast_entries_refused_total], [1, 0, 0], 'entries')
  for (const one of [raw, socket, peer]) one.end()
  equal((await ask(node, '/metrics', { method: 'POST', headers: { 'content-length': 0 } })).status, 405, 'only to be read')
})

/* ---- who may write, and under which name ---- */

test('a loopback node answers to this machine’s names only', async () => {
  const table = [['localhost', 200], [`localhost:${node.port}`, 200], ['127.0.0.1', 200], ['127.3.2.1:80', 200], [`[::1]:${node.port}`, 200], ['todo.localhost', 200],
    ['LOCALHOST', 200], ['evil.example', 421], ['localhost.evil.example', 421], ['127.0.0.1.evil.example', 421], ['127.evil.example', 421], ['[::1].evil.example', 421], ['10.0.0.1', 421],
    ['localhost@evil.example', 400], ['a b', 400]]
  for (const [host, status] of table) {
    equal((await ask(node, '/', { headers: { host } })).status, status, `GET with Host ${host}`)
    equal((await post(node, '/todos', { text: `by ${host}` }, { host })).status, status === 200 ? 303 : status, `POST with Host ${host}`)
    equal((await ask(node, '/events', { method: 'HEAD', headers: { host } })).status, status, `/events with Host ${host}`)
  }
  const { items } = JSON.parse((await ask(node, '/api/v1/todos?limit=1000')).text)
  ok(!items.some(item => /^by .*(evil|10\.)/.test(item.text)), 'nothing was written under a foreign name')
})

test('a form of another site is refused and nothing is written', async () => {
  const before = (await ask(node, '/api/v1/todos?limit=1000')).text
  const own = `http://127.0.0.1:${node.port}`
  const body = form({ text: 'forged' })
  const refused = [
    [{ origin: 'https://evil.example' }, 403], [{ origin: 'null' }, 403], [{ origin: `${own}.evil.example` }, 403], [{ origin: `https://127.0.0.1:${node.port}` }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403], [{ 'sec-fetch-site': 'same-site' }, 403], [{ origin: own, 'sec-fetch-site': 'cross-site' }, 403],
    [{ origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' }, 403], [{ 'content-type': 'text/plain' }, 415], [{ 'content-type': 'text/plain', origin: 'https://evil.example' }, 403]
  ]
  for (const [headers, status] of refused) {
    for (const path of ['/todos', '/api/v1/todos']) {
      const type = path === '/todos' ? FORM : 'application/json'
      const { status: got } = await ask(node, path, { method: 'POST', body: path === '/todos' ? body : '{"text":"forged"}', headers: { 'content-type': type, ...headers } })
      ok(got === status || got === 403, `${path} ${JSON.stringify(headers)}: ${got}`)
    }
  }
  equal((await ask(node, '/api/v1/todos?limit=1000')).text, before, 'the list')
  for (const headers of [{ origin: own }, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }, {}]) equal((await post(node, '/todos', { text: 'own' }, headers)).status, 303, JSON.stringify(headers))
})

test('nothing that is secret stands in the log', async () => {
  const reader = new Reader(node)
  await (await reader.go('/')).submit('new', { text: 'a private matter' })
  const secrets = execFileSync('sqlite3', [join(node.dir, 'holdfast.db'), "SELECT hex(value) FROM meta WHERE key='secrets'"], { encoding: 'utf8' }).trim().toLowerCase()
  equal(secrets.length, 256, 'kept secrets: three keys and a checksum')
  ok(node.log.length > 0, 'there is a log')
  const bytes = Buffer.from(secrets, 'hex')
  const parts = [0, 32, 64].map(at => bytes.subarray(at, at + 32))
  for (const form of [...parts.flatMap(part => [part.toString('hex'), part.toString('base64'), part.toString('base64url')]), reader.cookie.slice(17), 'a private matter']) {
    ok(!node.log.toLowerCase().includes(form.toLowerCase()), 'the log holds a secret')
  }
  equal((await ask(node, '/.well-known/holdfast.json')).text.includes('secret'), false, 'nor is one described')
})

test('SIGTERM ends it with status 0', async () => equal(await node.stop(), 0, 'exit status'))

test('SIGHUP reads the app anew, in the same process, unless it is broken', async () => {
  const app = tempDir()
  cpSync(new URL('../../apps/todo', import.meta.url).pathname, app, { recursive: true })
  const other = await Node.make({ flags: [app] })
  await other.start()
  await post(other, '/todos', { text: 'stays' })
  const manifest = readFileSync(join(app, 'app.json'), 'utf8')
  writeFileSync(join(app, 'app.json'), manifest.slice(1))
  other.process.kill('SIGHUP')
  await until('it says no', () => /not reloaded.*app\.json/.test(other.log))
  ok((await ask(other, '/')).text.includes('<title>Todo'), 'it goes on as it was')
  writeFileSync(join(app, 'app.json'), manifest.replaceAll('"Todo"', '"Renamed"'))
  other.process.kill('SIGHUP')
  await until('the new title', async () => (await ask(other, '/')).text.includes('<title>Renamed'))
  equal(texts((await ask(other, '/')).text), ['stays'], 'the list')
  equal(await other.stop(), 0, 'exit status')
})

test('the kill switch: the worker that removes itself', async () => {
  const other = await Node.make({ flags: ['--no-worker'] })
  await other.start()
  const worker = await ask(other, '/_holdfast/sw.js')
  ok(/registration\.unregister\(\)/.test(worker.text) && worker.headers['cache-control'] === 'no-cache', worker.text)
  ok(!/_holdfast\/page\.js/.test((await ask(other, '/')).text), 'pages come without the script')
  await other.stop()
})

/* ---- the command line ---- */

test('wrong usage says what is wrong and ends with 2', async () => {
  const table = [[['serve', '--colour', 'red'], /--colour/], [['serve', '--http'], /--http.*value/], [['serve', '--http', 'x:y'], /HOST:PORT/], [['serve', '--p2p', '99999'], /PORT/],
    [['serve', '--log-level', 'loud'], /error, warn/], [['serve', '--tls-cert', 'a'], /--tls-key/], [['fly'], /fly/], [['new'], /NAME/], [['new', '../up'], /name/i], [['id', '--colour'], /--colour/]]
  for (const [args, why] of table) {
    const { status, err } = await holdfast(...args)
    equal(status, 2, args.join(' '))
    ok(why.test(err) && err.split('\n').length === 2, `${args.join(' ')}: ${err}`)
  }
  for (const args of [['help'], ['--version'], ['serve', '--help'], ['-h']]) equal((await holdfast(...args)).status, 0, args[0])
})

test('what stands in the way of a start is named, and ends it with 1', async () => {
  const other = await Node.make()
  await other.start()
  const [http, p2p, dir] = [await freePort(), await freePort(), tempDir()]
  const broken = tempDir()
  writeFileSync(join(broken, 'app.json'), '{"name": "x",')
  const serve = (...flags) => holdfast('serve', '--no-mdns', ...flags)
  const table = [
    ['a folder in use', await serve('--dir', other.dir, '--http', `127.0.0.1:${http}`, '--p2p', `127.0.0.1:${p2p}`), /in use by another node/],
    ['a page port in use', await serve('--dir', dir, '--http', `127.0.0.1:${other.port}`, '--p2p', `127.0.0.1:${p2p}`), /cannot serve pages.*(in use|address)/],
    ['a peer port in use', await serve('--dir', dir, '--http', `127.0.0.1:${http}`, '--p2p', `127.0.0.1:${other.p2p}`), /cannot listen for peers.*in use/],
    ['an address of nobody', await serve('--dir', dir, '--http', `203.0.113.1:${http}`, '--p2p', 'off'), /cannot serve pages/],
    ['no app', await serve('/nowhere/at/all', '--dir', dir, '--http', `127.0.0.1:${http}`, '--p2p', 'off'), /\/nowhere\/at\/all/],
    ['a broken app', await serve(broken, '--dir', dir, '--http', `127.0.0.1:${http}`, '--p2p', 'off'), /app\.json/],
    ['no place for data', await serve('--dir', '/proc/holdfast', '--http', `127.0.0.1:${http}`, '--p2p', 'off'), /data folder/],
    ['a bad join', await serve('--dir', dir, '--http', `127.0.0.1:${http}`, '--p2p', 'off', '--join', '/ip4/1.2.3.4/udp/1'), /\/udp\/1.*dialled/]
  ]
  for (const [what, { status, err }, why] of table) {
    equal(status, 1, what)
    ok(why.test(err), `${what}: ${err}`)
  }
  equal((await ask(other, '/healthz')).status, 200, 'the first node goes on')
  await other.stop()
})

test('a node listens where it was told and nowhere else', async () => {
  const listening = port => execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' }).split('\n').filter(Boolean).map(line => line.split(/\s+/)[3])
  for (const [host, where] of [['127.0.0.1', '127.0.0.1'], ['localhost', '127.0.0.1'], ['[::1]', '[::1]'], ['0.0.0.0', '0.0.0.0']]) {
    const other = await Node.make()
    other.flags = ['--http', `${host}:${other.port}`]
    await other.start()
    equal([listening(other.port), listening(other.p2p)], [[`${where}:${other.port}`], [`127.0.0.1:${other.p2p}`]], host)
    await other.kill()
  }
})

test('holdfast id: of a running node and of one that rests', async () => {
  const other = await Node.make()
  await other.start()
  const running = await holdfast('id', '--dir', other.dir, '--json')
  equal([running.status, JSON.parse(running.out)], [0, { peerId: other.peerId, addresses: other.addresses }], 'running')
  await other.stop()
  const resting = await holdfast('id', '--dir', other.dir, '--json')
  equal([resting.status, JSON.parse(resting.out)], [0, { peerId: other.peerId, addresses: [] }], 'resting')
  equal((await holdfast('id', '--dir', other.dir)).out, other.peerId + '\n', 'for people')
  const nowhere = await holdfast('id', '--dir', join(other.dir, 'none'))
  ok(nowhere.status === 1 && nowhere.err.includes('none') && !existsSync(join(other.dir, 'none')), `no node there: ${nowhere.err}`)
})

test('holdfast new: an app that runs at once', async () => {
  const dir = tempDir()
  const made = await new Promise(resolve => execFile(HOLDFAST, ['new', 'notes'], { cwd: dir }, (error, out, err) => resolve({ status: error?.code ?? 0, out, err })))
  equal(made.status, 0, made.err)
  ok(made.out.includes('holdfast serve notes'), made.out)
  const app = await Node.make({ flags: [join(dir, 'notes')] })
  await app.start()
  const reader = new Reader(app)
  await (await reader.go('/')).submit('new', { text: 'first <note>' })
  equal([reader.submitted, reader.status, malformed(reader.html)], [303, 200, null], 'it takes a note')
  ok(reader.html.includes('first &lt;note&gt;') && reader.html.includes('<title>Notes</title>'), reader.html)
  await reader.submit('new', { text: '' })
  equal(reader.status, 422, 'it checks')
  const [, action] = /formaction="([^"]+\/delete)"/.exec((await reader.go('/')).html)
  await reader.submit(action)
  ok(reader.submitted === 303 && !reader.html.includes('first'), 'it deletes')
  equal((await ask(app, '/static/app.css')).status, 200, 'style')
  await app.stop()
  const again = await new Promise(resolve => execFile(HOLDFAST, ['new', 'notes'], { cwd: dir }, (error, out, err) => resolve({ status: error?.code ?? 0, err })))
  ok(again.status === 1 && /exists/.test(again.err), `never over what is there: ${again.err}`)
})

/* ---- TLS ---- */

test('https with a certificate of one’s own: pages, forms and WebSockets', async () => {
  const dir = tempDir()
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' })
  const secure = await Node.make({ flags: ['--tls-cert', cert, '--tls-key', key] })
  await secure.start()
  const curl = (...args) => execFileSync('curl', ['-s', '--max-time', '10', '--cacert', cert, ...args], { encoding: 'utf8' })
  const origin = `https://localhost:${secure.port}`
  for (const version of ['--http1.1', '--http2', '--tlsv1.3']) ok(/<!doctype html>/i.test(curl(version, origin + '/')), `a page, ${version}`)
  const posted = curl('-i', '-d', 'text=over+TLS', '-H', `origin: ${origin}`, origin + '/todos')
  ok(/^HTTP\/1\.1 303/.test(posted) && /set-cookie: [^\n]*; Secure/i.test(posted), posted)
  ok(curl(origin + '/').includes('over TLS'), 'written')
  const big = Buffer.from(execFileSync('curl', ['-s', '--cacert', cert, origin + '/_holdfast/core.wasm']))
  ok(big.equals(readFileSync(new URL('../../build/browser/core.wasm', import.meta.url))), 'a long file is whole')
  const long = join(dir, 'long.txt')
  writeFileSync(long, 'text=' + 'x'.repeat(250_000))
  const asked = curl('-i', '-d', `@${long}`, '-H', 'expect: 100-continue', origin + '/todos')
  ok(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 422 /.test(asked) && asked.includes('x'.repeat(250_000)), 'a long form comes, and goes back')
  const many = await new Promise((resolve, reject) => {
    const socket = connectTls({ port: secure.port, host: 'localhost', ca: readFileSync(cert), servername: 'localhost' })
    let got = ''
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1999) + 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    socket.on('data', chunk => { got += chunk })
    socket.on('error', reject)
    socket.on('close', () => resolve(got.match(/HTTP\/1\.1 200 /g).length))
  })
  equal(many, 2000, 'requests in a row')
  const upgraded = await new Promise((resolve, reject) => {
    const socket = connectTls({ port: secure.port, host: 'localhost', ca: readFileSync(cert), servername: 'localhost' }, () => socket.write(upgrade('/p2p')))
    let got = ''
    socket.on('data', chunk => {
      got += chunk.toString('latin1')
      if (got.endsWith('\r\n\r\n')) socket.write(frame(MULTISTREAM))
      if (got.includes(MULTISTREAM)) socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(got))
  })
  ok(/^HTTP\/1\.1 101 /.test(upgraded) && upgraded.includes(MULTISTREAM), `a peer is answered: ${upgraded}`)
  equal((await ask({ port: secure.port }, '/').catch(error => error.code)), 'ECONNRESET', 'plain HTTP on that port')
  equal((curl(origin + '/healthz')), 'ok\n', 'after it')
  equal(await secure.stop(), 0, 'exit status')
  const wrong = await holdfast('serve', '--no-mdns', '--p2p', 'off', '--dir', tempDir(), '--http', `127.0.0.1:${secure.port}`, '--tls-cert', key, '--tls-key', cert)
  ok(wrong.status === 1 && /cannot serve pages.*key\.pem/.test(wrong.err), `the wrong way round: ${wrong.status} ${wrong.err}`)
})

await run()
