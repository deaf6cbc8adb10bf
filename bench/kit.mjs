/* kit: what the figures are made of. Ours and the peer take turns in one run (A B A B …), the medians of the rounds are divided; a figure is one line
 * `name: ours, peer, ratio (goal)`. BENCH_ROUNDS (5) and BENCH_SECONDS (4) set how long that takes. */
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { cleanUp, freePort, onExit, tempDir, until } from '../tests/e2e/kit.mjs'

export * from '../tests/e2e/kit.mjs'

export const HERE = new URL('.', import.meta.url).pathname
export const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5)
export const SECONDS = Number(process.env.BENCH_SECONDS ?? 4)

export const ROOT = join(HERE, '../')
export const HOLDFAST = process.env.HOLDFAST ?? join(ROOT, 'build/holdfast')
export const BUILD = dirname(HOLDFAST)
export const run = promisify(execFile)

/* ---- numbers ---- */

export function quantile (numbers, q) {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
}
export const median = numbers => quantile(numbers, 0.5)

const short = n => n >= 1000 ? Math.round(n).toLocaleString('en-US') : n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2)

/** Each of `sides` ({name: async () => number or object}) once a round, in turn; gives {name: [results]}. */
export async function rounds (sides, n = ROUNDS) {
  const results = Object.fromEntries(Object.keys(sides).map(name => [name, []]))
  for (let i = 0; i < n; i++) for (const [name, side] of Object.entries(sides)) results[name].push(await side())
  return results
}

/* `goal`: [at least or at most, number]. */
const reached = ([sense, wanted], value) => sense === '>=' ? value >= wanted : value <= wanted
const verdict = (goal, value, unit) => goal ? ` (goal ${goal[0]} ${goal[1]}${unit}${reached(goal, value) ? '' : ', MISSED'})` : ''

/** A line of the table: ours against the peer's, their ratio against the goal. */
export function compare (name, ours, peer, unit, goal) {
  const ratio = ours / peer
  console.log(`${name}: ${short(ours)} ${unit}, ${short(peer)} ${unit}, ${short(ratio)}x${verdict(goal, ratio, 'x')}`)
}

/** A line without a peer. */
export function tell (name, value, unit, goal) {
  console.log(`${name}: ${short(value)} ${unit}${verdict(goal, value, ` ${unit}`)}`)
}

export const note = text => console.log(`  ${text}`)

/* ---- load ---- */

const ticks = 100 // a second; what Linux shows to programs
const usedBy = pid => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks
}
const childrenOf = pid => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)

/** Seconds of processor time that a process and its children have used. */
export const processorTime = pid => [pid, ...childrenOf(pid)].map(usedBy).reduce((a, b) => a + b)

/** wrk with one thread. Gives {rate, p99 (ms), cost (µs of processor time of `server` an answer), said: {name: number} from the script's own last line}.
 * Refuses answers that are not 2xx or 3xx. */
export async function wrk (server, { connections = 64, seconds = SECONDS, script, env = {} } = {}) {
  const url = server.origin
  const before = processorTime(server.process.pid)
  const args = ['-t1', `-c${connections}`, `-d${seconds}`, '--latency', ...script ? ['-s', join(HERE, 'wrk', script)] : [], url]
  const { stdout } = await run('wrk', args, { env: { ...process.env, ...env } })
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)
  if (bad) throw new Error(`${url}: ${bad[1]} answers are errors`)
  const units = { us: 0.001, ms: 1, s: 1000 }
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout)
  const answers = Number(/(\d+) requests in/.exec(stdout)[1])
  return {
    cost: (processorTime(server.process.pid) - before) * 1e6 / answers,
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]),
    p99: p99 ? Number(p99[1]) * units[p99[2]] : NaN,
    said: Object.fromEntries([...stdout.matchAll(/^said (\S+) ([\d.]+)$/gm)].map(m => [m[1], Number(m[2])]))
  }
}

/** A form as a browser without Fetch Metadata sends it. */
export async function post (origin, path, fields) {
  const answer = await fetch(origin + path, { method: 'POST', body: new URLSearchParams(fields), headers: { origin }, redirect: 'manual' })
  if (answer.status !== 303) throw new Error(`${origin}${path}: ${answer.status} ${(await answer.text()).slice(0, 200)}`)
}

/** `n` todos, the same on each side. */
export async function fill (origin, n) {
  for (let i = 1; i <= n; i++) await post(origin, '/todos', { text: `Buy item number ${i} for the kitchen`, assignee: 'Ann' })
}

/** `n` todos as fast as the node takes them. */
export async function grow (node, n) {
  let made = 0
  const maker = async () => { while (made < n) await post(node.origin, '/todos', { text: `Item ${++made} of a long list`, assignee: 'Ann' }) }
  await Promise.all(Array.from({ length: 64 }, maker))
}

/* ---- peers ---- */

async function answers (origin, child, name) {
  let gone = false
  child.once('exit', () => { gone = true })
  await until(`${name} answers`, async () => {
    if (gone) throw new Error(`${name} ended`)
    return (await fetch(origin)).ok
  }, 30_000)
}

function started (program, args, options) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options })
  const gone = new Promise(resolve => child.once('exit', resolve))
  onExit(() => child.kill('SIGKILL'))
  return { child, stop: () => { child.kill('SIGTERM'); return gone } }
}

/** The SvelteKit app of peers/sveltekit over a database of its own, one process, in production mode. */
export async function sveltekit () {
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const env = { ...process.env, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: port, ORIGIN: origin, DATABASE: join(tempDir(), 'todos.db') }
  const { child, stop } = started(process.execPath, [join(HERE, 'peers/sveltekit/build/index.js')], { env })
  await answers(origin, child, 'SvelteKit')
  return { origin, process: child, stop }
}

/** nginx, one worker, with these bytes as its index page. */
export async function nginx (bytes) {
  const dir = tempDir()
  const port = await freePort()
  const origin = `http://localhost:${port}`
  mkdirSync(join(dir, 'www'))
  writeFileSync(join(dir, 'www/index.html'), bytes, { mode: 0o644 })
  writeFileSync(join(dir, 'nginx.conf'), `user root; daemon off; worker_processes 1; pid ${dir}/pid; error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000; types { text/html html; }
  open_file_cache max=16 inactive=60s; open_file_cache_valid 60s; open_file_cache_min_uses 1;
  client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  server { listen 127.0.0.1:${port}; root ${dir}/www; }
}
`)
  const { child, stop } = started('nginx', ['-p', dir, '-c', join(dir, 'nginx.conf')])
  await answers(origin, child, 'nginx')
  return { origin, process: child, stop }
}

/* ---- running ---- */

/** Runs one benchmark and ends; says how busy the machine was with other things when it began. */
export async function bench (name, body) {
  const load = loadavg()[0]
  if (load > 1) note(`${name}: the machine is busy (load ${load.toFixed(1)}); times are not to be believed`)
  let failed = 0
  try {
    await body()
  } catch (error) {
    failed = 1
    console.log(`${name}: FAILED ${error.stack}`)
  }
  await cleanUp()
  process.exit(failed)
}
