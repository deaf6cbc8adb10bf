// js-libp2p 3, on Node 22: see ../transpor../transport/js.mjs.
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { run } from '../transport/js.mjs'

await run({ createLibp2p, transports: { tcp, ws: webSockets }, noise, yamux, identify, ping, multiaddr })
