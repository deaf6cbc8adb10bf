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
  handler: (counter) => async (stream) => {
    const take = counter()
    for await (const piece of stream) {
      const answer = take(piece)
      if (answer) stream.send(answer)
    }
    await stream.close()
  },

  async flow (stream, chunks) {
    const answer = new Promise((resolve) => stream.addEventListener('message', (event) => resolve(event.data.subarray()), { once: true }))
    for (const chunk of chunks) if (!stream.send(chunk)) await stream.onDrain()
    await answer
    stream.close().catch(() => {})
    return answer
  }
})
