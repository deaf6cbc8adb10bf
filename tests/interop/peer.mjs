// js-libp2p 2, driven as peer_kit.mjs says.
import './node22.mjs'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { drive } from './peer_kit.mjs'

const packages = { createLibp2p, tcp, webSockets, noise, yamux, circuitRelayServer, circuitRelayTransport, gossipsub, identify, ping, multiaddr }

await drive(packages, {
  handler: (counter) => async ({ stream }) => {
    const take = counter()
    await stream.sink((async function * () {
      for await (const piece of stream.source) {
        const answer = take(piece)
        if (answer) yield answer
      }
    })())
    await stream.close()
  },

  async flow (stream, chunks) {
    let done
    const answered = new Promise((resolve) => { done = resolve })
    const writing = stream.sink((async function * () {
      yield * chunks
      await answered
    })())
    for await (const piece of stream.source) {
      done()
      await writing
      return piece.subarray()
    }
    throw new Error('the stream ended')
  }
})
