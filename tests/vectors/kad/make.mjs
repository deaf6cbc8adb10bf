// Writes kad.json beside this file: the DHT's bytes as @libp2p/kad-dht and @libp2p/record write them. Run after `npm ci`: node tests/vectors/kad/make.mjs
import { writeFile } from 'node:fs/promises'
import { generateKeyPairFromSeed, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { Libp2pRecord } from '@libp2p/record'
import { multiaddr } from '@multiformats/multiaddr'
import * as lp from 'it-length-prefixed'
import { CID } from 'multiformats/cid'

const inside = (path) => import(new URL(`../../../node_modules/@libp2p/kad-dht/dist/src/${path}`, import.meta.url))
const { Message } = await inside('message/dht.js')
const { convertBuffer, removePrivateAddressesMapper, keyForPublicKey } = await inside('utils.js')
const { verifyRecord, validators } = await inside('record/validators.js')
const { toRFC3339 } = await import(new URL('../../../node_modules/@libp2p/record/dist/src/utils.js', import.meta.url))

const hex = (bytes) => Buffer.from(bytes.subarray()).toString('hex')
const text = (t) => new TextEncoder().encode(t)
const keys = await Promise.all([1, 2, 3].map((n) => generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(n))))
const ids = keys.map((key) => peerIdFromPrivateKey(key).toMultihash().bytes)
const addresses = ['/ip4/1.2.3.4/tcp/4001', '/ip6/2604:a880::1/tcp/4001/ws', '/dns4/example.com/tcp/443/wss'].map((a) => multiaddr(a).bytes)
const peer = (n, count) => ({ id: ids[n], multiaddrs: addresses.slice(0, count) })
const cid = CID.parse('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi')
const when = new Date('2024-02-29T23:59:58.007Z')
const record = (key, value) => new Libp2pRecord(key, value, when).serialize()
const key = text('/test/hello')
const pk = keyForPublicKey(peerIdFromPrivateKey(keys[0]))

const messages = {
  'find node': { type: 'FIND_NODE', key: ids[0] },
  'find node, answer': { type: 'FIND_NODE', closer: [peer(0, 1), peer(1, 3)], providers: [] },
  'find node, nobody': { type: 'FIND_NODE', closer: [], providers: [] },
  'get value': { type: 'GET_VALUE', key },
  'get value, answer with a record': { type: 'GET_VALUE', key, record: record(key, text('world')), closer: [peer(2, 2)], providers: [] },
  'get value, answer without': { type: 'GET_VALUE', key, closer: [peer(2, 2)], providers: [] },
  'put value': { type: 'PUT_VALUE', key, record: record(key, text('world')) },
  'put public key': { type: 'PUT_VALUE', key: pk, record: record(pk, publicKeyToProtobuf(keys[0].publicKey)) },
  'put an empty value': { type: 'PUT_VALUE', key, record: record(key, new Uint8Array(0)) },
  'add provider': { type: 'ADD_PROVIDER', key: cid.multihash.bytes, providers: [peer(0, 3)] },
  'get providers': { type: 'GET_PROVIDERS', key: cid.multihash.bytes },
  'get providers, answer': { type: 'GET_PROVIDERS', key: cid.multihash.bytes, closer: [peer(1, 1)], providers: [peer(0, 0), peer(2, 2)] },
  ping: { type: 'PING' }
}
const ips = ['1.2.3.4', '8.8.8.8', '10.0.0.1', '172.15.0.1', '172.16.0.1', '172.31.255.255', '172.32.0.1', '192.168.1.1', '192.169.1.1', '100.63.0.1', '100.64.0.1',
  '100.128.0.1', '127.0.0.1', '169.254.1.1', '0.0.0.0', '255.255.255.255', '192.0.2.1', '198.51.100.7', '203.0.113.9', '198.18.0.1', '198.20.0.1']
const names = ['example.com', 'localhost']

const out = {
  messages: Object.entries(messages).map(([name, m]) => {
    const protobuf = Message.encode(m)
    const decode = (list) => (list ?? []).map((p) => ({ id: hex(p.id), addresses: p.multiaddrs.map(hex) }))
    return {
      name,
      type: ['PUT_VALUE', 'GET_VALUE', 'ADD_PROVIDER', 'GET_PROVIDERS', 'FIND_NODE', 'PING'].indexOf(m.type),
      key: hex(m.key ?? new Uint8Array(0)),
      record: m.record == null ? null : hex(m.record),
      closer: decode(m.closer),
      providers: decode(m.providers),
      protobuf: hex(protobuf),
      framed: hex(lp.encode.single(protobuf))
    }
  }),
  records: await Promise.all([[key, text('world'), 0], [pk, publicKeyToProtobuf(keys[0].publicKey), 1709251198007], [pk, publicKeyToProtobuf(keys[1].publicKey), 1]].map(async ([k, v, ms]) => ({
    key: hex(k), value: hex(v), ms, record: hex(new Libp2pRecord(k, v, new Date(ms)).serialize()),
    valid: await verifyRecord({ ...validators, test: async () => {} }, new Libp2pRecord(k, v, new Date(ms))).then(() => true, () => false)
  }))),
  times: [0, 1, 999, 951782400000, 1078099199999, 1709164800000, 1709251199999, 4102444800000, 7258118399123].map((ms) => ({ ms, text: toRFC3339(new Date(ms)) })),
  hashes: await Promise.all([...ids, key, cid.multihash.bytes].map(async (k) => ({ key: hex(k), hash: hex(await convertBuffer(k)) }))),
  public: [...ips.map((ip) => `/ip4/${ip}/tcp/1`), ...names.map((name) => `/dns4/${name}/tcp/1`)].map((a) => ({
    address: hex(multiaddr(a).bytes), text: a, public: removePrivateAddressesMapper({ multiaddrs: [multiaddr(a)] }).multiaddrs.length === 1
  }))
}
await writeFile(new URL('kad.json', import.meta.url), JSON.stringify(out, null, 1) + '\n')
