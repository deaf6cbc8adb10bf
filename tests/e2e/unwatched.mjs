#!/usr/bin/env node
/* unwatched: Chromium for playwright, with one difference: no debugger is attached to its service workers. With one, a navigation that comes at the moment
 * at which a new worker takes over from the old is sometimes never answered (1 of 4, of two workers of three lines each; never without a debugger).
 *
 * Stands where playwright expects the browser: it speaks CDP over fd 3 (to the browser) and fd 4 (from it), JSON ended by a zero byte. */
import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { Transform } from 'node:stream'

/* What CDP leaves out by itself, and the workers. */
const FILTER = ['browser', 'tab', 'service_worker'].map(type => ({ type, exclude: true })).concat({})

let rest = Buffer.alloc(0)
const unwatching = new Transform({
  transform (chunk, encoding, done) {
    rest = Buffer.concat([rest, chunk])
    for (let end; (end = rest.indexOf(0)) >= 0; rest = rest.subarray(end + 1)) this.push(withoutWorkers(rest.subarray(0, end + 1)))
    done()
  }
})

function withoutWorkers (message) {
  if (!message.includes('"Target.setAutoAttach"')) return message
  const call = JSON.parse(message.subarray(0, -1).toString())
  call.params.filter = FILTER
  return Buffer.from(`${JSON.stringify(call)}\0`)
}

const chromium = spawn('/usr/bin/chromium', process.argv.slice(2), { stdio: ['inherit', 'inherit', 'inherit', 'pipe', 4] })
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => chromium.kill(signal))
const commands = createReadStream(null, { fd: 3 })
commands.pipe(unwatching).pipe(chromium.stdio[3])
for (const stream of [commands, chromium.stdio[3]]) stream.on('error', () => {}) /* one of the two is gone; the other hears of it */
chromium.on('exit', (code, signal) => process.exit(signal ? 1 : code))
