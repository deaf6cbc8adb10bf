/* What goes wrong around a node: clocks that jump, descriptors that run out, crowds, peers that are stopped and go on. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { equal, Node, ok, test, until } from './kit.mjs'
import { ask, post, Raw, Reader, rssKiB, say } from './wire.mjs'
import { faulty } from '../faults/faulty.mjs'

const LONG = process.env.FAULTS === 'long'
const DAY = 86_400_000
const GET = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'
const listed = async node => JSON.parse((await ask(node, '/api/v1/todos?limit=1000')).text).items.map(item => item.text)
/* In hundredths of a second. */
const cpuTime = node => {
  const fields = readFileSync(`/proc/${node.process.pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return Number(fields[11]) + Number(fields[12])
}
const figure = async (node, name) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec((await ask(node, '/metrics')).text)?.[1])

/* ---- clocks ---- */

test('a wall clock that jumps by 400 days to and fro: forms, sessions, replication go on, and nothing spins', async () => {
  const a = await faulty()
  const b = await faulty()
  await a.start()
  await b.start(['--join', a.multiaddr])
  const reader = new Reader(a)
  await reader.go('/')
  const written = []
  const jumps = LONG ? 300 : 12
  const [before, began] = [cpuTime(a) + cpuTime(b), performance.now()]
  for (let i = 0; i < jumps; i++) {
    a.faults.clockMs = [400, -400, 0, 1, -1, 20_000, -19_000][i % 7] * DAY
    b.faults.clockMs = [0, 400, -400][i % 3] * DAY
    const [mine, its] = [`a ${i}`, `b ${i}`]
    await reader.go('/')
    await reader.submit('/todos', { text: mine })
    equal(reader.submitted, 303, `a form in the ${i}th time`)
    equal((await post(b, '/todos', { text: its })).status, 303, 'at the other')
    written.push(mine, its)
    await until('both have both', async () => { const [x, y] = [await listed(a), await listed(b)]; return [mine, its].every(text => x.includes(text) && y.includes(text)) }, 8000)
  }
  equal(reader.cookies, 1, 'one session all the time')
  const spent = cpuTime(a) + cpuTime(b) - before
  ok(a.faults.clocksRead > 0, 'the clock was the false one')
  ok(!/refused/.test(a.log + b.log), `entries were refused: ${a.log}${b.log}`)
  console.log(`  ${jumps} jumps in ${((performance.now() - began) / 1000).toFixed(1)} s, ${spent} hundredths of a second of work`)
  const steady = cpuTime(a)
  const stepping = setInterval(() => { a.faults.clockMs = a.faults.clockMs > 0 ? -400 * DAY : 400 * DAY }, 20)
  const watched = performance.now()
  await until('a while of steps', () => performance.now() - watched > 1000)
  clearInterval(stepping)
  ok(cpuTime(a) - steady < 30, `it is idle while the clock steps: ${cpuTime(a) - steady} hundredths of a second`)
  for (const ms of [-400 * DAY, 400 * DAY]) {
    await a.stop()
    a.faults.clockMs = ms
    await a.start()
    equal([...await listed(a)].sort(), [...written].sort(), 'after a restart in another time')
  }
  await a.stop()
  await b.stop()
})

/* ---- descriptors ---- */

test('no descriptor is left: nothing spins, who is in is served, and who waits gets in when one is free', async () => {
  const node = await faulty()
  await node.start()
  const inside = new Raw(node.port)
  await inside.opened
  inside.send(GET)
  await inside.until(r => r.statuses.length === 1)
  const open = Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync(`/proc/${node.process.pid}/limits`, 'utf8'))[1])
  const limit = n => equal(spawnSync('prlimit', ['--pid', String(node.process.pid), `--nofile=${n}:${open}`]).status, 0, 'prlimit')
  limit(20) /* fewer than are open */
  const waiting = Array.from({ length: 20 }, () => new Raw(node.port))
  await Promise.all(waiting.map(raw => raw.opened))
  for (const raw of waiting) raw.send(GET)
  const before = cpuTime(node)
  const watched = performance.now()
  await until('a while', () => performance.now() - watched > 700)
  ok(cpuTime(node) - before < 15, `it spins: ${cpuTime(node) - before} hundredths of a second`)
  inside.send(GET)
  ok(await inside.until(r => r.statuses.length === 2), 'who is in is served')
  const body = 'text=without+a+descriptor'
  inside.send(`POST /todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  ok(await inside.until(r => r.statuses.length === 3), 'a form is answered')
  equal(inside.statuses[2], 303, 'and stored')
  limit(open)
  for (const raw of waiting) ok(await raw.until(r => r.statuses.length), 'who waited is served')
  for (const raw of [inside, ...waiting]) raw.end()
  equal(await listed(node), ['without a descriptor'], 'the form')
  await node.stop()
})

/* ---- crowds ---- */

test('as many idle connections as there may be, and a request among them', async () => {
  const node = await Node.make()
  await node.start()
  const soft = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))[1])
  const n = Math.min(9900, soft - 200)
  const memory = rssKiB(node)
  const all = []
  const some = from => Promise.all(Array.from({ length: Math.min(500, n - from) }, (_, i) => new Promise((resolve, reject) => {
    /* From several addresses, which all are this machine's. */
    const socket = connect({ port: node.port, host: '127.0.0.1', localAddress: `127.0.0.${2 + (from + i) % 8}` }, () => { socket.write(GET); socket.once('data', () => resolve()) })
    socket.on('error', reject)
    all.push(socket)
  })))
  for (let from = 0; from < n; from += 500) await some(from)
  const held = rssKiB(node)
  const took = []
  for (let i = 0; i < 20; i++) {
    const began = performance.now()
    equal((await say(node.port, GET)).statuses, [200], 'a request')
    took.push(performance.now() - began)
  }
  const worst = Math.max(...took)
  console.log(`  ${n} idle connections: ${((held - memory) / n).toFixed(2)} KiB each; a request takes ${took.sort((a, b) => a - b)[10].toFixed(1)} ms, at worst ${worst.toFixed(0)} ms`)
  ok((held - memory) / n <= 12, 'memory of each')
  ok(worst < 1000, 'a request')
  for (const socket of all) socket.destroy()
  await until('all are let go', async () => await figure(node, 'holdfast_connections\\{kind="page"\\}') < 50)
  await node.stop()
})

test('a crowd that comes back at once after an outage: all are served', async () => {
  const node = await Node.make()
  await node.start()
  for (let i = 0; i < 20; i++) await post(node, '/todos', { text: `for the crowd ${i}` })
  await node.kill()
  const soft = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))[1])
  const n = Math.min(LONG ? 5000 : 2000, soft - 300)
  await node.start()
  const began = performance.now()
  const established = new Raw(node.port)
  await established.opened
  let worst = 0
  const visit = i => new Promise((resolve, reject) => {
    let got = ''
    const socket = connect({ port: node.port, host: '127.0.0.1', localAddress: `127.0.0.${2 + i % 8}` }, () => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'))
    socket.on('data', chunk => { got += chunk.toString('latin1') })
    socket.on('error', reject)
    socket.on('close', () => got.includes('for the crowd 0') ? resolve() : reject(new Error(`cut off: ${got.slice(0, 100)}`)))
  })
  const crowd = Promise.all(Array.from({ length: n }, (_, i) => visit(i))).then(() => { crowd.done = true })
  for (let i = 1; !crowd.done; i++) {
    const asked = performance.now()
    established.send(GET)
    const answered = await Promise.race([established.until(r => r.statuses.length >= i, 20_000), crowd.then(() => true)])
    ok(answered, 'the one who was there')
    worst = Math.max(worst, performance.now() - asked)
  }
  await crowd
  const seconds = (performance.now() - began) / 1000
  console.log(`  ${n} pages for ${n} connections at once in ${seconds.toFixed(1)} s; who was there waited ${worst.toFixed(0)} ms at most (that includes the crowd's own process)`)
  ok(seconds < 20, `${seconds} s`)
  established.end()
  await node.stop()
})

test('a peer that is stopped in the middle: others go on, it is let go within 45 s at most, and is back soon after', async () => {
  const [a, b, c] = [await Node.make(), await Node.make(), await Node.make()]
  await a.start()
  await b.start(['--join', a.multiaddr])
  await c.start(['--join', a.multiaddr, '--join', b.multiaddr])
  const peers = node => figure(node, 'holdfast_peers')
  await until('all three are joined', async () => await peers(a) >= 2 && await peers(b) >= 2)
  b.process.kill('SIGSTOP')
  const stopped = performance.now()
  const began = performance.now()
  await post(a, '/todos', { text: 'while it stands still' })
  await until('the third has it', async () => (await listed(c)).includes('while it stands still'), 5000)
  console.log(`  the third had it after ${(performance.now() - began).toFixed(0)} ms`)
  if (LONG || process.env.FAULTS_STOP) {
    await until('it is let go', async () => await peers(a) === 1, 50_000, 250)
    const seconds = (performance.now() - stopped) / 1000
    console.log(`  let go after ${seconds.toFixed(1)} s`)
    ok(seconds <= 45, `${seconds} s`)
  }
  b.process.kill('SIGCONT')
  const back = performance.now()
  await until('it has what it missed', async () => (await listed(b)).includes('while it stands still'), 15_000)
  console.log(`  it had it ${((performance.now() - back) / 1000).toFixed(1)} s after it went on`)
  for (const node of [a, b, c]) await node.kill()
})
