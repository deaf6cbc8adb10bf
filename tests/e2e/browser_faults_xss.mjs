/* Threat 19, in Chromium: whatever is typed into any field or written into an address is shown as it was typed, on pages of the node and of the worker: no
 * dialog opens, nothing is reported against the page's policy, and nothing that was typed becomes markup. */
import { profileOf, start, warm } from './browser_kit.mjs'
import { equal, inMode, ok, settled, test, until, visit } from './kit.mjs'

const PAYLOADS = [
  '<script>alert(1)</script>', '</script><script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<svg onload=alert(1)>', '<svg><script>alert(1)</script></svg>',
  '"><script>alert(1)</script>', "'><script>alert(1)</script>", '" onmouseover="alert(1)', "' onmouseover='alert(1)", '" autofocus onfocus=alert(1) x="',
  'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'data:text/html,<script>alert(1)</script>', '<!--', '-->', '--><script>alert(1)</script>', '<![CDATA[<script>', ']]>',
  '<iframe srcdoc="<script>alert(1)</script>">', '<iframe src=javascript:alert(1)>', '<body onload=alert(1)>', '<a href="javascript:alert(1)">x</a>',
  '<math><mtext></table><img src=x onerror=alert(1)>', '<table><td background="javascript:alert(1)">', '<link rel=stylesheet href=//evil.example>', "<style>@import '//evil.example'</style>",
  '<meta http-equiv=refresh content="0;url=javascript:alert(1)">', '<base href=//evil.example>', '<object data=//evil.example>', '<embed src=//evil.example>',
  '<form action=//evil.example><input type=submit>', '<input autofocus onfocus=alert(1)>', '<details open ontoggle=alert(1)>', '<video><source onerror=alert(1)></video>',
  '<marquee onstart=alert(1)>', '<template><script>alert(1)</script></template>', '</title><script>alert(1)</script>', '</textarea><script>alert(1)</script>',
  '</style><script>alert(1)</script>', '</head><body onload=alert(1)>', '{{op}}', '{{{page.head}}}', '{{#items}}{{/items}}', '{{=<% %>=}}', '{{>layout}}',
  '\\"};alert(1);//', '\\u003cscript\\u003ealert(1)\\u003c/script\\u003e', '&lt;script&gt;alert(1)&lt;/script&gt;', '&#60;script&#62;alert(1)&#60;/script&#62;', '&', '%3Cscript%3Ealert(1)%3C/script%3E',
  '<\u200bscript>alert(1)', '\u202e<script>alert(1)</script>', '\uff1cscript\uff1ealert(1)', '<scr\u00adipt>alert(1)', '`onerror=alert(1)`', '$&$1$`', '${alert(1)}', '<script src=//evil.example></script', '\'"`><',
  '<<script>alert(1)//<</script>', '<x/onclick=alert(1)>x', "@import'//evil.example';", '<script type=module>alert(1)</script>', '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<img src=x:x onerror=alert(1)//', '<svg><animate onbegin=alert(1) attributeName=x dur=1s>', '<a id=holdfast><a id=holdfast name=databases>', '<input name=op form=new value=x>'
]

/* Elements of the page by name; a payload that becomes markup changes it. */
const skeleton = () => {
  const counts = {}
  for (const element of document.querySelectorAll('*')) counts[element.localName] = (counts[element.localName] ?? 0) + 1
  return Object.entries(counts).sort().join(' ')
}

async function watched (node) {
  const page = await visit(await profileOf(), node.origin)
  const seen = { dialogs: 0, reports: 0, foreign: 0 }
  page.on('dialog', dialog => {
    seen.dialogs++
    dialog.dismiss()
  })
  page.on('request', request => { if (!request.url().startsWith(node.origin)) seen.foreign++ })
  await page.exposeBinding('reported', (_, what) => {
    seen.reports++
    console.log(`  reported: ${what}`)
  })
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', e => window.reported(`${e.violatedDirective} ${e.blockedURI} ${e.sample} on ${location.href}`)))
  return { page, seen }
}

async function attack (origin, page, ids, by) {
  const open = async path => {
    await page.goto(origin + path, { waitUntil: 'domcontentloaded' })
    return page.evaluate(skeleton)
  }
  /* The list shows all at once; each item has a page with its text in title, heading, form and history. */
  await open('/')
  const listed = await page.evaluate(() => [...document.querySelectorAll('.todos li')].map(li => [li.querySelector('a').textContent, li.querySelector('span')?.textContent]))
  for (const payload of PAYLOADS) ok(listed.some(([text, assignee]) => text === payload && assignee === payload), `${by}: the list shows ${payload}, got ${JSON.stringify(listed.slice(0, 3))}`)
  const calm = await open(`/todos/${ids.get('calm')}`)
  for (const payload of PAYLOADS) {
    equal(await open(`/todos/${ids.get(payload)}`), calm, `${by}: the markup of the page of ${payload}`)
    const shown = await page.evaluate(() => [document.querySelector('#edit-text').value, document.querySelector('#edit-assignee').value, document.title])
    equal(shown.slice(0, 2), [payload, payload], `${by}: shown`)
  }
  for (const payload of PAYLOADS) {
    const text = encodeURIComponent(payload)
    await open(`/?q=${text}&assignee=${text}`)
    equal(await page.evaluate(() => ['#find-q', '#find-assignee'].map(field => document.querySelector(field).value)), [payload, payload], `${by}: the search`)
  }
  /* Pages that say nothing of the address. */
  const nowhere = await page.evaluate(() => fetch('/nothing-here', { headers: { accept: 'text/html' } }).then(r => r.text()))
  const plain = html => html.replace(/(canonical" href|og:url" content)="[^"]*"/g, '')
  for (const payload of PAYLOADS) {
    const html = await page.evaluate(path => fetch(path, { headers: { accept: 'text/html' } }).then(r => r.text()), `/${encodeURIComponent(payload)}`)
    equal(plain(html), plain(nowhere), `${by}: /${payload}`)
  }
  /* Refused forms come back with what was typed; here they are put in place by the page's script. */
  await open('/')
  for (const payload of PAYLOADS) {
    await page.evaluate(text => {
      const long = text + ' '.repeat(2) + 'x'.repeat(81)
      for (const [name, value] of [['text', text], ['assignee', long], ['creator', long]]) document.querySelector(`#new-${name}`).value = value
      for (const input of document.querySelectorAll('#new input')) input.removeAttribute('maxlength')
      document.querySelector('.problem')?.remove()
      document.querySelector('#new').requestSubmit()
    }, payload)
    await page.waitForSelector('.problem')
    equal(await page.evaluate(() => document.querySelector('#new-text').value), payload, `${by}: typed`)
  }
}

test(`${PAYLOADS.length} payloads in every field and address, on pages of the node and of the worker: shown as typed, 0 dialogs, 0 reports`, async () => {
  const node = await start()
  const ids = new Map()
  for (const text of ['calm', ...PAYLOADS]) {
    equal((await node.post('/todos', { text, assignee: text, creator: text })).status, 303, JSON.stringify(text))
  }
  for (const { id, text } of await node.items()) ids.set(text, id)
  equal(ids.size, PAYLOADS.length + 1, 'items')
  const one = await watched(node)
  const two = await watched(node)
  await warm(two.page)
  await until('all of it is there', () => two.page.evaluate(async n => (await (await fetch('/api/v1/todos?limit=1', { headers: { 'holdfast-render': 'local' } })).json()).total === n, ids.size))
  await two.page.evaluate(() => { const local = document.querySelector('[name=hf-mode][value=local]'); local.checked = true; local.dispatchEvent(new Event('change', { bubbles: true })) })
  await inMode(two.page, 'local').catch(() => inMode(two.page, 'peer'))
  await Promise.all([attack(node.origin, one.page, ids, 'node'), attack(node.origin, two.page, ids, 'worker')])
  const by = page => page.evaluate(async () => (await fetch('/', { headers: { accept: 'text/html' } })).headers.get('x-served-by'))
  equal([await by(one.page), await by(two.page)], ['node', 'worker'], 'served by')
  for (const { seen } of [one, two]) equal(seen, { dialogs: 0, reports: 0, foreign: 0 }, 'seen')
  console.log(`  ${PAYLOADS.length} payloads, ${2 * (PAYLOADS.length * 4 + 3)} pages`)
  await settled(one.page)
})
