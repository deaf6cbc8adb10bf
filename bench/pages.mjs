/* pages: GET / with 100 todos. With the state unchanged and with a write between any two reads against SvelteKit; against nginx with the same bytes in a
 * file. */
import { bench, compare, fill, median, nginx, Node, note, rounds, sveltekit, wrk } from './kit.mjs'

const ITEMS = 100
const body = async origin => Buffer.from(await (await fetch(origin)).arrayBuffer())

async function toggleOf (origin) {
  const html = (await body(origin)).toString()
  return /formaction="(\/todos\/[^"]+\/toggle)"/.exec(html)[1]
}

const rates = results => median(results.map(r => r.rate))
const p99s = results => median(results.map(r => r.p99))
const costs = results => median(results.map(r => r.cost))

async function alternating (server) {
  const { said } = await wrk(server, { connections: 1, script: 'alternate.lua', env: { TOGGLE: await toggleOf(server.origin) } })
  return said.gets / said.seconds
}

await bench('pages', async () => {
  const ours = await (await Node.make({ flags: ['--log-level', 'error'] })).start()
  const svelte = await sveltekit()
  await fill(ours.origin, ITEMS)
  await fill(svelte.origin, ITEMS)
  const page = await body(ours.origin)
  const file = await nginx(page)
  note(`a page: ${page.length} bytes ours, ${(await body(svelte.origin)).length} bytes SvelteKit's`)
  await wrk(svelte, { seconds: 2 }) // compiled and warm

  const same = await rounds({ ours: () => wrk(ours), svelte: () => wrk(svelte), file: () => wrk(file) })
  compare('pages, unchanged, against SvelteKit', rates(same.ours), rates(same.svelte), 'pages/s', ['>=', 30])
  compare('pages, unchanged, against nginx with a file', rates(same.ours), rates(same.file), 'pages/s', ['>=', 0.5])
  note(`p99 at 64 connections: ${p99s(same.ours).toFixed(1)} ms ours, ${p99s(same.svelte).toFixed(1)} ms SvelteKit, ${p99s(same.file).toFixed(1)} ms nginx`)
  note(`processor time a page: ${costs(same.ours).toFixed(0)} µs ours, ${costs(same.svelte).toFixed(0)} µs SvelteKit, ${costs(same.file).toFixed(0)} µs nginx`)

  const changed = await rounds({ ours: () => alternating(ours), svelte: () => alternating(svelte) })
  compare('pages, a write between any two, against SvelteKit', median(changed.ours), median(changed.svelte), 'pages/s', ['>=', 8])
})
