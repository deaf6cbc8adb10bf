// js-libp2p 3 on Node 22, driven as ../peer_kit.mjs says.
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { drive } from '../peer_kit.mjs'

const packages = { createLibp2p, tcp, webSockets, noise, yamux, circuitRelayServer, circuitRelayTransport, gossipsub, identify, ping, multiaddr }

await drive(packages, {
  handler: (report) => async (stream) => {
    let received = 0
    for await (const piece of stream) received += piece.byteLength
    stream.send(report(received))
    await stream.close()
  },

  async flow (stream, chunks) {
    for (const chunk of chunks) if (!stream.send(chunk)) await stream.onDrain()
    const report = new Promise((resolve) => stream.addEventListener('message', (event) => resolve(event.data.subarray()), { once: true }))
    stream.close().catch(() => {})
    return report
  }
})
