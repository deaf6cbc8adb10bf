/* node: how long a node takes to be ready, from its snapshot and without, and what it weighs: at rest, with 10,000 entries, with 1,000 clients that stay in sync. */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { bench, BUILD, fill, grow, HOLDFAST, median, Node, onExit, ROOT, ROUNDS, tell } from './kit.mjs'

const CLIENTS = Number(process.env.BENCH_CLIENTS ?? 1000)
const ENTRIES = Number(process.env.BENCH_ENTRIES ?? 10_000)
const QUIET = { flags: ['--log-level', 'error'] }
const MIB = 1 << 20
const QUIET_MS = 35_000 // two rounds of pings: buffers that nothing goes by are given back

const memory = node => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${node.process.pid}/status`, 'utf8'))[1]) * 1024

/** `cold`: without its snapshot, as after a crash before there was one. */
async function starting (node, cold = false) {
  const times = []
  for (let i = 0; i < ROUNDS; i++) {
    if (cold) rmSync(`${node.dir}/snapshot`, { force: true })
    await node.start()
    times.push(node.ms)
    await node.stop()
  }
  return median(times)
}

/** The lines that the crowd prints, one by one; it stays until its input ends. */
async function crowd (port, entries) {
  const child = spawn(`${BUILD}/bench/crowd`, [`${ROOT}apps/todo`, String(port), String(CLIENTS), String(entries)], { stdio: ['pipe', 'pipe', 'inherit'] })
  onExit(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error('the crowd ended')
    return Number(value.split(' ')[1])
  }
  const gone = new Promise(resolve => child.once('exit', resolve))
  return { next, leave: () => { child.stdin.end(); return gone } }
}

await bench('node', async () => {
  tell('node, the program on disk', statSync(HOLDFAST).size / MIB, 'MiB')
  const empty = await Node.make(QUIET)
  tell('node, ready when empty', await starting(empty), 'ms')
  await empty.start()
  tell('node, memory at rest', memory(empty) / MIB, 'MiB')
  await fill(empty.origin, 100)
  const before = memory(empty)
  const clients = await crowd(empty.p2p, 100)
  tell(`node, ${CLIENTS} clients connected in`, await clients.next(), 's')
  tell('node, and each with the list of 100 after', await clients.next(), 's')
  tell(`node, memory when ${CLIENTS} clients have just got it`, memory(empty) / MIB, 'MiB')
  await new Promise(resolve => setTimeout(resolve, QUIET_MS))
  tell(`node, memory with ${CLIENTS} clients connected`, memory(empty) / MIB, 'MiB')
  tell('node, memory a client', (memory(empty) - before) / CLIENTS / 1024, 'KiB')
  await clients.leave()
  await empty.stop()

  const full = await (await Node.make(QUIET)).start()
  await grow(full, ENTRIES)
  await full.stop()
  tell(`node, ready with ${ENTRIES} entries that are all read`, await starting(full, true), 'ms')
  tell(`node, ready with ${ENTRIES} entries`, await starting(full), 'ms')
  await full.start()
  tell(`node, memory with ${ENTRIES} entries`, memory(full) / MIB, 'MiB')
})
