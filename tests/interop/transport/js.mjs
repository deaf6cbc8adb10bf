// The same test program as main.c for js-libp2p: the one of its own interop tests is not among its packages. js2.mjs and ../p2pd/transport.mjs bring them.
import { connect } from 'node:net'

const env = process.env
const isDialer = env.IS_DIALER === 'true'
const key = `${env.TEST_KEY}_listener_multiaddr`

// One command, one answer: a bulk string, a list whose last item it is, or null.
function redis (...words) {
  const [host, port] = env.REDIS_ADDR.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host, () => socket.write(`*${words.length}\r\n` + words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('')))
    let text = ''
    socket.on('error', reject)
    socket.on('data', (bytes) => {
      text += bytes
      if (!text.endsWith('\r\n')) return
      socket.destroy()
      const lines = text.trim().split('\r\n')
      if (lines[0].startsWith('-')) reject(new Error(lines[0]))
      else resolve(lines[0] === '*-1' || lines[0] === '$-1' ? null : lines.at(-1))
    })
  })
}

export async function run ({ createLibp2p, transports, noise, yamux, identify, ping, multiaddr }) {
  const listen = { tcp: `/ip4/${env.LISTENER_IP}/tcp/0`, ws: `/ip4/${env.LISTENER_IP}/tcp/0/ws` }[env.TRANSPORT]
  const node = await createLibp2p({
    addresses: { listen: isDialer ? [] : [listen] },
    transports: [transports[env.TRANSPORT]()],
    connectionEncrypters: [{ noise }[env.SECURE_CHANNEL]()],
    streamMuxers: [{ yamux }[env.MUXER]()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ping: ping() }
  })
  if (!isDialer) {
    const addresses = node.getMultiaddrs().map(String)
    await redis('DEL', key)
    await redis('RPUSH', key, addresses.find((a) => !a.includes('/127.')) ?? addresses[0])
    return
  }
  const address = multiaddr(await redis('BLPOP', key, env.TEST_TIMEOUT_SECS ?? '180'))
  const from = performance.now()
  await node.dial(address)
  await node.services.ping.ping(address)
  const both = performance.now() - from
  console.log(`latency:\n  handshake_plus_one_rtt: ${both.toFixed(3)}\n  ping_rtt: ${(await node.services.ping.ping(address)).toFixed(3)}\n  unit: ms`)
  await node.stop()
  process.exit(0)
}
