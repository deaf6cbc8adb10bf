// webrtc-direct: js-libp2p in a real Chromium calls `holdfast p2pd` and `holdfast serve` without domain or certificate authority; version 2 by hand; then UDP
// packets that nobody should send, while others go on. `node webrtc_direct.mjs PAGE_SCRIPT [NAME]` closes with `N passed, N failed`.
import { spawn } from 'node:child_process'
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { crc32 } from 'node:zlib'
import { Node, browser, equal, ok, onExit, run, sleep, tempDir, test, until } from '../e2e/kit.mjs'

const script = readFileSync(process.argv[2], 'utf8')
const HOLDFAST = process.env.HOLDFAST ?? new URL('../../build/holdfast', import.meta.url).pathname
const MB = 1 << 20

// ---- ours ----

/** `holdfast p2pd`, which echoes on /echo/1.0.0. */
async function p2pd (...flags) {
  const child = spawn(HOLDFAST, ['p2pd', '-listen', `/unix${join(tempDir(), 'control')}`, '-hostAddrs', '/ip4/127.0.0.1/udp/0/webrtc-direct', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
  const node = { child, gone: new Promise(resolve => child.once('exit', (code, signal) => resolve(signal ?? code))) }
  onExit(() => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('Peer ID: ')) node.id = line.slice(9)
    if (!line.includes('/webrtc-direct')) continue
    node.address = `${line}/p2p/${node.id}`
    node.port = Number(line.split('/')[4])
    return node
  }
  throw new Error('holdfast p2pd did not start')
}

const rss = node => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${node.child.pid}/status`, 'utf8'))[1]) * 1024
const ticks = node => readFileSync(`/proc/${node.child.pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13).reduce((sum, n) => sum + Number(n), 0)

// ---- the page ----

async function page () {
  const server = createServer((request, response) => {
    response.setHeader('content-type', request.url === '/' ? 'text/html' : 'text/javascript')
    response.end(request.url === '/' ? '<!doctype html><title>lab</title><script type=module src=/page.js></script>' : script)
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  onExit(() => server.close())
  const page = await (await (await browser()).newContext()).newPage()
  await page.goto(`http://127.0.0.1:${server.address().port}/`)
  await page.waitForFunction(() => window.lab)
  return (what, ...args) => page.evaluate(([what, args]) => window.lab[what](...args), [what, args])
}

let lab, peer
const both = async () => { lab ??= await page(); peer ??= await p2pd() }

// ---- js-libp2p ----

test('js-libp2p in Chromium dials us: Noise says who is there, ping and identify answer', async () => {
  await both()
  const dialled = await lab('dial', peer.address)
  equal([dialled.peer, dialled.remote], [peer.id, peer.address], 'dialled')
  ok(await lab('ping', peer.address) < 2000, 'ping')
  const told = await lab('identify', peer.address)
  equal([told.agentVersion, told.listenAddrs], ['holdfast/0.1.0 p2pd', [peer.address.replace(/\/p2p\/.*/, '')]], 'identify')
  ok(/^\/ip4\/127\.0\.0\.1\/udp\/\d+\/webrtc-direct/.test(told.observedAddr), `we see ${told.observedAddr}`)
})

test('another peer ID than the one that was called is not connected to', async () => {
  await both()
  const stranger = await p2pd()
  const error = await lab('dial', peer.address.replace(peer.id, stranger.id)).then(() => null, err => err.message)
  ok(error, 'the dial went through')
  stranger.child.kill('SIGTERM')
  equal(await stranger.gone, 0, 'the end of the other')
})

test('8 MB there and back, every byte where it was, in pieces of 60 KB and of 100 bytes', async () => {
  await both()
  const large = await lab('echo', peer.address, 8 * MB, 60_000)
  equal([large.got, large.wrong], [8 * MB, false], 'large')
  console.log(`  ${(8 / (large.ms / 1000)).toFixed(1)} MB/s there and as much back`)
  const small = await lab('echo', peer.address, 300_000, 100)
  equal([small.got, small.wrong], [300_000, false], 'small')
})

test('100 streams at once, five times over: channels are closed and their numbers used again', async () => {
  await both()
  equal(await lab('many', peer.address, 100, 5), 500, 'streams')
  await until('their streams are closed', async () => await lab('streams', peer.address) < 5)
})

test('FIN: our side ends, theirs goes on, and the end is acknowledged at once', async () => {
  await both()
  const { got, status, closedIn } = await lab('halfClose', peer.address)
  equal([got, status], [50_000, 'closed'], 'half closed')
  ok(closedIn < 2000, `closing took ${closedIn} ms: FIN_ACK did not come`)
})

test('RESET both ways ends a stream and not the connection', async () => {
  await both()
  const reset = await lab('reset', peer.address)
  equal(reset, { after: 5000, status: 'aborted' }, 'ours')
  const refused = await lab('refused', peer.address)
  ok(refused.error && refused.after === 5000, JSON.stringify(refused))
})

test('twenty peers of one page at once', async () => {
  await both()
  equal(await lab('crowd', peer.address, 20), 20, 'echoed')
})

test('over IPv6', async () => {
  await both()
  const other = await p2pd('-hostAddrs', '/ip6/::1/udp/0/webrtc-direct')
  ok(other.address.startsWith('/ip6/::1/'), other.address)
  equal((await lab('echo', other.address, 100_000)).got, 100_000, 'echo')
  ok(/^\/ip6\/::1\/udp/.test((await lab('identify', other.address)).observedAddr), 'seen')
  other.child.kill('SIGTERM')
  equal(await other.gone, 0, 'the end')
})

test('listening everywhere: answers leave from the address that was called', async () => {
  await both()
  const other = await p2pd('-hostAddrs', '/ip4/0.0.0.0/udp/0/webrtc-direct')
  for (const ip of ['127.0.0.1', '127.0.0.5']) {
    equal((await lab('echo', other.address.replace(/^\/ip4\/[^/]+/, `/ip4/${ip}`), 100_000)).got, 100_000, ip)
    await lab('close')
  }
  other.child.kill('SIGTERM')
  equal(await other.gone, 0, 'the end')
})

test('version 2: the page leaves its own description alone, tells its password in ours; Noise, then ping', async () => {
  await both()
  equal(await lab('version2', peer.address), { peer: peer.id, same: true, rewritten: false }, 'version 2')
})

test('a version that we do not know gets no answer', async () => {
  await both()
  equal(await lab('otherVersion', peer.address), 'no data channel within 8 s', 'version 3')
})

test('p2pd keeps its certificate beside its key, so its address is the same after a restart', async () => {
  const file = join(tempDir(), 'key')
  const { privateKey } = generateKeyPairSync('ed25519')
  const { d, x } = privateKey.export({ format: 'jwk' })
  writeFileSync(file, Buffer.concat([Buffer.from([8, 1, 18, 64]), Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]))
  const hashes = []
  for (const flags of [['-id', file], ['-id', file], []]) {
    const node = await p2pd(...flags)
    hashes.push(/certhash\/(\w+)/.exec(node.address)[1])
    node.child.kill()
    await node.gone
  }
  equal(hashes[1], hashes[0], 'with the key')
  ok(hashes[2] !== hashes[0], 'without')
  equal(statSync(`${file}.webrtc.pem`).mode & 0o777, 0o600, 'nobody else reads it')
})

// ---- holdfast serve ----

test('holdfast serve: the address stands in /.well-known/holdfast.json, identify tells it, and it is the same after a restart', async () => {
  await both()
  const node = await Node.make({ flags: ['--webrtc', '127.0.0.1:0'] })
  await node.start()
  const addressOf = async () => JSON.parse(await (await node.get('/.well-known/holdfast.json')).text()).addresses.find(a => a.includes('/webrtc-direct/'))
  const address = await addressOf()
  equal((await lab('dial', address)).peer, node.peerId, 'peer')
  ok(await lab('ping', address) < 2000, 'ping')
  const told = await lab('identify', address)
  ok(told.listenAddrs.some(a => a.replace(/\/p2p\/.*/, '') === address.replace(/\/p2p\/.*/, '')), `identify tells ${told.listenAddrs}`)
  ok(/kind="webrtc"\} 1\b/.test(await (await node.get('/metrics')).text()), 'counted')
  await lab('close')
  await until('the node notices that the page has gone', async () => /kind="webrtc"\} 0\b/.test(await (await node.get('/metrics')).text()), 10_000)
  equal(await node.stop(), 0, 'the end')
  await node.start()
  equal(/certhash\/(\w+)/.exec(await addressOf())[1], /certhash\/(\w+)/.exec(address)[1], 'certificate')
  equal(await node.stop(), 0, 'the end')
})

test('a node calls a node by this alone: both replicate, and it calls again when the other comes back', async () => {
  const listener = await Node.make({ flags: ['--webrtc', '127.0.0.1:0'] })
  await listener.start()
  await listener.post('/todos', { text: 'from the listener' })
  const { addresses } = await (await listener.get('/.well-known/holdfast.json')).json()
  const address = addresses.find(a => a.includes('/webrtc-direct/'))
  const port = address.split('/')[4]
  const caller = await Node.make({ flags: ['--join', address] })
  await caller.start()
  await until('the caller has what stands there', async () => (await caller.texts()).includes('from the listener'), 20_000)
  await caller.post('/todos', { text: 'from the caller' })
  await until('the listener has what was written', async () => (await listener.texts()).includes('from the caller'), 20_000)
  for (const node of [listener, caller]) ok(/kind="webrtc"\} 1\b/.test(await (await node.get('/metrics')).text()), 'by WebRTC')
  equal(await listener.stop(), 0, 'the end')
  await until('the caller notices', async () => /kind="webrtc"\} 0\b/.test(await (await caller.get('/metrics')).text()), 10_000)
  listener.flags = ['--webrtc', `127.0.0.1:${port}`]
  await listener.start()
  await listener.post('/todos', { text: 'back again' })
  await until('the caller has called again', async () => (await caller.texts()).includes('back again'), 20_000)
  for (const node of [listener, caller]) equal(await node.stop(), 0, 'the end')
})

test('a node believes nobody with another certificate, or another peer ID', async () => {
  const listener = await Node.make({ flags: ['--webrtc', '127.0.0.1:0'] })
  await listener.start()
  const { addresses } = await (await listener.get('/.well-known/holdfast.json')).json()
  const address = addresses.find(a => a.includes('/webrtc-direct/'))
  const hash = /certhash\/(\w+-?[\w-]*)/.exec(address)[1]
  const false1 = address.replace(hash, `uEi${Buffer.concat([Buffer.from([0x12, 0x20]), randomBytes(32)]).toString('base64url').slice(2)}`)
  const false2 = address.replace(/[^/]+$/, '12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN')
  for (const [joined, count] of [[false1, 0], [false2, 0], [address, 1]]) {
    const caller = await Node.make({ flags: ['--join', joined, '--log-level', 'debug'] })
    await caller.start()
    const connected = async () => new RegExp(`kind="webrtc"\\} ${count}\\b`).test(await (await caller.get('/metrics')).text())
    if (count) await until('the true one is reached', connected, 10_000)
    else await sleep(1500) // in which nobody is believed
    ok(await connected(), `${count} connections to ${joined}`)
    equal(await caller.stop(), 0, 'the end')
  }
  equal(await listener.stop(), 0, 'the end')
})

test('OrbitDB in a page replicates a database of holdfast serve, both ways, with nothing but this', async () => {
  await both()
  const node = await Node.make({ flags: ['--webrtc', '127.0.0.1:0'] })
  await node.start()
  await node.post('/todos', { text: 'from the node' })
  const { addresses, databases } = JSON.parse(await (await node.get('/.well-known/holdfast.json')).text())
  equal(await lab('open', addresses.find(a => a.includes('/webrtc-direct/')), databases.todos), databases.todos, 'the database')
  await until('the page has what the node wrote', async () => (await lab('texts')).includes('from the node'), 20_000)
  await lab('add', { op: 'NEW', key: 'of-js', value: { text: 'from OrbitDB', done: false }, opid: 'of-js', at: Date.now() })
  await until('the node shows what the page wrote', async () => (await node.texts()).includes('from OrbitDB'), 20_000)
  await node.post('/todos', { text: 'after it' })
  await until('the page has what the node wrote later', async () => (await lab('texts')).includes('after it'), 20_000)
  await lab('close')
  equal(await node.stop(), 0, 'the end')
})

test('a node that is stopped: the page notices within seconds', async () => {
  await both()
  const other = await p2pd()
  equal((await lab('dial', other.address)).peer, other.id, 'dialled')
  other.child.kill('SIGTERM')
  equal(await other.gone, 0, 'the end')
  const began = Date.now()
  await until('the page notices', () => lab('connections', other.id).then(n => n === 0), 10_000)
  console.log(`  noticed after ${Date.now() - began} ms`)
})

// ---- strangers: what is read in a browser's own packets ----

for (const [how, want] of [
  ['garbage for Noise', 'closed'], ['silence instead of Noise', 'closed'], ['a stream before Noise', 'closed'], ['a message of 200 KB', 'closed'],
  ['a message of 40 KB', 'stream'], ['an unreliable channel', 'closed'], ['an unordered channel', 'closed'], ['a long label', 'closed']
]) {
  test(`a page that sends ${how}: ${want}, and others go on`, async () => {
    await both()
    equal(await lab('misbehave', peer.address, how), want, how)
    equal((await lab('echo', peer.address, 20_000)).got, 20_000, 'others')
  })
}

// ---- strangers: UDP by hand ----

const attribute = (type, value) => Buffer.concat([Buffer.from([type >> 8, type & 255, value.length >> 8, value.length & 255]), value, Buffer.alloc((4 - value.length % 4) % 4)])

function check (ufrag = `libp2p+webrtc+v1/${randomBytes(12).toString('hex')}`, password = ufrag, client = ufrag) {
  const header = length => Buffer.concat([Buffer.from([0, 1, length >> 8, length & 255, 0x21, 0x12, 0xa4, 0x42]), id])
  const id = randomBytes(12)
  let body = Buffer.concat([attribute(6, Buffer.from(`${ufrag}:${client}`)), attribute(0x24, Buffer.from([110, 0, 1, 255])), attribute(0x802a, randomBytes(8))])
  const mac = createHmac('sha1', password).update(Buffer.concat([header(body.length + 24), body])).digest()
  body = Buffer.concat([body, attribute(8, mac)])
  const text = Buffer.concat([header(body.length + 8), body])
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE((crc32(text) ^ 0x5354554e) >>> 0)
  return Buffer.concat([text, attribute(0x8028, crc)])
}

/** A first message of DTLS 1.2, with what a browser would say. */
function hello (cookie = Buffer.alloc(0), sequence = 0) {
  const u16 = n => Buffer.from([n >> 8, n & 255])
  const extension = (type, body) => Buffer.concat([u16(type), u16(body.length), body])
  const extensions = Buffer.concat([
    extension(10, Buffer.from([0, 4, 0, 29, 0, 23])), extension(11, Buffer.from([1, 0])), extension(13, Buffer.from([0, 4, 4, 3, 8, 4])),
    extension(23, Buffer.alloc(0)), extension(0xff01, Buffer.from([0]))
  ])
  const body = Buffer.concat([u16(0xfefd), random, Buffer.from([0, cookie.length]), cookie, u16(2), u16(0xc02b), Buffer.from([1, 0]), u16(extensions.length), extensions])
  const length = Buffer.from([0, body.length >> 8, body.length & 255])
  const message = Buffer.concat([Buffer.from([1]), length, u16(sequence), Buffer.alloc(3), length, body])
  return Buffer.concat([Buffer.from([22, 254, 255, 0, 0, 0, 0, 0, 0, 0, sequence]), u16(message.length), message])
}
const random = randomBytes(32)

class Stranger {
  static async at (ip) {
    const stranger = new Stranger()
    stranger.socket = createSocket('udp4')
    stranger.got = []
    stranger.socket.on('message', message => stranger.got.push(message))
    stranger.socket.on('error', () => {})
    await new Promise(resolve => stranger.socket.bind(0, ip, resolve))
    return stranger
  }

  send (packet) { return new Promise(resolve => this.socket.send(packet, peer.port, '127.0.0.1', resolve)) }

  /** What comes within `ms`, at the latest when there are `n`. */
  async answers (n = 1, ms = 1000) {
    for (const end = Date.now() + ms; this.got.length < n && Date.now() < end;) await sleep(5)
    return this.got.splice(0)
  }

  close () { this.socket.close() }
}

test('checks: answered when they are right, not when they are wrong, and never with more bytes', async () => {
  await both()
  const stranger = await Stranger.at('127.0.0.1')
  const right = check()
  await stranger.send(right)
  const [answer] = await stranger.answers()
  equal([answer.readUInt16BE(0), answer.length <= right.length], [0x0101, true], 'answer')
  ok(answer.subarray(8, 20).equals(right.subarray(8, 20)), 'transaction')
  const wrong = [check(undefined, 'another password'), check('evtjevtj', 'evtjevtj'), check('libp2p+webrtc+v3/aaaaaaaaaaaaaaaaaaaaaaaa'), check('libp2p+webrtc+v2/short'),
    right.subarray(0, right.length - 8), Buffer.concat([right, right])]
  for (const packet of wrong) await stranger.send(packet)
  const changed = Buffer.from(right)
  changed[60] ^= 1
  await stranger.send(changed)
  equal((await stranger.answers(1, 300)).length, 0, 'answers to wrong ones')
  stranger.close()
})

test('DTLS begins only behind a check, and answers only who sends back a cookie', async () => {
  await both()
  const stranger = await Stranger.at('127.0.0.1')
  await stranger.send(hello())
  equal((await stranger.answers(1, 300)).length, 0, 'without a check')
  await stranger.send(check())
  await stranger.answers()
  await stranger.send(hello())
  const [verify] = await stranger.answers()
  equal([verify[0], verify[13], verify.length <= hello().length], [22, 3, true], 'HelloVerifyRequest')
  const cookie = verify.subarray(28, 28 + verify[27])
  const forged = Buffer.from(cookie)
  forged[10] ^= 1
  await stranger.send(hello(forged, 1))
  equal((await stranger.answers(1, 300)).filter(m => m[13] !== 3).length, 0, 'a forged cookie')
  await stranger.send(hello(cookie, 1))
  equal((await stranger.answers())[0]?.[13], 2, 'ServerHello')
  stranger.close()
})

/** Gets as far as the server's certificate and then says no more. */
async function halfOpen (stranger) {
  await stranger.send(check())
  await stranger.answers(1, 500)
  await stranger.send(hello())
  const verify = (await stranger.answers(1, 500)).find(m => m[0] === 22 && m[13] === 3)
  if (!verify) return false
  await stranger.send(hello(verify.subarray(28, 28 + verify[27]), 1))
  return (await stranger.answers(1, 500)).some(m => m[0] === 22 && m[13] === 2)
}

test('half-open handshakes of one address are bounded, and a browser gets in meanwhile; then they are forgotten', async () => {
  await both()
  await sleep(10_500) // those of before are forgotten
  const strangers = await Promise.all(Array.from({ length: 40 }, () => Stranger.at('127.9.9.9')))
  const begun = await Promise.all(strangers.map(halfOpen))
  equal(begun.filter(Boolean).length, 32, 'begun')
  await lab('close')
  equal((await lab('echo', peer.address, 20_000)).got, 20_000, 'a browser meanwhile')
  await until('they are forgotten', () => halfOpen(strangers[39]))
  for (const stranger of strangers) stranger.close()
})

test('half-open handshakes of many addresses are bounded in all, and in memory', async () => {
  await both()
  const before = rss(peer)
  const strangers = await Promise.all(Array.from({ length: 200 }, (_, i) => Stranger.at(`127.8.${i >> 5}.${1 + i % 32}`)))
  const begun = await Promise.all(strangers.map(halfOpen))
  const n = begun.filter(Boolean).length
  ok(n > 64 && n <= 128, `${n} begun`)
  const more = rss(peer) - before
  console.log(`  ${n} half-open: ${(more / MB).toFixed(1)} MB`)
  ok(more < 40 * MB, `${more} bytes more`)
  equal((await lab('echo', peer.address, 100_000)).got, 100_000, 'a browser that is connected')
  await sleep(10_500) // they are forgotten: to ask for that would be one more
  await lab('close')
  equal((await lab('echo', peer.address, 20_000)).got, 20_000, 'a browser that comes afterwards')
  for (const stranger of strangers) stranger.close()
})

test('floods: checks from 2,000 addresses, garbage of every kind; memory stays, and who is connected goes on', async () => {
  await both()
  equal((await lab('echo', peer.address, 20_000)).got, 20_000, 'before')
  const before = rss(peer)
  const strangers = await Promise.all(Array.from({ length: 2000 }, (_, i) => Stranger.at(`127.7.${i >> 7}.${1 + i % 128}`)))
  let answered = 0
  for (const stranger of strangers) stranger.socket.on('message', () => answered++)
  const began = ticks(peer)
  const flood = async () => {
    for (let round = 0; round < 10; round++) {
      for (const stranger of strangers) {
        stranger.got.length = 0
        await stranger.send(round % 2 ? check() : Buffer.concat([Buffer.from([[0, 1, 22, 20, 23, 63, 64, 255][round % 8]]), randomBytes(1 + Math.floor(Math.random() * 1500))]))
      }
    }
  }
  const [, echoed] = await Promise.all([flood(), lab('echo', peer.address, 2 * MB)])
  equal([echoed.got, echoed.wrong], [2 * MB, false], 'meanwhile')
  const more = rss(peer) - before
  console.log(`  ${answered} answers, ${(more / MB).toFixed(1)} MB more, ${(ticks(peer) - began) / 100} s of processor time`)
  ok(answered > 1000, `${answered} answers`)
  ok(more < 16 * MB, `${more} bytes more`)
  for (const stranger of strangers) stranger.close()
})

test('packets of a stranger in the name of a connection change nothing in it', async () => {
  await both()
  const stranger = await Stranger.at('127.0.0.1')
  await stranger.send(check())
  for (let i = 0; i < 200; i++) await stranger.send(Buffer.concat([Buffer.from([20 + i % 4, 254, 253, 0, 1, 0, 0, 0, 0, 0, i]), Buffer.from([0, 40]), randomBytes(40)]))
  equal((await lab('echo', peer.address, 100_000)).got, 100_000, 'echo')
  stranger.close()
})

test('a hundred connections come and go: what they took is given back', async () => {
  await both()
  equal(await lab('crowd', peer.address, 20), 20, 'the first')
  const before = rss(peer)
  for (let i = 0; i < 4; i++) equal(await lab('crowd', peer.address, 20), 20, 'echoed')
  const more = rss(peer) - before
  console.log(`  ${(more / MB).toFixed(1)} MB more after 80`)
  ok(more < 16 * MB, `${more} bytes more`)
})

test('the end: the node stops cleanly', async () => {
  await both()
  peer.child.kill('SIGTERM')
  equal(await peer.gone, 0, 'status')
})

await run(3)
