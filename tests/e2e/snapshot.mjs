/* A node that starts from its snapshot shows what one shows that reads every entry; a snapshot about which anything is wrong is not used. */
import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { equal, Node, ok, run, tempDir, test, until } from './kit.mjs'

const app = join(tempDir(), 'todo')
cpSync(new URL('../../apps/todo', import.meta.url).pathname, app, { recursive: true })
const node = await Node.make({ flags: [app] })
const file = name => join(node.dir, name)

async function grow (n, name) {
  let made = 0
  const maker = async () => {
    while (made < n) equal((await node.post('/todos', { text: `${name} ${++made}`, assignee: made % 3 ? '' : 'Ann' })).status, 303, 'status')
  }
  await Promise.all(Array.from({ length: 16 }, maker))
}

/** All that programs can read of it, and its version. */
const shown = async () => {
  const pages = []
  for (const path of ['/api/v1/todos?limit=1000', '/api/v1/todos?limit=1000&offset=1000', '/api/v1/todos?limit=1000&sort=text', '/.well-known/holdfast.json']) {
    const answer = await node.get(path)
    pages.push(answer.headers.get('etag'), await answer.text())
  }
  return pages
}

/** How many blocks the last start read. */
const loaded = () => Number(/\bloaded\b.*?blocks"?[=:]"?(\d+)/.exec(node.log)[1])
const unused = () => /the snapshot is not used.*/.exec(node.log)?.[0] ?? ''

const HOLDFAST = process.env.HOLDFAST ?? new URL('../../build/holdfast', import.meta.url).pathname
const db = (...args) => new Promise((resolve, reject) => {
  execFile(HOLDFAST, ['db', ...args, '--dir', node.dir], { timeout: 20_000 }, (error, out, err) => error ? reject(new Error(err)) : resolve(out.trim()))
})

let before

test('a stop writes it, and the next start reads no entry', async () => {
  await node.start()
  await grow(300, 'first')
  const { id } = (await node.items())[7]
  await node.post(`/todos/${id}/toggle`, {})
  await node.post(`/todos/${(await node.items())[9].id}/delete`, {})
  before = await shown()
  equal(await node.stop(), 0, 'exit status')
  ok(existsSync(file('snapshot')) && !existsSync(file('snapshot.new')), 'it is there')
  await node.start()
  ok(loaded() < 10, `${loaded()} blocks were read`)
  equal(await shown(), before, 'what shows')
})

test('what came behind it is read, also after kill -9', async () => {
  copyFileSync(file('snapshot'), file('older'))
  await grow(40, 'second')
  before = await shown()
  await node.kill()
  await node.start()
  ok(loaded() >= 40 && loaded() < 60, `${loaded()} blocks were read`)
  equal(await shown(), before, 'what shows')
  equal([await node.stop(), readFileSync(file('snapshot')).equals(readFileSync(file('older')))], [0, true], 'forty are not worth a new one')
})

test('damaged anywhere it is not used', async () => {
  const whole = readFileSync(file('snapshot'))
  const places = [0, 3, 5, 20, 60, whole.length >> 1, whole.length - 1]
  for (const damage of [...places.map(at => b => { b[at] ^= 1 }), b => b.subarray(0, b.length >> 1), b => b.subarray(0, 9), () => Buffer.alloc(0)]) {
    const bytes = Buffer.from(whole)
    writeFileSync(file('snapshot'), damage(bytes) ?? bytes)
    await node.start()
    ok(loaded() > 300, `${loaded()} blocks were read`)
    equal(await shown(), before, 'what shows')
    await node.kill()
  }
  writeFileSync(file('snapshot'), whole)
})

test('of another state of the store it is not used: a backup put back, an entry lost', async () => {
  for (const sql of ["DELETE FROM blocks WHERE seq = (SELECT max(seq) FROM blocks)", 'DELETE FROM blocks WHERE seq > 200']) {
    copyFileSync(file('holdfast.db'), file('backup'))
    await node.start()
    await grow(100, 'third')
    await node.stop()
    const snapshot = readFileSync(file('snapshot'))
    execFileSync('sqlite3', [file('holdfast.db'), sql])
    rmSync(file('snapshot'))
    await node.start()
    before = await shown()
    await node.kill()
    writeFileSync(file('snapshot'), snapshot)
    await node.start()
    ok(/another state of the store/.test(unused()), unused())
    equal(await shown(), before, 'what shows')
    await node.kill()
    for (const name of ['holdfast.db-wal', 'holdfast.db-shm']) rmSync(file(name), { force: true })
    copyFileSync(file('backup'), file('holdfast.db'))
    await node.start()
    ok(/another state of the store/.test(unused()), unused())
    await node.kill()
    copyFileSync(file('older'), file('snapshot'))
  }
})

test('an app that was changed takes none of the old state', async () => {
  const manifest = readFileSync(join(app, 'app.json'), 'utf8')
  await node.start()
  before = await shown()
  await node.stop()
  writeFileSync(join(app, 'app.json'), manifest.replace('"max": 500', '"max": 8'))
  await node.start()
  ok(/of another app or program/.test(unused()), unused())
  ok(!(await shown()).join().includes('first 123'), 'texts of more than eight characters do not show')
  await node.stop()
  writeFileSync(join(app, 'app.json'), manifest)
  await node.start()
  equal((await shown()).filter(s => s?.startsWith('{"items')), before.filter(s => s?.startsWith('{"items')), 'what shows')
})

test('databases added at run time are read beside it', async () => {
  const address = (await db('create', 'prices', '--type', 'keyvalue')).match(/\/orbitdb\/\w+/)[0]
  await node.stop()
  await node.start()
  await db('put', address, 'tea', '3')
  before = await shown()
  await node.kill()
  await node.start()
  equal([unused(), loaded() < 100], ['', true], 'with the snapshot')
  equal([await db('get', address, 'tea'), await shown()], ['3', before], 'what shows')
})

test('a database added at run time has one of its own: a start, and opening it again, read no entry of it', async () => {
  const address = (await db('create', 'log')).match(/\/orbitdb\/\w+/)[0]
  const lines = join(tempDir(), 'lines')
  writeFileSync(lines, Array.from({ length: 300 }, (_, i) => `{"value":${i}}`).join('\n'))
  await db('import', lines, '--into', address)
  const all = await db('all', address)
  const own = file(`snapshot-${address.split('/').pop()}`)
  equal([await node.stop(), existsSync(own)], [0, true], 'it is there')
  await node.start()
  equal([loaded() < 150, await db('all', address)], [true, all], `${loaded()} blocks were read`)
  await db('add', address, '300')
  await db('close', address)
  await db('open', address)
  const opened = () => Number(/database opened.*?blocks"?[=:]"?(\d+)/.exec(node.log)[1])
  ok(opened() <= 1, `${opened()} blocks were read to open it again`)
  equal((await db('all', address)).split('\n').length, 301, 'entries')
  await node.stop()
  const whole = readFileSync(own)
  for (const damage of [b => { b[100] ^= 1 }, b => b.subarray(0, 50), () => Buffer.alloc(0)]) {
    const bytes = Buffer.from(whole)
    writeFileSync(own, damage(bytes) ?? bytes)
    await node.start()
    ok(loaded() > 300, `${loaded()} blocks were read`)
    equal((await db('all', address)).split('\n').length, 301, 'entries')
    await node.kill()
  }
  await node.start()
})

test('a thousand new entries bring one while it runs, and kill -9 then finds it whole', async () => {
  const size = statSync(file('snapshot')).size
  await grow(1100, 'many')
  await until('a new one is written', async () => {
    await node.post('/todos', { text: 'one more' })
    return statSync(file('snapshot')).size > 2 * size
  })
  before = await shown()
  await node.kill()
  await node.start()
  ok(unused() === '' && loaded() < 1000, `${loaded()} blocks were read ${unused()}`)
  equal(await shown(), before, 'what shows')
  equal(await node.stop(), 0, 'exit status')
})

await run()
