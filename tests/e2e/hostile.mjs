/* What strangers do to a node's ports: broken requests, requests that never end, sockets that never speak, frames that lie. Each is answered or closed
 * in bounded time, and a normal request right after it works. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { equal, Node, ok, run, sleep, test, until } from './kit.mjs'
import { ask, FORM, frame, MULTISTREAM, post, Raw, rssKiB, say, upgrade } from './wire.mjs'

const node = await Node.make()
const GET = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'
const POST = (body, headers = '') => `POST /todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
const texts = async () => JSON.parse((await ask(node, '/api/v1/todos?limit=1000')).text).items.map(item => item.text)
/* In hundredths of a second. */
const cpuTime = () => {
  const fields = readFileSync(`/proc/${node.process.pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return Number(fields[11]) + Number(fields[12])
}
const nFiles = () => readdirSync(`/proc/${node.process.pid}/fd`).length

async function works (after) {
  const began = performance.now()
  equal((await say(node.port, GET)).statuses, [200], `a normal request after ${after}`)
  const ms = performance.now() - began
  ok(ms < 3000, `a normal request after ${after} took ${ms.toFixed(0)} ms`)
}

/** `n` sockets at this port; each says something, or nothing. */
async function sockets (n, port, first) {
  const all = Array.from({ length: n }, () => new Raw(port))
  await Promise.all(all.map(raw => raw.opened))
  if (first) for (const raw of all) raw.send(first)
  return all
}

test('a node starts', async () => {
  await node.start()
  await post(node, '/todos', { text: 'here before' })
})

test('a request cut at every byte is the same request', async () => {
  const request = POST('text=in+pieces&op=the+same')
  for (let at = 1; at < request.length; at++) {
    const raw = new Raw(node.port)
    await raw.opened
    raw.send(request.slice(0, at))
    await sleep(1) /* so that it comes by itself: that it was read, nothing says */
    raw.send(request.slice(at))
    await raw.until(r => r.statuses.length)
    equal(raw.statuses, [303], `cut at ${at}`)
    raw.end()
  }
  const raw = new Raw(node.port)
  for (const byte of request) { raw.send(byte); await new Promise(resolve => setImmediate(resolve)) }
  await raw.until(r => r.statuses.length)
  equal(raw.statuses, [303], 'byte by byte')
  raw.end()
  equal((await texts()).filter(text => text === 'in pieces').length, 1, 'one effect')
})

test('requests one after another in one packet are answered in order', async () => {
  const many = await say(node.port, GET.repeat(50), { answers: 50 })
  equal(many.statuses, Array(50).fill(200), 'fifty')
  const mixed = [...Array(20).keys()].map(i => POST(`text=packed+${i}`) + GET).join('')
  const began = performance.now()
  equal((await say(node.port, mixed, { answers: 40 })).statuses, Array(20).fill([303, 200]).flat(), 'forms and others')
  const ms = performance.now() - began
  ok(ms < 500, `twenty forms in one packet took ${ms.toFixed(0)} ms: each waited for something else to happen`)
  equal((await texts()).filter(text => text.startsWith('packed')), [...Array(20).keys()].map(i => `packed ${i}`), 'in order')
  const { id } = JSON.parse((await ask(node, '/api/v1/todos?text=packed+0')).text).items[0]
  const empty = `POST /todos/${id}/toggle HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\nContent-Length: 0\r\n\r\n`
  equal((await say(node.port, empty.repeat(4) + GET, { answers: 5 })).statuses, [303, 303, 303, 303, 200], 'forms without a body')
  equal((await say(node.port, `DELETE /api/v1/todos/${id} HTTP/1.1\r\nHost: localhost\r\n\r\n` + GET, { answers: 2 })).statuses, [204, 200], 'a deletion')
})

/* [what, bytes, statuses that may come (none: closed without an answer)] */
const BROKEN = [
  ['nothing but line ends', '\r\n\r\n\r\n\r\n', [400]],
  ['no HTTP', 'hello\r\n\r\n', [400]],
  ['random bytes', randomBytes(4000), [400]],
  ['TLS on the plain port', Buffer.from('16030100dc010000d80303' + '00'.repeat(200), 'hex'), [400]],
  ['HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [505]],
  ['h2c upgrade', 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n', [200]],
  ['another upgrade', 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n', [200]],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', [400]],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost: \r\n\r\n', [400]],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n', [400]],
  ['an unknown method', 'BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n', [400]],
  ['a method in lower case', 'get / HTTP/1.1\r\nHost: localhost\r\n\r\n', [400]],
  ['CONNECT', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n', [400]],
  ['TRACE', 'TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n', [405]],
  ['HTTP/0.9', 'GET /\r\n\r\n', [400]],
  ['HTTP/9.9', 'GET / HTTP/9.9\r\nHost: localhost\r\n\r\n', [505]],
  ['a request in HTTP/2.0', 'GET / HTTP/2.0\r\nHost: localhost\r\n\r\n', [505]],
  ['RTSP', 'GET / RTSP/1.0\r\nHost: localhost\r\n\r\n', [400]],
  ['two spaces', 'GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n', [400]],
  ['a NUL in the path', 'GET /a\0b HTTP/1.1\r\nHost: localhost\r\n\r\n', [400]],
  ['an escaped NUL', 'GET /a%00b HTTP/1.1\r\nHost: localhost\r\n\r\n', [400]],
  ['a broken escape', 'GET /a%zz HTTP/1.1\r\nHost: localhost\r\n\r\n', [400]],
  ['a NUL in a header', 'GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\0b\r\n\r\n', [400]],
  ['a lone LF', 'GET / HTTP/1.1\nHost: localhost\n\n', [400]],
  ['a lone LF after the first line', 'GET / HTTP/1.1\nHost: localhost\r\n\r\n', [400]],
  ['a lone CR', 'GET / HTTP/1.1\rHost: localhost\r\r', [400]],
  ['a header without colon', 'GET / HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n', [400]],
  ['a header of spaces', 'GET / HTTP/1.1\r\nHost: localhost\r\n : x\r\n\r\n', [400]],
  ['a header without name', 'GET / HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n', [400]],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost: localhost\r\nX-A : x\r\n\r\n', [400]],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\r\n b\r\n\r\n', [400]],
  ['a name of 20,000 bytes', `GET / HTTP/1.1\r\nHost: localhost\r\n${'n'.repeat(20_000)}: v\r\n\r\n`, [431]],
  ['a value of 20,000 bytes', `GET / HTTP/1.1\r\nHost: localhost\r\nCookie: ${'v'.repeat(20_000)}\r\n\r\n`, [431]],
  ['a path of 20,000 bytes', `GET /${'p'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, [431]],
  ['a million bytes of header', `GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ${'v'.repeat(1_000_000)}\r\n\r\n`, [431]],
  ['5,000 headers', `GET / HTTP/1.1\r\nHost: localhost\r\n${'Accept: a\r\n'.repeat(5000)}\r\n`, [431]],
  ['a length and chunks', POST('text=smuggled', 'Transfer-Encoding: chunked\r\n'), [400]],
  ['chunks', `POST /todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\nTransfer-Encoding: chunked\r\n\r\nd\r\ntext=smuggled\r\n0\r\n\r\n`, [411]],
  ['chunks, oddly written', POST('text=smuggled', 'Transfer-Encoding : chunked\r\n'), [400]],
  ['chunks in capitals', POST('text=smuggled', 'TRANSFER-ENCODING: Chunked\r\n'), [400]],
  ['chunks under another name', POST('text=smuggled', 'Transfer-Encoding: xchunked\r\n'), [400]],
  ['two lengths', POST('text=smuggled', 'Content-Length: 4\r\n'), [400]],
  ['the same length twice', POST('text=smuggled', 'Content-Length: 13\r\n'), [400]],
  ['no length', `POST /todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\n\r\ntext=smuggled`, [411]],
  ...['-1', '+13', '0x0d', '13, 13', '1e1', '99999999999999999999', '13 13', 'a'].map(length =>
    [`a length of ${length}`, `POST /todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\nContent-Length: ${length}\r\n\r\ntext=smuggled`, [400, 413]]),
  ['a length of 10 GB', `POST /todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\nContent-Length: 10000000000\r\n\r\n`, [413]],
  ['GET with a body', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\ntext=smuggled', [400]],
  ['a WebSocket elsewhere', upgrade('/todos'), [404]],
  ['a WebSocket under a foreign name', upgrade('/p2p').replace('localhost', 'evil.example'), [421]],
  ['a WebSocket without key', upgrade('/p2p').replace(/Sec-WebSocket-Key[^\r]*\r\n/, ''), [400]],
  ['a WebSocket of another version', upgrade('/p2p').replace('Version: 13', 'Version: 7'), [426]]
]

test(`${BROKEN.length} broken requests: an answer or a close, at once, and never a second request out of the first`, async () => {
  for (const [what, bytes, may] of BROKEN) {
    const began = performance.now()
    const raw = new Raw(node.port)
    raw.send(bytes)
    await raw.until(r => r.closed || r.statuses.length, 12_000)
    const ms = performance.now() - began
    ok(raw.closed || raw.statuses.length, `${what}: hangs`)
    ok(raw.statuses.every(status => may.includes(status)), `${what}: ${raw.statuses}`)
    ok(ms < 9500, `${what}: ${ms.toFixed(0)} ms`)
    /* 405 is said to a request that was understood. */
    if (raw.statuses[0] >= 400 && raw.statuses[0] !== 405) {
      raw.send(GET)
      ok(await raw.until(r => r.closed, 4000) && raw.statuses.length === 1, `${what}: what follows is taken for another request`)
    }
    raw.end()
    await works(what)
  }
  equal((await texts()).filter(text => /smuggled/.test(text)), [], 'nothing was smuggled')
})

test('20,000 random mutations of requests', async () => {
  const seeds = [GET, POST('text=mutated'), upgrade('/p2p'), 'GET /?q=a&status=open HTTP/1.1\r\nHost: localhost\r\nCookie: holdfast_session=aaaa\r\nAccept-Encoding: gzip\r\n\r\n'].map(s => Buffer.from(s))
  let state = 12345
  const random = n => (state = (state * 1103515245 + 12345) & 0x7fffffff) % n
  const mutate = seed => {
    const bytes = Buffer.from(seed)
    for (let i = random(4) + 1; i--;) bytes[random(bytes.length)] = random(256)
    return random(3) ? bytes : bytes.subarray(0, random(bytes.length))
  }
  /* Many a connection, pipelined: what comes back is not looked at, that it goes on is. */
  for (let round = 0; round < 40; round++) {
    const all = await sockets(50, node.port)
    for (const raw of all) for (let i = 0; i < 10; i++) raw.send(mutate(seeds[random(seeds.length)]))
    for (const raw of all) raw.socket.end()
    await Promise.all(all.map(raw => raw.until(r => r.closed, 20)))
    for (const raw of all) raw.end()
    if (round % 10 === 0) await works(`round ${round}`)
  }
  await works('20,000 mutations')
})

const BODY_HEAD = `POST /todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\nContent-Length: 100000\r\n\r\n`

test('2,620 dawdlers at once: others are served, all are dropped, memory and descriptors return', async () => {
  const [files, memory] = [nFiles(), rssKiB(node)]
  const began = performance.now()
  const kinds = [
    { what: 'requests that go on for ever', n: 300, port: node.port, first: 'GET / HTTP/1.1\r\nHost: localhost\r\nX-', drip: 'a' },
    { what: 'headers that stop', n: 1000, port: node.port, first: 'GET / HTTP/1.1\r\n' },
    { what: 'bodies that never come', n: 100, port: node.port, first: BODY_HEAD },
    { what: 'bodies that come too slowly', n: 20, port: node.port, first: BODY_HEAD, drip: 'text=slow' },
    { what: 'sockets to pages that never speak', n: 500, port: node.port },
    { what: 'sockets to peers that never speak', n: 500, port: node.p2p },
    { what: 'WebSockets that say hello and no more', n: 200, port: node.port, first: upgrade('/p2p'), then: frame(MULTISTREAM) }
  ]
  for (const kind of kinds) {
    const before = rssKiB(node)
    kind.all = await sockets(kind.n, kind.port, kind.first)
    if (kind.then) for (const raw of kind.all) { await raw.until(r => r.statuses.length); raw.send(kind.then) }
    await works(kind.what)
    kind.each = (rssKiB(node) - before) / kind.n
  }
  const most = rssKiB(node)
  const drip = setInterval(() => { for (const { all, drip } of kinds) if (drip) for (const raw of all) raw.send(drip) }, 500)
  equal((await post(node, '/todos', { text: 'meanwhile' })).status, 303, 'a form meanwhile')
  for (const { what, n, all, each } of kinds) {
    await Promise.all(all.map(raw => raw.until(r => r.closed, 20_000)))
    const open = all.filter(raw => !raw.closed).length
    console.log(`  ${n} ${what}: ${each.toFixed(1)} KiB each; dropped by ${((performance.now() - began) / 1000).toFixed(1)} s`)
    equal(open, 0, `${what}: still open`)
  }
  clearInterval(drip)
  await until('descriptors back', () => nFiles() <= files + 2)
  console.log(`  resident ${memory} KiB before, ${most} KiB with them, ${rssKiB(node)} KiB after`)
  ok(most - memory < 64 * 1024 && rssKiB(node) - memory < 16 * 1024, 'memory')
})

test('WebSockets: at / and /p2p, and a peer is answered', async () => {
  for (const path of ['/', '/p2p']) {
    const raw = new Raw(node.port)
    raw.send(upgrade(path))
    await raw.until(r => r.got.includes('\r\n\r\n'))
    equal(raw.statuses, [101], path)
    raw.send(frame(MULTISTREAM))
    ok(await raw.until(r => r.got.includes(MULTISTREAM)), 'multistream is answered')
    raw.end()
  }
})

/** A WebSocket that was let in; `frames`: what came after that. */
async function webSocket () {
  const raw = new Raw(node.port)
  raw.send(upgrade('/p2p'))
  await raw.until(r => r.got.includes('\r\n\r\n'))
  Object.defineProperty(raw, 'frames', { get: () => raw.got.slice(raw.got.indexOf('\r\n\r\n') + 4) })
  return raw
}

test('frames: one stream whatever pieces it comes in, pings are answered, goodbyes say why', async () => {
  const pieces = Buffer.concat([frame(MULTISTREAM.slice(0, 7), { first: 0x02 }), frame('are you there?', { first: 0x89 }), frame('', { first: 0x00 }), frame(MULTISTREAM.slice(7), { first: 0x80 })])
  for (const size of [1, 3, pieces.length]) {
    const raw = await webSocket()
    for (let at = 0; at < pieces.length; at += size) {
      raw.send(pieces.subarray(at, at + size))
      await new Promise(resolve => setImmediate(resolve))
    }
    ok(await raw.until(r => r.frames.includes('\x8a\x0eare you there?')), `a pong, ${size} at a time`)
    ok(await raw.until(r => r.frames.includes(MULTISTREAM)), `multistream is answered, ${size} at a time`)
    raw.end()
  }
  const early = new Raw(node.port)
  early.send(Buffer.concat([Buffer.from(upgrade('/p2p')), frame(MULTISTREAM)]))
  ok(await early.until(r => r.got.includes(MULTISTREAM)), 'a frame in the packet of the request')
  early.end()
  const code = (number, why = '') => '\x88' + String.fromCharCode(2 + why.length, number >> 8, number & 255) + why
  const goodbyes = [[frame('\x03\xe8', { first: 0x88 }), code(1000)], [frame('\x03\xe9gone', { first: 0x88 }), code(1001, 'gone')], [frame('', { first: 0x88 }), '\x88\0'],
    [frame('hello', { first: 0x81 }), code(1003)], [frame('hello', { masked: false }), code(1002)], [frame('hello', { first: 0xc2 }), code(1002)],
    [frame('hello', { first: 0x83 }), code(1002)], [frame('hello', { first: 0x80 }), code(1002)], [Buffer.concat([frame('a', { first: 0x02 }), frame('b', { first: 0x02 })]), code(1002)],
    [frame('hello', { told: (16 << 20) + 1 }), code(1009)]]
  for (const [bytes, want] of goodbyes) {
    const raw = await webSocket()
    raw.send(bytes)
    ok(await raw.until(r => r.frames.endsWith(want)), `${want.charCodeAt(2) * 256 + want.charCodeAt(3)}: ${Buffer.from(raw.frames, 'latin1').toString('hex')}`)
    ok(await raw.until(r => r.closed), 'closed')
  }
})

test('one who pings and does not read is not kept in memory', async () => {
  const raw = await webSocket()
  const before = rssKiB(node)
  raw.socket.pause()
  const ping = frame('p'.repeat(125), { first: 0x89 })
  const many = Buffer.concat(Array(8000).fill(ping))
  for (let i = 0; i < 40; i++) await new Promise(resolve => raw.socket.write(many, resolve))
  await works('40 MB of pings')
  ok(rssKiB(node) - before < 12 * 1024, `${rssKiB(node) - before} KiB more`)
  raw.end()
})

test('frames that lie or make no sense end their socket, not the node', async () => {
  const frames = [
    ['not masked', frame('hello', { masked: false })], ['text', frame('hello', { first: 0x81 })], ['reserved bits', frame('hello', { first: 0xf2 })],
    ['an unknown opcode', frame('hello', { first: 0x83 })], ['a continuation of nothing', frame('hello', { first: 0x80 })], ['a long ping', frame('p'.repeat(200), { first: 0x89 })],
    ['a ping in pieces', frame('ping', { first: 0x09 })], ['a close of one byte', frame('x', { first: 0x88 })], ['garbage in a frame', frame(randomBytes(5000).toString('latin1'))],
    ['2^62 bytes', frame('x'.repeat(100_000), { told: 2 ** 62 })], ['10 MB of garbage', frame('x'.repeat(10_000_000))], ['random bytes', randomBytes(10_000)],
    ['yamux before noise', frame('\0\0\0\x01\0\0\0\x01\0\0\0\0')], ['a length prefix and nothing', frame('\xff\xff\xff\x7f')]
  ]
  for (const [what, bytes] of frames) {
    const raw = new Raw(node.port)
    raw.send(upgrade('/p2p'))
    await raw.until(r => r.statuses.length)
    raw.send(bytes)
    ok(await raw.until(r => r.closed, 12_000), `${what}: still open`)
    await works(what)
  }
  const tcp = [randomBytes(10_000), MULTISTREAM + '\x07/noise\n' + '\xff\xff' + 'x'.repeat(65_535), 'GET / HTTP/1.1\r\n\r\n', '\x80'.repeat(1000), MULTISTREAM.repeat(500)]
  for (const [i, bytes] of tcp.entries()) {
    const raw = new Raw(node.p2p)
    raw.send(Buffer.from(bytes, 'latin1'))
    ok(await raw.until(r => r.closed, 15_000), `TCP ${i}: still open`)
    await works(`TCP ${i}`)
  }
})

test('readers that do not read do not stop others, and listeners that go are forgotten', async () => {
  const files = nFiles()
  const deaf = await sockets(50, node.port, 'GET /_holdfast/core.wasm HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(40))
  for (const raw of deaf) raw.socket.pause()
  await works('deaf readers')
  const listeners = await sockets(100, node.port, 'GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await Promise.all(listeners.map(raw => raw.until(r => r.statuses.length)))
  for (const raw of [...deaf, ...listeners]) raw.end()
  await until('descriptors back', () => nFiles() <= files + 2)
  equal((await post(node, '/todos', { text: 'told to nobody' })).status, 303, 'a change after they went')
  const uptime = async () => Number(/^holdfast_uptime_seconds (\S+)/m.exec((await ask(node, '/metrics')).text)[1])
  const [before, from] = [cpuTime(), await uptime()]
  await until('a second of its own', async () => await uptime() >= from + 1, 5000, 100)
  ok(cpuTime() - before < 20, `an idle node is idle: ${cpuTime() - before} hundredths of a second in a second`)
})

test('when silent ones hold every place, the longest silent one gives way', async () => {
  const soft = Number(/Max open files\s+(\d+)/.exec(readFileSync(`/proc/${node.process.pid}/limits`, 'utf8'))[1])
  const places = Math.min(10_000, soft - Math.trunc(soft / 4))
  const [memory, all] = [rssKiB(node), []]
  while (all.length < places) {
    const some = await sockets(Math.min(200, places - all.length), node.port, GET)
    await Promise.all(some.map(raw => raw.until(r => r.statuses.length)))
    all.push(...some)
  }
  console.log(`  ${places} connections, ${((rssKiB(node) - memory) / places).toFixed(1)} KiB each`)
  await works('all places were taken')
  await until('one of the first is closed', () => all.slice(0, 200).some(raw => raw.closed))
  equal(all.filter(raw => raw.closed).length, 1, 'closed')
  for (const raw of all) raw.end()
})

test('it is still the node it was', async () => {
  ok((await texts()).includes('here before'), 'the list')
  equal(await node.stop(), 0, 'exit status')
})

await run()
