/* picture: docs/pictures/surviving.png, made from the real thing: two nodes, two Chromium profiles, kill -9, and what the browsers show before and after.
 * Nothing in it is drawn but the frames, the captions and the lines between. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { addTodo, browser, cleanUp, equal, hasPeers, inMode, Node, onExit, profile, settled, shown, showsText, tempDir, visit } from '../tests/e2e/kit.mjs'

const OUT = new URL('../docs/pictures/', import.meta.url).pathname
const WINDOW = { width: 420, height: 396 }
const TODOS = [
  ['Find the fuse for the porch light', 'Jun'], ['Ask Marta for the big pot', 'Ada'], ['Return the ladder', ''], ['Book the 9:40 ferry', 'Noor']
]

const frame = async page => {
  await page.evaluate(() => {
    document.activeElement?.blur()
    const list = document.querySelector('.todos').getBoundingClientRect()
    scrollTo(0, scrollY + list.top - document.querySelector('.top').offsetHeight - 12)
  })
  await page.mouse.move(0, 0)
  return (await page.screenshot({ animations: 'disabled' })).toString('base64')
}

/* Both at one moment at which both know of each other: a page that reloads is away from the other for some tens of milliseconds. */
async function both (one, two, mode) {
  await Promise.all([one, two].flatMap(page => [inMode(page, mode), hasPeers(page, 1)]))
  return { one: await frame(one), two: await frame(two) }
}

/* Adds in one, answers how long until the other shows it. */
async function pass (from, to, text, assignee = '') {
  await from.fill('#new-assignee', assignee)
  const began = performance.now()
  await addTodo(from, text)
  await showsText(to, text)
  const took = performance.now() - began
  await showsText(from, text)
  return Math.round(took)
}

/* The demo's port, when nobody has it. */
const portIfFree = port => new Promise(resolve => {
  const server = createServer()
  server.once('error', () => resolve(undefined))
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(port)))
})

async function play () {
  const a = await Node.make({ port: await portIfFree(3000) })
  const b = await Node.make({ port: await portIfFree(3001) })
  a.flags = ['--sibling', b.origin]
  b.flags = ['--sibling', a.origin]
  await a.start()
  await b.start(['--join', a.multiaddr])
  const open = async colorScheme => visit(await profile(tempDir(), { viewport: WINDOW, deviceScaleFactor: 2, colorScheme }), a.origin)
  const one = await open('light')
  const two = await open('dark')
  await Promise.all([hasPeers(one, 1), hasPeers(two, 1), inMode(one, 'server'), inMode(two, 'server')])
  for (const [i, [text, assignee]] of TODOS.entries()) await pass(i % 2 ? two : one, i % 2 ? one : two, text, assignee)
  await one.click('.todos li:nth-child(2) [formaction$="/toggle"]')
  await two.waitForSelector('[aria-pressed=true]')
  const alive = await both(one, two, 'server')

  const pids = [a.process.pid, b.process.pid]
  execFileSync('kill', ['-9', ...pids.map(String)])
  await Promise.all([a.gone, b.gone])
  const curl = spawnSync('curl', ['-sS', a.origin + '/'], { encoding: 'utf8' }).stderr.trim()
  for (const page of [one, two]) { /* one after the other: docs/explanation/architecture.md, what is not solved */
    await page.reload()
    await settled(page)
    await hasPeers(page, 1)
  }
  const killed = await both(one, two, 'peer')

  const took = [await pass(one, two, 'Buy charcoal before six', 'Ada'), await pass(two, one, 'Bring the good speakers', 'Jun')]
  equal(await shown(one), await shown(two), 'both lists')
  return { a, b, pids, curl, took, alive, killed, writing: await both(one, two, 'peer') }
}

const escape = text => String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const image = (shot, name, note = '') => `<div class="window"><p><i></i><i></i><i></i><b>${name}</b></p><img src="data:image/png;base64,${shot}">${note}</div>`

function html ({ a, b, pids, curl, took, alive, killed, writing }) {
  const node = (name, n, dead) => `<span class="node${dead ? ' dead' : ''}">node ${name}<small>${dead ? 'killed' : `localhost:${n.port}`}</small></span>`
  const column = ({ step, title, dead, link, shots, notes = [], terminal }) => `<section>
    <h2><b>${step}</b>${title}</h2>
    <div class="nodes">${node('A', a, dead)}${node('B', b, dead)}</div>
    ${image(shots.one, 'browser 1', notes[0])}
    <p class="link${dead ? ' direct' : ''}">${link}</p>
    ${image(shots.two, 'browser 2', notes[1])}
    <pre>${terminal}</pre>
  </section>`
  const note = (text, top) => `<em style="top:${top}px">${text}</em>`
  return `<!doctype html><meta charset="utf-8"><style>
    *{box-sizing:border-box;margin:0}
    body{width:1400px;padding:28px 30px 30px;background:#eaf1ef;color:#14211e;font:17px/1.4 "Liberation Sans",Arial,sans-serif;display:grid;grid-template-columns:repeat(3,1fr);gap:28px}
    section{min-width:0}
    h2{font-size:24px;font-weight:700;letter-spacing:-.02em;display:flex;align-items:center;gap:11px;white-space:nowrap}
    h2 b{flex:none;width:32px;height:32px;border-radius:50%;background:#0f766e;color:#fff;display:grid;place-items:center;font-size:17px}
    .nodes{display:grid;grid-template-columns:1fr 1fr;gap:12px;margin:16px 0 22px}
    .node{position:relative;display:flex;justify-content:space-between;align-items:baseline;padding:9px 14px;border-radius:10px;background:#0f766e;color:#fff;font-weight:700;font-size:16px}
    .node small{font-weight:400;font-size:13px;opacity:.9}
    .node::after{content:"";position:absolute;left:50%;top:100%;height:22px;border-left:3px solid #0f766e}
    .dead{background:none;color:#a3271b;outline:2px dashed #cf7a70;outline-offset:-2px;text-decoration:line-through}
    .dead small{text-decoration:none;display:inline-block}
    .dead::after{display:none}
    .window{position:relative;border-radius:12px;overflow:hidden;border:1px solid #b6c6c1;box-shadow:0 10px 30px rgb(16 40 35/.16);background:#dfe8e5}
    .window p{display:flex;align-items:center;gap:6px;height:28px;padding:0 12px;font-size:13px;color:#49605a}
    .window i{width:9px;height:9px;border-radius:50%;background:#b6c6c1}
    .window b{font-weight:400;margin-left:6px}
    .window img{display:block;width:100%}
    .window em{position:absolute;right:30px;padding:4px 11px;border-radius:14px;background:#716ef2;color:#fff;font-style:normal;font-weight:700;font-size:14px}
    .link{height:50px;display:flex;align-items:center;justify-content:center;gap:12px;font-size:15px;font-weight:700;color:#0f766e}
    .link::before,.link::after{content:"";height:100%;border-left:3px solid}
    .direct{color:#5552d6}
    pre{margin-top:22px;height:118px;padding:14px 16px;border-radius:12px;background:#101917;color:#d6e4e0;font:14.5px/1.5 "DejaVu Sans Mono",monospace;white-space:pre-wrap}
    pre b{color:#7ee0cf;font-weight:400}pre u{color:#ff9c92;text-decoration:none}
  </style>${column({
    step: 1, title: 'Two nodes serve the list', link: 'through the nodes, and to each other', shots: alive,
    terminal: `<b>$</b> holdfast serve --http 127.0.0.1:${a.port}\nready\n<b>$</b> holdfast serve --http 127.0.0.1:${b.port}\nready`
  })}${column({
    step: 2, title: 'Both killed, both pages reloaded', dead: true, link: 'browser to browser, WebRTC', shots: killed,
    terminal: `<b>$</b> kill -9 ${pids.join(' ')}\n<b>$</b> curl ${a.origin}/\n<u>${escape(curl)}</u>`
  })}${column({
    step: 3, title: 'Still writing, browser to browser', dead: true, link: 'browser to browser, WebRTC', shots: writing,
    notes: [note(`arrived after ${took[1]} ms`, 146) + note('written here', 229), note('written here', 146) + note(`arrived after ${took[0]} ms`, 229)],
    terminal: `<b>#</b> no server is left\n<b>#</b> 2 todos written, each in one browser\n<b>#</b> both lists are equal`
  })}`
}

try {
  const story = await play()
  const context = await (await browser()).newContext({ viewport: { width: 1400, height: 900 }, deviceScaleFactor: 1.5 })
  onExit(() => context.close())
  const page = await context.newPage()
  await page.setContent(html(story))
  mkdirSync(OUT, { recursive: true })
  await page.screenshot({ path: OUT + 'surviving.png', fullPage: true })
  console.log(`docs/pictures/surviving.png; a todo took ${story.took.join(' and ')} ms from browser to browser`)
} finally {
  await cleanUp()
}
