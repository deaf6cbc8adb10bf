// js gossipsub and js floodsub against our gossip, over real TCP: messages both ways and onward, every version of the protocol, gossip about what was
// missed, peer exchange, scores, and a mesh of ten and ten. `node gossip.mjs GOSSIP_NODE [ONLY]` closes with `N passed, N failed`.
import './node22.mjs'
import { createTopicScoreParams } from '@chainsafe/libp2p-gossipsub/score'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { floodsub } from '@libp2p/floodsub'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { Child, equal, ok, run, test, until } from './kit.mjs'
import { multiaddr, newPeer } from './js2.mjs'

const program = process.argv[2]
const TOPIC = '/orbitdb/zdpuInterop'

// ---- our side ----
class Ours extends Child {
  static all = []
  static async start (...options) {
    const node = await super.start(program, ...options)
    Ours.all.push(node)
    return node
  }

  got (text) { return this.count(new RegExp(`^message ${TOPIC} \\S+ (\\d+:)?${text}$`)) }

  async score (id) {
    this.say(`score ${id}`)
    return Number((await this.line(/^score (\S+)/))[1])
  }

  async mesh () {
    this.say(`mesh ${TOPIC}`)
    return Number((await this.line(/^mesh (\d+)/))[1])
  }
}

// ---- js ----
class Js {
  static all = []
  static async start (options = {}, pubsub = gossipsub) {
    const node = new Js()
    node.libp2p = await newPeer({ start: false, services: { pubsub: pubsub(options) } })
    node.pubsub = node.libp2p.services.pubsub
    if (options.only) node.pubsub.multicodecs = options.only
    node.messages = []
    node.pubsub.addEventListener('message', ({ detail }) => {
      const text = new TextDecoder().decode(detail.data).replace(/\.*$/, '')
      if (detail.topic === TOPIC) node.messages.push({ text, from: detail.from.toString(), length: detail.data.length })
    })
    await node.libp2p.start()
    Js.all.push(node)
    node.id = node.libp2p.peerId.toString()
    node.port = node.libp2p.getMultiaddrs()[0].toOptions().port
    return node
  }

  async dial (other) { return await this.libp2p.dial(other.address ? multiaddr(other.address) : other.libp2p.getMultiaddrs()) }
  got (text) { return this.messages.filter((m) => m.text === text).length }
  subscribers () { return this.pubsub.getSubscribers(TOPIC).map(String) }
  publish (text, length = 0) { return this.pubsub.publish(TOPIC, new TextEncoder().encode(text.padEnd(length, '.'))) }
  score (id) { return this.pubsub.score.score(id) }
}

// Both want the topic and know it of each other.
async function subscribeAll (js, ours) {
  for (const node of js) node.pubsub.subscribe(TOPIC)
  for (const node of ours) node.say(`subscribe ${TOPIC}`)
}

async function know (js, ours) {
  await until('js knows that we want the topic', () => js.subscribers().includes(ours.id))
  await ours.line(new RegExp(`^subscribed ${js.id} ${TOPIC}`))
}

async function inMesh (js, ours) {
  await until('js has us in its mesh', () => js.pubsub.getMeshPeers(TOPIC).includes(ours.id))
  await until('we have js in our mesh', async () => await ours.mesh() > 0)
}

// One of each in a row: js, ours, js.
async function row (optionsOfJs = {}, ...optionsOfOurs) {
  const a = await Js.start(optionsOfJs)
  const b = await Js.start(optionsOfJs)
  const ours = await Ours.start(...optionsOfOurs)
  await subscribeAll([a, b], [ours])
  await a.dial(ours)
  ours.say(`dial ${b.port} ${b.id}`)
  await know(a, ours)
  await know(b, ours)
  return [a, ours, b]
}

async function bothWays (js, ours) {
  ours.say(`publish ${TOPIC} from-us`)
  await until('js gets ours', () => js.got('from-us') > 0)
  equal(js.messages.find((m) => m.text === 'from-us').from, ours.id, 'author')
  await js.publish('from-js')
  await until('we get what js says', () => ours.got('from-js') > 0)
}

function noneTwice () {
  for (const js of Js.all) for (const m of js.messages) equal(js.got(m.text), 1, `js, ${m.text}`)
  for (const ours of Ours.all) {
    for (const l of ours.lines.filter((l) => l.startsWith('message '))) equal(ours.lines.filter((k) => k === l).length, 1, `ours, ${l}`)
  }
}

async function nobodyBlamed () {
  for (const js of Js.all) {
    for (const ours of Ours.all) {
      if (js.pubsub.score) ok(js.score(ours.id) >= 0, `js scores us ${js.score(ours.id)}`)
      ok(await ours.score(js.id) >= 0, 'we score js')
      equal(ours.count(/^abuse/), 0, 'abuse')
    }
  }
}

// A test that begins with nobody, and at whose end nobody had anything twice or blames another.
const scene = (name, run) => test(name, async () => {
  Ours.all = []
  Js.all = []
  await run()
  noneTwice()
  await nobodyBlamed()
})

// ---- the tests ----
scene('js dials us: messages both ways, of every size', async () => {
  const js = await Js.start()
  const ours = await Ours.start()
  await subscribeAll([js], [ours])
  await js.dial(ours)
  await know(js, ours)
  await inMesh(js, ours)
  await bothWays(js, ours)
  for (const length of [511, 512, 60000, 70000, 300000]) {
    await js.publish(`js-${length}`, length)
    ours.say(`publish ${TOPIC} ${length}:us-${length}`)
    await until('we get it', () => ours.got(`js-${length}`) > 0)
    await until('js gets it', () => js.got(`us-${length}`) > 0)
    equal(js.messages.find((m) => m.text === `us-${length}`).length, length, 'length')
  }
})

scene('we dial js, and subscribe later', async () => {
  const js = await Js.start()
  const ours = await Ours.start()
  ours.say(`dial ${js.port} ${js.id}`)
  await ours.line(/^identified/)
  await subscribeAll([js], [ours])
  await know(js, ours)
  await bothWays(js, ours)
  ours.say(`unsubscribe ${TOPIC}`)
  await until('js sees that we left', () => !js.subscribers().includes(ours.id))
  js.pubsub.unsubscribe(TOPIC)
  await ours.line(new RegExp(`^unsubscribed ${js.id}`))
})

scene('messages travel on: js, we, js', async () => {
  const [a, ours, b] = await row()
  await inMesh(a, ours)
  await inMesh(b, ours)
  await a.publish('onward', 2000)
  await until('b gets it', () => b.got('onward') > 0)
  equal(b.messages.find((m) => m.text === 'onward').from, a.id, 'author')
  await b.publish('back')
  await until('a gets it', () => a.got('back') > 0)
})

scene('messages travel on: we, js, we', async () => {
  const js = await Js.start()
  const a = await Ours.start()
  const b = await Ours.start('plain')
  await subscribeAll([js], [a, b])
  a.say(`dial ${js.port} ${js.id}`)
  b.say(`dial ${js.port} ${js.id}`)
  await inMesh(js, a)
  await inMesh(js, b)
  a.say(`publish ${TOPIC} onward`)
  await until('b gets it', () => b.got('onward') > 0)
})

scene('what our verdict ignores goes no further', async () => {
  const [a, ours, b] = await row()
  await inMesh(a, ours)
  await inMesh(b, ours)
  ours.say(`mute ${TOPIC}`)
  await a.publish('quiet')
  await until('we get it', () => ours.got('quiet') > 0)
  ours.say(`unmute ${TOPIC}`)
  await a.publish('loud')
  await until('b gets it', () => b.got('loud') > 0)
  equal(b.got('quiet'), 0, 'b got the other')
})

scene('IDONTWANT, both ways', async () => {
  const [a, ours, b] = await row()
  const heard = []
  for (const js of [a, b]) js.pubsub.handleIdontwant = (id, list) => { if (id === ours.id) heard.push(js, ...list) }
  await inMesh(a, ours)
  await inMesh(b, ours)
  await a.publish('short')
  await until('b gets it', () => b.got('short') > 0)
  equal(heard.length, 0, 'IDONTWANTs for a short message')
  await a.publish('long', 5000)
  await until('b hears of it', () => heard.includes(b))
  ok(!heard.includes(a), 'a, who sent it, need not be told')
  await b.dial(a) // now js, which gets it from both, tells us
  await until('a and b are meshed', () => a.pubsub.getMeshPeers(TOPIC).includes(b.id))
  await b.publish('longer', 9000)
  await until('we get it', () => ours.got('longer') > 0)
})

scene('gossipsub 1.1 and 1.0 alone', async () => {
  for (const version of ['/meshsub/1.1.0', '/meshsub/1.0.0']) {
    const js = await Js.start({ only: [version] })
    const ours = await Ours.start()
    await subscribeAll([js], [ours])
    await js.dial(ours)
    await know(js, ours)
    await inMesh(js, ours)
    equal(js.pubsub.streamsOutbound.get(ours.id).protocol, version, 'protocol')
    await bothWays(js, ours)
  }
})

scene('js floodsub', async () => {
  const js = await Js.start({}, floodsub)
  const other = await Js.start()
  const ours = await Ours.start()
  await subscribeAll([js, other], [ours])
  await js.dial(ours)
  await other.dial(ours)
  await know(js, ours)
  await know(other, ours)
  await bothWays(js, ours)
  await js.publish('flood')
  await until('the other gets it through us', () => other.got('flood') > 0)
  await other.publish('mesh')
  await until('and back', () => js.got('mesh') > 0)
})

scene('we in no mesh: js tells what there is, we fetch', async () => {
  const js = await Js.start()
  const other = await Js.start() // the author: js itself would publish to D peers whether meshed or not
  const ours = await Ours.start('d=0')
  await subscribeAll([js, other], [ours])
  await js.dial(ours)
  await other.dial(js)
  await know(js, ours)
  // js may have taken us in for a moment: until our PRUNE is there.
  await until('js has a mesh, without us', () => js.pubsub.getMeshPeers(TOPIC).includes(other.id) && !js.pubsub.getMeshPeers(TOPIC).includes(ours.id))
  for (const text of ['one', 'two', 'three']) await other.publish(text)
  await until('we get them', () => ['one', 'two', 'three'].every((t) => ours.got(t) > 0))
  ours.say('stats')
  ok(Number((await ours.line(/^stats.* iwant (\d+)/))[1]) >= 3, 'we asked for them')
})

scene('js in no mesh: we tell what there is, js fetches', async () => {
  const js = await Js.start({ D: 0, Dlo: 0, Dhi: 0, Dout: 0, Dscore: 0 })
  const ours = await Ours.start('quiet')
  const other = await Ours.start()
  await subscribeAll([js], [ours, other])
  await js.dial(ours)
  other.say(`dial ${ours.port} ${ours.id}`)
  await know(js, ours)
  await until('we have a mesh', async () => await ours.mesh() === 1)
  await until('js is out of it', () => !js.pubsub.getMeshPeers(TOPIC).includes(ours.id))
  for (const text of ['one', 'two', 'three']) ours.say(`publish ${TOPIC} ${text}`)
  await until('js gets them', () => ['one', 'two', 'three'].every((t) => js.got(t) > 0))
  ours.say('stats')
  ok(Number((await ours.line(/^stats.* served (\d+)/))[1]) >= 1, 'it asked for them')
})

scene('js prunes us and names others, with their records', async () => {
  const hub = await Js.start({ doPX: true, D: 2, Dlo: 1, Dhi: 2, Dout: 0, Dscore: 1 })
  const others = await Promise.all([1, 2, 3].map(() => Js.start()))
  await subscribeAll([hub, ...others], [])
  for (const js of others) await js.dial(hub)
  await until('the hub knows them', () => others.every((js) => hub.subscribers().includes(js.id)))
  await until('the hub has their records', async () => (await Promise.all(others.map((js) => hub.libp2p.peerStore.get(js.libp2p.peerId)))).every((p) => p.peerRecordEnvelope))
  await until('the mesh of the hub is full', () => hub.pubsub.getMeshPeers(TOPIC).length >= 2)
  const ours = await Ours.start()
  ours.say(`subscribe ${TOPIC}`)
  ours.say(`dial ${hub.port} ${hub.id}`)
  const [, id, n] = await ours.line(/^px (\S+) (\d+)/)
  ok(others.some((js) => js.id === id), 'one of them')
  ok(Number(n) > 0, 'with addresses')
})

scene('we prune js and name others', async () => {
  const hub = await Ours.start('px', 'd=1')
  const js = await Promise.all([1, 2, 3].map(() => Js.start({ scoreThresholds: { acceptPXThreshold: 0 } })))
  const named = []
  for (const node of js) node.pubsub.pxConnect = async (peers) => { named.push(...peers) }
  await subscribeAll(js, [hub])
  for (const node of js) await node.dial(hub)
  await until('js is told of others', () => named.length > 0)
  for (const peer of named) {
    const record = PeerRecord.createFromProtobuf((await RecordEnvelope.openAndCertify(peer.signedPeerRecord, PeerRecord.DOMAIN)).payload)
    const who = js.find((node) => node.id === record.peerId.toString())
    ok(who && Buffer.from(peer.peerID).equals(record.peerId.toMultihash().bytes), 'by a record of their own')
    ok(record.multiaddrs.some((a) => who.libp2p.getMultiaddrs().some((b) => b.toString().startsWith(a.toString()))), 'that says where they are')
  }
  equal(await hub.mesh(), 1, 'our mesh')
})

scene('js goes and comes back', async () => {
  const js = await Js.start()
  const ours = await Ours.start()
  await subscribeAll([js], [ours])
  for (let i = 0; i < 3; i++) {
    await js.dial(ours)
    await know(js, ours)
    ours.say(`publish ${TOPIC} again-${i}`)
    await until('js gets it', () => js.got(`again-${i}`) > 0)
    await js.libp2p.hangUp(js.libp2p.getPeers()[0])
    await ours.line(/^down/)
    await until('js forgot us', () => js.subscribers().length === 0)
  }
})

scene('a mesh of ten js and ten of ours', async () => {
  const scoreParams = { topics: { [TOPIC]: createTopicScoreParams({ timeInMeshQuantum: 1000, timeInMeshCap: 10, meshMessageDeliveriesWeight: 0, meshFailurePenaltyWeight: 0 }) } }
  const js = await Promise.all(Array.from({ length: 10 }, () => Js.start({ scoreParams })))
  const ours = await Promise.all(Array.from({ length: 10 }, () => Ours.start()))
  await subscribeAll(js, ours)
  const all = js.flatMap((node, i) => [node, ours[i]])
  for (let i = 0; i < 20; i++) { // each to three further on: six connections each, js counts no more than ten of an address
    for (const step of [1, 3, 8]) {
      const to = all[(i + step) % 20]
      if (all[i] instanceof Js) await all[i].dial(to)
      else all[i].say(`dial ${to.port} ${to.id}`)
    }
  }
  await until('all know each other', () => js.every((node) => node.subscribers().length >= 6))
  await until('js has meshes', () => js.every((node) => node.pubsub.getMeshPeers(TOPIC).length >= 4))
  const texts = []
  for (let round = 0; round < 3; round++) {
    for (const [i, node] of all.entries()) {
      const text = `r${round}n${i}`
      texts.push(text)
      if (node instanceof Js) await node.publish(text, i * 200)
      else node.say(`publish ${TOPIC} ${i * 200}:${text}`)
    }
  }
  await until('everybody has everything', () => texts.every((t, k) => all.every((node, i) => i === k % 20 || node.got(t) > 0)), 20000)
  const beats = js.map((node) => node.pubsub.heartbeatTicks)
  await until('gossip went about what everybody has', () => js.every((node, i) => node.pubsub.heartbeatTicks >= beats[i] + 3))
  for (const [k, t] of texts.entries()) for (const [i, node] of all.entries()) equal(node.got(t), i === k % 20 ? 0 : 1, `${t} at ${i}`)
  for (const node of js) for (const id of node.pubsub.getMeshPeers(TOPIC)) ok(node.score(id) > 0, 'js scores its mesh up')
})

await run(3)
