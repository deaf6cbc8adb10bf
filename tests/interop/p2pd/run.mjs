// libp2p's own interop suite (@libp2p/interop) with `holdfast p2pd` in go-libp2p's place: `run.mjs HOLDFAST [PART]...` runs the parts
// (connect, echo, dht, pubsub, relay) in which we are one of the two, or all three, peers, and closes with `N passed, N failed`.
//
// Left out, because we do not speak it: other transports than TCP, other security than Noise. (The suite's "mplex" cases ask nobody for mplex;
// they run with yamux, as they do between js and go.)
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import Mocha from 'mocha'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { createClient } from '@libp2p/daemon-client'
import { createServer } from '@libp2p/daemon-server'
import { floodsub } from '@libp2p/floodsub'
import { gossipsub } from '@libp2p/gossipsub'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { peersOf } from '../kit.mjs'
import { multiaddr, packages, tcp } from './js3.mjs'

const [program, ...parts] = process.argv.slice(2)

// ---- the peers ----

const { newPeer } = peersOf(packages)

async function ourPeer (options) {
  const flags = ['-listen=/ip4/127.0.0.1/tcp/0', options.noListen ? '-noListenAddrs' : '-hostAddrs=/ip4/127.0.0.1/tcp/0', '-muxer=yamux']
  if (options.encryption != null) flags.push(`-${options.encryption}=true`)
  if (options.dht) flags.push('-dhtServer')
  if (options.relay) flags.push('-relay')
  if (options.pubsub) flags.push('-pubsub')
  if (options.pubsubRouter != null) flags.push(`-pubsubRouter=${options.pubsubRouter}`)
  if (options.key != null) flags.push(`-id=${options.key}`)
  const child = spawn(program, ['p2pd', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)))
  const lines = createInterface({ input: child.stdout })
  const socket = await Promise.race([
    new Promise((resolve) => lines.on('line', (line) => line.startsWith('Control socket: ') && resolve(line.slice(16)))),
    exit.then((code) => { throw new Error(`p2pd ended before it started: ${code}; flags ${flags.join(' ')}`) })
  ])
  return {
    client: createClient(multiaddr(socket)),
    stop: async () => {
      child.kill()
      const code = await exit
      if (code !== 0) throw new Error(`p2pd ended with ${code}`)
    }
  }
}

async function jsPeer (options) {
  const services = { ping: ping() }
  if (options.pubsub) services.pubsub = options.pubsubRouter === 'floodsub' ? floodsub() : gossipsub()
  if (options.relay) services.relay = circuitRelayServer()
  if (options.dht) services.dht = kadDHT({ protocol: '/ipfs/kad/1.0.0', peerInfoMapper: passthroughMapper, clientMode: false })
  const node = await newPeer({
    privateKey: options.key == null ? undefined : privateKeyFromProtobuf(readFileSync(options.key)),
    listen: options.noListen ? [] : undefined,
    transports: [tcp(), circuitRelayTransport()],
    services
  })
  const server = createServer(multiaddr('/ip4/127.0.0.1/tcp/0'), node)
  await server.start()
  return {
    client: createClient(server.getMultiaddr()),
    stop: async () => {
      await server.stop()
      await node.stop()
    }
  }
}

const factory = { spawn: (options) => options.type === 'go' ? ourPeer(options) : jsPeer(options) }

// ---- the suite ----

const mocha = new Mocha({ timeout: 60000, reporter: 'dot' })
mocha.suite.emit('pre-require', globalThis, null, mocha)
describe.skip = describe // gossipsub's cases, which wait for a version of js that is there now
const suite = await import('@libp2p/interop')
const all = {
  connect: suite.connectInteropTests,
  echo: suite.streamInteropTests,
  dht: suite.dhtInteropTests,
  pubsub: suite.pubsubInteropTests,
  relay: suite.relayInteropTests
}
for (const part of parts.length ? parts : Object.keys(all)) await all[part](factory)

// "go" is us; what two js peers say to each other is theirs to test.
const foreign = /\.webtransport|\.webrtc-direct|\/tls\/|\/plaintext\/|js peer to js peer|js sender to js listener|js to js over relay js/
const titles = (s) => [...s.tests.map((t) => t.fullTitle()), ...s.suites.flatMap(titles)]
mocha.suite.suites = mocha.suite.suites.filter((s) => !titles(s).some((t) => foreign.test(t)))

let passed = 0
let failed = 0
await new Promise((resolve) => {
  const runner = mocha.run(resolve)
  let since = Date.now()
  const took = () => `${((Date.now() - since) / 1000).toFixed(1)} s`
  runner.on('suite', () => { since = Date.now() })
  runner.on('pass', (test) => { passed++; console.log(`ok ${test.fullTitle()} (${took()})`) })
  runner.on('fail', (test, err) => { failed++; console.log(`FAILED ${test.fullTitle()} (${took()}): ${err.stack}`) })
})
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
