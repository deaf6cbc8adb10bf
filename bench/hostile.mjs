/* hostile: pages and forms of a node while none, 1 % and 10 % of its peers (100) are hostile. Those finish the handshake as anybody, and then do what costs
 * a node most for what it costs them: bytes that are no message on every protocol, streams opened and dropped, floods of pings; and come again at
 * once when they are thrown out. They run in a process of their own, on the same machine: so the node's processor time an answer is told as well. */
import { fork, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { bench, BUILD, fill, median, Node, onExit, ROOT, ROUNDS, rounds, tell, wrk } from './kit.mjs'

const PEERS = Number(process.env.BENCH_PEERS ?? 100)
const SHARES = [0, 1, 10]

/* ---- the hostile ones, in their process ---- */

async function attack (to, database) {
  await import('../tests/interop/node22.mjs')
  const [{ createLibp2p }, { tcp }, { noise }, { yamux }, { identify }, { ping }, { multiaddr }] = await Promise.all(['libp2p', '@libp2p/tcp',
    '@chainsafe/libp2p-noise', '@chainsafe/libp2p-yamux', '@libp2p/identify', '@libp2p/ping', '@multiformats/multiaddr'].map(name => import(name)))
  const peer = await createLibp2p({ transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()], services: { identify: identify(), ping: ping() },
    connectionManager: { reconnectRetries: 0 } })
  const protocols = [`/orbitdb/heads${database}`, `/holdfast/sync/1.0.0${database}`, '/ipfs/bitswap/1.2.0', '/meshsub/1.1.0', '/holdfast/signal/1.0.0', '/ipfs/ping/1.0.0', '/ipfs/id/push/1.0.0', '/nothing/1']
  const junk = Uint8Array.from({ length: 1024 }, (_, i) => i * 37 % 251)
  for (let n = 0; ; n++) {
    try {
      const connection = await peer.dial(multiaddr(to))
      for (let i = 0; i < 50 && connection.status === 'open'; i++) {
        const stream = await connection.newStream(protocols[(n + i) % protocols.length], { signal: AbortSignal.timeout(2000) }).catch(() => null)
        if (!stream) continue
        await stream.sink([junk]).catch(() => {})
        stream.abort(new Error('gone'))
      }
      connection.abort(new Error('gone'))
      process.send({ done: 1 })
    } catch {
      process.send({ refused: 1 })
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}

if (process.send) {
  const [, , to, database, n] = process.argv
  for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, () => {}) // of streams that were reset under it
  for (let i = 0; i < Number(n); i++) attack(to, database).catch(error => { console.error(error); process.exit(1) })
} else await bench('hostile', main)

/* ---- the measure ---- */

function crowd (node, n) {
  const child = spawn(`${BUILD}/bench/crowd`, [`${ROOT}apps/todo`, String(node.p2p), String(n), '1'], { stdio: ['pipe', 'pipe', 'inherit'] })
  onExit(() => child.kill('SIGKILL'))
  const gone = new Promise(resolve => child.once('exit', resolve))
  const level = (async () => { for await (const line of createInterface({ input: child.stdout })) if (line.startsWith('level')) return })()
  return { level, leave: () => { child.stdin.end(); return gone } }
}

async function main () {
  const node = await (await Node.make({ flags: ['--log-level', 'error'] })).start()
  await fill(node.origin, 100)
  const { databases } = await (await node.get('/.well-known/holdfast.json')).json()
  const told = { done: 0, refused: 0 }

  const side = share => async () => {
    const n = Math.round(PEERS * share / 100)
    const honest = crowd(node, PEERS - n)
    await honest.level
    const child = n ? fork(new URL(import.meta.url).pathname, [`${node.multiaddr}/p2p/${node.peerId}`, databases.todos, String(n)]) : null
    onExit(() => child?.kill('SIGKILL'))
    child?.on('message', message => { for (const [what, many] of Object.entries(message)) told[what] += many })
    if (child) await new Promise((resolve, reject) => child.once('message', resolve).once('exit', () => reject(new Error('the hostile ones ended'))))
    const pages = await wrk(node)
    const forms = await wrk(node, { script: 'forms.lua' })
    child?.kill('SIGKILL')
    await honest.leave()
    return { pages, forms }
  }
  const results = await rounds(Object.fromEntries(SHARES.map(share => [share, side(share)])), Math.min(ROUNDS, 3))
  for (const what of ['pages', 'forms']) {
    const of = (share, key) => median(results[share].map(result => result[what][key]))
    for (const share of SHARES) {
      tell(`hostile, ${what} with ${share} % of ${PEERS} peers hostile`, of(share, 'rate'), 'answers/s')
      tell(`hostile, ${what}, slowest hundredth`, of(share, 'p99'), 'ms')
      tell(`hostile, ${what}, processor time of the node an answer`, of(share, 'cost'), 'µs')
      if (share) tell(`hostile, ${what}, of the rate with none`, of(share, 'rate') / of(0, 'rate'), 'x')
    }
  }
  tell('hostile, connections that ran through their 50 streams', told.done, '')
  tell('hostile, connections that were thrown out or refused', told.refused, '')
  await node.stop()
}
