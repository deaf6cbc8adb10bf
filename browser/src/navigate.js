/* navigate: links and forms without leaving the document, because leaving it would cut the connections to other browsers. The page is fetched as the
 * browser would have, then morphed in place: focus, scroll, open details and half-typed text stay. Whatever does not fit falls back to a plain navigation;
 * so does a page of another release, since its script, its styles and its worker are others. */
import { Idiomorph } from 'idiomorph/dist/idiomorph.esm.js'

const HTML = { accept: 'text/html', 'holdfast-enhanced': '1' }
const SLOW_MS = 400 /* after this the page says that it is busy */
const REST = 3 /* after a refresh the user has this many times its time, */
const REST_MS = 30 /* and at least this */

export class Navigator {
  /** @param {{release: string, handover: () => Promise<void>}} options the release of this page's script; `handover` resolves when a page of another
   *  release may be gone to */
  constructor ({ release, handover }) {
    this.release = release
    this.handover = handover
    this.behind = true /* the worker's replica may lack what the node has: pages are the node's */
    this.current = null /* AbortController of what is under way */
    this.sending = new Set() /* forms posted and not answered yet */
    this.stale = false /* something changed while something else was under way */
    this.left = false /* this document is being left */
    this.reloadNext = false /* another release stands ready: the next step is a plain one */
    history.scrollRestoration = 'manual'
    if (history.state?.scroll) scrollTo(0, history.state.scroll) /* reloaded, or back from another document */
    history.replaceState({ ...history.state, hf: true }, '')
    document.addEventListener('click', event => this.#click(event))
    document.addEventListener('submit', event => this.#submit(event))
    addEventListener('popstate', () => this.#visit(location.href, { push: false }))
    /* Kept with the entry that is left, for the way back. */
    addEventListener('scroll', () => this.#keepScroll(), { passive: true })
  }

  /** The page as it is now, where it stands: somebody changed something. Never disturbs what the user does. */
  async refresh () {
    if (this.current || this.refreshing) {
      this.stale = true
      return
    }
    this.refreshing = true
    this.stale = false
    const at = location.href
    const { behind } = this
    const response = await fetch(at, { headers: behind ? HTML : { ...HTML, 'holdfast-render': 'local' } }).catch(() => null)
    const html = response?.ok ? await response.text().catch(() => '') : ''
    const next = html && parse(html)
    await rest(0)
    const began = performance.now()
    if (next && !this.current && location.href === at) this.#refreshed(next)
    /* However fast changes come, the page is the user's most of the time. */
    await rest(Math.max(REST_MS, REST * (performance.now() - began)))
    this.refreshing = false
    this.#catchUp()
  }

  #refreshed (next) {
    if (!this.#ours(next)) return this.swap()
    if (!alike(next)) morph(next, { gentle: true })
  }

  /** Another release stands ready: at once when nobody is at work here, else with the next step. */
  swap () {
    this.reloadNext = true
    if (!this.left && !this.current && !this.sending.size && !handsOn()) this.#leave()
  }

  /* Without an address: the same page anew, which keeps what is half typed. */
  #leave (url) {
    this.left = true
    if (url) location.assign(url)
    else location.reload()
  }

  #catchUp () { if (this.stale && !this.current) this.refresh() }
  #ours (next) { return releaseOf(next) === this.release }

  #click (event) {
    const link = event.target.closest?.('a[href]')
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    if (link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    if (/^\/(static|api|_holdfast|_)\//.test(link.pathname)) return
    if (link.hash && link.pathname === location.pathname && link.search === location.search) return
    event.preventDefault()
    this.#visit(link.href, { push: true })
  }

  #submit (event) {
    const { target: form, submitter } = event
    const action = submitter?.hasAttribute('formaction') ? submitter.formAction : form.getAttribute('action') ? form.action : location.href
    const method = submitter?.hasAttribute('formmethod') ? submitter.formMethod : form.method
    if (event.defaultPrevented || form.target || new URL(action).origin !== location.origin) return
    if (method !== 'get' && method !== 'post') return
    if (this.reloadNext) {
      this.left = true
      return
    }
    const fields = new URLSearchParams(new FormData(form, submitter))
    event.preventDefault()
    if (method === 'get') {
      const url = new URL(action)
      url.search = fields
      return this.#visit(url.href, { push: true })
    }
    const what = `${action} ${fields}`
    if (this.sending.has(what)) return /* pressed twice */
    this.sending.add(what)
    this.#visit(action, { push: true, form, fields }).finally(() => this.sending.delete(what))
  }

  async #visit (url, { push, form, fields }) {
    if (this.reloadNext && !form) return this.#leave(url)
    this.current?.abort()
    const controller = this.current = new AbortController()
    const slow = setTimeout(() => document.documentElement.setAttribute('aria-busy', 'true'), SLOW_MS)
    try {
      /* What was posted is not called back: it may have arrived. */
      const response = await fetch(url, { headers: HTML, ...form ? { method: 'POST', body: fields } : { signal: controller.signal } })
      if (!/^text\/html/.test(response.headers.get('content-type') ?? '')) throw new TypeError('not a page')
      const html = await response.text()
      const superseded = this.current !== controller
      if (form && response.ok) forget(form, fields)
      if (superseded && (!form || response.ok)) this.stale = true
      else await this.#show(parse(html), response, { push, form, fields })
    } catch (error) {
      if (error.name === 'AbortError') return
      if (form) this.#unsent(form, fields)
      else this.#leave(url)
    } finally {
      clearTimeout(slow)
      if (this.current === controller) {
        this.current = null
        document.documentElement.removeAttribute('aria-busy')
      }
      this.#catchUp()
    }
  }

  async #show (next, response, { push, form, fields }) {
    const at = response.headers.get('holdfast-location') ?? pathOf(response.url)
    const refused = form && !response.ok
    const same = pathOf(location.href) === at
    if (!this.#ours(next)) return this.#otherRelease(at, refused && form, fields)
    if (push && !same && !refused) {
      this.#saveScroll()
      history.pushState({ hf: true }, '', at)
    }
    morph(next, { gentle: Boolean(form && (same || refused)), refused: refused ? form : null })
    document.dispatchEvent(new CustomEvent('holdfast:shown'))
    if (refused) return focus(document.querySelector('[aria-invalid=true], [role=alert]'))
    if (form && same) return
    if (!push) return scrollTo(0, history.state?.scroll ?? 0)
    scrollTo(0, 0)
    focus(document.querySelector('main'))
  }

  /* A refused form is posted again by the browser itself, when the user says so: what was typed is here only. A reload keeps what is half typed. */
  async #otherRelease (at, refusedForm, fields) {
    const { current } = this
    if (!this.reloadNext) await this.handover()
    this.reloadNext = true
    if (refusedForm) this.#unsent(refusedForm, fields)
    else if (this.current !== current) this.stale = true /* the user went on */
    else this.#leave(pathOf(location.href) === at ? '' : at)
  }

  /* No answer: say so beside the button and keep what was typed. Perhaps it was written all the same, so that it is sent again with the operation ID
   * that it had (a refresh may have brought the form another one meanwhile): then it is one action. */
  #unsent (form, fields) {
    const op = form.elements.namedItem('op')
    if (op && fields.has('op')) op.value = fields.get('op')
    let note = form.querySelector('.hf-unsent')
    if (!note) {
      note = document.createElement('p')
      note.className = 'hf-unsent error'
      note.setAttribute('role', 'alert')
      form.append(note)
    }
    note.textContent = form.dataset.hfUnsent ?? 'Not saved: nothing could be reached. Your text is still here; try again.'
  }

  #keepScroll () {
    clearTimeout(this.scrollTimer)
    this.scrollTimer = setTimeout(() => this.#saveScroll(), 100)
  }

  #saveScroll () {
    clearTimeout(this.scrollTimer)
    history.replaceState({ ...history.state, scroll: scrollY }, '')
  }
}

const pathOf = url => {
  const { pathname, search } = new URL(url)
  return pathname + search
}

function focus (element) {
  if (!element) return
  if (!element.matches('a,button,input,select,textarea,[tabindex]')) element.tabIndex = -1
  element.focus({ preventScroll: true })
}

const rest = ms => new Promise(resolve => setTimeout(resolve, ms))

const parse = html => new DOMParser().parseFromString(html, 'text/html')

/* Of the script that a page asks for; null when it asks for none. */
function releaseOf (page) {
  const script = page.querySelector('script[src^="/_holdfast/page.js"]')
  return script && new URL(script.getAttribute('src'), location.href).searchParams.get('v')
}

function dirty (element) {
  if (element instanceof HTMLSelectElement) return [...element.options].some(option => option.selected !== option.defaultSelected)
  if (element instanceof HTMLTextAreaElement) return element.value !== element.defaultValue
  if (!(element instanceof HTMLInputElement) || element.type === 'hidden') return false
  return element.value !== element.defaultValue || element.checked !== element.defaultChecked
}

/* Is the user in the middle of something that a reload would lose? */
const handsOn = () => [...document.querySelectorAll('input,textarea,select')].some(e => !e.closest('#hf-status') && dirty(e)) ||
  document.querySelector('details[open]') !== null || document.activeElement?.matches('input,textarea,select')

/* What was sent leaves the form; what was typed while it was under way stays. */
function forget (form, fields) {
  form.querySelector('.hf-unsent')?.remove()
  for (const element of form.elements) {
    if (!dirty(element)) continue
    if (element.type === 'checkbox' || element.type === 'radio') element.checked = element.defaultChecked
    else if (element instanceof HTMLSelectElement) for (const option of element.options) option.selected = option.defaultSelected
    else if (fields.getAll(element.name).includes(element.value)) element.value = element.defaultValue
  }
}

/* What the user looks at now; the function that is returned puts it back there. (The browser's own scroll anchoring gives up on nodes that are moved.) */
function inSight () {
  const seen = [0.2, 0.4, 0.6, 0.8].map(y => document.elementFromPoint(innerWidth / 2, innerHeight * y)?.closest('main [id]'))
  const held = [document.activeElement?.closest('main [id]'), ...seen].filter(Boolean).map(element => ({ element, ...boxOf(element) }))
    .filter(({ top, height }) => height < innerHeight && top > -height && top < innerHeight)
  return () => {
    const still = held.find(({ element }) => element.isConnected)
    const by = scrollY && still ? boxOf(still.element).top - still.top : 0
    if (by) scrollBy({ top: by, behavior: 'instant' })
  }
}

function boxOf (element) {
  const { top, height } = element.getBoundingClientRect()
  return { top, height }
}

/* Does the page show just that already, but for the operation IDs, which are other ones each time? Then it takes those. */
function alike (next) {
  const mains = [document, next].map(page => page.querySelector('main'))
  const [old, fresh] = mains.map(main => main?.cloneNode(true))
  if (!old || !fresh || document.title !== next.title) return false
  for (const main of [old, fresh]) for (const op of opsOf(main)) op.removeAttribute('value')
  if (!old.isEqualNode(fresh)) return false
  const ops = opsOf(mains[1])
  for (const [i, op] of opsOf(mains[0]).entries()) op.value = ops[i].value
  return true
}

const opsOf = main => main.querySelectorAll('input[name=op]')

/* gentle: the page changes under the user's hands: what was typed or opened stays. A refused form comes back with its own text and what is wrong with it. */
function morph (next, { gentle, refused = null }) {
  const status = document.getElementById('hf-status')
  const stay = gentle ? inSight() : () => {}
  document.title = next.title
  Idiomorph.morph(document.body, next.body, {
    ignoreActiveValue: gentle,
    restoreFocus: true,
    callbacks: {
      beforeNodeMorphed: (old, fresh) => {
        if (old === status) return false /* the badge is the page script's own */
        if (old.name === 'op' && old.form?.querySelector('.hf-unsent')) return false
        return !(gentle && old.id === fresh.id && old.name === fresh.name && dirty(old) && !(refused && old.form === refused))
      },
      beforeAttributeUpdated: (name, node) => !(gentle && name === 'open' && node.localName === 'details'),
      beforeNodeRemoved: node => !(gentle && node.classList?.contains('hf-unsent'))
    }
  })
  stay()
  for (const name of ['canonical', 'alternate']) {
    const old = document.head.querySelector(`link[rel=${name}]`)
    const fresh = next.head.querySelector(`link[rel=${name}]`)
    if (old && fresh) old.href = fresh.href
  }
}
