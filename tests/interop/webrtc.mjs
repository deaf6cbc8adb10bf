// WebRTC between browsers by libp2p's rules, in real Chromium, through a circuit relay of js-libp2p: pages with js-libp2p among themselves (the control), then
// a page with js-libp2p and a Holdfast browser (the core in WebAssembly), each dialling the other. `node webrtc.mjs PAGE_SCRIPT [NAME]`.
import './node22.mjs'
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { webSockets } from '@libp2p/websockets'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { addTodo, browser, equal, freePort, Node, ok, onExit, run, settled, tempDir, test, until, visit } from '../e2e/kit.mjs'
import { newPeer } from './js2.mjs'
import { bridge } from './kit.mjs'

const script = readFileSync(process.argv[2])

// ---- the relay, with the limits that js sets by itself ----
const relay = await newPeer({ listen: ['/ip4/127.0.0.1/tcp/0/ws'], transports: [webSockets()], services: { relay: circuitRelayServer() } })
const relayAddress = relay.getMultiaddrs()[0].toString()

// ---- pages with js-libp2p ----
const pages = createServer((request, response) => {
  const isScript = request.url === '/page.js'
  response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' })
  response.end(isScript ? script : '<!doctype html><title>libp2p</title><script type=module src=/page.js></script>')
})
await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve))
onExit(() => pages.close())

async function libp2pPage (listen, at = relayAddress) {
  const context = await (await browser()).newContext()
  const page = await context.newPage()
  page.on('pageerror', (error) => console.error(`page: ${error}`))
  await page.goto(`http://localhost:${pages.address().port}/`)
  await page.waitForFunction(() => window.peer)
  const id = await page.evaluate(([at, wait]) => window.peer.start(at, wait), [at, listen])
  const call = (name, ...args) => page.evaluate(([n, a]) => window.peer[n](...a), [name, args])
  const address = listen && await until('an address at the relay', async () => (await call('addresses'))[0])
  return { id, call, address, close: () => context.close() }
}

// Two that have just met through a relay do not always get through at the first try, among js peers either (the connection is closed while
// identify runs): who dials, dials again.
async function persist (what, tries = 3) {
  for (let i = 1; ; i++) {
    try {
      return await what()
    } catch (error) {
      if (i === tries) throw error
      console.log(`  try ${i}: ${error.message.split('\n')[0]}`)
    }
  }
}

// ---- a Holdfast browser ----
let node
const newNode = async (at = relayAddress) => (await Node.make({ flags: ['--relay', at] })).start()

async function holdfastPage (at) {
  node ??= await newNode()
  const context = await (await browser()).newContext()
  await context.addInitScript(() => {
    window.hfDialled = {}
    navigator.serviceWorker?.addEventListener('message', ({ data }) => {
      if (data?.hf === 'status') window.hfStatus = data
      if (data?.hf === 'dialled') window.hfDialled[data.address] = data
    })
  })
  const page = await visit(context, (at ?? node).origin)
  const address = await until('an address at the relay', () => page.evaluate(() => window.hfStatus?.addresses[0]))
  const dial = async (to) => {
    await page.evaluate((address) => {
      delete window.hfDialled[address]
      navigator.serviceWorker.controller.postMessage({ hf: 'dial', address })
    }, to)
    const reply = await until('an answer to the dial', () => page.evaluate((address) => window.hfDialled[address], to), 35_000)
    if (reply.error) throw new Error(reply.error)
    return reply.peer
  }
  return { page, address, id: address.split('/').pop(), dial, close: () => context.close() }
}

// ---- our own relay: `holdfast p2pd`, which listens on TCP, behind a WebSocket ----
async function ownRelay () {
  const port = await freePort()
  const server = await bridge(port)
  const address = `/ip4/127.0.0.1/tcp/${server.address().port}/ws`
  const daemon = spawn(process.env.HOLDFAST ?? new URL('../../build/holdfast', import.meta.url).pathname,
    ['p2pd', `-listen=/unix${tempDir()}/p2pd.sock`, `-hostAddrs=/ip4/127.0.0.1/tcp/${port}`, `-announceAddrs=${address}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  onExit(() => daemon.kill('SIGKILL'))
  const id = await new Promise((resolve) => {
    let out = ''
    daemon.stdout.on('data', (chunk) => {
      const found = /12D3Koo\w+/.exec(out += chunk)
      if (found) resolve(found[0])
    })
  })
  return `${address}/p2p/${id}`
}

const database = async () => Object.values((await (await node.get('/.well-known/holdfast.json')).json()).databases)[0]

// What both ways have in common, asked by the js page.
async function converse (js, id) {
  await until('identify', async () => (await js.call('speaks', id))?.protocols.includes('/ipfs/bitswap/1.2.0'))
  const { protocols, agent } = await js.call('speaks', id)
  ok(agent.startsWith('holdfast/'), `the agent: ${agent}`)
  ok(protocols.includes('/webrtc-signaling/0.0.1') && protocols.includes('/ipfs/ping/1.0.0'), `protocols: ${protocols}`)
  ok(await js.call('ping', id) >= 0, 'a ping')
  equal(await js.call('pings', id, 30), 30, 'pings over streams of their own')
  await js.call('resets', id, 20)
  ok(await js.call('refused', id), 'an unknown protocol is refused')
  equal(await js.call('pings', id, 5), 5, 'pings after resets')
  ok(await js.call('echo', id, 1_000_000, '/ipfs/ping/1.0.0'), 'a megabyte there and back')
}

test('js page to js page, the control', async () => {
  const [a, b] = [await libp2pPage(true), await libp2pPage(false)]
  await persist(() => b.call('dial', a.address))
  await until('a WebRTC connection', async () => (await b.call('connections', a.id)).includes('WebRTC'))
  ok(await b.call('ping', a.id) >= 0, 'a ping')
  ok(await b.call('echo', a.id, 200_000), 'an echo')
  await a.close()
  await b.close()
})

test('a js page dials a Holdfast browser', async () => {
  const [ours, js] = [await holdfastPage(), await libp2pPage(false)]
  await persist(() => js.call('dial', ours.address))
  await until('a WebRTC connection', async () => (await js.call('connections', ours.id)).includes('WebRTC'))
  await converse(js, ours.id)
  equal(ours.page.errors, [], 'errors in the page')
  await ours.close()
  await js.close()
})

test('a Holdfast browser dials a js page', async () => {
  const [ours, js] = [await holdfastPage(), await libp2pPage(true)]
  equal(await persist(() => ours.dial(js.address)), js.id, 'whom it reached')
  await until('a WebRTC connection', async () => (await js.call('connections', ours.id)).includes('WebRTC'))
  await converse(js, ours.id)
  await js.close()
  await ours.close()
})

test('what was written in the browser is told as OrbitDB heads', async () => {
  const [ours, js] = [await holdfastPage(), await libp2pPage(false)]
  await addTodo(ours.page, 'over webrtc')
  await persist(() => js.call('dial', ours.address))
  const heads = await until('heads', async () => {
    const told = await js.call('heads', ours.id, await database())
    return told.length && told
  })
  ok(heads.every((head) => Buffer.from(head, 'base64')[0] === 0xa9), 'each is one entry')
  ok(heads.some((head) => Buffer.from(head, 'base64').includes('over webrtc')), 'ours is among them')
  await ours.close()
  await js.close()
})

test('OrbitDB in a js page and the Holdfast browser replicate an app\'s database, both ways', async () => {
  const [ours, js] = [await holdfastPage(), await libp2pPage(false)]
  await addTodo(ours.page, 'from the browser')
  await persist(() => js.call('dial', ours.address))
  const address = await database()
  equal(await js.call('open', address), address, 'the database')
  await until('js has what we wrote', async () => (await js.call('payloads')).some((p) => p.value?.text === 'from the browser'), 30_000)
  await js.call('add', { op: 'NEW', key: 'of-js', value: { text: 'from OrbitDB', done: false }, opid: 'of-js', at: Date.now() })
  await ours.page.waitForFunction(() => document.querySelector('main')?.innerText.includes('from OrbitDB'), null, { timeout: 20_000 })
  await addTodo(ours.page, 'after it')
  await until('js has what we wrote later', async () => (await js.call('payloads')).some((p) => p.value?.text === 'after it'), 30_000)
  await ours.close()
  await js.close()
})

/* Of two nodes that do not know each other: nobody but the relay can bring these two together. */
test('two Holdfast browsers meet at the relay, and share what they write when their nodes are dead', async () => {
  const nodes = [await newNode(), await newNode()]
  const [a, b] = [await holdfastPage(nodes[0]), await holdfastPage(nodes[1])]
  equal(await a.dial(b.address), b.id, 'whom it reached')
  for (const one of nodes) await one.kill()
  await addTodo(a.page, 'met at a relay')
  await b.page.waitForFunction(() => document.querySelector('main')?.innerText.includes('met at a relay'), null, { timeout: 20_000 })
  await addTodo(b.page, 'and back')
  await a.page.waitForFunction(() => document.querySelector('main')?.innerText.includes('and back'), null, { timeout: 20_000 })
  equal(await a.page.evaluate(() => window.hfStatus.peers), 1, 'browsers that it is connected to')
  /* A page goes, and what it held, once with the worker that knew of it: who dialled dials again. */
  for (const [one, other, stops] of [[a, b, false], [a, b, true], [b, a, false]]) {
    const cdp = await one.page.context().newCDPSession(one.page)
    await cdp.send('ServiceWorker.enable')
    if (stops) await cdp.send('ServiceWorker.stopAllWorkers')
    await one.page.reload()
    await settled(one.page)
    const text = `after a reload of ${one.id.slice(-6)}${stops ? ' and its worker' : ''}`
    await addTodo(one.page, text)
    await other.page.waitForFunction((t) => document.querySelector('main')?.innerText.includes(t), text, { timeout: 40_000 })
  }
  await a.close()
  await b.close()
})

test('through our own relay', async () => {
  const at = await ownRelay()
  const [ours, js] = [await holdfastPage(await newNode(at)), await libp2pPage(true, at)]
  equal(await persist(() => ours.dial(js.address)), js.id, 'whom it reached')
  await until('a WebRTC connection', async () => (await js.call('connections', ours.id)).includes('WebRTC'))
  await js.call('hangUp', ours.id)
  await persist(() => js.call('dial', ours.address))
  await until('a WebRTC connection', async () => (await js.call('connections', ours.id)).includes('WebRTC'))
  await converse(js, ours.id)
  const elsewhere = await libp2pPage(true) /* at a relay that the browser was not told of */
  equal(await persist(() => ours.dial(elsewhere.address)), elsewhere.id, 'whom it reached there')
  await until('a WebRTC connection', async () => (await elsewhere.call('connections', ours.id)).includes('WebRTC'))
  ok(await elsewhere.call('ping', ours.id) >= 0, 'a ping')
  for (const page of [ours, js, elsewhere]) await page.close()
})

test('a dial that cannot succeed says why', async () => {
  const ours = await holdfastPage()
  const stranger = '12D3KooWQvzZ9R7yNsyG7MzEKtXNJ1bUuPK1X2mB4vVw8tCrMy6E'
  const answer = await ours.dial(`${relayAddress}/p2p-circuit/webrtc/p2p/${stranger}`).then(() => '', (error) => error.message)
  ok(answer.length > 0, 'a reason')
  ok(/not the address/.test(await ours.dial('/ip4/127.0.0.1/tcp/1').then(() => '', (error) => error.message)), 'no address of a peer at a relay')
  await ours.close()
})

await run(3)
